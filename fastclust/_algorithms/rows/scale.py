"""Powers of two for rows whose squares leave the range of their type.

Multiplying by a power of two changes no digit. So rows that are too large or too small for squared
distances are scaled by one, computed with, and the results scaled back: the labels and draws are
those of the rows in other units. Ordinary rows are not scaled, and pay for a comparison only.
"""

import math
from dataclasses import dataclass

import numpy as np

RANGE = {np.dtype(np.float32): (2.0**-60, 2.0**100), np.dtype(np.float64): (2.0**-800, 2.0**900)}
"""Largest squared norms of a row, from and to, with which rows are not scaled. The upper limits
leave room for sums of squares over the features and for the terms of |c|^2 - 2 x.c. The lower ones
leave it for squared distances that are much smaller than these norms: they must not be denormal."""


LARGEST_OF_MIXTURE = {np.dtype(np.float32): 2.0**80, np.dtype(np.float64): 2.0**900}
"""Largest squared norm of a row up to which rows of a mixture are computed with as they are: beyond
it those in float32 are widened, and those in float64 scaled. In float32 there must be room for
squares over variances, as small as 1e-14."""

RANGE_OF_WEIGHTS = {
    np.dtype(np.float32): (2.0**-40, 2.0**20),
    np.dtype(np.float64): (2.0**-100, 1.0),
}
"""Largest weights of a row, from and to, with which weights are not scaled: their products with
squares that are in range, and sums of these, are in range, too. Scaled float64 rows leave no room
for greater ones."""

MOST_WEIGHT_OF_MIXTURE = 2.0**40
"""Largest weight of a row with which weights of a mixture are not scaled: the limits of its rows
leave room for it. A start from single rows depends on how much these weigh beside the others."""

RANGE_OF_COUNTS = {
    np.dtype(np.float32): (2.0**-100, 2.0**100),
    np.dtype(np.float64): (2.0**-900, 2.0**900),
}
"""Largest weights of a row, from and to, where a row counts as often as its weight says."""


@dataclass(frozen=True)
class Units:
    """How packed rows and their weights differ from what the user gave, but for an origin.

    Attributes
    ----------
    exponent : int, default=0
        The rows are those of X times 2^-exponent.
    weight_exponent : int, default=0
        The weights are those given times 2^-weight_exponent.
    dtype : dtype, default=None
        Type of X; None if it is that of the rows.
    """

    exponent: int = 0
    weight_exponent: int = 0
    dtype: np.dtype | None = None

    def inertia_of_X(self, inertia):
        """Inertia of X from that of the rows; ValueError if it is above the largest float."""
        return scaled_up(inertia, 2 * self.exponent + self.weight_exponent, "The inertia")


UNITS_OF_X = Units()
"""Those of rows and weights that are not scaled."""


def is_in_range(largest_square, dtype):
    """Whether rows (and centers) of this largest squared norm need no scaling."""
    low, high = RANGE[np.dtype(dtype)]
    return low <= largest_square <= high


def find_exponent(*arrays):
    """Exponent e of a power of two: values times 2^-e are less than 1; 0 if all are 0.

    Parameters
    ----------
    *arrays : ndarray, CSR matrix or RowSource
        Values, finite.
    """
    return math.frexp(max(map(_largest, arrays), default=0.0))[1]


def _largest(values):
    """Largest magnitude of a value."""
    if not isinstance(values, np.ndarray):
        if hasattr(values, "find_largest"):
            return values.find_largest()
        values = values.data
    return max(float(values.max()), -float(values.min())) if values.size else 0.0


def least_exponent(variance=0.0, location=0.0):
    """Least exponent e with which parameters in the units of the rows do not overflow.

    Parameters
    ----------
    variance : float
        The largest that goes with the rows, which is multiplied by 2^-2e.
    location : float
        The largest coordinate that goes with them, which is multiplied by 2^-e, and then squared.

    Returns
    -------
    exponent : int or None
        None if any exponent will do.
    """
    limits = []
    if variance > 0:
        limits.append((math.frexp(variance)[1] - 900) // 2)
    if location > 0:
        limits.append(math.frexp(location)[1] - 450)
    return max(limits, default=None)


def find_exponent_for_distances(*arrays):
    """Exponent for float64 rows of which only squared distances, and sums of these, are formed.

    Large values are scaled down no further than these need, so that the squares of ordinary rows
    next to huge ones do not underflow.

    Parameters
    ----------
    *arrays : ndarray or CSR matrix
        Values, finite.
    """
    exponent = find_exponent(*arrays)
    if exponent <= 0:
        return exponent
    n_values = sum(math.prod(a.shape) for a in arrays)
    room = 1016 - n_values.bit_length()  # sums of (2 x)^2, and of (2 (x - c))^2 of one row
    return exponent - room // 2


def advise_division(*arrays, exponent=0):
    """Sentence that says what to do where rows leave the range of floats.

    Parameters
    ----------
    *arrays : ndarray or RowSource
        X times 2^-exponent.
    exponent : int, default=0
        That exponent.
    """
    exponent = min(find_exponent(*arrays) + exponent, 1023)
    advice = (
        f"Divide X by a power of two, 2.0**{exponent} for example, which changes no digit of it"
    )
    if exponent <= 0:
        return f"{advice}."
    return f"{advice}; and leave out values that stand for missing ones: they make variances huge."


def scaled_rows(X, exponent):
    """Rows times 2^exponent: a copy, but for those in blocks."""
    if isinstance(X, np.ndarray):
        return scaled(X, exponent)
    if hasattr(X, "scaled"):
        return X.scaled(exponent)
    X = X.copy()
    X.data = scaled(X.data, exponent)
    return X


def scaled_weights(sample_weight, dtype, most=0.0):
    """Weights times a power of two with which their sums do not leave the range of floats.

    Parameters
    ----------
    sample_weight : ndarray of shape (n_samples,), float32 or float64
        Weights, finite, at least one of which is greater than 0.
    dtype : dtype
        Type of the result.
    most : float, default=0.0
        Weights up to this are not scaled, either.

    Returns
    -------
    sample_weight : ndarray of shape (n_samples,)
        Weights times 2^-exponent. Those of far less than a rounding error of the largest may be 0.
    exponent : int
        0 for ordinary weights.
    """
    low, high = RANGE_OF_WEIGHTS[np.dtype(dtype)]
    largest, exponent = float(sample_weight.max()), 0
    if not low <= largest <= max(high, most):
        exponent = math.frexp(largest)[1]
        sample_weight = scaled(sample_weight, -exponent)
    with np.errstate(under="ignore"):
        return sample_weight.astype(dtype, copy=False), exponent


def widened(values):
    """Rows or weights in float64: a copy, exact. None stays None."""
    return None if values is None else values.astype(np.float64)


def scaled(values, exponent):
    """Values times 2^exponent, in their type: a copy, exact but for what leaves its range."""
    if exponent == 0:
        return np.positive(values)
    with np.errstate(over="ignore", under="ignore"):
        return np.ldexp(values, exponent)


def scaled_up(value, exponent, what):
    """A number times 2^exponent, or an error if the result is no finite number.

    Raises
    ------
    ValueError
        If it is above the largest float.
    """
    try:
        return math.ldexp(value, exponent)
    except OverflowError:
        raise ValueError(
            f"{what} is above the largest floating-point number. Divide X by a power of two, "
            f"2.0**{exponent // 2} for example, which changes no digit of it."
        ) from None
