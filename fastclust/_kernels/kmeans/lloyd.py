"""Iterations of Lloyd's algorithm that meet every row with every center, many in one launch.

An iteration labels every row with its nearest center (`assign`) and moves every center to the mean
of its rows (`centers`). Center sums are incremental: only the rows whose label changed are moved
from the sum of one cluster to that of another. They accumulate in float64, each chunk of rows in a
buffer of its own, and the chunks are merged in order. `bounds` has the iterations that skip work.
"""

import numpy as np
from numba import prange

from fastclust._kernels.jit import inner, kernel, noinline
from fastclust._kernels.kmeans.assign import nearest
from fastclust._kernels.kmeans.centers import (
    add_panel,
    merge_chunks,
    move_centers,
    move_row,
    touch_all,
)
from fastclust._kernels.signature import float64, int32, int64, real
from fastclust._kernels.simd.team import end_step, is_last_of_step, start_team, take_chunk
from fastclust._kernels.simd.vectors import changed_lanes, lowest_lane, store

# Entries of progress_out.
N_ITER = 0  # iterations done
N_CHANGED = 1  # rows whose label changed in the last one
SHIFT_SQ = 2  # sum of the squared shifts of the centers in the last one
N_EMPTY = 3  # clusters without rows; if there are any the last one did not move the centers
N_ACTIVE = 4  # blocks that bounded iterations labelled, in all of them
N_EVALUATED = 5  # centers that these blocks met
REDO = 6  # whether the sums are being formed anew
IMPRECISE = 7  # whether they are to be, as a launch without chunks could not
N_PROGRESS = 8


@inner
def take_labels(
    panels, weights, n_samples, first, last, chunk, new_labels, from_scratch,
    labels_out, sums_out, weights_out, counts_out, touched_out,
):  # fmt: skip
    """Give panels first to last their new labels, and sum the changes; return their number.

    In a loop of its own: with sums to keep addresses for, the loop that meets the centers would
    have no registers left (1.6 -> 0.8 ms an iteration at 1,000,000 x 2, k=8).
    """
    lanes = panels.shape[2]
    n_changed = 0
    for p in range(first, last):
        new = new_labels[chunk, p - first]
        n_rows = min(lanes, n_samples - p * lanes)
        changed = changed_lanes(panels, new_labels, (chunk, p - first), labels_out, p)
        if changed == 0 and not from_scratch:
            continue
        changed &= (1 << n_rows) - 1
        while changed:
            i = lowest_lane(changed)
            changed &= changed - 1
            n_changed += 1
            if not from_scratch:
                move_row(
                    panels, p, i, weights, labels_out[p, i], new[i],
                    sums_out, weights_out, counts_out, touched_out,
                )  # fmt: skip
        for i in range(lanes):
            labels_out[p, i] = new[i]
        if from_scratch:
            add_panel(panels, p, weights, n_rows, labels_out, sums_out, weights_out, counts_out)
    return n_changed


@noinline
def _assign_chunk(
    panels, weights, n_samples, n_clusters, tiles, center_sq, from_scratch, chunk, start, stop,
    new_labels_out, labels_out, chunk_sums_out, chunk_weights_out, chunk_counts_out,
    chunk_touched_out, chunk_changed_out,
):  # fmt: skip
    """E step of one chunk: labels, sums of the changes, and their number."""
    if from_scratch:
        touch_all(chunk_touched_out[chunk])
    batch_panels = new_labels_out.shape[1]
    n_changed = 0
    for first in range(start, stop, batch_panels):
        last = min(first + batch_panels, stop)
        for p in range(first, last):
            new = nearest(panels, p, n_clusters, tiles, center_sq)
            store(new_labels_out, (chunk, p - first), new)
        n_changed += take_labels(
            panels, weights, n_samples, first, last, chunk, new_labels_out, from_scratch,
            labels_out, chunk_sums_out[chunk], chunk_weights_out[chunk], chunk_counts_out[chunk],
            chunk_touched_out[chunk],
        )  # fmt: skip
    chunk_changed_out[chunk] = n_changed


