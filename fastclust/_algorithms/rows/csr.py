"""Sparse rows (CSR)."""

import functools

import numpy as np
import scipy.sparse

from fastclust._algorithms.arrays import aligned_filled, readable
from fastclust._algorithms.chunks import split
from fastclust._algorithms.kmeans.csr_lloyd import CsrLloyd
from fastclust._algorithms.kmeans.precision import lose_digits
from fastclust._algorithms.kmeans.statistics import ClusterStatistics
from fastclust._calls import (
    accumulate_csr,
    assign_csr,
    assign_csr_to_two,
    distances_sq_csr,
    distances_to_labels_csr,
    take_csr_rows,
    try_candidates_csr,
)
from fastclust._kernels.simd.sizes import VECTOR_BYTES

ELEMENT_WORK = 4
"""Cost of one stored element and one center, in multiply-adds of the dense kernels
(benchmarks/ablate_constants.py, as those that follow)."""

TAKE_WORK = 16
"""Cost of copying a stored element, likewise."""

CANDIDATE_WORK = 150
"""Cost of the distance of a row to a candidate seed, in multiply-adds of the dense kernels."""

CLUSTER_CHUNKS = 16
"""Chunks of clusters when rows are moved between sums: each chunk looks at every label."""

BLOCK_ROWS = 4096
"""Rows whose distances are held at a time."""


