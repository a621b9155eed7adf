"""Dask's arrays and dataframes as rows in blocks that are in other processes."""

import functools
from typing import Any

import dask
import dask.array
import numpy as np
from dask.array.utils import meta_from_array

from fastclust._algorithms.rows import scale
from fastclust._algorithms.rows.directions import zero_rows_error
from fastclust._algorithms.rows.facts import merge_facts, sample_step
from fastclust._algorithms.rows.merging import sum_tree
from fastclust._algorithms.rows.row_source import RowSource
from fastclust.dask import _blocks
from fastclust.dask._rows import DaskRows, count_threads


def is_collection(X):
    """Whether X is an array or a dataframe of Dask's."""
    return dask.is_dask_collection(X) and hasattr(X, "to_delayed")


def no_rows_of(frame):
    """A dataframe, of pandas say, with the columns and the index of one of Dask's, but no rows."""
    from dask.dataframe.utils import make_meta  # whoever has a dataframe has what this imports

    return make_meta(frame)


class DaskSource(RowSource):
    """Rows of a Dask collection.

    The blocks of the collection are computed once: they stay with Dask until they are packed, in
    the process where they are.

    Parameters
    ----------
    blocks : list of Delayed
        Each is a `Block`.
    n_features : int
        Number of columns.
    dtype : dtype
        float32 or float64.
    header : ndarray or DataFrame
        No rows, with the names of the columns.
    allow_nan : bool, default=False
        Whether NaN stands for missing values; else it is an error.
    most_weight : float, default=None
        Weights up to this are not scaled, as in `scale.scaled_weights`; None for blocks whose
        weights are as they should be, or that have none.
    """

    def __init__(self, blocks, n_features, dtype, header, allow_nan=False, most_weight=None):
        self._most_weight, self._weight_exponent = most_weight, 0
        self._blocks: list[Any] = blocks
        self._persisted: Any = None  # the same, computed
        self._packed: DaskRows | None = None
        self.allow_nan = allow_nan
        self.n_features, self.dtype, self._header = n_features, np.dtype(dtype), header

    @classmethod
    def of(cls, X, sample_weight=None, allow_nan=False, most_weight=0.0):
        """Rows of a collection, with their weights.

        Parameters
        ----------
        X : dask.array.Array or dask.dataframe.DataFrame of shape (n_samples, n_features)
            The rows; chunks may be of unknown sizes.
        sample_weight : dask.array.Array, dask.dataframe.Series or array-like, default=None
            Weights, in chunks as the rows are if they are Dask's.
        allow_nan : bool, default=False
            Whether NaN stands for missing values; else it is an error.
        most_weight : float, default=0.0
            Weights up to this are ordinary, too; see `scale.scaled_weights`.
        """
        if X.ndim != 2:
            raise ValueError(f"Expected 2D array, got {X.ndim}D array instead.")
        if isinstance(X, dask.array.Array):
            if not isinstance(meta_from_array(X), np.ndarray):
                raise TypeError("fastclust.dask takes dense arrays: convert the blocks first.")
            X = X.rechunk({1: -1})
            header, dtypes = np.empty((0, X.shape[1]), dtype=X.dtype), [X.dtype]
        else:
            header, dtypes = no_rows_of(X), list(X.dtypes)
        dtype = np.float32 if all(kind == np.float32 for kind in dtypes) else np.float64
        parts = _delayed(X)
        weights = _weights_of_parts(sample_weight, X, parts)
        read = dask.delayed(_blocks.read, pure=False)
        blocks = [
            read(part, of_part, dtype, X.shape[1], f"block {number} of the rows", allow_nan)
            for number, (part, of_part) in enumerate(zip(parts, weights, strict=True))
        ]
        most_weight = None if sample_weight is None else most_weight
        return cls(blocks, X.shape[1], dtype, header, allow_nan, most_weight)

    @functools.cached_property
    def _found(self):
        """What is found out of each block that has rows; the others are dropped."""
        self._persisted = list(dask.persist(*self._blocks))
        if self._most_weight is not None:
            self._weigh()
        find, n_threads = dask.delayed(_blocks.find, pure=False), count_threads(len(self._blocks))
        found = dask.compute(*(find(n_threads, b, self.allow_nan) for b in self._persisted))
        prints = {one.fingerprint for one in found}
        if len(prints) > 1:
            raise ValueError(
                "The workers round differently, as their processors, or what fastclust was "
                "compiled for, differ: sums would depend on who computes them. Set the environment "
                "variable FASTCLUST_LEVEL to one that all of them have, v2 for example."
            )
        self._filled = [number for number, one in enumerate(found) if one.facts is not None]
        self._n_parts = len(found)
        self._blocks = [self._blocks[number] for number in self._filled]
        self._persisted = [self._persisted[number] for number in self._filled]
        return [found[number] for number in self._filled]

    def _weigh(self):
        """Give the weights the type of the rows, scaled where their sums would leave its range."""
        largest = dask.delayed(_blocks.largest_weight, pure=False)
        largest = max(dask.compute(*(largest(block) for block in self._persisted)), default=0.0)
        if largest > 0:
            _, self._weight_exponent = scale.scaled_weights(
                np.array([largest]), self.dtype, self._most_weight
            )
        weigh = dask.delayed(_blocks.weigh, pure=False)
        self._blocks, weighed = (
            [weigh(block, self.dtype, self._weight_exponent) for block in blocks]
            for blocks in (self._blocks, self._persisted)
        )
        self._persisted = list(dask.persist(*weighed))

    @property
    def weight_exponent(self):
        """The weights are those of the user times 2^-exponent."""
        return self._weight_exponent if self._found else 0

    @functools.cached_property
    def _ends(self):
        """Number of the row after the last of each block."""
        return np.cumsum([one.facts.n_samples for one in self._found], dtype=np.int64)

    @property
    def n_samples(self):
        """Number of rows that have a weight."""
        return int(self._ends[-1]) if len(self._ends) else 0

    @functools.cached_property
    def facts(self):
        """What a pass over the rows finds out."""
        starts, step = self._starts(), sample_step(self.n_samples)
        take = dask.delayed(_blocks.take_every, pure=False)
        sample = dask.compute(
            *(
                take(block, int(-start % step), step)
                for block, start in zip(self._now(), starts, strict=True)
            )
        )
        return merge_facts([one.facts for one in self._found], np.concatenate(sample))

    def block_sizes(self):
        """Numbers of rows of the blocks that have any."""
        return [one.facts.n_samples for one in self._found]

    def parts_of(self, values, name):
        """Parts of a value for each row, for the blocks that have rows: Dask's own, or arrays.

        Parameters
        ----------
        values : dask.array.Array, dask.dataframe.Series or array-like of shape (n_samples,)
            The values, in chunks as the rows are if they are Dask's.
        name : str
            What they are, for messages.
        """
        ends = self._ends  # the blocks are known now
        if is_collection(values):
            parts = _delayed_like(values, self._n_parts, name)
            return [parts[number] for number in self._filled]
        values = np.asarray(values)
        if values.shape != (self.n_samples,):
            raise ValueError(f"{name}.shape == {values.shape}, expected {(self.n_samples,)}!")
        return np.split(values, ends[:-1])

    def _starts(self):
        """Number of the first row of each block."""
        return np.concatenate([[0], self._ends[:-1]]).astype(np.int64)

    def _now(self):
        """The blocks: those that Dask keeps, or, once they are packed, those to compute again."""
        return self._blocks if self._persisted is None else self._persisted

    def unread_blocks(self):
        """The blocks, not computed, empty ones included; their weights are those of the user."""
        return self._blocks

    def header(self):
        """No rows, with the names of the columns."""
        return self._header

    def _mapped(self, function, *parameters, dtype=None, allow_nan=None):
        """The rows of function(block, *parameters), of this type, instead of each block."""
        convert = dask.delayed(function, pure=False)
        blocks = [convert(block, *parameters) for block in self._now()]
        allow_nan = self.allow_nan if allow_nan is None else allow_nan
        mapped = DaskSource(blocks, self.n_features, dtype or self.dtype, self._header, allow_nan)
        mapped._weight_exponent = self._weight_exponent
        return mapped

    def astype(self, dtype, copy=True):
        """The rows in another type."""
        return self if dtype == self.dtype else self._mapped(_blocks.convert, dtype, 0, dtype=dtype)

    def scaled(self, exponent):
        """The rows times 2^exponent."""
        return self._mapped(_blocks.convert, self.dtype, exponent)

    def filled(self, values):
        """The rows, complete: a value for each feature is in the place of missing ones."""
        return self._mapped(_blocks.fill, values, allow_nan=False)

    def rows_with_values(self, sample_weight):
        """The rows that have a value; their weights are with them."""
        if not self.facts.n_empty:
            return self, sample_weight
        return self._mapped(_blocks.leave_out_empty), sample_weight

    def find_weighted_mean(self, sample_weight):
        """Weighted mean of the values of each feature, in float64."""
        is_weighted = any(one.has_weights for one in self._found)
        if not is_weighted and np.isfinite(self.facts.mean).all():
            return self.facts.mean
        add_up = dask.delayed(_blocks.share_sums_of, pure=False)
        total = sum(one.total_weight for one in self._found)
        sums = sum_tree(dask.compute(*(add_up(block, total) for block in self._now())))
        return sums[0] / sums[1]

    def blocks(self):
        """Yield (slice of the rows, block), of which one is here at a time."""
        for start, end, block in zip(self._starts(), self._ends, self._now(), strict=True):
            yield slice(int(start), int(end)), dask.compute(block)[0].rows

    def sum_blocks(self, function, *parameters, sample_weight=None):
        """Sum of function(rows, *parameters, weights) over the blocks, where they are."""
        weights = [None] * len(self._found)
        if sample_weight is not None:
            weights = self.parts_of(sample_weight, "sample_weight")
        ask, n_threads = dask.delayed(_blocks.ask, pure=False), count_threads(len(weights))
        asked = [
            ask(n_threads, function, block, parameters, of_block)
            for block, of_block in zip(self._now(), weights, strict=True)
        ]
        return sum_tree(dask.compute(*asked))

    def find_largest(self):
        """Largest magnitude of a value."""
        find = dask.delayed(_blocks.largest, pure=False)
        return max(dask.compute(*(find(block) for block in self._now())))

    def find_rows(self, is_such):
        """Number of rows that a function of an array says are such, and the place of the first."""
        count = dask.delayed(_blocks.count_rows, pure=False)
        counts = dask.compute(*(count(block, is_such) for block in self._now()))
        return sum(counts), f"block {np.flatnonzero(counts)[0]} of those that are not empty"

    def pack(self, sample_weight, origin, unit=False, reserved=0):
        """The rows less a point or divided by their norms, where they are.

        The computed blocks are let go, unless they must be scaled first. What was packed last
        stays, for whoever asks for the same again.
        """
        last = self._packed
        if last is not None and last.unit == unit and np.array_equal(last.origin, origin):
            return last
        facts, found, n_blocks = self.facts, self._found, len(self._found)
        make = dask.delayed(_blocks.pack, pure=False)
        n_threads = count_threads(n_blocks)
        how = origin, unit, self.is_incomplete
        packed = list(
            dask.persist(
                *(
                    make(n_threads, block, *how, one.facts, number)
                    for block, one, number in zip(self._now(), found, self._filled, strict=True)
                )
            )
        )
        if unit and any(dask.compute(*(block.n_zero for block in packed))):
            raise zero_rows_error(self)
        square, most = facts.squares_about(origin)[1], scale.LARGEST_OF_MIXTURE[self.dtype]
        rows = DaskRows(
            packed,
            facts,
            origin,
            self.dtype,
            unit,
            starts=self._starts(),
            block_weights=np.array([one.total_weight for one in self._found]),
            has_weights=any(one.has_weights for one in self._found),
            fingerprint=self._found[0].fingerprint,
        )
        if unit or (square <= most and scale.is_in_range(square, self.dtype)):
            self._persisted, self._packed = None, rows
        return rows  # else they are asked again, scaled or in another type


