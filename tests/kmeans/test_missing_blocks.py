"""Rows in blocks with missing values: the answers of rows in memory."""

import re
import warnings

import numpy as np
import pyarrow as pa
import pyarrow.parquet
import pytest

from fastclust import KMeans, MiniBatchKMeans, SphericalKMeans, limit_memory, open_rows
from fastclust._algorithms.kmeans import seeding
from fastclust._algorithms.rows import block_source
from tests.kmeans import test_missing
from tests.rows.test_blocks import LITTLE, SOURCES, Given, small_blocks

pytestmark = pytest.mark.usefixtures(small_blocks.__name__)

N = 3000


def make_rows(dtype="f8", share=0.2):
    """Rows around three centers, in no order, and these; a block of them is complete."""
    X, centers = test_missing.make_rows(n_samples=N, n_features=5, share=share, dtype=dtype)
    np.random.default_rng(0).shuffle(X)
    X[:100] = np.nan_to_num(X[:100])
    return X, centers


def make(estimator=KMeans, **options):
    usual = {"n_clusters": 3, "n_init": 1, "random_state": 0, "missing": "ignore"}
    return estimator(**usual | options)


def fit_both(X, limit=LITTLE, sample_weight=None, **options):
    """Fits to rows in blocks, and to an array."""
    expected = make(**options).fit(X, sample_weight=sample_weight)
    with limit_memory(limit):
        return make(**options).fit(Given(X), sample_weight=sample_weight), expected


def assert_same(ours, expected):
    """The same labels; sums of 1,000 rows of up to 20 are in another order."""
    np.testing.assert_array_equal(ours.labels_, expected.labels_)
    assert ours.n_iter_ == expected.n_iter_
    eps = float(np.finfo(expected.cluster_centers_.dtype).eps)
    rtol, atol = 4 * eps, 20 * 1000 * float(np.finfo("f8").eps)
    np.testing.assert_allclose(ours.cluster_centers_, expected.cluster_centers_, rtol, atol)
    assert ours.inertia_ == pytest.approx(expected.inertia_, rel=16 * eps)


def assert_same_bits(a, b):
    for name in "cluster_centers_", "labels_", "inertia_", "n_iter_":
        np.testing.assert_array_equal(getattr(a, name), getattr(b, name))


# -- k-means ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("dtype", ["f4", "f8"])
@pytest.mark.parametrize("init", ["array", "random", "k-means||", "sample"])
def test_a_fit_is_that_of_an_array(init, dtype, weighted, monkeypatch):
    monkeypatch.setattr(seeding, "SAMPLE_BYTES", 8000)  # not all rows
    X, centers = make_rows(dtype)
    options = {"init": centers + 3 if init == "array" else init}
    weights = np.arange(N) % 3 if weighted else None
    ours, expected = fit_both(X, LITTLE, weights, **options)
    assert_same(ours, expected)
    assert_same_bits(fit_both(X, "1 kB", weights, **options)[0], ours)


@pytest.mark.parametrize("name", SOURCES)
def test_rows_of_any_source(tmp_path, name):
    X, centers = make_rows()
    expected = make(init=centers + 3).fit(X)
    rows = SOURCES[name](tmp_path, X)
    with limit_memory(LITTLE):
        assert isinstance(block_source.open_source(rows), block_source.BlockSource)
        kmeans = make(init=centers + 3).fit(rows)
        assert_same(kmeans, expected)
        np.testing.assert_array_equal(kmeans.predict(rows), kmeans.labels_)
        same = make(init=centers + 3).fit(Given(X))
        assert_same_bits(kmeans, same)
        np.testing.assert_array_equal(kmeans.transform(rows), same.transform(X))
        assert kmeans.score(rows) == pytest.approx(-kmeans.inertia_, rel=1e-14)
    # Rows that fit are read, and all is as for an array.
    assert_same_bits(make(init=centers + 3).fit(rows), expected)


@pytest.mark.parametrize("estimator", [KMeans, MiniBatchKMeans])
def test_complete_rows_have_the_bits_of_the_default(estimator):
    X, centers = make_rows(share=0.0)
    fits = [make(estimator, init=centers + 3, missing=m) for m in ("ignore", "error")]
    with limit_memory(LITTLE):
        for kmeans in fits:
            kmeans.fit(Given(X))
        assert_same_bits(*fits)
        for method in "predict", "transform", "score":
            found = [getattr(kmeans, method)(Given(X)) for kmeans in fits]
            np.testing.assert_array_equal(*found)


