"""The order in which a run puts the rows of panels: rows that are alike side by side."""

import numpy as np

from fastclust._algorithms.chunks import split
from fastclust._calls import sort_rows

SORT_WORK, SORT_CHUNKS = 100, 16
"""Cost of sorting a row, in multiply-adds of the vector kernels; most chunks, since each has counts
of all keys (benchmarks/ablate_constants.py)."""

SEGMENT_PANELS, SEGMENT_PANELS_PER_LABEL = 512, 128
"""Panels in a segment, which is sorted by itself: at least, and for each label. Fewer would stay in
an L1 or L2 cache, but blocks would then hold rows that are less alike, which costs more later
(benchmarks/bench_bounds.py)."""

N_BINS = 32
"""Bins of the distances of the rows of a label (benchmarks/ablate_constants.py)."""


class RowOrder:
    """The order of the rows of panels in one run, which begins with that of X.

    It has no reference to the panels, which refer to it: a cycle of references would keep their
    memory until Python looks for such cycles, and the next fit would have to pack its rows into new
    memory, which is slow.

    Parameters
    ----------
    n_samples : int
        Number of rows.
    shape : tuple of int
        (n_panels, lanes).

    Attributes
    ----------
    rows : ndarray of shape (n_panels, lanes) or (0, lanes), int32
        Number in X of the row at each place; empty while the order is that of X.
    """

    def __init__(self, n_samples, shape):
        self._n_samples, self._shape = n_samples, shape
        self.rows = np.empty((0, shape[1]), dtype=np.int32)

    def sort(self, labels, distances_sq, n_clusters):
        """Sort the rows by label, and by distance within a label; see `Panels.regroup`."""
        rows = self.rows
        if not len(rows):
            rows = np.arange(labels.size, dtype=np.int32).reshape(labels.shape)
        segment_panels, chunks = self.segments(n_clusters)
        sorted_ = np.empty_like(distances_sq), np.empty_like(labels), np.empty_like(rows)
        sort_rows(
            chunks, distances_sq, labels, rows, self._n_samples, segment_panels, N_BINS,
            np.empty((len(chunks), n_clusters, 2)),
            np.empty((len(chunks), n_clusters), dtype=np.int64), np.empty_like(labels),
            np.empty((len(chunks), n_clusters * N_BINS), dtype=np.int64), *sorted_,
        )  # fmt: skip
        distances_sq, labels, self.rows = sorted_
        return labels, distances_sq

    def segments(self, n_clusters):
        """Panels in a segment that `sort` sorts, and chunks of segments."""
        n_panels, lanes = self._shape
        segment_panels = max(SEGMENT_PANELS, SEGMENT_PANELS_PER_LABEL * n_clusters)
        segment_panels = min(n_panels, segment_panels)
        segment_work = SORT_WORK * segment_panels * lanes
        return segment_panels, split(-(-n_panels // segment_panels), segment_work, SORT_CHUNKS)

    def row_labels(self, labels):
        """The labels in the order of X."""
        unpadded = labels.ravel()[: self._n_samples]
        if not len(self.rows):
            return unpadded
        ordered = np.empty(self._n_samples, dtype=labels.dtype)
        ordered[self.rows.ravel()[: self._n_samples]] = unpadded
        return ordered

    def panel_labels(self, labels):
        """Labels of the rows of X in the order of the panels, 0 for the padding."""
        placed = np.zeros(self._shape, dtype=np.int32)
        rows = self.rows.ravel()[: self._n_samples] if len(self.rows) else slice(None)
        placed.ravel()[: self._n_samples] = labels[rows]
        return placed
