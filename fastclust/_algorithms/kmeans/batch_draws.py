"""Random draws of mini-batches, by scikit-learn's calls, some ahead of the steps."""

import numpy as np

FIRST_STEPS, MOST_STEPS = 1, 64
"""Batches drawn for a launch: at first, and at most. Their number is doubled after each launch in
which no batch ended the fit or reassigned clusters; steps after such a batch are discarded."""

ROUNDING = 4 * float(np.finfo(np.float64).eps)
"""Times n^2: bound of the rounding error of n times an entry of the cumulative sum of n
probabilities 1 / n."""

PIECE_ROWS = 2**18
"""Rows whose shares are added up at a time, where those of all would take too much memory."""


class BatchDraws:
    """Numbers of the rows of batches, as `random_state.choice(n_samples, batch_size, p=p)` draws.

    `choice` forms the cumulative sum of p each time, which takes longer than a step. Batches are
    drawn ahead, twice as many each time, or as many at once as a pass over rows in blocks takes.

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
    at_once : int, default=None
        Batches to draw at once, of rows that do not fit into memory: their shares do not either.
    """

    def __init__(self, random_state, sample_weight, batch_size, n_batches, at_once=None):
        self._random_state, self._batch_size = random_state, batch_size
        self._shares = (Shares if at_once is None else SharesInPieces)(sample_weight)
        self._first = FIRST_STEPS if at_once is None else at_once
        self._most = MOST_STEPS if at_once is None else at_once
        self._drawn, self._n_taken = np.empty((0, batch_size), dtype=np.int64), 0
        self._n_ahead, self._n_left = self._first, n_batches

    def ahead(self):
        """Numbers of the rows of the next batches, at least one, as (n_batches, batch_size)."""
        if self._n_taken == len(self._drawn):
            self._before = self._random_state.get_state(legacy=False)
            shape = min(self._n_ahead, self._n_left), self._batch_size
            uniforms = self._random_state.random_sample(shape)
            self._drawn, self._n_taken = self._shares.look_up(uniforms), 0
            self._n_ahead = min(2 * self._n_ahead, self._most)
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
        self._n_ahead = self._first


class Shares:
    """Cumulative sum of the shares of the rows in the draws, formed once.

    Parameters
    ----------
    sample_weight : ndarray of shape (n_samples,)
        Weights of the rows.
    """

    def __init__(self, sample_weight):
        p = (sample_weight / np.sum(sample_weight)).astype(np.float64, copy=False)
        self._cumulative = np.cumsum(p)
        self._cumulative /= self._cumulative[-1]
        self._is_even = bool((sample_weight == sample_weight[0]).all())

    def look_up(self, uniforms):
        """Numbers of the rows that draws from [0, 1) hit: first entries that are greater."""
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


class SharesInPieces:
    """The same sum, of which a piece at a time is formed, by the same additions.

    Parameters
    ----------
    sample_weight : ndarray of shape (n_samples,)
        Weights of the rows.
    """

    def __init__(self, sample_weight):
        self._weights, self._total = sample_weight, np.sum(sample_weight)
        self._last = 1.0
        self._last = [cumulative[-1] for _, cumulative in self._pieces()][-1]

    def _pieces(self):
        """Yield (number of the first row, cumulative sum) of consecutive rows."""
        before = 0.0
        for first in range(0, len(self._weights), PIECE_ROWS):
            p = self._weights[first : first + PIECE_ROWS] / self._total
            cumulative = p.astype(np.float64, copy=False)
            cumulative[0] += before
            np.cumsum(cumulative, out=cumulative)
            before = cumulative[-1]
            cumulative /= self._last
            yield first, cumulative

    def look_up(self, uniforms):
        """Numbers of the rows that draws from [0, 1) hit."""
        order = np.argsort(uniforms, axis=None)
        ascending = uniforms.ravel()[order]
        found, start = np.empty(len(order), dtype=np.int64), 0
        for first, cumulative in self._pieces():
            end = start + np.searchsorted(ascending[start:], cumulative[-1], side="left")
            places = np.searchsorted(cumulative, ascending[start:end], side="right")
            found[order[start:end]] = first + places
            start = end
        return found.reshape(uniforms.shape)
