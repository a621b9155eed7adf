"""Mini-batch k-means (Sculley 2010), with scikit-learn's draws, reassignments and stopping."""

from dataclasses import dataclass

import numpy as np

from fastclust._algorithms.kmeans.batch_draws import BatchDraws
from fastclust._algorithms.kmeans.inference import cluster_statistics
from fastclust._algorithms.kmeans.m_step import (
    move_features_gradually,
    move_gradually,
    place_centers,
)
from fastclust._algorithms.rows.scale import Units
from fastclust._algorithms.rows.source import take_rows

MOST_REASSIGNED = 0.5
"""Most clusters that are reassigned at a time, as a share of the rows of the batch."""

REASSIGN_ROWS = 10
"""Rows for each cluster after which clusters of little weight are looked for."""


@dataclass(frozen=True)
class MiniBatchOptions:
    """How many batches there are, when these stop, and what is printed.

    Attributes
    ----------
    batch_size : int
        Rows of a batch.
    n_steps : int
        Limit of the steps, each with a batch.
    tol : float
        Sum of the squared shifts of the centers at which to stop; 0 for never.
    max_no_improvement : int or None
        Steps without a new least smoothed inertia after which to stop.
    reassignment_ratio : float
        Share of the largest weight of a cluster below which a cluster is moved to a row.
    verbose : bool
        Print scikit-learn's lines.
    """

    batch_size: int
    n_steps: int
    tol: float
    max_no_improvement: int | None
    reassignment_ratio: float
    verbose: bool


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
    feature_weights : ndarray of shape (n_clusters, n_features), float64, or None
        Sums of the weights of the rows that had a value there; None where none was missing.
    """

    centers: np.ndarray
    weights: np.ndarray
    n_since_reassigned: int = 0
    feature_weights: np.ndarray | None = None

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
        most = int(MOST_REASSIGNED * n_rows)
        if np.count_nonzero(light) > MOST_REASSIGNED * n_rows:
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
    options : MiniBatchOptions
        When to stop, and what to print.
    n_samples : int
        Number of rows.
    exponent : int
        The rows are X times 2^-exponent.

    Attributes
    ----------
    smoothed : float
        Exponentially weighted average of the mean squared distance of the rows of a batch.
    """

    def __init__(self, options, n_samples, exponent):
        self._options, self._units = options, Units(exponent)
        self._alpha = min(options.batch_size * 2.0 / (n_samples + 1), 1)
        self.smoothed = self._first = None
        self._least = None
        self._n_no_better = 0

    @property
    def mean_inertia(self):
        """The smoothed inertia of a row, or that of the first batch if there was no other."""
        return self._first if self.smoothed is None else self.smoothed

    def is_reached(self, step, inertia, shift_sq):
        """Whether to stop after this step, numbered from 1."""
        options = self._options
        inertia /= options.batch_size
        at = f"step {step}/{options.n_steps}"
        if step == 1:  # its inertia is that of the first centers
            self._first = inertia
            self._print(f"Minibatch {at}: mean batch inertia: ", inertia)
            return False
        if self.smoothed is None:
            self.smoothed = inertia
        else:
            self.smoothed = self.smoothed * (1 - self._alpha) + inertia * self._alpha
        self._print(f"Minibatch {at}: mean batch inertia: ", inertia, self.smoothed)
        if options.tol > 0.0 and shift_sq <= options.tol:
            self._print(f"Converged (small centers change) at {at}")
            return True
        if self._least is None or self.smoothed < self._least:
            self._n_no_better = 0
            self._least = self.smoothed
        else:
            self._n_no_better += 1
        patience = options.max_no_improvement
        if patience is not None and self._n_no_better >= patience:
            self._print(f"Converged (lack of improvement in inertia) at {at}")
            return True
        return False

    def _print(self, text, *inertias):
        """Print a line with inertias in the units of X, if verbose."""
        if self._options.verbose:
            values = [self._units.inertia_of_X(float(inertia)) for inertia in inertias]
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


