"""Moments of the rows about the means of the components, weighted by their responsibilities.

For component j, with d = x - mean_j and responsibility r: sums of r, of r d, and of r d d' or its
diagonal. About the means of the last M step nothing cancels, as it would in E[xx'] - mean mean'.

The rows of a group of panels for which a component's responsibility is not 0 are gathered as
differences[t, g, :] and as the same times r, MOMENT_WIDTH features to a tile t, g counting the
panels. Each tile of products is then summed over the group in registers, its lanes are added up,
and the sums go to the float64 moments of the slot: so float32 sums are short, and the moments are
as few as there are different products, not LANES times that.

means : (n_components, n_features)                             # IN
log_prob : (n_slots, BLOCK, n_places, LANES)                   # IN: responsibilities
differences_out, scaled_out : (n_slots, n_tiles, BLOCK,        # scratch, zeros where there is no
    MOMENT_WIDTH, LANES)                                       #   feature
nk_out : (n_slots, n_components), float64                      # IN, OUT
first_out : (n_slots, n_components, n_tiles * MOMENT_WIDTH)    # IN, OUT, float64
second_out : (n_slots, n_components, n_second), float64        # IN, OUT
"""

from fastclust._kernels.jit import inner
from fastclust._kernels.simd import load, not_above_lanes, splat, store, zero_tile
from fastclust._kernels.tile_products import (
    MOMENT_WIDTH,
    N_DIAGONAL,
    N_PRODUCTS,
    add_lane_sums,
    add_product_tile,
    add_tile,
    outer_tile,
)


@inner
def _gather_rows(
    panels, first, last, means, j, slot, resp, differences_out, scaled_out, nk_out
):
    """Gather the panels that have a responsibility; return their number."""
    n = 0
    zero = splat(panels, 0.0)
    none = (1 << panels.shape[2]) - 1
    nk = zero_tile(panels, 1)
    for p in range(first, last):
        if not_above_lanes(load(resp, (slot, p - first, j)), zero) == none:
            continue
        r = load(resp, (slot, p - first, j))
        nk = add_tile(nk, resp, (slot, p - first, j))
        for f in range(panels.shape[1]):
            difference = load(panels, (p, f)) - splat(panels, means[j, f])
            tile, offset = f // MOMENT_WIDTH, f % MOMENT_WIDTH
            store(differences_out, (slot, tile, n, offset), difference)
            store(scaled_out, (slot, tile, n, offset), difference * r)
        n += 1
    add_lane_sums(nk_out, (slot, j), nk)
    return n


@inner
def add_full_moments(
    panels, first, last, means, slot, resp, differences_out, scaled_out,
    nk_out, first_out, second_out,
):  # fmt: skip
    """Second moments: the tiles of r d d' for t = 0, 1, ... and u = 0 ... t."""
    for j in range(means.shape[0]):
        n = _gather_rows(
            panels, first, last, means, j, slot, resp, differences_out, scaled_out, nk_out
        )
        if n == 0:
            continue
        place = 0
        for t in range(scaled_out.shape[1]):
            for u in range(t):
                acc = zero_tile(panels, N_PRODUCTS)
                for g in range(n):
                    acc = outer_tile(
                        acc, scaled_out, differences_out, (slot, t, g, 0), (slot, u, g, 0)
                    )
                add_lane_sums(second_out, (slot, j, place), acc)
                place += N_PRODUCTS
            diagonal = zero_tile(panels, N_DIAGONAL)
            sums = zero_tile(panels, MOMENT_WIDTH)
            for g in range(n):
                diagonal = outer_tile(
                    diagonal, scaled_out, differences_out, (slot, t, g, 0), (slot, t, g, 0)
                )
                sums = add_tile(sums, scaled_out, (slot, t, g, 0))
            add_lane_sums(second_out, (slot, j, place), diagonal)
            add_lane_sums(first_out, (slot, j, t * MOMENT_WIDTH), sums)
            place += N_PRODUCTS


@inner
def add_diag_moments(
    panels, first, last, means, slot, resp, differences_out, scaled_out,
    nk_out, first_out, second_out,
):  # fmt: skip
    """Second moments: r d^2 of each feature."""
    for j in range(means.shape[0]):
        n = _gather_rows(
            panels, first, last, means, j, slot, resp, differences_out, scaled_out, nk_out
        )
        if n == 0:
            continue
        for t in range(scaled_out.shape[1]):
            sums = zero_tile(panels, MOMENT_WIDTH)
            squares = zero_tile(panels, MOMENT_WIDTH)
            for g in range(n):
                sums = add_tile(sums, scaled_out, (slot, t, g, 0))
                squares = add_product_tile(squares, scaled_out, differences_out, (slot, t, g, 0))
            add_lane_sums(first_out, (slot, j, t * MOMENT_WIDTH), sums)
            add_lane_sums(second_out, (slot, j, t * MOMENT_WIDTH), squares)


@inner
def add_first_moments(
    panels, first, last, means, slot, resp, differences_out, scaled_out,
    nk_out, first_out, second_out,
):  # fmt: skip
    """No second moments."""
    for j in range(means.shape[0]):
        n = _gather_rows(
            panels, first, last, means, j, slot, resp, differences_out, scaled_out, nk_out
        )
        for t in range(scaled_out.shape[1]):
            sums = zero_tile(panels, MOMENT_WIDTH)
            for g in range(n):
                sums = add_tile(sums, scaled_out, (slot, t, g, 0))
            add_lane_sums(first_out, (slot, j, t * MOMENT_WIDTH), sums)
