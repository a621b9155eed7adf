"""Iterations that look into float32 first: the labels of those that do not."""

from dataclasses import replace

import numpy as np
import pytest
import sklearn.cluster

from fastclust import GaussianMixture, KMeans
from fastclust._algorithms.chunks import MIN_CHUNK_WORK
from fastclust._algorithms.kmeans import panel_lloyd
from fastclust._algorithms.kmeans.policy import LloydPolicy
from fastclust._algorithms.mixture import em
from fastclust._algorithms.rows.panels import LABEL_WORK, Panels
from fastclust._calls import narrow_panels
from fastclust._kernels.kmeans.constants import ROUNDING, TINY
from fastclust._kernels.simd.sizes import NARROW_TILE, TILE
from tests import reference
from tests.kernels.conftest import chunks_of, tolerance
from tests.kernels.kmeans.test_bounds import make_data, run_to_bits


@pytest.fixture
def always_filtered():
    """A policy that looks into float32 whatever the shape, however many panels are near ties."""
    return LloydPolicy(filter_work=0, filter_features=0, near_share=1.0)


@pytest.fixture
def chunks_at_most(always_filtered, max_chunks):
    """The same with as many chunks as there may be, however few the rows."""
    return replace(always_filtered, chunk_work=1, max_chunks=max_chunks)


def panels_of(X, sample_weight=None):
    return Panels(X, sample_weight, np.zeros(X.shape[1]))


def near_share(state):
    """Share of the panels that the last iteration evaluated again in float64."""
    return state._filter._chunk_near.sum() / len(state._panels.values)


def assert_labels_of_plain_iterations(X, centers, policy, n_iter=12):
    """Iterate; return the largest share of panels that were evaluated again."""
    panels = panels_of(X)
    state = panels.start_lloyd(centers, skip=False, policy=policy)
    shares = []
    for iteration in range(n_iter):
        before = state.centers.copy()
        state.advance(iteration, 1, 0.0)
        np.testing.assert_array_equal(
            panels.unpadded(state.labels), panels.unpadded(panels.assign_to_panels(before))
        )
        shares.append(near_share(state))
    labels, inertia = state.finish(centers)
    expected, expected_inertia = panels.assign_with_inertia(centers)
    np.testing.assert_array_equal(labels, expected)
    # Only the order of the float64 sum over the rows differs.
    assert inertia == pytest.approx(expected_inertia, rel=tolerance(np.float64, len(X)))
    return max(shares)


@pytest.mark.parametrize("n_clusters", [1, 2, NARROW_TILE + 1, TILE, TILE + 1, 2 * TILE + 5])
@pytest.mark.parametrize("n_samples", [7, 8, 9, 16, 17, 24, 41, 300])
def test_labels_on_every_shape(rng, n_samples, n_clusters, chunks_at_most):
    X = rng.normal(size=(n_samples, 5))
    centers = rng.normal(size=(min(n_clusters, n_samples), 5))
    assert_labels_of_plain_iterations(X, centers, chunks_at_most, n_iter=3)


@pytest.mark.parametrize("n_features", [1, 3, 70])
@pytest.mark.parametrize("kind", ["normal", "clusters", "duplicates", "far"])
def test_labels_on_every_kind_of_rows(rng, kind, n_features, chunks_at_most):
    X = make_data(rng, kind, np.float64, n_features)
    distinct = np.unique(X, axis=0)
    centers = distinct[rng.permutation(len(distinct))[:20]]
    share = assert_labels_of_plain_iterations(X, centers, chunks_at_most)
    if kind in ("normal", "clusters") and n_features == 3:
        assert share < 0.1


@pytest.mark.parametrize(
    ("offset", "least_near", "most_near"),
    [(0.0, 1, 1), (1e-12, 1, 1), (1e-8, 1, 1), (1e-6, 1, 1), (1e-4, 0.1, 0.5), (1e-2, 0, 0.1)],
)
def test_rows_that_float32_cannot_tell_apart(rng, offset, least_near, most_near, chunks_at_most):
    """Rows next to the middle of two centers, at distances from it about the rounding of both."""
    C = rng.normal(size=(6, 40))
    a, b = C[rng.integers(6, size=(2, 500))]
    X = (a + b) / 2 + offset * rng.normal(size=(500, 1)) * (a - b)
    panels = panels_of(X)
    state = panels.start_lloyd(C, skip=False, policy=chunks_at_most)
    state.advance(0, 1, 0.0)
    np.testing.assert_array_equal(state.labels, panels.assign_to_panels(C))
    assert least_near <= near_share(state) <= most_near


