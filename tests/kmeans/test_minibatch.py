"""MiniBatchKMeans: scikit-learn's draws, steps and answers, at any scale; what it keeps."""

import pickle
import warnings

import numpy as np
import pandas as pd
import pytest
import scipy.sparse
import sklearn.cluster
from hypothesis import example, given, settings
from hypothesis import strategies as st
from sklearn.exceptions import NotFittedError
from threadpoolctl import threadpool_limits

import fastclust
from fastclust import MiniBatchKMeans
from fastclust._algorithms.kmeans import batch_draws, minibatch
from fastclust._algorithms.rows import batches as batches_module


def blobs(seed, n_samples=2_000, n_features=5, k=7, spread=4.0):
    """Rows around centers."""
    rng = np.random.default_rng(seed)
    centers = spread * rng.normal(size=(k, n_features))
    return centers[rng.integers(k, size=n_samples)] + rng.normal(size=(n_samples, n_features))


def fit_both(X, seed=0, sample_weight=None, **options):
    """scikit-learn's and fastclust's fit, from generators in the same state; these too."""
    theirs, ours = np.random.RandomState(seed), np.random.RandomState(seed)
    expected = sklearn.cluster.MiniBatchKMeans(random_state=theirs, **options)
    found = MiniBatchKMeans(random_state=ours, **options)
    expected.fit(X, sample_weight=sample_weight)
    found.fit(X, sample_weight=sample_weight)
    return expected, found, theirs, ours


def assert_same(expected, found, theirs, ours):
    """The same steps, labels and centers up to rounding; generators in the same state."""
    assert found.n_steps_ == expected.n_steps_
    assert found.n_iter_ == expected.n_iter_
    np.testing.assert_allclose(
        found.cluster_centers_, expected.cluster_centers_, rtol=1e-9, atol=1e-11
    )
    assert found.inertia_ == pytest.approx(expected.inertia_, rel=1e-9)
    if expected.compute_labels:
        np.testing.assert_array_equal(found.labels_, expected.labels_)
    np.testing.assert_array_equal(theirs.random_sample(3), ours.random_sample(3))


@pytest.mark.parametrize("init", ["k-means++", "random"])
@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("sparse", [False, True])
def test_answers_are_scikit_learns(init, weighted, sparse):
    X = blobs(1)
    if sparse:
        X = scipy.sparse.csr_matrix(np.where(np.abs(X) > 2, X, 0))
    weights = np.random.default_rng(2).uniform(0, 3, size=2_000) if weighted else None
    assert_same(*fit_both(X, 3, weights, n_clusters=7, init=init, batch_size=100, n_init=2))


@pytest.mark.parametrize(
    "options",
    [
        {"batch_size": 1},
        {"batch_size": 64, "tol": 1e-2, "max_no_improvement": None},
        {"batch_size": 5_000},
        {"batch_size": 64, "max_iter": 1, "max_no_improvement": None},
        {"batch_size": 50, "init_size": 20},
        {"batch_size": 50, "init_size": 5_000},
        {"batch_size": 50, "compute_labels": False},
        {"batch_size": 50, "max_no_improvement": 0},
        {"n_clusters": 1},
    ],
    ids=str,
)
def test_parameters_do_what_scikit_learns_do(options):
    assert_same(*fit_both(blobs(4), 5, **{"n_clusters": 6} | options))


@pytest.mark.parametrize("batch_size", [10, 60, 300])
@pytest.mark.parametrize("ratio", [0.0, 0.1, 0.9])
def test_clusters_of_little_weight_move_as_scikit_learns_do(batch_size, ratio):
    options = {"batch_size": batch_size, "reassignment_ratio": ratio, "max_iter": 5}
    assert_same(*fit_both(blobs(6, 600), 7, n_clusters=40, init="random", n_init=1, **options))


