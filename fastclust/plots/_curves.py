"""CurvesDisplay: criteria for the number of clusters."""

import numpy as np

from fastclust.plots import _drawing

MARKERS = "os^Dvpd"

MOST_DRAWN = 1e300
"""Values from here on are divided by it: sums and margins of their limits would overflow."""


class CurvesDisplay:
    """Criteria against the number of clusters, each with its choice marked by a ring.

    For the elbow of the inertia, BIC and AIC, silhouettes and the like. Make it by `from_results`.

    Parameters
    ----------
    k_values : ndarray of shape (n_values,)
        Numbers of clusters, rising.

    curves : dict of str to ndarray of shape (n_values,)
        Value of each criterion for each number of clusters; NaN where it has none. What is
        infinite is not drawn, but the ring of a choice is, at the edge of the axes.

    choices : dict of str to int
        Number of clusters that a criterion chooses; those without a choice are left out.

    Attributes
    ----------
    axes_ : ndarray of matplotlib Axes
        The axes of each criterion.

    ax_ : matplotlib Axes
        The first of them.

    figure_ : matplotlib Figure
        The figure.

    lines_ : dict of str to Line2D
        The curves.

    rings_ : dict of str to Line2D
        The rings around the choices.

    Examples
    --------
    >>> from sklearn.datasets import load_iris
    >>> from fastclust import GaussianMixture
    >>> from fastclust.plots import CurvesDisplay
    >>> X = load_iris().data
    >>> fits = [GaussianMixture(k, random_state=0).fit(X) for k in (1, 2, 3, 4)]
    >>> curves = {"BIC": [fit.bic(X) for fit in fits], "AIC": [fit.aic(X) for fit in fits]}
    >>> display = CurvesDisplay.from_results([1, 2, 3, 4], curves, {"BIC": 2}, shared=True)
    >>> [ring.get_xdata().tolist() for ring in display.rings_.values()]
    [[2]]
    """

    def __init__(self, *, k_values, curves, choices):
        self.k_values = k_values
        self.curves = curves
        self.choices = choices

    @classmethod
    def from_results(cls, k_values, curves, choices=None, *, shared=False, ax=None):
        """Check the results and draw them.

        Parameters
        ----------
        k_values : array-like of shape (n_values,)
            Numbers of clusters, all different.

        curves : dict of str to array-like of shape (n_values,)
            Value of each criterion for each number of clusters; NaN where it has none.

        choices : dict of str to int, default=None
            Number of clusters that a criterion chooses, for some or all criteria.

        shared : bool, default=False
            Draw all criteria on the same axes, for those of one scale as BIC and AIC. By default
            each has a panel.

        ax : matplotlib Axes or sequence of them, default=None
            Where to draw: the axes of all criteria, or of each. None for a new figure.

        Returns
        -------
        display : CurvesDisplay
            The display, drawn.

        Raises
        ------
        ValueError
            For curves of another length than `k_values`, or choices that are not among them.
        ImportError
            If matplotlib is not installed.
        """
        _drawing.import_pyplot()
        k_values = np.asarray(k_values)
        choices = {} if choices is None else dict(choices)
        curves = {name: np.asarray(values, dtype=float) for name, values in curves.items()}
        _check_results(k_values, curves, choices)
        order = np.argsort(k_values)
        return cls(
            k_values=k_values[order],
            curves={name: values[order] for name, values in curves.items()},
            choices=choices,
        ).plot(ax=ax, shared=shared)

    def plot(self, ax=None, *, shared=False):
        """Draw the display.

        Parameters
        ----------
        ax : matplotlib Axes or sequence of them, default=None
            Where to draw: the axes of all criteria, or of each. None for a new figure.

        shared : bool, default=False
            Draw all criteria on the same axes, if none are given.

        Returns
        -------
        self : CurvesDisplay
            The display, with `axes_`, `figure_` and what was drawn.
        """
        self.axes_ = self._make_axes(ax, shared)
        is_shared = len(set(self.axes_.tolist())) < len(self.axes_)
        palette = _drawing.make_palette(len(self.curves))
        self.lines_, self.rings_ = {}, {}
        for j, (name, values) in enumerate(self.curves.items()):
            ax, color = self.axes_[j], palette[j if is_shared else 0]
            values, label = _drawable(values, name)
            (self.lines_[name],) = ax.plot(
                self.k_values, values, color=color, marker=MARKERS[j % len(MARKERS)],
                markersize=4, linewidth=1.6, label=label,
            )  # fmt: skip
            if name in self.choices:
                self.rings_[name] = self._draw_ring(ax, self.choices[name], values, color)
            ax.set(xlabel="number of clusters", ylabel=None if is_shared else label)
            ax.xaxis.get_major_locator().set_params(integer=True)
            ax.margins(x=0.08, y=0.15)
        if is_shared:
            _drawing.draw_legend(self.axes_[0], list(self.lines_.values()))
        self.ax_ = self.axes_[0]
        self.figure_ = self.ax_.get_figure()
        return self

    def _make_axes(self, ax, shared):
        """Axes of each criterion."""
        n_curves = len(self.curves)
        if ax is None and not shared:
            ax = _drawing.import_pyplot().subplots(
                1, n_curves, figsize=(max(4.8, 3.4 * n_curves), 3.6), layout="constrained",
                squeeze=False,
            )[1]  # fmt: skip
        axes = np.atleast_1d(np.asarray(_drawing.make_axes(ax), dtype=object)).ravel()
        if len(axes) == 1:
            return np.repeat(axes, n_curves)
        if len(axes) != n_curves:
            raise ValueError(f"There are {n_curves} criteria, but {len(axes)} axes.")
        return axes

    def _draw_ring(self, ax, choice, values, color):
        """Mark a choice by a ring, and put its name beside the curve."""
        i = int(np.flatnonzero(self.k_values == choice)[0])
        place, name = {"transform": ax.transData}, f"k = {choice}"
        height = values[i]
        if np.isinf(height):  # at the edge of the axes
            place["transform"] = ax.get_xaxis_transform()
            height, name = float(height > 0), f"{name}: infinite"
        (ring,) = ax.plot(
            [choice], [height], linestyle="none", marker="o", markersize=13,
            markerfacecolor="none", markeredgecolor=color, markeredgewidth=2,
            clip_on=np.isfinite(values[i]), **place,
        )  # fmt: skip
        # Its name is on the side with more room, above or below, where the curve is not.
        is_right = 2 * i < len(values) - 1
        is_below = values[i + 1 if is_right else i - 1] > values[i] or values[i] == np.inf
        ax.annotate(
            name,
            (choice, height),
            xycoords=place["transform"],
            xytext=(8 if is_right else -8, -7 if is_below else 7),
            textcoords="offset points",
            ha="left" if is_right else "right",
            va="top" if is_below else "bottom",
            size="small",
            color=_drawing.INK,
        )
        return ring


