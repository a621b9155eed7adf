"""Mini-batch k-means (Sculley 2010), with scikit-learn's draws, reassignments and stopping."""

from dataclasses import dataclass

import numpy as np

from fastclust._algorithms.kmeans.inference import cluster_statistics
from fastclust._algorithms.kmeans.m_step import move_gradually
from fastclust._algorithms.rows.scale import scaled_up

FIRST_STEPS, MOST_STEPS = 1, 64
"""Batches that are drawn before it is asked whether one of them should have been the last: doubled
each time that none should, as those after it were in vain."""

HALF = 0.5
"""Most clusters that are reassigned at a time, as a share of the rows of the batch."""

ROUNDING = 4 * float(np.finfo(np.float64).eps)
"""Times n^2: bound of the rounding error of n times a cumulative sum of n shares of 1 / n."""

REASSIGN_ROWS = 10
"""Rows for each cluster after which clusters of little weight are looked for."""


class BatchDraws:
    """Numbers of the rows of batches, as `random_state.choice(n_samples, batch_size, p=p)` draws.

    `choice` forms the cumulative sum of p each time, which takes longer than a step. It is formed
    once here, and batches are drawn ahead, twice as many each time.

    Parameters
    ----------
    random_state : RandomState
        Source of the draws.
    sample_weight : ndarray of shape (n_samples,)
        Weights of the rows, of X's dtype.
    batch_size : int
        Rows in a batch.
    n_batches : int
        Limit of the batches.
    """

    def __init__(self, random_state, sample_weight, batch_size, n_batches):
        self._random_state, self._batch_size = random_state, batch_size
        p = (sample_weight / np.sum(sample_weight)).astype(np.float64, copy=False)
        self._cumulative = np.cumsum(p)
        self._cumulative /= self._cumulative[-1]
        self._is_even = bool((sample_weight == sample_weight[0]).all())
        self._drawn, self._n_taken = np.empty((0, batch_size), dtype=np.int64), 0
        self._n_ahead, self._n_left = FIRST_STEPS, n_batches

    def ahead(self):
        """Numbers of the rows of the next batches, at least one, as (n_batches, batch_size)."""
        if self._n_taken == len(self._drawn):
            self._before = self._random_state.get_state(legacy=False)
            shape = min(self._n_ahead, self._n_left), self._batch_size
            self._drawn, self._n_taken = self._look_up(self._random_state.random_sample(shape)), 0
            self._n_ahead = min(2 * self._n_ahead, MOST_STEPS)
        return self._drawn[self._n_taken :]

    def take(self):
        """Numbers of the rows of the next batch, which has been used."""
        batch = self._drawn[self._n_taken]
        self._n_taken += 1
        self._n_left -= 1
        return batch

    def take_back(self):
        """Leave the generator as if only those batches had been drawn that were taken."""
        if self._n_taken < len(self._drawn):
            self._random_state.set_state(self._before)
            self._random_state.random_sample((self._n_taken, self._batch_size))
            self._drawn = self._drawn[: self._n_taken]
        self._n_ahead = FIRST_STEPS

    def _look_up(self, uniforms):
        """First entries of the cumulative sum that are greater."""
        if not self._is_even:
            return np.searchsorted(self._cumulative, uniforms, side="right")
        # Entry i is (i + 1) / n up to rounding, so that the entry sought is the one with the number
        # of u n, and only next to a border between two of them the one beside it.
        n = len(self._cumulative)
        positions = uniforms * n
        found = positions.astype(np.int64)
        positions -= found
        positions -= 0.5
        near = np.abs(positions, out=positions) >= 0.5 - ROUNDING * n**2
        if near.any():
            found[near] = np.searchsorted(self._cumulative, uniforms[near], side="right")
        return found


