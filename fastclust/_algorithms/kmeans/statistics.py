"""Sufficient statistics of k-means: what an M step needs to know of the rows."""

import math
from dataclasses import dataclass, field

import numpy as np

EPS = float(np.finfo(np.float64).eps)


@dataclass
class ClusterStatistics:
    """Sums over the rows of each cluster; statistics of parts of the rows merge by addition.

    Attributes
    ----------
    sums : ndarray of shape (n_clusters, n_features), float64
        Weighted sums of the rows.
    weights : ndarray of shape (n_clusters,), float64
        Sums of the sample weights.
    counts : ndarray of shape (n_clusters,), int64
        Numbers of rows with positive weight: exact where sums of weights round.
    inertia : float, default=nan
        Weighted sum of the squared distances of the rows to the centers of their clusters; NaN
        where it was not computed, or 0 in the iterations of Lloyd's algorithm.
    """

    sums: np.ndarray
    weights: np.ndarray
    counts: np.ndarray
    inertia: float = math.nan

    @classmethod
    def zeros(cls, n_clusters, n_features):
        """Statistics of no rows."""
        counts = np.zeros(n_clusters, dtype=np.int64)
        return cls(np.zeros((n_clusters, n_features)), np.zeros(n_clusters), counts, 0.0)

    def of_features(self):
        """The same as statistics of rows that may lack values, and lack none."""
        weights = np.repeat(self.weights[:, np.newaxis], self.sums.shape[1], axis=1)
        return ObservedStatistics(**vars(self), feature_weights=weights)

    def __add__(self, other):
        """Statistics of the rows of both."""
        return ClusterStatistics(
            self.sums + other.sums,
            self.weights + other.weights,
            self.counts + other.counts,
            self.inertia + other.inertia,
        )


@dataclass
class ObservedStatistics(ClusterStatistics):
    """Sums over the rows of each cluster where values are missing: of the values that there are.

    Attributes
    ----------
    feature_weights : ndarray of shape (n_clusters, n_features), float64
        Sums of the sample weights of the rows that have a value there.
    """

    feature_weights: np.ndarray = field(kw_only=True)

    def of_features(self):
        """These statistics."""
        return self

    def means_of(self, sums):
        """Sums over the rows of each cluster over the weights of these; 0 where there are none."""
        weights = self.feature_weights
        return np.divide(sums, weights, out=np.zeros_like(sums), where=weights > 0)

    @property
    def n_unobserved(self):
        """Number of values of the means of clusters with rows that no row has."""
        is_unobserved = (self.feature_weights == 0) & (self.counts > 0)[:, np.newaxis]
        return int(np.count_nonzero(is_unobserved))

    @classmethod
    def zeros(cls, n_clusters, n_features):
        """Statistics of no rows."""
        zeros = ClusterStatistics.zeros(n_clusters, n_features)
        return cls(**vars(zeros), feature_weights=np.zeros((n_clusters, n_features)))

    def __add__(self, other):
        """Statistics of the rows of both."""
        total = vars(super().__add__(other))
        return ObservedStatistics(
            **total, feature_weights=self.feature_weights + other.feature_weights
        )

    def relocated(self, far_rows):
        """Statistics where each empty cluster has one of the far rows, or as many as there are.

        The row is taken from the cluster of its label. Where a cluster has lost all values of a
        feature, no rounding of their sum remains.

        Parameters
        ----------
        far_rows : empty_clusters.FarthestRows
            The rows; NaN is missing.
        """
        sums, feature_weights = self.sums.copy(), self.feature_weights.copy()
        weights, counts = self.weights.copy(), self.counts.copy()
        empty = np.flatnonzero(counts == 0)
        for j, row, donor, weight in zip(empty, *far_rows[1:], strict=False):
            weighted = np.nan_to_num(row.astype(np.float64)) * float(weight)
            seen = np.where(np.isnan(row), 0.0, float(weight))
            for cluster, sign in (donor, -1), (j, 1):
                sums[cluster] += sign * weighted
                feature_weights[cluster] += sign * seen
                weights[cluster] += sign * float(weight)
                counts[cluster] += sign
        rounding = EPS * self.counts[:, np.newaxis] * self.feature_weights
        feature_weights[feature_weights <= rounding] = 0.0
        return ObservedStatistics(sums, weights, counts, feature_weights=feature_weights)
