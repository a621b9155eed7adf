"""Rows put side by side that see the centers alike, and the bounds of their blocks (`bounds`).

Rows are sorted by label, and by the distance to its center within a label. The sort counts, with
the distances in bins from three standard deviations below the mean to three above it, as the order
within a bin doesn't matter. It is local to a chunk of rows, which a cache holds while they are
packed in their new order: a sort of all rows would fetch each from memory by itself (60 ms instead
of 20 at 1,000,000 x 16).
"""

import numpy as np
from numba import prange

from fastclust._kernels.jit import inner, kernel


@kernel
def sort_rows(
    slots, distances_sq, labels, order, n_samples, chunk_panels, n_bins, bins_out, keys_out,
    places_out, distances_sq_out, labels_out, order_out,
):  # fmt: skip
    """Sort what is known of each row; the slots are of chunks.

    distances_sq : (n_panels, LANES), to the center of the label        # IN
    labels : (n_panels, LANES), int32                                   # IN
    order : (n_panels, LANES), int32: number of the row                 # IN
    n_samples : rows without the padding, which stays where it is       # IN
    chunk_panels : panels in a chunk                                    # IN
    n_bins : bins of the distances                                      # IN
    bins_out : (n_slots, n_clusters, 3), float64                        # scratch
    keys_out : (n_panels, LANES), int32                                 # scratch
    places_out : (n_slots, n_clusters * n_bins), int64                  # scratch
    distances_sq_out, labels_out, order_out : the same, sorted          # OUT
    """
    for s in prange(slots.shape[0]):
        for chunk in range(slots[s, 1], slots[s, 2]):
            first = chunk * chunk_panels
            last = min(first + chunk_panels, labels.shape[0])
            _place_bins(distances_sq, labels, n_samples, n_bins, slots[s, 0], first, last, bins_out)
            _count_keys(
                distances_sq, labels, n_samples, n_bins, slots[s, 0], first, last, bins_out,
                keys_out, places_out,
            )  # fmt: skip
            _move_rows(
                distances_sq, labels, order, n_samples, slots[s, 0], first, last, keys_out,
                places_out, distances_sq_out, labels_out, order_out,
            )  # fmt: skip


@inner
def _place_bins(distances_sq, labels, n_samples, n_bins, slot, first, last, bins_out):
    """Set bins_out[slot, j] to the start of the bins of label j and the inverse of their width."""
    lanes = labels.shape[1]
    for j in range(bins_out.shape[1]):
        for moment in range(3):
            bins_out[slot, j, moment] = 0.0
    for p in range(first, last):
        for i in range(min(lanes, n_samples - p * lanes)):
            j, distance_sq = labels[p, i], np.float64(distances_sq[p, i])
            bins_out[slot, j, 0] += distance_sq
            bins_out[slot, j, 1] += distance_sq * distance_sq
            bins_out[slot, j, 2] += 1.0
    for j in range(bins_out.shape[1]):
        n_rows = max(bins_out[slot, j, 2], 1.0)
        mean = bins_out[slot, j, 0] / n_rows
        deviation = np.sqrt(max(bins_out[slot, j, 1] / n_rows - mean * mean, 0.0))
        bins_out[slot, j, 0] = mean - 3 * deviation
        bins_out[slot, j, 1] = n_bins / (6 * deviation) if deviation > 0 else 0.0


@inner
def _count_keys(
    distances_sq, labels, n_samples, n_bins, slot, first, last, bins, keys_out, places_out
):
    """Key of every row, label and bin; and the first place of the rows of each key."""
    lanes = labels.shape[1]
    for key in range(places_out.shape[1]):
        places_out[slot, key] = 0
    for p in range(first, last):
        for i in range(min(lanes, n_samples - p * lanes)):
            j = labels[p, i]
            position = (distances_sq[p, i] - bins[slot, j, 0]) * bins[slot, j, 1]
            # NaN, where squares of the distances overflow, goes to the last bin.
            inside = max(position, 0.0) if position < n_bins - 1.0 else n_bins - 1.0
            key = j * n_bins + np.int64(inside)
            keys_out[p, i] = key
            places_out[slot, key] += 1
    place = first * lanes
    for key in range(places_out.shape[1]):
        n_rows = places_out[slot, key]
        places_out[slot, key] = place
        place += n_rows


