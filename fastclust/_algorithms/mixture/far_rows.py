"""Responsibilities of rows that are far from every component.

With y_j = U_j'(x - m_j), the log-densities of two components differ by

    log p_j - log p_k = c_j - c_k - (|y_j|^2 - |y_k|^2) / 2.

Far from all components the squares are so large that their difference loses all digits, and farther
still they overflow. It is computed here as (y_j - y_k)'(y_j + y_k), where

    y_j - y_k = (U_j - U_k)'x - (U_j'm_j - U_k'm_k)

cancels nothing where the factors are equal, and rows are scaled by a power of two each, so that no
square overflows. NumPy does it row by row, which is slow: it is for the few rows that need it.
"""

import numpy as np
from scipy.special import logsumexp

from fastclust._algorithms.rows.scale import find_exponent, scaled

LARGEST_ROUNDING = {np.dtype(np.float32): 2.0**-8, np.dtype(np.float64): 2.0**-20}
"""Rounding of a log-density above which a row is far: responsibilities are as much off, relative
to themselves. In float32 those of ordinary rows of some hundred features are that much off, too."""


def find_far_rows(log_density):
    """Places of the rows whose log-densities are not precise, or not finite."""
    dtype = log_density.dtype
    least = -LARGEST_ROUNDING[dtype] / np.finfo(dtype).eps
    if log_density.min(initial=0.0) >= least:
        return np.empty(0, dtype=np.intp)
    return np.flatnonzero(~(log_density >= least))


def infer_far_row(x, log_weights, means, factors):
    """Log-density of a row, and the logarithms of its responsibilities, in float64.

    Parameters
    ----------
    x : ndarray of shape (n_features,), float64
        The row.
    log_weights : ndarray of shape (n_components,)
        Logarithms of the mixing proportions.
    means : ndarray of shape (n_components, n_features)
        Means, in the coordinates of x.
    factors : ndarray of shape (n_components, n_features, n_features)
        Cholesky factors of the precisions, upper triangular.

    Returns
    -------
    log_density : float
        log p(x); -inf where it is below the least float.
    log_resp : ndarray of shape (n_components,)
        Logarithms of numbers that sum to 1.
    """
    log_dets = np.log(np.diagonal(factors, axis1=1, axis2=2)).sum(axis=1)
    constants = log_weights + log_dets
    exponent = find_exponent(x)
    x, means = scaled(x, -exponent), scaled(means, -exponent)
    y = _apply(factors, x - means)
    exponent_of_y = find_exponent(y)
    y = scaled(y, -exponent_of_y)
    exponent = 2 * (exponent + exponent_of_y)
    offsets = _apply(factors, means)

    def log_ratios_to(j):
        """Logarithms of the densities of all components over that of component j."""
        between = _apply(factors - factors[j], x) - (offsets - offsets[j])
        differences = (scaled(between, -exponent_of_y) * (y + y[j])).sum(axis=1)
        return constants - constants[j] - 0.5 * scaled(differences, exponent)

    nearest = int(np.argmin(np.square(y).sum(axis=1)))  # or nearly so: squares cancel
    best = int(np.argmax(log_ratios_to(nearest)))
    log_ratios = log_ratios_to(best)
    square = float(scaled(np.square(y[best]).sum(), exponent))
    log_best = constants[best] - 0.5 * (square + len(x) * np.log(2 * np.pi))
    log_sum = float(logsumexp(log_ratios - log_ratios[best]))
    return log_best + log_sum, log_ratios - log_ratios[best] - log_sum


def _apply(factors, rows):
    """U_j'(row j) for each component j, or of the one row for all."""
    rows = np.broadcast_to(rows, factors.shape[:2])
    return np.einsum("jfg,jf->jg", factors, rows)
