"""BayesianGaussianMixture: what it promises beyond scikit-learn's answers."""

import copy
import math
import pickle
import warnings

import numpy as np
import pandas as pd
import pytest
import sklearn.mixture
from hypothesis import given
from hypothesis import strategies as st
from scipy.special import betaln, entr, gammaln
from sklearn.base import clone
from sklearn.exceptions import ConvergenceWarning, NotFittedError

from fastclust import BayesianGaussianMixture
from fastclust._algorithms.mixture.bayesian import VariationalMStep
from fastclust.exceptions import SingularCovarianceError

COVARIANCE_TYPES = ["full", "tied", "diag", "spherical"]
PRIOR_TYPES = ["dirichlet_process", "dirichlet_distribution"]
NAMES = (
    "weights_", "weight_concentration_", "mean_precision_", "means_", "degrees_of_freedom_",
    "covariances_", "precisions_cholesky_", "lower_bounds_",
)  # fmt: skip


def blobs(n_samples=600, n_features=3, n_blobs=3, spread=3.0):
    rng = np.random.default_rng(0)
    centers = spread * rng.normal(size=(n_blobs, n_features))
    return rng.normal(size=(n_samples, n_features)) + centers[rng.integers(n_blobs, size=n_samples)]


def fit(X, n_components=4, sample_weight=None, **options):
    options = {"random_state": 0} | options
    model = BayesianGaussianMixture(n_components=n_components, **options)
    return fit_on(model, X, sample_weight)


