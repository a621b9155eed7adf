"""GaussianMixture(missing="ignore"): maximum likelihood of the values that there are."""

import pickle

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.base import clone
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.utils import get_tags

from fastclust import GaussianMixture, MiniBatchGaussianMixture, limit_threads
from fastclust.outliers import confident_labels
from tests import reference

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")

COVARIANCE_TYPES = ["full", "tied", "diag", "spherical"]
PARAMETERS = "weights_", "means_", "covariances_", "precisions_cholesky_"
TOLERANCE = {np.float64: 1e-8, np.float32: 1e-3}  # float32: rounding times values of up to 100


@pytest.fixture(params=COVARIANCE_TYPES)
def covariance_type(request):
    return request.param


def make_rows(n_samples=300, n_features=4, share=0.2, seed=0, dtype=np.float64):
    """Rows of three groups with correlated features, and the same with values missing."""
    rng = np.random.default_rng(seed)
    mixing = rng.normal(size=(n_features, n_features))
    X = rng.normal(size=(n_samples, n_features)) @ mixing + 4 * rng.integers(3, size=(n_samples, 1))
    X = (X + 10).astype(dtype)
    Y = np.where(rng.random(X.shape) < share, np.nan, X).astype(dtype)
    Y[: n_features + 1] = X[: n_features + 1]  # no feature is missing everywhere
    return X, Y


def mixture(covariance_type="full", **options):
    options = {"n_components": 3, "reg_covar": 1e-3, "random_state": 0} | options
    return GaussianMixture(covariance_type=covariance_type, missing="ignore", **options)


def matrices(fitted):
    """Covariances as a matrix for each component."""
    k, d = fitted.means_.shape
    values = fitted.covariances_.astype(np.float64)
    if fitted.covariance_type in ("full", "tied"):
        return np.broadcast_to(values, (k, d, d))
    return np.broadcast_to(values.reshape(k, -1), (k, d))[:, :, np.newaxis] * np.eye(d)


def parameters(fitted):
    """Weights, means and covariance matrices in float64."""
    return fitted.weights_.astype(np.float64), fitted.means_.astype(np.float64), matrices(fitted)


def assert_equal(one, other, **tolerance):
    for name in PARAMETERS:
        values = getattr(one, name), getattr(other, name)
        np.testing.assert_allclose(*values, err_msg=name, **tolerance)


# -- against a naive twin ------------------------------------------------------------------------


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
@pytest.mark.parametrize(
    ("n_samples", "n_features", "share"), [(90, 1, 0.1), (60, 2, 0.4), (150, 9, 0.5)]
)
def test_iteration_is_the_twins(covariance_type, dtype, n_samples, n_features, share):
    _, X = make_rows(n_samples, n_features, share, dtype=dtype)
    sample_weight = np.random.default_rng(1).integers(1, 4, n_samples).astype(np.float64)
    before = mixture(covariance_type, max_iter=1).fit(X, sample_weight=sample_weight)
    after = mixture(covariance_type, max_iter=2).fit(X, sample_weight=sample_weight)
    known = ~np.isnan(X).all(axis=1)
    expected = reference.observed_em_step(
        X[known], sample_weight[known], *parameters(before), covariance_type, 1e-3
    )
    for values, wanted in zip(parameters(after), expected, strict=True):
        np.testing.assert_allclose(values, wanted, rtol=TOLERANCE[dtype], atol=TOLERANCE[dtype])
    resp, log_density = reference.estimate_pattern_posterior(X, *parameters(after))
    np.testing.assert_allclose(after.predict_proba(X), resp, atol=TOLERANCE[dtype])
    np.testing.assert_allclose(after.score_samples(X), log_density, atol=10 * TOLERANCE[dtype])
    np.testing.assert_array_equal(after.predict(X), after.predict_proba(X).argmax(axis=1))


@settings(deadline=None, max_examples=25)
@given(
    seed=st.integers(0, 1000),
    covariance_type=st.sampled_from(COVARIANCE_TYPES),
    share=st.floats(0.0, 0.7),
)
def test_log_likelihood_never_falls(seed, covariance_type, share):
    _, X = make_rows(120, 3, share, seed)
    fitted = mixture(covariance_type, n_components=2, reg_covar=0.0, max_iter=15, tol=0).fit(X)
    changes = np.diff(fitted.lower_bounds_)
    assert (changes >= -1e-9).all()  # rounding of sums of some hundred log-densities