def _drawable(values, name):
    """Return values that matplotlib can draw, whose limits must not overflow, and their name."""
    largest = np.abs(values, where=np.isfinite(values), out=np.zeros_like(values)).max()
    if largest < MOST_DRAWN:
        return values, name
    return values / MOST_DRAWN, f"{name} / {MOST_DRAWN:g}"


def _check_results(k_values, curves, choices):
    """Raise ValueError unless numbers, curves and choices go together."""
    if k_values.ndim != 1 or len(k_values) == 0:
        raise ValueError("`k_values` must be a list of numbers of clusters.")
    if len(np.unique(k_values)) < len(k_values):
        raise ValueError("`k_values` must all be different.")
    if not curves:
        raise ValueError("`curves` must have one criterion or more.")
    for name, values in curves.items():
        if values.shape != k_values.shape:
            raise ValueError(
                f"There are {len(k_values)} numbers of clusters, but the curve {name!r} has the "
                f"shape {values.shape}."
            )
    for name, choice in choices.items():
        if name not in curves:
            raise ValueError(f"There is a choice of {name!r}, but no curve of that name.")
        if choice not in k_values:
            raise ValueError(f"The choice of {name!r}, {choice}, is not among `k_values`.")
        if np.isnan(curves[name][k_values == choice][0]):
            raise ValueError(f"The curve {name!r} has no value at its choice, {choice}.")