@given(
    seed=st.integers(0, 10_000),
    n_clusters=st.integers(1, 30),
    batch_size=st.integers(1, 300),
    density=st.sampled_from([0.02, 0.1, 0.5]),
    init=st.sampled_from(["k-means++", "random"]),
    ratio=st.sampled_from([0.0, 0.01, 0.5]),
    tol=st.sampled_from([0.0, 1e-2]),
    weighted=st.booleans(),
    compute_labels=st.booleans(),
)
@settings(max_examples=40, deadline=None)
def test_sparse_rows(
    seed, n_clusters, batch_size, density, init, ratio, tol, weighted, compute_labels
):
    rng = np.random.default_rng(seed)
    X = scipy.sparse.random_array((400, 30), density=density, format="csr", rng=rng)
    X.data -= 0.3
    X.data += rng.normal(size=30)[X.indices]
    weights = rng.uniform(0.1, 2, size=400) if weighted else None
    options = {
        "n_clusters": n_clusters, "batch_size": batch_size, "init": init, "n_init": 2, "tol": tol,
        "max_iter": 10, "reassignment_ratio": ratio, "compute_labels": compute_labels,
    }  # fmt: skip
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)  # init_size
        assert_same(*fit_both(X, seed, weights, **options))


@given(
    seed=st.integers(0, 10_000),
    n_features=st.integers(1, 12),
    n_clusters=st.integers(1, 30),
    batch_size=st.integers(1, 300),
    init=st.sampled_from(["k-means++", "random"]),
    ratio=st.sampled_from([0.0, 0.01, 0.5]),
    tol=st.sampled_from([0.0, 1e-2]),
    patience=st.sampled_from([None, 2, 10]),
    weighted=st.booleans(),
)
@settings(max_examples=30, deadline=None)
def test_dense_rows(seed, n_features, n_clusters, batch_size, init, ratio, tol, patience, weighted):
    X = blobs(seed, 400, n_features, 6)
    weights = np.random.default_rng(seed).uniform(0.1, 2, size=400) if weighted else None
    options = {
        "n_clusters": n_clusters, "batch_size": batch_size, "init": init, "n_init": 2, "tol": tol,
        "max_iter": 5, "reassignment_ratio": ratio, "max_no_improvement": patience,
    }  # fmt: skip
    with warnings.catch_warnings(), threadpool_limits(1):  # as threads of so little work wait
        warnings.simplefilter("ignore", RuntimeWarning)  # init_size
        assert_same(*fit_both(X, seed, weights, **options))


def test_sparse_rows_that_are_equal_are_at_distance_0():
    """Squares cancel where a center is one of the rows; rows that are equal are tied with none."""
    rng = np.random.default_rng(44)
    groups = rng.normal(size=(9, 20)) * (rng.random((9, 20)) < 0.4)
    X = scipy.sparse.csr_array(1e3 * groups[rng.integers(9, size=1_000)])
    expected, found, *_ = fit_both(X, 45, n_clusters=9, batch_size=100)
    assert found.n_steps_ == expected.n_steps_
    np.testing.assert_array_equal(found.labels_, expected.labels_)
    assert found.inertia_ <= expected.inertia_
    assert found.inertia_ < 1e-18


def test_sparse_rows_so_large_that_the_square_of_their_sum_is_none():
    X = scipy.sparse.csr_array(blobs(46, 300))
    X.data[0] = 30.0
    options = {"batch_size": 100, "random_state": 0}
    model = MiniBatchKMeans(5, **options).fit(X)
    other = MiniBatchKMeans(5, **options).fit(X * 2.0**504)
    np.testing.assert_array_equal(other.labels_, model.labels_)
    np.testing.assert_array_equal(np.ldexp(other.cluster_centers_, -504), model.cluster_centers_)


def test_centers_that_are_given():
    X = blobs(8)
    given_centers = X[:7].copy()
    assert_same(*fit_both(X, 9, n_clusters=7, init=given_centers, n_init=1, batch_size=100))
    np.testing.assert_array_equal(given_centers, X[:7])


def test_a_callable_gets_the_rows_of_the_start_as_they_are():
    X, seen = blobs(10), []

    def init(rows, k, random_state):
        seen.append(rows.copy())
        return rows[random_state.permutation(len(rows))[:k]]

    assert_same(*fit_both(X, 11, n_clusters=5, init=init, n_init=2, batch_size=100))
    for theirs, ours in zip(seen[:2], seen[2:], strict=True):
        np.testing.assert_array_equal(theirs, ours)


