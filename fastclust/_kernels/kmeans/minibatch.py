"""Steps of mini-batch k-means, many in one launch (Sculley 2010).

A step labels the rows of a batch with their nearest centers, and moves each center c of weight n to
the mean of all rows that it has ever had,

    c <- (n c + sum of its rows in the batch) / (n + their number).

The batches are drawn beforehand, as numbers of rows, which are read from X where they lie: a batch
is a small part of X, so that to pack X would take longer than many steps do. Every step leaves its
centers and weights in a place of their own, as the caller may find out that one should have been
the last.
"""

from numba import prange

from fastclust._kernels.jit import inner, kernel, noinline
from fastclust._kernels.kmeans.arguments import Batches, ClusterSums, MiniBatchCenters, Rows
from fastclust._kernels.kmeans.assign import nearest
from fastclust._kernels.kmeans.distances import own_distance_sq
from fastclust._kernels.kmeans.m_step import add_panel
from fastclust._kernels.kmeans.tiles import tile_center
from fastclust._kernels.signature import float64, int32, int64, real
from fastclust._kernels.simd.panels import PREFETCH_PANELS, pack_panel, prefetch_rows
from fastclust._kernels.simd.team import end_step, is_last_of_step, take_chunk
from fastclust._kernels.simd.vectors import lane, store


@noinline
def _sum_chunk(batches, step, start, stop, chunk, centers, panel_out, labels_out, sums):
    """Add panels of a batch to the sums of the clusters; return their inertia.

    The rows of one panel at a time are in panel_out[chunk], their labels in labels_out[chunk].
    """
    lanes = panel_out.shape[2]
    n_panels = batches.numbers.shape[0] // batches.n_steps
    weights = panel_out[0, :0]
    inertia = 0.0
    for p in range(start, stop):
        place = step * n_panels + p
        ahead = step * n_panels + min(p + PREFETCH_PANELS, stop - 1)
        prefetch_rows(batches.X, batches.numbers, ahead)
        n_rows = min(lanes, batches.n_rows - p * lanes)
        pack_panel(batches.X, batches.origin, batches.numbers, place, n_rows, panel_out, chunk)
        before = centers.centers_out[step]
        found = nearest(panel_out, chunk, before.shape[0], centers.tiles_out, centers.center_sq_out)
        store(labels_out, chunk, found)
        distance_sq = own_distance_sq(panel_out, chunk, before, labels_out)
        for i in range(n_rows):
            inertia += lane(distance_sq, i)
        add_panel(Rows(panel_out, weights, batches.n_rows), chunk, n_rows, labels_out, sums)
    return inertia


@inner
def _merge_cluster(j, chunk_sums):
    """Add the sums of cluster j of all chunks to those of the first, in their order."""
    first = chunk_sums.sums_out[0, j]
    for chunk in range(1, chunk_sums.weights_out.shape[0]):
        weight = chunk_sums.weights_out[chunk, j]
        if weight > 0.0:
            chunk_sums.weights_out[0, j] += weight
            chunk_sums.weights_out[chunk, j] = 0.0
            chunk_sums.counts_out[chunk, j] = 0
            other = chunk_sums.sums_out[chunk, j]
            for f in range(first.shape[0]):
                first[f] += other[f]
                other[f] = 0.0


@noinline
def _move_centers(step, centers, chunk_sums):
    """Centers and weights after the step; the sums of the chunks become 0."""
    before, after = centers.centers_out[step], centers.centers_out[step + 1]
    n_clusters, n_features = before.shape
    for j in range(n_clusters):
        _merge_cluster(j, chunk_sums)
        sums = chunk_sums.sums_out[0, j]
        weight_before, weight = centers.weights_out[step, j], chunk_sums.weights_out[0, j]
        weight_after = weight_before + weight
        centers.weights_out[step + 1, j] = weight_after
        for f in range(n_features):
            mean = (weight_before * before[j, f] + sums[f]) / max(weight_after, 1.0)
            after[j, f] = mean if weight > 0.0 else before[j, f]
            sums[f] = 0.0
        chunk_sums.weights_out[0, j], chunk_sums.counts_out[0, j] = 0.0, 0
        tile_center(j, n_clusters, after, -2.0, centers.tiles_out, centers.center_sq_out)


@inner
def _sum_in_order(values):
    total = 0.0
    for value in values:
        total += value
    return total


@kernel
def run_batches(
    chunks, X: real[:, :], origin: real[:], numbers: int64[:, :], n_rows: int64, n_steps: int64,
    n_workers: int64, team_out: int64[:, :], step_out: int64[:], panel_out: real[:, :, :],
    labels_out: int32[:, :], chunk_sums_out: float64[:, :, :], chunk_weights_out: float64[:, :],
    chunk_counts_out: int64[:, :], chunk_inertia_out: float64[:], centers_out: real[:, :, :],
    weights_out: float64[:, :], tiles_out: real[:, :, :], center_sq_out: real[:, :],
    inertia_out: float64[:],
):  # fmt: skip
    """Run a step for each batch; the chunks are of the panels of a batch.

    X, origin, numbers, n_rows, n_steps : `arguments.Batches`               # IN
    n_workers : threads                                                     # IN
    team_out : (N_COUNTERS, COUNTER_VALUES), int64                          # IN, OUT
    step_out : (1,), int64: the step, passed as 0                           # IN, OUT
    panel_out : (n_chunks, n_features, LANES)                               # scratch
    labels_out : (n_chunks, LANES), int32                                   # scratch
    chunk_sums_out, chunk_weights_out, chunk_counts_out : see `ChunkSums`,  # scratch,
        all 0 before and after a step                                       # passed as zeros
    chunk_inertia_out : (n_chunks,), float64                                # scratch
    centers_out, weights_out, tiles_out, center_sq_out : `MiniBatchCenters` # IN, OUT
    inertia_out : (n_steps,), float64: squared distances of the rows of     # OUT
        each batch to the nearest centers before its step
    """
    n_chunks = chunks.shape[0]
    for _worker in prange(n_workers):
        team = team_out[:]
        batches = Batches(X, origin, numbers, n_rows, n_steps)
        centers = MiniBatchCenters(centers_out, weights_out, tiles_out, center_sq_out)
        s = take_chunk(team, n_chunks)
        while s >= 0:
            chunk = chunks[s, 0]
            all_sums = ClusterSums(chunk_sums_out, chunk_weights_out, chunk_counts_out)
            sums = ClusterSums(
                chunk_sums_out[chunk], chunk_weights_out[chunk], chunk_counts_out[chunk]
            )
            chunk_inertia_out[chunk] = _sum_chunk(
                batches, step_out[0], chunks[s, 1], chunks[s, 2], chunk, centers, panel_out,
                labels_out, sums,
            )  # fmt: skip
            if is_last_of_step(team):
                step = step_out[0]
                inertia_out[step] = _sum_in_order(chunk_inertia_out)
                _move_centers(step, centers, all_sums)
                step_out[0] = step + 1
                end_step(team, n_chunks, step + 1 < n_steps)
            s = take_chunk(team, n_chunks)
