"""What the first pass over rows in blocks finds out: facts of each block, which are merged."""

import math
from typing import Any, NamedTuple

import numpy as np

from fastclust._algorithms.rows.dense import sum_rows
from fastclust._algorithms.rows.missing import IncompleteArray, MissingRows
from fastclust._algorithms.rows.panels import Panels

SAMPLE_ROWS = 64
"""Most rows in a sample; of more rows than that it has at least half as many."""


class ObservedFacts(NamedTuple):
    """What is known of the values that the rows of a block have."""

    counts: np.ndarray
    """Number of the values of each feature."""

    sums: np.ndarray
    """Their sums, in float64."""

    about: np.ndarray
    """Their means, rounded to the type of the rows; 0 if there are none."""

    squares: np.ndarray
    """Sums of their squares, less their means."""

    reach: float
    """Upper limit of the distances of the rows from `about`."""

    n_empty: int
    """Number of rows without any value."""


class BlockFacts(NamedTuple):
    """What is known of the rows of a block; NaN where it would be of values that are missing."""

    n_samples: int
    """Number of rows."""

    sums: np.ndarray
    """Their sum, in float64."""

    about: np.ndarray
    """Their mean, rounded to their type."""

    square: float
    """Sum of the squares of all values less their mean."""

    reach: float
    """Upper limit of the distances of the rows from `about`."""

    observed: ObservedFacts | None
    """The same of the values that there are; None where none may be missing."""

    is_incomplete: bool = False
    """Whether values are missing."""

    def are_of(self, rows):
        """Whether a block has these sums, to the bit: whether it is still the same."""
        if self.observed is not None and self.is_incomplete:
            return np.array_equal(IncompleteArray(rows).sums, self.observed.sums, equal_nan=True)
        return np.array_equal(sum_rows(rows), self.sums, equal_nan=True)


class Facts(NamedTuple):
    """What the first pass over the rows finds out; where values are missing, of the others."""

    n_samples: int
    """Number of rows."""

    mean: np.ndarray
    """Their mean, in float64; not finite where a sum was not."""

    square_about_mean: float
    """Sum of the squares of all values less the mean."""

    reach: float
    """Upper limit of the distances of the rows from the mean."""

    sample: np.ndarray
    """Some of the rows, from the first to the last."""

    counts: Any = None
    """Number of the values of each feature; None if no value is missing."""

    squares: Any = None
    """Sums of the squares of the values of each feature less the mean, likewise."""

    n_empty: int = 0
    """Number of rows without any value."""

    def squares_about(self, origin):
        """Sum of the squares of all values less this point, and a limit of a row's squared norm."""
        with np.errstate(over="ignore", invalid="ignore"):
            offset_sq = np.square(self.mean - origin).sum()
            total_square = float(self.square_about_mean + self.n_samples * offset_sq)
            largest_square = float(np.square(self.reach + np.sqrt(offset_sq)))
        if self.counts is not None:
            total_square = float(self.feature_squares_about(origin).sum())
        return total_square, largest_square

    def feature_squares_about(self, origin):
        """Sums of the squares of the values of each feature less this point; None likewise."""
        if self.counts is None:
            return None
        with np.errstate(over="ignore", invalid="ignore"):
            return self.squares + self.counts * np.square(self.mean - origin)


def facts_of_block(rows, memory, allow_nan=False):
    """Facts of some rows, an array.

    Parameters
    ----------
    rows : ndarray of shape (n_samples, n_features), float32 or float64
        The rows, at least one.
    memory : PanelMemory
        Memory to pack them into.
    allow_nan : bool, default=False
        Whether NaN among them stands for missing values.
    """
    observed = _observed_facts(rows, memory) if allow_nan else None
    if observed is not None and observed.counts.sum() < rows.size:
        nothing = np.full(rows.shape[1], math.nan)
        return BlockFacts(len(rows), nothing, nothing, math.nan, math.nan, observed, True)
    n, sums = len(rows), sum_rows(rows)
    with np.errstate(over="ignore", invalid="ignore"):
        mean = sums / n
        about = np.where(np.isfinite(mean), mean, 0).astype(rows.dtype)
        panels = Panels(rows, None, about, memory)
        square = panels.total_square - n * _square(mean - about)  # about is rounded
    return BlockFacts(n, sums, about, square, math.sqrt(panels.largest_square), observed)


