"""The same mixtures as scikit-learn: every fit here is made by both, with the same random_state.

In float64 nothing but rounding differs. In float32 scikit-learn keeps responsibilities, moments and
Cholesky factors in float32 where fastclust has float64, and its KMeans may start from other seeds:
there the results are of equal quality.
"""

import itertools
import re
import warnings

import numpy as np
import pytest
import sklearn.mixture
from sklearn.datasets import load_iris
from sklearn.decomposition import PCA
from sklearn.exceptions import ConvergenceWarning

import fastclust
from tests.mixture.both import PACKAGES, fit_both

COVARIANCE_TYPES = ["full", "tied", "diag", "spherical"]
STARTS = ["kmeans", "k-means++", "random", "random_from_data"]
PARAMETERS = ("weights_", "means_", "covariances_", "precisions_", "precisions_cholesky_")


def blobs(offset=0.0):
    rng = np.random.default_rng(0)
    centers = 3 * rng.normal(size=(3, 3))
    return rng.normal(size=(500, 3)) + centers[rng.integers(3, size=500)] + offset


def noise():
    """Rows without clusters: each start has an optimum of its own."""
    return np.random.default_rng(1).normal(size=(300, 3))


# Farther from zero, scikit-learn's diagonal covariance of one row, E[x^2] - E[x]^2 + 1e-6, is
# rounding: at 50 its bounds are off by 1e-8.
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


def refit(models, X, **options):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        for model in models:
            model.set_params(**options).fit(X)


def assert_same_parameters(theirs, ours):
    spread = np.sqrt(np.abs(theirs.covariances_).max())
    for name in PARAMETERS:
        expected = getattr(theirs, name)
        # The mean of centered rows is rounding alone.
        scale = max(np.abs(expected).max(), spread if name == "means_" else 0)
        # Thousands of roundings in each of up to 100 iterations, each from the result of the last.
        np.testing.assert_allclose(getattr(ours, name), expected, rtol=1e-6, atol=1e-6 * scale)
        assert getattr(ours, name).dtype == expected.dtype


def assert_same(theirs, ours, X):
    assert ours.n_iter_ == theirs.n_iter_
    assert ours.converged_ == theirs.converged_
    # As above, but near an optimum the errors of the parameters come in by their squares.
    assert ours.lower_bound_ == pytest.approx(theirs.lower_bound_, rel=1e-9)
    assert len(ours.lower_bounds_) == len(theirs.lower_bounds_)
    assert_same_parameters(theirs, ours)
    np.testing.assert_array_equal(ours.predict(X), theirs.predict(X))
    assert ours.predict(X).dtype == theirs.predict(X).dtype


# -- fit -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("random_state", [0, 1])
@pytest.mark.parametrize("init_params", STARTS)
@pytest.mark.parametrize("name", ["iris", "wine", "breast_cancer", "digits", "blobs", "offset"])
def test_float64_fit_is_scikit_learns(data, name, init_params, covariance_type, random_state):
    X = data(name)
    options = {"init_params": init_params, "covariance_type": covariance_type}
    assert_same(*fit_both(X, random_state=random_state, **options), X)


@pytest.mark.parametrize("n_components", [1, 2, 10])
def test_any_number_of_components_is_scikit_learns(data, n_components, covariance_type):
    X = data("digits")
    assert_same(*fit_both(X, n_components, covariance_type=covariance_type), X)


@pytest.mark.parametrize("n_features", [1, 2, 5, 12])
def test_any_number_of_features_is_scikit_learns(data, n_features, covariance_type):
    X = data("digits")[:, :n_features]
    assert_same(*fit_both(X, covariance_type=covariance_type, init_params="random"), X)


def test_labels_of_fit_predict_are_scikit_learns(data, covariance_type):
    for name, init_params in itertools.product(["iris", "noise"], ["kmeans", "random"]):
        options = {"covariance_type": covariance_type, "init_params": init_params}
        labels = [
            package.GaussianMixture(4, tol=0.1, random_state=0, **options).fit_predict(data(name))
            for package in PACKAGES
        ]
        np.testing.assert_array_equal(*labels)
        assert labels[0].dtype == labels[1].dtype


def test_every_lower_bound_is_scikit_learns(covariance_type):
    theirs, ours = fit_both(blobs(), 4, tol=1e-9, covariance_type=covariance_type)
    # As in `assert_same`: each is the mean of log-densities whose errors are of both signs.
    np.testing.assert_allclose(ours.lower_bounds_, theirs.lower_bounds_, rtol=1e-9)


@pytest.mark.parametrize("init_params", STARTS)
def test_start_alone_is_that_of_scikit_learns_last_run(covariance_type, init_params):
    options = {"covariance_type": covariance_type, "init_params": init_params}
    theirs, ours = fit_both(blobs(), max_iter=0, n_init=3, **options)
    assert ours.n_iter_ == theirs.n_iter_ == 0
    assert ours.lower_bound_ == theirs.lower_bound_ == -np.inf
    assert ours.lower_bounds_ == theirs.lower_bounds_ == []
    assert ours.converged_ == theirs.converged_
    assert_same_parameters(theirs, ours)


