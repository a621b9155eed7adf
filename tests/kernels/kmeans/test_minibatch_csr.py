"""Steps of mini-batch k-means on sparse rows against their naive twins."""

import numpy as np
import pytest

from fastclust._algorithms.rows.csr import lanes_of
from fastclust._calls import add_batch_csr, assign_batch_csr
from fastclust._kernels.kmeans.constants import LEAST_OF_SQUARE
from tests import reference
from tests.kernels.conftest import chunks_of, tolerance
from tests.kernels.kmeans.test_csr import make_rows


def assign(rows, batch, centers, counts, max_chunks):
    """Call the kernel with buffers of its own; return labels and inertia."""
    n = np.maximum(counts, 1)
    sums, square = lanes_of(centers * n[:, np.newaxis], np.float64)
    factors, n_nonzero = np.ones(square.size), np.zeros(square.size, dtype=np.int64)
    factors[: len(n)], n_nonzero[: len(n)] = n, np.count_nonzero(centers, axis=1)
    center_sq = square.ravel() / factors**2
    chunks = chunks_of(len(batch), max_chunks)
    labels, inertia = np.full(len(batch), -1, dtype=np.int32), np.full(len(chunks), np.nan)
    assign_batch_csr(
        chunks, *rows.arrays, rows.row_sq, batch, sums, -2 / factors, center_sq, n_nonzero,
        center_sq[: len(n)].max(), np.empty((len(chunks), *sums.shape[1:])), labels, inertia,
    )  # fmt: skip
    return labels, inertia.sum()


@pytest.mark.parametrize("k", [1, 7, 8, 9, 16, 17, 24, 25, 33])
def test_assign_batch_csr(rng, n_samples, n_features, k, dtype, max_chunks):
    rows, X, _ = make_rows(rng, n_samples, n_features, dtype)
    centers = rng.random((k, n_features))
    batch = rng.integers(n_samples, size=2 * n_samples)
    found, inertia = assign(rows, batch, centers, rng.integers(5, size=k), max_chunks)
    expected, expected_inertia = reference.assign_batch_csr(X, batch, centers)
    np.testing.assert_array_equal(found, expected)
    rtol = tolerance(np.float64, 2 * n_features * len(batch))  # |x|^2 + |c|^2 are up to 2 d
    assert inertia == pytest.approx(expected_inertia, rel=rtol, abs=rtol * n_features)


def test_labels_where_squares_cancel(rng, dtype, max_chunks):
    rows, X, _ = make_rows(rng, 100, 9, dtype)
    centers = X[:12].toarray().astype(np.float64)
    centers[6:] = centers[:6] * (1 + 1e-9)
    batch = np.tile(np.arange(12), 3)
    found, inertia = assign(rows, batch, centers, np.full(12, 4.0), max_chunks)
    expected, expected_inertia = reference.assign_batch_csr(X, batch, centers)
    np.testing.assert_array_equal(found, expected)
    assert inertia == pytest.approx(expected_inertia, rel=1e-6, abs=1e-28)  # (x - c)^2 of 1e-9 x


def add(rows, batch, labels, centers, counts, max_chunks, unit=1.0):
    """Call the kernel on sums of these counts; return what it has written."""
    k = len(centers)
    sums, square = lanes_of(centers * np.maximum(counts, 1)[:, np.newaxis] * unit, np.float64)
    sums, square = sums.reshape(len(sums), -1), square.ravel()
    all_counts, n_nonzero = np.zeros(square.size), np.zeros(square.size, dtype=np.int64)
    all_counts[:k], n_nonzero[:k] = counts, np.count_nonzero(centers, axis=1)
    most = square.copy()
    add_batch_csr(
        chunks_of(k, max_chunks), *rows.arrays, batch, labels, unit, sums, all_counts, square,
        most, n_nonzero,
    )  # fmt: skip
    return sums.T[:k] / unit, all_counts[:k], square[:k] / unit**2, n_nonzero[:k]


@pytest.mark.parametrize("k", [1, 7, 8, 9])
@pytest.mark.parametrize("unit", [1.0, 2.0**-60])
def test_add_batch_csr(rng, n_samples, n_features, k, unit, dtype, max_chunks):
    rows, X, _ = make_rows(rng, n_samples, n_features, dtype)
    centers, counts = rng.normal(size=(k, n_features)), rng.integers(3, size=k).astype(float)
    batch = rng.integers(n_samples, size=n_samples)
    labels = rng.integers(k, size=n_samples, dtype=np.int32)
    sums, all_counts, square, n_nonzero = add(
        rows, batch, labels, centers, counts, max_chunks, unit
    )
    expected, expected_counts = reference.add_batch_csr(
        X, batch, labels, centers * np.maximum(counts, 1)[:, np.newaxis], counts
    )
    atol = tolerance(np.float64, n_samples)
    np.testing.assert_allclose(sums, expected, rtol=0, atol=atol)
    np.testing.assert_array_equal(all_counts, expected_counts)
    np.testing.assert_array_equal(n_nonzero, np.count_nonzero(sums, axis=1))
    largest = (np.abs(expected) + n_samples).max() ** 2 * n_features
    np.testing.assert_allclose(square, (expected**2).sum(axis=1), atol=atol * largest)


def test_the_square_of_a_sum_that_cancels_is_formed_anew(rng, dtype):
    rows, X, _ = make_rows(rng, 50, 6, dtype)
    centers = -X[[3]].toarray().astype(np.float64) * (1 - 2.0**-30)
    sums, _, square, _ = add(rows, np.array([3]), np.zeros(1, np.int32), centers, np.ones(1), 1)
    assert square[0] == (sums[0] ** 2).sum()
    assert square[0] < LEAST_OF_SQUARE * (centers**2).sum()
