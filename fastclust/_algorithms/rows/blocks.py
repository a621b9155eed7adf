"""Rows that do not fit into memory: a pass packs one block after the other, and asks it.

Blocks that fit into the memory limit stay packed from the second pass on, the others are read in
each.
"""

import contextlib
import operator
from collections.abc import Generator

import numpy as np

from fastclust._algorithms.kmeans.precision import search_tiles
from fastclust._algorithms.memory import empty_values, labels_fit, memory_limit
from fastclust._algorithms.rows.block_passes import RowsInBlocks
from fastclust._algorithms.rows.dense import ArrayRows, UnitRows
from fastclust._algorithms.rows.directions import zero_rows_error
from fastclust._algorithms.rows.merging import sum_tree
from fastclust._algorithms.rows.missing import MissingRows
from fastclust._algorithms.rows.panels import Panels

BLOCKS_AT_WORK = 6
"""Blocks in memory beside the kept ones: two being read, one packed with its results, and two read
buffers."""


def pack_block(rows, weights, origin, unit, incomplete, memory=None):
    """Rows of a block, packed.

    Parameters
    ----------
    rows, weights, origin, memory : ndarray, ndarray or None, ndarray, PanelMemory or None
        As of `Panels`.
    unit : bool
        Whether the rows are divided by their norms.
    incomplete : bool
        Whether values are missing, in this block or others.
    """
    if incomplete:
        return MissingRows(rows, weights, origin, memory)
    return Panels(UnitRows(rows) if unit else ArrayRows(rows), weights, origin, memory)


class BlockRows(RowsInBlocks):
    """Rows of a source of blocks, less a point or divided by their norms; see `rows.protocol.Rows`.

    Panels of a block stay in the order of X. They cannot be packed again in another, as the next
    block is read into the array that they were packed from.

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
    """

    def __init__(self, source, sample_weight, origin, unit=False, reserved=0):
        self._source, self.sample_weight, self.origin = source, sample_weight, origin
        self.unit, self.dtype = unit, source.dtype
        self.n_samples, self.n_features = source.shape
        self.learn_squares(None if unit else source.facts)
        self.n_blocks = -(-self.n_samples // source.block_rows)
        self.block_starts = np.arange(self.n_blocks) * source.block_rows
        block_bytes = source.block_rows * (source.n_bytes // max(1, self.n_samples))
        n_more = (sample_weight is not None) + self.is_incomplete  # values for each row
        block_bytes += n_more * source.block_rows * self.dtype.itemsize
        room = source.memory_share * memory_limit() - reserved
        room -= 4 * self.n_samples if labels_fit(self.n_samples) else 0
        n_kept = room // max(1, block_bytes) - BLOCKS_AT_WORK
        self.n_kept = int(min(max(n_kept, 0), self.n_blocks))
        self._kept: list[Panels] = []

    def blocks(self) -> Generator[tuple[slice, Panels], None, None]:
        """Yield (slice of the rows, panels) of each block, in order: a pass over the rows.

        Panels are valid until the next are asked for. Close what this returns, as a thread reads
        ahead.
        """
        rows = self._source.block_rows
        for number, panels in enumerate(self._kept):
            yield slice(number * rows, number * rows + panels.n_samples), panels
        if len(self._kept) == self.n_blocks:
            return
        memory = None  # of a block that is not kept
        with contextlib.closing(self._source.blocks(len(self._kept))) as blocks:
            for part, block in blocks:
                is_kept = len(self._kept) < self.n_kept
                weights = None if self.sample_weight is None else self.sample_weight[part]
                panels = pack_block(
                    block, weights, self.origin, self.unit, self.is_incomplete,
                    None if is_kept else memory,
                )  # fmt: skip
                if panels.n_zero:
                    raise zero_rows_error(self._source)
                if is_kept:
                    self._kept.append(panels)
                else:
                    memory = panels.memory
                yield part, panels

    def sum_blocks(self, function, *parameters, add=operator.add, of_rows=None):
        """Sum of function(panels, *parameters) over the blocks, in the order of `sum_tree`.

        `of_rows` is an array of shape (n_samples,), of which a block gets a part as a last
        parameter.
        """
        with contextlib.closing(self.blocks()) as blocks:
            return sum_tree(
                (
                    function(panels, *parameters, *(() if of_rows is None else (of_rows[part],)))
                    for part, panels in blocks
                ),
                add,
            )

    def new_labels(self):
        """Memory for labels."""
        return self.new_values(np.int32)

    def new_values(self, dtype):
        """Memory for a value of each row, in a temporary file if it is too much."""
        return empty_values(self.n_samples, dtype)

    def take_packed(self, indices):
        """Return rows by number, less the origin, with NaN where values are missing."""
        order = np.argsort(indices, kind="stable")
        sorted_ = np.asarray(indices)[order]
        taken = np.empty((len(order), self.n_features), dtype=self.dtype)
        with contextlib.closing(self.blocks()) as blocks:
            for part, panels in blocks:
                first, end = np.searchsorted(sorted_, [part.start, part.stop])
                taken[order[first:end]] = panels.take_packed(sorted_[first:end] - part.start)
        return taken

    @property
    def has_weights(self):
        """Whether not all weights are 1."""
        return self.sample_weight is not None

    def take_weights(self, indices):
        """Weights of rows by number."""
        if self.sample_weight is None:
            return np.ones(len(indices), dtype=self.dtype)
        return self.sample_weight[indices]

    def assign(self, centers, tiles=None):
        """Label of the nearest center of each row."""
        labels, tiles = self.new_labels(), tiles or search_tiles(centers)
        with contextlib.closing(self.blocks()) as blocks:
            for part, panels in blocks:
                labels[part] = panels.assign(centers, tiles)
        return labels

    def assign_with_inertia(self, centers, tiles=None):
        """The same labels, and the weighted sum of the squared distances."""
        labels, tiles, inertias = self.new_labels(), tiles or search_tiles(centers), []
        with contextlib.closing(self.blocks()) as blocks:
            for part, panels in blocks:
                labels[part], inertia = panels.assign_with_inertia(centers, tiles)
                inertias.append(inertia)
        return labels, sum_tree(inertias)

    def label_inertias(self, centers, labels):
        """Inertia of the rows of each label with its center."""
        with contextlib.closing(self.blocks()) as blocks:
            return sum_tree(panels.label_inertias(centers, labels[part]) for part, panels in blocks)

    def transform(self, centers, distances_out):
        """Write the distance of each row to each center."""
        with contextlib.closing(self.blocks()) as blocks:
            for part, panels in blocks:
                panels.transform(centers, distances_out[part])