@pytest.mark.parametrize("scale", [2.0**-63, 1.0, 1000.0])
@pytest.mark.parametrize(("gap", "is_near"), [(1.9, True), (2.3, False)])
def test_rows_within_the_margin_are_evaluated_again(gap, is_near, scale, always_filtered):
    """Rows for which the centers -scale and scale differ by so many E of the header."""
    C = np.array([[-scale], [scale]])
    x = scale
    for _ in range(60):  # E depends on the rows, if they are farther out than the centers
        radius = max(scale, x)
        error = (1 + 4) * (ROUNDING * (scale**2 + 2 * radius * scale) + TINY * (1 + radius))
        x = gap * error / (4 * scale)
    panels = panels_of(np.full((16, 1), x))
    state = panels.start_lloyd(C, skip=False, policy=always_filtered)
    state.advance(0, 1, 0.0)
    assert near_share(state) == is_near


@pytest.mark.parametrize("scale", [1e-160, 1e-30, 1e-16, 1e-9, 1e14, 1e16, 1e100])
def test_rows_at_the_ends_of_the_range_of_float32(rng, scale, always_filtered):
    X = scale * rng.normal(size=(200, 3))
    panels = panels_of(X)
    state = panels.start_lloyd(X[:5], skip=False, policy=always_filtered)
    assert (state._filter is not None) == (scale < 1e15)
    state.advance(0, 1, 0.0)
    np.testing.assert_array_equal(state.labels, panels.assign_to_panels(X[:5]))


@pytest.mark.parametrize("scale", [1e-46, 1e-44, 1e-42, 1e-38, 0.0])
def test_centers_too_small_for_float32(rng, scale, always_filtered):
    panels = panels_of(rng.normal(size=(200, 3)))
    C = scale * rng.normal(size=(5, 3))
    state = panels.start_lloyd(C, skip=False, policy=always_filtered)
    state.advance(0, 1, 0.0)
    np.testing.assert_array_equal(state.labels, panels.assign_to_panels(C))


def test_the_filter_is_left_where_it_does_not_help(rng, always_filtered):
    policy = replace(always_filtered, near_share=0.25)
    X = np.repeat(rng.normal(size=(5, 3)), 100, axis=0)
    X[:, 0] += np.tile([-1.0, 1.0], 250)
    C = X[:10].copy()
    C[5:] = C[:5] + 5e-4  # each twice, but for what distances in float32 do not tell apart
    panels = panels_of(X)
    state = panels.start_lloyd(C, skip=False, policy=policy)
    cost = state._plan.plain_cost
    outcome = state.advance(0, 50, 0.0)
    assert outcome.n_iter == 1
    assert state._filter is None
    assert state._plan.plain_cost > cost
    before = state.centers.copy()
    state.advance(1, 1, 0.0)
    np.testing.assert_array_equal(state.labels, panels.assign_to_panels(before))


@pytest.mark.parametrize("steps_in_launch", [1e9, 0.01])
def test_the_filter_is_not_left_amid_an_iteration_that_is_done_again(
    rng, limit_launches, steps_in_launch, always_filtered
):
    X = make_data(rng, "duplicates", np.float64)
    limit_launches(steps_in_launch * X.size * 20)
    state = panels_of(X).start_lloyd(X[:20], skip=False, policy=always_filtered)
    state.advance(0, 1, 0.0)
    state.statistics.sums += 1.0  # now imprecise
    state._run.max_weights *= 1e6
    state._filter._most_near = -1  # so that this iteration is the last with it
    before = state.centers.copy()
    outcome = state.advance(1, 1, 0.0)
    assert state._filter is None
    assert outcome.n_iter == 1
    assert outcome.shift_sq > 0
    sums, _, counts = reference.statistics(X, np.ones(len(X)), state.labels.ravel()[: len(X)], 20)
    # Both sums of whole numbers are exact; their mean is a product with a rounded reciprocal.
    rtol = tolerance(np.float64, 1)
    np.testing.assert_allclose(state.centers, sums / counts[:, np.newaxis], rtol)
    np.testing.assert_array_equal(
        state._panels.unpadded(state.labels),
        panels_of(X).unpadded(panels_of(X).assign_to_panels(before)),
    )


