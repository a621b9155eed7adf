"""Components of a Gaussian mixture: their parameters, laid out for the kernels."""

from dataclasses import dataclass

import numpy as np

from fastclust._algorithms.mixture.covariance import MIN_SEPARATOR_FEATURES
from fastclust._kernels.mixture.components import lay_out_kernel


@dataclass
class MixtureMoments:
    """Sufficient statistics of an M step, in parts; those of row blocks merge by adding parts.

    Attributes
    ----------
    nk : ndarray of shape (n_parts, n_components)
        Sums of the responsibilities, times the sample weights.
    first : ndarray of shape (n_parts, n_components, n_features and padding)
        Sums of r (x - about).
    second : ndarray of shape (n_parts, n_components, n_second)
        Sums of their products, as the covariance type's kernel lays them out.
    log_likelihood : ndarray of shape (n_parts,)
        Weighted sums of log p(x).
    """

    nk: np.ndarray
    first: np.ndarray
    second: np.ndarray
    log_likelihood: np.ndarray

    def __add__(self, other):
        """Moments of the rows of both, about the same means."""
        pairs = zip(vars(self).values(), vars(other).values(), strict=True)
        return MixtureMoments(*(np.concatenate(pair) for pair in pairs))


class Components:
    """Parameters in float64, relative to what is subtracted from the rows, and their layout.

    Parameters
    ----------
    covariance : object
        One of COVARIANCE_TYPES.
    n_components, n_features : int
        Their number, and that of the features.
    dtype : dtype
        The rows' real type.

    Attributes
    ----------
    weights, means, covariances, factors : ndarray, float64
        Mixing proportions, means, covariances and Cholesky factors of the precisions.
    about : ndarray of shape (n_components, n_features)
        The means in the rows' type.
    layout : tuple of ndarray
        Means, factors, scales and constants for the kernels.
    cuts : ndarray of shape (n_components,)
        Logarithms of negligible responsibilities.
    """

    def __init__(self, covariance, n_components, n_features, dtype):
        k, d = n_components, n_features
        self.covariance = covariance
        self.weights, self.means = np.empty(k), np.empty((k, d))
        self.covariances, self.factors = (np.empty(covariance.shape(k, d)) for _ in range(2))
        self.about = np.empty((k, d), dtype=dtype)
        means, *others = covariance.layout(k, d, dtype)
        self.layout = (self.about if means is None else means, *others)
        self.cuts = np.empty(k, dtype=dtype)
        self.chunks = covariance.component_chunks(k, d)
        self._work = np.empty((k, 2, d))
        self._epsilon = float(np.finfo(dtype).eps)

    def lay_out(self):
        """Bring the layout up to date with the parameters."""
        means, *others = self.layout
        lay_out_kernel(self.covariance.name)(
            self.chunks, self.about, self.weights, self.means, self.factors, self._epsilon,
            means, *others, self.cuts, self._work,
        )  # fmt: skip

    def separate(self):
        """Have separators laid out from now on, where the covariance type uses them."""
        means, factors, extras, constants = self.layout
        k, d = self.means.shape
        if self.covariance.has_separators and len(extras) == 0 and d >= MIN_SEPARATOR_FEATURES:
            separators = self.covariance.separators(k, d, extras.dtype)
            self.layout = (means, factors, separators, constants)
