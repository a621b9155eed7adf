"""Rows of a Gaussian mixture: passes of its kernels over panels."""

import math
from dataclasses import dataclass

import numpy as np

from fastclust._algorithms.covariance import COVARIANCE_TYPES, padded
from fastclust._algorithms.panels import Panels
from fastclust._algorithms.slots import MAX_SLOTS, split
from fastclust._algorithms.tiles import aligned_empty
from fastclust._kernels.mixture import BLOCK_PANELS, moments_kernel, posterior_kernel
from fastclust._kernels.tile_products import MOMENT_WIDTH, PANELS, WIDTH

SCRATCH_BYTES, MIN_SLOTS = 2**25, 4
"""Memory that the slots of a pass share: it limits their number, to no fewer than MIN_SLOTS."""

NEGLIGIBLE = 2.0**-10
"""Share of a rounding error of a component's weight that small responsibilities may add up to."""


@dataclass
class MixtureParameters:
    """Components of a mixture, in float64, relative to the mean of the rows.

    Attributes
    ----------
    weights : ndarray of shape (n_components,)
        Mixing proportions.
    means : ndarray of shape (n_components, n_features)
        Means, less what is subtracted from the rows.
    covariances : ndarray
        Covariances, of the type's shape; None if only the precisions are known.
    factors : ndarray
        Cholesky factors of the precisions.
    """

    weights: np.ndarray
    means: np.ndarray
    covariances: np.ndarray | None
    factors: np.ndarray


@dataclass
class MixtureMoments:
    """Sufficient statistics of an M step; those of row blocks merge by addition.

    Attributes
    ----------
    nk : ndarray of shape (n_components,)
        Sums of the responsibilities, times the sample weights.
    first : ndarray of shape (n_components, n_features)
        Sums of r (x - about).
    second : ndarray of shape (n_components, n_second)
        Sums of their products, as the covariance type's kernel lays them out.
    log_likelihood : float
        Weighted sum of log p(x).
    about : ndarray of shape (n_components, n_features)
        What the moments are about: the means of the components before.
    scatter : ndarray of shape (n_features, n_features) or None
        Sum of x x' over all rows, for tied covariances.
    """

    nk: np.ndarray
    first: np.ndarray
    second: np.ndarray
    log_likelihood: float
    about: np.ndarray
    scatter: np.ndarray | None = None

    def __add__(self, other):
        """Moments of the rows of both."""
        return MixtureMoments(
            self.nk + other.nk,
            self.first + other.first,
            self.second + other.second,
            self.log_likelihood + other.log_likelihood,
            self.about,
            None if self.scatter is None else self.scatter + other.scatter,
        )


def component_constants(covariance, parameters):
    """log(weight) + log det U - d log(2 pi) / 2 of each component."""
    k, d = parameters.means.shape
    with np.errstate(divide="ignore"):  # a weight of 0
        log_weights = np.log(parameters.weights)
    return log_weights + covariance.log_det(parameters.factors, k, d) - d / 2 * math.log(2 * np.pi)


