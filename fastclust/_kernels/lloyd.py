"""Iterations of Lloyd's algorithm, as many as one launch may hold.

An iteration labels every row with its nearest center (`assign`) and moves every center to the mean
of its rows (`centers`). Center sums are incremental: only the rows whose label changed are moved
from the sum of one cluster to that of another. They accumulate in float64, each slot of rows in a
buffer of its own, and the slots are merged in order.
"""

import numpy as np
from numba import prange

from fastclust._kernels.assign import nearest
from fastclust._kernels.centers import average_cluster, merge_cluster, tile_center
from fastclust._kernels.jit import inner, kernel
from fastclust._kernels.simd import changed_lanes, lane, store

# Entries of progress_out.
N_ITER = 0  # iterations done
N_CHANGED = 1  # rows whose label changed in the last one
SHIFT_SQ = 2  # sum of the squared shifts of the centers in the last one
N_EMPTY = 3  # clusters without rows; if there are any the last one did not move the centers
N_PROGRESS = 4


@inner
def _move_row(panels, p, i, weight, old, new, sums_out, weights_out, counts_out):
    """Move row (p, i) from cluster old, or from nowhere if that is -1, to cluster new."""
    one = np.int64(np.sign(weight))
    weights_out[new] += weight
    counts_out[new] += one
    if old < 0:
        for f in range(panels.shape[1]):
            sums_out[new, f] += weight * panels[p, f, i]
        return
    weights_out[old] -= weight
    counts_out[old] -= one
    for f in range(panels.shape[1]):
        weighted = weight * panels[p, f, i]
        sums_out[new, f] += weighted
        sums_out[old, f] -= weighted


@inner
def _assign_slot(
    panels, weights, n_samples, tiles, center_sq, from_scratch, slot, start, stop,
    labels_out, slot_sums_out, slot_weights_out, slot_counts_out,
):  # fmt: skip
    """Label the rows of a slot, sum the changes, return the number of changed labels."""
    sums_out, weights_out = slot_sums_out[slot], slot_weights_out[slot]
    counts_out = slot_counts_out[slot]
    sums_out.fill(0.0)
    weights_out.fill(0.0)
    counts_out.fill(0)
    lanes = panels.shape[2]
    n_changed = 0
    for p in range(start, stop):
        new = nearest(panels, p, tiles, center_sq)
        changed = changed_lanes(new, labels_out, p)
        if changed == 0 and not from_scratch:
            continue
        for i in range(min(lanes, n_samples - p * lanes)):
            is_changed = (changed >> i) & 1
            n_changed += is_changed
            if not is_changed and not from_scratch:
                continue
            weight = np.float64(weights[p, i]) if weights.shape[0] > 0 else 1.0
            old = -1 if from_scratch else labels_out[p, i]
            _move_row(panels, p, i, weight, old, lane(new, i), sums_out, weights_out, counts_out)
        store(labels_out, p, new)
    return n_changed


@kernel
def iterate(
    slots, panels, weights, n_samples, cluster_slots, finish, first_iteration, n_steps,
    resum_every, tol,
    labels_out, centers_out, tiles_out, center_sq_out, slot_sums_out, slot_weights_out,
    slot_counts_out, slot_changed_out, sums_out, weights_out, counts_out, progress_out,
):  # fmt: skip
    """Iterate until the labels repeat, the shift is within tol, a cluster is empty, or n_steps.

    panels : (n_panels, n_features, LANES)                         # IN
    weights : (n_panels, LANES), or (0, LANES) for ones            # IN
    n_samples : rows without the padding                           # IN
    cluster_slots : slots of clusters, for the merge               # IN
    finish : 0 to label these slots only, 1 to go on from there    # IN
    first_iteration : number of the first iteration                # IN
    n_steps : limit of the iterations                              # IN
    resum_every : iterations after which sums are formed anew      # IN
    tol : sum of squared shifts at which to stop                   # IN
    labels_out : (n_panels, LANES), int32                          # IN, OUT
    centers_out : (n_clusters, n_features)                         # IN, OUT
    tiles_out, center_sq_out : the same centers as tiles           # IN, OUT
    slot_sums_out : (n_slots, n_clusters, n_features), float64     # OUT
    slot_weights_out : (n_slots, n_clusters), float64              # OUT
    slot_counts_out : (n_slots, n_clusters), int64                 # OUT
    slot_changed_out : (n_slots,), int64                           # OUT
    sums_out : (n_clusters, n_features), float64                   # IN, OUT
    weights_out : (n_clusters,), float64                           # IN, OUT
    counts_out : (n_clusters,), int64: rows of positive weight     # IN, OUT
    progress_out : (N_PROGRESS,), float64                          # OUT
    """
    n_clusters = centers_out.shape[0]
    for step in range(n_steps):
        from_scratch = (first_iteration + step) % resum_every == 0
        for s in prange(slots.shape[0]):
            slot_changed_out[slots[s, 0]] = _assign_slot(
                panels, weights, n_samples, tiles_out, center_sq_out, from_scratch,
                slots[s, 0], slots[s, 1], slots[s, 2],
                labels_out, slot_sums_out, slot_weights_out, slot_counts_out,
            )  # fmt: skip
        if not finish:
            break
        if cluster_slots.shape[0] == 1:  # a second launch would cost more than it saves
            _merge(
                0, n_clusters, from_scratch,
                slot_sums_out, slot_weights_out, slot_counts_out, sums_out, weights_out, counts_out,
            )  # fmt: skip
        else:
            for s in prange(cluster_slots.shape[0]):
                _merge(
                    cluster_slots[s, 1], cluster_slots[s, 2], from_scratch, slot_sums_out,
                    slot_weights_out, slot_counts_out, sums_out, weights_out, counts_out,
                )  # fmt: skip
        progress_out[N_ITER] = step + 1
        progress_out[N_CHANGED] = _sum(slot_changed_out)
        progress_out[N_EMPTY] = _count_zeros(counts_out)
        if progress_out[N_EMPTY] > 0:
            break
        progress_out[SHIFT_SQ] = 0.0
        for j in range(n_clusters):
            progress_out[SHIFT_SQ] += average_cluster(j, sums_out, weights_out, centers_out)
            tile_center(j, n_clusters, centers_out, -2.0, tiles_out, center_sq_out)
        if progress_out[N_CHANGED] == 0 or progress_out[SHIFT_SQ] <= tol:
            break


@inner
def _merge(
    first, stop, from_scratch,
    slot_sums, slot_weights, slot_counts, sums_out, weights_out, counts_out,
):  # fmt: skip
    """Bring the statistics of a range of clusters up to date."""
    for j in range(first, stop):
        if from_scratch:
            sums_out[j].fill(0.0)
            weights_out[j] = 0.0
            counts_out[j] = 0
        merge_cluster(j, slot_sums, slot_weights, slot_counts, sums_out, weights_out, counts_out)


@inner
def _sum(values):
    total = 0.0
    for value in values:
        total += value
    return total


@inner
def _count_zeros(counts):
    n_zeros = 0
    for count in counts:
        n_zeros += count == 0
    return n_zeros
