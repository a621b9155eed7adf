"""What runs of Lloyd's algorithm share that label all rows in each iteration."""

import numpy as np

from fastclust._algorithms.kmeans.empty_clusters import FarthestRows, relocate_empty_clusters
from fastclust._algorithms.kmeans.m_step import move_centers
from fastclust._algorithms.kmeans.precision import (
    may_be_far_from_means,
    move_to_means,
    search_tiles,
)
from fastclust._algorithms.kmeans.statistics import ClusterStatistics


class PlainLloyd:
    """Base of states of Lloyd's algorithm; see `rows.protocol.LloydState`.

    A subclass labels the rows and sums those of each label (`advance`), and looks at single rows
    where rounding or an empty cluster asks for it.

    Parameters
    ----------
    rows : Rows
        The rows.
    centers : ndarray of shape (n_clusters, n_features)
        First centers; they are copied.

    Attributes
    ----------
    centers : ndarray of shape (n_clusters, n_features)
        Current centers.
    statistics : ClusterStatistics
        Sums over the rows of each label.
    """

    def __init__(self, rows, centers):
        self._rows = rows
        self.centers = centers.copy()
        self.statistics = ClusterStatistics.zeros(*centers.shape)
        self._tiles = search_tiles(centers)[:2]
        self._shifts = np.empty(len(centers), dtype=centers.dtype)

    def _find_far_rows(self, n_far) -> FarthestRows:
        """The rows farthest from the centers of their labels."""
        raise NotImplementedError  # each kind of rows finds them in its own way

    def _mean_differences(self):
        """Mean of the rows of each label less its center, of shape (n_clusters, n_features)."""
        raise NotImplementedError  # likewise

    def _move_centers(self):
        """M step, with empty clusters relocated; return the sum of the squared shifts."""
        sums, weights = self.statistics.sums, self.statistics.weights
        n_empty = np.count_nonzero(self.statistics.counts == 0)
        if n_empty:
            far_rows = self._find_far_rows(n_empty)
            sums, weights = relocate_empty_clusters(self.statistics, far_rows)
        to_unit = self._rows.unit
        return move_centers(self.centers, sums, weights, to_unit, self._tiles, self._shifts)

    def _center_sq(self):
        """Squared norms of the current centers."""
        return np.einsum("jf,jf->j", self.centers, self.centers, dtype=np.float64)

    def settle(self):
        """Correct centers by the mean difference of their rows, where sums of huge values round.

        Centers that were relocated are no means of labels.
        """
        if self.statistics.counts.all() and may_be_far_from_means(self._center_sq()):
            move_to_means(self.centers, self._mean_differences)
