"""Dense rows, packed into panels that serve seeding, every iteration and every restart."""

import math

import numpy as np

from fastclust._algorithms.arrays import aligned_empty, filled, readable, tiles_of
from fastclust._algorithms.chunks import (
    MAX_CHUNKS,
    MIN_CHUNK_WORK,
    most_with_sums,
    new_team,
    split,
)
from fastclust._algorithms.kmeans.panel_lloyd import PanelLloyd
from fastclust._algorithms.kmeans.precision import search_tiles
from fastclust._algorithms.kmeans.statistics import ClusterStatistics
from fastclust._algorithms.memory import check_memory
from fastclust._algorithms.rows.order import RowOrder
from fastclust._calls import (
    assign_by_differences,
    assign_nearest,
    assign_with_inertia,
    distances_to_labels,
    narrow_panels,
    pack_rows,
    sum_clusters,
    sum_columns,
    transform_rows,
    variant,
)
from fastclust._kernels.kmeans.constants import SEEDING_BLOCK_PANELS, WIDEST_SEEDING_TILE
from fastclust._kernels.launch import n_workers, steps_in_launch
from fastclust._kernels.simd.sizes import DISTANCE_TILE, VECTOR_BYTES

PACK_WORK = 8
"""Cost of packing one value, in multiply-adds of the vector kernels."""

POINT_WORK, WRITE_WORK = 4, 300
"""Cost of a distance beside its multiply-adds, and of writing one to memory for the first time, in
multiply-adds. With few features they are most of the work of a launch, whose length they limit."""

SIDE_BY_SIDE_VALUES = 64
"""Least number of values in the rows whose columns are summed side by side."""

PARALLEL_RUNS_WORK = 2**20
"""Multiply-adds of one iteration of all runs below which runs are not worth a thread each."""

ROW_BYTES = 16
"""Memory for a row beside its values, at least: label, distance, place."""

MOST_ROWS = 2**31 - 64
"""Most rows that can be put into another order: int32 numbers them, padding included."""

BLOCK_BYTES = 2**22
"""Bytes of a block of panels that are read once (predict, transform, score): they stay in cache."""


def estimate_mean(X):
    """Mean of the rows of X, accumulated in float64, in X's dtype; not finite if X is not."""
    with np.errstate(over="ignore", invalid="ignore"):  # the caller sees what is not finite
        return (sum_rows(X) / len(X)).astype(X.dtype)


