"""Steps of mini-batch k-means against their naive twin."""

import numpy as np
import pytest

from fastclust._algorithms.chunks import new_team
from fastclust._algorithms.rows.panels import aligned_empty, tiles_of
from fastclust._calls import run_batches
from fastclust._kernels.launch import n_workers
from fastclust._kernels.simd.sizes import NARROW_TILE, TILE, VECTOR_BYTES
from tests import reference
from tests.kernels.conftest import chunks_of, tolerance

N_STEPS = 4


def run(X, origin, batches, centers, weights, max_chunks):
    """Call the kernel with buffers of its own; return centers, weights and inertia."""
    (n_steps, batch_size), (k, d), dtype = batches.shape, centers.shape, X.dtype
    lanes = VECTOR_BYTES // dtype.itemsize
    n_panels = -(-batch_size // lanes)
    numbers = np.zeros((n_steps, n_panels * lanes), dtype=np.int64)
    numbers[:, :batch_size] = batches
    chunks = chunks_of(n_panels, max_chunks)
    n_chunks = len(chunks)
    all_centers = np.full((n_steps + 1, k, d), np.nan, dtype=dtype)
    all_weights, inertia = np.full((n_steps + 1, k), np.nan), np.full(n_steps, np.nan)
    all_centers[0], all_weights[0] = centers, weights
    tiles, center_sq, _ = tiles_of(centers, TILE, -2.0)
    sums = np.zeros((n_chunks, k, d)), np.zeros((n_chunks, k)), np.zeros((n_chunks, k), np.int64)
    run_batches(
        chunks, X, origin, numbers.reshape(-1, lanes), batch_size, n_steps, n_workers(chunks),
        new_team(), np.zeros(1, dtype=np.int64), aligned_empty((n_chunks, d, lanes), dtype),
        aligned_empty((n_chunks, lanes), np.int32), *sums, np.empty(n_chunks), all_centers,
        all_weights, tiles, center_sq, inertia,
    )  # fmt: skip
    assert not any(values.any() for values in sums)
    np.testing.assert_array_equal(tiles, tiles_of(all_centers[-1], TILE, -2.0)[0])
    return all_centers[1:], all_weights[1:], inertia


def assert_equal_to_twin(rng, dtype, max_chunks, n_samples, n_features, batch_size, k):
    """The kernel and its twin agree on batches of rows around centers that are far apart."""
    true_centers = 20 * rng.normal(size=(k, n_features))
    X = true_centers[rng.integers(k, size=n_samples)] + rng.normal(size=(n_samples, n_features))
    X, origin = X.astype(dtype), rng.normal(size=n_features).astype(dtype)
    centers = (true_centers - origin).astype(dtype)
    weights = rng.integers(5, size=k).astype(np.float64)
    batches = rng.integers(n_samples, size=(N_STEPS, batch_size))
    found = run(X, origin, batches, centers, weights, max_chunks)
    expected = reference.run_batches(
        X.astype(np.float64) - origin, batches, centers.astype(np.float64), weights
    )
    # Each step rounds centers to their type; sums are of values near 20 or 60.
    atol = 100 * tolerance(dtype, N_STEPS)
    np.testing.assert_allclose(found[0], expected[0], rtol=0, atol=atol)
    np.testing.assert_array_equal(found[1], expected[1])
    rtol = 100 * tolerance(dtype, n_features)
    np.testing.assert_allclose(found[2], expected[2], rtol=rtol)


def test_run_batches(rng, dtype, max_chunks, n_samples, n_features):
    assert_equal_to_twin(rng, dtype, max_chunks, n_samples, n_features, n_samples, 3)


@pytest.mark.parametrize("batch_size", [1, 5, 16, 17, 100])
def test_batches_smaller_and_larger_than_the_rows(rng, dtype, max_chunks, batch_size):
    assert_equal_to_twin(rng, dtype, max_chunks, 40, 11, batch_size, 4)


@pytest.mark.parametrize("k", [1, 2, NARROW_TILE + 1, TILE, TILE + 1, 2 * TILE + 1])
def test_tiles_of_centers(rng, dtype, max_chunks, k):
    assert_equal_to_twin(rng, dtype, max_chunks, 500, 9, 200, k)


def test_centers_without_rows_stay(rng, dtype):
    X = rng.normal(size=(30, 2)).astype(dtype)
    centers = np.array([[0, 0], [1000, 1000]], dtype=dtype)
    batches = rng.integers(30, size=(2, 30))
    found, weights, _ = run(X, np.zeros(2, dtype), batches, centers, np.array([0.0, 3.0]), 1)
    np.testing.assert_array_equal(found[:, 1], centers[[1, 1]])
    np.testing.assert_array_equal(weights, [[30, 3], [60, 3]])
