"""How tight and how far apart clusters are: what follows from their means, in O(n k)."""

import functools
import math

import numpy as np
from scipy.spatial.distance import pdist, squareform

from fastclust._algorithms.metrics.labelled_rows import (
    CLOSE,
    LabelledRows,
    add_exact_sums,
    cluster_sums,
    distance_sums,
    exact_sums,
    silhouette_sum,
)
from fastclust._algorithms.metrics.silhouette import coefficients

CONCENTRIC = 2.0**-30
"""Part of the spread of two clusters below which the distance of their means is computed again,
from exact sums: that of clusters with a common mean is 0 then, and not some rounding errors."""


class ClusterScores:
    """Scores of clusters, wherever their rows are.

    Parameters
    ----------
    rows : LabelledRows, LabelledBlocks or NearestBlocks
        The rows, which answer passes (`sum_blocks`).

    Attributes
    ----------
    n_clusters : int
        Number of the clusters that have rows: the others do not count.
    """

    def __init__(self, rows):
        self._rows = rows
        self.means = rows.sum_blocks(cluster_sums).means()
        self._present = np.flatnonzero(self.means.masses > 0)
        self.n_clusters = len(self._present)

    @functools.cached_property
    def _distance_sums(self):
        """Sums of the distances to the means, and of their squares, of the clusters with rows."""
        sums = self._rows.sum_blocks(distance_sums, self.means)
        return sums[:, self._present]

    @property
    def within(self):
        """Sum of the squared distances of the rows to the means of their clusters."""
        return float(self._distance_sums[1].sum())

    @property
    def _masses(self):
        """Sums of the weights of the clusters with rows."""
        return self.means.masses[self._present]

    def _centers(self):
        """Means of the clusters with rows, less the origin of the first."""
        return self.means.centers_from(self.means.origins[self._present[0]])[self._present]

    def calinski_harabasz(self):
        """Ratio of the dispersion between clusters to that within (Calinski and Harabasz 1974).

        Infinite if there is none within, and 1, as in scikit-learn, if there is none between
        either; NaN for weights of which the sum is no larger than the number of clusters.
        """
        masses, n_clusters = self._masses, self.n_clusters
        n_samples = float(masses.sum())
        centers = self._centers()
        mean = masses @ centers / n_samples
        between = float(masses @ np.square(centers - mean).sum(axis=1))
        within = self.within
        if n_samples <= n_clusters:
            return float("nan")
        if within == 0:
            return float("inf") if between > 0 else 1.0
        return between * (n_samples - n_clusters) / (within * (n_clusters - 1))

    def _center_distances(self, inner):
        """Distances between the means of clusters, of which `inner` is the spread."""
        centers = self._centers()
        origins, offsets = self.means.origins[self._present], self.means.offsets[self._present]
        apart = squareform(pdist(centers))
        np.fill_diagonal(apart, np.inf)
        for i in np.flatnonzero(apart.min(axis=1) < CLOSE * np.abs(centers).max()):
            near = (origins - origins[i]) + (offsets - offsets[i])
            apart[i] = np.sqrt(np.square(near).sum(axis=1))
        np.fill_diagonal(apart, np.inf)
        concentric = apart < CONCENTRIC * (inner[:, np.newaxis] + inner)
        for i in np.flatnonzero(concentric.any(axis=1)):
            group = np.flatnonzero(concentric[i] | (np.arange(len(inner)) == i))
            if len(group) > 1:
                means = np.array([self._exact_mean(self._present[j], origins[i]) for j in group])
                apart[np.ix_(group, group)] = squareform(pdist(means))
                concentric[np.ix_(group, group)] = False
        np.fill_diagonal(apart, np.inf)
        return apart

    def _exact_mean(self, j, origin):
        """Mean of a cluster less an origin, of sums that are rounded once."""
        sums = self._rows.sum_blocks(exact_sums, j, origin, add=add_exact_sums)
        return [math.fsum(parts) / self.means.masses[j] for parts in sums]

    def davies_bouldin(self):
        """Mean likeness of each cluster to the one most like it (Davies and Bouldin 1979).

        Infinite if spread clusters have the same mean. Clusters that are the same point are not
        alike: their likeness, 0/0, is 0, as in scikit-learn.
        """
        inner = self._distance_sums[0] / self._masses
        with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
            likeness = np.nan_to_num(
                (inner[:, np.newaxis] + inner) / self._center_distances(inner),
                nan=0.0,
                posinf=np.inf,
            )
        return float(np.mean(likeness.max(axis=1)))

    def simplified_silhouette(self):
        """Mean silhouette of distances to the means (Hruschka, de Castro and Campello 2004)."""
        added = np.where(self.means.masses > 0, 0.0, np.inf)
        total = self._rows.sum_blocks(silhouette_sum, self.means, added)
        return total / float(self._masses.sum())


class Dispersion(ClusterScores):
    """Scores of clusters of rows in memory.

    Parameters
    ----------
    X : ndarray of shape (n_samples, n_features), float64, C-contiguous
        The rows, whose squares are finite (see `units.without_unit`).
    labels : ndarray of shape (n_samples,), int
        Their labels, from 0 on, each of at least one row.
    sample_weight : ndarray of shape (n_samples,), default=None
        Weight of each row, positive: 2 counts as the row twice. None for ones.
    """

    def __init__(self, X, labels, sample_weight=None):
        super().__init__(LabelledRows(X, labels, int(labels.max()) + 1, sample_weight))

    def squared_silhouettes(self):
        """Silhouettes of squared distances.

        The mean of |x - y|^2 over the y of a cluster is |x - mean|^2 plus its variance.
        """
        labels, masses = self._rows.labels, self.means.masses
        own_sq = self._rows.own_sq(self.means)
        variances = self._rows.sum_by_label(own_sq) / masses
        nearest = self._rows.nearest_other(self.means, variances)
        others = (masses - 1)[labels]
        with np.errstate(divide="ignore", invalid="ignore"):
            inner = masses[labels] * (own_sq + variances[labels]) / others
        inner[others == 0] = np.nan
        return coefficients(inner, nearest)
