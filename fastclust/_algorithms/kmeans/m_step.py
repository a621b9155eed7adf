"""The M step by itself, where it is not part of a launch of iterations."""

import numpy as np

from fastclust._algorithms.chunks import split
from fastclust._calls import sum_clusters, update_centers

BLOCK_BYTES = 2**22
"""Bytes of the panels whose differences from their centers are held at a time."""


def move_centers(centers, sums, weights, to_unit, tiles, shifts):
    """Move centers to the means of their rows, in place; return the sum of the squared shifts.

    Parameters
    ----------
    centers : ndarray of shape (n_clusters, n_features)
        The centers.
    sums : ndarray of shape (n_clusters, n_features), float64
        Weighted sums of the rows.
    weights : ndarray of shape (n_clusters,), float64
        Sums of the sample weights, all positive.
    to_unit : bool
        Whether the means are divided by their length. Centers whose rows add up to 0 then stay.
    tiles : sequence of ndarray
        Tiles and squared norms of the centers, as of `precision.search_tiles`; they follow.
    shifts : ndarray of shape (n_clusters or more,)
        Is set to how far each center moved.
    """
    shift_sq = np.empty(1)
    update_centers(split(1, 0.0), centers, sums, weights, int(to_unit), *tiles, shifts, shift_sq)
    return float(shift_sq[0])


def move_to_observed_means(centers, statistics):
    """Centers moved to the means of the values that their rows have; those that none has stay.

    Parameters
    ----------
    centers : ndarray of shape (n_clusters, n_features)
        The centers.
    statistics : ObservedStatistics
        Sums over the rows of each label.

    Returns
    -------
    centers : ndarray of shape (n_clusters, n_features)
        The means.
    shift_sq : float
        Sum of the squared shifts.
    """
    means, seen = centers.astype(np.float64), statistics.feature_weights > 0
    np.divide(statistics.sums, statistics.feature_weights, out=means, where=seen)
    moved = means.astype(centers.dtype)
    return moved, float(np.square(np.subtract(moved, centers, dtype=np.float64)).sum())


def mean_differences(panels, centers, labels):
    """Mean of the rows of each label less its center, of shape (n_clusters, n_features).

    Parameters
    ----------
    panels : Panels
        The rows.
    centers : ndarray of shape (n_clusters, n_features)
        The centers.
    labels : ndarray of shape (n_panels, lanes), int32
        Labels in the order of the panels; each has rows.
    """
    sums, masses = sum_differences(panels, centers, labels)
    return sums / masses[:, np.newaxis]


def sum_differences(panels, centers, labels):
    """Sums of the rows of each label less its center, and of their weights.

    The arguments are those of `mean_differences`; labels may have no rows here.
    """
    n_clusters, block = len(centers), max(1, BLOCK_BYTES // panels.values[0].nbytes)
    sums, masses = np.zeros(centers.shape), np.zeros(n_clusters)
    for first in range(0, len(panels.values), block):
        part = slice(first, first + block)
        values = panels.values[part] - centers[labels[part]].swapaxes(1, 2)
        values[np.isnan(values)] = 0  # a missing value differs by nothing
        weights = panels.weights[part]
        n_rows = min(panels.n_samples - first * panels.lanes, len(values) * panels.lanes)
        block_sums = np.zeros((1, *centers.shape))
        block_weights = np.zeros((1, n_clusters))
        counts = np.zeros((1, n_clusters), dtype=np.int64)
        sum_clusters(
            split(len(values), 0.0)[:1], values, weights, n_rows, labels[part], block_sums,
            block_weights, counts,
        )  # fmt: skip
        sums += block_sums[0]
        masses += block_weights[0]
    return sums, masses


def move_gradually(centers, weights, statistics):
    """Move centers to the means of all rows that they have ever had, those of a batch included.

    Parameters
    ----------
    centers : ndarray of shape (n_clusters, n_features)
        The centers.
    weights : ndarray of shape (n_clusters,), float64
        Weights of the rows that each has had before.
    statistics : ClusterStatistics
        Sums over the rows of the batch.

    Returns
    -------
    centers, weights : ndarray
        The same afterwards; a center without rows in the batch stays.
    """
    after = weights + statistics.weights
    moved = np.flatnonzero(statistics.weights > 0)
    means = weights[moved, np.newaxis] * centers[moved]
    means += statistics.sums[moved]
    means /= after[moved, np.newaxis]
    if len(moved) == len(centers):
        return means.astype(centers.dtype, copy=False), after
    centers = centers.copy()
    centers[moved] = means
    return centers, after


def move_features_gradually(centers, feature_weights, statistics):
    """As `move_gradually`, where values are missing: each feature is a mean of its own rows.

    Parameters
    ----------
    centers : ndarray of shape (n_clusters, n_features)
        The centers.
    feature_weights : ndarray of shape (n_clusters, n_features), float64
        Weights of the rows that had a value there before.
    statistics : ObservedStatistics
        Sums over the rows of the batch.

    Returns
    -------
    centers, feature_weights : ndarray
        The same afterwards; a value that no row of the batch has stays.
    """
    after = feature_weights + statistics.feature_weights
    means = feature_weights * centers + statistics.sums
    moved = statistics.feature_weights > 0
    means = np.divide(means, after, out=centers.astype(np.float64), where=moved)
    return means.astype(centers.dtype, copy=False), after


def place_centers(centers, feature_weights, moved, rows, weights):
    """Move centers to rows, in place; where a row has no value, a center keeps its own.

    Such a value has weight 0 from then on: it gives way to the first that a row of the cluster has.

    Parameters
    ----------
    centers, feature_weights : ndarray of shape (n_clusters, n_features)
        The centers, and the weights of the rows that had a value there.
    moved : ndarray of shape (n_clusters,), bool
        Which centers move.
    rows : ndarray of shape (n_moved, n_features)
        Where to, in the coordinates of the centers.
    weights : ndarray of shape (n_clusters,)
        Weights that the centers have from now on.
    """
    is_missing = np.isnan(rows)
    centers[moved] = np.where(is_missing, centers[moved], rows)
    feature_weights[moved] = np.where(is_missing, 0.0, weights[moved, np.newaxis])
