"""Rows into panels: column sums, and packing with the mean subtracted, or with length 1.

A panel holds LANES rows, feature-major: panels[p, f, lane] = X[p * LANES + lane, f] - mean[f].
Lanes past the last row are filled with zeros. Rows that are to be unit vectors are divided by their
norm when their panel has been filled, while it is in the cache.
"""

import numpy as np
from numba import prange

from fastclust._kernels.jit import inner, kernel
from fastclust._kernels.signature import float32, float64, int32, int64, real
from fastclust._kernels.simd.panels import PREFETCH_PANELS, pack_panel, prefetch_rows
from fastclust._kernels.simd.reductions import greatest_lane
from fastclust._kernels.simd.vectors import add_squares, lane, load, zero_doubles

LEAST_SQ, MOST_SQ = 2.0**-900, 2.0**1000
"""Range of squared norms in which squares neither overflow nor lose digits to underflow. A row
outside it is multiplied by a power of two first."""

UP = 2.0**600
"""Factor for rows below that range, and 1 / UP for those above: the smallest float64, 2^-1074,
becomes 2^-474."""


@inner
def _sum_columns(values, n_features, chunk, start, stop, sums_out):
    """Sum several rows side by side: the next sum of a column need not wait for the last."""
    width = sums_out.shape[1]
    for j in range(width):
        sums_out[chunk, j] = 0.0
    first, last = start * n_features, stop * n_features
    n_whole = (last - first) // width
    for block in range(n_whole):
        part = values[first + block * width :]  # indexed from 0, which LLVM makes into vectors
        for j in range(width):
            sums_out[chunk, j] += part[j]
    part = values[first + n_whole * width : last]
    for j in range(len(part)):
        sums_out[chunk, j] += part[j]


@kernel
def sum_columns(chunks, values: real[:], n_features: int64, sums_out: float64[:, :]):
    """Sum the rows of each chunk: its row i is part of sum i % n_side_by_side.

    values : (n_samples * n_features,)                           # IN: of X, row by row
    n_features : columns of X                                    # IN
    sums_out : (n_chunks, n_side_by_side * n_features), float64  # OUT
    """
    for s in prange(chunks.shape[0]):
        _sum_columns(values, n_features, chunks[s, 0], chunks[s, 1], chunks[s, 2], sums_out)


