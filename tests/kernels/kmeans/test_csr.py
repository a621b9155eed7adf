"""Kernels on sparse rows against their naive twins."""

import numpy as np
import pytest
import scipy.sparse

from fastclust._algorithms.rows.csr import CsrRows, arrays_of, lanes_of
from fastclust._calls import (
    accumulate_csr,
    assign_csr,
    assign_csr_to_two,
    distances_sq_csr,
    distances_to_labels_csr,
    take_csr_rows,
    try_candidates_csr,
)
from fastclust._kernels.kmeans.constants import CANCELS
from tests import reference
from tests.kernels.conftest import chunks_of, tolerance


def make_rows(rng, n_samples, n_features, dtype, weighted=False):
    """Sparse rows (some of them empty), the matrix and its weights."""
    X = scipy.sparse.random(
        n_samples, n_features, density=0.3, format="csr", rng=rng, dtype=np.float64
    ).astype(dtype)
    sample_weight = rng.uniform(0.5, 2.0, size=n_samples).astype(dtype)
    sample_weight[::5] = 0
    if not weighted:
        sample_weight = np.ones(n_samples, dtype=dtype)
    return CsrRows(X, sample_weight if weighted else None), X, sample_weight


@pytest.mark.parametrize("n_clusters", [1, 7, 8, 9, 16, 17])
def test_assign_csr(rng, n_samples, n_features, n_clusters, dtype, max_chunks):
    rows, X, _ = make_rows(rng, n_samples, n_features, dtype)
    C = rng.random((n_clusters, n_features)).astype(dtype)
    chunks = chunks_of(n_samples, max_chunks)
    centers_t, center_sq = lanes_of(C, dtype)
    dots = np.empty((len(chunks), *centers_t.shape[1:]), dtype=dtype)
    labels, n_changed = rows.new_labels(), np.empty(len(chunks), dtype=np.int64)
    assign_csr(chunks, *rows.arrays, centers_t, center_sq, dots, labels, n_changed)
    D = reference.all_distances_sq(X.toarray(), C)
    gap = D[np.arange(n_samples), labels] - D.min(axis=1)
    assert (gap <= tolerance(dtype, n_features + 1) * n_features).all()
    assert n_changed.sum() == n_samples
    assign_csr(chunks, *rows.arrays, centers_t, center_sq, dots, labels, n_changed)
    assert n_changed.sum() == 0


def test_assign_csr_to_two(rng, n_samples, n_features, dtype, max_chunks):
    rows, X, _ = make_rows(rng, n_samples, n_features, dtype)
    C = rng.random((2, n_features)).astype(dtype)
    difference = C[1].astype(np.float64) - C[0]
    threshold = 0.5 * float(difference @ (C[1].astype(np.float64) + C[0]))
    chunks = chunks_of(n_samples, max_chunks)
    labels, n_changed = rows.new_labels(), np.empty(len(chunks), dtype=np.int64)
    arguments = chunks, *rows.arrays, difference, threshold, labels, n_changed
    assign_csr_to_two(*arguments)
    np.testing.assert_array_equal(labels, reference.assign_csr_to_two(X, difference, threshold))
    np.testing.assert_array_equal(labels, reference.assign_csr(X, C))
    assert n_changed.sum() == n_samples
    assign_csr_to_two(*arguments)
    assert n_changed.sum() == 0


@pytest.mark.parametrize("n_copies", [2, 6])
def test_assign_csr_takes_the_first_of_equal_centers(dtype, n_copies):
    C = np.tile(np.arange(3.0, dtype=dtype)[:, np.newaxis], (n_copies, 1))  # 0 1 2 0 1 2 ...
    rows = CsrRows(scipy.sparse.csr_array(C), None)
    np.testing.assert_array_equal(rows.assign(C), np.arange(len(C)) % 3)
    np.testing.assert_array_equal(rows.assign(C[[0, 3]]), 0)
    np.testing.assert_array_equal(rows.assign(C[[2, 1]])[:3], [1, 1, 0])


@pytest.mark.parametrize("n_taken", [1, 0.3, 2])
def test_take_csr_rows(rng, n_samples, n_features, n_taken, dtype, max_chunks):
    rows, X, _ = make_rows(rng, n_samples, n_features, dtype)
    numbers = rng.integers(n_samples, size=max(1, int(n_taken * n_samples)), dtype=np.int32)
    expected, row_sq = reference.take_csr_rows(X, numbers)
    chunks = chunks_of(len(numbers), max_chunks)
    data, indices = np.empty_like(expected.data), np.empty_like(expected.indices)
    squares = np.empty(len(numbers))
    starts = expected.indptr.astype(np.int32)
    take_csr_rows(chunks, *rows.arrays, numbers, starts, data, indices, squares)
    np.testing.assert_array_equal(data, expected.data)
    np.testing.assert_array_equal(indices, expected.indices)
    # Only the order of these sums in float64 differs.
    np.testing.assert_allclose(squares, row_sq, rtol=tolerance(np.float64, n_features))
    taken = CsrRows.of_numbers(X, numbers, None)
    assert (taken.matrix != expected).nnz == 0
    np.testing.assert_array_equal(taken.row_sq, squares)


