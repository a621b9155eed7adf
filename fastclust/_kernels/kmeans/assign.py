"""The nearest center of every row.

The label of row x is argmin_j |c_j|^2 - 2 x.c_j, which leaves out |x|^2 (Lloyd 1982). The centers
come as tiles of `simd.sizes.TILE` centers: tiles[t, f, j] = -2 c[t * TILE + j, f] and
center_sq[t, j] = |c|^2, infinite for the padding centers, so that the search takes one multiply-add
per (row, center, feature). TILE was chosen by benchmarks/bench_kernels.py.

These terms cancel where centers are close to each other and far from the origin. What is left of
their digits then decides nothing, and the labels are found from sums of (x - c)^2, which takes
twice as many operations; `_algorithms.kmeans.precision` says when.
"""

import functools

import numpy as np
from numba import prange

from fastclust._kernels.jit import inner, kernel, variant
from fastclust._kernels.kmeans.distances import own_distance_sq
from fastclust._kernels.signature import float64, int32, int64, real
from fastclust._kernels.simd.sizes import HAS_AVX512, NARROW_TILE, TILE
from fastclust._kernels.simd.tiles import (
    argmin_first_tile,
    argmin_tile,
    fma_tile,
    splat_tile,
    square_diff_tile,
    zero_tile,
)
from fastclust._kernels.simd.vectors import (
    add_products,
    lane,
    load,
    splat,
    splat_labels,
    store,
    zero_doubles,
)


def make_search(name, start, update, add_feature=fma_tile, width=TILE):
    """Make a function that computes the distances of one panel to all centers, tile by tile.

    It returns what `update` has found: `start(panels)` is the result before the first tile, and
    `update(found, acc, first)` that after `acc`, the distances to the tile of centers from `first`.
    A distance begins as an element of center_sq, and `add_feature` adds what a feature adds to it.
    `width` is that of the tiles.
    """
    half_width = width // 2

    @functools.cache  # half a tile may be a narrow one
    def make_tile_distances(width):
        @inner
        @variant(f"{name}_{width}")
        def tile_distances(panels, p, tiles, center_sq, t):
            """What `add_feature` adds up to for the first centers of tile t: |c|^2 - 2 x.c."""
            acc = splat_tile(center_sq, t, width)
            for f in range(panels.shape[1]):
                acc = add_feature(acc, load(panels, (p, f)), tiles, (t, f))
            return acc

        return tile_distances

    full_tile, half_tile, narrow_tile = map(make_tile_distances, (width, half_width, NARROW_TILE))

    @inner
    @variant(name)
    def full_and_narrow_tile(panels, p, tiles, center_sq, t):
        """`tile_distances` of tile t and, in the same loop, of the narrow tile after it.

        In a loop of its own the narrow tile has too few sums to hide the latency of multiply-adds.
        """
        acc = splat_tile(center_sq, t, width)
        narrow = splat_tile(center_sq, t + 1, NARROW_TILE)
        for f in range(panels.shape[1]):
            x = load(panels, (p, f))
            acc = add_feature(acc, x, tiles, (t, f))
            narrow = add_feature(narrow, x, tiles, (t + 1, f))
        return acc, narrow

    @inner
    @variant(name)
    def search(panels, p, n_clusters, tiles, center_sq):
        """What `update` has found for panel p after the last tile."""
        found = start(panels)
        last = tiles.shape[0] - 1
        n_last = n_clusters - last * width
        joined = HAS_AVX512 and last > 0 and n_last <= NARROW_TILE
        for t in range(last - joined):
            acc = full_tile(panels, p, tiles, center_sq, t)
            found = update(found, acc, t * width)
        if joined:
            acc, narrow = full_and_narrow_tile(panels, p, tiles, center_sq, last - 1)
            found = update(found, acc, (last - 1) * width)
            found = update(found, narrow, last * width)
        elif n_last > half_width:
            acc = full_tile(panels, p, tiles, center_sq, last)
            found = update(found, acc, last * width)
        elif n_last > NARROW_TILE:
            half = half_tile(panels, p, tiles, center_sq, last)
            found = update(found, half, last * width)
        else:
            narrow = narrow_tile(panels, p, tiles, center_sq, last)
            found = update(found, narrow, last * width)
        return found

    return search


