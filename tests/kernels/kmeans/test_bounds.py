"""Iterations that skip distances give the labels of those that don't, bit for bit."""

from dataclasses import replace

import numpy as np
import pytest

from fastclust import KMeans
from fastclust._algorithms.kmeans import panel_lloyd
from fastclust._algorithms.kmeans.policy import LloydPolicy
from fastclust._algorithms.rows.panels import Panels
from fastclust._calls import sort_rows, start_bounds
from fastclust._kernels.simd.sizes import TILE
from tests import reference
from tests.kernels.conftest import chunks_of, tolerance


def make_data(rng, kind, dtype, n_features=3):
    """Rows on which bounds skip most, few or no distances, and on which there are ties."""
    n_samples = 1500
    X = rng.normal(size=(n_samples, n_features))
    if kind == "clusters":
        X = 0.1 * X + 3 * rng.normal(size=(12, n_features))[rng.integers(12, size=n_samples)]
    elif kind == "duplicates":
        X = np.round(2 * X)  # some 300 distinct rows, and centers as near as each other
    elif kind == "far":
        X[0] = 1e4  # one row makes the rounding of all large
    elif kind == "tiny":
        X *= 1e-160 if dtype == np.float64 else 1e-20  # squares are 0 or denormal
    elif kind == "large":
        X *= 1e100 if dtype == np.float64 else 1e16  # squares of squares are infinite
    elif kind == "huge":
        X *= 1e155 if dtype == np.float64 else 1e19  # some squares are infinite
    return np.ascontiguousarray(X, dtype=dtype)


@pytest.fixture
def always_bounded(max_chunks):
    """A policy that regroups after every other bounded iteration, however little it helps."""
    return LloydPolicy(
        max_chunks=max(2, max_chunks), chunk_work=100, helps=np.inf,
        row_cost=0, value_cost=0,
    )  # fmt: skip


@pytest.mark.parametrize("n_clusters", [2, TILE, TILE + 3, 40])
@pytest.mark.parametrize(
    "kind", ["normal", "clusters", "duplicates", "far", "tiny", "large", "huge"]
)
@pytest.mark.filterwarnings("ignore:overflow encountered")
def test_bounds_change_no_label(rng, kind, n_clusters, dtype, always_bounded):
    X = make_data(rng, kind, dtype)
    sample_weight = rng.uniform(0.5, 2.0, size=len(X)).astype(dtype)
    panels = Panels(X, sample_weight, np.zeros(X.shape[1], dtype=dtype))
    distinct = np.unique(X, axis=0)
    state = panels.start_lloyd(
        distinct[rng.permutation(len(distinct))[:n_clusters]], policy=always_bounded
    )
    n_bounded, labels_before = 0, np.full(len(X), -1)
    for iteration in range(40):
        n_bounded += state.is_bounded
        before = state.centers.copy()
        outcome = state.advance(iteration, 1, 0.0)
        expected = panels.order.row_labels(panels.assign_to_panels(before))
        np.testing.assert_array_equal(panels.order.row_labels(state.labels), expected)
        assert outcome.n_changed == np.count_nonzero(expected != labels_before)
        labels_before = expected
        if outcome.n_changed == 0 or outcome.shift_sq == 0:
            break
    assert (n_bounded > 0) == (kind != "huge")  # whose bounds would be infinite
    move = rng.choice([1e-7, 0.1], size=(n_clusters, 1)) * rng.normal(size=state.centers.shape)
    moved = (state.centers * (1 + move)).astype(dtype)
    labels, inertia = state.finish(moved)
    expected, expected_inertia = panels.assign_with_inertia(moved)
    np.testing.assert_array_equal(labels, expected)
    # A distance is rounded to the rows' type before it is weighted and summed: half an eps of it.
    np.testing.assert_allclose(inertia, expected_inertia, rtol=2 * float(np.finfo(dtype).eps))
    # Each row has its own weight still, in the order that it is in now.
    np.testing.assert_array_equal(state.order.row_labels(panels.weights), sample_weight)


