"""The first bounds of blocks of rows (`bounded`), from distances that are known already."""

import numpy as np
from numba import prange

from fastclust._kernels.jit import inner, kernel
from fastclust._kernels.kmeans.bounded import Bounds
from fastclust._kernels.signature import float64, int32, int64, real


@kernel
def start_bounds(
    chunks, distances_sq: real[:, :], labels: int32[:, :], centers_t: real[:, :], n_samples: int64,
    error: float64, block_panels: int64, apart_out: float64[:, :], assigned_out: int32[:],
    is_mixed_out: int32[:], uppers_out: real[:], lowers_out: real[:, :],
):  # fmt: skip
    """Set the bounds of blocks from the distances of their rows, and of centers to each other.

    A row at distance u of its center is at least |c_assigned - c_j| - u from center j. The lower
    bounds of mixed blocks are -inf, so that all centers are evaluated once.

    distances_sq, labels : (n_panels, LANES)               # IN
    centers_t : (n_features, n_clusters)                   # IN
    n_samples : rows without the padding                   # IN
    error, block_panels : as in `bounded.Blocks`           # IN
    apart_out : (n_chunks, n_clusters), float64            # scratch
    assigned_out, is_mixed_out, uppers_out, lowers_out :   # OUT
        `bounded.Bounds`
    """
    bounds = Bounds(assigned_out, is_mixed_out, uppers_out, lowers_out)
    for s in prange(chunks.shape[0]):
        chunk, last_assigned = chunks[s, 0], -1
        for block in range(chunks[s, 1], chunks[s, 2]):
            assigned = labels[block * block_panels, 0]
            if assigned != last_assigned:  # blocks of one assigned center follow one another
                _distances_apart(centers_t, assigned, chunk, apart_out)
                last_assigned = assigned
            first = block * block_panels
            last = min(first + block_panels, labels.shape[0])
            upper_sq, mixed = _look_at_rows(distances_sq, labels, n_samples, first, last, assigned)
            _set_bounds(bounds, block, assigned, mixed, upper_sq, error, chunk, apart_out)


@inner
def _distances_apart(centers_t, assigned, chunk, apart_out):
    """Distance of every center to the assigned one."""
    for j in range(centers_t.shape[1]):
        apart_out[chunk, j] = 0.0
    for f in range(centers_t.shape[0]):
        c = np.float64(centers_t[f, assigned])
        for j in range(centers_t.shape[1]):
            apart_out[chunk, j] += (centers_t[f, j] - c) ** 2
    for j in range(centers_t.shape[1]):
        apart_out[chunk, j] = np.sqrt(apart_out[chunk, j])


@inner
def _look_at_rows(distances_sq, labels, n_samples, first, last, assigned):
    """Largest squared distance in panels first to last; whether a label is not `assigned`."""
    lanes = labels.shape[1]
    mixed, upper_sq = False, 0.0
    for p in range(first, last):
        for i in range(min(lanes, n_samples - p * lanes)):
            mixed |= labels[p, i] != assigned
            upper_sq = max(upper_sq, distances_sq[p, i])
    return upper_sq, mixed


@inner
def _set_bounds(bounds, block, assigned, mixed, upper_sq, error, chunk, apart):
    assigned_out, is_mixed_out, uppers_out, lowers_out = bounds
    n_clusters = apart.shape[1]
    upper = np.sqrt(upper_sq + error)
    assigned_out[block], is_mixed_out[block] = assigned, mixed
    uppers_out[block] = upper
    margin = upper + np.sqrt(error + error)
    for j in range(lowers_out.shape[1]):
        if j >= n_clusters:
            lowers_out[block, j] = np.inf
        elif mixed or j == assigned:
            lowers_out[block, j] = -np.inf
        else:
            lowers_out[block, j] = apart[chunk, j] - margin
