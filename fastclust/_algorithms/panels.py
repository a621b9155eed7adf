"""Dense rows, packed once into panels that serve seeding, every iteration and every restart."""

import numpy as np

from fastclust._algorithms.slots import MAX_SLOTS, split
from fastclust._algorithms.statistics import ClusterStatistics
from fastclust._kernels.assign import assign_and_accumulate, assign_nearest
from fastclust._kernels.centers import merge_slots, tile_centers
from fastclust._kernels.distances import estimate_inertia, transform_rows
from fastclust._kernels.rows import pack_rows, sum_columns
from fastclust._kernels.seeding import estimate_potentials, locate_rows
from fastclust._kernels.simd import DISTANCE_TILE, TILE, VECTOR_BYTES

PACK_WORK = 8
"""Cost of packing one value, in multiply-adds of the vector kernels."""

BLOCK_BYTES = 2**22
"""Panels of rows that are only passed through (predict, transform, score): they stay in cache."""

SEED_BLOCK_BYTES = 2**14
"""Panels of one block of seeding: half of an L1 cache, since each tile of candidates reads them."""


def aligned_empty(shape, dtype):
    """Uninitialised array whose vectors do not straddle cache lines."""
    n_bytes = int(np.prod(shape)) * np.dtype(dtype).itemsize
    buffer = np.empty(n_bytes + VECTOR_BYTES, dtype=np.uint8)
    offset = -buffer.ctypes.data % VECTOR_BYTES
    return buffer[offset : offset + n_bytes].view(dtype).reshape(shape)


def estimate_mean(X):
    """Mean of the rows of X, accumulated in float64, in X's dtype."""
    slots = split(len(X), 2 * X.shape[1])
    sums = np.empty((len(slots), X.shape[1]))
    sum_columns(slots, X, sums)
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
    """

    def __init__(self, X, sample_weight, mean, buffer=None):
        self.n_samples, self.n_features = X.shape
        self.dtype = X.dtype
        self.lanes = VECTOR_BYTES // X.dtype.itemsize
        n_panels = -(-self.n_samples // self.lanes)
        shape = (n_panels, self.n_features, self.lanes)
        self.values = aligned_empty(shape, X.dtype) if buffer is None else buffer[:n_panels]
        slots = split(n_panels, PACK_WORK * self.lanes * self.n_features)
        squares = np.empty(len(slots))
        pack_rows(slots, X, mean, self.values, squares)
        self.total_square = float(squares.sum())
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
        """The labels of the rows, without the padding."""
        return labels.ravel()[: self.n_samples]

    def weight_of(self, i):
        """Sample weight of row i."""
        return float(self.weights.flat[i]) if len(self.weights) else 1.0

    def take(self, indices):
        """Return rows by index, of shape (n_indices, n_features)."""
        indices = np.asarray(indices)
        return np.ascontiguousarray(self.values[indices // self.lanes, :, indices % self.lanes])

    def assign(self, centers):
        """Label of the nearest center of each row, padding included."""
        labels = np.empty((len(self.values), self.lanes), dtype=np.int32)
        tiles, center_sq = tiles_of(centers, TILE, -2.0)
        k = len(centers)
        assign_nearest(self.slots(k), self.values, tiles, center_sq, labels, work=self.work(k))
        return labels

    def inertia(self, centers, labels):
        """Squared distances of the rows to the centers of their labels, and their weighted sum."""
        distances_sq = np.empty((len(self.values), self.lanes), dtype=self.dtype)
        slots = self.slots(PACK_WORK)
        inertia = np.empty(len(slots))
        estimate_inertia(
            slots, self.values, self.weights, self.n_samples, centers, labels, distances_sq, inertia
        )
        return distances_sq.ravel()[: self.n_samples], float(inertia.sum())

    def transform(self, centers, distances_out):
        """Write the distance of each row to each center."""
        tiles, _ = tiles_of(centers, DISTANCE_TILE, 1.0)
        slots = self.slots(len(centers))
        block = aligned_empty((len(slots), DISTANCE_TILE, self.lanes), self.dtype)
        work = self.work(len(centers))
        transform_rows(slots, self.values, tiles, block, distances_out, work=work)

    def start_seeding(self, n_trials):
        """Start k-means++ on these rows."""
        return PanelSeeding(self, n_trials)

    def start_lloyd(self, n_clusters):
        """Start Lloyd's algorithm on these rows."""
        return PanelLloyd(self, n_clusters)