# -- what it comes to in special cases -----------------------------------------------------------


def test_complete_rows_give_the_bits_of_error(covariance_type):
    X, _ = make_rows()
    one = mixture(covariance_type, n_init=2).fit(X)
    other = clone(one).set_params(missing="error").fit(X)
    for name in PARAMETERS:
        np.testing.assert_array_equal(getattr(one, name), getattr(other, name))
    np.testing.assert_array_equal(one.predict_proba(X), other.predict_proba(X))
    np.testing.assert_array_equal(one.impute(X), X)


def test_threads_change_no_bit(covariance_type):
    _, X = make_rows(30_000, 6)
    fits = []
    for n_threads in 1, 2:
        with limit_threads(n_threads):
            fits.append(mixture(covariance_type, max_iter=3).fit(X))
    for name in (*PARAMETERS, "lower_bound_"):
        np.testing.assert_array_equal(getattr(fits[0], name), getattr(fits[1], name))


def test_order_of_the_rows_is_indifferent(covariance_type):
    _, X = make_rows()
    order = np.random.default_rng(1).permutation(len(X))
    start = {"means_init": [[10.0] * 4, [14.0] * 4, [18.0] * 4], "weights_init": [0.2, 0.3, 0.5]}
    shape = {"full": (3, 4, 4), "tied": (4, 4), "diag": (3, 4), "spherical": (3,)}[covariance_type]
    eye = np.eye(4) if covariance_type in ("full", "tied") else np.ones(shape[-1:])
    start["precisions_init"] = np.broadcast_to(eye, shape)
    one = mixture(covariance_type, max_iter=5, **start).fit(X)
    other = mixture(covariance_type, max_iter=5, **start).fit(X[order])
    assert_equal(one, other, rtol=1e-9, atol=1e-9)
    np.testing.assert_allclose(one.predict_proba(X)[order], one.predict_proba(X[order]), atol=1e-12)


def test_weight_of_two_is_a_row_twice(covariance_type):
    _, X = make_rows()
    twice = np.arange(len(X)) % 3 == 0
    start = {"n_components": 1, "max_iter": 5}  # which starts from all rows
    one = mixture(covariance_type, **start).fit(X, sample_weight=1.0 + twice)
    other = mixture(covariance_type, **start).fit(np.concatenate([X, X[twice]]))
    assert_equal(one, other, rtol=1e-9)
    assert one.bic(X, sample_weight=1.0 + twice) == pytest.approx(
        one.bic(np.concatenate([X, X[twice]])), rel=1e-12
    )


def test_rows_without_values(covariance_type):
    _, X = make_rows()
    X = X[~np.isnan(X).all(axis=1)]
    more = np.concatenate([X, np.full((7, 4), np.nan)])
    one, other = mixture(covariance_type).fit(X), mixture(covariance_type).fit(more)
    for name in PARAMETERS:
        np.testing.assert_array_equal(getattr(one, name), getattr(other, name))
    assert one.lower_bound_ == other.lower_bound_
    np.testing.assert_array_equal(one.score_samples(more)[-7:], 0)
    np.testing.assert_allclose(one.predict_proba(more)[-7:], [one.weights_] * 7, rtol=1e-12)
    np.testing.assert_array_equal(one.predict(more)[-7:], one.weights_.argmax())
    assert one.score(more) == pytest.approx(one.score_samples(more).mean())
    for criterion in "bic", "aic", "icl":
        assert getattr(one, criterion)(more) == pytest.approx(getattr(one, criterion)(X), rel=1e-12)
    np.testing.assert_allclose(one.impute(more)[-7:], [one.weights_ @ one.means_] * 7)
    with pytest.raises(ValueError, match="X has no value"):
        one.bic(more[-7:])


def test_every_row_has_a_pattern_of_its_own():
    rng = np.random.default_rng(0)
    X = rng.normal(size=(256, 8)) @ rng.normal(size=(8, 8))
    X[(np.arange(256)[:, np.newaxis] >> np.arange(8)) & 1 == 1] = np.nan
    fitted = mixture(n_components=2, max_iter=3).fit(X)
    resp, log_density = reference.estimate_pattern_posterior(X, *parameters(fitted))
    np.testing.assert_allclose(fitted.score_samples(X[:-1]), log_density[:-1], atol=1e-9)
    np.testing.assert_allclose(fitted.predict_proba(X), resp, atol=1e-9)


