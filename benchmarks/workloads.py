"""The workloads that the suites, compare.py and profile_fit.py share: rows, and what is asked."""

import importlib
import re
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import scipy.sparse

SKLEARN_MODULES = {
    "BayesianGaussianMixture": "sklearn.mixture",
    "BisectingKMeans": "sklearn.cluster",
    "GaussianMixture": "sklearn.mixture",
    "KMeans": "sklearn.cluster",
    "MiniBatchKMeans": "sklearn.cluster",
}
OBJECTIVES = {
    "BayesianGaussianMixture": "lower_bound_",
    "BisectingKMeans": "inertia_",
    "GaussianMixture": "lower_bound_",
    "KMeans": "inertia_",
    "MiniBatchGaussianMixture": "lower_bound_",
    "MiniBatchKMeans": "inertia_",
    "SphericalKMeans": "inertia_",
}


@dataclass(frozen=True)
class Workload:
    """Rows, an estimator, and the parameters that both packages are given.

    Attributes
    ----------
    make : callable
        Returns the rows, the same at each call.
    n_groups : int
        Number of clusters, or of components.
    options : dict
        Further parameters of the estimator, over `n_init=1, random_state=0`.
    estimator_name : str
        Name of its class.
    """

    make: Callable[[], Any]
    n_groups: int
    options: dict[str, Any] = field(default_factory=dict)
    estimator_name: str = "KMeans"

    @property
    def objective(self):
        """Attribute of a fitted estimator that its fit made small, or large."""
        return OBJECTIVES[self.estimator_name]

    def estimator(self, package, **options):
        """Return an estimator of "fastclust" or "sklearn"; options go over the workload's own."""
        name = self.estimator_name
        module = "fastclust" if package == "fastclust" else SKLEARN_MODULES[name]
        groups = "n_components" if name.endswith("Mixture") else "n_clusters"
        options = {groups: self.n_groups, "n_init": 1, "random_state": 0} | self.options | options
        return getattr(importlib.import_module(module), name)(**options)


def mini_batches(make, n_clusters, batch_size):
    """Workload of a MiniBatchKMeans."""
    return Workload(make, n_clusters, {"batch_size": batch_size}, "MiniBatchKMeans")


def mixture(make, n_components, **options):
    """Workload of a GaussianMixture."""
    return Workload(make, n_components, options, "GaussianMixture")


def bisecting(make, n_clusters, **options):
    """Workload of a BisectingKMeans."""
    return Workload(make, n_clusters, options, "BisectingKMeans")


def spherical(make, n_clusters, **options):
    """Workload of a SphericalKMeans, which scikit-learn has not got."""
    return Workload(make, n_clusters, options, "SphericalKMeans")


def mixture_batches(make, n_components, **options):
    """Workload of a MiniBatchGaussianMixture, which scikit-learn has not got."""
    return Workload(make, n_components, options, "MiniBatchGaussianMixture")


def bayesian(make, n_components, **options):
    """Workload of a BayesianGaussianMixture."""
    return Workload(make, n_components, options, "BayesianGaussianMixture")


def blobs(n_samples, n_features, n_clusters, dtype):
    """Overlapping Gaussian blobs."""
    rng = np.random.default_rng(0)
    centers = 1.5 * rng.standard_normal((n_clusters, n_features), dtype=np.float32)
    X = rng.standard_normal((n_samples, n_features), dtype=np.float32)
    X += centers[rng.integers(n_clusters, size=n_samples)]
    return X.astype(dtype)


def ellipsoids(n_samples, n_features, n_components, spread, dtype):
    """Gaussian components of different covariances, around normal means of this deviation."""
    rng = np.random.default_rng(0)
    labels = rng.integers(n_components, size=n_samples)
    means = spread * rng.standard_normal((n_components, n_features))
    X = rng.standard_normal((n_samples, n_features))
    for j in range(n_components):
        shape = rng.standard_normal((n_features, n_features)) / np.sqrt(n_features)
        X[labels == j] = X[labels == j] @ (shape + 0.3 * np.eye(n_features)) + means[j]
    return X.astype(dtype)


def store(names):
    """Write the rows of workloads to files here, and return the files by the workloads' names."""
    files = {}
    for name in names:
        X = ALL[name].make()
        stem = re.sub(r"\W+", "-", name)
        if scipy.sparse.issparse(X):
            files[name] = Path(f"{stem}.npz").absolute()
            scipy.sparse.save_npz(files[name], X, compressed=False)
        else:
            files[name] = Path(f"{stem}.npy").absolute()
            np.save(files[name], X)
    return files


