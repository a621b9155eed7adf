"""How tight and how far apart clusters are: what follows from their means, in O(n k)."""

import numpy as np

from fastclust._algorithms.arrays import aligned_empty
from fastclust._algorithms.metrics.silhouette import coefficients

BLOCK_BYTES = 2**23
"""Distances of a block of rows to all centers."""


class Dispersion:
    """Means of clusters, and the distances of the rows to them.

    Parameters
    ----------
    panels : Panels
        The rows.
    labels : ndarray of shape (n_samples,), int
        Their labels, from 0 on, each of at least one row.

    Attributes
    ----------
    counts : ndarray of shape (n_clusters,), int64
        Rows of each cluster.
    centers : ndarray of shape (n_clusters, n_features), float64
        Means of the clusters, in the coordinates of the panels.
    own_sq : ndarray of shape (n_samples,), float64
        Squared distance of each row to the mean of its cluster.
    """

    def __init__(self, panels, labels):
        self._panels, self._labels = panels, labels
        self.counts = np.bincount(labels)
        placed = panels.start_run().panel_labels(labels)
        sums, _, _ = panels.sum_clusters(placed, len(self.counts))
        self.centers = sums / self.counts[:, np.newaxis]
        centers = self.centers.astype(panels.dtype)
        self.own_sq = panels.distances_sq(centers, placed).astype(np.float64)

    def _sum_by_label(self, values):
        return np.bincount(self._labels, weights=values)

    def calinski_harabasz(self):
        """Ratio of the dispersion between clusters to that within (Calinski and Harabasz 1974)."""
        n_samples, n_clusters = len(self._labels), len(self.counts)
        mean = self.counts @ self.centers / n_samples
        between = float(self.counts @ np.square(self.centers - mean).sum(axis=1))
        within = float(self.own_sq.sum())
        if within == 0:
            return 1.0
        return between * (n_samples - n_clusters) / (within * (n_clusters - 1))

    def davies_bouldin(self):
        """Mean likeness of each cluster to the one most like it (Davies and Bouldin 1979)."""
        from scipy.spatial.distance import pdist, squareform

        inner = self._sum_by_label(np.sqrt(self.own_sq)) / self.counts
        apart = squareform(pdist(self.centers))
        if np.allclose(inner, 0) or np.allclose(apart, 0):
            return 0.0
        apart[apart == 0] = np.inf
        return float(np.mean(np.max((inner[:, np.newaxis] + inner) / apart, axis=1)))

    def _nearest_other(self, added):
        """Least of |x - c|^2 + added[c] over the clusters of which the row is not."""
        panels, labels = self._panels, self._labels
        centers = self.centers.astype(panels.dtype)
        nearest = np.empty(len(labels))
        n_panels = max(1, BLOCK_BYTES // (8 * len(centers) * panels.lanes))
        for first in range(0, len(panels.values), n_panels):
            rows = slice(first * panels.lanes, (first + n_panels) * panels.lanes)
            own = labels[rows]
            distances = aligned_empty((len(own), len(centers)), panels.dtype)
            panels.transform(centers, distances, slice(first, first + n_panels))
            sums = np.square(distances, dtype=np.float64) + added
            sums[np.arange(len(own)), own] = np.inf
            nearest[rows] = sums.min(axis=1)
        return nearest

    def simplified_silhouettes(self):
        """Silhouettes of the distances to the means (Hruschka, de Castro and Campello 2004)."""
        nearest = self._nearest_other(np.zeros(len(self.counts)))
        return coefficients(np.sqrt(self.own_sq), np.sqrt(nearest))

    def squared_silhouettes(self):
        """Silhouettes of squared distances.

        The mean of |x - y|^2 over the y of a cluster is |x - mean|^2 plus its variance.
        """
        variances = self._sum_by_label(self.own_sq) / self.counts
        nearest = self._nearest_other(variances)
        others = (self.counts - 1)[self._labels]
        with np.errstate(divide="ignore", invalid="ignore"):
            inner = self.counts[self._labels] * (self.own_sq + variances[self._labels]) / others
        inner[others == 0] = np.nan
        return coefficients(inner, nearest)
