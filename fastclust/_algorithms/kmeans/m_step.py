"""The M step by itself, where it is not part of a launch of iterations."""

import numpy as np

from fastclust._algorithms.chunks import split
from fastclust._calls import update_centers


def move_centers(centers, sums, weights, to_unit, tiles, shifts):
    """Move centers to the means of their rows, in place; return the sum of the squared shifts.

    Parameters
    ----------
    centers : ndarray of shape (n_clusters, n_features)
        The centers.
    sums : ndarray of shape (n_clusters, n_features), float64
        Weighted sums of the rows.
    weights : ndarray of shape (n_clusters,), float64
        Sums of the sample weights, all positive.
    to_unit : bool
        Whether the means are divided by their length. Centers whose rows add up to 0 then stay.
    tiles : sequence of ndarray
        Tiles and squared norms of the centers, as of `precision.search_tiles`; they follow.
    shifts : ndarray of shape (n_clusters or more,)
        Is set to how far each center moved.
    """
    shift_sq = np.empty(1)
    update_centers(split(1, 0.0), centers, sums, weights, int(to_unit), *tiles, shifts, shift_sq)
    return float(shift_sq[0])


def move_gradually(centers, weights, statistics):
    """Move centers to the means of all rows that they have ever had, those of a batch included.

    Parameters
    ----------
    centers : ndarray of shape (n_clusters, n_features)
        The centers.
    weights : ndarray of shape (n_clusters,), float64
        Weights of the rows that each has had before.
    statistics : ClusterStatistics
        Sums over the rows of the batch.

    Returns
    -------
    centers, weights : ndarray
        The same afterwards; a center without rows in the batch stays.
    """
    after = weights + statistics.weights
    moved = np.flatnonzero(statistics.weights > 0)
    means = weights[moved, np.newaxis] * centers[moved]
    means += statistics.sums[moved]
    means /= after[moved, np.newaxis]
    if len(moved) == len(centers):
        return means.astype(centers.dtype, copy=False), after
    centers = centers.copy()
    centers[moved] = means
    return centers, after