def test_float32_rows_have_float32_centers():
    expected, found, *_ = fit_both(blobs(12).astype(np.float32), 13, n_clusters=5, batch_size=200)
    assert found.cluster_centers_.dtype == np.float32
    # A few rows between two centers are labelled otherwise by rounding, and steps go on from that.
    assert found.inertia_ == pytest.approx(expected.inertia_, rel=1e-3)


@pytest.mark.parametrize("make", [np.asarray, scipy.sparse.csr_array])
def test_batches_that_were_drawn_in_vain_change_nothing(make, monkeypatch):
    X = make(blobs(14))
    fits = []
    for most in (1, 5, 64):
        monkeypatch.setattr(batch_draws, "MOST_STEPS", most)
        random_state = np.random.RandomState(0)
        model = MiniBatchKMeans(20, batch_size=64, random_state=random_state).fit(X)
        fits.append((model.cluster_centers_.tobytes(), model.n_steps_, random_state.randint(2**30)))
    assert len(set(fits)) == 1


def test_memory_limits_the_steps_of_a_launch(monkeypatch):
    X = blobs(15)
    advance, steps = batches_module.DenseSteps.advance, []

    def count_steps(self, indices):
        result = advance(self, indices)
        steps[-1].append(len(result.inertia))
        return result

    monkeypatch.setattr(batches_module.DenseSteps, "advance", count_steps)
    fits = []
    for most_bytes in (batches_module.MOST_BYTES, 3 * 7 * 5 * 8, 1):
        monkeypatch.setattr(batches_module, "MOST_BYTES", most_bytes)
        steps.append([])
        fits.append(MiniBatchKMeans(7, batch_size=64, random_state=0).fit(X).cluster_centers_)
    assert max(steps[0]) > 3
    assert max(steps[1][1:]) == 3  # centers of three steps; the first launch is short
    assert set(steps[2][1:]) == {1}
    for centers in fits[1:]:
        np.testing.assert_array_equal(centers, fits[0])


@pytest.mark.parametrize("make", [np.asarray, scipy.sparse.csr_array])
def test_any_number_of_threads_gives_the_same_bits(make):
    X = make(blobs(16, 20_000))
    fits = []
    for n_threads in (1, 2):
        with fastclust.limit_threads(n_threads):
            model = MiniBatchKMeans(20, batch_size=10_000, random_state=0).fit(X)
        fits.append((model.cluster_centers_.tobytes(), model.labels_.tobytes(), model.inertia_))
    assert fits[0] == fits[1]


@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("n_samples", [1, 2, 1_000, 300_007])
def test_draws_are_those_of_choice(n_samples, weighted):
    rng = np.random.default_rng(17)
    weights = rng.uniform(0, 1, size=n_samples) if weighted else np.ones(n_samples)
    weights[0] = 1
    theirs, ours = np.random.RandomState(18), np.random.RandomState(18)
    draws = batch_draws.BatchDraws(ours, weights, 500, n_batches=9)
    for _ in range(9):
        next_batches = draws.ahead()
        expected = theirs.choice(n_samples, 500, p=weights / weights.sum())
        np.testing.assert_array_equal(next_batches[0], expected)
        np.testing.assert_array_equal(draws.take(), expected)
    np.testing.assert_array_equal(theirs.random_sample(5), ours.random_sample(5))


@pytest.mark.parametrize("n_taken", [1, 2, 5])
def test_batches_that_were_not_taken_are_drawn_again(n_taken):
    theirs, ours = np.random.RandomState(19), np.random.RandomState(19)
    draws = batch_draws.BatchDraws(ours, np.ones(100), 50, n_batches=40)
    for n in (n_taken, 3):
        for _ in range(n):
            draws.ahead()
            np.testing.assert_array_equal(
                draws.take(), theirs.choice(100, 50, p=np.full(100, 0.01))
            )
        draws.take_back()
        np.testing.assert_array_equal(theirs.random_sample(5), ours.random_sample(5))


# -- partial_fit ---------------------------------------------------------------------------------


