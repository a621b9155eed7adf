"""Bounds of the distances between blocks of rows and centers; see `_kernels.kmeans.bounded`."""

import numpy as np

from fastclust._algorithms.arrays import aligned_empty, in_lines
from fastclust._algorithms.chunks import split
from fastclust._algorithms.rows.order import N_BINS, SORT_CHUNKS
from fastclust._calls import iterate_bounded, start_bounds
from fastclust._kernels.kmeans.constants import (
    BATCH_BLOCKS,
    LIST_TILE,
    N_ACTIVE,
    N_EVALUATED,
    N_ITER,
)


def split_blocks(panels, n_clusters, max_chunks, policy):
    """Panels in a block, number of blocks, and chunks of blocks."""
    n_vectors = -(-n_clusters // panels.lanes)
    block_panels = policy.block_panels(n_clusters, panels.n_features, n_vectors)
    n_blocks = -(-len(panels.values) // block_panels)
    block_work = block_panels * panels.lanes * panels.n_features * n_clusters
    return block_panels, n_blocks, split(n_blocks, block_work, max_chunks, policy.chunk_work)


class BlockBounds:
    """The bounds, the launches of the iterations that keep them, and counts of their work.

    Parameters
    ----------
    panels : Panels
        The rows.
    n_clusters : int
        Number of centers.
    radius_sq : float
        Largest squared norm of a row or first center.
    max_chunks : int
        Limit of the number of chunks.
    policy : LloydPolicy
        Constants.

    Attributes
    ----------
    chunks : ndarray of shape (n_chunks, 3)
        Chunks of blocks.
    n_iter : int
        Iterations done with bounds in the whole run.
    labelled, evaluated : float
        Sums over these iterations of the share of the rows that was labelled, and of the share of
        the distances between rows and centers that was computed; for benchmarks.
    """

    def __init__(self, panels, n_clusters, radius_sq, max_chunks, policy):
        lanes, dtype = panels.lanes, panels.dtype
        n_features, n_vectors = panels.n_features, -(-n_clusters // lanes)
        self._n_samples, self._n_clusters = panels.n_samples, n_clusters
        self._block_panels, self._n_blocks, self.chunks = split_blocks(
            panels, n_clusters, max_chunks, policy
        )
        self._costs = policy.block_costs(self._n_blocks, self._block_panels, n_features, n_vectors)
        eps = float(np.finfo(dtype).eps)
        self._error = 4 * (n_features + 4) * (eps * radius_sq + float(np.finfo(dtype).tiny))
        n_chunks = len(self.chunks)
        n_listed = in_lines(n_clusters + LIST_TILE, 4)
        n_label_panels = in_lines(self._block_panels, 4 * lanes)
        self._arrays = (
            np.empty(self._n_blocks, dtype=np.int32),
            np.empty(self._n_blocks, dtype=np.int32),
            np.empty(self._n_blocks, dtype=dtype),
            aligned_empty((self._n_blocks, n_vectors * lanes), dtype),
            aligned_empty((n_chunks, n_listed), np.int32),
            aligned_empty((n_chunks, n_listed), np.int64),
            aligned_empty((n_chunks, n_listed), dtype),
            aligned_empty((n_chunks, BATCH_BLOCKS), np.int64),
            np.empty((n_chunks, 2), dtype=np.int64),
            aligned_empty((n_chunks, n_label_panels, lanes), np.int32),
        )
        self._apart = np.empty((n_chunks, n_clusters))
        self.n_iter, self.labelled, self.evaluated = 0, 0.0, 0.0

    @staticmethod
    def n_bytes(panels, n_clusters):
        """Memory that regrouped rows and their bounds take, at most, beside the panels."""
        # Order, label and key, and those of the order before; distances, twice.
        row_bytes = 4 * 4 + 2 * panels.dtype.itemsize
        sort_bytes = SORT_CHUNKS * N_BINS * 8 * n_clusters
        return panels.values.nbytes + row_bytes * panels.n_samples + sort_bytes

    def start(self, labels, distances_sq, centers):
        """Make the bounds of rows with these labels and squared distances to their centers."""
        start_bounds(
            self.chunks, distances_sq, labels, np.ascontiguousarray(centers.T), self._n_samples,
            self._error, self._block_panels, self._apart, *self._arrays[:4],
        )  # fmt: skip

    def call(self, budget):
        """Kernel of iterations that stop at this cost, its chunks, and its own arguments."""
        own = self._error, self._block_panels, *self._costs, float(budget), *self._arrays
        return iterate_bounded, self.chunks, own

    def note(self, counts):
        """Count what a launch did; return its cost."""
        n_iter, n_active = int(counts[N_ITER]), int(counts[N_ACTIVE])
        n_evaluated = int(counts[N_EVALUATED])
        self.n_iter += n_iter
        self.labelled += n_active / self._n_blocks
        self.evaluated += n_evaluated / (self._n_blocks * self._n_clusters)
        test_cost, active_cost, evaluate_cost = self._costs
        return n_iter * test_cost + n_active * active_cost + n_evaluated * evaluate_cost
