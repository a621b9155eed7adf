"""Iterations of Lloyd's algorithm, as many as one launch may hold.

An iteration labels every row with its nearest center (`assign`) and moves every center to the mean
of its rows (`centers`). Center sums are incremental: only the rows whose label changed are moved
from the sum of one cluster to that of another. They accumulate in float64, each slot of rows in a
buffer of its own, and the slots are merged in order.

Rows that cannot have changed their label are skipped, by Hamerly's test (2010) with one number a
row. Let u and l be the distances of a row to its own and to the second nearest center. The row
keeps its label while u < l. A center that moves by s changes a distance by s at most, so the slack
l - u falls by the `drift` of the row's cluster: its own shift and the largest of the others'.
Computed squared distances are off by at most E = 2 (n_features + 4) eps (|x|^2 + R^2), R being the
largest norm of a row or first center, which no mean of rows exceeds: half of E is room for the
rounding of |c|^2, of the n_features multiply-adds and of |x|^2. They compare like the true ones if
l^2 - u^2 > 2 E, for which l - u > sqrt(2 E) suffices. So the slack is made from u and l widened by
E, less sqrt(2 E), and the labels are those of the dense pass, bit for bit. The rounding of the
slack itself is of the order of eps, next to which sqrt(2 E), of the order of sqrt(eps), is large.

Rows without slack are labelled with their whole panel if it holds many of them, else queued until
they fill a panel of their own. The test costs something, so it is switched on when few labels
change and off when too many rows fail it (benchmarks/bench_gate.py).
"""

import numpy as np
from numba import prange

from fastclust._kernels.assign import nearest, two_nearest
from fastclust._kernels.centers import average_cluster, clear_cluster, merge_cluster, tile_center
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
COST = 4  # of all of them, in panels labelled; for benchmarks and tests
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

LEAST_OF_PEAK = 1e-4
"""Sums are formed anew if less of a cluster's weight is left: they keep 12 digits of it."""

FEW_CHANGES = 8
"""The gate is tried when fewer than one row in this many changes its label."""


@inner
def _move_row(panels, p, i, weight, old, new, sums_out, weights_out, counts_out, touched_out):
    """Move row (p, i) from cluster old, or from nowhere if that is -1, to cluster new."""
    one = np.int64(np.sign(weight))
    touched_out[new] = 1
    weights_out[new] += weight
    counts_out[new] += one
    if old < 0:
        for f in range(panels.shape[1]):
            sums_out[new, f] += weight * panels[p, f, i]
        return
    touched_out[old] = 1
    weights_out[old] -= weight
    counts_out[old] -= one
    for f in range(panels.shape[1]):
        weighted = weight * panels[p, f, i]
        sums_out[new, f] += weighted
        sums_out[old, f] -= weighted


@inner
def _assign_dense(
    panels, weights, n_samples, tiles, center_sq, from_scratch, start, stop,
    labels_out, sums_out, weights_out, counts_out, touched_out,
):  # fmt: skip
    """Label the rows of a slot and sum the changes; return the number of changed labels."""
    lanes = panels.shape[2]
    n_changed = 0
    for p in range(start, stop):
        new = nearest(panels, p, weights_out.shape[0], tiles, center_sq)
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
            _move_row(
                panels, p, i, weight, old, lane(new, i),
                sums_out, weights_out, counts_out, touched_out,
            )  # fmt: skip
        store(labels_out, p, new)
    return n_changed


@inner
def _rows_without_slack(drifts, labels, p, slack_out):
    """Take the drift of its cluster from the slack of each row; return the lanes left with none."""
    slack = load(slack_out, p) - gather(drifts, labels, p, 0)
    store(slack_out, p, slack)
    return not_positive_lanes(slack)


@inner
def _queue_rows(panels, p, active, queue, n_queued, queue_out, queue_rows_out):
    """Append the active rows of a panel to the queue; return the new length."""
    lanes = panels.shape[2]
    while active:
        i = lowest_lane(active)
        active &= active - 1
        for f in range(panels.shape[1]):
            queue_out[queue, f, n_queued] = panels[p, f, i]
        queue_rows_out[queue, n_queued] = p * lanes + i
        n_queued += 1
    return n_queued


@inner
def _queue_panel(panels, p, queue, queue_out, queue_rows_out):
    """Fill the queue with all rows of a panel."""
    lanes = panels.shape[2]
    for f in range(panels.shape[1]):
        store(queue_out, (queue, f), load(panels, (p, f)))
    for i in range(lanes):
        queue_rows_out[queue, i] = p * lanes + i


