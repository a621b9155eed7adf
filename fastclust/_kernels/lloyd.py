"""Iterations of Lloyd's algorithm, as many as one launch may hold.

An iteration labels every row with its nearest center (`assign`) and moves every center to the mean
of its rows (`centers`). Center sums are incremental: only the rows whose label changed are moved
from the sum of one cluster to that of another. They accumulate in float64, each slot of rows in a
buffer of its own, and the slots are merged in order.

Rows that cannot have changed their label are skipped, by Hamerly's test (2010) with one number a
row. Let u and l be the distances of a row to its own and to the second nearest center. The row
keeps its label while u < l. A center that moves by s changes a distance by s at most, so the slack
l - u falls by the `drift` of the row's cluster: its own shift and the largest of the others'.
Computed squared distances are off by at most E = (n_features + 2) eps (|x|^2 + R^2), R being the
largest norm of a row or center; they compare like the true ones if l^2 - u^2 > 2 E, for which
l - u > sqrt(2 E) suffices. So the slack is made from u and l widened by E, less sqrt(2 E), and the
labels are those of the dense pass, bit for bit.

Rows without slack are labelled in their panel if it holds many of them, else queued into a panel
of their own. The test costs something, so it is switched on when few labels change and off when
too many rows fail it (benchmarks/bench_gate.py).
"""

import numpy as np
from numba import prange

from fastclust._kernels.assign import nearest, two_nearest
from fastclust._kernels.centers import average_cluster, merge_cluster, tile_center
from fastclust._kernels.jit import inner, kernel
from fastclust._kernels.simd import (
    changed_lanes,
    count_bits,
    fma,
    gather,
    lane,
    load,
    lowest_lane,
    not_positive_lanes,
    splat,
    square_root,
    store,
)

# Entries of progress_out.
N_ITER = 0  # iterations done
N_CHANGED = 1  # rows whose label changed in the last one
SHIFT_SQ = 2  # sum of the squared shifts of the centers in the last one
N_EMPTY = 3  # clusters without rows; if there are any the last one did not move the centers
COST = 4  # of all of them, in panels labelled
N_PROGRESS = 5

# Entries of gate_out, and the modes.
MODE = 0
WAIT = 1  # dense iterations until the next try
BACKOFF = 2  # dense iterations after the next failure
N_GATE = 3
DENSE = 0  # label every row
BOUNDING = 1  # label every row and note its slack
GATED = 2  # label the rows without slack

FIRST_BACKOFF = 2

FEW_CHANGES = 8
"""The gate is tried when fewer than one row in this many changes its label."""


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
def _relabel_panel(
    panels, weights, n_samples, from_scratch, p, new, labels_out, sums_out, weights_out, counts_out
):
    """Give a panel its new labels and move the rows that changed; return how many did."""
    lanes = panels.shape[2]
    changed = changed_lanes(new, labels_out, p)
    if changed == 0 and not from_scratch:
        return 0
    n_changed = 0
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


@inner
def _nearest_with_slack(panels, p, tiles, center_sq, rounding, radius_sq):
    """Labels of a panel and the slack of each row; see the header."""
    nearest_sq, second_sq, labels = two_nearest(panels, p, tiles, center_sq)
    row_sq = splat(panels, 0.0)
    for f in range(panels.shape[1]):
        x = load(panels, (p, f))
        row_sq = fma(x, x, row_sq)
    error = fma(row_sq, splat(panels, rounding), splat(panels, rounding * radius_sq))
    upper = square_root(nearest_sq + row_sq + error)
    lower = square_root(second_sq + row_sq - error)
    return labels, lower - (upper + square_root(error + error))


