"""Dense rows, packed into panels that serve seeding, every iteration and every restart."""

from typing import Any

import numpy as np

from fastclust._algorithms.arrays import aligned_empty, filled, readable, tiles_of
from fastclust._algorithms.chunks import MAX_CHUNKS, MIN_CHUNK_WORK, most_with_sums, split
from fastclust._algorithms.kmeans.panel_lloyd import PanelLloyd
from fastclust._algorithms.kmeans.panel_seeding import seed_panels
from fastclust._algorithms.kmeans.precision import search_tiles
from fastclust._algorithms.kmeans.statistics import ClusterStatistics
from fastclust._algorithms.rows.dense import MOST_ROWS, PACK_WORK, ArrayRows, PanelMemory
from fastclust._algorithms.rows.order import RowOrder
from fastclust._calls import (
    assign_by_differences,
    assign_nearest,
    assign_with_inertia,
    distances_to_labels,
    narrow_panels,
    sum_clusters,
    sum_label_distances,
    transform_rows,
    variant,
)
from fastclust._kernels.kmeans.constants import WIDEST_SEEDING_TILE
from fastclust._kernels.simd.sizes import DISTANCE_TILE, VECTOR_BYTES

LABEL_WORK = 96
"""Cost of labelling a row beside its distances, in multiply-adds of the vector kernels: with few
clusters and features it is most of a pass (benchmarks/ablate_constants.py)."""

WRITE_WORK = 300
"""Cost of writing a distance to memory for the first time, in multiply-adds. With few features it
is most of the work of a launch, whose length it limits."""

PARALLEL_RUNS_WORK = 2**20
"""Multiply-adds of one iteration of all runs below which runs are not worth a thread each."""

BLOCK_BYTES = 2**22
"""Bytes of a block of panels that are read once (predict, transform, score): they stay in cache."""


