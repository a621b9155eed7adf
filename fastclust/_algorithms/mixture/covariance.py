"""Covariance types of Gaussian mixtures: one class each, and the table COVARIANCE_TYPES.

A class knows what of its type differs outside the kernels: the shape of the covariances, the number
of parameters, what the kernels need for them, and how precisions become factors. With k components
and d features. The kernels' part of a type is in `_kernels.gaussian`, `moments` and `components`,
in functions that bear its name.
"""

import functools
import math

import numpy as np

from fastclust._algorithms.arrays import aligned_filled
from fastclust._algorithms.chunks import split
from fastclust._kernels.simd.products import MOMENT_WIDTH, N_PRODUCTS, PANELS, WIDTH

MAX_SEPARATOR_BYTES = 2**24
"""Most memory for separators, which grow with the square of the number of components."""

MIN_SEPARATOR_FEATURES = 8
"""Features from which a separator is much cheaper than a log-density."""


def padded(count, width):
    """Round a count up to whole tiles."""
    return -(-count // width) * width


def _tiled_layout(k, n_values, factors, dtype):
    """Means, factors, extras and constants where components are in tiles; the padding is final."""
    n_tiles = padded(k, WIDTH) // WIDTH
    return (
        aligned_filled((n_tiles, n_values, WIDTH), dtype, 0.0),
        factors,
        aligned_filled((n_tiles, WIDTH), dtype, 0.0),
        aligned_filled((n_tiles, WIDTH), dtype, -np.inf),
    )


def _triangle_tiles(d):
    """Values in the tiles of an upper triangular matrix."""
    n_tiles = padded(d, WIDTH) // WIDTH
    return n_tiles * (n_tiles + 1) // 2 * WIDTH * WIDTH


@functools.lru_cache(maxsize=64)
def _product_places(n_features):
    """Place of the product of features f and g, shape (d, d), in the tiles of the moments."""
    f = np.arange(n_features)
    row, column = np.maximum.outer(f, f), np.minimum.outer(f, f)
    (t, r), (u, c) = np.divmod(row, MOMENT_WIDTH), np.divmod(column, MOMENT_WIDTH)
    inside = np.where(t == u, r * (r + 1) // 2 + c, r * MOMENT_WIDTH + c)
    return (t * (t + 1) // 2 + u) * N_PRODUCTS + inside


def unpack_products(second, n_features):
    """Second moments of full covariances as matrices (k, d, d)."""
    return second[:, _product_places(n_features)]


def _flipped(matrices):
    return matrices[..., ::-1, ::-1]


class FullCovariance:
    """A covariance matrix for each component."""

    name = "full"
    is_shared = False  # one for all components: estimated from the sum of x x' over the rows
    gathers = 1  # whether its moments want rows gathered: 1 or 0
    n_at_once = PANELS  # panels that the kernel does at a time
    has_separators = True

    def shape(self, k, d):
        """Shape of the covariances."""
        return (k, d, d)

    def n_parameters(self, k, d):
        """Free parameters of the covariances."""
        return k * d * (d + 1) // 2

    def n_second(self, d):
        """Numbers that the kernel writes for the second moments of a component."""
        n_tiles = padded(d, MOMENT_WIDTH) // MOMENT_WIDTH
        return n_tiles * (n_tiles + 1) // 2 * N_PRODUCTS

    def n_row_values(self, d):
        """Values of a row that the kernel sets aside."""
        return padded(d, WIDTH)

    def work(self, k, d):
        """Multiply-adds for a row."""
        return k * d * (d + 8)

    def second_moments(self, X, resp):
        """Second moments about 0, laid out as the kernel does, by NumPy."""
        k, d = resp.shape[1], X.shape[1]
        second = np.zeros((k, self.n_second(d)))
        for j in range(k):
            second[j, _product_places(d)] = (X * resp[:, j, np.newaxis]).T @ X
        return second

    def check_precisions(self, precisions, name):
        """Raise ValueError unless the precisions are symmetric and positive definite."""
        for matrix in precisions.reshape(-1, *precisions.shape[-2:]):
            symmetric = np.allclose(matrix, matrix.T)
            if not symmetric or not (np.linalg.eigvalsh(matrix) > 0).all():
                raise ValueError(f"'{name}' should be symmetric, positive-definite")

    def factorise_precisions(self, precisions):
        """The same from the precisions: upper triangular, U U' = P."""
        return np.ascontiguousarray(_flipped(np.linalg.cholesky(_flipped(precisions))))

    def precisions(self, factors):
        """Precisions from their factors."""
        return factors @ factors.swapaxes(-1, -2)

    def covariances(self, factors):
        """Covariances from the factors of the precisions."""
        return np.linalg.inv(self.precisions(factors))

    def draw(self, rng, means, covariances, counts):
        """Draw as many rows as counted from each component, by scikit-learn's calls."""
        matrices = np.broadcast_to(covariances, (len(means), *covariances.shape[-2:]))
        return [
            rng.multivariate_normal(mean, matrix, int(count))
            for mean, matrix, count in zip(means, matrices, counts, strict=True)
        ]

    def layout(self, k, d, dtype):
        """Arrays for means (None: as they are), factors, extras and constants; see `gaussian`."""
        return (
            None,
            aligned_filled((k, _triangle_tiles(d)), dtype, 0.0),
            self.separators(0, d, dtype),
            aligned_filled((k, 1), dtype, 0.0),
        )

    def separators(self, k, d, dtype):
        """Array for the separators of k components; of none if it would be too large."""
        shape = (k, padded(k, WIDTH) // WIDTH, d + 1, WIDTH)
        if math.prod(shape) * np.dtype(dtype).itemsize > MAX_SEPARATOR_BYTES:
            k = 0
        return aligned_filled((k, *shape[1:]), dtype, 0.0)

    def component_chunks(self, k, d):
        """Chunks of components for the M step."""
        return split(k, d**3)


class TiedCovariance(FullCovariance):
    """One covariance matrix for all components."""

    name = "tied"
    is_shared = True
    gathers = 0
    n_at_once = 1
    has_separators = False

    def shape(self, k, d):
        """Shape of the covariances."""
        return (d, d)

    def n_parameters(self, k, d):
        """Free parameters of the covariances."""
        return d * (d + 1) // 2

    def n_second(self, d):
        """Numbers that the kernel writes for the second moments of a component."""
        return 0

    def second_moments(self, X, resp):
        """None: the scatter of the rows stands for them."""
        return np.zeros((resp.shape[1], 0))

    def n_row_values(self, d):
        """Values of a row that the kernel sets aside."""
        return 2 * padded(d, WIDTH)

    def work(self, k, d):
        """Multiply-adds for a row."""
        return d * d // 2 + k * (4 * d + 8)

    def layout(self, k, d, dtype):
        """Arrays for means, factors, extras and constants; see `gaussian`."""
        factors = aligned_filled((1, _triangle_tiles(d)), dtype, 0.0)
        return _tiled_layout(k, padded(d, WIDTH), factors, dtype)

    def component_chunks(self, k, d):
        """One chunk: the components take turns at the covariance of all."""
        return split(k, 0.0)


class DiagCovariance:
    """A variance for each component and feature."""

    name = "diag"
    is_shared = False
    gathers = 0
    n_at_once = 1
    has_separators = False

    def shape(self, k, d):
        """Shape of the covariances."""
        return (k, d)

    def n_parameters(self, k, d):
        """Free parameters of the covariances."""
        return k * d

    def n_second(self, d):
        """Numbers that the kernel writes for the second moments of a component."""
        return padded(d, MOMENT_WIDTH)

    def n_row_values(self, d):
        """Values of a row that the kernel sets aside."""
        return 0

    def work(self, k, d):
        """Multiply-adds for a row."""
        return k * (7 * d + 8)

    def second_moments(self, X, resp):
        """Second moments about 0, laid out as the kernel does, by NumPy."""
        k, d = resp.shape[1], X.shape[1]
        second = np.zeros((k, self.n_second(d)))
        second[:, :d] = resp.T @ X**2
        return second

    def check_precisions(self, precisions, name):
        """Raise ValueError unless the precisions are positive."""
        if (precisions <= 0).any():
            raise ValueError(f"'{name}' should be positive")

    def factorise_precisions(self, precisions):
        """The same from the precisions."""
        return np.sqrt(precisions)

    def precisions(self, factors):
        """Precisions from their factors."""
        return factors**2

    def covariances(self, factors):
        """Variances from the factors of the precisions."""
        return 1.0 / factors**2

    def draw(self, rng, means, covariances, counts):
        """Draw as many rows as counted from each component, by scikit-learn's calls."""
        return [
            mean + rng.standard_normal(size=(count, len(mean))) * np.sqrt(variance)
            for mean, variance, count in zip(means, covariances, counts, strict=True)
        ]

    def layout(self, k, d, dtype):
        """Arrays for means, factors, extras and constants; see `gaussian`."""
        factors = aligned_filled((padded(k, WIDTH) // WIDTH, d, WIDTH), dtype, 0.0)
        return _tiled_layout(k, d, factors, dtype)

    def component_chunks(self, k, d):
        """Chunks of components for the M step."""
        return split(k, d)


class SphericalCovariance(DiagCovariance):
    """One variance for each component: the mean of those of its features."""

    name = "spherical"

    def shape(self, k, d):
        """Shape of the covariances."""
        return (k,)

    def n_parameters(self, k, d):
        """Free parameters of the covariances."""
        return k

    def layout(self, k, d, dtype):
        """Arrays for means, factors, extras and constants; see `gaussian`."""
        return _tiled_layout(k, d, np.empty((0, 0, WIDTH), dtype=dtype), dtype)


COVARIANCE_TYPES = {
    covariance.name: covariance
    for covariance in (
        FullCovariance(),
        TiedCovariance(),
        DiagCovariance(),
        SphericalCovariance(),
    )
}
