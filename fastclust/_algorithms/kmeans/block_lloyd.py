"""State of Lloyd's algorithm on rows in blocks: an iteration is one pass over them.

A run holds no labels: they are those of its centers, wherever they are asked for.
"""

import math

import numpy as np

from fastclust._algorithms.kmeans.empty_clusters import FarthestRows, farthest, farthest_first
from fastclust._algorithms.kmeans.m_step import move_to_observed_means, sum_differences
from fastclust._algorithms.kmeans.plain_lloyd import PlainLloyd
from fastclust._algorithms.kmeans.precision import SearchedCenters
from fastclust._algorithms.kmeans.statistics import ClusterStatistics
from fastclust._algorithms.rows.missing import MissingRows
from fastclust._algorithms.rows.panels import Panels
from fastclust._algorithms.rows.protocol import Iterations

MOST_CANDIDATES = 2**18
"""Rows whose distances are all brought together where clusters are empty; of more rows each block
has its farthest alone."""


class BlockLloyd(PlainLloyd):
    """A run of Lloyd's algorithm; see `rows.protocol.LloydState`.

    The rows are `RowsInBlocks`.
    """

    def __init__(self, rows, centers):
        super().__init__(rows, centers)
        # The centers by which the rows of `statistics` are labelled.
        self._labelling = SearchedCenters(self.centers.copy())

    def advance(self, first_iteration, n_steps, tol):
        """Iterate once.

        Labels repeat where their statistics do, to the bit. Were others to have the same sums, the
        centers would still stay where they are.
        """
        before = self.statistics
        self._labelling = SearchedCenters(self.centers.copy())
        self.statistics = self._label_and_sum()
        is_same = np.array_equal(self.statistics.sums, before.sums) and np.array_equal(
            self.statistics.counts, before.counts
        )
        n_changed = 0 if is_same and first_iteration > 0 else self._rows.n_samples
        return Iterations(1, n_changed, self._move_centers())

    def _label_and_sum(self):
        """Statistics of the rows of each label."""
        return self._rows.sum_blocks(_label_and_sum, self._labelling)

    def _find_far_rows(self, n_far):
        """The rows farthest from the centers of their labels.

        They are the same rows as those of the rows in memory. Up to `MOST_CANDIDATES` rows, they
        are in the same order too, which is that of an unstable selection (`np.argpartition`, as in
        scikit-learn): it depends on the distances of all rows, and on the processor. Of more rows,
        the farthest is first, and the earlier of equally far ones, however the rows are divided:
        the order that the selection mostly has of few rows.
        """
        takes_all = self._rows.n_samples <= MOST_CANDIDATES
        most = self._rows.n_samples if takes_all else n_far
        blocks = self._rows.sum_blocks(_far_rows_of_block, self._labelling, most)
        numbers = np.concatenate(
            [start + i for start, (i, _) in zip(self._rows.block_starts, blocks, strict=True)]
        )
        distances_sq = np.concatenate([distances_sq for _, distances_sq in blocks])
        places = farthest(distances_sq, n_far)
        if not takes_all and len(places):
            places = farthest_first(distances_sq, n_far)
        numbers = numbers[places]
        rows, weights = self._rows.take_packed(numbers), self._rows.take_weights(numbers)
        labels = np.empty(0, dtype=np.int32)
        if len(rows):
            kind = MissingRows if self._rows.is_incomplete else Panels
            panels = kind(rows, None, np.zeros_like(self._rows.origin))
            labels = panels.assign(self._labelling.values, self._labelling.tiles)
        return FarthestRows(distances_sq[places], rows, labels, weights)

    def _mean_differences(self):
        """Mean of the rows of each label less its center."""
        total = self._rows.sum_blocks(_sum_differences, self._labelling, self.centers)
        return total[:, :-1] / total[:, -1:]

    def inertia(self, centers):
        """Inertia of the current labels with the centers that they were made with."""
        return self._rows.sum_blocks(_inertia, SearchedCenters(centers))

    def finish(self, centers, with_inertia=True):
        """Labels of these centers, and their inertia or NaN; ends the run."""
        if not with_inertia:
            return self._rows.assign(centers), math.nan
        return self._rows.assign_with_inertia(centers)


class MissingBlockLloyd(BlockLloyd):
    """A run on rows in blocks with missing values: `MissingLloyd` says what is different."""

    def _label_and_sum(self):
        """Statistics of the rows of each label, and the inertia."""
        return self._rows.cluster_statistics(self._labelling.values)

    def _move_centers(self):
        """M step, with empty clusters relocated; return the sum of the squared shifts."""
        statistics = self.statistics
        n_empty = np.count_nonzero(statistics.counts == 0)
        if n_empty:
            statistics = statistics.relocated(self._find_far_rows(n_empty))
        self.centers, shift_sq = move_to_observed_means(self.centers, statistics)
        return shift_sq

    def _mean_differences(self):
        """Mean of the values of the rows of each label less its center."""
        total = self._rows.sum_blocks(_sum_differences, self._labelling, self.centers)
        return self.statistics.means_of(total[:, :-1])


def _label_and_sum(panels, centers):
    """Statistics of the clusters in a block, without the inertia."""
    labels = panels.assign_to_panels(centers.values, centers.tiles)
    sums, weights, counts = panels.sum_clusters(labels, len(centers.values))
    return ClusterStatistics(sums, weights, counts, 0.0)


def _far_rows_of_block(panels, centers, most):
    """Rows of a block that may be among the farthest of all, and their squared distances.

    They are in the order of X. A list of one, so that those of several blocks are added to a longer
    one.
    """
    labels = panels.assign_to_panels(centers.values, centers.tiles)
    distances_sq = panels.distances_sq(centers.values, labels)
    numbers = np.arange(panels.n_samples)
    if most < panels.n_samples:
        numbers = np.sort(farthest_first(distances_sq, most))
        distances_sq = distances_sq[numbers]
    return [(numbers, distances_sq)]


def _sum_differences(panels, labelling, centers):
    """Sums of the rows of a block less the centers of their labels, and of their weights."""
    labels = panels.assign_to_panels(labelling.values, labelling.tiles)
    sums, masses = sum_differences(panels, centers, labels)
    return np.column_stack([sums, masses])


def _inertia(panels, centers):
    """Inertia of the rows of a block."""
    return panels.assign_to_panels_with_inertia(centers.values, centers.tiles)[1]