@pytest.mark.parametrize("init_params", STARTS)
def test_best_of_several_runs_is_scikit_learns(covariance_type, init_params):
    """On rows of which the starts find several optima: of equal ones rounding chooses."""
    options = {"covariance_type": covariance_type, "init_params": init_params, "max_iter": 15}
    theirs, ours = fit_both(noise(), n_init=3, tol=1e-5, **options)
    assert_same(theirs, ours, noise())


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
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ConvergenceWarning)
            model = package.GaussianMixture(
                4, **{"covariance_type": covariance_type, "random_state": 0} | made
            )
            models.append(model.fit(blobs()))
    assert_same(*models, blobs())


def test_warm_start_goes_on_where_scikit_learn_does(covariance_type):
    options = {"covariance_type": covariance_type, "max_iter": 3, "tol": 1e-6, "warm_start": True}
    models = fit_both(blobs(), n_init=4, **options)
    assert_same(*models, blobs())
    for rows in (blobs(), blobs()[:300] + 0.1, blobs()):
        refit(models, rows)
        assert_same(*models, rows)
    refit(models, blobs(), max_iter=100)
    assert_same(*models, blobs())
    refit(models, blobs())  # from the optimum: the change is that since the last fit
    assert models[1].n_iter_ == 1
    assert_same(*models, blobs())
    refit(models, noise(), warm_start=False)
    assert_same(*models, noise())


def test_warm_start_without_iterations_keeps_the_components(covariance_type):
    models = fit_both(blobs(), covariance_type=covariance_type, warm_start=True)
    refit(models, blobs(), max_iter=0)
    assert_same_parameters(*models)
    assert models[0].lower_bound_ == models[1].lower_bound_ == -np.inf
    refit(models, blobs(), max_iter=100)
    assert_same(*models, blobs())


# -- given starts --------------------------------------------------------------------------------


def given_start(covariance_type, X=None):
    X = blobs() if X is None else X
    fitted, _ = fit_both(X, covariance_type=covariance_type, max_iter=2)
    return {
        "weights_init": np.array([0.2, 0.3, 0.5]),
        "means_init": fitted.means_ + 0.1,
        "precisions_init": fitted.precisions_ * 1.1,
    }


SOME_GIVEN = [
    names
    for n in (1, 2, 3)
    for names in itertools.combinations(["weights_init", "means_init", "precisions_init"], n)
]


@pytest.mark.parametrize("init_params", ["kmeans", "random"])
@pytest.mark.parametrize("names", SOME_GIVEN, ids="+".join)
def test_given_start_is_used_as_scikit_learn_does(covariance_type, names, init_params):
    given = {name: given_start(covariance_type)[name] for name in names}
    options = {"covariance_type": covariance_type, "init_params": init_params}
    # One iteration shows more of the start than the optimum does.
    for max_iter in (1, 100):
        assert_same(*fit_both(blobs(), max_iter=max_iter, **options, **given), blobs())


@pytest.mark.parametrize("convert", [np.ndarray.tolist, np.float32, np.asfortranarray])
def test_given_start_may_come_in_any_form(covariance_type, convert):
    given = {name: convert(value) for name, value in given_start(covariance_type).items()}
    assert_same(*fit_both(blobs(), covariance_type=covariance_type, **given), blobs())


def test_weights_that_are_zero_stay_zero():
    given = given_start("full") | {"weights_init": [0.5, 0.5, 0.0]}
    with np.errstate(divide="ignore"):  # scikit-learn takes the logarithm of the weights
        assert_same(*fit_both(blobs(), **given), blobs())


def test_given_start_without_iterations_is_kept(covariance_type):
    """Where scikit-learn raises AttributeError: it has no covariances then."""
    given = given_start(covariance_type)
    ours = fastclust.GaussianMixture(3, covariance_type=covariance_type, max_iter=0, **given)
    ours.fit(blobs())
    np.testing.assert_array_equal(ours.weights_, given["weights_init"])
    # A Cholesky factorisation and its inverse, of conditions below 100.
    np.testing.assert_allclose(ours.means_, given["means_init"], rtol=1e-12)
    np.testing.assert_allclose(ours.precisions_, given["precisions_init"], rtol=1e-12)
    inverse = np.linalg.inv if covariance_type in ("full", "tied") else np.reciprocal
    np.testing.assert_allclose(ours.covariances_, inverse(given["precisions_init"]), rtol=1e-12)


# -- new rows ------------------------------------------------------------------------------------


