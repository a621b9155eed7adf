"""A use of every feature of the package, so that every kernel is called."""

import contextlib
import io
import tempfile
import warnings
from pathlib import Path

import numpy as np
import scipy.sparse

import fastclust
from fastclust import metrics, model_selection, outliers
from fastclust._algorithms.rows.source import pack

SHAPES = (30, 2), (20_011, 3), (5_003, 70), (60_000, 16)
"""Rows and features: of one chunk and of several, of few features and of many."""


def use_every_feature(dtype):
    """Call every public function and estimator on rows of this type."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # too few iterations, clusters without rows
        for n_samples, n_features in SHAPES:
            X = blobs(n_samples, n_features, 64).astype(dtype)
            weights = np.linspace(0, 2, n_samples)
            use_kmeans(X, weights)
            use_bisecting(X, weights)
            use_sparse_kmeans(scipy.sparse.csr_array(X), weights)
            use_minibatches(X, weights)
            use_missing(X, weights)
            use_spherical_kmeans(X, weights)
            use_far_groups(X)
            use_statistics(X, weights)
            use_mixtures(X[:20_000], weights[:20_000])
            use_mixture_batches(X[:5_000], weights[:5_000])
            use_blocks(X, weights)
            use_missing_values_of_mixtures(X[:20_000])
            use_metrics(X)
        use_many_clusters(blobs(60_000, 8, 64).astype(dtype))
        use_seeding(X[:2_000])
        use_outliers(X[:3_000])
        use_selection(X[:500])


def blobs(n_samples, n_features, n_blobs):
    """Rows around some centers."""
    rng = np.random.default_rng(0)
    centers = 3 * rng.normal(size=(n_blobs, n_features))
    return centers[rng.integers(n_blobs, size=n_samples)] + rng.normal(size=(n_samples, n_features))


def use_kmeans(X, weights):
    """Fit and apply KMeans to dense rows."""
    for n_clusters, n_init in (1, 3), (7, 1), (20, 1):
        kmeans = fastclust.KMeans(n_clusters, n_init=n_init, max_iter=30, random_state=0)
        kmeans.fit(X)
        kmeans.fit(X, sample_weight=weights)
        kmeans.predict(X)
        kmeans.transform(X)
        kmeans.score(X, sample_weight=weights)
    with contextlib.redirect_stdout(io.StringIO()):
        fastclust.KMeans(3, init="random", verbose=1, max_iter=3).fit(X)
    fastclust.KMeans(7, init="k-means||", max_iter=3, random_state=0).fit(X)
    with fastclust.limit_threads(1):
        fastclust.k_means(X, 7, max_iter=3, random_state=0)


def use_minibatches(X, weights):
    """Fit MiniBatchKMeans to dense and sparse rows, as a whole and batch by batch."""
    for rows in X, scipy.sparse.csr_array(X[:1_000]):
        for batch_size in 16, 4_000:
            options = {"batch_size": batch_size, "max_no_improvement": 3, "random_state": 0}
            kmeans = fastclust.MiniBatchKMeans(7, **options)
            kmeans.fit(rows, sample_weight=weights[: rows.shape[0]])
            kmeans.partial_fit(rows[:100])


def use_missing(X, weights):
    """Fit and apply k-means to rows with missing values."""
    X = X.copy()
    X[::3, 0] = np.nan
    for estimator in fastclust.KMeans, fastclust.MiniBatchKMeans:
        kmeans = estimator(7, max_iter=3, random_state=0, missing="ignore")
        kmeans.fit(X, sample_weight=weights)
        kmeans.transform(X)
    fastclust.KMeans(min(32, len(X)), max_iter=3, random_state=0, missing="ignore").fit(X)


def use_sparse_kmeans(X, weights):
    """Fit and apply KMeans to sparse rows."""
    kmeans = fastclust.KMeans(7, max_iter=5, random_state=0).fit(X)
    kmeans.fit(X, sample_weight=weights)
    kmeans.predict(X)
    kmeans.transform(X)
    kmeans.score(X)
    fastclust.KMeans(7, init="k-means||", max_iter=3, random_state=0).fit(X)


def use_bisecting(X, weights):
    """Fit and apply BisectingKMeans to dense and sparse rows."""
    for rows in X, scipy.sparse.csr_array(X):
        bisecting = fastclust.BisectingKMeans(6, n_init=2, max_iter=20, random_state=0).fit(rows)
        bisecting.fit(rows, sample_weight=weights).predict(rows)


def use_spherical_kmeans(X, weights):
    """Fit and apply SphericalKMeans to dense and to sparse rows."""
    for rows in X, scipy.sparse.csr_array(X):
        kmeans = fastclust.SphericalKMeans(7, max_iter=5, random_state=0).fit(rows)
        kmeans.fit(rows, sample_weight=weights)
        kmeans.predict(rows)
        kmeans.transform(rows)
        kmeans.score(rows)


def use_far_groups(X):
    """Fit KMeans to groups so far from each other that squares cancel."""
    X = X.copy()
    X[::2] += 1e6 if X.dtype == np.float32 else 1e12
    for rows in X, scipy.sparse.csr_array(X):
        fastclust.KMeans(7, max_iter=3, random_state=0).fit(rows).predict(rows)


def use_many_clusters(X):
    """Fit so long that rows are regrouped and distances are skipped."""
    fastclust.KMeans(64, n_init=1, max_iter=100, tol=0, random_state=0).fit(X)


def use_statistics(X, weights):
    """What algorithms may ask of rows (`rows/protocol.py`), and none asks of dense ones yet."""
    pack(X, weights.astype(X.dtype), X.mean(axis=0)).cluster_statistics(X[:3])


def use_seeding(X):
    """Seed with every number of candidates that needs a kernel of its own, and with more."""
    for n_local_trials in None, *range(1, 12), 20:
        fastclust.kmeans_plusplus(X, 5, n_local_trials=n_local_trials, random_state=0)
    fastclust.kmeans_plusplus(X, 600, random_state=0)


def use_mixtures(X, weights):
    """Fit and apply mixtures of every kind."""
    for covariance_type in "full", "tied", "diag", "spherical":
        for init_params in "kmeans", "k-means++", "random", "random_from_data":
            mixture = fastclust.GaussianMixture(
                4, covariance_type=covariance_type, init_params=init_params, max_iter=3,
                reg_covar=1e-3, random_state=0,
            )  # fmt: skip
            mixture.fit(X)
            mixture.fit(X, sample_weight=weights)
            mixture.predict(X)
            mixture.predict_proba(X)
            mixture.score_samples(X)
        for prior_type in "dirichlet_process", "dirichlet_distribution":
            bayesian = fastclust.BayesianGaussianMixture(
                n_components=4, covariance_type=covariance_type, max_iter=3, random_state=0,
                weight_concentration_prior_type=prior_type,
            )  # fmt: skip
            bayesian.fit(X)
            bayesian.fit(X, sample_weight=weights)
            if X.dtype == np.float64:  # as the parameters, and so the answers, always are
                bayesian.predict(X)
                bayesian.predict_proba(X)

    going_on = fastclust.GaussianMixture(3, warm_start=True, max_iter=2, random_state=0)
    for _ in range(2):
        going_on.fit(X)
    going_on.score(X)
    for criterion in going_on.aic, going_on.bic, going_on.icl:
        criterion(X)
    going_on.sample(5)


def use_mixture_batches(X, weights):
    """Fit mixtures batch by batch."""
    for covariance_type in "full", "tied", "diag", "spherical":
        options = {"covariance_type": covariance_type, "max_iter": 2, "random_state": 0}
        mixture = fastclust.GaussianMixture(3, reg_covar=1e-3, **options)
        for half in np.array_split(np.arange(len(X)), 2):
            mixture.partial_fit(X[half], sample_weight=weights[half])
        by_batches = fastclust.MiniBatchGaussianMixture(3, batch_size=1_000, **options)
        by_batches.fit(X, sample_weight=weights).predict(X)


def use_blocks(X, weights):
    """Fit and apply estimators to rows of a file, of which no block stays in memory."""
    with tempfile.TemporaryDirectory() as folder, fastclust.limit_memory("1 kB"):
        path = Path(folder) / "rows.npy"
        np.save(path, X)
        rows = fastclust.open_rows(path)
        for init in "k-means++", "k-means||":
            kmeans = fastclust.KMeans(7, init=init, max_iter=2, random_state=0)
            kmeans.fit(rows, sample_weight=weights)
        kmeans.predict(rows)
        kmeans.score(rows)
        mixture = fastclust.GaussianMixture(3, max_iter=2, reg_covar=1e-3, random_state=0)
        mixture.fit(rows, sample_weight=weights).score_samples(rows)


def use_missing_values_of_mixtures(X):
    """Fit and apply mixtures to rows with missing values."""
    X = np.where(np.random.default_rng(0).random(X.shape) < 0.1, np.nan, X).astype(X.dtype)
    for covariance_type in "full", "tied", "diag", "spherical":
        mixture = fastclust.GaussianMixture(
            2, covariance_type=covariance_type, max_iter=2, reg_covar=1e-3, random_state=0,
            missing="ignore",
        )  # fmt: skip
        mixture.fit(X).predict_proba(X[:1_000])


def use_metrics(X):
    """Compute every score."""
    labels = np.arange(len(X)) % 5
    metrics.silhouette_samples(X[:3_000], labels[:3_000])
    metrics.silhouette_score(X, labels, sample_size=min(len(X), 3_000), random_state=0)
    metrics.silhouette_score(X[:3_000], labels[:3_000], metric="sqeuclidean")
    metrics.simplified_silhouette_score(X, labels)
    metrics.calinski_harabasz_score(X, labels)
    metrics.davies_bouldin_score(X, labels)


def use_outliers(X):
    """Look for outliers in every way."""
    outliers.DistanceOutliers(fastclust.KMeans(3)).fit(X).predict(X)
    outliers.DensityOutliers(fastclust.GaussianMixture(3)).fit(X).predict(X)
    outliers.TrimmedKMeans(fastclust.KMeans(3)).fit(X).predict(X)
    outliers.confident_labels(fastclust.GaussianMixture(3).fit(X), X)


def use_selection(X):
    """Choose numbers of clusters."""
    model_selection.select_kmeans(X, [2, 5], n_init=2, gap_references=1)
    model_selection.select_kmeans(X, [2, 5], n_init=2, gap_references=1, batch_size=100)
    model_selection.select_gaussian_mixture(X, [1, 3], best_by="bayesian", random_state=0)
