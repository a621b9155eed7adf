"""Dense rows with missing values, which are NaN: k-means on the values that are there.

Objective, labels and inertia go by unscaled sums over the values that a row has (k-POD: Chi, Chi
and Baraniuk 2016), as only such a sum never rises when centers move to means. Distances that are
compared between rows, those of `transform` and of the draws of first centers, are those of
`sklearn.metrics.pairwise.nan_euclidean_distances`: their squares are multiplied by n_features over
the number of values that the row has.
"""

import functools

import numpy as np

from fastclust._algorithms.arrays import aligned_empty, filled, readable, tiles_of
from fastclust._algorithms.chunks import MAX_CHUNKS, most_with_sums, split
from fastclust._algorithms.kmeans.missing_lloyd import MissingLloyd
from fastclust._algorithms.kmeans.statistics import ObservedStatistics
from fastclust._algorithms.rows import scale
from fastclust._algorithms.rows.dense import PACK_WORK, Packed
from fastclust._algorithms.rows.panels import WRITE_WORK, Panels
from fastclust._calls import (
    assign_observed,
    describe_observed,
    describe_patterns,
    iterate_observed,
    list_observed,
    move_observed,
    sum_observed,
    transform_observed,
    variant,
)
from fastclust._kernels.kmeans.constants import OBSERVED_SEEDING_TILE
from fastclust._kernels.simd.sizes import DISTANCE_TILE, OBSERVED_TILE

GROUP_CLUSTERS = 32
"""Least number of clusters with which a run groups rows by pattern. With 8 that takes longer than
it saves, with 64 not (benchmarks/ablate_constants.py)."""


def is_incomplete(X):
    """Whether checked rows, whatever they are, have missing values."""
    return getattr(X, "is_incomplete", False)


def has_no_value(rows):
    """Which rows of an array lack all values."""
    return np.isnan(rows).all(axis=1)


def empty_rows_error(X):
    """Error that says how many rows have no value, of which nothing says where they belong.

    Parameters
    ----------
    X : IncompleteArray or RowSource of shape (n_samples, n_features)
        The rows, some of which have no value. Those in blocks are read again, to say where.
    """
    if isinstance(X, IncompleteArray):
        n_empty = X.n_empty
        first = f"X[{np.flatnonzero(has_no_value(X.values))[0]}]"
        keep = ": keep X[~np.isnan(X).all(axis=1)]"
    else:
        n_empty, place = X.find_rows(has_no_value)
        first, keep = f"in {place}", ""
    have = "have" if n_empty > 1 else "has"
    return ValueError(
        f"{n_empty} of {X.shape[0]} rows {have} no value at all, the first of them {first}: "
        f"nothing says where such a row belongs. Leave it out{keep}."
    )


