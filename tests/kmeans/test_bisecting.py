"""BisectingKMeans: scikit-learn's answers, and right ones where scikit-learn has none."""

import contextlib
import io
import pickle
import re

import numpy as np
import pytest
import scipy.sparse
import sklearn.cluster
from hypothesis import given, settings
from hypothesis import strategies as st
from threadpoolctl import threadpool_limits

import fastclust
from fastclust import BisectingKMeans
from fastclust._algorithms.kmeans import bisecting, lloyd
from fastclust._algorithms.rows import dense
from fastclust._algorithms.rows.panels import Panels
from fastclust._algorithms.rows.source import pack

STRATEGIES = "biggest_inertia", "largest_cluster"


def blobs(n_samples=900, n_features=5, n_blobs=9, seed=0):
    rng = np.random.default_rng(seed)
    centers = 4 * rng.normal(size=(n_blobs, n_features))
    X = centers[rng.integers(n_blobs, size=n_samples)]
    return X + rng.normal(size=(n_samples, n_features))


def sparse_rows(n_samples=600, n_features=12, seed=0):
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(n_samples, n_features)) * (rng.random((n_samples, n_features)) < 0.4)
    return scipy.sparse.csr_array(X)


def first_rows(X, n_clusters, random_state):
    """Draw centers from the rows, dense ones."""
    return X[random_state.permutation(X.shape[0])[:n_clusters]]


def fit_both(X, weights=None, **parameters):
    """Fit both packages; return ours, theirs and what each printed."""
    printed, models = [], []
    for package in fastclust, sklearn.cluster:
        with contextlib.redirect_stdout(io.StringIO()) as output:
            model = package.BisectingKMeans(**{"random_state": 0} | parameters)
            models.append(model.fit(X.copy(), sample_weight=weights))
        printed.append(output.getvalue())
    return *models, *printed


def assert_same_fit(ours, theirs, X):
    np.testing.assert_array_equal(ours.labels_, theirs.labels_)
    assert ours.labels_.dtype == theirs.labels_.dtype
    assert ours.cluster_centers_.dtype == theirs.cluster_centers_.dtype
    scale = np.abs(theirs.cluster_centers_).max()
    tolerance = 1e-9 if X.dtype == np.float64 else 1e-4
    np.testing.assert_allclose(
        ours.cluster_centers_, theirs.cluster_centers_, rtol=tolerance, atol=tolerance * scale
    )
    assert ours.inertia_ == pytest.approx(theirs.inertia_, rel=tolerance)
    np.testing.assert_array_equal(ours.predict(X), ours.labels_)


# -- scikit-learn's answers ----------------------------------------------------------------------


@pytest.mark.parametrize("n_init", [1, 3])
@pytest.mark.parametrize("weighted", [False, True], ids=["equal", "weighted"])
@pytest.mark.parametrize("init", ["random", "k-means++", first_rows])
@pytest.mark.parametrize("strategy", STRATEGIES)
@pytest.mark.parametrize("kind", ["dense", "sparse", "float32"])
def test_fits_are_scikit_learns(kind, strategy, init, weighted, n_init):
    if kind == "sparse" and callable(init):
        pytest.skip("scikit-learn's check of the centers takes dense ones only")
    X = sparse_rows() if kind == "sparse" else blobs()
    X = X.astype(np.float32) if kind == "float32" else X
    weights = np.random.default_rng(1).uniform(0.2, 3, size=X.shape[0]) if weighted else None
    ours, theirs, *_ = fit_both(
        X, weights, n_clusters=11, init=init, n_init=n_init, bisecting_strategy=strategy
    )
    assert_same_fit(ours, theirs, X)


@pytest.mark.parametrize(
    "parameters",
    [
        {},
        {"n_clusters": 1},
        {"n_clusters": 2},
        {"n_clusters": 120},
        {"max_iter": 1},
        {"max_iter": 3, "n_clusters": 20},
        {"tol": 0},
        {"tol": 0.5, "n_clusters": 30},
        {"algorithm": "elkan", "n_clusters": 20},
        {"copy_x": False},
        {"random_state": 7, "n_clusters": 40},
    ],
    ids=str,
)
def test_parameters_have_scikit_learns_effect(parameters):
    X = blobs()
    ours, theirs, *_ = fit_both(X, **parameters)
    assert_same_fit(ours, theirs, X)
    new = blobs(seed=3)
    np.testing.assert_array_equal(ours.predict(new), theirs.predict(new))
    # scikit-learn expands |x - c|^2, which cancels for rows near a center.
    np.testing.assert_allclose(ours.transform(new), theirs.transform(new), rtol=1e-7)
    assert ours.score(new) == pytest.approx(theirs.score(new), rel=1e-9)  # as `assert_same_fit`