def fit_on(model, X, sample_weight=None, **options):
    """Fit, as it may be on from the last fit."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        weights = {} if sample_weight is None else {"sample_weight": sample_weight}
        return model.set_params(**options).fit(X, **weights)


def started(X, **options):
    """A model whose next fits begin with the same posterior, whatever the rows: copy it."""
    return fit(X, **({"max_iter": 2, "warm_start": True} | options)).set_params(tol=0, max_iter=10)


@pytest.fixture(params=COVARIANCE_TYPES)
def covariance_type(request):
    return request.param


@pytest.fixture(params=PRIOR_TYPES)
def prior_type(request):
    return request.param


def assert_close(a, b, rtol, names=NAMES):
    for name in names:
        found, expected = np.asarray(getattr(a, name)), np.asarray(getattr(b, name))
        atol = rtol * np.abs(expected).max()
        np.testing.assert_allclose(found, expected, rtol=rtol, atol=atol, err_msg=name)


# -- the lower bound -----------------------------------------------------------------------------


def bound_beside_entropy(model):
    """The lower bound of scikit-learn without the entropy, by its formula (Bishop 10.70)."""
    k, d = model.means_.shape
    freedom = np.broadcast_to(model.degrees_of_freedom_, k)
    matrices = {
        "full": lambda P: P,
        "tied": lambda P: np.broadcast_to(P, (k, d, d)),
        "diag": lambda P: P[:, :, np.newaxis] * np.eye(d),
        "spherical": lambda P: P[:, np.newaxis, np.newaxis] * np.eye(d),
    }[model.covariance_type](model.precisions_)
    total = 0.0
    for v, P in zip(freedom, matrices, strict=True):
        log_det = np.linalg.slogdet(P / v)[1]
        total += v * (log_det + d * np.log(2)) / 2 + gammaln((v - np.arange(d)) / 2).sum()
    if model.weight_concentration_prior_type == "dirichlet_process":
        total += betaln(*model.weight_concentration_).sum()
    else:
        a = model.weight_concentration_
        total += gammaln(a).sum() - gammaln(a.sum())
    return total - d * np.log(model.mean_precision_).sum() / 2


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("spread", [0.0, 1.0, 100.0])  # all rows shared, some, none
@pytest.mark.parametrize("weighted", [False, True])
def test_entropy_of_the_bound_is_that_of_the_responsibilities(
    covariance_type, prior_type, spread, dtype, weighted
):
    X = blobs(spread=spread).astype(dtype)
    weights = np.random.default_rng(1).uniform(0, 2, len(X)) if weighted else None
    options = {"covariance_type": covariance_type, "weight_concentration_prior_type": prior_type}
    before = fit(X, 5, weights, max_iter=0, **options)
    after = fit(X, 5, weights, max_iter=1, **options)
    entropies = entr(before.predict_proba(X)).sum(axis=1)
    entropy = entropies.sum() if weights is None else weights @ entropies
    # In float64 some 1e4 times the rounding error of the terms that cancel, which are as large as
    # the bound; in float32 the same of each row's log-densities, of both signs.
    expected, rtol = bound_beside_entropy(after) + entropy, 1e-11 if dtype == np.float64 else 1e-4
    assert after.lower_bound_ == pytest.approx(expected, rel=rtol)


def test_lower_bound_never_falls(covariance_type, prior_type):
    options = {"covariance_type": covariance_type, "weight_concentration_prior_type": prior_type}
    model = fit(blobs(spread=0.7), 6, tol=0, max_iter=60, reg_covar=0.0, **options)
    # Rounding of sums of 600 numbers near 5.
    assert np.diff(model.lower_bounds_).min() > -1e-10 * abs(model.lower_bound_)


# -- sample_weight -------------------------------------------------------------------------------


def test_integer_weight_is_repeated_row(covariance_type, prior_type):
    options = {"covariance_type": covariance_type, "weight_concentration_prior_type": prior_type}
    X = blobs()
    model = started(X, **options)
    weights = np.random.default_rng(1).integers(0, 4, size=len(X))
    weighted = fit_on(copy.deepcopy(model), X, weights)
    repeated = fit_on(copy.deepcopy(model), np.repeat(X, weights, axis=0))
    # Sums of the same terms in another order, relative to another mean, over 10 iterations.
    names = (*NAMES, "mean_prior_", "covariance_prior_")
    assert_close(weighted, repeated, rtol=1e-9, names=names)
    score = repeated.score(np.repeat(X, weights, axis=0))
    assert weighted.score(X, sample_weight=weights) == pytest.approx(score, rel=1e-9)


@given(st.integers(0, 2**32), st.sampled_from(COVARIANCE_TYPES), st.sampled_from(PRIOR_TYPES))
def test_any_integer_weights_are_repeated_rows(seed, covariance_type, prior_type):
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(int(rng.integers(5, 60)), int(rng.integers(1, 5))))
    weights = rng.integers(0, 3, size=len(X))
    weights[:3] = 1
    options = {"covariance_type": covariance_type, "weight_concentration_prior_type": prior_type}
    model = started(X, n_components=2, init_params="random", **options)
    weighted = fit_on(copy.deepcopy(model), X, weights)
    repeated = fit_on(model, np.repeat(X, weights, axis=0))
    assert_close(weighted, repeated, rtol=1e-7)


@pytest.mark.parametrize("init_params", ["kmeans", "k-means++", "random_from_data"])
def test_rows_without_weight_are_absent(init_params):
    X = blobs()
    X[::2] += 1e6
    weights = np.tile([0.0, 1.0], len(X) // 2)
    model = fit(X, sample_weight=weights, init_params=init_params)
    expected = fit(X[1::2], init_params=init_params, sample_weight=weights[1::2])
    assert np.abs(model.means_).max() < 100
    assert_close(model, expected, rtol=1e-12)


def test_weights_of_one_change_nothing(covariance_type):
    X = blobs()
    plain = fit(X, covariance_type=covariance_type)
    # The seeds' draws by weight and without weights are equal but for rounding.
    weighted = fit(X, sample_weight=np.ones(len(X)), covariance_type=covariance_type)
    assert_close(weighted, plain, rtol=1e-9)


@pytest.mark.parametrize(
    "weights", [-np.ones(600), np.zeros(600), np.ones(5), np.full(600, np.nan)]
)
def test_bad_weights_are_an_error(weights):
    with pytest.raises(ValueError, match=r"weight"):
        BayesianGaussianMixture().fit(blobs(), sample_weight=weights)


def test_a_covariance_needs_weights_of_more_than_one_row(covariance_type):
    weights = np.full(600, 1 / 600)
    with pytest.raises(ValueError, match="must sum to more than 1 for the default"):
        fit(blobs(), sample_weight=weights, covariance_type=covariance_type)
    prior = fit(blobs(), covariance_type=covariance_type).covariance_prior_
    model = fit(
        blobs(), sample_weight=weights, covariance_type=covariance_type, covariance_prior=prior
    )
    assert np.isfinite(model.lower_bound_)
    # One row's worth of responsibilities beside priors worth a row each.
    assert model.mean_precision_.sum() == pytest.approx(5)


# -- singular covariances ------------------------------------------------------------------------


@pytest.mark.parametrize("covariance_type", ["full", "tied", "diag"])
def test_singular_components_recover_when_asked_to(covariance_type):
    X = blobs(200, 2, 2)
    X[:, 1] = 0.0  # no variance at all in one feature
    options = {"covariance_type": covariance_type, "reg_covar": 0.0, "init_params": "random"}
    with pytest.raises(SingularCovarianceError, match="ill-defined empirical covariance"):
        fit(X, **options)
    with pytest.warns(RuntimeWarning, match="reg_covar was raised") as caught:
        model = fit(X, on_singular="regularize", **options)
    assert caught[0].filename == __file__
    assert np.isfinite(model.score(X))
    assert (model.reg_covar_ > 0).all()
    assert model.reg_covar_.max() < 1e-6 * X.var()


def test_reg_covar_is_recorded():
    np.testing.assert_array_equal(fit(blobs(), reg_covar=1e-4).reg_covar_, np.full(4, 1e-4))


# -- units and ranges ----------------------------------------------------------------------------


def test_translation_moves_the_components_along(covariance_type, prior_type):
    options = {"covariance_type": covariance_type, "weight_concentration_prior_type": prior_type}
    X = blobs()
    plain = started(X, **options)
    moved = copy.deepcopy(plain)
    moved.means_ = moved.means_ + 1024
    fit_on(plain, X)
    fit_on(moved, X + 1024)
    # X + 1024 is rounded by 1e-13, which changes squares of differences of up to 50 by 1e-11.
    np.testing.assert_allclose(moved.means_, plain.means_ + 1024, rtol=0, atol=1e-10)
    names = [name for name in NAMES if name != "means_"]
    assert_close(moved, plain, rtol=1e-9, names=names)


UNITS = [
    *((np.float32, exponent) for exponent in (-60, 40, 60)),
    *((np.float64, exponent) for exponent in (-480, -300, 40, 300, 480)),
]


@pytest.mark.parametrize(("dtype", "exponent"), UNITS)
@pytest.mark.parametrize("given_priors", [False, True])
def test_rows_in_any_unit(covariance_type, dtype, exponent, given_priors):
    X = blobs(200).astype(dtype)
    priors = fit(X, covariance_type=covariance_type, max_iter=0)
    options, scaled = ({"covariance_type": covariance_type, "max_iter": 20} for _ in range(2))
    if given_priors:
        options |= {"mean_prior": priors.mean_prior_, "covariance_prior": priors.covariance_prior_}
        scaled |= {"mean_prior": np.ldexp(priors.mean_prior_, exponent)}
        covariance = np.ldexp(priors.covariance_prior_, 2 * exponent)
        scaled |= {"covariance_prior": covariance if np.ndim(covariance) else float(covariance)}
    plain = fit(X, reg_covar=1e-3, init_params="random", **options)
    rows = np.ldexp(X, exponent)
    reg_covar = math.ldexp(1e-3, 2 * exponent)  # it has a unit
    other = fit(rows, reg_covar=reg_covar, init_params="random", **scaled)
    # Moments of float32 rows are sums in float32.
    rtol = 1e-9 if dtype == np.float64 else 1e-3
    np.testing.assert_allclose(other.weights_, plain.weights_, rtol=rtol, atol=rtol)
    for name, times in (("means_", 1), ("covariances_", 2), ("mean_prior_", 1)):
        expected = np.ldexp(getattr(plain, name), times * exponent)
        atol = rtol * np.abs(expected).max()
        np.testing.assert_allclose(getattr(other, name), expected, rtol=rtol, atol=atol)
    # Each degree of freedom has the unit of a row's density.
    shift = exponent * 3 * math.log(2) * (4 * 3 + len(X))
    assert other.lower_bound_ == pytest.approx(plain.lower_bound_ - shift, rel=rtol)
    labels = plain.predict(X) == other.predict(rows)
    assert labels.all() if dtype == np.float64 else labels.mean() > 0.99


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize(
    "options",
    [
        {"mean_prior": [1e200, 0.0, 0.0]},
        {"mean_prior": [1e300] * 3, "mean_precision_prior": 1e300},
        {"covariance_prior": 1e308},
        {"covariance_prior": 1e-320},
        {"covariance_prior": 1e-300, "mean_precision_prior": 1e-300},
        {"mean_precision_prior": 1e300, "mean_prior": [1e20] * 3, "covariance_prior": 1e-300},
        {"weight_concentration_prior": 1e308},
        {"weight_concentration_prior": 1e-308},
        {"degrees_of_freedom_prior": 1e308},
        {"degrees_of_freedom_prior": 2.0 + 1e-15},
        {"reg_covar": 1e300},
    ],
)
def test_extreme_priors_give_numbers_or_an_error(covariance_type, prior_type, options, dtype):
    options = dict(options)
    if "covariance_prior" in options:
        value = options["covariance_prior"]
        options["covariance_prior"] = {
            "full": value * np.eye(3), "tied": value * np.eye(3), "diag": np.full(3, value),
        }.get(covariance_type, value)  # fmt: skip
    options |= {"covariance_type": covariance_type, "weight_concentration_prior_type": prior_type}
    X = blobs(100).astype(dtype)
    try:
        model = fit(X, max_iter=5, **options)
    except ValueError:
        return
    for name in NAMES:
        assert np.isfinite(np.asarray(getattr(model, name))).all()
    resp = model.predict_proba(X)
    np.testing.assert_allclose(resp.sum(axis=1), 1)


def test_empty_components_are_what_the_priors_say(covariance_type):
    """Wherever the zero of X is. (scikit-learn's move towards it by 10 eps / mean_precision_.)"""
    X = blobs(spread=20.0) + 1000
    options = {"mean_precision_prior": 1e-12, "weight_concentration_prior": 1e-8}
    model = fit(X, 8, covariance_type=covariance_type, max_iter=300, **options)
    empty = model.mean_precision_ < 1e-11
    assert empty.any()
    np.testing.assert_allclose(model.means_[empty], np.tile(model.mean_prior_, (empty.sum(), 1)))


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
        (np.zeros((50, 5)), "ill-defined empirical covariance"),
        (blobs()[:2], "n_samples >= n_components"),
    ):
        with pytest.raises(ValueError, match=message):
            model.set_params(reg_covar=0.0).fit(X)
        model.set_params(reg_covar=1e-6)
    assert pickle.dumps(vars(model)) == before