def load(file):
    """Rows that `store` wrote."""
    return np.load(file) if file.suffix == ".npy" else scipy.sparse.load_npz(file)


def iris():
    """150 flowers of 4 lengths."""
    from sklearn.datasets import load_iris

    return load_iris().data


def digits():
    """1,797 written digits of 8 x 8 pixels."""
    from sklearn.datasets import load_digits

    return load_digits().data


def digits_pca():
    """Their 30 principal components."""
    from sklearn.decomposition import PCA

    return np.ascontiguousarray(PCA(30, random_state=0).fit_transform(digits()))


def pixels():
    """273,280 pixels of a photograph of a flower; many have the same colour."""
    from sklearn.datasets import load_sample_image

    return load_sample_image("flower.jpg").reshape(-1, 3) / 255


def patches():
    """50,000 patches, 8 x 8 and normalised, of a photograph of a building."""
    from sklearn.datasets import load_sample_image
    from sklearn.feature_extraction.image import extract_patches_2d

    grey = load_sample_image("china.jpg").mean(axis=2, dtype=np.float32)
    X = extract_patches_2d(grey, (8, 8), max_patches=50_000, random_state=0).reshape(-1, 64)
    X -= X.mean(axis=1, keepdims=True)
    return X / (X.std(axis=1, keepdims=True) + 10)


def words(n_rows=20_000, n_words=5_000, n_stored=25):
    """Sparse rows like those of texts, of which so many values are stored, by Zipf's law."""
    rng = np.random.default_rng(0)
    frequency = 1 / np.arange(10, 10 + n_words)
    columns = rng.choice(n_words, size=(n_rows, n_stored), p=frequency / frequency.sum())
    data = rng.uniform(0.1, 1.0, size=columns.size)
    X = scipy.sparse.csr_matrix((data, columns.ravel(), np.arange(n_rows + 1) * n_stored))
    X.sum_duplicates()
    return X


KMEANS = {
    "iris 150 x 4, k=3, n_init=10": Workload(iris, 3, {"n_init": 10}),
    "digits 1,797 x 64, k=50": Workload(digits, 50),
    "pixels 273,280 x 3, k=32": Workload(pixels, 32),
    "patches 50,000 x 64, k=128": Workload(patches, 128),
    "words 20,000 x 5,000 CSR, k=20": Workload(words, 20),
    "blobs 500,000 x 2, k=10": Workload(lambda: blobs(500_000, 2, 10, "f8"), 10),
    "blobs 2,000,000 x 4, k=12": Workload(lambda: blobs(2_000_000, 4, 12, "f4"), 12),
    "blobs 500,000 x 16, k=100": Workload(lambda: blobs(500_000, 16, 100, "f4"), 100),
    "blobs 100,000 x 32, k=50": Workload(lambda: blobs(100_000, 32, 50, "f8"), 50),
    "blobs 20,000 x 128, k=1,000": Workload(lambda: blobs(20_000, 128, 1000, "f4"), 1000),
    "blobs 50,000 x 256, k=20": Workload(lambda: blobs(50_000, 256, 20, "f4"), 20),
}
"""Of KMeans."""

MIXTURES = {
    "iris 150 x 4, k=3, full": mixture(iris, 3),
    "digits 1,797 x 30, k=10, diag": mixture(digits_pca, 10, covariance_type="diag"),
    "pixels 273,280 x 3, k=6, full, 10 iterations": mixture(pixels, 6, max_iter=10, tol=0.0),
    "ellipsoids 200,000 x 8, k=12, full": mixture(
        lambda: ellipsoids(200_000, 8, 12, 1.0, "f8"), 12
    ),
    "ellipsoids 200,000 x 16, k=8, full": mixture(lambda: ellipsoids(200_000, 16, 8, 0.7, "f4"), 8),
    "ellipsoids 200,000 x 16, k=8, tied": mixture(
        lambda: ellipsoids(200_000, 16, 8, 0.7, "f4"), 8, covariance_type="tied"
    ),
    "ellipsoids 200,000 x 16, k=8, spherical": mixture(
        lambda: ellipsoids(200_000, 16, 8, 0.7, "f4"), 8, covariance_type="spherical"
    ),
    "ellipsoids 30,000 x 100, k=20, full": mixture(
        lambda: ellipsoids(30_000, 100, 20, 0.3, "f8"), 20
    ),
}
"""Of GaussianMixture."""

