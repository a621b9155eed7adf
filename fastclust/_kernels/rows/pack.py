"""Rows into panels: column sums, and packing with the mean subtracted.

A panel holds LANES rows, feature-major: panels[p, f, lane] = X[p * LANES + lane, f] - mean[f].
Lanes past the last row are filled with zeros.
"""

from numba import prange

from fastclust._kernels.jit import inner, kernel
from fastclust._kernels.signature import float32, float64, int32, int64, real
from fastclust._kernels.simd.panels import PREFETCH_PANELS, pack_panel, prefetch_rows
from fastclust._kernels.simd.vectors import add_squares, greatest_lane, lane, load, zero_doubles


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
def _pack_chunk(X, mean, order, chunks, s, numbers_out, panels_out):
    """Pack the rows of a chunk; return the sum and the largest of their squared norms."""
    chunk, stop = chunks[s, 0], chunks[s, 2]
    square, largest = 0.0, 0.0
    for p in range(chunks[s, 1], stop):
        _number_rows(order, p, X.shape[0], chunk, numbers_out)
        if order.shape[0] > 0:
            prefetch_rows(X, order, min(p + PREFETCH_PANELS, stop - 1))
        n_rows = X.shape[0] - p * panels_out.shape[2]
        pack_panel(X, mean, numbers_out, chunk, n_rows, panels_out, p)
        row_sq = zero_doubles(panels_out)
        for f in range(panels_out.shape[1]):
            row_sq = add_squares(row_sq, load(panels_out, (p, f)))
        for i in range(panels_out.shape[2]):
            square += lane(row_sq, i)
        largest = max(largest, greatest_lane(row_sq))
    return square, largest


@kernel
def pack_rows(
    chunks, X: real[:, :], mean: real[:], order: int32[:, :], numbers_out: int64[:, :],
    panels_out: real[:, :, :], squares_out: float64[:], largest_out: float64[:],
):  # fmt: skip
    """Pack X - mean into panels.

    X : (n_samples, n_features)                      # IN
    mean : (n_features,), X's dtype                  # IN
    order : (n_panels, LANES), int32: numbers of     # IN
        the rows in X, or (0, LANES) for X's order
    numbers_out : (n_chunks, LANES), int64           # scratch
    panels_out : (n_panels, n_features, LANES)       # OUT
    squares_out : (n_chunks,), float64               # OUT: sum of (X - mean)**2
    largest_out : (n_chunks,), float64               # OUT: largest |x - mean|^2 of a row
    """
    for s in prange(chunks.shape[0]):
        square, largest = _pack_chunk(X, mean, order, chunks, s, numbers_out, panels_out)
        squares_out[chunks[s, 0]], largest_out[chunks[s, 0]] = square, largest


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