def test_launches_however_cut_leave_the_filter_at_the_same_iteration(
    rng, limit_launches, always_filtered
):
    policy = replace(always_filtered, chunk_work=1000, near_share=0.33)
    X = make_data(rng, "duplicates", np.float64)
    results = []
    for steps_in_launch in (1e9, 3.5, 0.01):
        limit_launches(steps_in_launch * X.size * 20)
        panels = panels_of(X)
        state = panels.start_lloyd(X[:20], policy=policy)
        results.append(run_to_bits(state, 30))
        assert state._filter is None
    assert results[0] == results[1] == results[2]


@pytest.mark.parametrize("weighted", [False, True])
def test_launches_however_cut_give_the_same_bits(rng, limit_launches, weighted, always_filtered):
    policy = replace(always_filtered, chunk_work=1000)
    X = make_data(rng, "normal", np.float64)
    sample_weight = rng.uniform(0.5, 2.0, size=len(X)) if weighted else None
    results = []
    for steps_in_launch in (1e9, 3.5, 0.01):
        limit_launches(steps_in_launch * X.size * 20)
        panels = panels_of(X, sample_weight)
        state = panels.start_lloyd(X[:20], policy=policy)
        results.append(run_to_bits(state, 30))
        assert state._filter is not None
    assert results[0] == results[1] == results[2]


@pytest.mark.parametrize("n_more", [-17, -16, -9, -8, -7, -1, 0, 1, 8])
def test_restarts_side_by_side_never_regroup_the_rows(rng, n_more):
    """Those that share the panels have one chunk, at the border too."""
    least_panels = -(-2 * MIN_CHUNK_WORK // (8 * (32 * 32 + LABEL_WORK)))  # in two chunks
    panels = panels_of(rng.normal(size=(8 * least_panels + n_more, 32)))
    state = panels.start_lloyd(panels.take(np.arange(32)))
    assert panels.is_small(32, 10) == (len(panels.values) < least_panels)
    assert len(state._chunks) == len(panels.chunks(32))
    assert state._plan.may_regroup == (not panels.is_small(32, 10))


def test_rows_in_float32_do_not_outlive_the_start_of_a_mixture(rng, monkeypatch):
    kept = []
    run_em = em.run_em
    monkeypatch.setattr(
        em, "run_em", lambda rows, *args, **kwargs: (
            kept.append(rows.panels.has_f32), run_em(rows, *args, **kwargs)
        )[1],
    )  # fmt: skip
    GaussianMixture(6, max_iter=2, tol=1e3, random_state=0).fit(rng.normal(size=(8000, 20)))
    assert kept == [False]


def test_a_fit_of_float64_rows_is_filtered(monkeypatch):
    """With the constants as they are; so that the tests of threads and restarts cover it."""
    rng = np.random.default_rng(0)
    X = rng.normal(size=(4000, 20))
    filters = []

    class Observed(panel_lloyd.Float32Filter):
        def __init__(self, *args):
            super().__init__(*args)
            filters.append(self)

    monkeypatch.setattr(panel_lloyd, "Float32Filter", Observed)
    model = KMeans(20, n_init=2, random_state=0).fit(X)
    assert len(filters) == 2
    expected = sklearn.cluster.KMeans(20, n_init=2, random_state=0).fit(X)
    np.testing.assert_array_equal(model.labels_, expected.labels_)
    assert model.n_iter_ == expected.n_iter_


@pytest.mark.parametrize("n_samples", [1, 8, 9, 40, 41])
def test_narrow_panels(rng, n_samples, max_chunks):
    X = rng.normal(size=(n_samples, 3))
    panels = panels_of(X)
    n_pairs = -(-len(panels.values) // 2)
    panels_f32 = np.full((n_pairs, 3, 16), np.nan, dtype=np.float32)
    narrow_panels(chunks_of(n_pairs, max_chunks), panels.values, panels_f32)
    expected = np.zeros((16 * n_pairs, 3), dtype=np.float32)
    expected[:n_samples] = X
    np.testing.assert_array_equal(panels_f32.swapaxes(1, 2).reshape(-1, 3), expected)
    np.testing.assert_array_equal(panels.panels_f32(), panels_f32)
