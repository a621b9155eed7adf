"""Runs of EM, each from a start of its own, and the choice of the best."""

from dataclasses import dataclass
from typing import Any

import numpy as np

from fastclust._algorithms.mixture import em, start
from fastclust._algorithms.mixture.block_passes import mixture_rows
from fastclust._algorithms.mixture.missing import MissingMixtureRows


@dataclass
class BestRun:
    """Outcome of the best run.

    Attributes
    ----------
    m_step : MStep
        The last M step, with its components: of the rows in range, scaled, and relative to their
        origin.
    converged : bool
        Whether the last change of the lower bound was less than the tolerance.
    lower_bound : float
        Lower bound of the last iteration; -inf without iterations.
    lower_bounds : list of float
        The same of each iteration.
    reg_covar : ndarray of shape (n_components,)
        What was added to the variances of each component, in the squared units of X.
    recovered : set of int
        Components for which it was raised.
    """

    m_step: Any
    converged: bool
    lower_bound: float
    lower_bounds: list[float]
    reg_covar: np.ndarray
    recovered: set[int]


def run_restarts(
    in_range,
    sample_weight,
    make_m_step,
    random_state,
    *,
    covariance,
    n_components,
    n_init,
    init_params,
    on_kmeans,
    tol,
    max_iter,
    lower_bound,
    verbose,
    verbose_interval,
    missing=None,
):
    """Best of n_init runs: the one whose lower bound is the largest in the end.

    Parameters
    ----------
    in_range : RowsInRange
        The rows, scaled if they must be.
    sample_weight : ndarray of shape (n_samples,) or None
        Weight of each row, of X's dtype; None for ones.
    make_m_step : callable
        Returns the M step of a run, an `MStep`, for a `MixtureRows`.
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
        Change of the lower bound at which a run ends.
    max_iter : int
        Limit of the iterations of one run.
    lower_bound : float
        That of a fit that is continued, or -inf.
    verbose, verbose_interval : int
        As in `VerboseLog`.
    missing : ndarray of shape (n_samples, n_features), bool, default=None
        Which values of the rows were missing and have been filled; None if all were there.

    Returns
    -------
    best : BestRun
        The best run.
    """
    if missing is None:
        rows = mixture_rows(in_range.rows, covariance, n_components)
    else:
        rows = MissingMixtureRows(in_range, sample_weight, missing, covariance, n_components)
    log = em.VerboseLog(verbose, verbose_interval)

    def run():
        m_step = make_m_step(rows)
        start_components(
            rows, m_step, in_range, sample_weight, init_params, random_state, on_kmeans
        )
        return em.run_em(rows, m_step, tol=tol, max_iter=max_iter, lower_bound=lower_bound, log=log)

    best: Any = None
    best_bound = -np.inf
    for init in range(n_init):
        log.start(init)
        state = random_state.get_state(legacy=False) if covariance.is_shared else None
        try:
            result = run()
        except em.DigitsLost:
            random_state.set_state(state)
            rows.sum_second()
            result = run()
        bound = result.lower_bounds[-1] if result.lower_bounds else -np.inf
        if bound > best_bound or best_bound == -np.inf:
            best, best_bound = result, bound
    return BestRun(
        best.m_step,
        best.converged,
        best_bound,
        best.lower_bounds,
        np.ldexp(best.m_step.reg_covar, 2 * in_range.exponent),
        best.m_step.recovered,
    )


def start_components(rows, m_step, in_range, sample_weight, init_params, random_state, on_kmeans):
    """Set the first components: by `init_params`, then overwrite those that the user gave."""
    rows.start_run()
    if m_step.needs_init:
        _start_from_init(
            rows, m_step, in_range, sample_weight, init_params, random_state, on_kmeans
        )
    m_step.take_given()


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
        indices = random_state.choice(X.shape[0], size=rows.n_components, replace=False, p=p)
        start.start_from_seeds(rows, m_step, rows.panels.take(indices))
