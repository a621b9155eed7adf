"""GaussianMixture: what it promises beyond scikit-learn's answers."""

import pickle
import warnings

import numpy as np
import pandas as pd
import pytest
import sklearn.mixture
from scipy.stats import multivariate_normal
from sklearn.base import clone
from sklearn.exceptions import ConvergenceWarning, NotFittedError

from fastclust import GaussianMixture
from fastclust._algorithms.rows import panels
from fastclust.exceptions import SingularCovarianceError

COVARIANCE_TYPES = ["full", "tied", "diag", "spherical"]


def blobs(n_samples=600, n_features=3, n_blobs=3, spread=3.0):
    rng = np.random.default_rng(0)
    centers = spread * rng.normal(size=(n_blobs, n_features))
    return rng.normal(size=(n_samples, n_features)) + centers[rng.integers(n_blobs, size=n_samples)]


def fit(X, n_components=3, sample_weight=None, **options):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        options = {"random_state": 0} | options
        return GaussianMixture(n_components, **options).fit(X, sample_weight=sample_weight)


@pytest.fixture(params=COVARIANCE_TYPES)
def covariance_type(request):
    return request.param


def given_start(covariance_type):
    """Options that leave nothing to the draws."""
    model = fit(blobs(), covariance_type=covariance_type, max_iter=1)
    return {
        "covariance_type": covariance_type,
        "weights_init": np.full(3, 1 / 3),
        "means_init": model.means_,
        "precisions_init": model.precisions_,
        "max_iter": 10,
        "tol": 0,
    }


def assert_close(a, b, rtol):
    for name in ("weights_", "means_", "covariances_", "precisions_cholesky_", "lower_bounds_"):
        expected = np.asarray(getattr(b, name))
        scale = np.abs(expected).max()
        np.testing.assert_allclose(getattr(a, name), expected, rtol=rtol, atol=rtol * scale)


# -- sample_weight -------------------------------------------------------------------------------


def test_integer_weight_is_repeated_row(covariance_type):
    X, options = blobs(), given_start(covariance_type)
    weights = np.random.default_rng(1).integers(0, 4, size=len(X))
    weighted = fit(X, sample_weight=weights, **options)
    repeated = fit(np.repeat(X, weights, axis=0), **options)
    # Sums of the same terms in another order, relative to another mean, over 10 iterations.
    assert_close(weighted, repeated, rtol=1e-9)
    rows = np.repeat(X, weights, axis=0)
    for name in ("score", "bic", "aic", "icl"):
        with_weights = getattr(weighted, name)(X, sample_weight=weights)
        # Sums of some 900 log-densities in another order.
        assert with_weights == pytest.approx(getattr(weighted, name)(rows), rel=1e-12)


