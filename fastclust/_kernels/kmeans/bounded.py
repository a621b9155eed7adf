"""Iterations of Lloyd's algorithm that skip the distances which cannot matter.

The rows come regrouped (`rows.sort`): rows of one label side by side, those equally far from its
center together. A block of panels then holds rows at similar distances from each center, and keeps

    upper      at least the distance of each of its rows to the center of the row's label,
    lowers[j]  at most the distance of each of its rows to center j.

A center that moves by s changes a distance by s at most, so an iteration lowers lowers[j] by the
shift of center j and raises upper by that of the block's assigned center. Only the centers j with
lowers[j] <= upper, the candidates, can be nearest to a row of the block. A block whose only
candidate is its assigned center keeps its labels and is not read. These are Elkan's bounds (2003),
kept for a block instead of a row: they take less memory than the rows, and one comparison of
vectors tests LANES centers for all rows of a block. Where centers are far apart, little but such
comparisons is left; where all centers are candidates, the iteration costs more than a plain one,
and the caller returns to plain iterations.

A row that changes its label makes its block *mixed*: upper is then raised by the largest of all
shifts. The row's new center j stays a candidate: lowers[j] bounds the distances of all rows of the
block, so it is at most the row's distance to j, which is at most upper.

Computed squared distances are off by at most E = 4 (n_features + 4) eps R^2, R being the largest
norm of a row or first center, which no mean of rows exceeds (nor the direction of a mean of unit
vectors, but by rounding): half of E is room for the rounding of
|c|^2, of the n_features multiply-adds and of |x|^2. Two computed squared distances compare like the
true l^2 and u^2 if l^2 - u^2 > 2 E, for which l - u > sqrt(2 E) suffices. So upper is widened by E,
lowers by E and sqrt(2 E), and the labels are those of a plain iteration, bit for bit. The rounding
of the bounds themselves is of the order of eps, next to which sqrt(2 E), of the order of sqrt(eps),
is large; shifts are rounded up.
"""

from typing import NamedTuple

import numpy as np
from numba import prange

from fastclust._kernels.jit import inner, kernel, noinline
from fastclust._kernels.kmeans.arguments import (
    Centers,
    ChunkSums,
    ClusterSums,
    Labels,
    Plan,
    Rows,
    Status,
)
from fastclust._kernels.kmeans.constants import (
    BATCH_BLOCKS,
    LABELS_ONLY,
    LIST_TILE,
    N_ACTIVE,
    N_EVALUATED,
    N_ITER,
    REDO,
)
from fastclust._kernels.kmeans.lloyd import make_team_work, take_labels
from fastclust._kernels.kmeans.m_step import touch_all
from fastclust._kernels.signature import float64, int32, int64, real
from fastclust._kernels.simd.reductions import greatest_lane
from fastclust._kernels.simd.sizes import TILE
from fastclust._kernels.simd.tiles import (
    argmin_listed,
    fma_listed,
    splat_listed,
    store_least_lanes,
)
from fastclust._kernels.simd.vectors import (
    count_lanes,
    fma,
    load,
    lowest_lane,
    not_above_lanes,
    prefetch,
    splat,
    splat_labels,
    store,
)

PREFETCH_VECTORS = 32
"""Most vectors of a block that are prefetched: the CPU's own prefetcher does the rest."""


class Bounds(NamedTuple):
    """Bounds of the blocks; see the header.

    assigned_out : (n_blocks,), int32: the assigned center
    is_mixed_out : (n_blocks,), int32: 1 if the block is mixed, or 0
    uppers_out : (n_blocks,)
    lowers_out : (n_blocks, n_vectors * LANES): -inf for the assigned center, inf for the padding
    """

    assigned_out: object
    is_mixed_out: object
    uppers_out: object
    lowers_out: object


