"""Kernels on rows with missing values against their naive twins."""

import numpy as np
import pytest

from fastclust._algorithms.rows.missing import MissingRows
from fastclust._algorithms.rows.panels import aligned_empty, tiles_of
from fastclust._calls import (
    assign_observed,
    describe_observed,
    describe_patterns,
    list_observed,
    move_observed,
    sum_observed,
    transform_observed,
)
from fastclust._kernels.kmeans.constants import KEY_BITS, OBSERVED_SEEDING_TILE
from fastclust._kernels.simd.sizes import DISTANCE_TILE, NARROW_TILE, OBSERVED_TILE
from tests import reference
from tests.kernels.conftest import chunks_of, tolerance

N_CLUSTERS = [1, NARROW_TILE, OBSERVED_TILE - 1, OBSERVED_TILE, OBSERVED_TILE + 1]
N_CLUSTERS += [2 * OBSERVED_TILE + NARROW_TILE + 1]


def make_rows(rng, n_samples, n_features, dtype, weighted=False):
    """Rows, each with a value, as `MissingRows`, as an array, and their weights."""
    X = rng.normal(size=(n_samples, n_features)).astype(dtype)
    is_missing = rng.random(X.shape) < 0.3
    is_missing[np.arange(n_samples), rng.integers(n_features, size=n_samples)] = False
    X[is_missing] = np.nan
    sample_weight = rng.uniform(0.5, 2.0, size=n_samples).astype(dtype)
    origin = np.zeros(n_features, dtype=dtype)
    if weighted:
        return MissingRows(X, sample_weight, origin), X, sample_weight
    return MissingRows(X, None, origin), X, np.ones(n_samples, dtype=dtype)


