"""Rows that come in blocks, again in each pass: cut into blocks of equal size, read ahead, checked.

How a source cuts its rows does not matter: the blocks that algorithms see are as long for all
sources. So a fit depends on the rows alone, and has the same bits from one file, or many, of any
kind. One thread reads the next block while the kernels work on this one.
"""

import contextlib
import contextvars
import functools
import math
from collections.abc import Callable

import numpy as np

from fastclust._algorithms.memory import memory_limit
from fastclust._algorithms.rows import scale
from fastclust._algorithms.rows.blocks import BlockRows
from fastclust._algorithms.rows.dense import PanelMemory
from fastclust._algorithms.rows.facts import (
    Facts,
    facts_of_block,
    largest_magnitude,
    merge_facts,
    sample_step,
    share_sums,
)
from fastclust._algorithms.rows.files import BlocksInFiles, open_map
from fastclust._algorithms.rows.merging import sum_tree
from fastclust._algorithms.rows.missing import has_no_value
from fastclust._algorithms.rows.read_ahead import read_ahead
from fastclust._algorithms.rows.row_source import RowSource
from fastclust._kernels.simd.sizes import VECTOR_BYTES

BLOCK_BYTES = 2**22
"""Bytes of the rows of a block: enough for the threads of a pass, few beside any limit."""

_watch = contextvars.ContextVar[Callable[[int, int], None] | None]("watch", default=None)


@contextlib.contextmanager
def passes_watched(watch):
    """Context in which `watch(n_done, n_samples)` is called after each block that a pass reads."""
    token = _watch.set(watch)
    try:
        yield
    finally:
        _watch.reset(token)


def open_source(X, allow_nan=False):
    """Open X as a source of blocks; return None if X is in memory, or is converted to an array.

    Parameters
    ----------
    X : object
        What an estimator was given: rows of `open_rows`; a memory map above the memory limit; or
        any object that has an attribute `n_features` and can be looped over again and again, each
        time yielding arrays of shape (n, n_features). It may have attributes `n_samples`, else its
        rows are counted first, and `dtype`, else that of the first array is taken. Or a source.
    allow_nan : bool, default=False
        Whether NaN stands for missing values; else it is an error. A source says so itself.

    Returns
    -------
    source : RowSource or None
        The source.
    """
    if isinstance(X, RowSource):
        return X
    if isinstance(X, np.memmap):
        rows = open_map(X) if X.nbytes > memory_limit() else None
        return None if rows is None else BlockSource(rows, allow_nan=allow_nan)
    if isinstance(X, BlocksInFiles):
        return BlockSource(X, allow_nan=allow_nan)
    if hasattr(X, "n_features") and hasattr(X, "__iter__") and not hasattr(X, "__array__"):
        return BlockSource(GivenBlocks(X), allow_nan=allow_nan)
    return None


class GivenBlocks:
    """Blocks that a user's object yields, as those of files are.

    Parameters
    ----------
    given : object
        The object; see `open_source`.

    Raises
    ------
    ValueError
        If it is itself an iterator, which ends with the first pass.
    """

    def __init__(self, given):
        self._given, self.n_features = given, int(given.n_features)
        if iter(given) is given:
            raise ValueError(
                f"{type(given).__name__} is an iterator, of which one pass uses up the rows. Rows "
                "in blocks are read several times: each iter() must begin anew."
            )
        n_samples = getattr(given, "n_samples", None)
        self.n_samples = None if n_samples is None else int(n_samples)
        dtype = getattr(given, "dtype", None)
        if dtype is None:
            dtype = next((np.asarray(rows).dtype for rows in given if len(rows)), np.float64)
        is_float32 = np.dtype(dtype) == np.float32
        self.dtype = np.dtype(np.float32 if is_float32 else np.float64)

    def header(self):
        """An array of no rows, with as many columns."""
        return np.empty((0, self.n_features), dtype=self.dtype)

    def named_blocks(self, first_row=0):
        """Yield (place, rows) of consecutive rows from this one on; the place is for messages."""
        for number, rows in enumerate(self._given, start=1):
            rows, place = np.asarray(rows), f"block {number} of the {type(self._given).__name__}"
            if rows.ndim != 2 or rows.shape[1] != self.n_features:
                raise ValueError(
                    f"{place} has the shape {rows.shape}, and {self.n_features} columns are "
                    "expected."
                )
            if rows.dtype.kind not in "biuf":
                raise ValueError(f"{place} is not numeric: {rows.dtype}")
            if self.dtype == np.float32 and rows.dtype != np.float32 and len(rows):
                raise ValueError(
                    f"{place} is of the type {rows.dtype}, and those before are of float32."
                )
            if first_row < len(rows):
                yield place, rows[first_row:]
            first_row = max(0, first_row - len(rows))


