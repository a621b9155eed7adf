"""Scores of Dask collections are those of the rows in memory."""

import dask
import dask.array as da
import numpy as np
import pandas as pd
import pytest

import fastclust
from fastclust import metrics
from tests.dask.test_dask import CHUNK, COLLECTIONS, K, N, array, make_rows, unknown

SCORES = ("calinski_harabasz_score", "davies_bouldin_score", "simplified_silhouette_score")


def make_labels():
    labels = np.arange(N) * 3 % K
    labels[: 2 * CHUNK] = 0  # of two whole blocks
    return np.array(list("gabcdef"))[labels]


@pytest.mark.parametrize("dtype", ["f4", "f8"])
@pytest.mark.parametrize("collection", COLLECTIONS)
@pytest.mark.parametrize("name", SCORES)
def test_scores_are_those_of_rows_in_memory(name, collection, dtype):
    X, labels = make_rows(dtype), make_labels()
    score = getattr(fastclust.dask, name)(COLLECTIONS[collection](X), labels)
    # Sums in float64 over 3,000 rows, in another order.
    assert score == pytest.approx(getattr(metrics, name)(X, labels), rel=1e-12)
    assert getattr(fastclust.dask, name)(X, labels) == getattr(metrics, name)(X, labels)


@pytest.mark.parametrize("make", [array, unknown])
def test_labels_may_be_lazy(make, scheduler):
    X = make_rows()
    rows = make(X)
    kmeans = fastclust.dask.KMeans(K, init=X[:K], n_init=1).fit(rows)
    for name in SCORES:
        score = getattr(fastclust.dask, name)(rows, kmeans.labels_)
        expected = getattr(metrics, name)(X, kmeans.labels_.compute())
        assert score == pytest.approx(expected, rel=1e-12)


def test_labels_may_be_a_series():
    X = make_rows()
    rows = COLLECTIONS["dataframe"](X)
    kmeans = fastclust.dask.KMeans(K, init=X[:K], n_init=1).fit(rows)
    assert isinstance(kmeans.labels_.compute(), pd.Series)
    score = fastclust.dask.davies_bouldin_score(rows, kmeans.labels_)
    expected = metrics.davies_bouldin_score(X, kmeans.labels_.compute())
    assert score == pytest.approx(expected, rel=1e-12)


def test_rows_and_labels_are_computed_once():
    X, n_computed = make_rows(), []

    def count(block):
        n_computed.append(len(block))
        return block

    rows = da.from_array(X, chunks=(CHUNK, X.shape[1])).map_blocks(count, meta=X[:0])
    labels = da.from_array(make_labels(), chunks=CHUNK).map_blocks(count, dtype="U1")
    fastclust.dask.davies_bouldin_score(rows, labels)
    assert sum(n_computed) == 2 * N


@pytest.mark.parametrize("factor", [2.0**-520, 2.0**500])
def test_scores_in_any_unit(factor):
    X, labels = make_rows(), make_labels()
    for name in SCORES:
        score = getattr(fastclust.dask, name)(array(factor * X), labels)
        assert score == pytest.approx(getattr(metrics, name)(X, labels), rel=1e-12)


@pytest.mark.parametrize(
    ("labels", "message"),
    [
        (np.zeros(N), "Number of labels is 1"),
        (da.arange(N, chunks=CHUNK), "Number of labels is 3000"),
        (np.zeros(N - 1), r"labels.shape == \(2999,\), expected \(3000,\)"),
        (da.zeros(N, chunks=7), "labels has 429 blocks, and X has 8"),
        (da.arange(16, chunks=2), r"There are labels of shape \(2,\) for 416 rows, in block \d"),
    ],
)
def test_bad_labels(labels, message):
    with pytest.raises(ValueError, match=message):
        fastclust.dask.davies_bouldin_score(array(make_rows()), labels)


def test_no_rows():
    rows = array(make_rows())
    empty = rows[rows[:, 0] > 1e9]
    with pytest.raises(ValueError, match=r"0 sample\(s\)"):
        fastclust.dask.davies_bouldin_score(empty, dask.array.zeros(8, chunks=1))
