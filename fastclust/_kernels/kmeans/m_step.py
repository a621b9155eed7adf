"""The M step of Lloyd's algorithm: sums of rows, and their means.

For rows of length 1 there is another one, that of spherical k-means (Dhillon and Modha, "Concept
decompositions for large sparse text data using clustering", Machine Learning 42, 2001): of all unit
vectors c, the direction s / |s| of the sum s of the rows x of a cluster has the largest sum of
x.c = cos(x, c), and so the least sum of |x - c|^2 = 2 - 2 x.c. If s is 0, all c are as good.
"""

import numpy as np
from numba import prange

from fastclust._kernels.jit import inner, kernel
from fastclust._kernels.kmeans.arguments import Centers, ClusterSums, Rows
from fastclust._kernels.kmeans.constants import LEAST_OF_MAX_WEIGHT, LEAST_RESULTANT, ROUND_UP
from fastclust._kernels.kmeans.tiles import tile_center
from fastclust._kernels.signature import float64, int32, int64, real
from fastclust._kernels.simd.reductions import add_lane_sums
from fastclust._kernels.simd.row_vectors import NARROW, WIDE, add_rows
from fastclust._kernels.simd.tiles import fma_vectors, zero_doubles_tile
from fastclust._kernels.simd.vectors import (
    add_products,
    count_lanes,
    lane,
    load,
    not_above_lanes,
    splat,
    where_label,
    zero_doubles,
)

FEW_CLUSTERS = 4
"""Clusters up to which `add_panels` is faster than `add_panel` (benchmarks/ablate_constants.py)."""


@inner
def touch_all(touched_out):
    """Mark every cluster of a chunk as changed."""
    for j in range(touched_out.shape[0]):
        touched_out[j] = 1


@inner
def add_panel(rows, p, n_rows, labels, sums):
    """Add the first n_rows rows of a panel to the sums of their clusters.

    In full panels it adds several features of a row at a time, in vectors.
    """
    panels, weights, sums_out = rows.panels, rows.weights, sums.sums_out
    weighted = weights.shape[0] > 0
    for i in range(n_rows):
        j = labels[p, i]
        weight = np.float64(weights[p, i]) if weighted else 1.0
        sums.weights_out[j] += weight
        sums.counts_out[j] += weight > 0
    n_features = panels.shape[1]
    whole = n_features // WIDE * WIDE if n_rows == panels.shape[2] else 0
    for f in range(0, whole, WIDE):
        if weighted:
            add_rows(sums_out, labels, panels, p, f, load(weights, p), WIDE)
        else:
            add_rows(sums_out, labels, panels, p, f, None, WIDE)
    for f in range(whole, n_features):
        for i in range(n_rows):
            x = np.float64(panels[p, f, i])
            sums_out[labels[p, i], f] += np.float64(weights[p, i]) * x if weighted else x


@inner
def add_panels(rows, first, last, labels, n_clusters, sums):
    """Add panels first to last, which are full, to the sums of their clusters.

    It passes over them once for each cluster, with vectors in which other rows have weight 0: for
    few clusters that takes less time than `add_panel` (benchmarks/bench_bisecting_kmeans.py).
    """
    panels = rows.panels
    lanes, n_features = panels.shape[2], panels.shape[1]
    whole = n_features // NARROW * NARROW
    zero, one = splat(panels, 0.0), splat(panels, 1.0)
    for j in range(n_clusters):
        total, n_rows = zero_doubles(panels), 0
        for p in range(first, last):
            weight = where_label(_weights_of(rows, p, one), labels, p, j)
            total = add_products(total, weight, one)
            n_rows += lanes - count_lanes(not_above_lanes(weight, zero))
        sums.counts_out[j] += n_rows
        for i in range(lanes):
            sums.weights_out[j] += lane(total, i)
        for f in range(0, whole, NARROW):
            acc = zero_doubles_tile(panels, NARROW)
            for p in range(first, last):
                weight = where_label(_weights_of(rows, p, one), labels, p, j)
                acc = fma_vectors(acc, weight, panels, (p, f))
            add_lane_sums(sums.sums_out, (j, f), acc)
        for f in range(whole, n_features):
            acc_1 = zero_doubles_tile(panels, 1)
            for p in range(first, last):
                weight = where_label(_weights_of(rows, p, one), labels, p, j)
                acc_1 = fma_vectors(acc_1, weight, panels, (p, f))
            add_lane_sums(sums.sums_out, (j, f), acc_1)


@inner
def _weights_of(rows, p, one):
    """Vector of the weights of the rows of a panel."""
    return load(rows.weights, p) if rows.weights.shape[0] > 0 else one


@kernel
def sum_clusters(
    chunks, panels: real[:, :, :], weights: real[:, :], n_samples: int64, labels: int32[:, :],
    chunk_sums_out: float64[:, :, :], chunk_weights_out: float64[:, :],
    chunk_counts_out: int64[:, :],
):  # fmt: skip
    """Sum the rows of each label, for each chunk of panels.

    panels, weights, n_samples : `arguments.Rows`                 # IN
    labels : (n_panels, LANES), int32                             # IN
    chunk_sums_out : (n_chunks, n_clusters, n_features), float64  # OUT: passed as zeros
    chunk_weights_out : (n_chunks, n_clusters), float64           # OUT: passed as zeros
    chunk_counts_out : (n_chunks, n_clusters), int64              # OUT: passed as zeros
    """
    lanes = panels.shape[2]
    for s in prange(chunks.shape[0]):
        chunk = chunks[s, 0]
        for p in range(chunks[s, 1], chunks[s, 2]):
            add_panel(
                Rows(panels, weights, n_samples), p, min(lanes, n_samples - p * lanes), labels,
                ClusterSums(
                    chunk_sums_out[chunk], chunk_weights_out[chunk], chunk_counts_out[chunk]
                ),
            )  # fmt: skip


