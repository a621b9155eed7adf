"""Dense rows as a user passes them: all rows of an array, some of them, or their directions.

`Panels` asks them to fill its panels, in any order, and for single rows. Numbers of rows are their
own, from 0 to n_samples - 1, wherever they are in the array.
"""

import math
from typing import NamedTuple

import numpy as np

from fastclust._algorithms.arrays import aligned_empty, readable
from fastclust._algorithms.chunks import split
from fastclust._algorithms.memory import check_memory
from fastclust._calls import pack_rows, sum_columns
from fastclust._kernels.simd.sizes import VECTOR_BYTES

PACK_WORK = 8
"""Cost of packing one value, in multiply-adds of the vector kernels
(benchmarks/ablate_constants.py)."""

SIDE_BY_SIDE_VALUES = 64
"""Least number of values of the rows that are read at a time to sum columns: several rows if there
are few columns."""

ROW_BYTES = 16
"""Least memory that a row takes beside its values: its label, distance and place."""

MOST_ROWS = 2**31 - 64
"""Most rows that can be put into another order: int32 numbers them, padding included."""


def estimate_mean(X):
    """Mean of the rows of X, accumulated in float64, in X's dtype; not finite if X is not."""
    with np.errstate(over="ignore", invalid="ignore"):  # the caller sees what is not finite
        return (sum_rows(X) / len(X)).astype(X.dtype)


