"""The metrics: scikit-learn's values, on every kind of input that both accept."""

import re

import numba
import numpy as np
import pandas as pd
import pytest
import scipy.sparse
import sklearn.metrics
from hypothesis import given
from hypothesis import strategies as st

from fastclust import KMeans, metrics
from fastclust._algorithms.metrics import silhouette
from fastclust._algorithms.metrics.dispersion import Dispersion
from fastclust._algorithms.rows.panels import Panels
from fastclust._calls import add_distances
from fastclust._kernels.simd.sizes import PAIR_TILE
from tests import reference
from tests.kernels.conftest import chunks_of

SILHOUETTES = ["silhouette_samples", "silhouette_score"]
NAMES = [*SILHOUETTES, "calinski_harabasz_score", "davies_bouldin_score"]


def make_rows(n_samples=200, n_features=3, n_clusters=4, seed=0, spread=2.0):
    """Clusters of any sizes, each of at least one row."""
    rng = np.random.default_rng(seed)
    labels = np.concatenate([np.arange(n_clusters), rng.integers(n_clusters, size=n_samples)])
    labels = rng.permutation(labels[:n_samples])
    X = rng.normal(size=(n_samples, n_features))
    return X + spread * rng.normal(size=(n_clusters, n_features))[labels], labels


def assert_same(name, X, labels, rtol=1e-9, **options):
    expected = getattr(sklearn.metrics, name)(X, labels, **options)
    value = getattr(metrics, name)(X, labels, **options)
    # scikit-learn's squared distances, |x|^2 - 2 xy + |y|^2, are off by some roundings of |x|^2: so
    # it finds a row that is its own center, as those of davies_bouldin_score may be, at 1e-8 |x|.
    rtol = max(rtol, 1e-6 if name == "davies_bouldin_score" else 0)
    np.testing.assert_allclose(value, expected, rtol=rtol, atol=1e-9)
    assert type(value) is type(expected)
    assert getattr(value, "dtype", None) == getattr(expected, "dtype", None)


# -- values --------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize(
    ("n_samples", "n_features", "n_clusters"),
    [(3, 1, 2), (8, 2, 2), (9, 2, 8), (17, 1, 3), (100, 9, 99), (333, 5, 40), (2000, 16, 3)],
)
def test_values_are_scikit_learns(name, n_samples, n_features, n_clusters):
    assert_same(name, *make_rows(n_samples, n_features, n_clusters))


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("data", ["iris", "wine", "breast_cancer", "digits"])
def test_values_of_real_data_are_scikit_learns(real_data, name, data):
    X = real_data(data)
    assert_same(name, X, KMeans(4, n_init=1, random_state=0).fit_predict(X))


@given(st.integers(3, 60), st.integers(1, 5), st.integers(2, 20), st.integers(0, 10**6))
def test_values_of_any_shape_are_scikit_learns(n_samples, n_features, n_clusters, seed):
    X, labels = make_rows(n_samples, n_features, min(n_clusters, n_samples - 1), seed)
    for name in NAMES:
        assert_same(name, X, labels)
    assert_same("silhouette_samples", X, labels, metric="sqeuclidean")


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("convert", [
    np.float32, np.asfortranarray, pd.DataFrame, np.ndarray.tolist,
    lambda X: X.astype(">f8"), lambda X: np.round(X).astype(int),
    lambda X: np.repeat(X, 2, axis=0)[::2],
])  # fmt: skip
def test_rows_may_come_in_any_form(name, convert):
    X, labels = make_rows()
    X = convert(X)
    is_single = getattr(X, "dtype", None) == np.float32
    # In float32 scikit-learn's distances are off by some 1e-6.
    assert_same(name, X, labels, rtol=1e-4 if is_single else 1e-9)


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("names", [["b", "a", "d", "c"], [7, -1, 3, 100], [0.5, 0.25, 3.0, 1.0]])
def test_labels_may_be_anything(name, names):
    X, labels = make_rows()
    assert_same(name, X, np.array(names)[labels])
    assert_same(name, X, np.array(names)[labels].tolist())


@pytest.mark.parametrize("name", NAMES)
def test_repeated_rows(name):
    X, labels = make_rows(20)
    assert_same(name, np.zeros_like(X), labels)
    X = labels[:, np.newaxis] * np.ones(3)
    if name == "calinski_harabasz_score":  # 1 in scikit-learn
        assert metrics.calinski_harabasz_score(X, labels) == np.inf
    else:
        assert_same(name, X, labels)


