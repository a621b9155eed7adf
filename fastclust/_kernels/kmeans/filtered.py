"""Iterations of Lloyd's algorithm in float64 that compute distances in float32 first.

A vector holds twice as many values in float32, so the distances take half the time. Where the
distances to the two nearest centers differ by more than rounding can explain, float64 would choose
the same center; the few other rows are evaluated again in float64. So the labels are those of a
plain iteration, bit for bit. Arrays in float32 have `f32` in their names: one panel of `panels_f32`
is two panels of float64 side by side.

Rounded to float32 are x and -2 c, with a relative error of u = 2^-24 each, and |c|^2; then each of
the n_features multiply-adds. The terms and their sums are at most |c|^2 + 2 |x||c|, so that

    E = (n_features + 4) (u (C^2 + 2 R C) + v (1 + R))

bounds the error of |c|^2 - 2 x.c, with R the largest norm of a row, C that of a center, and
v = 2^-126 for what is too small for float32. Two values in float32 that differ by more than 2 E are
in the order of the exact ones. The rounding of float64 is next to nothing of E, and 2.1 E leaves
room for it: then they are in the order of float64 too.
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
from fastclust._kernels.kmeans.assign import make_search, nearest
from fastclust._kernels.kmeans.constants import REDO, ROUNDING, TINY
from fastclust._kernels.kmeans.lloyd import make_team_work, take_labels
from fastclust._kernels.kmeans.m_step import touch_all
from fastclust._kernels.signature import float32, float64, int32, int64, real
from fastclust._kernels.simd.tiles import argmin2_tile
from fastclust._kernels.simd.vectors import not_above_lanes, splat, splat_labels, store


@inner
def _none_yet(panels):
    far = splat(panels, np.inf)
    return far, far, splat_labels(panels, 0)


@inner
def _keep_nearest(found, acc, first):
    return argmin2_tile(found[0], found[1], found[2], acc, first)


_search_two = make_search("two", _none_yet, _keep_nearest)


@inner
def _find_margin(center_sq, radius, n_features):
    """2.1 E of the header."""
    largest_sq = 0.0
    for t in range(center_sq.shape[0]):
        for j in range(center_sq.shape[1]):
            if center_sq[t, j] < np.inf:  # not a padding center
                largest_sq = max(largest_sq, center_sq[t, j])
    terms = largest_sq + 2 * radius * np.sqrt(largest_sq)
    return 2.1 * (n_features + 4) * (ROUNDING * terms + TINY * (1 + radius))


class Filter(NamedTuple):
    """Arguments that filtered iterations have beside those of plain ones.

    radius : R of the header
    most_near : panels that an iteration may evaluate again in float64; if there are more, stop
    panels_f32 : (n_panels / 2, rounded up, n_features, 2 * LANES), float32
    tiles_f32_out, center_sq_f32_out : the centers as tiles in float32
    chunk_near_out : (n_chunks,), int64: panels that were evaluated again
    """

    radius: object
    most_near: object
    panels_f32: object
    tiles_f32_out: object
    center_sq_f32_out: object
    chunk_near_out: object


@noinline
def _assign_filtered(rows, centers, labels, chunk_sums, chunks, s, from_scratch, own):
    """E step of one chunk, as `lloyd._assign_chunk`; two panels are one of `panels_f32`."""
    chunk, stop = chunks[s, 0], chunks[s, 2]
    if from_scratch:
        touch_all(chunk_sums.touched_out[chunk])
    panels, panels_f32, new_labels_out = rows.panels, own.panels_f32, labels.new_labels_out
    tiles, center_sq = centers.tiles_out, centers.center_sq_out
    n_clusters = centers.centers_out.shape[0]
    lanes = panels.shape[2]
    # Numba lets a range whose step may be 0 raise, which kernels must not: the step is at least 1.
    batch_panels = max(new_labels_out.shape[1], 1)
    margin = splat(panels_f32, _find_margin(center_sq, own.radius, panels.shape[1]))
    n_changed, n_near = 0, 0
    for first in range(chunks[s, 1], stop, batch_panels):
        last = min(first + batch_panels, stop)
        for p in range(first, last, 2):
            best, second, nearest_f32 = _search_two(
                panels_f32, p // 2, n_clusters, own.tiles_f32_out, own.center_sq_f32_out
            )
            store(new_labels_out, (chunk, p - first), nearest_f32)
            near = not_above_lanes(second - best, margin)
            if near != 0:
                for q in range(p, min(p + 2, last)):
                    if (near >> (q - p) * lanes) & ((1 << lanes) - 1):
                        n_near += 1
                        new = nearest(panels, q, n_clusters, tiles, center_sq)
                        store(new_labels_out, (chunk, q - first), new)
        n_changed += take_labels(
            rows, first, last, labels, n_clusters, chunk, from_scratch, chunk_sums
        )
    chunk_sums.changed_out[chunk] = n_changed
    own.chunk_near_out[chunk] = n_near


@noinline
def _end_filtered(goes_on, centers, plan, status, own):
    """Update the tiles in float32; stop if too many panels were evaluated again."""
    tiles, tiles_f32_out = centers.tiles_out, own.tiles_f32_out
    for t in range(tiles.shape[0]):
        for j in range(tiles.shape[2]):
            own.center_sq_f32_out[t, j] = centers.center_sq_out[t, j]
        for f in range(tiles.shape[1]):
            for j in range(tiles.shape[2]):
                tiles_f32_out[t, f, j] = tiles[t, f, j]
    n_near = 0
    for near in own.chunk_near_out:
        n_near += near
    may_stop = status.counts_out[REDO] == 0  # an iteration that is done again is not over
    return goes_on and not (may_stop and n_near > own.most_near)


_work = make_team_work("filtered", _assign_filtered, _end_filtered)


@kernel
def iterate_filtered(
    chunks, panels: real[:, :, :], weights: real[:, :], n_samples: int64, finish: int64,
    first_iteration: int64, n_steps: int64, resum_every: int64, tol: float64, n_workers: int64,
    radius: float64, most_near: int64, panels_f32: float32[:, :, :],
    tiles_f32_out: float32[:, :, :], center_sq_f32_out: float32[:, :], chunk_near_out: int64[:],
    new_labels_out: int32[:, :, :], team_out: int64[:, :], labels_out: int32[:, :],
    centers_out: real[:, :], tiles_out: real[:, :, :], center_sq_out: real[:, :],
    shifts_out: real[:], chunk_sums_out: float64[:, :, :], chunk_weights_out: float64[:, :],
    chunk_counts_out: int64[:, :], chunk_touched_out: int64[:, :], chunk_changed_out: int64[:],
    sums_out: float64[:, :], weights_out: float64[:], counts_out: int64[:],
    max_weights_out: float64[:], status_counts_out: int64[:], shift_sq_out: float64[:],
):  # fmt: skip
    """As `lloyd.iterate`, in float64; also stop when more than most_near panels had near ties.

    Chunks begin at even panels. Its other arguments are the fields of `Filter`.
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
            Filter(radius, most_near, panels_f32, tiles_f32_out, center_sq_f32_out, chunk_near_out),
        )  # fmt: skip
