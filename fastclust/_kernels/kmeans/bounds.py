"""Iterations of Lloyd's algorithm that skip the distances which cannot matter.

The rows come regrouped (`regroup`): rows of one label side by side, those equally far from its
center together. A block of panels then holds rows that see the centers alike, and keeps

    upper      at least the distance of each of its rows to the center of the row's label,
    lowers[j]  at most the distance of each of its rows to center j.

A center that moves by s changes a distance by s at most, so an iteration lowers lowers[j] by the
shift of center j and raises upper by that of the block's assigned center. Only the centers j with
lowers[j] <= upper, the candidates, can be nearest to a row of the block. A block whose only
candidate is its assigned center keeps its labels and is not read. These are Elkan's bounds (2003),
kept for a block instead of a row: they take less memory than the rows, and one comparison of
vectors tests LANES centers for all rows of a block. Where rows are few or centers far apart
nothing but such comparisons is left; where all centers are candidates the iteration costs more than
a plain one, and the caller goes back to those.

A row that changes its label makes its block *mixed*: upper is then raised by the largest of all
shifts. Its new center stays a candidate, as lowers[j] is of all rows: not above the row's own
distance, which is not above upper.

Computed squared distances are off by at most E = 4 (n_features + 4) eps R^2, R being the largest
norm of a row or first center, which no mean of rows exceeds: half of E is room for the rounding of
|c|^2, of the n_features multiply-adds and of |x|^2. Computed ones compare like the true ones if
the true l^2 - u^2 > 2 E, for which l - u > sqrt(2 E) suffices. So upper is widened by E, lowers by
E and sqrt(2 E), and the labels are those of a plain iteration, bit for bit. The rounding of the
bounds themselves is of the order of eps, next to which sqrt(2 E), of the order of sqrt(eps), is
large; shifts are rounded up.
"""

import numpy as np
from numba import prange

from fastclust._kernels.jit import inner, kernel, noinline
from fastclust._kernels.kmeans.centers import touch_all
from fastclust._kernels.kmeans.lloyd import (
    N_ACTIVE,
    N_EVALUATED,
    N_ITER,
    REDO,
    finish_iteration,
    is_from_scratch,
    take_labels,
)
from fastclust._kernels.signature import float64, int32, int64, real
from fastclust._kernels.simd.team import end_step, is_last_of_step, start_team, take_chunk
from fastclust._kernels.simd.tiles import (
    TILE,
    argmin_listed,
    fma_listed,
    splat_listed,
    store_least_lanes,
)
from fastclust._kernels.simd.vectors import (
    count_lanes,
    fma,
    greatest_lane,
    load,
    lowest_lane,
    not_above_lanes,
    prefetch,
    splat,
    splat_labels,
    store,
)

LIST_TILE = 4
"""Candidates evaluated at a time."""

BATCH_BLOCKS = 64
"""Blocks that are tested before the first of them is read: so many are fetched meanwhile."""

PREFETCH_VALUES = 32
"""Vectors of a block to fetch: the CPU finds the rest itself."""


@inner
def _test_block(lowers_out, block, lanes, shifts, upper):
    """Lower the bounds of a block by the shifts; return whether another center is in reach."""
    n_near = 0
    upper_vector = splat(lowers_out, upper)
    for v in range(0, lowers_out.shape[1], lanes):
        lower = load(lowers_out, (block, v)) - load(shifts, v)
        store(lowers_out, (block, v), lower)
        n_near += count_lanes(not_above_lanes(lower, upper_vector))
    return n_near > 1


@inner
def _list_candidates(
    lowers, block, lanes, upper, chunk, n_features, candidates_out, offsets_out, least_sq_out
):
    """List the centers not above upper, by label; return how many.

    The list is filled up to a whole tile with its last entry.
    """
    n_candidates = 0
    upper_vector = splat(lowers, upper)
    for v in range(0, lowers.shape[1], lanes):
        near = not_above_lanes(load(lowers, (block, v)), upper_vector)
        while near:
            j = v + lowest_lane(near)
            near &= near - 1
            candidates_out[chunk, n_candidates] = j
            offsets_out[chunk, n_candidates] = j // TILE * n_features * TILE + j % TILE
            least_sq_out[chunk, n_candidates] = np.inf
            n_candidates += 1
    for c in range(n_candidates, n_candidates + LIST_TILE - 1):
        candidates_out[chunk, c] = candidates_out[chunk, n_candidates - 1]
        offsets_out[chunk, c] = offsets_out[chunk, n_candidates - 1]
    return n_candidates