def run_minibatch(batches, centers, sample_weight, random_state, options, exponent):
    """Move centers by batches until these fit no better, or the centers stand still.

    Parameters
    ----------
    batches : Batches, CsrBatches or BlockBatches
        The rows.
    centers : ndarray of shape (n_clusters, n_features)
        First centers, relative to the origin of the rows.
    sample_weight : ndarray of shape (n_samples,)
        Weights by which rows are drawn; those of a batch count alike.
    random_state : RandomState
        Source of the draws: in the end it stands where scikit-learn leaves it.
    options : MiniBatchOptions
        When to stop, and what to print.
    exponent : int
        The rows, centers and `tol` are those of X times 2^-exponent.

    Returns
    -------
    result : MiniBatchResult
        The outcome.
    """
    batch_size, n_steps = options.batch_size, options.n_steps
    at_once = batches.steps_at_once(batch_size)
    draws = BatchDraws(random_state, sample_weight, batch_size, n_steps, at_once)
    convergence = Convergence(options, batches.n_samples, exponent)
    state = MiniBatchState(centers, np.zeros(len(centers)))
    run = batches.start(centers, state.weights, batch_size)
    n_done, last, stops = 0, 0, False
    try:
        while not stops:
            steps = run.advance(draws.ahead())
            for i, inertia in enumerate(steps.inertia):
                draws.take()
                n_done += 1
                looks = state.looks_for_light_clusters(batch_size)
                state.weights = steps.weights[i]
                light = looks and state.find_light_clusters(options.reassignment_ratio, batch_size)
                moves = bool(np.any(light))
                last = 0 if moves else i
                if moves:
                    draws.take_back()
                    places = draw_places(light.sum(), batch_size, random_state, options.verbose)
                    state.raise_weights(light)
                    run.move(i, light, run.take(i, places), state.weights)
                shift_sq = 0.0
                if options.tol > 0:
                    before, state.centers = state.centers, run.centers_after(last)
                    shift_sq = np.sum((state.centers - before) ** 2)
                stops = convergence.is_reached(n_done, inertia, shift_sq) or n_done == n_steps
                if moves or stops:
                    break
    finally:  # also where a fit is interrupted: the generator is the user's
        draws.take_back()
    state.centers = run.centers_after(last)
    state.feature_weights = run.feature_weights
    return MiniBatchResult(state, n_done, convergence.mean_inertia)


def run_step(
    state, X, origin, sample_weight, random_state, *, batch_size, reassignment_ratio, verbose
):
    """Move centers by one batch, all rows of X, whose weights count.

    Parameters
    ----------
    state : MiniBatchState
        The centers, in the coordinates of X; it changes.
    X : ndarray, IncompleteArray, CSR matrix or RowSource of shape (n_samples, n_features)
        The rows, in float32 or float64; an ndarray is C-contiguous. The state has weights of
        features if values are missing.
    origin : ndarray of shape (n_features,)
        What is subtracted from rows and centers.
    sample_weight : ndarray of shape (n_samples,) or None
        Weight of each row, of X's dtype; None for ones.
    random_state : RandomState
        Source of the draws.
    batch_size : int
        Rows that count as seen, for the next search for clusters of little weight.
    reassignment_ratio, verbose
        As in `MiniBatchOptions`.
    """
    statistics = cluster_statistics(X, state.centers, origin, sample_weight)
    looks = state.looks_for_light_clusters(batch_size)
    relative, feature_weights = state.centers - origin, state.feature_weights
    if feature_weights is None:
        moved, state.weights = move_gradually(relative, state.weights, statistics)
    else:
        moved, feature_weights = move_features_gradually(
            relative, feature_weights, statistics.of_features()
        )
        state.weights = state.weights + statistics.weights
        state.feature_weights = feature_weights
    state.centers = moved + origin
    light = looks and state.find_light_clusters(reassignment_ratio, X.shape[0])
    if np.any(light):
        places = draw_places(light.sum(), X.shape[0], random_state, verbose)
        state.raise_weights(light)
        rows = take_rows(X, places)
        if feature_weights is None:
            state.centers[light] = rows
        else:
            place_centers(state.centers, feature_weights, light, rows, state.weights)
