"""The M step of Lloyd's algorithm for one cluster, and centers laid out as tiles."""

import numpy as np
from numba import prange

from fastclust._kernels.jit import inner, kernel


@inner
def clear_cluster(j, sums_out, weights_out, counts_out):
    """Set the statistics of cluster j to those of no rows."""
    weights_out[j] = 0.0
    counts_out[j] = 0
    for f in range(sums_out.shape[1]):
        sums_out[j, f] = 0.0


@inner
def merge_cluster(
    slot, j, slot_sums_out, slot_weights_out, slot_counts_out, sums_out, weights_out, counts_out
):
    """Move the statistics of cluster j from a slot to the whole."""
    for f in range(sums_out.shape[1]):
        sums_out[j, f] += slot_sums_out[slot, j, f]
        slot_sums_out[slot, j, f] = 0.0
    weights_out[j] += slot_weights_out[slot, j]
    slot_weights_out[slot, j] = 0.0
    counts_out[j] += slot_counts_out[slot, j]
    slot_counts_out[slot, j] = 0


@inner
def average_cluster(j, sums, weights, centers_out):
    """Set center j to the mean of its rows; return the square of how far it moved."""
    scale = 1.0 / weights[j]
    shift_sq = 0.0
    for f in range(centers_out.shape[1]):
        before = np.float64(centers_out[j, f])
        centers_out[j, f] = sums[j, f] * scale
        shift_sq += (centers_out[j, f] - before) ** 2
    return shift_sq


@inner
def tile_center(j, n_clusters, centers, scale, tiles_out, center_sq_out):
    """Write center j, or a padding center that is infinitely far, into its tile."""
    t, offset = j // tiles_out.shape[2], j % tiles_out.shape[2]
    center_sq = 0.0 if j < n_clusters else np.inf
    for f in range(tiles_out.shape[1]):
        c = np.float64(centers[j, f]) if j < n_clusters else 0.0
        tiles_out[t, f, offset] = scale * c
        center_sq += c * c
    center_sq_out[t, offset] = center_sq


@kernel
def tile_centers(slots, centers, scale, tiles_out, center_sq_out):
    """Lay centers out as tiles[t, f, offset] = scale * center and center_sq = |center|^2.

    centers : (n_clusters, n_features)             # IN
    tiles_out : (n_tiles, n_features, width)       # OUT: 0 for the padding centers
    center_sq_out : (n_tiles, width)               # OUT: infinity for the padding centers
    """
    width = tiles_out.shape[2]
    for s in prange(slots.shape[0]):
        for j in range(slots[s, 1] * width, slots[s, 2] * width):
            tile_center(j, centers.shape[0], centers, scale, tiles_out, center_sq_out)