class MixtureRows:
    """Panels, and the memory for passes of a mixture of k components over them.

    Parameters
    ----------
    panels : Panels
        The rows.
    covariance : object
        One of COVARIANCE_TYPES.
    n_components : int
        Components of the mixture.
    """

    def __init__(self, panels, covariance, n_components):
        self.panels, self.covariance, self.n_components = panels, covariance, n_components
        d, lanes, dtype = panels.n_features, panels.lanes, panels.dtype
        n_panels = len(panels.values)
        self._row_work = covariance.work(n_components, d)
        shape = (padded(d, MOMENT_WIDTH) // MOMENT_WIDTH, BLOCK_PANELS, MOMENT_WIDTH, lanes)
        second = covariance.n_second(d)
        vector_bytes = lanes * dtype.itemsize
        places = padded(n_components, WIDTH)
        slot_bytes = vector_bytes * (2 * math.prod(shape[:3]) + BLOCK_PANELS * places)
        slot_bytes += 8 * n_components * (1 + d + second)
        max_slots = min(MAX_SLOTS, max(MIN_SLOTS, SCRATCH_BYTES // slot_bytes))
        n_blocks = -(-n_panels // BLOCK_PANELS)
        self._slots = split(n_blocks, BLOCK_PANELS * lanes * self._row_work, max_slots)
        n_slots = len(self._slots)
        self._e_scratch = e_scratch(covariance, n_slots, n_components, d, lanes, dtype)
        self._m_scratch = tuple(aligned_zeros((n_slots, *shape), dtype) for _ in range(2))
        self._out = (
            np.empty((n_slots, n_components)),
            np.empty((n_slots, n_components, padded(d, MOMENT_WIDTH))),
            np.empty((n_slots, n_components, second)),
            np.empty(n_slots),
        )
        self.scatter = estimate_scatter(panels) if covariance.needs_scatter else None
        self._no_labels = np.empty((0, lanes), dtype=np.int32)
        self._weights = panels.weights
        self.total_weight = float(panels.n_samples)
        if len(panels.weights):
            self.total_weight = float(panels.weights.sum(dtype=np.float64))
        else:
            self._weights = np.ones((1, lanes), dtype=dtype)
            self._weights[0, panels.n_samples - (n_panels - 1) * lanes :] = 0

    def moments(self, parameters):
        """E step with these parameters, and the moments for the M step."""
        constants = component_constants(self.covariance, parameters)
        layout = self.covariance.lay_out(
            parameters.means, parameters.factors, constants, self.panels.dtype
        )
        with np.errstate(divide="ignore"):
            cuts = np.log(np.finfo(self.panels.dtype).eps * NEGLIGIBLE * parameters.weights)
        return self._run(self._no_labels, parameters.means, layout, cuts)

    def label_moments(self, labels, about):
        """Moments of the rows of each label; the labels are in the order of the panels."""
        k, d = about.shape
        empty = MixtureParameters(
            np.ones(k), np.zeros((k, d)), None, np.ones(self.covariance.shape(k, d))
        )
        layout = self.covariance.lay_out(
            empty.means, empty.factors, np.zeros(k), self.panels.dtype
        )
        return self._run(labels, about, layout, np.zeros(k))

    def _run(self, labels, about, layout, cuts):
        dtype = self.panels.dtype
        moments_kernel(self.covariance.name)(
            self._slots, self.panels.values, self._weights, labels,
            np.ascontiguousarray(about, dtype=dtype), *layout, cuts.astype(dtype),
            *self._e_scratch, *self._m_scratch, *self._out,
            work=self._row_work * self.panels.n_samples,
        )  # fmt: skip
        nk, first, second, log_likelihood = (values.sum(axis=0) for values in self._out)
        first = np.ascontiguousarray(first[:, : about.shape[1]])
        about = np.ascontiguousarray(about, dtype=dtype).astype(np.float64)  # what the kernel saw
        return MixtureMoments(nk, first, second, float(log_likelihood), about, self.scatter)


def estimate_scatter(panels):
    """Sum of x x' over the rows: the second moments of one component about 0."""
    full = COVARIANCE_TYPES["full"]
    d = panels.n_features
    labels = np.zeros((len(panels.values), panels.lanes), dtype=np.int32)
    moments = MixtureRows(panels, full, 1).label_moments(labels, np.zeros((1, d)))
    return full.unpack_second(moments.second, d)[0]


def aligned_zeros(shape, dtype):
    """Zeros whose vectors do not straddle cache lines."""
    values = aligned_empty(shape, dtype)
    values.fill(0)
    return values


def e_scratch(covariance, n_slots, n_components, n_features, lanes, dtype):
    """Memory for the E step: parts of rows, and log-densities."""
    n_values = covariance.n_row_values(n_features)
    n_at_once = PANELS if covariance.name == "full" else 1
    return (
        aligned_zeros((n_slots, n_values, n_at_once, lanes), dtype),
        aligned_empty((n_slots, BLOCK_PANELS, padded(n_components, WIDTH), lanes), dtype),
    )


class Posterior:
    """E step of given parameters on blocks of rows.

    Parameters
    ----------
    covariance : object
        One of COVARIANCE_TYPES.
    parameters : MixtureParameters
        The components.
    """

    def __init__(self, covariance, parameters):
        self._covariance, self._parameters = covariance, parameters
        self._constants = component_constants(covariance, parameters)

    def estimate(self, panels, resp_out=None):
        """Labels and log-densities of the rows; responsibilities into `resp_out`, if given."""
        covariance, parameters = self._covariance, self._parameters
        k, d = parameters.means.shape
        row_work = covariance.work(k, d)
        n_panels, lanes = len(panels.values), panels.lanes
        slots = split(-(-n_panels // BLOCK_PANELS), BLOCK_PANELS * lanes * row_work)
        labels = np.empty((n_panels, lanes), dtype=np.int32)
        log_density = aligned_empty((n_panels, lanes), panels.dtype)
        posterior_kernel(covariance.name)(
            slots, panels.values,
            *covariance.lay_out(
                parameters.means, parameters.factors, self._constants, panels.dtype
            ),
            np.full(k, -np.inf, dtype=panels.dtype),
            *e_scratch(covariance, len(slots), k, d, lanes, panels.dtype),
            labels, log_density,
            np.empty((0, k), dtype=panels.dtype) if resp_out is None else resp_out,
            work=row_work * panels.n_samples,
        )  # fmt: skip
        return panels.unpadded(labels), panels.unpadded(log_density)


@dataclass
class Inference:
    """What a mixture says of rows.

    Attributes
    ----------
    labels : ndarray of shape (n_samples,), int64
        Most probable component.
    log_density : ndarray of shape (n_samples,)
        log p(x).
    """

    labels: np.ndarray
    log_density: np.ndarray


def infer(X, covariance, weights, means, factors, resp_out=None):
    """E step on rows, block by block; `resp_out` takes the responsibilities, if given.

    The rows are taken relative to the mean of the mixture, so that the answer depends on the
    parameters alone.
    """
    labels = np.empty(len(X), dtype=np.int64)
    log_density = np.empty(len(X), dtype=X.dtype)
    shift = (weights @ means).astype(X.dtype)
    posterior = Posterior(covariance, MixtureParameters(weights, means - shift, None, factors))
    for first, panels in Panels.blocks(X, None, shift):
        part = slice(first, first + panels.n_samples)
        resp = None if resp_out is None else resp_out[part]
        labels[part], log_density[part] = posterior.estimate(panels, resp)
    return Inference(labels, log_density)