@dataclass
class MiniBatchState:
    """What steps hand on to the next: centers, and what they have had.

    Attributes
    ----------
    centers : ndarray of shape (n_clusters, n_features)
        The centers.
    weights : ndarray of shape (n_clusters,), float64
        Sums of the weights of the rows that each has had.
    n_since_reassigned : int
        Rows since clusters of little weight were looked for.
    """

    centers: np.ndarray
    weights: np.ndarray
    n_since_reassigned: int = 0

    def looks_for_light_clusters(self, batch_size):
        """Count a batch; return whether clusters of little weight are looked for after its step.

        They are if some have had no rows at all, or enough rows have been seen.
        """
        self.n_since_reassigned += batch_size
        is_due = self.n_since_reassigned >= REASSIGN_ROWS * len(self.weights)
        if is_due or not self.weights.all():
            self.n_since_reassigned = 0
            return True
        return False

    def find_light_clusters(self, ratio, n_rows):
        """Which clusters have had less than this share of what the one with the most has had.

        They are at most half as many as the batch has rows.
        """
        light = self.weights < ratio * self.weights.max()
        most = int(HALF * n_rows)
        if np.count_nonzero(light) > HALF * n_rows:
            light[np.argsort(self.weights)[most:]] = False
        return light

    def raise_weights(self, light):
        """Give these clusters, which move to rows of the batch, the least weight of the others.

        With no weight they would be moved again soon.
        """
        self.weights = self.weights.copy()
        if not light.all():
            self.weights[light] = self.weights[~light].min()


def draw_places(n_clusters, n_rows, random_state, verbose):
    """Places in a batch of n_rows of the rows that so many clusters of little weight move to."""
    places = random_state.choice(n_rows, replace=False, size=n_clusters)
    if verbose:
        print(f"[MiniBatchKMeans] Reassigning {n_clusters} cluster centers.")
    return places


class Convergence:
    """Whether the centers stand still, or the batches fit no better: scikit-learn's rules.

    Parameters
    ----------
    n_samples, batch_size, n_steps : int
        Rows, rows of a batch, and limit of the steps.
    tol : float
        Sum of the squared shifts of the centers at which to stop; 0 for never.
    max_no_improvement : int or None
        Steps without a new least smoothed inertia after which to stop.
    verbose : bool
        Print scikit-learn's lines.
    exponent : int
        The rows are X times 2^-exponent.

    Attributes
    ----------
    smoothed : float
        Exponentially weighted average of the mean squared distance of the rows of a batch.
    """

    def __init__(self, n_samples, batch_size, n_steps, tol, max_no_improvement, verbose, exponent):
        self._batch_size, self._n_steps = batch_size, n_steps
        self._alpha = min(batch_size * 2.0 / (n_samples + 1), 1)
        self._tol, self._patience = tol, max_no_improvement
        self._verbose, self._exponent = verbose, exponent
        self.smoothed = self._first = None
        self._least = None
        self._n_no_better = 0

    @property
    def mean_inertia(self):
        """The smoothed inertia of a row, or that of the first batch if there was no other."""
        return self._first if self.smoothed is None else self.smoothed

    def is_reached(self, step, inertia, shift_sq):
        """Whether to stop after this step, numbered from 1."""
        inertia /= self._batch_size
        at = f"step {step}/{self._n_steps}"
        if step == 1:  # its inertia is that of the first centers
            self._first = inertia
            self._print(f"Minibatch {at}: mean batch inertia: ", inertia)
            return False
        if self.smoothed is None:
            self.smoothed = inertia
        else:
            self.smoothed = self.smoothed * (1 - self._alpha) + inertia * self._alpha
        self._print(f"Minibatch {at}: mean batch inertia: ", inertia, self.smoothed)
        if self._tol > 0.0 and shift_sq <= self._tol:
            self._print(f"Converged (small centers change) at {at}")
            return True
        if self._least is None or self.smoothed < self._least:
            self._n_no_better = 0
            self._least = self.smoothed
        else:
            self._n_no_better += 1
        if self._patience is not None and self._n_no_better >= self._patience:
            self._print(f"Converged (lack of improvement in inertia) at {at}")
            return True
        return False

    def _print(self, text, *inertias):
        if self._verbose:
            values = [scaled_up(float(i), 2 * self._exponent, "The inertia") for i in inertias]
            print(text + ", ewa inertia: ".join(map(str, values)))


