"""The same Bayesian mixtures as scikit-learn: every fit here is made by both, of one random_state.

In float64 nothing but rounding differs. In float32 scikit-learn keeps responsibilities in float32,
and its KMeans may start from other seeds: there the same start leads to results that are as good.
"""

import itertools
import re
import warnings

import numpy as np
import pytest
import scipy.sparse
from sklearn.decomposition import PCA
from sklearn.exceptions import ConvergenceWarning

from tests.mixture.both import PACKAGES, assert_same_error

COVARIANCE_TYPES = ["full", "tied", "diag", "spherical"]
PRIOR_TYPES = ["dirichlet_process", "dirichlet_distribution"]
STARTS = ["kmeans", "k-means++", "random", "random_from_data"]
POSTERIOR = (
    "weights_", "weight_concentration_", "mean_precision_", "means_", "degrees_of_freedom_",
    "covariances_", "precisions_", "precisions_cholesky_",
)  # fmt: skip
PRIORS = (
    "weight_concentration_prior_", "mean_precision_prior_", "mean_prior_",
    "degrees_of_freedom_prior_", "covariance_prior_",
)  # fmt: skip


def blobs(offset=0.0):
    rng = np.random.default_rng(0)
    centers = 3 * rng.normal(size=(3, 3))
    return rng.normal(size=(500, 3)) + centers[rng.integers(3, size=500)] + offset


def noise():
    """Rows without clusters: each start has an optimum of its own."""
    return np.random.default_rng(1).normal(size=(300, 3))


GENERATED = {"blobs": blobs, "offset": lambda: blobs(10.0), "noise": noise}


@pytest.fixture
def data(real_data):
    def load(name):
        if name in GENERATED:
            return GENERATED[name]()
        X = real_data(name)
        return PCA(12, random_state=0).fit_transform(X) if name == "digits" else X

    return load


@pytest.fixture(params=COVARIANCE_TYPES)
def covariance_type(request):
    return request.param


@pytest.fixture(params=PRIOR_TYPES)
def prior_type(request):
    return request.param


def make(package, n_components=4, **options):
    return package.BayesianGaussianMixture(
        n_components=n_components, **({"random_state": 0} | options)
    )


def fit_both(X, n_components=4, **options):
    models = [make(package, n_components, **options) for package in PACKAGES]
    return refit(models, X)


def refit(models, X, **options):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        return [model.set_params(**options).fit(X) for model in models]


def values(model, name):
    """An attribute as an array; both of the tuple's arrays, if it is one."""
    return np.asarray(getattr(model, name))


def assert_same_parameters(theirs, ours, names=POSTERIOR + PRIORS):
    spread = np.sqrt(np.abs(theirs.covariances_).max())
    for name in names:
        expected, found = values(theirs, name), values(ours, name)
        assert found.shape == expected.shape
        # The mean of centered rows is rounding alone.
        scale = max(np.abs(expected).max(), spread if "mean" in name else 0)
        # Thousands of roundings in each of up to 100 iterations, each from the result of the last.
        np.testing.assert_allclose(found, expected, rtol=1e-6, atol=1e-6 * scale, err_msg=name)
        if name in POSTERIOR:
            assert found.dtype == expected.dtype
            assert isinstance(getattr(ours, name), tuple) == isinstance(
                getattr(theirs, name), tuple
            )


def assert_same(theirs, ours, X):
    assert ours.n_iter_ == theirs.n_iter_
    assert ours.converged_ == theirs.converged_
    bounds = np.array(theirs.lower_bounds_, dtype=float).reshape(-1)  # of tied types (n_iter, 1)
    np.testing.assert_allclose(ours.lower_bounds_, bounds, rtol=1e-9)
    assert ours.lower_bound_ == pytest.approx(float(np.squeeze(theirs.lower_bound_)), rel=1e-9)
    assert_same_parameters(theirs, ours)
    np.testing.assert_array_equal(ours.predict(X), theirs.predict(X))
    assert ours.predict(X).dtype == theirs.predict(X).dtype


# -- fit -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("init_params", STARTS)
@pytest.mark.parametrize("name", ["iris", "wine", "digits", "blobs", "offset"])
def test_float64_fit_is_scikit_learns(data, name, init_params, covariance_type, prior_type):
    X = data(name)
    options = {"init_params": init_params, "covariance_type": covariance_type}
    assert_same(*fit_both(X, weight_concentration_prior_type=prior_type, **options), X)


