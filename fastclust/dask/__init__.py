"""K-means and Gaussian mixtures on Dask's arrays and dataframes: the same answers on a cluster.

The estimators and functions are those of `fastclust` for rows that are Dask collections. Dask
schedules: a pass over the rows is a task for each block and a tree of sums, so only parameters and
statistics travel. Where there is no `distributed.Client`, Dask's threads do it.

It needs ``pip install "fastclust[dask]"``.
"""

from fastclust.dask._estimators import GaussianMixture, KMeans, MiniBatchKMeans, SphericalKMeans
from fastclust.dask._metrics import (
    calinski_harabasz_score,
    davies_bouldin_score,
    simplified_silhouette_score,
)
from fastclust.dask._selection import select_gaussian_mixture, select_kmeans

__all__ = [
    "GaussianMixture",
    "KMeans",
    "MiniBatchKMeans",
    "SphericalKMeans",
    "calinski_harabasz_score",
    "davies_bouldin_score",
    "select_gaussian_mixture",
    "select_kmeans",
    "simplified_silhouette_score",
]
