"""Choose the number of clusters, and the covariance type: one sweep, one table, every criterion."""

from fastclust.model_selection._select import select_gaussian_mixture, select_kmeans
from fastclust.model_selection._selection import Selection

__all__ = ["Selection", "select_gaussian_mixture", "select_kmeans"]
