"""The workloads that the suites and the speed table share: rows, and what is asked of them."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np


@dataclass(frozen=True)
class Workload:
    """Rows to cluster, and the parameters that both packages are given.

    Attributes
    ----------
    make : callable
        Returns the rows, the same at each call.
    n_clusters : int
        Number of clusters.
    options : dict
        Further parameters of KMeans, over `n_init=1, random_state=0`.
    n_repeats : int
        Fits of each package that the speed table takes the median of.
    """

    make: Callable[[], Any]
    n_clusters: int
    options: dict[str, Any] = field(default_factory=dict)
    n_repeats: int = 3

    def kmeans(self, package, **options):
        """Return an estimator of "fastclust" or "sklearn"; options go over the workload's own."""
        if package == "fastclust":
            from fastclust import KMeans
        else:
            from sklearn.cluster import KMeans
        options = {"n_init": 1, "random_state": 0} | self.options | options
        return KMeans(self.n_clusters, **options)


def blobs(n_samples, n_features, n_clusters, dtype):
    """Overlapping Gaussian blobs."""
    rng = np.random.default_rng(0)
    centers = 1.5 * rng.standard_normal((n_clusters, n_features), dtype=np.float32)
    X = rng.standard_normal((n_samples, n_features), dtype=np.float32)
    X += centers[rng.integers(n_clusters, size=n_samples)]
    return X.astype(dtype)


def iris():
    """150 flowers of 4 lengths."""
    from sklearn.datasets import load_iris

    return load_iris().data


def digits():
    """1,797 written digits of 8 x 8 pixels."""
    from sklearn.datasets import load_digits

    return load_digits().data


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


def words():
    """Sparse rows like those of texts: 20,000 x 5,000, of which 0.5 % is stored, by Zipf's law."""
    import scipy.sparse

    rng = np.random.default_rng(0)
    n_rows, n_words, n_stored = 20_000, 5_000, 25
    frequency = 1 / np.arange(10, 10 + n_words)
    columns = rng.choice(n_words, size=(n_rows, n_stored), p=frequency / frequency.sum())
    data = rng.uniform(0.1, 1.0, size=columns.size)
    X = scipy.sparse.csr_matrix((data, columns.ravel(), np.arange(n_rows + 1) * n_stored))
    X.sum_duplicates()
    return X


WORKLOADS = {
    "iris 150 x 4, k=3, n_init=10": Workload(iris, 3, {"n_init": 10}, 15),
    "digits 1,797 x 64, k=50": Workload(digits, 50, n_repeats=9),
    "pixels 273,280 x 3, k=32": Workload(pixels, 32),
    "patches 50,000 x 64, k=128": Workload(patches, 128),
    "words 20,000 x 5,000 CSR, k=20": Workload(words, 20),
    "blobs 500,000 x 2, k=10": Workload(lambda: blobs(500_000, 2, 10, "f8"), 10),
    "blobs 2,000,000 x 4, k=12": Workload(lambda: blobs(2_000_000, 4, 12, "f4"), 12),
    "blobs 500,000 x 16, k=100": Workload(lambda: blobs(500_000, 16, 100, "f4"), 100),
    "blobs 100,000 x 32, k=50": Workload(lambda: blobs(100_000, 32, 50, "f8"), 50),
    "blobs 50,000 x 256, k=20": Workload(lambda: blobs(50_000, 256, 20, "f4"), 20),
}