@pytest.mark.parametrize("n_components", [1, 2, 9])
@pytest.mark.parametrize("n_features", [1, 2, 12])
def test_any_shape_is_scikit_learns(data, n_components, n_features, covariance_type, prior_type):
    X = data("digits")[:, :n_features]
    options = {"covariance_type": covariance_type, "weight_concentration_prior_type": prior_type}
    assert_same(*fit_both(X, n_components, init_params="random", max_iter=30, **options), X)


def priors_of(covariance_type, n_features=3):
    rng = np.random.default_rng(3)
    root = rng.normal(size=(n_features, n_features))
    matrix = root @ root.T + np.eye(n_features)
    covariance = {"full": matrix, "tied": matrix, "diag": np.diag(matrix), "spherical": 2.5}
    return {
        "weight_concentration_prior": 3.5,
        "mean_precision_prior": 0.2,
        "mean_prior": np.array([0.5, -1.0, 2.0]),
        "degrees_of_freedom_prior": 4.25,
        "covariance_prior": covariance[covariance_type],
    }


@pytest.mark.parametrize("name", [*priors_of("full"), "all"])
def test_given_priors_are_used_as_scikit_learn_does(covariance_type, prior_type, name):
    priors = priors_of(covariance_type)
    priors = priors if name == "all" else {name: priors[name]}
    options = {"covariance_type": covariance_type, "weight_concentration_prior_type": prior_type}
    for max_iter in (1, 100):
        assert_same(*fit_both(blobs(), max_iter=max_iter, **options, **priors), blobs())


@pytest.mark.parametrize("convert", [np.ndarray.tolist, np.float32, np.asfortranarray])
def test_given_priors_may_come_in_any_form(covariance_type, convert):
    priors = {
        name: convert(value) if isinstance(value, np.ndarray) else value
        for name, value in priors_of(covariance_type).items()
    }
    assert_same(*fit_both(blobs(), covariance_type=covariance_type, **priors), blobs())


@pytest.mark.parametrize("extreme", [1e-5, 1e-3, 1e3, 1e8])
@pytest.mark.parametrize("name", ["weight_concentration_prior", "mean_precision_prior"])
def test_extreme_priors_are_used_as_scikit_learn_does(covariance_type, prior_type, name, extreme):
    options = {"covariance_type": covariance_type, "weight_concentration_prior_type": prior_type}
    assert_same(*fit_both(blobs(), 6, max_iter=30, **options, **{name: extreme}), blobs())


def test_separated_components_are_scikit_learns(covariance_type, prior_type):
    """Where passes have several chunks, rows are regrouped and log-densities are left out."""
    rng = np.random.default_rng(0)
    centers = 3 * rng.normal(size=(9, 16))
    X = rng.normal(size=(8000, 16)) + centers[rng.integers(9, size=8000)]
    options = {"covariance_type": covariance_type, "weight_concentration_prior_type": prior_type}
    theirs, ours = fit_both(X, 12, init_params="random_from_data", tol=0, max_iter=12, **options)
    assert_same(theirs, ours, X)


def test_labels_of_fit_predict_are_scikit_learns(data, covariance_type):
    for name, init_params in itertools.product(["iris", "noise"], ["kmeans", "random"]):
        options = {"covariance_type": covariance_type, "init_params": init_params}
        labels = [make(package, tol=0.1, **options).fit_predict(data(name)) for package in PACKAGES]
        np.testing.assert_array_equal(*labels)
        assert labels[0].dtype == labels[1].dtype


@pytest.mark.parametrize("init_params", STARTS)
def test_start_alone_is_that_of_scikit_learns_last_run(covariance_type, prior_type, init_params):
    options = {"covariance_type": covariance_type, "init_params": init_params}
    options["weight_concentration_prior_type"] = prior_type
    theirs, ours = fit_both(blobs(), max_iter=0, n_init=3, **options)
    assert ours.n_iter_ == theirs.n_iter_ == 0
    assert ours.lower_bound_ == theirs.lower_bound_ == -np.inf
    assert ours.lower_bounds_ == theirs.lower_bounds_ == []
    assert ours.converged_ == theirs.converged_
    assert_same_parameters(theirs, ours)


@pytest.mark.parametrize("init_params", STARTS)
def test_best_of_several_runs_is_scikit_learns(covariance_type, init_params):
    options = {"covariance_type": covariance_type, "init_params": init_params, "max_iter": 15}
    assert_same(*fit_both(noise(), n_init=3, tol=1e-5, **options), noise())


