"""Nearest center of every row, and the sums that the M step of Lloyd's algorithm needs.

The label of row x is argmin_j |c_j|^2 - 2 x.c_j, which leaves out |x|^2 (Lloyd 1982). The centers
come as tiles of TILE = `simd.TILE` centers: tiles[t, f, j] = -2 c[t * TILE + j, f] and
center_sq[t, j] = |c|^2, infinite for the padding centers, so that one multiply-add per
(row, center, feature) is all there is. TILE was chosen by benchmarks/bench_kernels.py.

Center sums are incremental: only the rows whose label changed are moved from the sum of one
cluster to that of another. They accumulate in float64, so the sums of a fit drift by a few ulp.
"""

import numpy as np
from numba import prange

from fastclust._kernels.jit import inner, kernel
from fastclust._kernels.simd import (
    TILE,
    argmin_tile,
    changed_lanes,
    fma_tile,
    lane,
    load,
    splat,
    splat_labels,
    splat_tile,
    store,
)


@inner
def _nearest(panels, p, tiles, center_sq):
    """Label vector of one panel."""
    nearest_sq = splat(panels, np.inf)
    labels = splat_labels(panels, 0)
    for t in range(tiles.shape[0]):
        acc = splat_tile(center_sq, t, TILE)
        for f in range(panels.shape[1]):
            acc = fma_tile(acc, load(panels, (p, f)), tiles, (t, f))
        nearest_sq, labels = argmin_tile(nearest_sq, labels, acc, t * TILE)
    return labels


@kernel
def assign_nearest(slots, panels, tiles, center_sq, labels_out):
    """Label every row with its nearest center, the first of equally near ones.

    panels : (n_panels, n_features, LANES)        # IN
    tiles : (n_tiles, n_features, TILE)           # IN
    center_sq : (n_tiles, TILE)                   # IN
    labels_out : (n_panels, LANES), int32         # OUT
    """
    for s in prange(slots.shape[0]):
        for p in range(slots[s, 1], slots[s, 2]):
            store(labels_out, p, _nearest(panels, p, tiles, center_sq))


@inner
def _add_row(panels, p, i, weight, j, sign, sums_out, weights_out, counts_out):
    """Add row (p, i) to cluster j, or take it away."""
    for f in range(panels.shape[1]):
        sums_out[j, f] += sign * weight * panels[p, f, i]
    weights_out[j] += sign * weight
    counts_out[j] += np.int64(sign) if weight > 0 else 0


@inner
def _assign_slot(
    panels, weights, n_samples, tiles, center_sq, from_scratch, slot, start, stop,
    labels_out, slot_sums_out, slot_weights_out, slot_counts_out,
):  # fmt: skip
    lanes = panels.shape[2]
    sums_out, weights_out, counts_out = slot_sums_out[slot], slot_weights_out[slot], slot_counts_out[slot]
    sums_out.fill(0.0)
    weights_out.fill(0.0)
    counts_out.fill(0)
    n_changed = 0
    for p in range(start, stop):
        new = _nearest(panels, p, tiles, center_sq)
        changed = changed_lanes(new, labels_out, p)
        if changed == 0 and not from_scratch:
            continue
        for i in range(min(lanes, n_samples - p * lanes)):
            old = labels_out[p, i]
            is_changed = (changed >> i) & 1
            n_changed += is_changed
            if not is_changed and not from_scratch:
                continue
            weight = np.float64(weights[p, i]) if weights.shape[0] > 0 else 1.0
            _add_row(panels, p, i, weight, lane(new, i), 1.0, sums_out, weights_out, counts_out)
            if not from_scratch:
                _add_row(panels, p, i, weight, old, -1.0, sums_out, weights_out, counts_out)
        store(labels_out, p, new)
    return n_changed


@kernel
def assign_and_accumulate(
    slots, panels, weights, n_samples, tiles, center_sq, from_scratch,
    labels_out, sums_out, weights_out, counts_out, n_changed_out,
):  # fmt: skip
    """E step, and what the M step needs to know of the rows that changed their label.

    panels : (n_panels, n_features, LANES)                    # IN
    weights : (n_panels, LANES), or (0, LANES) for ones       # IN
    n_samples : rows without the padding                      # IN
    tiles, center_sq : as for assign_nearest                  # IN
    from_scratch : 1 to sum all rows, 0 to sum the changes    # IN
    labels_out : (n_panels, LANES), int32                     # IN, OUT
    sums_out : (n_slots, n_clusters, n_features), float64     # OUT
    weights_out : (n_slots, n_clusters), float64              # OUT
    counts_out : (n_slots, n_clusters), int64                 # OUT: rows of positive weight
    n_changed_out : (n_slots,), int64                         # OUT: rows whose label changed
    """
    for s in prange(slots.shape[0]):
        n_changed_out[slots[s, 0]] = _assign_slot(
            panels, weights, n_samples, tiles, center_sq, from_scratch,
            slots[s, 0], slots[s, 1], slots[s, 2],
            labels_out, sums_out, weights_out, counts_out,
        )  # fmt: skip
