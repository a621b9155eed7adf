"""Sparse rows (CSR): here the lanes are centers, since the rows have no common columns.

Centers come transposed and in vectors: centers_t[f, v, lane] = c[v * LANES + lane, f], so that one
multiply-add serves a stored element x_f of a row and LANES centers. The padding centers have
center_sq = infinity. Squared distances are |c|^2 - 2 x.c + |x|^2, as scikit-learn's for sparse
rows; those that have lost digits are computed again, as the sum of (x - c)^2 over all features.

X is (n_samples, n_features) as data, indices, indptr; indices and indptr are int32. Where an index
is used as an unsigned number, Numba does not ask whether it counts from the end, which takes as
long as a multiply-add.
"""

from typing import NamedTuple

import numpy as np
from numba import prange

from fastclust._kernels.jit import inner, kernel, variant
from fastclust._kernels.kmeans.arguments import ClusterSums
from fastclust._kernels.kmeans.constants import CANCELS
from fastclust._kernels.signature import float64, int32, int64, real
from fastclust._kernels.simd.reductions import least_lane
from fastclust._kernels.simd.tiles import fma_vectors, store_tile, zero_tile
from fastclust._kernels.simd.vectors import (
    fma,
    load,
    lowest_lane,
    minimum,
    not_above_lanes,
    splat,
    store,
)


class SparseRows(NamedTuple):
    """Rows as CSR has them.

    data : (n_stored,)
    indices : (n_stored,), int32
    indptr : (n_samples + 1,), int32
    """

    data: object
    indices: object
    indptr: object


def _make_dots(width):
    """Make the function for `width` vectors of centers."""

    @inner
    @variant(width)
    def dots_of_vectors(rows, i, centers_t, v, chunk, dots_out):
        """Dot products of a row with the centers of `width` vectors from v on."""
        data, indices, indptr = rows
        acc = zero_tile(centers_t, width)
        for e in range(indptr[i], indptr[i + 1]):
            acc = fma_vectors(acc, splat(centers_t, data[e]), centers_t, (indices[e], v))
        store_tile(dots_out, (chunk, v), acc)

    return dots_of_vectors


_dots_1, _dots_2, _dots_3, _dots_4 = map(_make_dots, (1, 2, 3, 4))


@inner
def dots(rows, i, centers_t, chunk, dots_out):
    """dots_out[chunk, v, lane] = x_i . c for every center.

    Sums of several vectors side by side hide the latency of multiply-adds.
    """
    n_vectors = centers_t.shape[1]
    whole = n_vectors // 4 * 4
    for v in range(0, whole, 4):
        _dots_4(rows, i, centers_t, v, chunk, dots_out)
    if n_vectors - whole == 3:
        _dots_3(rows, i, centers_t, whole, chunk, dots_out)
    elif n_vectors - whole == 2:
        _dots_2(rows, i, centers_t, whole, chunk, dots_out)
    elif n_vectors - whole == 1:
        _dots_1(rows, i, centers_t, whole, chunk, dots_out)


@inner
def first_least(values, chunk):
    """First index of the minimum of values[chunk], and the minimum."""
    least_values = load(values, (chunk, 0))
    for v in range(1, values.shape[1]):
        least_values = minimum(load(values, (chunk, v)), least_values)
    least = least_lane(least_values)
    for v in range(values.shape[1]):
        found = not_above_lanes(load(values, (chunk, v)), splat(values, least))
        if found:
            return v * values.shape[2] + lowest_lane(found), least
    return 0, least


@inner
def _nearest(center_sq, chunk, dots_out):
    """Label of the row whose dot products these are; |c|^2 - 2 x.c takes their place."""
    for v in range(center_sq.shape[0]):
        value = fma(splat(center_sq, -2.0), load(dots_out, (chunk, v)), load(center_sq, v))
        store(dots_out, (chunk, v), value)
    return first_least(dots_out, chunk)[0]


@kernel
def assign_csr(
    chunks, data: real[:], indices: int32[:], indptr: int32[:], centers_t: real[:, :, :],
    center_sq: real[:, :], dots_out: real[:, :, :], labels_out: int32[:], n_changed_out: int64[:],
):  # fmt: skip
    """Label every row with its nearest center, and count the labels that changed.

    centers_t : (n_features, n_vectors, LANES)  # IN
    center_sq : (n_vectors, LANES)              # IN
    dots_out : (n_chunks, n_vectors, LANES)     # scratch
    labels_out : (n_samples,), int32            # IN, OUT
    n_changed_out : (n_chunks,), int64          # OUT
    """
    for s in prange(chunks.shape[0]):
        n_changed = 0
        for i in range(chunks[s, 1], chunks[s, 2]):
            dots(SparseRows(data, indices, indptr), i, centers_t, chunks[s, 0], dots_out)
            label = _nearest(center_sq, chunks[s, 0], dots_out)
            n_changed += label != labels_out[i]
            labels_out[i] = label
        n_changed_out[chunks[s, 0]] = n_changed


