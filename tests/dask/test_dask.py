"""Dask collections: the answers of rows in memory, whoever computes them."""

import os
import pickle
import signal
import threading
import time

import dask
import dask.array as da
import dask.dataframe as dd
import numpy as np
import pandas as pd
import pytest
import scipy.sparse
from distributed import Client
from sklearn.exceptions import ConvergenceWarning

import fastclust
from fastclust import limit_memory
from fastclust._algorithms.rows import block_source
from fastclust.dask import GaussianMixture, KMeans, MiniBatchKMeans, SphericalKMeans
from fastclust.dask._collections import DaskSource, no_rows_of
from fastclust.dask._starts import weighted_random_starts
from tests.dask.conftest import start_cluster
from tests.processes import run_python

N, D, K = 3000, 5, 7
CHUNK = 416  # rows; the last block is shorter


def make_rows(dtype="f8", seed=0):
    rng = np.random.default_rng(seed)
    centers = 4 * rng.normal(size=(K, D))
    return (rng.normal(size=(N, D)) + centers[rng.integers(K, size=N)]).astype(dtype)


def array(X):
    return da.from_array(X, chunks=(CHUNK, 2))


def unknown(X):
    """An array of which Dask does not know the sizes of the chunks, one of which is empty."""
    wide = np.concatenate([X[:CHUNK], np.full((CHUNK, D), 1e9, X.dtype), X[CHUNK:]])
    rows = da.from_array(wide, chunks=(CHUNK, D))
    return rows[rows[:, 0] < 1e8]


def dataframe(X):
    frame = pd.DataFrame(X, columns=list("abcde"), index=np.arange(len(X))[::-1])
    return dd.from_pandas(frame, npartitions=4, sort=False)


COLLECTIONS = {"array": array, "unknown": unknown, "dataframe": dataframe}


@pytest.mark.parametrize("dtype", ["f4", "f8"])
@pytest.mark.parametrize("name", COLLECTIONS)
def test_labels_are_those_of_rows_in_memory(name, dtype, scheduler):
    X = make_rows(dtype)
    kmeans = KMeans(K, init=X[:K], n_init=1).fit(COLLECTIONS[name](X))
    expected = fastclust.KMeans(K, init=X[:K], n_init=1).fit(X)
    assert kmeans.n_iter_ == expected.n_iter_ > 3
    np.testing.assert_array_equal(np.asarray(kmeans.labels_), expected.labels_)
    assert kmeans.cluster_centers_.dtype == dtype
    # Sums of some 400 rows of up to 20, in another order.
    rtol, atol = 2 * np.finfo(dtype).eps, 20 * 400 * np.finfo("f8").eps
    np.testing.assert_allclose(kmeans.cluster_centers_, expected.cluster_centers_, rtol, atol)
    # Squared distances of up to 5 features, each of which is rounded, from centers that are.
    rtol = 16 * float(np.finfo(dtype).eps)
    assert kmeans.inertia_ == pytest.approx(expected.inertia_, rel=rtol)


def weighted_fits(make, X, weights):
    """A fit with weights in memory, and those of collections whose weights come in several ways."""
    expected = make(fastclust).fit(X, sample_weight=weights)
    rows = da.from_array(X, chunks=(CHUNK, D))
    ways = (weights, da.from_array(weights, chunks=CHUNK))
    return expected, [make(fastclust.dask).fit(rows, sample_weight=way) for way in ways]


def test_weights_of_kmeans():
    X = make_rows()
    weights = np.random.default_rng(1).uniform(0.5, 2.0, size=N)
    weights[::3] = 0
    weights[:CHUNK] = 0  # all of a chunk
    expected, fits = weighted_fits(lambda of: of.KMeans(K, init=X[-K:], n_init=1), X, weights)
    for kmeans in fits:
        np.testing.assert_array_equal(kmeans.labels_.compute(), expected.labels_)
        assert kmeans.n_iter_ == expected.n_iter_
        assert kmeans.inertia_ == pytest.approx(expected.inertia_, rel=1e-13)
        rows = da.from_array(X, chunks=(CHUNK, D))
        score = kmeans.score(rows, sample_weight=weights)
        assert score == pytest.approx(-expected.inertia_, rel=1e-13)