@given(
    seed=st.integers(0, 10_000),
    n_samples=st.integers(2, 700),
    n_features=st.integers(1, 20),
    share=st.floats(0, 0.2),
    n_init=st.integers(1, 3),
    max_iter=st.sampled_from([2, 10, 300]),
    tol=st.sampled_from([0, 1e-4, 1.0]),
    strategy=st.sampled_from(STRATEGIES),
    init=st.sampled_from(["random", "k-means++"]),
    sparse=st.booleans(),
    weighted=st.booleans(),
)
@settings(max_examples=60, deadline=None)
def test_random_configurations_are_scikit_learns(
    seed, n_samples, n_features, share, n_init, max_iter, tol, strategy, init, sparse, weighted
):
    X = blobs(n_samples, n_features, seed=seed)
    rng = np.random.default_rng(seed)
    if sparse:
        X[:, 1:][rng.random((n_samples, n_features - 1)) < 0.6] = 0  # no two rows are equal
        X = scipy.sparse.csr_array(X)
    weights = rng.uniform(0.2, 3, size=n_samples) if weighted else None
    n_clusters = 1 + int(share * n_samples) + weighted  # one has the mean without weights in theirs
    with threadpool_limits(1):  # as threads of so little work wait for each other
        ours, theirs, *_ = fit_both(
            X, weights, n_clusters=n_clusters, n_init=n_init, max_iter=max_iter, tol=tol,
            bisecting_strategy=strategy, init=init, random_state=seed,
        )  # fmt: skip
        assert_same_fit(ours, theirs, X)


def test_large_parts_are_regrouped_and_filtered_and_the_labels_still_scikit_learns():
    X = blobs(60_000, 16, 30)
    ours, theirs, *_ = fit_both(X, n_clusters=20, n_init=2)
    assert_same_fit(ours, theirs, X)


@pytest.mark.parametrize("init", ["random", "k-means++", first_rows])
def test_the_random_state_is_left_where_scikit_learn_leaves_it(init):
    states = [np.random.RandomState(5) for _ in range(2)]
    for package, state in zip((fastclust, sklearn.cluster), states, strict=True):
        package.BisectingKMeans(6, init=init, n_init=2, random_state=state).fit(blobs())
    assert states[0].random_sample() == states[1].random_sample()


@pytest.mark.parametrize("algorithm", ["lloyd", "elkan"])
@pytest.mark.parametrize("X", [blobs(), sparse_rows()], ids=["dense", "sparse"])
def test_verbose_prints_scikit_learns_lines(X, algorithm):
    *_, ours, theirs = fit_both(
        X, n_clusters=5, n_init=2, verbose=1, algorithm=algorithm, tol=1e-3,
        bisecting_strategy="largest_cluster",
    )  # fmt: skip
    number = r"-?\d+\.?\d*(?:e[-+]?\d+)?"
    texts = [re.sub(number, "#", text.replace("\n", " ")) for text in (ours, theirs)]
    texts = [re.sub(r"\s+", " ", text).replace("[ #", "[#") for text in texts]
    assert texts[0] == texts[1]
    assert "New centroids from bisection: [[#" in texts[0]
    values = [np.array(re.findall(number, text), dtype=float) for text in (ours, theirs)]
    # Arrays are printed to eight decimals, or digits, of which rounding may change the last.
    np.testing.assert_allclose(*values, rtol=2e-8, atol=2e-8)


def test_a_callable_gets_scikit_learns_rows():
    seen = {}

    def note(X, n_clusters, random_state):
        assert n_clusters == 2
        seen[package].append(X.copy())
        return X[:2].copy()  # scikit-learn writes into it

    for package in fastclust, sklearn.cluster:
        seen[package] = []
        package.BisectingKMeans(5, init=note, n_init=2).fit(blobs())
    for ours, theirs in zip(seen[fastclust], seen[sklearn.cluster], strict=True):
        np.testing.assert_allclose(ours, theirs, atol=1e-12)


