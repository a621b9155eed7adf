"""First centers of rows in Dask's workers."""

import dask
import numpy as np

from fastclust._algorithms.kmeans.precision import SearchedCenters
from fastclust._algorithms.kmeans.row_draws import find_in_running_sum


def weighted_random_starts(rows, n_clusters, random_state):
    """Return the `draw_start` of `run_restarts` for different rows, drawn by their weights."""

    def draw_start():
        seeds = random_state.randint(np.iinfo(np.int32).max, size=rows.n_blocks)
        drawn = dask.compute(*rows.each_block(_draw_different, n_clusters, of_blocks=seeds))
        keys = np.concatenate([keys for keys, _ in drawn])
        numbers = np.concatenate(
            [start + i for start, (_, i) in zip(rows.block_starts, drawn, strict=True)]
        )
        chosen = numbers[np.argsort(-keys)[:n_clusters]]
        return lambda: rows.take(chosen)

    return draw_start


def _draw_different(panels, n_rows, seed):
    """Keys and numbers of the rows of a block that may be drawn: those of the largest keys.

    Rows of the largest u^(1 / weight) are drawn one by one by their weights; P. Efraimidis and P.
    Spirakis, "Weighted random sampling with a reservoir", Information Processing Letters 97(5),
    2006.
    """
    uniforms = np.random.RandomState(seed).random_sample(panels.n_samples)
    with np.errstate(divide="ignore"):
        keys = np.log(uniforms) / panels.row_weights()
    numbers = np.argsort(-keys, kind="stable")[:n_rows]
    return keys[numbers], numbers


class DaskCandidates:
    """Candidates of k-means||, as `kmeans.parallel_seeding.Candidates` has them.

    What is known of each row stays in the worker that has it. Draws are made in the blocks, from
    seeds for each.

    Parameters
    ----------
    rows : DaskRows
        The rows.

    Attributes
    ----------
    rows : ndarray of shape (n_candidates, n_features)
        The candidates.
    """

    def __init__(self, rows):
        self._rows = rows
        self.rows = np.empty((0, rows.n_features), dtype=rows.dtype)
        self._nearest = [None] * rows.n_blocks  # of each block, what `_find_nearest` returns
        self._totals = np.empty(0)

    def draw_first(self, random_state):
        """Number of a row, drawn by the weights."""
        return self._draw_by(self._rows.block_weights, random_state.random_sample(), _weights)

    def add(self, indices):
        """Add rows by number, in one pass over the others for their distances."""
        if len(indices) == 0:
            return
        new = self._rows.take(indices)
        parameters = SearchedCenters(new), len(self.rows)
        self._nearest = list(
            dask.persist(
                *self._rows.each_block(_find_nearest, *parameters, of_blocks=self._nearest)
            )
        )
        self.rows = np.concatenate([self.rows, new])

    def total_square(self):
        """Weighted sum of the squared distances from the nearest candidate."""
        totals = self._rows.each_block(_sum_squares, of_blocks=self._nearest)
        self._totals = np.array(dask.compute(*totals))
        return float(self._totals.sum())

    def draw(self, factor, random_state):
        """Numbers of rows, each drawn with the probability of factor times its squared distance."""
        seeds = random_state.randint(np.iinfo(np.int32).max, size=self._rows.n_blocks)
        of_blocks = list(zip(self._nearest, seeds.tolist(), strict=True))
        drawn = dask.compute(*self._rows.each_block(_draw, factor, of_blocks=of_blocks))
        starts = self._rows.block_starts
        return np.concatenate([start + i for start, i in zip(starts, drawn, strict=True)])

    def draw_one(self, place):
        """Number of the row at which the running sum of the squared distances passes a value."""
        return np.array([self._draw_by(self._totals, place / self._totals.sum(), _squares)])

    def _draw_by(self, totals, uniform, values_of):
        """Number of the row at a share of the running sum of values, whose sums by block these are.

        The share is one of the sum of all; within the block it becomes one of the block's.
        """
        running = np.cumsum(totals)
        block = find_in_running_sum([(0, totals)], uniform * running[-1])
        share = (uniform * running[-1] - (running[block] - totals[block])) / totals[block]
        own = [(self._nearest[block], float(np.clip(share, 0.0, 1.0)))]
        found = self._rows.each_block(_place_of, values_of, of_blocks=own, numbers=[block])
        return int(self._rows.block_starts[block]) + dask.compute(*found)[0]

    def weighted(self):
        """The candidates that are nearest to any row, and the sums of these rows' weights."""
        counts = self._rows.each_block(_weigh, len(self.rows), of_blocks=self._nearest)
        weights = sum(dask.compute(*counts))
        return self.rows[weights > 0], weights[weights > 0].astype(self.rows.dtype)


def _find_nearest(panels, new, n_before, nearest):
    """Number and squared distance of the candidate nearest to each row, the new ones included."""
    labels, distances_sq = panels.nearest(new.values, new.tiles)
    labels = labels + np.int32(n_before)
    if nearest is None:
        return labels, distances_sq
    is_closer = distances_sq < nearest[1]
    return np.where(is_closer, labels, nearest[0]), np.where(is_closer, distances_sq, nearest[1])


def _squares(panels, nearest):
    """Weighted squared distances of the rows from their candidates."""
    return panels.row_weights() * nearest[1].astype(np.float64)


def _weights(panels, nearest):
    """Weights of the rows, wherever their candidates are."""
    return panels.row_weights()


def _sum_squares(panels, nearest):
    """Weighted sum of the squared distances of the rows from their candidates."""
    return float(_squares(panels, nearest).sum())


def _draw(panels, factor, own):
    """Numbers of rows, each drawn with the probability of factor times its squared distance."""
    nearest, seed = own
    uniforms = np.random.RandomState(seed).random_sample(panels.n_samples)
    return np.flatnonzero(uniforms < factor * _squares(panels, nearest))


def _place_of(panels, values_of, own):
    """Number of the row at a share of the running sum of its values."""
    nearest, share = own
    values = values_of(panels, nearest)
    return find_in_running_sum([(0, values)], share * float(values.sum(dtype=np.float64)))


def _weigh(panels, n_candidates, nearest):
    """Sums of the weights of the rows that are nearest to each candidate."""
    return np.bincount(nearest[0], panels.row_weights(), n_candidates)
