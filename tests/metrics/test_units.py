"""Scores have no unit: those of a twin in extended precision, at any scale, offset and spread."""

import mpmath
import numpy as np
import pytest
import scipy.sparse
import sklearn.metrics
from hypothesis import given
from hypothesis import strategies as st

from fastclust import metrics
from fastclust._algorithms.metrics import labelled_rows
from fastclust._algorithms.metrics.dispersion import Dispersion
from tests.metrics.test_metrics import make_rows

SCORES = {
    "calinski_harabasz": metrics.calinski_harabasz_score,
    "davies_bouldin": metrics.davies_bouldin_score,
    "simplified_silhouette": metrics.simplified_silhouette_score,
}
DTYPES = {np.float32: (-60, 60), np.float64: (-500, 500)}
mp = mpmath.MPContext()
mp.prec = 400  # of the sums and squares of values that differ by up to 2^100


# -- the twin ------------------------------------------------------------------------------------


def distance_sq(x, y):
    return sum((a - b) ** 2 for a, b in zip(x, y, strict=True))


def ratio(a, b):
    """Quotient of two numbers that are not negative; 0/0 is NaN."""
    return a / b if b else (mp.inf if a else mp.nan)


def silhouette(a, b):
    return 0.0 if a is None or max(a, b) == 0 else float((b - a) / max(a, b))


def exact_scores(X, labels):
    """Scores by their definitions."""
    rows = [[mp.mpf(float(value)) for value in row] for row in X]
    clusters = [
        [x for x, label in zip(rows, labels, strict=True) if label == j] for j in np.unique(labels)
    ]
    k, n = len(clusters), len(rows)
    means = [[sum(values) / len(c) for values in zip(*c, strict=True)] for c in clusters]
    mean = [sum(values) / n for values in zip(*rows, strict=True)]
    within = sum(distance_sq(x, m) for c, m in zip(clusters, means, strict=True) for x in c)
    between = sum(len(c) * distance_sq(m, mean) for c, m in zip(clusters, means, strict=True))
    spread = [
        sum(mp.sqrt(distance_sq(x, m)) for x in c) / len(c)
        for c, m in zip(clusters, means, strict=True)
    ]
    likeness = [
        max(
            ratio(spread[i] + spread[j], mp.sqrt(distance_sq(means[i], means[j])))
            if spread[i] + spread[j]
            else mp.mpf(0)
            for j in range(k)
            if j != i
        )
        for i in range(k)
    ]
    index = {label: j for j, label in enumerate(np.unique(labels))}
    simplified, euclidean, squared = [], [], []
    for x, label in zip(rows, labels, strict=True):
        own = index[label]
        to_means = [mp.sqrt(distance_sq(x, m)) for m in means]
        a = to_means.pop(own)
        simplified.append(silhouette(a, min(to_means)))
        for values, distance in (
            (euclidean, lambda s: mp.sqrt(s)),
            (squared, lambda s: s),
        ):
            sums = [sum(distance(distance_sq(x, y)) for y in c) for c in clusters]
            a = sums[own] / (len(clusters[own]) - 1) if len(clusters[own]) > 1 else None
            b = min(sums[j] / len(clusters[j]) for j in range(k) if j != own)
            values.append(silhouette(a, b))
    calinski_harabasz = ratio(between * (n - k), within * (k - 1))
    return {
        "calinski_harabasz": 1.0 if mp.isnan(calinski_harabasz) else float(calinski_harabasz),
        "davies_bouldin": float(sum(likeness) / k),
        "simplified_silhouette": float(np.mean(simplified)),
        "euclidean": euclidean,
        "sqeuclidean": squared,
    }


def own_scores(X, labels):
    scores = {name: score(X, labels) for name, score in SCORES.items()}
    for metric in ("euclidean", "sqeuclidean"):
        scores[metric] = metrics.silhouette_samples(X, labels, metric=metric)
    return scores


