"""Mixtures of rows in blocks are those of rows in memory."""

import numpy as np
import pytest

from fastclust import BayesianGaussianMixture, GaussianMixture, KMeans, limit_memory, open_rows
from fastclust._algorithms.kmeans.parallel_seeding import run_kmeans_parallel
from fastclust._algorithms.rows.source import pack
from tests.rows.test_blocks import LITTLE, Given, make_rows, parquet, small_blocks

pytestmark = pytest.mark.usefixtures(small_blocks.__name__)

TYPES = ["full", "tied", "diag", "spherical"]
K, N = 4, 3000


def options(X, covariance_type, **others):
    precisions = {
        "full": np.array([np.eye(5)] * K), "tied": np.eye(5), "diag": np.ones((K, 5)),
        "spherical": np.ones(K),
    }[covariance_type]  # fmt: skip
    given = {"weights_init": np.full(K, 1 / K), "means_init": X[:K], "precisions_init": precisions}
    return {"n_components": K, "covariance_type": covariance_type, **given, **others}


def assert_same_mixtures(ours, expected, rtol):
    """Parameters agree up to the rounding of sums, relative to the largest."""
    assert ours.n_iter_ == expected.n_iter_
    assert ours.lower_bound_ == pytest.approx(expected.lower_bound_, rel=rtol)
    for name in ("weights_", "means_", "covariances_", "precisions_"):
        ours_, theirs = getattr(ours, name), getattr(expected, name)
        assert ours_.dtype == theirs.dtype
        np.testing.assert_allclose(ours_, theirs, rtol, rtol * np.abs(theirs).max())


@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("dtype", ["f4", "f8"])
@pytest.mark.parametrize("covariance_type", TYPES)
def test_a_mixture_is_that_of_an_array(covariance_type, dtype, weighted):
    X = make_rows(dtype)
    weights = np.random.default_rng(1).uniform(0, 2, N) * (np.arange(N) % 7 > 0)
    weights = weights if weighted else None
    # Sums of all rows: in float32 those of up to 32 vectors are in the rows' own type.
    rtol = {"f4": 2e-3, "f8": 1e-10}[dtype]
    tol = {"f4": 1e-2, "f8": 1e-3}[dtype]
    ours, expected, other = (
        GaussianMixture(**options(X, covariance_type, tol=tol)) for _ in range(3)
    )
    expected.fit(X, sample_weight=weights)
    with limit_memory(LITTLE):
        labels = ours.fit(Given(X), sample_weight=weights).predict(Given(X))
        proba, densities = ours.predict_proba(Given(X)), ours.score_samples(Given(X))
        icl, score = ours.icl(Given(X), weights), ours.score(Given(X), sample_weight=weights)
    assert_same_mixtures(ours, expected, rtol)
    np.testing.assert_array_equal(labels, ours.predict(X))
    np.testing.assert_array_equal(proba, ours.predict_proba(X))
    np.testing.assert_array_equal(densities, ours.score_samples(X))
    # The same log-densities, whose sums are in another order.
    rel = 8 * float(np.finfo(dtype).eps)
    assert icl == pytest.approx(ours.icl(X, weights), rel=rel)
    assert score == pytest.approx(ours.score(X, sample_weight=weights), rel=rel)
    with limit_memory("1 kB"):  # no block stays in memory
        other.fit(Given(X), sample_weight=weights)
    assert other.lower_bounds_ == ours.lower_bounds_
    np.testing.assert_array_equal(other.covariances_, ours.covariances_)


@pytest.mark.parametrize("init_params", ["random", "random_from_data"])
@pytest.mark.parametrize("covariance_type", TYPES)
def test_random_starts_are_those_of_an_array(covariance_type, init_params):
    X = make_rows("f8")
    ours, expected = (
        GaussianMixture(
            K, covariance_type=covariance_type, init_params=init_params, random_state=0, tol=0.1
        )
        for _ in range(2)
    )  # fmt: skip
    expected.fit(X)
    with limit_memory(LITTLE):
        ours.fit(Given(X))
    assert_same_mixtures(ours, expected, 1e-8)  # the first parameters amplify rounding


