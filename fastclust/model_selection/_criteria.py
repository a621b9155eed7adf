"""The criteria of a sweep: their values for each model, and the model that each chooses."""

import copy

import numpy as np
from scipy.sparse import issparse
from sklearn.metrics import adjusted_rand_score

from fastclust import _algorithms, metrics
from fastclust._block_rows import is_in_blocks
from fastclust._kmeans_base import origin_of
from fastclust._missing import as_incomplete, is_incomplete
from fastclust._mixture_base import fit_mixture
from fastclust._progress_bar import progress_bar
from fastclust._validation import PackedRows
from fastclust.bayesian_mixture import BayesianGaussianMixture
from fastclust.gaussian_mixture import information_criteria, sum_logs
from fastclust.model_selection._fits import place_centers, range_of

LABEL_CRITERIA = ("silhouette", "simplified_silhouette", "davies_bouldin", "calinski_harabasz")
KMEANS_CRITERIA = ("elbow", *LABEL_CRITERIA, "gap", "stability")
DEFAULT_CRITERIA = ("silhouette", "simplified_silhouette", "elbow", "gap", "stability")
INFORMATION_CRITERIA = ("bic", "aic", "icl")
MIXTURE_CRITERIA = (*INFORMATION_CRITERIA, "bayesian")
NOT_OF_BLOCKS = ("gap", "stability", "bayesian")
"""Criteria that fit samples as large as X, or compare labels of all rows."""

ON_CHORD = 1e-9
"""Part of the height of a curve below its chord that may be rounding."""

SHARE_KEPT = 0.1
"""A component of a Bayesian mixture is kept if its weight is so much of an equal share, or more.

Those that are not needed end with the weight of some rows, in time: hence the many iterations.
"""

BAYESIAN_ITERATIONS = 2_000

BLOCK_ROWS = 2**16
"""Rows whose distances to all centers are in memory at a time."""

SMALLER_IS_BETTER = {"davies_bouldin", *INFORMATION_CRITERIA}


class _Judge:
    """What says how good the clusterings of some rows are.

    Parameters
    ----------
    packed : PackedRows
        The rows.
    rng : RandomState
        Source of the sample for silhouettes.
    sample_size : int or None
        Rows of this sample; None for all.

    Attributes
    ----------
    n_samples : int
        Number of rows.
    shape : tuple of int
        Shape of these rows.
    """

    def __init__(self, packed, rng, sample_size):
        self.shape = packed.X.shape
        self.n_samples = self.shape[0]
        self._sample = rng.permutation(self.n_samples)[:sample_size]
        self._X, self._weights = packed.X, packed.sample_weight
        if not (issparse(self._X) or is_incomplete(self._X)):
            rows = self._X.astype(np.float64, copy=False)
            self._X = _algorithms.metrics.units.without_unit(rows)

    def judge(self, fitted):
        """Criteria of a clustering by name, and whether the rows of each cluster are equal.

        Criteria are NaN where they are not defined.
        """
        labels, n_clusters = _renumber(fitted.labels)
        values, is_exact = _NO_VALUES | {"stability": _compare_runs(n_clusters, *fitted)}, False
        if is_incomplete(self._X):
            silhouette = self._silhouette_of_centers(fitted.labels, fitted.estimator)
            return values | {"simplified_silhouette": silhouette}, self._is_exact(labels)
        if not issparse(self._X):
            dispersion = _algorithms.metrics.dispersion.Dispersion(self._X, labels, self._weights)
            is_exact = dispersion.within == 0
            values = values | _scores_of(dispersion)
        if self._weights is None:
            values = values | _silhouette(self._X[self._sample], labels[self._sample])
        return values, is_exact

    def _silhouette_of_centers(self, labels, estimator):
        """Simplified silhouette by the centers of the fit, of rows with missing values.

        What scales the distances of a row by the number of its values cancels.
        """
        present = np.unique(labels)
        if len(present) == 1:
            return float("nan")
        centers = np.ascontiguousarray(estimator.cluster_centers_[present])
        own, nearest = np.empty((2, self.n_samples))
        for part, rows in _algorithms.rows.source.row_slices(self._X, BLOCK_ROWS):
            distances = _algorithms.kmeans.inference.transform_to_distances(
                rows, centers, origin_of(estimator)
            )
            numbers = np.arange(len(rows)), np.searchsorted(present, labels[part])
            own[part] = distances[numbers]
            distances[numbers] = np.inf
            nearest[part] = distances.min(axis=1)
        silhouettes = _algorithms.metrics.silhouette.coefficients(own, nearest)
        return float(np.average(silhouettes, weights=self._weights))

    def _is_exact(self, labels):
        """Whether the values of each cluster are equal in each feature, of incomplete rows."""
        order = np.argsort(labels, kind="stable")
        first = np.flatnonzero(np.diff(labels[order], prepend=-1))
        values = self._X.values[order]
        low, high = np.fmin.reduceat(values, first), np.fmax.reduceat(values, first)
        return not (low < high).any()


