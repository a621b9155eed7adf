"""New rows against given centers, block by block: constant extra memory for dense rows."""

import math

import numpy as np

from fastclust._algorithms.memory import check_memory
from fastclust._algorithms.rows.scale import (
    find_exponent,
    is_in_range,
    scaled,
    scaled_rows,
    scaled_up,
)
from fastclust._algorithms.rows.source import pack, pack_blocks


def _blocks_in_range(X, sample_weight, centers, mean):
    """Yield blocks of rows: (slice of X, rows, centers, e), the last three times 2^-e."""
    center_square = float(np.square(centers, dtype=np.float64).sum(axis=1).max())
    for part, rows in pack_blocks(X, sample_weight, mean):
        if is_in_range(max(rows.largest_square, center_square), X.dtype):
            yield part, rows, centers, 0
            continue
        exponent = find_exponent(X[part], centers, mean)
        weights = None if sample_weight is None else sample_weight[part]
        block = scaled_rows(X[part], -exponent)
        rows = pack(block, weights, scaled(mean, -exponent))
        yield part, rows, scaled(centers, -exponent), exponent


def predict_labels(X, centers, mean):
    """Index of the nearest center of each row, int32; centers are relative to the mean."""
    labels = np.empty(X.shape[0], dtype=np.int32)
    for part, rows, scaled_centers, _ in _blocks_in_range(X, None, centers, mean):
        labels[part] = rows.assign(scaled_centers)
    return labels


def transform_to_distances(X, centers, mean):
    """Distance of each row to each center, of shape (n_samples, n_clusters)."""
    shape = X.shape[0], len(centers)
    check_memory(math.prod(shape) * X.dtype.itemsize, f"A result of {shape[0]:,} x {shape[1]}")
    distances = np.empty(shape, dtype=X.dtype)
    for part, rows, scaled_centers, exponent in _blocks_in_range(X, None, centers, mean):
        rows.transform(scaled_centers, distances[part])
        if exponent:
            distances[part] = scaled(distances[part], exponent)
    return distances


def score_inertia(X, centers, mean, sample_weight):
    """Weighted sum of the squared distances of the rows to their nearest centers."""
    inertia = 0.0
    for _, rows, scaled_centers, exponent in _blocks_in_range(X, sample_weight, centers, mean):
        block_inertia = rows.assign_with_inertia(scaled_centers)[1]
        inertia += scaled_up(block_inertia, 2 * exponent, "The inertia")
    return inertia