@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("sparse", [False, True])
def test_partial_fit_is_scikit_learns(weighted, sparse):
    X = blobs(20)
    weights = np.random.default_rng(2).uniform(0, 3, size=2_000) if weighted else None
    expected = sklearn.cluster.MiniBatchKMeans(25, random_state=0, reassignment_ratio=0.1)
    found = MiniBatchKMeans(25, random_state=0, reassignment_ratio=0.1)
    for first in range(0, 2_000, 250):
        part = slice(first, first + 250)
        rows = scipy.sparse.csr_array(X[part]) if sparse else X[part]
        part_weights = None if weights is None else weights[part]
        expected.partial_fit(rows, sample_weight=part_weights)
        found.partial_fit(rows, sample_weight=part_weights)
        assert_close_batches(expected, found)
        np.testing.assert_array_equal(found.predict(rows), found.labels_)


def assert_close_batches(expected, found):
    np.testing.assert_allclose(found.cluster_centers_, expected.cluster_centers_, rtol=1e-10)
    np.testing.assert_array_equal(found.labels_, expected.labels_)
    assert found.inertia_ == pytest.approx(expected.inertia_, rel=1e-10)
    assert found.n_steps_ == expected.n_steps_


def test_partial_fit_after_fit_goes_on_from_its_centers():
    X = blobs(21)
    models = sklearn.cluster.MiniBatchKMeans(5, random_state=0), MiniBatchKMeans(5, random_state=0)
    for model in models:
        model.fit(X).partial_fit(X[:100]).partial_fit(X[100:300])
    assert_close_batches(*models)


def test_partial_fit_needs_no_labels():
    model = MiniBatchKMeans(3, compute_labels=False, random_state=0).partial_fit(blobs(22))
    assert not hasattr(model, "labels_")


def test_partial_fit_goes_on_from_centers_set_by_hand():
    model = MiniBatchKMeans(2)
    model.cluster_centers_ = np.array([[0.0], [10.0]])
    model.partial_fit([[1.0], [2.0], [9.0]])
    np.testing.assert_allclose(model.cluster_centers_, [[1.5], [9.0]])


@pytest.mark.parametrize("n_clusters", [2, 3, 5])
def test_centers_set_by_hand_after_a_step_have_had_no_rows(n_clusters):
    X = blobs(37, 300)
    model = MiniBatchKMeans(3, random_state=0).partial_fit(X)
    new = MiniBatchKMeans(n_clusters, random_state=0)
    model.cluster_centers_ = X[:n_clusters]
    new.cluster_centers_ = X[:n_clusters]
    for each in (model, new):
        each.partial_fit(X)
    # The new one subtracts another origin from the rows: equal up to rounding.
    np.testing.assert_allclose(model.cluster_centers_, new.cluster_centers_, rtol=1e-12)


def test_equal_centers_set_by_hand_have_had_their_rows():
    """Files and copies may hold the same centers in another array."""
    X = blobs(38, 300)
    models = [MiniBatchKMeans(3, random_state=0).partial_fit(X) for _ in range(2)]
    models[1].cluster_centers_ = models[1].cluster_centers_.copy()
    for model in models:
        model.partial_fit(X[:50])
    np.testing.assert_array_equal(models[0].cluster_centers_, models[1].cluster_centers_)


def test_parts_keep_the_names_of_their_features():
    frame = pd.DataFrame(blobs(23), columns=list("abcde"))
    model = MiniBatchKMeans(3, random_state=0).partial_fit(frame[:300])
    model.partial_fit(frame[300:])  # without a warning
    assert list(model.feature_names_in_) == list("abcde")
    with pytest.warns(UserWarning, match="X does not have valid feature names"):
        model.partial_fit(frame[300:].to_numpy())


def test_parts_of_another_precision():
    X = blobs(23)
    model = MiniBatchKMeans(3, random_state=0).partial_fit(X.astype(np.float32)).partial_fit(X)
    assert model.cluster_centers_.dtype == np.float64


# -- where scikit-learn is wrong -----------------------------------------------------------------


def test_one_step_without_labels():
    """scikit-learn: TypeError, as the smoothed inertia is None."""
    X = blobs(24, 50)
    model = MiniBatchKMeans(3, batch_size=50, max_iter=1, compute_labels=False, random_state=0)
    labelled = MiniBatchKMeans(3, batch_size=50, max_iter=1, random_state=0).fit(X)
    model.fit(X)
    assert model.n_steps_ == 1
    assert 0.3 < model.inertia_ / labelled.inertia_ < 3


