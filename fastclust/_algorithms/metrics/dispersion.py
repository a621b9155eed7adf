"""How tight and how far apart clusters are: what follows from their means, in O(n k)."""

import math

import numpy as np
from scipy.spatial.distance import cdist, pdist, squareform

from fastclust._algorithms.arrays import aligned_empty
from fastclust._algorithms.metrics.silhouette import coefficients
from fastclust._algorithms.rows.dense import estimate_mean
from fastclust._algorithms.rows.panels import Panels

BLOCK_BYTES = 2**23
"""Bytes of the distances of a block of rows to all centers."""

CLOSE = 2.0**-18
"""Distances below this part of the largest coordinate are computed again, from coordinates near to
both points: rounding the others leaves a relative error of 2^-53 / CLOSE = 3e-11."""

CONCENTRIC = 2.0**-30
"""Part of the spread of two clusters below which the distance of their means is computed again,
from exact sums: that of clusters with a common mean is 0 then, and not some rounding errors."""


class Dispersion:
    """Means of clusters, and the distances of the rows to them.

    Each cluster has an origin of its own, one of its rows. So nothing cancels where clusters are
    far from zero or from each other, and rows that are equal are their mean exactly.

    Parameters
    ----------
    X : ndarray of shape (n_samples, n_features), float64, C-contiguous
        The rows, whose squares are finite (see `units.without_unit`).
    labels : ndarray of shape (n_samples,), int
        Their labels, from 0 on, each of at least one row.
    sample_weight : ndarray of shape (n_samples,), default=None
        Weight of each row, positive: 2 counts as the row twice. None for ones.

    Attributes
    ----------
    masses : ndarray of shape (n_clusters,)
        Sum of the weights of each cluster.
    origins : ndarray of shape (n_clusters, n_features), float64
        First row of each cluster.
    offsets : ndarray of shape (n_clusters, n_features), float64
        Means of the clusters less their origins.
    own_sq : ndarray of shape (n_samples,), float64
        Squared distance of each row to the mean of its cluster.
    """

    def __init__(self, X, labels, sample_weight=None):
        self._X, self._labels, self._weights = X, labels, sample_weight
        if sample_weight is not None:
            self._weights = sample_weight.astype(np.float64)
        self.masses = np.bincount(labels, weights=self._weights)
        first = np.empty(len(self.masses), dtype=np.int64)
        first[labels[::-1]] = np.arange(len(labels))[::-1]
        self.origins = X[first]
        relative = self.origins.take(labels, axis=0)
        np.subtract(X, relative, out=relative)
        panels = Panels(relative, self._weights, np.zeros(X.shape[1]))
        placed = panels.start_run().panel_labels(labels)
        sums, _, _ = panels.sum_clusters(placed, len(self.masses))
        self.offsets = sums / self.masses[:, np.newaxis]
        self.own_sq = panels.distances_sq(self.offsets, placed)

    def _sum_by_label(self, values):
        """Weighted sums of values over the rows of each label."""
        if self._weights is not None:
            values = values * self._weights
        return np.bincount(self._labels, weights=values)

    def _mean(self, values):
        """Weighted mean over the rows."""
        return float(np.average(values, weights=self._weights))

    def _centers_from(self, origin):
        """Means of the clusters less an origin."""
        return (self.origins - origin) + self.offsets

    @property
    def within(self):
        """Sum of the squared distances of the rows to the means of their clusters."""
        return float(self._sum_by_label(self.own_sq).sum())

    def calinski_harabasz(self):
        """Ratio of the dispersion between clusters to that within (Calinski and Harabasz 1974).

        Infinite if there is none within, and 1, as in scikit-learn, if there is none between
        either; NaN for weights of which the sum is no larger than the number of clusters.
        """
        n_samples, n_clusters = float(self.masses.sum()), len(self.masses)
        centers = self._centers_from(self.origins[0])
        mean = self.masses @ centers / n_samples
        between = float(self.masses @ np.square(centers - mean).sum(axis=1))
        within = self.within
        if n_samples <= n_clusters:
            return float("nan")
        if within == 0:
            return float("inf") if between > 0 else 1.0
        return between * (n_samples - n_clusters) / (within * (n_clusters - 1))

    def _center_distances(self, inner):
        """Distances between the means of clusters, of which `inner` is the spread."""
        centers = self._centers_from(self.origins[0])
        apart = squareform(pdist(centers))
        np.fill_diagonal(apart, np.inf)
        for i in np.flatnonzero(apart.min(axis=1) < CLOSE * np.abs(centers).max()):
            near = (self.origins - self.origins[i]) + (self.offsets - self.offsets[i])
            apart[i] = np.sqrt(np.square(near).sum(axis=1))
        np.fill_diagonal(apart, np.inf)
        concentric = apart < CONCENTRIC * (inner[:, np.newaxis] + inner)
        for i in np.flatnonzero(concentric.any(axis=1)):
            group = np.flatnonzero(concentric[i] | (np.arange(len(inner)) == i))
            if len(group) > 1:
                means = np.array([self._exact_mean(j, self.origins[i]) for j in group])
                apart[np.ix_(group, group)] = squareform(pdist(means))
                concentric[np.ix_(group, group)] = False
        np.fill_diagonal(apart, np.inf)
        return apart

    def _exact_mean(self, j, origin):
        """Mean of a cluster less an origin, of sums that are rounded once."""
        rows = np.flatnonzero(self._labels == j)
        values = self._X[rows] - origin
        if self._weights is not None:
            values *= self._weights[rows, np.newaxis]
        return [math.fsum(column) / self.masses[j] for column in values.T.tolist()]

    def davies_bouldin(self):
        """Mean likeness of each cluster to the one most like it (Davies and Bouldin 1979).

        Infinite if spread clusters have the same mean. Clusters that are the same point are not
        alike: their likeness, 0/0, is 0, as in scikit-learn.
        """
        inner = self._sum_by_label(np.sqrt(self.own_sq)) / self.masses
        with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
            likeness = np.nan_to_num(
                (inner[:, np.newaxis] + inner) / self._center_distances(inner),
                nan=0.0,
                posinf=np.inf,
            )
        return float(np.mean(likeness.max(axis=1)))

    def _nearest_other(self, added):
        """Least of |x - c|^2 + added[c] over the clusters of which the row is not."""
        mean = estimate_mean(self._X)
        panels, labels = Panels(self._X, None, mean), self._labels
        centers = self._centers_from(mean)
        nearest = np.empty(len(labels))
        n_panels = max(1, BLOCK_BYTES // (8 * len(centers) * panels.lanes))
        for first in range(0, len(panels.values), n_panels):
            rows = slice(first * panels.lanes, (first + n_panels) * panels.lanes)
            own = labels[rows]
            distances = aligned_empty((len(own), len(centers)), panels.dtype)
            panels.transform(centers, distances, slice(first, first + n_panels))
            sums = np.square(distances) + added
            sums[np.arange(len(own)), own] = np.inf
            nearest[rows] = sums.min(axis=1)
        largest_sq = max(panels.largest_square, np.square(centers).sum(axis=1).max())
        close = np.flatnonzero(nearest < CLOSE**2 * largest_sq)
        self._find_nearest_other(close[np.argsort(labels[close], kind="stable")], added, nearest)
        return nearest

    def _find_nearest_other(self, rows, added, nearest_out):
        """The same for some rows, in the order of their labels, from the origins of these."""
        borders = np.flatnonzero(np.diff(self._labels[rows])) + 1
        step = max(1, BLOCK_BYTES // (8 * len(added)))
        for group in np.split(rows, borders):
            for first in range(0, len(group), step):
                part = group[first : first + step]
                j = self._labels[part[0]]
                X, centers = self._X[part] - self.origins[j], self._centers_from(self.origins[j])
                sums = cdist(X, centers, "sqeuclidean") + added
                sums[:, j] = np.inf
                nearest_out[part] = sums.min(axis=1)

    def simplified_silhouette(self):
        """Mean silhouette of distances to the means (Hruschka, de Castro and Campello 2004)."""
        nearest = self._nearest_other(np.zeros(len(self.masses)))
        return self._mean(coefficients(np.sqrt(self.own_sq), np.sqrt(nearest)))

    def squared_silhouettes(self):
        """Silhouettes of squared distances.

        The mean of |x - y|^2 over the y of a cluster is |x - mean|^2 plus its variance.
        """
        variances = self._sum_by_label(self.own_sq) / self.masses
        nearest = self._nearest_other(variances)
        others = (self.masses - 1)[self._labels]
        with np.errstate(divide="ignore", invalid="ignore"):
            inner = self.masses[self._labels] * (self.own_sq + variances[self._labels]) / others
        inner[others == 0] = np.nan
        return coefficients(inner, nearest)