OTHER_SHAPES = {
    "two components": ({"n_components": 2}, 3),
    "more features": ({}, 4),
    "another covariance type": ({"covariance_type": "another"}, 3),
    "another prior": ({"weight_concentration_prior_type": "dirichlet_distribution"}, 3),
}


@pytest.mark.parametrize("case", OTHER_SHAPES)
def test_warm_start_needs_a_posterior_of_the_same_shape(covariance_type, case):
    options, n_features = OTHER_SHAPES[case]
    another = "full" if covariance_type == "spherical" else "spherical"
    options = {name: another if value == "another" else value for name, value in options.items()}
    model = fit(blobs(), 3, covariance_type=covariance_type, warm_start=True)
    before = model.means_
    with pytest.raises(ValueError, match="warm_start goes on from"):
        model.set_params(**options).fit(blobs(n_features=n_features))
    assert model.means_ is before


def test_parameters_set_by_hand_are_enough_to_predict(covariance_type, prior_type):
    options = {"covariance_type": covariance_type, "weight_concentration_prior_type": prior_type}
    fitted = fit(blobs(), **options)
    model = BayesianGaussianMixture(n_components=4, **options)
    with pytest.raises(NotFittedError):
        model.predict(blobs())
    for name in NAMES[:-1]:
        if name != "covariances_":
            setattr(model, name, getattr(fitted, name))
    np.testing.assert_array_equal(model.predict_proba(blobs()), fitted.predict_proba(blobs()))