@kernel
def iterate(
    chunks, panels: real[:, :, :], weights: real[:, :], n_samples: int64, finish: int64,
    first_iteration: int64, n_steps: int64, resum_every: int64, tol: float64, n_workers: int64,
    few_changes: int64, new_labels_out: int32[:, :, :], team_out: int64[:, :],
    labels_out: int32[:, :], centers_out: real[:, :], tiles_out: real[:, :, :],
    center_sq_out: real[:, :], shifts_out: real[:], chunk_sums_out: float64[:, :, :],
    chunk_weights_out: float64[:, :], chunk_counts_out: int64[:, :], chunk_touched_out: int64[:, :],
    chunk_changed_out: int64[:], sums_out: float64[:, :], weights_out: float64[:],
    counts_out: int64[:], max_weights_out: float64[:], progress_out: float64[:],
):  # fmt: skip
    """Iterate until labels repeat, the shift is within tol, a cluster is empty, or few change.

    panels : (n_panels, n_features, LANES)                         # IN
    weights : (n_panels, LANES), or (0, LANES) for ones            # IN
    n_samples : rows without the padding                           # IN
    finish : 0 to label these chunks only, 1 to go on from there    # IN
    first_iteration : number of the first iteration                # IN
    n_steps : limit of the iterations                              # IN
    resum_every : iterations after which sums are formed anew      # IN
    tol : sum of squared shifts at which to stop                   # IN
    n_workers : threads                                            # IN
    few_changes : changed labels at which to stop, or fewer        # IN
    new_labels_out : (n_chunks, batch_panels, LANES), int32         # scratch
    team_out : (N_COUNTERS, COUNTER_VALUES), int64                 # scratch
    labels_out : (n_panels, LANES), int32                          # IN, OUT
    centers_out : (n_clusters, n_features)                         # IN, OUT
    tiles_out, center_sq_out : the same centers as tiles           # IN, OUT
    shifts_out : (n_vectors * LANES,): how far each center moved,  # OUT: 0 for the padding
        rounded up
    chunk_sums_out : (n_chunks, n_clusters or more, n_features),    # scratch: left as it came, 0
        float64                                                    # for the clusters
    chunk_weights_out : (n_chunks, n_clusters or more), float64      # scratch, 0
    chunk_counts_out : (n_chunks, n_clusters or more), int64         # scratch, 0
    chunk_touched_out : (n_chunks, n_clusters or more), int64        # scratch, 0
    chunk_changed_out : (n_chunks,), int64                           # OUT
    sums_out : (n_clusters, n_features), float64                   # IN, OUT
    weights_out : (n_clusters,), float64                           # IN, OUT
    counts_out : (n_clusters,), int64: rows of positive weight     # IN, OUT
    max_weights_out : (n_clusters,), float64: largest weights so far     # IN, OUT
    progress_out : (N_PROGRESS,), float64                          # OUT: 0 when it came
    """
    n_chunks = chunks.shape[0]
    n_turns = max(n_chunks, 1)  # without chunks there is only what follows them
    start_team(team_out, n_turns * min(n_steps, 1))
    for _worker in prange(n_workers):
        team = team_out[:]
        s = take_chunk(team, n_turns)
        while s >= 0:
            if n_chunks > 0:
                _assign_chunk(
                    panels, weights, n_samples, centers_out.shape[0], tiles_out, center_sq_out,
                    is_from_scratch(first_iteration, resum_every, progress_out),
                    chunks[s, 0], chunks[s, 1], chunks[s, 2], new_labels_out, labels_out,
                    chunk_sums_out, chunk_weights_out, chunk_counts_out, chunk_touched_out,
                    chunk_changed_out,
                )  # fmt: skip
            if is_last_of_step(team):
                goes_on = finish and finish_iteration(
                    n_chunks, first_iteration, n_steps, resum_every, tol, few_changes, centers_out,
                    tiles_out, center_sq_out, shifts_out, chunk_sums_out, chunk_weights_out,
                    chunk_counts_out, chunk_touched_out, chunk_changed_out, sums_out, weights_out,
                    counts_out, max_weights_out, progress_out,
                )  # fmt: skip
                end_step(team, n_turns, goes_on)
            s = take_chunk(team, n_turns)


@inner
def is_from_scratch(first_iteration, resum_every, progress):
    """Whether the iteration forms the sums anew."""
    iteration = first_iteration + np.int64(progress[N_ITER])
    return progress[REDO] != 0 or iteration % resum_every == 0


@noinline
def finish_iteration(
    n_chunks, first_iteration, n_steps, resum_every, tol, few_changes, centers_out, tiles_out,
    center_sq_out, shifts_out, chunk_sums_out, chunk_weights_out, chunk_counts_out,
    chunk_touched_out, chunk_changed_out, sums_out, weights_out, counts_out, max_weights_out,
    progress_out,
):  # fmt: skip
    """What follows when every row has its label; return whether there is a next iteration.

    The next is the same once more, with the sums formed anew, if they are imprecise.
    """
    from_scratch = is_from_scratch(first_iteration, resum_every, progress_out)
    if progress_out[REDO] == 0:
        progress_out[N_CHANGED] = sum_chunks(chunk_changed_out)
    precise = merge_chunks(
        from_scratch, chunk_sums_out, chunk_weights_out, chunk_counts_out, chunk_touched_out,
        sums_out, weights_out, counts_out, max_weights_out,
    )  # fmt: skip
    progress_out[REDO] = not precise
    if not precise:
        progress_out[IMPRECISE] = n_chunks == 0
        return n_chunks > 0  # with the same centers, so the same labels
    progress_out[N_ITER] += 1
    done = is_done(
        tol, sums_out, weights_out, counts_out, centers_out, tiles_out, center_sq_out,
        shifts_out, progress_out,
    )  # fmt: skip
    few = progress_out[N_CHANGED] <= few_changes
    return not done and not few and progress_out[N_ITER] < n_steps


@inner
def is_done(
    tol, sums, weights, counts, centers_out, tiles_out, center_sq_out, shifts_out, progress_out
):
    """M step, unless a cluster is empty; return whether to stop."""
    progress_out[N_EMPTY] = 0
    for count in counts:
        progress_out[N_EMPTY] += count == 0
    if progress_out[N_EMPTY] > 0:
        return True
    progress_out[SHIFT_SQ] = move_centers(
        sums, weights, centers_out, tiles_out, center_sq_out, shifts_out
    )
    return progress_out[N_CHANGED] == 0 or progress_out[SHIFT_SQ] <= tol


@inner
def sum_chunks(values):
    """Sum of one number of each chunk."""
    total = 0.0
    for value in values:
        total += value
    return total
