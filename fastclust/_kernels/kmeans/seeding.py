"""Greedy k-means++: one pass over the rows a round, all candidates at once.

With D(x) the distance of row x to the nearest seed so far, the potential of candidate c is
sum_x w(x) min(D(x)^2, |x - c|^2) (Arthur and Vassilvitskii 2007, section 2; the greedy choice
among several candidates is in their section 4). The pass also updates D by the seed that the round
before has chosen: this seed is the first point of the tile, the candidates are the others. So each
round reads the rows once, and all the distances of a panel are computed while it is in registers
(benchmarks/bench_kernels.py: 2.5 times as fast at 200,000 x 64 as two tiles of half the width,
which read the rows from the cache the second time, while memory idles).

Potentials are kept per block of panels: a draw finds its block in their cumulative sum and its row
inside the block, so no cumulative sum over the rows is ever formed. Inside a block they are summed
lane by lane in the rows' own type (SEEDING_BLOCK_PANELS additions), and from there on in float64.
"""

import functools

import numpy as np
from numba import prange

from fastclust._kernels.jit import inner, kernel, noinline, variant
from fastclust._kernels.kmeans.constants import SEEDING_BLOCK_PANELS
from fastclust._kernels.signature import float64, int64, real
from fastclust._kernels.simd.team import end_step, is_last_of_step, take_chunk
from fastclust._kernels.simd.tiles import (
    first_of_tile,
    minimum_tile,
    observed_diff_tile,
    scale_add_tile,
    square_diff_tile,
    store_lane_sums,
    zero_tile,
)
from fastclust._kernels.simd.vectors import load, minimum, splat, store


@functools.cache
def seeding_kernel(width):
    """The kernel `seed_rounds` for tiles of this many points."""
    return _make_kernel(width, width, square_diff_tile)


@functools.cache
def observed_seeding_kernel(width):
    """The kernel `seed_rounds_observed`: the same for rows with missing values, which are NaN.

    A distance is that of the values which the row has. A value that a seed misses is 0, which the
    origin of the rows is.
    """
    return _make_kernel(f"observed_{width}", width, observed_diff_tile)


