"""First centers of mini-batch k-means: made of some rows, and compared by others."""

import math

import numpy as np

from fastclust._algorithms.rows.block_source import RowSource
from fastclust._algorithms.rows.csr_batches import CsrBatches
from fastclust._algorithms.rows.scale import scaled_up
from fastclust._algorithms.rows.source import RowsInRange


def find_best_start(
    in_range,
    sample_weight,
    random_state,
    start_drawer,
    *,
    n_init,
    init_size,
    weight_exponent,
    verbose,
    method,
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
    start_drawer : callable
        ``start_drawer(part, sample_weight, random_state)`` is `draw_start` of `run_restarts` for
        these rows, a part of all.
    n_init : int
        Number of first centers that are tried.
    init_size : int
        Rows that each is made of, and that all are compared by.
    weight_exponent : int
        The weights are given times 2^-weight_exponent.
    verbose : bool
        Print scikit-learn's lines.
    method : str, callable or array-like
        What they say of how first centers are found.

    Returns
    -------
    centers : ndarray of shape (n_clusters, n_features)
        Scaled as the rows are, and relative to their origin.
    """
    batches = in_range.rows
    indices = random_state.randint(0, batches.n_samples, init_size)
    options = in_range, sample_weight, random_state, start_drawer, init_size, method
    if n_init == 1 and not verbose:  # nothing is compared: rows in blocks are not read
        return draw_centers(*options)
    rows = batches.pack(indices, _of_rows(sample_weight, indices, batches.dtype))
    best, least = None, math.inf
    for i in range(n_init):
        if verbose:
            print(f"Init {i + 1}/{n_init} with method {method}")
        centers = draw_centers(*options)
        inertia = rows.assign_with_inertia(centers)[1]
        if verbose:
            shown = scaled_up(inertia, 2 * in_range.exponent + weight_exponent, "The inertia")
            print(f"Inertia for init {i + 1}/{n_init}: {shown}")
        if best is None or inertia < least:
            best, least = centers, inertia
    return best


def draw_centers(in_range, sample_weight, random_state, start_drawer, init_size, method):
    """First centers of init_size rows, or of all; see `find_best_start`."""
    batches, X, _, exponent = in_range
    indices = np.arange(batches.n_samples)
    if init_size < batches.n_samples:
        indices = random_state.randint(0, batches.n_samples, init_size)
    weights = _of_rows(sample_weight, indices, batches.dtype)
    is_in_blocks = isinstance(X, RowSource)
    if is_in_blocks and not isinstance(method, str):  # centers, or an error: no rows are needed
        return start_drawer(in_range, weights, random_state)()()
    rows = batches.pack(indices, weights)
    if isinstance(batches, CsrBatches):
        X = rows.matrix
    elif not is_in_blocks:
        X = X[indices]
    part = RowsInRange(rows, X, np.zeros_like(batches.origin), exponent)
    return start_drawer(part, weights, random_state)()()


def _of_rows(sample_weight, indices, dtype):
    """Weights of these rows, or None for ones."""
    return None if sample_weight is None else sample_weight[indices].astype(dtype, copy=False)
