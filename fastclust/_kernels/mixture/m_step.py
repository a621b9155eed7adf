"""The M step: components of a Gaussian mixture from their moments, in float64.

With nk, s and S the sums of r, r d and r d d' of d = x - m over the rows, m the old mean, the new
mean is m + v with v = s / nk, and the covariance about it

    (S - s v' - v s' + nk v v') / nk + reg_covar I

(Bishop, Pattern Recognition and Machine Learning, 9.2). The covariance's Cholesky factor L gives
U = L^-T, upper triangular, with U U' the precision. Loops run along rows, so that they compile to
vectors. There are two functions for each covariance type:

update_TYPE : writes covariance and factor of component j; returns whether there is a factor
    j, nk : component, and what its sums are divided by              # IN
    about : (n_components, n_features), what the moments are about   # IN
    moments : merged `Moments`                                       # IN
    scatter : (n_features, n_features), sum of x x' over all rows,   # IN
        or (0, 0) for types that do not need it
    reg_covar : (n_components,), added to the variances              # IN
    parameters : `Parameters`, whose means are updated already       # IN, OUT
lay_out_TYPE : lays component j out as `gaussian` reads it; returns log det U
    j : component                                                    # IN
    means, factors : as in `Parameters`                              # IN
    means_out, factor_tiles_out, extras_out : see `gaussian`         # OUT
    work_out : (n_components, 2, n_features)                         # scratch
"""

import functools

import numpy as np
from numba import prange

from fastclust._kernels.jit import inner, kernel, variant
from fastclust._kernels.mixture.arguments import Moments, Parameters
from fastclust._kernels.mixture.layout import (
    COVARIANCES,
    LAYOUTS,
    factor_place,
    least_of_scatter,
    product_place,
)
from fastclust._kernels.signature import float64, int64, real
from fastclust._kernels.simd.sizes import WIDTH

NEGLIGIBLE = 2.0**-10
"""Responsibilities that count as 0 add up to at most this share of the rounding error of nk."""

NEXT_TO_EMPTY = 2.0**49
"""A component whose responsibilities add up to less than this many times `floor` has its mean drawn
towards the zero of X by `floor`, as scikit-learn does with all components. It is the sum of 1.25
rows of the largest weight. So a component of one row has a variance without reg_covar too, if a
tiny one; larger components keep the digits of their means."""

_product_place = inner(product_place)
_factor_place = inner(factor_place)
_least_of_scatter = inner(least_of_scatter)


@inner
def factorise(covariance, factor_out):
    """Write the upper triangular U with U U' = covariance^-1; return whether there is one."""
    d = covariance.shape[0]
    for f in range(d):
        for g in range(f + 1):
            factor_out[f, g] = covariance[f, g]
    for c in range(d):  # L column by column, each also copied to a row above the diagonal
        pivot = factor_out[c, c]
        if not pivot > 0.0:
            return False
        root = np.sqrt(pivot)
        factor_out[c, c] = root
        for f in range(c + 1, d):
            factor_out[f, c] /= root
            factor_out[c, f] = factor_out[f, c]
        for f in range(c + 1, d):
            scale = factor_out[f, c]
            for g in range(c + 1, f + 1):
                factor_out[f, g] -= scale * factor_out[c, g]
    for f in range(d):  # L^-1 in its place, row by row
        inverse = 1.0 / factor_out[f, f]
        for p in range(f):
            scale = factor_out[f, p]
            factor_out[f, p] = 0.0
            for g in range(p + 1):
                factor_out[f, g] += scale * factor_out[p, g]
        for g in range(f):
            factor_out[f, g] *= -inverse
        factor_out[f, f] = inverse
    for f in range(d):
        for g in range(f):
            factor_out[g, f] = factor_out[f, g]
            factor_out[f, g] = 0.0
    return True


@inner
def _lay_out_factor(factor, j, tiles_out):
    """Put U into tiles, column of tiles by column."""
    d = factor.shape[0]
    for f in range(d):
        for g in range(f, d):
            tiles_out[j, _factor_place(f, g)] = factor[f, g]


