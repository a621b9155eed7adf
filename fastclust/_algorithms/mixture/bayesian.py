"""Variational inference of Bayesian mixtures of Gaussians.

A component has a mean and a precision L, of which the posterior is normal and Wishart,

    N(mean; m, (b L)^-1) W(L; W, v),

with m the mean, b the mean precision, v the degrees of freedom and C = W^-1 / v the covariance
(Bishop, Pattern Recognition and Machine Learning, 10.2; Attias 2000). The posterior of the mixing
proportions is a Dirichlet distribution, or that of a Dirichlet process, of which as many sticks are
broken as there are components (Blei and Jordan 2006).

The E step is that of maximum likelihood, with other constants: the log-density of a component is
that of its mean and covariance, plus what `log_weights` returns. So the kernels are the same, and
the M step needs the same moments.

The lower bound needs the entropy of the responsibilities r, and no pass over the rows for it. With
log q the weighted log-density of a row in a component and log p(x) its log-sum over the components,
log r = log q - log p(x). Responsibilities of a row sum to 1, and log q = c - |y|^2 / 2, so that

    - sum r log r = sum log p(x) - sum_j nk_j c_j + sum_j sum_i r_ij |y_ij|^2 / 2,

where the last sum is the trace of U'SU, of the factor U of the precision before the M step, and the
second moments S about the mean before it.
"""

import math
from dataclasses import replace
from typing import Any

import numpy as np
from scipy.special import betaln, gammaln

from fastclust._algorithms.mixture.covariance import unpack_products
from fastclust._algorithms.mixture.em import SUM_FLOOR, DigitsLost, MStep
from fastclust._algorithms.mixture.factors import Factorisation, sum_of_squares
from fastclust._algorithms.mixture.posterior import Posterior, log_weights
from fastclust._algorithms.rows.scale import scaled
from fastclust._kernels.mixture.layout import least_of_scatter

OUT_OF_RANGE = (
    "The mixture leaves the range of floating-point numbers. Is mean_prior far beyond the rows, or "
    "covariance_prior far beyond, or far below, their squares?"
)