@pytest.mark.parametrize("weighted", [False, True])
def test_directions_are_those_of_rows_in_memory(weighted, scheduler):
    X = make_rows()
    weights = np.random.default_rng(1).uniform(0.5, 2.0, size=N) if weighted else None
    kmeans = SphericalKMeans(K, init=X[:K], n_init=1).fit(array(X), sample_weight=weights)
    expected = fastclust.SphericalKMeans(K, init=X[:K], n_init=1).fit(X, sample_weight=weights)
    assert kmeans.n_iter_ == expected.n_iter_ > 3
    np.testing.assert_array_equal(kmeans.labels_.compute(), expected.labels_)
    assert kmeans.inertia_ == pytest.approx(expected.inertia_, rel=1e-13)
    np.testing.assert_array_equal(kmeans.transform(array(X)).compute(), kmeans.transform(X))
    started = SphericalKMeans(K, init="k-means||", random_state=0).fit(array(X))
    assert started.inertia_ < 1.5 * expected.inertia_


def test_directions_of_zero_rows():
    X = make_rows()
    X[2 * CHUNK + 1 : 2 * CHUNK + 3] = 0
    with pytest.raises(ValueError, match="2 of 3000 rows are zero, the first of them in block 2"):
        SphericalKMeans(K, init=X[:K], n_init=1).fit(array(X))


@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("init", ["k-means++", "array"])
def test_mini_batches_are_those_of_rows_in_memory(init, weighted, scheduler):
    X = make_rows()
    weights = np.random.default_rng(1).uniform(0.5, 2.0, size=N) if weighted else None
    options = {"init": X[:K] if init == "array" else init, "batch_size": 100, "n_init": 1}
    states = [np.random.RandomState(0) for _ in range(2)]
    kmeans = MiniBatchKMeans(K, random_state=states[0], **options)
    kmeans.fit(array(X), sample_weight=weights)
    expected = fastclust.MiniBatchKMeans(K, random_state=states[1], **options)
    expected.fit(X, sample_weight=weights)
    assert kmeans.n_steps_ == expected.n_steps_ > 10
    np.testing.assert_array_equal(kmeans.labels_.compute(), expected.labels_)
    assert kmeans.inertia_ == pytest.approx(expected.inertia_, rel=1e-13)
    # Up to 300 steps, each of which rounds centers of up to 10.
    np.testing.assert_allclose(kmeans.cluster_centers_, expected.cluster_centers_, atol=1e-12)
    assert states[0].randint(2**31) == states[1].randint(2**31)


@pytest.mark.parametrize("weighted", [False, True])
def test_steps_of_mini_batches_are_those_of_rows_in_memory(weighted, scheduler):
    X = make_rows()
    weights = np.random.default_rng(1).integers(3, size=N).astype(float) if weighted else None
    kmeans, expected = (
        of.MiniBatchKMeans(K, random_state=0, n_init=1) for of in (fastclust.dask, fastclust)
    )
    for factor in (1.0, 1.1, 2.0**480):  # the last are scaled
        kmeans.partial_fit(array(X * factor), sample_weight=weights)
        expected.partial_fit(X * factor, sample_weight=weights)
        np.testing.assert_allclose(
            kmeans.cluster_centers_, expected.cluster_centers_, rtol=1e-12, atol=1e-12 * factor
        )
        np.testing.assert_array_equal(np.asarray(kmeans.labels_), expected.labels_)
        assert kmeans.inertia_ == pytest.approx(expected.inertia_, rel=1e-12)
    assert kmeans.n_steps_ == 3
    assert not hasattr(KMeans, "partial_fit")


@pytest.mark.parametrize("covariance_type", ["full", "tied", "diag", "spherical"])
def test_steps_of_mixtures_are_those_of_rows_in_memory(covariance_type):
    X = make_rows()
    weights = np.random.default_rng(1).integers(3, size=N).astype(float)
    if covariance_type == "tied":
        weights = None  # its first covariance is of rows, which are drawn otherwise with weights
    gm, expected = (mixture(of, X, covariance_type) for of in (fastclust.dask, fastclust))
    for factor in (1.0, 1.1, 0.9):
        gm.partial_fit(array(X * factor), sample_weight=weights)
        expected.partial_fit(X * factor, sample_weight=weights)
        np.testing.assert_allclose(gm.means_, expected.means_, atol=1e-12)
        np.testing.assert_allclose(gm.covariances_, expected.covariances_, atol=1e-12)
        assert gm.lower_bound_ == pytest.approx(expected.lower_bound_, rel=1e-12)
    with pytest.raises(ValueError, match="X has 2 features"):
        gm.partial_fit(array(X)[:, :2])
    assert gm.n_steps_ == 3