class CsrRows:
    """Rows of a CSR matrix. Sparse rows are not centered, so all coordinates are X's own.

    Where rows are to be unit vectors, their values are a copy that is divided by the norms.

    Parameters
    ----------
    X : csr_matrix or csr_array of shape (n_samples, n_features), float32 or float64
        The rows, with int32 indices.
    sample_weight : ndarray of shape (n_samples,) or None
        Weight of each row, of X's dtype; None for ones.
    unit : bool, default=False
        Whether rows are divided by their norms; those of norm 0 stay.

    Attributes
    ----------
    n_zero : int
        Rows that have no direction, where rows are unit vectors.
    """

    def __init__(self, X, sample_weight, unit=False):
        if not X.has_canonical_format:
            X = X.copy()
            X.sum_duplicates()
        self.unit, self.n_zero = unit, 0
        if unit:
            X, self.n_zero = unit_csr(X)
        self.n_samples, self.n_features = X.shape
        self.dtype = X.dtype
        self._X = X
        self.arrays = arrays_of(X)
        weights = np.empty(0, dtype=X.dtype) if sample_weight is None else sample_weight
        self.weights = readable(weights)
        self.origin = np.zeros(self.n_features, dtype=X.dtype)

    @classmethod
    def of_numbers(cls, X, numbers, sample_weight):
        """Rows of X by number, their squares summed as they are copied.

        Parameters
        ----------
        X : csr_matrix or csr_array of shape (n_rows, n_features), float32 or float64
            In canonical format, with int32 indices.
        numbers : ndarray of int of shape (n_samples,)
            Which rows.
        sample_weight : ndarray of shape (n_samples,) or None
            Weights of these.
        """
        arrays, n_samples = arrays_of(X), len(numbers)
        starts = np.zeros(n_samples + 1, dtype=np.int32)
        np.cumsum(np.diff(arrays[2]).take(numbers), out=starts[1:])
        values = np.empty(starts[-1], dtype=X.dtype)
        columns, row_sq = np.empty(len(values), dtype=np.int32), np.empty(n_samples)
        work = TAKE_WORK * len(values)
        take_csr_rows(
            split(n_samples, work / n_samples), *arrays, numbers.astype(np.int32, copy=False),
            starts, values, columns, row_sq, work=work,
        )  # fmt: skip
        part = type(X)((values, columns, starts), (n_samples, X.shape[1]))
        part.has_canonical_format = True
        rows = cls(part, sample_weight)
        rows.row_sq = row_sq
        return rows

    @property
    def matrix(self):
        """The rows as a CSR matrix."""
        return self._X

    def mean(self):
        """Mean of the rows, whatever their weights, in float64."""
        return np.asarray(self._X.sum(axis=0, dtype=np.float64)).ravel() / self.n_samples

    @functools.cached_property
    def row_sq(self):
        """Squared norms of the rows, in float64."""
        row_sq, starts = np.zeros(self.n_samples), self._X.indptr
        stored = np.flatnonzero(np.diff(starts))
        if len(stored):
            with np.errstate(over="ignore", under="ignore"):  # such rows are scaled
                squares = np.square(self._X.data, dtype=np.float64)
                row_sq[stored] = np.add.reduceat(squares, starts[stored])
        return row_sq

    @property
    def largest_square(self):
        """Largest squared norm of a row."""
        return float(self.row_sq.max())

    @property
    def total_square(self):
        """Sum of the squares of all values."""
        return float(self.row_sq.sum())

    def row_work(self, n_clusters):
        """Multiply-adds of the distances of a row to every center."""
        n_stored = len(self.arrays[0]) / self.n_samples
        return ELEMENT_WORK * (n_stored + 1) * n_clusters

    def chunks(self, n_clusters):
        """Chunks of rows for a pass that computes the distance of every row to every center."""
        return split(self.n_samples, self.row_work(n_clusters))

    def work(self, n_clusters):
        """Multiply-adds of a pass in chunks of `chunks(n_clusters)`."""
        return ELEMENT_WORK * len(self.arrays[0]) * n_clusters

    def is_small(self, n_clusters, n_runs):
        """Return False: runs on sparse rows follow one another."""
        return False

    def new_labels(self):
        """Labels of no cluster."""
        return np.full(self.n_samples, -1, dtype=np.int32)

    def row_weights(self):
        """Sample weights of the rows."""
        return self.weights if len(self.weights) else np.ones(self.n_samples, dtype=self.dtype)

    def take(self, indices):
        """Return rows by index, dense, of shape (n_indices, n_features)."""
        return self._X[np.asarray(indices)].toarray()

    def assign(self, centers, tiles=None):
        """Label of the nearest center of each row; it needs no tiles."""
        labels = self.new_labels()
        self.assign_changes(centers, labels)
        return labels

    def assign_changes(self, centers, labels):
        """Label each row in place; return how many labels changed."""
        center_sq = np.einsum("jf,jf->j", centers, centers, dtype=np.float64)
        if lose_digits(centers, center_sq.astype(self.dtype, copy=False)):
            before = labels.copy()
            for part, rows in self._blocks():
                labels[part] = rows.all_distances_sq(centers).argmin(axis=1)
            return np.count_nonzero(labels != before)
        is_pair = len(centers) == 2  # one dot product decides
        n_dots = 1 if is_pair else len(centers)
        chunks, work = self.chunks(n_dots), self.work(n_dots)
        n_changed = np.empty(len(chunks), dtype=np.int64)
        if is_pair:
            difference = np.subtract(centers[1], centers[0], dtype=np.float64)
            threshold = float(center_sq[1] - center_sq[0]) / 2
            assign_csr_to_two(
                chunks, *self.arrays, difference, threshold, labels, n_changed, work=work
            )
            return int(n_changed.sum())
        centers_t, center_sq = lanes_of(centers, self.dtype)
        dots = np.empty((len(chunks), *centers_t.shape[1:]), dtype=centers_t.dtype)
        assign_csr(chunks, *self.arrays, centers_t, center_sq, dots, labels, n_changed, work=work)
        return int(n_changed.sum())

    def assign_with_inertia(self, centers, tiles=None):
        """Labels, and the weighted sum of the squared distances to the centers."""
        labels = self.assign(centers)
        return labels, self.inertia(centers, labels)

    def nearest(self, centers, tiles=None):
        """The same labels, and the squared distances."""
        labels = self.assign(centers)
        return labels, self.distances_sq(centers, labels)

    def inertia(self, centers, labels):
        """Weighted sum of the squared distances of the rows to the centers of their labels."""
        distances_sq = self.distances_sq(centers, labels).astype(np.float64)
        return float((distances_sq * self.row_weights()).sum())  # @ would use BLAS threads

    def label_inertias(self, centers, labels):
        """Inertia of the rows of each label."""
        distances_sq = self.distances_sq(centers, labels).astype(np.float64)
        return np.bincount(labels, distances_sq * self.row_weights(), len(centers))

    def cluster_statistics(self, centers):
        """Statistics of the clusters of these centers."""
        labels, inertia = self.assign_with_inertia(centers)
        statistics = ClusterStatistics.zeros(len(centers), self.n_features)
        self.sum_changes(self.new_labels(), labels, True, statistics)
        statistics.inertia = inertia
        return statistics

    def sum_changes(self, labels_old, labels, from_scratch, statistics):
        """Move the rows whose label changed between the clusters' sums, or sum all rows."""
        n_clusters = len(statistics.counts)
        chunks = split(n_clusters, self.work(1) / n_clusters, CLUSTER_CHUNKS)
        accumulate_csr(
            chunks, *self.arrays, self.weights, labels_old, labels, int(from_scratch),
            statistics.sums, statistics.weights, statistics.counts, work=self.work(1),
        )  # fmt: skip

    def mean_differences(self, centers, labels):
        """Mean of the rows of each label less its center, of shape (n_clusters, n_features).

        Every label must have rows. A value that is not stored differs by the center's own.
        """
        X, weights = self._X, self.row_weights().astype(np.float64)
        shape = len(centers), self.n_samples
        members = scipy.sparse.csc_array((weights, labels, np.arange(self.n_samples + 1)), shape)
        of_label = np.repeat(labels, np.diff(X.indptr)), X.indices
        parts = X.indices, X.indptr
        values = X.data.astype(np.float64) - centers[of_label]
        sums = (members @ scipy.sparse.csr_array((values, *parts), X.shape)).toarray()
        stored = members @ scipy.sparse.csr_array((np.ones(len(values)), *parts), X.shape)
        masses = members.sum(axis=1)[:, np.newaxis]
        return (sums - (masses - stored.toarray()) * centers) / masses

    def distances_sq(self, centers, labels):
        """Squared distance of each row to the center of its label."""
        distances_sq = np.empty(self.n_samples, dtype=self.dtype)
        centers = readable(centers.astype(np.float64, copy=False))
        center_sq = np.einsum("jf,jf->j", centers, centers)
        distances_to_labels_csr(
            self.chunks(2), *self.arrays, centers, center_sq, np.count_nonzero(centers, axis=1),
            labels, distances_sq, work=self.work(2),
        )  # fmt: skip
        return distances_sq

    def all_distances_sq(self, centers):
        """Squared distance of each row to each center, in float64."""
        centers = readable(centers.astype(np.float64, copy=False))
        centers_t, center_sq = lanes_of(centers, np.float64)
        distances_sq = np.empty((self.n_samples, len(centers)))
        chunks = self.chunks(len(centers))
        dots = np.empty((len(chunks), *centers_t.shape[1:]))
        distances_sq_csr(
            chunks, *self.arrays, self.row_sq, centers, np.count_nonzero(centers, axis=1),
            centers_t, center_sq, dots, distances_sq, work=self.work(len(centers)),
        )  # fmt: skip
        return distances_sq

    def transform(self, centers, distances_out):
        """Write the distance of each row to each center."""
        for part, rows in self._blocks():
            np.sqrt(rows.all_distances_sq(centers), out=distances_out[part])

    def _blocks(self):
        """Yield consecutive blocks of the rows, each as a slice, and these rows."""
        for first in range(0, self.n_samples, BLOCK_ROWS):
            part = slice(first, first + BLOCK_ROWS)
            # If the rows are unit vectors, self._X has them divided by their norms already.
            yield part, CsrRows(some_rows(self._X, part), None)

    def run_seeding(self, first, uniforms):
        """Rows that greedy k-means++ takes as seeds; see `protocol.Rows.run_seeding`."""
        columns = arrays_of(self._X.tocsc())
        weights = self.row_weights()
        indices = np.full(len(uniforms) + 1, first)
        no_seed = np.full(self.n_samples, np.inf)
        (closest_sq,), _ = self._try_candidates(columns, indices[:1], no_seed)
        for j, draws in enumerate(uniforms, start=1):
            cumulative = np.cumsum(weights * closest_sq)
            candidates = np.searchsorted(cumulative, draws * cumulative[-1])
            np.clip(candidates, None, self.n_samples - 1, out=candidates)
            all_closest_sq, potentials = self._try_candidates(columns, candidates, closest_sq)
            best = potentials.argmin()
            indices[j], closest_sq = candidates[best], all_closest_sq[best]
        return indices

    def _try_candidates(self, columns, candidates, closest_sq):
        """Squared distances to the closest seed if a candidate becomes one, and potentials.

        Parameters
        ----------
        columns : tuple of ndarray
            The rows by columns.
        candidates : ndarray of int64
            Numbers of the rows.
        closest_sq : ndarray of shape (n_samples,), float64
            Squared distances to the closest seed without them.

        Returns
        -------
        all_closest_sq : ndarray of shape (n_candidates, n_samples), float64
            Squared distances to the closest seed, with each candidate.
        potentials : ndarray of shape (n_candidates,), float64
            Weighted sums of these.
        """
        n_candidates = len(candidates)
        all_closest_sq = np.empty((n_candidates, self.n_samples))
        potentials = np.empty(n_candidates)
        work = self.n_samples * CANDIDATE_WORK
        try_candidates_csr(
            split(n_candidates, work), *self.arrays, *columns, self.row_sq, self.weights,
            candidates, closest_sq, all_closest_sq, potentials, work=n_candidates * work,
        )  # fmt: skip
        return all_closest_sq, potentials

    def start_lloyd(self, centers):
        """Start Lloyd's algorithm on these rows."""
        return CsrLloyd(self, centers)


