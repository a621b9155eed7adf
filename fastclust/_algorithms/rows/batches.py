"""Rows of which mini-batches are taken, where they lie: nothing is packed but the batches."""

import functools
from typing import NamedTuple

import numpy as np

from fastclust._algorithms.arrays import aligned_empty, chunk_zeros, filled, readable
from fastclust._algorithms.chunks import new_team, split
from fastclust._algorithms.kmeans.m_step import move_gradually
from fastclust._algorithms.kmeans.precision import search_tiles
from fastclust._algorithms.rows.panels import Panels
from fastclust._calls import run_batches
from fastclust._kernels.launch import n_workers, steps_in_launch
from fastclust._kernels.simd.sizes import VECTOR_BYTES

GATHER_WORK = 2_000
"""Cost of fetching a row from anywhere in memory, in multiply-adds of the vector kernels
(benchmarks/ablate_minibatch.py)."""

CHUNK_ROWS = 512
"""Least rows of a chunk: one thread merges the sums of all chunks in the end of each step
(benchmarks/ablate_minibatch.py)."""

MOST_BYTES = 2**24
"""Most bytes for the centers after each step of a launch, all of which are kept."""


class Steps(NamedTuple):
    """What steps of mini-batch k-means have done, beside moving the centers."""

    weights: np.ndarray
    """Rows that each center has had, of shape (n_steps, n_clusters), float64."""

    inertia: np.ndarray
    """Inertia of each batch with the centers before its step, of shape (n_steps,), float64."""


class Batches:
    """Dense rows in memory, and batches of them.

    Parameters
    ----------
    X : ndarray of shape (n_samples, n_features), float32 or float64
        The rows, C-contiguous.
    origin : ndarray of shape (n_features,)
        What is subtracted from them.
    """

    unit = False  # batches of unit vectors are not needed yet

    def __init__(self, X, origin):
        self.n_samples, self.n_features = X.shape
        self.dtype, self.origin = X.dtype, origin
        self.X, self.readable_origin = readable(X), readable(origin)

    @functools.cached_property
    def _squares(self):
        """Sum of the squared norms, and the largest, by a pass over the rows."""
        total = largest = 0.0
        for _, rows in Panels.blocks(self.X, None, self.readable_origin):
            total += rows.total_square
            largest = max(largest, rows.largest_square)
        return total, largest

    @property
    def total_square(self):
        """Sum of the squared norms of the rows less the origin."""
        return self._squares[0]

    @property
    def largest_square(self):
        """Largest squared norm of a row less the origin."""
        return self._squares[1]

    def steps_at_once(self, batch_size):
        """Return None: batches are drawn as they are needed."""
        return None

    def pack(self, indices, sample_weight=None):
        """Rows by number, packed, with these weights of theirs."""
        return Panels(self.X.take(indices, axis=0), sample_weight, self.readable_origin)

    def take(self, indices):
        """Rows by number, of shape (n_indices, n_features)."""
        return self.X.take(indices, axis=0) - self.readable_origin

    def start(self, centers, weights, batch_size):
        """Begin steps from these centers; see `DenseSteps`."""
        return DenseSteps(self, centers, weights)


class DenseSteps:
    """Steps of mini-batch k-means on dense rows, many in a launch; see `_kernels.kmeans.minibatch`.

    Parameters
    ----------
    batches : Batches
        The rows.
    centers : ndarray of shape (n_clusters, n_features)
        Centers before the first step, less the origin.
    weights : ndarray of shape (n_clusters,), float64
        Rows that each center has had.

    Attributes
    ----------
    batches : Batches
        The rows of the steps to come.
    """

    feature_weights = None  # no values are missing

    def __init__(self, batches, centers, weights):
        self.batches = batches
        self._indices = np.empty((0, 0), dtype=np.int64)
        self._centers, self._weights = centers[np.newaxis], weights[np.newaxis]

    def advance(self, indices):
        """Run a step for each batch.

        Parameters
        ----------
        indices : ndarray of shape (n_steps, batch_size)
            Numbers of the rows of each batch.

        Returns
        -------
        steps : Steps
            What the steps have done; they may be fewer than asked for, but one at least.
        """
        self._indices = indices
        centers, weights = self._centers[-1], self._weights[-1]
        *tiles, lose_digits = search_tiles(centers)
        if not lose_digits:
            return self._run_in_launch(indices, centers, weights, tiles)
        statistics = self.batches.pack(indices[0]).cluster_statistics(centers)
        centers, weights = move_gradually(centers, weights, statistics)
        self._centers, self._weights = centers[np.newaxis], weights[np.newaxis]
        return Steps(self._weights, np.array([statistics.inertia]))

    def centers_after(self, step):
        """Centers after a step, counted from 0, of the last call of `advance`."""
        return self._centers[step]

    def take(self, step, places):
        """Rows at some places of the batch of a step, of shape (n_places, n_features)."""
        return self.batches.take(self._indices[step][places])

    def move(self, step, moved, rows, weights):
        """Go on with the centers after a step, of which some are moved; it then has the number 0.

        Parameters
        ----------
        step : int
            As in `centers_after`.
        moved : ndarray of shape (n_clusters,), bool
            Which centers are moved.
        rows : ndarray of shape (n_moved, n_features)
            Where they move to.
        weights : ndarray of shape (n_clusters,), float64
            Rows that each center counts as having had from now on.
        """
        self._centers = self._centers[step : step + 1].copy()
        self._centers[0, moved] = rows
        self._weights = weights[np.newaxis]

    def _run_in_launch(self, indices, centers, weights, tiles):
        """Run as many steps as fit into a launch; return what they have done."""
        batches, (k, d) = self.batches, centers.shape
        batch_size = indices.shape[1]
        lanes = VECTOR_BYTES // batches.dtype.itemsize
        n_panels = -(-batch_size // lanes)
        row_work = k * d + GATHER_WORK
        chunks = split(n_panels, lanes * row_work, max(1, batch_size // CHUNK_ROWS))
        n_steps = min(
            len(indices),
            max(1, int(steps_in_launch(chunks, batch_size * row_work))),
            max(1, MOST_BYTES // (batches.dtype.itemsize * k * d)),
        )
        numbers = np.zeros((n_steps, n_panels * lanes), dtype=np.int64)
        numbers[:, :batch_size] = indices[:n_steps]
        n_chunks = len(chunks)
        all_centers = np.empty((n_steps + 1, k, d), dtype=batches.dtype)
        all_weights = np.empty((n_steps + 1, k))
        all_centers[0], all_weights[0] = centers, weights
        inertia = np.empty(n_steps)
        run_batches(
            chunks, batches.X, batches.readable_origin, numbers.reshape(-1, lanes), batch_size,
            n_steps, n_workers(chunks), new_team(), filled(1, np.int64, 0),
            aligned_empty((n_chunks, d, lanes), batches.dtype),
            aligned_empty((n_chunks, lanes), np.int32), chunk_zeros(n_chunks, k, d),
            chunk_zeros(n_chunks, k), chunk_zeros(n_chunks, k, dtype=np.int64),
            np.empty(n_chunks), all_centers, all_weights, *tiles, inertia,
        )  # fmt: skip
        self._centers, self._weights = all_centers[1:], all_weights[1:]
        return Steps(self._weights, inertia)