@inner
def move_row(rows, p, i, old, new, sums, touched_out):
    """Move row (p, i) from the sums of cluster old to those of cluster new."""
    panels, weights, sums_out = rows.panels, rows.weights, sums.sums_out
    weight = np.float64(weights[p, i]) if weights.shape[0] > 0 else 1.0
    one = np.int64(weight > 0)
    touched_out[old] = 1
    touched_out[new] = 1
    sums.weights_out[old] -= weight
    sums.weights_out[new] += weight
    sums.counts_out[old] -= one
    sums.counts_out[new] += one
    for f in range(panels.shape[1]):
        weighted = weight * panels[p, f, i]
        sums_out[old, f] -= weighted
        sums_out[new, f] += weighted


@inner
def _clear_cluster(j, sums):
    """Set the statistics of cluster j to those of no rows."""
    sums.weights_out[j] = 0.0
    sums.counts_out[j] = 0
    for f in range(sums.sums_out.shape[1]):
        sums.sums_out[j, f] = 0.0


@inner
def _merge_cluster(chunk, j, chunk_sums, sums):
    """Move the statistics of cluster j from a chunk to the merged ones."""
    for f in range(sums.sums_out.shape[1]):
        sums.sums_out[j, f] += chunk_sums.sums_out[chunk, j, f]
        chunk_sums.sums_out[chunk, j, f] = 0.0
    sums.weights_out[j] += chunk_sums.weights_out[chunk, j]
    chunk_sums.weights_out[chunk, j] = 0.0
    sums.counts_out[j] += chunk_sums.counts_out[chunk, j]
    chunk_sums.counts_out[chunk, j] = 0


@inner
def merge_chunks(from_scratch, chunk_sums, sums, max_weights_out):
    """Add the statistics of the chunks to the merged ones, in their order, and set them to 0.

    Return whether the sums are precise. They are not if the weight of a cluster has fallen to next
    to nothing of its largest, as the rounding error of its sum remains that of the largest.
    """
    n_clusters = sums.weights_out.shape[0]
    if from_scratch:
        for j in range(n_clusters):
            _clear_cluster(j, sums)
    for chunk in range(chunk_sums.touched_out.shape[0]):
        for j in range(n_clusters):
            if chunk_sums.touched_out[chunk, j]:  # late iterations change few clusters
                chunk_sums.touched_out[chunk, j] = 0
                _merge_cluster(chunk, j, chunk_sums, sums)
    precise = True
    for j in range(n_clusters):
        if sums.counts_out[j] == 0:  # no rounding residue in a cluster that has no rows
            _clear_cluster(j, sums)
        weight = sums.weights_out[j]
        max_weights_out[j] = weight if from_scratch else max(max_weights_out[j], weight)
        if sums.counts_out[j] > 0 and weight < LEAST_OF_MAX_WEIGHT * max_weights_out[j]:
            precise = False
    return precise


@inner
def _direction_scale(sums, j, mean_scale):
    """Factor that makes the sum of cluster j a unit vector; 0 if the sum has no direction.

    The squares are those of the mean, so that weights of any size leave them in range.
    """
    mean_sq = 0.0
    for f in range(sums.shape[1]):
        mean_sq += (sums[j, f] * mean_scale) ** 2
    if mean_sq <= LEAST_RESULTANT**2:
        return 0.0
    return mean_scale / np.sqrt(mean_sq)


@inner
def move_centers(sums, weights, to_unit, centers):
    """Set every center to the mean of its rows; return the sum of the squared shifts.

    If `to_unit`, the mean is divided by its length; a center whose rows add up to 0 stays. The
    shifts of the single centers are rounded up.
    """
    centers_out = centers.centers_out
    n_clusters = weights.shape[0]
    total = 0.0
    for j in range(n_clusters):
        scale = 1.0 / weights[j]
        if to_unit:
            scale = _direction_scale(sums, j, scale)
        shift_sq = 0.0
        if scale > 0.0:
            for f in range(centers_out.shape[1]):
                before = np.float64(centers_out[j, f])
                centers_out[j, f] = sums[j, f] * scale
                shift_sq += (centers_out[j, f] - before) ** 2
        tile_center(j, n_clusters, centers_out, -2.0, centers.tiles_out, centers.center_sq_out)
        centers.shifts_out[j] = np.sqrt(shift_sq) * ROUND_UP
        total += shift_sq
    return total


@kernel
def update_centers(
    chunks, centers_out: real[:, :], sums: float64[:, :], weights: float64[:], to_unit: int64,
    tiles_out: real[:, :, :], center_sq_out: real[:, :], shifts_out: real[:],
    shift_sq_out: float64[:],
):  # fmt: skip
    """Run the M step alone, in one chunk; every weight must be positive.

    centers_out, tiles_out, center_sq_out, shifts_out : `arguments.Centers`  # IN, OUT
    sums, weights : of `arguments.ClusterSums`                               # IN
    to_unit : 1 for means divided by their length, 0 for means               # IN
    shift_sq_out : (1,), float64: sum of the squared shifts                  # OUT
    """
    centers = Centers(centers_out, tiles_out, center_sq_out, shifts_out)
    for _ in prange(chunks.shape[0]):
        shift_sq_out[0] = move_centers(sums, weights, to_unit != 0, centers)
