"""Sufficient statistics of KMeans: what an M step needs to know of the rows."""

from dataclasses import dataclass

import numpy as np

from fastclust._algorithms.slots import split
from fastclust._kernels.centers import average_centers


@dataclass
class ClusterStatistics:
    """Sums over the rows of each cluster; statistics of row blocks merge by addition.

    Attributes
    ----------
    sums : ndarray of shape (n_clusters, n_features), float64
        Weighted sums of the rows.
    weights : ndarray of shape (n_clusters,), float64
        Sums of the sample weights.
    counts : ndarray of shape (n_clusters,), int64
        Numbers of rows with positive weight: exact where sums of weights round.
    """

    sums: np.ndarray
    weights: np.ndarray
    counts: np.ndarray

    @classmethod
    def zeros(cls, n_clusters, n_features):
        """Statistics of no rows."""
        return cls(
            np.zeros((n_clusters, n_features)),
            np.zeros(n_clusters),
            np.zeros(n_clusters, dtype=np.int64),
        )

    def clear(self):
        """Set everything to zero."""
        self.sums.fill(0.0)
        self.weights.fill(0.0)
        self.counts.fill(0)


def update_centers(statistics, rows, centers, labels):
    """M step: the centers as means of their rows, empty clusters moved to the farthest rows.

    Returns
    -------
    centers : ndarray of shape (n_clusters, n_features)
        New centers.
    shifts : ndarray of shape (n_clusters,), float64
        Distance that each center moved.
    """
    sums, weights = statistics.sums, statistics.weights
    if not statistics.counts.all():
        sums, weights = _relocate_empty_clusters(statistics, rows, centers, labels)
    new_centers, shifts = np.empty_like(centers), np.empty(len(centers))
    slots = split(len(centers), centers.shape[1])
    average_centers(slots, centers, sums, weights, new_centers, shifts)
    return new_centers, shifts


def _relocate_empty_clusters(statistics, rows, centers, labels):
    """Sums and weights with each empty cluster given the farthest row that is left.

    The statistics stay as they are, since the labels do.
    """
    empty = np.flatnonzero(statistics.counts == 0)
    sums, weights = statistics.sums.copy(), statistics.weights.copy()
    distances_sq, _ = rows.inertia(centers, labels)
    if distances_sq.max() == 0:  # fewer distinct rows than clusters: there is nowhere to move to
        return sums, weights
    farthest = np.argpartition(distances_sq, -len(empty))[: -len(empty) - 1 : -1]
    for j, i in zip(empty, farthest, strict=True):
        donor, weight = labels.flat[i], rows.weight_of(i)
        weighted_row = rows.take([i])[0].astype(np.float64) * weight
        sums[donor] -= weighted_row
        weights[donor] -= weight
        sums[j] = weighted_row
        weights[j] = weight
    return sums, weights
