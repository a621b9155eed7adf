"""A step of mini-batch k-means on sparse rows (Sculley 2010), in two kernels.

A center c is the mean of all rows that it has ever had. What is kept is their sum s and their
number n, so that c = s / n need not be formed: a step adds the stored values of its rows to sums,
and costs nothing for all the other features. With `scale` = -2 / n,

    |x - c|^2 - |x|^2 = |s|^2 / n^2 + scale x.s

is least for the nearest center, and |s|^2 follows from the values that change. A center without
rows so far is stored as if it were the sum of one row (n = 1). Where |s|^2 could overflow, rows are
multiplied by a power of two, `unit`, before they are added; n in the formula is then n unit.

The sums are in float64, whatever the rows are: float32 would lose a row in a sum of many. They lie
like the centers of `csr`: sums[f, v, lane] is that of center v * LANES + lane. The rows of a batch
are read from X by their numbers.
"""

from typing import NamedTuple

import numpy as np
from numba import prange

from fastclust._kernels.jit import inner, kernel, noinline
from fastclust._kernels.kmeans.constants import CANCELS, LEAST_OF_SQUARE
from fastclust._kernels.kmeans.csr import SparseRows, dots, first_least, make_distance_sq
from fastclust._kernels.signature import float64, int32, int64, real
from fastclust._kernels.simd.vectors import fma, load, prefetch, store

PREFETCH_ROWS, PREFETCH_VALUES = 4, 64
"""How many rows ahead of the one in work are prefetched, and at most how many values of each."""


class Means(NamedTuple):
    """Centers as sums of rows.

    sums : (n_features, n_vectors, LANES), float64
    scale : (n_vectors * LANES,), float64: -2 / (n unit)
    center_sq : (n_vectors * LANES,), float64: |c|^2, infinite for the padding centers
    n_nonzero : (n_vectors * LANES,), int64: values of each sum that are not 0, or more
    """

    sums: object
    scale: object
    center_sq: object
    n_nonzero: object


