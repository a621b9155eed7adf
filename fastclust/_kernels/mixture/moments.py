"""Moments of the rows about the means of the components, weighted by their responsibilities.

For component j, with d = x - mean_j and responsibility r: sums of r, of r d, and of r d d' or its
diagonal. About the means of the last M step nothing cancels, as it would in E[xx'] - mean mean'.

Each sum runs in registers over the panels of a block for which the component's responsibility is
not 0; then its lanes are added up and go to the float64 moments of the chunk. So float32 sums are
short, and memory holds one moment for each different product, not LANES. For the products of all
pairs of features the rows are first gathered, MOMENT_WIDTH features to a tile.

There is a function for each kind of second moments, add_KIND_moments, of the same arguments:

panels : (n_panels, n_features, LANES)                                   # IN
block : a `Block`                                                        # IN
about : (n_components, n_features), what the moments are about           # IN
resp : (n_chunks, BLOCK, n_places, LANES), responsibilities              # IN
scratch : a `MomentScratch`                                              # scratch
moments : `Moments` of each chunk, (n_chunks, n_components, ...)         # IN, OUT
counts_out : (n_chunks, 2), int64: how many responsibilities of rows     # IN, OUT
    are not 0, and how many panels have such a row
"""

import functools

from fastclust._kernels.jit import inner, variant
from fastclust._kernels.simd.products import (
    add_tile,
    add_tiles,
    fma_tiles,
    outer_tile,
    scale_tile,
    subtract_tile,
)
from fastclust._kernels.simd.reductions import add_lane_sums
from fastclust._kernels.simd.sizes import MOMENT_WIDTH, N_DIAGONAL, N_PRODUCTS
from fastclust._kernels.simd.tiles import splat_tile, zero_tile
from fastclust._kernels.simd.vectors import count_lanes, load, not_above_lanes, splat, store


@inner
def find_active_panels(panels, block, j, resp, active_out, nk_out, counts_out):
    """List the panels of the block with a responsibility for component j; return their number."""
    chunk, first, last = block
    n = 0
    zero = splat(panels, 0.0)
    every = (1 << panels.shape[2]) - 1
    nk = zero_tile(panels, 1)
    for b in range(last - first):
        inactive = not_above_lanes(load(resp, (chunk, b, j)), zero)
        if inactive != every:
            nk = add_tile(nk, resp, (chunk, b, j))
            active_out[chunk, n] = b
            n += 1
            counts_out[chunk, 0] += count_lanes(every ^ inactive)
    add_lane_sums(nk_out, (chunk, j), nk)
    counts_out[chunk, 1] += n
    return n


@inner
def _gather_rows(panels, block, about, j, resp, n, scratch):
    """Gather the n active panels less the mean, and these differences times responsibilities."""
    chunk, first, _ = block
    active, differences_out, scaled_out = scratch
    for a in range(n):
        b = active[chunk, a]
        r = load(resp, (chunk, b, j))
        for f in range(panels.shape[1]):
            difference = load(panels, (first + b, f)) - splat(panels, about[j, f])
            tile, offset = f // MOMENT_WIDTH, f % MOMENT_WIDTH
            store(differences_out, (chunk, tile, a, offset), difference)
            store(scaled_out, (chunk, tile, a, offset), difference * r)


@inner
def add_gathered_moments(panels, chunk, j, n, scratch, moments):
    """Add sums of r d and of the tiles of r d d' over the n gathered panels of a component."""
    _, differences, scaled = scratch
    _, first_out, second_out = moments
    place = 0
    for t in range(scaled.shape[1]):
        for u in range(t):
            acc = zero_tile(panels, N_PRODUCTS)
            for a in range(n):
                acc = outer_tile(acc, scaled, differences, (chunk, t, a, 0), (chunk, u, a, 0))
            add_lane_sums(second_out, (chunk, j, place), acc)
            place += N_PRODUCTS
        diagonal = zero_tile(panels, N_DIAGONAL)
        sums = zero_tile(panels, MOMENT_WIDTH)
        for a in range(n):
            tile = (chunk, t, a, 0)
            diagonal = outer_tile(diagonal, scaled, differences, tile, tile)
            sums = add_tile(sums, scaled, tile)
        add_lane_sums(second_out, (chunk, j, place), diagonal)
        add_lane_sums(first_out, (chunk, j, t * MOMENT_WIDTH), sums)
        place += N_PRODUCTS


@inner
def add_full_moments(panels, block, about, resp, scratch, moments, counts_out):
    """Second moments: the tiles of r d d' for t = 0, 1, ... and u = 0 ... t."""
    chunk, active_out = block.chunk, scratch.active_out
    for j in range(about.shape[0]):
        n = find_active_panels(panels, block, j, resp, active_out, moments.nk_out, counts_out)
        if n == 0:
            continue
        _gather_rows(panels, block, about, j, resp, n, scratch)
        add_gathered_moments(panels, chunk, j, n, scratch, moments)


@functools.cache
def make_add_features(width, with_squares):
    """Make the function that adds the moments of `width` features, with second ones or without.

    It is made once, as its machine code is found by its name.
    """

    @inner
    @variant(f"{width}_{'squares' if with_squares else 'first'}")
    def add_features(panels, block, about, j, f, resp, active, n, moments):
        """Add sums of r d, and maybe of r d^2, of the features from f over n active panels."""
        chunk = block.chunk
        sums, squares = zero_tile(panels, width), zero_tile(panels, width)
        mean = splat_tile(about, (j, f), width)
        for a in range(n):
            b = active[chunk, a]
            difference = subtract_tile(panels, (block.first + b, f), mean)
            scaled = scale_tile(difference, load(resp, (chunk, b, j)))
            sums = add_tiles(sums, scaled)
            if with_squares:
                squares = fma_tiles(squares, scaled, difference)
        add_lane_sums(moments.first_out, (chunk, j, f), sums)
        if with_squares:
            add_lane_sums(moments.second_out, (chunk, j, f), squares)

    return add_features


def _make_add_moments(kind, with_squares):
    """Make the function that adds moments of each feature by itself."""
    add_tile_of_features = make_add_features(MOMENT_WIDTH, with_squares)
    add_feature = make_add_features(1, with_squares)

    @inner
    @variant(kind)
    def add_moments(panels, block, about, resp, scratch, moments, counts_out):
        active_out = scratch.active_out
        whole = panels.shape[1] // MOMENT_WIDTH * MOMENT_WIDTH
        for j in range(about.shape[0]):
            n = find_active_panels(panels, block, j, resp, active_out, moments.nk_out, counts_out)
            for f in range(0, whole, MOMENT_WIDTH):
                add_tile_of_features(panels, block, about, j, f, resp, active_out, n, moments)
            for f in range(whole, panels.shape[1]):
                add_feature(panels, block, about, j, f, resp, active_out, n, moments)

    return add_moments


add_diag_moments = _make_add_moments("diag", with_squares=True)
"""Second moments: r d^2 of each feature."""

add_first_moments = _make_add_moments("first", with_squares=False)
"""No second moments."""
