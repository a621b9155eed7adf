"""One round of greedy k-means++ in one pass over the rows, all candidates at once.

With D(x) the distance of row x to the nearest seed so far, the potential of candidate c is
sum_x w(x) min(D(x)^2, |x - c|^2) (Arthur and Vassilvitskii 2007, section 2; the greedy choice
among several candidates is in their section 4). The pass also brings D up to date with the seed
that won the round before, so each round reads the rows once.

Potentials are kept per block of panels: a draw finds its block in their cumulative sum and its row
inside the block (`locate_rows`), so no cumulative sum over the rows is ever formed.
"""

import numpy as np
from numba import prange

from fastclust._kernels.jit import inner, kernel
from fastclust._kernels.simd import (
    DISTANCE_TILE,
    load,
    minimum,
    minimum_tile,
    scale_add_tile,
    splat,
    square_diff_tile,
    store,
    store_lane_sums,
    zero_tile,
)


@inner
def _update_closest(panels, p, winner, closest_sq_out):
    """Bring D^2 of one panel up to date with the seed that won."""
    acc = zero_tile(panels, 1)
    for f in range(panels.shape[1]):
        acc = square_diff_tile(acc, load(panels, (p, f)), winner, f)
    store(closest_sq_out, p, minimum(acc[0], load(closest_sq_out, p)))


@inner
def _tile_potentials(panels, weights, first, last, tiles, t, closest_sq):
    """Tile of potentials of the candidates of tile t over one block, lane by lane."""
    potentials = zero_tile(panels, DISTANCE_TILE)
    weight = splat(panels, 1.0)
    for p in range(first, last):
        acc = zero_tile(panels, DISTANCE_TILE)
        for f in range(panels.shape[1]):
            acc = square_diff_tile(acc, load(panels, (p, f)), tiles, (t, f))
        if weights.shape[0] > 0:
            weight = load(weights, p)
        potentials = scale_add_tile(potentials, minimum_tile(acc, load(closest_sq, p)), weight)
    return potentials


@kernel
def estimate_potentials(
    slots, panels, weights, block_panels, has_winner, winner, tiles, closest_sq_out, potentials_out
):
    """Potential of every candidate over every block; here a slot is a range of blocks.

    panels : (n_panels, n_features, LANES)                # IN
    weights : (n_panels, LANES), or (0, LANES) for ones   # IN
    block_panels : panels in a block                      # IN
    has_winner : 1 if D is to be brought up to date       # IN
    winner : (n_features, 1), the seed that won           # IN
    tiles : (n_tiles, n_features, DISTANCE_TILE)          # IN: the candidates
    closest_sq_out : (n_panels, LANES)                    # IN, OUT: D^2; 0 for padding rows
    potentials_out : (n_blocks, n_tiles, DISTANCE_TILE)   # OUT, float64
    """
    for s in prange(slots.shape[0]):
        for block in range(slots[s, 1], slots[s, 2]):
            first = block * block_panels
            last = min(first + block_panels, panels.shape[0])
            if has_winner:
                for p in range(first, last):
                    _update_closest(panels, p, winner, closest_sq_out)
            for t in range(tiles.shape[0]):
                potentials = _tile_potentials(
                    panels, weights, first, last, tiles, t, closest_sq_out
                )
                store_lane_sums(potentials_out, (block, t), potentials)


@inner
def _locate_row(panels, weights, block_panels, winner, closest_sq, block, target):
    """First row of the block at which the running potential reaches the target."""
    lanes = panels.shape[2]
    first = block * block_panels
    running = 0.0
    row = first * lanes
    for p in range(first, min(first + block_panels, panels.shape[0])):
        for i in range(lanes):
            distance_sq = 0.0
            for f in range(panels.shape[1]):
                distance_sq += (np.float64(panels[p, f, i]) - winner[f, 0]) ** 2
            weight = np.float64(weights[p, i]) if weights.shape[0] > 0 else 1.0
            mass = weight * min(distance_sq, np.float64(closest_sq[p, i]))
            running += mass
            if mass > 0:  # rounding may leave the target just past the end: then the last such row
                row = p * lanes + i
            if running >= target:
                return p * lanes + i
    return row


@kernel
def locate_rows(
    slots, panels, weights, block_panels, winner, closest_sq, blocks, targets, rows_out
):
    """Row of each draw, given its block and what the draw leaves to reach inside it.

    panels, weights, block_panels : as for estimate_potentials    # IN
    winner : (n_features, 1), the last seed                       # IN
    closest_sq : (n_panels, LANES), D^2 without that seed         # IN
    blocks : (n_draws,), int64                                    # IN
    targets : (n_draws,), float64                                 # IN
    rows_out : (n_draws,), int64                                  # OUT
    """
    for s in prange(slots.shape[0]):
        for c in range(slots[s, 1], slots[s, 2]):
            rows_out[c] = _locate_row(
                panels, weights, block_panels, winner, closest_sq, blocks[c], targets[c]
            )