@inner
def _label_queue(
    weights, tiles, center_sq, from_scratch, rounding, radius_sq, queue, n_queued, queues,
    queue_rows, queue_slack_out, labels_out, slack_out,
    sums_out, weights_out, counts_out, touched_out,
):  # fmt: skip
    """Label the queued rows and note their slack (see the header); return the changed labels."""
    nearest_sq, second_sq, new = two_nearest(queues, queue, weights_out.shape[0], tiles, center_sq)
    row_sq = splat(queues, 0.0)
    for f in range(queues.shape[1]):
        x = load(queues, (queue, f))
        row_sq = fma(x, x, row_sq)
    error = fma(row_sq, splat(queues, rounding), splat(queues, rounding * radius_sq))
    upper = square_root(nearest_sq + row_sq + error)
    lower = square_root(second_sq + row_sq - error)
    store(queue_slack_out, queue, lower - (upper + square_root(error + error)))
    lanes = queues.shape[2]
    n_changed = 0
    for q in range(n_queued):
        p, i = queue_rows[queue, q] // lanes, queue_rows[queue, q] % lanes
        label, old = lane(new, q), labels_out[p, i]
        slack_out[p, i] = queue_slack_out[queue, q]
        n_changed += label != old
        if label != old or from_scratch:
            weight = np.float64(weights[p, i]) if weights.shape[0] > 0 else 1.0
            old = -1 if from_scratch else old
            _move_row(
                queues, queue, q, weight, old, label,
                sums_out, weights_out, counts_out, touched_out,
            )  # fmt: skip
            labels_out[p, i] = label
    return n_changed


@inner
def _assign_gated(
    panels, weights, n_samples, tiles, center_sq, from_scratch, mode, rounding, radius_sq,
    queue_limit, copy_cost, drifts, slot, start, stop,
    labels_out, slack_out, queue_out, queue_rows_out, queue_slack_out,
    sums_out, weights_out, counts_out, touched_out,
):  # fmt: skip
    """Label those rows of a slot that may change; return the changed labels and the cost."""
    lanes = panels.shape[2]
    n_changed, n_queued, cost = 0, 0, 0.0
    p = start
    while p < stop or n_queued > 0:
        if p < stop and n_queued + queue_limit <= lanes:
            n_rows = min(lanes, n_samples - p * lanes)
            active = (1 << n_rows) - 1
            if mode == GATED and not from_scratch:
                active &= _rows_without_slack(drifts, labels_out, p, slack_out)
            if count_bits(active) <= queue_limit:
                cost += count_bits(active) * copy_cost
                n_queued = _queue_rows(
                    panels, p, active, 2 * slot, n_queued, queue_out, queue_rows_out
                )
                p += 1
                continue
            queue = 2 * slot + 1  # the panel at once, before the rows that wait in the other queue
            _queue_panel(panels, p, queue, queue_out, queue_rows_out)
            p += 1
        else:
            queue, n_rows, n_queued = 2 * slot, n_queued, 0
        cost += 1.0
        n_changed += _label_queue(
            weights, tiles, center_sq, from_scratch, rounding, radius_sq, queue, n_rows, queue_out,
            queue_rows_out, queue_slack_out, labels_out, slack_out,
            sums_out, weights_out, counts_out, touched_out,
        )  # fmt: skip
    return n_changed, cost


@inner
def _assign_slot(
    panels, weights, n_samples, tiles, center_sq, from_scratch, mode, rounding, radius_sq,
    queue_limit, copy_cost, drifts, slot, start, stop,
    labels_out, slack_out, queue_out, queue_rows_out, queue_slack_out,
    slot_sums_out, slot_weights_out, slot_counts_out, slot_touched_out, slot_changed_out,
    slot_cost_out,
):  # fmt: skip
    """E step of one slot: labels, sums of the changes, their number, and the cost in panels."""
    sums_out, weights_out = slot_sums_out[slot], slot_weights_out[slot]
    counts_out, touched_out = slot_counts_out[slot], slot_touched_out[slot]
    if mode == DENSE:
        slot_cost_out[slot] = stop - start
        slot_changed_out[slot] = _assign_dense(
            panels, weights, n_samples, tiles, center_sq, from_scratch, start, stop,
            labels_out, sums_out, weights_out, counts_out, touched_out,
        )  # fmt: skip
    else:
        slot_changed_out[slot], slot_cost_out[slot] = _assign_gated(
            panels, weights, n_samples, tiles, center_sq, from_scratch, mode, rounding, radius_sq,
            queue_limit, copy_cost, drifts, slot, start, stop,
            labels_out, slack_out, queue_out, queue_rows_out, queue_slack_out,
            sums_out, weights_out, counts_out, touched_out,
        )  # fmt: skip