class IncompleteArray:
    """An array of rows with missing values: it is passed on where complete rows are an ndarray.

    Parameters
    ----------
    values : ndarray of shape (n_samples, n_features), float32 or float64, C-contiguous
        The rows; NaN is what is missing, and no value is infinite.

    Attributes
    ----------
    shape, dtype : tuple of int, dtype
        Those of the array.
    """

    is_incomplete = True

    def __init__(self, values):
        self.values = readable(values)
        self.shape, self.dtype = values.shape, values.dtype

    def __len__(self):
        return self.shape[0]

    def __getitem__(self, rows):
        """Some of the rows: by a slice, a mask or their numbers."""
        return IncompleteArray(self.values[rows])

    def astype(self, dtype, copy=True):
        """The same rows in this type."""
        return IncompleteArray(self.values.astype(dtype, copy=copy))

    def scaled(self, exponent):
        """The rows times 2^exponent."""
        return IncompleteArray(scale.scaled(self.values, exponent))

    def find_largest(self):
        """Largest magnitude of a value."""
        return float(np.nanmax(np.abs(self.values)))

    @functools.cached_property
    def _sums(self):
        """Sums and numbers of the values of each feature, and number of rows without any."""
        n_samples, d = self.shape
        chunks = split(n_samples, PACK_WORK * d)
        sums, counts = np.zeros((len(chunks), d)), np.zeros((len(chunks), d), dtype=np.int64)
        n_empty = np.empty(len(chunks), dtype=np.int64)
        sum_observed(chunks, self.values, sums, counts, n_empty, work=PACK_WORK * self.values.size)
        with np.errstate(over="ignore", invalid="ignore"):
            return sums.sum(axis=0), counts.sum(axis=0), int(n_empty.sum())

    @property
    def sums(self):
        """Sum of the values of each feature, in float64."""
        return self._sums[0]

    @property
    def n_empty(self):
        """Number of rows without any value."""
        return self._sums[2]

    @property
    def counts(self):
        """Number of the values of each feature."""
        return self._sums[1]

    @functools.cached_property
    def mean(self):
        """Mean of the values of each feature: 0 if there are none, not finite if a sum is not."""
        sums, counts, _ = self._sums
        with np.errstate(over="ignore", invalid="ignore"):
            return (sums / np.maximum(counts, 1)).astype(self.dtype)

    @property
    def is_complete(self):
        """Whether no value is missing."""
        return int(self.counts.sum()) == self.values.size

    def check_rows(self):
        """Raise ValueError if rows have no value."""
        if self.n_empty:
            raise empty_rows_error(self)

    def sorted_sample(self, n_values):
        """Sorted values of each feature, n_values at most, then NaN; and how many each has."""
        sample = self.values[:: max(1, len(self) // n_values)][:n_values].copy()
        for f in np.flatnonzero(np.isnan(sample).sum(axis=0) * 2 > len(sample)):
            there = np.flatnonzero(~np.isnan(self.values[:, f]))
            there = there[:: max(1, len(there) // len(sample))][: len(sample)]
            sample[:, f] = np.nan
            sample[: len(there), f] = self.values[there, f]
        return np.sort(sample, axis=0), np.count_nonzero(~np.isnan(sample), axis=0)


class MissingRows(Panels):
    """Dense rows with missing values, as `Panels` with NaN in them; see `rows.protocol.Rows`.

    Parameters
    ----------
    X, sample_weight, origin, memory
        As of `Panels`; every row has a value.

    Attributes
    ----------
    n_observed : ndarray of shape (n_panels, lanes)
        Number of the values of each row.
    squares : ndarray of shape (n_features,), float64
        Sum of the squares of the values of each feature.
    largest_square : float
        Largest sum of the squares of the values of a row.
    features : ndarray of shape (n_panels or 0, n_features + 1), int32
        The features of each panel, as of `list_observed`, once rows are grouped.
    """

    def pack(self, order=None):
        """Fill the panels and their weights; find the facts of the values that are there."""
        super().pack(order)
        n_panels, d, lanes = self.values.shape
        chunks, is_order_of_X = self.value_chunks(), not len((order or self.order).rows)
        self.features = np.empty((0, d + 1), dtype=np.int32)
        self.n_observed = np.empty((n_panels, lanes), dtype=self.dtype)
        squares, largest = np.zeros((len(chunks), d, lanes)), np.empty(len(chunks))
        work = PACK_WORK * self.values.size
        describe_observed(chunks, self.values, self.n_observed, squares, largest, work=work)
        if is_order_of_X:  # in which facts are sums
            self.squares = squares.sum(axis=(0, 2))
        return Packed(float(self.squares.sum()), float(largest.max()), 0)

    def grouping_pays(self, n_clusters):
        """Whether a run on so many clusters should group the rows; one of few rows never does."""
        many = n_clusters >= GROUP_CLUSTERS and len(self.chunks(n_clusters)) > 1
        return many and self.can_be_reordered

    def group_patterns(self):
        """Put rows that lack the same features side by side, and list those of each panel.

        Few panels then need masks: distances are the same, and take less time. The order is the
        run's, as of `regroup`.
        """
        n_panels, d, _ = self.values.shape
        chunks, work = self.value_chunks(), PACK_WORK * self.values.size
        self._return_to_order_of_X()
        keys = np.empty((n_panels, self.lanes), dtype=np.int64)
        describe_patterns(chunks, self.values, keys, work=work)
        order = self._order_of_X()
        order.rows = np.arange(keys.size, dtype=np.int32).reshape(keys.shape)
        keys = self.unpadded(keys).astype(np.uint16)
        self.unpadded(order.rows)[:] = np.argsort(keys, kind="stable")
        self.order = order
        self.pack()
        features = np.empty((n_panels, d + 1), dtype=np.int32)
        list_observed(chunks, self.values, features, work=work)
        self.features = features

    def take(self, indices):
        """Rows by number, as centers: missing values are 0, as the origin is."""
        rows = super().take(indices)
        rows[np.isnan(rows)] = 0
        return rows

    # -- labels and distances --------------------------------------------------------------------

    def label_panels(self, centers):
        """Labels of the rows and their squared distances to these centers, as arrays of panels."""
        labels = np.empty((len(self.values), self.lanes), dtype=np.int32)
        distances_sq = aligned_empty(labels.shape, self.dtype)
        k = len(centers)
        chunks, work = self.chunks(2 * k), self.work(2 * k)
        assign_observed(
            chunks, self.values, self.features, *self._search(centers), labels, distances_sq,
            work=work,
        )  # fmt: skip
        return labels, distances_sq

    def _search(self, centers):
        """Number of centers, and these as the kernels that search the nearest read them."""
        tiles, *_ = tiles_of(centers, OBSERVED_TILE, 1.0)
        start = np.zeros((len(tiles), OBSERVED_TILE), dtype=self.dtype)
        start.ravel()[len(centers) :] = np.inf
        return len(centers), tiles, start

    def inertia_of(self, distances_sq):
        """Weighted sum of squared distances, as of `label_panels`."""
        distances_sq = self.unpadded(distances_sq)
        if len(self.weights):
            distances_sq = np.multiply(distances_sq, self.row_weights(), dtype=np.float64)
        return float(distances_sq.sum(dtype=np.float64))

    def assign_to_panels(self, centers, tiles=None):
        """Label of the nearest center of each row, in the order of the panels; without tiles."""
        return self.label_panels(centers)[0]

    def assign_to_panels_with_inertia(self, centers, tiles=None):
        """The same labels, and the weighted sum of the squared distances."""
        labels, distances_sq = self.label_panels(centers)
        return labels, self.inertia_of(distances_sq)

    def panel_distances_sq(self, centers, labels):
        """Squared distance of each row to the nearest center, which is that of its label."""
        return self.label_panels(centers)[1]

    def nearest(self, centers, tiles=None):
        """The same labels, and squared distances as of `nan_euclidean_distances`."""
        labels, distances_sq = self.label_panels(centers)
        distances_sq *= self.n_features / self.n_observed
        return self.order.row_labels(labels), self.order.row_labels(distances_sq)

    def label_inertias(self, centers, labels):
        """Inertia of the rows of each label, by a pass over all rows for each center."""
        of_label = [self.label_panels(centers[j : j + 1])[1] for j in range(len(centers))]
        placed = self.order.panel_labels(labels)
        return np.array([self.inertia_of(d * (placed == j)) for j, d in enumerate(of_label)])

    def transform(self, centers, distances_out, part=slice(None)):
        """Write the distance of each row to each center, as of `nan_euclidean_distances`."""
        tiles, *_ = tiles_of(centers, DISTANCE_TILE, 1.0)
        chunks = split(len(self.values), self.lanes * self.n_features * len(centers))
        tile = aligned_empty((len(chunks), DISTANCE_TILE, self.lanes), self.dtype)
        work = distances_out.size * (self.n_features + WRITE_WORK)
        transform_observed(chunks, self.values, tiles, tile, distances_out, work=work)
        distances_out *= np.sqrt(self.n_features / self.unpadded(self.n_observed))[:, np.newaxis]

    # -- statistics ------------------------------------------------------------------------------

    def statistics_of_changes(self, labels_old, labels, n_clusters):
        """What rows whose label changed add to the statistics of the clusters, and take from them.

        Parameters
        ----------
        labels_old, labels : ndarray of shape (n_panels, lanes), int32
            Labels before, -1 for none, and after.
        n_clusters : int
            Number of clusters.
        """
        panel_work = 2 * PACK_WORK * self.lanes * self.n_features
        chunks, sums = self._chunk_sums(n_clusters, panel_work)
        move_observed(
            chunks, self.values, self.weights, self.n_samples, labels_old, labels, *sums,
            work=panel_work * len(self.values),
        )  # fmt: skip
        return _sum_chunks(*sums)

    def _chunk_sums(self, n_clusters, panel_work):
        """Chunks for a pass with sums of the clusters, and zeros for these sums of each chunk."""
        most = most_with_sums(self.n_samples, 2 * n_clusters, self.dtype.itemsize)
        chunks = split(len(self.values), panel_work, min(most, MAX_CHUNKS))
        sums, feature_weights = np.zeros((2, len(chunks), n_clusters, self.n_features))
        weights = np.zeros((len(chunks), n_clusters))
        counts = np.zeros((len(chunks), n_clusters), dtype=np.int64)
        return chunks, (sums, feature_weights, weights, counts)

    def iterate(self, centers, labels_old, from_none, labels_out, distances_sq_out):
        """Label the rows, and return the number of changes and what they add to the statistics.

        Parameters
        ----------
        centers : ndarray of shape (n_clusters, n_features)
            The centers.
        labels_old : ndarray of shape (n_panels, lanes), int32
            Labels before, -1 for none.
        from_none : bool
            Whether the statistics are those of all rows, instead of what changes add to them.
        labels_out, distances_sq_out : ndarray of shape (n_panels, lanes)
            As of `label_panels`.
        """
        k = len(centers)
        panel_work = 2 * self.lanes * self.n_features * (k + PACK_WORK)
        chunks, sums = self._chunk_sums(k, panel_work)
        n_changed = np.empty(len(chunks), dtype=np.int64)
        iterate_observed(
            chunks, self.values, self.weights, self.n_samples, self.features,
            *self._search(centers), int(from_none), labels_old, labels_out, distances_sq_out,
            *sums, n_changed, work=panel_work * len(self.values),
        )  # fmt: skip
        return int(n_changed.sum()), _sum_chunks(*sums)

    def label_statistics(self, labels, n_clusters):
        """Statistics of the rows of each label, which are in the order of the panels."""
        return self.statistics_of_changes(filled(labels.shape, np.int32, -1), labels, n_clusters)

    def cluster_statistics(self, centers, tiles=None):
        """Statistics of the clusters of these centers."""
        labels, distances_sq = self.label_panels(centers)
        statistics = self.label_statistics(labels, len(centers))
        statistics.inertia = self.inertia_of(distances_sq)
        return statistics

    def count_unobserved(self, centers, labels):
        """Number of pairs of a cluster that has rows and a feature that all its rows lack."""
        return self.label_statistics(self.order.panel_labels(labels), len(centers)).n_unobserved

    # -- runs ------------------------------------------------------------------------------------

    def _seeding_kernel(self, n_points):
        """Kernel of rounds of seeding with so many points, and width of its tiles."""
        return variant("seed_rounds_observed", OBSERVED_SEEDING_TILE), OBSERVED_SEEDING_TILE

    def _seeding_weights(self):
        """Weights with which unscaled distances give the potentials of `nan_euclidean_distances`.

        That scales all squared distances of a row by n_features over the number of its values.
        """
        weights = self.n_features / self.n_observed
        if len(self.weights):
            return weights * self.weights
        self.padding(weights)[:] = 0
        return weights

    def start_lloyd(self, centers, skip=True, policy=None):
        """Start Lloyd's algorithm on these rows."""
        return MissingLloyd(self, centers)


def _sum_chunks(*sums):
    """Statistics of all chunks; see `arguments.ObservedSums`."""
    values, feature_weights, weights, counts = (of_chunks.sum(axis=0) for of_chunks in sums)
    return ObservedStatistics(values, weights, counts, feature_weights=feature_weights)