def test_default_parameters_are_scikit_learns():
    assert BisectingKMeans().get_params() == sklearn.cluster.BisectingKMeans().get_params()


# -- the tree ------------------------------------------------------------------------------------


@pytest.mark.parametrize("strategy", STRATEGIES)
def test_the_tree_is_what_its_definition_says(strategy):
    X = blobs(400, 3)
    weights = np.random.default_rng(2).uniform(0.5, 2, size=len(X))
    model = BisectingKMeans(9, bisecting_strategy=strategy, random_state=0)
    tree = model.fit(X, sample_weight=weights)._tree
    rows_of, members = {0: np.arange(len(X))}, [np.arange(len(X))]
    labels = np.empty(len(X), dtype=int)

    def inertia_about_mean(part):
        mean = np.average(X[part], axis=0, weights=weights[part])
        return weights[part] @ np.square(X[part] - mean).sum(axis=1)

    for split, (centers, children) in enumerate(zip(tree.centers, tree.children, strict=True)):
        rows = rows_of[split]
        score = len if strategy == "largest_cluster" else inertia_about_mean
        place = next(i for i, part in enumerate(members) if np.array_equal(part, rows))
        assert place == np.argmax([score(part) for part in members])
        nearest = np.square(X[rows][:, None] - centers).sum(axis=2).argmin(axis=1)
        sides = [rows[nearest == side] for side in (0, 1)]
        for side, child, center in zip(sides, children, centers, strict=True):
            mean = np.average(X[side], axis=0, weights=weights[side])
            np.testing.assert_allclose(center, mean, atol=0.05)  # they may still move within tol
            if child < 0:
                labels[side] = -1 - child
            else:
                rows_of[child] = side
        members[place : place + 1] = sides
    np.testing.assert_array_equal(labels, model.labels_)
    for label, part in enumerate(members):  # from left to right
        np.testing.assert_array_equal(np.flatnonzero(model.labels_ == label), part)
    expected = np.square(X - model.cluster_centers_[model.labels_]).sum(axis=1) @ weights
    assert model.inertia_ == pytest.approx(expected)


@pytest.mark.parametrize("kind", ["dense", "sparse"])
def test_each_split_packs_its_own_rows_only(kind, monkeypatch):
    X = blobs(4_000) if kind == "dense" else sparse_rows(4_000)
    sizes = []

    def note(rows, *arguments, **options):
        sizes.append(rows.n_samples)
        return lloyd.find_best_run(rows, *arguments, **options)

    monkeypatch.setattr(bisecting, "find_best_run", note)
    BisectingKMeans(8, n_init=3, random_state=0).fit(X)
    assert sizes[0] == 4_000
    assert len(sizes) == 7
    assert sum(sizes) < 5 * 4_000


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("n_part", [1, 7, 8, 9, 500, 999])
def test_a_part_of_rows_is_packed_as_these_rows_alone(n_part, dtype, monkeypatch):
    rng = np.random.default_rng(0)
    X, weights = rng.normal(size=(999, 5)).astype(dtype), rng.uniform(size=999).astype(dtype)
    numbers = np.sort(rng.permutation(999)[:n_part])
    origin = X[3]
    whole = pack(X, weights, origin)
    part = pack(X, weights, origin, numbers, whole)
    alone = Panels(X[numbers], weights[numbers], origin)
    assert np.shares_memory(part.values, whole.values)
    np.testing.assert_array_equal(part.values, alone.values)
    np.testing.assert_array_equal(part.weights, alone.weights)
    np.testing.assert_array_equal(part.take([0, n_part - 1]), alone.take([0, n_part - 1]))
    # Float64 sums of the same numbers, in chunks of another memory.
    assert part.total_square == pytest.approx(alone.total_square, rel=1e-12)
    assert part.largest_square == alone.largest_square
    labels = rng.integers(3, size=part.values[:, 0].shape).astype(np.int32)
    distances_sq = rng.uniform(size=labels.shape).astype(dtype)
    for rows in part, alone:
        rows.regroup(rows.start_run(), labels, distances_sq, 3)
    np.testing.assert_array_equal(part.values, alone.values)
    centers = X[:3] - origin
    nearest = part.assign(centers)
    by_label = part.label_inertias(centers, nearest)
    # A distance is a sum of five squares in the rows' type.
    rel = 8 * 5 * float(np.finfo(dtype).eps)
    assert by_label.sum() == pytest.approx(alone.assign_with_inertia(centers)[1], rel=rel)
    monkeypatch.setattr(dense, "MOST_ROWS", 10)  # more rows than can be numbered
    taken = pack(X, weights, origin, numbers)
    np.testing.assert_array_equal(taken.values, Panels(X[numbers], None, origin).values)