@pytest.mark.parametrize("options", [
    {"tol": 0, "max_iter": 30},
    {"tol": 10.0},
    {"tol": 1e-7},
    {"max_iter": 1},
    {"reg_covar": 0},
    {"reg_covar": 0.1},
    {"random_state": np.random.RandomState},
])  # fmt: skip
def test_limits_are_scikit_learns(covariance_type, options):
    models = []
    for package in PACKAGES:
        made = {name: value(7) if callable(value) else value for name, value in options.items()}
        model = make(package, **{"covariance_type": covariance_type} | made)
        models += refit([model], blobs())
    assert_same(*models, blobs())


def test_warm_start_goes_on_where_scikit_learn_does(covariance_type, prior_type):
    options = {"covariance_type": covariance_type, "weight_concentration_prior_type": prior_type}
    models = fit_both(blobs(), n_init=4, max_iter=3, tol=1e-6, warm_start=True, **options)
    assert_same(*models, blobs())
    for rows in (blobs(), blobs()[:300] + 0.1, blobs()):
        refit(models, rows)
        assert_same(*models, rows)
    refit(models, blobs(), max_iter=100, mean_precision_prior=0.5)
    assert_same(*models, blobs())
    refit(models, blobs(), max_iter=0)
    assert_same_parameters(*models)
    refit(models, noise(), warm_start=False, max_iter=50)
    assert_same(*models, noise())


def random_configuration(seed):
    """Rows and options, of which no two seeds have the same."""
    rng = np.random.default_rng(seed)
    n_samples, n_features = int(rng.integers(20, 400)), int(rng.integers(1, 7))
    n_components = int(rng.integers(1, min(9, n_samples)))
    centers = rng.uniform(0, 6) * rng.normal(size=(int(rng.integers(1, 6)), n_features))
    X = rng.normal(size=(n_samples, n_features)) @ rng.normal(size=(n_features, n_features))
    X += centers[rng.integers(len(centers), size=n_samples)] + 10 * rng.normal(size=n_features)
    options = {
        "n_components": n_components,
        "covariance_type": str(rng.choice(COVARIANCE_TYPES)),
        "weight_concentration_prior_type": str(rng.choice(PRIOR_TYPES)),
        "init_params": str(rng.choice(STARTS)),
        "n_init": int(rng.integers(1, 3)),
        "max_iter": int(rng.integers(1, 25)),
        "tol": float(10.0 ** rng.integers(-6, 2)),
        "reg_covar": float(10.0 ** rng.integers(-6, 0)),
        "random_state": int(rng.integers(1000)),
    }
    if rng.random() < 0.5:
        options["weight_concentration_prior"] = float(10 ** rng.uniform(-4, 4))
    if rng.random() < 0.5:
        options["mean_precision_prior"] = float(10 ** rng.uniform(-3, 3))
    if rng.random() < 0.5:
        options["degrees_of_freedom_prior"] = n_features - 1 + float(10 ** rng.uniform(-2, 2))
    if rng.random() < 0.5:
        options["mean_prior"] = X.mean(axis=0) + rng.normal(size=n_features)
    return X, options


@pytest.mark.parametrize("first", range(0, 150, 10))
def test_random_configurations_are_scikit_learns(first):
    for seed in range(first, first + 10):
        X, options = random_configuration(seed)
        assert_same(*fit_both(X, **options), X)


# -- new rows ------------------------------------------------------------------------------------


@pytest.mark.parametrize("n_samples", [1, 7, 8, 9, 500])
def test_functions_of_new_rows_are_scikit_learns(covariance_type, prior_type, n_samples):
    options = {"covariance_type": covariance_type, "weight_concentration_prior_type": prior_type}
    theirs, ours = fit_both(blobs(), **options)
    X = 2 * blobs()[:n_samples] + 0.5
    # scikit-learn expands the square of diagonal and spherical types, at distances of up to 20.
    np.testing.assert_allclose(ours.predict_proba(X), theirs.predict_proba(X), atol=1e-9)
    np.testing.assert_allclose(ours.score_samples(X), theirs.score_samples(X), rtol=1e-9)
    np.testing.assert_array_equal(ours.predict(X), theirs.predict(X))
    assert ours.score(X) == pytest.approx(theirs.score(X), rel=1e-9)
    assert isinstance(ours.score(X), float)


@pytest.mark.parametrize("n_samples", [1, 50])
def test_sample_is_scikit_learns(covariance_type, prior_type, n_samples):
    options = {"covariance_type": covariance_type, "weight_concentration_prior_type": prior_type}
    theirs, ours = fit_both(blobs(), **options)
    for _ in range(2):  # an int makes the same draws again
        (X, y), (X_theirs, y_theirs) = ours.sample(n_samples), theirs.sample(n_samples)
        # A draw is as far off as the covariance's root.
        np.testing.assert_allclose(X, X_theirs, rtol=1e-6)
        np.testing.assert_array_equal(y, y_theirs)
        assert (X.dtype, y.dtype) == (X_theirs.dtype, y_theirs.dtype)


