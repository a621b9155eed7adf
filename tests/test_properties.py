"""Properties of KMeans that hold for any rows, at sizes around the borders of lanes and tiles."""

import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fastclust import KMeans
from fastclust._algorithms.rows.panels import Panels

LANES = (8, 16)  # float64 and float32
BORDERS = sorted({m * lanes + d for m in (1, 2, 3, 8) for lanes in LANES for d in (-1, 0, 1)})


@st.composite
def problems(draw, dtypes=(np.float64, np.float32), min_rows=1):
    """Rows without structure, and a few of them as first centers."""
    rng = np.random.default_rng(draw(st.integers(0, 10_000)))
    n_samples = draw(st.sampled_from([n for n in [1, 2, 5, *BORDERS] if n >= min_rows]))
    n_features = draw(st.sampled_from([1, 2, 3, 4, 7, 8, 9]))
    n_clusters = draw(st.integers(1, min(14, max(1, n_samples // 3))))
    X = rng.normal(size=(n_samples, n_features)).astype(draw(st.sampled_from(dtypes)))
    return X, X[rng.permutation(n_samples)[:n_clusters]], rng


def fit(X, init, sample_weight=None, max_iter=20):
    # tol=0, since the mean variance that scales it changes with repeated and absent rows.
    model = KMeans(len(init), init=init, tol=0, max_iter=max_iter)
    return model.fit(X, sample_weight=sample_weight)


def distances_sq(X, centers):
    """Naive twin, in float64."""
    differences = X[:, np.newaxis].astype(np.float64) - centers.astype(np.float64)
    return np.square(differences).sum(axis=2)


@given(problems(dtypes=[np.float64]))
def test_permuting_the_rows_permutes_the_labels(problem):
    X, init, rng = problem
    order = rng.permutation(len(X))
    model, permuted = fit(X, init), fit(X[order], init)
    np.testing.assert_array_equal(permuted.labels_, model.labels_[order])
    # Sums of at most 129 rows in another order.
    np.testing.assert_allclose(
        permuted.cluster_centers_, model.cluster_centers_, rtol=1e-12, atol=1e-13
    )
    assert permuted.n_iter_ == model.n_iter_


@given(problems(dtypes=[np.float64]), st.floats(-1e3, 1e3))
def test_translating_the_rows_translates_the_centers(problem, shift):
    X, init, _ = problem
    model, moved = fit(X, init), fit(X + shift, init + shift)
    np.testing.assert_array_equal(moved.labels_, model.labels_)
    # The sum X + shift drops the digits of X below 1e3 * eps = 2e-13.
    np.testing.assert_allclose(moved.cluster_centers_, model.cluster_centers_ + shift, atol=1e-11)
    assert moved.inertia_ == pytest.approx(model.inertia_, rel=1e-9, abs=1e-20)


@given(problems(), st.integers(-20, 20))
def test_scaling_by_a_power_of_two_scales_the_centers_exactly(problem, exponent):
    X, init, _ = problem
    scale = X.dtype.type(2.0**exponent)
    model, scaled = fit(X, init), fit(X * scale, init * scale)
    np.testing.assert_array_equal(scaled.labels_, model.labels_)
    np.testing.assert_array_equal(scaled.cluster_centers_, model.cluster_centers_ * scale)
    assert scaled.inertia_ == model.inertia_ * 4.0**exponent


@given(problems(dtypes=[np.float64]))
def test_a_weight_of_two_is_the_row_twice(problem):
    X, init, rng = problem
    weights = rng.integers(1, 3, size=len(X))
    weighted, repeated = fit(X, init, weights), fit(np.repeat(X, weights, axis=0), init)
    # The mean that is subtracted differs, so everything is rounded anew.
    np.testing.assert_allclose(
        weighted.cluster_centers_, repeated.cluster_centers_, rtol=1e-10, atol=1e-12
    )
    np.testing.assert_array_equal(np.repeat(weighted.labels_, weights), repeated.labels_)
    assert weighted.inertia_ == pytest.approx(repeated.inertia_, rel=1e-10, abs=1e-20)


@given(problems(dtypes=[np.float64], min_rows=15))
def test_a_row_of_zero_weight_does_not_move_the_centers(problem):
    X, init, rng = problem
    absent = rng.random(len(X)) < 0.2
    absent[[np.flatnonzero((X == center).all(axis=1))[0] for center in init]] = False
    weights = np.where(absent, 0.0, rng.uniform(0.5, 2, size=len(X)))
    weighted, without = fit(X, init, weights), fit(X[~absent], init, weights[~absent])
    # The mean that is subtracted differs, so everything is rounded anew.
    np.testing.assert_allclose(
        weighted.cluster_centers_, without.cluster_centers_, rtol=1e-10, atol=1e-12
    )
    np.testing.assert_array_equal(weighted.labels_[~absent], without.labels_)
    assert weighted.inertia_ == pytest.approx(without.inertia_, rel=1e-10, abs=1e-20)


@given(problems())
def test_scaling_all_weights_by_a_power_of_two_changes_the_inertia_alone(problem):
    X, init, rng = problem
    weights = rng.uniform(0.5, 2, size=len(X)).astype(X.dtype)
    model, heavier = fit(X, init, weights), fit(X, init, 8 * weights)
    np.testing.assert_array_equal(heavier.cluster_centers_, model.cluster_centers_)
    assert heavier.inertia_ == 8 * model.inertia_


@given(problems(min_rows=7))
def test_inertia_never_rises_from_one_iteration_to_the_next(problem):
    X, init, _ = problem
    inertias = [fit(X, init, max_iter=n).inertia_ for n in range(1, 9)]
    rounding = 8 * np.finfo(X.dtype).eps  # centers are rounded to X's dtype
    for before, after in itertools.pairwise(inertias):
        assert after <= before * (1 + rounding)


@given(problems())
def test_predict_is_the_argmin_of_transform(problem):
    X, init, _ = problem
    model = fit(X, init)
    distances = model.transform(X)
    chosen = distances[np.arange(len(X)), model.predict(X)]
    # Labels come from |c|^2 - 2 x.c, whose rounding error is absolute: near ties may go either way.
    rounding = 32 * np.finfo(X.dtype).eps * np.square(X.astype(np.float64)).sum(axis=1).max()
    assert (np.square(chosen) <= np.square(distances.min(axis=1)) + rounding).all()


@given(problems())
def test_labels_are_the_nearest_centers(problem):
    X, init, _ = problem
    model = fit(X, init, max_iter=3)
    expected = distances_sq(X, model.cluster_centers_)
    chosen = expected[np.arange(len(X)), model.labels_]
    # As above: the rounding error of the expanded distance is absolute.
    rounding = 32 * np.finfo(X.dtype).eps * np.square(X.astype(np.float64)).sum(axis=1).max()
    assert (chosen <= expected.min(axis=1) + rounding).all()
    near_ties = (expected <= chosen[:, np.newaxis] + rounding).sum(axis=1) > 1
    labels = expected.argmin(axis=1)
    np.testing.assert_array_equal(model.labels_[~near_ties], labels[~near_ties])


@given(problems())
def test_inertia_and_distances_are_those_of_the_naive_twin(problem):
    X, init, _ = problem
    model = fit(X, init)
    expected = distances_sq(X, model.cluster_centers_)
    # A distance has the relative rounding of X's dtype, and that of X less its mean.
    tolerance = 64 * float(np.finfo(X.dtype).eps)
    np.testing.assert_allclose(model.transform(X) ** 2, expected, rtol=tolerance, atol=tolerance)
    inertia = expected[np.arange(len(X)), model.labels_].sum()
    assert model.inertia_ == pytest.approx(inertia, rel=tolerance, abs=tolerance)


@given(problems(min_rows=7))
def test_centers_are_the_means_of_their_rows_when_the_labels_repeat(problem):
    X, init, _ = problem
    model = fit(X, init, max_iter=300)
    means = [X[model.labels_ == j].mean(axis=0, dtype=np.float64) for j in range(len(init))]
    tolerance = 8 * np.finfo(X.dtype).eps  # centers are stored in X's dtype, less the mean
    np.testing.assert_allclose(model.cluster_centers_, means, rtol=tolerance, atol=tolerance)


def statistics(X, centers, sample_weight):
    mean = np.zeros(X.shape[1], dtype=X.dtype)
    state = Panels(X, sample_weight, mean).start_lloyd(centers)
    state.advance(0, 1, 0.0)
    return state.statistics


@pytest.mark.parametrize("weighted", [False, True])
@given(problem=problems(min_rows=15))
def test_statistics_of_two_parts_add_to_those_of_the_whole(problem, weighted):
    X, centers, rng = problem
    weights = rng.integers(0, 3, size=len(X)) if weighted else np.ones(len(X))
    weights[[0, -1]] = 1  # no part is without weight
    border = rng.integers(len(centers), len(X) - len(centers))
    parts = [
        statistics(X[rows], centers, weights[rows].astype(X.dtype) if weighted else None)
        for rows in (slice(None, border), slice(border, None))
    ]
    whole = statistics(X, centers, weights.astype(X.dtype) if weighted else None)
    np.testing.assert_array_equal(parts[0].counts + parts[1].counts, whole.counts)
    np.testing.assert_array_equal(parts[0].weights + parts[1].weights, whole.weights)
    # At most 129 float64 additions in another order.
    np.testing.assert_allclose(parts[0].sums + parts[1].sums, whole.sums, rtol=1e-12, atol=1e-13)
    assert whole.counts.sum() == np.count_nonzero(weights)
    np.testing.assert_allclose(whole.sums.sum(axis=0), weights @ X.astype(float), atol=1e-12)
