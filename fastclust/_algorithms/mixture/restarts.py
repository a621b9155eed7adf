"""Runs of EM, each from a start of its own, and the choice of the best."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np

from fastclust._algorithms.mixture import em
from fastclust._algorithms.mixture.start import (
    draw_seeds,
    run_kmeans,
    start_from_kmeans,
    start_from_noise,
    start_from_seeds,
)
from fastclust._algorithms.rows.source import RowsInRange


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


class StartOptions(NamedTuple):
    """What the first components of each run are made of, and how.

    Attributes
    ----------
    in_range : RowsInRange
        The rows, scaled if they must be.
    sample_weight : ndarray of shape (n_samples,) or None
        Weight of each row, of X's dtype; None for ones.
    random_state : RandomState
        Source of the draws.
    init_params : str
        How first components are made: one of the estimator's.
    on_kmeans : callable
        Is called with the labels of each k-means that a run starts with.
    """

    in_range: RowsInRange
    sample_weight: np.ndarray | None
    random_state: np.random.RandomState
    init_params: str
    on_kmeans: Callable[[np.ndarray], None]


def run_restarts(rows, make_m_step, start, n_init, options, lower_bound=-np.inf):
    """Best of n_init runs: the one whose lower bound is the largest in the end.

    Parameters
    ----------
    rows : MixtureRows
        The rows.
    make_m_step : callable
        Returns the M step of a run, an `MStep`, for these rows.
    start : StartOptions
        How the first components of a run are made.
    n_init : int
        Number of runs.
    options : EMOptions
        When a run stops, and what it prints.
    lower_bound : float, default=-inf
        That of a fit that is continued.

    Returns
    -------
    best : BestRun
        The best run.
    """
    log = em.VerboseLog(options)
    random_state, is_shared = start.random_state, rows.covariance.is_shared

    def run():
        m_step = make_m_step(rows)
        start_components(rows, m_step, start)
        return em.run_em(rows, m_step, options, lower_bound, log)

    best: Any = None
    best_bound = -np.inf
    for init in range(n_init):
        log.start(init)
        state = random_state.get_state(legacy=False) if is_shared else None
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
        np.ldexp(best.m_step.reg_covar, 2 * start.in_range.exponent),
        best.m_step.recovered,
    )


def start_components(rows, m_step, start):
    """Set the first components: by `init_params`, then overwrite those that the user gave."""
    rows.start_run()
    if m_step.needs_init:
        _start_from_init(rows, m_step, start)
    m_step.take_given()


def _start_from_init(rows, m_step, start):
    """Set the first components by `init_params`."""
    (_, X, mean, _), sample_weight, random_state, init_params, on_kmeans = start
    if init_params == "kmeans":
        kmeans = run_kmeans(rows, X, mean, sample_weight, random_state)
        on_kmeans(kmeans.labels)
        start_from_kmeans(rows, m_step, kmeans)
    elif init_params == "random":
        start_from_noise(rows, m_step, X, sample_weight, random_state)
    elif init_params == "k-means++":
        seeds = draw_seeds(rows, X, mean, sample_weight, random_state)
        start_from_seeds(rows, m_step, seeds)
    else:
        p = None if sample_weight is None else sample_weight / sample_weight.sum()
        indices = random_state.choice(X.shape[0], size=rows.n_components, replace=False, p=p)
        start_from_seeds(rows, m_step, rows.panels.take(indices))
