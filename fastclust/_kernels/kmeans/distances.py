"""Distances from the differences (x - c)^2, which do not cancel where x is near c."""

import numpy as np
from numba import prange

from fastclust._kernels.jit import inner, kernel, variant
from fastclust._kernels.signature import float64, int32, real
from fastclust._kernels.simd.row_vectors import WIDE, add_square_diffs, load_transposed
from fastclust._kernels.simd.sizes import DISTANCE_TILE
from fastclust._kernels.simd.tiles import square_diff_tile, store_tile, zero_tile
from fastclust._kernels.simd.vectors import (
    add_products,
    fma,
    gather,
    lane,
    load,
    splat,
    store,
    where_label,
    zero_doubles,
)


@inner
def own_distance_sq(panels, p, centers, labels):
    """Vector of |x - c|^2 of one panel, c being the center of the row's label.

    It loads several features of a center at a time, in vectors.
    """
    distance_sq = splat(panels, 0.0)
    n_features = panels.shape[1]
    whole = n_features // WIDE * WIDE
    for f in range(0, whole, WIDE):
        own_centers = load_transposed(centers, labels, p, f, None, WIDE)
        distance_sq = add_square_diffs(distance_sq, panels, p, f, own_centers)
    for f in range(whole, n_features):
        difference = load(panels, (p, f)) - gather(centers, labels, p, f)
        distance_sq = fma(difference, difference, distance_sq)
    return distance_sq


@kernel
def distances_to_labels(
    chunks, panels: real[:, :, :], centers: real[:, :], labels: int32[:, :],
    distances_sq_out: real[:, :],
):  # fmt: skip
    """Squared distance of every row to the center of its label.

    panels : (n_panels, n_features, LANES)        # IN
    centers : (n_clusters, n_features)            # IN
    labels : (n_panels, LANES), int32             # IN
    distances_sq_out : (n_panels, LANES)          # OUT
    """
    for s in prange(chunks.shape[0]):
        for p in range(chunks[s, 1], chunks[s, 2]):
            store(distances_sq_out, p, own_distance_sq(panels, p, centers, labels))


@inner
def _distance_sq(panels, p, centers, j):
    """Vector of |x - c|^2 of one panel to center j."""
    distance_sq = splat(panels, 0.0)
    for f in range(panels.shape[1]):
        difference = load(panels, (p, f)) - splat(panels, centers[j, f])
        distance_sq = fma(difference, difference, distance_sq)
    return distance_sq


@kernel
def sum_label_distances(
    chunks, panels: real[:, :, :], weights: real[:, :], centers: real[:, :], labels: int32[:, :],
    inertias_out: float64[:, :],
):  # fmt: skip
    """Inertia of the rows of each label: their weighted squared distances to its center.

    Every distance to every center is computed, so that no row is looked at by itself: this is for
    few clusters.

    panels : (n_panels, n_features, LANES)               # IN
    weights : (n_panels, LANES), or (0, LANES) for ones  # IN
    centers : (n_clusters, n_features)                   # IN
    labels : (n_panels, LANES), int32                    # IN: those of the padding are of no center
    inertias_out : (n_chunks, n_clusters), float64       # OUT: passed as zeros
    """
    lanes = panels.shape[2]
    for s in prange(chunks.shape[0]):
        chunk = chunks[s, 0]
        for j in range(centers.shape[0]):
            inertia, weight = zero_doubles(panels), splat(panels, 1.0)
            for p in range(chunks[s, 1], chunks[s, 2]):
                own_sq = where_label(_distance_sq(panels, p, centers, j), labels, p, j)
                if weights.shape[0] > 0:
                    weight = load(weights, p)
                inertia = add_products(inertia, own_sq, weight)
            for i in range(lanes):
                inertias_out[chunk, j] += lane(inertia, i)


def make_transform_panel(name, add_feature):
    """Make a function that writes the distances of the rows of one panel to all centers.

    `add_feature` adds what a feature adds to a squared distance.
    """

    @inner
    @variant(name)
    def transform_panel(panels, p, tiles, chunk, tile_out, distances_out):
        lanes, width = panels.shape[2], tiles.shape[2]
        n_samples, n_clusters = distances_out.shape
        for t in range(tiles.shape[0]):
            acc = zero_tile(panels, DISTANCE_TILE)
            for f in range(panels.shape[1]):
                acc = add_feature(acc, load(panels, (p, f)), tiles, (t, f))
            store_tile(tile_out, (chunk, 0), acc)
            for i in range(min(lanes, n_samples - p * lanes)):
                for offset in range(min(width, n_clusters - t * width)):
                    distance = np.sqrt(tile_out[chunk, offset, i])
                    distances_out[p * lanes + i, t * width + offset] = distance

    return transform_panel


_transform_panel = make_transform_panel("complete", square_diff_tile)


@kernel
def transform_rows(
    chunks, panels: real[:, :, :], tiles: real[:, :, :], tile_out: real[:, :, :],
    distances_out: real[:, :],
):  # fmt: skip
    """Distance of every row to every center.

    panels : (n_panels, n_features, LANES)        # IN
    tiles : (n_tiles, n_features, DISTANCE_TILE)  # IN: the centers, not scaled
    tile_out : (n_chunks, DISTANCE_TILE, LANES)   # scratch
    distances_out : (n_samples, n_clusters)       # OUT
    """
    for s in prange(chunks.shape[0]):
        for p in range(chunks[s, 1], chunks[s, 2]):
            _transform_panel(panels, p, tiles, chunks[s, 0], tile_out, distances_out)
