"""Priors and posteriors of Bayesian mixtures of Gaussians, and what the E step needs of these."""

import functools
import math
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from scipy.special import digamma

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


@dataclass(frozen=True)
class Posterior:
    """What the posterior of the components has beside means and covariances.

    Attributes
    ----------
    concentration : ndarray of shape (n_components,), or tuple of two of these
        Of the Dirichlet distribution, or both parameters of the beta distribution of each stick.
    mean_precision : ndarray of shape (n_components,)
        Precision of the means, in those of the rows.
    degrees_of_freedom : ndarray of shape (n_components,), or float for tied covariances
        Of the Wishart distributions.
    n_features : int
        Of the rows.
    """

    concentration: np.ndarray | tuple[np.ndarray, np.ndarray]
    mean_precision: np.ndarray
    degrees_of_freedom: Any
    n_features: int

    @functools.cached_property
    def halves(self):
        """(v - f) / 2 of the degrees of freedom v, in row f from 0 to n_features - 1."""
        return 0.5 * (self.degrees_of_freedom - np.arange(self.n_features)[:, np.newaxis])

    @functools.cached_property
    def log_freedom(self):
        """Logarithms of the degrees of freedom."""
        return np.log(self.degrees_of_freedom)


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


def mixing_proportions(concentration):
    """Mixing proportions of a posterior, as scikit-learn has them.

    Those of a Dirichlet distribution are their expectations. The sticks of a process are broken at
    their expectations, and their lengths divided by the sum, as there is a last one.
    """
    if not isinstance(concentration, tuple):
        return concentration / concentration.sum()
    a, b = concentration
    total = a + b
    weights = a / total
    weights[1:] *= np.cumprod(b[:-1] / total[:-1])
    return weights / weights.sum()


def log_weights(posterior):
    """What is added to the log-densities of the components, for their mean and covariance.

    That is E[log pi] + (E[log det L] - log det C^-1 - d / b) / 2, of the mixing proportion pi and
    the precision L (Bishop 10.64 to 10.66; of the sticks, Blei and Jordan).

    Parameters
    ----------
    posterior : Posterior
        The posterior.

    Returns
    -------
    log_weights : ndarray of shape (n_components,)
        They are not those of numbers that sum to 1.
    """
    d = posterior.n_features
    within = digamma(posterior.halves).sum(axis=0) + d * math.log(2)
    within = 0.5 * (within - d * (posterior.log_freedom + 1.0 / posterior.mean_precision))
    if not isinstance(posterior.concentration, tuple):
        concentration = posterior.concentration
        return within + (digamma(concentration) - digamma(concentration.sum()))
    a, b = posterior.concentration
    both = digamma(a + b)
    log_sticks = digamma(a) - both
    log_sticks[1:] += np.cumsum((digamma(b) - both)[:-1])  # of what was left before each
    return within + log_sticks