def mixture(of, X, covariance_type="full", **options):
    """A mixture that starts from some of the rows."""
    return of.GaussianMixture(
        K, covariance_type=covariance_type, means_init=X[:K], weights_init=np.full(K, 1 / K),
        init_params="random_from_data", random_state=0, **options,
    )  # fmt: skip


@pytest.mark.parametrize("covariance_type", ["full", "tied", "diag", "spherical"])
def test_mixtures_are_those_of_rows_in_memory(covariance_type, scheduler):
    X = make_rows()
    expected = mixture(fastclust, X, covariance_type).fit(X)
    rows = array(X)
    gm = mixture(fastclust.dask, X, covariance_type).fit(rows)
    assert gm.n_iter_ == expected.n_iter_
    np.testing.assert_array_equal(gm.predict(rows).compute(), expected.predict(X))
    # Moments in another order: a few units in the last place of values up to 10, in each of up to
    # 30 iterations.
    np.testing.assert_allclose(gm.means_, expected.means_, atol=1e-12)
    np.testing.assert_allclose(gm.covariances_, expected.covariances_, atol=1e-12)
    assert gm.bic(rows) == pytest.approx(expected.bic(X), rel=1e-13)
    assert gm.aic(rows) == pytest.approx(expected.aic(X), rel=1e-13)
    assert gm.icl(rows) == pytest.approx(expected.icl(X), rel=1e-13)
    assert gm.score(rows) == pytest.approx(expected.score(X), rel=1e-13)


def test_weights_of_mixtures():
    X = make_rows()
    weights = np.random.default_rng(1).integers(3, size=N).astype(float)
    expected, fits = weighted_fits(lambda of: mixture(of, X), X, weights)
    for gm in fits:
        assert gm.n_iter_ == expected.n_iter_
        np.testing.assert_allclose(gm.means_, expected.means_, atol=1e-12)
        rows = da.from_array(X, chunks=(CHUNK, D))
        score = gm.score(rows, sample_weight=da.from_array(weights, chunks=CHUNK))
        assert score == pytest.approx(expected.score(X, sample_weight=weights), rel=1e-13)
        for name in ("bic", "aic", "icl"):
            criterion = getattr(gm, name)(rows, weights)
            assert criterion == pytest.approx(getattr(expected, name)(X, weights), rel=1e-13)


@pytest.mark.parametrize("init_params", ["kmeans", "k-means++", "random", "random_from_data"])
@pytest.mark.filterwarnings("ignore:The .* rows are in blocks")
def test_every_start_of_mixtures(init_params):
    X = make_rows()
    gm = GaussianMixture(K, init_params=init_params, random_state=0).fit(array(X))
    expected = fastclust.GaussianMixture(K, init_params=init_params, random_state=0).fit(X)
    assert gm.score(array(X)) > expected.score(X) - 0.5


def test_one_fit_in_memory_of_a_file_and_on_dask(tmp_path, monkeypatch, scheduler):
    monkeypatch.setattr(block_source, "BLOCK_BYTES", 20_000)
    X = make_rows("f4")
    np.save(tmp_path / "rows.npy", X)
    rows = fastclust.open_rows(tmp_path / "rows.npy")
    chunk = block_source.BlockSource(rows).block_rows
    assert 2 * chunk < N
    on_dask = da.from_array(X, chunks=(chunk, D))
    in_memory = fastclust.KMeans(K, init=X[:K], n_init=1).fit(X)
    kmeans = KMeans(K, init=X[:K], n_init=1).fit(on_dask)
    gm = mixture(fastclust.dask, X).fit(on_dask)
    with limit_memory("50 kB"):
        of_file = fastclust.KMeans(K, init=X[:K], n_init=1).fit(rows)
        gm_of_file = mixture(fastclust, X).fit(rows)
    np.testing.assert_array_equal(of_file.labels_, in_memory.labels_)
    np.testing.assert_array_equal(np.asarray(kmeans.labels_), in_memory.labels_)
    assert kmeans.n_iter_ == of_file.n_iter_ == in_memory.n_iter_
    # The blocks are the same, and so are the bits.
    np.testing.assert_array_equal(kmeans.cluster_centers_, of_file.cluster_centers_)
    assert kmeans.inertia_ == of_file.inertia_
    np.testing.assert_array_equal(gm.means_, gm_of_file.means_)
    np.testing.assert_array_equal(gm.covariances_, gm_of_file.covariances_)
    assert gm.lower_bounds_ == gm_of_file.lower_bounds_