@pytest.mark.parametrize("n_samples", [1, 7, 8, 9, 500])
def test_functions_of_new_rows_are_scikit_learns(covariance_type, n_samples):
    theirs, ours = fit_both(blobs(), covariance_type=covariance_type)
    X = 2 * blobs()[:n_samples] + 0.5
    # scikit-learn expands the square of diagonal and spherical types, at distances of up to 20.
    np.testing.assert_allclose(ours.predict_proba(X), theirs.predict_proba(X), atol=1e-9)
    np.testing.assert_allclose(ours.score_samples(X), theirs.score_samples(X), rtol=1e-9)
    np.testing.assert_array_equal(ours.predict(X), theirs.predict(X))
    for name in ("score", "bic", "aic"):
        assert getattr(ours, name)(X) == pytest.approx(getattr(theirs, name)(X), rel=1e-9)
        assert isinstance(getattr(ours, name)(X), float)
    assert ours._n_parameters() == theirs._n_parameters()


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("n_samples", [1, 50])
# scikit-learn's tied covariance in float32 is not quite symmetric, and both draw from it here.
@pytest.mark.filterwarnings("ignore:covariance is not symmetric")
def test_sample_is_scikit_learns(covariance_type, dtype, n_samples):
    theirs, ours = fit_both(blobs().astype(dtype), covariance_type=covariance_type)
    if dtype == np.float32:  # the same parameters
        for name in PARAMETERS:
            setattr(ours, name, getattr(theirs, name))
    for _ in range(2):  # an int makes the same draws again
        (X, y), (X_theirs, y_theirs) = ours.sample(n_samples), theirs.sample(n_samples)
        # A draw is as far off as the covariance's root, and float64 whatever the rows were.
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


def score_in_float64(model, X):
    exact = sklearn.mixture.GaussianMixture(covariance_type=model.covariance_type)
    for name in ("weights_", "means_", "precisions_cholesky_"):
        setattr(exact, name, getattr(model, name).astype(np.float64))
    return exact.score(X.astype(np.float64))


@pytest.mark.parametrize("name", ["iris", "wine", "digits", "blobs"])
def test_float32_fit_is_as_good(data, name, covariance_type):
    """From the same start, after as many iterations."""
    X = data(name).astype(np.float32)
    given = given_start(covariance_type, X.astype(np.float64))
    options = {"covariance_type": covariance_type, "tol": 0, "max_iter": 20, **given}
    theirs, ours = fit_both(X, **options)
    exact, _ = fit_both(X.astype(np.float64), **options)
    expected = exact.score(X.astype(np.float64))
    # Parameters are stored in float32, and rows are rounded: some 100 roundings of 6e-8 on a path
    # of 20 iterations.
    assert score_in_float64(ours, X) == pytest.approx(expected, abs=6e-6)
    assert score_in_float64(ours, X) > score_in_float64(theirs, X) - 6e-6
    # And those of the log-densities.
    assert ours.lower_bound_ == pytest.approx(theirs.lower_bound_, rel=6e-6)


def test_float32_fit_has_scikit_learns_attributes(covariance_type):
    theirs, ours = fit_both(blobs().astype(np.float32), covariance_type=covariance_type)
    # scikit-learn has numbers of NumPy's types where fastclust has Python's.
    assert set(vars(theirs)) <= set(vars(ours))
    for name in PARAMETERS:
        assert getattr(ours, name).dtype == getattr(theirs, name).dtype == np.float32
        assert getattr(ours, name).shape == getattr(theirs, name).shape
    assert isinstance(ours.lower_bound_, float)
    assert {type(bound) for bound in ours.lower_bounds_} == {float}
    assert isinstance(ours.n_iter_, int)
    assert isinstance(ours.converged_, bool)
    np.testing.assert_array_equal(
        ours.predict(blobs().astype(np.float32)), theirs.predict(blobs().astype(np.float32))
    )


# -- published -----------------------------------------------------------------------------------


@pytest.mark.parametrize("options", [{}, {"n_init": 5, "random_state": 3}])
def test_iris_has_the_published_log_likelihood(options):
    X = load_iris().data
    options = {"tol": 1e-8, "max_iter": 500, "random_state": 0} | options
    model = fastclust.GaussianMixture(3, **options).fit(X)
    # -180.19: R's mclust, model VVV, and scikit-learn; natural logarithm.
    assert model.score(X) * len(X) == pytest.approx(-180.19, abs=0.01)


# -- verbose -------------------------------------------------------------------------------------

VERBOSE = {
    "not converged": {"max_iter": 3},
    "converged": {},
    "every iteration": {"verbose_interval": 1},
    "no iterations": {"max_iter": 0},
    "no tolerance": {"tol": 0, "max_iter": 4},
    "k-means": {"init_params": "kmeans"},
}


@pytest.mark.parametrize("verbose", [1, 2, 3, True])
@pytest.mark.parametrize("case", VERBOSE)
def test_prints_scikit_learns_lines(capsys, verbose, case):
    options = {"verbose_interval": 2, "n_init": 2, "random_state": 0, "init_params": "random"}
    options |= VERBOSE[case]
    printed = []
    for package in PACKAGES:
        model = package.GaussianMixture(3, verbose=verbose, warm_start=True, **options)
        refit([model, model], blobs())  # the second fit goes on
        lines = capsys.readouterr().out
        assert lines.startswith("Initialization 0\n")
        printed.append(re.sub(r"time lapse \d+\.\d{5}s", "time lapse", lines))
    assert printed[0] == printed[1]
