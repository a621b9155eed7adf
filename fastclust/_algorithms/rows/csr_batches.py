"""Sparse rows of which mini-batches are taken, where they lie: nothing is copied."""

import numpy as np

from fastclust._algorithms.arrays import aligned_empty
from fastclust._algorithms.chunks import split
from fastclust._algorithms.rows.batches import Steps
from fastclust._algorithms.rows.csr import CsrRows, lanes_of, some_rows
from fastclust._calls import add_batch_csr, assign_batch_csr

ADD_WORK = 100
"""Cost of adding a stored value to a sum anywhere in memory, in multiply-adds of the kernels."""

MOST_SQUARE, SMALL_UNIT = 2.0**900, 2.0**-60
"""Largest squared norm of a row with which |s|^2 of a sum s of up to 2^60 rows stays finite. If a
row is beyond it, all are multiplied by SMALL_UNIT before they are added."""


class CsrBatches:
    """Rows of a CSR matrix, and batches of them.

    Parameters
    ----------
    X : CSR matrix of shape (n_samples, n_features), float32 or float64
        The rows.
    origin : ndarray of shape (n_features,)
        Zeros: nothing is subtracted from sparse rows.

    Attributes
    ----------
    largest_square : float
        Largest squared norm of a row.
    """

    unit = False

    def __init__(self, X, origin):
        self.rows = CsrRows(X, None)
        self.n_samples, self.n_features = X.shape
        self.dtype, self.origin = X.dtype, origin
        self.largest_square = self.rows.largest_square

    def pack(self, indices, sample_weight=None):
        """Rows by number, with these weights of theirs."""
        return CsrRows(some_rows(self.rows.matrix, indices), sample_weight)

    def take(self, indices):
        """Rows by number, dense, of shape (n_indices, n_features)."""
        return self.rows.take(indices)

    def steps_at_once(self, batch_size):
        """Return None: batches are drawn as they are needed."""
        return None

    def start(self, centers, weights, batch_size):
        """Begin steps from these centers; see `CsrSteps`."""
        return CsrSteps(self, centers, weights, batch_size)


class CsrSteps:
    """Steps of mini-batch k-means on sparse rows; see `_kernels.kmeans.minibatch_csr`.

    One step is run at a time. What it leaves are sums of rows, as large as the centers: to keep
    those of many steps would take longer than the steps.

    Parameters
    ----------
    batches : CsrBatches
        The rows.
    centers : ndarray of shape (n_clusters, n_features)
        Centers before the first step.
    weights : ndarray of shape (n_clusters,), float64
        Rows that each center has had.
    batch_size : int
        Rows in a batch.
    """

    feature_weights = None  # no values are missing

    def __init__(self, batches, centers, weights, batch_size):
        self._rows, self._dtype = batches.rows, batches.dtype
        self._unit = 1.0 if batches.largest_square <= MOST_SQUARE else SMALL_UNIT
        self._k = len(centers)
        factors = self._unit * np.maximum(weights, 1.0)
        self._sums, square = lanes_of(centers * factors[:, np.newaxis], np.float64)
        self._flat_sums = self._sums.reshape(len(self._sums), -1)
        self._square = square.ravel()
        self._most_square = self._square.copy()
        self._counts = np.zeros(len(self._square))
        self._counts[: self._k] = weights
        self._n_nonzero = np.zeros(len(self._square), dtype=np.int64)
        self._n_nonzero[: self._k] = np.count_nonzero(centers, axis=1)
        self._find_means()
        self._make_room(batch_size)

    def _find_means(self):
        """Find the factors that make the sums centers, and the squared norms of these."""
        factors = np.maximum(self._counts, 1.0)
        factors *= self._unit
        self._scale = -2.0 / factors
        factors *= factors
        self._center_sq = self._square / factors

    def _make_room(self, batch_size):
        """Allocate what the kernels write for a batch, in chunks of its rows or of the centers."""
        row_work = self._rows.row_work(self._k)
        self._chunks = split(batch_size, row_work)
        self._work = batch_size * row_work
        self._values = aligned_empty((len(self._chunks), *self._sums.shape[1:]), np.float64)
        self._labels = np.empty(batch_size, dtype=np.int32)
        self._inertia = np.empty(len(self._chunks))
        n_vectors, lanes = self._sums.shape[1:]
        self._add_work = ADD_WORK * batch_size * len(self._rows.arrays[0]) / self._rows.n_samples
        # Of whole vectors of centers: threads are not to write to the same cache lines.
        self._center_chunks = split(n_vectors, self._add_work / n_vectors).copy()
        self._center_chunks[:, 1:] *= lanes

    def advance(self, indices):
        """Run a step for the first batch; see `DenseSteps.advance`."""
        numbers, rows = indices[0], self._rows
        self._numbers = numbers
        assign_batch_csr(
            self._chunks, *rows.arrays, rows.row_sq, numbers, self._sums, self._scale,
            self._center_sq, self._n_nonzero, float(self._center_sq[: self._k].max()),
            self._values, self._labels, self._inertia, work=self._work,
        )  # fmt: skip
        add_batch_csr(
            self._center_chunks, *rows.arrays, numbers, self._labels, self._unit, self._flat_sums,
            self._counts, self._square, self._most_square, self._n_nonzero, work=self._add_work,
        )  # fmt: skip
        self._find_means()
        weights = self._counts[np.newaxis, : self._k].copy()
        return Steps(weights, np.array([sum(self._inertia.tolist())]))

    def centers_after(self, step):
        """Centers after the last step, which is that of number 0."""
        sums = self._flat_sums[:, : self._k]
        scale = -0.5 * self._scale[: self._k]
        return (sums.T * scale[:, np.newaxis]).astype(self._dtype, order="C", copy=False)

    def take(self, step, places):
        """Rows at some places of the last batch; see `DenseSteps.take`."""
        return self._rows.take(self._numbers[places])

    def move(self, step, moved, rows, weights):
        """Go on from after the last step, with some centers elsewhere; see `DenseSteps.move`."""
        self._counts[: self._k] = weights
        moved = np.flatnonzero(moved)
        sums = rows * (self._unit * np.maximum(weights[moved], 1.0))[:, np.newaxis]
        self._flat_sums[:, moved] = sums.T
        self._square[moved] = np.einsum("jf,jf->j", sums, sums, dtype=np.float64)
        self._most_square[moved] = self._square[moved]
        self._n_nonzero[moved] = np.count_nonzero(rows, axis=1)
        self._find_means()