def test_a_ratio_above_1_finds_all_clusters_light():
    """scikit-learn: ValueError of an empty minimum."""
    model = MiniBatchKMeans(3, reassignment_ratio=2.0, max_iter=2, random_state=0).fit(blobs(25))
    assert np.isfinite(model.cluster_centers_).all()


def test_labels_of_another_fit_are_gone():
    X = blobs(26)
    model = MiniBatchKMeans(3, random_state=0).fit(X)
    assert not hasattr(model.set_params(compute_labels=False).fit(X[:500]), "labels_")


@given(exponent=st.integers(-600, 500), sparse=st.booleans(), seed=st.integers(0, 100))
@example(exponent=-600, sparse=False, seed=0)
@example(exponent=-600, sparse=True, seed=0)
@settings(max_examples=40, deadline=None)
def test_rows_times_a_power_of_two(exponent, sparse, seed):
    X = blobs(seed, 300)
    scaled = np.ldexp(X, exponent)
    rows = (scipy.sparse.csr_array(X), scipy.sparse.csr_array(scaled)) if sparse else (X, scaled)
    model, other = (
        MiniBatchKMeans(9, batch_size=40, random_state=seed, tol=1e-3) for _ in range(2)
    )
    model.fit(rows[0])
    other.fit(rows[1])
    np.testing.assert_array_equal(other.labels_, model.labels_)
    assert other.n_steps_ == model.n_steps_
    np.testing.assert_allclose(
        np.ldexp(other.cluster_centers_, -exponent), model.cluster_centers_, rtol=1e-13, atol=1e-13
    )


@pytest.mark.parametrize("exponent", [-60, 60])
def test_float32_rows_beyond_the_range_of_squares(exponent):
    X = blobs(27, 500).astype(np.float32)
    options = {"batch_size": 100, "random_state": 0}
    model = MiniBatchKMeans(5, **options).fit(X.astype(np.float64))
    other = MiniBatchKMeans(5, **options).fit(np.ldexp(X, exponent))
    assert other.cluster_centers_.dtype == np.float32
    np.testing.assert_array_equal(other.labels_, model.labels_)


@pytest.mark.parametrize("exponent", [-600, -500, 500])
def test_partial_fit_of_rows_beyond_the_range_of_squares(exponent):
    X = blobs(28, 300)
    model, other = (MiniBatchKMeans(5, random_state=0) for _ in range(2))
    for first in (0, 100, 200):
        model.partial_fit(X[first : first + 100])
        other.partial_fit(np.ldexp(X[first : first + 100], exponent))
        np.testing.assert_array_equal(other.labels_, model.labels_)
    np.testing.assert_allclose(
        np.ldexp(other.cluster_centers_, -exponent), model.cluster_centers_, rtol=1e-12
    )


def test_an_inertia_above_the_largest_float_is_an_error():
    with pytest.raises(ValueError, match="Divide X by a power of two"):
        MiniBatchKMeans(2, random_state=0).fit(np.ldexp(blobs(29, 100), 520))


@pytest.mark.parametrize("make", [np.asarray, scipy.sparse.csr_array])
def test_centers_whose_squares_cancel(make):
    """The label of each row is its nearest center, as far as the groups may be from the origin."""
    rng = np.random.default_rng(30)
    groups = rng.normal(size=(6, 3)) + np.repeat([[0.0], [1e9]], 3, axis=0)
    X = groups[rng.integers(6, size=3_000)] + 1e-3 * rng.normal(size=(3_000, 3))
    model = MiniBatchKMeans(6, init=groups, n_init=1, batch_size=300, random_state=0)
    model.fit(make(X))
    distances = ((X[:, np.newaxis] - model.cluster_centers_) ** 2).sum(axis=2)
    np.testing.assert_array_equal(model.labels_, distances.argmin(axis=1))
    assert model.inertia_ < 3_000 * 3 * 1e-5


# -- state ---------------------------------------------------------------------------------------


def test_a_fit_that_fails_changes_nothing():
    X = blobs(31)
    model = MiniBatchKMeans(3, random_state=0).fit(X)
    before = pickle.dumps(model)
    bad = X.copy()
    bad[5, 2] = np.nan
    for method in (model.fit, model.partial_fit):
        with pytest.raises(ValueError, match="contains NaN"):
            method(bad)
        with pytest.raises(ValueError, match="Negative values"):
            method(X[:, :2] if method == model.fit else X, sample_weight=-np.ones(len(X)))
        with pytest.raises(ValueError, match="features"):
            model.partial_fit(X[:, :2])
        assert pickle.dumps(model) == before
    new = MiniBatchKMeans(3)
    with pytest.raises(ValueError, match="Negative values"):
        new.partial_fit(X, sample_weight=-np.ones(len(X)))
    assert vars(new) == vars(MiniBatchKMeans(3))