@inner
def _lay_out_row(values, j, tiles_out):
    """Put the values of component j into tiles of components."""
    for f in range(values.shape[0]):
        tiles_out[j // WIDTH, f, j % WIDTH] = values[f]


# -- full ----------------------------------------------------------------------------------------


@inner
def _central_moment(j, f, g, about, moments, means):
    """Second moment of features f and g about the mean of component j."""
    first, count = moments.first_out, moments.nk_out[j]
    shift, other = means[j, f] - about[j, f], means[j, g] - about[j, g]
    moment = moments.second_out[j, _product_place(f, g)]
    return moment - (first[j, f] * other + shift * first[j, g] - count * shift * other)


@inner
def update_full(j, nk, about, moments, scatter, reg_covar, parameters):
    """A matrix for each component."""
    means, covariances_out = parameters.means_out, parameters.covariances_out
    for f in range(means.shape[1]):
        for g in range(f + 1):
            covariances_out[j, f, g] = _central_moment(j, f, g, about, moments, means) / nk
            covariances_out[j, g, f] = covariances_out[j, f, g]
        covariances_out[j, f, f] += reg_covar[j]
    return factorise(covariances_out[j], parameters.factors_out[j])


@inner
def _separate(j, likely, means, factor, separators_out, y_out, separator_out):
    """Separator U y / |y| of component j from the component `likely`.

    U is the factor of component j, and y = U'm for the difference m of the two means.
    """
    d = means.shape[1]
    for c in range(d):
        y_out[c] = 0.0
    for f in range(d):
        difference = means[likely, f] - means[j, f]
        for c in range(f, d):
            y_out[c] += factor[f, c] * difference
    square = 0.0
    for c in range(d):
        square += y_out[c] * y_out[c]
    scale = 1.0 / np.sqrt(square) if square > 0.0 else 0.0
    offset = 0.0
    t, place = j // WIDTH, j % WIDTH
    for f in range(d):
        separator_out[f] = 0.0
        for c in range(f, d):
            separator_out[f] += factor[f, c] * y_out[c]
        separators_out[likely, t, f, place] = separator_out[f] * scale
        offset -= separator_out[f] * scale * means[j, f]
    separators_out[likely, t, d, place] = offset


@inner
def lay_out_full(j, means, factors, means_out, factor_tiles_out, extras_out, work_out):
    """Means as they are, factors in tiles, and separators if `extras_out` has room for them."""
    for likely in range(extras_out.shape[0]):
        _separate(j, likely, means, factors[j], extras_out, work_out[j, 0], work_out[j, 1])
    log_det = 0.0
    for f in range(means.shape[1]):
        log_det += np.log(factors[j, f, f])
    _lay_out_factor(factors[j], j, factor_tiles_out)
    return log_det


# -- diag ----------------------------------------------------------------------------------------


@inner
def _variance(j, f, nk, about, moments, means):
    """Variance of feature f in component j."""
    shift = means[j, f] - about[j, f]
    first, count = moments.first_out[j, f], moments.nk_out[j]
    return (moments.second_out[j, f] - shift * (2.0 * first - count * shift)) / nk


@inner
def update_diag(j, nk, about, moments, scatter, reg_covar, parameters):
    """A variance for each component and feature."""
    means = parameters.means_out
    positive = True
    for f in range(means.shape[1]):
        variance = _variance(j, f, nk, about, moments, means) + reg_covar[j]
        positive = positive and variance > 0.0
        parameters.covariances_out[j, f] = variance
        parameters.factors_out[j, f] = 1.0 / np.sqrt(max(variance, 0.0))
    return positive


@inner
def lay_out_diag(j, means, factors, means_out, factor_tiles_out, extras_out, work_out):
    """Means and factors in tiles of components."""
    log_det = 0.0
    for f in range(means.shape[1]):
        log_det += np.log(factors[j, f])
    _lay_out_row(means[j], j, means_out)
    _lay_out_row(factors[j], j, factor_tiles_out)
    extras_out[j // WIDTH, j % WIDTH] = -0.5
    return log_det


# -- spherical -----------------------------------------------------------------------------------


@inner
def update_spherical(j, nk, about, moments, scatter, reg_covar, parameters):
    """The mean of the variances of the features."""
    means = parameters.means_out
    d = means.shape[1]
    total = 0.0
    for f in range(d):
        total += _variance(j, f, nk, about, moments, means)
    variance = total / d + reg_covar[j]
    parameters.covariances_out[j] = variance
    parameters.factors_out[j] = 1.0 / np.sqrt(max(variance, 0.0))
    return variance > 0.0


@inner
def lay_out_spherical(j, means, factors, means_out, factor_tiles_out, extras_out, work_out):
    """Means in tiles of components."""
    _lay_out_row(means[j], j, means_out)
    extras_out[j // WIDTH, j % WIDTH] = -0.5 * factors[j] ** 2
    return means.shape[1] * np.log(factors[j])


# -- tied ----------------------------------------------------------------------------------------


@inner
def _part_of_scatter(j, f, g, about, moments, means):
    """What component j adds to the sum of products of features f and g by its mean."""
    first, count = moments.first_out, moments.nk_out[j]
    total, other = count * about[j, f] + first[j, f], count * about[j, g] + first[j, g]
    return total * means[j, g] + means[j, f] * other - count * means[j, f] * means[j, g]


@inner
def update_tied(j, nk, about, moments, scatter, reg_covar, parameters):
    """One matrix for all components, called for one after the other.

    It begins as the scatter of the rows, and each component subtracts its part. If that leaves too
    few digits, it counts as if there was no factor. With second moments it begins as 0, and each
    component adds its own. The last divides by nk and factorises.
    """
    means, covariances_out = parameters.means_out, parameters.covariances_out
    k, d = means.shape
    has_second = moments.second_out.shape[1] > 0
    for f in range(d):
        for g in range(f + 1):
            if j == 0:
                covariances_out[f, g] = 0.0 if has_second else scatter[f, g]
            if has_second:
                covariances_out[f, g] += _central_moment(j, f, g, about, moments, means)
            else:
                covariances_out[f, g] -= _part_of_scatter(j, f, g, about, moments, means)
    if j < k - 1:
        return True
    has_digits = True
    least = _least_of_scatter(about.itemsize)
    for f in range(d):
        for g in range(f + 1):
            covariances_out[f, g] /= nk
            covariances_out[g, f] = covariances_out[f, g]
        covariances_out[f, f] += reg_covar[0]
        if not has_second and nk * covariances_out[f, f] < least * scatter[f, f]:
            has_digits = False
    return factorise(covariances_out, parameters.factors_out) and has_digits


@inner
def lay_out_tied(j, means, factors, means_out, factor_tiles_out, extras_out, work_out):
    """U'mean in tiles of components, and the shared factor in tiles."""
    d = means.shape[1]
    log_det = 0.0
    for c in range(d):
        value = 0.0
        for f in range(c + 1):
            value += factors[f, c] * means[j, f]
        means_out[j // WIDTH, c, j % WIDTH] = value
        log_det += np.log(factors[c, c])
    extras_out[j // WIDTH, j % WIDTH] = -0.5
    if j == 0:
        _lay_out_factor(factors, 0, factor_tiles_out)
    return log_det


# -- kernels -------------------------------------------------------------------------------------


@inner
def _set_constants(j, weight, log_det, means, epsilon, constants_out, cuts_out):
    """Write the constant of a log-density, and the logarithm of a negligible responsibility."""
    width = constants_out.shape[1]
    log_weight = np.log(weight)
    constant = log_weight + log_det - 0.5 * means.shape[1] * np.log(2.0 * np.pi)
    constants_out[j // width, j % width] = constant
    cuts_out[j] = log_weight + np.log(epsilon * NEGLIGIBLE)


@functools.cache
def lay_out_kernel(covariance_type):
    """The kernel that lays the components of a covariance type out."""
    lay_out = globals()[f"lay_out_{covariance_type}"]
    factors_type = COVARIANCES[covariance_type]
    means_layout, factors_layout, extras_layout = LAYOUTS[covariance_type]

    @kernel
    @variant(covariance_type)
    def lay_out_components(
        chunks, about_out: real[:, :], weights: float64[:], means: float64[:, :],
        factors: factors_type, epsilon: float64, means_out: means_layout,
        factor_tiles_out: factors_layout, extras_out: extras_layout, constants_out: real[:, :],
        cuts_out: real[:], work_out: float64[:, :, :],
    ):  # fmt: skip
        """Lay components out as `gaussian` reads them.

        The chunks are of components.

        about_out : (n_components, n_features)                # OUT: means, in the rows' type
        weights : (n_components,), float64                    # IN
        means, factors : as in `Parameters`                   # IN
        epsilon : spacing of the rows' type at 1              # IN
        means_out, factor_tiles_out, extras_out,              # OUT: see `gaussian`; padding is left
            constants_out
        cuts_out : (n_components,)                            # OUT
        work_out : (n_components, 2, n_features), float64     # scratch
        """
        for s in prange(chunks.shape[0]):
            for j in range(chunks[s, 1], chunks[s, 2]):
                for f in range(means.shape[1]):
                    about_out[j, f] = means[j, f]
                log_det = lay_out(
                    j, means, factors, means_out, factor_tiles_out, extras_out, work_out
                )
                _set_constants(j, weights[j], log_det, means, epsilon, constants_out, cuts_out)

    return lay_out_components


@inner
def _sum_nk(chunk_nk, j):
    """Sum of the responsibilities of component j in all chunks."""
    total = 0.0
    for s in range(chunk_nk.shape[0]):
        total += chunk_nk[s, j]
    return total


@functools.cache
def update_kernel(covariance_type):
    """The kernel of the M step of a covariance type."""
    update = globals()[f"update_{covariance_type}"]
    covariances_type = COVARIANCES[covariance_type]

    @kernel
    @variant(covariance_type)
    def update_components(
        chunks, about: real[:, :], chunk_nk: float64[:, :], chunk_first: float64[:, :, :],
        chunk_second: float64[:, :, :], scatter: float64[:, :], reg_covar: float64[:],
        origin: float64[:], floor: float64, total_weight: float64, nk_out: float64[:],
        first_out: float64[:, :], second_out: float64[:, :], weights_out: float64[:],
        means_out: float64[:, :], covariances_out: covariances_type, factors_out: covariances_type,
        is_singular_out: int64[:],
    ):  # fmt: skip
        """Merge the moments of the chunks, and update the components.

        The chunks are of components.

        about : (n_components, n_features)                  # IN: what the moments are about
        chunk_nk, chunk_first, chunk_second : `Moments` of  # IN
            each chunk
        scatter : (n_features, n_features), float64: sum    # IN: or (0, 0) if not needed
            of x x' over all rows
        reg_covar : (n_components,), float64                # IN
        origin : (n_features,), float64: what is            # IN
            subtracted from the rows
        floor : added to the sums of responsibilities       # IN
        total_weight : what nk is divided by to give the    # IN
            weights, or 0 for the sum of nk
        nk_out, first_out, second_out : merged `Moments`    # OUT
        weights_out : (n_components,), float64              # OUT
        means_out, covariances_out, factors_out :           # OUT
            `Parameters`
        is_singular_out : (n_components,), int64            # OUT: 1 where there is no factor
        """
        for s in prange(chunks.shape[0]):
            total = 0.0
            for j in range(means_out.shape[0]):
                total += _sum_nk(chunk_nk, j) + floor
            moments = Moments(nk_out, first_out, second_out)
            parameters = Parameters(means_out, covariances_out, factors_out)
            for j in range(chunks[s, 1], chunks[s, 2]):
                nk_out[j] = _sum_nk(chunk_nk, j)
                for f in range(first_out.shape[1]):
                    first_out[j, f] = 0.0
                for f in range(second_out.shape[1]):
                    second_out[j, f] = 0.0
                for i in range(chunk_nk.shape[0]):
                    for f in range(first_out.shape[1]):
                        first_out[j, f] += chunk_first[i, j, f]
                    for f in range(second_out.shape[1]):
                        second_out[j, f] += chunk_second[i, j, f]
                nk = nk_out[j] + floor
                weights_out[j] = nk / (total_weight if total_weight > 0.0 else total)
                pull = floor if nk_out[j] < NEXT_TO_EMPTY * floor else 0.0
                for f in range(means_out.shape[1]):
                    shift = first_out[j, f] - pull * (about[j, f] + origin[f])
                    means_out[j, f] = about[j, f] + shift / nk
                divisor = total if scatter.shape[0] > 0 else nk
                has_factor = update(j, divisor, about, moments, scatter, reg_covar, parameters)
                is_singular_out[j] = 0 if has_factor else 1

    return update_components
