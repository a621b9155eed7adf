"""Scores of rows that do not fit into the memory limit are those of the rows in memory."""

import numpy as np
import pytest

import fastclust
from fastclust import limit_memory, metrics
from fastclust._algorithms.metrics.dispersion import ClusterScores, Dispersion
from fastclust._algorithms.metrics.labelled_rows import NearestBlocks
from fastclust._algorithms.rows import block_source
from fastclust._algorithms.rows.source import pack

N, D, K = 3000, 4, 6
SCORES = ("calinski_harabasz_score", "davies_bouldin_score", "simplified_silhouette_score")
LIMIT = "20 kB"


class Given:
    """Rows that a user's object yields."""

    n_features = D

    def __init__(self, X):
        self._X = X

    def __iter__(self):
        return iter(np.array_split(self._X, 9))


def opened(X, tmp_path):
    np.save(tmp_path / "rows.npy", X)
    return fastclust.open_rows(tmp_path / "rows.npy")


@pytest.fixture(autouse=True)
def small_blocks(monkeypatch):
    monkeypatch.setattr(block_source, "BLOCK_BYTES", 10_000)


def make_rows(dtype="f8"):
    rng = np.random.default_rng(0)
    labels = rng.integers(K, size=N)
    labels[: N // 2] = labels[: N // 2] % 2  # most are in no row of the first blocks
    X = 3 * rng.normal(size=(K, D))[labels] + rng.normal(size=(N, D))
    return X.astype(dtype), np.array(list("zyxabc"))[labels]


@pytest.mark.parametrize("dtype", ["f4", "f8"])
@pytest.mark.parametrize("name", SCORES)
def test_scores_of_blocks_are_those_in_memory(name, dtype, tmp_path):
    X, labels = make_rows(dtype)
    score, rows = getattr(metrics, name), opened(X, tmp_path)
    expected = score(X, labels)
    for given in (rows, np.load(tmp_path / "rows.npy", mmap_mode="r"), Given(X)):
        with limit_memory(LIMIT):
            # Sums in float64 over 3,000 rows, in another order.
            assert score(given, labels) == pytest.approx(expected, rel=1e-12)
        assert score(given, labels) == expected  # it fits into memory


@pytest.mark.parametrize("factor", [2.0**-520, 2.0**500])
@pytest.mark.parametrize("name", SCORES)
def test_scores_of_blocks_in_any_unit(name, factor, tmp_path):
    X, labels = make_rows()
    rows = opened(factor * X, tmp_path)
    with limit_memory(LIMIT):
        score = getattr(metrics, name)(rows, labels)
    assert score == pytest.approx(getattr(metrics, name)(X, labels), rel=1e-12)


def test_clusters_with_the_same_mean_have_it_exactly_in_blocks(tmp_path):
    rng = np.random.default_rng(0)
    half = rng.integers(-(2**20), 2**20, size=(N // 4, D)) / 2**20
    X = np.concatenate([half, 2 * half, -2 * half, -half]) + 1 / 1024
    labels = np.repeat([0, 1, 1, 0], N // 4)
    with limit_memory(LIMIT):
        assert metrics.davies_bouldin_score(opened(X, tmp_path), labels) == np.inf


def test_equal_rows_are_their_mean_in_blocks(tmp_path):
    points = np.array([[1e9, 0.1, 1 / 3, 7.0], [1e9, 0.1, 1 / 3, 8.0]])
    labels = np.arange(N) % 2
    with limit_memory(LIMIT):
        rows = opened(points[labels], tmp_path)
        assert metrics.davies_bouldin_score(rows, labels) == 0
        assert metrics.calinski_harabasz_score(rows, labels) == np.inf


def test_silhouettes_of_blocks_need_a_sample(tmp_path):
    X, labels = make_rows()
    rows, options = opened(X, tmp_path), {"sample_size": 200, "random_state": 0}
    with limit_memory(LIMIT):
        assert metrics.silhouette_score(rows, labels, **options) == pytest.approx(
            metrics.silhouette_score(X, labels, **options), rel=1e-12
        )
        for metric in ("euclidean", "sqeuclidean"):
            with pytest.raises(ValueError, match="all pairs of the 3,000 rows"):
                metrics.silhouette_score(rows, labels, metric=metric)


@pytest.mark.parametrize("name", SCORES)
def test_bad_labels_of_blocks(name, tmp_path):
    X, labels = make_rows()
    rows = opened(X, tmp_path)
    with limit_memory(LIMIT):
        with pytest.raises(ValueError, match="inconsistent numbers of samples"):
            getattr(metrics, name)(rows, labels[1:])
        with pytest.raises(ValueError, match="Number of labels is 1"):
            getattr(metrics, name)(rows, np.zeros(N))
        with pytest.raises(ValueError, match="Number of labels is 3000"):
            getattr(metrics, name)(rows, np.arange(N))


@pytest.mark.parametrize("weighted", [False, True])
def test_labels_of_the_nearest_centers(weighted, tmp_path):
    """Rows in blocks, labelled by centers, of which one is nearest to no row."""
    X, _ = make_rows()
    weights = np.random.default_rng(1).uniform(0.5, 2.0, size=N) if weighted else None
    centers = np.concatenate([X[:2], np.full((1, D), 1e3), X[2:K]])
    labels = np.unique(np.square(X[:, None] - centers).sum(axis=2).argmin(axis=1), return_inverse=1)
    expected = Dispersion(X, labels[1], weights)
    with limit_memory(LIMIT):
        source = block_source.open_source(opened(X, tmp_path))
        found = ClusterScores(NearestBlocks(pack(source, weights, X[0]), centers - X[0]))
        assert found.n_clusters == K
        for name in ("calinski_harabasz", "davies_bouldin", "simplified_silhouette"):
            assert getattr(found, name)() == pytest.approx(getattr(expected, name)(), rel=1e-12)
        assert found.within == pytest.approx(expected.within, rel=1e-12)
