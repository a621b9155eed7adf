"""Rows made of what a user passes: the only place that asks what X is."""

from collections.abc import Iterator

import numpy as np

from fastclust._algorithms.rows.csr import CsrRows
from fastclust._algorithms.rows.panels import Panels
from fastclust._algorithms.rows.protocol import Rows


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
