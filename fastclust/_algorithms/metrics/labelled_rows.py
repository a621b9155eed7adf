"""What scores of clusters ask of labelled rows: sums over the rows of each, and distances to means.

A pass calls one of the functions below with each block of the rows, and adds what it returns; rows
in memory are one block. So only means and sums are in one place.
"""

import math
import operator
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from scipy.spatial.distance import cdist

from fastclust._algorithms.arrays import aligned_empty
from fastclust._algorithms.kmeans.precision import SearchedCenters
from fastclust._algorithms.metrics.silhouette import coefficients
from fastclust._algorithms.rows.dense import estimate_mean
from fastclust._algorithms.rows.panels import Panels

BLOCK_BYTES = 2**23
"""Distances of a block of rows to all centers."""

CLOSE = 2.0**-18
"""Distances below this part of the largest coordinate are computed again, from coordinates near to
both points: rounding the others leaves a relative error of 2^-53 / CLOSE = 3e-11."""


@dataclass
class ClusterSums:
    """Sums over the rows of each cluster, less an origin of its own, which is one of them.

    So nothing cancels where clusters are far from zero or from each other, and rows that are equal
    are their mean exactly. Sums of parts of the rows are merged by addition.

    Attributes
    ----------
    masses : ndarray of shape (n_clusters,)
        Sums of the weights, 0 where there is no row.
    origins : ndarray of shape (n_clusters, n_features), float64
        First row of each cluster, or any row where there is none.
    sums : ndarray of shape (n_clusters, n_features), float64
        Weighted sums of the rows less the origins of their clusters.
    """

    masses: np.ndarray
    origins: np.ndarray
    sums: np.ndarray

    def __add__(self, other):
        """Sums over the rows of both, of which `other` has the later ones."""
        is_here = (self.masses > 0)[:, np.newaxis]
        origins = np.where(is_here, self.origins, other.origins)
        moved = other.masses[:, np.newaxis] * (other.origins - origins)
        return ClusterSums(self.masses + other.masses, origins, self.sums + (other.sums + moved))

    def means(self):
        """Means of the clusters."""
        masses = np.where(self.masses > 0, self.masses, 1)
        return ClusterMeans(self.masses, self.origins, self.sums / masses[:, np.newaxis])


class ClusterMeans(NamedTuple):
    """Means of clusters, each relative to an origin of its own."""

    masses: np.ndarray
    """Sum of the weights of each cluster, 0 if it has no row; of shape (n_clusters,)."""

    origins: np.ndarray
    """A row of each cluster, of shape (n_clusters, n_features), float64."""

    offsets: np.ndarray
    """Means of the clusters less their origins, of the same shape."""

    def centers_from(self, origin):
        """Means of the clusters less a common origin."""
        return (self.origins - origin) + self.offsets