def sum_rows(X):
    """Sum of the rows of X, in float64; not finite if X is not."""
    n_features = X.shape[1]
    side_by_side = -(-SIDE_BY_SIDE_VALUES // n_features)
    if side_by_side > 1:  # whole vectors: the sums of every chunk are then aligned
        side_by_side = -(-side_by_side // 4) * 4
    chunks = split(len(X), PACK_WORK * n_features)
    sums = aligned_empty((len(chunks), side_by_side, n_features), np.float64)
    flat_sums = sums.reshape(len(chunks), -1)
    values = readable(X).reshape(-1)
    sum_columns(chunks, values, n_features, flat_sums, work=PACK_WORK * X.size)
    with np.errstate(over="ignore", invalid="ignore"):
        return sums.sum(axis=(0, 1))


class Packed(NamedTuple):
    """What packing finds out about the rows."""

    total_square: float
    """Sum of the squares of all values."""

    largest_square: float
    """Largest squared norm of a row."""

    n_zero: int
    """Rows that have no direction, where rows are unit vectors; 0 otherwise."""


class ArrayRows:
    """The rows of an array.

    Parameters
    ----------
    X : ndarray of shape (n_samples, n_features), float32 or float64, C-contiguous
        The rows.

    Attributes
    ----------
    unit : bool
        Whether rows are divided by their norms when they are packed.
    """

    unit = False

    def __init__(self, X):
        self._X = readable(X)
        self.n_samples, self.n_features = X.shape
        self.dtype = X.dtype

    def block(self, part):
        """The rows of a slice."""
        return type(self)(self._X[part])

    def take(self, indices, origin):
        """Rows by number, as they are packed, of shape (n_indices, n_features)."""
        return self._X.take(indices, axis=0) - origin

    def pack(self, order, origin, panels_out):
        """Fill panels with the rows less the origin; see `Packed` for what it returns.

        Parameters
        ----------
        order : ndarray of shape (n_panels, lanes) or (0, lanes), int32
            Number of the row at each place, any at padding; empty for the order that the rows have.
        origin : ndarray of shape (n_features,)
            What is subtracted; 0 where rows are divided by their norms.
        panels_out : ndarray of shape (n_panels, n_features, lanes)
            The panels; padding is 0.
        """
        n_panels, n_features, lanes = panels_out.shape
        chunks = split(n_panels, PACK_WORK * lanes * n_features)
        numbers = np.empty((len(chunks), lanes), dtype=np.int64)
        norms = np.empty((len(chunks), lanes))
        squares, largest = np.empty(len(chunks)), np.empty(len(chunks))
        n_zero = np.zeros(len(chunks), dtype=np.int64)
        pack_rows(
            chunks, self._X, self.n_samples, origin, order, int(self.unit), numbers, norms,
            panels_out, squares, largest, n_zero, work=PACK_WORK * panels_out.size,
        )  # fmt: skip
        return Packed(float(squares.sum()), max(largest.tolist()), sum(n_zero.tolist()))


class UnitRows(ArrayRows):
    """The rows of an array divided by their norms; those of norm 0 stay."""

    unit = True

    def take(self, indices, origin):
        """Rows by number, to the bit as they are packed."""
        rows = UnitRows(self._X.take(indices, axis=0))
        lanes = VECTOR_BYTES // self.dtype.itemsize
        panels = aligned_empty((-(-len(indices) // lanes), self.n_features, lanes), self.dtype)
        rows.pack(np.empty((0, lanes), dtype=np.int32), origin, panels)
        taken = panels.swapaxes(1, 2).reshape(-1, self.n_features)[: len(indices)]
        return np.ascontiguousarray(taken)  # a single panel's are a view


class PartOfRows(ArrayRows):
    """Rows of an array that have these numbers in it.

    Parameters
    ----------
    X : ndarray of shape (n_rows, n_features), float32 or float64, C-contiguous
        At most `MOST_ROWS` rows.
    numbers : ndarray of int of shape (n_samples,)
        Numbers of some of them.
    """

    def __init__(self, X, numbers):
        super().__init__(X)
        self._numbers, self.n_samples = numbers, len(numbers)

    def block(self, part):
        """The rows of a slice."""
        return PartOfRows(self._X, self._numbers[part])

    def take(self, indices, origin):
        """Rows by number, as they are packed."""
        return super().take(self._numbers[indices], origin)

    def pack(self, order, origin, panels_out):
        """Fill panels with the rows less the origin; see `ArrayRows.pack`."""
        n_panels, _, lanes = panels_out.shape
        if len(order):
            numbers_in_X = self._numbers.take(order.ravel()[: self.n_samples])
        else:
            numbers_in_X = self._numbers
        order = np.empty((n_panels, lanes), dtype=np.int32)
        order.ravel()[: self.n_samples] = numbers_in_X
        order.ravel()[self.n_samples :] = 0
        return super().pack(order, origin, panels_out)


def part_of(X, numbers):
    """Rows of X that have these numbers; a copy if X has too many rows for `PartOfRows`."""
    if len(X) > MOST_ROWS:
        return ArrayRows(X.take(numbers, axis=0))
    return PartOfRows(X, numbers)


class PanelMemory:
    """Memory for panels, which panels of other rows may take over when these are not used again."""

    def __init__(self):
        self._values = self._values_f32 = np.empty((0, 0, 0))

    def values(self, n_samples, n_features, dtype):
        """Panels for these rows, of shape (n_panels, n_features, lanes).

        Raises
        ------
        MemoryError
            If there is too little memory for them, and for what rows need beside it.
        """
        lanes = VECTOR_BYTES // dtype.itemsize
        shape = -(-n_samples // lanes), n_features, lanes
        if not _has_room(self._values, shape, dtype):
            needed = math.prod(shape) * dtype.itemsize + ROW_BYTES * n_samples
            check_memory(needed, f"A computation on {n_samples:,} x {n_features} rows")
            self._values = aligned_empty(shape, dtype)
        return self._values[: shape[0]]

    def values_f32(self, shape):
        """Memory for the same rows in float32."""
        if not _has_room(self._values_f32, shape, np.float32):
            self._values_f32 = aligned_empty(shape, np.float32)
        return self._values_f32[: shape[0]]

    def drop_f32(self):
        """Free the memory of those in float32."""
        self._values_f32 = np.empty((0, 0, 0))


def _has_room(values, shape, dtype):
    """Whether panels of this shape and type fit into an array of panels."""
    return values.dtype == dtype and values.shape[1:] == shape[1:] and len(values) >= shape[0]