@inner
def _mean(means, j, f):
    """Coordinate f of center j."""
    lanes = means.sums.shape[2]
    return means.sums[f, j // lanes, j % lanes] * (-0.5 * means.scale[j])


_distance_sq_by_differences = make_distance_sq(_mean)


@inner
def _prefetch_rows(rows, numbers, b, last):
    """Have the first values of a row of a batch fetched that comes soon after row b."""
    prefetch(rows.indptr, numbers[min(b + 2 * PREFETCH_ROWS, last)])
    i = numbers[min(b + PREFETCH_ROWS, last)]
    first = rows.indptr[i]
    stop = min(rows.indptr[i + 1], first + PREFETCH_VALUES)
    for e in range(first, stop, 8):
        prefetch(rows.data, e)
        prefetch(rows.indices, e)


@noinline
def _nearest_by_differences(rows, i, row_sq, means, chunk, values):
    """Label and squared distance of the center nearest to a row, where some distances cancel."""
    lanes = means.sums.shape[2]
    label, least_sq = 0, np.inf
    for j in range(means.scale.shape[0]):
        distance_sq = row_sq + values[chunk, j // lanes, j % lanes]
        if distance_sq < CANCELS * (row_sq + means.center_sq[j]):
            distance_sq = _distance_sq_by_differences(
                rows, i, means, means.n_nonzero, j, means.sums.shape[0]
            )
        if distance_sq < least_sq:
            label, least_sq = j, distance_sq
    return label, least_sq


@inner
def _nearest(rows, i, row_sq, means, largest_sq, chunk, values_out):
    """Label and squared distance of the center nearest to row i."""
    lanes = means.sums.shape[2]
    dots(rows, i, means.sums, chunk, values_out)
    for v in range(values_out.shape[1]):
        j = v * lanes
        value = fma(load(means.scale, j), load(values_out, (chunk, v)), load(means.center_sq, j))
        store(values_out, (chunk, v), value)
    label, least = first_least(values_out, chunk)
    distance_sq = row_sq + least
    if distance_sq < CANCELS * (row_sq + largest_sq):  # else no distance of the row cancels
        return _nearest_by_differences(rows, i, row_sq, means, chunk, values_out)
    return label, distance_sq


@kernel
def assign_batch_csr(
    chunks, data: real[:], indices: int32[:], indptr: int32[:], row_sq: float64[:],
    numbers: int64[:], sums: float64[:, :, :], scale: float64[:], center_sq: float64[:],
    n_nonzero: int64[:], largest_sq: float64, values_out: float64[:, :, :], labels_out: int32[:],
    chunk_inertia_out: float64[:],
):  # fmt: skip
    """Label the rows of a batch; the chunks are of these.

    data, indices, indptr : `csr.SparseRows`                             # IN
    row_sq : (n_samples,), float64: |x|^2                                # IN
    numbers : (batch_size,), int64: the rows                             # IN
    sums, scale, center_sq, n_nonzero : `Means`                          # IN
    largest_sq : largest |c|^2                                           # IN
    values_out : (n_chunks, n_vectors, LANES), float64                   # scratch
    labels_out : (batch_size,), int32                                    # OUT
    chunk_inertia_out : (n_chunks,), float64: sums of squared distances  # OUT
    """
    rows, means = SparseRows(data, indices, indptr), Means(sums, scale, center_sq, n_nonzero)
    for s in prange(chunks.shape[0]):
        chunk, inertia = chunks[s, 0], 0.0
        last = chunks[s, 2] - 1
        for b in range(chunks[s, 1], chunks[s, 2]):
            _prefetch_rows(rows, numbers, b, last)
            i = numbers[b]
            label, distance_sq = _nearest(rows, i, row_sq[i], means, largest_sq, chunk, values_out)
            labels_out[b] = label
            inertia += distance_sq
        chunk_inertia_out[chunk] = inertia


class RunningSums(NamedTuple):
    """Sums of all rows that centers have had, and what is known of them; see `Means`.

    sums_out : (n_features, n_vectors * LANES), float64
    counts_out : (n_vectors * LANES,), float64: n, but 0 for centers that have had no rows
    square_out : (n_vectors * LANES,), float64: |s|^2
    most_square_out : the same, largest since it was formed from all values
    n_nonzero_out : (n_vectors * LANES,), int64
    """

    sums_out: object
    counts_out: object
    square_out: object
    most_square_out: object
    n_nonzero_out: object


@inner
def _clear(running, j):
    """Begin the sum of a center that has had no rows."""
    for f in range(running.sums_out.shape[0]):
        running.sums_out[f, j] = 0.0
    running.square_out[j] = 0.0
    running.n_nonzero_out[j] = 0


@inner
def _add_row(rows, i, unit, running, j):
    """Add row i times unit to the sum of center j."""
    change, n_new = 0.0, 0
    for e in range(rows.indptr[i], rows.indptr[i + 1]):
        f, x = rows.indices[e], unit * rows.data[e]
        before = running.sums_out[f, j]
        after = before + x
        running.sums_out[f, j] = after
        change += (after - before) * (after + before)
        n_new += before == 0.0
    running.counts_out[j] += 1.0
    running.square_out[j] += change
    running.n_nonzero_out[j] += n_new


@inner
def _keep_precise(running, j):
    """Form |s|^2 from all values, if it has become small beside the rounding of larger ones."""
    square = running.square_out[j]
    most = max(running.most_square_out[j], square)
    if square < LEAST_OF_SQUARE * most:
        square = 0.0
        for f in range(running.sums_out.shape[0]):
            square += running.sums_out[f, j] ** 2
        running.square_out[j] = most = square
    running.most_square_out[j] = most


@kernel
def add_batch_csr(
    chunks, data: real[:], indices: int32[:], indptr: int32[:], numbers: int64[:],
    labels: int32[:], unit: float64, sums_out: float64[:, :], counts_out: float64[:],
    square_out: float64[:], most_square_out: float64[:], n_nonzero_out: int64[:],
):  # fmt: skip
    """Add the rows of a batch to the sums of their centers; the chunks are of centers.

    A chunk looks at every label but touches its own centers only.

    data, indices, indptr : `csr.SparseRows`                # IN
    numbers, labels : (batch_size,), of `assign_batch_csr`  # IN
    unit : a power of two                                   # IN
    sums_out, counts_out, square_out, most_square_out,      # IN, OUT
        n_nonzero_out : `RunningSums`
    """
    rows = SparseRows(data, indices, indptr)
    running = RunningSums(sums_out, counts_out, square_out, most_square_out, n_nonzero_out)
    for s in prange(chunks.shape[0]):
        first, stop = chunks[s, 1], chunks[s, 2]
        for b in range(numbers.shape[0]):
            _prefetch_rows(rows, numbers, b, numbers.shape[0] - 1)
            j = labels[b]
            if first <= j < stop:
                if counts_out[j] == 0.0:
                    _clear(running, j)
                _add_row(rows, numbers[b], unit, running, j)
        for j in range(first, stop):
            _keep_precise(running, j)
