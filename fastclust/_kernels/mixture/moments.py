"""Moments of the rows about the means of the components, weighted by their responsibilities.

For component j, with d = x - mean_j and responsibility r: sums of r, of r d, and of r d d' or its
diagonal. About the means of the last M step nothing cancels, as it would in E[xx'] - mean mean'.

Each sum runs in registers over the panels of a block for which the component's responsibility is
not 0; then its lanes are added up and go to the float64 moments of the chunk. So float32 sums are
short, and the moments are as few as there are different products, not LANES times that. For the
products of features the rows are first gathered as differences[t, a, :], MOMENT_WIDTH features to a
tile t, a counting the panels, and as the same times r.

means : (n_components, n_features)                             # IN
resp : (n_chunks, BLOCK, n_places, LANES)                       # IN
active_out : (n_chunks, BLOCK), int64                           # scratch
differences_out, scaled_out : (n_chunks, n_tiles, BLOCK,        # scratch, zeros where there is no
    MOMENT_WIDTH, LANES)                                       #   feature
nk_out : (n_chunks, n_components), float64                      # IN, OUT
first_out : (n_chunks, n_components, n_tiles * MOMENT_WIDTH)    # IN, OUT, float64
second_out : (n_chunks, n_components, n_second), float64        # IN, OUT
counts_out : (n_chunks, 2), int64: responsibilities that are    # IN, OUT
    not 0, and panels of them
"""

from fastclust._kernels.jit import inner
from fastclust._kernels.simd.products import (
    MOMENT_WIDTH,
    N_DIAGONAL,
    N_PRODUCTS,
    add_lane_sums,
    add_tile,
    add_tiles,
    fma_tiles,
    outer_tile,
    scale_tile,
    subtract_tile,
)
from fastclust._kernels.simd.tiles import splat_tile, zero_tile
from fastclust._kernels.simd.vectors import count_lanes, load, not_above_lanes, splat, store


@inner
def _active_panels(panels, first, last, j, chunk, resp, active_out, nk_out, counts_out):
    """List the panels of the block that have a responsibility; return their number."""
    n = 0
    zero = splat(panels, 0.0)
    none = (1 << panels.shape[2]) - 1
    nk = zero_tile(panels, 1)
    for b in range(last - first):
        inactive = not_above_lanes(load(resp, (chunk, b, j)), zero)
        if inactive != none:
            nk = add_tile(nk, resp, (chunk, b, j))
            active_out[chunk, n] = b
            n += 1
            counts_out[chunk, 0] += count_lanes(none ^ inactive)
    add_lane_sums(nk_out, (chunk, j), nk)
    counts_out[chunk, 1] += n
    return n


@inner
def _gather_rows(panels, first, means, j, chunk, resp, active, n, differences_out, scaled_out):
    """Gather the listed panels less the mean, and times the responsibility."""
    for a in range(n):
        b = active[chunk, a]
        r = load(resp, (chunk, b, j))
        for f in range(panels.shape[1]):
            difference = load(panels, (first + b, f)) - splat(panels, means[j, f])
            tile, offset = f // MOMENT_WIDTH, f % MOMENT_WIDTH
            store(differences_out, (chunk, tile, a, offset), difference)
            store(scaled_out, (chunk, tile, a, offset), difference * r)


