"""Choose the number of clusters, and the covariance type: one sweep, one table, every criterion."""

import time
from typing import Any

import numpy as np
from sklearn.exceptions import ConvergenceWarning
from sklearn.metrics import adjusted_rand_score
from sklearn.utils import check_array

from fastclust import _algorithms, metrics
from fastclust._progress_bar import progress_bar
from fastclust._validation import (
    FLOAT_DTYPES,
    NONE,
    RANDOM_STATE,
    InvalidParameterError,
    PackedRows,
    check_enough_samples,
    check_parameters,
    check_random_state,
    integer,
    one_of,
    warn_user,
)
from fastclust.exceptions import SingularCovarianceError
from fastclust.gaussian_mixture import GaussianMixture, fit_mixture
from fastclust.kmeans import KMeans, fit_kmeans

__all__ = ["Selection", "select_gaussian_mixture", "select_kmeans"]

LABEL_CRITERIA = ("silhouette", "simplified_silhouette", "davies_bouldin", "calinski_harabasz")
KMEANS_CRITERIA = ("elbow", *LABEL_CRITERIA, "gap", "stability")
MIXTURE_CRITERIA = ("bic", "aic", "icl")
SMALLER_IS_BETTER = {"davies_bouldin", *MIXTURE_CRITERIA}


class Selection:
    """What a sweep found: a row for each model, and the choice by each criterion.

    Parameters
    ----------
    table : dict of str to list
        Columns by name; all of the same length. The first names the model: "n_clusters", or
        "covariance_type" and "n_components".
    choices : dict of str to int
        For each criterion the row of its choice, or None if it makes none.
    best_by : str
        The criterion that chooses `best_estimator_`.
    best_estimator : estimator
        The fitted estimator of that row.

    Attributes
    ----------
    table_ : dict of str to list
        The columns.
    choices_ : dict
        For each criterion the model that it chooses: a number of clusters, or a pair of covariance
        type and number of components; None if it makes no choice.
    agree_ : bool
        Whether all criteria that make a choice make the same.
    best_by_ : str
        The criterion that chose `best_estimator_`.
    best_estimator_ : KMeans or GaussianMixture
        Fitted to all rows.
    """

    def __init__(self, table, choices, best_by, best_estimator):
        self.table_ = table
        self._models = [name for name in table if name in ("covariance_type", "n_components")]
        self._models = self._models or ["n_clusters"]
        self.choices_ = {name: self._model(row) for name, row in choices.items()}
        made = {choice for choice in self.choices_.values() if choice is not None}
        self.agree_ = len(made) <= 1
        self.best_by_, self.best_estimator_ = best_by, best_estimator

    def _model(self, row):
        """Name of the model of a row of the table."""
        if row is None:
            return None
        names = tuple(self.table_[name][row] for name in self._models)
        return names if len(names) > 1 else names[0]

    def to_frame(self):
        """Return the table as a pandas DataFrame, a row for each model.

        Returns
        -------
        frame : DataFrame
            Indexed by the model.
        """
        try:
            import pandas as pd
        except ImportError as error:
            raise ImportError("to_frame needs pandas: pip install pandas") from error
        return pd.DataFrame(self.table_).set_index(self._models)

    def plot(self, criteria=None, *, ax=None):
        """Draw the criteria over the number of clusters, each with its choice.

        Parameters
        ----------
        criteria : sequence of str, default=None
            Columns of the table; those that make a choice if None, with the inertia for the elbow.
        ax : Axes or sequence of Axes, default=None
            Where to draw; see `fastclust.plots.CurvesDisplay`.

        Returns
        -------
        display : CurvesDisplay
            A panel for each criterion, and for mixtures for each covariance type.
        """
        from fastclust.plots import CurvesDisplay

        if criteria is None:
            criteria = [name for name, choice in self.choices_.items() if choice is not None]
        columns = {name: "inertia" if name == "elbow" else name for name in criteria}
        unknown = [name for name, column in columns.items() if column not in self.table_]
        if unknown:
            raise ValueError(f"The table has no column {unknown[0]!r}.")
        if self._models == ["n_clusters"]:
            curves = {name: self.table_[column] for name, column in columns.items()}
            choices = {name: self.choices_[name] for name in criteria if self.choices_.get(name)}
            return CurvesDisplay.from_results(self.table_["n_clusters"], curves, choices, ax=ax)
        ks = sorted(set(self.table_["n_components"]))
        curves, choices = {}, {}
        for name, column in columns.items():
            models = zip(self.table_["covariance_type"], self.table_["n_components"], strict=True)
            values = dict(zip(models, self.table_[column], strict=True))
            for covariance_type in dict.fromkeys(self.table_["covariance_type"]):
                label = f"{name}, {covariance_type}"
                curves[label] = [values.get((covariance_type, k), np.nan) for k in ks]
                if (self.choices_.get(name) or ("",))[0] == covariance_type:
                    choices[label] = self.choices_[name][1]
        return CurvesDisplay.from_results(ks, curves, choices, ax=ax)

    def __str__(self):
        """Return the table, and what the criteria choose, as text."""
        lines = [list(self.table_)]
        lines += [
            [_text(value) for value in row] for row in zip(*self.table_.values(), strict=True)
        ]
        widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
        text = "\n".join(
            "  ".join(cell.rjust(width) for cell, width in zip(line, widths, strict=True))
            for line in lines
        )
        verdict = "All criteria agree" if self.agree_ else "The criteria disagree"
        choices = ", ".join(
            f"{name} {'none' if choice is None else _text(choice)}"
            for name, choice in self.choices_.items()
        )
        return f"{text}\n{verdict}: {choices}. best_estimator_ is by {self.best_by_}."