class VariationalMStep(MStep):
    """How moments become the posterior of the components.

    Parameters
    ----------
    rows : MixtureRows
        The rows.
    reg_covar : float
        What is added to the variances of the rows of each component.
    origin : ndarray of shape (n_features,)
        The point that the coordinates are relative to.
    recover : bool
        Whether a singular covariance is regularised further instead of raising
        SingularCovarianceError.
    priors : Priors
        The priors, complete, and scaled as the rows are; the mean is not relative to `origin`.
    given : tuple, default=None
        A posterior, and means, covariances and factors, to start from, as the priors; None for
        those of `init_params`.
    exponent : int, default=0
        The rows are those of X times 2^-exponent, and lower bounds are those of X.

    Attributes
    ----------
    posterior : Posterior
        Concentrations, mean precisions and degrees of freedom.
    components : Components
        Means, covariances and their factors, updated in place.
    """

    def __init__(self, rows, reg_covar, origin, recover, priors, *, given=None, exponent=0):
        self._priors = priors
        super().__init__(rows, reg_covar, origin, recover, given=given, exponent=exponent)

    @classmethod
    def of_priors(cls, rows, in_range, given, reg_covar, recover, priors):
        """M step on rows in range, for parameters and priors of X."""
        exponent = in_range.exponent
        priors = replace(
            priors,
            mean=scaled(priors.mean, -exponent),
            covariance=scaled(priors.covariance, -2 * exponent),
        )
        if given is not None:
            posterior, means, covariances, factors = given
            given = (
                posterior,
                scaled(means, -exponent),
                scaled(covariances, -2 * exponent),
                scaled(factors, exponent),
            )
        return cls(
            rows,
            math.ldexp(reg_covar, -2 * exponent),
            in_range.origin,
            recover,
            priors,
            given=given,
            exponent=exponent,
        )

    def _prepare(self):
        """Allocate what the updates need."""
        k, d = self.components.means.shape
        rows, priors, covariance = self._rows, self._priors, self._rows.covariance
        self.posterior: Any = None
        self._added = self.reg_covar[0]
        self._floor = SUM_FLOOR
        self._prior_mean = priors.mean - self._origin
        self._prior_covariance = np.asarray(priors.covariance, dtype=np.float64)
        self._has_matrices = covariance.name in ("full", "tied")
        if self._has_matrices:
            shape = 1 if covariance.is_shared else k, d, d
            self._matrices = (
                self.components.covariances.reshape(shape),
                self.components.factors.reshape(shape),
                self._is_singular[: shape[0]],
            )
            self._factorisation = Factorisation(shape[0], d, rows.panels.dtype)
        self._log_dets: Any = None
        self._least_share = self._find_least_share() / rows.total_weight

    def _find_least_share(self):
        """Sum of responsibilities that is negligible beside every prior.

        The weight of an empty component in the E step is made of it. Responsibilities that small
        leave the component as the priors have it, however far the rows are.
        """
        priors, panels = self._priors, self._rows.panels
        least = self._find_least_variance()
        with np.errstate(over="ignore"):
            reach = 4 * (panels.largest_square + np.square(self._prior_mean).sum())
        share = min(1.0, least / reach) if reach > 0 else 1.0
        return share * min(
            1.0, priors.concentration, priors.mean_precision, priors.degrees_of_freedom
        )

    def _find_least_variance(self):
        """Lower bound of the prior covariance's variances, in any direction; 0 if it has none."""
        covariance = self._prior_covariance
        if not self._has_matrices:
            return max(float(covariance.min()), 0.0)
        d = len(covariance)
        matrix, factor, is_singular = np.empty((1, d, d)), np.empty((1, d, d)), np.empty(1, int)
        one = Factorisation(1, d, self._rows.panels.dtype)
        one.run(covariance[np.newaxis], np.zeros(1), matrix, factor, is_singular)
        # The largest eigenvalue of U U', the inverse, is at most its trace.
        with np.errstate(over="ignore"):
            trace = float(np.square(factor).sum())
        return 0.0 if is_singular.any() or not trace > 0 else 1.0 / trace

    @property
    def needs_init(self):
        """Whether the start takes anything from `init_params`."""
        return self._given is None

    def take_given(self):
        """Take the posterior that is given, if any."""
        if self._given is None:
            return
        components = self.components
        self.posterior, means, components.covariances[...], components.factors[...] = self._given
        components.means[:] = means - self._origin
        self._lay_out(np.zeros(len(means)))

    def update(self, moments, total_weight=0.0, scatter=None, floor=None):
        """M step: the posterior, given the responsibilities.

        `scatter` is by default that of the rows. `total_weight` and `floor` have no part in it.
        """
        scatter = self._rows.scatter if scatter is None else scatter
        with np.errstate(all="ignore"):  # what is no number is an error below
            self._update(self._merge(moments, scatter))
        components = self.components
        parameters = components.means, components.covariances, components.factors
        if not all(np.isfinite(values).all() for values in parameters):
            raise ValueError(OUT_OF_RANGE)

    def iterate(self, moments):
        """M step of an iteration; return the lower bound of the evidence after it.

        Constants are left out, as in scikit-learn.

        Raises
        ------
        ValueError
            If the bound is no number, as the parameters leave the range of floats.
        """
        with np.errstate(all="ignore"):  # what is no number is an error in the end
            merged = self._merge(moments, self._rows.scatter)
            entropy = float(moments.log_likelihood.sum()) - self._sum_of_log_densities(merged)
            self._update(merged)
            bound = entropy + self._log_normalisations()
        if not math.isfinite(bound):
            raise ValueError(OUT_OF_RANGE)
        return bound

    def _merge(self, moments, scatter):
        """Merge moments of the parts of the rows.

        Returns
        -------
        nk : ndarray of shape (n_components,)
            Sums of the responsibilities.
        shift : ndarray of shape (n_components, n_features)
            Means of the rows, relative to what the moments are about; 0 for empty components.
        second : ndarray
            Second moments about that, by component and feature or features; for tied covariances
            those about the means of the rows, summed over the components.
        """
        d = self.components.means.shape[1]
        parts = moments.nk, moments.first, moments.second
        one = len(moments.nk) == 1
        nk, first, second = (values[0] if one else values.sum(axis=0) for values in parts)
        first, column = first[:, :d], _column(nk)
        if nk.min() > 0:
            shift = first / column
        else:
            shift = np.divide(first, column, out=np.zeros(first.shape), where=column > 0)
        is_shared = self._rows.covariance.is_shared
        if is_shared and second.size:
            within = unpack_products(second, d).sum(axis=0)
            second = within - np.einsum("jf,jg->fg", column * shift, shift)
        elif is_shared:
            centers = self.components.about + shift
            second = scatter - np.einsum("jf,jg->fg", column * centers, centers)
            least = least_of_scatter(self.components.about.itemsize) * np.diagonal(scatter)
            if (np.diagonal(second) < least).any():
                raise DigitsLost
        else:
            second = unpack_products(second, d) if self._has_matrices else second[:, :d]
        return nk, shift, second

    def _sum_of_log_densities(self, merged):
        """Sum over rows and components of r log q, with the components before the M step."""
        nk, shift, second = merged
        components, name = self.components, self._rows.covariance.name
        constants = components.layout.constants.reshape(-1)[: len(nk)].astype(np.float64)
        factors = components.factors
        if components.about.dtype != np.float64:  # as the kernels read them
            factors = factors.astype(components.about.dtype).astype(np.float64)
        if name == "tied":
            second = second + np.einsum("jf,jg->fg", _column(nk) * shift, shift)
        if self._has_matrices:
            squares = sum_of_squares(second, factors)
        elif name == "diag":
            squares = (second * np.square(factors)).sum()
        else:
            squares = (second * _column(np.square(factors))).sum()
        return float((nk * constants).sum() - 0.5 * squares)

    def _log_normalisations(self):
        """What the bound has beside the entropy: from the normalisations of the posterior."""
        posterior, exponent = self.posterior, self._exponent
        d, freedom = posterior.n_features, posterior.degrees_of_freedom
        log_dets = self._log_dets + d * (0.5 - exponent) * math.log(2)
        of_freedom = (freedom * (log_dets - 0.5 * d * posterior.log_freedom)).sum()
        total = float(of_freedom + gammaln(posterior.halves).sum())
        if self._rows.covariance.is_shared:
            total *= len(posterior.mean_precision)
        concentration = posterior.concentration
        if isinstance(concentration, tuple):
            total += float(betaln(*concentration).sum())
        else:
            total += float(gammaln(concentration).sum() - gammaln(concentration.sum()))
        return total - 0.5 * d * float(np.log(posterior.mean_precision).sum())

    def _update(self, merged):
        """Set the posterior and the components."""
        nk, shift, second = merged
        priors, components = self._priors, self.components
        counts = nk + self._floor
        self.posterior = self._estimate_posterior(counts)
        # Of the means of the rows. scikit-learn divides sums by `counts`, which are not those of
        # the rows: its means of rows are nearer to the zero of X by the floor's share.
        offsets = components.about + shift - self._prior_mean
        if nk.min() == 0:
            offsets[nk == 0] = 0.0
        shares = counts / self.posterior.mean_precision
        np.add(self._prior_mean, _column(shares) * offsets, out=components.means)
        pulls = priors.mean_precision * shares  # weights of the squares of the offsets
        covariances = self._estimate_covariances(nk, counts, shift, second, pulls, offsets)
        self._set_covariances(covariances)
        if self._is_singular.any():
            self._regularise(lambda: self._set_covariances(covariances))
        self._lay_out(nk)

    def _estimate_posterior(self, counts):
        """Concentrations, mean precisions and degrees of freedom, for sums of responsibilities."""
        priors, d = self._priors, self.components.means.shape[1]
        if priors.is_process:
            after = np.zeros(len(counts))
            after[:-1] = np.cumsum(counts[:0:-1])[::-1]
            concentration = 1.0 + counts, priors.concentration + after
        else:
            concentration = priors.concentration + counts
        of_each = counts.sum() / len(counts) if self._rows.covariance.is_shared else counts
        freedom = priors.degrees_of_freedom + of_each
        return Posterior(concentration, priors.mean_precision + counts, freedom, d)

    def _estimate_covariances(self, nk, counts, shift, second, pulls, offsets):
        """Covariances, without what recovery adds."""
        prior, name = self._prior_covariance, self._rows.covariance.name
        freedom, d = self.posterior.degrees_of_freedom, shift.shape[1]
        if name == "tied":
            k = len(nk)
            covariances = second + np.einsum("jf,jg->fg", _column(pulls) * offsets, offsets)
            covariances.reshape(-1)[:: d + 1] += self._added * counts.sum()
            return (prior + covariances / k) / freedom
        if name == "full":
            covariances = second - (_column(nk) * shift)[:, :, np.newaxis] * shift[:, np.newaxis]
            covariances += (_column(pulls) * offsets)[:, :, np.newaxis] * offsets[:, np.newaxis]
            covariances.reshape(len(nk), -1)[:, :: d + 1] += _column(self._added * counts)
            covariances += prior
            covariances /= freedom[:, np.newaxis, np.newaxis]
            return covariances
        squares = second - _column(nk) * np.square(shift)
        squares += _column(pulls) * np.square(offsets)
        squares += _column(self._added * counts)
        if name == "diag":
            return (prior + squares) / _column(freedom)
        return (prior + squares.mean(axis=1)) / freedom

    def _set_covariances(self, covariances):
        """Set covariances, with what recovery adds, and factors; note which are singular."""
        components, singular = self.components, self._is_singular
        added = self.reg_covar - self._added if self.recovered else np.zeros(len(singular))
        if self._has_matrices:
            shape = self._matrices[0].shape
            self._factorisation.run(covariances.reshape(shape), added[: shape[0]], *self._matrices)
            singular[:] = singular[0] if shape[0] == 1 else singular
        else:
            variances = components.covariances
            np.add(covariances, _column(added) if variances.ndim > 1 else added, out=variances)
            singular.fill(0)
            if not variances.min() > 0:
                positive = variances > 0
                singular[:] = ~(positive if positive.ndim == 1 else positive.all(axis=1))
            np.divide(1.0, np.sqrt(variances), out=components.factors)
        if singular.any() and not np.isfinite(covariances).all():
            raise ValueError(OUT_OF_RANGE)

    def _lay_out(self, nk):
        """Lay the components out for the E step."""
        components = self.components
        np.maximum(nk / self._rows.total_weight, self._least_share, out=components.weights)
        self._log_dets = components.lay_out(log_weights(self.posterior))


def _column(values):
    """Values of the components, for arrays of components and features."""
    return values[:, np.newaxis]