@inner
def _number_rows(order, p, n_samples, chunk, numbers_out):
    """Write the numbers in X of the rows of a panel; the last row stands in for padding."""
    lanes = numbers_out.shape[1]
    for i in range(lanes):
        place = min(p * lanes + i, n_samples - 1)
        in_order = order.shape[0] > 0
        numbers_out[chunk, i] = order[place // lanes, place % lanes] if in_order else place


@inner
def _sum_squares(panels, p):
    """Squared norms of the rows of a panel, in float64."""
    row_sq = zero_doubles(panels)
    for f in range(panels.shape[1]):
        row_sq = add_squares(row_sq, load(panels, (p, f)))
    return row_sq


@inner
def _bring_into_range(p, i, panels_out):
    """Multiply a row by a power of two that brings its squares into the range above."""
    largest = 0.0
    for f in range(panels_out.shape[1]):
        largest = max(largest, abs(panels_out[p, f, i]))
    scale = UP if largest < 1.0 else 1.0 / UP
    for f in range(panels_out.shape[1]):
        panels_out[p, f, i] *= scale


@inner
def _normalize_panel(p, n_rows, norms_out, panels_out):
    """Divide the rows of a panel by their norms; return how many are zero, and stay so."""
    row_sq = _sum_squares(panels_out, p)
    n_outside, n_zero = 0, 0
    for i in range(n_rows):
        if not LEAST_SQ <= lane(row_sq, i) <= MOST_SQ:
            _bring_into_range(p, i, panels_out)
            n_outside += 1
    if n_outside > 0:  # summed in the same order as others: the same bits in any unit
        row_sq = _sum_squares(panels_out, p)
    for i in range(panels_out.shape[2]):
        is_zero = lane(row_sq, i) == 0.0
        n_zero += is_zero and i < n_rows
        norms_out[i] = 1.0 if is_zero else np.sqrt(lane(row_sq, i))
    for f in range(panels_out.shape[1]):
        for i in range(panels_out.shape[2]):
            panels_out[p, f, i] = panels_out[p, f, i] / norms_out[i]
    return n_zero


@inner
def _pack_chunk(X, n_samples, mean, order, chunks, s, unit, numbers_out, norms_out, panels_out):
    """Pack the rows of a chunk.

    Return the sum and the largest of their squared norms, and how many are zero, if they are to be
    unit vectors.
    """
    chunk, stop = chunks[s, 0], chunks[s, 2]
    square, largest, n_zero = 0.0, 0.0, 0
    lanes = panels_out.shape[2]
    for p in range(chunks[s, 1], stop):
        _number_rows(order, p, n_samples, chunk, numbers_out)
        if order.shape[0] > 0:
            prefetch_rows(X, order, min(p + PREFETCH_PANELS, stop - 1))
        n_rows = min(lanes, n_samples - p * lanes)
        pack_panel(X, mean, numbers_out, chunk, n_rows, panels_out, p)
        if unit:
            n_zero += _normalize_panel(p, n_rows, norms_out[chunk], panels_out)
        row_sq = _sum_squares(panels_out, p)
        for i in range(lanes):
            square += lane(row_sq, i)
        largest = max(largest, greatest_lane(row_sq))
    return square, largest, n_zero


@kernel
def pack_rows(
    chunks, X: real[:, :], n_samples: int64, mean: real[:], order: int32[:, :], unit: int64,
    numbers_out: int64[:, :], norms_out: float64[:, :], panels_out: real[:, :, :],
    squares_out: float64[:], largest_out: float64[:], n_zero_out: int64[:],
):  # fmt: skip
    """Pack X - mean into panels, or the rows of X - mean divided by their norms.

    X : (n_rows, n_features)                         # IN
    n_samples : rows to pack                         # IN
    mean : (n_features,), X's dtype                  # IN
    order : (n_panels, LANES), int32: numbers of     # IN
        the rows in X, or (0, LANES) for X's order
    unit : 1 to divide the rows by their norms, or 0 # IN
    numbers_out : (n_chunks, LANES), int64           # scratch
    norms_out : (n_chunks, LANES), float64           # scratch
    panels_out : (n_panels, n_features, LANES)       # OUT
    squares_out : (n_chunks,), float64               # OUT: sum of the squares of the packed values
    largest_out : (n_chunks,), float64               # OUT: largest squared norm of a packed row
    n_zero_out : (n_chunks,), int64                  # OUT: if unit, rows of norm 0, which stay 0
    """
    for s in prange(chunks.shape[0]):
        chunk = chunks[s, 0]
        squares_out[chunk], largest_out[chunk], n_zero_out[chunk] = _pack_chunk(
            X, n_samples, mean, order, chunks, s, unit != 0, numbers_out, norms_out, panels_out
        )


@kernel
def take_csr_rows(
    chunks, data: real[:], indices: int32[:], indptr: int32[:], numbers: int32[:],
    starts: int32[:], data_out: real[:], indices_out: int32[:], row_sq_out: float64[:],
):  # fmt: skip
    """Copy rows of a CSR matrix by their numbers, and sum the squares of each.

    data, indices, indptr : as CSR has them        # IN
    numbers : (n_taken,), int32                    # IN
    starts : (n_taken + 1,), int32                 # IN: where each row begins in the copy, and end
    data_out, indices_out : (n_stored,)            # OUT: values and columns of the copy
    row_sq_out : (n_taken,), float64               # OUT
    """
    for s in prange(chunks.shape[0]):
        for i in range(chunks[s, 1], chunks[s, 2]):
            first, start = indptr[numbers[i]], starts[i]
            row_sq = 0.0
            for e in range(starts[i + 1] - start):
                value = data[first + e]
                data_out[start + e] = value
                indices_out[start + e] = indices[first + e]
                row_sq += np.float64(value) * value
            row_sq_out[i] = row_sq


@kernel
def narrow_panels(chunks, panels: real[:, :, :], panels_f32_out: float32[:, :, :]):
    """Put every two panels side by side in float32.

    panels : (n_panels, n_features, LANES), float64          # IN
    panels_f32_out : (n_panels / 2, rounded up, n_features,  # OUT: 0 beside an odd last panel
        2 * LANES), float32
    """
    n_panels, n_features, lanes = panels.shape
    for s in prange(chunks.shape[0]):
        for p in range(chunks[s, 1], chunks[s, 2]):
            for f in range(n_features):
                for i in range(lanes):
                    panels_f32_out[p, f, i] = panels[2 * p, f, i]
            for f in range(n_features):
                for i in range(lanes):
                    value = panels[2 * p + 1, f, i] if 2 * p + 1 < n_panels else 0.0
                    panels_f32_out[p, f, lanes + i] = value
