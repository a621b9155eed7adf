"""State of Lloyd's algorithm on sparse rows."""

import math

import numpy as np

from fastclust._algorithms.kmeans import policy as policy_module
from fastclust._algorithms.kmeans.empty_clusters import FarthestRows, farthest
from fastclust._algorithms.kmeans.plain_lloyd import PlainLloyd
from fastclust._algorithms.kmeans.precision import may_keep_rounding
from fastclust._algorithms.kmeans.statistics import ClusterStatistics
from fastclust._algorithms.rows.protocol import Iterations
from fastclust._kernels.kmeans.constants import LEAST_OF_MAX_WEIGHT


class CsrLloyd(PlainLloyd):
    """A run of Lloyd's algorithm; see `rows.protocol.LloydState`.

    The rows are `CsrRows`.

    Attributes
    ----------
    labels : ndarray of shape (n_samples,), int32
        Labels made with the centers before the last update.
    """

    def __init__(self, rows, centers):
        super().__init__(rows, centers)
        self.labels = rows.new_labels()
        self._max_weights = np.zeros(len(centers))  # since the sums were formed from all rows

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

    def settle(self):
        """Move the centers to the means of their rows, where rounding may have moved some away."""
        has_all = self.statistics.counts.all()
        if has_all and may_keep_rounding(self.centers, self._center_sq()):
            self._accumulate(self.labels, True)
            self._move_centers()
        super().settle()

    def _find_far_rows(self, n_far):
        """The rows farthest from the centers of their labels."""
        distances_sq = self._rows.distances_sq(self.centers, self.labels)
        i = farthest(distances_sq, n_far)
        weights = self._rows.row_weights()[i]
        return FarthestRows(distances_sq[i], self._rows.take(i), self.labels[i], weights)

    def _mean_differences(self):
        """Mean of the rows of each label less its center."""
        return self._rows.mean_differences(self.centers, self.labels)

    def inertia(self, centers):
        """Inertia of the current labels with these centers."""
        return self._rows.inertia(centers, self.labels)

    def finish(self, centers, with_inertia=True):
        """Labels of these centers, and their inertia or NaN."""
        labels = self._rows.assign(centers)
        return labels, self._rows.inertia(centers, labels) if with_inertia else math.nan