def sum_rows(X):
    """Sum of the rows of X, in float64; not finite if X is not."""
    n_features = X.shape[1]
    side_by_side = -(-SIDE_BY_SIDE_VALUES // n_features)
    if side_by_side > 1:  # whole vectors: the sums of every chunk are then aligned
        side_by_side = -(-side_by_side // 4) * 4
    chunks = split(len(X), PACK_WORK * n_features)
    sums = aligned_empty((len(chunks), side_by_side, n_features), np.float64)
    flat_sums = sums.reshape(len(chunks), -1)
    values = readable(X).reshape(-1)
    sum_columns(chunks, values, n_features, flat_sums, work=PACK_WORK * X.size)
    with np.errstate(over="ignore", invalid="ignore"):
        return sums.sum(axis=(0, 1))


class Panels:
    """Dense rows with a point subtracted, or divided by their norms, as panels[p, f, lane].

    The attributes that are facts (sums over the rows, say) are computed once, in the order of X.
    The panels themselves hold the rows in the order of the run that started last: see `start_run`.

    Parameters
    ----------
    X : ndarray of shape (n_samples, n_features), float32 or float64, C-contiguous
        The rows; they are read again whenever they are put into another order.
    sample_weight : ndarray of shape (n_samples,) or None
        Weight of each row, of X's dtype; None for ones.
    origin : ndarray of shape (n_features,)
        What is subtracted from each row; the coordinates of every method are relative to it.
    buffer : ndarray, default=None
        Memory for the panels: the `values` of other `Panels`, which are not smaller.
    numbers : ndarray of int of shape (n_samples,), default=None
        Which rows of X these are, where they are a part of X; all by default. Their own numbers
        are then from 0 to n_samples - 1.
    unit : bool, default=False
        Whether rows are divided by their norms; the origin is 0 then. Rows of norm 0 stay.

    Attributes
    ----------
    values : ndarray of shape (n_panels, n_features, lanes)
        The panels.
    memory : ndarray of shape (n_panels or more, n_features, lanes)
        Where they are: rows that take their place may be as many as fit in there.
    weights : ndarray of shape (n_panels, lanes) or (0, lanes)
        Sample weights in the order of the panels, 0 for the padding; none if all are 1.
    order : RowOrder
        The order of the rows in the panels.
    total_square : float
        Sum of the squares of all values.
    largest_square : float
        Largest squared norm of a row.
    n_zero : int
        Rows that have no direction, where rows are unit vectors.
    scatter : ndarray of shape (n_features, n_features) or None
        Sum of x x' over the rows, once a mixture has asked for it.
    """

    def __init__(self, X, sample_weight, origin, buffer=None, numbers=None, unit=False):
        if numbers is not None and len(X) > MOST_ROWS:  # more than the kernel's order can number
            sample_weight = None if sample_weight is None else sample_weight[numbers]
            X, numbers = X.take(numbers, axis=0), None
        self.n_samples = len(X) if numbers is None else len(numbers)
        self.n_features = X.shape[1]
        self.unit = unit
        self.dtype = X.dtype
        self.lanes = VECTOR_BYTES // X.dtype.itemsize
        n_panels = -(-self.n_samples // self.lanes)
        shape = (n_panels, self.n_features, self.lanes)
        if buffer is None:
            needed = math.prod(shape) * self.dtype.itemsize + ROW_BYTES * self.n_samples
            check_memory(needed, f"A computation on {self.n_samples:,} x {self.n_features} rows")
        self.memory = aligned_empty(shape, X.dtype) if buffer is None else buffer
        self.values = self.memory[:n_panels]
        self._X, self.origin, self._sample_weight = readable(X), readable(origin), sample_weight
        self._numbers = self._memory_f32 = None
        if numbers is not None:  # the last row stands in for padding
            self._numbers = np.full((n_panels, self.lanes), numbers[-1], dtype=np.int32)
            self.unpadded(self._numbers)[:] = numbers
        self.order, self.scatter = self._order_of_X(), None
        self.total_square, self.largest_square, self.n_zero = self.pack()

    def start_run(self):
        """Put the rows into the order of X, in which every run begins.

        What the panels hold belongs to the run that started last, and only it may reorder them.
        Several runs may share them at the same time as long as none reorders them.

        Returns
        -------
        order : RowOrder
            The order of the rows in this run.
        """
        self._return_to_order_of_X()
        self.order = self._order_of_X()  # a new one, which only this run may change
        return self.order

    def _return_to_order_of_X(self):
        if len(self.order.rows) > 0:
            order = self._order_of_X()
            self._pack(order)
            self.order = order  # now that it is true, as another thread may ask

    def _order_of_X(self):
        return RowOrder(self.n_samples, (len(self.values), self.lanes))

    def regroup(self, order, labels, distances_sq, n_clusters):
        """Put rows of a label side by side, and those equally far from its center together.

        Parameters
        ----------
        order : RowOrder
            The order of the run that asks for it, which changes.
        labels : ndarray of shape (n_panels, lanes), int32
            Label of each row.
        distances_sq : ndarray of shape (n_panels, lanes)
            Squared distance of each row to the center of its label.
        n_clusters : int
            Number of labels.

        Returns
        -------
        labels, distances_sq : ndarray of shape (n_panels, lanes)
            The same in the new order.

        Raises
        ------
        RuntimeError
            If another run has started since.
        """
        if self.order is not order:
            raise RuntimeError("Another run has started on these rows.")
        labels, distances_sq = order.sort(labels, distances_sq, n_clusters)
        self.pack()
        return labels, distances_sq

    def pack(self):
        """Fill the panels and their weights with the rows, in their present order; see `_pack`."""
        return self._pack(self.order)

    def _pack(self, order):
        """Fill the panels and their weights with the rows, in this order.

        Returns
        -------
        total_square, largest_square : float
            Sum of the squares of all values, and the largest squared norm of a row.
        n_zero : int
            Rows of norm 0, where rows are divided by it.
        """
        X, n_panels = self._X, len(self.values)
        order, numbers_in_X = order.rows, self._numbers
        if numbers_in_X is not None:  # of a part of X
            order = numbers_in_X.ravel()[order] if len(order) else numbers_in_X
        self._panels_f32 = None  # and its memory stays
        chunks = split(n_panels, PACK_WORK * self.lanes * self.n_features)
        numbers = np.empty((len(chunks), self.lanes), dtype=np.int64)
        norms = np.empty((len(chunks), self.lanes))
        squares, largest = np.empty(len(chunks)), np.empty(len(chunks))
        n_zero = np.empty(len(chunks), dtype=np.int64)
        pack_rows(
            chunks, X, self.origin, order, int(self.unit), numbers, norms, self.values, squares,
            largest, n_zero, work=PACK_WORK * self.n_samples * self.n_features,
        )  # fmt: skip
        total_square = float(squares.sum())
        if self._numbers is not None:
            total_square -= self._clear_padding()
        self.weights = np.empty((0, self.lanes), dtype=X.dtype)
        if self._sample_weight is not None:
            self.weights = np.zeros((n_panels, self.lanes), dtype=X.dtype)
            rows = self.unpadded(order) if len(order) else slice(None)
            self.unpadded(self.weights)[:] = self._sample_weight[rows]
        return total_square, float(largest.max()), int(n_zero.sum()) if self.unit else 0

    def _clear_padding(self):
        """Fill the padding with zeros; return the sum of the squares that were there.

        The kernel does so after the last row of X, but not where these are a part of X.
        """
        n_padding = self.values.shape[0] * self.lanes - self.n_samples
        if n_padding == 0:
            return 0.0
        padding = self.values[-1, :, -n_padding:]
        with np.errstate(over="ignore"):  # such rows are scaled
            square = float(np.square(padding, dtype=np.float64).sum())
        padding[:] = 0
        return square if square < math.inf else 0.0

    @property
    def can_be_reordered(self):
        """Whether the rows can be numbered for another order."""
        return self.n_samples <= MOST_ROWS

    def drop_f32(self):
        """Free the memory of the rows in float32."""
        self._panels_f32 = self._memory_f32 = None

    def has_room(self, n_samples, dtype):
        """Whether the memory of these rows is enough for others of this number and type."""
        return dtype == self.dtype and n_samples <= len(self.memory) * self.lanes

    def take_memory_f32(self, panels):
        """Take the memory of other rows in float32, which are not used again."""
        self._memory_f32, panels._memory_f32 = panels._memory_f32, None
        panels._panels_f32 = None

    @property
    def has_f32(self):
        """Whether the rows are there in float32 as well."""
        return self._panels_f32 is not None

    def panels_f32(self):
        """Every two panels side by side in float32, made at the first call."""
        if self._panels_f32 is None:
            n_pairs = -(-len(self.values) // 2)
            if self._memory_f32 is None or len(self._memory_f32) < n_pairs:
                shape = n_pairs, self.n_features, 2 * self.lanes
                self._memory_f32 = aligned_empty(shape, np.float32)
            panels_f32 = self._memory_f32[:n_pairs]
            chunks = split(n_pairs, 2 * PACK_WORK * self.lanes * self.n_features)
            narrow_panels(chunks, self.values, panels_f32, work=PACK_WORK * self.values.size)
            self._panels_f32 = panels_f32  # two threads at once may both make them
        return self._panels_f32

    @classmethod
    def blocks(cls, X, sample_weight, origin, numbers=None, unit=False):
        """Yield (first row, Panels) of consecutive blocks of X, in one buffer.

        Where there are numbers, the blocks are of X[numbers].
        """
        row_bytes = X.shape[1] * X.dtype.itemsize
        lanes = VECTOR_BYTES // X.dtype.itemsize
        n_rows = max(1, BLOCK_BYTES // (row_bytes * lanes)) * lanes
        buffer = None
        for first in range(0, len(X) if numbers is None else len(numbers), n_rows):
            part = slice(first, first + n_rows)
            if numbers is None:
                weights = None if sample_weight is None else sample_weight[part]
                panels = cls(X[part], weights, origin, buffer, unit=unit)
            else:
                panels = cls(X, sample_weight, origin, buffer, numbers[part])
            buffer = panels.values if buffer is None else buffer
            yield first, panels

    def value_chunks(self):
        """Chunks of panels for a pass that reads every value once."""
        return self.chunks(PACK_WORK)

    def chunks(self, n_clusters, max_chunks=MAX_CHUNKS, min_work=MIN_CHUNK_WORK):
        """Chunks of panels for a pass that computes the distance of every row to every center."""
        panel_work = self.lanes * self.n_features * n_clusters
        return split(len(self.values), panel_work, max_chunks, min_work)

    def even_chunks(self, n_clusters, max_chunks, min_work):
        """Chunks as of `chunks`, or fewer, each of which begins at an even panel."""
        n_panels = len(self.values)
        n_pairs = -(-n_panels // 2)
        n_chunks = min(n_pairs, len(self.chunks(n_clusters, max_chunks, min_work)))
        chunks = split(n_pairs, min_work, n_chunks, min_work) * [1, 2, 2]
        chunks[-1, 2] = n_panels
        return chunks

    def work(self, n_clusters):
        """Multiply-adds of a pass in chunks of `chunks(n_clusters)`."""
        return self.n_samples * self.n_features * n_clusters

    def is_small(self, n_clusters, n_runs):
        """Whether runs should take a thread each: each is one chunk, but all are enough work."""
        enough = self.work(n_clusters) * n_runs > PARALLEL_RUNS_WORK
        return enough and len(self.chunks(n_clusters)) == 1

    def new_labels(self):
        """Labels of no cluster, for the rows and the padding."""
        return filled((len(self.values), self.lanes), np.int32, -1)

    def unpadded(self, values):
        """A value for each row, in the order of the panels: the array without its padding."""
        return values.ravel()[: self.n_samples]

    def padding(self, values):
        """The other entries of such an array, which belong to no row."""
        return values.ravel()[self.n_samples :]

    def row_weights(self):
        """Sample weights, in the order of the panels."""
        if len(self.weights):
            return self.unpadded(self.weights)
        return np.ones(self.n_samples, dtype=self.dtype)

    def take(self, indices):
        """Return rows by number, as the panels hold them, of shape (n_indices, n_features)."""
        if self.unit:
            self._return_to_order_of_X()
            p, i = np.divmod(indices, self.lanes)
            return self.values[p, :, i]
        if self._numbers is not None:
            indices = self._numbers.ravel()[indices]
        return self._X.take(indices, axis=0) - self.origin

    def mean(self):
        """Mean of the rows, whatever their weights, as the panels hold them, in float64."""
        labels = np.zeros((len(self.values), self.lanes), dtype=np.int32)
        return self.sum_clusters(labels, 1, weighted=False)[0][0] / self.n_samples

    def assign(self, centers, tiles=None):
        """Label of the nearest center of each row, in the order of X."""
        return self.order.row_labels(self.assign_to_panels(centers, tiles))

    def assign_with_inertia(self, centers, tiles=None):
        """The same labels, and the weighted sum of the squared distances."""
        labels, inertia = self.assign_to_panels_with_inertia(centers, tiles)
        return self.order.row_labels(labels), inertia

    def nearest(self, centers, tiles=None):
        """The same labels, and the squared distances, in the order of X."""
        labels = self.assign_to_panels(centers, tiles)
        distances_sq = self.panel_distances_sq(centers, labels)
        return self.order.row_labels(labels), self.order.row_labels(distances_sq)

    def cluster_statistics(self, centers):
        """Statistics of the clusters of these centers."""
        labels, inertia = self.assign_to_panels_with_inertia(centers)
        sums, weights, counts = self.sum_clusters(labels, len(centers))
        return ClusterStatistics(sums, weights, counts, inertia)

    def assign_to_panels(self, centers, tiles=None):
        """Label of the nearest center of each row, in the order of the panels, padding included."""
        labels = np.empty((len(self.values), self.lanes), dtype=np.int32)
        tiles, center_sq, lose_digits = tiles or search_tiles(centers)
        if lose_digits:
            return self.assign_by_differences(centers, tiles)
        k = len(centers)
        assign_nearest(self.chunks(k), self.values, k, tiles, center_sq, labels, work=self.work(k))
        return labels

    def assign_to_panels_with_inertia(self, centers, tiles=None):
        """The same labels, and the weighted sum of the squared distances."""
        tiles, center_sq, lose_digits = tiles or search_tiles(centers)
        if lose_digits:
            labels = self.assign_by_differences(centers, tiles)
            return labels, self.inertia(centers, labels)
        labels = np.empty((len(self.values), self.lanes), dtype=np.int32)
        chunks = self.chunks(len(centers))
        inertia = np.empty(len(chunks))
        assign_with_inertia(
            chunks, self.values, self.weights, self.n_samples, centers, tiles, center_sq, labels,
            inertia, work=self.work(len(centers)),
        )  # fmt: skip
        return labels, float(np.add.reduce(inertia))

    def assign_by_differences(self, centers, tiles):
        """The labels of `assign_to_panels`, where squares of the centers would cancel."""
        labels = np.empty((len(self.values), self.lanes), dtype=np.int32)
        chunks, k = self.chunks(2 * len(centers)), len(centers)
        assign_by_differences(chunks, self.values, k, tiles, labels, work=self.work(2 * k))
        return labels

    def inertia(self, centers, labels):
        """Weighted sum of the squared distances of the rows to the centers of their labels."""
        distances_sq = self.distances_sq(centers, labels)
        if len(self.weights):
            distances_sq = np.multiply(distances_sq, self.row_weights(), dtype=np.float64)
        return float(distances_sq.sum(dtype=np.float64))

    def label_inertias(self, centers, labels):
        """Inertia of the rows of each label, which are in the order of X."""
        labels = self.order.panel_labels(labels)
        distances_sq = self.distances_sq(centers, labels)
        if len(self.weights):
            distances_sq = np.multiply(distances_sq, self.row_weights(), dtype=np.float64)
        return np.bincount(self.unpadded(labels), distances_sq, len(centers))

    def distances_sq(self, centers, labels):
        """Squared distance of each row to the center of its label, in the order of the panels."""
        return self.unpadded(self.panel_distances_sq(centers, labels))

    def panel_distances_sq(self, centers, labels):
        """The same distances, as an array of panels with the padding."""
        distances_sq = aligned_empty((len(self.values), self.lanes), self.dtype)
        distances_to_labels(
            self.value_chunks(), self.values, centers, labels, distances_sq,
            work=PACK_WORK * self.values.size,
        )  # fmt: skip
        return distances_sq

    def sum_clusters(self, labels, n_clusters, weighted=True):
        """Sums of the rows, sums of the weights and numbers of rows of each label.

        The labels are in the order of the panels. All weights are 1 if not `weighted`.
        """
        row_weights = self.weights if weighted else self.weights[:0]
        max_chunks = most_with_sums(self.n_samples, n_clusters, self.dtype.itemsize)
        panel_work = PACK_WORK * self.lanes * self.n_features
        chunks = split(len(self.values), panel_work, min(max_chunks, MAX_CHUNKS))
        sums = np.zeros((len(chunks), n_clusters, self.n_features))
        weights = np.zeros((len(chunks), n_clusters))
        counts = np.zeros((len(chunks), n_clusters), dtype=np.int64)
        sum_clusters(
            chunks, self.values, row_weights, self.n_samples, labels, sums, weights, counts,
            work=panel_work * len(self.values),
        )  # fmt: skip
        return sums.sum(axis=0), weights.sum(axis=0), counts.sum(axis=0)

    def mean_differences(self, centers, labels):
        """Mean of the rows of each label less its center, of shape (n_clusters, n_features).

        The labels are in the order of the panels.
        """
        sums, masses = self.sum_differences(centers, labels)
        return sums / masses[:, np.newaxis]

    def sum_differences(self, centers, labels):
        """Sums of the rows of each label less its center, and sums of their weights."""
        n_clusters, block = len(centers), max(1, BLOCK_BYTES // self.values[0].nbytes)
        sums, masses = np.zeros(centers.shape), np.zeros(n_clusters)
        for first in range(0, len(self.values), block):
            part = slice(first, first + block)
            values = self.values[part] - centers[labels[part]].swapaxes(1, 2)
            weights = self.weights[part]
            n_rows = min(self.n_samples - first * self.lanes, len(values) * self.lanes)
            block_sums = np.zeros((1, n_clusters, self.n_features))
            block_weights = np.zeros((1, n_clusters))
            counts = np.zeros((1, n_clusters), dtype=np.int64)
            sum_clusters(
                split(len(values), 0.0)[:1], values, weights, n_rows, labels[part], block_sums,
                block_weights, counts,
            )  # fmt: skip
            sums += block_sums[0]
            masses += block_weights[0]
        return sums, masses

    def transform(self, centers, distances_out, part=slice(None)):
        """Write the distance of each row, or of the rows of these panels, to each center."""
        tiles, *_ = tiles_of(centers, DISTANCE_TILE, 1.0)
        values = self.values[part]
        row_work = self.n_features * len(centers)
        chunks = split(len(values), self.lanes * row_work)
        tile = aligned_empty((len(chunks), DISTANCE_TILE, self.lanes), self.dtype)
        work = distances_out.size * (self.n_features + WRITE_WORK)
        transform_rows(chunks, values, tiles, tile, distances_out, work=work)

    def run_seeding(self, first, uniforms):
        """Rows that greedy k-means++ takes as seeds.

        Parameters
        ----------
        first : int
            Row of the first seed.
        uniforms : ndarray of shape (n_clusters - 1, n_candidates), float64
            Draws from [0, 1), a row for each round.

        Returns
        -------
        indices : ndarray of shape (n_clusters,), int64
            Rows of the seeds.
        """
        self._return_to_order_of_X()  # draws look rows up in it
        n_panels, (n_rounds, n_candidates) = len(self.values), uniforms.shape
        n_tiles = -(-(n_candidates + 1) // WIDEST_SEEDING_TILE)  # of the last seed and candidates
        width = -(-(n_candidates + 1) // n_tiles)
        n_blocks = -(-n_panels // SEEDING_BLOCK_PANELS)
        round_work = self.work(2 * n_tiles * width)
        chunks = split(n_blocks, round_work / n_blocks)
        indices = filled(n_rounds + 1, np.int64, first)
        closest_sq = filled((n_panels, self.lanes), self.dtype, np.inf)
        self.padding(closest_sq)[:] = 0
        buffers = (
            np.empty(n_candidates, dtype=np.int64),
            np.zeros((n_tiles, self.n_features, width), dtype=self.dtype),
            closest_sq,
            np.empty((n_blocks, n_tiles, width)),
            np.empty(n_blocks),
        )
        point_work = n_panels * self.lanes * 2 * n_tiles * width * POINT_WORK
        step = max(1, int(steps_in_launch(chunks, round_work + point_work)))
        seed_rounds = variant("seed_rounds", width)
        for j in range(0, n_rounds + 1, step):
            seed_rounds(
                chunks, self.values, self.weights, uniforms, n_workers(chunks),
                j, min(j + step, n_rounds + 1), new_team(), np.array([j - 1]),
                indices, *buffers,
            )  # fmt: skip
        return indices

    def start_lloyd(self, centers, skip=True, policy=None):
        """Start Lloyd's algorithm on these rows, which may skip distances; see `PanelLloyd`."""
        state = PanelLloyd(self, centers, skip, policy)
        state.prepare()
        return state
