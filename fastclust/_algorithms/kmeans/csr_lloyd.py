"""State of Lloyd's algorithm on sparse rows."""

import math

import numpy as np

from fastclust._algorithms.kmeans import policy as policy_module
from fastclust._algorithms.kmeans.empty_clusters import (
    FarRows,
    farthest,
    relocate_empty_clusters,
)
from fastclust._algorithms.kmeans.m_step import move_centers
from fastclust._algorithms.kmeans.precision import may_be_far_from_means, search_tiles
from fastclust._algorithms.kmeans.statistics import ClusterStatistics
from fastclust._algorithms.rows.protocol import Iterations
from fastclust._kernels.kmeans.constants import LEAST_OF_MAX_WEIGHT


class CsrLloyd:
    """A run of Lloyd's algorithm; see `rows.protocol.LloydState`.

    Parameters
    ----------
    rows : CsrRows
        The rows.
    centers : ndarray of shape (n_clusters, n_features)
        First centers; they are copied.

    Attributes
    ----------
    centers : ndarray of shape (n_clusters, n_features)
        Current centers.
    labels : ndarray of shape (n_samples,), int32
        Labels made with the centers before the last update.
    statistics : ClusterStatistics
        Sums over the rows of each label.
    """

    def __init__(self, rows, centers):
        self._rows = rows
        self.centers = centers.copy()
        self.labels = rows.new_labels()
        self.statistics = ClusterStatistics.zeros(*centers.shape)
        self._max_weights = np.zeros(len(centers))  # since the sums were formed from all rows
        self._tiles = search_tiles(centers)[:2]
        self._shifts = np.empty(len(centers), dtype=centers.dtype)

    def advance(self, first_iteration, n_steps, tol):
        """Iterate once."""
        labels_old = self.labels.copy()
        n_changed = self._rows.assign_changes(self.centers, self.labels)
        self._accumulate(labels_old, first_iteration % policy_module.DEFAULT.resum_every == 0)
        lost = self.statistics.weights < LEAST_OF_MAX_WEIGHT * self._max_weights
        if (lost & (self.statistics.counts > 0)).any():
            self._accumulate(labels_old, True)
        return Iterations(1, n_changed, self._move_centers())

    def _accumulate(self, labels_old, from_scratch):
        """Bring the statistics up to date with the labels."""
        if from_scratch:
            self.statistics = ClusterStatistics.zeros(*self.centers.shape)
            self._max_weights[:] = 0
        statistics = self.statistics
        self._rows.sum_changes(labels_old, self.labels, from_scratch, statistics)
        empty = statistics.counts == 0  # no rounding residue in a cluster that has no rows
        statistics.sums[empty] = 0
        statistics.weights[empty] = 0
        np.maximum(self._max_weights, statistics.weights, out=self._max_weights)

    def _move_centers(self):
        """M step, with empty clusters relocated; return the sum of the squared shifts."""
        sums, weights = self.statistics.sums, self.statistics.weights
        n_empty = np.count_nonzero(self.statistics.counts == 0)
        if n_empty:
            far_rows = self._find_far_rows(n_empty)
            sums, weights = relocate_empty_clusters(self.statistics, far_rows)
        to_unit = self._rows.unit
        return move_centers(self.centers, sums, weights, to_unit, self._tiles, self._shifts)

    def _find_far_rows(self, n_far):
        """The rows farthest from the centers of their labels."""
        distances_sq = self._rows.distances_sq(self.centers, self.labels)
        i = farthest(distances_sq, n_far)
        weights = self._rows.row_weights()[i]
        return FarRows(distances_sq[i], self._rows.take(i), self.labels[i], weights)

    def settle(self):
        """Add to the centers what their rows differ from them, where rounding may have moved some.

        Centers that were relocated are no means of labels.
        """
        center_sq = np.einsum("jf,jf->j", self.centers, self.centers, dtype=np.float64)
        if self.statistics.counts.all() and may_be_far_from_means(center_sq):
            self.centers += self._rows.mean_differences(self.centers, self.labels)

    def inertia(self, centers):
        """Inertia of the current labels with these centers."""
        return self._rows.inertia(centers, self.labels)

    def finish(self, centers, with_inertia=True):
        """Labels of these centers, and their inertia or NaN."""
        labels = self._rows.assign(centers)
        return labels, self._rows.inertia(centers, labels) if with_inertia else math.nan