def _text(value):
    if isinstance(value, tuple):
        return " ".join(map(_text, value))
    return f"{value:.7g}" if isinstance(value, float) else str(value)


def select_kmeans(
    X,
    n_clusters=range(2, 16),
    *,
    best_by="silhouette",
    n_init=10,
    silhouette_sample_size=10_000,
    gap_references=10,
    random_state=None,
    **options,
):
    """Fit KMeans for each number of clusters, and compare them by every criterion.

    The rows are checked and packed once. The fits are those of `KMeans` with the same parameters.

    Parameters
    ----------
    X : array-like of shape (n_samples, n_features)
        Rows to cluster.
    n_clusters : iterable of int, default=range(2, 16)
        Numbers of clusters, each less than the number of rows.
    best_by : str, default="silhouette"
        Criterion that chooses `best_estimator_`: "elbow", "silhouette", "simplified_silhouette",
        "davies_bouldin", "calinski_harabasz", "gap" or "stability".
    n_init : int, default=10
        Runs for each number of clusters, of which the best is kept. How far the others agree with
        it is the column "stability".
    silhouette_sample_size : int or None, default=10_000
        Rows of the sample that silhouettes are computed on, the same for each number of clusters;
        None for all.
    gap_references : int, default=10
        Uniform samples that the gap statistic compares with; 0 for no gap statistic.
    random_state : int, RandomState instance or None, default=None
        Source of all randomness. An int gives each fit the same draws.
    **options : dict
        Other parameters of `KMeans`.

    Returns
    -------
    selection : Selection
        The table has the columns "n_clusters", "inertia", "silhouette" and its standard error
        "silhouette_error", "simplified_silhouette", "davies_bouldin", "calinski_harabasz", "gap"
        and its standard error "gap_error", "stability" (the mean adjusted Rand index of the best
        run and each other), "n_iter" and "seconds" (of the fit). It is NaN where a value is not
        defined.

    Raises
    ------
    ValueError
        For a parameter out of its range, NaN or infinity in X, or too few rows.

    Notes
    -----
    The elbow is the point farthest below the chord of the inertias [1]_. The gap statistic is the
    difference of log inertias to those of rows drawn from the box around X, each fitted once, and
    chooses the first k whose gap is not smaller than that of the next less its error [2]_. The
    stability chooses the largest of the k whose runs agree best [3]_. The other criteria choose
    their largest value, Davies-Bouldin the smallest.

    References
    ----------
    .. [1] Satopaa, V., Albrecht, J., Irwin, D. and Raghavan, B. (2011). Finding a "kneedle" in a
       haystack. 31st International Conference on Distributed Computing Systems Workshops, 166-171.
    .. [2] Tibshirani, R., Walther, G. and Hastie, T. (2001). Estimating the number of clusters in a
       data set via the gap statistic. Journal of the Royal Statistical Society B, 63, 411-423.
    .. [3] von Luxburg, U. (2010). Clustering stability: an overview. Foundations and Trends in
       Machine Learning, 2(3), 235-274. Section 2.

    Examples
    --------
    >>> from sklearn.datasets import make_blobs
    >>> from fastclust.model_selection import select_kmeans
    >>> X, _ = make_blobs(300, centers=4, cluster_std=0.5, random_state=3)
    >>> selection = select_kmeans(X, range(2, 7), random_state=0)
    >>> selection.choices_["silhouette"], selection.best_estimator_.n_clusters
    (4, 4)
    """
    check_parameters("select_kmeans", locals(), _KMEANS_RULES)
    ks = _check_numbers(n_clusters, "n_clusters", 2)
    options = options | {"n_init": n_init, "random_state": random_state}
    packed = _pack(X)
    check_enough_samples(packed.X, max(ks) + 1)
    rng = check_random_state(random_state)
    sample = rng.permutation(len(packed.X))[:silhouette_sample_size]
    rows, estimators = [], []
    for k in progress_bar(ks, "KMeans"):
        estimator = KMeans(k, **options)
        runs: list[Any] = []
        seconds = _seconds(fit_kmeans, estimator, X, packed=packed, on_result=runs.append)
        rows.append(
            {"n_clusters": k, "inertia": estimator.inertia_}
            | _judge_labels(packed, estimator.labels_, sample)
            | {"stability": _stability(estimator.labels_, [run.labels for run in runs])}
            | {"n_iter": estimator.n_iter_, "seconds": seconds}
        )
        estimators.append(estimator)
    table = {name: [row[name] for row in rows] for name in rows[0]}
    gap, gap_error = _gap_statistic(packed, ks, table["inertia"], gap_references, rng)
    table |= {"gap": gap, "gap_error": gap_error}
    choices = {"elbow": _elbow(ks, table["inertia"])}
    choices |= {name: _best_row(table[name], name) for name in LABEL_CRITERIA}
    choices |= {"gap": _gap_row(gap, gap_error), "stability": _most_stable_row(table["stability"])}
    return _selection(table, choices, best_by, estimators)


