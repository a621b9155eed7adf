"""The mean of rows, whatever they are, and the point that is subtracted from them."""

import numpy as np

from fastclust._algorithms.rows.dense import estimate_mean
from fastclust._algorithms.rows.missing import IncompleteArray
from fastclust._algorithms.rows.row_source import RowSource

SAMPLE_ROWS = 32
"""Rows of which the medians and quartiles of the features are taken."""

MOST_DRAGGED = 16
"""Largest distance of the mean from the median, in units of the narrower of the two ranges between
the median and a quartile. A mean farther away would cost the values there more than 4 bits."""

MOST_LOST = {np.dtype(np.float32): 2.0**10, np.dtype(np.float64): 2.0**32}
"""Largest factor by which subtracting a point may enlarge a value: beyond it, more than 10 bits of
float32 or 32 of float64 are lost."""

FEW_GROWN = 32
"""One in this many values may lose more bits by the mean: some ordinary values lie next to 0."""


def find_mean(X):
    """Mean of the rows, not finite if they are not; for sparse ones 0, which they stay relative to.

    Parameters
    ----------
    X : ndarray, CSR matrix or RowSource of shape (n_samples, n_features), float32 or float64
        The rows; an ndarray is C-contiguous.
    """
    if isinstance(X, RowSource):
        with np.errstate(over="ignore"):
            return X.facts.mean.astype(X.dtype)
    if isinstance(X, IncompleteArray):
        return X.mean
    return estimate_mean(X) if isinstance(X, np.ndarray) else np.zeros(X.shape[1], dtype=X.dtype)


def find_origin(X, mean, numbers=None):
    """Point to subtract from the rows, so that their squares cancel as little as they can.

    That is the mean, but where a few huge values (that stand for missing ones, say) have dragged it
    away from the others, or where it lies between huge ones and far from the rest: x - mean would
    be left with few digits of x, or none. There it is the median of some rows, or 0 if that is far
    from other values too.

    Parameters
    ----------
    X : ndarray, IncompleteArray, CSR matrix or RowSource of shape (n_samples, n_features)
        The rows, all finite, in float32 or float64.
    mean : ndarray of shape (n_features,)
        Their mean, as of `find_mean`; not finite where a sum was not.
    numbers : ndarray of int, default=None
        Numbers of the rows of X that are looked at; all by default.
    """
    if isinstance(X, RowSource):
        sample = X.facts.sample
        X = IncompleteArray(sample) if X.is_incomplete else sample
    if isinstance(X, IncompleteArray):
        sample, n = X.sorted_sample(SAMPLE_ROWS)
        low, middle, high = (sample[i * n // 4, np.arange(len(n))] for i in (1, 2, 3))
    elif isinstance(X, np.ndarray):
        n = len(X) if numbers is None else len(numbers)
        sampled = slice(0, None, max(1, n // SAMPLE_ROWS))
        sample = X[sampled][:SAMPLE_ROWS] if numbers is None else X[numbers[sampled][:SAMPLE_ROWS]]
        sample = np.sort(sample, axis=0)
        n = len(sample)
        low, middle, high = sample[n // 4], sample[n // 2], sample[3 * n // 4]
    else:
        return mean

    sizes = np.abs(sample)

    def grown(point):
        """Which of the sampled values lose too many bits when this point is subtracted."""
        return (np.abs(sample - point) > MOST_LOST[X.dtype] * sizes) & (sizes > 0)

    with np.errstate(over="ignore", invalid="ignore"):
        dense = np.minimum(high - middle, middle - low)
        is_near = np.abs(mean - middle) <= MOST_DRAGGED * dense
        instead = middle
        # Values lose so many bits only where they are that much smaller than what is subtracted,
        # and where that is no number. Neither zeros nor missing values count.
        small = np.maximum(np.abs(mean), np.abs(middle)) * (2 / MOST_LOST[X.dtype])
        if np.count_nonzero(~(sizes >= small) & (sizes > 0)):
            is_near &= grown(mean).sum(axis=0) <= n // FEW_GROWN
            instead = np.where(grown(middle).any(axis=0), 0, middle)
        if isinstance(X, IncompleteArray):
            # Where a row that becomes a first center has no value, the center is at the origin: it
            # is the mean, if that leaves enough digits of the values and of their differences.
            is_far = (dense > 0) & (np.abs(mean - middle) > MOST_LOST[X.dtype] * dense)
            is_near |= ~(is_far | grown(mean).any(axis=0))
    if is_near.all():
        return mean
    return np.where(is_near, mean, instead).astype(X.dtype, copy=False)
