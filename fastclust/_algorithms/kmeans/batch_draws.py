"""Random draws of mini-batches, by scikit-learn's calls, some ahead of the steps."""

import numpy as np

from fastclust._algorithms.kmeans.row_draws import Shares, SharesInPieces

FIRST_STEPS, MOST_STEPS = 1, 64
"""Batches drawn for a launch: at first, and at most. Their number is doubled after each launch in
which no batch ended the fit or reassigned clusters; steps after such a batch are discarded."""


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