@pytest.mark.parametrize("weighted", [False, True])
def test_accumulate_csr(rng, n_samples, n_features, weighted, dtype, max_chunks):
    rows, X, sample_weight = make_rows(rng, n_samples, n_features, dtype, weighted)
    k = 5
    written = np.zeros((k, n_features)), np.zeros(k), np.zeros(k, dtype=np.int64)
    old = rng.integers(k, size=n_samples, dtype=np.int32)
    new = np.where(rng.random(n_samples) < 0.3, (old + 1) % k, old).astype(np.int32)
    nowhere = np.full(n_samples, -1, dtype=np.int32)
    for before, labels, from_scratch in [(nowhere, old, 1), (old, new, 0)]:
        accumulate_csr(
            chunks_of(k, max_chunks),
            *rows.arrays,
            rows.weights,
            before,
            labels,
            from_scratch,
            *written,
        )
        expected = reference.accumulate_csr(X, sample_weight.astype(np.float64), labels, k)
        for ours, theirs in zip(written, expected, strict=True):
            # Sums in float64 of the rows, then of the changes.
            np.testing.assert_allclose(ours, theirs, 0, atol=tolerance(np.float64, 2 * n_samples))


def test_distances_to_labels_csr(rng, n_samples, n_features, dtype, max_chunks):
    rows, X, _ = make_rows(rng, n_samples, n_features, dtype)
    C = rng.random((5, n_features)).astype(dtype)
    C[0] = X[[0]].toarray()[0]  # a distance of 0, but for rounding
    labels = rng.integers(5, size=n_samples, dtype=np.int32)
    labels[0] = 0
    C[1] = C[0] + 1e-5  # |c|^2 cancels for row 0
    labels[n_samples // 2 :] = 1
    X = X.tolil()
    X[n_samples // 2 :] = X[[0]]
    X = X.tocsr()
    rows = CsrRows(X, None)
    center_sq, n_nonzero = (C.astype(np.float64) ** 2).sum(axis=1), np.count_nonzero(C, axis=1)
    out = np.empty(n_samples, dtype=dtype)
    chunks = chunks_of(n_samples, max_chunks)
    distances_to_labels_csr(
        chunks, *rows.arrays, C.astype(np.float64), center_sq, n_nonzero, labels, out
    )
    expected = reference.distances_to_labels_csr(X, C, labels)
    # What has lost more than 20 bits is computed again.
    rtol = tolerance(dtype, n_features) + tolerance(np.float64, n_features) / CANCELS
    np.testing.assert_allclose(out, expected, rtol=rtol)
    assert out[0] == 0 or labels[0] == 1


def test_distances_of_sparse_rows_to_themselves_are_0(rng, dtype):
    C = rng.normal(size=(200, 9)).astype(dtype)
    rows = CsrRows(scipy.sparse.csr_array(C), None)
    distances_sq = rows.distances_sq(C, np.arange(200, dtype=np.int32))
    np.testing.assert_array_equal(distances_sq, 0)


@pytest.mark.parametrize("n_clusters", [1, 8, 9])
def test_distances_sq_csr(rng, n_samples, n_features, n_clusters, dtype, max_chunks):
    rows, X, _ = make_rows(rng, n_samples, n_features, dtype)
    C = rng.random((n_clusters, n_features)).astype(dtype)
    C[-1] = X[[0]].toarray()[0] + 1e-9
    C[0] = X[[0]].toarray()[0]
    centers_t, center_sq = lanes_of(C, np.float64)
    row_sq = (X.toarray().astype(np.float64) ** 2).sum(axis=1)
    chunks = chunks_of(n_samples, max_chunks)
    dots = np.empty((len(chunks), *centers_t.shape[1:]))
    out = np.empty((n_samples, n_clusters))
    distances_sq_csr(
        chunks, *rows.arrays, row_sq, C.astype(np.float64), np.count_nonzero(C, axis=1), centers_t,
        center_sq, dots, out,
    )  # fmt: skip
    # The expanded form in float64, of which no more than 20 bits are lost.
    rtol = tolerance(np.float64, 4 * n_features) / CANCELS
    np.testing.assert_allclose(out, reference.distances_sq_csr(X, C), rtol=rtol)
    assert out[0, 0] == 0


@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("n_candidates", [1, 5])
def test_try_candidates_csr(rng, n_samples, n_features, weighted, n_candidates, dtype, max_chunks):
    _, X, _ = make_rows(rng, n_samples, n_features, dtype)
    X = scipy.sparse.vstack([X, X * (1 + 1e-3)], format="csr", dtype=dtype)  # squares cancel
    n_rows = X.shape[0]
    sample_weight = rng.uniform(0, 2, size=n_rows).astype(dtype)
    rows = CsrRows(X, sample_weight if weighted else None)
    candidates = rng.integers(n_rows, size=n_candidates)
    closest_sq = rng.uniform(0, 2 * n_features, size=n_rows)
    updated, potentials = np.empty((n_candidates, n_rows)), np.empty(n_candidates)
    try_candidates_csr(
        chunks_of(n_candidates, max_chunks), *rows.arrays, *arrays_of(X.tocsc()), rows.row_sq,
        rows.weights, candidates, closest_sq, updated, potentials,
    )  # fmt: skip
    weights = sample_weight.astype(np.float64) if weighted else np.ones(n_rows)
    expected = reference.try_candidates_csr(X, weights, candidates, closest_sq)
    # The expanded form in float64, of which no more than 20 bits are lost.
    rtol = tolerance(np.float64, 4 * n_features) / CANCELS
    np.testing.assert_allclose(updated, expected[0], rtol=rtol)
    np.testing.assert_allclose(potentials, expected[1], rtol=rtol)
    np.testing.assert_array_equal(updated[np.arange(n_candidates), candidates], 0)


@pytest.mark.parametrize("weighted", [False, True])
def test_seeding_of_sparse_rows(rng, weighted):
    rows, X, sample_weight = make_rows(rng, 60, 9, np.float64, weighted)
    uniforms = rng.random((6, 4))
    taken = rows.run_seeding(2, uniforms)
    expected = reference.seed_rounds(X.toarray(), sample_weight, 2, uniforms, taken)
    np.testing.assert_array_equal(taken, expected)