def test_sum_observed(rng, n_samples, n_features, dtype, max_chunks):
    _, X, _ = make_rows(rng, n_samples, n_features, dtype)
    X[:: max(2, n_samples // 3)] = np.nan
    chunks = chunks_of(n_samples, max_chunks)
    sums = np.zeros((len(chunks), n_features))
    counts = np.zeros((len(chunks), n_features), dtype=np.int64)
    n_empty = np.full(len(chunks), 7)
    sum_observed(chunks, X, sums, counts, n_empty)
    expected_sums, expected_counts, expected_empty = reference.sum_observed(X)
    # Both sums are in float64; only their order differs.
    atol = tolerance(np.float64, n_samples)
    np.testing.assert_allclose(sums.sum(axis=0), expected_sums, rtol=0, atol=atol)
    np.testing.assert_array_equal(counts.sum(axis=0), expected_counts)
    assert n_empty.sum() == expected_empty > 0


def test_describe_observed(rng, n_samples, n_features, dtype, max_chunks):
    rows, X, _ = make_rows(rng, n_samples, n_features, dtype)
    chunks = chunks_of(len(rows.values), max_chunks)
    n_observed = np.full((len(rows.values), rows.lanes), np.nan, dtype=dtype)
    squares = np.zeros((len(chunks), n_features, rows.lanes))
    largest = np.full(len(chunks), np.nan)
    describe_observed(chunks, rows.values, n_observed, squares, largest)
    expected = reference.describe_observed(X)
    np.testing.assert_array_equal(rows.unpadded(n_observed), expected[0])
    rtol = tolerance(np.float64, max(n_samples, n_features))
    np.testing.assert_allclose(squares.sum(axis=(0, 2)), expected[1], rtol=rtol)
    np.testing.assert_allclose(largest.max(), expected[2], rtol=rtol)


@pytest.mark.parametrize("n_clusters", N_CLUSTERS)
def test_assign_observed(rng, n_samples, n_features, n_clusters, dtype, max_chunks):
    rows, X, _ = make_rows(rng, n_samples, n_features, dtype)
    C = rng.normal(size=(n_clusters, n_features)).astype(dtype)
    tiles, *_ = tiles_of(C, OBSERVED_TILE, 1.0)
    start = np.zeros((len(tiles), OBSERVED_TILE), dtype=dtype)
    start.ravel()[n_clusters:] = np.inf
    labels = np.full((len(rows.values), rows.lanes), -1, dtype=np.int32)
    distances_sq = aligned_empty(labels.shape, dtype)
    chunks = chunks_of(len(rows.values), max_chunks)
    assign_observed(
        chunks, rows.values, rows.features, n_clusters, tiles, start, labels, distances_sq
    )
    labels, distances_sq = rows.unpadded(labels), rows.unpadded(distances_sq)
    # Differences of two numbers of the dtype round once, their squares and sums again.
    rtol = tolerance(dtype, n_features)
    expected, least_sq = reference.assign_observed(X, C)
    np.testing.assert_allclose(distances_sq, least_sq, rtol=rtol)
    all_sq = reference.observed_distances_sq(X, C)
    chosen = all_sq[np.arange(n_samples), labels]
    assert (chosen <= least_sq * (1 + rtol)).all()  # other labels differ by rounding alone
    assert (labels == expected).mean() > 0.9


def test_describe_patterns(rng, n_samples, n_features, dtype, max_chunks):
    rows, X, _ = make_rows(rng, n_samples, n_features, dtype)
    keys = np.full((len(rows.values), rows.lanes), -1)
    describe_patterns(chunks_of(len(rows.values), max_chunks), rows.values, keys)
    np.testing.assert_array_equal(rows.unpadded(keys), reference.describe_patterns(X, KEY_BITS))


def test_list_observed(rng, n_samples, n_features, dtype, max_chunks):
    rows, *_ = make_rows(rng, n_samples, n_features, dtype)
    rows.values[0, 1:] = np.nan
    listed = np.full((len(rows.values), n_features + 1), -1, dtype=np.int32)
    list_observed(chunks_of(len(rows.values), max_chunks), rows.values, listed)
    for panel, row in zip(rows.values, listed, strict=True):
        features, n = reference.list_observed(panel)
        np.testing.assert_array_equal(row[: len(features)], features)
        assert row[-1] == n


@pytest.mark.parametrize("n_features", [1, 3, 16, 19])
@pytest.mark.parametrize("n_clusters", N_CLUSTERS)
def test_grouped_rows_have_the_same_labels(rng, n_features, n_clusters, dtype):
    rows, X, _ = make_rows(rng, 500, n_features, dtype)
    C = rng.normal(size=(n_clusters, n_features)).astype(dtype)
    labels, distances_sq = rows.nearest(C)
    squares, seeds = rows.squares, rows.run_seeding(0, np.full((2, 3), 0.5))
    rows.group_patterns()
    keys = reference.describe_patterns(X[rows.unpadded(rows.order.rows)], KEY_BITS)
    assert (np.diff(keys) >= 0).all()
    assert n_features > 3 or (rows.features[:, -1] > 0).any()  # some panels need no masks
    for found, expected in zip(rows.nearest(C), (labels, distances_sq), strict=True):
        np.testing.assert_array_equal(found, expected)
    np.testing.assert_array_equal(rows.squares, squares)
    np.testing.assert_array_equal(rows.run_seeding(0, np.full((2, 3), 0.5)), seeds)


@pytest.mark.parametrize("grouped", [False, True])
@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("from_none", [False, True])
def test_iterate_observed(rng, n_samples, n_features, dtype, weighted, from_none, grouped):
    rows, X, sample_weight = make_rows(rng, n_samples, n_features, dtype, weighted)
    if grouped:
        rows.group_patterns()
        order = rows.unpadded(rows.order.rows)
        X, sample_weight = X[order], sample_weight[order]
    C = rng.normal(size=(5, n_features)).astype(dtype)
    old = rng.integers(5, size=(len(rows.values), rows.lanes), dtype=np.int32)
    labels, distances_sq = old.copy(), aligned_empty(old.shape, dtype)
    n_changed, grown = rows.iterate(C, old, from_none, labels, distances_sq)
    old, labels = rows.unpadded(old), rows.unpadded(labels)
    assert n_changed == np.count_nonzero(labels != old)
    before = np.full(n_samples, -1) if from_none else old
    expected, least_sq, changes = reference.iterate_observed(X, sample_weight, C, before)
    np.testing.assert_allclose(
        rows.unpadded(distances_sq), least_sq, rtol=tolerance(dtype, n_features)
    )
    assert (labels == expected).mean() > 0.9  # others differ by rounding
    if (labels == expected).all():
        found = grown.sums, grown.feature_weights, grown.weights, grown.counts
        atol = tolerance(np.float64, n_samples)  # in float64; only the order differs
        for ours, theirs in zip(found, changes, strict=True):
            np.testing.assert_allclose(ours, theirs, rtol=0, atol=atol)


def test_equal_centers_have_the_first_label(rng, dtype):
    rows, X, _ = make_rows(rng, 100, 4, dtype)
    C = np.repeat(X[~np.isnan(X).any(axis=1)][:2], 3, axis=0)
    labels = rows.assign(C)
    assert set(labels) == {0, 3}


@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("from_none", [False, True])
def test_move_observed(rng, n_samples, n_features, dtype, max_chunks, weighted, from_none):
    rows, X, sample_weight = make_rows(rng, n_samples, n_features, dtype, weighted)
    n_clusters = 3
    old, new = rng.integers(n_clusters, size=(2, len(rows.values), rows.lanes), dtype=np.int32)
    if from_none:
        old[:] = -1
    chunks = chunks_of(len(rows.values), max_chunks)
    sums, feature_weights = np.zeros((2, len(chunks), n_clusters, n_features))
    weights = np.zeros((len(chunks), n_clusters))
    counts = np.zeros((len(chunks), n_clusters), dtype=np.int64)
    move_observed(
        chunks, rows.values, rows.weights, n_samples, old, new, sums, feature_weights, weights,
        counts,
    )  # fmt: skip
    expected = reference.move_observed(
        X, sample_weight, rows.unpadded(old), rows.unpadded(new), n_clusters
    )
    atol = tolerance(np.float64, n_samples)  # in float64; only the order differs
    found = sums, feature_weights, weights, counts
    for ours, theirs in zip(found, expected, strict=True):
        np.testing.assert_allclose(ours.sum(axis=0), theirs, rtol=0, atol=atol)


@pytest.mark.parametrize("n_clusters", [1, DISTANCE_TILE, DISTANCE_TILE + 1])
def test_transform_observed(rng, n_samples, n_features, n_clusters, dtype, max_chunks):
    rows, X, _ = make_rows(rng, n_samples, n_features, dtype)
    C = rng.normal(size=(n_clusters, n_features)).astype(dtype)
    chunks = chunks_of(len(rows.values), max_chunks)
    scratch = aligned_empty((len(chunks), DISTANCE_TILE, rows.lanes), dtype)
    out = np.full((n_samples, n_clusters), np.nan, dtype=dtype)
    tiles, *_ = tiles_of(C, DISTANCE_TILE, 1.0)
    transform_observed(chunks, rows.values, tiles, scratch, out)
    rtol = tolerance(dtype, n_features)
    np.testing.assert_allclose(out, reference.transform_observed(X, C), rtol=rtol)


@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("n_candidates", [1, 4, OBSERVED_SEEDING_TILE])  # the last: two tiles
def test_seed_rounds_observed(rng, n_samples, n_features, n_candidates, weighted):
    rows, X, sample_weight = make_rows(rng, n_samples, n_features, np.float64, weighted)
    uniforms = rng.random((min(6, n_samples - 1), n_candidates))
    taken = rows.run_seeding(n_samples - 1, uniforms)
    scaled_sq = reference.observed_distances_sq(X, np.nan_to_num(X)).T
    scaled_sq *= n_features / (~np.isnan(X)).sum(axis=1)
    expected = reference.seed_rounds(
        X, sample_weight, n_samples - 1, uniforms, taken, distances_sq=scaled_sq
    )
    np.testing.assert_array_equal(taken, expected)


def test_rows_that_are_taken_are_centers(rng, dtype):
    rows, X, _ = make_rows(rng, 20, 3, dtype)
    numbers = np.array([3, 17, 3])
    np.testing.assert_array_equal(rows.take(numbers), np.nan_to_num(X[numbers]))


def test_statistics_of_rows_with_missing_values_merge(rng, dtype):
    _, X, sample_weight = make_rows(rng, 100, 3, dtype)
    C, origin = np.nan_to_num(X[:4]), np.zeros(3, dtype=dtype)
    whole, a, b = (
        MissingRows(X[part], sample_weight[part], origin).cluster_statistics(C)
        for part in (slice(None), slice(40), slice(40, None))
    )
    rtol = tolerance(dtype, 3)  # distances are of the dtype, and sums of them in float64
    for name, value in vars(a + b).items():
        np.testing.assert_allclose(value, getattr(whole, name), rtol=rtol, atol=rtol)


def test_label_inertias(rng):
    rows, X, sample_weight = make_rows(rng, 100, 3, np.float64, weighted=True)
    C, labels = rng.normal(size=(4, 3)), rng.integers(3, size=100, dtype=np.int32)
    own_sq = sample_weight * reference.observed_distances_sq(X, C)[np.arange(100), labels]
    expected = [own_sq[labels == j].sum() for j in range(4)]
    np.testing.assert_allclose(rows.label_inertias(C, labels), expected, rtol=1e-14)
