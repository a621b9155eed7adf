"""Components of a Gaussian mixture: their parameters, laid out for the kernels."""

import math

import numpy as np

from fastclust._algorithms.mixture.covariance import MIN_SEPARATOR_FEATURES
from fastclust._calls import variant
from fastclust._kernels.mixture import arguments

LOG_2_PI = math.log(2 * math.pi)


class Components:
    """Parameters of the components in float64, and their layout, which the kernels read.

    Means are relative to the point that is subtracted from the rows.

    Parameters
    ----------
    covariance : object
        One of COVARIANCE_TYPES.
    n_components, n_features : int
        Number of components, and of features.
    dtype : dtype
        The rows' real type.

    Attributes
    ----------
    weights, means, covariances, factors : ndarray, float64
        Mixing proportions, means, covariances and Cholesky factors of the precisions.
    about : ndarray of shape (n_components, n_features)
        The means in the rows' type: what the next moments are about.
    layout : arguments.Components
        The components as the E step reads them, in the rows' type.
    chunks : ndarray of shape (n_chunks, 3)
        Chunks of components for the kernels of the M step.
    """

    def __init__(self, covariance, n_components, n_features, dtype):
        k, d = n_components, n_features
        self.covariance = covariance
        self.weights, self.means = np.empty(k), np.empty((k, d))
        self.covariances, self.factors = (np.empty(covariance.shape(k, d)) for _ in range(2))
        self.about = np.empty((k, d), dtype=dtype)
        means, factors, extras, constants = covariance.layout(k, d, dtype)
        means = self.about if means is None else means
        cuts = np.empty(k, dtype=dtype)
        self.layout = arguments.Components(means, factors, extras, constants, cuts)
        self.chunks = covariance.component_chunks(k, d)
        self._lay_out = variant("lay_out_components", covariance.name)
        self._work = np.empty((k, 2, d))
        self._epsilon = float(np.finfo(dtype).eps)

    def __reduce__(self):
        parameters = self.weights, self.means, self.covariances, self.factors
        laid_out = self.about, self.layout.constants, len(self.layout.extras) > 0
        return _remake, (self.covariance, parameters, *laid_out)

    def lay_out(self, log_weights=None):
        """Bring the layout up to date with the parameters.

        Parameters
        ----------
        log_weights : ndarray of shape (n_components,), default=None
            What is added to the log-densities of the components, in place of the logarithms of the
            weights: these may be those of numbers below the least float. The weights say then only
            which responsibilities are negligible.

        Returns
        -------
        log_dets : ndarray or None
            Logarithms of the determinants of the factors, if log_weights are given.
        """
        self._lay_out(
            self.chunks, self.about, self.weights, self.means, self.factors, self._epsilon,
            *self.layout, self._work,
        )  # fmt: skip
        if log_weights is None:
            return None
        k, d = self.means.shape
        log_dets = self.covariance.log_dets(self.factors, d)
        self.layout.constants.reshape(-1)[:k] = log_weights + (log_dets - 0.5 * d * LOG_2_PI)
        return log_dets

    def take(self, components):
        """Take parameters and layout of components of another type, which this one contains."""
        factors = components.factors
        self.weights[:], self.means[:] = components.weights, components.means
        self.factors[:] = factors if factors.ndim != 1 else factors[:, np.newaxis]
        self.lay_out()
        k = len(self.means)
        self.about[:] = components.about
        self.layout.cuts[:] = components.layout.cuts
        self.layout.constants.reshape(-1)[:k] = components.layout.constants.reshape(-1)[:k]

    def separate(self):
        """Lay out separators too from now on, if the covariance type uses them."""
        if not self.covariance.has_separators or len(self.layout.extras) > 0:
            return
        k, d = self.means.shape
        if d >= MIN_SEPARATOR_FEATURES:
            separators = self.covariance.separators(k, d, self.about.dtype)
            self.layout = self.layout._replace(extras=separators)


def _remake(covariance, parameters, about, constants, has_separators):
    """Components as they were pickled, in arrays that are aligned as the kernels read them."""
    components = Components(covariance, len(about), about.shape[1], about.dtype)
    own = components.weights, components.means, components.covariances, components.factors
    for values, pickled in zip(own, parameters, strict=True):
        values[:] = pickled
    if has_separators:
        components.separate()
    components.lay_out()
    components.about[:] = about
    components.layout.constants[:] = constants
    return components