def test_other_rows_than_collections_are_taken_too(tmp_path):
    X, weights = make_rows(), np.arange(N) % 3
    np.save(tmp_path / "rows.npy", X)
    for rows in (X, fastclust.open_rows(tmp_path / "rows.npy")):
        with limit_memory("50 kB"):
            kmeans = KMeans(K, init="random", n_init=1, random_state=0)
            kmeans.fit(rows, sample_weight=weights)
        expected = fastclust.KMeans(K, init="random", n_init=1, random_state=0)
        expected.fit(X, sample_weight=weights)
        np.testing.assert_array_equal(kmeans.labels_, expected.labels_)


@pytest.mark.parametrize("dtype", ["f4", "f8"])
def test_empty_clusters_move_to_the_farthest_rows(dtype):
    X = make_rows(dtype)
    init = np.concatenate([X[: K - 3], X[:3] + 1000])  # three of which no row is nearest
    kmeans = KMeans(K, init=init, n_init=1).fit(array(X))
    expected = fastclust.KMeans(K, init=init, n_init=1).fit(X)
    np.testing.assert_array_equal(kmeans.labels_.compute(), expected.labels_)


@pytest.mark.parametrize(("dtype", "factor"), [("f4", 2.0**-90), ("f8", 2.0**480)])
def test_rows_in_any_unit(dtype, factor):
    X = make_rows("f4").astype(dtype)
    X *= np.asarray(factor, dtype=dtype)
    kmeans = KMeans(K, init=X[:K], n_init=1).fit(array(X))
    expected = fastclust.KMeans(K, init=X[:K], n_init=1).fit(X)
    np.testing.assert_array_equal(kmeans.labels_.compute(), expected.labels_)


@pytest.mark.parametrize("init", ["random", "k-means||", "k-means++", "sample"])
@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.filterwarnings("ignore:The .* rows are in blocks")
def test_starts_are_reproducible_and_good(init, weighted, scheduler):
    X = make_rows()
    weights = np.random.default_rng(1).uniform(size=N) * (np.arange(N) % 2) if weighted else None
    fits = [
        KMeans(K, init=init, n_init=3, random_state=0).fit(array(X), sample_weight=weights)
        for _ in range(2)
    ]
    expected = fastclust.KMeans(K, n_init=10, random_state=0).fit(X, sample_weight=weights)
    assert fits[0].inertia_ == fits[1].inertia_ < 1.5 * expected.inertia_


def test_weights_that_are_none_in_float32_count_as_none():
    X = make_rows("f4")
    weights = np.where(np.arange(N) % 3 > 0, 1.0, 1e-60)
    kmeans = KMeans(K, init=X[1 : K + 1], n_init=1).fit(array(X), sample_weight=weights)
    expected = fastclust.KMeans(K, init=X[1 : K + 1], n_init=1).fit(X, sample_weight=weights)
    np.testing.assert_array_equal(kmeans.labels_.compute(), expected.labels_)


@pytest.mark.parametrize("factor", [1e-300, 1e-60, 1e60, 1e300])
@pytest.mark.parametrize("dtype", ["f4", "f8"])
def test_weights_of_any_size(dtype, factor):
    X = make_rows(dtype)
    weights = np.random.default_rng(1).integers(3, size=N).astype(float)
    scaled = da.from_array(factor * weights, chunks=CHUNK)
    rows = da.from_array(X, chunks=(CHUNK, D))
    kmeans = KMeans(K, init=X[:K], n_init=1).fit(rows, sample_weight=scaled)
    expected = fastclust.KMeans(K, init=X[:K], n_init=1).fit(X, sample_weight=factor * weights)
    np.testing.assert_array_equal(kmeans.labels_.compute(), expected.labels_)
    # Squares of differences of values that are rounded once, and weights that are.
    rtol = 16 * float(np.finfo(dtype).eps)
    assert kmeans.inertia_ == pytest.approx(expected.inertia_, rel=rtol, abs=0)
    score = kmeans.score(rows, sample_weight=scaled)
    assert score == pytest.approx(-expected.inertia_, rel=rtol, abs=0)
    if dtype == "f8":
        gm = mixture(fastclust.dask, X).fit(rows, sample_weight=scaled)
        expected = mixture(fastclust, X).fit(X, sample_weight=factor * weights)
        assert gm.n_iter_ == expected.n_iter_
        np.testing.assert_allclose(gm.means_, expected.means_, atol=1e-12)
        score = expected.score(X, sample_weight=weights)
        assert gm.score(rows, sample_weight=scaled) == pytest.approx(score, rel=1e-13)
    if factor == 1e300:
        with pytest.raises(ValueError, match="too large or small to say how often"):
            fastclust.dask.select_kmeans(rows, [2, 3], sample_weight=scaled)