@pytest.mark.parametrize("n_clusters", [2, TILE + 3, 40])
@pytest.mark.parametrize("kind", ["normal", "clusters", "duplicates"])
def test_bounds_hold_with_their_margins(rng, kind, n_clusters, dtype, always_bounded):
    """Those of the header of `bounded`, after every iteration, with the centers before it."""
    X = make_data(rng, kind, dtype)
    panels = Panels(X, None, np.zeros(3, dtype=dtype))
    distinct = np.unique(X, axis=0)
    centers = distinct[rng.permutation(len(distinct))[:n_clusters]]
    state = panels.start_lloyd(centers, policy=always_bounded)
    n_bounded = n_mixed = 0
    for iteration in range(12):
        before, is_bounded = state.centers.copy(), state.is_bounded
        outcome = state.advance(iteration, 1, 0.0)
        if is_bounded:
            n_bounded += 1
            n_mixed += assert_bounds_hold(panels, state, before)
        state._plan._regroup_at = np.inf if state.is_bounded else 0  # once, and never again
        if outcome.n_changed == 0:
            break
    assert n_bounded > 1
    assert n_mixed > 0


@pytest.mark.parametrize("n_features", [1, 2, 3])
def test_a_center_that_leaves_takes_the_upper_bounds_of_mixed_blocks_along(
    rng, n_features, always_bounded
):
    """Its rows in blocks of another assigned center, which may not have moved at all."""
    X = make_data(rng, "normal", np.float64, n_features)
    panels = Panels(X, None, np.zeros(n_features))
    for j in range(40):
        state = panels.start_lloyd(X[:40], policy=always_bounded)
        for iteration in range(5):
            state.advance(iteration, 1, 0.0)
            state._plan._regroup_at = np.inf if state.is_bounded else 0  # once
        assert state._bounds._arrays[1].any()  # a mixed block
        moved = state.centers.copy()
        moved[j] *= -1  # as far from 0 as it was
        labels, _ = state.finish(moved)
        expected, _ = panels.assign_with_inertia(moved)
        np.testing.assert_array_equal(labels, expected)


def assert_bounds_hold(panels, state, centers):
    """Return how many blocks are mixed."""
    bounds = state._bounds
    assigned, is_mixed, uppers, lowers = bounds._arrays[:4]
    is_mixed = is_mixed.astype(bool)
    distances = np.sqrt(reference.all_distances_sq(
        reference.unpack(panels.values, panels.n_samples), centers
    ))  # fmt: skip
    labels = panels.unpadded(state.labels)
    own = distances[np.arange(len(labels)), labels]
    block_rows = bounds._block_panels * panels.lanes
    starts = np.arange(0, len(labels), block_rows)
    # Half of E is room for the rounding of what is computed.
    upper = np.sqrt(np.maximum.reduceat(own, starts) ** 2 + bounds._error / 2)
    assert (uppers >= upper).all()
    margin = np.sqrt(2 * bounds._error)
    lower = np.minimum.reduceat(distances, starts, axis=0) - 0.99 * margin  # 0.01 of it is rounding
    others = np.arange(len(centers)) != assigned[:, np.newaxis]
    assert (lowers[:, : len(centers)] <= lower)[others].all()
    is_pure = np.minimum.reduceat(labels, starts) == np.maximum.reduceat(labels, starts)
    assert is_pure[~is_mixed].all()
    np.testing.assert_array_equal(assigned[~is_mixed], labels[starts][~is_mixed])
    return np.count_nonzero(is_mixed)


@pytest.mark.parametrize("n_features", [1, 2, 9, 70])
def test_bounded_statistics_are_those_of_the_rows(rng, n_features, dtype, always_bounded):
    X = make_data(rng, "clusters", dtype, n_features)
    sample_weight = rng.integers(0, 3, size=len(X)).astype(dtype)
    panels = Panels(X, sample_weight, np.zeros(n_features, dtype=dtype))
    state = panels.start_lloyd(X[:20], policy=always_bounded)
    for iteration in range(25):
        state.advance(iteration, 1, 0.0)
    assert state.is_bounded
    labels = panels.order.row_labels(state.labels)
    sums, weights, counts = reference.statistics(X, sample_weight, labels, 20)
    # Sums of the changes instead of the rows: each row was added and taken away in each iteration.
    atol = tolerance(np.float64, 2 * len(X) * 25) * np.abs(X).max()
    np.testing.assert_allclose(state.statistics.sums, sums, rtol=0, atol=atol)
    np.testing.assert_array_equal(state.statistics.weights, weights)
    np.testing.assert_array_equal(state.statistics.counts, counts)


