"""Aligned arrays, and centers laid out for the kernels."""

import math

import numpy as np

from fastclust._algorithms.chunks import split
from fastclust._calls import tile_centers
from fastclust._kernels.simd.sizes import VECTOR_BYTES

LINE_BYTES = 64
"""Bytes of a cache line. Two threads that write to one line keep taking it from each other, and may
be slower than one."""

PAIR_WORK = 8
"""Cost of finding out whether two centers are close, in multiply-adds of the vector kernels
(benchmarks/ablate_constants.py)."""


def aligned_empty(shape, dtype):
    """Uninitialised array whose vectors do not straddle cache lines."""
    n_values = math.prod(shape)
    buffer = np.empty(n_values + VECTOR_BYTES // 4, dtype)  # of 4 bytes or more each
    n_bytes = -buffer.__array_interface__["data"][0] % VECTOR_BYTES  # .ctypes.data is slower
    first = n_bytes // buffer.itemsize
    return buffer[first : first + n_values].reshape(shape)


def readable(values):
    """The array as kernels read it, C-contiguous and aligned: itself, or else a copy.

    An array that came in a message, as one of Dask's, may begin at any byte.
    """
    flags = values.flags
    if flags.c_contiguous and flags.aligned:  # np.require asks this slowly
        return values
    return np.require(values, requirements=["C", "A"])


def filled(shape, dtype, value):
    """Array filled with a value: np.full takes longer for few values."""
    values = np.empty(shape, dtype)
    values.fill(value)
    return values


def aligned_filled(shape, dtype, value):
    """Array as of `aligned_empty`, filled with a value."""
    values = aligned_empty(shape, dtype)
    values.fill(value)
    return values


def in_lines(n_items, item_bytes):
    """Round n_items up to whole cache lines; item_bytes is a power of 2."""
    per_line = max(1, LINE_BYTES // item_bytes)
    return -(-n_items // per_line) * per_line


def chunk_zeros(n_chunks, n_clusters, *shape, dtype=np.float64):
    """Zeros of 8 bytes for each chunk and cluster; no two chunks share a cache line.

    There may be more clusters than asked for.
    """
    if n_chunks == 1:  # the short way, for small fits
        return np.zeros((1, n_clusters, *shape), dtype=dtype)
    return aligned_filled((n_chunks, in_lines(n_clusters, 8), *shape), dtype, 0)


def tiles_of(centers, width, scale, limit=math.inf):
    """Lay centers out for the kernels.

    Parameters
    ----------
    centers : ndarray of shape (n_clusters, n_features)
        The centers.
    width : int
        Centers in a tile.
    scale : float
        Factor of the centers in the tiles.
    limit : float, default=inf
        Two centers are close if limit times their squared distance is less than a squared norm.

    Returns
    -------
    tiles : ndarray of shape (n_tiles, n_features, width)
        The centers, scaled.
    center_sq : ndarray of shape (n_tiles, width)
        Their squared norms.
    are_close : bool
        Whether any two are close, but not equal.
    """
    centers = readable(centers)
    n_clusters, n_features = centers.shape
    n_tiles = -(-n_clusters // width)
    tiles = np.empty((n_tiles, n_features, width), dtype=centers.dtype)
    center_sq = np.empty((n_tiles, width), dtype=centers.dtype)
    pairs_work = 0.0 if limit == math.inf else PAIR_WORK * n_clusters / 2
    chunks = split(n_tiles, (n_features + pairs_work) * width)
    close = np.empty(len(chunks), dtype=np.int64)
    tile_centers(chunks, centers, scale, limit, tiles, center_sq, close)
    return tiles, center_sq, 1 in close.tolist()
