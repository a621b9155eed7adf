"""Rows made of what a user passes, whatever it is."""

import contextlib
from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy as np

from fastclust._algorithms.rows import scale
from fastclust._algorithms.rows.batches import Batches
from fastclust._algorithms.rows.block_batches import BlockBatches
from fastclust._algorithms.rows.csr import CsrRows
from fastclust._algorithms.rows.csr_batches import CsrBatches
from fastclust._algorithms.rows.dense import ArrayRows, UnitRows, part_of
from fastclust._algorithms.rows.directions import zero_rows_error
from fastclust._algorithms.rows.missing import IncompleteArray, MissingRows, is_incomplete
from fastclust._algorithms.rows.missing_batches import MissingBatches
from fastclust._algorithms.rows.origin import find_mean, find_origin
from fastclust._algorithms.rows.panels import Panels
from fastclust._algorithms.rows.protocol import Rows
from fastclust._algorithms.rows.row_source import RowSource


def pack(X, sample_weight, origin, numbers=None, into=None, unit=False) -> Rows:
    """Rows of X, or some of them, packed for the kernels.

    Parameters
    ----------
    X : ndarray, IncompleteArray, CSR matrix or RowSource of shape (n_samples, n_features)
        The rows, in float32 or float64; an ndarray is C-contiguous.
    sample_weight : ndarray of shape (n_samples,) or None
        Weight of each row, of X's dtype; None for ones.
    origin : ndarray of shape (n_features,)
        What is subtracted from dense rows; sparse ones stay as they are.
    numbers : ndarray of int, default=None
        Which rows of X; all by default. They are not divided by their norms.
    into : Rows, default=None
        Rows that are not used again: these take their memory if it is enough.
    unit : bool, default=False
        Whether all rows are divided by their norms; the origin is 0 then.

    Returns
    -------
    rows : Rows
        The rows.

    Raises
    ------
    ValueError
        If rows are zero, which have no direction, where they are to be unit vectors; of rows in
        blocks, in each pass over them.
    """
    rows: Panels | CsrRows
    if isinstance(X, RowSource):
        return X.pack(sample_weight, origin, unit)
    if isinstance(X, IncompleteArray):
        return MissingRows(X.values, sample_weight, origin)
    if numbers is not None and sample_weight is not None:
        sample_weight = sample_weight[numbers]
    if isinstance(X, np.ndarray):
        memory = into.memory if isinstance(into, Panels) else None
        rows = Panels(_dense_rows(X, numbers, unit), sample_weight, origin, memory)
    elif numbers is not None:
        rows = CsrRows.of_numbers(X, numbers, sample_weight)
    else:
        rows = CsrRows(X, sample_weight, unit)
    if rows.n_zero:
        raise zero_rows_error(X)
    return rows


def _dense_rows(X, numbers, unit):
    """All rows of an array, or some of them; or their directions."""
    if numbers is not None:
        return part_of(X, numbers)
    return UnitRows(X) if unit else ArrayRows(X)


class RowsInRange(NamedTuple):
    """Packed rows of X times 2^-exponent, with the same rows as an array, and their mean.

    The array may be in float64 where X was in float32. If packed dense rows are unit vectors, it
    has the rows that have not been divided by their norms.
    """

    rows: Any  # Panels, MissingRows, CsrRows, RowsInBlocks, or batches as of open_batches
    X: Any
    mean: np.ndarray
    exponent: int

    @property
    def origin(self):
        """What is subtracted from the rows."""
        return self.rows.origin

    def place(self, centers, offset=0.0):
        """Centers in the coordinates of the rows: scaled, less the origin; or unit vectors.

        Parameters
        ----------
        centers : ndarray of shape (n_clusters, n_features)
            Centers, in the units of X.
        offset : ndarray of shape (n_features,), default=0.0
            The point that they are relative to, scaled as the rows are.

        Raises
        ------
        ValueError
            If a center is zero, and the rows are unit vectors.
        """
        if self.rows.unit:
            return unit_centers(centers)
        return scale.scaled(centers, -self.exponent) + (offset - self.origin)

    def place_back(self, centers, dtype):
        """Centers in these coordinates, and the origin, in the units of X and of this type."""
        placed = (
            scale.scaled(points, self.exponent).astype(dtype, copy=False)
            for points in (centers + self.origin, self.origin)
        )
        return tuple(placed)

    @property
    def variance(self):
        """Mean of the variances of the features, of dense rows and of unit vectors."""
        if is_incomplete(self.X):
            about_origin = float((self.rows.squares / self.X.counts).mean())
        else:
            about_origin = self.rows.total_square / (self.rows.n_samples * self.rows.n_features)
        if self.rows.unit:
            return max(0.0, about_origin - float(np.square(self.rows.mean()).mean()))
        if self.origin is self.mean:
            return about_origin
        offset = np.subtract(self.mean, self.origin, dtype=np.float64)
        return max(0.0, about_origin - float(np.square(offset).mean()))


