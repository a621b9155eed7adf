"""Mixtures of rows in blocks with missing values are those of rows in memory."""

import numpy as np
import pytest

from fastclust import GaussianMixture, limit_memory
from fastclust._algorithms.rows.block_source import open_source
from tests.kmeans.test_missing_blocks import N, make_rows
from tests.mixture.test_blocks import TYPES, assert_same_mixtures
from tests.rows.test_blocks import LITTLE, Given, small_blocks

NO_START = {"weights_init": None, "means_init": None, "precisions_init": None}

pytestmark = pytest.mark.usefixtures(small_blocks.__name__)


def make_problem(dtype="f8"):
    """Rows, two of which have no value, and means to start from."""
    X, means = make_rows(dtype)
    X[[7, 1500]] = np.nan
    return X, means


def make(means, covariance_type="full", of=GaussianMixture, **options):
    k, d = means.shape
    precisions = {
        "full": np.array([np.eye(d)] * k), "tied": np.eye(d), "diag": np.ones((k, d)),
        "spherical": np.ones(k),
    }[covariance_type]  # fmt: skip
    start = {"weights_init": np.ones(k) / k, "means_init": means, "precisions_init": precisions}
    usual = {"missing": "ignore", "covariance_type": covariance_type, "random_state": 0}
    return of(k, **start | usual | options)


@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("dtype", ["f4", "f8"])
@pytest.mark.parametrize("covariance_type", TYPES)
def test_a_mixture_is_that_of_an_array(covariance_type, dtype, weighted):
    X, means = make_problem(dtype)
    weights = np.random.default_rng(1).uniform(0, 2, N) * (np.arange(N) % 7 > 0)
    weights = weights if weighted else None
    # Sums of all rows: in float32 those of up to 32 vectors are in the rows' own type.
    rtol = {"f4": 2e-3, "f8": 1e-10}[dtype]
    tol = {"f4": 1e-2, "f8": 1e-3}[dtype]
    expected = make(means, covariance_type, tol=tol).fit(X, sample_weight=weights)
    fits = []
    for limit in LITTLE, "1 kB":  # some blocks stay in memory, or none
        with limit_memory(limit):
            fits.append(make(means, covariance_type, tol=tol).fit(Given(X), sample_weight=weights))
    ours, other = fits
    assert_same_mixtures(ours, expected, rtol)
    assert other.lower_bounds_ == ours.lower_bounds_
    np.testing.assert_array_equal(other.covariances_, ours.covariances_)


@pytest.mark.parametrize("init_params", ["random", "random_from_data", "kmeans", "k-means++"])
@pytest.mark.filterwarnings(r"ignore:.*found by k-means\|\|")
def test_starts_see_the_rows_filled(init_params):
    X, means = make_problem()
    options = {"init_params": init_params, "tol": 1e-2} | NO_START
    ours, expected = (make(means, **options) for _ in range(2))
    expected.fit(X)
    with limit_memory(LITTLE):
        ours.fit(Given(X))
    if init_params.startswith("random"):
        assert_same_mixtures(ours, expected, 1e-8)  # the first parameters amplify rounding
    else:  # seeds are others; the maximum is the same, as far as the tolerance goes
        assert ours.lower_bound_ == pytest.approx(expected.lower_bound_, abs=0.1)


@pytest.mark.parametrize("covariance_type", TYPES)
def test_new_rows_and_criteria(covariance_type):
    X, means = make_problem()
    mixture = make(means, covariance_type).fit(X)
    with limit_memory(LITTLE):
        for method in "predict", "predict_proba", "score_samples", "impute":
            of_blocks = getattr(mixture, method)(Given(X))
            # Rows of a pattern that are in panels with others: products in another order.
            np.testing.assert_allclose(of_blocks, getattr(mixture, method)(X), rtol=1e-10)
        for method in "score", "bic", "aic", "icl":
            of_blocks = getattr(mixture, method)(Given(X))
            assert of_blocks == pytest.approx(getattr(mixture, method)(X), rel=1e-12)
        draws = [mixture.impute(x, draw=True, random_state=0) for x in (Given(X), X)]
        np.testing.assert_allclose(*draws, rtol=1e-10)


def test_complete_rows_have_the_bits_of_the_default():
    X, means = make_rows(share=0.0)
    with limit_memory(LITTLE):
        ours, usual = (make(means, missing=m).fit(Given(X)) for m in ("ignore", "error"))
    assert ours.lower_bounds_ == usual.lower_bounds_
    np.testing.assert_array_equal(ours.covariances_, usual.covariances_)


@pytest.mark.parametrize(("dtype", "exponent"), [("f8", 480), ("f8", -450), ("f4", 50)])
def test_rows_of_any_unit(dtype, exponent):
    X, means = make_problem(dtype)
    X, means = np.ldexp(X, exponent), np.ldexp(means, exponent)
    options = {"covariance_type": "diag", "reg_covar": 0.0, "tol": 0.1}
    options |= NO_START | {"means_init": means, "init_params": "random_from_data"}
    ours, expected = (make(means, **options) for _ in range(2))
    expected.fit(X)
    with limit_memory(LITTLE):
        ours.fit(Given(X))
    rtol = {"f8": 1e-8, "f4": 1e-5}[dtype]
    np.testing.assert_allclose(ours.means_, expected.means_, rtol, rtol * np.abs(means).max())


@pytest.mark.parametrize("weighted", [False, True])
def test_weighted_means_do_not_overflow(weighted):
    X, _ = make_problem()
    X = np.abs(X) * 1e306  # a sum of 3,000 is infinite
    weights = np.arange(1.0, N + 1) if weighted else None
    mean = open_source(Given(X), allow_nan=True).find_weighted_mean(weights)
    there = ~np.isnan(X) * (np.ones(N) if weights is None else weights)[:, np.newaxis]
    expected = np.nansum(X / 1e306 * there, axis=0) / there.sum(axis=0)
    np.testing.assert_allclose(mean / 1e306, expected, rtol=1e-12)


def test_errors_change_nothing():
    X, means = make_problem()
    mixture = make(means)
    with limit_memory(LITTLE):
        mixture.fit(Given(X))
        before = dict(vars(mixture))
        with pytest.raises(ValueError, match="Feature 2 has no value: it is missing in all rows"):
            mixture.fit(Given(np.where(np.arange(5) == 2, np.nan, X)))
        infinite = X.copy()
        infinite[2000, 1] = np.inf
        for method in mixture.fit, mixture.predict:
            with pytest.raises(ValueError, match=r"contains infinity .*, in block 8"):
                method(Given(infinite))
        with pytest.raises(ValueError, match="contains NaN: partial_fit of GaussianMixture"):
            mixture.partial_fit(Given(X))
        with pytest.raises(ValueError, match="contains NaN, in block"):
            make(means, missing="error").fit(Given(X))
    assert all(vars(mixture)[name] is value for name, value in before.items())
