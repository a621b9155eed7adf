"""Chunks: how the items of a pass (panels, blocks, rows, clusters) are divided among threads."""

import functools

import numpy as np

from fastclust._kernels.simd.sizes import COUNTER_VALUES, N_COUNTERS

MIN_CHUNK_WORK = 2**20
"""Multiply-adds below which a chunk is not worth a thread: they take about as long as a launch."""

MAX_CHUNKS = 64
"""Enough chunks to keep that many threads busy, few enough that merging them costs nothing."""


@functools.lru_cache(maxsize=256)
def split(n_items, item_work, max_chunks=MAX_CHUNKS, min_work=MIN_CHUNK_WORK):
    """Divide items into chunks of equal size; the result depends on the arguments alone.

    Parameters
    ----------
    n_items : int
        Number of items.
    item_work : float
        Multiply-adds that one item costs.
    max_chunks : int, default=MAX_CHUNKS
        Upper limit of the number of chunks.
    min_work : float, default=MIN_CHUNK_WORK
        Multiply-adds below which a chunk is not worth a thread.

    Returns
    -------
    chunks : ndarray of shape (n_chunks, 3), int64
        Number, first item and end of each chunk; read-only, as calls share it.
    """
    wanted = int(n_items * item_work / min_work)
    n_chunks = max(1, min(wanted, n_items, max_chunks))
    if n_chunks == 1:  # the short way, for small fits
        chunks = np.array([[0, 0, n_items]], dtype=np.int64)
    else:
        chunks = np.empty((n_chunks, 3), dtype=np.int64)
        chunks[:, 0] = np.arange(n_chunks)
        chunks[:, 1] = chunks[:, 0] * n_items // n_chunks
        chunks[:-1, 2], chunks[-1, 2] = chunks[1:, 1], n_items
    chunks.flags.writeable = False
    return chunks


def split_by_work(work, max_chunks=MAX_CHUNKS, min_work=MIN_CHUNK_WORK):
    """Divide items that cost differently into chunks of about equal work.

    Parameters
    ----------
    work : ndarray of shape (n_items,), float64
        Multiply-adds that each item costs, above 0.
    max_chunks, min_work : int, float
        As in `split`.

    Returns
    -------
    chunks : ndarray of shape (n_chunks, 3), int64
        As of `split`; none is empty.
    """
    ends = np.cumsum(work)
    n_chunks = max(1, min(int(ends[-1] / min_work), max_chunks))
    borders = np.searchsorted(ends, ends[-1] * np.arange(1, n_chunks) / n_chunks)
    borders = np.unique(np.concatenate([[0], borders, [len(work)]]))
    return np.column_stack([np.arange(len(borders) - 1), borders[:-1], borders[1:]])


def most_with_sums(n_samples, n_clusters, itemsize):
    """Most chunks whose sums of clusters take no more than half of the memory of the rows."""
    return max(1, n_samples * itemsize // (16 * n_clusters))


def new_team():
    """Counters of a launch's team; see `_kernels.simd.team`."""
    return np.empty((N_COUNTERS, COUNTER_VALUES), dtype=np.int64)