@pytest.mark.parametrize(
    ("name", "value", "words"),
    [
        ("weight_concentration_", np.ones(3), "weight_concentration_ should have the shape 4"),
        ("weight_concentration_", (np.ones(4), np.zeros(4)), "should be positive"),
        ("mean_precision_", np.full(4, np.nan), "mean_precision_ contains NaN"),
        ("degrees_of_freedom_", 5.0, "degrees_of_freedom_ should have the shape 4"),
        ("degrees_of_freedom_", np.full(4, 2.0), "degrees_of_freedom_ should be above 2"),
    ],
)
def test_posteriors_that_are_none(name, value, words):
    model = fit(blobs())
    setattr(model, name, value)
    with pytest.raises(ValueError, match=words):
        model.predict(blobs())


def test_rows_may_come_in_any_form():
    X = np.round(blobs(), 2)
    expected = fit(X)
    forms = [np.asfortranarray(X), np.repeat(X, 2, axis=0)[::2], pd.DataFrame(X), X.tolist()]
    X.setflags(write=False)
    for form in [*forms, X]:
        model = fit(form)
        np.testing.assert_array_equal(model.means_, expected.means_)


def test_given_priors_are_not_changed():
    mean, covariance = np.zeros(3), np.eye(3)
    model = fit(blobs(), mean_prior=mean, covariance_prior=covariance)
    assert model.mean_prior is mean
    np.testing.assert_array_equal(mean, np.zeros(3))
    np.testing.assert_array_equal(covariance, np.eye(3))