def _observed_facts(rows, memory):
    """Facts of the values that the rows of a block have."""
    values = IncompleteArray(rows)
    with np.errstate(over="ignore", invalid="ignore"):
        mean = values.sums / np.maximum(values.counts, 1)
        about = np.where(np.isfinite(mean), mean, 0).astype(rows.dtype)
        panels = MissingRows(rows, None, about, memory)
        squares = panels.squares - values.counts * np.square(mean - about)  # about is rounded
    reach = math.sqrt(panels.largest_square)
    return ObservedFacts(values.counts, values.sums, about, squares, reach, values.n_empty)


def merge_facts(of_blocks, sample):
    """Facts of all rows.

    The squares of a block are about its own mean, and moved to the common one by Chan, Golub and
    LeVeque, "Updating formulae and a pairwise algorithm for computing sample variances", COMPSTAT
    1982.

    Parameters
    ----------
    of_blocks : list of BlockFacts
        Those of the blocks, in their order.
    sample : ndarray of shape (n_sampled, n_features)
        Some of the rows; see `sample_step`.
    """
    if any(block.is_incomplete for block in of_blocks):
        return _merge_observed(of_blocks, sample)
    n, n_features = 0, sample.shape[1]
    sums, mean, square = np.zeros(n_features), np.zeros(n_features), 0.0
    with np.errstate(over="ignore", invalid="ignore"):
        for block in of_blocks:
            moved = block.sums / block.n_samples - mean
            share = n * (block.n_samples / (n + block.n_samples))
            square += block.square + share * _square(moved)
            n, sums = n + block.n_samples, sums + block.sums
            mean = sums / n
        reaches = [block.reach + math.sqrt(_square(mean - block.about)) for block in of_blocks]
        reach = float(np.max(reaches, initial=0.0))
    return Facts(n, mean, square, reach if math.isfinite(reach) else math.inf, sample)


def _merge_observed(of_blocks, sample):
    """Facts of all rows, some of which lack values: those of `merge_facts`, feature by feature."""
    n, mean, sums, squares = np.zeros((4, sample.shape[1]))
    with np.errstate(over="ignore", invalid="ignore"):
        for block in (block.observed for block in of_blocks):
            both = np.maximum(n + block.counts, 1)
            moved = block.sums / np.maximum(block.counts, 1) - mean
            squares += block.squares + n * (block.counts / both) * np.square(moved)
            n, sums = n + block.counts, sums + block.sums
            mean = sums / np.maximum(n, 1)
        reaches = [
            block.reach + math.sqrt(_square(np.where(block.counts > 0, mean - block.about, 0)))
            for block in (block.observed for block in of_blocks)
        ]
        reach, square = float(np.max(reaches, initial=0.0)), float(squares.sum())
    return Facts(
        sum(block.n_samples for block in of_blocks),
        mean,
        square,
        reach if math.isfinite(reach) else math.inf,
        sample,
        n.astype(np.int64),
        squares,
        sum(block.observed.n_empty for block in of_blocks),
    )


def largest_magnitude(rows):
    """Largest magnitude of a value of an array; 0 if all are missing."""
    least, most = np.fmin.reduce(rows, axis=None), np.fmax.reduce(rows, axis=None)
    return max(0.0, float(most), -float(least))


def share_sums(rows, weights, total):
    """Sums of the values of each feature times the shares of the rows, and of these shares.

    Shares, and not weights, keep the sums from overflowing.

    Parameters
    ----------
    rows : ndarray of shape (n_samples, n_features)
        Some of the rows; NaN is missing.
    weights : ndarray of shape (n_samples,) or None
        Their weights; None for ones.
    total : float
        Sum of the weights of all rows.

    Returns
    -------
    sums : ndarray of shape (2, n_features), float64
        Both.
    """
    shares = np.ones(len(rows)) if weights is None else weights.astype(np.float64)
    shares /= total
    is_missing = np.isnan(rows)
    return np.array([shares @ np.where(is_missing, 0, rows), shares @ ~is_missing])


def sample_step(n_samples):
    """Power of two: the sample of so many rows is every row whose number is a multiple of it."""
    step = 1
    while -(-n_samples // step) > SAMPLE_ROWS:
        step *= 2
    return step


def _square(vector):
    """Squared norm, in float64."""
    return float(np.square(vector, dtype=np.float64).sum())
