"""New rows with missing values under a given mixture: what `inference` says of complete ones."""

import numpy as np

from fastclust._algorithms.mixture.covariance import COVARIANCE_TYPES
from fastclust._algorithms.mixture.far_rows import find_far_rows, infer_far_row
from fastclust._algorithms.mixture.inference import find_shift, infer, lay_out
from fastclust._algorithms.mixture.missing import Completed, find_missing
from fastclust._algorithms.mixture.patterns import group_rows
from fastclust._algorithms.rows.row_source import RowSource
from fastclust._algorithms.rows.source import row_slices

BLOCK_ROWS = 2**16
"""Rows that are grouped and packed at a time."""


def infer_observed(X, mixture, labels_out, log_density_out, resp_out):
    """Run the E step on new rows, by the values that they have.

    A row of which nothing is known has the weights as probabilities, and a log-density of 0.

    Parameters
    ----------
    X : ndarray or RowSource of shape (n_samples, n_features)
        The rows; NaN is missing.
    mixture, labels_out, log_density_out, resp_out : Mixture, ndarray
        As of `inference.infer`.
    """
    if isinstance(X, RowSource):
        for part, rows in row_slices(X, BLOCK_ROWS):
            outputs = labels_out[part], log_density_out[part], resp_out[part]
            infer_observed(rows, mixture, *outputs)
        return
    missing = find_missing(X)
    if missing is None:
        infer(X, mixture, labels_out, log_density_out, resp_out)
        return
    covariance, weights, means = mixture.covariance, mixture.weights, mixture.means
    with_resp = len(resp_out) > 0
    n_missing = missing.sum(axis=1)
    empty = n_missing == X.shape[1]
    labels_out[empty], log_density_out[empty] = np.argmax(weights), 0
    if with_resp:
        resp_out[empty] = weights / weights.sum()

    def write(rows, labels, log_density, resp):
        labels_out[rows], log_density_out[rows] = labels, log_density
        if with_resp:
            resp_out[rows] = resp

    whole = np.flatnonzero(n_missing == 0)
    if len(whole):
        outputs = _outputs(len(whole), len(weights), X.dtype, with_resp)
        infer(X[whole], mixture, *outputs)
        write(whole, *outputs)
    shift = find_shift(weights, means, X.dtype)
    components = lay_out(mixture._replace(means=means - shift), X.dtype)
    rest = np.flatnonzero((n_missing > 0) & (n_missing < X.shape[1]))
    for first in range(0, len(rest), BLOCK_ROWS):
        rows = rest[first : first + BLOCK_ROWS]
        filled = np.where(missing[rows], shift, X[rows])
        completed = Completed(filled, missing[rows], None, shift, covariance, len(weights))
        write(rows, *completed.posterior(components, with_resp))
        far = rows[find_far_rows(log_density_out[rows])]
        for i in far:
            write(i, *_infer_far_row(X[i], mixture))


def _outputs(n_samples, k, dtype, with_resp):
    """Labels, log-densities and responsibilities to be written."""
    resp = np.empty((n_samples if with_resp else 0, k), dtype=dtype)
    return np.empty(n_samples, dtype=np.int64), np.empty(n_samples, dtype=dtype), resp


def _infer_far_row(x, mixture):
    """Label, log-density and responsibilities of a row that is far from all components."""
    means, observed = mixture.means, ~np.isnan(x)
    inverses = np.linalg.inv(mixture.covariance.matrices(mixture.factors, *means.shape))
    matrices = (inverses.swapaxes(-1, -2) @ inverses)[:, observed][:, :, observed]
    matrices = COVARIANCE_TYPES["full"].factorise_precisions(np.linalg.inv(matrices))
    with np.errstate(divide="ignore", over="ignore", under="ignore"):
        x, means = x[observed].astype(np.float64), means[:, observed]
        log_density, log_resp = infer_far_row(x, np.log(mixture.weights), means, matrices)
        return np.argmax(log_resp), log_density, np.exp(log_resp)


def impute(X, resp, covariance, means, covariances, rng=None):
    """Fill what is missing with its mean given the rest of the row, or with draws.

    Parameters
    ----------
    X : ndarray of shape (n_samples, n_features)
        The rows; NaN is missing.
    resp : ndarray of shape (n_samples, n_components)
        Responsibilities of the components, by what the rows have.
    covariance : object
        One of COVARIANCE_TYPES.
    means, covariances : ndarray, float64
        Parameters of the components.
    rng : RandomState, default=None
        Source of draws: of a component for each row, and of its values; None for means.

    Returns
    -------
    X : ndarray of shape (n_samples, n_features)
        A copy, without NaN.
    """
    X, missing = X.copy(), np.isnan(X)
    k, d = means.shape
    resp, noise = resp.astype(np.float64), None
    if rng is not None:
        ends = np.cumsum(resp, axis=1)
        labels = (ends < rng.uniform(size=(len(X), 1)) * ends[:, -1:]).sum(axis=1)
        resp, noise = np.eye(k)[labels], rng.standard_normal(size=X.shape)
    matrices = _matrices(covariance, covariances, k, d)
    order, starts, patterns = group_rows(missing)
    for pattern, first, stop in zip(patterns, starts, starts[1:], strict=False):
        m = np.flatnonzero(pattern)
        if len(m) == 0:
            continue
        o, rows = np.flatnonzero(pattern == 0), order[first:stop]
        between = matrices[:, m[:, np.newaxis], o]
        slopes = np.linalg.solve(matrices[:, o[:, np.newaxis], o], between.swapaxes(-1, -2))
        differences = X[rows][:, o].astype(np.float64) - means[:, np.newaxis, o]
        values = means[:, np.newaxis, m] + differences @ slopes
        if noise is not None:
            conditional = matrices[:, m[:, np.newaxis], m] - between @ slopes
            values += noise[rows][:, m] @ _roots(conditional)
        X[np.ix_(rows, m)] = np.einsum("ij,jim->im", resp[rows], values)
    return X


def _matrices(covariance, covariances, k, d):
    """Covariances as a matrix for each component."""
    if covariance.name in ("full", "tied"):
        return np.broadcast_to(covariances, (k, d, d))
    return np.broadcast_to(covariances.reshape(k, -1), (k, d))[:, :, np.newaxis] * np.eye(d)


def _roots(matrices):
    """Matrices R with R'R = M, for each positive semidefinite M."""
    values, vectors = np.linalg.eigh(matrices)
    return np.sqrt(np.maximum(values, 0))[..., np.newaxis] * vectors.swapaxes(-1, -2)