@pytest.mark.parametrize("init_params", ["kmeans", "k-means++", "random_from_data"])
def test_rows_without_weight_are_never_drawn(init_params):
    X = blobs()
    X[::2] += 1e6
    weights = np.tile([0.0, 1.0], len(X) // 2)
    model = fit(X, sample_weight=weights, init_params=init_params)
    assert np.abs(model.means_).max() < 100


def test_equal_weights_change_nothing(covariance_type):
    X = blobs()
    plain = fit(X, covariance_type=covariance_type)
    for weight in (1.0, 8.0, 2.0**-40):
        weighted = fit(X, sample_weight=np.full(len(X), weight), covariance_type=covariance_type)
        # The seeds' draws by weight and without weights are equal but for rounding.
        assert_close(weighted, plain, rtol=1e-9)


@pytest.mark.parametrize(
    "weights", [-np.ones(600), np.zeros(600), np.ones(5), np.full(600, np.nan)]
)
def test_bad_weights_are_an_error(weights):
    with pytest.raises(ValueError, match=r"weight"):
        GaussianMixture(3).fit(blobs(), sample_weight=weights)


# -- criteria ------------------------------------------------------------------------------------


def test_icl_is_bic_with_entropy(covariance_type):
    X = blobs(spread=1.0)
    model = fit(X, covariance_type=covariance_type)
    resp = model.predict_proba(X)
    entropy = -np.sum(resp * np.log(np.maximum(resp, 1e-300)))
    # Sums over 600 rows in another order.
    assert model.icl(X) == pytest.approx(model.bic(X) + 2 * entropy, rel=1e-12)
    assert entropy > 1


# -- singular covariances ------------------------------------------------------------------------


def test_singular_components_recover_when_asked_to(covariance_type):
    X = np.vstack([np.zeros((50, 2)), blobs(200, 2, 2) + 20])
    if covariance_type == "tied":
        X[:, 1] = 0.0  # no variance at all in one feature
    options = {"covariance_type": covariance_type, "reg_covar": 0.0, "random_state": 0}
    with pytest.raises(ValueError, match="ill-defined empirical covariance"):
        GaussianMixture(3, **options).fit(X)
    with pytest.warns(RuntimeWarning, match="reg_covar was raised") as caught:
        model = GaussianMixture(3, on_singular="regularize", **options).fit(X)
    assert caught[0].filename == __file__
    assert np.isfinite(model.score(X))
    assert (model.reg_covar_ > 0).sum() == (3 if covariance_type == "tied" else 1)
    assert model.reg_covar_.max() < 1e-6 * X.var()


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("method", ["fit", "fit_predict"])
def test_singular_covariances_are_an_error_of_their_own(dtype, method):
    """In scikit-learn a ValueError of the same words."""
    rows = np.zeros((9, 2), dtype=dtype)
    with pytest.raises(SingularCovarianceError) as ours:
        getattr(GaussianMixture(reg_covar=0.0), method)(rows)
    with pytest.raises(ValueError, match="ill-defined") as theirs:
        getattr(sklearn.mixture.GaussianMixture(reg_covar=0.0), method)(rows)
    assert str(ours.value) == str(theirs.value)
    again = pickle.loads(pickle.dumps(ours.value))
    assert type(again) is SingularCovarianceError
    assert again.args == ours.value.args


def test_reg_covar_is_recorded():
    np.testing.assert_array_equal(fit(blobs(), reg_covar=1e-4).reg_covar_, np.full(3, 1e-4))


# -- accuracy ------------------------------------------------------------------------------------


def test_float32_variances_stay_positive(covariance_type):
    """Of scikit-learn's issue 30382: a variance that is small beside the square of the mean."""
    rng = np.random.default_rng(0)
    X = (1000 + 0.01 * rng.normal(size=(500, 3))).astype(np.float32)
    model = fit(X, 2, covariance_type=covariance_type, reg_covar=0.0)
    assert (
        (np.linalg.eigvalsh(model.covariances_) > 0).all()
        if model.covariances_.ndim > 1 and (covariance_type in ("full", "tied"))
        else (model.covariances_ > 0).all()
    )
    # The rows themselves are rounded to 6e-5, 0.6 % of the deviation.
    variances = X.astype(np.float64).var(axis=0)
    total = model.weights_ @ model.means_.astype(np.float64)
    # The means and weights are float32 numbers.
    rel = 8 * float(np.finfo(np.float32).eps)
    assert total == pytest.approx(X.mean(axis=0, dtype=np.float64), rel=rel)
    assert (
        model.score(X)
        > multivariate_normal(X.mean(axis=0), np.diag(variances)).logpdf(X).mean() - 1
    )


def exact_log_density(x, mean, factor):
    """log N(x; mean, (U U')^-1) with 60 digits."""
    from mpmath import log, matrix, mp, mpf, pi

    with mp.workdps(60):
        d = len(mean)
        difference = matrix([mpf(float(a)) - mpf(float(b)) for a, b in zip(x, mean, strict=True)])
        y = matrix(factor.tolist()).T * difference
        log_det = sum(log(mpf(float(factor[f, f]))) for f in range(d))
        return float(log_det - d * log(2 * pi) / 2 - sum(v * v for v in y) / 2)


def test_log_density_of_ill_conditioned_covariance_is_accurate():
    """Of scikit-learn's issue 29989: U'x - U'mean cancels, U'(x - mean) does not."""
    rng = np.random.default_rng(0)
    d = 6
    rotation = np.linalg.qr(rng.normal(size=(d, d)))[0]
    covariance = (rotation * np.logspace(-10, 2, d)) @ rotation.T
    mean = 1e3 * rng.normal(size=d)
    X = rng.multivariate_normal(mean, covariance, size=30)
    factor = np.linalg.inv(np.linalg.cholesky((covariance + covariance.T) / 2)).T
    errors = []
    for estimator in (sklearn.mixture.GaussianMixture, GaussianMixture):
        model = estimator(1)
        model.weights_, model.means_ = np.ones(1), mean[np.newaxis]
        model.precisions_cholesky_ = factor[np.newaxis]
        exact = [exact_log_density(x, mean, factor) for x in X]
        errors.append(np.abs(model.score_samples(X) - exact).max())
    theirs, ours = errors
    assert ours < theirs / 100


# -- the estimator -------------------------------------------------------------------------------


@pytest.mark.parametrize("options", [{}, {"max_iter": 1}, {"n_init": 3, "init_params": "random"}])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_fit_predict_is_fit_and_predict(covariance_type, dtype, options):
    X = blobs(spread=0.5).astype(dtype)
    model = fit(X, covariance_type=covariance_type, **options)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        labels = clone(model).fit_predict(X)
    np.testing.assert_array_equal(labels, model.predict(X))
    assert labels.dtype == np.int64


@pytest.mark.filterwarnings("ignore:Number of distinct clusters")
def test_failed_fit_leaves_the_estimator_as_it_was():
    model = fit(blobs())
    before = pickle.dumps(vars(model))
    for X, message in (
        (blobs(n_features=2) * np.nan, "contains NaN"),
        (np.zeros((50, 4)), "ill-defined empirical covariance"),
        (blobs()[:2], "n_samples >= n_components"),
    ):
        with pytest.raises(ValueError, match=message):
            model.set_params(reg_covar=0.0).fit(X)
        model.set_params(reg_covar=1e-6)
    assert pickle.dumps(vars(model)) == before


OTHER_SHAPES = {
    "two components": ({"n_components": 2}, 3),
    "fewer features": ({}, 2),
    "more features": ({}, 4),
    "another covariance type": ({"covariance_type": "another"}, 3),
}


@pytest.mark.parametrize("case", OTHER_SHAPES)
@pytest.mark.parametrize("n_components", [1, 3])  # an array of 1 can be stretched to any number
def test_warm_start_needs_components_of_the_same_shape(covariance_type, n_components, case):
    options, n_features = OTHER_SHAPES[case]
    another = "full" if covariance_type == "spherical" else "spherical"
    options = {name: another if value == "another" else value for name, value in options.items()}
    model = fit(blobs(), n_components, covariance_type=covariance_type, warm_start=True)
    before = model.means_
    with pytest.raises(ValueError, match="warm_start goes on from"):
        model.set_params(**options).fit(blobs(n_features=n_features))
    assert model.means_ is before


def test_parameters_set_by_hand_are_enough_to_predict(covariance_type):
    fitted = fit(blobs(), covariance_type=covariance_type)
    model = GaussianMixture(3, covariance_type=covariance_type)
    with pytest.raises(NotFittedError):
        model.predict(blobs())
    for name in ("weights_", "means_", "precisions_cholesky_"):
        setattr(model, name, getattr(fitted, name))
    np.testing.assert_array_equal(model.predict(blobs()), fitted.predict(blobs()))


def test_rows_may_come_in_any_form():
    X = np.round(blobs(), 2)
    expected = fit(X)
    forms = [np.asfortranarray(X), np.repeat(X, 2, axis=0)[::2], pd.DataFrame(X), X.tolist()]
    X.setflags(write=False)
    for form in [*forms, X]:
        model = fit(form)
        np.testing.assert_array_equal(model.means_, expected.means_)
    integers = (10 * X).astype(np.int32)
    np.testing.assert_array_equal(fit(integers).means_, fit(integers.astype(float)).means_)


def test_names_of_columns_are_kept():
    frame = pd.DataFrame(blobs(), columns=["a", "b", "c"])
    model = fit(frame)
    assert list(model.feature_names_in_) == ["a", "b", "c"]
    model.predict(frame)


def test_pickle_and_clone():
    model = fit(blobs())
    again = pickle.loads(pickle.dumps(model))
    np.testing.assert_array_equal(again.predict_proba(blobs()), model.predict_proba(blobs()))
    assert clone(model).get_params() == model.get_params()


def test_blocks_of_rows_are_answered_as_one(covariance_type):
    model = fit(blobs(), covariance_type=covariance_type)
    X = np.tile(blobs(1000), (500, 1))
    assert X.nbytes > 2 * panels.BLOCK_BYTES
    for ask in (model.predict, model.predict_proba, model.score_samples):
        np.testing.assert_array_equal(ask(X), np.tile(ask(X[:1000]).T, 500).T)
    once, penalty = model.icl(X[:1000]), model._n_parameters()
    expected = 500 * (once - penalty * np.log(1000)) + penalty * np.log(len(X))
    # The worst rounding of a sum over so many rows.
    assert model.icl(X) == pytest.approx(expected, rel=8 * len(X) * float(np.finfo(float).eps))


def test_log_likelihood_never_falls(covariance_type):
    X = blobs(spread=0.7)
    model = fit(X, 5, covariance_type=covariance_type, tol=0, max_iter=40, reg_covar=0.0)
    steps = np.diff(model.lower_bounds_)
    assert steps.min() > -1e-12  # rounding of a mean of 600 numbers near 5


def test_responsibilities_sum_to_one(covariance_type):
    for dtype in (np.float32, np.float64):
        model = fit(blobs(spread=0.5).astype(dtype), 7, covariance_type=covariance_type)
        resp = model.predict_proba(blobs(spread=20).astype(dtype))
        # Seven products with one rounded reciprocal.
        np.testing.assert_allclose(resp.sum(axis=1), 1, rtol=8 * np.finfo(dtype).eps)
        assert (resp >= 0).all()


def test_translation_and_scaling_move_the_components_along(covariance_type):
    X, options = blobs(), given_start(covariance_type)
    model = fit(X, **options, reg_covar=0.0)
    options |= {"means_init": options["means_init"] * 4 + 1024}
    options |= {"precisions_init": options["precisions_init"] / 16}
    moved = fit(X * 4 + 1024, **options, reg_covar=0.0)
    # X * 4 + 1024 is rounded by 1e-13, which changes squares of differences of up to 50 by 1e-11.
    np.testing.assert_allclose(moved.means_, model.means_ * 4 + 1024, rtol=0, atol=1e-11)
    np.testing.assert_allclose(moved.covariances_, model.covariances_ * 16, rtol=0, atol=1e-11)
    np.testing.assert_array_equal(moved.predict(X * 4 + 1024), model.predict(X))


def test_order_of_rows_changes_only_rounding(covariance_type):
    X, options = blobs(5000), given_start(covariance_type)
    order = np.random.default_rng(2).permutation(len(X))
    assert_close(fit(X[order], **options), fit(X, **options), rtol=1e-9)


# -- sample --------------------------------------------------------------------------------------


@pytest.mark.parametrize("seed", range(20))
def test_weights_in_float32_are_sampled_from(covariance_type, seed):
    """Rounded to float32 the weights of many components do not sum to 1 in float64."""
    rng = np.random.default_rng(seed)
    k = 8
    centers = 20.0 * np.arange(k)[:, np.newaxis] * np.ones(2)
    labels = np.repeat(np.arange(k), rng.integers(20, 400, size=k))
    X = (centers[labels] + rng.normal(size=(len(labels), 2))).astype(np.float32)
    for last in (1.0, 1e-9):  # the rest of the sum goes to the last component
        weights = np.where(labels == k - 1, last, rng.uniform(0.5, 2, len(X)))
        model = fit(X, k, weights, covariance_type=covariance_type, means_init=centers)
        rows, drawn = model.sample(2000)
        assert rows.shape == (2000, 2)
        shares = np.bincount(drawn, minlength=k) / 2000
        np.testing.assert_allclose(shares, model.weights_, atol=0.06)


def test_draws_in_float64_are_scikit_learns_to_the_bit():
    X = blobs()
    model = fit(X, 3)
    theirs = sklearn.mixture.GaussianMixture(3, random_state=0).fit(X)
    for name in ("weights_", "means_", "covariances_"):
        setattr(theirs, name, getattr(model, name))
    for ours, expected in zip(model.sample(500), theirs.sample(500), strict=True):
        np.testing.assert_array_equal(ours, expected)