class Candidates(NamedTuple):
    """Scratch of each chunk: the candidates of a block.

    labels_out : (n_chunks, n_clusters + LIST_TILE), int32
    offsets_out : the same shape, int64: their places in the tiles
    least_sq_out : the same shape: least |x - c|^2 of a row of the block
    """

    labels_out: object
    offsets_out: object
    least_sq_out: object


class Costs(NamedTuple):
    """What an iteration costs, in vector operations.

    test : of testing the bounds of all blocks
    active, evaluate : of labelling one block, and of each center evaluated for it
    most : of all iterations of the launch, at which it stops
    """

    test: object
    active: object
    evaluate: object
    most: object


class Blocks(NamedTuple):
    """Arguments that bounded iterations have beside those of plain ones.

    error : E of the header
    block_panels : panels in a block
    bounds : Bounds
    candidates : Candidates
    costs : Costs
    active_out : (n_chunks, BATCH_BLOCKS), int64: scratch
    chunk_evaluated_out : (n_chunks, 2), int64: blocks labelled, and centers evaluated for them
    """

    error: object
    block_panels: object
    bounds: object
    candidates: object
    costs: object
    active_out: object
    chunk_evaluated_out: object


@inner
def _test_block(lowers_out, block, lanes, shifts, upper):
    """Lower the bounds of a block by the shifts; return whether it has two candidates or more."""
    n_near = 0
    upper_vector = splat(lowers_out, upper)
    for v in range(0, lowers_out.shape[1], lanes):
        lower = load(lowers_out, (block, v)) - load(shifts, v)
        store(lowers_out, (block, v), lower)
        n_near += count_lanes(not_above_lanes(lower, upper_vector))
    return n_near > 1


@inner
def _list_candidates(bounds, block, lanes, n_features, chunk, candidates):
    """List the candidates, those with lowers[j] <= upper, by label; return how many.

    The list is filled up to a whole tile with its last entry.
    """
    lowers = bounds.lowers_out
    labels_out, offsets_out = candidates.labels_out, candidates.offsets_out
    n_candidates = 0
    upper_vector = splat(lowers, bounds.uppers_out[block])
    for v in range(0, lowers.shape[1], lanes):
        near = not_above_lanes(load(lowers, (block, v)), upper_vector)
        while near:
            j = v + lowest_lane(near)
            near &= near - 1
            labels_out[chunk, n_candidates] = j
            offsets_out[chunk, n_candidates] = j // TILE * n_features * TILE + j % TILE
            candidates.least_sq_out[chunk, n_candidates] = np.inf
            n_candidates += 1
    for c in range(n_candidates, n_candidates + LIST_TILE - 1):
        labels_out[chunk, c] = labels_out[chunk, n_candidates - 1]
        offsets_out[chunk, c] = offsets_out[chunk, n_candidates - 1]
    return n_candidates


@inner
def _evaluate_candidates(panels, p, centers, chunk, n_candidates, candidates):
    """Label vector of one panel, and the greatest |x - c|^2 of a row to its nearest candidate.

    Lowers least_sq_out[chunk, c] to the least |x - c|^2 of a row to candidate c.
    """
    row_sq = splat(panels, 0.0)
    nearest_sq = splat(panels, np.inf)
    labels = splat_labels(panels, 0)
    for c in range(0, n_candidates, LIST_TILE):
        row_sq = splat(panels, 0.0)
        acc = splat_listed(centers.center_sq_out, candidates.labels_out, (chunk, c), LIST_TILE)
        for f in range(panels.shape[1]):
            x = load(panels, (p, f))
            # |x|^2 is summed again beside each tile: alone it would be one chain of dependent
            # multiply-adds.
            row_sq = fma(x, x, row_sq)
            acc = fma_listed(
                acc, x, centers.tiles_out, candidates.offsets_out, (chunk, c), f * TILE
            )
        nearest_sq, labels = argmin_listed(
            nearest_sq, labels, acc, candidates.labels_out, (chunk, c)
        )
        store_least_lanes(candidates.least_sq_out, (chunk, c), acc, row_sq)
    return labels, greatest_lane(nearest_sq + row_sq)