def test_a_step_that_fails_draws_nothing(monkeypatch):
    """The labels come last, after draws for the rows that light clusters move to."""
    X = blobs(39, 300)
    model, copy = (MiniBatchKMeans(30, random_state=0, reassignment_ratio=0.9) for _ in range(2))
    for each in (model, copy):
        each.partial_fit(X)
    with monkeypatch.context() as patch:
        patch.setattr(MiniBatchKMeans, "_label", interrupt)
        with pytest.raises(KeyboardInterrupt):
            model.partial_fit(X)
    for each in (model, copy):
        each.partial_fit(X)
    np.testing.assert_array_equal(model.cluster_centers_, copy.cluster_centers_)


def interrupt(*_, **__):
    raise KeyboardInterrupt


def test_an_interrupted_fit_leaves_a_generator_after_the_batches_it_used(monkeypatch):
    """Batches are drawn ahead, in growing numbers; those that no step has used are put back."""
    X = blobs(40)
    generators = [np.random.RandomState(4) for _ in range(2)]
    options = {"n_clusters": 4, "batch_size": 200, "init": X[:4], "max_no_improvement": None}
    MiniBatchKMeans(**options, max_iter=1, random_state=generators[0]).fit(X)  # 10 steps
    is_reached = minibatch.Convergence.is_reached

    def interrupted(self, step, *arguments):
        return interrupt() if step == 10 else is_reached(self, step, *arguments)

    monkeypatch.setattr(minibatch.Convergence, "is_reached", interrupted)
    with pytest.raises(KeyboardInterrupt):
        MiniBatchKMeans(**options, max_iter=9, random_state=generators[1]).fit(X)
    after = [generator.random_sample(3) for generator in generators]
    np.testing.assert_array_equal(*after)


def test_a_pickle_goes_on_where_the_model_would():
    X = blobs(32)
    model = MiniBatchKMeans(15, random_state=0, reassignment_ratio=0.3).partial_fit(X[:300])
    copy = pickle.loads(pickle.dumps(model))
    for each in (model, copy):
        each.partial_fit(X[300:600]).partial_fit(X[600:])
    np.testing.assert_array_equal(copy.cluster_centers_, model.cluster_centers_)


def test_a_first_batch_needs_as_many_rows_as_clusters():
    with pytest.raises(ValueError, match="n_samples=3 should be >= n_clusters=8"):
        MiniBatchKMeans().partial_fit(blobs(33, 3))


def test_predict_before_fit():
    with pytest.raises(NotFittedError):
        MiniBatchKMeans().predict([[0.0]])


def test_too_few_rows_for_the_start_are_a_warning():
    text = "init_size=3 should be larger than n_clusters=5"
    with pytest.warns(RuntimeWarning, match=text):
        MiniBatchKMeans(5, init_size=3, random_state=0).fit(blobs(34))


def test_more_than_one_run_from_given_centers_is_a_warning():
    X = blobs(35)
    with pytest.warns(RuntimeWarning, match="in MiniBatchKMeans instead of n_init=4"):
        MiniBatchKMeans(5, init=X[:5], n_init=4).fit(X)


def test_verbose_prints_scikit_learns_lines(capsys):
    X = blobs(36)
    options = {"n_clusters": 12, "batch_size": 100, "verbose": 1, "random_state": 0}
    options |= {"reassignment_ratio": 0.5}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        sklearn.cluster.MiniBatchKMeans(**options).fit(X)
        expected = capsys.readouterr().out.split()
        MiniBatchKMeans(**options).fit(X)
        found = capsys.readouterr().out.split()
    assert len(found) == len(expected)
    for ours, theirs in zip(found, expected, strict=True):
        try:
            assert float(ours.strip(",")) == pytest.approx(float(theirs.strip(",")), rel=1e-9)
        except ValueError:
            assert ours == theirs