@inner
def _evaluate_candidates(
    panels, p, tiles, center_sq, chunk, n_candidates, candidates, offsets, least_sq_out
):
    """Label vector of one panel, and the greatest |x - c|^2 of a row to its nearest candidate.

    Lowers least_sq_out[chunk, c] to the least |x - c|^2 of a row to candidate c.
    """
    row_sq = splat(panels, 0.0)
    nearest_sq = splat(panels, np.inf)
    labels = splat_labels(panels, 0)
    for c in range(0, n_candidates, LIST_TILE):
        row_sq = splat(panels, 0.0)
        acc = splat_listed(center_sq, candidates, (chunk, c), LIST_TILE)
        for f in range(panels.shape[1]):
            x = load(panels, (p, f))
            row_sq = fma(x, x, row_sq)  # each time: a loop of its own would wait for each sum
            acc = fma_listed(acc, x, tiles, offsets, (chunk, c), f * TILE)
        nearest_sq, labels = argmin_listed(nearest_sq, labels, acc, candidates, (chunk, c))
        store_least_lanes(least_sq_out, (chunk, c), acc, row_sq)
    return labels, greatest_lane(nearest_sq + row_sq)


@inner
def _label_block(
    panels, tiles, center_sq, error, chunk, first, last, block, n_candidates, assigned,
    candidates, offsets, least_sq_out, new_labels_out, uppers_out, lowers_out,
):  # fmt: skip
    """Label the rows of a block, panels first to last, and set its bounds."""
    upper_sq = 0.0
    for p in range(first, last):
        new, greatest_sq = _evaluate_candidates(
            panels, p, tiles, center_sq, chunk, n_candidates, candidates, offsets, least_sq_out
        )
        store(new_labels_out, (chunk, p - first), new)
        upper_sq = max(upper_sq, greatest_sq)
    uppers_out[block] = np.sqrt(upper_sq + error)
    margin = np.sqrt(error + error)
    for c in range(n_candidates):
        j = candidates[chunk, c]
        if j != assigned:
            lower_sq = max(least_sq_out[chunk, c] - error, 0.0)
            lowers_out[block, j] = np.sqrt(lower_sq) - margin


@noinline
def _assign_blocks(
    panels, weights, n_samples, tiles, center_sq, from_scratch, error, block_panels, shifts,
    chunk, start, stop,
    assigned_out, uppers_out, lowers_out, candidates_out, offsets_out, least_sq_out, active_out,
    new_labels_out, labels_out, chunk_sums_out, chunk_weights_out, chunk_counts_out,
    chunk_touched_out, chunk_changed_out, chunk_evaluated_out,
):  # fmt: skip
    """E step of one chunk of blocks: labels, sums of the changes, and what they took."""
    if from_scratch:
        touch_all(chunk_touched_out[chunk])
    n_features, lanes = panels.shape[1], panels.shape[2]
    largest_shift = _largest(shifts)
    n_changed, n_active_blocks, n_evaluated = 0, 0, 0
    for batch in range(start, stop, BATCH_BLOCKS):
        n_active = 0
        for block in range(batch, min(batch + BATCH_BLOCKS, stop)):
            assigned = assigned_out[block]
            uppers_out[block] += largest_shift if assigned < 0 else shifts[assigned]
            is_near = _test_block(lowers_out, block, lanes, shifts, uppers_out[block])
            if is_near or from_scratch:
                active_out[chunk, n_active] = block
                n_active += 1
                prefetch(labels_out, (block * block_panels, 0))
                for f in range(min(n_features, PREFETCH_VALUES)):
                    prefetch(panels, (block * block_panels, f, 0))
        n_active_blocks += n_active
        for a in range(n_active):
            block = active_out[chunk, a]
            assigned = max(assigned_out[block], ~assigned_out[block])
            n_candidates = _list_candidates(
                lowers_out, block, lanes, uppers_out[block], chunk, n_features,
                candidates_out, offsets_out, least_sq_out,
            )  # fmt: skip
            n_evaluated += n_candidates
            first = block * block_panels
            last = min(first + block_panels, panels.shape[0])
            _label_block(
                panels, tiles, center_sq, error, chunk, first, last, block, n_candidates, assigned,
                candidates_out, offsets_out, least_sq_out, new_labels_out, uppers_out, lowers_out,
            )  # fmt: skip
            block_changed = take_labels(
                panels, weights, n_samples, first, last, chunk, new_labels_out, from_scratch,
                labels_out, chunk_sums_out[chunk], chunk_weights_out[chunk],
                chunk_counts_out[chunk], chunk_touched_out[chunk],
            )  # fmt: skip
            n_changed += block_changed
            if block_changed > 0:
                assigned_out[block] = ~assigned
    chunk_changed_out[chunk] = n_changed
    chunk_evaluated_out[chunk, 0] = n_active_blocks
    chunk_evaluated_out[chunk, 1] = n_evaluated