def test_nulls_of_parquet(tmp_path):
    X, centers = make_rows()
    columns = {name: pa.array(X[:, f], from_pandas=True) for f, name in enumerate("abcde")}
    columns["a"] = pa.array(np.round(X[:, 0]), from_pandas=True).cast(pa.int32())
    table = pa.table(columns)
    assert table["a"].null_count > 0
    pa.parquet.write_table(table, tmp_path / "rows.parquet")
    X[:, 0] = np.round(X[:, 0])
    with limit_memory(LITTLE):
        kmeans = make(init=centers).fit(open_rows(tmp_path / "rows.parquet"))
        assert_same_bits(kmeans, make(init=centers).fit(Given(X)))


def test_empty_clusters_move_to_the_rows_that_are_farthest():
    X, centers = make_rows()
    X[7], X[2000] = [90, np.nan, 90, np.nan, 90], [np.nan, -80, -80, np.nan, -80]
    init = np.vstack([centers, [[700.0] * 5, [-900.0] * 5]])
    with warnings.catch_warnings(record=True) as told:
        warnings.simplefilter("always")
        kmeans, expected = fit_both(X, init=init, n_clusters=5)
    assert_same(kmeans, expected)
    assert len(np.unique(kmeans.labels_)) == 5
    found = [str(w.message) for w in told if "missing in all rows" in str(w.message)]
    assert len(found) == 2
    assert found[0] == found[1]  # of the array, and of the blocks


def test_a_cluster_that_loses_its_only_value_of_a_feature_keeps_its_center_there():
    X = np.vstack([np.tile([[0.0, np.nan, np.nan]], (400, 1)), [[6.0, 2.0, np.nan]]])
    X = np.vstack([X, np.tile([[-50.0, 0.0, 1.0]], (20, 1))])
    weights = np.random.default_rng(0).uniform(0.1, 1.0, len(X))
    init = np.array([[0.0, 3.0, 4.0], [-50.0, 0.0, 1.0], [500.0, 5.0, 6.0]])
    with pytest.warns(UserWarning, match="missing in all rows"):
        kmeans, expected = fit_both(X, "1 kB", weights, init=init)
    np.testing.assert_allclose(kmeans.cluster_centers_, expected.cluster_centers_, atol=1e-13)
    np.testing.assert_allclose(kmeans.cluster_centers_[[0, 2]], [[0, 3, 4], [6, 2, 6]], atol=1e-13)


@pytest.mark.parametrize(("dtype", "exponent"), [("f8", 500), ("f8", -500), ("f4", 90)])
def test_rows_of_any_unit(dtype, exponent):
    X, centers = make_rows(dtype)
    X, centers = np.ldexp(X, exponent), np.ldexp(centers, exponent)
    ours, expected = fit_both(X, init=centers)
    np.testing.assert_array_equal(ours.labels_, expected.labels_)
    # Means of float32 rows that are computed with in float64 are rounded once.
    rtol = 8 * float(np.finfo(dtype).eps)
    atol = rtol * np.abs(expected.cluster_centers_).max()
    np.testing.assert_allclose(ours.cluster_centers_, expected.cluster_centers_, rtol, atol)
    with limit_memory(LITTLE):
        np.testing.assert_array_equal(ours.predict(Given(X)), ours.labels_)


@pytest.mark.parametrize("dtype", ["f4", "f8"])
def test_facts_are_those_of_the_values_that_there_are(dtype):
    X, _ = make_rows(dtype)
    X += 100
    X[:1500] += 7  # so that the means of blocks differ
    X[800:1200, 3] = np.nan  # and some blocks have no value of a feature
    facts = block_source.open_source(Given(X), allow_nan=True).facts
    exact = X.astype("f8")
    mean = np.nanmean(exact, axis=0)
    squares = np.square(exact - mean)
    assert (facts.n_samples, facts.n_empty) == (N, 0)
    np.testing.assert_array_equal(facts.counts, np.sum(~np.isnan(X), axis=0))
    np.testing.assert_allclose(facts.mean, mean, rtol=1e-13)
    # Means of blocks, of about 100, are rounded to the rows' type.
    rtol = 100 * float(np.finfo(dtype).eps)
    np.testing.assert_allclose(facts.squares, np.nansum(squares, axis=0), rtol)
    assert facts.square_about_mean == pytest.approx(np.nansum(squares), rel=rtol)
    about = facts.feature_squares_about(np.full(5, 99.0))
    np.testing.assert_allclose(about, np.nansum(np.square(exact - 99), axis=0), rtol)
    farthest = np.sqrt(np.nansum(squares, axis=1).max())
    assert farthest <= facts.reach * (1 + rtol) < 4 * farthest


