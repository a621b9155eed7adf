"""The order in which a run puts the rows of panels: rows that are alike side by side."""

import numpy as np

from fastclust._algorithms.chunks import split
from fastclust._kernels.rows.sort import sort_rows

SORT_WORK, SORT_CHUNKS = 100, 16
"""Cost of sorting a row, in multiply-adds of the vector kernels; most chunks, since each has counts
of all keys."""

SEGMENT_PANELS, SEGMENT_PANELS_PER_LABEL = 512, 128
"""Panels in a segment, which is sorted by itself: at least, and for each label. Fewer would stay in
an L1 or L2 cache, but blocks would then hold rows that are less alike, which costs more later
(benchmarks/bench_bounds.py)."""

N_BINS = 32
"""Bins of the distances of the rows of a label."""


class RowOrder:
    """The order of the rows of panels in one run, which begins with that of X.

    Parameters
    ----------
    panels : Panels
        The rows.

    Attributes
    ----------
    rows : ndarray of shape (n_panels, lanes) or (0, lanes), int32
        Number in X of the row at each place; empty while the order is that of X.
    """

    def __init__(self, panels):
        self._panels = panels
        self.rows = np.empty((0, panels.lanes), dtype=np.int32)

    def regroup(self, labels, distances_sq, n_clusters):
        """Sort the rows by label, and by distance within a label; see `_kernels.rows.sort`.

        Parameters
        ----------
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
        """
        panels = self._panels
        if panels.order is not self:
            raise RuntimeError("Another run has started on these rows.")
        rows = self.rows
        if not len(rows):
            rows = np.arange(labels.size, dtype=np.int32).reshape(labels.shape)
        segment_panels, chunks = self.segments(n_clusters)
        sorted_ = np.empty_like(distances_sq), np.empty_like(labels), np.empty_like(rows)
        sort_rows(
            chunks, distances_sq, labels, rows, panels.n_samples, segment_panels, N_BINS,
            np.empty((len(chunks), n_clusters, 3)), np.empty_like(labels),
            np.empty((len(chunks), n_clusters * N_BINS), dtype=np.int64), *sorted_,
        )  # fmt: skip
        distances_sq, labels, self.rows = sorted_
        panels.pack()
        return labels, distances_sq

    def segments(self, n_clusters):
        """Panels in a segment that `regroup` sorts, and chunks of segments."""
        n_panels, lanes = len(self._panels.values), self._panels.lanes
        segment_panels = max(SEGMENT_PANELS, SEGMENT_PANELS_PER_LABEL * n_clusters)
        segment_panels = min(n_panels, segment_panels)
        segment_work = SORT_WORK * segment_panels * lanes
        return segment_panels, split(-(-n_panels // segment_panels), segment_work, SORT_CHUNKS)

    def row_labels(self, labels):
        """The labels in the order of X."""
        unpadded = self._panels.unpadded
        if not len(self.rows):
            return unpadded(labels)
        ordered = np.empty(self._panels.n_samples, dtype=labels.dtype)
        ordered[unpadded(self.rows)] = unpadded(labels)
        return ordered

    def panel_labels(self, labels):
        """Labels of the rows of X in the order of the panels, 0 for the padding."""
        unpadded = self._panels.unpadded
        placed = np.zeros((len(self._panels.values), self._panels.lanes), dtype=np.int32)
        unpadded(placed)[:] = labels[unpadded(self.rows) if len(self.rows) else slice(None)]
        return placed
