"""The plane of a picture: two columns of X, or its first two principal components."""

import numpy as np
from sklearn.decomposition import PCA
from sklearn.utils import get_tags
from sklearn.utils.validation import validate_data

from fastclust._validation import warn_user

CHUNK_VALUES = 2**22
"""Values of the points that an estimator gets at a time."""

PADDING = 0.05
"""Room around what is drawn, relative to its width and height."""


class ColumnPlane:
    """Two columns; the other features of its points are the means of the values of the rows.

    Attributes
    ----------
    axes : ndarray of shape (2, n_features)
        Directions of the plane.

    names : tuple of two str
        What its axes are called.
    """

    def __init__(self, X, pair, names):
        self.pair = list(pair)
        self.names = tuple(names[f] for f in pair)
        self.axes = np.eye(X.shape[1])[self.pair]
        self._means, self._dtype = np.nanmean(X, axis=0, dtype=np.float64), X.dtype

    def is_in(self, X):
        """Whether rows have what it takes to project them: both values."""
        return ~np.isnan(X[:, self.pair]).any(axis=1)

    def project(self, X):
        """Coordinates of rows in the plane."""
        return np.asarray(X, dtype=np.float64)[:, self.pair]

    def lift(self, points):
        """Rows, with all features and in the type of X, of points in the plane."""
        rows = np.tile(self._means.astype(self._dtype), (len(points), 1))
        rows[:, self.pair] = points
        return rows


class PrincipalPlane:
    """First two principal components of the complete rows; attributes as of `ColumnPlane`."""

    def __init__(self, X):
        X = X[self.is_in(X)]
        if X.shape[0] < 2:
            raise ValueError(
                f"The principal components of {X.shape[0]} complete row(s) are not defined; name "
                "two `features`."
            )
        if (X == X[0]).all():
            raise ValueError(
                "All rows of X are the same, so they have no principal components; name two "
                "`features`."
            )
        self._pca, self._dtype = PCA(2, random_state=0).fit(X), X.dtype
        self.axes = self._pca.components_.astype(np.float64)
        shares = self._pca.explained_variance_ratio_
        self.names = tuple(
            f"principal component {c + 1} ({shares[c]:.0%} of variance)" for c in range(2)
        )

    def is_in(self, X):
        """Whether rows have what it takes to project them: all values."""
        return ~np.isnan(X).any(axis=1)

    def project(self, X):
        """Coordinates of rows in the plane."""
        return self._pca.transform(X).astype(np.float64)

    def lift(self, points):
        """Rows, with all features and in the type of X, of points in the plane."""
        return self._pca.inverse_transform(points).astype(self._dtype, copy=False)


def check_rows(estimator, X):
    """Check rows for a fitted estimator: with NaN only if it takes that for missing values."""
    allows_nan = get_tags(estimator).input_tags.allow_nan
    return validate_data(
        estimator, X, reset=False, dtype=[np.float64, np.float32],
        ensure_all_finite="allow-nan" if allows_nan else True,
    )  # fmt: skip


def rows_in(plane, X):
    """Whether rows can be drawn in a plane: those that miss a value that it takes can not.

    Parameters
    ----------
    plane : ColumnPlane or PrincipalPlane
        The plane.

    X : ndarray of shape (n_samples, n_features)
        Checked rows.

    Returns
    -------
    is_in : ndarray of shape (n_samples,), bool
        Whether a row is drawn.

    Raises
    ------
    ValueError
        If none is.

    Warns
    -----
    UserWarning
        If some are not, with their number.
    """
    is_in = plane.is_in(X)
    n_out = int(np.count_nonzero(~is_in))
    if n_out == len(X):
        raise ValueError("No row has a value in both columns: there is nothing to draw.")
    if n_out:
        text = f"{n_out} of {len(X)} rows are not drawn, as they miss values that place them."
        warn_user(UserWarning(text))
    return is_in


def make_plane(X, features, names):
    """Plane of a pair of columns, by number or name, or by default of the principal components.

    Parameters
    ----------
    X : ndarray of shape (n_samples, n_features)
        Checked rows.

    features : pair of int or str, or None
        The columns; None for the only two or for the principal components.

    names : list of str, or None
        Names of the columns, if X has any.

    Returns
    -------
    plane : ColumnPlane or PrincipalPlane
        With `project`, `lift`, `axes` and `names`.
    """
    n_features = X.shape[1]
    if n_features < 2:
        raise ValueError(f"A plane needs 2 or more features, but X has {n_features}.")
    shown = [f"feature {f}" for f in range(n_features)] if names is None else names
    if features is not None:
        return ColumnPlane(X, _check_features(features, n_features, names), shown)
    return ColumnPlane(X, (0, 1), shown) if n_features == 2 else PrincipalPlane(X)


