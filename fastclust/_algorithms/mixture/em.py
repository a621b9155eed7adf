"""Expectation-maximisation of Gaussian mixtures (Dempster, Laird and Rubin 1977)."""

import math
import time
from dataclasses import dataclass

import numpy as np

from fastclust._algorithms.mixture.components import Components
from fastclust._algorithms.mixture.covariance import COVARIANCE_TYPES
from fastclust._algorithms.mixture.moments import MixtureMoments
from fastclust._algorithms.rows.scale import scaled
from fastclust._calls import variant
from fastclust.exceptions import SingularCovarianceError

RECOVERY_STEP = 10.0
"""Factor by which the regularisation of a singular component is raised."""

FIRST_RECOVERY = 1e-12
"""Least regularisation to begin with, relative to the mean variance of the rows."""

SUM_FLOOR = 10 * float(np.finfo(np.float64).eps)
"""What scikit-learn adds to sums of responsibilities of float64 rows. For float32 rows it adds 10
eps of float32, which rounding takes away from all but components of a few rows; in float64 it would
draw means towards the zero of X. So components of next to no float32 rows are those of float64."""

MAX_RECOVERIES = 60
"""Steps after which a component that is still singular has moments that are not finite."""


NOTHING_GIVEN = None, None, None
"""Weights, means and factors of a start that is left to `init_params`."""


class DigitsLost(Exception):
    """The scatter of the rows cancels: second moments must be summed up about the means."""


class MStep:
    """How moments become components: those of greatest likelihood.

    Parameters
    ----------
    rows : MixtureRows
        The rows.
    reg_covar : float
        What is added to the variances.
    origin : ndarray of shape (n_features,)
        The point that the coordinates are relative to.
    recover : bool
        Whether a singular covariance is regularised further instead of raising
        SingularCovarianceError.
    given : tuple of ndarray or None, default=NOTHING_GIVEN
        Weights, means and factors of the precisions to start from; the means are not relative to
        `origin`. None for those of `init_params`.
    exponent : int, default=0
        The rows are those of X times 2^-exponent, and lower bounds are those of X.

    Attributes
    ----------
    components : Components
        The components, updated in place.
    reg_covar : ndarray of shape (n_components,)
        What is added to the variances of each component; raised by recovery.
    recovered : set of int
        Components whose regularisation was raised.
    """

    def __init__(self, rows, reg_covar, origin, recover, *, given=NOTHING_GIVEN, exponent=0):
        k, panels = rows.n_components, rows.panels
        d = panels.n_features
        self._rows, self._origin, self._recover = rows, origin.astype(np.float64), recover
        self._given, self._exponent = given, exponent
        # The density of a row times 2^-exponent is that of the row times 2^(exponent n_values).
        self._log_unit = exponent * rows.values_per_row * math.log(2)
        self.components = Components(rows.covariance, k, d, panels.dtype)
        self.reg_covar = np.full(k, float(reg_covar))
        self.recovered = set()
        self._is_singular = np.empty(k, dtype=np.int64)
        self._prepare()

    @classmethod
    def in_range(cls, rows, in_range, given, reg_covar, recover):
        """M step on rows in range, for parameters of X.

        Parameters
        ----------
        rows : MixtureRows
            The rows.
        in_range : RowsInRange
            What they were made of.
        given, reg_covar, recover : tuple, float, bool
            As above, in the units of X.
        """
        exponent = in_range.exponent
        weights, means, factors = given
        means = None if means is None else scaled(means, -exponent)
        factors = None if factors is None else scaled(factors, exponent)
        return cls(
            rows,
            math.ldexp(reg_covar, -2 * exponent),
            in_range.origin,
            recover,
            given=(weights, means, factors),
            exponent=exponent,
        )

    def _prepare(self):
        """Allocate what the updates need."""
        k, d = self.components.means.shape
        covariance = self._rows.covariance
        self._update = variant("update_components", covariance.name)
        # scikit-learn adds this to the sum of a component's responsibilities, by which its moments
        # are divided. So an empty component does not divide by 0, but moves to the zero of X.
        self._floor = SUM_FLOOR * self._rows.largest_weight
        self._merge_into(MixtureMoments.zeros(covariance, 1, k, d))

    def _merge_into(self, merged):
        self._merged = merged.nk[0], merged.first[0], merged.second[0]

    @property
    def needs_init(self):
        """Whether the start takes anything from `init_params`."""
        return any(values is None for values in self._given)

    def take_given(self):
        """Put the parameters that are given over those of `init_params`."""
        components = self.components
        weights, means, factors = self._given
        if weights is not None:
            components.weights[:] = weights
        if means is not None:
            components.means[:] = means - self._origin
        if factors is not None:
            components.factors[:] = factors
            components.covariances[:] = self._rows.covariance.covariances(components.factors)
        components.lay_out()

    def update(self, moments, total_weight=0.0, scatter=None, floor=None):
        """M step: the components of greatest likelihood.

        The weights are the sums of responsibilities divided by total_weight, or by their own sum if
        that is 0. `scatter` is by default that of the rows, and `floor`, which is added to the
        sums, that of rows of the largest weight.
        """
        scatter = self._rows.scatter if scatter is None else scatter
        floor = self._floor if floor is None else floor
        self._run(moments, total_weight, scatter, floor)
        if self._is_singular.any():
            if not moments.second.size:
                raise DigitsLost
            self._regularise(lambda: self._run(moments, total_weight, scatter, floor))
        self.components.lay_out()

    def iterate(self, moments):
        """M step of an iteration.

        Parameters
        ----------
        moments : MixtureMoments
            What the E step with the present components found.

        Returns
        -------
        lower_bound : float
            Mean log-likelihood of X with the components before.
        """
        lower_bound = self._lower_bound(moments)
        self.update(moments)
        return lower_bound

    def _lower_bound(self, moments):
        """Mean log-likelihood of X, by what an E step found; ValueError if it is not finite."""
        lower_bound = float(moments.log_likelihood.sum() / self._rows.total_weight)
        if not math.isfinite(lower_bound):
            raise ValueError(
                "The likelihood of some rows is beyond the range of "
                f"{np.dtype(self._rows.panels.dtype).name}: they are too far from every component. "
                "Leave out rows of values that stand for missing ones, or increase reg_covar."
            )
        return lower_bound - self._log_unit

    def _regularise(self, run):
        """Raise regularisations, and `run` the update again, until no covariance is singular."""
        for _ in range(MAX_RECOVERIES if self._recover else 0):
            if not self._is_singular.any():
                break
            self._raise_regularisation()
            run()
        if self._is_singular.any():
            raise SingularCovarianceError(_singular_message(self._rows.panels.dtype))

    def _raise_regularisation(self):
        """Raise reg_covar of the singular components, or of all if they share a covariance."""
        panels = self._rows.panels
        least = FIRST_RECOVERY * panels.total_square / (panels.n_samples * panels.n_features)
        singular = np.flatnonzero(self._is_singular | self._rows.covariance.is_shared)
        self.reg_covar[singular] = RECOVERY_STEP * np.maximum(self.reg_covar[singular], least)
        self.recovered.update(singular.tolist())

    def _run(self, moments, total_weight, scatter, floor):
        """Update the components by the kernel, and note which covariances are singular."""
        components = self.components
        if moments.second.shape[-1] > self._merged[2].shape[-1]:  # of a shared covariance
            self._merge_into(
                MixtureMoments.zeros(COVARIANCE_TYPES["full"], 1, *components.means.shape)
            )
        self._update(
            components.chunks, components.about, moments.nk, moments.first, moments.second,
            scatter, self.reg_covar, self._origin, floor, float(total_weight),
            *self._merged, components.weights, components.means, components.covariances,
            components.factors, self._is_singular,
        )  # fmt: skip


