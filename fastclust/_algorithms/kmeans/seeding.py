"""First centers: greedy k-means++ and random rows, with scikit-learn's draws; a sample of rows.

The draws come from the same RandomState by the same calls in the same order as scikit-learn's, so
the same random_state gives the same seeds.
"""

import math

import numpy as np

from fastclust._algorithms.kmeans.row_draws import draw_different_rows, draw_row
from fastclust._algorithms.rows.csr import CsrRows
from fastclust._algorithms.rows.panels import Panels

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
    first = draw_row(rows.n_samples, sample_weight, random_state)
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
        indices = draw_different_rows(rows.n_samples, n_clusters, sample_weight, random_state)
        return lambda: rows.take(indices)

    return draw_start
