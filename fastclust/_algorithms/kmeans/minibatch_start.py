"""First centers of mini-batch k-means: made of some rows, and compared by others."""

import math
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

from fastclust._algorithms.rows.csr_batches import CsrBatches
from fastclust._algorithms.rows.row_source import RowSource
from fastclust._algorithms.rows.scale import Units
from fastclust._algorithms.rows.source import RowsInRange


class StartMethod(NamedTuple):
    """How first centers are made.

    Attributes
    ----------
    start_drawer : callable
        ``start_drawer(part, sample_weight, random_state)`` is `draw_start` of `run_restarts` for
        these rows, a part of all.
    init : str, callable or array-like
        What it goes by: the estimator's parameter.
    init_size : int
        Number of rows that they are made of.
    """

    start_drawer: Callable[..., Any]
    init: Any
    init_size: int


def find_best_start(
    in_range, sample_weight, random_state, method, n_init, *, weight_exponent, verbose
):
    """Of n_init first centers those of the smallest inertia of some rows.

    Parameters
    ----------
    in_range : RowsInRange
        The rows, as of `open_batches`.
    sample_weight : ndarray of shape (n_samples,) or None
        Their weights; None for ones.
    random_state : RandomState
        Source of the draws.
    method : StartMethod
        How they are made. So many rows as each is made of are drawn to compare them.
    n_init : int
        Number of first centers that are tried.
    weight_exponent : int
        The weights are given times 2^-weight_exponent.
    verbose : bool
        Print scikit-learn's lines.

    Returns
    -------
    centers : ndarray of shape (n_clusters, n_features)
        Scaled as the rows are, and relative to their origin.
    """
    batches = in_range.rows
    indices = random_state.randint(0, batches.n_samples, method.init_size)
    source = in_range, sample_weight, random_state
    if n_init == 1 and not verbose:  # nothing is compared: rows in blocks are not read
        return draw_centers(*source, method)
    rows = batches.pack(indices, _of_rows(sample_weight, indices, batches.dtype))
    units = Units(in_range.exponent, weight_exponent)
    best, least = None, math.inf
    for i in range(n_init):
        if verbose:
            print(f"Init {i + 1}/{n_init} with method {method.init}")
        centers = draw_centers(*source, method)
        inertia = rows.assign_with_inertia(centers)[1]
        if verbose:
            shown = units.inertia_of_X(inertia)
            print(f"Inertia for init {i + 1}/{n_init}: {shown}")
        if best is None or inertia < least:
            best, least = centers, inertia
    return best


def draw_centers(in_range, sample_weight, random_state, method):
    """First centers made of some rows, or of all; see `find_best_start`."""
    batches, X, _, exponent = in_range
    indices = np.arange(batches.n_samples)
    if method.init_size < batches.n_samples:
        indices = random_state.randint(0, batches.n_samples, method.init_size)
    weights = _of_rows(sample_weight, indices, batches.dtype)
    is_in_blocks = isinstance(X, RowSource)
    if is_in_blocks and not isinstance(method.init, str):  # centers that are given need no rows
        return method.start_drawer(in_range, weights, random_state)()()
    rows = batches.pack(indices, weights)
    if isinstance(batches, CsrBatches):
        X = rows.matrix
    elif not is_in_blocks:
        X = X[indices]
    part = RowsInRange(rows, X, np.zeros_like(batches.origin), exponent)
    return method.start_drawer(part, weights, random_state)()()


def _of_rows(sample_weight, indices, dtype):
    """Weights of these rows, or None for ones."""
    return None if sample_weight is None else sample_weight[indices].astype(dtype, copy=False)
