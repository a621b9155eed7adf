"""Priors of Bayesian mixtures of Gaussians, as they are given, or as the rows have them."""

from dataclasses import dataclass, replace

import numpy as np

from fastclust._algorithms.mixture.covariance import COVARIANCE_TYPES, unpack_products
from fastclust._algorithms.mixture.passes import moments_of_all
from fastclust._algorithms.rows.scale import advise_division, scaled


@dataclass(frozen=True)
class Priors:
    """Parameters of the priors, in the units of X.

    Attributes
    ----------
    is_process : bool
        Whether the mixing proportions have a Dirichlet process for a prior, or a Dirichlet
        distribution.
    concentration : float
        Of the mixing proportions.
    mean_precision : float
        Weight of the mean's prior, in rows.
    mean : ndarray of shape (n_features,) or None
        None for the mean of the rows.
    degrees_of_freedom : float
        Of the precisions.
    covariance : ndarray or float or None
        Of the shape of one component's covariance; None for that of the rows.
    """

    is_process: bool
    concentration: float
    mean_precision: float
    mean: np.ndarray | None
    degrees_of_freedom: float
    covariance: np.ndarray | float | None


def complete_priors(priors, in_range, covariance):
    """Priors with the mean and covariance of the rows where none are given.

    Parameters
    ----------
    priors : Priors
        The priors that are given.
    in_range : RowsInRange
        The rows.
    covariance : object
        One of COVARIANCE_TYPES.

    Returns
    -------
    priors : Priors
        Complete ones, in the units of X.

    Raises
    ------
    ValueError
        If the covariance is to be that of rows whose weights sum to 1 or less, or is no number.
    """
    if priors.mean is not None and priors.covariance is not None:
        return priors
    panels, d, exponent = in_range.rows, in_range.X.shape[1], in_range.exponent
    full = COVARIANCE_TYPES["full"]
    has_matrices = isinstance(covariance, type(full))
    moments = moments_of_all(panels, full if has_matrices else COVARIANCE_TYPES["diag"])
    total, shift = float(moments.nk.sum()), moments.first.sum(axis=0)[0, :d]
    second = moments.second.sum(axis=0)
    if has_matrices:
        second = unpack_products(second, d)[0]
        panels.scatter = second if panels.scatter is None else panels.scatter
    else:
        second = second[0, :d]
    shift /= total
    mean = priors.mean
    if mean is None:
        mean = scaled(shift + panels.origin, exponent)
    matrix = priors.covariance
    if matrix is None:
        if total <= 1:
            raise ValueError(
                "The weights of the rows must sum to more than 1 for the default covariance_prior, "
                f"as each counts as so many rows, but they sum to {total:.5g}."
            )
        square = np.multiply.outer(shift, shift) if has_matrices else np.square(shift)
        matrix = (second - total * square) / (total - 1)
        if covariance.name == "spherical":
            matrix = matrix.mean()
        matrix = scaled(matrix, 2 * exponent)
        if not np.isfinite(matrix).all():
            raise ValueError(
                "The covariance of the rows is beyond the range of float64. "
                + advise_division(in_range.X, exponent=exponent)
            )
    return replace(priors, mean=mean, covariance=matrix)
