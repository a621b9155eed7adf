"""Rounds of greedy k-means++ on sparse rows (Arthur and Vassilvitskii 2007).

The candidates are rows themselves. So the dot products of one with all rows are sums over its
stored features only, of the columns of these: X comes by columns (CSC) too, and most values of X
are not looked at. Squared distances |x|^2 + |c|^2 - 2 x.c that have lost digits are computed again,
as sums of (x - c)^2.
"""

import numpy as np
from numba import prange

from fastclust._kernels.jit import inner, kernel
from fastclust._kernels.kmeans.constants import CANCELS
from fastclust._kernels.kmeans.csr import SparseRows
from fastclust._kernels.signature import float64, int32, int64, real


@inner
def _add_dots(rows, columns, i, c, dots_out):
    """dots_out[c, :] = the dot products of row i with all rows."""
    for other in range(dots_out.shape[1]):
        dots_out[c, other] = 0.0
    for e in range(rows.indptr[i], rows.indptr[i + 1]):
        f, x = rows.indices[e], np.float64(rows.data[e])
        for q in range(columns.indptr[f], columns.indptr[f + 1]):
            dots_out[c, columns.indices[q]] += x * columns.data[q]


@inner
def _distance_sq_of_rows(rows, i, other):
    """|x - y|^2 of two rows, as the sum of (x - y)^2."""
    data, indices, indptr = rows
    e, stop = indptr[i], indptr[i + 1]
    q, other_stop = indptr[other], indptr[other + 1]
    distance_sq = 0.0
    while e < stop or q < other_stop:
        x = y = 0.0
        is_next = e < stop and (q == other_stop or indices[e] <= indices[q])
        is_next_other = q < other_stop and (e == stop or indices[q] <= indices[e])
        if is_next:
            x = np.float64(data[e])
            e += 1
        if is_next_other:
            y = np.float64(data[q])
            q += 1
        distance_sq += (x - y) ** 2
    return distance_sq


@kernel
def try_candidates_csr(
    chunks, data: real[:], indices: int32[:], indptr: int32[:], column_data: real[:],
    column_rows: int32[:], column_starts: int32[:], row_sq: float64[:], weights: real[:],
    candidates: int64[:], closest_sq: float64[:], closest_sq_out: float64[:, :],
    potentials_out: float64[:],
):  # fmt: skip
    """Squared distances to the closest seed with each candidate among them, and their sums.

    The indices of a row are in order, each once. The chunks are of candidates.

    data, indices, indptr : `csr.SparseRows`                                # IN
    column_data, column_rows, column_starts : the same values by columns    # IN
    row_sq : (n_samples,), float64: |x|^2                                   # IN
    weights : (n_samples,), or (0,) for ones                                # IN
    candidates : (n_candidates,), int64: numbers of rows                    # IN
    closest_sq : (n_samples,), float64: D^2, to the closest of the seeds    # IN
    closest_sq_out : (n_candidates, n_samples), float64: D^2 afterwards     # OUT
    potentials_out : (n_candidates,), float64: weighted sums of these       # OUT
    """
    rows = SparseRows(data, indices, indptr)
    columns = SparseRows(column_data, column_rows, column_starts)
    for s in prange(chunks.shape[0]):
        for c in range(chunks[s, 1], chunks[s, 2]):
            candidate, potential = candidates[c], 0.0
            _add_dots(rows, columns, candidate, c, closest_sq_out)
            for i in range(row_sq.shape[0]):
                squares = row_sq[i] + row_sq[candidate]
                distance_sq = squares - 2.0 * closest_sq_out[c, i]
                if distance_sq < CANCELS * squares:
                    distance_sq = _distance_sq_of_rows(rows, i, candidate)
                distance_sq = min(distance_sq, closest_sq[i])
                closest_sq_out[c, i] = distance_sq
                weight = np.float64(weights[i]) if weights.shape[0] > 0 else 1.0
                potential += weight * distance_sq
            potentials_out[c] = potential