def test_sums_are_formed_anew_in_bounded_iterations(rng, always_bounded):
    always_bounded = replace(always_bounded, resum_every=3)
    X = make_data(rng, "normal", np.float64)
    panels = Panels(X, None, np.zeros(3))
    state = panels.start_lloyd(X[:20], policy=always_bounded)
    for iteration in range(10):
        state.statistics.sums += 1.0  # wrong until they are formed anew
        assert state.is_bounded or iteration == 0
        state.advance(iteration, 1, 0.0)
        labels = panels.order.row_labels(state.labels)
        sums, _, _ = reference.statistics(X, np.ones(len(X)), labels, 20)
        # Sums of the changes of at most three iterations.
        atol = tolerance(np.float64, 3 * 2 * len(X))
        expected = sums + iteration % 3
        np.testing.assert_allclose(state.statistics.sums, expected, rtol=0, atol=atol)


def test_rows_too_many_for_their_numbers_are_not_regrouped(rng, monkeypatch, always_bounded):
    X = make_data(rng, "normal", np.float64)
    for most_rows in (len(X), len(X) - 1):  # instead of two thousand million rows
        monkeypatch.setattr("fastclust._algorithms.rows.panels.MOST_ROWS", most_rows)
        state = Panels(X, None, np.zeros(3)).start_lloyd(X[:20], policy=always_bounded)
        for iteration in range(3):
            state.advance(iteration, 1, 0.0)
        assert state.is_bounded == (most_rows == len(X))


def test_bounds_skip_most_distances(rng, always_bounded):
    of_clusters = 9 * rng.normal(size=(60, 3))
    X = rng.normal(size=(20_000, 3)) + of_clusters[rng.integers(60, size=20_000)]
    panels = Panels(X, None, np.zeros(3))
    state = panels.start_lloyd(X[:60], policy=always_bounded)
    costs = []
    for iteration in range(30):
        before = state.cost
        outcome = state.advance(iteration, 1, 0.0)
        costs.append(state.cost - before)
        if outcome.n_changed == 0:
            break
    # Plain iterations cost 1, and one after a regrouping makes the bounds: most others skip.
    assert len(costs) > 10
    assert np.median(costs[5:]) < 0.5


@pytest.mark.parametrize(("apart_shifts", "least", "most"), [(0, 1, 1), (4, 0.2, 0.9), (1e9, 0, 0)])
def test_share_apart_follows_the_constants_of_its_sample(rng, apart_shifts, least, most):
    near_and_far = np.array([[0, 0], [2, 0], [30, 0], [0, 30]])
    X = near_and_far[np.arange(1000) % 4] + rng.normal(size=(1000, 2))
    panels = Panels(X, None, np.zeros(2))
    policy = LloydPolicy(apart_shifts=apart_shifts, sample_panels=10**9)  # all but the last panel
    state = panels.start_lloyd(X[:4], policy=policy)
    state.advance(0, 1, 0.0)
    n = len(X) // panels.lanes * panels.lanes - (panels.lanes if len(X) % panels.lanes == 0 else 0)
    distances = np.sort(np.sqrt(reference.all_distances_sq(X[:n], state.centers)), axis=1)
    margin = apart_shifts * state._run.shifts.max()
    labels = panels.unpadded(state.labels)[:n]
    not_apart = set(labels[distances[:, 1] - distances[:, 0] < margin])
    expected = np.mean([label not in not_apart for label in labels])
    assert state.find_share_apart() == expected
    assert least <= expected <= most
    few = panels.start_lloyd(X[:4], policy=replace(policy, sample_panels=1))
    few.advance(0, 1, 0.0)
    assert few.find_share_apart() in {0.0, 0.25, 0.5, 0.75, 1.0}  # two rows of each, as they come


