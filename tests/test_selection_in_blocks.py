"""Sweeps over rows in blocks, of files and of Dask: the values of the rows in memory."""

import dask.array as da
import numpy as np
import pytest
from sklearn.datasets import make_blobs

import fastclust
import fastclust.dask
from fastclust import limit_memory, model_selection
from fastclust._algorithms.rows import block_source
from fastclust.model_selection._criteria import LABEL_CRITERIA

N, D = 2000, 3
X, _ = make_blobs(N, n_features=D, centers=4, cluster_std=0.6, random_state=3)
WEIGHTS = np.random.default_rng(0).integers(3, size=N).astype(float)
KS = [1, 3, 4, 5]


@pytest.fixture(autouse=True)
def small_blocks(monkeypatch):
    monkeypatch.setattr(block_source, "BLOCK_BYTES", 10_000)


def select(where, what, rows, tmp_path, *arguments, **options):
    """A sweep over rows in blocks: of a file, or on Dask's threads."""
    if where == "dask":
        given = da.from_array(rows, chunks=(450, 2))
        return getattr(fastclust.dask, what)(given, *arguments, **options)
    np.save(tmp_path / "rows.npy", rows)
    with limit_memory("20 kB"):
        given = fastclust.open_rows(tmp_path / "rows.npy")
        return getattr(model_selection, what)(given, *arguments, **options)


@pytest.mark.parametrize("where", ["file", "dask"])
@pytest.mark.parametrize("weights", [None, WEIGHTS], ids=["ones", "weights"])
@pytest.mark.parametrize("dtype", ["f4", "f8"])
def test_kmeans(where, weights, dtype, tmp_path):
    rows = X.astype(dtype)
    for k in KS[1:]:  # one by one, from given centers, so that the fits are the same
        options = {"init": rows[:k], "n_init": 1, "random_state": 0, "best_by": "davies_bouldin"}
        options |= {"sample_weight": weights, "silhouette_sample_size": 5000}
        selection = select(where, "select_kmeans", rows, tmp_path, [k], **options)
        expected = model_selection.select_kmeans(rows, [k], gap_references=0, **options)
        names = ("inertia", "simplified_silhouette", "davies_bouldin", "calinski_harabasz")
        for name in names:
            # Rows are packed less their mean: their values are rounded once, and 16 times their
            # type's unit bounds what is left of that in a sum of squares of these.
            rtol = 16 * float(np.finfo(dtype).eps)
            value, of_memory = selection.table_[name][0], expected.table_[name][0]
            assert value == pytest.approx(of_memory, rel=rtol)
        assert selection.table_["n_iter"] == expected.table_["n_iter"]
        assert np.isnan(selection.table_["gap"] + selection.table_["stability"]).all()
        assert np.isnan(selection.table_["silhouette"][0]) == (weights is not None)
        best = selection.best_estimator_
        np.testing.assert_array_equal(np.asarray(best.labels_), expected.best_estimator_.labels_)
        np.testing.assert_array_equal(best.predict(X), np.asarray(best.labels_))


@pytest.mark.parametrize("where", ["file", "dask"])
@pytest.mark.parametrize("weights", [None, WEIGHTS], ids=["ones", "weights"])
@pytest.mark.parametrize("options", [{"init": "k-means||"}, {"batch_size": 200}], ids=str)
def test_every_criterion_finds_four_blobs(where, weights, options, tmp_path):
    options = options | {"n_init": 2, "random_state": 0, "sample_weight": weights}
    selection = select(where, "select_kmeans", X, tmp_path, KS, **options)
    chosen = dict.fromkeys(LABEL_CRITERIA, 4)
    if weights is not None:
        chosen["silhouette"] = None
    assert chosen.items() <= selection.choices_.items()
    assert selection.choices_["gap"] is selection.choices_["stability"] is None
    best = selection.best_estimator_
    assert best.n_clusters == 4
    inertia = -best.score(X, sample_weight=weights)
    assert selection.table_["inertia"][2] == pytest.approx(inertia, rel=1e-12)
    np.testing.assert_array_equal(np.asarray(best.labels_), best.predict(X))


