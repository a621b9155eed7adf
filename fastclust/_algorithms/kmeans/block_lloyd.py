"""State of Lloyd's algorithm on rows in blocks: an iteration is one pass over them."""

import math

import numpy as np

from fastclust._algorithms.kmeans.empty_clusters import FarRows, farthest
from fastclust._algorithms.kmeans.m_step import sum_differences
from fastclust._algorithms.kmeans.plain_lloyd import PlainLloyd
from fastclust._algorithms.kmeans.precision import search_tiles
from fastclust._algorithms.kmeans.statistics import ClusterStatistics
from fastclust._algorithms.rows.protocol import Iterations

MOST_CANDIDATES = 2**18
"""Rows among which the farthest are sought at a time, and those of one block."""


class BlockLloyd(PlainLloyd):
    """A run of Lloyd's algorithm; see `rows.protocol.LloydState`.

    The rows are `BlockRows`.
    """

    def __init__(self, rows, centers):
        super().__init__(rows, centers)
        self.labels.fill(-1)

    def advance(self, first_iteration, n_steps, tol):
        """Iterate once."""
        n_changed = self._label()
        return Iterations(1, n_changed, self._move_centers())

    def _label(self):
        """Label the rows and sum those of each label; return how many labels have changed."""
        k, n_changed = len(self.centers), 0
        tiles = search_tiles(self.centers)
        statistics = ClusterStatistics.zeros(*self.centers.shape)

        def ask(part, panels):
            nonlocal n_changed, statistics
            labels = panels.assign_to_panels(self.centers, tiles)
            sums, weights, counts = panels.sum_clusters(labels, k)
            statistics += ClusterStatistics(sums, weights, counts, 0.0)
            labels = panels.unpadded(labels)
            n_changed += int(np.count_nonzero(labels != self.labels[part]))
            self.labels[part] = labels

        self._rows.each_block(ask)
        self.statistics = statistics
        return n_changed

    def _find_far_rows(self, n_far):
        """The rows farthest from the centers of their labels.

        They are the same rows as those of the rows in memory, and up to `MOST_CANDIDATES` rows in
        the same order, which is that of an unstable selection.
        """
        numbers, distances_sq = np.empty(0, dtype=np.int64), np.empty(0, dtype=self.centers.dtype)

        def ask(part, panels):
            nonlocal numbers, distances_sq
            placed = panels.order.panel_labels(self.labels[part])
            of_block = panels.distances_sq(self.centers, placed)
            numbers = np.concatenate([numbers, np.arange(part.start, part.stop)])
            distances_sq = np.concatenate([distances_sq, of_block])
            if len(numbers) > MOST_CANDIDATES:
                best = np.sort(np.argpartition(distances_sq, -n_far)[-n_far:])
                numbers, distances_sq = numbers[best], distances_sq[best]

        self._rows.each_block(ask)
        places = farthest(distances_sq, n_far)
        numbers = numbers[places]
        weights = self._rows.take_weights(numbers)
        return FarRows(
            distances_sq[places], self._rows.take(numbers), self.labels[numbers], weights
        )

    def _mean_differences(self):
        """Mean of the rows of each label less its center."""
        sums, masses = np.zeros(self.centers.shape), np.zeros(len(self.centers))

        def ask(part, panels):
            nonlocal sums, masses
            placed = panels.order.panel_labels(self.labels[part])
            block_sums, block_masses = sum_differences(panels, self.centers, placed)
            sums, masses = sums + block_sums, masses + block_masses

        self._rows.each_block(ask)
        return sums / masses[:, np.newaxis]

    def inertia(self, centers):
        """Inertia of the current labels with these centers."""
        return float(self._rows.label_inertias(centers, self.labels).sum())

    def finish(self, centers, with_inertia=True):
        """Labels of these centers, and their inertia or NaN; ends the run."""
        if not with_inertia:
            return self._rows.assign(centers, labels=self.labels), math.nan
        return self._rows.assign_with_inertia(centers, labels=self.labels)