def pack_for_distances(X, sample_weight, mean, rows=None) -> RowsInRange:
    """Rows of X for k-means, in float64 or scaled where squares would leave the range of floats.

    Parameters
    ----------
    X, sample_weight, mean, rows : ndarray or CSR matrix, ndarray or None, ndarray, Rows or None
        As in `pack_in_range`.
    """
    return _for_distances(pack, X, sample_weight, mean, rows)


def open_batches(X, mean) -> RowsInRange:
    """Rows of X for mini-batches, as `pack_for_distances` has them.

    They are `Batches`, `MissingBatches`, `CsrBatches` or `BlockBatches`.

    Parameters
    ----------
    X, mean : ndarray, CSR matrix or RowSource, ndarray
        As in `pack_in_range`.
    """
    return _for_distances(_open, X, None, mean, None)


def _open(X, sample_weight, origin):
    """Rows of X for mini-batches, less the origin; they have no weights."""
    if isinstance(X, RowSource):
        return BlockBatches(X, origin)
    if isinstance(X, IncompleteArray):
        return MissingBatches(X, origin)
    return Batches(X, origin) if isinstance(X, np.ndarray) else CsrBatches(X, origin)


def _for_distances(pack, X, sample_weight, mean, rows):
    """Rows as `pack(X, sample_weight, origin)` makes them, in float64 or scaled if they must be."""
    rows = pack(X, sample_weight, find_origin(X, mean)) if rows is None else rows
    if scale.is_in_range(rows.largest_square, X.dtype):
        return RowsInRange(rows, X, mean, 0)
    exponent = 0
    if X.dtype == np.float32:
        X, sample_weight = scale.widened(X), scale.widened(sample_weight)
    else:
        exponent = scale.find_exponent_for_distances(X)
        X = scale.scaled_rows(X, -exponent)
    mean = find_mean(X)
    return RowsInRange(pack(X, sample_weight, find_origin(X, mean)), X, mean, exponent)


def pack_part(X, sample_weight, numbers, center, into) -> tuple[Rows, int]:
    """Some rows of X for k-means, relative to an origin of their own, as of `pack_for_distances`.

    Rows that are near to each other and far from others have few digits in common coordinates, and
    squares that are small beside those of others. The time depends on the number of these rows.

    Parameters
    ----------
    X, sample_weight : ndarray or CSR matrix, ndarray or None
        As in `pack`.
    numbers : ndarray of int
        Which rows of X.
    center : ndarray of shape (n_features,)
        Approximately their mean.
    into : Rows
        Rows that are not used again: these take their memory if it is enough.

    Returns
    -------
    rows : Rows
        These rows times 2^-exponent.
    exponent : int
        0 for ordinary rows.
    """
    if not isinstance(X, np.ndarray):
        center = np.zeros(X.shape[1], dtype=X.dtype)
    rows = pack(X, sample_weight, find_origin(X, center, numbers), numbers, into)
    if scale.is_in_range(rows.largest_square, X.dtype):
        return rows, 0
    sample_weight = None if sample_weight is None else sample_weight[numbers]
    in_range = pack_for_distances(X[numbers], sample_weight, center, rows)
    return in_range.rows, in_range.exponent


def pack_unit(X, sample_weight) -> RowsInRange:
    """Rows of X divided by their norms, for spherical k-means.

    Parameters
    ----------
    X : ndarray, CSR matrix or RowSource of shape (n_samples, n_features), float32 or float64
        The rows, all finite; an ndarray is C-contiguous.
    sample_weight : ndarray of shape (n_samples,) or None
        Weight of each row, of X's dtype; None for ones.

    Raises
    ------
    ValueError
        As in `pack`.
    """
    zero = np.zeros(X.shape[1], dtype=X.dtype)
    rows = pack(X, sample_weight, zero, unit=True)
    return RowsInRange(rows, rows.matrix if isinstance(rows, CsrRows) else X, zero, 0)