@kernel
def iterate(
    slots, panels, weights, n_samples, finish, first_iteration, n_steps,
    resum_every, tol, rounding, radius_sq, queue_limit, copy_cost, most_cost,
    labels_out, centers_out, tiles_out, center_sq_out, drifts_out, slack_out, gate_out, queue_out,
    queue_rows_out, queue_slack_out, slot_sums_out, slot_weights_out, slot_counts_out,
    slot_touched_out, slot_changed_out, slot_cost_out, sums_out, weights_out, counts_out,
    peaks_out, progress_out,
):  # fmt: skip
    """Iterate until the labels repeat, the shift is within tol, a cluster is empty, or n_steps.

    panels : (n_panels, n_features, LANES)                         # IN
    weights : (n_panels, LANES), or (0, LANES) for ones            # IN
    n_samples : rows without the padding                           # IN
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
    queue_out : (2 * n_slots, n_features, LANES)                   # scratch, two for a slot: of
    queue_rows_out : (2 * n_slots, LANES), int64                   # scratch, single rows, and of
    queue_slack_out : (2 * n_slots, LANES)                         # scratch, a whole panel
    slot_sums_out : (n_slots, n_clusters, n_features), float64     # scratch: left as it came, 0
    slot_weights_out : (n_slots, n_clusters), float64              # scratch, 0
    slot_counts_out : (n_slots, n_clusters), int64                 # scratch, 0
    slot_touched_out : (n_slots, n_clusters), int64                # scratch, 0
    slot_changed_out : (n_slots,), int64                           # OUT
    slot_cost_out : (n_slots,), float64                            # OUT
    sums_out : (n_clusters, n_features), float64                   # IN, OUT
    weights_out : (n_clusters,), float64                           # IN, OUT
    counts_out : (n_clusters,), int64: rows of positive weight     # IN, OUT
    peaks_out : (n_clusters,), float64: largest weights so far     # IN, OUT
    progress_out : (N_PROGRESS,), float64                          # IN, OUT
    """
    n_clusters = centers_out.shape[0]
    step, redo = 0, False
    while step < n_steps:
        from_scratch = redo or (first_iteration + step) % resum_every == 0
        for s in prange(slots.shape[0]):
            _assign_slot(
                panels, weights, n_samples, tiles_out, center_sq_out, from_scratch, gate_out[MODE],
                rounding, radius_sq, queue_limit, copy_cost, drifts_out,
                slots[s, 0], slots[s, 1], slots[s, 2],
                labels_out, slack_out, queue_out, queue_rows_out, queue_slack_out,
                slot_sums_out, slot_weights_out, slot_counts_out, slot_touched_out,
                slot_changed_out, slot_cost_out,
            )  # fmt: skip
        if not finish:
            break
        if not redo:
            progress_out[N_CHANGED] = _sum(slot_changed_out)
        redo = not _merge(
            from_scratch, slot_sums_out, slot_weights_out, slot_counts_out, slot_touched_out,
            sums_out, weights_out, counts_out, peaks_out,
        )  # fmt: skip
        if redo and slots.shape[0] > 0:
            continue  # with the same centers, so the same labels
        step += 1
        cost = _sum(slot_cost_out)
        progress_out[N_ITER] = step
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
    from_scratch, slot_sums_out, slot_weights_out, slot_counts_out, slot_touched_out,
    sums_out, weights_out, counts_out, peaks_out,
):  # fmt: skip
    """Add the slots to the whole, first slot first, and set them to 0.

    Return whether the sums are precise: not if the weight of a cluster has fallen to next to
    nothing of its peak, since rounding does not fall with it.
    """
    n_clusters = weights_out.shape[0]
    if from_scratch:
        for j in range(n_clusters):
            clear_cluster(j, sums_out, weights_out, counts_out)
    for slot in range(slot_touched_out.shape[0]):
        for j in range(n_clusters):
            if slot_touched_out[slot, j]:  # few clusters are, in a late iteration
                slot_touched_out[slot, j] = 0
                merge_cluster(
                    slot, j, slot_sums_out, slot_weights_out, slot_counts_out,
                    sums_out, weights_out, counts_out,
                )  # fmt: skip
    precise = True
    for j in range(n_clusters):
        if counts_out[j] == 0:  # no rounding residue in a cluster that has no rows
            clear_cluster(j, sums_out, weights_out, counts_out)
        peaks_out[j] = weights_out[j] if from_scratch else max(peaks_out[j], weights_out[j])
        if counts_out[j] > 0 and weights_out[j] < LEAST_OF_PEAK * peaks_out[j]:
            precise = False
    return precise


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
