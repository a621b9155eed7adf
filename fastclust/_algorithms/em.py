"""Expectation-maximisation of Gaussian mixtures (Dempster, Laird and Rubin 1977)."""

import time
from dataclasses import dataclass, field

import numpy as np

from fastclust._algorithms.covariance import SingularCovarianceError
from fastclust._algorithms.mixture_rows import MixtureParameters

RECOVERY_STEP = 10.0
"""Factor by which the regularisation of a singular component is raised."""

FIRST_RECOVERY = 1e-12
"""Least regularisation to begin with, relative to the mean variance of the rows."""

MAX_RECOVERIES = 60
"""Steps after which a component cannot be cured: its moments are not finite."""


@dataclass
class MStep:
    """How moments become parameters.

    Attributes
    ----------
    covariance : object
        One of COVARIANCE_TYPES.
    reg_covar : ndarray of shape (n_components,)
        What is added to the variances of each component; raised where recovery is on.
    origin : ndarray of shape (n_features,)
        The point that the coordinates are relative to.
    floor : float
        What scikit-learn adds to the sum of a component's responsibilities, so that an empty one
        divides by something: such a component moves to the zero of X.
    recover : bool
        Whether a singular covariance is regularised further instead of raising.
    variance : float
        Mean variance of the rows, by which the first recovery is measured.
    recovered : set of int
        Components that were.
    """

    covariance: object
    reg_covar: np.ndarray
    origin: np.ndarray
    floor: float
    recover: bool
    variance: float
    recovered: set[int] = field(default_factory=set)

    def update(self, moments, total_weight=None):
        """M step: the parameters of greatest likelihood; weights are relative to total_weight."""
        nk = moments.nk + self.floor
        column = nk[:, np.newaxis]
        means = moments.about + moments.first / column
        means -= self.floor / column * (moments.about + self.origin)
        covariances = self.covariance.estimate(moments, nk, means, self.reg_covar)
        factors = self._factorise(covariances)
        return MixtureParameters(nk / (total_weight or nk.sum()), means, covariances, factors)

    def _factorise(self, covariances):
        """Factors of the precisions; where there is none, raise the variances step by step."""
        for _ in range(MAX_RECOVERIES):
            try:
                return self.covariance.factorise(covariances)
            except SingularCovarianceError as error:
                j = error.component
                if not self.recover:
                    raise
            raised = RECOVERY_STEP * max(self.reg_covar[j], FIRST_RECOVERY * self.variance)
            self.covariance.regularise(covariances, j, raised - self.reg_covar[j])
            self.reg_covar[j] = raised
            self.recovered.add(j)
        return self.covariance.factorise(covariances)


@dataclass
class EMResult:
    """Outcome of one run.

    Attributes
    ----------
    parameters : MixtureParameters
        The components.
    lower_bounds : list of float
        Mean log-likelihood of the rows at the beginning of each iteration.
    converged : bool
        Whether the last change was less than the tolerance.
    """

    parameters: MixtureParameters
    lower_bounds: list[float]
    converged: bool


class Progress:
    """Prints scikit-learn's lines.

    Parameters
    ----------
    verbose : int
        0 for nothing, 1 for the steps, more for times and changes too.
    interval : int
        Iterations between lines.
    """

    def __init__(self, verbose, interval):
        self._verbose, self._interval = verbose, interval

    def start(self, n_init):
        """Line of a new run."""
        if self._verbose:
            print(f"Initialization {n_init}")
        self._run_start = self._step_start = time.time()

    def step(self, n_iter, change):
        """Line of an iteration."""
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
        """Line of the end of a run."""
        outcome = "converged" if converged else "did not converge"
        if self._verbose == 1:
            print(f"Initialization {outcome}.")
        elif self._verbose:
            lapse = time.time() - self._run_start
            print(
                f"Initialization {outcome}. time lapse {lapse:.5f}s\t lower bound"
                f" {lower_bound:.5f}."
            )


def run_em(rows, parameters, m_step, *, tol, max_iter, lower_bound, progress):
    """Alternate E and M steps until the mean log-likelihood changes by less than tol.

    Parameters
    ----------
    rows : MixtureRows
        The rows.
    parameters : MixtureParameters
        Where to start.
    m_step : MStep
        The M step.
    tol : float
        Change at which to stop.
    max_iter : int
        Limit of the iterations.
    lower_bound : float
        Mean log-likelihood of a fit that is continued, or -inf.
    progress : Progress
        What prints.

    Returns
    -------
    result : EMResult
        The parameters of the last M step.
    """
    lower_bounds = []
    converged = False
    for n_iter in range(1, max_iter + 1):
        moments = rows.moments(parameters)
        parameters = m_step.update(moments)
        before, lower_bound = lower_bound, moments.log_likelihood / rows.total_weight
        lower_bounds.append(lower_bound)
        progress.step(n_iter, lower_bound - before)
        if abs(lower_bound - before) < tol:
            converged = True
            break
    if max_iter > 0:
        progress.end(lower_bound, converged)
    return EMResult(parameters, lower_bounds, converged)
