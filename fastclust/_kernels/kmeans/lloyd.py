"""Iterations of Lloyd's algorithm, many in one launch: the loop of all of them, and plain ones.

An iteration labels every row with its nearest center (`assign`) and moves every center to the mean
of its rows, or to the direction of that mean (`m_step`). Center sums are incremental: only the
rows whose label changed are moved from the sum of one cluster to that of another. They accumulate
in float64, each chunk of rows in a buffer of its own, and the chunks are merged in order. A plain
iteration computes the distance of every row to every center. `bounded` has the iterations that skip
distances, `filtered` those that compute them in float32 first.
"""

from numba import prange

from fastclust._kernels.jit import inner, kernel, noinline, variant
from fastclust._kernels.kmeans.arguments import (
    Centers,
    ChunkSums,
    ClusterSums,
    Labels,
    Plan,
    Rows,
    Status,
)
from fastclust._kernels.kmeans.assign import nearest
from fastclust._kernels.kmeans.constants import (
    IMPRECISE,
    LABELS_ONLY,
    MOVE_TO_DIRECTIONS,
    N_CHANGED,
    N_EMPTY,
    N_ITER,
    REDO,
)
from fastclust._kernels.kmeans.m_step import (
    FEW_CLUSTERS,
    add_panel,
    add_panels,
    merge_chunks,
    move_centers,
    move_row,
    touch_all,
)
from fastclust._kernels.signature import float64, int32, int64, real
from fastclust._kernels.simd.team import end_step, is_last_of_step, take_chunk
from fastclust._kernels.simd.vectors import changed_lanes, count_lanes, lowest_lane, store


def make_team_work(name, assign_chunk, end_iteration):
    """Make the function that each thread of a launch runs: it takes chunks of all iterations.

    `assign_chunk(rows, centers, labels, chunk_sums, chunks, s, from_scratch, own)` is the E step of
    chunk s; `end_iteration(goes_on, centers, plan, status, own)` follows when the centers have
    moved, and returns whether there is another iteration. `own` is a group of the arguments that
    only these two functions need, `Blocks` of `bounded` for example, or None.
    """

    @inner
    @variant(name)
    def work(team, chunks, rows, centers, labels, chunk_sums, sums, plan, status, own):
        # A launch without chunks only merges sums and runs the M step: one turn.
        n_turns = max(chunks.shape[0], 1)
        s = take_chunk(team, n_turns)
        while s >= 0:
            if chunks.shape[0] > 0:
                from_scratch = is_from_scratch(plan, status)
                assign_chunk(rows, centers, labels, chunk_sums, chunks, s, from_scratch, own)
            if is_last_of_step(team):
                goes_on = False
                if plan.finish != LABELS_ONLY:
                    goes_on = finish_iteration(
                        chunks.shape[0], centers, chunk_sums, sums, plan, status
                    )
                goes_on = end_iteration(goes_on, centers, plan, status, own)
                end_step(team, n_turns, goes_on)
            s = take_chunk(team, n_turns)

    return work


@inner
def is_from_scratch(plan, status):
    """Whether the iteration forms the sums anew."""
    iteration = plan.first_iteration + status.counts_out[N_ITER]
    is_due = plan.resum_every > 0 and iteration % plan.resum_every == 0
    return status.counts_out[REDO] != 0 or is_due


