"""Kernels of k-means on panels against their naive twins."""

import numpy as np
import pytest

from fastclust._algorithms.chunks import new_team
from fastclust._algorithms.kmeans.policy import LloydPolicy
from fastclust._algorithms.rows.dense import UnitRows
from fastclust._algorithms.rows.panels import Panels, aligned_empty, tiles_of
from fastclust._calls import (
    assign_by_differences,
    assign_nearest,
    assign_with_inertia,
    distances_to_labels,
    find_close_centers,
    iterate,
    sum_clusters,
    sum_label_distances,
    tile_centers,
    transform_rows,
    update_centers,
)
from fastclust._kernels.kmeans.constants import (
    MOVE_TO_DIRECTIONS,
    MOVE_TO_MEANS,
    N_CHANGED,
    N_COUNTS,
    N_EMPTY,
    N_ITER,
)
from fastclust._kernels.launch import n_workers
from fastclust._kernels.simd.sizes import DISTANCE_TILE, NARROW_TILE, TILE
from tests import reference
from tests.kernels.conftest import chunks_of, tolerance
from tests.kernels.kmeans.models import make_panels

N_CLUSTERS = [1, 2, TILE // 2, TILE // 2 + 1, TILE, TILE + 1, TILE + NARROW_TILE + 1]
N_CLUSTERS += [2 * TILE + NARROW_TILE, 2 * TILE + TILE // 2]


def assert_nearest(labels, X, C):
    """The labels are nearest centers, but for rows whose two nearest differ by rounding."""
    D = reference.all_distances_sq(X, C)
    chosen = D[np.arange(len(X)), labels]
    scale = (X.astype(np.float64) ** 2).sum(axis=1) + (C.astype(np.float64) ** 2).sum(axis=1).max()
    assert (chosen - D.min(axis=1) <= tolerance(X.dtype, X.shape[1] + 1) * scale).all()


def assert_clear(X, C):
    """No row is as near to two centers but for rounding, so its label is that of the twin."""
    nearest_sq = np.partition(reference.all_distances_sq(X, C), min(1, len(C) - 1), axis=1)
    if len(C) > 1:
        scale = max((X.astype(np.float64) ** 2).sum(axis=1).max(), (C**2).sum(axis=1).max())
        gap = nearest_sq[:, 1] - nearest_sq[:, 0]
        assert gap.min() > 2 * tolerance(X.dtype, X.shape[1] + 1) * scale


@pytest.mark.parametrize("width", [TILE, DISTANCE_TILE])
@pytest.mark.parametrize("n_clusters", N_CLUSTERS)
def test_tile_centers(rng, n_clusters, width, dtype, max_chunks):
    C = rng.normal(size=(n_clusters, 3)).astype(dtype)
    tiles, center_sq = reference.tile_centers(C, -2.0, width)
    tiles_out, center_sq_out = np.empty(tiles.shape, dtype), np.empty(center_sq.shape, dtype)
    chunks = chunks_of(len(tiles), max_chunks)
    close = np.full(len(chunks), 7)
    tile_centers(chunks, C, -2.0, np.inf, tiles_out, center_sq_out, close)
    assert not close.any()
    np.testing.assert_array_equal(tiles_out, tiles)  # a power of two scales exactly
    np.testing.assert_allclose(center_sq_out, center_sq, rtol=tolerance(dtype, 1))


@pytest.mark.parametrize("n_clusters", N_CLUSTERS)
def test_assign_nearest(rng, n_samples, n_features, n_clusters, dtype, max_chunks):
    panels, X, _ = make_panels(rng, n_samples, n_features, dtype)
    C = rng.normal(size=(n_clusters, n_features)).astype(dtype)
    labels = np.full((len(panels.values), panels.lanes), -7, dtype=np.int32)
    chunks = chunks_of(len(panels.values), max_chunks)
    assign_nearest(chunks, panels.values, len(C), *tiles_of(C, TILE, -2.0)[:2], labels)
    assert_nearest(panels.order.row_labels(labels), X, C)


@pytest.mark.parametrize("n_clusters", N_CLUSTERS)
def test_assign_by_differences(rng, n_samples, n_features, n_clusters, dtype, max_chunks):
    """Around a point so far away that squares have no digits left."""
    far = np.array(1e4 if dtype == np.float32 else 1e12, dtype=dtype)
    X = far + rng.normal(size=(n_samples, n_features)).astype(dtype)
    C = far + rng.normal(size=(n_clusters, n_features)).astype(dtype)
    panels = Panels(X, None, np.zeros(n_features, dtype=dtype))
    labels = np.full((len(panels.values), panels.lanes), -7, dtype=np.int32)
    chunks = chunks_of(len(panels.values), max_chunks)
    tiles, *_ = tiles_of(C, TILE, -2.0)
    assign_by_differences(chunks, panels.values, n_clusters, tiles, labels)
    D = reference.all_distances_sq(X, C)
    chosen = D[np.arange(n_samples), panels.order.row_labels(labels)]
    expected = D[np.arange(n_samples), reference.assign_by_differences(X, C)]
    np.testing.assert_allclose(chosen, expected, rtol=tolerance(dtype, n_features))
    assert labels.min() >= 0
    assert labels.max() < n_clusters


@pytest.mark.parametrize("n_clusters", [1, 2, 3, 9, 40])
def test_centers_that_are_close(rng, n_clusters, dtype, max_chunks):
    limit, found = 2.0**10, []
    chunks = chunks_of(n_clusters, max_chunks)
    close = np.full(len(chunks), 7)
    n_tiles = -(-n_clusters // DISTANCE_TILE)
    tile_chunks = chunks_of(n_tiles, max_chunks)
    tile_close = np.full(len(tile_chunks), 7)
    for _ in range(40):
        C = rng.normal(size=(n_clusters, 2)).astype(dtype)
        C = (rng.choice([1e-3, 1.0, 1e3]) * (C + rng.choice([0, 300]))).astype(dtype)
        found.append(reference.find_close_centers(C, limit))
        center_sq = np.square(C).sum(axis=1)
        find_close_centers(chunks, C, center_sq, limit, close)
        assert bool(close.any()) == found[-1]
        tiles = (
            np.empty((n_tiles, 2, DISTANCE_TILE), dtype),
            np.empty((n_tiles, DISTANCE_TILE), dtype),
        )
        tile_centers(tile_chunks, C, 1.0, limit, *tiles, tile_close)
        assert bool(tile_close.any()) == found[-1]
    if n_clusters == 9:
        assert {False, True} == set(found)


def test_assign_nearest_takes_the_first_of_equal_centers(dtype):
    C = np.tile(np.arange(3.0, dtype=dtype)[:, np.newaxis], (TILE, 1))  # 0 1 2 0 1 2 ...
    panels = Panels(C, None, np.zeros(1, dtype=dtype))
    labels = panels.order.row_labels(panels.assign_to_panels(C))
    np.testing.assert_array_equal(labels, np.arange(len(C)) % 3)


@pytest.mark.parametrize("weighted", [False, True])
def test_assign_with_inertia(rng, n_samples, n_features, weighted, dtype, max_chunks):
    panels, X, sample_weight = make_panels(rng, n_samples, n_features, dtype, weighted)
    C = rng.normal(size=(TILE + 1, n_features)).astype(dtype)
    chunks = chunks_of(len(panels.values), max_chunks)
    labels = panels.new_labels()
    inertia = np.empty(len(chunks))
    tiles, center_sq, _ = tiles_of(C, TILE, -2.0)
    assign_with_inertia(
        chunks, panels.values, panels.weights, n_samples, C, tiles, center_sq, labels, inertia
    )
    assert_nearest(panels.order.row_labels(labels), X, C)
    _, expected = reference.assign_with_inertia(X, sample_weight.astype(np.float64), C)
    assert inertia.sum() == pytest.approx(expected, rel=tolerance(dtype, n_features))


def test_distances_to_labels(rng, n_samples, n_features, dtype, max_chunks):
    panels, X, _ = make_panels(rng, n_samples, n_features, dtype)
    C = rng.normal(size=(5, n_features)).astype(dtype)
    labels = rng.integers(5, size=(len(panels.values), panels.lanes), dtype=np.int32)
    out = np.empty(labels.shape, dtype=dtype)
    chunks = chunks_of(len(panels.values), max_chunks)
    distances_to_labels(chunks, panels.values, C, labels, out)
    expected = reference.distances_to_labels(X, C, panels.order.row_labels(labels))
    rtol = tolerance(dtype, n_features)
    np.testing.assert_allclose(panels.order.row_labels(out), expected, rtol=rtol)


@pytest.mark.parametrize("weighted", [False, True])
def test_sum_label_distances(rng, n_samples, n_features, weighted, dtype, max_chunks):
    panels, X, sample_weight = make_panels(rng, n_samples, n_features, dtype, weighted)
    C = rng.normal(size=(3, n_features)).astype(dtype)
    labels = rng.integers(2, size=(len(panels.values), panels.lanes), dtype=np.int32)
    panels.padding(labels)[:] = -1
    chunks = chunks_of(len(panels.values), max_chunks)
    inertias = np.zeros((len(chunks), 3))
    sum_label_distances(chunks, panels.values, panels.weights, C, labels, inertias)
    weights = sample_weight.astype(np.float64)
    expected = reference.sum_label_distances(X, weights, C, panels.order.row_labels(labels))
    rtol = tolerance(dtype, n_features)
    np.testing.assert_allclose(inertias.sum(axis=0), expected, rtol=rtol)
    assert inertias[:, 2].sum() == 0  # without rows


@pytest.mark.parametrize("n_clusters", [1, DISTANCE_TILE, DISTANCE_TILE + 1])
def test_transform_rows(rng, n_samples, n_features, n_clusters, dtype, max_chunks):
    panels, X, _ = make_panels(rng, n_samples, n_features, dtype)
    C = rng.normal(size=(n_clusters, n_features)).astype(dtype)
    C[0] = X[0]  # a distance of exactly 0
    chunks = chunks_of(len(panels.values), max_chunks)
    scratch = aligned_empty((len(chunks), DISTANCE_TILE, panels.lanes), dtype)
    out = np.full((n_samples, n_clusters), np.nan, dtype=dtype)
    tiles, *_ = tiles_of(C, DISTANCE_TILE, 1.0)
    transform_rows(chunks, panels.values, tiles, scratch, out)
    rtol = tolerance(dtype, n_features)
    np.testing.assert_allclose(out, reference.transform_rows(X, C), rtol=rtol)
    assert out[0, 0] == 0


def run_iterate(panels, C, max_chunks, n_steps, tol, finish=MOVE_TO_MEANS):
    """Call the kernel with buffers of its own; return what it writes."""
    n_panels, n_features, lanes = panels.values.shape
    k, dtype = len(C), panels.dtype
    chunks = chunks_of(n_panels, max_chunks)
    n_chunks = len(chunks)
    tiles, center_sq, _ = tiles_of(C, TILE, -2.0)
    written = {
        "new_labels": np.full((n_chunks, 3, lanes), -1, dtype=np.int32),
        "team": new_team(),
        "labels": panels.new_labels(),
        "centers": C.copy(),
        "tiles": tiles,
        "center_sq": center_sq,
        "shifts": np.zeros(-(-k // lanes) * lanes, dtype=dtype),
        "chunk_sums": np.zeros((n_chunks, k, n_features)),
        "chunk_weights": np.zeros((n_chunks, k)),
        "chunk_counts": np.zeros((n_chunks, k), dtype=np.int64),
        "chunk_touched": np.zeros((n_chunks, k), dtype=np.int64),
        "chunk_changed": np.full(n_chunks, -1),
        "sums": np.full((k, n_features), np.nan),
        "weights": np.full(k, np.nan),
        "counts": np.full(k, -1),
        "max_weights": np.full(k, np.nan),
        "status_counts": np.zeros(N_COUNTS, dtype=np.int64),
        "shift_sq": np.zeros(1),
    }
    iterate(
        chunks, panels.values, panels.weights, panels.n_samples, finish, 0, n_steps, 100,
        tol, n_workers(chunks), *written.values(),
    )  # fmt: skip
    return written


def assert_shift(written, shift_sq, atol):
    """The shift is that of centers each of whose coordinates may be off by atol."""
    shift = np.sqrt(written["shift_sq"][0])
    assert shift == pytest.approx(np.sqrt(shift_sq), abs=atol * np.sqrt(written["centers"].size))


def assert_left_as_they_came(written):
    """The sums of the chunks are 0, as the next launch wants them."""
    for name in ("chunk_sums", "chunk_weights", "chunk_counts", "chunk_touched"):
        assert not written[name].any()


@pytest.mark.parametrize("weighted", [False, True])
def test_iterate_is_lloyds_algorithm(rng, weighted, max_chunks):
    panels, X, sample_weight = make_panels(rng, 333, 3, np.float64, weighted)
    C = X[1 : TILE + 3]  # row 0 may have no weight
    n_iter, n_changed, shift_sq, labels, expected, (sums, weights, counts) = reference.iterate(
        X, sample_weight, C, np.full(333, -1), 100, tol=1e-9
    )
    written = run_iterate(panels, C, max_chunks, 100, 1e-9)
    status = written["status_counts"]
    assert n_iter > 2  # so that sums were formed from changes
    assert status[N_ITER] == n_iter
    assert status[N_CHANGED] == n_changed
    assert status[N_EMPTY] == 0
    np.testing.assert_array_equal(panels.order.row_labels(written["labels"]), labels)
    # Sums of the changes instead of the rows: each row was added and taken away in each iteration.
    atol = tolerance(np.float64, 2 * 333 * n_iter)
    np.testing.assert_allclose(written["sums"], sums, rtol=0, atol=atol)
    np.testing.assert_allclose(written["weights"], weights, rtol=0, atol=atol)
    np.testing.assert_allclose(written["centers"], expected, rtol=0, atol=atol / weights.min())
    np.testing.assert_array_equal(written["counts"], counts)
    assert_shift(written, shift_sq, atol / weights.min())
    assert_left_as_they_came(written)


@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("n_features", [2, 3, 9])
def test_iterate_can_move_centers_to_directions(rng, n_features, dtype, max_chunks, weighted):
    panels, X, sample_weight = make_panels(rng, 333, n_features, dtype, weighted)
    C = reference.unit_rows(X[1 : TILE + 3])
    panels = Panels(UnitRows(X), sample_weight if weighted else None, panels.origin)
    rows = panels.take(np.arange(333))
    n_iter, n_changed, shift_sq, labels, expected, (_, weights, counts) = reference.iterate(
        rows, sample_weight, C, np.full(333, -1), 3, 0.0, to_unit=True
    )
    written = run_iterate(panels, C, max_chunks, 3, 0.0, MOVE_TO_DIRECTIONS)
    status = written["status_counts"]
    assert (status[N_ITER], status[N_CHANGED], status[N_EMPTY]) == (n_iter, n_changed, 0)
    np.testing.assert_array_equal(panels.order.row_labels(written["labels"]), labels)
    np.testing.assert_array_equal(written["counts"], counts)
    atol = tolerance(dtype, 1) + tolerance(np.float64, 3 * 333) / weights.min()
    np.testing.assert_allclose(written["centers"], expected, rtol=0, atol=atol)
    np.testing.assert_allclose(np.square(written["centers"]).sum(axis=1), 1, atol=2 * atol)
    assert_shift(written, shift_sq, atol)


def move(centers, sums, weights, to_unit):
    """Centers and the sum of squared shifts, by the kernel."""
    moved = centers.copy()
    tiles, center_sq, _ = tiles_of(moved, TILE, -2.0)
    shifts, shift_sq = np.zeros(64, dtype=centers.dtype), np.empty(1)
    update_centers(
        chunks_of(1, 1), moved, sums, weights, int(to_unit), tiles, center_sq, shifts, shift_sq
    )
    np.testing.assert_array_equal(tiles, tiles_of(moved, TILE, -2.0)[0])
    return moved, shift_sq[0]


@pytest.mark.parametrize("scale", [1.0, 1e-300, 1e300])  # of the weights
@pytest.mark.parametrize("to_unit", [False, True])
@pytest.mark.parametrize("n_clusters", [1, TILE, TILE + 1])
def test_update_centers(rng, dtype, n_clusters, to_unit, scale):
    centers = reference.unit_rows(rng.normal(size=(n_clusters, 3)).astype(dtype))
    weights = scale * rng.uniform(1.0, 2.0, size=n_clusters)
    sums = 0.5 * weights[:, np.newaxis] * rng.uniform(-1, 1, size=centers.shape)
    expected = reference.update_centers(centers, sums, weights, to_unit)
    moved, shift_sq = move(centers, sums, weights, to_unit)
    np.testing.assert_allclose(moved, expected, rtol=tolerance(dtype, 3))
    assert shift_sq == pytest.approx(((expected - centers) ** 2).sum(), rel=tolerance(dtype, 9))


def test_a_center_whose_rows_add_up_to_zero_stays(dtype):
    centers = np.eye(3, dtype=dtype)
    sums = np.array([[0.0, 0, 0], [0.0, 1e-14, 1e-13], [0.0, 3.0, 4.0]])  # 1e-13: of rounding
    moved, shift_sq = move(centers, sums, np.array([2.0, 1.0, 10.0]), True)
    expected = np.array([[1, 0, 0], [0, 1, 0], [0, 0.6, 0.8]], dtype=dtype)
    np.testing.assert_allclose(moved, expected, rtol=tolerance(dtype, 1))
    assert shift_sq == pytest.approx(0.36 + 0.04, rel=tolerance(dtype, 9))


def test_shifts_of_centers_are_rounded_up(rng, dtype):
    panels, X, _ = make_panels(rng, 1000, 3, dtype)
    written = run_iterate(panels, X[:20], 1, 1, tol=0.0)
    moved = written["centers"].astype(np.float64) - X[:20]
    ratio = written["shifts"][:20] / np.sqrt((moved**2).sum(axis=1))
    # By one part in a million, but for the rounding of shifts to their type.
    assert ratio.min() > 1 + 0.5e-6
    assert ratio.max() < 1 + 1.5e-6
    assert not written["shifts"][20:].any()


@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("n_steps", [1, 2])  # sums of all rows, and of the changes
def test_iterate_on_every_shape(rng, n_samples, n_features, n_steps, weighted, dtype, max_chunks):
    panels, X, sample_weight = make_panels(rng, n_samples, n_features, dtype, weighted)
    C = X[max(0, n_samples - 1 - n_samples // 3) : n_samples - 1] if n_samples > 1 else X
    iterates = [
        reference.iterate(X, sample_weight, C, np.full(n_samples, -1), n, tol=0.0)
        for n in range(1, n_steps + 1)
    ]
    for before in (C, *(result[4] for result in iterates[:-1])):
        assert_clear(X, before)
    n_iter, n_changed, shift_sq, labels, expected, (sums, weights, counts) = iterates[-1]
    written = run_iterate(panels, C, max_chunks, n_steps, tol=0.0)
    np.testing.assert_array_equal(panels.order.row_labels(written["labels"]), labels)
    status = written["status_counts"]
    assert status[N_ITER] == n_iter
    assert status[N_CHANGED] == n_changed
    assert status[N_EMPTY] == (counts == 0).sum()
    np.testing.assert_array_equal(written["counts"], counts)
    # Both sums are in float64: only their order differs. Centers are then rounded to their type.
    atol = tolerance(np.float64, n_steps * n_samples)
    np.testing.assert_allclose(written["sums"], sums, rtol=0, atol=atol)
    np.testing.assert_allclose(written["weights"], weights, rtol=0, atol=atol)
    rtol, atol = tolerance(dtype, 1), atol / weights[counts > 0].min()
    np.testing.assert_allclose(written["centers"], expected, rtol=rtol, atol=atol)
    assert_shift(written, shift_sq, atol + rtol * np.abs(expected).max())
    assert_left_as_they_came(written)


@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("n_features", [1, 7, 8, 9, 24])
def test_sum_clusters(rng, n_features, dtype, max_chunks, weighted):
    panels, X, sample_weight = make_panels(rng, 101, n_features, dtype, weighted)
    labels = rng.integers(4, size=(len(panels.values), panels.lanes), dtype=np.int32)
    chunks = chunks_of(len(panels.values), max_chunks)
    n_chunks = len(chunks)
    sums, weights = np.zeros((n_chunks, 4, n_features)), np.zeros((n_chunks, 4))
    counts = np.zeros((n_chunks, 4), dtype=np.int64)
    sum_clusters(chunks, panels.values, panels.weights, len(X), labels, sums, weights, counts)
    in_doubles = sample_weight.astype(np.float64)
    expected = reference.statistics(X, in_doubles, panels.order.row_labels(labels), 4)
    # Both sums are in float64; only their order differs.
    atol = tolerance(np.float64, len(X))
    np.testing.assert_allclose(sums.sum(axis=0), expected[0], rtol=0, atol=atol)
    np.testing.assert_allclose(weights.sum(axis=0), expected[1], rtol=0, atol=atol)
    np.testing.assert_array_equal(counts.sum(axis=0), expected[2])


def test_iterate_stops_at_an_empty_cluster_and_leaves_the_centers(rng, max_chunks):
    panels, X, _ = make_panels(rng, 50, 2, np.float64)
    C = np.vstack([X[:3], [[1e3, 1e3]]])
    written = run_iterate(panels, C, max_chunks, 10, tol=0.0)
    assert written["status_counts"][N_EMPTY] == 1
    assert written["status_counts"][N_ITER] == 1
    np.testing.assert_array_equal(written["centers"], C)
    assert written["weights"][3] == 0


def test_a_cluster_that_loses_its_rows_keeps_no_rounding_of_them(rng):
    C = np.array([[0.0], [-11.0], [11.0]])
    for _ in range(20):  # of some, the sums of three chunks added and taken away are not 0
        # Those at -5 and 5 are in cluster 0 in the first iteration, and leave it in the second.
        X = np.tile([[-5.0], [5.0], [-7.0], [7.0]], (100, 1)) + 0.1 * rng.random((400, 1))
        panels = Panels(X, rng.uniform(0.5, 2.0, size=400), np.zeros(1))
        assert run_iterate(panels, C, 3, 1, tol=0.0)["counts"][0] == 200
        written = run_iterate(panels, C, 3, 2, tol=0.0)
        assert written["status_counts"][N_EMPTY] == 1
        assert written["weights"][0] == 0
        assert written["sums"][0] == 0


def test_iterate_in_parts_equals_iterate_at_once(rng, max_chunks):
    panels, X, _ = make_panels(rng, 200, 3, np.float64)
    policy = LloydPolicy(max_chunks=max_chunks, chunk_work=1)
    at_once, in_parts = (panels.start_lloyd(X[:5], False, policy) for _ in range(2))
    expected = at_once.advance(0, 4, 0.0)
    assert expected.n_iter == 4
    for iteration in range(4):
        outcome = in_parts.advance(iteration, 1, 0.0)
        assert outcome.n_iter == 1
    np.testing.assert_array_equal(in_parts.labels, at_once.labels)
    np.testing.assert_array_equal(in_parts.centers, at_once.centers)
    assert (outcome.n_changed, outcome.shift_sq) == (expected.n_changed, expected.shift_sq)


def test_iterations_too_long_for_one_launch_give_the_same(rng, limit_launches):
    panels, X, _ = make_panels(rng, 5000, 8, np.float64)
    whole = panels.start_lloyd(X[:40])
    outcome = whole.advance(0, 3, 0.0)
    assert outcome.n_iter == 3
    limit_launches(1e5)
    cut = panels.start_lloyd(X[:40])
    for iteration in range(3):
        cut_progress = cut.advance(iteration, 3, 0.0)
        assert cut_progress.n_iter == 1
    assert (outcome.n_changed, outcome.shift_sq) == (
        cut_progress.n_changed,
        cut_progress.shift_sq,
    )
    np.testing.assert_array_equal(whole.labels, cut.labels)
    np.testing.assert_array_equal(whole.centers, cut.centers)
