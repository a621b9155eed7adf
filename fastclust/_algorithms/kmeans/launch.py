"""Launches of the kernels that iterate Lloyd's algorithm on panels, and the memory they share."""

import numpy as np

from fastclust._algorithms.arrays import aligned_empty, chunk_zeros, in_lines
from fastclust._algorithms.chunks import new_team
from fastclust._algorithms.kmeans.m_step import move_centers
from fastclust._algorithms.kmeans.precision import search_tiles
from fastclust._algorithms.kmeans.statistics import ClusterStatistics
from fastclust._kernels.kmeans.constants import (
    IMPRECISE,
    LABELS_ONLY,
    MOVE_TO_DIRECTIONS,
    MOVE_TO_MEANS,
    N_COUNTS,
)
from fastclust._kernels.launch import n_workers, steps_in_launch

READING = 32
"""Fixed cost of an iteration (reading rows, updating sums), as a number of clusters. Without it, a
launch with few clusters, which waits for memory, would hold so many iterations that Ctrl-C took
seconds."""

NEVER = 0
"""Value of `resum_every` with which sums are never formed anew."""


class Launcher:
    """Runs iterations, whatever their kernel, in launches that are short enough for Ctrl-C.

    Parameters
    ----------
    panels : Panels
        The rows.
    centers : ndarray of shape (n_clusters, n_features)
        First centers; they are copied.
    n_chunks : int
        Most chunks of a launch.
    policy : LloydPolicy
        Constants.

    Attributes
    ----------
    centers, tiles : ndarray, list of ndarray
        Current centers, and their tiles and squared norms for the kernels.
    lose_digits : bool
        Whether labels of the centers that were last set must be found from differences.
    shifts : ndarray of shape (n_vectors * lanes,)
        How far each center moved.
    labels : ndarray of shape (n_panels, lanes), int32
        Labels, in the order of the panels.
    statistics : ClusterStatistics
        Sums over the rows of each label.
    max_weights : ndarray of shape (n_clusters,), float64
        Largest weight of each cluster since its sum was formed from all rows: the rounding error of
        the sum is proportional to it.
    counts, shift_sq : ndarray
        What the last iterations did; see `_kernels.kmeans.constants`.
    """

    def __init__(self, panels, centers, n_chunks, policy):
        self._panels, self._policy = panels, policy
        self._m_step = MOVE_TO_DIRECTIONS if panels.unit else MOVE_TO_MEANS
        n_clusters, n_features = centers.shape
        self.set_centers(centers.copy())
        n_vectors = -(-n_clusters // panels.lanes)
        self.shifts = np.zeros(n_vectors * panels.lanes, dtype=panels.dtype)
        self.labels = panels.new_labels()
        self.statistics = ClusterStatistics.zeros(n_clusters, n_features)
        self.max_weights = np.zeros(n_clusters)
        self.counts, self.shift_sq = np.zeros(N_COUNTS, dtype=np.int64), np.zeros(1)
        batch_panels = in_lines(policy.batch_panels, 4 * panels.lanes)
        self.new_labels = aligned_empty((n_chunks, batch_panels, panels.lanes), np.int32)
        self._chunk_sums = (
            chunk_zeros(n_chunks, n_clusters, n_features),
            chunk_zeros(n_chunks, n_clusters),
            chunk_zeros(n_chunks, n_clusters, dtype=np.int64),
            chunk_zeros(n_chunks, n_clusters, dtype=np.int64),
        )
        self._chunk_changed = np.zeros(n_chunks, dtype=np.int64)

    def set_centers(self, centers):
        """Go on from other centers."""
        self.centers = centers
        *self.tiles, self.lose_digits = search_tiles(centers)

    def forget_changes(self):
        """Forget how many labels changed in each chunk: the next launch may have fewer chunks."""
        self._chunk_changed[:] = 0

    def move_centers(self, sums, weights):
        """M step by itself; see `m_step.move_centers`."""
        to_unit = self._panels.unit
        return move_centers(self.centers, sums, weights, to_unit, self.tiles, self.shifts)

    def iterate(self, call, first_iteration, n_steps, tol):
        """Iterate up to n_steps times: `counts` and `shift_sq` then say what was done.

        Parameters
        ----------
        call : tuple
            Kernel, its chunks, and its own arguments, which the other kernels do not have.
        first_iteration : int
            Number of the first iteration.
        n_steps : int
            Limit of the iterations; a launch may hold fewer.
        tol : float
            Sum of squared shifts at which to stop.
        """
        self.counts[:] = 0
        self.shift_sq[:] = 0
        possible = steps_in_launch(call[1], self._panels.work(len(self.centers) + READING))
        if possible >= 1:
            n_steps = min(n_steps, int(possible))
            resum_every = self._policy.resum_every
            self._launch(call, self._m_step, first_iteration, n_steps, resum_every, tol)
            return
        self._iterate_in_parts(call, first_iteration, tol)
        if self.counts[IMPRECISE]:  # the launch that finished had no rows to sum anew
            self.counts[IMPRECISE] = 0
            self._iterate_in_parts(call, first_iteration, tol)

    def _iterate_in_parts(self, call, iteration, tol):
        """One iteration, too long for a launch: several label the rows, one moves the centers."""
        kernel, chunks, own = call
        resum_every = self._policy.resum_every
        work = self._panels.work(len(self.centers))
        self._launch(call, LABELS_ONLY, iteration, 1, resum_every, tol, work)
        self._launch((kernel, chunks[:0], own), self._m_step, iteration, 1, resum_every, tol)

    def label(self, call):
        """Label the rows by the current centers, as the last step: the sums are not merged."""
        self.counts[:] = 0
        self._launch(call, LABELS_ONLY, 0, 1, NEVER, 0.0, self._panels.work(len(self.centers)))

    def _launch(self, call, finish, first_iteration, n_steps, resum_every, tol, work=0.0):
        """Call a kernel with its own arguments and those that all kernels share."""
        kernel, chunks, own = call
        panels, statistics = self._panels, self.statistics
        kernel(
            chunks, panels.values, panels.weights, panels.n_samples, finish, first_iteration,
            n_steps, resum_every, tol, n_workers(chunks), *own, new_team(), self.labels,
            self.centers, *self.tiles, self.shifts, *self._chunk_sums, self._chunk_changed,
            statistics.sums, statistics.weights, statistics.counts, self.max_weights,
            self.counts, self.shift_sq, work=work,
        )  # fmt: skip