@kernel
def iterate_bounded(
    chunks, panels: real[:, :, :], weights: real[:, :], n_samples: int64, finish: int64,
    first_iteration: int64, n_steps: int64, resum_every: int64, tol: float64, n_workers: int64,
    error: float64, block_panels: int64, test_cost: int64, active_cost: int64, evaluate_cost: int64,
    most_cost: float64, assigned_out: int32[:], uppers_out: real[:], lowers_out: real[:, :],
    candidates_out: int32[:, :], offsets_out: int64[:, :], least_sq_out: real[:, :],
    active_out: int64[:, :], chunk_evaluated_out: int64[:, :], new_labels_out: int32[:, :, :],
    team_out: int64[:, :], labels_out: int32[:, :], centers_out: real[:, :],
    tiles_out: real[:, :, :], center_sq_out: real[:, :], shifts_out: real[:],
    chunk_sums_out: float64[:, :, :], chunk_weights_out: float64[:, :],
    chunk_counts_out: int64[:, :], chunk_touched_out: int64[:, :], chunk_changed_out: int64[:],
    sums_out: float64[:, :], weights_out: float64[:], counts_out: int64[:],
    max_weights_out: float64[:], progress_out: float64[:],
):  # fmt: skip
    """As `lloyd.iterate`, on chunks of blocks; also stop when it has cost most_cost.

    n_workers : threads                                           # IN
    error : E of the header                                       # IN
    block_panels : panels in a block                              # IN
    test_cost : of all blocks together, in each iteration         # IN
    active_cost, evaluate_cost : of labelling a block, and for each   # IN
        of the centers evaluated for it
    most_cost : at which to stop                                  # IN
    assigned_out : (n_blocks,), int32: assigned, ~assigned if mixed          # IN, OUT
    uppers_out : (n_blocks,)                                      # IN, OUT
    lowers_out : (n_blocks, n_vectors * LANES): -inf for the      # IN, OUT
        assigned, inf for the padding centers
    candidates_out : (n_chunks, n_clusters + LIST_TILE), int32     # scratch
    offsets_out : the same shape, int64                           # scratch: places in tiles
    least_sq_out : the same shape                                 # scratch
    active_out : (n_chunks, BATCH_BLOCKS), int64                   # scratch
    chunk_evaluated_out : (n_chunks, 2), int64: blocks labelled, and   # OUT
        centers evaluated for them
    new_labels_out : (n_chunks, block_panels, LANES), int32        # scratch
    shifts_out : (n_vectors * LANES,), since the bounds were made # IN, OUT
    """
    n_chunks = chunks.shape[0]
    n_turns = max(n_chunks, 1)  # without chunks there is only what follows them
    start_team(team_out, n_turns * min(n_steps, 1))
    for _worker in prange(n_workers):
        team = team_out[:]
        s = take_chunk(team, n_turns)
        while s >= 0:
            if n_chunks > 0:
                _assign_blocks(
                    panels, weights, n_samples, tiles_out, center_sq_out,
                    is_from_scratch(first_iteration, resum_every, progress_out), error,
                    block_panels, shifts_out, chunks[s, 0], chunks[s, 1], chunks[s, 2],
                    assigned_out, uppers_out, lowers_out, candidates_out, offsets_out, least_sq_out,
                    active_out, new_labels_out, labels_out, chunk_sums_out, chunk_weights_out,
                    chunk_counts_out, chunk_touched_out, chunk_changed_out, chunk_evaluated_out,
                )  # fmt: skip
            if is_last_of_step(team):
                goes_on = finish and _finish_bounded(
                    n_chunks, first_iteration, n_steps, resum_every, tol, test_cost, active_cost,
                    evaluate_cost, most_cost, chunk_evaluated_out, centers_out, tiles_out,
                    center_sq_out, shifts_out, chunk_sums_out, chunk_weights_out, chunk_counts_out,
                    chunk_touched_out, chunk_changed_out, sums_out, weights_out, counts_out,
                    max_weights_out, progress_out,
                )  # fmt: skip
                end_step(team, n_turns, goes_on)
            s = take_chunk(team, n_turns)


@noinline
def _finish_bounded(
    n_chunks, first_iteration, n_steps, resum_every, tol, test_cost, active_cost, evaluate_cost,
    most_cost, chunk_evaluated, centers_out, tiles_out, center_sq_out, shifts_out, chunk_sums_out,
    chunk_weights_out, chunk_counts_out, chunk_touched_out, chunk_changed_out, sums_out,
    weights_out, counts_out, max_weights_out, progress_out,
):  # fmt: skip
    """As `lloyd.finish_iteration`, with the costs."""
    goes_on = finish_iteration(
        n_chunks, first_iteration, n_steps, resum_every, tol, -1, centers_out, tiles_out,
        center_sq_out, shifts_out, chunk_sums_out, chunk_weights_out, chunk_counts_out,
        chunk_touched_out, chunk_changed_out, sums_out, weights_out, counts_out, max_weights_out,
        progress_out,
    )  # fmt: skip
    if progress_out[REDO] != 0:
        _clear(shifts_out)
        return goes_on
    for chunk in range(chunk_evaluated.shape[0]):
        progress_out[N_ACTIVE] += chunk_evaluated[chunk, 0]
        progress_out[N_EVALUATED] += chunk_evaluated[chunk, 1]
    cost = progress_out[N_ITER] * test_cost + progress_out[N_ACTIVE] * active_cost
    return goes_on and cost + progress_out[N_EVALUATED] * evaluate_cost < most_cost


@inner
def _largest(shifts):
    largest = 0.0
    for shift in shifts:
        largest = max(largest, shift)
    return largest


@inner
def _clear(shifts_out):
    for j in range(shifts_out.shape[0]):
        shifts_out[j] = 0
