"""K-means for one number of clusters on packed rows: by all rows at a time, or by batches."""

from typing import Any, NamedTuple

import numpy as np
from sklearn.utils.validation import validate_data

from fastclust._lloyd_base import fit_kmeans
from fastclust._missing import is_incomplete
from fastclust._validation import check_random_state, warn_of_missing_clusters
from fastclust.kmeans import KMeans
from fastclust.minibatch_kmeans import MiniBatchKMeans


class Fitted(NamedTuple):
    """What a sweep asks of the runs for one number of clusters."""

    estimator: Any
    """KMeans or MiniBatchKMeans, the best run."""

    labels: np.ndarray
    """Labels of the rows that have a weight, by the best run."""

    run_labels: list[np.ndarray]
    """The same by each run; the best one's are the same object."""


def fit_by_all_rows(k, X, *, packed, options, warn):
    """Fit KMeans.

    Parameters
    ----------
    k : int
        Number of clusters.
    X : {array-like, sparse matrix} of shape (n_samples, n_features)
        The rows, not yet checked: their columns may have names.
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
    estimator = KMeans(k, **options)
    runs: list[Any] = []
    best = fit_kmeans(estimator, X, packed=packed, on_result=runs.append, warn=warn)
    return Fitted(estimator, best.labels, [run.labels for run in runs])


def fit_by_batches(k, X, *, packed, options, warn):
    """Fit MiniBatchKMeans n_init times, each from the best of its own first centers.

    The parameters and what is returned are those of `fit_by_all_rows`.
    """
    random_state = check_random_state(options["random_state"])
    runs: list[Any] = []
    for _ in range(options["n_init"]):
        run = MiniBatchKMeans(k, **options | {"n_init": "auto", "random_state": random_state})
        runs.append(run.fit(_as_array(packed.X), sample_weight=packed.sample_weight))
    run_labels = [run.labels_ for run in runs]
    row = int(np.argmin([run.inertia_ for run in runs]))
    best, labels = runs[row], run_labels[row]
    warn_of_missing_clusters(labels, k, warn)
    best.set_params(random_state=options["random_state"])
    if packed.all_rows is not None:
        best.labels_ = best.predict(_as_array(packed.all_rows))
    validate_data(best, X, skip_check_array=True)  # notes the names of the features
    return Fitted(best, labels, run_labels)


def _as_array(X):
    """Checked rows as an estimator takes them: dense ones as an ndarray."""
    return X.values if is_incomplete(X) else X