def _delayed(X):
    """The blocks of a collection."""
    return list(np.ravel(np.asarray(X.to_delayed(), dtype=object)))


def _delayed_like(values, n_parts, name):
    """The blocks of values that are to have as many as the rows."""
    parts = _delayed(values)
    if len(parts) != n_parts:
        raise ValueError(
            f"{name} has {len(parts)} blocks, and X has {n_parts}: give both the same chunks."
        )
    return parts


def _weights_of_parts(sample_weight, X, parts):
    """Weights of each block, or None."""
    if sample_weight is None:
        return [None] * len(parts)
    if is_collection(sample_weight):
        return _delayed_like(sample_weight, len(parts), "sample_weight")
    is_known = isinstance(X, dask.array.Array) and not np.isnan(X.chunks[0]).any()
    sizes = X.chunks[0] if is_known else dask.compute(*(dask.delayed(len)(part) for part in parts))
    sample_weight = np.asarray(sample_weight)
    if sample_weight.ndim == 0:
        return [np.full(size, sample_weight) for size in sizes]
    if sample_weight.shape != (sum(sizes),):
        raise ValueError(f"sample_weight.shape == {sample_weight.shape}, expected {(sum(sizes),)}!")
    return np.split(sample_weight, np.cumsum(sizes)[:-1])
