"""Posteriors of Bayesian mixtures of Gaussians, and what the E step needs of them."""

import functools
import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy.special import digamma


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