@inner
def _flush(
    weights, tiles, center_sq, rounding, radius_sq, slot, n_queued, queue, queue_rows,
    slack_scratch_out, labels_out, slack_out, sums_out, weights_out, counts_out,
):  # fmt: skip
    """Label the queued rows of a slot; return how many labels changed."""
    lanes = queue.shape[2]
    new, slack = _nearest_with_slack(queue, slot, tiles, center_sq, rounding, radius_sq)
    store(slack_scratch_out, slot, slack)
    n_changed = 0
    for q in range(n_queued):
        p, i = queue_rows[slot, q] // lanes, queue_rows[slot, q] % lanes
        label, old = lane(new, q), labels_out[p, i]
        slack_out[p, i] = slack_scratch_out[slot, q]
        if label != old:
            weight = np.float64(weights[p, i]) if weights.shape[0] > 0 else 1.0
            _move_row(queue, slot, q, weight, old, label, sums_out, weights_out, counts_out)
            labels_out[p, i] = label
            n_changed += 1
    return n_changed


@inner
def _assign_slot(
    panels, weights, n_samples, tiles, center_sq, from_scratch, mode, rounding, radius_sq,
    queue_limit, copy_cost, drifts, slot, start, stop,
    labels_out, slack_out, queue_out, queue_rows_out, slack_scratch_out,
    slot_sums_out, slot_weights_out, slot_counts_out, slot_changed_out, slot_cost_out,
):  # fmt: skip
    """Label the rows of a slot and sum the changes; count those, and what it took in panels."""
    sums_out, weights_out = slot_sums_out[slot], slot_weights_out[slot]
    counts_out = slot_counts_out[slot]
    sums_out.fill(0.0)
    weights_out.fill(0.0)
    counts_out.fill(0)
    lanes = panels.shape[2]
    n_changed, n_queued, cost = 0, 0, 0.0
    for p in range(start, stop):
        if mode == GATED and not from_scratch:
            slack = load(slack_out, p) - gather(drifts, labels_out, p, 0)
            store(slack_out, p, slack)
            active = not_positive_lanes(slack) & ((1 << min(lanes, n_samples - p * lanes)) - 1)
            if count_bits(active) <= queue_limit:
                while active:
                    i = lowest_lane(active)
                    active &= active - 1
                    for f in range(panels.shape[1]):
                        queue_out[slot, f, n_queued] = panels[p, f, i]
                    queue_rows_out[slot, n_queued] = p * lanes + i
                    n_queued += 1
                    cost += copy_cost
                    if n_queued == lanes:
                        n_changed += _flush(
                            weights, tiles, center_sq, rounding, radius_sq, slot, n_queued,
                            queue_out, queue_rows_out, slack_scratch_out, labels_out,
                            slack_out, sums_out, weights_out, counts_out,
                        )  # fmt: skip
                        cost += 1.0
                        n_queued = 0
                continue
        if mode == DENSE:
            new = nearest(panels, p, tiles, center_sq)
        else:
            new, slack = _nearest_with_slack(panels, p, tiles, center_sq, rounding, radius_sq)
            store(slack_out, p, slack)
        cost += 1.0
        n_changed += _relabel_panel(
            panels, weights, n_samples, from_scratch, p, new, labels_out, sums_out, weights_out,
            counts_out,
        )  # fmt: skip
    if n_queued > 0:
        n_changed += _flush(
            weights, tiles, center_sq, rounding, radius_sq, slot, n_queued, queue_out,
            queue_rows_out, slack_scratch_out, labels_out, slack_out, sums_out, weights_out,
            counts_out,
        )  # fmt: skip
        cost += 1.0
    slot_changed_out[slot] = n_changed
    slot_cost_out[slot] = cost


