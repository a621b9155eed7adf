"""Rows made of what a user passes: the only place that asks what X is."""

from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy as np

from fastclust._algorithms.rows import scale
from fastclust._algorithms.rows.csr import CsrRows
from fastclust._algorithms.rows.panels import Panels, estimate_mean
from fastclust._algorithms.rows.protocol import Rows


def mean_to_subtract(X):
    """Mean of dense rows, not finite if they are not; 0 for sparse ones, which stay as they are."""
    return estimate_mean(X) if isinstance(X, np.ndarray) else np.zeros(X.shape[1], dtype=X.dtype)


def pack(X, sample_weight, mean) -> Rows:
    """Rows of X, packed for the kernels.

    Parameters
    ----------
    X : ndarray or CSR matrix of shape (n_samples, n_features), float32 or float64
        The rows; an ndarray is C-contiguous.
    sample_weight : ndarray of shape (n_samples,) or None
        Weight of each row, of X's dtype; None for ones.
    mean : ndarray of shape (n_features,)
        What is subtracted from dense rows; sparse ones stay as they are.

    Returns
    -------
    rows : Rows
        The rows.
    """
    if isinstance(X, np.ndarray):
        return Panels(X, sample_weight, mean)
    return CsrRows(X, sample_weight)


class RowsInRange(NamedTuple):
    """Packed rows of X times 2^-exponent, with the same rows and their mean as arrays."""

    rows: Any  # Panels or CsrRows
    X: Any
    mean: np.ndarray
    exponent: int


def pack_in_range(X, sample_weight, mean, rows=None, least_exponent=None) -> RowsInRange:
    """Rows of X, scaled by a power of two where their squares would leave the range of floats.

    Parameters
    ----------
    X, sample_weight, mean : ndarray or CSR matrix, ndarray or None, ndarray
        As in `pack`.
    rows : Rows, default=None
        The same, where they have been packed before.
    least_exponent : int, default=None
        Lower limit of the exponent, if there is one.
    """
    rows = pack(X, sample_weight, mean) if rows is None else rows
    if scale.is_in_range(rows.largest_square, X.dtype):
        return RowsInRange(rows, X, mean, 0)
    exponent = scale.find_exponent(X)
    exponent = exponent if least_exponent is None else max(exponent, least_exponent)
    X = scale.scaled_rows(X, -exponent)
    mean = mean_to_subtract(X)
    return RowsInRange(pack(X, sample_weight, mean), X, mean, exponent)


def pack_blocks(X, sample_weight, mean) -> Iterator[tuple[slice, Rows]]:
    """Yield consecutive blocks of X, each as a slice of its rows, and these rows.

    Dense blocks share one buffer, so a block is valid until the next is asked for. Sparse rows are
    one block.
    """
    if not isinstance(X, np.ndarray):
        yield slice(None), CsrRows(X, sample_weight)
        return
    for first, panels in Panels.blocks(X, sample_weight, mean):
        yield slice(first, first + panels.n_samples), panels
