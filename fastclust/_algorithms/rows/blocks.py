"""Rows that do not fit into memory: a pass packs one block after the other, and asks it.

The statistics of the blocks are added in their order. Blocks that fit into the memory limit stay
packed from the second pass on, the others are read in each.
"""

import contextlib

import numpy as np

from fastclust._algorithms.kmeans.block_lloyd import BlockLloyd
from fastclust._algorithms.kmeans.precision import search_tiles
from fastclust._algorithms.kmeans.statistics import ClusterStatistics
from fastclust._algorithms.memory import empty_values, labels_fit, memory_limit
from fastclust._algorithms.rows.dense import ArrayRows, UnitRows
from fastclust._algorithms.rows.directions import zero_rows_error
from fastclust._algorithms.rows.panels import Panels

BLOCKS_AT_WORK = 6
"""Blocks in memory besides those that are kept: two that are read, one packed, its results, and two
that those that are kept were read into."""


class BlockRows:
    """Rows of a source of blocks, less a point or divided by their norms; see `rows.protocol.Rows`.

    Panels of a block never leave the order of X: they are packed from memory that the next block
    is read into.

    Parameters
    ----------
    source : BlockSource
        The rows.
    sample_weight : ndarray of shape (n_samples,) or None
        Weight of each row, of the rows' dtype, positive; None for ones.
    origin : ndarray of shape (n_features,)
        What is subtracted from each row; 0 for unit vectors.
    unit : bool, default=False
        Whether rows are divided by their norms. A pass raises ValueError where one is zero.
    reserved : float, default=0
        Bytes of the memory limit that are for other things.

    Attributes
    ----------
    sample_weight : ndarray of shape (n_samples,) or None
        The weights.
    n_blocks, n_kept : int
        Number of blocks, and of those that stay in memory.
    total_square : float
        Sum of the squares of all values.
    largest_square : float
        Upper limit of the largest squared norm of a row.
    """

    def __init__(self, source, sample_weight, origin, unit=False, reserved=0):
        self._source, self.sample_weight, self.origin = source, sample_weight, origin
        self.unit, self.dtype = unit, source.dtype
        self.n_samples, self.n_features = source.shape
        self.total_square, self.largest_square = self._find_squares()
        self.n_blocks = -(-self.n_samples // source.block_rows)
        block_bytes = source.block_rows * (source.n_bytes // max(1, self.n_samples))
        block_bytes += 0 if sample_weight is None else source.block_rows * self.dtype.itemsize
        room = memory_limit() - reserved - (4 * self.n_samples if labels_fit(self.n_samples) else 0)
        n_kept = room // max(1, block_bytes) - BLOCKS_AT_WORK
        self.n_kept = int(min(max(n_kept, 0), self.n_blocks))
        self._kept: list[Panels] = []

    def _find_squares(self):
        """Sum of the squares of all values, and a limit of the largest squared norm."""
        if self.unit:
            return float(self.n_samples), 1.0
        facts = self._source.facts
        with np.errstate(over="ignore", invalid="ignore"):
            offset_sq = np.square(facts.mean - self.origin).sum()
            total = facts.square_about_mean + facts.n_samples * offset_sq
            return float(total), float(np.square(facts.reach + np.sqrt(offset_sq)))

    def each_block(self, ask):
        """Call ask(slice of the rows, panels) for each block, in order: a pass over the rows."""
        rows = self._source.block_rows
        for number, panels in enumerate(self._kept):
            ask(slice(number * rows, number * rows + panels.n_samples), panels)
        if len(self._kept) == self.n_blocks:
            return
        memory = None  # of a block that is not kept
        with contextlib.closing(self._source.blocks(len(self._kept))) as blocks:
            for part, block in blocks:
                is_kept = len(self._kept) < self.n_kept
                weights = None if self.sample_weight is None else self.sample_weight[part]
                packed = UnitRows(block) if self.unit else ArrayRows(block)
                panels = Panels(packed, weights, self.origin, None if is_kept else memory)
                if panels.n_zero:
                    raise zero_rows_error(self._source)
                if is_kept:
                    self._kept.append(panels)
                else:
                    memory = panels.memory
                ask(part, panels)

    def mean(self):
        """Mean of the rows, whatever their weights, in float64."""
        total = np.zeros(self.n_features)

        def ask(part, panels):
            total[:] += panels.n_samples * panels.mean()

        self.each_block(ask)
        return total / self.n_samples

    def is_small(self, n_clusters, n_runs):
        """Return False: runs follow one another."""
        return False

    def new_labels(self):
        """Memory for labels."""
        return self.new_values(np.int32)

    def new_values(self, dtype):
        """Memory for a value of each row, in a temporary file if it is too much."""
        return empty_values(self.n_samples, dtype)

    def take(self, indices):
        """Return rows by number, less the origin, of shape (n_indices, n_features)."""
        order = np.argsort(indices, kind="stable")
        sorted_ = np.asarray(indices)[order]
        taken = np.empty((len(order), self.n_features), dtype=self.dtype)

        def ask(part, panels):
            first, end = np.searchsorted(sorted_, [part.start, part.stop])
            p, i = np.divmod(sorted_[first:end] - part.start, panels.lanes)
            taken[order[first:end]] = panels.values[p, :, i]

        self.each_block(ask)
        return taken

    def run_seeding(self, first, uniforms):
        """Raise an error: each seed would be a pass; see `parallel_seeding`."""
        raise NotImplementedError

    def start_lloyd(self, centers):
        """Start Lloyd's algorithm on these rows."""
        return BlockLloyd(self, centers)

    def take_weights(self, indices):
        """Weights of rows by number."""
        if self.sample_weight is None:
            return np.ones(len(indices), dtype=self.dtype)
        return self.sample_weight[indices]

    def assign(self, centers, tiles=None, labels=None):
        """Label of the nearest center of each row, into an array if one is given."""
        labels = self.new_labels() if labels is None else labels
        tiles = tiles or search_tiles(centers)

        def ask(part, panels):
            labels[part] = panels.assign(centers, tiles)

        self.each_block(ask)
        return labels

    def assign_with_inertia(self, centers, tiles=None, labels=None):
        """The same labels, and the weighted sum of the squared distances."""
        labels = self.new_labels() if labels is None else labels
        tiles, inertia = tiles or search_tiles(centers), 0.0

        def ask(part, panels):
            nonlocal inertia
            labels[part], block_inertia = panels.assign_with_inertia(centers, tiles)
            inertia += block_inertia

        self.each_block(ask)
        return labels, inertia

    def label_inertias(self, centers, labels):
        """Inertia of the rows of each label with its center."""
        inertias = np.zeros(len(centers))

        def ask(part, panels):
            inertias[:] += panels.label_inertias(centers, labels[part])

        self.each_block(ask)
        return inertias

    def cluster_statistics(self, centers):
        """Statistics of the clusters of these centers."""
        total = ClusterStatistics.zeros(*centers.shape)

        def ask(part, panels):
            nonlocal total
            total += panels.cluster_statistics(centers)

        self.each_block(ask)
        return total

    def transform(self, centers, distances_out):
        """Write the distance of each row to each center."""
        self.each_block(lambda part, panels: panels.transform(centers, distances_out[part]))
