"""Rows in blocks of which mini-batches are taken: the rows of many batches in one pass."""

import numpy as np

from fastclust._algorithms.memory import memory_limit
from fastclust._algorithms.rows.batches import Batches, DenseSteps
from fastclust._algorithms.rows.missing import IncompleteArray, MissingRows
from fastclust._algorithms.rows.missing_batches import MissingBatches, MissingSteps
from fastclust._algorithms.rows.panels import Panels

BATCHES_SHARE = 0.25
"""Share of the memory limit for the rows of batches that are read in one pass."""

ROWS_SHARE = 1 / 16
"""Most rows that are taken in one pass, as a share of all: to take as many costs as much as to read
all (benchmarks/blocks.py), and the fit may end before they are needed."""

NUMBER_BYTES = 40
"""Memory for a row of a batch beside its values: its draw, its number, and its place among them."""


class BlockBatches:
    """Rows in blocks, and batches of them; see `Batches`.

    Parameters
    ----------
    source : RowSource
        The rows.
    origin : ndarray of shape (n_features,)
        What is subtracted from them.

    Attributes
    ----------
    blocks : RowsInBlocks
        The rows less the origin.
    total_square, largest_square : float
        Sum of the squared norms of the rows less the origin, and the largest.
    squares : ndarray of shape (n_features,) or None
        As of `RowsInBlocks`.
    """

    unit = False

    def __init__(self, source, origin):
        self.n_samples, self.n_features = source.shape
        self.dtype, self.origin = source.dtype, origin
        row_bytes = self.n_features * self.dtype.itemsize + NUMBER_BYTES
        fit = BATCHES_SHARE * memory_limit() / row_bytes
        self._rows_at_once = min(fit, ROWS_SHARE * self.n_samples)
        self.blocks = source.pack(None, origin, reserved=self._rows_at_once * row_bytes)
        self.total_square = self.blocks.total_square
        self.largest_square, self.squares = self.blocks.largest_square, self.blocks.squares

    def pack(self, indices, sample_weight=None):
        """Rows by number, packed, with these weights of theirs: a pass over all rows."""
        kind = MissingRows if self.blocks.is_incomplete else Panels
        return kind(self.take(indices), sample_weight, np.zeros_like(self.origin))

    def take(self, indices):
        """Rows by number, of shape (n_indices, n_features): a pass over all rows.

        NaN stands for missing values.
        """
        return self.blocks.take_packed(indices)

    def read(self, indices):
        """Batches of rows by number in memory, which are numbered from 0: a pass over all rows."""
        rows, zero = self.take(indices), np.zeros_like(self.origin)
        if self.blocks.is_incomplete:
            return MissingBatches(IncompleteArray(rows), zero)
        return Batches(rows, zero)

    def steps_at_once(self, batch_size):
        """Number of batches whose rows are taken in one pass."""
        return max(1, int(self._rows_at_once / batch_size))

    def start(self, centers, weights, batch_size):
        """Begin steps from these centers; see `BlockSteps`."""
        return BlockSteps(self, centers, weights)


class BlockSteps:
    """Steps of mini-batch k-means on rows in blocks, whose batches are taken from them first.

    They are those of `DenseSteps`, or of `MissingSteps`.

    Parameters
    ----------
    batches : BlockBatches
        The rows.
    centers, weights : ndarray
        As of `DenseSteps`.
    """

    def __init__(self, batches, centers, weights):
        self._all_rows, self._n_left = batches, 0
        kind = MissingSteps if batches.blocks.is_incomplete else DenseSteps
        self._steps = kind(batches, centers, weights)

    @property
    def feature_weights(self):
        """As of `MissingSteps`; None where no values are missing."""
        return self._steps.feature_weights

    def advance(self, indices):
        """Run steps as `DenseSteps.advance` does; the rows of all batches are taken in one pass.

        Further calls must go on with these batches until they are used up, or centers are moved.
        """
        if self._n_left == 0:
            self._steps.batches = self._all_rows  # the memory of the last batches is free
            self._steps.batches = self._all_rows.read(indices.ravel())
            self._places = np.arange(indices.size).reshape(indices.shape)
            self._n_left = len(indices)
        steps = self._steps.advance(self._places[len(self._places) - self._n_left :])
        self._n_left -= len(steps.inertia)
        return steps

    def centers_after(self, step):
        """Centers after a step; see `DenseSteps.centers_after`."""
        return self._steps.centers_after(step)

    def take(self, step, places):
        """Rows at some places of the batch of a step; see `DenseSteps.take`."""
        return self._steps.take(step, places)

    def move(self, step, moved, rows, weights):
        """Go on as in `DenseSteps.move`; the batches to come are others."""
        self._steps.move(step, moved, rows, weights)
        self._n_left = 0