@inner
def _dot(rows, i, vector):
    """x_i . vector in float64.

    Four sums side by side hide the latency of multiply-adds.
    """
    data, indices, indptr = rows
    first, stop = indptr[i], indptr[i + 1]
    values, features, n_stored = data[first:stop], indices[first:stop], stop - first
    whole = n_stored // 4 * 4
    a = b = c = d = 0.0
    for e in range(0, whole, 4):
        a += values[e] * vector[np.uint32(features[e])]
        b += values[e + 1] * vector[np.uint32(features[e + 1])]
        c += values[e + 2] * vector[np.uint32(features[e + 2])]
        d += values[e + 3] * vector[np.uint32(features[e + 3])]
    for e in range(whole, n_stored):
        a += values[e] * vector[np.uint32(features[e])]
    return (a + b) + (c + d)


@kernel
def assign_csr_to_two(
    chunks, data: real[:], indices: int32[:], indptr: int32[:], difference: float64[:],
    threshold: float64, labels_out: int32[:], n_changed_out: int64[:],
):  # fmt: skip
    """As `assign_csr` for two centers: one dot product says on which side of their plane a row is.

    The second is nearer than the first where 2 x . (c_1 - c_0) > |c_1|^2 - |c_0|^2.

    difference : (n_features,), float64  # IN: c_1 - c_0
    threshold : (|c_1|^2 - |c_0|^2) / 2  # IN
    labels_out : (n_samples,), int32     # IN, OUT
    n_changed_out : (n_chunks,), int64   # OUT
    """
    for s in prange(chunks.shape[0]):
        n_changed = 0
        for i in range(chunks[s, 1], chunks[s, 2]):
            label = np.int32(_dot(SparseRows(data, indices, indptr), i, difference) > threshold)
            n_changed += label != labels_out[i]
            labels_out[i] = label
        n_changed_out[chunks[s, 0]] = n_changed


@inner
def _add_row(rows, i, weight, j, sign, sums):
    """Add row i to the sums of cluster j, or subtract it if the sign is -1."""
    data, indices, indptr = rows
    sums_out, weights_out, counts_out = sums
    for e in range(indptr[i], indptr[i + 1]):
        sums_out[j, np.uint32(indices[e])] += sign * weight * data[e]
    weights_out[j] += sign * weight
    counts_out[j] += np.int64(np.sign(sign * weight))


@kernel
def accumulate_csr(
    chunks, data: real[:], indices: int32[:], indptr: int32[:], weights: real[:],
    labels_old: int32[:], labels: int32[:], from_scratch: int64, sums_out: float64[:, :],
    weights_out: float64[:], counts_out: int64[:],
):  # fmt: skip
    """Move the rows whose label changed between the clusters' sums; a chunk is a range of clusters.

    A chunk looks at every label but touches its own clusters only, so no buffer of
    n_clusters x n_features per chunk is needed.

    weights : (n_samples,), or (0,) for ones            # IN
    labels_old, labels : (n_samples,), int32            # IN
    from_scratch : 1 to sum all rows, 0 the changes     # IN
    sums_out : (n_clusters, n_features), float64        # IN, OUT
    weights_out : (n_clusters,), float64                # IN, OUT
    counts_out : (n_clusters,), int64                   # IN, OUT: rows of positive weight
    """
    rows = SparseRows(data, indices, indptr)
    sums = ClusterSums(sums_out, weights_out, counts_out)
    for s in prange(chunks.shape[0]):
        first, stop = chunks[s, 1], chunks[s, 2]
        for i in range(labels.shape[0]):
            old, new = labels_old[i], labels[i]
            if old == new and not from_scratch:
                continue
            weight = np.float64(weights[i]) if weights.shape[0] > 0 else 1.0
            if first <= new < stop:
                _add_row(rows, i, weight, new, 1.0, sums)
            if first <= old < stop and not from_scratch:
                _add_row(rows, i, weight, old, -1.0, sums)