def test_bounds_end_with_an_empty_cluster(rng, always_bounded):
    X = make_data(rng, "normal", np.float64)
    panels = Panels(X, None, np.zeros(3))
    state = panels.start_lloyd(X[:5], policy=always_bounded)
    for iteration in range(3):
        state.advance(iteration, 1, 0.0)
    assert state.is_bounded
    far = state.centers.copy()
    far[4] = 1e3
    state._run.shifts[4] += 1e4  # at least as far as the center moves
    state._run.set_centers(far)
    before = far.copy()
    state.advance(3, 1, 0.0)
    labels = panels.assign_to_panels(before)
    np.testing.assert_array_equal(state.labels, labels)
    in_order = panels.order.row_labels(labels)
    assert 4 not in in_order
    distances_sq = reference.distances_to_labels(X, before, in_order)
    np.testing.assert_array_equal(state.centers[4], X[distances_sq.argmax()])
    assert not state.is_bounded
    for iteration in range(4, 8):
        before = state.centers.copy()
        state.advance(iteration, 1, 0.0)
        np.testing.assert_array_equal(state.labels, panels.assign_to_panels(before))
    assert state.is_bounded  # again


@pytest.mark.parametrize("weighted", [False, True])
def test_launches_however_cut_give_the_same_bits(rng, limit_launches, weighted, always_bounded):
    X = make_data(rng, "normal", np.float64)
    sample_weight = rng.uniform(0.5, 2.0, size=len(X)) if weighted else None
    results = []
    for steps_in_launch in (1e9, 3.5, 0.01):
        limit_launches(steps_in_launch * X.size * 20)
        panels = Panels(X, sample_weight, np.zeros(3))
        state = panels.start_lloyd(X[:20], policy=always_bounded)
        results.append(run_to_bits(state, 30))
        assert state.is_bounded
    assert results[0] == results[1] == results[2]


def test_sums_no_longer_precise_are_formed_anew_by_launches_however_cut(
    rng, limit_launches, always_bounded
):
    X = make_data(rng, "normal", np.float64)
    results = []
    for launch_work in (5e9, 1e3):
        limit_launches(launch_work)
        panels = Panels(X, None, np.zeros(3))
        state = panels.start_lloyd(X[:20], policy=always_bounded)
        for iteration in range(6):
            state.advance(iteration, 1, 0.0)
        assert state.is_bounded
        state.statistics.sums += 1.0
        state._run.max_weights *= 1e6
        outcome = state.advance(6, 1, 0.0)
        assert outcome.n_changed > 0
        labels = panels.order.row_labels(state.labels)
        sums, weights, _ = reference.statistics(X, np.ones(len(X)), labels, 20)
        # Both sums are in float64; only their order differs.
        atol = tolerance(np.float64, len(X))
        np.testing.assert_allclose(state.statistics.sums, sums, rtol=0, atol=atol)
        np.testing.assert_array_equal(state._run.max_weights, weights)
        results.append((outcome.n_changed, *run_to_bits(state, 20)))
    assert results[0] == results[1]


def test_decisions_are_the_same_however_launches_are_cut(limit_launches):
    """With the constants as they are."""
    rng = np.random.default_rng(29)
    X = rng.normal(size=(57_384, 1))
    X += 2 * rng.normal(size=(30, 1))[rng.integers(30, size=len(X))]
    results = []
    for steps_in_launch in (1e9, 3.5, 0.3, 0.01):
        limit_launches(steps_in_launch * X.size * 105)
        state = Panels(X, None, np.zeros(1)).start_lloyd(X[:105])
        results.append(run_to_bits(state, 120))
        assert state.shares()[1] < 0.5  # of the distances: there were decisions
    assert results[0] == results[1] == results[2] == results[3]