def test_weights_beyond_the_largest_float():
    X = make_rows()
    weights = da.full(N, 1.7e308, chunks=CHUNK)
    rows = da.from_array(X, chunks=(CHUNK, D))
    with pytest.raises(ValueError, match="The inertia is above the largest"):
        KMeans(K, init=X[:K], n_init=1).fit(rows, sample_weight=weights)
    gm = mixture(fastclust.dask, X).fit(rows, sample_weight=weights)
    assert gm.score(rows, sample_weight=weights) == pytest.approx(gm.score(X), rel=1e-13)
    with pytest.raises(ValueError, match="A sum of weights is above the largest"):
        gm.bic(rows, weights)


def test_a_block_with_other_columns_than_its_array_says():
    def narrowed(block):
        return block[:, :3] if block[0, 0] == X[2 * CHUNK, 0] else block

    X = make_rows()
    rows = da.from_array(X, chunks=(CHUNK, D)).map_blocks(narrowed, meta=X[:0])
    with pytest.raises(ValueError, match="There are 3 columns, and 5 are expected, in block 2"):
        KMeans(K, init=X[:K], n_init=1).fit(rows)


def test_random_rows_are_drawn_by_their_weights():
    X = np.arange(4.0)[:, np.newaxis]
    weights, counts = np.array([1.0, 2.0, 3.0, 4.0]), np.zeros(4)
    packed = DaskSource.of(da.from_array(X, chunks=(2, 1)), weights).pack(None, np.zeros(1))
    draw_start = weighted_random_starts(packed, 1, np.random.RandomState(0))
    for _ in range(500):
        counts[int(draw_start()()[0, 0])] += 1
    expected = 500 * weights / 10
    # Chi square of 3 degrees of freedom: 16.3 is exceeded once in 1,000 times; the seed is fixed.
    assert np.sum((counts - expected) ** 2 / expected) < 16.3


# -- what fitted estimators say --------------------------------------------------------------------


def test_predictions_are_lazy_arrays():
    X = make_rows("f4")
    rows = unknown(X)
    kmeans = KMeans(K, init=X[:K], n_init=1).fit(X)
    gm = mixture(fastclust.dask, X).fit(X)
    asked = [
        (kmeans, "predict"), (kmeans, "transform"), (gm, "predict"), (gm, "predict_proba"),
        (gm, "score_samples"),
    ]  # fmt: skip
    for model, method in asked:
        lazy, expected = getattr(model, method)(rows), getattr(model, method)(X)
        assert isinstance(lazy, da.Array)
        assert lazy.dtype == expected.dtype
        assert lazy.ndim == expected.ndim
        np.testing.assert_array_equal(lazy.compute(), expected)
    assert isinstance(kmeans.labels_, np.ndarray)  # of rows in memory


def test_predictions_keep_the_index_of_a_dataframe():
    X = make_rows()
    rows = dataframe(X)
    kmeans = KMeans(K, init=X[:K], n_init=1).fit(rows)
    assert list(kmeans.feature_names_in_) == list("abcde")
    frame = rows.compute()
    for method in ("predict", "transform"):
        lazy = getattr(kmeans, method)(rows)
        computed = lazy.compute()
        expected = getattr(kmeans, method)(frame)
        np.testing.assert_array_equal(computed.to_numpy(), expected)
        assert computed.index.equals(frame.index)
        assert type(computed) is type(no_rows_of(lazy))
        assert no_rows_of(lazy).index.equals(frame.index[:0])
    assert list(lazy.columns) == list(kmeans.get_feature_names_out())
    empty = rows[rows["a"] > 1e9]
    assert kmeans.predict(empty).compute().shape == (0,)


