"""First centers: greedy k-means++ and random rows, with scikit-learn's draws; a sample of rows.

The draws come from the same RandomState by the same calls in the same order as scikit-learn's, so
the same random_state gives the same seeds.
"""

import math

import numpy as np

from fastclust._algorithms.kmeans.batch_draws import SharesInPieces
from fastclust._algorithms.rows.csr import CsrRows
from fastclust._algorithms.rows.panels import Panels

EPS = float(np.finfo(np.float64).eps)

SAMPLE_BYTES, SAMPLE_ROWS_PER_CLUSTER = 2**22, 16
"""Least size of a sample of rows for k-means++."""


def run_kmeans_plusplus(rows, n_clusters, sample_weight, random_state, n_local_trials=None):
    """Rows that greedy k-means++ takes as seeds; see `draw_kmeans_plusplus`."""
    draws = draw_kmeans_plusplus(rows, n_clusters, sample_weight, random_state, n_local_trials)
    return rows.run_seeding(*draws)


def draw_kmeans_plusplus(rows, n_clusters, sample_weight, random_state, n_local_trials=None):
    """Random draws of greedy k-means++ (Arthur and Vassilvitskii 2007), for `run_seeding`.

    Parameters
    ----------
    rows : Rows
        The rows, which know their weights.
    n_clusters : int
        Number of seeds.
    sample_weight : ndarray of shape (n_samples,) or None
        The same weights, for the draw of the first seed.
    random_state : RandomState
        Source of the draws.
    n_local_trials : int, default=None
        Candidates in a round; 2 + log(n_clusters) by default.

    Returns
    -------
    first : int
        Row of the first seed.
    uniforms : ndarray of shape (n_clusters - 1, n_local_trials)
        Draws from [0, 1), a row for each round.
    """
    n_trials = 2 + int(math.log(n_clusters)) if n_local_trials is None else n_local_trials
    first = draw_first_row(rows.n_samples, sample_weight, random_state)
    return first, random_state.random_sample((n_clusters - 1, n_trials))


def kmeans_plusplus_starts(rows, n_clusters, sample_weight, random_state):
    """Return the `draw_start` of `run_restarts` whose first centers are those of k-means++.

    Each call of it draws; the centers are computed when what it returned is called, in any thread.
    """

    def draw_start():
        draws = draw_kmeans_plusplus(rows, n_clusters, sample_weight, random_state)
        return lambda: rows.take(rows.run_seeding(*draws))

    return draw_start


def sample_starts(rows, n_clusters, sample_weight, random_state):
    """Return the `draw_start` of `run_restarts` that has k-means++ look at a uniform sample only.

    The sample are the rows that as many draws hit as fit into `SAMPLE_BYTES`, or
    `SAMPLE_ROWS_PER_CLUSTER` for each cluster, whichever is more; or all rows, if they are fewer.
    """

    def draw_start():
        fit = SAMPLE_BYTES // (rows.n_features * rows.dtype.itemsize)
        size = max(fit, SAMPLE_ROWS_PER_CLUSTER * n_clusters)
        indices = np.arange(rows.n_samples)
        if size < rows.n_samples:
            indices = np.unique(random_state.randint(rows.n_samples, size=size, dtype=np.int64))
        weights = None if sample_weight is None else sample_weight[indices]
        sample = _rows_by_number(rows, indices, weights)
        draws = draw_kmeans_plusplus(sample, n_clusters, weights, random_state)
        return lambda: sample.take(sample.run_seeding(*draws))

    return draw_start


def _rows_by_number(rows, indices, sample_weight):
    """Some of the rows, packed, in the coordinates of these."""
    if isinstance(rows, CsrRows):
        return CsrRows(rows.matrix[indices], sample_weight)
    return Panels(rows.take(indices), sample_weight, np.zeros_like(rows.origin))


def random_starts(rows, n_clusters, sample_weight, random_state):
    """Return the `draw_start` of `run_restarts` whose first centers are different rows."""

    def draw_start():
        indices = draw_random_rows(rows.n_samples, n_clusters, sample_weight, random_state)
        return lambda: rows.take(indices)

    return draw_start


def draw_random_rows(n_samples, n_clusters, sample_weight, random_state):
    """Indices of n_clusters different rows, drawn by their weights."""
    if sample_weight is None and n_clusters <= n_samples:
        return _draw_different_rows(n_samples, n_clusters, random_state)
    probabilities = _probabilities(n_samples, sample_weight)
    return random_state.choice(n_samples, size=n_clusters, replace=False, p=probabilities)


def _draw_different_rows(n_samples, n_rows, random_state):
    """Return what `choice(n_samples, n_rows, replace=False, p=...)` returns for equal weights.

    Like `choice`, draw again among the others for those that are drawn twice. Only that, and a draw
    close to a border between two rows, need n_samples probabilities.
    """
    indices = np.empty(0, dtype=np.int64)
    while len(indices) < n_rows:
        draws = random_state.random_sample(n_rows - len(indices))
        positions = draws * n_samples
        is_near = np.abs(positions - np.round(positions)) <= 4 * EPS * n_samples**2
        if len(indices) == 0 and not is_near.any():
            new = positions.astype(np.int64)
        elif len(indices) == 0:
            new = _look_up_even(n_samples, draws)
        else:
            probabilities = _probabilities(n_samples, None)
            probabilities[indices] = 0
            cumulative = np.cumsum(probabilities)
            cumulative /= cumulative[-1]
            new = cumulative.searchsorted(draws, side="right")
        different = np.array(list(dict.fromkeys(new.tolist())))  # np.unique is slow for few
        indices = np.concatenate([indices, different])
    return indices


def _probabilities(n_samples, sample_weight):
    weights = np.ones(n_samples) if sample_weight is None else sample_weight
    return weights / weights.sum()


def draw_first_row(n_samples, sample_weight, random_state):
    """Return what `random_state.choice(n_samples, p=...)` returns, without n_samples probabilities.

    `choice` looks one uniform draw up in the cumulative sum of the probabilities, which for equal
    weights is (i + 1) / n_samples up to the rounding of that sum. Only a draw closer than that to
    a border between two rows needs the sum itself.
    """
    if sample_weight is not None:
        return random_state.choice(n_samples, p=_probabilities(n_samples, sample_weight))
    position = random_state.random_sample() * n_samples
    rounding = 4 * EPS * n_samples**2
    if abs(position - round(position)) > rounding:
        return int(position)
    return int(_look_up_even(n_samples, np.array([position / n_samples]))[0])


def _look_up_even(n_samples, draws):
    """Rows that draws hit where all weights are equal: probabilities are formed in pieces."""
    return SharesInPieces(np.broadcast_to(1.0, n_samples)).look_up(draws)