@inner
def none_yet(panels):
    """Least distances and labels before the first center."""
    return splat(panels, np.inf), splat_labels(panels, 0)


@inner
def keep_nearest(found, acc, first):
    """The same after the tile `acc` of distances to the centers from `first` on."""
    return argmin_tile(found[0], found[1], acc, first)


_search_nearest = make_search("nearest", none_yet, keep_nearest)


@inner
def nearest(panels, p, n_clusters, tiles, center_sq):
    """Label vector of one panel, the first label of equally near centers."""
    return _search_nearest(panels, p, n_clusters, tiles, center_sq)[1]


@kernel
def assign_nearest(
    chunks, panels: real[:, :, :], n_clusters: int64, tiles: real[:, :, :], center_sq: real[:, :],
    labels_out: int32[:, :],
):  # fmt: skip
    """Label every row with its nearest center.

    panels : (n_panels, n_features, LANES)        # IN
    n_clusters : centers without the padding      # IN
    tiles : (n_tiles, n_features, TILE)           # IN
    center_sq : (n_tiles, TILE)                   # IN
    labels_out : (n_panels, LANES), int32         # OUT
    """
    for s in prange(chunks.shape[0]):
        for p in range(chunks[s, 1], chunks[s, 2]):
            store(labels_out, p, nearest(panels, p, n_clusters, tiles, center_sq))


@inner
def _nearest_by_differences(panels, p, n_clusters, tiles):
    """Label vector of one panel, from 4 |x - c|^2 = sum (-2 x - -2 c)^2."""
    best, labels = splat(panels, np.inf), splat_labels(panels, 0)
    minus_two = splat(panels, -2.0)
    for t in range(tiles.shape[0]):
        acc = zero_tile(panels, TILE)
        for f in range(panels.shape[1]):
            acc = square_diff_tile(acc, load(panels, (p, f)) * minus_two, tiles, (t, f))
        best, labels = argmin_first_tile(best, labels, acc, t * TILE, n_clusters - t * TILE)
    return labels


@kernel
def assign_by_differences(
    chunks, panels: real[:, :, :], n_clusters: int64, tiles: real[:, :, :], labels_out: int32[:, :]
):
    """Label every row with its nearest center, by differences that do not cancel.

    panels : (n_panels, n_features, LANES)        # IN
    n_clusters : centers without the padding      # IN
    tiles : (n_tiles, n_features, TILE)           # IN
    labels_out : (n_panels, LANES), int32         # OUT
    """
    for s in prange(chunks.shape[0]):
        for p in range(chunks[s, 1], chunks[s, 2]):
            store(labels_out, p, _nearest_by_differences(panels, p, n_clusters, tiles))


@kernel
def assign_with_inertia(
    chunks, panels: real[:, :, :], weights: real[:, :], n_samples: int64, centers: real[:, :],
    tiles: real[:, :, :], center_sq: real[:, :], labels_out: int32[:, :], inertia_out: float64[:],
):  # fmt: skip
    """Label every row, and sum the squared distances to the centers of the labels.

    panels : (n_panels, n_features, LANES)               # IN
    weights : (n_panels, LANES), or (0, LANES) for ones  # IN
    n_samples : rows without the padding                 # IN
    centers : (n_clusters, n_features)                   # IN
    tiles, center_sq : these centers, see the header     # IN
    labels_out : (n_panels, LANES), int32                # OUT
    inertia_out : (n_chunks,), float64                   # OUT
    """
    lanes = panels.shape[2]
    for s in prange(chunks.shape[0]):
        chunk, inertia = chunks[s, 0], 0.0
        sums, weight = zero_doubles(panels), splat(panels, 1.0)
        for p in range(chunks[s, 1], chunks[s, 2]):
            store(labels_out, p, nearest(panels, p, centers.shape[0], tiles, center_sq))
            distance_sq = own_distance_sq(panels, p, centers, labels_out)
            if weights.shape[0] > 0:
                weight = load(weights, p)
            if (p + 1) * lanes <= n_samples:
                sums = add_products(sums, distance_sq, weight)
            else:  # without the padding
                for i in range(n_samples - p * lanes):
                    inertia += np.float64(lane(weight, i)) * lane(distance_sq, i)
        for i in range(lanes):
            inertia += lane(sums, i)
        inertia_out[chunk] = inertia