class _BlockJudge:
    """The same of rows in blocks, by passes over them, and by a sample for silhouettes.

    The parameters and attributes are those of `_Judge`. The sample is drawn with replacement, and
    has each row once; there is none where it would be all rows.
    """

    def __init__(self, packed, rng, sample_size):
        self.shape = packed.X.shape
        self.n_samples = self.shape[0]
        self._in_range = range_of(packed)
        self._sample = None
        if sample_size is not None and not self._in_range.rows.has_weights:
            draws = rng.randint(self.n_samples, size=sample_size, dtype=np.int64)
            self._sample = self._in_range.rows.take(np.unique(draws))

    def judge(self, fitted):
        """Criteria of the clustering by the centers of a fit; see `_Judge.judge`."""
        rows, centers = self._in_range.rows, place_centers(self._in_range, fitted.estimator)
        labelled = _algorithms.metrics.labelled_rows.NearestBlocks(rows, centers)
        scores = _algorithms.metrics.dispersion.ClusterScores(labelled)
        values = _NO_VALUES | _scores_of(scores)
        if self._sample is not None:
            panels = _algorithms.rows.panels.Panels(self._sample, None, np.zeros_like(rows.origin))
            labels = panels.assign(centers)
            values |= _silhouette(self._sample.astype(np.float64), labels)
        return values | {"stability": float("nan")}, False


def make_judge(packed, rng, sample_size):
    """What judges clusterings of rows in memory, or in blocks; see `_Judge`."""
    return (_BlockJudge if is_in_blocks(packed.X) else _Judge)(packed, rng, sample_size)


_NO_VALUES = dict.fromkeys(("silhouette", "silhouette_error", *LABEL_CRITERIA[1:]), float("nan"))


def _scores_of(scores):
    """Criteria that follow from means, by name; none of a single cluster."""
    if scores.n_clusters < 2:
        return {}
    return {name: getattr(scores, name)() for name in LABEL_CRITERIA[1:]}


def _silhouette(X, labels):
    """Mean silhouette of a sample, and its standard error, by name; none if not defined."""
    if not 1 < len(np.unique(labels)) < len(labels):
        return {}
    score, error = metrics.silhouette_score(X, labels, return_standard_error=True)
    return {"silhouette": score, "silhouette_error": error}


def _compare_runs(n_clusters, estimator, best, runs):
    """Mean adjusted Rand index of the best run and each other; NaN if it says nothing.

    Where fewer clusters have rows than were asked for, the runs agree as there is nothing to
    choose.
    """
    indices = [adjusted_rand_score(best, labels) for labels in runs if labels is not best]
    if not indices or n_clusters == 1 or n_clusters < estimator.n_clusters:
        return float("nan")
    return float(np.mean(indices))


def judge_mixture(mixture, packed):
    """Log-likelihood of all rows, and information criteria, by name.

    Parameters
    ----------
    mixture : GaussianMixture
        The mixture.
    packed : PackedRows
        The rows, checked and packed.
    """
    if is_in_blocks(packed.X):
        relative = copy.copy(mixture)  # in the coordinates of the packed rows
        relative.means_ = mixture.means_.astype(np.float64) - packed.panels.origin
        sums = packed.panels.sum_blocks(_sum_logs_of_block, relative)
    else:
        X = packed.X if packed.missing is None else np.where(packed.missing, np.nan, packed.X)
        sums = sum_logs(mixture, X.astype(packed.X.dtype, copy=False), packed.sample_weight)
    return {"log_likelihood": float(sums[1])} | information_criteria(mixture, sums)


def _sum_logs_of_block(panels, mixture):
    """The sums that information criteria need, over a block of packed rows."""
    rows = panels.take_packed(np.arange(panels.n_samples))
    return sum_logs(mixture, rows, panels.row_weights())


def _renumber(labels):
    """Number labels in the order of their first rows; return them and how many there are.

    So a clustering gets the same scores to the bit, whatever its clusters are called.
    """
    present, first, labels = np.unique(labels, return_index=True, return_inverse=True)
    numbers = np.empty(len(present), dtype=np.int64)
    numbers[np.argsort(first)] = np.arange(len(present))
    return numbers[labels], len(present)