def test_silhouettes_do_not_cancel_far_from_zero():
    X, labels = make_rows()
    # The rows themselves are rounded to 1e8 eps = 2e-8.
    for metric in ("euclidean", "sqeuclidean"):
        expected = metrics.silhouette_samples(X, labels, metric=metric)
        far = metrics.silhouette_samples(X + 1e8, labels, metric=metric)
        np.testing.assert_allclose(far, expected, atol=1e-6)


def test_silhouettes_by_hand():
    X, labels = make_rows(50)
    D = np.sqrt(np.square(X[:, np.newaxis] - X).sum(axis=2))
    values = metrics.silhouette_samples(X, labels)
    for i in range(50):
        means = [D[i, (labels == j) & (np.arange(50) != i)].mean() for j in range(4)]
        a = means.pop(labels[i])
        assert values[i] == pytest.approx((min(means) - a) / max(min(means), a), abs=1e-12)


def test_simplified_silhouettes_by_hand():
    X, labels = make_rows(50)
    centers = np.array([X[labels == j].mean(axis=0) for j in range(4)])
    D = np.sqrt(np.square(X[:, np.newaxis] - centers).sum(axis=2))
    a = D[np.arange(50), labels]
    D[np.arange(50), labels] = np.inf
    b = D.min(axis=1)
    expected = np.mean((b - a) / np.maximum(a, b))
    assert metrics.simplified_silhouette_score(X, labels) == pytest.approx(expected, abs=1e-12)


def test_blocks_of_rows_make_no_difference(monkeypatch):
    X, labels = make_rows()
    whole = Dispersion(X, labels).squared_silhouettes()
    # Of scores that take X and labels, as scikit-learn's do.
    monkeypatch.setattr("fastclust._algorithms.metrics.labelled_rows.BLOCK_BYTES", 1000)
    np.testing.assert_array_equal(Dispersion(X, labels).squared_silhouettes(), whole)


def test_order_of_the_rows_makes_no_difference():
    X, labels = make_rows()
    order = np.random.default_rng(1).permutation(len(X))
    values = metrics.silhouette_samples(X, labels)
    np.testing.assert_allclose(metrics.silhouette_samples(X[order], labels[order]), values[order])


@pytest.mark.parametrize("n_clusters", [2, 30])
def test_silhouettes_are_the_same_bits_on_any_number_of_threads(n_clusters):
    X, labels = make_rows(3000, 7, n_clusters)
    values = metrics.silhouette_samples(X, labels)
    before = numba.get_num_threads()
    try:
        numba.set_num_threads(1)
        np.testing.assert_array_equal(metrics.silhouette_samples(X, labels), values)
    finally:
        numba.set_num_threads(before)


def test_many_chunks_for_a_cluster(monkeypatch):
    monkeypatch.setattr(silhouette, "MOST_CHUNK_ROWS", 16)  # all pairs of many rows take long
    assert_same("silhouette_samples", *make_rows(700, 3, 3))


# -- the kernel ----------------------------------------------------------------------------------


def test_add_distances():
    X, _ = make_rows(77, 5)
    panels = Panels(X, None, np.zeros(5))
    real = np.ones((len(panels.values), panels.lanes))
    panels.padding(real)[:] = 0
    points = X[: 2 * PAIR_TILE].reshape(2, PAIR_TILE, 5).swapaxes(1, 2).copy()
    points_real = np.ones((2, PAIR_TILE))
    points_real[1, -1] = 0
    groups = np.array([1, 0])
    for n_chunks in (1, 3):
        chunks = chunks_of(len(real), n_chunks)
        row_sums = np.full((2, *real.shape), 2.0)
        point_sums = np.full((n_chunks, points_real.size), np.nan)
        add_distances(
            chunks, panels.values, real, points, points_real, groups, row_sums, point_sums
        )
        for group in (0, 1):
            weights = points_real * (groups == group)[:, np.newaxis]
            rows, columns = reference.add_distances(X, X[: 2 * PAIR_TILE], weights.ravel())
            np.testing.assert_allclose(panels.unpadded(row_sums[group]), rows + 2, rtol=1e-13)
        np.testing.assert_allclose(point_sums.sum(axis=0), columns, rtol=1e-13)


# -- what is passed on ---------------------------------------------------------------------------


