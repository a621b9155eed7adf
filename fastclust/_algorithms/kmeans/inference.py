"""New rows against given centers, block by block: constant extra memory for dense rows."""

import contextlib
import math

import numpy as np

from fastclust._algorithms.kmeans.precision import search_tiles
from fastclust._algorithms.memory import check_memory, empty_values
from fastclust._algorithms.rows import scale
from fastclust._algorithms.rows.missing import IncompleteArray, empty_rows_error
from fastclust._algorithms.rows.row_source import RowSource
from fastclust._algorithms.rows.source import pack, pack_blocks


def blocks_in_range(X, sample_weight, centers, origin, numbers=None, unit=False, source=None):
    """Yield blocks of rows, packed, with the centers in their coordinates.

    Where squares would leave the range of their type, rows in float32 and the centers become
    float64, and others are scaled, as in a fit. Squares of unit vectors never do.

    Parameters
    ----------
    X, sample_weight, centers, origin, unit : ndarray, CSR matrix or RowSource, ndarray, ..., bool
        As of `predict_with_inertia`.
    numbers : ndarray of int, default=None
        Numbers of the rows that are wanted; all by default.
    source : RowSource, default=None
        The source of which X is a block: errors are about its rows.

    Yields
    ------
    part : slice or ndarray of int
        Which rows of X are in the block: numbers if `numbers` is given.
    rows : Rows
        These rows times 2^-exponent, less the origin.
    tiled_centers : tuple of (ndarray, tuple or None)
        Centers in the same coordinates, and their `search_tiles` if they have been made.
    exponent : int
        0 for ordinary rows.
    """
    if isinstance(X, RowSource):
        yield from _blocks_of_source(X, sample_weight, centers, origin, unit)
        return
    with np.errstate(over="ignore"):  # such centers are scaled
        relative = centers - origin
        center_square = float(np.square(relative, dtype=np.float64).sum(axis=1).max())
    tiles = None
    for part, rows in pack_blocks(X, sample_weight, origin, numbers, unit, source):
        if scale.is_in_range(max(rows.largest_square, center_square), X.dtype):
            yield part, rows, (relative, tiles), 0
            # For all other blocks: whether two of many centers are close takes long to find out.
            tiles = tiles or (search_tiles(relative) if rows.n_samples < X.shape[0] else None)
            continue
        weights = None if sample_weight is None else sample_weight[part]
        if X.dtype == np.float32:
            wide_origin = scale.widened(origin)
            rows = pack(scale.widened(X[part]), scale.widened(weights), wide_origin)
            yield part, rows, (scale.widened(centers) - wide_origin, None), 0
        else:
            exponent = scale.find_exponent_for_distances(X[part], centers, origin)
            scaled_origin = scale.scaled(origin, -exponent)
            rows = pack(scale.scaled_rows(X[part], -exponent), weights, scaled_origin)
            yield part, rows, (scale.scaled(centers, -exponent) - scaled_origin, None), exponent


def _blocks_of_source(source, sample_weight, centers, origin, unit):
    """Yield what `blocks_in_range` does, of each block of a source after the other."""
    is_incomplete = source.is_incomplete
    with contextlib.closing(source.blocks()) as blocks:
        for part, X in blocks:
            if is_incomplete:
                X = IncompleteArray(X)
                if X.n_empty:
                    raise empty_rows_error(source)
            weights = None if sample_weight is None else sample_weight[part]
            for inner, *block in blocks_in_range(
                X, weights, centers, origin, unit=unit, source=source
            ):
                yield slice(part.start + inner.start, part.start + inner.stop), *block


def _empty_labels(X):
    """Memory for a label of each row."""
    new = empty_values if isinstance(X, RowSource) else np.empty
    return new(X.shape[0], np.int32)


def predict_labels(X, centers, origin, unit=False):
    """Index of the nearest center of each row, int32.

    Parameters
    ----------
    X : ndarray, CSR matrix or RowSource of shape (n_samples, n_features), float32 or float64
        The rows.
    centers : ndarray of shape (n_clusters, n_features)
        Centers, of X's dtype.
    origin : ndarray of shape (n_features,)
        What a fit subtracted from the rows, of X's dtype.
    unit : bool, default=False
        Whether the rows are divided by their norms. The centers are unit vectors then, and the
        origin is 0.
    """
    labels = _empty_labels(X)
    for part, rows, tiled_centers, _ in blocks_in_range(X, None, centers, origin, unit=unit):
        labels[part] = rows.assign(*tiled_centers)
    return labels


def predict_with_inertia(X, centers, origin, sample_weight, unit=False):
    """The labels of `predict_labels`, and the weighted sum of the squared distances.

    Of unit vectors it is the weighted sum of 1 - cos, half of that.
    """
    labels, inertia = _empty_labels(X), 0.0
    for part, rows, tiled, exponent in blocks_in_range(
        X, sample_weight, centers, origin, unit=unit
    ):
        labels[part], block_inertia = rows.assign_with_inertia(*tiled)
        inertia += scale.Units(exponent).inertia_of_X(block_inertia)
    return labels, inertia / 2 if unit else inertia


def cluster_statistics(X, centers, origin, sample_weight):
    """Statistics of the clusters of these centers, relative to the origin."""
    if isinstance(X, RowSource):
        of_block = _incomplete_statistics if X.is_incomplete else cluster_statistics
        return X.sum_blocks(of_block, centers, origin, sample_weight=sample_weight)
    total = None
    for _, rows, (relative, _), exponent in blocks_in_range(X, sample_weight, centers, origin):
        block = rows.cluster_statistics(relative)
        block.sums = scale.scaled(block.sums, exponent)
        block.inertia = scale.Units(exponent).inertia_of_X(block.inertia)
        total = block if total is None else total + block
    return total


def _incomplete_statistics(X, centers, origin, sample_weight):
    """The same of an array with missing values."""
    return cluster_statistics(IncompleteArray(X), centers, origin, sample_weight)


def transform_to_distances(X, centers, origin, unit=False):
    """Distance of each row to each center, of shape (n_samples, n_clusters).

    Of unit vectors it is 1 - cos, as |x - c|^2 / 2, in which small ones keep their digits.
    """
    shape = X.shape[0], len(centers)
    check_memory(math.prod(shape) * X.dtype.itemsize, f"A result of {shape[0]:,} x {shape[1]}")
    distances = np.empty(shape, dtype=X.dtype)
    blocks = blocks_in_range(X, None, centers, origin, unit=unit)
    for part, rows, (relative, _), exponent in blocks:
        if rows.dtype == X.dtype:
            rows.transform(relative, distances[part])
        else:
            wide = np.empty((rows.n_samples, len(centers)))
            rows.transform(relative, wide)
            with np.errstate(over="ignore"):
                distances[part] = wide
        if exponent:
            distances[part] = scale.scaled(distances[part], exponent)
        if unit:
            with np.errstate(under="ignore"):
                np.square(distances[part], out=distances[part])
            distances[part] *= 0.5
    return distances


def score_inertia(X, centers, origin, sample_weight, unit=False):
    """The inertia of `predict_with_inertia`."""
    return predict_with_inertia(X, centers, origin, sample_weight, unit)[1]