def test_silhouettes_are_those_of_the_sample(tmp_path):
    options = {"init": X[:4], "n_init": 1, "random_state": 0, "silhouette_sample_size": 300}
    selection = select("file", "select_kmeans", X, tmp_path, [4], best_by="silhouette", **options)
    sample = np.unique(np.random.RandomState(0).randint(N, size=300, dtype=np.int64))
    labels = selection.best_estimator_.labels_
    expected = fastclust.metrics.silhouette_score(
        X[sample], labels[sample], return_standard_error=True
    )
    found = selection.table_["silhouette"][0], selection.table_["silhouette_error"][0]
    assert found == pytest.approx(expected, rel=1e-10)


@pytest.mark.parametrize("where", ["file", "dask"])
@pytest.mark.parametrize("factor", [2.0**-500, 2.0**500])
def test_units(where, factor, tmp_path):
    options = {"init": X[:4], "n_init": 1, "random_state": 0, "best_by": "davies_bouldin"}
    expected = select(where, "select_kmeans", X, tmp_path, [4], **options)
    scaled = options | {"init": factor * X[:4]}
    selection = select(where, "select_kmeans", factor * X, tmp_path, [4], **scaled)
    for name in LABEL_CRITERIA[1:]:
        assert selection.table_[name] == pytest.approx(expected.table_[name], rel=1e-12)


@pytest.mark.parametrize("where", ["file", "dask"])
@pytest.mark.parametrize("weights", [None, WEIGHTS], ids=["ones", "weights"])
def test_mixtures(where, weights, tmp_path):
    k = 3
    start = {"means_init": X[:k], "weights_init": np.full(k, 1 / k), "sample_weight": weights}
    start |= {"precisions_init": np.full(k, 1.0), "covariance_type": "spherical"}
    options = {"random_state": 0, "init_params": "random_from_data", "best_by": "icl"}
    selection = select(where, "select_gaussian_mixture", X, tmp_path, [k], **start, **options)
    expected = model_selection.select_gaussian_mixture(X, [k], **start, **options)
    for name in ("log_likelihood", "bic", "aic", "icl"):
        assert selection.table_[name] == pytest.approx(expected.table_[name], rel=1e-9)
    assert selection.table_["n_iter"] == expected.table_["n_iter"]
    best = selection.best_estimator_
    for name in ("bic", "aic", "icl"):
        of_rows = getattr(best, name)(X, weights)
        assert selection.table_[name][0] == pytest.approx(of_rows, rel=1e-12)
    assert selection.table_["log_likelihood"][0] == pytest.approx(
        best.score(X, sample_weight=weights) * (N if weights is None else weights.sum()), rel=1e-12
    )


@pytest.mark.parametrize("where", ["file", "dask"])
def test_criteria_that_blocks_have_not_got(where, tmp_path):
    for what, best_by in (
        ("select_kmeans", "gap"),
        ("select_kmeans", "stability"),
        ("select_gaussian_mixture", "bayesian"),
    ):
        with pytest.raises(ValueError, match=f"best_by='{best_by}' is not defined for rows"):
            select(where, what, X, tmp_path, [2], best_by=best_by)


def test_a_collection_is_computed_once():
    n_computed = []

    def count(block):
        n_computed.append(len(block))
        return block

    rows = da.from_array(X, chunks=(450, D)).map_blocks(count, meta=X[:0])
    for options in ({"init": "k-means||"}, {"batch_size": 200}):
        fastclust.dask.select_kmeans(rows, [2, 3], n_init=2, random_state=0, **options)
    fastclust.dask.select_gaussian_mixture(
        rows, [1, 2], init_params="random_from_data", random_state=0
    )
    assert sum(n_computed) == 3 * N


def test_other_rows_than_collections_are_taken_too():
    options = {"n_init": 2, "random_state": 0}
    selection = fastclust.dask.select_kmeans(X, [3, 4], **options)
    expected = model_selection.select_kmeans(X, [3, 4], **options)
    assert selection.table_["gap"] == expected.table_["gap"]
    mixtures = fastclust.dask.select_gaussian_mixture(X, [1, 2], random_state=0)
    assert mixtures.choices_ == model_selection.select_gaussian_mixture(
        X, [1, 2], random_state=0
    ).choices_  # fmt: skip


@pytest.mark.parametrize("where", ["file", "dask"])
def test_too_few_rows(where, tmp_path):
    with pytest.raises(ValueError, match="n_samples=2000 should be >= n_clusters=3001"):
        select(where, "select_kmeans", X, tmp_path, [3000])