class BlockSource(RowSource):
    """Rows of any source in blocks of equal size, as algorithms take them for an array X.

    Parameters
    ----------
    rows : BlocksInFiles or GivenBlocks
        Where the rows come from.
    dtype : dtype, default=None
        float32 or float64; the rows' own by default.
    exponent : int, default=0
        The rows are multiplied by 2^exponent.
    selected : ndarray of bool of shape (n_samples,), default=None
        Which of the rows these are; all by default.
    allow_nan : bool, default=False
        Whether NaN stands for missing values; else it is an error.
    filling : ndarray of shape (n_features,), default=None
        What is in the place of missing values, in the units of the given rows.
    memory_share : float, default=1.0
        Share of the memory limit that packed rows may take.

    Attributes
    ----------
    n_features : int
        Number of columns.
    dtype : dtype
        Type of the values.
    block_rows : int
        Rows of a block, but for the last.
    """

    def __init__(
        self, rows, dtype=None, exponent=0, selected=None, *,
        allow_nan=False, filling=None, memory_share=1.0,
    ):  # fmt: skip
        self._rows, self._exponent, self._selected = rows, exponent, selected
        self.allow_nan, self._filling, self.memory_share = allow_nan, filling, memory_share
        self.n_features = rows.n_features
        self.dtype = np.dtype(dtype or rows.dtype)
        lanes = VECTOR_BYTES // self.dtype.itemsize
        row_bytes = max(1, self.n_features) * self.dtype.itemsize
        self.block_rows = lanes * max(1, BLOCK_BYTES // (lanes * row_bytes))

    @functools.cached_property
    def n_samples(self):
        """Number of rows, which are counted if the source does not know it."""
        if self._selected is not None:
            return np.count_nonzero(self._selected)
        if self._rows.n_samples is not None:
            return self._rows.n_samples
        return sum(len(rows) for _, rows in self._rows.named_blocks())

    @property
    def n_bytes(self):
        """Bytes of all rows."""
        return self.n_samples * self.n_features * self.dtype.itemsize

    def fits_in_memory(self):
        """Whether the rows, and as much again for those that are packed, are within the limit."""
        return 2 * self.n_bytes <= memory_limit()

    def header(self):
        """No rows, with the names of the columns."""
        return self._rows.header()

    def astype(self, dtype, copy=True):
        """The rows in another type."""
        return self if dtype == self.dtype else self._with(dtype=dtype)

    def scaled(self, exponent):
        """The rows times 2^exponent."""
        return self._with(exponent=self._exponent + exponent)

    def __getitem__(self, selected):
        """Rows for which an array of booleans is true."""
        if self._selected is not None:
            chosen, selected = selected, np.zeros_like(self._selected)
            selected[np.flatnonzero(self._selected)[chosen]] = True
        return self._with(selected=selected)

    def _with(self, **others):
        """The rows, but for what is given."""
        own = {
            "dtype": self.dtype, "exponent": self._exponent, "selected": self._selected,
            "allow_nan": self.allow_nan, "filling": self._filling,
            "memory_share": self.memory_share,
        }  # fmt: skip
        return BlockSource(self._rows, **own | others)

    def filled(self, values):
        """The rows, complete: a value for each feature is in the place of missing ones."""
        self.memory_share = 0.5  # both are packed
        values = scale.scaled(values, -self._exponent)
        return self._with(filling=values, allow_nan=False, memory_share=0.5)

    def rows_with_values(self, sample_weight):
        """The rows that have a value, and their weights, or None for ones."""
        if not self.facts.n_empty:
            return self, sample_weight
        with contextlib.closing(self.blocks()) as blocks:
            known = np.concatenate([~has_no_value(rows) for _, rows in blocks])
        return self[known], None if sample_weight is None else sample_weight[known]

    def find_weighted_mean(self, sample_weight):
        """Weighted mean of the values of each feature, in float64."""
        if sample_weight is None and np.isfinite(self.facts.mean).all():
            return self.facts.mean
        weights = np.ones(self.n_samples) if sample_weight is None else sample_weight
        total = weights.sum(dtype=np.float64)
        with contextlib.closing(self.blocks()) as blocks:
            sums = sum_tree(share_sums(rows, weights[part], total) for part, rows in blocks)
        return sums[0] / sums[1]

    def pack(self, sample_weight, origin, unit=False, reserved=0):
        """The rows as algorithms take them; see `RowSource.pack`."""
        return BlockRows(self, sample_weight, origin, unit, reserved)

    def read(self):
        """All rows, as an array."""
        X = np.empty(self.shape, dtype=self.dtype)
        with contextlib.closing(self.blocks()) as blocks:
            for part, rows in blocks:
                X[part] = rows
        return X

    def blocks(self, first_block=0):
        """Yield (slice of the rows, block) from this block on; a block is valid until the next.

        Close what this returns, as a thread reads ahead.

        Raises
        ------
        ValueError
            If values are not finite, or the rows are others than in the pass before.
        """
        first = first_block * self.block_rows
        blocks = read_ahead(
            functools.partial(self._cut, first), (self.block_rows, self.n_features), self.dtype
        )
        with contextlib.closing(blocks):
            for rows in blocks:
                yield slice(first, first + len(rows)), rows
                first += len(rows)
                if watch := _watch.get():
                    watch(first, self.n_samples)

    def _cut(self, first_row, buffers):
        """Yield blocks in the buffers, which are handed back when they have been used."""
        n_samples, n_done, n_filled = self.n_samples, first_row, 0
        buffer = next(buffers, None)
        for place, rows in self._named_rows(first_row):
            while len(rows):
                if buffer is None:
                    return  # nobody wants more
                n_rows = min(len(rows), len(buffer) - n_filled)
                self._copy(rows[:n_rows], buffer[n_filled : n_filled + n_rows], place)
                rows, n_filled, n_done = rows[n_rows:], n_filled + n_rows, n_done + n_rows
                if n_done > n_samples:
                    raise ValueError(f"There are more rows than the expected {n_samples:,}.")
                if n_filled == len(buffer):
                    yield buffer
                    n_filled, buffer = 0, next(buffers, None)
        if n_done != n_samples:
            raise ValueError(f"There are {n_done:,} rows, and {n_samples:,} were expected.")
        if buffer is not None and n_filled:
            yield buffer[:n_filled]

    def _named_rows(self, first_row):
        """Yield (place, rows) of consecutive rows of these from this one on."""
        selected = self._selected
        if selected is None:
            yield from self._rows.named_blocks(first_row)
            return
        row = int(np.flatnonzero(selected)[first_row])
        for place, rows in self._rows.named_blocks(row):
            these = selected[row : row + len(rows)]
            row += len(rows)
            yield place, rows[these]

    def _copy(self, rows, out, place):
        """Copy rows into a block, in its type and scaled, and check them.

        They must be finite, but for NaN where it stands for missing values.
        """
        with np.errstate(over="ignore", under="ignore", invalid="ignore"):
            out[:] = rows
            if self._filling is not None:
                np.copyto(out, self._filling, where=np.isnan(out))
            if self._exponent:
                np.ldexp(out, self._exponent, out=out)
            total = out.sum()
        if math.isfinite(total):
            return
        is_missing = np.isnan(out)
        if not self.allow_nan and is_missing.any():
            raise ValueError(f"Input X contains NaN, in {place}.")
        if not (np.isfinite(out) | is_missing).all():
            what = f"infinity or a value too large for {out.dtype!r}"
            raise ValueError(f"Input X contains {what}, in {place}.")

    @functools.cached_property
    def facts(self) -> Facts:
        """What a pass over the rows finds out, which is run at the first call."""
        found, sample = [], [np.empty((0, self.n_features), dtype=self.dtype)]
        memory, step = PanelMemory(), sample_step(self.n_samples)
        with contextlib.closing(self.blocks()) as blocks:
            for part, rows in blocks:
                found.append(facts_of_block(rows, memory, self.allow_nan))
                sample.append(rows[-part.start % step :: step].copy())
        return merge_facts(found, np.concatenate(sample))

    @functools.cached_property
    def is_incomplete(self):
        """Whether values are missing: new rows are read up to the first such."""
        if not self.allow_nan or "facts" in vars(self):
            return super().is_incomplete
        with contextlib.closing(self.blocks()) as blocks:
            return any(np.isnan(rows).any() for _, rows in blocks)

    def find_rows(self, is_such):
        """Number of rows that a function of an array says are such, and the place of the first."""
        n_such, first = 0, ""
        for place, rows in self._named_rows(0):
            n_such += int(np.count_nonzero(is_such(rows)))
            first = first or (place if n_such else "")
        return n_such, first

    def find_largest(self):
        """Largest magnitude of a value."""
        largest = 0.0
        with contextlib.closing(self.blocks()) as blocks:
            for _, rows in blocks:
                largest = max(largest, largest_magnitude(rows))
        return largest