def select_gaussian_mixture(
    X,
    n_components=range(1, 11),
    *,
    covariance_type=("full", "tied", "diag", "spherical"),
    best_by="bic",
    random_state=None,
    **options,
):
    """Fit GaussianMixture for each covariance type and number of components, and compare them.

    The rows are checked and packed once. The fits are those of `GaussianMixture` with the same
    parameters.

    Parameters
    ----------
    X : array-like of shape (n_samples, n_features)
        Rows to model.
    n_components : iterable of int, default=range(1, 11)
        Numbers of components, each no more than the number of rows.
    covariance_type : str or sequence of str, default=("full", "tied", "diag", "spherical")
        Covariance types.
    best_by : {"bic", "aic", "icl"}, default="bic"
        Criterion that chooses `best_estimator_`.
    random_state : int, RandomState instance or None, default=None
        Source of all randomness. An int gives each fit the same draws.
    **options : dict
        Other parameters of `GaussianMixture`.

    Returns
    -------
    selection : Selection
        The table has the columns "covariance_type", "n_components", "log_likelihood" (of all rows),
        "bic", "aic", "icl", "converged", "n_iter" and "seconds" (of the fit). A model whose
        covariances are singular is left out, with a warning.

    Raises
    ------
    ValueError
        For a parameter out of its range, NaN or infinity in X, too few rows, or if all models are
        singular.

    Warns
    -----
    ConvergenceWarning
        If a fit reached `max_iter`: once, with the models that did.
    RuntimeWarning
        If models were left out.

    References
    ----------
    Fraley, C. and Raftery, A. E. (2002). Model-based clustering, discriminant analysis, and density
    estimation. Journal of the American Statistical Association, 97, 611-631.

    Examples
    --------
    >>> from sklearn.datasets import load_iris
    >>> from fastclust.model_selection import select_gaussian_mixture
    >>> selection = select_gaussian_mixture(load_iris().data, range(1, 5), random_state=0)
    >>> selection.choices_["bic"]
    ('full', 2)
    """
    check_parameters("select_gaussian_mixture", locals(), _MIXTURE_RULES)
    types = [covariance_type] if isinstance(covariance_type, str) else list(covariance_type)
    ks = _check_numbers(n_components, "n_components", 1)
    models = [(name, k) for name in types for k in ks]
    packed = _pack(X)
    rows, estimators, singular, not_converged = [], [], [], []
    for name, k in progress_bar(models, "GaussianMixture"):
        estimator = GaussianMixture(k, covariance_type=name, random_state=random_state, **options)
        try:
            seconds = _seconds(fit_mixture, estimator, X, packed=packed)
        except SingularCovarianceError:
            singular.append(f"{name} {k}")
            continue
        if not estimator.converged_ and estimator.max_iter > 0:
            not_converged.append(f"{name} {k}")
        rows.append(
            {"covariance_type": name, "n_components": k}
            | {"log_likelihood": estimator.score(X) * len(packed.X)}
            | {criterion: getattr(estimator, criterion)(X) for criterion in MIXTURE_CRITERIA}
            | {"converged": estimator.converged_, "n_iter": estimator.n_iter_, "seconds": seconds}
        )
        estimators.append(estimator)
    _warn_of_models(singular, not_converged)
    if not rows:
        raise ValueError("All models have singular covariances: increase reg_covar or scale X.")
    table = {name: [row[name] for row in rows] for name in rows[0]}
    choices = {name: _best_row(table[name], name) for name in MIXTURE_CRITERIA}
    return _selection(table, choices, best_by, estimators)