def assert_exact(X, labels):
    expected, scores = exact_scores(X, labels), own_scores(X, labels)
    for name in ("calinski_harabasz", "davies_bouldin"):
        # A distance of means, or a spread, that is a difference has the digits that are left.
        digits_lost = expected[name] if np.isfinite(expected[name]) else 1.0
        rtol = 1e-10 + 1e-14 * digits_lost
        np.testing.assert_allclose(scores[name], expected[name], rtol=min(rtol, 0.1), err_msg=name)
    for name in ("simplified_silhouette", "euclidean", "sqeuclidean"):
        atol = 1e-6 if X.dtype == np.float32 and name != "simplified_silhouette" else 1e-9
        np.testing.assert_allclose(scores[name], expected[name], atol=atol, err_msg=name)


# -- any rows ------------------------------------------------------------------------------------


@st.composite
def clusterings(draw):
    """Rows and labels: integers or not, clusters near or far from each other and from zero."""
    dtype = draw(st.sampled_from(list(DTYPES)))
    n_features = draw(st.integers(1, 3))
    n_clusters = draw(st.integers(2, 4))
    n_samples = draw(st.integers(n_clusters + 1, 20))
    rng = np.random.default_rng(draw(st.integers(0, 10**6)))
    labels = np.append(np.arange(n_clusters), rng.integers(n_clusters, size=n_samples - n_clusters))
    labels = rng.permutation(labels)
    X = rng.normal(size=(n_samples, n_features))
    centers = rng.normal(size=(n_clusters, n_features))
    if draw(st.booleans()):  # few distinct rows, equal clusters, common centers
        X, centers = rng.integers(-1, 2, size=X.shape), rng.integers(-1, 2, size=centers.shape)
    most = 20 if dtype == np.float32 else 45
    X = X + draw(st.sampled_from([0, 1, 10, 2.0**most])) * centers[labels]
    X = X + draw(st.sampled_from([0, 100, 2.0**most]))
    exponent = draw(st.integers(*DTYPES[dtype]))
    return np.ldexp(X.astype(dtype), exponent), labels


@given(clusterings())
def test_scores_are_those_of_the_definitions(rows):
    assert_exact(*rows)


@pytest.mark.parametrize("dtype", DTYPES)
@given(data=st.data())
def test_a_power_of_two_changes_no_score(dtype, data):
    seed = data.draw(st.integers(0, 10**6))
    exponent = data.draw(st.integers(*DTYPES[dtype]))
    X, labels = make_rows(40, 3, 4, seed)
    X = X.astype(dtype)
    expected, scores = own_scores(X, labels), own_scores(np.ldexp(X, exponent), labels)
    for name, value in expected.items():
        np.testing.assert_array_equal(scores[name], value, err_msg=name)


@pytest.mark.parametrize("exponent", [-1040, -1022, -700, 700, 1000, 1019])
def test_scores_at_the_ends_of_the_range(exponent):
    X, labels = make_rows(30)
    X = np.ldexp(np.round(X * 2**20) / 2**20, exponent)
    assert np.isfinite(X).all()
    assert_exact(X, labels)


@pytest.mark.parametrize("constant", [1e300, -1e160, 1 / 3])
@pytest.mark.parametrize("scale", [1e-170, 1.0, 1e150])
def test_a_constant_feature_changes_no_score(constant, scale):
    X, labels = make_rows(40)
    with_it = np.column_stack([np.full(40, constant), X * scale])
    expected, scores = own_scores(X * scale, labels), own_scores(with_it, labels)
    for name, value in expected.items():
        np.testing.assert_allclose(scores[name], value, rtol=1e-12, err_msg=name)


@pytest.mark.parametrize("fill", [1e8, -1e20, 1e290])
def test_a_cluster_of_fill_values_leaves_the_others_their_digits(fill):
    X, labels = make_rows(40, 2, 3)
    X[labels == 2] = fill
    assert_exact(X, labels)


def test_blocks_of_close_rows_make_no_difference(monkeypatch):
    X, labels = make_rows(300, 2, 3)
    X[labels == 2] += 1e12
    whole = Dispersion(X, labels).squared_silhouettes()
    monkeypatch.setattr(labelled_rows, "BLOCK_BYTES", 1000)
    np.testing.assert_allclose(Dispersion(X, labels).squared_silhouettes(), whole, rtol=1e-12)


