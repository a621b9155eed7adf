"""K-means and Gaussian mixtures for CPUs: scikit-learn's answers, many times faster."""

from fastclust import _threadpoolctl  # noqa: F401  (it registers itself)
from fastclust._algorithms.memory import limit_memory
from fastclust._algorithms.rows.files import open_rows
from fastclust._config import show_config
from fastclust._threads import limit_threads
from fastclust._version import __version__
from fastclust._warmup import warmup
from fastclust.bayesian_mixture import BayesianGaussianMixture
from fastclust.bisecting_kmeans import BisectingKMeans
from fastclust.gaussian_mixture import GaussianMixture
from fastclust.kmeans import KMeans, k_means, kmeans_plusplus
from fastclust.minibatch_gaussian_mixture import MiniBatchGaussianMixture
from fastclust.minibatch_kmeans import MiniBatchKMeans
from fastclust.spherical_kmeans import SphericalKMeans

__all__ = [
    "BayesianGaussianMixture", "BisectingKMeans", "GaussianMixture", "KMeans",
    "MiniBatchGaussianMixture", "MiniBatchKMeans", "SphericalKMeans", "__version__", "k_means",
    "kmeans_plusplus", "limit_memory", "limit_threads", "open_rows", "show_config", "warmup",
]  # fmt: skip
