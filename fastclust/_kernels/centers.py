"""The M step of Lloyd's algorithm: slots merged in order, centers averaged and made into tiles."""

import numpy as np
from numba import prange

from fastclust._kernels.jit import inner, kernel


@inner
def _merge_cluster(j, slot_sums, slot_weights, slot_counts, sums_out, weights_out, counts_out):
    for slot in range(slot_sums.shape[0]):
        for f in range(sums_out.shape[1]):
            sums_out[j, f] += slot_sums[slot, j, f]
        weights_out[j] += slot_weights[slot, j]
        counts_out[j] += slot_counts[slot, j]
    if counts_out[j] == 0:  # no rounding residue in a cluster that has no rows
        weights_out[j] = 0.0
        for f in range(sums_out.shape[1]):
            sums_out[j, f] = 0.0


@kernel
def merge_slots(slots, slot_sums, slot_weights, slot_counts, sums_out, weights_out, counts_out):
    """Add the slots' statistics, first slot first; here a slot is a range of clusters.

    slot_sums : (n_slots, n_clusters, n_features), float64    # IN
    slot_weights : (n_slots, n_clusters), float64             # IN
    slot_counts : (n_slots, n_clusters), int64                # IN
    sums_out : (n_clusters, n_features), float64              # IN, OUT
    weights_out : (n_clusters,), float64                      # IN, OUT
    counts_out : (n_clusters,), int64                         # IN, OUT
    """
    for s in prange(slots.shape[0]):
        for j in range(slots[s, 1], slots[s, 2]):
            _merge_cluster(
                j, slot_sums, slot_weights, slot_counts, sums_out, weights_out, counts_out
            )


@kernel
def average_centers(slots, centers, sums, weights, centers_out, shifts_out):
    """New centers sums / weights, and how far each moved.

    An empty cluster (weight 0) is placed at the new center of the heaviest one, as scikit-learn
    does.

    centers : (n_clusters, n_features)             # IN
    sums : (n_clusters, n_features), float64       # IN
    weights : (n_clusters,), float64               # IN
    centers_out : (n_clusters, n_features)         # OUT
    shifts_out : (n_clusters,), float64            # OUT: |centers_out - centers|
    """
    heaviest = np.argmax(weights)
    for s in prange(slots.shape[0]):
        for j in range(slots[s, 1], slots[s, 2]):
            source = j if weights[j] > 0 else heaviest
            scale = 1.0 / weights[source]
            shift_sq = 0.0
            for f in range(centers.shape[1]):
                centers_out[j, f] = sums[source, f] * scale
                shift_sq += (np.float64(centers_out[j, f]) - centers[j, f]) ** 2
            shifts_out[j] = np.sqrt(shift_sq)


@kernel
def tile_centers(slots, centers, scale, tiles_out, center_sq_out):
    """Lay centers out as tiles[t, f, j] = scale * center and center_sq = |center|^2.

    centers : (n_clusters, n_features)             # IN
    tiles_out : (n_tiles, n_features, width)       # OUT: 0 for the padding centers
    center_sq_out : (n_tiles, width)               # OUT: infinity for the padding centers
    """
    n_clusters, n_features = centers.shape
    width = tiles_out.shape[2]
    for s in prange(slots.shape[0]):
        for t in range(slots[s, 1], slots[s, 2]):
            for offset in range(width):
                j = t * width + offset
                center_sq = 0.0 if j < n_clusters else np.inf
                for f in range(n_features):
                    c = np.float64(centers[j, f]) if j < n_clusters else 0.0
                    tiles_out[t, f, offset] = scale * c
                    center_sq += c * c
                center_sq_out[t, offset] = center_sq