@pytest.mark.parametrize("exponent", [-520, -60, 60, 520])
@pytest.mark.parametrize("kind", [scipy.sparse.csr_array, scipy.sparse.csc_matrix])
@pytest.mark.parametrize("most_dense_values", [0, 10**6])
def test_sparse_silhouettes_have_no_unit(kind, exponent, most_dense_values, monkeypatch):
    monkeypatch.setattr(metrics, "MOST_DENSE_VALUES", most_dense_values)
    X, labels = make_rows(40)
    expected = metrics.silhouette_samples(kind(X), labels)
    X = np.ldexp(X, exponent)
    np.testing.assert_array_equal(metrics.silhouette_samples(kind(X), labels), expected)


# -- 0 and infinity ------------------------------------------------------------------------------

RING = np.array([[1.0, 0], [-1, 0], [0, 1], [0, -1]])


@pytest.mark.parametrize("offset", [0, 0.5, 2.0**30])
@pytest.mark.parametrize("exponent", [-500, 0, 500])
def test_concentric_clusters_are_the_worst_there_is(offset, exponent):
    """In scikit-learn they are as if they were far apart, or the best there is."""
    X = np.ldexp(np.vstack([RING, 3 * RING, RING + 50]) + offset, exponent)
    labels = np.repeat([0, 1, 2], 4)
    assert metrics.davies_bouldin_score(X, labels) == np.inf
    assert metrics.davies_bouldin_score(X[:8], labels[:8]) == np.inf
    if exponent == offset == 0:
        assert sklearn.metrics.davies_bouldin_score(X[:8], labels[:8]) == 0


@given(st.integers(0, 10**6), st.integers(1, 30), st.integers(2, 5))
def test_clusters_of_the_same_rows_are_concentric(seed, n_samples, n_clusters):
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(n_samples + 1, 3)) * 10.0 ** rng.integers(-3, 3, 3) + rng.normal()
    copies = [rng.permutation(X) for _ in range(n_clusters)]
    labels = np.repeat(np.arange(n_clusters), n_samples + 1)
    assert metrics.davies_bouldin_score(np.vstack(copies), labels) == np.inf


@given(st.integers(0, 10**6), st.integers(2, 5), st.sampled_from([0, 1e6, 1 / 3]))
def test_clusters_of_equal_rows_are_exact(seed, n_clusters, offset):
    rng = np.random.default_rng(seed)
    labels = rng.permutation(np.arange(13) % n_clusters)
    X = (rng.normal(size=(n_clusters, 3)) + offset)[labels]
    assert metrics.calinski_harabasz_score(X, labels) == np.inf
    assert metrics.davies_bouldin_score(X, labels) == 0
    assert metrics.simplified_silhouette_score(X, labels) == 1
    for metric in ("euclidean", "sqeuclidean"):
        assert metrics.silhouette_score(X, labels, metric=metric) == 1


@pytest.mark.parametrize("value", [0.0, 1 / 3, 1e300])
def test_if_all_rows_are_equal_scores_are_scikit_learns(value):
    X, labels = np.full((6, 2), value), [0, 0, 1, 1, 2, 2]
    assert metrics.calinski_harabasz_score(X, labels) == 1
    assert metrics.davies_bouldin_score(X, labels) == 0
    assert metrics.silhouette_score(X, labels) == 0
    assert metrics.simplified_silhouette_score(X, labels) == 0


# -- weights -------------------------------------------------------------------------------------


@given(st.integers(0, 10**6))
def test_a_weight_counts_as_that_many_rows(seed):
    X, labels = make_rows(30, seed=seed)
    counts = np.random.default_rng(seed).integers(1, 4, size=30)
    weighted = Dispersion(X, labels, counts.astype(float))
    repeated = Dispersion(np.repeat(X, counts, axis=0), np.repeat(labels, counts))
    for name in ("calinski_harabasz", "davies_bouldin", "simplified_silhouette"):
        value, expected = getattr(weighted, name)(), getattr(repeated, name)()
        assert value == pytest.approx(expected, rel=1e-12)
