"""New rows under a given mixture, block by block: constant extra memory."""

import numpy as np

from fastclust._algorithms.mixture.components import Components
from fastclust._algorithms.mixture.passes import e_scratch, pass_chunks
from fastclust._algorithms.rows.panels import Panels
from fastclust._kernels.mixture.passes import BLOCK_PANELS, posterior_kernel


def infer(X, covariance, weights, means, factors, labels_out, log_density_out, resp_out):
    """Run the E step on new rows, block by block.

    The rows are taken relative to the mean of the mixture, so that the answer depends on the
    parameters alone.

    Parameters
    ----------
    X : ndarray of shape (n_samples, n_features)
        The rows.
    covariance : object
        One of COVARIANCE_TYPES.
    weights, means, factors : ndarray, float64
        Parameters of the components, in the coordinates of X.
    labels_out : ndarray of shape (n_samples,), int64
        The most probable component of each row.
    log_density_out : ndarray of shape (n_samples,)
        log p(x) of each row.
    resp_out : ndarray of shape (n_samples, n_components) or (0, n_components)
        The responsibilities, or none.
    """
    k, d = means.shape
    shift = (weights @ means).astype(X.dtype)
    components = Components(covariance, k, d, X.dtype)
    components.weights[:], components.means[:] = weights, means - shift
    components.factors[:] = factors
    components.lay_out()
    layout = components.layout._replace(cuts=np.full(k, -np.inf, dtype=X.dtype))
    row_work = covariance.work(k, d)
    for first, panels in Panels.blocks(X, None, shift):
        part = slice(first, first + panels.n_samples)
        n_panels, lanes = len(panels.values), panels.lanes
        chunks = pass_chunks(-(-n_panels // BLOCK_PANELS), BLOCK_PANELS * lanes * row_work)
        labels = np.empty((n_panels, lanes), dtype=np.int32)
        log_density = np.empty((n_panels, lanes), dtype=X.dtype)
        posterior_kernel(covariance.name)(
            chunks, panels.values, *layout,
            *e_scratch(covariance, n_panels, len(chunks), k, d, lanes, X.dtype),
            labels, log_density, resp_out[part], work=row_work * panels.n_samples,
        )  # fmt: skip
        labels_out[part] = panels.unpadded(labels)
        log_density_out[part] = panels.unpadded(log_density)
