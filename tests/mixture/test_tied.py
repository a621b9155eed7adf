"""Tied covariances of groups that are far apart, where the scatter of all rows cancels."""

import numpy as np
import pytest

from fastclust import (
    BayesianGaussianMixture,
    GaussianMixture,
    MiniBatchGaussianMixture,
    limit_memory,
    open_rows,
)

N_ROWS = 200  # of each of the two groups


def make_groups(dtype, gap, n_features=3):
    """Two groups a gap apart in all features, and their covariance in extended precision."""
    rng = np.random.default_rng(0)
    X = rng.normal(size=(2 * N_ROWS, n_features))
    X[N_ROWS:] += gap
    X = X.astype(dtype)
    covariance = np.zeros((n_features, n_features), dtype=np.longdouble)
    for rows in (X[:N_ROWS], X[N_ROWS:]):
        centered = rows - rows.astype(np.longdouble).mean(axis=0)
        covariance += centered.T @ centered
    return X, (covariance / len(X)).astype(np.float64)


def check(mixture, X, covariance, rtol):
    np.testing.assert_allclose(
        mixture.covariances_, covariance, rtol=rtol, atol=rtol * covariance.max()
    )
    labels = mixture.predict(X)
    assert (labels[:N_ROWS] == labels[0]).all()
    assert (labels[N_ROWS:] == 1 - labels[0]).all()


GAPS = [
    *[(np.float32, gap) for gap in (1e1, 1e2, 1e3, 1e5, 1e8, 1e15)],
    *[(np.float64, gap) for gap in (1e1, 1e3, 1e4, 1e8, 1e12, 1e15)],
]


@pytest.mark.parametrize(("dtype", "gap"), GAPS)
@pytest.mark.parametrize("n_init", [1, 2])
def test_covariance_is_that_of_the_groups_however_far_they_are(dtype, gap, n_init):
    X, covariance = make_groups(dtype, gap)
    mixture = GaussianMixture(
        2, covariance_type="tied", n_init=n_init, random_state=0, reg_covar=0
    ).fit(X)
    # The scatter keeps 13 bits of float32, but for some of its sum's, and 26 of float64; beyond
    # that the rows are rounded to 2^-24 or 2^-53 of the gap, relative to their origin.
    rounding = np.finfo(dtype).eps * gap if gap > 1e4 else 0
    check(mixture, X, covariance, (2e-3 if dtype == np.float32 else 1e-7) + min(rounding, 0.3))


def test_random_state_is_left_as_after_one_run():
    X, _ = make_groups(np.float64, 1e10)
    rng, other = np.random.RandomState(0), np.random.RandomState(0)
    GaussianMixture(2, covariance_type="tied", random_state=rng).fit(X)
    GaussianMixture(2, covariance_type="full", random_state=other).fit(X)
    assert rng.uniform() == other.uniform()


@pytest.mark.parametrize(("dtype", "gap"), [(np.float32, 1e3), (np.float64, 1e10)])
def test_batches(dtype, gap):
    X, covariance = make_groups(dtype, gap)
    X = X[np.random.default_rng(0).permutation(len(X))]
    options = {"covariance_type": "tied", "random_state": 0}
    mixtures = [
        GaussianMixture(2, **options).partial_fit(X).partial_fit(X),
        MiniBatchGaussianMixture(2, **options, batch_size=100).fit(X),
    ]
    for mixture in mixtures:
        # An average over batches of 100 rows, of which some count more than others.
        np.testing.assert_allclose(mixture.covariances_, covariance, rtol=0.05, atol=0.05)


@pytest.mark.parametrize(("dtype", "gap"), [(np.float32, 1e3), (np.float64, 1e10)])
def test_rows_in_blocks(tmp_path, dtype, gap):
    X, _ = make_groups(dtype, gap)
    np.save(tmp_path / "rows.npy", X)
    options = {"covariance_type": "tied", "random_state": 0, "means_init": X[[0, -1]]}
    options |= {"weights_init": [0.5, 0.5], "precisions_init": np.eye(3)}
    expected = GaussianMixture(2, **options).fit(X)
    with limit_memory("1 kB"):
        mixture = GaussianMixture(2, **options).fit(open_rows(tmp_path / "rows.npy"))
    # The same sums in another order, of rows relative to the same origin.
    np.testing.assert_allclose(mixture.covariances_, expected.covariances_, rtol=1e-4, atol=1e-4)
    np.testing.assert_array_equal(mixture.predict(X), expected.predict(X))


@pytest.mark.parametrize(("dtype", "gap"), [(np.float32, 1e3), (np.float64, 1e10)])
def test_bayesian_mixture(dtype, gap):
    X, _ = make_groups(dtype, gap)
    options = {"n_components": 2, "random_state": 0, "covariance_prior": np.eye(3)}
    options |= {"mean_precision_prior": 1e-30, "mean_prior": X[0]}
    mixtures = [
        BayesianGaussianMixture(**options, covariance_type=name).fit(X) for name in ("tied", "full")
    ]
    # Each of the groups is as one of 200 rows with a covariance of its own, but for the prior.
    pooled = mixtures[1].covariances_.mean(axis=0)
    np.testing.assert_allclose(mixtures[0].covariances_, pooled, rtol=0.05, atol=0.05)


@pytest.mark.parametrize(("dtype", "gap"), [(np.float32, 1e3), (np.float64, 1e10)])
def test_rows_with_missing_values(dtype, gap):
    X, covariance = make_groups(dtype, gap)
    X[::20, 0] = np.nan
    mixture = GaussianMixture(2, covariance_type="tied", random_state=0, missing="ignore").fit(X)
    # One of 20 values of a feature is missing.
    np.testing.assert_allclose(mixture.covariances_, covariance, rtol=0.1, atol=0.1)


def test_scatter_is_used_where_it_keeps_digits(monkeypatch):
    """Ordinary rows do not pay for second moments."""
    from fastclust._algorithms.mixture.passes import MixtureRows

    def fail(self):
        raise AssertionError

    monkeypatch.setattr(MixtureRows, "sum_second", fail)
    for dtype in (np.float32, np.float64):
        X, _ = make_groups(dtype, 20)
        X = np.column_stack([X, np.full(len(X), 0.1, dtype=dtype)])  # constant, too
        GaussianMixture(2, covariance_type="tied", random_state=0).fit(X)
