"""Scores have no unit: rows are scaled by a power of two where their squares are not finite.

A power of two changes no digit, so a score is the same to the bit in any unit.
"""

import numpy as np

LARGEST_EXPONENT = 480
"""Of values whose squares have sums in the range of float64, and products of these with numbers of
rows. The squares of distances are not 0 then down to 2^-990 of the largest."""

SMALLEST_EXPONENT = -200
"""Of a range that is not too small yet: its distances are not 0 down to 2^-310 of the largest."""

SIDE_BY_SIDE_VALUES = 512
"""Values of a few rows that are compared side by side: one row of few features is too short."""


def without_unit(X):
    """Rows with the scores of X, and squares that neither overflow nor vanish.

    Parameters
    ----------
    X : ndarray of shape (n_samples, n_features), float64
        The rows, all finite.

    Returns
    -------
    X : ndarray of shape (n_samples, n_features), float64
        The rows themselves, or times a power of two by which their range is as large as it may
        be. Features that are constant, however large, are 0 then: they change no distance.
    """
    low, high = _extremes(X)
    with np.errstate(over="ignore"):
        ranges = high - low
    exponent = np.frexp(min(ranges.max(), np.finfo(np.float64).max))[1]
    largest = max(-low.min(), high.max())
    if SMALLEST_EXPONENT < exponent and largest < 2.0**LARGEST_EXPONENT:
        return X
    # A feature that varies is at most 2^53 times its range, so it does not overflow either.
    return np.ldexp(np.where(ranges > 0, X, 0.0), LARGEST_EXPONENT - exponent)


def _extremes(X):
    """Least and largest value of each feature."""
    n_samples, n_features = X.shape
    side_by_side = max(1, min(n_samples, SIDE_BY_SIDE_VALUES // n_features))
    whole = n_samples - n_samples % side_by_side
    wide = X[:whole].reshape(-1, side_by_side * n_features)
    low = wide.min(axis=0).reshape(-1, n_features).min(axis=0)
    high = wide.max(axis=0).reshape(-1, n_features).max(axis=0)
    if whole < n_samples:
        low = np.minimum(low, X[whole:].min(axis=0))
        high = np.maximum(high, X[whole:].max(axis=0))
    return low, high
