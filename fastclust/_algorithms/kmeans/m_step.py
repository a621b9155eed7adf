"""The M step by itself, where it is not part of a launch of iterations."""

import numpy as np

from fastclust._algorithms.chunks import split
from fastclust._calls import update_centers


def move_centers(centers, sums, weights, tiles, shifts):
    """Move centers to the means of their rows, in place; return the sum of the squared shifts.

    Parameters
    ----------
    centers : ndarray of shape (n_clusters, n_features)
        The centers.
    sums : ndarray of shape (n_clusters, n_features), float64
        Weighted sums of the rows.
    weights : ndarray of shape (n_clusters,), float64
        Sums of the sample weights, all positive.
    tiles : sequence of ndarray
        Tiles and squared norms of the centers, as of `precision.search_tiles`; they follow.
    shifts : ndarray of shape (n_clusters or more,)
        Is set to how far each center moved.
    """
    shift_sq = np.empty(1)
    update_centers(split(1, 0.0), centers, sums, weights, *tiles, shifts, shift_sq)
    return float(shift_sq[0])