@pytest.mark.parametrize("fit_dtype", [np.float32, np.float64])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_answers_have_scikit_learns_dtype(fit_dtype, dtype):
    models = fit_both(blobs().astype(fit_dtype))
    X = blobs().astype(dtype)
    for name in ("predict", "predict_proba", "score_samples"):
        expected, answer = (getattr(model, name)(X) for model in models)
        assert answer.shape == expected.shape
        assert answer.dtype == expected.dtype
    assert {type(model.score(X)) for model in models} == {float}


# -- float32 -------------------------------------------------------------------------------------


@pytest.mark.parametrize("init_params", ["random", "random_from_data"])
def test_float32_fit_is_as_good(covariance_type, prior_type, init_params):
    """From starts that are the same in both types."""
    options = {"covariance_type": covariance_type, "weight_concentration_prior_type": prior_type}
    options |= {"init_params": init_params, "tol": 0, "max_iter": 10}
    X = blobs().astype(np.float32)
    theirs, ours = fit_both(X, **options)
    exact, _ = fit_both(X.astype(np.float64), **options)
    bound = float(np.squeeze(exact.lower_bound_))
    # Some roundings of 6e-8 in each responsibility, on a path of 10 iterations.
    assert ours.lower_bound_ == pytest.approx(bound, rel=1e-5)
    np.testing.assert_allclose(ours.means_, exact.means_, rtol=1e-3, atol=1e-3)
    for name in POSTERIOR:  # of which scikit-learn's are float64 too
        assert values(ours, name).dtype == values(theirs, name).dtype == np.float64
    assert set(vars(theirs)) <= set(vars(ours))


def test_attributes_are_those_of_scikit_learn(covariance_type, prior_type):
    options = {"covariance_type": covariance_type, "weight_concentration_prior_type": prior_type}
    theirs, ours = fit_both(blobs(), **options)
    assert set(vars(ours)) - set(vars(theirs)) == {"on_singular", "reg_covar_"}
    assert set(vars(theirs)) <= set(vars(ours))
    assert isinstance(ours.lower_bound_, float)  # an array in scikit-learn, if tied
    assert {type(bound) for bound in ours.lower_bounds_} == {float}


# -- verbose -------------------------------------------------------------------------------------

VERBOSE = {
    "not converged": {"max_iter": 3},
    "converged": {"tol": 1.0},
    "every iteration": {"verbose_interval": 1},
    "no iterations": {"max_iter": 0},
}


@pytest.mark.parametrize("verbose", [1, 2, True])
@pytest.mark.parametrize("case", VERBOSE)
def test_prints_scikit_learns_lines(capsys, verbose, case):
    options = {"verbose_interval": 2, "n_init": 2, "init_params": "random"} | VERBOSE[case]
    printed = []
    for package in PACKAGES:
        model = make(package, verbose=verbose, warm_start=True, **options)
        refit([model, model], blobs())  # the second fit goes on
        lines = capsys.readouterr().out
        assert lines.startswith("Initialization 0\n")
        printed.append(re.sub(r"time lapse \d+\.\d{5}s", "time lapse", lines))
    assert printed[0] == printed[1]


# -- errors and warnings -------------------------------------------------------------------------

