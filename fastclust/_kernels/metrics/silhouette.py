"""Sums of the distances between some rows and all others, each pair of rows once.

A silhouette (Rousseeuw 1987) compares, for each row, its mean distance to the rows of its own
cluster and to those of others. The distances are those of differences, sqrt(sum (x - y)^2): nothing
cancels where rows are near each other. A register tile holds the distances of a panel to PAIR_TILE
points and, beside them, the points' own sums over the panels (benchmarks/bench_metrics.py).
"""

from typing import NamedTuple

from numba import prange

from fastclust._kernels.jit import inner, kernel
from fastclust._kernels.signature import int64, real
from fastclust._kernels.simd.products import add_weighted_vectors, sqrt_tile
from fastclust._kernels.simd.reductions import add_lane_sums
from fastclust._kernels.simd.sizes import PAIR_TILE
from fastclust._kernels.simd.tiles import scale_add_tile, square_diff_tile, zero_tile
from fastclust._kernels.simd.vectors import load, store

BLOCK_VALUES = 2**13
"""Values of the panels of a block: they stay in an L2 cache while all tiles of points pass."""


class Points(NamedTuple):
    """Points that all rows of a pass are compared with.

    values : (n_tiles, n_features, PAIR_TILE)
    is_point : (n_tiles, PAIR_TILE): 0 for padding, else 1
    groups : (n_tiles,), int64: the group of each tile
    """

    values: object
    is_point: object
    groups: object


@inner
def _add_block(panels, is_row, first, last, points, chunk, row_sums_out, point_sums_out):
    """Add the distances between panels first to last and all points."""
    values, is_point, groups = points
    for t in range(values.shape[0]):
        group = groups[t]
        point_sums = zero_tile(panels, PAIR_TILE)
        for p in range(first, last):
            acc = zero_tile(panels, PAIR_TILE)
            for f in range(panels.shape[1]):
                acc = square_diff_tile(acc, load(panels, (p, f)), values, (t, f))
            distances = sqrt_tile(acc)
            row_sums = load(row_sums_out, (group, p))
            row_sums = add_weighted_vectors(row_sums, distances, is_point, t)
            store(row_sums_out, (group, p), row_sums)
            point_sums = scale_add_tile(point_sums, distances, load(is_row, p))
        add_lane_sums(point_sums_out, (chunk, t * PAIR_TILE), point_sums)


@kernel
def add_distances(
    chunks, panels: real[:, :, :], is_row: real[:, :], points: real[:, :, :], is_point: real[:, :],
    groups: int64[:], row_sums_out: real[:, :, :], point_sums_out: real[:, :],
):  # fmt: skip
    """Sum the distances of each row to each group of points, and of each point to the rows.

    panels : (n_panels, n_features, LANES)                  # IN
    is_row : (n_panels, LANES): 0 for padding rows, else 1  # IN
    points, is_point, groups : `Points`                     # IN
    row_sums_out : (n_groups, n_panels, LANES)              # IN, OUT: sums for the rows
    point_sums_out : (n_chunks, n_tiles * PAIR_TILE)        # OUT: for the points, by chunk
    """
    n_panels = max(1, BLOCK_VALUES // (panels.shape[1] * panels.shape[2]))
    for s in prange(chunks.shape[0]):
        chunk = chunks[s, 0]
        for i in range(point_sums_out.shape[1]):
            point_sums_out[chunk, i] = 0.0
        for first in range(chunks[s, 1], chunks[s, 2], n_panels):
            _add_block(
                panels, is_row, first, min(first + n_panels, chunks[s, 2]),
                Points(points, is_point, groups), chunk, row_sums_out, point_sums_out,
            )  # fmt: skip
