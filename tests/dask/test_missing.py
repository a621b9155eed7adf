"""Dask collections with missing values: the answers of rows in memory."""

import dask.array as da
import dask.dataframe as dd
import numpy as np
import pandas as pd
import pytest

import fastclust
from fastclust import limit_memory
from fastclust._algorithms.rows import block_source
from fastclust.dask import GaussianMixture, KMeans, MiniBatchKMeans
from tests.kmeans.test_missing_blocks import N, assert_same, make, make_rows
from tests.mixture.test_blocks import assert_same_mixtures
from tests.mixture.test_missing_blocks import NO_START, make_problem
from tests.mixture.test_missing_blocks import make as make_mixture
from tests.rows.test_blocks import Given

CHUNK = 416  # rows; the last block is shorter


def array(X):
    return da.from_array(X, chunks=(CHUNK, 2))


def dataframe(X):
    frame = pd.DataFrame(X, columns=list("abcde"), index=np.arange(len(X))[::-1])
    return dd.from_pandas(frame.convert_dtypes(), npartitions=4, sort=False)


def assert_same_fit(kmeans, expected):
    kmeans = kmeans.to_local()
    kmeans.labels_ = expected.labels_  # which are lazy
    assert_same(kmeans, expected)


@pytest.mark.parametrize("collection", [array, dataframe])
@pytest.mark.parametrize("dtype", ["f4", "f8"])
def test_kmeans_is_that_of_rows_in_memory(dtype, collection, scheduler):
    X, centers = make_rows(dtype)
    expected = make(init=centers + 3).fit(X)
    rows = collection(X)
    kmeans = make(KMeans, init=centers + 3).fit(rows)
    np.testing.assert_array_equal(np.asarray(kmeans.labels_), expected.labels_)
    assert_same_fit(kmeans, expected)
    assert kmeans.score(rows) == pytest.approx(-expected.inertia_, rel=1e-6)
    eps = float(np.finfo(dtype).eps)
    distances = np.asarray(kmeans.transform(rows))
    np.testing.assert_allclose(distances, expected.transform(X), rtol=1e3 * eps)


def test_weights_and_empty_clusters():
    X, centers = make_rows()
    X[7], X[2000] = [90, np.nan, 90, np.nan, 90], [np.nan, -80, -80, np.nan, -80]
    init = np.vstack([centers, [[700.0] * 5, [-900.0] * 5]])
    weights = np.arange(N) % 3 + 1.0
    fits = []
    for estimator, rows in (fastclust.KMeans, X), (KMeans, array(X)):
        with pytest.warns(UserWarning, match="missing in all rows"):
            kmeans = make(estimator, n_clusters=5, init=init).fit(rows, sample_weight=weights)
        fits.append(kmeans)
    np.testing.assert_array_equal(fits[1].labels_.compute(), fits[0].labels_)
    assert_same_fit(fits[1], fits[0])


@pytest.mark.parametrize("init", ["random", "k-means||", "sample"])
def test_first_centers_are_complete(init, client):
    X, _ = make_rows()
    best = make(init="k-means||", n_init=3).fit(X).inertia_
    fits = [make(KMeans, init=init, n_init=3).fit(array(X)) for _ in range(2)]
    assert fits[0].inertia_ < 1.1 * best
    np.testing.assert_array_equal(fits[0].cluster_centers_, fits[1].cluster_centers_)


def test_the_bits_are_those_of_a_file_in_the_same_blocks(monkeypatch, scheduler):
    X, centers = make_rows()
    monkeypatch.setattr(block_source, "BLOCK_BYTES", CHUNK * 5 * 8)
    with limit_memory("1 kB"):
        expected = make(init=centers + 3).fit(Given(X))
    kmeans = make(KMeans, init=centers + 3).fit(array(X))
    np.testing.assert_array_equal(kmeans.cluster_centers_, expected.cluster_centers_)
    assert kmeans.inertia_ == expected.inertia_


