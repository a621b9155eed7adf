"""Sufficient statistics of k-means: what an M step needs to know of the rows."""

import math
from dataclasses import dataclass, field

import numpy as np


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
