"""RegionsDisplay: which cluster each part of a plane belongs to."""

import numpy as np
from sklearn.utils.validation import check_is_fitted

from fastclust.plots import _drawing, _plane


class RegionsDisplay:
    """Regions of a plane by the label that an estimator predicts there, with rows and centers.

    Make it by `from_estimator`. The rows have the colours of their own labels: with more than two
    features, a row may lie over a region of another cluster, as the plane does not go through it.

    Parameters
    ----------
    x, y : ndarray of shape (grid_resolution,)
        Coordinates of the grid: the middles of its cells.

    extent : tuple of four float
        Left, right, lower and upper end of the grid.

    regions : ndarray of shape (grid_resolution, grid_resolution)
        Label of each cell; ``regions[i, j]`` is at ``y[i]`` and ``x[j]``.

    points : ndarray of shape (n_samples, 2)
        The rows in the plane.

    labels : ndarray of shape (n_samples,)
        Label of each row.

    centers : ndarray of shape (n_clusters, 2), or None
        The centers in the plane; NaN for those that are not drawn, as they are of components of a
        Bayesian mixture that have no rows.

    axis_labels : pair of str
        Names of the two axes.

    Attributes
    ----------
    ax_ : matplotlib Axes
        The axes.

    figure_ : matplotlib Figure
        The figure.

    surface_ : AxesImage
        The regions.

    rows_ : PathCollection or AxesImage
        The rows, or an image of their numbers, if there are more than 20,000.

    centers_ : PathCollection or None
        The centers.

    See Also
    --------
    MixtureDisplay : Ellipses and densities of a mixture.

    Examples
    --------
    >>> from sklearn.datasets import load_iris
    >>> from fastclust import KMeans
    >>> from fastclust.plots import RegionsDisplay
    >>> X = load_iris(as_frame=True).data
    >>> kmeans = KMeans(3, random_state=0).fit(X)
    >>> display = RegionsDisplay.from_estimator(
    ...     kmeans, X, features=["petal length (cm)", "petal width (cm)"]
    ... )
    >>> display.regions.shape
    (300, 300)
    """

    def __init__(self, *, x, y, extent, regions, points, labels, centers, axis_labels):
        self.x = x
        self.y = y
        self.extent = extent
        self.regions = regions
        self.points = points
        self.labels = labels
        self.centers = centers
        self.axis_labels = axis_labels

    @classmethod
    def from_estimator(cls, estimator, X, *, features=None, grid_resolution=300, ax=None):
        """Predict the labels of a grid and of the rows, and draw them.

        Parameters
        ----------
        estimator : object
            Fitted estimator with `predict`; its `cluster_centers_` or `means_` are drawn too.

        X : array-like of shape (n_samples, n_features)
            Rows to draw, with all features that the estimator knows. Where these may be missing,
            rows without a value that places them in the picture are not drawn.

        features : pair of int or str, default=None
            The columns to draw, by number or, for a frame, by name. The others are held at their
            means in the grid. None for the only two columns, or for the plane of the first two
            principal components of X if there are more.

        grid_resolution : int, default=300
            Number of cells of the grid in each direction.

        ax : matplotlib Axes, default=None
            Where to draw; None for a new figure.

        Returns
        -------
        display : RegionsDisplay
            The display, drawn.

        Raises
        ------
        NotFittedError
            If the estimator is not fitted.
        ValueError
            For rows or features that do not suit.
        ImportError
            If matplotlib is not installed.

        Warns
        -----
        UserWarning
            If rows are not drawn, with their number.
        """
        _drawing.import_pyplot()
        check_is_fitted(estimator)
        rows = _plane.check_rows(estimator, X)
        plane = _plane.make_plane(rows, features, _plane.column_names(X))
        is_drawn = _plane.rows_in(plane, rows)
        points, labels = plane.project(rows[is_drawn]), np.asarray(estimator.predict(X))[is_drawn]
        x, y, extent = _plane.make_grid(points, grid_resolution)
        regions = _plane.evaluate(estimator.predict, plane, _plane.grid_points(x, y), X)
        centers = _find_centers(estimator, rows.shape[1])
        if centers is not None:
            centers = _plane.without_empty(plane.project(centers), estimator, labels)
        return cls(
            x=x,
            y=y,
            extent=extent,
            regions=regions.reshape(len(y), len(x)),
            points=points,
            labels=labels,
            centers=centers,
            axis_labels=plane.names,
        ).plot(ax=ax)

    def plot(self, ax=None):
        """Draw the display.

        Parameters
        ----------
        ax : matplotlib Axes, default=None
            Where to draw; None for a new figure.

        Returns
        -------
        self : RegionsDisplay
            The display, with `ax_`, `figure_` and what was drawn.
        """
        ax = _drawing.make_axes(ax)
        region_codes, row_codes, names = self._encode()
        palette = _drawing.make_palette(len(names))
        image = _drawing.tint(palette, 0.35)[region_codes]
        image[_is_border(region_codes)] = 1.0
        self.surface_ = _drawing.draw_image(ax, image, self.extent, zorder=1)
        self.rows_ = _drawing.draw_rows(ax, self.points, row_codes, palette, self.extent)
        self.centers_ = None
        if self.centers is not None:
            drawn = _plane.drawn_centers(self.centers)
            self.centers_ = _drawing.draw_centers(ax, self.centers[drawn], drawn)
        _drawing.finish_plane(ax, self.axis_labels, self.extent)
        self.ax_, self.figure_ = ax, ax.get_figure()
        return self

    def _encode(self):
        """Labels of cells and rows as numbers from 0, and the labels that these stand for."""
        names = np.union1d(self.regions, self.labels)
        if self.centers is not None and np.issubdtype(names.dtype, np.integer):
            names = np.union1d(names, _plane.drawn_centers(self.centers))
        codes = np.searchsorted(names, self.regions), np.searchsorted(names, self.labels)
        return *codes, names


def _find_centers(estimator, n_features):
    """Centers or means of an estimator, or None if it has none of these columns."""
    for name in ("cluster_centers_", "means_"):
        centers = getattr(estimator, name, None)
        if centers is not None and np.shape(centers)[1:] == (n_features,):
            return np.asarray(centers)
    return None


def _is_border(codes):
    """Whether the cell to the left or below has another label."""
    border = np.zeros(codes.shape, dtype=bool)
    border[:, 1:] = codes[:, 1:] != codes[:, :-1]
    border[1:] |= codes[1:] != codes[:-1]
    return border
