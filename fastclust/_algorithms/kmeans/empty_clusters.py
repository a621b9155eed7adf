"""Clusters that have lost their last row move to the rows that are farthest from their centers."""

from typing import NamedTuple

import numpy as np


class FarthestRows(NamedTuple):
    """The rows farthest from the centers of their labels, in the order in which they are taken."""

    distances_sq: np.ndarray
    """Squared distances, of shape (n_far,)."""

    rows: np.ndarray
    """The rows, dense, of shape (n_far, n_features)."""

    labels: np.ndarray
    """Their labels, of shape (n_far,)."""

    weights: np.ndarray
    """Their sample weights, of shape (n_far,)."""


def farthest(distances_sq, n_far):
    """Places of the n_far largest distances, in the order that scikit-learn has them.

    There are none if all distances are 0.
    """
    if distances_sq.max() == 0:  # fewer distinct rows than clusters: there is nowhere to move to
        return np.empty(0, dtype=np.intp)
    return np.argpartition(distances_sq, -n_far)[: -n_far - 1 : -1]


def farthest_first(distances_sq, n_far):
    """Places of the n_far largest distances, largest first, and the first of equal ones before."""
    return np.argsort(-distances_sq, kind="stable")[:n_far]


def relocate_empty_clusters(statistics, far_rows):
    """Sums and weights for the M step, where each empty cluster has moved to one of the far rows.

    The row is taken from the cluster of its label. A cluster that is still without weight gets the
    sums of the heaviest one, so that its center will be the same. The statistics stay as they are,
    since the labels do.

    Parameters
    ----------
    statistics : ClusterStatistics
        Sums over the rows of each label.
    far_rows : FarthestRows
        A row for each empty cluster, or fewer.

    Returns
    -------
    sums : ndarray of shape (n_clusters, n_features), float64
        Weighted sums of the rows.
    weights : ndarray of shape (n_clusters,), float64
        Sums of the sample weights, all positive.
    """
    empty = np.flatnonzero(statistics.counts == 0)
    sums, weights = statistics.sums.copy(), statistics.weights.copy()
    counts = statistics.counts.copy()
    for j, row, donor, sample_weight in zip(empty, *far_rows[1:], strict=False):
        weight = float(sample_weight)
        weighted_row = row.astype(np.float64) * weight
        sums[donor] -= weighted_row
        counts[donor] -= weight > 0
        # Rounding may leave a residue of the weights: a cluster without rows has a weight of 0.
        weights[donor] = weights[donor] - weight if counts[donor] > 0 else 0.0
        sums[j] = weighted_row
        weights[j] = weight
    source = np.where(weights > 0, np.arange(len(weights)), np.argmax(weights))
    return sums[source], weights[source]
