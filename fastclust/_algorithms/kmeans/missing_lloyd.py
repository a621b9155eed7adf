"""State of Lloyd's algorithm on rows with missing values (k-POD: Chi, Chi and Baraniuk 2016)."""

import math

import numpy as np

from fastclust._algorithms.arrays import aligned_empty
from fastclust._algorithms.kmeans import policy as policy_module
from fastclust._algorithms.kmeans.empty_clusters import farthest
from fastclust._algorithms.kmeans.m_step import move_to_observed_means, sum_differences
from fastclust._algorithms.kmeans.plain_lloyd import PlainLloyd
from fastclust._algorithms.kmeans.statistics import ObservedStatistics
from fastclust._algorithms.rows.protocol import Iterations
from fastclust._kernels.kmeans.constants import LEAST_OF_MAX_WEIGHT


class MissingLloyd(PlainLloyd):
    """A run of Lloyd's algorithm; see `rows.protocol.LloydState`.

    The rows are `MissingRows`. Every feature of a center is the mean of the values that the rows of
    its label have there, and stays as it is if they have none.
    """

    def __init__(self, rows, centers):
        super().__init__(rows, centers)
        if rows.grouping_pays(len(centers)):
            rows.group_patterns()
        self.labels, self._labels_before = rows.new_labels(), rows.new_labels()
        self.statistics = ObservedStatistics.zeros(*centers.shape)
        self._max_weights = np.zeros(centers.shape)  # since the sums were formed from all rows
        self._distances_sq = aligned_empty(self.labels.shape, rows.dtype)
        self._n_changed = rows.n_samples

    def advance(self, first_iteration, n_steps, tol):
        """Iterate once."""
        rows = self._rows
        is_due = first_iteration % policy_module.DEFAULT.resum_every == 0
        # As many rows will change their label as in the last iteration, and each is in two sums.
        from_none = is_due or 2 * self._n_changed > rows.n_samples
        self.labels, self._labels_before = self._labels_before, self.labels
        self._n_changed, grown = rows.iterate(
            self.centers, self._labels_before, from_none, self.labels, self._distances_sq
        )
        if from_none:
            self.statistics, self._max_weights = grown, grown.feature_weights.copy()
        elif self._n_changed:
            self.statistics += grown
            np.maximum(self._max_weights, self.statistics.feature_weights, out=self._max_weights)
            # Features that no row of a cluster has any more are found in this way too, as rounding
            # may leave their weights above 0.
            if (self.statistics.feature_weights < LEAST_OF_MAX_WEIGHT * self._max_weights).any():
                self._sum_all()
        return Iterations(1, self._n_changed, self._move_centers())

    def _sum_all(self):
        """Form the statistics from all rows."""
        self.statistics = self._rows.label_statistics(self.labels, len(self.centers))
        self._max_weights = self.statistics.feature_weights.copy()

    def _move_centers(self):
        """M step, with empty clusters relocated; return the sum of the squared shifts."""
        statistics = self.statistics
        empty = np.flatnonzero(statistics.counts == 0)
        if len(empty):
            statistics = self._relocate(empty)
        self.centers, shift_sq = move_to_observed_means(self.centers, statistics)
        return shift_sq

    def _relocate(self, empty):
        """Statistics of the rows where each empty cluster has the row farthest from its center.

        The center moves to that row, but for what the row is missing. The row's distance no longer
        counts, and its cluster loses nothing by it: so the inertia falls. Where fewer rows than
        clusters are different, the other empty clusters stay where they are.
        """
        rows, labels = self._rows, self.labels.copy()
        places = farthest(rows.unpadded(self._distances_sq), len(empty))
        rows.unpadded(labels)[places] = empty[: len(places)]
        return rows.label_statistics(labels, len(self.centers))

    def _mean_differences(self):
        """Mean of the values of the rows of each label less its center, 0 where there are none."""
        sums, _ = sum_differences(self._rows, self.centers, self.labels)
        return self.statistics.means_of(sums)

    def inertia(self, centers):
        """Inertia of the current labels, which were made with these centers."""
        return self._rows.inertia_of(self._distances_sq)

    def finish(self, centers, with_inertia=True):
        """Labels of these centers, and their inertia or NaN."""
        if not with_inertia:
            return self._rows.assign(centers), math.nan
        return self._rows.assign_with_inertia(centers)