@pytest.mark.parametrize("unit", [1.0, 2.0**480])
def test_kmeans_starts_from_kmeans_parallel_which_a_warning_says(unit):
    X = make_rows("f8")
    mixture = GaussianMixture(7, random_state=0, max_iter=2, tol=1e300, reg_covar=0.0)
    with limit_memory(LITTLE), pytest.warns(UserWarning, match=r"found by k-means\|\|"):
        mixture.fit(Given(X * unit))
    labels = KMeans(7, init="k-means||", random_state=0).fit_predict(X)
    means = np.array([X[labels == j].mean(axis=0) for j in range(7)])
    expected = GaussianMixture(7, max_iter=2, tol=1e300, reg_covar=0.0)
    expected.set_params(
        means_init=means,
        weights_init=np.bincount(labels) / N,
        precisions_init=[np.linalg.inv(np.cov(X[labels == j].T, ddof=0)) for j in range(7)],
    )
    expected.fit(X)
    # Precisions of some 400 rows in 5 dimensions, inverted twice.
    np.testing.assert_allclose(mixture.means_ / unit, expected.means_, rtol=1e-9)
    np.testing.assert_allclose(mixture.covariances_ / unit**2, expected.covariances_, rtol=1e-7)


@pytest.mark.parametrize("unit", [1.0, 2.0**480])
def test_seeds_are_centers_of_kmeans_parallel_which_a_warning_says(unit):
    X = make_rows("f8")
    mixture = GaussianMixture(7, init_params="k-means++", random_state=0, max_iter=2, tol=1e300)
    mixture.set_params(reg_covar=unit**2)
    with limit_memory(LITTLE), pytest.warns(UserWarning, match=r"found by k-means\|\|"):
        mixture.fit(Given(X * unit))
    random_state, rows = np.random.RandomState(0), pack(X, None, np.zeros(5))
    centers = run_kmeans_parallel(rows, 7, None, random_state, 2.0, 5)
    expected = GaussianMixture(7, max_iter=2, tol=1e300, reg_covar=1.0)
    expected.set_params(means_init=centers, precisions_init=np.array([np.eye(5)] * 7))
    expected.set_params(weights_init=np.full(7, 1 / 7)).fit(X)
    np.testing.assert_allclose(mixture.means_ / unit, expected.means_, rtol=1e-9)


@pytest.mark.parametrize("factor", [2.0**480, 2.0**-450])
def test_rows_in_any_unit(factor):
    X = make_rows("f8") * factor
    ours, expected = (
        GaussianMixture(K, covariance_type="diag", init_params="random_from_data", reg_covar=0.0,
                        random_state=0, tol=0.1)
        for _ in range(2)
    )  # fmt: skip
    expected.fit(X)
    with limit_memory(LITTLE):
        ours.fit(Given(X))
    np.testing.assert_allclose(ours.means_, expected.means_, 1e-8, 1e-8 * factor)


def test_others_read_all_rows_and_names_are_learnt(tmp_path):
    X = make_rows("f8")
    rows = parquet(tmp_path, X)
    with limit_memory(LITTLE):
        mixture = GaussianMixture(**options(X, "diag")).fit(rows)
        assert list(mixture.feature_names_in_) == list("abcde")
        mixture.predict(open_rows(tmp_path / "rows.parquet"))
        bayesian = BayesianGaussianMixture(n_components=3, tol=0.1, random_state=0)
        labels, expected = bayesian.fit_predict(rows), bayesian.fit_predict(X)
    np.testing.assert_array_equal(labels, expected)


def test_a_fault_is_an_error_and_the_last_fit_stays():
    X = make_rows("f8")
    mixture = GaussianMixture(**options(X, "full")).fit(X)
    before = dict(vars(mixture))
    X[-1] = np.nan
    with limit_memory(LITTLE), pytest.raises(ValueError, match="contains NaN, in block 11"):
        mixture.fit(Given(X))
    assert all(vars(mixture)[name] is value for name, value in before.items())