def _make_kernel(name, width, add_feature):
    """Make a variant of `seed_rounds`; `add_feature` adds what a feature adds to a distance."""

    @inner
    @variant(name)
    def distances_sq(panels, p, tiles, t):
        """Tile of |x - c|^2 of one panel to the points of tile t."""
        acc = zero_tile(panels, width)
        for f in range(panels.shape[1]):
            acc = add_feature(acc, load(panels, (p, f)), tiles, (t, f))
        return acc

    @inner
    @variant(name)
    def tile_potentials(panels, weights, first, last, tiles, t, closest_sq_out):
        """Tile of potentials of the points of tile t over panels first to last, lane by lane."""
        potentials = zero_tile(panels, width)
        weight = splat(panels, 1.0)
        for p in range(first, last):
            acc = distances_sq(panels, p, tiles, t)
            closest_sq = load(closest_sq_out, p)
            if t == 0:
                closest_sq = minimum(first_of_tile(acc), closest_sq)
                store(closest_sq_out, p, closest_sq)
            if weights.shape[0] > 0:
                weight = load(weights, p)
            potentials = scale_add_tile(potentials, minimum_tile(acc, closest_sq), weight)
        return potentials

    @noinline
    @variant(name)
    def estimate_potentials(panels, weights, start, stop, tiles, closest_sq_out, potentials_out):
        """Potentials of all points over each of the blocks from start to stop."""
        for block in range(start, stop):
            first = block * SEEDING_BLOCK_PANELS
            last = min(first + SEEDING_BLOCK_PANELS, panels.shape[0])
            for t in range(tiles.shape[0]):
                potentials = tile_potentials(panels, weights, first, last, tiles, t, closest_sq_out)
                store_lane_sums(potentials_out, (block, t), potentials)

    @inner
    @variant(name)
    def draw_row(panels, weights, block, tiles, target, closest_sq_out):
        """First row of a block at which the sum of w D^2 reaches the target; updates D first."""
        lanes = panels.shape[2]
        running = 0.0
        first = block * SEEDING_BLOCK_PANELS
        row = first * lanes
        for p in range(first, min(first + SEEDING_BLOCK_PANELS, panels.shape[0])):
            acc = distances_sq(panels, p, tiles, 0)
            store(closest_sq_out, p, minimum(first_of_tile(acc), load(closest_sq_out, p)))
            for i in range(lanes):
                weight = np.float64(weights[p, i]) if weights.shape[0] > 0 else 1.0
                mass = weight * closest_sq_out[p, i]
                running += mass
                if mass > 0:  # the last such row, if rounding leaves the target past the end
                    row = p * lanes + i
                if running >= target:
                    return row
        return row

    @noinline
    @variant(name)
    def draw_candidates(
        panels, weights, uniforms, j, indices, cumulative, candidates_out, tiles_out, closest_sq_out
    ):
        """Draw the candidates of round j by w D^2 of the seeds so far; lay them out as tiles."""
        n_blocks = cumulative.shape[0]
        _copy_row(panels, indices[max(j - 1, 0)], tiles_out, 0)
        for c in range(candidates_out.shape[0]):
            if j == 0:
                candidates_out[c] = indices[0]
            else:
                target = uniforms[j - 1, c] * cumulative[n_blocks - 1]
                block = min(_search_sorted(cumulative, target), n_blocks - 1)
                inside = target - cumulative[block - 1] if block > 0 else target
                candidates_out[c] = draw_row(
                    panels, weights, block, tiles_out, inside, closest_sq_out
                )
        for c in range(candidates_out.shape[0]):
            _copy_row(panels, candidates_out[c], tiles_out, c + 1)

    @kernel
    @variant(name)
    def seed_rounds(
        chunks, panels: real[:, :, :], weights: real[:, :], uniforms: float64[:, :],
        n_workers: int64, first_round: int64, last_round: int64, team_out: int64[:, :],
        round_out: int64[:], indices_out: int64[:], candidates_out: int64[:],
        tiles_out: real[:, :, :], closest_sq_out: real[:, :], potentials_out: float64[:, :, :],
        cumulative_out: float64[:],
    ):  # fmt: skip
        """Run rounds of greedy k-means++; round 0 takes the first seed as given.

        The chunks are of blocks. A seed is final when its round ends: cumulative_out then holds the
        sums of its potential, but only the next pass over the rows updates D^2 by it.

        panels : (n_panels, n_features, LANES)                    # IN
        weights : (n_panels, LANES), or (0, LANES) for ones       # IN
        uniforms : (n_clusters - 1, n_candidates), float64        # IN: draws from [0, 1)
        n_workers : threads                                       # IN
        first_round, last_round : range of rounds                 # IN
        team_out : (N_COUNTERS, COUNTER_VALUES), int64            # IN, OUT
        round_out : (1,), int64: the round; before the first,     # IN, OUT
            whose step only draws candidates, first_round - 1
        indices_out : (n_clusters,), int64                        # IN, OUT
        candidates_out : (n_candidates,), int64                   # OUT: rows of the candidates
        tiles_out : (n_tiles, n_features, width)                  # IN, OUT: last seed, candidates
        closest_sq_out : (n_panels, LANES)                        # IN, OUT: D^2; 0 for padding rows
        potentials_out : (n_blocks, n_tiles, width)               # OUT, float64
        cumulative_out : (n_blocks,), float64                     # IN, OUT: sums of w D^2
        """
        n_chunks = chunks.shape[0]
        for _worker in prange(n_workers):
            team = team_out[:]
            s = take_chunk(team, n_chunks)
            while s >= 0:
                if round_out[0] >= first_round:
                    estimate_potentials(
                        panels, weights, chunks[s, 1], chunks[s, 2], tiles_out, closest_sq_out,
                        potentials_out,
                    )  # fmt: skip
                if is_last_of_step(team):
                    if round_out[0] >= first_round:
                        best = _best_candidate(
                            potentials_out, candidates_out.shape[0], cumulative_out
                        )
                        indices_out[round_out[0]] = candidates_out[best]
                    round_out[0] += 1
                    goes_on = round_out[0] < last_round
                    if goes_on:
                        draw_candidates(
                            panels, weights, uniforms, round_out[0], indices_out, cumulative_out,
                            candidates_out, tiles_out, closest_sq_out,
                        )  # fmt: skip
                    end_step(team, n_chunks, goes_on)
                s = take_chunk(team, n_chunks)

    return seed_rounds


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
def _copy_row(panels, row, tiles_out, point):
    """Copy a row into the tiles, as this point; a missing value becomes 0."""
    p, i = row // panels.shape[2], row % panels.shape[2]
    t, offset = point // tiles_out.shape[2], point % tiles_out.shape[2]
    for f in range(panels.shape[1]):
        x = panels[p, f, i]
        tiles_out[t, f, offset] = x if x == x else 0.0


@inner
def _best_candidate(potentials, n_candidates, cumulative_out):
    """First candidate of least potential; write the running sums of its potential by block."""
    width = potentials.shape[2]
    best, best_potential = 0, np.inf
    for c in range(n_candidates):
        t, offset = (c + 1) // width, (c + 1) % width
        potential = 0.0
        for block in range(potentials.shape[0]):
            potential += potentials[block, t, offset]
        if potential < best_potential:
            best, best_potential = c, potential
    t, offset = (best + 1) // width, (best + 1) % width
    running = 0.0
    for block in range(potentials.shape[0]):
        running += potentials[block, t, offset]
        cumulative_out[block] = running
    return best