def test_probabilities_of_incomplete_rows_sum_to_one(covariance_type):
    _, X = make_rows(share=0.5)
    fitted = mixture(covariance_type).fit(X)
    np.testing.assert_allclose(fitted.predict_proba(X).sum(axis=1), 1, rtol=1e-12)
    far = X.copy()
    far[:, 0] = 1e170  # whose squares overflow
    np.testing.assert_allclose(fitted.predict_proba(far).sum(axis=1), 1, rtol=1e-9)
    assert set(confident_labels(fitted, X)) <= {-1, 0, 1, 2}
    np.testing.assert_array_equal(clone(fitted).fit_predict(X), fitted.predict(X))


def test_far_rows_have_the_density_of_what_they_have(covariance_type):
    _, X = make_rows()
    fitted = mixture(covariance_type).fit(X)
    far = np.array([[1e9, np.nan, 0.0, 0.0]])  # whose square is too large for its digits
    weights, means, covariances = parameters(fitted)
    resp, log_density = reference.estimate_pattern_posterior(far, weights, means, covariances)
    np.testing.assert_allclose(fitted.score_samples(far), log_density, rtol=1e-9)
    assert fitted.predict(far) == resp.argmax()


def test_unit_of_the_rows_is_indifferent(covariance_type):
    _, X = make_rows()
    one = mixture(covariance_type, reg_covar=0.0, max_iter=4).fit(X)
    other = mixture(covariance_type, reg_covar=0.0, max_iter=4).fit(np.ldexp(X, 450))
    np.testing.assert_allclose(np.ldexp(other.means_, -450), one.means_, rtol=1e-9)
    log_unit = 450 * np.log(2) * (~np.isnan(X)).sum() / (~np.isnan(X).all(axis=1)).sum()
    assert other.lower_bound_ == pytest.approx(one.lower_bound_ - log_unit, rel=1e-9)


def test_recovers_more_than_means_in_the_place_of_missing_values():
    X, Y = make_rows(20_000, 4, 0.3)
    wanted = np.cov(X.T)
    filled = np.where(np.isnan(Y), np.nanmean(Y, axis=0), Y)
    errors = [
        np.abs(mixture(n_components=1, tol=1e-6).fit(rows).covariances_[0] - wanted).max()
        for rows in (Y, filled)
    ]
    assert errors[0] < 0.2 * errors[1]


def test_starts_of_every_kind_and_warm_start(covariance_type):
    _, X = make_rows()
    for init_params in "kmeans", "k-means++", "random", "random_from_data":
        fitted = mixture(covariance_type, init_params=init_params, max_iter=4).fit(X)
        assert np.isfinite(fitted.lower_bound_)
    in_two = mixture(covariance_type, max_iter=2, tol=0, warm_start=True).fit(X).fit(X)
    at_once = mixture(covariance_type, max_iter=4, tol=0).fit(X)
    assert_equal(in_two, at_once, rtol=1e-9)


# -- impute --------------------------------------------------------------------------------------


def test_impute_gives_conditional_means(covariance_type):
    _, X = make_rows(80, 4, 0.4)
    fitted = mixture(covariance_type).fit(X)
    weights, means, covariances = parameters(fitted)
    resp, _ = reference.estimate_pattern_posterior(X, weights, means, covariances)
    completed = np.array(
        [
            [reference.complete_row(x, m, c)[0] for m, c in zip(means, covariances, strict=True)]
            for x in X
        ]
    )
    expected = np.einsum("ij,ijf->if", resp, completed)
    np.testing.assert_allclose(fitted.impute(X), expected, rtol=1e-9)
    np.testing.assert_array_equal(fitted.impute(X)[~np.isnan(X)], X[~np.isnan(X)])