def some_rows(X, numbers):
    """Rows of a CSR matrix by number or as a slice, without a second search for duplicates."""
    part = X[numbers]
    part.has_canonical_format = X.has_canonical_format
    return part


def arrays_of(X):
    """Values, indices and starts of a CSR or CSC matrix, as kernels read them."""
    indices, starts = (a.astype(np.int32, copy=False) for a in (X.indices, X.indptr))
    return tuple(map(readable, (X.data, indices, starts)))


def unit_csr(X):
    """Rows of X divided by their norms, and the number of rows of zeros, which stay as they are.

    A row is first multiplied by a power of two, so that squares of its values, of any size, are
    finite: that changes no digit.

    Parameters
    ----------
    X : CSR matrix of shape (n_samples, n_features), float32 or float64
        The rows, in canonical format.
    """
    sizes = np.diff(X.indptr)
    stored = np.flatnonzero(sizes)
    sizes, first = sizes[stored], X.indptr[stored]
    norms = np.zeros(len(stored))
    values = X.data.astype(np.float64)
    if len(stored):
        largest = np.maximum.reduceat(np.abs(values), first)
        values = np.ldexp(values, np.repeat(-np.frexp(largest)[1], sizes))
        with np.errstate(under="ignore"):
            norms = np.sqrt(np.add.reduceat(np.square(values), first))
    n_zero = X.shape[0] - np.count_nonzero(norms)
    norms[norms == 0] = 1.0
    with np.errstate(under="ignore"):
        values = (values / np.repeat(norms, sizes)).astype(X.dtype)
    return type(X)((values, X.indices, X.indptr), X.shape), n_zero


def lanes_of(centers, dtype):
    """Centers as (n_features, n_vectors, LANES), their squared norms as (n_vectors, LANES)."""
    n_clusters, n_features = centers.shape
    lanes = VECTOR_BYTES // np.dtype(dtype).itemsize
    n_vectors = -(-n_clusters // lanes)
    centers_t = aligned_filled((n_features, n_vectors * lanes), dtype, 0)
    centers_t[:, :n_clusters] = centers.T
    center_sq = np.full(n_vectors * lanes, np.inf, dtype=dtype)
    center_sq[:n_clusters] = np.einsum("jf,jf->j", centers, centers, dtype=np.float64)
    return centers_t.reshape(n_features, n_vectors, lanes), center_sq.reshape(n_vectors, lanes)
