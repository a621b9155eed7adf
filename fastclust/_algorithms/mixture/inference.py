"""New rows under a given mixture, block by block: constant extra memory."""

import contextlib
from typing import Any, NamedTuple

import numpy as np

from fastclust._algorithms.mixture.components import Components
from fastclust._algorithms.mixture.covariance import COVARIANCE_TYPES
from fastclust._algorithms.mixture.far_rows import find_far_rows, infer_far_row
from fastclust._algorithms.mixture.passes import e_scratch, pass_chunks
from fastclust._algorithms.rows.panels import Panels
from fastclust._algorithms.rows.row_source import RowSource
from fastclust._algorithms.rows.scale import is_in_range
from fastclust._calls import variant
from fastclust._kernels.mixture.layout import BLOCK_PANELS

MOST_OF_LEAST = {np.dtype(np.float32): 2.0**6, np.dtype(np.float64): 2.0**20}
"""Times the least magnitude of a mean up to which the mean of the mixture is subtracted: it costs
rows there 6 or 20 bits at most."""


class Mixture(NamedTuple):
    """Parameters of a mixture, in the coordinates of X.

    Attributes
    ----------
    covariance : object
        One of COVARIANCE_TYPES.
    weights : ndarray of shape (n_components,), float64
        Mixing proportions.
    means : ndarray of shape (n_components, n_features), float64
        Means.
    factors : ndarray, float64
        Cholesky factors of the precisions, shaped as the covariance type has them.
    log_weights : ndarray of shape (n_components,), default=None
        What is added to the log-densities of the components; None for the logarithms of `weights`.
    """

    covariance: Any
    weights: np.ndarray
    means: np.ndarray
    factors: np.ndarray
    log_weights: np.ndarray | None = None


def infer(X, mixture, labels_out, log_density_out, resp_out):
    """Run the E step on new rows, block by block.

    The rows are taken relative to a point that follows from the parameters, so that the answer
    depends on these alone.

    Parameters
    ----------
    X : ndarray or RowSource of shape (n_samples, n_features)
        The rows.
    mixture : Mixture
        Its parameters.
    labels_out : ndarray of shape (n_samples,), int64
        The most probable component of each row.
    log_density_out : ndarray of shape (n_samples,)
        log p(x) of each row.
    resp_out : ndarray of shape (n_samples, n_components) or (0, n_components)
        The responsibilities, or none.
    """
    if isinstance(X, RowSource):
        with contextlib.closing(X.blocks()) as blocks:
            for part, rows in blocks:
                outputs = labels_out[part], log_density_out[part], resp_out[part]
                infer(rows, mixture, *outputs)
        return
    covariance, weights, means, factors, log_weights = mixture
    shift = find_shift(weights, means, X.dtype)
    means = means - shift
    mixture = mixture._replace(means=means)
    ordinary = lay_out(mixture, X.dtype)
    for first, panels in Panels.blocks(X, None, shift):
        part = slice(first, first + panels.n_samples)
        components = ordinary
        if not is_in_range(panels.largest_square, X.dtype):
            components = lay_out(_with_factors_of_features(mixture), X.dtype)
        labels, log_density = _run(components, panels, resp_out[part])
        labels_out[part] = panels.unpadded(labels)
        log_density_out[part] = panels.unpadded(log_density)
        far = first + find_far_rows(log_density_out[part])
        if len(far):
            rows = X[far].astype(np.float64) - shift
            matrices = covariance.matrices(factors, *means.shape)
            with np.errstate(divide="ignore", over="ignore", under="ignore"):
                logs = np.log(weights) if log_weights is None else log_weights
                for i, x in zip(far, rows, strict=True):
                    log_density, log_resp = infer_far_row(x, logs, means, matrices)
                    labels_out[i], log_density_out[i] = np.argmax(log_resp), log_density
                    if len(resp_out):
                        resp_out[i] = np.exp(log_resp)


def find_shift(weights, means, dtype):
    """Mean of the mixture, or that of a component for features where the mean would cost digits.

    A component at huge values drags the mean of all away from the others. Of the components' means
    the one least in magnitude costs the others the fewest digits.
    """
    mean = weights @ means
    least = means[np.abs(means).argmin(axis=0), np.arange(means.shape[1])]
    is_near = np.abs(mean) <= MOST_OF_LEAST[np.dtype(dtype)] * np.abs(least)
    return np.where(is_near, mean, least).astype(dtype)


def lay_out(mixture, dtype):
    """Components with the parameters of a mixture, none of which is ever negligible."""
    k, d = mixture.means.shape
    components = Components(mixture.covariance, k, d, dtype)
    components.weights[:], components.means[:] = mixture.weights, mixture.means
    components.factors[:] = mixture.factors
    components.lay_out(mixture.log_weights)
    components.layout.cuts.fill(-np.inf)
    return components


def _with_factors_of_features(mixture):
    """The same mixture, of a type that multiplies differences by factors before it squares them.

    The spherical type squares first, which overflows where rows are far, whatever their variance.
    """
    if mixture.covariance.name != "spherical":
        return mixture
    factors = np.broadcast_to(mixture.factors[:, np.newaxis], mixture.means.shape)
    return mixture._replace(covariance=COVARIANCE_TYPES["diag"], factors=factors)


def _run(components, panels, resp_out):
    """Labels and log-densities of the rows of panels; responsibilities into resp_out, if any."""
    covariance, (k, d) = components.covariance, components.means.shape
    n_panels, lanes, dtype = len(panels.values), panels.lanes, panels.dtype
    row_work = covariance.work(k, d)
    chunks = pass_chunks(-(-n_panels // BLOCK_PANELS), BLOCK_PANELS * lanes * row_work)
    labels = np.empty((n_panels, lanes), dtype=np.int32)
    log_density = np.empty((n_panels, lanes), dtype=dtype)
    variant("estimate_posterior", covariance.name)(
        chunks, panels.values, *components.layout,
        *e_scratch(covariance, n_panels, len(chunks), k, d, lanes, dtype),
        labels, log_density, resp_out, work=row_work * panels.n_samples,
    )  # fmt: skip
    return labels, log_density