@inner
def add_full_moments(
    panels, first, last, means, chunk, resp, active_out, differences_out, scaled_out,
    nk_out, first_out, second_out, counts_out,
):  # fmt: skip
    """Second moments: the tiles of r d d' for t = 0, 1, ... and u = 0 ... t."""
    for j in range(means.shape[0]):
        n = _active_panels(panels, first, last, j, chunk, resp, active_out, nk_out, counts_out)
        if n == 0:
            continue
        _gather_rows(
            panels, first, means, j, chunk, resp, active_out, n, differences_out, scaled_out
        )
        place = 0
        for t in range(scaled_out.shape[1]):
            for u in range(t):
                acc = zero_tile(panels, N_PRODUCTS)
                for g in range(n):
                    acc = outer_tile(
                        acc, scaled_out, differences_out, (chunk, t, g, 0), (chunk, u, g, 0)
                    )
                add_lane_sums(second_out, (chunk, j, place), acc)
                place += N_PRODUCTS
            diagonal = zero_tile(panels, N_DIAGONAL)
            sums = zero_tile(panels, MOMENT_WIDTH)
            for g in range(n):
                diagonal = outer_tile(
                    diagonal, scaled_out, differences_out, (chunk, t, g, 0), (chunk, t, g, 0)
                )
                sums = add_tile(sums, scaled_out, (chunk, t, g, 0))
            add_lane_sums(second_out, (chunk, j, place), diagonal)
            add_lane_sums(first_out, (chunk, j, t * MOMENT_WIDTH), sums)
            place += N_PRODUCTS


@inner
def add_diag_moments(
    panels, first, last, means, chunk, resp, active_out, differences_out, scaled_out,
    nk_out, first_out, second_out, counts_out,
):  # fmt: skip
    """Second moments: r d^2 of each feature."""
    whole = panels.shape[1] // MOMENT_WIDTH * MOMENT_WIDTH
    for j in range(means.shape[0]):
        n = _active_panels(panels, first, last, j, chunk, resp, active_out, nk_out, counts_out)
        for f in range(0, whole, MOMENT_WIDTH):
            sums, squares = zero_tile(panels, MOMENT_WIDTH), zero_tile(panels, MOMENT_WIDTH)
            center = splat_tile(means, (j, f), MOMENT_WIDTH)
            for a in range(n):
                b = active_out[chunk, a]
                difference = subtract_tile(panels, (first + b, f), center)
                scaled = scale_tile(difference, load(resp, (chunk, b, j)))
                sums = add_tiles(sums, scaled)
                squares = fma_tiles(squares, scaled, difference)
            add_lane_sums(first_out, (chunk, j, f), sums)
            add_lane_sums(second_out, (chunk, j, f), squares)
        for f in range(whole, panels.shape[1]):
            sums, squares = zero_tile(panels, 1), zero_tile(panels, 1)
            center = splat_tile(means, (j, f), 1)
            for a in range(n):
                b = active_out[chunk, a]
                difference = subtract_tile(panels, (first + b, f), center)
                scaled = scale_tile(difference, load(resp, (chunk, b, j)))
                sums = add_tiles(sums, scaled)
                squares = fma_tiles(squares, scaled, difference)
            add_lane_sums(first_out, (chunk, j, f), sums)
            add_lane_sums(second_out, (chunk, j, f), squares)


@inner
def add_first_moments(
    panels, first, last, means, chunk, resp, active_out, differences_out, scaled_out,
    nk_out, first_out, second_out, counts_out,
):  # fmt: skip
    """No second moments."""
    whole = panels.shape[1] // MOMENT_WIDTH * MOMENT_WIDTH
    for j in range(means.shape[0]):
        n = _active_panels(panels, first, last, j, chunk, resp, active_out, nk_out, counts_out)
        for f in range(0, whole, MOMENT_WIDTH):
            sums = zero_tile(panels, MOMENT_WIDTH)
            center = splat_tile(means, (j, f), MOMENT_WIDTH)
            for a in range(n):
                b = active_out[chunk, a]
                difference = subtract_tile(panels, (first + b, f), center)
                sums = add_tiles(sums, scale_tile(difference, load(resp, (chunk, b, j))))
            add_lane_sums(first_out, (chunk, j, f), sums)
        for f in range(whole, panels.shape[1]):
            sums = zero_tile(panels, 1)
            center = splat_tile(means, (j, f), 1)
            for a in range(n):
                b = active_out[chunk, a]
                difference = subtract_tile(panels, (first + b, f), center)
                sums = add_tiles(sums, scale_tile(difference, load(resp, (chunk, b, j))))
            add_lane_sums(first_out, (chunk, j, f), sums)
