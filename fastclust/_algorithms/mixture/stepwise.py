"""Stepwise EM (Cappé and Moulines 2009): an M step after each batch of rows, on running averages.

The average s of the moments moves towards the moments s' of each batch: s becomes
(1 - rate) s + rate s', both for one row. It is not kept: per row, the moments before are those that
the components are made of, as an M step loses nothing of them. So any mixture can go on with
batches, a fitted one as well as one that was read from a file.
"""

import math
from dataclasses import replace
from typing import Any, NamedTuple

import numpy as np

from fastclust._algorithms.mixture.block_passes import mixture_rows
from fastclust._algorithms.mixture.em import DigitsLost, MStep, VerboseLog
from fastclust._algorithms.mixture.moments import MixtureMoments
from fastclust._algorithms.mixture.restarts import BestRun
from fastclust._algorithms.rows.scale import scaled


class State(NamedTuple):
    """A mixture between two batches, in the units of X.

    Attributes
    ----------
    weights, means, covariances, factors : ndarray, float64
        Mixing proportions, means, covariances and Cholesky factors of the precisions.
    reg_covar : ndarray of shape (n_components,)
        What was added to the variances of each component.
    n_steps : int
        Number of batches that it has seen.
    """

    weights: np.ndarray
    means: np.ndarray
    covariances: np.ndarray
    factors: np.ndarray
    reg_covar: np.ndarray
    n_steps: int

    @classmethod
    def of_run(cls, run, in_range, n_steps):
        """State after a run on rows in range, the last of n_steps batches."""
        components, exponent = run.m_step.components, in_range.exponent
        return cls(
            components.weights,
            scaled(components.means + in_range.origin, exponent),
            scaled(components.covariances, 2 * exponent),
            scaled(components.factors, -exponent),
            run.reg_covar,
            n_steps,
        )

    def scaled(self, exponent):
        """The same for rows times 2^-exponent."""
        return State(
            self.weights,
            scaled(self.means, -exponent),
            scaled(self.covariances, -2 * exponent),
            scaled(self.factors, exponent),
            scaled(self.reg_covar, -2 * exponent),
            self.n_steps,
        )


def learning_rate(n_steps, decay, offset):
    """Share of the next batch in the average, after so many batches.

    It is that of scikit-learn's LatentDirichletAllocation. The first batch has nothing before it.
    """
    return 1.0 if n_steps == 0 else (offset + n_steps + 1) ** -decay


class StepwiseMStep(MStep):
    """M step on the average of the moments of a batch and of those before.

    Parameters
    ----------
    rows, reg_covar, origin, recover, exponent : MixtureRows, float, ndarray, bool, int
        As of `MStep`; the rows are those of the batch.
    before : State
        The mixture before, scaled as the rows are.
    rate : float
        Share of the batch in the average.
    batch_weight : float
        Weight of a whole batch, which that of these rows is compared with.
    """

    def __init__(self, rows, reg_covar, origin, recover, *, before, rate, batch_weight, exponent=0):
        super().__init__(rows, reg_covar, origin, recover, exponent=exponent)
        self._before, self._rate = before, rate
        if recover:  # what has been raised stays so
            np.maximum(self.reg_covar, before.reg_covar, out=self.reg_covar)
        self._weight_before = (1 - rate) * batch_weight
        components = self.components
        components.weights[:] = before.weights
        components.means[:] = before.means - self._origin
        components.covariances[...] = before.covariances
        components.factors[...] = before.factors
        components.lay_out()

    def iterate(self, moments):
        """M step after a batch; return the batch's lower bound, as `MStep` does."""
        lower_bound = self._lower_bound(moments)
        averaged, scatter = moments, self._rows.scatter
        if self._weight_before > 0:
            averaged, scatter = self._average(moments)
        self.update(averaged, scatter=scatter)
        return lower_bound

    def _average(self, moments):
        """Moments, and a scatter if one is needed, of the batch and of what was before."""
        components, covariance, rate = self.components, self._rows.moments_type, self._rate
        k, d = components.means.shape
        covariances = components.covariances
        if covariance is not self._rows.covariance:  # the components share one
            covariances = np.broadcast_to(covariances, covariance.shape(k, d))
        nk = self._weight_before * components.weights
        shifts = components.means - components.about
        second = covariance.second_of(covariances, self._before.reg_covar, shifts)
        before = MixtureMoments.zeros(covariance, 1, k, d)
        before.nk[0] = nk
        before.first[0, :, :d] = nk[:, np.newaxis] * shifts
        before.second[0] = nk[:, np.newaxis] * second
        batch = MixtureMoments(*(rate * values for values in vars(moments).values()))
        scatter = self._rows.scatter
        if covariance.is_shared:
            within = components.covariances - self._before.reg_covar[0] * np.eye(d)
            between = (components.weights[:, np.newaxis] * components.means).T @ components.means
            scatter = rate * scatter + self._weight_before * (within + between)
        return before + batch, scatter