class LabelledRows:
    """Rows with the numbers of their clusters: all rows, or those of a block.

    Parameters
    ----------
    X : ndarray of shape (n_samples, n_features), float64, C-contiguous
        The rows, whose squares are finite (see `units.without_unit`).
    labels : ndarray of shape (n_samples,), int
        The number of the cluster of each, from 0 on.
    n_clusters : int
        Number of clusters.
    sample_weight : ndarray of shape (n_samples,), default=None
        Weight of each row, positive: 2 counts as the row twice. None for ones.
    """

    def __init__(self, X, labels, n_clusters, sample_weight=None):
        self.X, self.labels, self.n_clusters = X, labels, n_clusters
        self.weights = None if sample_weight is None else sample_weight.astype(np.float64)
        self._origins, self._panels = None, None

    def sum_blocks(self, function, *parameters, add=operator.add):
        """function(rows, *parameters): these rows are the only block."""
        return function(self, *parameters)

    def sum_by_label(self, values):
        """Weighted sums of a value of each row over the rows of each cluster."""
        if self.weights is not None:
            values = values * self.weights
        return np.bincount(self.labels, weights=values, minlength=self.n_clusters)

    def panels_about(self, origins):
        """The rows less the origins of their clusters, packed."""
        if self._origins is not origins:
            relative = origins.take(self.labels, axis=0)
            np.subtract(self.X, relative, out=relative)
            self._panels = Panels(relative, self.weights, np.zeros(self.X.shape[1]))
            self._origins = origins
        return self._panels

    def sums(self):
        """Sums of the clusters; see `ClusterSums`."""
        k, n = self.n_clusters, len(self.labels)
        masses = np.bincount(self.labels, weights=self.weights, minlength=k)
        first = np.zeros(k, dtype=np.int64)
        first[self.labels[::-1]] = np.arange(n)[::-1]
        origins = self.X[first]
        panels = self.panels_about(origins)
        placed = panels.start_run().panel_labels(self.labels)
        return ClusterSums(masses, origins, panels.sum_clusters(placed, k)[0])

    def own_sq(self, means):
        """Squared distance of each row to the mean of its cluster."""
        panels = self.panels_about(means.origins)
        return panels.distances_sq(means.offsets, panels.start_run().panel_labels(self.labels))

    def nearest_other(self, means, added):
        """Least of |x - c|^2 + added[c] over the clusters of which the row is not."""
        mean = estimate_mean(self.X)
        panels, labels = Panels(self.X, None, mean), self.labels
        centers = means.centers_from(mean)
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
        close = close[np.argsort(labels[close], kind="stable")]
        self._find_nearest_other(close, means, added, nearest)
        return nearest

    def _find_nearest_other(self, rows, means, added, nearest_out):
        """The same for some rows, in the order of their labels, from the origins of these."""
        borders = np.flatnonzero(np.diff(self.labels[rows])) + 1
        step = max(1, BLOCK_BYTES // (8 * len(added)))
        for group in np.split(rows, borders):
            for first in range(0, len(group), step):
                part = group[first : first + step]
                j = self.labels[part[0]]
                X, centers = self.X[part] - means.origins[j], means.centers_from(means.origins[j])
                sums = cdist(X, centers, "sqeuclidean") + added
                sums[:, j] = np.inf
                nearest_out[part] = sums.min(axis=1)


class LabelledBlocks:
    """Rows in blocks, and labels that lie as the rows do.

    Parameters
    ----------
    rows : RowsInBlocks
        The rows, not divided by their norms.
    labels : object
        A number for each row, from 0 on, as `rows.sum_blocks` takes them.
    n_clusters : int
        Number of clusters.
    """

    def __init__(self, rows, labels, n_clusters):
        self._rows, self._labels, self._n_clusters = rows, labels, n_clusters

    def sum_blocks(self, function, *parameters, add=operator.add):
        """Sum of function(block, *parameters) over the blocks, which are `LabelledRows`."""
        return self._rows.sum_blocks(
            _ask_labelled, function, self._n_clusters, parameters, add=add, of_rows=self._labels
        )


class NearestBlocks:
    """Rows in blocks, labelled by the nearest of some centers.

    Parameters
    ----------
    rows : RowsInBlocks
        The rows, not divided by their norms.
    centers : ndarray of shape (n_clusters, n_features)
        The centers, in the coordinates of the rows.
    """

    def __init__(self, rows, centers):
        self._rows, self._centers = rows, SearchedCenters(centers)

    def sum_blocks(self, function, *parameters, add=operator.add):
        """Sum of function(block, *parameters) over the blocks, which are `LabelledRows`."""
        return self._rows.sum_blocks(_ask_nearest, function, self._centers, parameters, add=add)


def _ask_labelled(panels, function, n_clusters, parameters, labels):
    return function(_unpacked(panels, labels, n_clusters), *parameters)


def _ask_nearest(panels, function, centers, parameters):
    labels = panels.assign(centers.values, centers.tiles)
    return function(_unpacked(panels, labels, len(centers.values)), *parameters)


def _unpacked(panels, labels, n_clusters):
    """The rows of a block, in the order of X, in which blocks always are."""
    X = panels.take_packed(np.arange(panels.n_samples)).astype(np.float64)
    weights = panels.row_weights() if len(panels.weights) else None
    return LabelledRows(X, labels, n_clusters, weights)


# -- what is asked of each block -------------------------------------------------------------------


def cluster_sums(block):
    """Sums of the clusters; see `ClusterSums`."""
    return block.sums()


def distance_sums(block, means):
    """Sums of the distances of the rows to the means of their clusters, and of their squares.

    They are of shape (2, n_clusters).
    """
    own_sq = block.own_sq(means)
    return np.stack([block.sum_by_label(np.sqrt(own_sq)), block.sum_by_label(own_sq)])


def silhouette_sum(block, means, added):
    """Weighted sum of the simplified silhouettes of the rows."""
    nearest = block.nearest_other(means, added)
    values = coefficients(np.sqrt(block.own_sq(means)), np.sqrt(nearest))
    return float(values.sum() if block.weights is None else (values * block.weights).sum())


def exact_sums(block, j, origin):
    """Sums of the rows of a cluster less an origin, each as a few numbers with exactly that sum.

    So those of any number of blocks add up to a sum that is rounded once.
    """
    rows = np.flatnonzero(block.labels == j)
    values = block.X[rows] - origin
    if block.weights is not None:
        values *= block.weights[rows, np.newaxis]
    return [_exact_parts(column) for column in values.T.tolist()]


def add_exact_sums(a, b):
    """Exact sums of the rows of two blocks."""
    return [_exact_parts(of_a + of_b) for of_a, of_b in zip(a, b, strict=True)]


def _exact_parts(values):
    """Few numbers whose sum is exactly that of the values: this sum rounded, the rest, and so on.

    `math.fsum` rounds once, so that each is less than half a unit in the last place of the one
    before.
    """
    parts: list[float] = []
    while rest := math.fsum([*values, *(-part for part in parts)]):
        parts.append(rest)
    return parts