_KMEANS_RULES = {
    "best_by": [one_of(*KMEANS_CRITERIA)],
    "n_init": [integer(1)],
    "silhouette_sample_size": [integer(3), NONE],
    "gap_references": [integer(0)],
    "random_state": RANDOM_STATE,
}
_MIXTURE_RULES = {"best_by": [one_of(*MIXTURE_CRITERIA)], "random_state": RANDOM_STATE}


def _check_numbers(numbers, name, least):
    """Check the numbers of clusters or components; return them as a list."""
    numbers = [numbers] if np.isscalar(numbers) else list(numbers)
    accepted = integer(least)
    for number in numbers:
        if not accepted.test(number):
            raise InvalidParameterError(
                f"The {name!r} parameter must hold {accepted.text[3:]}s. Got {number!r} instead."
            )
    if not numbers:
        raise InvalidParameterError(f"The {name!r} parameter is empty.")
    return sorted({int(number) for number in numbers})


def _pack(X):
    """Check rows, and pack them for all fits."""
    X = check_array(X, dtype=FLOAT_DTYPES, order="C", ensure_min_samples=2, input_name="X")
    mean = _algorithms.rows.panels.estimate_mean(X)
    return PackedRows(X, mean, _algorithms.rows.panels.Panels(X, None, mean))


def _warn_but_of_convergence(warning):
    """Issue the warning of a fit, unless the sweep says so itself: in its table, or once of all."""
    if not isinstance(warning, ConvergenceWarning):
        warn_user(warning)


def _seconds(fit, *arguments, **options):
    """Call a function that fits, as part of a sweep; return the time that it took."""
    start = time.perf_counter()
    fit(*arguments, warn=_warn_but_of_convergence, **options)
    return time.perf_counter() - start


