"""Sweeps over models of Dask collections: those of `fastclust.model_selection`."""

from fastclust import model_selection
from fastclust._algorithms.rows.scale import RANGE_OF_COUNTS
from fastclust.dask._collections import DaskSource, is_collection
from fastclust.dask._estimators import GaussianMixture, KMeans, MiniBatchKMeans
from fastclust.model_selection._fits import Estimators
from fastclust.model_selection._sweeps import sweep_gaussian_mixture, sweep_kmeans

ESTIMATORS = Estimators(KMeans, MiniBatchKMeans, GaussianMixture)


def select_kmeans(
    X,
    n_clusters=None,
    *,
    sample_weight=None,
    best_by=None,
    batch_size=None,
    n_init=10,
    silhouette_sample_size=10_000,
    gap_references=10,
    random_state=None,
    missing="error",
    **options,
):
    """Fit KMeans for each number of clusters, and compare them by criteria that passes can compute.

    The collection is computed once, and its packed blocks serve all fits. The gap statistic and the
    stability are NaN: they need samples as large as X, and the labels of all runs. Silhouettes are
    of a sample that is drawn with replacement.

    Parameters
    ----------
    X : dask.array.Array, dask.dataframe.DataFrame or array-like of shape (n_samples, n_features)
        Rows to cluster.
    n_clusters, best_by, batch_size, n_init, silhouette_sample_size, gap_references, random_state
        Those of `fastclust.model_selection.select_kmeans`.
    missing : {"error", "ignore"}, default="error"
        The same; "ignore" is for rows in memory.
    sample_weight : dask.array.Array, dask.dataframe.Series or array-like, default=None
        Weight of each row, in chunks like those of X if it is Dask's.
    **options : dict
        Other parameters of `fastclust.dask.KMeans`, or of `MiniBatchKMeans`.

    Returns
    -------
    selection : fastclust.model_selection.Selection
        What the sweep found. `best_estimator_` is one of `fastclust.dask`, whose labels are lazy.

    Raises
    ------
    ValueError
        As `fastclust.model_selection.select_kmeans`, and for a `best_by` that is not defined.

    See Also
    --------
    fastclust.model_selection.select_kmeans : The parameters and criteria.

    Examples
    --------
    >>> import dask.array as da
    >>> from sklearn.datasets import make_blobs
    >>> from fastclust.dask import select_kmeans
    >>> X, _ = make_blobs(300, centers=4, cluster_std=0.5, random_state=3)
    >>> rows = da.from_array(X, chunks=(100, 2))
    >>> selection = select_kmeans(rows, range(2, 7), init="k-means||", random_state=0)
    >>> selection.choices_["davies_bouldin"], selection.best_estimator_.n_clusters
    (4, 4)
    """
    parameters = {
        "best_by": best_by,
        "batch_size": batch_size,
        "n_init": n_init,
        "silhouette_sample_size": silhouette_sample_size,
        "gap_references": gap_references,
        "random_state": random_state,
        "missing": missing,
    }
    if not is_collection(X):
        return model_selection.select_kmeans(
            X, n_clusters, sample_weight=sample_weight, **parameters, **options
        )
    source = _open(X, sample_weight)
    return sweep_kmeans(
        source, n_clusters, sample_weight=None, **parameters, estimators=ESTIMATORS, given=X,
        **options,
    )  # fmt: skip


def select_gaussian_mixture(
    X,
    n_components=None,
    *,
    sample_weight=None,
    covariance_type=("full", "tied", "diag", "spherical"),
    best_by="bic",
    random_state=None,
    missing="error",
    **options,
):
    """Fit GaussianMixture for each covariance type and number of components, and compare them.

    The collection is computed once, and its packed blocks serve all fits.

    Parameters
    ----------
    X : dask.array.Array, dask.dataframe.DataFrame or array-like of shape (n_samples, n_features)
        Rows to model.
    n_components, covariance_type, random_state
        Those of `fastclust.model_selection.select_gaussian_mixture`.
    missing : {"error", "ignore"}, default="error"
        The same; "ignore" is for rows in memory.
    sample_weight : dask.array.Array, dask.dataframe.Series or array-like, default=None
        Weight of each row, in chunks like those of X if it is Dask's.
    best_by : {"bic", "aic", "icl"}, default="bic"
        Criterion that chooses `best_estimator_`.
    **options : dict
        Other parameters of `fastclust.dask.GaussianMixture`.

    Returns
    -------
    selection : fastclust.model_selection.Selection
        What the sweep found. `best_estimator_` is one of `fastclust.dask`.

    Raises
    ------
    ValueError
        As `fastclust.model_selection.select_gaussian_mixture`.

    See Also
    --------
    fastclust.model_selection.select_gaussian_mixture : The parameters and criteria.

    Examples
    --------
    >>> import dask.array as da
    >>> from sklearn.datasets import load_iris
    >>> from fastclust.dask import select_gaussian_mixture
    >>> rows = da.from_array(load_iris().data, chunks=(50, 4))
    >>> selection = select_gaussian_mixture(
    ...     rows, range(1, 4), init_params="random_from_data", random_state=0
    ... )
    >>> selection.choices_["bic"]
    ('full', 2)
    """
    parameters = {
        "covariance_type": covariance_type,
        "best_by": best_by,
        "random_state": random_state,
        "missing": missing,
    }
    if not is_collection(X):
        return model_selection.select_gaussian_mixture(
            X, n_components, sample_weight=sample_weight, **parameters, **options
        )
    source = _open(X, sample_weight)
    return sweep_gaussian_mixture(
        source, n_components, sample_weight=None, **parameters, estimators=ESTIMATORS, **options
    )


def _open(X, sample_weight):
    """A collection as a source of rows, each of which counts as often as its weight says."""
    most = min(most for _, most in RANGE_OF_COUNTS.values())
    source = DaskSource.of(X, sample_weight, most_weight=most)
    if source.weight_exponent:
        raise ValueError(
            "sample_weight is too large or small to say how often a row counts. Divide all weights "
            "by the largest, for example."
        )
    return source