X = np.random.default_rng(0).normal(size=(20, 2))
ASYMMETRIC = np.array([[1.0, 2], [3, 4]])
BAD_PRIORS = [
    ("full", "mean_prior", [1.0]),
    ("full", "mean_prior", np.ones((1, 2))),
    ("full", "mean_prior", np.ones((1, 2, 1))),
    ("full", "mean_prior", [np.nan, 0.0]),
    ("full", "mean_prior", [np.inf, 0.0]),
    ("full", "mean_prior", ["a", "b"]),
    ("full", "degrees_of_freedom_prior", 1.0),
    ("tied", "degrees_of_freedom_prior", 0.5),
    ("diag", "degrees_of_freedom_prior", 1),
    ("full", "covariance_prior", np.eye(3)),
    ("full", "covariance_prior", [1.0, 1.0]),
    ("full", "covariance_prior", 1.0),
    ("full", "covariance_prior", -np.eye(2)),
    ("full", "covariance_prior", np.zeros((2, 2))),
    ("full", "covariance_prior", ASYMMETRIC),
    ("full", "covariance_prior", np.eye(2) * np.nan),
    ("tied", "covariance_prior", np.ones((1, 2))),
    ("tied", "covariance_prior", ASYMMETRIC),
    ("diag", "covariance_prior", np.eye(2)),
    ("diag", "covariance_prior", [1.0, -1.0]),
    ("diag", "covariance_prior", [1.0, 0.0]),
    ("diag", "covariance_prior", 1.0),
    ("spherical", "covariance_prior", 0.0),
    ("spherical", "covariance_prior", -1.0),
    ("spherical", "covariance_prior", "a"),
]
BAD_PARAMETERS = [
    ("n_components", 0),
    ("n_components", 2.0),
    ("covariance_type", "round"),
    ("tol", -1.0),
    ("reg_covar", -1e-9),
    ("max_iter", -1),
    ("n_init", 0),
    ("init_params", "best"),
    ("weight_concentration_prior_type", "dirichlet"),
    ("weight_concentration_prior_type", None),
    ("weight_concentration_prior", 0),
    ("weight_concentration_prior", -1.0),
    ("weight_concentration_prior", np.inf),
    ("weight_concentration_prior", [1.0, 1.0]),
    ("mean_precision_prior", 0.0),
    ("mean_precision_prior", np.nan),
    ("mean_precision_prior", "a"),
    ("degrees_of_freedom_prior", 0.0),
    ("degrees_of_freedom_prior", -1),
    ("mean_prior", 3.0),
    ("mean_prior", "a"),
    ("mean_prior", scipy.sparse.csr_array(np.eye(2))),
    ("covariance_prior", -1.0),
    ("covariance_prior", "a"),
    ("random_state", -1),
    ("warm_start", 1),
    ("verbose", -1),
    ("verbose_interval", 0),
]
BAD_X = {
    "too few rows": X[:2],
    "one row": X[:1],
    "no rows": X[:0],
    "NaN": np.where(X > 1, np.nan, X),
    "infinity": np.where(X > 1, np.inf, X),
    "1-D": X[:, 0],
    "complex": X + 1j,
    "sparse": scipy.sparse.csr_array(X),
}


@pytest.mark.parametrize("case", BAD_X)
@pytest.mark.parametrize("method", ["fit", "fit_predict"])
def test_bad_rows_get_scikit_learns_error(method, case):
    assert_same_error(lambda package: getattr(make(package, 3), method)(BAD_X[case]))


@pytest.mark.parametrize(("covariance_type", "name", "value"), BAD_PRIORS)
def test_bad_priors_get_scikit_learns_error(covariance_type, name, value):
    options = {"covariance_type": covariance_type, name: value}
    assert_same_error(lambda package: make(package, 3, **options).fit(X))


@pytest.mark.parametrize(("name", "value"), BAD_PARAMETERS)
def test_bad_parameters_get_scikit_learns_error(name, value):
    assert_same_error(lambda package: package.BayesianGaussianMixture(**{name: value}).fit(X))


@pytest.mark.filterwarnings("ignore:Number of distinct clusters")
def test_singular_covariance_gets_scikit_learns_error(covariance_type):
    options = {"covariance_type": covariance_type, "reg_covar": 0}
    assert_same_error(lambda package: make(package, 2, **options).fit(np.zeros((9, 2))))


@pytest.mark.parametrize("method", ["predict", "predict_proba", "score_samples", "score"])
def test_bad_new_rows_get_scikit_learns_error(method):
    models = dict(zip(PACKAGES, fit_both(blobs()), strict=True))
    for rows in (blobs()[:, :2], np.full((5, 3), np.nan), blobs()[0], blobs()[:0]):
        assert_same_error(lambda package, rows=rows: getattr(models[package], method)(rows))
    assert_same_error(lambda package: getattr(make(package), method)(blobs()))


def test_sample_before_fit_gets_scikit_learns_error():
    assert_same_error(lambda package: make(package).sample())


@pytest.mark.parametrize("method", ["fit", "fit_predict"])
@pytest.mark.parametrize("options", [{"max_iter": 1}, {"tol": 0, "max_iter": 5, "n_init": 3}])
def test_warns_as_scikit_learn_when_not_converged(method, options):
    seen = []
    for package in PACKAGES:
        with pytest.warns(ConvergenceWarning) as caught:
            getattr(make(package, **options), method)(blobs())
        seen.append([(str(warning.message), warning.category) for warning in caught])
    assert seen[0] == seen[1]
    assert caught[0].filename == __file__  # of the line that called fit