MINI_BATCHES = {
    "digits 1,797 x 64, k=50, batches of 256": mini_batches(digits, 50, 256),
    "words 20,000 x 5,000 CSR, k=20, batches of 1,024": mini_batches(words, 20, 1024),
    "words 50,000 x 20,000 CSR, k=50, batches of 1,024": mini_batches(
        lambda: words(50_000, 20_000, 40), 50, 1024
    ),
    "blobs 1,000,000 x 8, k=16, batches of 1,024": mini_batches(
        lambda: blobs(1_000_000, 8, 16, "f8"), 16, 1024
    ),
    "blobs 1,000,000 x 8, k=16, batches of 16,384": mini_batches(
        lambda: blobs(1_000_000, 8, 16, "f8"), 16, 16_384
    ),
    "blobs 20,000 x 128, k=1,000, batches of 4,096": mini_batches(
        lambda: blobs(20_000, 128, 1000, "f4"), 1000, 4096
    ),
}
"""Of MiniBatchKMeans."""

BISECTING = {
    "bisected digits 1,797 x 64, k=50": bisecting(digits, 50),
    "bisected pixels 273,280 x 3, k=32": bisecting(pixels, 32),
    "bisected words 20,000 x 5,000 CSR, k=20": bisecting(words, 20),
    "bisected blobs 200,000 x 16, k=64": bisecting(lambda: blobs(200_000, 16, 64, "f8"), 64),
    "bisected blobs 200,000 x 16, k=64, n_init=3, f4": bisecting(
        lambda: blobs(200_000, 16, 64, "f4"), 64, n_init=3
    ),
}
"""Of BisectingKMeans."""

BAYESIAN = {
    "Bayesian, iris 150 x 4, k=5, full": bayesian(iris, 5),
    "Bayesian, digits 1,797 x 30, k=15, diag": bayesian(digits_pca, 15, covariance_type="diag"),
    "Bayesian, pixels 273,280 x 3, k=6, full, 10 iterations": bayesian(
        pixels, 6, max_iter=10, tol=0.0
    ),
    "Bayesian, ellipsoids 200,000 x 8, k=12, full, 10 iterations": bayesian(
        lambda: ellipsoids(200_000, 8, 12, 1.0, "f8"), 12, max_iter=10, tol=0.0
    ),
    "Bayesian, ellipsoids 200,000 x 16, k=8, tied, 10 iterations": bayesian(
        lambda: ellipsoids(200_000, 16, 8, 0.7, "f8"), 8, covariance_type="tied", max_iter=10,
        tol=0.0,
    ),
    "Bayesian, ellipsoids 200,000 x 16, k=8, spherical, 10 iterations": bayesian(
        lambda: ellipsoids(200_000, 16, 8, 0.7, "f8"), 8, covariance_type="spherical", max_iter=10,
        tol=0.0,
    ),
    "Bayesian, ellipsoids 30,000 x 100, k=20, full, 4 iterations": bayesian(
        lambda: ellipsoids(30_000, 100, 20, 0.3, "f8"), 20, max_iter=4, tol=0.0,
    ),
}  # fmt: skip
"""Of BayesianGaussianMixture, with as many iterations as its sums need, or fewer."""

SPHERICAL = {
    "spherical words 20,000 x 5,000 CSR, k=20": spherical(words, 20),
    "spherical blobs 500,000 x 8, k=16": spherical(lambda: blobs(500_000, 8, 48, "f4"), 16),
    "spherical blobs 100,000 x 32, k=50": spherical(lambda: blobs(100_000, 32, 50, "f8"), 50),
    "spherical blobs 50,000 x 256, k=100": spherical(lambda: blobs(50_000, 256, 300, "f4"), 100),
}
"""Of SphericalKMeans."""

MIXTURE_BATCHES = {
    "ellipsoids 200,000 x 8, k=12, full, batches of 4,096, 4 passes": mixture_batches(
        lambda: ellipsoids(200_000, 8, 12, 1.0, "f8"), 12, batch_size=4096, max_iter=4, tol=0.0
    ),
    "ellipsoids 200,000 x 16, k=8, diag, batches of 4,096, 4 passes": mixture_batches(
        lambda: ellipsoids(200_000, 16, 8, 0.7, "f4"), 8, batch_size=4096, max_iter=4, tol=0.0,
        covariance_type="diag",
    ),
}  # fmt: skip
"""Of MiniBatchGaussianMixture."""

ALL = KMEANS | MINI_BATCHES | BISECTING | SPHERICAL | BAYESIAN | MIXTURES | MIXTURE_BATCHES