# -- right where scikit-learn is not -------------------------------------------------------------


@pytest.mark.parametrize("strategy", STRATEGIES)
@pytest.mark.parametrize("n_distinct", [1, 2, 5])
@pytest.mark.parametrize("kind", [np.asarray, scipy.sparse.csr_array])
def test_fewer_distinct_rows_than_clusters(kind, n_distinct, strategy):
    X = np.arange(20)[:, np.newaxis] % n_distinct * [1.0, 2.0]
    X = kind(X[[0, *range(20)]])
    model = BisectingKMeans(12, bisecting_strategy=strategy, random_state=0).fit(X)
    np.testing.assert_array_equal(model.predict(X), model.labels_)
    assert len(np.unique(model.labels_)) == n_distinct
    assert model.inertia_ == pytest.approx(0, abs=1e-20)
    assert np.isfinite(model.cluster_centers_).all()


def test_as_many_clusters_as_rows():
    X = blobs(60)
    model = BisectingKMeans(60, random_state=0).fit(X)
    assert sorted(model.labels_) == list(range(60))
    np.testing.assert_allclose(model.cluster_centers_[model.labels_], X)


def test_a_leaf_of_one_row_is_not_split():
    """After one iteration a single row may be far from its center, of the largest inertia."""
    X = np.array([[0.0], [1.0], [50.0], [2.0], [1e3]])
    start = [[0.0], [490.0]]
    model = BisectingKMeans(4, init=lambda X, k, random_state: np.array(start), max_iter=1)
    assert len(np.unique(model.fit(X).labels_)) >= 2
    np.testing.assert_array_equal(model.predict(X), model.labels_)


@pytest.mark.parametrize("kind", [np.asarray, scipy.sparse.csr_array])
@pytest.mark.parametrize("init", ["random", "k-means++"])
def test_a_row_of_weight_0_is_as_if_absent(init, kind):
    X = blobs()
    weights = np.random.default_rng(0).integers(3, size=len(X)).astype(float)
    X[weights == 0] += 1e3
    present = weights > 0
    model = BisectingKMeans(7, init=init, random_state=0).fit(kind(X), sample_weight=weights)
    without = BisectingKMeans(7, init=init, random_state=0).fit(
        kind(X[present]), sample_weight=weights[present]
    )
    np.testing.assert_array_equal(model.cluster_centers_, without.cluster_centers_)
    np.testing.assert_array_equal(model.labels_[present], without.labels_)
    np.testing.assert_array_equal(model.labels_, model.predict(kind(X)))
    assert model.inertia_ == without.inertia_
    with pytest.raises(ValueError, match="n_samples=2 should be >= n_clusters=7"):
        model.fit(X, sample_weight=np.arange(len(X)) < 2)


def test_one_cluster_is_the_weighted_mean():
    X, weights = blobs(), np.arange(900.0)
    model = BisectingKMeans(1).fit(X, sample_weight=weights)
    np.testing.assert_allclose(model.cluster_centers_[0], np.average(X, axis=0, weights=weights))
    assert model.inertia_ == pytest.approx(-model.score(X, sample_weight=weights))
    np.testing.assert_array_equal(model.predict(X), 0)


@pytest.mark.parametrize("n_init", [1, 2])
@pytest.mark.parametrize("strategy", STRATEGIES)
@pytest.mark.parametrize("init", ["random", "k-means++", first_rows])
@pytest.mark.parametrize("exponent", [-500, -450, 450, 490])
def test_rows_in_any_unit_have_the_same_labels(exponent, init, strategy, n_init):
    X, tol = blobs(), 1e-3
    parameters = {"init": init, "bisecting_strategy": strategy, "n_init": n_init, "random_state": 0}
    if abs(2 * exponent) > 1000:
        tol = 0
    expected = BisectingKMeans(9, tol=tol, **parameters).fit(X)
    model = BisectingKMeans(9, tol=np.ldexp(tol, 2 * exponent), **parameters)
    model.fit(np.ldexp(X, exponent))
    np.testing.assert_array_equal(model.labels_, expected.labels_)
    np.testing.assert_array_equal(model.predict(np.ldexp(X, exponent)), model.labels_)
    np.testing.assert_allclose(
        np.ldexp(model.cluster_centers_, -exponent), expected.cluster_centers_, rtol=1e-9
    )