def test_order_of_rows_changes_only_rounding(covariance_type, prior_type):
    options = {"covariance_type": covariance_type, "weight_concentration_prior_type": prior_type}
    X = blobs(5000)
    model = started(X, **options)
    order = np.random.default_rng(2).permutation(len(X))
    assert_close(fit_on(copy.deepcopy(model), X[order]), fit_on(model, X), rtol=1e-9)


def test_rows_far_from_every_component_have_probabilities(covariance_type):
    model = fit(blobs(), covariance_type=covariance_type)
    for scale in (1e8, 1e80, 1e200):
        resp = model.predict_proba(scale * blobs())
        np.testing.assert_allclose(resp.sum(axis=1), 1)
        np.testing.assert_array_equal(resp.argmax(axis=1), model.predict(scale * blobs()))


def test_draws_are_scikit_learns_to_the_bit():
    model = fit(blobs())
    theirs = fit_on(
        sklearn.mixture.BayesianGaussianMixture(n_components=4, random_state=0, max_iter=1), blobs()
    )
    for name in ("weights_", "means_", "covariances_"):
        setattr(theirs, name, getattr(model, name))
    for ours, expected in zip(model.sample(500), theirs.sample(500), strict=True):
        np.testing.assert_array_equal(ours, expected)


def test_an_interruption_leaves_the_estimator_as_it_was(monkeypatch):
    model = fit(blobs())
    before, iterate = pickle.dumps(vars(model)), VariationalMStep.iterate
    n_calls = 0

    def interrupt(self, moments):
        nonlocal n_calls
        n_calls += 1
        if n_calls == 3:
            raise KeyboardInterrupt
        return iterate(self, moments)

    monkeypatch.setattr(VariationalMStep, "iterate", interrupt)
    for method in (model.fit, model.fit_predict):
        n_calls = 0
        with pytest.raises(KeyboardInterrupt):
            method(blobs(spread=1.0))
        assert pickle.dumps(vars(model)) == before