# -- mini-batches ----------------------------------------------------------------------------------


@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("init", ["k-means++", "random", "array"])
@pytest.mark.parametrize("dtype", ["f4", "f8"])
def test_mini_batches_are_those_of_an_array(dtype, init, weighted):
    X, centers = make_rows(dtype)
    X[np.isnan(X[:, 1]), 2] = centers[0, 2]
    options = {"init": centers + 3 if init == "array" else init, "batch_size": 100}
    weights = np.random.default_rng(0).uniform(0.5, 2, N) if weighted else None
    ours, expected = fit_both(X, LITTLE, weights, estimator=MiniBatchKMeans, **options)
    assert ours.n_steps_ == expected.n_steps_ > 10
    np.testing.assert_array_equal(ours.labels_, expected.labels_)
    eps = float(np.finfo(dtype).eps)  # each step rounds centers of up to 20
    atol = 20 * 8 * eps
    np.testing.assert_allclose(ours.cluster_centers_, expected.cluster_centers_, 0, atol)
    assert ours.inertia_ == pytest.approx(expected.inertia_, rel=100 * eps)
    assert_same_bits(fit_both(X, "1 kB", weights, estimator=MiniBatchKMeans, **options)[0], ours)


@pytest.mark.filterwarnings("ignore:.*missing in all rows")
def test_a_batch_in_blocks_is_a_step_with_all_its_rows():
    X, centers = make_rows()
    options = {"init": np.vstack([centers, [[500.0] * 5]]), "reassignment_ratio": 0.5}
    ours, expected = (make(MiniBatchKMeans, n_clusters=4, **options) for _ in range(2))
    with limit_memory(LITTLE):
        for batch in X, np.nan_to_num(X), X[:1000]:
            ours.partial_fit(Given(batch))
            expected.partial_fit(batch)
            np.testing.assert_array_equal(ours.labels_, expected.labels_)
    # Sums of 3,000 rows of up to 20, in another order.
    np.testing.assert_allclose(ours.cluster_centers_, expected.cluster_centers_, 0, 1e-11)
    assert np.abs(ours.cluster_centers_).max() < 100


# -- errors ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("estimator", [KMeans, MiniBatchKMeans])
def test_errors_say_where_and_change_nothing(estimator):
    X, centers = make_rows()
    infinite, empty, no_column = X.copy(), X.copy(), X.copy()
    infinite[2000, 1], empty[[1500, 2900]] = np.inf, np.nan
    no_column[:, 2] = np.nan
    no_column[np.isnan(no_column).all(axis=1), 0] = 0
    kmeans = make(estimator, init=centers)
    with limit_memory(LITTLE):
        kmeans.fit(Given(X))
        before = kmeans.labels_
        for wrong, message in [
            (infinite, "Input X contains infinity or a value too large for dtype('float64'), in "
             "block 8 of the Given."),
            (empty, "2 of 3000 rows have no value at all, the first of them in block 6 of the "
             "Given: nothing says where such a row belongs. Leave it out."),
            (no_column, "No row has a value in column 2 of X"),
        ]:  # fmt: skip
            with pytest.raises(ValueError, match=re.escape(message)):
                kmeans.fit(Given(wrong))
            if "column" not in message:
                for method in kmeans.predict, kmeans.transform, kmeans.score:
                    with pytest.raises(ValueError, match=re.escape(message)):
                        method(Given(wrong))
        weights = np.ones(N)
        weights[~np.isnan(X[:, 2])] = 0
        with pytest.raises(ValueError, match="No row has a value in column 2 of X"):
            make(init=centers).fit(Given(X), sample_weight=weights)
        for other in make(estimator, missing="error"), SphericalKMeans(3, init=centers):
            with pytest.raises(ValueError, match="contains NaN, in block 2"):
                other.fit(Given(X))
    np.testing.assert_array_equal(kmeans.labels_, before)