@pytest.mark.parametrize("init", ["random", lambda X, k, random_state: X[[0, -1]]])
def test_rows_whose_sums_overflow(init, capsys):
    X = np.array([[1.0], [1.0 + 2**-40], [1.5], [1.5 + 2**-40]]) * 2.0**1023
    X = X[:, :1] * [1.0, -1.0]
    with pytest.raises(ValueError, match="The inertia is above the largest floating-point number"):
        BisectingKMeans(3, init=init, random_state=0).fit(X)
    X = X[[0, 0, 2, 2]]
    model = BisectingKMeans(2, init=init, random_state=0).fit(X)
    np.testing.assert_array_equal(model.cluster_centers_[model.labels_], X)
    np.testing.assert_array_equal(model.predict(X), model.labels_)


@pytest.mark.parametrize("exponent", [-60, 60])
def test_float32_rows_in_any_unit_have_the_same_labels(exponent):
    X = blobs().astype(np.float32)
    expected = BisectingKMeans(9, tol=0, random_state=0).fit(X.astype(np.float64))
    model = BisectingKMeans(9, tol=0, random_state=0).fit(np.ldexp(X, exponent))
    assert model.cluster_centers_.dtype == np.float32
    np.testing.assert_array_equal(model.labels_, expected.labels_)
    np.testing.assert_array_equal(model.predict(np.ldexp(X, exponent)), model.labels_)


def test_groups_of_groups_in_very_different_units_are_all_found():
    """The rows of each leaf have an origin and a unit of their own."""
    small = 1e-200 * np.array([[1.0], [1.1], [9.0], [9.1]])
    X = np.concatenate([small, [[1.0], [1.5]], [[1e150], [1.1e150]]])
    model = BisectingKMeans(5, bisecting_strategy="largest_cluster", random_state=0).fit(X)
    assert len(set(model.labels_[[0, 2, 4, 6]])) == 4
    assert model.labels_[0] == model.labels_[1]
    np.testing.assert_array_equal(model.predict(X), model.labels_)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_groups_far_from_the_others_are_divided_rightly(dtype):
    X = np.array([0, 1, 10, 11], dtype=dtype)[:, np.newaxis]
    far = dtype(1e5) if dtype == np.float32 else dtype(1e12)
    X = np.concatenate([X, X + far])
    model = BisectingKMeans(4, bisecting_strategy="largest_cluster", random_state=0).fit(X)
    pairs = model.labels_.reshape(4, 2)
    assert (pairs[:, 0] == pairs[:, 1]).all()
    assert len(set(pairs[:, 0])) == 4
    np.testing.assert_array_equal(model.predict(X), model.labels_)


def test_dense_rows_then_sparse_ones():
    X = sparse_rows()
    model = BisectingKMeans(6, random_state=0).fit(X.toarray() + 5).fit(X)
    np.testing.assert_array_equal(model.predict(X), model.labels_)
    np.testing.assert_array_equal(model.labels_, BisectingKMeans(6, random_state=0).fit_predict(X))


@given(seed=st.integers(0, 1000))
@settings(max_examples=30)
def test_a_weight_of_2_is_a_row_twice(seed):
    """From the same first centers, where inertias choose ("largest_cluster" counts rows)."""
    X = blobs(200, seed=seed)
    weights = np.random.default_rng(seed).integers(1, 3, size=200)

    def first_and_last(X, n_clusters, random_state):
        return X[[X[:, 0].argmin(), X[:, 0].argmax()]]

    options = {"init": first_and_last, "tol": 0}
    weighted = BisectingKMeans(6, **options).fit(X, sample_weight=weights)
    twice = BisectingKMeans(6, **options).fit(np.repeat(X, weights, axis=0))
    np.testing.assert_array_equal(np.repeat(weighted.labels_, weights), twice.labels_)
    np.testing.assert_allclose(weighted.cluster_centers_, twice.cluster_centers_, atol=1e-9)


