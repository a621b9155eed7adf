"""SilhouetteDisplay: the silhouettes of all rows, cluster by cluster."""

import numpy as np
from sklearn.utils import check_array, check_consistent_length, column_or_1d
from sklearn.utils.validation import check_is_fitted

from fastclust.metrics import silhouette_samples
from fastclust.plots import _drawing

MAX_BARS = 4_000
"""Of more rows than these, some of each cluster are drawn."""

GAP = 0.02
"""Room between clusters, relative to the height of them all."""


class SilhouetteDisplay:
    """Silhouettes of the rows, falling within each cluster, and their mean [1]_.

    Make it by `from_predictions` or `from_estimator`. The height of a cluster is its number of
    rows. Of many rows some are drawn, evenly spaced in the order of their silhouettes.

    Parameters
    ----------
    silhouettes : ndarray of shape (n_samples,)
        Silhouette of each row.

    labels : ndarray of shape (n_samples,)
        Label of each row.

    Attributes
    ----------
    mean_ : float
        Mean of all silhouettes.

    bars_ : dict of PolyCollection
        What was drawn for each label.

    line_ : Line2D
        The line at the mean.

    ax_ : matplotlib Axes
        The axes.

    figure_ : matplotlib Figure
        The figure.

    References
    ----------
    .. [1] P. Rousseeuw, "Silhouettes: a graphical aid to the interpretation and validation of
       cluster analysis", Journal of Computational and Applied Mathematics 20, 1987.

    Examples
    --------
    >>> from sklearn.datasets import load_iris
    >>> from fastclust import KMeans
    >>> from fastclust.plots import SilhouetteDisplay
    >>> X = load_iris().data
    >>> labels = KMeans(3, random_state=0).fit_predict(X)
    >>> display = SilhouetteDisplay.from_predictions(X, labels)
    >>> round(display.mean_, 2)
    0.55
    """

    def __init__(self, *, silhouettes, labels):
        self.silhouettes = silhouettes
        self.labels = labels

    @classmethod
    def from_predictions(cls, X, labels, *, silhouettes=None, ax=None):
        """Compute the silhouettes of the rows, unless they are given, and draw them.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Rows, of which none may miss a value; not used if the silhouettes are given, and None
            will do then.

        labels : array-like of shape (n_samples,)
            Label of each row.

        silhouettes : array-like of shape (n_samples,), default=None
            Silhouette of each row, if known.

        ax : matplotlib Axes, default=None
            Where to draw; None for a new figure.

        Returns
        -------
        display : SilhouetteDisplay
            The display, drawn.

        Raises
        ------
        ValueError
            For labels or silhouettes of another length than X, or fewer than 2 or as many labels
            as rows.
        ImportError
            If matplotlib is not installed.
        """
        _drawing.import_pyplot()
        labels = column_or_1d(labels)
        if silhouettes is None:
            silhouettes = silhouette_samples(X, labels)
        else:
            silhouettes = column_or_1d(check_array(silhouettes, ensure_2d=False, dtype=np.float64))
        check_consistent_length(silhouettes, labels)
        return cls(silhouettes=silhouettes, labels=labels).plot(ax=ax)

    @classmethod
    def from_estimator(cls, estimator, X, *, silhouettes=None, ax=None):
        """Label the rows, compute their silhouettes and draw them.

        Parameters
        ----------
        estimator : object
            Fitted estimator with `predict`, or else with `labels_` of these rows.

        X : array-like of shape (n_samples, n_features)
            Rows.

        silhouettes : array-like of shape (n_samples,), default=None
            Silhouette of each row, if known.

        ax : matplotlib Axes, default=None
            Where to draw; None for a new figure.

        Returns
        -------
        display : SilhouetteDisplay
            The display, drawn.
        """
        _drawing.import_pyplot()
        check_is_fitted(estimator)
        labels = estimator.predict(X) if hasattr(estimator, "predict") else estimator.labels_
        return cls.from_predictions(X, labels, silhouettes=silhouettes, ax=ax)

    def plot(self, ax=None):
        """Draw the display.

        Parameters
        ----------
        ax : matplotlib Axes, default=None
            Where to draw; None for a new figure.

        Returns
        -------
        self : SilhouetteDisplay
            The display, with `ax_`, `figure_` and what was drawn.
        """
        ax = _drawing.make_axes(ax)
        names, codes, counts = np.unique(self.labels, return_inverse=True, return_counts=True)
        palette = _drawing.make_palette(len(names))
        order = np.lexsort((-self.silhouettes, codes))
        parts = np.split(self.silhouettes[order], np.cumsum(counts)[:-1])
        gap = GAP * len(order) / max(1, len(names) / 10)
        self.bars_, middles, lowest = {}, [], 0.0
        for name, values, color in zip(names.tolist(), parts, palette, strict=True):
            edges = lowest + _thin_edges(len(values), len(order))
            bars = values[np.floor((edges[:-1] + edges[1:]) / 2 - lowest).astype(int)]
            self.bars_[name] = ax.fill_betweenx(
                edges, np.append(bars, bars[-1]), step="post", color=color, linewidth=0
            )
            middles.append(lowest + len(values) / 2)
            lowest = edges[-1] + gap
        self.mean_ = float(self.silhouettes.mean())
        self.line_ = ax.axvline(
            self.mean_, color=_drawing.INK, linestyle="--", linewidth=1.2,
            label=f"mean {self.mean_:.2f}",
        )  # fmt: skip
        _drawing.draw_legend(ax, [self.line_])
        ax.axvline(0, color=_drawing.INK, linewidth=0.6)
        shown = range(0, len(names), -(-len(names) // _drawing.MAX_NUMBERS))
        ax.set_yticks([middles[j] for j in shown], [str(names[j]) for j in shown])
        ax.tick_params(axis="y", length=0)
        ax.set(
            xlabel="silhouette",
            ylabel="cluster",
            xlim=(min(0.0, self.silhouettes.min()) - 0.02, max(self.silhouettes.max(), 0) + 0.02),
            ylim=(lowest, -gap),
        )
        self.ax_, self.figure_ = ax, ax.get_figure()
        return self


def _thin_edges(n_values, n_rows):
    """Edges, in rows, of the bars of a cluster: one for each row, or fewer of the same height."""
    n_bars = n_values if n_rows <= MAX_BARS else max(1, round(n_values * MAX_BARS / n_rows))
    return np.linspace(0, n_values, n_bars + 1)
