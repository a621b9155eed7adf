"""Rows of which mini-batches are taken, where they lie: nothing is packed but the batches."""

from typing import NamedTuple

import numpy as np

from fastclust._algorithms.arrays import aligned_empty, chunk_zeros, filled, readable
from fastclust._algorithms.chunks import new_team, split
from fastclust._algorithms.kmeans.m_step import move_gradually
from fastclust._algorithms.kmeans.precision import search_tiles
from fastclust._algorithms.rows.csr import CsrRows
from fastclust._algorithms.rows.panels import Panels
from fastclust._calls import run_batches
from fastclust._kernels.launch import n_workers, steps_in_launch
from fastclust._kernels.simd.sizes import VECTOR_BYTES

GATHER_WORK = 2_000
"""Cost of fetching a row from anywhere in memory, in multiply-adds of the vector kernels."""

CHUNK_ROWS = 512
"""Least rows of a chunk: one thread merges the sums of all chunks in the end of each step."""

MOST_BYTES = 2**24
"""Of the centers that are kept of the steps of one launch."""


class Steps(NamedTuple):
    """What steps of mini-batch k-means have done."""

    centers: np.ndarray
    """Centers after each step, of shape (n_steps, n_clusters, n_features)."""

    weights: np.ndarray
    """Rows that each center has had, of shape (n_steps, n_clusters), float64."""

    inertia: np.ndarray
    """Inertia of each batch with the centers before its step, of shape (n_steps,), float64."""


class Batches:
    """Rows in memory, dense or sparse, and batches of them.

    Parameters
    ----------
    X : ndarray or CSR matrix of shape (n_samples, n_features), float32 or float64
        The rows; an ndarray is C-contiguous.
    origin : ndarray of shape (n_features,)
        What is subtracted from dense rows.

    Attributes
    ----------
    total_square, largest_square : float
        Sum of the squared norms of the rows less the origin, and the largest.
    """

    def __init__(self, X, origin):
        self.n_samples, self.n_features = X.shape
        self.dtype, self.origin = X.dtype, origin
        self.unit = False  # batches of unit vectors are not needed yet
        self._X = readable(X) if isinstance(X, np.ndarray) else X
        self._origin = readable(origin)
        self.total_square = self.largest_square = 0.0
        for rows in self._blocks():
            self.total_square += rows.total_square
            self.largest_square = max(self.largest_square, rows.largest_square)

    def _blocks(self):
        if not isinstance(self._X, np.ndarray):
            yield CsrRows(self._X, None)
            return
        for _, rows in Panels.blocks(self._X, None, self._origin):
            yield rows

    def pack(self, indices, sample_weight=None):
        """Rows by number, packed, with these weights of theirs."""
        if not isinstance(self._X, np.ndarray):
            return CsrRows(self._X[indices], sample_weight)
        return Panels(self._X.take(indices, axis=0), sample_weight, self._origin)

    def take(self, indices):
        """Rows by number, dense, of shape (n_indices, n_features)."""
        if not isinstance(self._X, np.ndarray):
            return self._X[indices].toarray()
        return self._X.take(indices, axis=0) - self._origin

    def most_steps(self, n_clusters):
        """Most steps for which batches are worth drawing ahead: what one call of `run` takes."""
        if not isinstance(self._X, np.ndarray):
            return 1
        return max(1, MOST_BYTES // (self.dtype.itemsize * n_clusters * self.n_features))

    def run(self, indices, centers, weights):
        """Run a step of mini-batch k-means for each batch; see `_kernels.kmeans.minibatch`.

        Parameters
        ----------
        indices : ndarray of shape (n_steps, batch_size)
            Numbers of the rows of each batch.
        centers : ndarray of shape (n_clusters, n_features)
            Centers before the first step, less the origin.
        weights : ndarray of shape (n_clusters,), float64
            Rows that each center has had.

        Returns
        -------
        steps : Steps
            What the steps have done; they may be fewer than asked for, but one at least.
        """
        if isinstance(self._X, np.ndarray):
            *tiles, lose_digits = search_tiles(centers)
            if not lose_digits:
                return self._run_in_launch(indices, centers, weights, tiles)
        statistics = self.pack(indices[0]).cluster_statistics(centers)
        centers, weights = move_gradually(centers, weights, statistics)
        inertia = np.array([statistics.inertia])
        return Steps(centers[np.newaxis], weights[np.newaxis], inertia)

    def _run_in_launch(self, indices, centers, weights, tiles):
        k, d = centers.shape
        batch_size = indices.shape[1]
        lanes = VECTOR_BYTES // self.dtype.itemsize
        n_panels = -(-batch_size // lanes)
        row_work = k * d + GATHER_WORK
        chunks = split(n_panels, lanes * row_work, max(1, batch_size // CHUNK_ROWS))
        n_steps = min(len(indices), max(1, int(steps_in_launch(chunks, batch_size * row_work))))
        numbers = np.zeros((n_steps, n_panels * lanes), dtype=np.int64)
        numbers[:, :batch_size] = indices[:n_steps]
        n_chunks = len(chunks)
        all_centers = np.empty((n_steps + 1, k, d), dtype=self.dtype)
        all_weights = np.empty((n_steps + 1, k))
        all_centers[0], all_weights[0] = centers, weights
        inertia = np.empty(n_steps)
        run_batches(
            chunks, self._X, self._origin, numbers.reshape(-1, lanes), batch_size, n_steps,
            n_workers(chunks), new_team(), filled(1, np.int64, 0),
            aligned_empty((n_chunks, d, lanes), self.dtype),
            aligned_empty((n_chunks, lanes), np.int32), chunk_zeros(n_chunks, k, d),
            chunk_zeros(n_chunks, k), chunk_zeros(n_chunks, k, dtype=np.int64),
            np.empty(n_chunks), all_centers, all_weights, *tiles, inertia,
        )  # fmt: skip
        return Steps(all_centers[1:], all_weights[1:], inertia)