def _gap_statistic(packed, ks, inertias, n_references, fit, options):
    """Gap statistics and their standard errors, of uniform samples in the box around the rows.

    Parameters
    ----------
    packed : PackedRows
        The rows.
    ks : list of int
        Numbers of clusters.
    inertias : list of float
        Their inertias.
    n_references : int
        Number of samples; their rows get the weights of the rows of X, and miss what these do.
    fit : callable
        Fits k-means; see `_fits`.
    options : dict
        Parameters of the fits, as of those of X; "random_state" is the source of the samples too.

    Returns
    -------
    gap, gap_error : list of float
        NaN without samples, for sparse rows, and where the rows of samples are equal.
    """
    nothing = [float("nan")] * len(ks), [float("nan")] * len(ks)
    if n_references == 0 or issparse(packed.X) or is_in_blocks(packed.X):
        return nothing
    X, sample_weight, missing = packed.X, packed.sample_weight, None
    if is_incomplete(X):
        X, missing = X.values, np.isnan(X.values)
    low, high = np.nanmin(X, axis=0), np.nanmax(X, axis=0)
    if (low == high).all():
        return nothing
    rng = options["random_state"]
    reference_logs = np.empty((n_references, len(ks)))
    panels = None
    for b in progress_bar(range(n_references), "gap statistic"):
        reference = rng.uniform(low, high, size=X.shape).astype(X.dtype)
        if missing is not None:
            reference[missing] = np.nan
            reference = as_incomplete(reference)
        mean = _algorithms.rows.origin.find_mean(reference)
        panels = _algorithms.rows.source.pack(reference, sample_weight, mean, into=panels)
        sample = PackedRows(reference, mean, panels, sample_weight)
        for i, k in enumerate(ks):
            fitted = fit(
                k, X, packed=sample, options=options | {"verbose": 0}, warn=_ignore_warning
            )
            reference_logs[b, i] = _log(fitted.estimator.inertia_)
    reference_logs[np.isinf(reference_logs)] = np.nan  # too few numbers in the box
    gap = reference_logs.mean(axis=0) - [_log(inertia) for inertia in inertias]
    error = reference_logs.std(axis=0) * np.sqrt(1 + 1 / n_references)
    return gap.tolist(), error.tolist()


def _ignore_warning(warning):
    """Say nothing of a sample: what it would say has been said of X."""


def _log(inertia):
    return float(np.log(inertia)) if inertia > 0 else -np.inf


def _judge_by_bayes(table, row, X, packed, options, warn):
    """Weights of a Bayesian mixture of as many components as any model has.

    Parameters
    ----------
    table : dict of str to list
        Columns of the sweep.
    row : int
        Row of the model whose covariance type the mixture has.
    X : array-like of shape (n_samples, n_features)
        The rows, not yet checked: their columns may have names.
    packed : PackedRows
        The same rows, checked and packed.
    options : dict
        Parameters of the fits, of which those are taken that say how to start and regularise.
    warn : callable
        Is called with each warning.

    Returns
    -------
    mixture : BayesianGaussianMixture
        The fitted mixture.
    weights : list of float
        For each model with k components of that covariance type, the k-th largest weight of the
        mixture; NaN for the others.
    row : int or None
        Row of the smallest of these models that has as many components as the mixture keeps.
    """
    of_start = {"init_params", "n_init", "on_singular", "random_state", "reg_covar"}
    mixture = BayesianGaussianMixture(
        n_components=max(table["n_components"]),
        covariance_type=table["covariance_type"][row],
        max_iter=BAYESIAN_ITERATIONS,
        **{name: value for name, value in options.items() if name in of_start},
    )
    fit_mixture(mixture, X, packed=packed, warn=warn)
    falling = np.sort(mixture.weights_)[::-1]
    n_kept = np.count_nonzero(falling >= SHARE_KEPT / len(falling))
    models = list(zip(table["covariance_type"], table["n_components"], strict=True))
    weights = [
        float(falling[k - 1]) if name == mixture.covariance_type else float("nan")
        for name, k in models
    ]
    enough = [model for model in models if model[0] == mixture.covariance_type]
    enough = [model for model in enough if model[1] >= n_kept]
    return mixture, weights, models.index(min(enough)) if enough else None


def _best_row(values, name):
    """Row of the best value, the first of equal ones; None if there is none.

    The worst value there is, infinity where smaller is better, is no choice.
    """
    values = np.asarray(values, dtype=float)
    if name in SMALLER_IS_BETTER:
        values = -values
    values = np.where(np.isnan(values), -np.inf, values)
    row = int(np.argmax(values))
    return row if values[row] > -np.inf else None


def _elbow(ks, inertias):
    """Row of the point farthest below the chord of the curve; None if there is no such point."""
    if len(ks) < 3 or inertias[0] <= inertias[-1]:
        return None
    x = (np.array(ks) - ks[0]) / (ks[-1] - ks[0])
    y = (np.array(inertias) - inertias[-1]) / (inertias[0] - inertias[-1])
    below = 1 - x - y
    row = int(np.argmax(below))
    return row if below[row] > ON_CHORD else None


def _gap_row(gap, error):
    """First row whose gap is not smaller than the next less its error; None if there is none.

    An infinite gap is smaller than none, so it needs no next.
    """
    gap, error = np.array(gap), np.array(error)
    rises = np.append(gap[:-1] >= gap[1:] - error[1:], False) | (gap == np.inf)
    return int(np.argmax(rises)) if rises.any() else None


def _most_stable_row(stability):
    """Row of the best mean index, the last of equal ones up to rounding; None if there is none."""
    stability = np.array(stability)
    if np.isnan(stability).all():
        return None
    return int(np.flatnonzero(stability >= np.nanmax(stability) - 1e-12)[-1])