def test_scores_of_a_dataframe_check_its_columns(recwarn):
    X = make_rows()
    rows = dataframe(X)
    kmeans = KMeans(K, init=X[:K], n_init=1).fit(rows)
    gm = mixture(fastclust.dask, X).fit(rows)
    for model in (kmeans, gm):
        assert model.score(rows) == pytest.approx(model.to_local().score(rows.compute()), rel=1e-13)
        with pytest.raises(ValueError, match="feature names should match"):
            model.score(rows[list("edcba")])
    assert not recwarn.list


@pytest.mark.parametrize("factor", [1.0, 2.0**480])
@pytest.mark.parametrize("estimator", [KMeans, GaussianMixture, SphericalKMeans])
def test_a_collection_is_computed_once(estimator, factor):
    X, n_computed = make_rows() * factor, []

    def count(block):
        n_computed.append(len(block))
        return block

    rows = da.from_array(X, chunks=(CHUNK, D)).map_blocks(count, meta=X[:0])
    if estimator is GaussianMixture:
        start = {"covariance_type": "diag", "init_params": "random_from_data", "random_state": 0}
        GaussianMixture(K, tol=1e9, **start).fit(rows, sample_weight=np.ones(N))
    else:
        estimator(K, init=X[:K], n_init=1).fit(rows, sample_weight=np.ones(N))
    assert sum(n_computed) == N


def test_pickles_need_no_dask(tmp_path):
    X = make_rows()
    kmeans = KMeans(K, init=X[:K], n_init=1).fit(array(X))
    copy = pickle.loads(pickle.dumps(kmeans))
    assert type(copy) is fastclust.KMeans
    np.testing.assert_array_equal(copy.predict(X), kmeans.labels_.compute())
    (tmp_path / "model.pickle").write_bytes(pickle.dumps(kmeans))
    run_python(
        f"""
import pickle, sys
sys.modules["dask"] = sys.modules["distributed"] = None
model = pickle.load(open({str(tmp_path / "model.pickle")!r}, "rb"))
assert len(model.predict([[0.0] * {D}])) == 1
"""
    )


# -- faults ----------------------------------------------------------------------------------------


def spoilt(X, value):
    X = X.copy()
    X[2 * CHUNK + 3, 1] = value
    return array(X)


@pytest.mark.parametrize("value", [np.nan, np.inf])
@pytest.mark.parametrize("estimator", [KMeans(K, n_init=1), GaussianMixture(K)])
def test_values_that_are_not_finite_are_an_error_that_names_the_block(estimator, value, scheduler):
    X = make_rows()
    estimator = estimator.set_params(random_state=0).fit(X)
    before = dict(vars(estimator))
    with pytest.raises(ValueError, match=r"(?s)Input X contains (NaN|infinity).*block 2 of"):
        estimator.fit(spoilt(X, value))
    assert vars(estimator).keys() == before.keys()
    assert all(vars(estimator)[name] is value for name, value in before.items())


def test_bad_rows():
    X = make_rows()
    rows = array(X)
    with pytest.raises(ValueError, match="n_samples=3000 should be >= n_clusters=4000"):
        KMeans(4000).fit(rows)
    with pytest.raises(ValueError, match=r"0 sample\(s\)"):
        KMeans(2).fit(rows[rows[:, 0] > 1e9])
    with pytest.raises(ValueError, match="Expected 2D array, got 1D array"):
        KMeans(2).fit(rows[:, 0])
    with pytest.raises(TypeError, match="takes dense arrays"):
        KMeans(2).fit(rows.map_blocks(scipy.sparse.csr_array))
    with pytest.raises(ValueError, match="init can be no callable"):
        KMeans(2, init=lambda X, k, random_state: X[:k]).fit(rows)
    kmeans = KMeans(K, init=X[:K], n_init=1).fit(rows)
    with pytest.raises(ValueError, match="X has 2 features, but KMeans is expecting 5"):
        kmeans.predict(rows[:, :2])