@inner
def _label_block(rows, centers, labels, chunk, block, n_candidates, own):
    """Label the rows of a block, and set its bounds."""
    panels, bounds, candidates = rows.panels, own.bounds, own.candidates
    first = block * own.block_panels
    upper_sq = 0.0
    for p in range(first, min(first + own.block_panels, panels.shape[0])):
        new, greatest_sq = _evaluate_candidates(panels, p, centers, chunk, n_candidates, candidates)
        store(labels.new_labels_out, (chunk, p - first), new)
        upper_sq = max(upper_sq, greatest_sq)
    bounds.uppers_out[block] = np.sqrt(upper_sq + own.error)
    margin = np.sqrt(own.error + own.error)
    assigned = bounds.assigned_out[block]
    for c in range(n_candidates):
        j = candidates.labels_out[chunk, c]
        if j != assigned:
            lower_sq = max(candidates.least_sq_out[chunk, c] - own.error, 0.0)
            bounds.lowers_out[block, j] = np.sqrt(lower_sq) - margin


@inner
def _find_active(rows, labels, shifts, chunk, batch, stop, from_scratch, own):
    """Update the bounds of a batch; list and prefetch blocks to be labelled; return how many."""
    bounds, block_panels = own.bounds, own.block_panels
    n_features = rows.panels.shape[1]
    # Numba lets a range whose step may be 0 raise, which kernels must not: the step is at least 1.
    lanes = max(rows.panels.shape[2], 1)
    largest_shift = _largest(shifts)
    n_active = 0
    for block in range(batch, min(batch + BATCH_BLOCKS, stop)):
        is_mixed = bounds.is_mixed_out[block] != 0
        shift = largest_shift if is_mixed else shifts[bounds.assigned_out[block]]
        bounds.uppers_out[block] += shift
        is_near = _test_block(bounds.lowers_out, block, lanes, shifts, bounds.uppers_out[block])
        if is_near or from_scratch:
            own.active_out[chunk, n_active] = block
            n_active += 1
            prefetch(labels.labels_out, (block * block_panels, 0))
            for f in range(min(n_features, PREFETCH_VECTORS)):
                prefetch(rows.panels, (block * block_panels, f, 0))
    return n_active


@noinline
def _assign_blocks(rows, centers, labels, chunk_sums, chunks, s, from_scratch, own):
    """E step of one chunk of blocks: labels, sums of the changes, and counts of the work."""
    chunk, stop = chunks[s, 0], chunks[s, 2]
    if from_scratch:
        touch_all(chunk_sums.touched_out[chunk])
    n_panels, n_features = rows.panels.shape[0], rows.panels.shape[1]
    lanes = max(rows.panels.shape[2], 1)  # a step of 0 would raise
    n_clusters = centers.centers_out.shape[0]
    n_changed, n_active_blocks, n_evaluated = 0, 0, 0
    for batch in range(chunks[s, 1], stop, BATCH_BLOCKS):
        n_active = _find_active(
            rows, labels, centers.shifts_out, chunk, batch, stop, from_scratch, own
        )
        n_active_blocks += n_active
        for a in range(n_active):
            block = own.active_out[chunk, a]
            n_candidates = _list_candidates(
                own.bounds, block, lanes, n_features, chunk, own.candidates
            )
            n_evaluated += n_candidates
            _label_block(rows, centers, labels, chunk, block, n_candidates, own)
            first = block * own.block_panels
            last = min(first + own.block_panels, n_panels)
            block_changed = take_labels(
                rows, first, last, labels, n_clusters, chunk, from_scratch, chunk_sums
            )
            n_changed += block_changed
            if block_changed > 0:
                own.bounds.is_mixed_out[block] = 1
    chunk_sums.changed_out[chunk] = n_changed
    own.chunk_evaluated_out[chunk, 0] = n_active_blocks
    own.chunk_evaluated_out[chunk, 1] = n_evaluated


