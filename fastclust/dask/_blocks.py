"""What tasks do with a single block of a collection, where it is."""

from typing import Any, NamedTuple

import numpy as np
from sklearn.utils import check_array

from fastclust._algorithms.rows import scale
from fastclust._algorithms.rows.blocks import pack_block
from fastclust._algorithms.rows.dense import PanelMemory
from fastclust._algorithms.rows.facts import facts_of_block, largest_magnitude, share_sums
from fastclust._algorithms.rows.missing import has_no_value
from fastclust._threads import limit_threads
from fastclust._validation import FLOAT_DTYPES
from fastclust.dask._rows import fingerprint


class Block(NamedTuple):
    """Rows of a block that have a weight."""

    rows: np.ndarray
    """The rows."""

    weights: np.ndarray | None
    """Their weights, all positive; None for ones."""


class Found(NamedTuple):
    """What is found out about a block."""

    facts: Any  # BlockFacts, or None of an empty block
    total_weight: float
    has_weights: bool
    fingerprint: str


def read(part, weights, dtype, n_features, place, allow_nan):
    """A block as the kernels take it, checked; its weights are still those of the user."""
    if np.ndim(part) == 2 and part.shape[1] != n_features:
        raise ValueError(
            f"There are {part.shape[1]} columns, and {n_features} are expected, in {place}."
        )
    if len(part) == 0:
        return Block(np.empty((0, part.shape[1]), dtype=dtype), None)
    try:
        ensure_all_finite = "allow-nan" if allow_nan else True
        rows = check_array(
            part, dtype=[dtype], order="C", input_name="X", ensure_all_finite=ensure_all_finite
        )
        if weights is None:
            return Block(rows, None)
        weights = check_array(
            weights, ensure_2d=False, dtype=FLOAT_DTYPES, input_name="sample_weight"
        ).ravel()
    except ValueError as error:
        raise ValueError(f"{error} (In {place}.)") from error
    if weights.shape != (len(rows),):
        raise ValueError(f"There are {len(weights)} weights for {len(rows)} rows, in {place}.")
    if (weights < 0).any():
        raise ValueError(f"Negative values in data passed to `sample_weight`, in {place}.")
    return with_weight(rows, weights)


def with_weight(rows, weights):
    """Rows that have a weight, and their weights."""
    if weights.all():
        return Block(rows, weights)
    chosen = weights > 0
    return Block(np.ascontiguousarray(rows[chosen]), weights[chosen])


def largest_weight(block):
    """Largest weight of a block; 0 if it has none."""
    return float(block.weights.max()) if block.weights is not None and len(block.rows) else 0.0


def weigh(block, dtype, exponent):
    """A block whose weights are of the type of the rows, times 2^-exponent."""
    if block.weights is None:
        return block
    with np.errstate(under="ignore"):
        weights = scale.scaled(block.weights, -exponent).astype(dtype)
    return with_weight(block.rows, weights)


def find(n_threads, block, allow_nan):
    """What is found out about a block, by so many threads."""
    rows, weights = block
    if len(rows) == 0:
        return Found(None, 0.0, weights is not None, fingerprint())
    total = float(len(rows)) if weights is None else float(weights.sum(dtype=np.float64))
    with limit_threads(n_threads):
        facts = facts_of_block(rows, PanelMemory(), allow_nan)
    return Found(facts, total, weights is not None, fingerprint())


def take_every(block, first, step):
    """Every so many rows of a block, from one on: its part of the sample."""
    return block.rows[first::step].copy()


def convert(block, dtype, exponent):
    """A block in another type, its rows times 2^exponent."""
    rows, weights = block
    weights = None if weights is None else weights.astype(dtype)
    rows = rows.astype(dtype)
    return Block(scale.scaled(rows, exponent) if exponent else rows, weights)


def ask(n_threads, function, block, parameters, weights):
    """What a function returns of the rows of a block."""
    with limit_threads(n_threads):
        return function(block.rows, *parameters, weights)


def fill(block, values):
    """A block with a value for each feature in the place of missing ones."""
    rows, weights = block
    return Block(np.where(np.isnan(rows), values, rows).astype(rows.dtype, copy=False), weights)


def leave_out_empty(block):
    """A block without the rows that have no value."""
    rows, weights = block
    known = ~has_no_value(rows)
    return Block(rows[known], None if weights is None else weights[known])


def share_sums_of(block, total):
    """The sums of a block that a weighted mean is made of."""
    return share_sums(block.rows, block.weights, total)


def largest(block):
    """Largest magnitude of a value of a block."""
    return largest_magnitude(block.rows)


def count_rows(block, is_such):
    """Number of rows of a block that a function of an array says are such."""
    return int(np.count_nonzero(is_such(block.rows)))


def pack(n_threads, block, origin, unit, incomplete, facts, number):
    """Panels of the rows of a block, without the array that they are made of.

    Where a worker has died, its blocks are computed again, perhaps from files that have changed:
    so these facts must be those of the block.
    """
    with limit_threads(n_threads):
        if not facts.are_of(block.rows):
            raise ValueError(
                f"Block {number} of the rows is another one now than when it was computed first."
            )
        panels = pack_block(block.rows, block.weights, origin, unit, incomplete)
    panels.detach()
    return panels