@pytest.mark.parametrize(
    ("weights", "message"),
    [
        (np.ones(N - 1), r"sample_weight.shape == \(2999,\), expected \(3000,\)"),
        (da.ones(N, chunks=7), "sample_weight has 429 blocks, and X has 8"),
        (da.ones(8, chunks=1), r"There are 1 weights for \d+ rows, in block \d"),
        (-np.ones(N), r"Negative values in data passed to `sample_weight`, in block \d"),
        (np.zeros(N), r"0 sample\(s\)"),
    ],
)
def test_bad_weights(weights, message):
    with pytest.raises(ValueError, match=message):
        KMeans(2).fit(array(make_rows()), sample_weight=weights)


def test_a_worker_that_is_killed_changes_nothing():
    X = make_rows()
    with start_cluster() as cluster, Client(cluster) as client:
        rows = array(X)
        gm = mixture(fastclust.dask, X, tol=0, max_iter=100)
        with pytest.warns(ConvergenceWarning):
            expected = gm.fit(rows).means_
        pids = client.run(os.getpid)
        killed = []

        def kill():
            time.sleep(0.5)
            os.kill(next(iter(pids.values())), signal.SIGKILL)
            killed.append(True)

        thread = threading.Thread(target=kill)
        thread.start()
        with pytest.warns(ConvergenceWarning):
            np.testing.assert_array_equal(gm.fit(rows).means_, expected)
        assert killed  # in the middle of the fit
        thread.join()


def read_rows(path):
    return np.load(path)


def test_a_file_that_changes_while_a_worker_dies_is_an_error(tmp_path):
    X = make_rows()
    paths = [tmp_path / f"{i}.npy" for i in range(4)]
    for path, part in zip(paths, np.array_split(X, 4), strict=True):
        np.save(path, part)
    parts = [
        da.from_delayed(dask.delayed(read_rows)(path), (N // 4, D), dtype=X.dtype) for path in paths
    ]
    kmeans = KMeans(K, init=X[:K], n_init=1)
    with start_cluster() as cluster, Client(cluster) as client:
        source = DaskSource.of(da.concatenate(parts))
        rows = source.pack(None, np.zeros(D))
        expected = rows.cluster_statistics(X[:K])
        for path in paths:
            np.save(path, np.load(path)[::2])  # half of its rows
        for pid in client.run(os.getpid).values():
            os.kill(pid, signal.SIGKILL)
        with pytest.raises(ValueError, match=r"Block \d of the rows is another one now"):
            rows.cluster_statistics(X[:K])
        for path, part in zip(paths, np.array_split(X, 4), strict=True):
            np.save(path, part)
        kmeans.fit(da.concatenate(parts))  # the cluster still works
    assert expected.counts.sum() == N
    assert kmeans.n_iter_ > 3


INTERRUPTED = """
import os, signal, sys, threading, time
import dask.array as da, numpy as np
from distributed import Client
from fastclust.dask import GaussianMixture

if __name__ == "__main__":
    client = Client(sys.argv[1]) if sys.argv[1:] else None
    rows = np.random.default_rng(0).normal(size=(20_000, 4))
    X = da.from_array(rows, chunks=(5000, 4))
    options = dict(init_params="random_from_data", random_state=0, reg_covar=1e-3)
    gm = GaussianMixture(8, max_iter=5, tol=1e9, **options).fit(X)
    before = vars(gm).copy()
    gm.set_params(max_iter=10**9, tol=0)

    def interrupt():
        time.sleep(1)
        os.kill(os.getpid(), signal.SIGINT)

    threading.Thread(target=interrupt).start()
    try:
        gm.fit(X)
    except KeyboardInterrupt:
        kept = all(vars(gm)[name] is before[name] for name in before if name.endswith("_"))
        print("interrupted", kept, flush=True)
    if client is not None:
        client.close()
"""


def test_ctrl_c_ends_a_fit(cluster, scheduler):
    address = [] if scheduler is None else [cluster.scheduler_address]
    assert run_python(INTERRUPTED, *address).splitlines()[-1] == "interrupted True"


def spoil_fingerprint():
    from fastclust.dask import _blocks, _rows

    _blocks.fingerprint = _rows.fingerprint = lambda: "other"


def test_workers_that_round_differently_are_refused():
    X = make_rows()
    with start_cluster() as cluster, Client(cluster) as client:
        client.run(spoil_fingerprint, workers=[next(iter(client.nthreads()))])
        rows = client.persist(array(X))
        with pytest.raises(ValueError, match="workers round differently"):
            KMeans(K, init=X[:K], n_init=1).fit(rows)