@noinline
def _end_bounded(goes_on, centers, plan, status, own):
    """Count the work of the iteration; stop when the launch has cost costs.most."""
    counts, costs = status.counts_out, own.costs
    if plan.finish == LABELS_ONLY:
        return False
    # The iteration is repeated with the same centers: the bounds must not be lowered twice.
    if counts[REDO] != 0:
        _clear(centers.shifts_out)
        return goes_on
    for chunk in range(own.chunk_evaluated_out.shape[0]):
        counts[N_ACTIVE] += own.chunk_evaluated_out[chunk, 0]
        counts[N_EVALUATED] += own.chunk_evaluated_out[chunk, 1]
    cost = counts[N_ITER] * costs.test + counts[N_ACTIVE] * costs.active
    return goes_on and cost + counts[N_EVALUATED] * costs.evaluate < costs.most


_work = make_team_work("bounded", _assign_blocks, _end_bounded)


@kernel
def iterate_bounded(
    chunks, panels: real[:, :, :], weights: real[:, :], n_samples: int64, finish: int64,
    first_iteration: int64, n_steps: int64, resum_every: int64, tol: float64, n_workers: int64,
    error: float64, block_panels: int64, test_cost: int64, active_cost: int64, evaluate_cost: int64,
    most_cost: float64, assigned_out: int32[:], is_mixed_out: int32[:], uppers_out: real[:],
    lowers_out: real[:, :], candidates_out: int32[:, :], offsets_out: int64[:, :],
    least_sq_out: real[:, :], active_out: int64[:, :], chunk_evaluated_out: int64[:, :],
    new_labels_out: int32[:, :, :], team_out: int64[:, :], labels_out: int32[:, :],
    centers_out: real[:, :], tiles_out: real[:, :, :], center_sq_out: real[:, :],
    shifts_out: real[:], chunk_sums_out: float64[:, :, :], chunk_weights_out: float64[:, :],
    chunk_counts_out: int64[:, :], chunk_touched_out: int64[:, :], chunk_changed_out: int64[:],
    sums_out: float64[:, :], weights_out: float64[:], counts_out: int64[:],
    max_weights_out: float64[:], status_counts_out: int64[:], shift_sq_out: float64[:],
):  # fmt: skip
    """As `lloyd.iterate`, on chunks of blocks; also stop when the launch has cost most_cost.

    Its other arguments are the fields of `Blocks`. The shifts are those since the bounds were last
    updated.
    """
    for _worker in prange(n_workers):
        team = team_out[:]
        _work(
            team,
            chunks,
            Rows(panels, weights, n_samples),
            Centers(centers_out, tiles_out, center_sq_out, shifts_out),
            Labels(labels_out, new_labels_out),
            ChunkSums(
                chunk_sums_out, chunk_weights_out, chunk_counts_out, chunk_touched_out,
                chunk_changed_out,
            ),
            ClusterSums(sums_out, weights_out, counts_out),
            Plan(finish, first_iteration, n_steps, resum_every, tol),
            Status(status_counts_out, shift_sq_out, max_weights_out),
            Blocks(
                error,
                block_panels,
                Bounds(assigned_out, is_mixed_out, uppers_out, lowers_out),
                Candidates(candidates_out, offsets_out, least_sq_out),
                Costs(test_cost, active_cost, evaluate_cost, most_cost),
                active_out,
                chunk_evaluated_out,
            ),
        )  # fmt: skip


@inner
def _largest(shifts):
    """Largest shift of a center."""
    largest = 0.0
    for shift in shifts:
        largest = max(largest, shift)
    return largest


@inner
def _clear(shifts_out):
    """Set all shifts to 0."""
    for j in range(shifts_out.shape[0]):
        shifts_out[j] = 0