@inner
def _move_rows(
    distances_sq, labels, order, n_samples, slot, first, last, keys,
    places_out, distances_sq_out, labels_out, order_out,
):  # fmt: skip
    """Move what is known of each row to its place; rows of one key stay in their order."""
    lanes = labels.shape[1]
    for p in range(first, last):
        for i in range(lanes):
            place = p * lanes + i
            if place < n_samples:
                place = places_out[slot, keys[p, i]]
                places_out[slot, keys[p, i]] = place + 1
            q, lane = place // lanes, place % lanes
            distances_sq_out[q, lane] = distances_sq[p, i]
            labels_out[q, lane] = labels[p, i]
            order_out[q, lane] = order[p, i]


@kernel
def start_bounds(
    slots, distances_sq, labels, centers_t, n_samples, error, block_panels,
    apart_out, homes_out, uppers_out, lowers_out,
):  # fmt: skip
    """Bounds of blocks from the distances of their rows and between centers.

    A row at distance u of its center is at least |c_home - c_j| - u from center j. The lower
    bounds of mixed blocks are -inf: they meet all centers once.

    distances_sq, labels : (n_panels, LANES), as above              # IN
    centers_t : (n_features, n_clusters)                            # IN
    n_samples : rows without the padding                            # IN
    error, block_panels : as in `bounds.iterate_bounded`            # IN
    apart_out : (n_slots, n_clusters), float64                      # scratch
    homes_out, uppers_out, lowers_out : as there                    # OUT
    """
    for s in prange(slots.shape[0]):
        _start_blocks(
            distances_sq, labels, centers_t, n_samples, error, block_panels,
            slots[s, 0], slots[s, 1], slots[s, 2], apart_out, homes_out, uppers_out, lowers_out,
        )  # fmt: skip


@inner
def _start_blocks(
    distances_sq, labels, centers_t, n_samples, error, block_panels, slot, start, stop,
    apart_out, homes_out, uppers_out, lowers_out,
):  # fmt: skip
    last_home = -1
    for block in range(start, stop):
        home = labels[block * block_panels, 0]
        if home != last_home:  # blocks of one home follow one another
            _distances_apart(centers_t, home, slot, apart_out)
            last_home = home
        _start_block(
            distances_sq, labels, n_samples, error, block, block_panels, home,
            slot, apart_out, homes_out, uppers_out, lowers_out,
        )  # fmt: skip


@inner
def _distances_apart(centers_t, home, slot, apart_out):
    """Distance of every center to that of the home."""
    for j in range(centers_t.shape[1]):
        apart_out[slot, j] = 0.0
    for f in range(centers_t.shape[0]):
        c = np.float64(centers_t[f, home])
        for j in range(centers_t.shape[1]):
            apart_out[slot, j] += (centers_t[f, j] - c) ** 2
    for j in range(centers_t.shape[1]):
        apart_out[slot, j] = np.sqrt(apart_out[slot, j])


@inner
def _start_block(
    distances_sq, labels, n_samples, error, block, block_panels, home, slot, apart,
    homes_out, uppers_out, lowers_out,
):  # fmt: skip
    lanes, n_clusters = labels.shape[1], apart.shape[1]
    mixed, upper_sq = False, 0.0
    first = block * block_panels
    for p in range(first, min(first + block_panels, labels.shape[0])):
        for i in range(min(lanes, n_samples - p * lanes)):
            mixed |= labels[p, i] != home
            upper_sq = max(upper_sq, distances_sq[p, i])
    upper = np.sqrt(upper_sq + error)
    homes_out[block] = ~home if mixed else home
    uppers_out[block] = upper
    margin = upper + np.sqrt(error + error)
    for j in range(lowers_out.shape[1]):
        if j >= n_clusters:
            lowers_out[block, j] = np.inf
        elif mixed or j == home:
            lowers_out[block, j] = -np.inf
        else:
            lowers_out[block, j] = apart[slot, j] - margin
