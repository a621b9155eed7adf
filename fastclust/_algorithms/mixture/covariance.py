"""Covariance types of Gaussian mixtures: one class each, and the table COVARIANCE_TYPES.

A class holds what differs between the types outside the kernels: the shape of the covariances, the
number of parameters, the arrays that the kernels need, and how precisions become factors. In the
kernels (`_kernels.mixture`, the modules `gaussian`, `moments` and `m_step`) the functions of a
type bear its name. Everywhere k is the number of components and d that of features.
"""

import functools
import math

import numpy as np

from fastclust._algorithms.arrays import aligned_filled
from fastclust._algorithms.chunks import split
from fastclust._kernels.mixture.layout import factor_place, product_place
from fastclust._kernels.simd.sizes import MOMENT_WIDTH, N_PRODUCTS, PANELS, WIDTH

MAX_SEPARATOR_BYTES = 2**24
"""Most memory that separators may take; it grows with the square of the number of components."""

MIN_SEPARATOR_FEATURES = 8
"""Least number of features with which a separator is much cheaper than a log-density
(benchmarks/ablate_constants.py)."""


def padded(count, width):
    """Round a count up to whole tiles."""
    return -(-count // width) * width


def _tiled_layout(k, n_values, factors, dtype):
    """Means, factors, extras and constants, for types whose components are in tiles.

    Components that pad the last tile keep the values given here: their log-densities are -inf.
    """
    n_tiles = padded(k, WIDTH) // WIDTH
    return (
        aligned_filled((n_tiles, n_values, WIDTH), dtype, 0.0),
        factors,
        aligned_filled((n_tiles, WIDTH), dtype, 0.0),
        aligned_filled((n_tiles, WIDTH), dtype, -np.inf),
    )


def _triangle_tiles(d):
    """Number of values in the tiles of an upper triangular matrix."""
    return factor_place(0, padded(d, WIDTH))


@functools.lru_cache(maxsize=64)
def _product_places(n_features):
    """Place of the product of features f and g among the second moments, shape (d, d)."""
    f = np.arange(n_features)
    return product_place(np.maximum.outer(f, f), np.minimum.outer(f, f))


def unpack_products(second, n_features):
    """Second moments (k, n_second) of full covariances, as matrices (k, d, d)."""
    return second[:, _product_places(n_features)]


def pack_products(matrices, second_out):
    """Write symmetric matrices (k, d, d) as second moments (k, n_second) of full covariances."""
    second_out[:, _product_places(matrices.shape[-1])] = matrices


def _flipped(matrices):
    """Matrices with the order of both rows and columns reversed."""
    return matrices[..., ::-1, ::-1]


class FullCovariance:
    """A covariance matrix for each component."""

    name = "full"
    is_shared = False  # whether all components share one, which needs the scatter of the rows
    gathers = True  # whether the kernel gathers rows for their moments
    n_at_once = PANELS  # how many panels the kernel takes at a time
    has_separators = True

    def shape(self, k, d):
        """Shape of the covariances."""
        return (k, d, d)

    def shape_of_one(self, d):
        """Shape of the covariance of one component."""
        return (d, d)

    def n_parameters(self, k, d):
        """Free parameters of the covariances."""
        return k * d * (d + 1) // 2

    def n_second(self, d):
        """Number of second moments of a component, padding included."""
        n_tiles = padded(d, MOMENT_WIDTH) // MOMENT_WIDTH
        return n_tiles * (n_tiles + 1) // 2 * N_PRODUCTS

    def n_row_values(self, d):
        """Number of values of a row that the E step keeps in its scratch."""
        return padded(d, WIDTH)

    def work(self, k, d):
        """Multiply-adds for a row."""
        return k * d * (d + 8)

    def second_moments(self, X, resp):
        """Second moments about 0 by NumPy, laid out as the kernel lays them out."""
        k, d = resp.shape[1], X.shape[1]
        second = np.zeros((k, self.n_second(d)))
        for j in range(k):
            second[j, _product_places(d)] = (X * resp[:, j, np.newaxis]).T @ X
        return second

    def second_of(self, covariances, reg_covar, shifts):
        """Second moments of each component, for a weight of 1, about its mean less the shift.

        They are those that an M step makes the covariances of, adding reg_covar to the variances.
        """
        k, d = shifts.shape
        second = np.zeros((k, self.n_second(d)))
        added = reg_covar[:, np.newaxis, np.newaxis] * np.eye(d)
        squares = shifts[:, :, np.newaxis] * shifts[:, np.newaxis]
        pack_products(covariances - added + squares, second)
        return second

    def check_precisions(self, precisions, name):
        """Raise ValueError unless the precisions are symmetric and positive definite."""
        for matrix in precisions.reshape(-1, *precisions.shape[-2:]):
            symmetric = np.allclose(matrix, matrix.T)
            if not symmetric or not (np.linalg.eigvalsh(matrix) > 0).all():
                raise ValueError(f"'{name}' should be symmetric, positive-definite")

    def factorise_precisions(self, precisions):
        """Upper triangular factors U of the precisions P, U U' = P.

        NumPy's Cholesky factors are lower triangular; those of the flipped matrices, flipped back,
        are upper triangular.
        """
        return np.ascontiguousarray(_flipped(np.linalg.cholesky(_flipped(precisions))))

    def normalise_factors(self, factors, name):
        """Upper triangular factors U with a positive diagonal, for any factors F: U U' = F F'.

        Those of a fit are such factors. Users may set others, as lower triangular ones. With
        F' = Q R, of F with its rows reversed, F F' = R' R, which is flipped back.

        Raises
        ------
        ValueError
            If a factor is singular.
        """
        diagonals = np.diagonal(factors, axis1=-2, axis2=-1)
        if np.tril(factors, -1).any() or (diagonals < 0).any():
            rows_reversed = factors[..., ::-1, :]
            triangles = np.asarray(np.linalg.qr(rows_reversed.swapaxes(-1, -2), mode="r"))
            factors = _flipped(triangles.swapaxes(-1, -2))
            diagonals = np.diagonal(factors, axis1=-2, axis2=-1)
            factors = np.ascontiguousarray(factors * np.sign(diagonals)[..., np.newaxis, :])
        if (diagonals == 0).any():
            raise ValueError(f"{name} should not be singular.")
        return factors

    def precisions(self, factors):
        """Return the precisions that have these factors."""
        return factors @ factors.swapaxes(-1, -2)

    def log_dets(self, factors, d):
        """Logarithm of the determinant of each factor."""
        return np.log(np.diagonal(factors, axis1=-2, axis2=-1)).sum(axis=-1)

    def matrices(self, factors, k, d):
        """Return the factors as a matrix for each component."""
        return np.broadcast_to(factors, (k, d, d))

    def covariances(self, factors):
        """Return the covariances whose precisions have these factors."""
        return np.linalg.inv(self.precisions(factors))

    def draw(self, rng, means, covariances, counts):
        """Draw counts[j] rows from component j, by scikit-learn's calls."""
        matrices = np.broadcast_to(covariances, (len(means), *covariances.shape[-2:]))
        return [
            rng.multivariate_normal(mean, matrix, int(count))
            for mean, matrix, count in zip(means, matrices, counts, strict=True)
        ]

    def layout(self, k, d, dtype):
        """Arrays for means, factors, extras and constants of `arguments.Components`.

        None stands for the means: they are read as they are.
        """
        return (
            None,
            aligned_filled((k, _triangle_tiles(d)), dtype, 0.0),
            self.separators(0, d, dtype),
            aligned_filled((k, 1), dtype, 0.0),
        )

    def separators(self, k, d, dtype):
        """Array for the separators of k components, or of 0 if that would be too large."""
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
    gathers = False
    n_at_once = 1
    has_separators = False

    def shape(self, k, d):
        """Shape of the covariances."""
        return (d, d)

    def n_parameters(self, k, d):
        """Free parameters of the covariances."""
        return d * (d + 1) // 2

    def n_second(self, d):
        """Number of second moments of a component, padding included."""
        return 0

    def second_moments(self, X, resp):
        """No second moments: the M step uses the scatter of the rows instead."""
        return np.zeros((resp.shape[1], 0))

    def second_of(self, covariances, reg_covar, shifts):
        """No second moments."""
        return np.zeros((len(shifts), 0))

    def n_row_values(self, d):
        """Number of values of a row that the E step keeps in its scratch."""
        return 2 * padded(d, WIDTH)

    def work(self, k, d):
        """Multiply-adds for a row."""
        return d * d // 2 + k * (4 * d + 8)

    def layout(self, k, d, dtype):
        """Arrays for means, factors, extras and constants of `arguments.Components`."""
        factors = aligned_filled((1, _triangle_tiles(d)), dtype, 0.0)
        return _tiled_layout(k, padded(d, WIDTH), factors, dtype)

    def component_chunks(self, k, d):
        """One chunk, because the components update the covariance of all one after the other."""
        return split(k, 0.0)


class DiagCovariance:
    """A variance for each component and feature."""

    name = "diag"
    is_shared = False
    gathers = False
    n_at_once = 1
    has_separators = False

    def shape(self, k, d):
        """Shape of the covariances."""
        return (k, d)

    def shape_of_one(self, d):
        """Shape of the covariance of one component."""
        return (d,)

    def n_parameters(self, k, d):
        """Free parameters of the covariances."""
        return k * d

    def n_second(self, d):
        """Number of second moments of a component, padding included."""
        return padded(d, MOMENT_WIDTH)

    def n_row_values(self, d):
        """Number of values of a row that the E step keeps in its scratch."""
        return 0

    def work(self, k, d):
        """Multiply-adds for a row."""
        return k * (7 * d + 8)

    def second_moments(self, X, resp):
        """Second moments about 0 by NumPy, laid out as the kernel lays them out."""
        k, d = resp.shape[1], X.shape[1]
        second = np.zeros((k, self.n_second(d)))
        second[:, :d] = resp.T @ X**2
        return second

    def second_of(self, covariances, reg_covar, shifts):
        """Second moments of each component, for a weight of 1, about its mean less the shift."""
        k, d = shifts.shape
        second = np.zeros((k, self.n_second(d)))
        second[:, :d] = covariances.reshape(k, -1) - reg_covar[:, np.newaxis] + shifts**2
        return second

    def check_precisions(self, precisions, name):
        """Raise ValueError unless the precisions are positive."""
        if (precisions <= 0).any():
            raise ValueError(f"'{name}' should be positive")

    def factorise_precisions(self, precisions):
        """Square roots of the precisions."""
        return np.sqrt(precisions)

    def normalise_factors(self, factors, name):
        """Return the factors, which users may set; raise ValueError unless they are positive."""
        if (factors <= 0).any():
            raise ValueError(f"{name} should be positive.")
        return factors

    def precisions(self, factors):
        """Return the precisions that have these factors."""
        return factors**2

    def log_dets(self, factors, d):
        """Logarithm of the determinant of each factor."""
        return np.log(factors).sum(axis=-1)

    def matrices(self, factors, k, d):
        """Return the factors as a matrix for each component."""
        return np.broadcast_to(factors.reshape(k, -1), (k, d))[:, :, np.newaxis] * np.eye(d)

    def covariances(self, factors):
        """Return the variances whose precisions have these factors."""
        return 1.0 / factors**2

    def draw(self, rng, means, covariances, counts):
        """Draw counts[j] rows from component j, by scikit-learn's calls."""
        return [
            mean + rng.standard_normal(size=(count, len(mean))) * np.sqrt(variance)
            for mean, variance, count in zip(means, covariances, counts, strict=True)
        ]

    def layout(self, k, d, dtype):
        """Arrays for means, factors, extras and constants of `arguments.Components`."""
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

    def shape_of_one(self, d):
        """Shape of the covariance of one component."""
        return ()

    def log_dets(self, factors, d):
        """Logarithm of the determinant of each factor."""
        return d * np.log(factors)

    def n_parameters(self, k, d):
        """Free parameters of the covariances."""
        return k

    def layout(self, k, d, dtype):
        """Arrays for means, factors, extras and constants of `arguments.Components`."""
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
