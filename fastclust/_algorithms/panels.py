"""Dense rows, packed once into panels that serve seeding, every iteration and every restart."""

import math

import numpy as np

from fastclust._algorithms.slots import MAX_SLOTS, split
from fastclust._algorithms.statistics import (
    RESUM_EVERY,
    ClusterStatistics,
    Progress,
    update_centers,
)
from fastclust._kernels import lloyd, seeding
from fastclust._kernels.assign import assign_nearest, assign_with_inertia
from fastclust._kernels.centers import tile_centers
from fastclust._kernels.distances import distances_to_labels, transform_rows
from fastclust._kernels.jit import steps_in_launch
from fastclust._kernels.rows import pack_rows, sum_columns
from fastclust._kernels.simd import DISTANCE_TILE, TILE, VECTOR_BYTES

PACK_WORK = 8
"""Cost of packing one value, in multiply-adds of the vector kernels."""

BLOCK_BYTES = 2**22
"""Panels of rows that are only passed through (predict, transform, score): they stay in cache."""

GATE_TEST_COST, GATE_BOUND_COST, GATE_COPY_COST = 150, 150, 5
"""Vector operations that the gate takes to test a panel, to make its slack, to copy a value."""


def aligned_empty(shape, dtype):
    """Uninitialised array whose vectors do not straddle cache lines."""
    n_bytes = math.prod(shape) * np.dtype(dtype).itemsize
    buffer = np.empty(n_bytes + VECTOR_BYTES, dtype=np.uint8)
    offset = -buffer.ctypes.data % VECTOR_BYTES
    return buffer[offset : offset + n_bytes].view(dtype).reshape(shape)


def estimate_mean(X):
    """Mean of the rows of X, accumulated in float64, in X's dtype."""
    slots = split(len(X), PACK_WORK * X.shape[1])
    sums = np.empty((len(slots), X.shape[1]))
    sum_columns(slots, X, sums, work=PACK_WORK * X.size)
    return (sums.sum(axis=0) / len(X)).astype(X.dtype)


