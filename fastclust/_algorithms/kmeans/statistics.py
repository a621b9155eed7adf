"""Sufficient statistics of KMeans: what an M step needs to know of the rows."""

from dataclasses import dataclass

import numpy as np

RESUM_EVERY = 100
"""Iterations after which center sums are formed anew, so that their rounding cannot grow."""


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
    max_weights : ndarray of shape (n_clusters,), float64
        Largest weights since the sums were formed from all rows: what their rounding goes by.
    """

    sums: np.ndarray
    weights: np.ndarray
    counts: np.ndarray
    max_weights: np.ndarray

    @classmethod
    def zeros(cls, n_clusters, n_features):
        """Statistics of no rows."""
        return cls(
            np.zeros((n_clusters, n_features)),
            np.zeros(n_clusters),
            np.zeros(n_clusters, dtype=np.int64),
            np.zeros(n_clusters),
        )


@dataclass
class Progress:
    """What a number of iterations did.

    Attributes
    ----------
    n_iter : int
        Number of iterations.
    n_changed : int
        Rows whose label the last one changed.
    shift_sq : float
        Sum of the squared shifts of the centers in the last one.
    """

    n_iter: int
    n_changed: int
    shift_sq: float


def update_centers(statistics, rows, centers, labels):
    """M step with empty clusters: each is moved to the farthest row that is left.

    A cluster that is still without weight is placed at the center of the heaviest one.

    Returns
    -------
    centers : ndarray of shape (n_clusters, n_features)
        New centers.
    shift_sq : float
        Sum of the squared shifts.
    """
    sums, weights = statistics.sums, statistics.weights
    if not statistics.counts.all():
        sums, weights = _relocate_empty_clusters(statistics, rows, centers, labels)
    source = np.where(weights > 0, np.arange(len(weights)), np.argmax(weights))
    new_centers = (sums[source] * (1.0 / weights[source])[:, np.newaxis]).astype(centers.dtype)
    return new_centers, float(np.square(new_centers - centers, dtype=np.float64).sum())


def _relocate_empty_clusters(statistics, rows, centers, labels):
    """Sums and weights with each empty cluster given the farthest row that is left.

    The statistics stay as they are, since the labels do.
    """
    empty = np.flatnonzero(statistics.counts == 0)
    sums, weights = statistics.sums.copy(), statistics.weights.copy()
    counts = statistics.counts.copy()
    distances_sq = rows.distances_sq(centers, labels)
    if distances_sq.max() == 0:  # fewer distinct rows than clusters: there is nowhere to move to
        return sums, weights
    farthest = np.argpartition(distances_sq, -len(empty))[: -len(empty) - 1 : -1]
    sample_weight = rows.row_weights()
    for j, i in zip(empty, farthest, strict=True):
        donor, weight = labels.flat[i], float(sample_weight[i])
        weighted_row = rows.take([i])[0].astype(np.float64) * weight
        sums[donor] -= weighted_row
        counts[donor] -= weight > 0
        # Sums of moved weights round: what is left of the last row is 0, not a residue.
        weights[donor] = weights[donor] - weight if counts[donor] > 0 else 0.0
        sums[j] = weighted_row
        weights[j] = weight
    return sums, weights