def run_to_bits(state, max_iter):
    """Iterate in as few calls as possible; return what it took, and the bits of the results."""
    n_iter = 0
    while n_iter < max_iter:
        outcome = state.advance(n_iter, max_iter - n_iter, 0.0)
        n_iter += outcome.n_iter
        if outcome.n_changed == 0 or outcome.shift_sq == 0:
            break
    cost, centers = state.cost, state.centers.tobytes()
    labels, inertia = state.finish(state.centers)
    return n_iter, cost, labels.tobytes(), centers, inertia


def test_restored_rows_are_in_their_order(rng, dtype):
    X = make_data(rng, "normal", dtype)
    sample_weight = rng.uniform(size=len(X)).astype(dtype)
    panels = Panels(X, sample_weight, X.mean(axis=0))
    values, weights = panels.values.copy(), panels.weights.copy()
    labels = panels.assign_to_panels(X[:9])
    distances_sq = panels.panel_distances_sq(X[:9], labels)
    new_labels, new_distances_sq = panels.regroup(panels.order, labels, distances_sq, 9)
    assert not np.array_equal(panels.values, values)
    np.testing.assert_array_equal(panels.order.row_labels(new_labels), panels.unpadded(labels))
    np.testing.assert_array_equal(
        panels.order.row_labels(new_distances_sq), panels.unpadded(distances_sq)
    )
    np.testing.assert_array_equal(new_distances_sq, panels.panel_distances_sq(X[:9], new_labels))
    panels.start_run()
    np.testing.assert_array_equal(panels.values, values)
    np.testing.assert_array_equal(panels.weights, weights)