def _check_features(features, n_features, names):
    """Return the numbers of the two columns."""
    if isinstance(features, (str, bytes)) or np.ndim(features) != 1 or len(features) != 2:
        raise ValueError(f"`features` must be a pair of columns, but it is {features!r}.")
    pair = [_find_column(feature, n_features, names) for feature in features]
    if pair[0] == pair[1]:
        raise ValueError(f"`features` must be two different columns, but it is {features!r}.")
    return pair


def _find_column(feature, n_features, names):
    """Return the number of a column that is given by number or name."""
    if isinstance(feature, (int, np.integer)) and not isinstance(feature, bool):
        if not 0 <= feature < n_features:
            raise ValueError(f"There is no column {feature}: X has {n_features} features.")
        return int(feature)
    if names is None:
        raise ValueError(f"Columns must be given by number, not {feature!r}: X has no names.")
    if feature not in names:
        known = ", ".join(map(repr, names[:10])) + (", ..." if len(names) > 10 else "")
        raise ValueError(f"X has no column {feature!r}; its columns are {known}.")
    return names.index(feature)


def without_empty(centers, estimator, labels):
    """Centers in a plane, but NaN for components of a Bayesian mixture that have no rows.

    These are what the priors say, which is no more than where the rows are.

    Parameters
    ----------
    centers : ndarray of shape (n_clusters, 2)
        Centers in the plane.

    estimator : object
        Whose centers they are.

    labels : ndarray of shape (n_samples,)
        Labels of the rows to draw.

    Returns
    -------
    centers : ndarray of shape (n_clusters, 2)
        The same array if all have rows.
    """
    if not hasattr(estimator, "mean_precision_"):
        return centers
    n_rows = np.asarray(estimator.mean_precision_) - getattr(estimator, "mean_precision_prior_", 0)
    has_rows = (n_rows >= 1) | np.isin(np.arange(len(centers)), labels)
    return centers if has_rows.all() else np.where(has_rows[:, np.newaxis], centers, np.nan)


def drawn_centers(centers):
    """Numbers of the centers that are drawn."""
    return np.flatnonzero(~np.isnan(centers).any(axis=1))


def column_names(X):
    """Names of the columns of a frame, or None for what has none."""
    columns = getattr(X, "columns", None)
    return None if columns is None else [str(name) for name in columns]


def make_grid(points, resolution):
    """Coordinates of a grid of cells that covers the points and some room around them.

    Parameters
    ----------
    points : ndarray of shape (n_points, 2)
        Points to cover.

    resolution : int
        Number of cells in each direction.

    Returns
    -------
    x, y : ndarray of shape (resolution,)
        Middles of the cells.

    extent : tuple of float
        Left, right, lower and upper end of the grid.
    """
    if not isinstance(resolution, (int, np.integer)) or resolution < 2:
        raise ValueError(f"`grid_resolution` must be an int of 2 or more, not {resolution!r}.")
    low, high = points.min(axis=0), points.max(axis=0)
    room = PADDING * (high - low)
    room[room == 0] = 0.5
    low, high = low - room, high + room
    middles = (np.arange(resolution) + 0.5) / resolution
    x, y = (low[c] + middles * (high[c] - low[c]) for c in range(2))
    return x, y, (low[0], high[0], low[1], high[1])


def evaluate(function, plane, points, X):
    """Values of an estimator's method at points of a plane, computed part by part.

    The method gets all features, in a frame if X is one.
    """
    step = max(1, CHUNK_VALUES // plane.axes.shape[1])
    parts = (points[i : i + step] for i in range(0, len(points), step))
    return np.concatenate([function(_frame_like(X, plane.lift(part))) for part in parts])


def grid_points(x, y):
    """All points of a grid, row by row of the picture."""
    return np.column_stack([np.tile(x, len(y)), np.repeat(y, len(x))])


def _frame_like(X, rows):
    """Put rows into a pandas or polars frame with the names of X, if that is one."""
    if column_names(X) is None:
        return rows
    if hasattr(X, "iloc"):
        return type(X)(rows, columns=X.columns)
    return type(X)(rows, schema=list(X.columns))