def _singular_message(dtype):
    """scikit-learn's words for a singular covariance of rows of this type."""
    message = (
        "Fitting the mixture model failed because some components have "
        "ill-defined empirical covariance (for instance caused by singleton "
        "or collapsed samples). Try to decrease the number of components, "
        "increase reg_covar, or scale the input data."
    )
    if dtype == np.float32:
        message += (
            " The numerical accuracy can also be improved by passing float64"
            " data instead of float32."
        )
    return message


@dataclass(frozen=True)
class EMOptions:
    """When a run stops, and what it prints.

    Attributes
    ----------
    tol : float
        Change of the lower bound from one iteration to the next below which to stop.
    max_iter : int
        Limit of the iterations.
    verbose : int, default=0
        0 for nothing, 1 for the steps, more for times and changes too.
    verbose_interval : int, default=10
        Iterations between lines.
    """

    tol: float
    max_iter: int
    verbose: int = 0
    verbose_interval: int = 10


@dataclass
class EMResult:
    """Outcome of one run.

    Attributes
    ----------
    m_step : MStep
        The last M step, with its components.
    lower_bounds : list of float
        What `MStep.iterate` said of each iteration.
    converged : bool
        Whether the last change was less than the tolerance.
    """

    m_step: MStep
    lower_bounds: list[float]
    converged: bool


class VerboseLog:
    """Prints scikit-learn's lines about runs and iterations.

    Parameters
    ----------
    options : EMOptions
        Whether and when to print.
    """

    def __init__(self, options):
        self._verbose, self._interval = options.verbose, options.verbose_interval

    def start(self, n_init):
        """Print the line of a new run."""
        if self._verbose:
            print(f"Initialization {n_init}")
        self._run_start = self._step_start = time.time()

    def step(self, n_iter, change):
        """Print the line of an iteration."""
        if not self._verbose or n_iter % self._interval:
            return
        if self._verbose == 1:
            print(f"  Iteration {n_iter}")
            return
        now = time.time()
        lapse = now - self._step_start
        print(f"  Iteration {n_iter}\t time lapse {lapse:.5f}s\t ll change {change:.5f}")
        self._step_start = now

    def end(self, lower_bound, converged):
        """Print the line of the end of a run."""
        outcome = "converged" if converged else "did not converge"
        if self._verbose == 1:
            print(f"Initialization {outcome}.")
        elif self._verbose:
            lapse = time.time() - self._run_start
            print(
                f"Initialization {outcome}. time lapse {lapse:.5f}s\t lower bound"
                f" {lower_bound:.5f}."
            )


def run_em(rows, m_step, options, lower_bound, log):
    """Alternate E and M steps until the lower bound of an iteration changes by less than tol.

    Parameters
    ----------
    rows : MixtureRows
        The rows.
    m_step : MStep
        The M step, with the components to start from.
    options : EMOptions
        When to stop.
    lower_bound : float
        That of a fit that is continued, or -inf.
    log : VerboseLog
        Prints the lines of the iterations.

    Returns
    -------
    result : EMResult
        The outcome.
    """
    lower_bounds = []
    converged = False
    for n_iter in range(1, options.max_iter + 1):
        moments = rows.moments(m_step.components)
        if rows.is_separated():
            m_step.components.separate()
        before, lower_bound = lower_bound, m_step.iterate(moments)
        lower_bounds.append(lower_bound)
        log.step(n_iter, lower_bound - before)
        if abs(lower_bound - before) < options.tol:
            converged = True
            break
    if options.max_iter > 0:
        log.end(lower_bound, converged)
    return EMResult(m_step, lower_bounds, converged)