@pytest.mark.parametrize("segment_panels", [1, 5, 1000])
def test_sort_rows(rng, dtype, max_chunks, segment_panels):
    X = make_data(rng, "clusters", dtype)[:1001]
    panels = Panels(X, None, np.zeros(3, dtype=dtype))
    labels = panels.assign_to_panels(X[:7])
    distances_sq = panels.panel_distances_sq(X[:7], labels)
    order = np.arange(labels.size, dtype=np.int32).reshape(labels.shape)
    n_panels = len(labels)
    segment_panels = min(segment_panels, n_panels)
    chunks = chunks_of(-(-n_panels // segment_panels), max_chunks)
    out = np.empty_like(distances_sq), np.empty_like(labels), np.empty_like(order)
    sort_rows(
        chunks, distances_sq, labels, order, len(X), segment_panels, 4,
        np.empty((len(chunks), 7, 2)), np.empty((len(chunks), 7), dtype=np.int64),
        np.empty_like(labels),
        np.empty((len(chunks), 7 * 4), dtype=np.int64), *out,
    )  # fmt: skip
    expected = reference.sort_rows(
        panels.unpadded(distances_sq), panels.unpadded(labels), segment_panels * panels.lanes, 4
    )
    np.testing.assert_array_equal(panels.unpadded(out[2]), expected)
    np.testing.assert_array_equal(panels.unpadded(out[1]), panels.unpadded(labels)[expected])
    np.testing.assert_array_equal(panels.unpadded(out[0]), panels.unpadded(distances_sq)[expected])


def test_sort_rows_at_distances_whose_squares_overflow(rng, max_chunks):
    X = make_data(rng, "clusters", np.float64)[:1001]
    panels = Panels(1e100 * X, None, np.zeros(3))
    labels = panels.assign_to_panels(1e100 * X[:7])
    distances_sq = panels.panel_distances_sq(1e100 * X[:7], labels)
    order = np.arange(labels.size, dtype=np.int32).reshape(labels.shape)
    chunks = chunks_of(-(-len(labels) // 40), max_chunks)
    out = np.empty_like(distances_sq), np.empty_like(labels), np.empty_like(order)
    places = np.empty((2 * len(chunks), 7 * 4), dtype=np.int64)  # and room to be written to
    sort_rows(
        chunks, distances_sq, labels, order, len(X), 40, 4,
        np.empty((len(chunks), 7, 2)), np.empty((len(chunks), 7), dtype=np.int64),
        np.empty_like(labels), places, *out,
    )  # fmt: skip
    own, new = panels.unpadded(labels), panels.unpadded(out[2])
    np.testing.assert_array_equal(np.sort(new), np.arange(len(X)))
    for first in range(0, len(X), 40 * panels.lanes):
        segment = slice(first, first + 40 * panels.lanes)
        np.testing.assert_array_equal(own[new[segment]], np.sort(own[segment]))


@pytest.mark.parametrize("block_panels", [1, 3])
def test_start_bounds(rng, dtype, max_chunks, block_panels):
    X = make_data(rng, "normal", dtype)[:1001]
    C = X[:19]
    panels = Panels(X, None, np.zeros(3, dtype=dtype))
    labels = panels.assign_to_panels(C)
    distances_sq = panels.panel_distances_sq(C, labels)
    labels, distances_sq = panels.regroup(panels.order, labels, distances_sq, len(C))
    n_blocks, error = -(-len(labels) // block_panels), 1e-2
    chunks = chunks_of(n_blocks, max_chunks)
    assigned, is_mixed = np.empty((2, n_blocks), dtype=np.int32)
    uppers = np.empty(n_blocks, dtype=dtype)
    lowers = np.empty((n_blocks, 2 * 16), dtype=dtype)
    start_bounds(
        chunks, distances_sq, labels, np.ascontiguousarray(C.T), len(X), error, block_panels,
        np.empty((len(chunks), 19)), assigned, is_mixed, uppers, lowers,
    )  # fmt: skip
    true = np.sqrt(reference.all_distances_sq(reference.unpack(panels.values, len(X)), C))
    apart = np.sqrt(reference.all_distances_sq(C, C))
    assert set(is_mixed.tolist()) == {0, 1}
    for block in range(n_blocks):
        part = slice(block * block_panels * panels.lanes, (block + 1) * block_panels * panels.lanes)
        own = panels.unpadded(labels)[part]
        center = assigned[block]
        assert center == own[0]
        assert is_mixed[block] == (own != center).any()
        upper = np.sqrt(true[part][np.arange(len(own)), own].max() ** 2 + error)
        assert uppers[block] == pytest.approx(upper, rel=tolerance(dtype, 3))
        others = np.arange(19) != center
        assert (lowers[block, :19][others] <= true[part].min(axis=0)[others]).all()
        if is_mixed[block]:
            assert (lowers[block, :19] == -np.inf).all()
        else:
            lower = apart[center] - upper - np.sqrt(2 * error)
            atol = tolerance(dtype, 3) * (apart.max() + upper)  # of the difference
            np.testing.assert_allclose(lowers[block, :19][others], lower[others], 0, atol)
        assert lowers[block, center] == -np.inf
        assert (lowers[block, 19:] == np.inf).all()


def test_a_fit_of_clustered_rows_skips_distances(monkeypatch):
    """With the constants as they are; so that the test of threads covers these iterations."""
    rng = np.random.default_rng(0)
    X = rng.normal(size=(64, 8))[rng.integers(64, size=60_000)] * 3
    X += rng.normal(size=X.shape)
    states = []

    class Observed(panel_lloyd.PanelLloyd):
        def __init__(self, *args):
            super().__init__(*args)
            states.append(self)

    monkeypatch.setattr("fastclust._algorithms.rows.panels.PanelLloyd", Observed)
    model = KMeans(64, random_state=0, max_iter=60, tol=0).fit(X)
    labelled, evaluated = states[0].shares()
    assert evaluated < labelled < 0.9
    np.testing.assert_array_equal(model.labels_, model.predict(X))


@pytest.mark.parametrize(("spread", "expected"), [(5.0, 1.0), (0.0, 0.0)])
def test_share_of_the_rows_in_clusters_that_are_apart(rng, spread, expected):
    blobs = spread * rng.normal(size=(6, 20))
    X = rng.normal(size=(5000, 20)) + blobs[np.arange(5000) % 6]
    state = Panels(X, None, np.zeros(20)).start_lloyd(X[:6])
    state.advance(0, 3, 0.0)
    assert state.find_share_apart() == expected
