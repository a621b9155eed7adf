"""Sort rows by label, and by distance within a label: rows that are alike are then side by side.

This is a counting sort. The distances are in bins, from three standard deviations below their mean
to three above it, as the order within a bin does not matter. Each segment of rows is sorted by
itself, so that a cache holds it while its rows are packed in their new order: after a sort of all
rows, packing would fetch each from memory by itself.
"""

from typing import NamedTuple

import numpy as np
from numba import prange

from fastclust._kernels.jit import inner, kernel
from fastclust._kernels.signature import float64, int32, int64, real


class Known(NamedTuple):
    """What is known of each row, each of shape (n_panels, LANES).

    distances_sq : squared distance to the center of the label
    labels : int32
    order : int32: number of the row in X
    """

    distances_sq: object
    labels: object
    order: object


class Part(NamedTuple):
    """A segment that a chunk sorts: panels first to last; n_samples counts the rows of all."""

    chunk: object
    first: object
    last: object
    n_samples: object


class Scratch(NamedTuple):
    """Memory of the sort.

    bins_out : (n_chunks, n_clusters, 2), float64: start of the bins, and 1 / their width
    counts_out : (n_chunks, n_clusters), int64: rows of the segment
    keys_out : (n_panels, LANES), int32
    places_out : (n_chunks, n_clusters * n_bins), int64
    """

    bins_out: object
    counts_out: object
    keys_out: object
    places_out: object


@kernel
def sort_rows(
    chunks, distances_sq: real[:, :], labels: int32[:, :], order: int32[:, :], n_samples: int64,
    segment_panels: int64, n_bins: int64, bins_out: float64[:, :, :], counts_out: int64[:, :],
    keys_out: int32[:, :], places_out: int64[:, :], distances_sq_out: real[:, :],
    labels_out: int32[:, :], order_out: int32[:, :],
):  # fmt: skip
    """Sort what is known of each row; the chunks are of segments.

    distances_sq, labels, order : `Known`                          # IN
    n_samples : rows without the padding, which stays where it is  # IN
    segment_panels : panels in a segment                           # IN
    n_bins : bins of the distances                                 # IN
    bins_out, counts_out, keys_out, places_out : `Scratch`         # scratch
    distances_sq_out, labels_out, order_out : `Known`, sorted      # OUT
    """
    known = Known(distances_sq, labels, order)
    moved = Known(distances_sq_out, labels_out, order_out)
    scratch = Scratch(bins_out, counts_out, keys_out, places_out)
    for s in prange(chunks.shape[0]):
        for segment in range(chunks[s, 1], chunks[s, 2]):
            first = segment * segment_panels
            last = min(first + segment_panels, labels.shape[0])
            part = Part(chunks[s, 0], first, last, n_samples)
            _place_bins(known, part, n_bins, scratch)
            _count_keys(known, part, n_bins, scratch)
            _move_rows(known, part, scratch, moved)


@inner
def _place_bins(known, part, n_bins, scratch):
    """Find, for each label, where its bins begin (mean - 3 deviations), and 1 / their width."""
    distances_sq, labels, _ = known
    chunk, first, last, n_samples = part
    bins_out, counts_out = scratch.bins_out, scratch.counts_out
    lanes = labels.shape[1]
    for j in range(bins_out.shape[1]):
        bins_out[chunk, j, 0] = 0.0
        bins_out[chunk, j, 1] = 0.0
        counts_out[chunk, j] = 0
    for p in range(first, last):
        for i in range(min(lanes, n_samples - p * lanes)):
            j, distance_sq = labels[p, i], np.float64(distances_sq[p, i])
            bins_out[chunk, j, 0] += distance_sq
            bins_out[chunk, j, 1] += distance_sq * distance_sq
            counts_out[chunk, j] += 1
    for j in range(bins_out.shape[1]):
        n_rows = max(counts_out[chunk, j], 1)
        mean = bins_out[chunk, j, 0] / n_rows
        deviation = np.sqrt(max(bins_out[chunk, j, 1] / n_rows - mean * mean, 0.0))
        bins_out[chunk, j, 0] = mean - 3 * deviation
        bins_out[chunk, j, 1] = n_bins / (6 * deviation) if deviation > 0 else 0.0


@inner
def _count_keys(known, part, n_bins, scratch):
    """Write the key of every row, its label and bin, and the first place of each key's rows."""
    distances_sq, labels, _ = known
    chunk, first, last, n_samples = part
    bins, _, keys_out, places_out = scratch
    lanes = labels.shape[1]
    for key in range(places_out.shape[1]):
        places_out[chunk, key] = 0
    for p in range(first, last):
        for i in range(min(lanes, n_samples - p * lanes)):
            j = labels[p, i]
            position = (distances_sq[p, i] - bins[chunk, j, 0]) * bins[chunk, j, 1]
            # NaN, where squares of the distances overflow, goes to the last bin.
            inside = max(position, 0.0) if position < n_bins - 1.0 else n_bins - 1.0
            key = j * n_bins + np.int64(inside)
            keys_out[p, i] = key
            places_out[chunk, key] += 1
    place = first * lanes
    for key in range(places_out.shape[1]):
        n_rows = places_out[chunk, key]
        places_out[chunk, key] = place
        place += n_rows


@inner
def _move_rows(known, part, scratch, moved):
    """Move what is known of each row to its place; rows of one key stay in their order."""
    distances_sq, labels, order = known
    distances_sq_out, labels_out, order_out = moved
    chunk, first, last, n_samples = part
    _, _, keys, places_out = scratch
    lanes = labels.shape[1]
    for p in range(first, last):
        for i in range(lanes):
            place = p * lanes + i
            if place < n_samples:
                place = places_out[chunk, keys[p, i]]
                places_out[chunk, keys[p, i]] = place + 1
            q, lane = place // lanes, place % lanes
            distances_sq_out[q, lane] = distances_sq[p, i]
            labels_out[q, lane] = labels[p, i]
            order_out[q, lane] = order[p, i]
