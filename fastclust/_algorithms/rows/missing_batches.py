"""Dense rows with missing values of which mini-batches are taken."""

import numpy as np

from fastclust._algorithms.arrays import readable
from fastclust._algorithms.kmeans.m_step import move_features_gradually, place_centers
from fastclust._algorithms.rows.batches import Steps
from fastclust._algorithms.rows.missing import MissingRows


class MissingBatches:
    """Rows with missing values in memory, and batches of them; see `batches.Batches`.

    Parameters
    ----------
    X : IncompleteArray of shape (n_samples, n_features)
        The rows.
    origin : ndarray of shape (n_features,)
        What is subtracted from them.

    Attributes
    ----------
    squares, largest_square : ndarray, float
        As of `MissingRows`.
    """

    unit = False

    def __init__(self, X, origin):
        self.n_samples, self.n_features = X.shape
        self.dtype, self.origin = X.dtype, readable(origin)
        self._values = X.values
        self.squares, self.largest_square = np.zeros(self.n_features), 0.0
        for _, rows in MissingRows.blocks(self._values, None, self.origin):
            self.squares += rows.squares
            self.largest_square = max(self.largest_square, rows.largest_square)

    def steps_at_once(self, batch_size):
        """Return None: batches are drawn as they are needed."""
        return None

    def pack(self, indices, sample_weight=None):
        """Rows by number, packed, with these weights of theirs."""
        return MissingRows(self._values.take(indices, axis=0), sample_weight, self.origin)

    def take(self, indices):
        """Rows by number, of shape (n_indices, n_features), with NaN for missing values."""
        return self._values.take(indices, axis=0) - self.origin

    def start(self, centers, weights, batch_size):
        """Begin steps from these centers; see `MissingSteps`."""
        return MissingSteps(self, centers, weights)


class MissingSteps:
    """Steps of mini-batch k-means on rows with missing values, one at a time; see `DenseSteps`.

    Every feature of a center has a weight of its own: that of the rows that had a value there.

    Parameters
    ----------
    batches : MissingBatches
        The rows.
    centers : ndarray of shape (n_clusters, n_features)
        Centers before the first step, less the origin.
    weights : ndarray of shape (n_clusters,), float64
        Rows that each center has had: none.

    Attributes
    ----------
    batches : MissingBatches
        The rows of the steps to come.
    feature_weights : ndarray of shape (n_clusters, n_features), float64
        Weights after the last step.
    """

    def __init__(self, batches, centers, weights):
        self.batches, self._centers, self._weights = batches, centers, weights
        self._numbers = np.empty(0, dtype=np.int64)
        self.feature_weights = np.zeros(centers.shape)

    def advance(self, indices):
        """Run a step for the first batch; see `DenseSteps.advance`."""
        self._numbers = indices[0]
        statistics = self.batches.pack(self._numbers).cluster_statistics(self._centers)
        self._centers, self.feature_weights = move_features_gradually(
            self._centers, self.feature_weights, statistics
        )
        self._weights = self._weights + statistics.weights
        return Steps(self._weights[np.newaxis], np.array([statistics.inertia]))

    def centers_after(self, step):
        """Centers after the last step, which is that of number 0."""
        return self._centers

    def take(self, step, places):
        """Rows at some places of the last batch; see `DenseSteps.take`."""
        return self.batches.take(self._numbers[places])

    def move(self, step, moved, rows, weights):
        """Go on from after the last step, with some centers elsewhere; see `DenseSteps.move`."""
        self._centers, self._weights = self._centers.copy(), weights
        place_centers(self._centers, self.feature_weights, moved, rows, weights)