def unit_centers(centers):
    """Centers divided by their norms, as rows are when they are packed: a copy.

    Centers of norm 1, but for rounding, stay as they are, so that those of a fit do.

    Parameters
    ----------
    centers : ndarray of shape (n_clusters, n_features), float32 or float64, C-contiguous
        Centers, finite.

    Raises
    ------
    ValueError
        If a center is zero.
    """
    n_clusters, n_features = centers.shape
    if not centers.any(axis=1).all():
        raise ValueError("A center is zero, which has no direction: cosines are not defined.")
    with np.errstate(over="ignore", under="ignore"):
        norms_sq = np.square(centers, dtype=np.float64).sum(axis=1)
    rounding = (n_features + 16) * float(np.finfo(centers.dtype).eps)
    is_unit = np.abs(norms_sq - 1) <= rounding
    if is_unit.all():
        return centers.copy()
    divided = pack_unit(centers, None).rows.take(np.arange(n_clusters))
    return np.where(is_unit[:, np.newaxis], centers, divided)


def pack_in_range(X, sample_weight, mean, rows=None, least_exponent=None) -> RowsInRange:
    """Rows of X for a mixture, in float64 or scaled where squares would leave the range of floats.

    Parameters
    ----------
    X, sample_weight : ndarray or CSR matrix, ndarray or None
        As in `pack`.
    mean : ndarray of shape (n_features,)
        As of `find_mean`.
    rows : Rows, default=None
        The rows, where they have been packed before.
    least_exponent : int, default=None
        Lower limit of the exponent, if there is one.
    """
    rows = pack(X, sample_weight, find_origin(X, mean)) if rows is None else rows
    square, most = rows.largest_square, scale.LARGEST_OF_MIXTURE
    # Squares are summed in float64, where those of float32 rows are not 0 unless all values are.
    is_zero = square == 0 and X.dtype == np.float32
    if is_zero or (square <= most[X.dtype] and scale.is_in_range(square, X.dtype)):
        return RowsInRange(rows, X, mean, 0)
    if X.dtype == np.float32 and square > most[X.dtype]:
        X, sample_weight = scale.widened(X), scale.widened(sample_weight)
        mean = find_mean(X)
        return RowsInRange(pack(X, sample_weight, find_origin(X, mean)), X, mean, 0)
    exponent = scale.find_exponent(X)
    exponent = exponent if least_exponent is None else max(exponent, least_exponent)
    X = scale.scaled_rows(X, -exponent)
    mean = find_mean(X)
    return RowsInRange(pack(X, sample_weight, find_origin(X, mean)), X, mean, exponent)


def row_slices(X, n_rows) -> Iterator[tuple[slice, np.ndarray]]:
    """Yield consecutive rows of X, as a slice and an array of these rows.

    Parameters
    ----------
    X : ndarray or RowSource of shape (n_samples, n_features)
        The rows.
    n_rows : int
        Rows at a time; of rows in blocks it is a block.
    """
    if isinstance(X, RowSource):
        with contextlib.closing(X.blocks()) as blocks:
            yield from blocks
        return
    for first in range(0, len(X), n_rows):
        part = slice(first, first + n_rows)
        yield part, X[part]


def take_rows(X, numbers):
    """Rows of X by number, dense, of shape (n_numbers, n_features); those in blocks by a pass.

    NaN stands for missing values.

    Parameters
    ----------
    X : ndarray, IncompleteArray, CSR matrix or RowSource of shape (n_samples, n_features)
        The rows.
    numbers : ndarray of int of shape (n_numbers,)
        Which rows.
    """
    if isinstance(X, RowSource):
        rows: Any = X.pack(None, np.zeros(X.n_features, dtype=X.dtype))
        return rows.take_packed(numbers)
    if isinstance(X, IncompleteArray):
        return X[numbers].values
    return X[numbers] if isinstance(X, np.ndarray) else X[numbers].toarray()


def pack_blocks(
    X, sample_weight, origin, numbers=None, unit=False, source=None
) -> Iterator[tuple[slice | np.ndarray, Rows]]:
    """Yield consecutive blocks of X, each as a slice of its rows, and these rows.

    Where `numbers` says which rows are wanted, it has their numbers instead of a slice. Dense
    blocks share one buffer, so a block is valid until the next is asked for. Sparse rows are one
    block. The rows are unit vectors if that is asked for, and none may be zero then; where X is a
    block of a source, the error is about all of its rows.
    """
    if isinstance(X, IncompleteArray):
        for first, rows in MissingRows.blocks(X.values, sample_weight, origin):
            yield slice(first, first + rows.n_samples), rows
        return
    if not isinstance(X, np.ndarray):
        rows = pack(X, sample_weight, origin, numbers, unit=unit)
        yield slice(None) if numbers is None else numbers, rows
        return
    if numbers is not None and sample_weight is not None:
        sample_weight = sample_weight[numbers]
    for first, panels in Panels.blocks(_dense_rows(X, numbers, unit), sample_weight, origin):
        if panels.n_zero:
            raise zero_rows_error(X if source is None else source)
        part = slice(first, first + panels.n_samples)
        yield part if numbers is None else numbers[part], panels