class Panels:
    """Dense rows with a mean subtracted, as panels[p, f, lane].

    Parameters
    ----------
    X : ndarray of shape (n_samples, n_features), float32 or float64, C-contiguous
        The rows; they are read once.
    sample_weight : ndarray of shape (n_samples,) or None
        Weight of each row, of X's dtype; None for ones.
    mean : ndarray of shape (n_features,)
        What is subtracted from each row; the coordinates of every method are relative to it.
    buffer : ndarray, default=None
        Memory for the panels, of another, not smaller, `Panels.values`.

    Attributes
    ----------
    values : ndarray of shape (n_panels, n_features, lanes)
        The panels.
    total_square : float
        Sum of the squares of all values.
    largest_square : float
        Largest squared norm of a row.
    """

    def __init__(self, X, sample_weight, mean, buffer=None):
        self.n_samples, self.n_features = X.shape
        self.dtype = X.dtype
        self.lanes = VECTOR_BYTES // X.dtype.itemsize
        n_panels = -(-self.n_samples // self.lanes)
        shape = (n_panels, self.n_features, self.lanes)
        self.values = aligned_empty(shape, X.dtype) if buffer is None else buffer[:n_panels]
        slots = split(n_panels, PACK_WORK * self.lanes * self.n_features)
        squares, largest = np.empty(len(slots)), np.empty(len(slots))
        pack_rows(slots, X, mean, self.values, squares, largest, work=PACK_WORK * X.size)
        self.total_square = float(squares.sum())
        self.largest_square = float(largest.max())
        self.weights = np.empty((0, self.lanes), dtype=X.dtype)
        if sample_weight is not None:
            self.weights = np.zeros((n_panels, self.lanes), dtype=X.dtype)
            self.weights.ravel()[: self.n_samples] = sample_weight

    @classmethod
    def blocks(cls, X, sample_weight, mean):
        """Yield (first row, Panels) of consecutive blocks of X, in one buffer."""
        row_bytes = X.shape[1] * X.dtype.itemsize
        lanes = VECTOR_BYTES // X.dtype.itemsize
        n_rows = max(1, BLOCK_BYTES // (row_bytes * lanes)) * lanes
        buffer = None
        for first in range(0, len(X), n_rows):
            part = slice(first, first + n_rows)
            weights = None if sample_weight is None else sample_weight[part]
            panels = cls(X[part], weights, mean, buffer)
            buffer = panels.values if buffer is None else buffer
            yield first, panels

    def slots(self, n_clusters, max_slots=MAX_SLOTS):
        """Slots of panels for a pass that meets every row with every center."""
        return split(len(self.values), self.lanes * self.n_features * n_clusters, max_slots)

    def work(self, n_clusters):
        """Multiply-adds of such a pass."""
        return self.n_samples * self.n_features * n_clusters

    def new_labels(self):
        """Labels of no cluster, for the rows and the padding."""
        return np.full((len(self.values), self.lanes), -1, dtype=np.int32)

    def row_labels(self, labels):
        """The labels, or what else there is one of for each row, without the padding."""
        return labels.ravel()[: self.n_samples]

    def row_padding(self, values):
        """The entries of such an array that belong to no row."""
        return values.ravel()[self.n_samples :]

    def row_weights(self):
        """Sample weights of the rows."""
        if len(self.weights):
            return self.row_labels(self.weights)
        return np.ones(self.n_samples, dtype=self.dtype)

    def take(self, indices):
        """Return rows by index, of shape (n_indices, n_features)."""
        indices = np.asarray(indices)
        return np.ascontiguousarray(self.values[indices // self.lanes, :, indices % self.lanes])

    def assign(self, centers):
        """Label of the nearest center of each row, padding included."""
        labels = np.empty((len(self.values), self.lanes), dtype=np.int32)
        tiles, center_sq = tiles_of(centers, TILE, -2.0)
        k = len(centers)
        assign_nearest(self.slots(k), self.values, k, tiles, center_sq, labels, work=self.work(k))
        return labels

    def assign_with_inertia(self, centers):
        """Labels, padding included, and the weighted sum of the squared distances."""
        labels = np.empty((len(self.values), self.lanes), dtype=np.int32)
        tiles, center_sq = tiles_of(centers, TILE, -2.0)
        slots = self.slots(len(centers))
        distances_sq = aligned_empty((len(slots), self.lanes), self.dtype)
        inertia = np.empty(len(slots))
        assign_with_inertia(
            slots, self.values, self.weights, self.n_samples, centers, tiles, center_sq, labels,
            distances_sq, inertia, work=self.work(len(centers)),
        )  # fmt: skip
        return labels, float(inertia.sum())

    def distances_sq(self, centers, labels):
        """Squared distance of each row to the center of its label."""
        distances_sq = aligned_empty((len(self.values), self.lanes), self.dtype)
        distances_to_labels(self.slots(PACK_WORK), self.values, centers, labels, distances_sq)
        return self.row_labels(distances_sq)

    def transform(self, centers, distances_out):
        """Write the distance of each row to each center."""
        tiles, _ = tiles_of(centers, DISTANCE_TILE, 1.0)
        slots = self.slots(len(centers))
        block = aligned_empty((len(slots), DISTANCE_TILE, self.lanes), self.dtype)
        work = self.work(len(centers))
        transform_rows(slots, self.values, tiles, block, distances_out, work=work)

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
        n_panels, (n_rounds, n_candidates) = len(self.values), uniforms.shape
        n_tiles = -(-(n_candidates + 1) // seeding.WIDEST_TILE)  # of the last seed and candidates
        width = -(-(n_candidates + 1) // n_tiles)
        n_blocks = -(-n_panels // seeding.BLOCK_PANELS)
        round_work = self.work(2 * n_tiles * width)
        slots = split(n_blocks, round_work / n_blocks)
        indices = np.full(n_rounds + 1, first)
        closest_sq = np.full((n_panels, self.lanes), np.inf, dtype=self.dtype)
        self.row_padding(closest_sq)[:] = 0
        buffers = (
            np.empty(n_candidates, dtype=np.int64),
            np.zeros((n_tiles, self.n_features, width), dtype=self.dtype),
            closest_sq,
            np.empty((n_blocks, n_tiles, width)),
            np.empty(n_blocks),
        )
        step = max(1, int(steps_in_launch(slots, round_work)))
        for j in range(0, n_rounds + 1, step):
            seeding.seeding_kernel(width)(
                slots, self.values, self.weights, uniforms, j, min(j + step, n_rounds + 1),
                indices, *buffers,
            )  # fmt: skip
        return indices

    def start_lloyd(self, centers):
        """Start Lloyd's algorithm on these rows."""
        return PanelLloyd(self, centers)


def tiles_of(centers, width, scale):
    """Lay centers out for the kernels: (n_tiles, n_features, width), and their squared norms."""
    n_clusters, n_features = centers.shape
    n_tiles = -(-n_clusters // width)
    tiles = aligned_empty((n_tiles, n_features, width), centers.dtype)
    center_sq = np.empty((n_tiles, width), dtype=centers.dtype)
    tile_centers(split(n_tiles, n_features * width), centers, scale, tiles, center_sq)
    return tiles, center_sq


class PanelLloyd:
    """State of Lloyd's algorithm on panels.

    Attributes
    ----------
    centers : ndarray of shape (n_clusters, n_features)
        Current centers.
    labels : ndarray of shape (n_panels, lanes), int32
        Labels made with the centers before the last update.
    statistics : ClusterStatistics
        Sums over the rows of each label.
    """

    def __init__(self, panels, centers):
        self._panels = panels
        self.centers = centers.copy()
        self.labels = panels.new_labels()
        n_clusters, n_features = centers.shape
        self.statistics = ClusterStatistics.zeros(n_clusters, n_features)
        # The slots' sums together are at most as large as half of the panels.
        max_slots = max(1, panels.n_samples * panels.dtype.itemsize // (16 * n_clusters))
        self._slots = panels.slots(n_clusters, min(max_slots, MAX_SLOTS))
        n_slots = len(self._slots)
        self._tiles = tiles_of(centers, TILE, -2.0)
        self._buffers = (
            np.zeros((n_slots, n_clusters, n_features)),
            np.zeros((n_slots, n_clusters)),
            np.zeros((n_slots, n_clusters), dtype=np.int64),
            np.zeros((n_slots, n_clusters), dtype=np.int64),
            np.empty(n_slots, dtype=np.int64),
            np.empty(n_slots),
        )
        lanes, dtype = panels.lanes, panels.dtype
        self.gate = np.array([lloyd.DENSE, 0, lloyd.FIRST_BACKOFF])
        self._gate_buffers = (
            np.empty((n_clusters, 1), dtype=dtype),
            aligned_empty(self.labels.shape, dtype),
            self.gate,
            aligned_empty((2 * n_slots, n_features, lanes), dtype),
            np.empty((2 * n_slots, lanes), dtype=np.int64),
            aligned_empty((2 * n_slots, lanes), dtype),
        )
        largest_center = float(np.square(centers, dtype=np.float64).sum(axis=1).max())
        self._gate_constants = (
            2.0 * (n_features + 4) * float(np.finfo(dtype).eps),
            max(panels.largest_square, largest_center),
            *gate_costs(n_features, n_clusters, lanes),
        )

    def advance(self, first_iteration, n_steps, tol):
        """Iterate up to n_steps times; stop where labels repeat or centers shift within tol."""
        panels, statistics, n_clusters = self._panels, self.statistics, len(self.centers)
        progress = np.zeros(lloyd.N_PROGRESS)
        work = panels.work(n_clusters)
        possible = steps_in_launch(self._slots, work)
        # Sums that have lost their precision are formed anew in the same launch as the labels.
        self._resum_every = 1 if possible < 1 and len(panels.weights) else RESUM_EVERY
        if possible < 1:  # label the rows in several launches, then finish in one more
            self._launch(self._slots, 0, first_iteration, 1, tol, progress, work)
            self._launch(self._slots[:0], 1, first_iteration, 1, tol, progress, 0.0)
        else:
            n_steps = min(n_steps, int(possible))
            self._launch(self._slots, 1, first_iteration, n_steps, tol, progress, 0.0)
        if progress[lloyd.N_EMPTY]:
            self.centers, progress[lloyd.SHIFT_SQ] = update_centers(
                statistics, panels, self.centers, self.labels
            )
            self._tiles = tiles_of(self.centers, TILE, -2.0)
            self.gate[lloyd.MODE] = lloyd.DENSE  # the shifts of these centers are not in the slack
        return Progress(
            int(progress[lloyd.N_ITER]), int(progress[lloyd.N_CHANGED]), progress[lloyd.SHIFT_SQ]
        )

    def _launch(self, slots, finish, first_iteration, n_steps, tol, progress, work):
        panels, statistics = self._panels, self.statistics
        lloyd.iterate(
            slots, panels.values, panels.weights, panels.n_samples, finish,
            first_iteration, n_steps, self._resum_every, tol, *self._gate_constants,
            self.labels, self.centers, *self._tiles, *self._gate_buffers, *self._buffers,
            statistics.sums, statistics.weights, statistics.counts, statistics.peaks, progress,
            work=work,
        )  # fmt: skip


def gate_costs(n_features, n_clusters, lanes):
    """When rows are queued and when the gate pays, by the cost of its parts in vector operations.

    Returns
    -------
    queue_limit : int
        Rows of a panel up to which copying them to a queue costs less than labelling the panel.
    copy_cost : float
        Cost of copying a row, in panels labelled.
    most_cost : float
        Cost per panel, in panels labelled, up to which testing all rows and labelling some costs
        less than labelling all; 0 for never, where that is so seldom that trying costs more.
    """
    label = n_clusters * (n_features + 3)
    copy = GATE_COPY_COST * n_features
    bounds = 2 * n_clusters + n_features + GATE_BOUND_COST
    queue_limit = int(label / (label / lanes + copy))
    most_cost = (label - GATE_TEST_COST) / (label + bounds)
    return queue_limit, copy / label, most_cost if most_cost > 0.5 else 0.0