def make_distance_sq(coordinate):
    """Return a function for |x - c|^2 of a row, where `coordinate(centers, j, f)` is c of center j.

    It is the sum of (x - c)^2 over the stored elements of the row, and of c^2 over the others; the
    centers have n_nonzero[j] coordinates that are not 0, or fewer.
    """

    @inner
    @variant(coordinate.__name__)
    def distance_sq_by_differences(rows, i, centers, n_nonzero, j, n_features):
        """|x - c|^2 of row i and center j."""
        data, indices, indptr = rows
        distance_sq, n_nonzero_seen = 0.0, 0
        for e in range(indptr[i], indptr[i + 1]):
            c = coordinate(centers, j, indices[e])
            distance_sq += (data[e] - c) ** 2
            n_nonzero_seen += c != 0
        if n_nonzero_seen < n_nonzero[j]:  # c is not 0 at other features too
            e = indptr[i]
            for f in range(n_features):
                if e < indptr[i + 1] and indices[e] == f:
                    e += 1
                else:
                    distance_sq += coordinate(centers, j, f) ** 2
        return distance_sq

    return distance_sq_by_differences


@inner
def _coordinate(centers, j, f):
    """Coordinate f of center j."""
    return centers[j, f]


_distance_sq_by_differences = make_distance_sq(_coordinate)


@inner
def _own_distance_sq(rows, i, centers, center_sq, n_nonzero, j):
    """|x - c|^2 as |c|^2 plus the sum of (x - c)^2 - c^2 over the stored elements."""
    data, indices, indptr = rows
    distance_sq = center_sq[j]
    for e in range(indptr[i], indptr[i + 1]):
        c = centers[j, np.uint32(indices[e])]
        difference = data[e] - c
        distance_sq += difference * difference - c * c
    if distance_sq < CANCELS * center_sq[j]:
        return _distance_sq_by_differences(rows, i, centers, n_nonzero, j, centers.shape[1])
    return distance_sq


@kernel
def distances_to_labels_csr(
    chunks, data: real[:], indices: int32[:], indptr: int32[:], centers: float64[:, :],
    center_sq: float64[:], n_nonzero: int64[:], labels: int32[:], distances_sq_out: real[:],
):  # fmt: skip
    """Squared distance of every row to the center of its label.

    The indices of a row are in order, each once.

    centers : (n_clusters, n_features), float64      # IN
    center_sq : (n_clusters,), float64               # IN: |c|^2
    n_nonzero : (n_clusters,), int64                 # IN: values of each center that are not 0
    labels : (n_samples,), int32                     # IN
    distances_sq_out : (n_samples,)                  # OUT
    """
    rows = SparseRows(data, indices, indptr)
    for s in prange(chunks.shape[0]):
        for i in range(chunks[s, 1], chunks[s, 2]):
            distances_sq_out[i] = _own_distance_sq(
                rows, i, centers, center_sq, n_nonzero, labels[i]
            )


@kernel
def distances_sq_csr(
    chunks, data: real[:], indices: int32[:], indptr: int32[:], row_sq: float64[:],
    centers: float64[:, :], n_nonzero: int64[:], centers_t: float64[:, :, :],
    center_sq: float64[:, :], dots_out: float64[:, :, :], distances_sq_out: float64[:, :],
):  # fmt: skip
    """Squared distance of every row to every center.

    The indices of a row are in order, each once.

    row_sq : (n_samples,), float64                        # IN: |x|^2
    centers, n_nonzero : as for distances_to_labels_csr   # IN
    centers_t, center_sq, dots_out : as for assign_csr    # IN, IN, scratch
    distances_sq_out : (n_samples, n_clusters)            # OUT
    """
    lanes, rows = centers_t.shape[2], SparseRows(data, indices, indptr)
    for s in prange(chunks.shape[0]):
        chunk = chunks[s, 0]
        for i in range(chunks[s, 1], chunks[s, 2]):
            dots(rows, i, centers_t, chunk, dots_out)
            for j in range(distances_sq_out.shape[1]):
                v, lane = j // lanes, j % lanes
                squares = row_sq[i] + center_sq[v, lane]
                distance_sq = squares - 2 * dots_out[chunk, v, lane]
                if distance_sq < CANCELS * squares:
                    distance_sq = _distance_sq_by_differences(
                        rows, i, centers, n_nonzero, j, centers.shape[1]
                    )
                distances_sq_out[i, j] = distance_sq