def test_complete_rows_have_the_bits_of_the_default():
    X, centers = make_rows(share=0.0)
    ours, usual = (
        make(KMeans, init=centers + 3, missing=missing).fit(array(X))
        for missing in ("ignore", "error")
    )
    np.testing.assert_array_equal(ours.cluster_centers_, usual.cluster_centers_)
    assert ours.inertia_ == usual.inertia_


@pytest.mark.parametrize("init", ["k-means++", "array"])
def test_mini_batches_are_those_of_rows_in_memory(init, scheduler):
    X, centers = make_rows()
    options = {"init": centers if init == "array" else init, "batch_size": 100}
    weights = np.random.default_rng(0).uniform(0.5, 2.0, N)
    kmeans = make(MiniBatchKMeans, **options).fit(array(X), sample_weight=weights)
    expected = make(fastclust.MiniBatchKMeans, **options).fit(X, sample_weight=weights)
    assert kmeans.n_steps_ == expected.n_steps_ > 10
    np.testing.assert_array_equal(kmeans.labels_.compute(), expected.labels_)
    assert kmeans.inertia_ == pytest.approx(expected.inertia_, rel=1e-13)


def test_errors_say_where():
    X, centers = make_rows()
    infinite, empty, no_column = X.copy(), X.copy(), np.where(np.arange(5) == 2, np.nan, X)
    infinite[2000, 1], empty[[1500, 2900]] = np.inf, np.nan
    no_column[np.isnan(no_column).all(axis=1), 0] = 0
    kmeans = make(KMeans, init=centers)
    for wrong, message in [
        (infinite, r"contains infinity or a value too large (.|\n)*In block 4 of the rows"),
        (empty, "2 of 3000 rows have no value at all, the first of them in block 3"),
        (no_column, "No row has a value in column 2 of X"),
    ]:
        with pytest.raises(ValueError, match=message):
            kmeans.fit(array(wrong))
    with pytest.raises(ValueError, match=r"contains NaN(.|\n)*In block . of the rows"):
        make(KMeans, missing="error").fit(array(X))


# -- mixtures --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("covariance_type", "weighted"),
    [("full", True), ("tied", False), ("diag", True), ("spherical", False)],
)
def test_mixtures_are_those_of_rows_in_memory(covariance_type, weighted, scheduler):
    X, means = make_problem()
    weights = np.random.default_rng(1).uniform(0.5, 2, N) if weighted else None
    expected = make_mixture(means, covariance_type).fit(X, sample_weight=weights)
    rows = da.from_array(X, chunks=(CHUNK, 5))
    mixture = make_mixture(means, covariance_type, of=GaussianMixture)
    mixture.fit(rows, sample_weight=weights)
    assert_same_mixtures(mixture, expected, 1e-10)  # sums of all rows
    for method in "predict", "score_samples", "impute":
        found = np.asarray(getattr(mixture, method)(rows))
        np.testing.assert_allclose(found, getattr(expected, method)(X), rtol=1e-8, atol=1e-8)
    for method in mixture.bic, mixture.aic, mixture.score:
        in_memory = getattr(expected, method.__name__)(X, sample_weight=weights)
        assert method(rows, sample_weight=weights) == pytest.approx(in_memory, rel=1e-10)


@pytest.mark.parametrize("init_params", ["kmeans", "random"])
@pytest.mark.filterwarnings(r"ignore:.*found by k-means\|\|")
def test_starts_of_mixtures_see_the_rows_filled(init_params):
    X, means = make_problem()
    options = {"init_params": init_params, "tol": 1e-2} | NO_START
    expected = make_mixture(means, **options).fit(X)
    mixture = make_mixture(means, of=GaussianMixture, **options).fit(dataframe(X))
    assert mixture.lower_bound_ == pytest.approx(expected.lower_bound_, abs=0.1)
    imputed = mixture.impute(dataframe(X)).compute()
    assert list(imputed.columns) == list("abcde")
    np.testing.assert_array_equal(imputed.index, np.arange(N)[::-1])
    assert not imputed.isna().any(axis=None)
    with pytest.raises(TypeError, match="Draws are for rows in memory"):
        mixture.impute(dataframe(X), draw=True)
