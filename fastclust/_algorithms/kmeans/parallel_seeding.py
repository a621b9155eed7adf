"""First centers by k-means||, in a few passes over the rows, however many the centers are.

B. Bahmani, B. Moseley, A. Vattani, R. Kumar and S. Vassilvitskii, "Scalable k-means++", PVLDB 5(7),
2012. Each round draws rows by their squared distance from the candidates so far, about l of them at
once, each by a draw of its own. In the end the candidates, with the weights of the rows that are
nearest to them, are clustered themselves.
"""

import contextlib

import numpy as np

from fastclust._algorithms.kmeans import seeding
from fastclust._algorithms.kmeans.lloyd import LloydOptions, run_lloyd
from fastclust._algorithms.kmeans.precision import search_tiles
from fastclust._algorithms.kmeans.row_draws import draw_row, find_in_running_sum
from fastclust._algorithms.kmeans.seeding import run_kmeans_plusplus
from fastclust._algorithms.rows.block_passes import RowsInBlocks
from fastclust._algorithms.rows.blocks import BlockRows
from fastclust._algorithms.rows.dense import ArrayRows, UnitRows
from fastclust._algorithms.rows.panels import Panels

OVERSAMPLING_FACTOR, INIT_ROUNDS = 2.0, 5
"""Candidates of a round for each center, and number of rounds, where nothing else is said."""

ROWS_AT_ONCE = 2**18
"""Rows whose draws are made together."""

LLOYD_ITERATIONS = 30
"""Limit of the iterations on the candidates, whose centers are a start only."""


def default_starts(rows, n_clusters, sample_weight, random_state, **options):
    """Starts by k-means++; of rows in blocks by k-means||, as each seed would be another pass.

    The options are those of `kmeans_parallel_starts`.
    """
    if isinstance(rows, RowsInBlocks):
        return kmeans_parallel_starts(rows, n_clusters, sample_weight, random_state, **options)
    return seeding.kmeans_plusplus_starts(rows, n_clusters, sample_weight, random_state)


def kmeans_parallel_starts(
    rows, n_clusters, sample_weight, random_state, *,
    oversampling_factor=OVERSAMPLING_FACTOR, init_rounds=INIT_ROUNDS,
):  # fmt: skip
    """Return the `draw_start` of `run_restarts` whose first centers are those of k-means||."""

    def draw_start():
        centers = run_kmeans_parallel(
            rows, n_clusters, sample_weight, random_state, oversampling_factor, init_rounds
        )
        return lambda: centers

    return draw_start


def run_kmeans_parallel(
    rows, n_clusters, sample_weight, random_state, oversampling_factor, init_rounds
):
    """Centers by k-means||, relative to the origin of the rows.

    Where the rounds find fewer candidates than centers, the others are drawn one by one. Rows that
    are all candidates, or equal to one, are the end of it: centers are then repeated.

    Parameters
    ----------
    rows : Rows
        The rows.
    n_clusters : int
        Number of centers.
    sample_weight : ndarray of shape (n_samples,) or None
        Weights of the rows: one of 2 counts as two rows.
    random_state : RandomState
        Source of the draws.
    oversampling_factor : float
        Expected number of candidates of a round, as a multiple of n_clusters.
    init_rounds : int
        Number of rounds.

    Returns
    -------
    centers : ndarray of shape (n_clusters, n_features)
        The centers.
    """
    start = getattr(rows, "start_candidates", None)  # of rows that are in other processes
    candidates = Candidates(rows, sample_weight) if start is None else start()
    candidates.add(np.array([candidates.draw_first(random_state)]))
    for _ in range(init_rounds):
        total = candidates.total_square()
        if total == 0:
            break
        candidates.add(candidates.draw(oversampling_factor * n_clusters / total, random_state))
    while len(candidates.rows) < n_clusters:
        total = candidates.total_square()
        if total == 0:
            break
        candidates.add(candidates.draw_one(total * random_state.random_sample()))
    found, weights = candidates.weighted()
    return _cluster(found, weights, n_clusters, random_state, rows.unit)


