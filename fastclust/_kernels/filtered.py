"""Iterations of Lloyd's algorithm in float64 that meet the centers in float32 first.

A vector holds twice as many float32, so the distances take half the time. Where the two nearest
centers are farther apart than rounding can make them seem, float64 would choose the same; the few
other rows are met again in float64. So the labels are those of a plain iteration, bit for bit.
What is in float32, single precision, is named so: one panel of `singles` is two of float64 side by
side.

Rounded to float32 are x and -2 c, with a relative error of u = 2^-24 each, and |c|^2; then each of
the n_features multiply-adds. The terms and their sums are at most |c|^2 + 2 |x||c|, so that

    E = (n_features + 4) (u (C^2 + 2 R C) + v (1 + R))

bounds the error of |c|^2 - 2 x.c, with R the largest norm of a row, C that of a center, and
v = 2^-126 for what is too small for float32. What float64 computes is off by next to nothing of it,
for which there is room: of two values that differ by more than 2.1 E, the lesser is the lesser in
float64.
"""

import numpy as np
from numba import prange

from fastclust._kernels.assign import make_search, nearest
from fastclust._kernels.centers import touch_all
from fastclust._kernels.crew import end_step, is_last_of_step, start_crew, take_slot
from fastclust._kernels.jit import inner, kernel, outlined
from fastclust._kernels.lloyd import REDO, finish_iteration, is_from_scratch, take_labels
from fastclust._kernels.simd import (
    not_above_lanes,
    splat,
    splat_labels,
    store,
    two_least_tile,
)

ROUNDING, TINY = 2.0**-24, 2.0**-126
"""Relative error of float32, and absolute error of what underflows: u and v of the header."""


@inner
def _none_yet(panels):
    far = splat(panels, np.inf)
    return far, far, splat_labels(panels, 0)


@inner
def _meet_tile(found, acc, first):
    return two_least_tile(found[0], found[1], found[2], acc, first)


_two_nearest = make_search("two", _none_yet, _meet_tile)


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


@outlined
def _assign_filtered(
    panels, weights, n_samples, n_clusters, tiles, center_sq, from_scratch, radius, singles,
    single_tiles, single_center_sq, slot, start, stop,
    new_labels_out, labels_out, slot_sums_out, slot_weights_out, slot_counts_out, slot_touched_out,
    slot_changed_out, slot_near_out,
):  # fmt: skip
    """E step of one slot, as `lloyd._assign_slot`; two panels are one of `singles`."""
    if from_scratch:
        touch_all(slot_touched_out[slot])
    lanes = panels.shape[2]
    chunk_panels = new_labels_out.shape[1]
    margin = splat(singles, _find_margin(center_sq, radius, panels.shape[1]))
    n_changed, n_near = 0, 0
    for first in range(start, stop, chunk_panels):
        last = min(first + chunk_panels, stop)
        for p in range(first, last, 2):
            best, second, labels = _two_nearest(
                singles, p // 2, n_clusters, single_tiles, single_center_sq
            )
            store(new_labels_out, (slot, p - first), labels)
            near = not_above_lanes(second - best, margin)
            if near != 0:
                for q in range(p, min(p + 2, last)):
                    if (near >> (q - p) * lanes) & ((1 << lanes) - 1):
                        n_near += 1
                        new = nearest(panels, q, n_clusters, tiles, center_sq)
                        store(new_labels_out, (slot, q - first), new)
        n_changed += take_labels(
            panels, weights, n_samples, first, last, slot, new_labels_out, from_scratch, labels_out,
            slot_sums_out[slot], slot_weights_out[slot], slot_counts_out[slot],
            slot_touched_out[slot],
        )  # fmt: skip
    slot_changed_out[slot] = n_changed
    slot_near_out[slot] = n_near


@kernel
def iterate_filtered(
    slots, panels, weights, n_samples, finish, first_iteration, n_steps, resum_every, tol,
    n_workers, few_changes, radius, most_near, singles, single_tiles_out, single_center_sq_out,
    slot_near_out, new_labels_out, crew_out, labels_out, centers_out, tiles_out,
    center_sq_out, shifts_out, slot_sums_out, slot_weights_out, slot_counts_out, slot_touched_out,
    slot_changed_out, sums_out, weights_out, counts_out, peaks_out, progress_out,
):  # fmt: skip
    """As `lloyd.iterate`, in float64; also stop when more than most_near panels were met again.

    Slots begin at even panels.

    radius : R of the header                                        # IN
    most_near : panels that may be met in float64, in an iteration  # IN
    singles : (n_panels / 2, rounded up, n_features, 2 * LANES),    # IN
        float32
    single_tiles_out, single_center_sq_out : tiles in float32       # IN, OUT
    slot_near_out : (n_slots,), int64                               # OUT: panels met in float64
    """
    n_slots = slots.shape[0]
    n_turns = max(n_slots, 1)  # without slots there is only what follows them
    start_crew(crew_out, n_turns * min(n_steps, 1))
    for _worker in prange(n_workers):
        crew = crew_out[:]
        s = take_slot(crew, n_turns)
        while s >= 0:
            if n_slots > 0:
                _assign_filtered(
                    panels, weights, n_samples, centers_out.shape[0], tiles_out, center_sq_out,
                    is_from_scratch(first_iteration, resum_every, progress_out), radius, singles,
                    single_tiles_out, single_center_sq_out, slots[s, 0], slots[s, 1], slots[s, 2],
                    new_labels_out, labels_out, slot_sums_out, slot_weights_out, slot_counts_out,
                    slot_touched_out, slot_changed_out, slot_near_out,
                )  # fmt: skip
            if is_last_of_step(crew):
                goes_on = finish and finish_iteration(
                    n_slots, first_iteration, n_steps, resum_every, tol, few_changes, centers_out,
                    tiles_out, center_sq_out, shifts_out, slot_sums_out, slot_weights_out,
                    slot_counts_out, slot_touched_out, slot_changed_out, sums_out, weights_out,
                    counts_out, peaks_out, progress_out,
                )  # fmt: skip
                n_near = _narrow(
                    tiles_out, center_sq_out, slot_near_out, single_tiles_out,
                    single_center_sq_out,
                )  # fmt: skip
                may_stop = progress_out[REDO] == 0  # an iteration that is done again is not over
                end_step(crew, n_turns, goes_on and not (may_stop and n_near > most_near))
            s = take_slot(crew, n_turns)


@outlined
def _narrow(tiles, center_sq, slot_near, single_tiles_out, single_center_sq_out):
    """Bring the tiles of float32 up to date; return how many panels were met again."""
    for t in range(tiles.shape[0]):
        for j in range(tiles.shape[2]):
            single_center_sq_out[t, j] = center_sq[t, j]
        for f in range(tiles.shape[1]):
            for j in range(tiles.shape[2]):
                single_tiles_out[t, f, j] = tiles[t, f, j]
    n_near = 0
    for near in slot_near:
        n_near += near
    return n_near
