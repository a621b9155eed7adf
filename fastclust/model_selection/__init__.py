"""Choose the number of clusters, and the covariance type: one sweep, one table, every criterion."""

from fastclust.model_selection._selection import Selection
from fastclust.model_selection._sweeps import select_gaussian_mixture, select_kmeans

__all__ = ["Selection", "select_gaussian_mixture", "select_kmeans"]
