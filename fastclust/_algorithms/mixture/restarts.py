"""Runs of EM, each from a start of its own, and the choice of the best."""

import math
from dataclasses import dataclass
from typing import Any

import numpy as np

from fastclust._algorithms.mixture import em, start
from fastclust._algorithms.mixture.components import Components
from fastclust._algorithms.mixture.passes import MixtureRows
from fastclust._algorithms.rows.scale import scaled


@dataclass
class BestRun:
    """Outcome of the best run.

    Attributes
    ----------
    components : Components
        The components, of the rows in range: scaled, and relative to their origin.
    converged : bool
        Whether the last change of the mean log-likelihood was less than the tolerance.
    lower_bound : float
        Mean log-likelihood of X at the beginning of the last iteration; -inf without iterations.
    lower_bounds : list of float
        The same of each iteration.
    reg_covar : ndarray of shape (n_components,)
        What was added to the variances of each component, in the squared units of X.
    recovered : set of int
        Components for which it was raised.
    """

    components: Components
    converged: bool
    lower_bound: float
    lower_bounds: list[float]
    reg_covar: np.ndarray
    recovered: set[int]


def run_restarts(
    in_range,
    sample_weight,
    given,
    random_state,
    *,
    covariance,
    n_components,
    n_init,
    init_params,
    on_kmeans,
    tol,
    reg_covar,
    max_iter,
    lower_bound,
    recover,
    verbose,
    verbose_interval,
):
    """Best of n_init runs: the one whose mean log-likelihood is the largest in the end.

    Parameters
    ----------
    in_range : RowsInRange
        The rows, scaled if they must be. All other parameters are those for X.
    sample_weight : ndarray of shape (n_samples,) or None
        Weight of each row, of X's dtype; None for ones.
    given : tuple of ndarray or None
        Weights, means and factors of the precisions to start from; None for those of init_params.
    random_state : RandomState
        Source of the draws of the starts.
    covariance : object
        One of COVARIANCE_TYPES.
    n_components : int
        Number of components.
    n_init : int
        Number of runs.
    init_params : str
        How first components are made: one of the estimator's.
    on_kmeans : callable
        Is called with the labels of each k-means that a run starts with.
    tol : float
        Change of the mean log-likelihood at which a run ends.
    reg_covar : float
        What is added to the variances.
    max_iter : int
        Limit of the iterations of one run.
    lower_bound : float
        Mean log-likelihood of a fit that is continued, or -inf.
    recover : bool
        Whether a singular covariance is regularised further instead of raising
        SingularCovarianceError.
    verbose, verbose_interval : int
        As in `VerboseLog`.

    Returns
    -------
    best : BestRun
        The best run.
    """
    panels, X, _, exponent = in_range
    rows = MixtureRows(panels, covariance, n_components)
    log = em.VerboseLog(verbose, verbose_interval)
    given = _scaled_parameters(given, -exponent)
    reg_covar = math.ldexp(reg_covar, -2 * exponent)
    # The density of rows times 2^-exponent is that of the rows times 2^(exponent n_features).
    shift = exponent * X.shape[1] * math.log(2)
    best: Any = None
    best_bound, best_step = -np.inf, best
    for init in range(n_init):
        log.start(init)
        m_step = em.MStep(rows, reg_covar, in_range.origin, recover)
        start_components(
            rows, m_step, in_range, sample_weight, given, init_params, random_state, on_kmeans
        )
        result = em.run_em(
            rows, m_step, tol=tol, max_iter=max_iter, lower_bound=lower_bound + shift, log=log
        )
        bound = result.lower_bounds[-1] if result.lower_bounds else -np.inf
        if bound > best_bound or best_bound == -np.inf:
            best, best_bound, best_step = result, bound, m_step
    return BestRun(
        best.components,
        best.converged,
        best_bound - shift,
        [bound - shift for bound in best.lower_bounds],
        np.ldexp(best_step.reg_covar, 2 * exponent),
        best_step.recovered,
    )


def _scaled_parameters(given, exponent):
    """Weights, means and factors of the precisions, if given, of rows times 2^exponent."""
    weights, means, factors = given
    means = None if means is None else scaled(means, exponent)
    factors = None if factors is None else scaled(factors, -exponent)
    return weights, means, factors


def start_components(
    rows, m_step, in_range, sample_weight, given, init_params, random_state, on_kmeans
):
    """First components of a run: those of `init_params`, and over them the given."""
    components = m_step.components
    rows.start_run()
    if any(values is None for values in given):
        _start_from_init(
            rows, m_step, in_range, sample_weight, init_params, random_state, on_kmeans
        )
    weights, means, factors = given
    if weights is not None:
        components.weights[:] = weights
    if means is not None:
        components.means[:] = means - rows.panels.origin.astype(np.float64)
    if factors is not None:
        components.factors[:] = factors
        components.covariances[:] = rows.covariance.covariances(components.factors)
    components.lay_out()


def _start_from_init(rows, m_step, in_range, sample_weight, init_params, random_state, on_kmeans):
    _, X, mean, _ = in_range
    if init_params == "kmeans":
        kmeans = start.run_kmeans(rows, X, mean, sample_weight, random_state)
        on_kmeans(kmeans.labels)
        start.start_from_kmeans(rows, m_step, kmeans)
    elif init_params == "random":
        start.start_from_noise(rows, m_step, X, sample_weight, random_state)
    elif init_params == "k-means++":
        seeds = start.draw_seeds(rows, X, mean, sample_weight, random_state)
        start.start_from_seeds(rows, m_step, seeds)
    else:
        p = None if sample_weight is None else sample_weight / sample_weight.sum()
        seeds = random_state.choice(len(X), size=rows.n_components, replace=False, p=p)
        start.start_from_seeds(rows, m_step, seeds)