def run_batch(
    in_range, before, *, covariance, n_components, reg_covar, recover, rate, batch_weight=None
):
    """One step: E step with the mixture before, and M step on the average.

    Parameters
    ----------
    in_range : RowsInRange
        The rows of the batch, scaled if they must be.
    before : State
        The mixture before, in the units of X.
    covariance : object
        One of COVARIANCE_TYPES.
    n_components : int
        Number of components.
    reg_covar, recover : float, bool
        As of `MStep`, in the units of X.
    rate : float
        Share of the batch in the average.
    batch_weight : float, default=None
        Weight of a whole batch; by default that of these rows.

    Returns
    -------
    run : BestRun
        The outcome, as of a run of one iteration.
    """
    exponent = in_range.exponent
    rows = mixture_rows(in_range.rows, covariance, n_components)

    def run():
        m_step = StepwiseMStep(
            rows,
            math.ldexp(reg_covar, -2 * exponent),
            in_range.origin,
            recover,
            before=before.scaled(exponent),
            rate=rate,
            batch_weight=rows.total_weight if batch_weight is None else batch_weight,
            exponent=exponent,
        )
        return m_step, m_step.iterate(rows.moments(m_step.components))

    try:
        m_step, lower_bound = run()
    except DigitsLost:
        rows.sum_second()
        m_step, lower_bound = run()
    added = np.ldexp(m_step.reg_covar, 2 * exponent)
    return BestRun(m_step, False, lower_bound, [lower_bound], added, m_step.recovered)


def run_passes(pack, run, state, row_weights, random_state, *, batch_size, options, lower_bound):
    """Pass over the rows batch by batch, until the lower bound of a pass changes by less than tol.

    Parameters
    ----------
    pack : callable
        Returns the rows with some numbers as `RowsInRange`.
    run : callable
        Runs a step, as `run_batch`: run(in_range, state, batch_weight).
    state : State
        The mixture to start from.
    row_weights : ndarray of shape (n_samples,), float64
        Weight of each row.
    random_state : RandomState
        Source of the order of the rows in each pass.
    batch_size : int
        Most rows of a batch.
    options : EMOptions
        When to stop, after one pass at the earliest, and what to print of the passes.
    lower_bound : float
        That of a fit that is continued, or -inf.

    Returns
    -------
    result : BestRun
        The outcome, with the lower bounds of the passes: the mean log-likelihood of a row by the
        components before its batch.
    in_range : RowsInRange
        Rows that its components are scaled and relative to the origin of.
    n_steps : int
        Batches in the end.
    """
    n_samples, log = len(row_weights), VerboseLog(options)
    n_batches = -(-n_samples // batch_size)
    total_weight = float(row_weights.sum())
    result: Any = None
    in_range: Any = None
    lower_bounds, converged = [], False
    log.start(0)
    for n_iter in range(1, options.max_iter + 1):
        numbers = random_state.permutation(n_samples)
        log_likelihood = 0.0
        for part in np.array_split(numbers, n_batches):
            in_range = pack(np.sort(part))  # in the order of X, which memory likes
            result = run(in_range, state, total_weight / n_batches)
            state = State.of_run(result, in_range, state.n_steps + 1)
            log_likelihood += float(row_weights[part].sum()) * result.lower_bound
        before, lower_bound = lower_bound, log_likelihood / total_weight
        lower_bounds.append(lower_bound)
        log.step(n_iter, lower_bound - before)
        if abs(lower_bound - before) < options.tol:
            converged = True
            break
    log.end(lower_bound, converged)
    result = replace(
        result, converged=converged, lower_bound=lower_bound, lower_bounds=lower_bounds
    )
    return result, in_range, state.n_steps
