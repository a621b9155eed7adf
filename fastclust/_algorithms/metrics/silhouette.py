"""Silhouettes from the distances of all pairs of rows; simplified ones are in `dispersion`."""

import numpy as np

from fastclust._algorithms.chunks import MAX_CHUNKS, MIN_CHUNK_WORK
from fastclust._algorithms.rows.panels import Panels
from fastclust._calls import add_distances
from fastclust._kernels.simd.sizes import PAIR_TILE

MOST_CHUNK_ROWS = 8192
"""Most rows of a chunk, and most points whose distances to all rows one pass computes."""

MOST_GROUP, MOST_GROUP_ROWS, GROUP_BYTES = 64, 1024, 2**24
"""Most clusters in one pass, rows of these, and bytes of the sums of all rows for each of them."""

PAIR_WORK = 2
"""Cost of a difference and its square, in multiply-adds."""


class ClusterRows:
    """Rows in the order of their labels: each cluster fills panels, and chunks, of its own.

    Parameters
    ----------
    X : ndarray of shape (n_samples, n_features), float64, C-contiguous
        The rows.
    labels : ndarray of shape (n_samples,), int
        Their labels, from 0 on, each of at least one row.

    Attributes
    ----------
    counts : ndarray of shape (n_clusters,), int64
        Rows of each cluster.
    panels : Panels
        The rows; the padding repeats rows.
    real : ndarray of shape (n_panels, lanes)
        1 for rows, 0 for the padding.
    chunks : ndarray of shape (n_chunks, 3), int64
        Chunks of panels.
    panel_borders, chunk_borders : ndarray of shape (n_clusters + 1,), int64
        First panel and chunk of each cluster, and the end.
    pair_work : int
        Multiply-adds for a panel and a point.
    are_few : bool
        Whether all pairs are too little work for several threads.
    """

    def __init__(self, X, labels):
        self.counts = np.bincount(labels)
        lanes = Panels(X[:1], None, X[0]).lanes
        n_panels = -(-self.counts // lanes)
        panel_borders = self.panel_borders = _borders(n_panels)
        self._order = np.argsort(labels, kind="stable")
        gaps = lanes * panel_borders[:-1] - _borders(self.counts)[:-1]
        self._places = np.arange(len(X)) + np.repeat(gaps, self.counts)
        sources = np.repeat(self._order[_borders(self.counts)[1:] - 1], lanes * n_panels)
        sources[self._places] = self._order
        self.panels = Panels(X[sources], None, np.zeros(X.shape[1]))
        self.real = np.zeros((len(self.panels.values), lanes))
        self.real.flat[self._places] = 1.0
        chunk_panels = min(-(-n_panels.sum() // MAX_CHUNKS), MOST_CHUNK_ROWS // lanes)
        n_chunks = -(-n_panels // chunk_panels)
        self.chunk_borders = _borders(n_chunks)
        number = np.arange(n_chunks.sum())
        in_cluster = number - np.repeat(self.chunk_borders[:-1], n_chunks)
        first = np.repeat(panel_borders[:-1], n_chunks) + chunk_panels * in_cluster
        last = np.minimum(first + chunk_panels, np.repeat(panel_borders[1:], n_chunks))
        self.chunks = np.column_stack([number, first, last])
        self.pair_work = PAIR_WORK * X.shape[1] * lanes
        self.are_few = self.pair_work * len(self.real) * len(X) < 2 * MIN_CHUNK_WORK

    def group_from(self, first):
        """End of the group of clusters from one on: one of several chunks, or small ones."""
        group_panels = self.panel_borders[first] + MOST_GROUP_ROWS // self.panels.lanes
        most = max(1, min(MOST_GROUP, GROUP_BYTES // self.real.nbytes))
        last = first + 1
        while (
            last < min(first + most, len(self.counts))
            and self.chunk_borders[last + 1] - self.chunk_borders[first] == last + 1 - first
            and self.panel_borders[last + 1] <= group_panels
        ):
            last += 1
        return last

    def to_rows(self, values):
        """Values of the places in the panels, one for each row, in the order of X."""
        ordered = np.empty(len(self._order))
        ordered[self._order] = values.ravel()[self._places]
        return ordered


def _borders(sizes):
    """Where consecutive parts of these sizes begin, and the end of the last."""
    return np.concatenate([[0], np.cumsum(sizes)])


def mean_distances(X, labels):
    """Mean distance of each row to the others of its cluster, and to the nearest other cluster.

    Clusters, or groups of small ones, come one after another: the distances of their rows, a chunk
    at a time, to those of their own and of the later clusters are computed, so that each pair of
    rows is looked at once, but within a chunk. Memory is that of a copy of the rows and of a few
    numbers for each row.

    Parameters
    ----------
    X : ndarray of shape (n_samples, n_features), float64, C-contiguous
        The rows.
    labels : ndarray of shape (n_samples,), int
        Their labels, from 0 on, each of at least one row.

    Returns
    -------
    inner, outer : ndarray of shape (n_samples,), float64
        The means; the first is NaN for the only row of a cluster.
    """
    rows = ClusterRows(X, labels)
    own_sums = np.empty_like(rows.real)
    nearest = np.full_like(rows.real, np.inf)
    first = 0
    while first < len(rows.counts):
        last = rows.group_from(first)
        _compare_group(rows, first, last, own_sums, nearest)
        first = last
    with np.errstate(invalid="ignore"):
        inner = rows.to_rows(own_sums) / (rows.counts - 1)[labels]
    return inner, rows.to_rows(nearest)


def _compare_group(rows, first, last, own_sums_out, nearest_out):
    """Sums and means of the distances between clusters first to last and these and later ones."""
    borders, n_clusters = rows.chunk_borders, last - first
    start, stop = rows.panel_borders[[first, last]]
    sums = np.zeros((n_clusters, *rows.real.shape))  # of each row to the rows of each cluster
    if n_clusters == 1:
        for chunk in range(borders[first], borders[last]):
            _compare_chunks(rows, chunk, chunk + 1, last, sums, nearest_out)
    else:
        _compare_chunks(rows, borders[first], borders[last], last, sums, nearest_out)
    own = np.repeat(np.arange(n_clusters), np.diff(rows.panel_borders[first : last + 1]))
    inside = np.arange(start, stop)
    own_sums_out[start:stop] = sums[own, inside]
    sums[own, inside] = np.inf
    means = sums[:, start:] / rows.counts[first:last, np.newaxis, np.newaxis]
    np.minimum(nearest_out[start:], means.min(axis=0), out=nearest_out[start:])


def _compare_chunks(rows, first, last, later, sums_out, nearest_out):
    """Distances between the rows of chunks first to last and those of these and later chunks.

    They are one chunk of a cluster, or all chunks of some; `later` is the first later cluster.
    """
    values, chunks = rows.panels.values, rows.chunks
    own = slice(chunks[first, 1], chunks[last - 1, 2])
    points, points_real = _tiles(values[own]), rows.real[own].reshape(-1, PAIR_TILE)
    chunk_tiles = (chunks[first:last, 2] - chunks[first:last, 1]) * (values.shape[2] // PAIR_TILE)
    groups = np.repeat(np.arange(last - first), chunk_tiles)
    point_sums = np.empty((len(chunks), points_real.size))
    add_distances(
        chunks[first:], values, rows.real, points, points_real, groups, sums_out, point_sums,
        work=(len(values) - own.start) * points_real.size * rows.pair_work,
        alone=rows.are_few,
    )  # fmt: skip
    # The distances between the rows of these chunks are summed already, both ways.
    end = rows.chunk_borders[later]
    if end > last:
        sums_out[0, own] += point_sums[last:end].sum(axis=0).reshape(-1, values.shape[2])
    if end < len(chunks):
        starts = rows.chunk_borders[later:-1] - end
        others = point_sums[end:]
        if len(starts) < len(others):  # some clusters have several chunks
            others = np.add.reduceat(others, starts, axis=0)
        means = (others / rows.counts[later:, np.newaxis]).min(axis=0)
        np.minimum(nearest_out[own], means.reshape(-1, values.shape[2]), out=nearest_out[own])


def _tiles(values):
    """Panels as points in tiles, of shape (n_tiles, n_features, PAIR_TILE)."""
    n_panels, n_features, lanes = values.shape
    parts = values.reshape(n_panels, n_features, lanes // PAIR_TILE, PAIR_TILE)
    tiles = parts.swapaxes(1, 2).reshape(-1, n_features, PAIR_TILE)
    return np.ascontiguousarray(tiles)


def coefficients(inner, outer):
    """Silhouettes (outer - inner) / max(inner, outer); 0 where a row is alone or both are 0."""
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.nan_to_num((outer - inner) / np.maximum(inner, outer))