def tiles_of(centers, width, scale):
    """Lay centers out for the kernels: (n_tiles, n_features, width), and their squared norms."""
    n_clusters, n_features = centers.shape
    n_tiles = -(-n_clusters // width)
    tiles = aligned_empty((n_tiles, n_features, width), centers.dtype)
    center_sq = np.empty((n_tiles, width), dtype=centers.dtype)
    tile_centers(split(n_tiles, n_features * width), centers, scale, tiles, center_sq)
    return tiles, center_sq


class PanelLloyd:
    """Labels of the rows of panels and the statistics of their clusters, kept up to date."""

    def __init__(self, panels, n_clusters):
        self._panels = panels
        self.labels = panels.new_labels()
        self.statistics = ClusterStatistics.zeros(n_clusters, panels.n_features)
        # The slots' buffers together are at most as large as half of the panels.
        max_slots = max(1, panels.n_samples * panels.dtype.itemsize // (16 * n_clusters))
        self._slots = panels.slots(n_clusters, min(max_slots, MAX_SLOTS))
        n_slots = len(self._slots)
        self._slot_sums = np.empty((n_slots, n_clusters, panels.n_features))
        self._slot_weights = np.empty((n_slots, n_clusters))
        self._slot_counts = np.empty((n_slots, n_clusters), dtype=np.int64)
        self._n_changed = np.empty(n_slots, dtype=np.int64)
        self._cluster_slots = split(n_clusters, n_slots * panels.n_features)

    def assign(self, centers, from_scratch):
        """E step: label the rows, bring the statistics up to date, count the changed labels."""
        panels, statistics = self._panels, self.statistics
        slot_statistics = self._slot_sums, self._slot_weights, self._slot_counts
        tiles, center_sq = tiles_of(centers, TILE, -2.0)
        assign_and_accumulate(
            self._slots, panels.values, panels.weights, panels.n_samples, tiles, center_sq,
            int(from_scratch), self.labels, *slot_statistics, self._n_changed,
            work=panels.work(len(centers)),
        )  # fmt: skip
        if from_scratch:
            statistics.clear()
        merge_slots(
            self._cluster_slots, *slot_statistics,
            statistics.sums, statistics.weights, statistics.counts,
        )  # fmt: skip
        return int(self._n_changed.sum())


class PanelSeeding:
    """State of greedy k-means++ on panels: D^2 of every row, potentials of the candidates."""

    def __init__(self, panels, n_trials):
        self._panels = panels
        panel_bytes = panels.n_features * VECTOR_BYTES
        self._block_panels = min(16, max(1, SEED_BLOCK_BYTES // panel_bytes))
        n_panels = len(panels.values)
        self._n_blocks = -(-n_panels // self._block_panels)
        self._work = panels.work(n_trials + 1)
        self._slots = split(self._n_blocks, self._work / self._n_blocks)
        self._draw_slots = split(n_trials, 0)
        self._closest_sq = np.full((n_panels, panels.lanes), np.inf, dtype=panels.dtype)
        self._closest_sq.ravel()[panels.n_samples :] = 0
        self._winner = np.empty((panels.n_features, 1), dtype=panels.dtype)
        self._has_winner = 0

    def potentials(self, indices):
        """Potential of each candidate row, were it the next seed."""
        self._candidates = self._panels.take(indices)
        tiles, _ = tiles_of(self._candidates, DISTANCE_TILE, 1.0)
        potentials = np.empty((self._n_blocks, len(tiles), DISTANCE_TILE))
        estimate_potentials(
            self._slots, self._panels.values, self._panels.weights, self._block_panels,
            self._has_winner, self._winner, tiles, self._closest_sq, potentials,
            work=self._work,
        )  # fmt: skip
        self._potentials = potentials.reshape(self._n_blocks, -1)
        return self._potentials[:, : len(indices)].sum(axis=0)

    def accept(self, choice):
        """Make the candidate of this position the next seed; return its potential."""
        self._winner[:, 0] = self._candidates[choice]
        self._has_winner = 1
        self._cumulative = np.cumsum(self._potentials[:, choice])
        return self._cumulative[-1]

    def draw(self, targets):
        """Rows at which the running sum of w D^2 over the rows reaches each target."""
        blocks = np.searchsorted(self._cumulative, targets)
        np.clip(blocks, None, len(self._cumulative) - 1, out=blocks)
        inside = targets - np.where(blocks > 0, self._cumulative[blocks - 1], 0.0)
        rows = np.empty(len(targets), dtype=np.int64)
        locate_rows(
            self._draw_slots, self._panels.values, self._panels.weights, self._block_panels,
            self._winner, self._closest_sq, blocks, inside, rows,
        )  # fmt: skip
        return rows
