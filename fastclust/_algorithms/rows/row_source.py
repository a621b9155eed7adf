"""What stands for an array of rows that are elsewhere, in files or in other processes."""

import contextlib
from collections.abc import Generator
from typing import Any

import numpy as np

from fastclust._algorithms.rows.facts import Facts
from fastclust._algorithms.rows.merging import sum_tree
from fastclust._algorithms.rows.protocol import Rows


class RowSource:
    """Base of what stands for an array X of rows that are elsewhere.

    A subclass has attributes `n_samples`, `n_features`, `dtype` and `facts`, and is asked for the
    rows in other units (`scaled`) or of another type (`astype`), for those of them that are chosen
    (by an array of booleans), and for their blocks, one after the other (`blocks`).
    """

    n_features: int
    dtype: np.dtype
    allow_nan = False
    """Whether NaN stands for missing values; else it is an error."""

    @property
    def weight_exponent(self) -> int:
        """The rows' own weights, if they have any, are those of the user times 2^-exponent."""
        return 0

    @property
    def n_samples(self) -> int:
        """Number of rows."""
        raise NotImplementedError

    @property
    def facts(self) -> Facts:
        """What a pass over the rows finds out."""
        raise NotImplementedError

    @property
    def shape(self):
        """(n_samples, n_features)."""
        return self.n_samples, self.n_features

    @property
    def is_incomplete(self) -> bool:
        """Whether values are missing."""
        return self.allow_nan and self.facts.counts is not None

    @property
    def counts(self):
        """Number of the values of each feature, where some are missing."""
        return self.facts.counts

    def filled(self, values) -> "RowSource":
        """The rows, complete: a value for each feature is in the place of missing ones."""
        raise NotImplementedError

    def rows_with_values(self, sample_weight) -> tuple["RowSource", Any]:
        """The rows that have a value, and their weights, or None for ones."""
        raise NotImplementedError

    def find_weighted_mean(self, sample_weight) -> np.ndarray:
        """Weighted mean of the values of each feature, in float64."""
        raise NotImplementedError

    def blocks(self) -> Generator[tuple[slice, np.ndarray], None, None]:
        """Yield (slice of the rows, block); a block is valid until the next. Close it."""
        raise NotImplementedError

    def sum_blocks(self, function, *parameters, sample_weight=None):
        """Sum of function(rows, *parameters, weights) over the blocks, in the order of `sum_tree`.

        The weights are None where there are none.
        """
        with contextlib.closing(self.blocks()) as blocks:
            return sum_tree(
                function(rows, *parameters, None if sample_weight is None else sample_weight[part])
                for part, rows in blocks
            )

    def fits_in_memory(self) -> bool:
        """Whether all rows are to be read into an array, instead of in blocks in each pass."""
        return False

    def header(self) -> Any:
        """No rows, with the names of the columns."""
        raise NotImplementedError

    def pack(self, sample_weight, origin, unit=False, reserved=0) -> Rows:
        """The rows less a point, or divided by their norms, as algorithms take them.

        Parameters
        ----------
        sample_weight : ndarray of shape (n_samples,) or None
            Weight of each row; None for ones.
        origin : ndarray of shape (n_features,)
            The point.
        unit : bool, default=False
            Whether rows are divided by their norms.
        reserved : int, default=0
            Bytes of the memory limit that are kept free for other things.
        """
        raise NotImplementedError

    def find_largest(self) -> float:
        """Largest magnitude of a value."""
        raise NotImplementedError
