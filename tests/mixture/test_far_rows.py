"""Rows far from every component have probabilities that sum to 1 and the right argmax.

The twin computes with 1,200 digits, so that nothing cancels and nothing overflows.
"""

import mpmath
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.metrics import adjusted_rand_score

from fastclust import GaussianMixture

TYPES = ["full", "tied", "diag", "spherical"]


def make_mixture(covariance_type, dtype, same=False):
    """Two components, of the same covariance or not."""
    rng = np.random.default_rng(0)
    X = (rng.normal(size=(100, 2)) + np.repeat([[0, 0], [4, 1]], 50, axis=0)).astype(dtype)
    mixture = GaussianMixture(2, covariance_type=covariance_type, random_state=0).fit(X)
    if same and covariance_type != "tied":
        for name in ("covariances_", "precisions_", "precisions_cholesky_"):
            getattr(mixture, name)[1] = getattr(mixture, name)[0]
    return mixture


def matrices(mixture):
    """Cholesky factors of the precisions as matrices."""
    factors = mixture.precisions_cholesky_.astype(np.float64)
    if mixture.covariance_type == "diag":
        return [np.diag(f) for f in factors]
    if mixture.covariance_type == "spherical":
        return [f * np.eye(2) for f in factors]
    return [factors, factors] if mixture.covariance_type == "tied" else list(factors)


def exact(mixture, x):
    """Responsibilities and log-density of a row, by mpmath."""
    with mpmath.workdps(1200):
        logs = []
        for weight, mean, U in zip(
            mixture.weights_, mixture.means_, matrices(mixture), strict=True
        ):
            d = [mpmath.mpf(float(a)) - mpmath.mpf(float(b)) for a, b in zip(x, mean, strict=True)]
            y = [sum(mpmath.mpf(float(U[f, g])) * d[f] for f in range(2)) for g in range(2)]
            log_det = mpmath.log(mpmath.mpf(float(U[0, 0])) * mpmath.mpf(float(U[1, 1])))
            square = sum(v * v for v in y)
            logs.append(
                mpmath.log(float(weight)) + log_det - square / 2 - mpmath.log(2 * mpmath.pi)
            )
        largest = max(logs)
        total = sum(mpmath.exp(value - largest) for value in logs)
        resp = [float(mpmath.exp(value - largest) / total) for value in logs]
        return resp, float(largest + mpmath.log(total))


@st.composite
def far_rows(draw):
    """A real type, and a row at some distance in some direction."""
    dtype = draw(st.sampled_from([np.float32, np.float64]))
    exponent = draw(st.integers(0, 120 if dtype == np.float32 else 1000))
    angle = draw(st.floats(0, 2 * np.pi))
    row = 2.0**exponent * np.array([np.cos(angle), np.sin(angle)])
    return dtype, row.astype(dtype)


@given(far_rows(), st.sampled_from(TYPES), st.booleans())
def test_probabilities_are_those_of_exact_arithmetic(case, covariance_type, same):
    dtype, row = case
    mixture = make_mixture(covariance_type, dtype, same)
    near = np.zeros(2, dtype=dtype)
    resp = mixture.predict_proba(np.array([near, row, near]))
    expected, log_density = exact(mixture, row)
    assert np.isfinite(resp).all()
    np.testing.assert_allclose(resp.sum(axis=1), 1.0, rtol=8 * np.finfo(dtype).eps)  # of a few
    # As precise as log-densities are: 2^-8 in float32 and 2^-20 in float64, at most.
    atol = 0.02 if dtype == np.float32 else 1e-5
    np.testing.assert_allclose(resp[1], expected, rtol=0, atol=atol)
    label = mixture.predict(row[np.newaxis])[0]
    assert label == np.argmax(expected) or abs(expected[0] - expected[1]) < 2 * atol
    rtol = 1e-4 if dtype == np.float32 else 1e-9
    score = float(mixture.score_samples(row[np.newaxis])[0])
    if abs(log_density) < 1e-3 * float(np.finfo(dtype).max):
        assert score == pytest.approx(log_density, rel=rtol, abs=rtol)
    else:
        assert score == -np.inf or score == pytest.approx(log_density, rel=1e-2)
    np.testing.assert_allclose(resp[[0, 2]], mixture.predict_proba(near[np.newaxis]).repeat(2, 0))


@pytest.mark.parametrize("covariance_type", TYPES)
def test_the_nearer_half_of_space_belongs_to_each_component(covariance_type):
    """Of equal covariances, at distances where squares have no digit left for the difference."""
    mixture = make_mixture(covariance_type, np.float64, same=True)
    direction = mixture.means_[1] - mixture.means_[0]
    for distance in (1e6, 1e9, 1e12, 1e18, 1e100, 1e200, 1e300):
        rows = distance * np.array([direction, -direction])
        np.testing.assert_array_equal(mixture.predict(rows), [1, 0])
        np.testing.assert_allclose(mixture.predict_proba(rows), [[0, 1], [1, 0]], atol=1e-12)


