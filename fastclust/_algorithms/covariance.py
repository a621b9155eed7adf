"""Covariance types of Gaussian mixtures: one class each, and the table COVARIANCE_TYPES.

A class knows what of its type differs: the shape of the covariances, their estimate from the
moments, the Cholesky factors of the precisions, the number of parameters, and how the kernels want
the components laid out. With k components and d features.
"""

import functools

import numpy as np
from scipy.linalg import lapack

from fastclust._kernels.tile_products import MOMENT_WIDTH, N_PRODUCTS, WIDTH


class SingularCovarianceError(ValueError):
    """A covariance without a Cholesky factor.

    Attributes
    ----------
    component : int
        The first component that has one; 0 for a covariance of all.
    """

    def __init__(self, component):
        super().__init__(component)
        self.component = component


def padded(n_features, width):
    """n_features rounded up to whole tiles."""
    return -(-n_features // width) * width


def tile_components(values, dtype, padding=0.0):
    """Lay (k, d) out as tiles (n_tiles, d, WIDTH) of components."""
    k, d = values.shape
    padded_values = np.full((padded(k, WIDTH), d), padding, dtype=dtype)
    padded_values[:k] = values
    return np.ascontiguousarray(padded_values.reshape(-1, WIDTH, d).transpose(0, 2, 1))


def _tile_scalars(values, dtype, padding):
    """Lay (k,) out as (n_tiles, WIDTH)."""
    return tile_components(values[:, np.newaxis], dtype, padding).reshape(-1, WIDTH)


@functools.lru_cache(maxsize=64)
def _factor_places(n_features):
    """Flat places of the tiles of an upper triangular matrix with padding, column by column."""
    size = padded(n_features, WIDTH)
    places = np.arange(size**2).reshape(size, size)
    n_tiles = size // WIDTH
    tiles = [
        places[t * WIDTH : (t + 1) * WIDTH, c * WIDTH : (c + 1) * WIDTH].ravel()
        for c in range(n_tiles)
        for t in range(c + 1)
    ]
    return np.concatenate(tiles)


def tile_factors(factors, dtype):
    """Lay upper triangular (k, d, d) out as tiles (k, n_values), zeros where there is no feature."""
    k, d = factors.shape[:2]
    size = padded(d, WIDTH)
    whole = np.zeros((k, size, size), dtype=dtype)
    whole[:, :d, :d] = factors
    return np.take(whole.reshape(k, -1), _factor_places(d), axis=1)


@functools.lru_cache(maxsize=64)
def _product_places(n_features):
    """Place of the product of features f and g, shape (d, d), in the tiles of the moments."""
    f = np.arange(n_features)
    row, column = np.maximum.outer(f, f), np.minimum.outer(f, f)
    (t, r), (u, c) = np.divmod(row, MOMENT_WIDTH), np.divmod(column, MOMENT_WIDTH)
    inside = np.where(t == u, r * (r + 1) // 2 + c, r * MOMENT_WIDTH + c)
    return (t * (t + 1) // 2 + u) * N_PRODUCTS + inside


def invert_cholesky(covariances):
    """Upper triangular U with U U' the inverse of each covariance, of shape (k, d, d)."""
    factors = np.empty_like(covariances)
    for j, covariance in enumerate(covariances):
        lower, info = lapack.dpotrf(covariance, lower=1)
        if info == 0:
            inverse, info = lapack.dtrtri(lower, lower=1)
        if info != 0:
            raise SingularCovarianceError(j)
        factors[j] = inverse.T
    return factors


def _flipped(matrices):
    return matrices[..., ::-1, ::-1]


class FullCovariance:
    """A covariance matrix for each component."""

    name = "full"
    needs_scatter = False  # the sum of x x' over all rows

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

    def unpack_second(self, second, d):
        """Second moments as matrices (k, d, d)."""
        return second[:, _product_places(d)]

    def second_moments(self, X, resp):
        """Second moments about 0, laid out as the kernel does, by NumPy."""
        k, d = resp.shape[1], X.shape[1]
        second = np.zeros((k, self.n_second(d)))
        for j in range(k):
            second[j, _product_places(d)] = (X * resp[:, j, np.newaxis]).T @ X
        return second

    def estimate(self, moments, nk, means, reg_covar):
        """Covariances about the new means."""
        d = means.shape[1]
        second = self.unpack_second(moments.second, d)
        cross = moments.first[:, :, np.newaxis] * (means - moments.about)[:, np.newaxis, :]
        shift = means - moments.about
        square = shift[:, :, np.newaxis] * shift[:, np.newaxis, :]
        covariances = second - cross - cross.transpose(0, 2, 1)
        covariances += moments.nk[:, np.newaxis, np.newaxis] * square
        covariances /= nk[:, np.newaxis, np.newaxis]
        covariances[:, np.arange(d), np.arange(d)] += np.reshape(reg_covar, (-1, 1))
        return covariances

    def regularise(self, covariances, j, amount):
        """Add to the variances of component j, in place."""
        np.einsum("ff->f", covariances[j])[:] += amount

    def factorise(self, covariances):
        """Cholesky factors of the precisions."""
        return invert_cholesky(covariances)

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

    def log_det(self, factors, k, d):
        """Log-determinants of the factors, of shape (k,)."""
        return np.log(np.einsum("jff->jf", factors)).sum(axis=1)

    def draw(self, rng, means, covariances, counts):
        """Draw as many rows as counted from each component, by scikit-learn's calls."""
        matrices = np.broadcast_to(covariances, (len(means), *covariances.shape[-2:]))
        return [
            rng.multivariate_normal(mean, matrix, int(count))
            for mean, matrix, count in zip(means, matrices, counts, strict=True)
        ]

    def lay_out(self, means, factors, constants, dtype):
        """Means, factors, scales and constants as `_kernels.gaussian` wants them."""
        return (
            np.ascontiguousarray(means, dtype=dtype),
            tile_factors(factors, dtype),
            np.empty((0, WIDTH), dtype=dtype),
            constants.astype(dtype)[:, np.newaxis],
        )


class TiedCovariance(FullCovariance):
    """One covariance matrix for all components."""

    name = "tied"
    needs_scatter = True

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

    def estimate(self, moments, nk, means, reg_covar):
        """Covariance about the new means: X'X, which is the same in every pass, less theirs."""
        sums = moments.nk[:, np.newaxis] * moments.about + moments.first
        cross = sums.T @ means
        covariance = moments.scatter - cross - cross.T + (moments.nk * means.T) @ means
        covariance /= nk.sum()
        np.einsum("ff->f", covariance)[:] += reg_covar[0]
        return covariance

    def regularise(self, covariances, j, amount):
        """Add to the variances, in place."""
        np.einsum("ff->f", covariances)[:] += amount

    def factorise(self, covariances):
        """Cholesky factor of the precision."""
        return invert_cholesky(covariances[np.newaxis])[0]

    def log_det(self, factors, k, d):
        """Log-determinant of the factor, for each component."""
        return np.full(k, np.log(np.diagonal(factors)).sum())

    def lay_out(self, means, factors, constants, dtype):
        """Means, factors, scales and constants as `_kernels.gaussian` wants them."""
        k, d = means.shape
        projected = np.zeros((k, padded(d, WIDTH)))
        projected[:, :d] = means @ factors
        return (
            tile_components(projected, dtype),
            tile_factors(factors[np.newaxis], dtype),
            _tile_scalars(np.full(k, -0.5), dtype, 0.0),
            _tile_scalars(constants, dtype, -np.inf),
        )


class DiagCovariance:
    """A variance for each component and feature."""

    name = "diag"
    needs_scatter = False

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

    def estimate(self, moments, nk, means, reg_covar):
        """Variances about the new means."""
        shift = means - moments.about
        second = moments.second[:, : means.shape[1]]
        variances = second - shift * (2 * moments.first - moments.nk[:, np.newaxis] * shift)
        return variances / nk[:, np.newaxis] + np.reshape(reg_covar, (-1, 1))

    def regularise(self, covariances, j, amount):
        """Add to the variances of component j, in place."""
        covariances[j] += amount

    def factorise(self, covariances):
        """Cholesky factors of the precisions: inverse standard deviations."""
        positive = (covariances > 0).reshape(len(covariances), -1).all(axis=1)
        if not positive.all():
            raise SingularCovarianceError(int(np.argmin(positive)))
        return 1.0 / np.sqrt(covariances)

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

    def log_det(self, factors, k, d):
        """Log-determinants of the factors, of shape (k,)."""
        return np.log(factors).sum(axis=1)

    def draw(self, rng, means, covariances, counts):
        """Draw as many rows as counted from each component, by scikit-learn's calls."""
        return [
            mean + rng.standard_normal(size=(count, len(mean))) * np.sqrt(variance)
            for mean, variance, count in zip(means, covariances, counts, strict=True)
        ]

    def lay_out(self, means, factors, constants, dtype):
        """Means, factors, scales and constants as `_kernels.gaussian` wants them."""
        return (
            tile_components(means, dtype),
            tile_components(factors, dtype),
            _tile_scalars(np.full(len(means), -0.5), dtype, 0.0),
            _tile_scalars(constants, dtype, -np.inf),
        )


class SphericalCovariance(DiagCovariance):
    """One variance for each component: the mean of those of its features."""

    name = "spherical"

    def shape(self, k, d):
        """Shape of the covariances."""
        return (k,)

    def n_parameters(self, k, d):
        """Free parameters of the covariances."""
        return k

    def estimate(self, moments, nk, means, reg_covar):
        """Variances about the new means."""
        return super().estimate(moments, nk, means, reg_covar).mean(axis=1)

    def log_det(self, factors, k, d):
        """Log-determinants of the factors, of shape (k,)."""
        return d * np.log(factors)

    def lay_out(self, means, factors, constants, dtype):
        """Means, factors, scales and constants as `_kernels.gaussian` wants them."""
        return (
            tile_components(means, dtype),
            np.empty((0, 0, WIDTH), dtype=dtype),
            _tile_scalars(-0.5 * factors**2, dtype, 0.0),
            _tile_scalars(constants, dtype, -np.inf),
        )


COVARIANCE_TYPES = {
    covariance.name: covariance
    for covariance in (
        FullCovariance(),
        TiedCovariance(),
        DiagCovariance(),
        SphericalCovariance(),
    )
}
