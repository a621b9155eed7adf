"""MixtureDisplay: ellipses, densities and the uncertain band of a Gaussian mixture."""

import numpy as np
from scipy.special import logsumexp, softmax
from sklearn.utils.validation import check_is_fitted

from fastclust.plots import _drawing, _plane

DEVIATIONS = (1, 2)
"""Standard deviations at which ellipses are drawn."""

MASSES = (0.5, 0.9, 0.99)
"""Shares of the density that contours enclose."""

GREY = "0.45"
"""Colour of contours and of the hatched band."""


class MixtureDisplay:
    """Components of a Gaussian mixture in a plane: ellipses, contours and where it is uncertain.

    Make it by `from_estimator`. Ellipses are at 1 and 2 standard deviations of each component,
    contours enclose 50, 90 and 99 % of the density in the picture, and the hatched band is where
    no component has a probability of `threshold`. With more than two features all three are
    those of the mixture's projection on the plane: what is known from two coordinates alone. Of a
    Bayesian mixture the means of the posterior are drawn.

    Parameters
    ----------
    x, y : ndarray of shape (grid_resolution,)
        Coordinates of the grid: the middles of its cells.

    extent : tuple of four float
        Left, right, lower and upper end of the grid.

    log_density : ndarray of shape (grid_resolution, grid_resolution)
        Logarithm of the density at each cell; ``log_density[i, j]`` is at ``y[i]`` and ``x[j]``.

    largest_probability : ndarray of shape (grid_resolution, grid_resolution)
        Probability of the most probable component at each cell.

    threshold : float
        A cell is uncertain where `largest_probability` is below.

    points : ndarray of shape (n_samples, 2)
        The rows in the plane.

    labels : ndarray of shape (n_samples,)
        Most probable component of each row, by all its features.

    means : ndarray of shape (n_components, 2)
        Means in the plane; NaN for components of a Bayesian mixture that have no rows, which are
        not drawn.

    covariances : ndarray of shape (n_components, 2, 2)
        Covariances in the plane.

    axis_labels : pair of str
        Names of the two axes.

    Attributes
    ----------
    ax_ : matplotlib Axes
        The axes.

    figure_ : matplotlib Figure
        The figure.

    rows_ : PathCollection or AxesImage
        The rows, or an image of their numbers, if there are more than 20,000.

    ellipses_ : list of list of Ellipse
        The ellipses of each component that is drawn, from 1 standard deviation on.

    contours_ : ContourSet
        The contours of the density.

    band_ : ContourSet
        The uncertain band.

    centers_ : PathCollection
        The means.

    See Also
    --------
    RegionsDisplay : The label of each part of a plane, for any estimator.

    Examples
    --------
    >>> from sklearn.datasets import load_iris
    >>> from fastclust import GaussianMixture
    >>> from fastclust.plots import MixtureDisplay
    >>> X = load_iris().data
    >>> mixture = GaussianMixture(3, random_state=0).fit(X)
    >>> display = MixtureDisplay.from_estimator(mixture, X, threshold=0.9)
    >>> display.covariances.shape
    (3, 2, 2)
    """

    def __init__(
        self,
        *,
        x,
        y,
        extent,
        log_density,
        largest_probability,
        threshold,
        points,
        labels,
        means,
        covariances,
        axis_labels,
    ):
        self.x = x
        self.y = y
        self.extent = extent
        self.log_density = log_density
        self.largest_probability = largest_probability
        self.threshold = threshold
        self.points = points
        self.labels = labels
        self.means = means
        self.covariances = covariances
        self.axis_labels = axis_labels

    @classmethod
    def from_estimator(
        cls, estimator, X, *, features=None, threshold=0.8, grid_resolution=300, ax=None
    ):
        """Project the mixture and the rows, and draw them.

        Parameters
        ----------
        estimator : GaussianMixture or BayesianGaussianMixture
            Fitted mixture, of fastclust or scikit-learn.

        X : array-like of shape (n_samples, n_features)
            Rows to draw. Where values may be missing, rows without one that places them in the
            picture are not drawn.

        features : pair of int or str, default=None
            The columns to draw, by number or, for a frame, by name. None for the only two columns,
            or for the plane of the first two principal components of X if there are more.

        threshold : float, default=0.8
            Hatch where the largest probability of a component is below.

        grid_resolution : int, default=300
            Number of cells of the grid in each direction.

        ax : matplotlib Axes, default=None
            Where to draw; None for a new figure.

        Returns
        -------
        display : MixtureDisplay
            The display, drawn.

        Raises
        ------
        NotFittedError
            If the mixture is not fitted.
        TypeError
            If the estimator is no Gaussian mixture.
        ValueError
            For rows, features or a threshold that do not suit.
        ImportError
            If matplotlib is not installed.

        Warns
        -----
        UserWarning
            If rows are not drawn, with their number.
        """
        _drawing.import_pyplot()
        check_is_fitted(estimator)
        if not hasattr(estimator, "covariances_") or not hasattr(estimator, "covariance_type"):
            raise TypeError(
                f"MixtureDisplay draws Gaussian mixtures, but this is a "
                f"{type(estimator).__name__}; RegionsDisplay draws any estimator with `predict`."
            )
        if not 0 < threshold <= 1:
            raise ValueError(f"`threshold` must be in (0, 1], but it is {threshold!r}.")
        rows = _plane.check_rows(estimator, X)
        plane = _plane.make_plane(rows, features, _plane.column_names(X))
        is_drawn = _plane.rows_in(plane, rows)
        points, labels = plane.project(rows[is_drawn]), estimator.predict(X)[is_drawn]
        means = plane.project(estimator.means_)
        covariances = _project_covariances(estimator, plane.axes)
        reach = max(DEVIATIONS) * np.sqrt(covariances.diagonal(axis1=1, axis2=2))
        drawn_means = _plane.without_empty(means, estimator, labels)
        drawn = _plane.drawn_centers(drawn_means)
        shown = np.vstack([points, (means - reach)[drawn], (means + reach)[drawn]])
        x, y, extent = _plane.make_grid(shown, grid_resolution)
        grid = _plane.grid_points(x, y)
        if rows.shape[1] == 2:
            log_density = _plane.evaluate(estimator.score_samples, plane, grid, X)
            probabilities = _plane.evaluate(estimator.predict_proba, plane, grid, X)
        else:
            joint = _log_joint(grid, estimator.weights_, means, covariances)
            log_density, probabilities = logsumexp(joint, axis=1), softmax(joint, axis=1)
        return cls(
            x=x,
            y=y,
            extent=extent,
            log_density=log_density.reshape(len(y), len(x)),
            largest_probability=probabilities.max(axis=1).reshape(len(y), len(x)),
            threshold=threshold,
            points=points,
            labels=labels,
            means=drawn_means,
            covariances=covariances,
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
        self : MixtureDisplay
            The display, with `ax_`, `figure_` and what was drawn.
        """
        ax = _drawing.make_axes(ax)
        from matplotlib.lines import Line2D
        from matplotlib.patches import Patch

        drawn = _plane.drawn_centers(self.means)
        palette = _drawing.make_palette(len(drawn))
        lighter, darker = _drawing.tint(palette, 0.6), 0.8 * palette
        codes = np.searchsorted(drawn, self.labels)
        self.rows_ = _drawing.draw_rows(ax, self.points, codes, lighter, self.extent)
        self.band_ = ax.contourf(
            self.x, self.y, self.largest_probability, levels=[0, self.threshold], colors="none",
            hatches=["////"], zorder=3,
        )  # fmt: skip
        self.band_.set(edgecolor=GREY, linewidth=0)
        self.contours_ = self._draw_contours(ax)
        self.ellipses_ = [
            [_draw_ellipse(ax, mean, covariance, color, s) for s in DEVIATIONS]
            for mean, covariance, color in zip(
                self.means[drawn], self.covariances[drawn], darker, strict=True
            )
        ]
        self.centers_ = _drawing.draw_centers(ax, self.means[drawn], drawn)
        _drawing.finish_plane(ax, self.axis_labels, self.extent)
        _drawing.draw_legend(
            ax,
            [
                Line2D([], [], color=_drawing.INK, linewidth=2, label="1 and 2 s.d."),
                Line2D([], [], color=GREY, linewidth=0.9, label="50, 90, 99% of density"),
                Patch(facecolor="none", edgecolor=GREY, hatch="////", linewidth=0,
                      label=f"all probabilities < {self.threshold:g}"),
            ],
        )  # fmt: skip
        self.ax_, self.figure_ = ax, ax.get_figure()
        return self

    def _draw_contours(self, ax):
        """Draw the contours that enclose `MASSES` of the density."""
        below_top = np.nextafter(self.log_density.max(), -np.inf)  # where one cell has it all
        levels = np.unique(np.minimum(find_levels(self.log_density, MASSES), below_top))
        return ax.contour(
            self.x, self.y, self.log_density, levels=levels, colors=GREY,
            linewidths=0.9, linestyles="solid", zorder=4,
        )  # fmt: skip


def find_levels(log_density, masses):
    """Levels of a log-density on a grid above which the given shares of its sum lie."""
    falling = np.sort(log_density, axis=None)[::-1]
    shares = np.cumsum(np.exp(falling - falling[0]))
    return falling[np.searchsorted(shares, np.multiply(masses, shares[-1]))]


def _project_covariances(estimator, axes):
    """Covariances in a plane, of shape (n_components, 2, 2), for every covariance type."""
    covariances, k = np.asarray(estimator.covariances_, dtype=np.float64), len(estimator.means_)
    if estimator.covariance_type == "diag":
        return (axes * covariances[:, None, :]) @ axes.T
    if estimator.covariance_type == "spherical":
        return covariances[:, None, None] * (axes @ axes.T)
    projected = axes @ covariances @ axes.T  # full, or tied
    return np.broadcast_to(projected, (k, 2, 2)).copy()


def _log_joint(points, weights, means, covariances):
    """Return log w_j N(x_i; m_j, C_j) in two dimensions, of shape (n_points, n_components)."""
    joint = np.empty((len(points), len(means)))
    with np.errstate(divide="ignore"):  # a weight may be 0
        log_weights = np.log(weights)
    for j, (mean, covariance) in enumerate(zip(means, covariances, strict=True)):
        difference = points - mean
        square = (difference @ np.linalg.inv(covariance) * difference).sum(axis=1)
        log_det = np.linalg.slogdet(covariance)[1]
        joint[:, j] = log_weights[j] - np.log(2 * np.pi) - (log_det + square) / 2
    return joint


def _draw_ellipse(ax, mean, covariance, color, deviations):
    """Draw the ellipse of so many standard deviations of a component."""
    from matplotlib.patches import Ellipse
    from matplotlib.patheffects import withStroke

    variances, axes = np.linalg.eigh(covariance)  # the larger variance is last
    height, width = 2 * deviations * np.sqrt(np.maximum(variances, 0))
    angle = np.degrees(np.arctan2(axes[1, 1], axes[0, 1]))
    ellipse = Ellipse(
        mean, width, height, angle=angle, facecolor="none", edgecolor=color, linewidth=2, zorder=5,
        path_effects=[withStroke(linewidth=3.5, foreground="white")],
    )  # fmt: skip
    return ax.add_patch(ellipse)