def _judge_labels(packed, labels, sample):
    """Criteria of a clustering, by name; NaN if it has a single cluster."""
    names = ("silhouette", "silhouette_error", *LABEL_CRITERIA[1:])
    values = dict.fromkeys(names, float("nan"))
    present, labels = np.unique(labels, return_inverse=True)
    if len(present) < 2:
        return values
    dispersion = _algorithms.metrics.dispersion.Dispersion(packed.panels, labels)
    values["simplified_silhouette"] = float(dispersion.simplified_silhouettes().mean())
    values["davies_bouldin"] = dispersion.davies_bouldin()
    values["calinski_harabasz"] = dispersion.calinski_harabasz()
    if 1 < len(np.unique(labels[sample])) < len(sample):
        values["silhouette"], values["silhouette_error"] = metrics.silhouette_score(
            packed.X[sample], labels[sample], return_standard_error=True
        )
    return values


def _stability(best, runs):
    """Mean adjusted Rand index of the best run and each other."""
    indices = [adjusted_rand_score(best, labels) for labels in runs if labels is not best]
    return float(np.mean(indices)) if indices else float("nan")


def _gap_statistic(packed, ks, inertias, n_references, rng):
    """Gap statistics and their standard errors, of uniform samples in the box around the rows."""
    if n_references == 0:
        return [float("nan")] * len(ks), [float("nan")] * len(ks)
    X, mean, _ = packed
    low, high = X.min(axis=0), X.max(axis=0)
    logs = np.empty((n_references, len(ks)))
    buffer = None
    for b in progress_bar(range(n_references), "gap statistic"):
        reference = rng.uniform(low, high, size=X.shape).astype(X.dtype)
        panels = _algorithms.rows.panels.Panels(reference, None, mean, buffer)
        buffer, sample = panels.values, PackedRows(reference, mean, panels)
        for i, k in enumerate(ks):
            estimator = KMeans(k, n_init=1, random_state=rng)
            fit_kmeans(estimator, reference, packed=sample, warn=_warn_but_of_convergence)
            logs[b, i] = _log(estimator.inertia_)
    gap = logs.mean(axis=0) - [_log(inertia) for inertia in inertias]
    error = logs.std(axis=0) * np.sqrt(1 + 1 / n_references)
    return gap.tolist(), error.tolist()


def _log(inertia):
    return float(np.log(inertia)) if inertia > 0 else -np.inf


def _best_row(values, name):
    """Row of the best value, the first of equal ones; None if there is none."""
    values = np.asarray(values, dtype=float)
    if np.isnan(values).all():
        return None
    return int(np.nanargmin(values) if name in SMALLER_IS_BETTER else np.nanargmax(values))


def _elbow(ks, inertias):
    """Row of the point farthest below the chord of the curve; None without an inner point."""
    if len(ks) < 3 or inertias[0] <= inertias[-1]:
        return None
    x = (np.array(ks) - ks[0]) / (ks[-1] - ks[0])
    y = (np.array(inertias) - inertias[-1]) / (inertias[0] - inertias[-1])
    return int(np.argmax(1 - x - y))


def _gap_row(gap, error):
    """First row whose gap is not smaller than the next less its error; None if there is none."""
    rises = np.array(gap[:-1]) >= np.array(gap[1:]) - error[1:]
    return int(np.argmax(rises)) if rises.any() else None


def _most_stable_row(stability):
    """Row of the best mean index, the last of equal ones up to rounding; None if there is none."""
    stability = np.array(stability)
    if np.isnan(stability).all():
        return None
    return int(np.flatnonzero(stability >= np.nanmax(stability) - 1e-12)[-1])


def _selection(table, choices, best_by, estimators):
    row = choices[best_by]
    if row is None:
        raise ValueError(f"No model is chosen by {best_by!r}: choose another `best_by`.")
    return Selection(table, choices, best_by, estimators[row])


def _warn_of_models(singular, not_converged):
    if singular:
        text = (
            f"Left out, as their covariances are singular: {', '.join(singular)}. Increase "
            "reg_covar, or set on_singular='regularize'."
        )
        warn_user(RuntimeWarning(text))
    if not_converged:
        text = f"Not converged after max_iter iterations: {', '.join(not_converged)}."
        warn_user(ConvergenceWarning(text))
