"""Rows into panels: column sums, and packing with the mean subtracted.

A panel holds LANES rows, feature-major: panels[p, f, lane] = X[p * LANES + lane, f] - mean[f].
Lanes past the last row are filled with zeros.
"""

import numpy as np
from numba import prange

from fastclust._kernels.jit import inner, kernel


@inner
def _sum_columns(X, slot, start, stop, sums_out):
    n_features = X.shape[1]
    for f in range(n_features):
        sums_out[slot, f] = 0.0
    for i in range(start, stop):
        for f in range(n_features):
            sums_out[slot, f] += X[i, f]


@kernel
def sum_columns(slots, X, sums_out):
    """Sum the rows of each slot.

    X : (n_samples, n_features)                    # IN
    sums_out : (n_slots, n_features), float64      # OUT
    """
    for s in prange(slots.shape[0]):
        _sum_columns(X, slots[s, 0], slots[s, 1], slots[s, 2], sums_out)


@inner
def _pack_panel(X, mean, p, panels_out):
    """Fill one panel; return the sum of its squares and the largest sum of a row, in float64."""
    n_features, lanes = panels_out.shape[1], panels_out.shape[2]
    first = p * lanes
    n_rows = min(lanes, X.shape[0] - first)
    square, largest = 0.0, 0.0
    for i in range(n_rows):
        row_sq = 0.0
        for f in range(n_features):
            x = X[first + i, f] - mean[f]
            panels_out[p, f, i] = x
            row_sq += np.float64(x) * x
        square += row_sq
        largest = max(largest, row_sq)
    for i in range(n_rows, lanes):
        for f in range(n_features):
            panels_out[p, f, i] = 0
    return square, largest


@kernel
def pack_rows(slots, X, mean, panels_out, squares_out, largest_out):
    """Pack X - mean into panels.

    X : (n_samples, n_features)                      # IN
    mean : (n_features,), X's dtype                  # IN
    panels_out : (n_panels, n_features, LANES)       # OUT
    squares_out : (n_slots,), float64                # OUT: sum of (X - mean)**2
    largest_out : (n_slots,), float64                # OUT: largest |x - mean|^2 of a row
    """
    for s in prange(slots.shape[0]):
        _pack_slot(
            X, mean, slots[s, 0], slots[s, 1], slots[s, 2], panels_out, squares_out, largest_out
        )


@inner
def _pack_slot(X, mean, slot, start, stop, panels_out, squares_out, largest_out):
    squares_out[slot], largest_out[slot] = 0.0, 0.0
    for p in range(start, stop):
        square, largest = _pack_panel(X, mean, p, panels_out)
        squares_out[slot] += square
        largest_out[slot] = max(largest_out[slot], largest)