@dataclass
class MiniBatchResult:
    """Outcome of `run_minibatch`.

    Attributes
    ----------
    state : MiniBatchState
        The last centers, relative to the origin, and their weights.
    n_steps : int
        Number of steps.
    mean_inertia : float
        Smoothed mean squared distance of the rows of a batch to their nearest centers.
    """

    state: MiniBatchState
    n_steps: int
    mean_inertia: float


def run_minibatch(
    batches, centers, sample_weight, random_state, *, batch_size, n_steps, tol,
    max_no_improvement, reassignment_ratio, verbose, exponent,
):  # fmt: skip
    """Move centers by batches until these fit no better, or the centers stand still.

    Parameters
    ----------
    batches : Batches
        The rows.
    centers : ndarray of shape (n_clusters, n_features)
        First centers, relative to the origin of the rows.
    sample_weight : ndarray of shape (n_samples,)
        Weights by which rows are drawn; those of a batch count alike.
    random_state : RandomState
        Source of the draws: in the end it stands where scikit-learn leaves it.
    batch_size, n_steps, tol, max_no_improvement, verbose, exponent
        As in `Convergence`.
    reassignment_ratio : float
        Share of the largest weight below which a cluster is moved to a row.

    Returns
    -------
    result : MiniBatchResult
        The outcome.
    """
    draws = BatchDraws(random_state, sample_weight, batch_size, n_steps)
    convergence = Convergence(
        batches.n_samples, batch_size, n_steps, tol, max_no_improvement, verbose, exponent
    )
    state = MiniBatchState(centers, np.zeros(len(centers)))
    run = batches.start(centers, state.weights, batch_size)
    n_done, last, stops = 0, 0, False
    try:
        while not stops:
            steps = run.advance(draws.ahead())
            for i, inertia in enumerate(steps.inertia):
                batch, n_done = draws.take(), n_done + 1
                looks = state.looks_for_light_clusters(batch_size)
                state.weights = steps.weights[i]
                light = looks and state.find_light_clusters(reassignment_ratio, batch_size)
                moves = bool(np.any(light))
                last = 0 if moves else i
                if moves:
                    draws.take_back()
                    places = draw_places(light.sum(), batch_size, random_state, verbose)
                    state.raise_weights(light)
                    run.move(i, light, batches.take(batch[places]), state.weights)
                shift_sq = 0.0
                if tol > 0:
                    before, state.centers = state.centers, run.centers_after(last)
                    shift_sq = np.sum((state.centers - before) ** 2)
                stops = convergence.is_reached(n_done, inertia, shift_sq) or n_done == n_steps
                if moves or stops:
                    break
    finally:  # also where a fit is interrupted: the generator is the user's
        draws.take_back()
    state.centers = run.centers_after(last)
    return MiniBatchResult(state, n_done, convergence.mean_inertia)


def run_step(
    state, X, origin, sample_weight, random_state, *, batch_size, reassignment_ratio, verbose
):
    """Move centers by one batch, all rows of X, whose weights count.

    Parameters
    ----------
    state : MiniBatchState
        The centers, in the coordinates of X; it changes.
    X : ndarray or CSR matrix of shape (n_samples, n_features), float32 or float64
        The rows; an ndarray is C-contiguous.
    origin : ndarray of shape (n_features,)
        What is subtracted from rows and centers.
    sample_weight : ndarray of shape (n_samples,) or None
        Weight of each row, of X's dtype; None for ones.
    random_state : RandomState
        Source of the draws.
    batch_size : int
        Rows that count as seen, for the next search for clusters of little weight.
    reassignment_ratio, verbose
        As in `run_minibatch`.
    """
    statistics = cluster_statistics(X, state.centers, origin, sample_weight)
    looks = state.looks_for_light_clusters(batch_size)
    moved, state.weights = move_gradually(state.centers - origin, state.weights, statistics)
    state.centers = moved + origin
    light = looks and state.find_light_clusters(reassignment_ratio, X.shape[0])
    if np.any(light):
        places = draw_places(light.sum(), X.shape[0], random_state, verbose)
        rows = X[places]
        state.raise_weights(light)
        state.centers[light] = rows if isinstance(rows, np.ndarray) else rows.toarray()