class Panels:
    """Dense rows with a point subtracted, or divided by their norms, as panels[p, f, lane].

    The attributes that are facts (sums over the rows, say) are computed once, in the order of X.
    The panels themselves hold the rows in the order of the run that started last: see `start_run`.

    Parameters
    ----------
    X : ndarray of shape (n_samples, n_features), float32 or float64, C-contiguous, or ArrayRows
        The rows; they are read again whenever they are put into another order.
    sample_weight : ndarray of shape (n_samples,) or None
        Weight of each row, of X's dtype; None for ones.
    origin : ndarray of shape (n_features,)
        What is subtracted from each row; the coordinates of every method are relative to it. It is
        0 where rows are divided by their norms.
    memory : PanelMemory, default=None
        Memory of other panels, which are not used again.

    Attributes
    ----------
    values : ndarray of shape (n_panels, n_features, lanes)
        The panels.
    memory : PanelMemory
        Where they are.
    weights : ndarray of shape (n_panels, lanes) or (0, lanes)
        Sample weights in the order of the panels, 0 for the padding; none if all are 1.
    order : RowOrder
        The order of the rows in the panels.
    total_square, largest_square, n_zero : float, float, int
        As of `dense.Packed`.
    scatter : ndarray of shape (n_features, n_features) or None
        Sum of x x' over the rows, once a mixture has asked for it.
    """

    def __init__(self, X, sample_weight, origin, memory=None):
        source = X if isinstance(X, ArrayRows) else ArrayRows(X)
        self._source: Any = source  # None once the panels are detached from it
        self.n_samples, self.n_features = source.n_samples, source.n_features
        self.dtype, self.unit = source.dtype, source.unit
        self.lanes = VECTOR_BYTES // self.dtype.itemsize
        self.memory = PanelMemory() if memory is None else memory
        self.values = self.memory.values(self.n_samples, self.n_features, self.dtype)
        self.origin, self._sample_weight = readable(origin), sample_weight
        self.order, self.scatter = self._order_of_X(), None
        self.total_square, self.largest_square, self.n_zero = self.pack()

    def __getstate__(self):
        """Panels travel without the array that they were made of.

        They must be in the order of X, as those of blocks always are.
        """
        left_out = {"_source": None, "memory": None, "_panels_f32": None}
        return self.__dict__ | left_out | {"order": None}

    def __setstate__(self, state):
        self.__dict__.update(state)
        values = aligned_empty(state["values"].shape, self.dtype)
        values[:] = state["values"]  # a message has it at any address
        self.values, self.weights = values, np.array(state["weights"])
        self.origin, self.order = readable(self.origin), self._order_of_X()

    def detach(self):
        """Let go of the array that the panels were made of: they then keep the order of X."""
        self._source = None

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
        """Put the rows back into the order of X, if a run has left another."""
        if len(self.order.rows) > 0:
            order = self._order_of_X()
            self.pack(order)
            self.order = order  # now that it is true, as another thread may ask

    def _order_of_X(self):
        """A new `RowOrder`, which is that of X."""
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

    def pack(self, order=None):
        """Fill the panels and their weights, in the order of the rows or another; see `Packed`."""
        order = order or self.order
        self._panels_f32 = None  # and its memory stays
        packed = self._source.pack(order.rows, self.origin, self.values)
        self.weights = np.empty((0, self.lanes), dtype=self.dtype)
        if self._sample_weight is not None:
            self.weights = np.zeros((len(self.values), self.lanes), dtype=self.dtype)
            rows = self.unpadded(order.rows) if len(order.rows) else slice(None)
            self.unpadded(self.weights)[:] = self._sample_weight[rows]
        return packed

    @property
    def can_be_reordered(self):
        """Whether the rows can be numbered for another order."""
        return self.n_samples <= MOST_ROWS

    def drop_f32(self):
        """Free the memory of the rows in float32."""
        self._panels_f32 = None
        self.memory.drop_f32()

    @property
    def has_f32(self):
        """Whether the rows are there in float32 as well."""
        return self._panels_f32 is not None

    def panels_f32(self):
        """Every two panels side by side in float32, made at the first call."""
        if self._panels_f32 is None:
            n_pairs = -(-len(self.values) // 2)
            panels_f32 = self.memory.values_f32((n_pairs, self.n_features, 2 * self.lanes))
            chunks = split(n_pairs, 2 * PACK_WORK * self.lanes * self.n_features)
            narrow_panels(chunks, self.values, panels_f32, work=PACK_WORK * self.values.size)
            self._panels_f32 = panels_f32  # two threads at once may both make them
        return self._panels_f32

    @classmethod
    def blocks(cls, X, sample_weight, origin):
        """Yield (first row, Panels) of consecutive blocks of the rows, in the same memory."""
        rows = X if isinstance(X, ArrayRows) else ArrayRows(X)
        row_bytes = rows.n_features * rows.dtype.itemsize
        lanes = VECTOR_BYTES // rows.dtype.itemsize
        n_rows = max(1, BLOCK_BYTES // (row_bytes * lanes)) * lanes
        memory = PanelMemory()
        for first in range(0, rows.n_samples, n_rows):
            part = slice(first, first + n_rows)
            weights = None if sample_weight is None else sample_weight[part]
            yield first, cls(rows.block(part), weights, origin, memory)

    def value_chunks(self):
        """Chunks of panels for a pass that reads every value once."""
        return self.chunks(PACK_WORK)

    def chunks(self, n_clusters, max_chunks=MAX_CHUNKS, min_work=MIN_CHUNK_WORK):
        """Chunks of panels for a pass that computes the distance of every row to every center."""
        panel_work = self.lanes * (self.n_features * n_clusters + LABEL_WORK)
        return split(len(self.values), panel_work, max_chunks, min_work)

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
        return self._source.take(indices, self.origin)

    def take_packed(self, indices):
        """The same rows, from the panels, which are in the order of X."""
        p, i = np.divmod(indices, self.lanes)
        return self.values[p, :, i]

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

    def cluster_statistics(self, centers, tiles=None):
        """Statistics of the clusters of these centers."""
        labels, inertia = self.assign_to_panels_with_inertia(centers, tiles)
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
        labels, chunks = self.order.panel_labels(labels), self.value_chunks()
        self.padding(labels)[:] = -1
        inertias = np.zeros((len(chunks), len(centers)))
        sum_label_distances(
            chunks, self.values, self.weights, readable(centers), labels, inertias,
            work=self.work(len(centers)),
        )  # fmt: skip
        return inertias.sum(axis=0)

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
        """Rows that greedy k-means++ takes as seeds; see `protocol.Rows.run_seeding`."""
        self._return_to_order_of_X()  # draws look rows up in it
        kernel, width = self._seeding_kernel(uniforms.shape[1] + 1)  # and the last seed
        return seed_panels(self, first, uniforms, kernel, width, self._seeding_weights())

    def _seeding_kernel(self, n_points):
        """Kernel of rounds of seeding with so many points, and width of its tiles."""
        width = -(-n_points // -(-n_points // WIDEST_SEEDING_TILE))
        return variant("seed_rounds", width), width

    def _seeding_weights(self):
        """Weights of the rows in potentials, in the order of the panels."""
        return self.weights

    def start_lloyd(self, centers, skip=True, policy=None):
        """Start Lloyd's algorithm on these rows, which may skip distances; see `PanelLloyd`."""
        state = PanelLloyd(self, centers, skip, policy)
        state.prepare()
        return state