@inner
def take_labels(rows, first, last, labels, n_clusters, chunk, from_scratch, chunk_sums):
    """Give panels first to last their new labels, and sum the changes; return their number.

    This loop is apart from the one that computes distances, which would run out of registers if it
    kept the addresses of the sums as well.
    """
    lanes = rows.panels.shape[2]
    labels_out, new_labels = labels.labels_out, labels.new_labels_out
    sums = ClusterSums(
        chunk_sums.sums_out[chunk], chunk_sums.weights_out[chunk], chunk_sums.counts_out[chunk]
    )
    are_few = n_clusters <= FEW_CLUSTERS
    n_changed = 0
    for p in range(first, last):
        new = new_labels[chunk, p - first]
        n_rows = min(lanes, rows.n_samples - p * lanes)
        changed = changed_lanes(rows.panels, new_labels, (chunk, p - first), labels_out, p)
        if changed == 0 and not from_scratch:
            continue
        changed &= (1 << n_rows) - 1
        n_changed += count_lanes(changed)
        while changed and not from_scratch:
            i = lowest_lane(changed)
            changed &= changed - 1
            old = labels_out[p, i]
            move_row(rows, p, i, old, new[i], sums, chunk_sums.touched_out[chunk])
        for i in range(lanes):
            labels_out[p, i] = new[i]
        if from_scratch and (n_rows < lanes or not are_few):
            add_panel(rows, p, n_rows, labels_out, sums)
    if from_scratch and are_few:
        n_full = min(last, rows.n_samples // lanes)
        add_panels(rows, first, n_full, labels_out, n_clusters, sums)
    return n_changed


@noinline
def finish_iteration(n_chunks, centers, chunk_sums, sums, plan, status):
    """Merge the sums and run the M step, when all rows have labels; return whether to go on.

    If the sums are imprecise, the same iteration is done once more, with sums formed anew.
    """
    counts = status.counts_out
    from_scratch = is_from_scratch(plan, status)
    if counts[REDO] == 0:
        counts[N_CHANGED] = 0
        for n_changed in chunk_sums.changed_out:
            counts[N_CHANGED] += n_changed
    if not merge_chunks(from_scratch, chunk_sums, sums, status.max_weights_out):
        counts[REDO] = 1
        counts[IMPRECISE] = n_chunks == 0
        return n_chunks > 0  # with the same centers, so the same labels
    counts[REDO] = 0
    counts[N_ITER] += 1
    if run_m_step(centers, sums, plan, status):
        return False
    return counts[N_ITER] < plan.n_steps


@inner
def run_m_step(centers, sums, plan, status):
    """Move the centers, unless a cluster is empty; return whether to stop."""
    counts, shift_sq = status.counts_out, status.shift_sq_out
    counts[N_EMPTY] = 0
    for count in sums.counts_out:
        counts[N_EMPTY] += count == 0
    if counts[N_EMPTY] > 0:
        return True
    to_unit = plan.finish == MOVE_TO_DIRECTIONS
    shift_sq[0] = move_centers(sums.sums_out, sums.weights_out, to_unit, centers)
    return counts[N_CHANGED] == 0 or shift_sq[0] <= plan.tol


# -- plain iterations ----------------------------------------------------------------------------


@noinline
def _assign_chunk(rows, centers, labels, chunk_sums, chunks, s, from_scratch, own):
    """E step of one chunk: labels, sums of the changes, and their number."""
    chunk = chunks[s, 0]
    if from_scratch:
        touch_all(chunk_sums.touched_out[chunk])
    n_clusters = centers.centers_out.shape[0]
    # Numba lets a range whose step may be 0 raise, which kernels must not: the step is at least 1.
    batch_panels = max(labels.new_labels_out.shape[1], 1)
    n_changed = 0
    for first in range(chunks[s, 1], chunks[s, 2], batch_panels):
        last = min(first + batch_panels, chunks[s, 2])
        for p in range(first, last):
            new = nearest(rows.panels, p, n_clusters, centers.tiles_out, centers.center_sq_out)
            store(labels.new_labels_out, (chunk, p - first), new)
        n_changed += take_labels(
            rows, first, last, labels, n_clusters, chunk, from_scratch, chunk_sums
        )
    chunk_sums.changed_out[chunk] = n_changed


@inner
def _end_plain(goes_on, centers, plan, status, own):
    """Nothing more decides whether plain iterations go on."""
    return goes_on


_work = make_team_work("plain", _assign_chunk, _end_plain)


@kernel
def iterate(
    chunks, panels: real[:, :, :], weights: real[:, :], n_samples: int64, finish: int64,
    first_iteration: int64, n_steps: int64, resum_every: int64, tol: float64, n_workers: int64,
    new_labels_out: int32[:, :, :], team_out: int64[:, :],
    labels_out: int32[:, :], centers_out: real[:, :], tiles_out: real[:, :, :],
    center_sq_out: real[:, :], shifts_out: real[:], chunk_sums_out: float64[:, :, :],
    chunk_weights_out: float64[:, :], chunk_counts_out: int64[:, :], chunk_touched_out: int64[:, :],
    chunk_changed_out: int64[:], sums_out: float64[:, :], weights_out: float64[:],
    counts_out: int64[:], max_weights_out: float64[:], status_counts_out: int64[:],
    shift_sq_out: float64[:],
):  # fmt: skip
    """Iterate until no label changes, the shift is within tol, or a cluster is empty.

    The arguments are the fields of the groups in `arguments`: `Rows`, `Plan`, `Labels`, `Centers`,
    `ChunkSums` (0 between iterations), `ClusterSums` (updated) and `Status` (its counts 0 before,
    but where the iteration began in another launch), and:

    n_workers : threads                                             # IN
    team_out : (N_COUNTERS, COUNTER_VALUES), int64                  # IN, OUT
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
            None,
        )  # fmt: skip
