"""SphericalKMeans of rows in blocks has the answers of rows in memory."""

import numpy as np
import pytest

from fastclust import SphericalKMeans, limit_memory
from tests.rows.test_blocks import LITTLE, Given, K, make_rows, npy_folder, small_blocks

pytestmark = pytest.mark.usefixtures(small_blocks.__name__)

LIMITS = ["1 kB", LITTLE]


def fit_in_blocks(kmeans, X, limit=LITTLE, **fit_params):
    with limit_memory(limit):
        return kmeans.fit(Given(X), **fit_params)


def assert_same(ours, expected):
    """The same labels and iterations; centers and inertia up to the rounding of sums."""
    np.testing.assert_array_equal(ours.labels_, expected.labels_)
    assert ours.n_iter_ == expected.n_iter_
    assert ours.cluster_centers_.dtype == expected.cluster_centers_.dtype
    # Rounded directions of sums of some 400 unit vectors in float64, in another order.
    atol = 2 * np.finfo(expected.cluster_centers_.dtype).eps + 400 * np.finfo("f8").eps
    np.testing.assert_allclose(ours.cluster_centers_, expected.cluster_centers_, 0, atol)
    assert ours.inertia_ == pytest.approx(expected.inertia_, rel=1e-5)


@pytest.mark.parametrize("dtype", ["f4", "f8"])
@pytest.mark.parametrize("limit", LIMITS)
@pytest.mark.parametrize("make", [lambda folder, X: Given(X), npy_folder])
def test_answers_are_those_of_an_array(tmp_path, make, limit, dtype):
    X = make_rows(dtype)
    ours, expected = (SphericalKMeans(K, init=X[:K], n_init=1) for _ in range(2))
    expected.fit(X)
    rows = make(tmp_path, X)
    with limit_memory(limit):
        labels = ours.fit_predict(rows)
        assert_same(ours, expected)
        np.testing.assert_array_equal(labels, ours.labels_)
        np.testing.assert_array_equal(ours.predict(rows), ours.labels_)
        np.testing.assert_array_equal(ours.transform(rows), ours.transform(X))
        assert ours.score(rows) == pytest.approx(-ours.inertia_, rel=1e-5)
    assert expected.n_iter_ > 3


@pytest.mark.parametrize("init", ["random", "k-means||"])
def test_draws_are_those_of_an_array(init):
    X = make_rows("f8")
    expected = SphericalKMeans(K, init=init, n_init=2, random_state=0).fit(X)
    for limit in LIMITS:
        ours = SphericalKMeans(K, init=init, n_init=2, random_state=0)
        assert_same(fit_in_blocks(ours, X, limit), expected)


@pytest.mark.parametrize("with_zeros", [False, True])
def test_sample_weight(with_zeros):
    X = make_rows("f8")
    weights = np.random.default_rng(1).uniform(0.5, 2.0, size=len(X))
    weights[::3] *= not with_zeros
    ours, expected = (SphericalKMeans(K, init=X[:K], n_init=1) for _ in range(2))
    fit_in_blocks(ours, X, sample_weight=weights)
    assert_same(ours, expected.fit(X, sample_weight=weights))
    with limit_memory(LITTLE):
        score = ours.score(Given(X), sample_weight=weights)
    assert score == pytest.approx(-expected.inertia_, rel=1e-12)


def test_empty_clusters_move_to_the_farthest_rows():
    X = make_rows("f8")
    init = np.vstack([X[: K - 1], X[:1]])  # the last has no row
    ours, expected = (SphericalKMeans(K, init=init, n_init=1) for _ in range(2))
    assert_same(fit_in_blocks(ours, X), expected.fit(X))


@pytest.mark.parametrize("factor", [2.0**600, 2.0**-600])
def test_lengths_of_rows_do_not_matter(factor):
    X = make_rows("f8")
    ours, expected = (SphericalKMeans(K, init="random", random_state=0) for _ in range(2))
    assert_same(fit_in_blocks(ours, X * factor), expected.fit(X))


@pytest.mark.parametrize(
    ("make", "place"),
    [
        (lambda folder, X: Given(X), "block 8 of the Given"),
        (npy_folder, r"block \d+ of .*2\.npy"),
    ],
)
def test_a_zero_row_is_an_error_that_names_its_place(tmp_path, make, place):
    X = make_rows()
    kmeans = SphericalKMeans(K, init=X[:K], n_init=1).fit(X)
    before = dict(vars(kmeans))
    X[[1998, 2500]] = 0
    rows = make(tmp_path, X)
    message = f"2 of 3000 rows are zero, the first of them in {place}: a zero row has no direction"
    for method in kmeans.fit, kmeans.predict, kmeans.transform, kmeans.score:
        with limit_memory(LITTLE), pytest.raises(ValueError, match=message):
            method(rows)
    assert vars(kmeans).keys() == before.keys()
    assert all(vars(kmeans)[key] is value for key, value in before.items())


def test_nan_is_an_error_that_names_its_place():
    X = make_rows()
    X[2000] = np.nan
    with pytest.raises(ValueError, match=r"contains NaN, in block 8 of the Given"):
        fit_in_blocks(SphericalKMeans(K, init="random"), X)
