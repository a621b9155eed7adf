"""K-means for one number of clusters on packed rows: by all rows at a time, or by batches."""

from typing import Any, NamedTuple

import numpy as np
from sklearn.utils.validation import validate_data

from fastclust import _algorithms
from fastclust._block_rows import is_in_blocks
from fastclust._lloyd_base import fit_kmeans
from fastclust._missing import is_incomplete
from fastclust._validation import check_random_state, warn_of_missing_clusters
from fastclust.gaussian_mixture import GaussianMixture
from fastclust.kmeans import KMeans
from fastclust.minibatch_kmeans import MiniBatchKMeans


class Estimators(NamedTuple):
    """Classes of what a sweep fits: those of fastclust, or such as know other rows too."""

    kmeans: Any = KMeans
    minibatch_kmeans: Any = MiniBatchKMeans
    gaussian_mixture: Any = GaussianMixture


class Fitted(NamedTuple):
    """What a sweep asks of the runs for one number of clusters."""

    estimator: Any
    """KMeans or MiniBatchKMeans, the best run."""

    labels: np.ndarray | None
    """Labels of the rows that have a weight, by the best run; None for rows in blocks."""

    run_labels: list[np.ndarray]
    """The same by each run; the best one's are the same object."""


def fit_by_all_rows(make, k, X, *, packed, options, warn):
    """Fit KMeans.

    Parameters
    ----------
    make : type
        KMeans, or a class like it.
    k : int
        Number of clusters.
    X : {array-like, sparse matrix} of shape (n_samples, n_features)
        The rows, not yet checked, or none of them: their columns may have names.
    packed : PackedRows
        The same rows, checked and packed.
    options : dict
        Parameters of the estimator.
    warn : callable
        Is called with each warning.

    Returns
    -------
    fitted : Fitted
        The best run, and the others.
    """
    estimator = make(k, **options)
    runs: list[Any] = []
    if is_in_blocks(packed.X):
        fit_kmeans(estimator, X, packed=packed, warn=warn)
        del estimator.labels_  # those of every number of clusters may be too many
        return Fitted(estimator, None, [])
    best = fit_kmeans(estimator, X, packed=packed, on_result=runs.append, warn=warn)
    return Fitted(estimator, best.labels, [run.labels for run in runs])


def fit_by_batches(make, k, X, *, packed, options, warn):
    """Fit MiniBatchKMeans n_init times, each from the best of its own first centers.

    The parameters and what is returned are those of `fit_by_all_rows`.
    """
    random_state, in_blocks = check_random_state(options["random_state"]), is_in_blocks(packed.X)
    of_run = {"n_init": "auto", "random_state": random_state}
    of_run |= {"compute_labels": False} if in_blocks else {}
    weights = _weights_of_rows(packed)
    runs: list[Any] = []
    for _ in range(options["n_init"]):
        run = make(k, **options | of_run)
        runs.append(run.fit(_as_array(packed.X), sample_weight=weights))
        if in_blocks:
            runs[-1].inertia_ = _inertia(runs[-1], packed)
    row = int(np.argmin([run.inertia_ for run in runs]))
    best = runs[row]
    best.set_params(random_state=options["random_state"])
    if in_blocks:
        validate_data(best, X, skip_check_array=True)  # notes the names of the features
        best.set_params(compute_labels=options.get("compute_labels", True))
        return Fitted(best, None, [])
    run_labels = [run.labels_ for run in runs]
    labels = run_labels[row]
    warn_of_missing_clusters(labels, k, warn)
    if packed.all_rows is not None:
        best.labels_ = best.predict(_as_array(packed.all_rows))
    validate_data(best, X, skip_check_array=True)
    return Fitted(best, labels, run_labels)


def _as_array(X):
    """Checked rows as an estimator takes them: dense ones as an ndarray."""
    return X.values if is_incomplete(X) else X


def _weights_of_rows(packed):
    """Weight of each row that has one: rows in other processes know theirs; None for ones."""
    if packed.sample_weight is None and is_in_blocks(packed.X) and packed.panels.has_weights:
        return packed.panels.take_weights(np.arange(packed.panels.n_samples))
    return packed.sample_weight


def _inertia(kmeans, packed):
    """Inertia of rows in blocks, by a pass over them."""
    in_range = range_of(packed)
    centers = place_centers(in_range, kmeans)
    inertia = in_range.rows.cluster_statistics(centers).inertia
    return _algorithms.rows.scale.scaled_up(inertia, 2 * in_range.exponent, "The inertia")


def range_of(packed):
    """Packed rows for distances: scaled, or in float64, where squares would leave the range."""
    return _algorithms.rows.source.pack_for_distances(
        packed.X, packed.sample_weight, packed.mean, packed.panels
    )


def place_centers(in_range, kmeans):
    """Centers of a fit in the coordinates of packed rows."""
    return in_range.place(kmeans.cluster_centers_.astype(in_range.rows.dtype, copy=False))