@pytest.mark.parametrize("options", [{"metric": "manhattan"}, {"metric": "minkowski", "p": 3}])
def test_other_distances_are_scikit_learns(options):
    for name in SILHOUETTES:
        assert_same(name, *make_rows(), **options)


def test_precomputed_distances_are_scikit_learns():
    X, labels = make_rows()
    D = sklearn.metrics.pairwise_distances(X)
    assert_same("silhouette_samples", D, labels, metric="precomputed")
    for size in (None, 50):
        options = {"metric": "precomputed", "sample_size": size, "random_state": 0}
        assert_same("silhouette_score", D, labels, **options)


@pytest.mark.parametrize("kind", [scipy.sparse.csr_array, scipy.sparse.csr_matrix])
def test_sparse_rows_are_scikit_learns(kind):
    X, labels = make_rows()
    for name in SILHOUETTES:
        assert_same(name, kind(X), labels)
    assert_same("silhouette_score", kind(X), labels, sample_size=50, random_state=0)


# -- samples -------------------------------------------------------------------------------------


@pytest.mark.parametrize("metric", ["euclidean", "sqeuclidean"])
def test_sample_is_scikit_learns(metric):
    X, labels = make_rows()
    for random_state in (0, 1, np.random.RandomState(3).get_state()[1][0]):
        options = {"sample_size": 50, "random_state": int(random_state), "metric": metric}
        assert_same("silhouette_score", X, labels, **options)


def test_standard_error_is_that_of_the_silhouettes():
    X, labels = make_rows()
    values = metrics.silhouette_samples(X, labels)
    score, error = metrics.silhouette_score(X, labels, return_standard_error=True)
    assert score == values.mean()
    assert error == pytest.approx(values.std(ddof=1) / np.sqrt(200), rel=1e-12)


def test_standard_error_tells_how_far_samples_are_off():
    X, labels = make_rows(2000)
    exact = metrics.silhouette_score(X, labels)
    z = []
    for random_state in range(100):
        options = {"sample_size": 300, "random_state": random_state}
        score, error = metrics.silhouette_score(X, labels, return_standard_error=True, **options)
        z.append((score - exact) / error)
    assert 0.7 < np.std(z) < 1.3  # 1 if the errors are right: 100 of them tell it to a tenth


# -- errors --------------------------------------------------------------------------------------

X, LABELS = make_rows(20)
BAD = {
    "one label": (X, np.zeros(20)),
    "a label each": (X, np.arange(20)),
    "too few labels": (X, LABELS[:19]),
    "labels 2-D": (X, np.stack([LABELS, LABELS], axis=1)),
    "NaN": (np.where(X > 1, np.nan, X), LABELS),
    "infinity": (np.where(X > 1, np.inf, X), LABELS),
    "labels NaN": (X, np.where(LABELS == 0, np.nan, LABELS)),
    "1-D": (X[:, 0], LABELS),
    "3-D": (X[np.newaxis], LABELS),
    "no rows": (X[:0], LABELS[:0]),
    "no features": (X[:, :0], LABELS),
    "strings": ([["a"]] * 20, LABELS),
    "None": (None, LABELS),
    "labels None": (X, None),
    "number": (3.0, LABELS),
}


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("case", BAD)
def test_bad_input_gets_scikit_learns_error(name, case):
    messages = []
    for module in (sklearn.metrics, metrics):
        with pytest.raises((ValueError, TypeError)) as raised:
            getattr(module, name)(*BAD[case])
        messages.append(re.sub(r"function|array\(.*\)", "", str(raised.value)))
    assert messages[0] == messages[1]


@pytest.mark.parametrize(
    "options",
    [{"metric": "nonsense"}, {"sample_size": 0}, {"sample_size": 1.5}, {"random_state": "a"}],
)
def test_bad_options_get_scikit_learns_error(options):
    messages = []
    for module in (sklearn.metrics, metrics):
        with pytest.raises(ValueError) as raised:  # noqa: PT011  (compared below)
            module.silhouette_score(X, LABELS, **options)
        # Of the distance silhouette_samples complains, to which it is passed on.
        messages.append(re.sub(r"\{.*\}|silhouette_\w+", "", str(raised.value)))
    assert messages[0] == messages[1]


def test_standard_error_is_asked_for_by_a_boolean():
    with pytest.raises(ValueError, match="'return_standard_error' parameter of silhouette_score"):
        metrics.silhouette_score(X, LABELS, return_standard_error="yes")