@kernel
def iterate(
    slots, panels, weights, n_samples, cluster_slots, finish, first_iteration, n_steps,
    resum_every, tol, rounding, radius_sq, queue_limit, copy_cost, most_cost,
    labels_out, centers_out, tiles_out, center_sq_out, drifts_out, slack_out, gate_out, queue_out,
    queue_rows_out, slack_scratch_out, slot_sums_out, slot_weights_out, slot_counts_out,
    slot_changed_out, slot_cost_out, sums_out, weights_out, counts_out, progress_out,
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
    rounding, radius_sq : E / (|x|^2 + R^2), and R^2               # IN
    queue_limit : rows of a panel that are queued, not more        # IN
    copy_cost : cost of queueing a row, in panels labelled         # IN
    most_cost : cost up to which the gate pays, per panel          # IN
    labels_out : (n_panels, LANES), int32                          # IN, OUT
    centers_out : (n_clusters, n_features)                         # IN, OUT
    tiles_out, center_sq_out : the same centers as tiles           # IN, OUT
    drifts_out : (n_clusters, 1)                                   # IN, OUT
    slack_out : (n_panels, LANES)                                  # IN, OUT
    gate_out : (N_GATE,), int64                                    # IN, OUT
    queue_out : (n_slots, n_features, LANES)                       # OUT: scratch
    queue_rows_out : (n_slots, LANES), int64                       # OUT: scratch
    slack_scratch_out : (n_slots, LANES)                           # OUT: scratch
    slot_sums_out : (n_slots, n_clusters, n_features), float64     # OUT
    slot_weights_out : (n_slots, n_clusters), float64              # OUT
    slot_counts_out : (n_slots, n_clusters), int64                 # OUT
    slot_changed_out : (n_slots,), int64                           # OUT
    slot_cost_out : (n_slots,), float64                            # OUT
    sums_out : (n_clusters, n_features), float64                   # IN, OUT
    weights_out : (n_clusters,), float64                           # IN, OUT
    counts_out : (n_clusters,), int64: rows of positive weight     # IN, OUT
    progress_out : (N_PROGRESS,), float64                          # OUT
    """
    n_clusters = centers_out.shape[0]
    for step in range(n_steps):
        from_scratch = (first_iteration + step) % resum_every == 0
        for s in prange(slots.shape[0]):
            _assign_slot(
                panels, weights, n_samples, tiles_out, center_sq_out, from_scratch, gate_out[MODE],
                rounding, radius_sq, queue_limit, copy_cost, drifts_out,
                slots[s, 0], slots[s, 1], slots[s, 2],
                labels_out, slack_out, queue_out, queue_rows_out, slack_scratch_out,
                slot_sums_out, slot_weights_out, slot_counts_out, slot_changed_out,
                slot_cost_out,
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
        cost = _sum(slot_cost_out)
        progress_out[N_ITER] = step + 1
        progress_out[N_CHANGED] = _sum(slot_changed_out)
        progress_out[COST] += cost
        progress_out[N_EMPTY] = _count_zeros(counts_out)
        if progress_out[N_EMPTY] > 0:
            break
        progress_out[SHIFT_SQ] = 0.0
        for j in range(n_clusters):
            shift_sq = average_cluster(j, sums_out, weights_out, centers_out)
            tile_center(j, n_clusters, centers_out, -2.0, tiles_out, center_sq_out)
            progress_out[SHIFT_SQ] += shift_sq
            drifts_out[j, 0] = np.sqrt(shift_sq)
        if progress_out[N_CHANGED] == 0 or progress_out[SHIFT_SQ] <= tol:
            break
        _add_largest_other(drifts_out)
        few_changes = progress_out[N_CHANGED] * FEW_CHANGES < n_samples
        pays = cost <= most_cost * panels.shape[0] or from_scratch
        _switch_gate(few_changes and most_cost > 0, pays, gate_out)


@inner
def _add_largest_other(shifts_out):
    """Turn shifts into drifts: add the largest shift of another center, and round up."""
    largest, second, where = 0.0, 0.0, 0
    for j in range(shifts_out.shape[0]):
        shift = np.float64(shifts_out[j, 0])
        if shift > largest:
            largest, second, where = shift, largest, j
        elif shift > second:
            second = shift
    for j in range(shifts_out.shape[0]):
        other = second if j == where else largest
        shifts_out[j, 0] = (shifts_out[j, 0] + other) * (1 + 1e-6)


@inner
def _switch_gate(few_changes, pays, gate_out):
    """Choose the mode of the next iteration."""
    if gate_out[MODE] == DENSE:
        gate_out[WAIT] -= 1
        if few_changes and gate_out[WAIT] <= 0:
            gate_out[MODE] = BOUNDING
    elif gate_out[MODE] == BOUNDING:
        gate_out[MODE] = GATED
    elif pays:
        gate_out[BACKOFF] = FIRST_BACKOFF
    else:
        gate_out[MODE] = DENSE
        gate_out[WAIT] = gate_out[BACKOFF]
        gate_out[BACKOFF] *= 2


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
