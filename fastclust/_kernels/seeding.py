"""Greedy k-means++: one pass over the rows a round, all candidates at once.

With D(x) the distance of row x to the nearest seed so far, the potential of candidate c is
sum_x w(x) min(D(x)^2, |x - c|^2) (Arthur and Vassilvitskii 2007, section 2; the greedy choice
among several candidates is in their section 4). The pass also brings D up to date with the seed
that won the round before, so each round reads the rows once.

Potentials are kept per block of panels: a draw finds its block in their cumulative sum and its row
inside the block, so no cumulative sum over the rows is ever formed. Inside a block they are summed
lane by lane in the rows' own type (16 additions at most), and from there on in float64.
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
    """Tile of potentials of the candidates of tile t over panels first to last, lane by lane."""
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


@inner
def _locate_row(panels, weights, first, last, winner, closest_sq, target):
    """First row of panels first to last at which the running potential reaches the target."""
    lanes = panels.shape[2]
    running = 0.0
    row = first * lanes
    for p in range(first, last):
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


@inner
def _search_sorted(cumulative, target):
    """First entry that is not less than the target (np.searchsorted compiles for a second)."""
    low, high = 0, cumulative.shape[0]
    while low < high:
        middle = (low + high) // 2
        if cumulative[middle] < target:
            low = middle + 1
        else:
            high = middle
    return low


@inner
def _draw_rows(
    panels, weights, block_panels, uniforms, j, winner, closest_sq, cumulative, candidates_out
):
    """Rows at which the running potential reaches the draws, times its total, of round j."""
    n_blocks = cumulative.shape[0]
    for c in range(candidates_out.shape[0]):
        target = uniforms[j - 1, c] * cumulative[n_blocks - 1]
        block = min(_search_sorted(cumulative, target), n_blocks - 1)
        inside = target - cumulative[block - 1] if block > 0 else target
        first = block * block_panels
        last = min(first + block_panels, panels.shape[0])
        candidates_out[c] = _locate_row(panels, weights, first, last, winner, closest_sq, inside)


@inner
def _fill(array_out, value):
    for c in range(array_out.shape[0]):
        array_out[c] = value


@inner
def _copy_row(panels, row, tiles_out, t, offset):
    p, i = row // panels.shape[2], row % panels.shape[2]
    for f in range(panels.shape[1]):
        tiles_out[t, f, offset] = panels[p, f, i]


@inner
def _best_candidate(potentials, n_candidates, cumulative_out):
    """Position of the first candidate of least potential; cumulate its blocks."""
    best, best_potential = 0, np.inf
    for c in range(n_candidates):
        potential = 0.0
        for block in range(potentials.shape[0]):
            potential += potentials[block, c // DISTANCE_TILE, c % DISTANCE_TILE]
        if potential < best_potential:
            best, best_potential = c, potential
    running = 0.0
    for block in range(potentials.shape[0]):
        running += potentials[block, best // DISTANCE_TILE, best % DISTANCE_TILE]
        cumulative_out[block] = running
    return best


@kernel
def seed_rounds(
    slots, panels, weights, block_panels, uniforms, first_round, last_round,
    indices_out, candidates_out, tiles_out, winner_out, closest_sq_out, potentials_out,
    cumulative_out,
):  # fmt: skip
    """Rounds first_round to last_round of greedy k-means++; here a slot is a range of blocks.

    Round 0 takes indices_out[0] as the only candidate; round j chooses indices_out[j].

    panels : (n_panels, n_features, LANES)                    # IN
    weights : (n_panels, LANES), or (0, LANES) for ones       # IN
    block_panels : panels in a block                          # IN
    uniforms : (n_clusters - 1, n_candidates), float64        # IN: draws from [0, 1)
    first_round, last_round : range of rounds                 # IN
    indices_out : (n_clusters,), int64                        # IN, OUT
    candidates_out : (n_candidates,), int64                   # OUT: rows of the candidates
    tiles_out : (n_tiles, n_features, DISTANCE_TILE)          # IN, OUT: their features
    winner_out : (1, n_features, 1)                           # OUT: features of the last seed
    closest_sq_out : (n_panels, LANES)                        # IN, OUT: D^2; 0 for padding rows
    potentials_out : (n_blocks, n_tiles, DISTANCE_TILE)       # OUT, float64
    cumulative_out : (n_blocks,), float64                     # IN, OUT: of the last seed
    """
    n_candidates = candidates_out.shape[0]
    for j in range(first_round, last_round):
        if j == 0:
            _fill(candidates_out, indices_out[0])
        else:
            _copy_row(panels, indices_out[j - 1], winner_out, 0, 0)
            _draw_rows(
                panels, weights, block_panels, uniforms, j, winner_out[0], closest_sq_out,
                cumulative_out, candidates_out,
            )  # fmt: skip
        for c in range(n_candidates):
            _copy_row(panels, candidates_out[c], tiles_out, c // DISTANCE_TILE, c % DISTANCE_TILE)
        for s in prange(slots.shape[0]):
            for block in range(slots[s, 1], slots[s, 2]):
                _block_potentials(
                    panels, weights, block, block_panels, j, winner_out, tiles_out, closest_sq_out,
                    potentials_out,
                )  # fmt: skip
        indices_out[j] = candidates_out[
            _best_candidate(potentials_out, n_candidates, cumulative_out)
        ]


@inner
def _block_potentials(
    panels, weights, block, block_panels, j, winner, tiles, closest_sq_out, potentials_out
):
    """Bring D^2 of a block up to date, and sum the potential of each candidate over it."""
    first = block * block_panels
    last = min(first + block_panels, panels.shape[0])
    if j > 0:
        for p in range(first, last):
            _update_closest(panels, p, winner[0], closest_sq_out)
    for t in range(tiles.shape[0]):
        potentials = _tile_potentials(panels, weights, first, last, tiles, t, closest_sq_out)
        store_lane_sums(potentials_out, (block, t), potentials)