@pytest.mark.parametrize("covariance_type", ["full", "diag", "spherical"])
@pytest.mark.parametrize(
    ("dtype", "fill"), [(np.float32, 1e7), (np.float64, 1e12), (np.float64, -1e20)]
)
def test_a_component_at_huge_values_leaves_the_others_their_rows(dtype, fill, covariance_type):
    """The mean of the mixture, near none of its rows, is not subtracted from them."""
    rng = np.random.default_rng(0)
    truth = np.arange(2000) % 2
    X = np.where(truth, 270.0, 300.0)[:, np.newaxis] + rng.normal(size=(2000, 3))
    X[::20], truth[::20] = fill, 2
    mixture = GaussianMixture(3, covariance_type=covariance_type, random_state=0)
    mixture.fit(X.astype(dtype))
    labels = mixture.predict(X.astype(dtype))
    assert adjusted_rand_score(truth, labels) == 1
    resp = mixture.predict_proba(X.astype(dtype))
    # Components are 30 deviations apart: what is not 1 is rounding.
    np.testing.assert_allclose(resp.max(axis=1), 1, atol=8 * np.finfo(dtype).eps)


@pytest.mark.parametrize("covariance_type", TYPES)
@pytest.mark.parametrize(
    ("dtype", "value"),
    [(t, v) for t in (np.float32, np.float64) for v in (1e6, 1e12, 1e30)] + [(np.float64, 1e100)],
)
def test_a_constant_column_of_huge_values_changes_no_component(dtype, value, covariance_type):
    """Means that were drawn to the zero of X by a rounding error would be far from every row."""
    rng = np.random.default_rng(0)
    X = (rng.normal(size=(100, 3)) + np.repeat([[0], [9]], 50, axis=0)).astype(dtype)
    X[:, 0] = 0
    options = {"covariance_type": covariance_type, "random_state": 0}
    expected = GaussianMixture(3, **options).fit(X)
    X[:, 0] = value
    mixture = GaussianMixture(3, **options).fit(X)
    # Without its digits; the sums of float32 rows are rounded.
    rtol = 1e-4 if dtype == np.float32 else 1e-9
    np.testing.assert_allclose(mixture.means_[:, 0], value, rtol=np.finfo(dtype).eps)
    np.testing.assert_allclose(mixture.means_[:, 1:], expected.means_[:, 1:], rtol=rtol, atol=rtol)
    np.testing.assert_allclose(mixture.weights_, expected.weights_, rtol=rtol)
    assert mixture.lower_bound_ == pytest.approx(expected.lower_bound_, rel=rtol)
    np.testing.assert_array_equal(mixture.predict(X), mixture.fit_predict(X))


def test_a_constant_column_of_huge_values_changes_no_component_of_two_rows():
    X = np.array([[0.0, 1e20], [1.0, 1e20], [8.0, 1e20], [9.0, 1e20]])
    mixtures = [
        GaussianMixture(2, covariance_type="diag", random_state=0).fit(rows)
        for rows in (X, X * [1, 0])
    ]
    assert mixtures[0].lower_bound_ == pytest.approx(mixtures[1].lower_bound_, rel=1e-12)


@pytest.mark.parametrize("weight", [0.3, 1.0, 3.0])
def test_starts_from_single_rows_are_fitted_whatever_the_weights(weight):
    """Their variances are tiny without reg_covar, and not 0, as in scikit-learn."""
    X = np.random.default_rng(0).normal(size=(50, 2)) + np.repeat([[0], [9]], 25, axis=0)
    mixture = GaussianMixture(
        2, init_params="random_from_data", reg_covar=0.0, covariance_type="diag", random_state=0
    )
    mixture.fit(X, sample_weight=np.full(50, weight))
    assert mixture.converged_


@pytest.mark.parametrize("init_params", ["kmeans", "random", "random_from_data"])
@pytest.mark.parametrize("covariance_type", TYPES)
@pytest.mark.parametrize("fill", [1e15, -1e20, 3.4e38])
def test_no_fit_to_float32_rows_with_huge_values_ends_without_numbers(
    fill, covariance_type, init_params
):
    """Squares over variances overflow float32 there: all responsibilities would be lost."""
    rng = np.random.default_rng(0)
    X = (rng.normal(size=(300, 2)) + np.repeat([[0], [9], [0]], 100, axis=0)).astype(np.float32)
    X[::10, 0] = fill
    mixture = GaussianMixture(
        3, covariance_type=covariance_type, init_params=init_params, random_state=0, tol=1.0
    )
    try:
        mixture.fit(X)
    except ValueError as error:
        # A variance of 1e40 is above the largest float32, and with 1e30 a tied one is singular.
        assert abs(fill) > 1e15 or covariance_type == "tied"
        assert str(error).startswith(  # noqa: PT017
            ("Covariances or precisions are", "Fitting the mixture", "The likelihood of some rows")
        )
        return
    assert np.isfinite(mixture.lower_bound_)
    for name in ("weights_", "means_", "covariances_", "precisions_", "precisions_cholesky_"):
        values = getattr(mixture, name)
        assert np.isfinite(values).all()
        assert values.dtype == np.float32
    np.testing.assert_allclose(mixture.predict_proba(X).sum(axis=1), 1, rtol=1e-5)


def test_a_likelihood_that_is_no_number_is_an_error():
    X = np.random.default_rng(0).normal(size=(50, 2))
    mixture = GaussianMixture(
        2, means_init=[[1e200, 0], [-1e200, 0]], weights_init=[0.5, 0.5],
        precisions_init=np.full((2, 2), 1e10), covariance_type="diag",
    )  # fmt: skip
    with pytest.raises(ValueError, match="likelihood of some rows is beyond the range of float64"):
        mixture.fit(X)
    assert not hasattr(mixture, "means_")
