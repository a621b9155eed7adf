"""New rows against given centers, block by block: constant extra memory for dense rows."""

import math

import numpy as np

from fastclust._algorithms.memory import check_memory
from fastclust._algorithms.rows.source import pack_blocks


def predict_labels(X, centers, mean):
    """Index of the nearest center of each row, int32; centers are relative to the mean."""
    labels = np.empty(X.shape[0], dtype=np.int32)
    for part, rows in pack_blocks(X, None, mean):
        labels[part] = rows.assign(centers)
    return labels


def transform_to_distances(X, centers, mean):
    """Distance of each row to each center, of shape (n_samples, n_clusters)."""
    shape = X.shape[0], len(centers)
    check_memory(math.prod(shape) * X.dtype.itemsize, f"A result of {shape[0]:,} x {shape[1]}")
    distances = np.empty(shape, dtype=X.dtype)
    for part, rows in pack_blocks(X, None, mean):
        rows.transform(centers, distances[part])
    return distances


def score_inertia(X, centers, mean, sample_weight):
    """Weighted sum of the squared distances of the rows to their nearest centers."""
    inertia = 0.0
    for _, rows in pack_blocks(X, sample_weight, mean):
        inertia += rows.assign_with_inertia(centers)[1]
    return inertia
