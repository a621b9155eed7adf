"""New rows against given centers, block by block: constant extra memory for dense rows."""

import math

import numpy as np

from fastclust._algorithms.memory import check_memory
from fastclust._algorithms.rows.csr import CsrRows
from fastclust._algorithms.rows.panels import Panels


def _blocks(X, sample_weight, mean):
    """Yield (slice of X, its rows) of consecutive blocks; sparse rows are one block."""
    if not isinstance(X, np.ndarray):
        yield slice(None), CsrRows(X, sample_weight)
        return
    for first, panels in Panels.blocks(X, sample_weight, mean):
        yield slice(first, first + panels.n_samples), panels


def predict_labels(X, centers, mean):
    """Index of the nearest center of each row, int32; centers are relative to the mean."""
    labels = np.empty(X.shape[0], dtype=np.int32)
    for part, rows in _blocks(X, None, mean):
        labels[part] = rows.row_labels(rows.assign(centers))
    return labels


def transform_to_distances(X, centers, mean):
    """Distance of each row to each center, of shape (n_samples, n_clusters)."""
    shape = X.shape[0], len(centers)
    check_memory(math.prod(shape) * X.dtype.itemsize, f"A result of {shape[0]:,} x {shape[1]}")
    distances = np.empty(shape, dtype=X.dtype)
    for part, rows in _blocks(X, None, mean):
        rows.transform(centers, distances[part])
    return distances


def score_inertia(X, centers, mean, sample_weight):
    """Weighted sum of the squared distances of the rows to their nearest centers."""
    inertia = 0.0
    for _, rows in _blocks(X, sample_weight, mean):
        inertia += rows.assign_with_inertia(centers)[1]
    return inertia