def test_draws_have_the_conditional_moments():
    _, X = make_rows(80, 4, 0.4)
    fitted = mixture(n_components=1).fit(X)
    row = X[0].copy()
    row[[1, 3]] = np.nan
    drawn = fitted.impute(np.tile(row, (40_000, 1)), draw=True, random_state=0)
    mean, covariance = reference.complete_row(row, fitted.means_[0], fitted.covariances_[0])
    # Five standard errors of the mean; 5 % is as much for variances.
    tolerance = 5 * np.sqrt(np.diagonal(covariance).max() / len(drawn))
    np.testing.assert_allclose(drawn.mean(axis=0), mean, atol=tolerance)
    np.testing.assert_allclose(np.cov(drawn.T), covariance, atol=0.05 * covariance.max())


def test_draws_are_of_the_components():
    X = np.array([[0.0, 0.0], [0.1, 0.2], [0.2, 0.1], [0.0, 9.0], [0.1, 9.2], [0.2, 9.1]])
    fitted = mixture(n_components=2).fit(X)
    row = np.tile([0.1, np.nan], (2000, 1))
    assert fitted.impute(row)[0, 1] == pytest.approx(4.6, abs=0.2)
    drawn = fitted.impute(row, draw=True, random_state=0)
    assert ((np.abs(drawn[:, 1] - 0.1) < 1) | (np.abs(drawn[:, 1] - 9.1) < 1)).all()
    np.testing.assert_array_equal(fitted.impute(row, draw=True, random_state=0), drawn)


# -- inputs and errors ---------------------------------------------------------------------------


def test_nan_is_an_error_by_default():
    _, X = make_rows()
    with pytest.raises(ValueError, match="Input X contains NaN"):
        GaussianMixture().fit(X)
    with pytest.raises(ValueError, match="'missing' parameter of GaussianMixture must be a str"):
        GaussianMixture(missing="mean").fit(X)
    assert not get_tags(GaussianMixture()).input_tags.allow_nan
    assert get_tags(mixture()).input_tags.allow_nan


def test_infinity_is_an_error():
    _, X = make_rows()
    fitted = mixture().fit(X)
    X[5, 2] = np.inf
    for method in fitted.fit, fitted.predict, fitted.impute:
        with pytest.raises(ValueError, match="Input X contains infinity"):
            method(X)
    assert fitted.converged_


def test_a_feature_without_values_is_named():
    _, X = make_rows()
    fitted = mixture().fit(X)
    before = fitted.means_
    X[:, 2] = np.nan
    with pytest.raises(ValueError, match=r"Feature 2 has no value: it is missing in all rows"):
        fitted.fit(X)
    assert fitted.means_ is before
    with pytest.raises(ValueError, match=r"Feature 2 \('age'\) has no value"):
        mixture().fit(pd.DataFrame(X, columns=["a", "b", "age", "c"]))
    assert np.isfinite(fitted.predict_proba(X)).all()  # new rows may lack it
    with pytest.raises(ValueError, match="Expected n_samples >= n_components"):
        mixture(n_components=3).fit([[1.0, 2.0], [2.0, 1.0], [np.nan, np.nan]])


def test_batches_must_be_complete():
    X, Y = make_rows()
    with pytest.raises(ValueError, match="Input X contains NaN"):
        mixture().partial_fit(Y)
    fitted = mixture().partial_fit(X)
    with pytest.raises(ValueError, match="Input X contains NaN"):
        fitted.partial_fit(Y)
    with pytest.raises(ValueError, match="Input X contains NaN"):
        MiniBatchGaussianMixture().fit(Y)


def test_frames():
    _, X = make_rows()
    expected = mixture().fit(X)
    frame = pd.DataFrame(X, columns=list("abcd"))
    for rows in frame, frame.convert_dtypes(), frame.astype("Float64"):
        assert_equal(mixture().fit(rows), expected, rtol=0)
        np.testing.assert_array_equal(mixture().fit(rows).impute(rows), expected.impute(X))
    polars = pytest.importorskip("polars")
    nulls = polars.DataFrame({str(f): polars.Series(X[:, f], nan_to_null=True) for f in range(4)})
    assert nulls["1"].null_count() > 0
    assert_equal(mixture().fit(nulls), expected, rtol=0)


def test_pipeline_pickle_and_clone():
    _, X = make_rows()
    pipeline = make_pipeline(StandardScaler(), mixture()).fit(X)
    again = pickle.loads(pickle.dumps(pipeline))
    np.testing.assert_array_equal(again.predict_proba(X), pipeline.predict_proba(X))
    assert clone(pipeline)[-1].missing == "ignore"