class Candidates:
    """Candidates for centers, and how far each row is from the nearest of them.

    Parameters
    ----------
    rows : Rows
        The rows.
    sample_weight : ndarray of shape (n_samples,) or None
        Their weights.

    Attributes
    ----------
    rows : ndarray of shape (n_candidates, n_features)
        The candidates.
    """

    def __init__(self, rows, sample_weight):
        self._rows, self._weights = rows, sample_weight
        self.rows = np.empty((0, rows.n_features), dtype=rows.dtype)
        new = rows.new_values if isinstance(rows, BlockRows) else self._new_values
        self._closest_sq, self._nearest = new(rows.dtype), new(np.int32)
        self._closest_sq.fill(np.inf)

    def _new_values(self, dtype):
        """Memory for a value of each row."""
        return np.empty(self._rows.n_samples, dtype=dtype)

    def draw_first(self, random_state):
        """Number of a row, drawn by the weights."""
        return draw_row(self._rows.n_samples, self._weights, random_state)

    def add(self, indices):
        """Add rows by number, in one pass over the others for their distances."""
        if len(indices) == 0:
            return
        new, n_before = self._rows.take(indices), len(self.rows)
        tiles = search_tiles(new)

        with contextlib.closing(self._blocks()) as blocks:
            for part, rows in blocks:
                labels, distances_sq = rows.nearest(new, tiles)
                closest_sq, nearest = self._closest_sq[part], self._nearest[part]
                is_closer = distances_sq < closest_sq
                closest_sq[is_closer] = distances_sq[is_closer]
                nearest[is_closer] = labels[is_closer] + n_before
        self.rows = np.concatenate([self.rows, new])

    def _blocks(self):
        """Yield slices of the rows, and these rows packed."""
        if isinstance(self._rows, BlockRows):
            yield from self._rows.blocks()
        else:
            yield slice(None), self._rows

    def _parts(self):
        """Yield slices of the rows, and their weighted squared distances, in float64."""
        for first in range(0, self._rows.n_samples, ROWS_AT_ONCE):
            part = slice(first, first + ROWS_AT_ONCE)
            squares = self._closest_sq[part].astype(np.float64)
            yield part, squares if self._weights is None else squares * self._weights[part]

    def total_square(self):
        """Weighted sum of the squared distances from the nearest candidate."""
        return sum(float(squares.sum()) for _, squares in self._parts())

    def draw(self, factor, random_state):
        """Numbers of rows, each drawn with the probability of factor times its squared distance."""
        drawn = []
        for part, squares in self._parts():
            is_drawn = random_state.random_sample(len(squares)) < factor * squares
            drawn.append(part.start + np.flatnonzero(is_drawn))
        return np.concatenate(drawn)

    def draw_one(self, place):
        """Number of the row at which the running sum of the squared distances passes a value."""
        parts = ((part.start, squares) for part, squares in self._parts())
        return np.array([find_in_running_sum(parts, place)])

    def weighted(self):
        """The candidates that are nearest to any row, and the sums of these rows' weights."""
        weights = np.zeros(len(self.rows))
        for part, _ in self._parts():
            row_weights = None if self._weights is None else self._weights[part]
            weights += np.bincount(self._nearest[part], row_weights, len(weights))
        return self.rows[weights > 0], weights[weights > 0].astype(self.rows.dtype)


def _cluster(candidates, weights, n_clusters, random_state, unit):
    """Centers of weighted candidates, or directions: Lloyd's algorithm from greedy k-means++."""
    if len(candidates) <= n_clusters:
        return candidates[np.arange(n_clusters) % len(candidates)]
    source = UnitRows(candidates) if unit else ArrayRows(candidates)
    panels = Panels(source, weights, np.zeros_like(candidates[0]))
    seeds = run_kmeans_plusplus(panels, n_clusters, weights, random_state)
    options = LloydOptions(LLOYD_ITERATIONS, tol=0.0, with_inertia=False)
    return run_lloyd(panels, panels.take(seeds), options).centers