@given(seed=st.integers(0, 1000), shift=st.floats(-1e4, 1e4), strategy=st.sampled_from(STRATEGIES))
@settings(max_examples=30)
def test_translated_rows_have_the_same_labels(seed, shift, strategy):
    X = blobs(200, seed=seed)
    options = {"bisecting_strategy": strategy, "random_state": seed}
    model, moved = (BisectingKMeans(6, **options).fit(rows) for rows in (X, X + shift))
    np.testing.assert_array_equal(model.labels_, moved.labels_)
    np.testing.assert_allclose(model.cluster_centers_ + shift, moved.cluster_centers_, atol=1e-7)


# -- errors, states, threads ---------------------------------------------------------------------


@pytest.mark.parametrize(
    "parameters",
    [
        {"n_clusters": 0}, {"init": "kmeans"}, {"init": np.zeros((2, 5))}, {"n_init": 0},
        {"n_init": "auto"}, {"max_iter": 0}, {"tol": -1.0}, {"verbose": -1}, {"random_state": -1},
        {"copy_x": 1}, {"algorithm": "auto"}, {"bisecting_strategy": "largest"},
        {"n_clusters": 901},
    ],
    ids=str,
)  # fmt: skip
def test_bad_parameters_are_refused_in_scikit_learns_words(parameters):
    messages = []
    for package in fastclust, sklearn.cluster:
        with pytest.raises(ValueError, match=r"parameter of|n_samples") as raised:
            package.BisectingKMeans(**parameters).fit(blobs())
        message = re.sub(r"\{[^}]*\}", lambda words: str(sorted(words[0][1:-1].split(", "))),
                         str(raised.value))  # fmt: skip
        messages.append(message)
    assert messages[0] == messages[1]


@pytest.mark.parametrize("centers", [np.zeros((3, 5)), np.zeros((2, 4))])
def test_centers_of_a_wrong_shape_are_refused_in_scikit_learns_words(centers):
    messages = []
    for package in fastclust, sklearn.cluster:
        model = package.BisectingKMeans(init=lambda X, k, random_state: centers)
        with pytest.raises(ValueError, match="The shape of the initial centers") as raised:
            model.fit(blobs())
        messages.append(str(raised.value))
    assert messages[0] == messages[1]


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_what_is_not_finite_is_refused(value):
    X = blobs()
    X[7, 2] = value
    with pytest.raises(ValueError, match=r"Input X contains (NaN|infinity)"):
        BisectingKMeans().fit(X)
    with pytest.raises(ValueError, match=r"Input X contains (NaN|infinity)"):
        BisectingKMeans().fit(blobs()).predict(X)


def test_predict_before_fit_is_refused():
    with pytest.raises(sklearn.exceptions.NotFittedError):
        BisectingKMeans().predict(blobs())


@pytest.mark.parametrize("error", [ValueError, KeyboardInterrupt])
def test_a_failed_fit_keeps_the_state(error):
    calls = []

    def fail(X, n_clusters, random_state):
        calls.append(X)
        if len(calls) == 3:
            raise error
        return X[:2]

    model = BisectingKMeans(5, random_state=0).fit(blobs())
    before = pickle.dumps(model)
    with pytest.raises(error):
        model.set_params(init=fail).fit(blobs(seed=1))
    assert len(calls) == 3
    assert pickle.dumps(model.set_params(init="random")) == before


@pytest.mark.parametrize("X", [blobs(30_000, 8), sparse_rows(3_000)], ids=["dense", "sparse"])
def test_any_number_of_threads_gives_the_same_bits(X):
    fits = []
    for n_threads in 1, 2:
        with fastclust.limit_threads(n_threads):
            model = BisectingKMeans(12, n_init=2, random_state=0).fit(X)
            fits.append((model.labels_, model.cluster_centers_, model.inertia_, model.predict(X)))
    for one, two in zip(*fits, strict=True):
        np.testing.assert_array_equal(one, two)


def test_float32_rows_after_a_float64_fit():
    model = BisectingKMeans(6, random_state=0).fit(blobs())
    new = blobs(seed=1)
    agree = model.predict(new.astype(np.float32)) == model.predict(new)
    assert agree.mean() > 0.999
