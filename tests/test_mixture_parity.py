"""The same mixtures as scikit-learn: every fit here is made by both, with the same random_state.

In float64 nothing but rounding differs. In float32 scikit-learn keeps responsibilities, moments and
Cholesky factors in float32 where fastclust has float64, and its KMeans may start from other seeds:
there the results are of equal quality.
"""

import re
import warnings

import numpy as np
import pytest
import sklearn.mixture
from sklearn.decomposition import PCA
from sklearn.exceptions import ConvergenceWarning

import fastclust

COVARIANCE_TYPES = ["full", "tied", "diag", "spherical"]
STARTS = ["kmeans", "k-means++", "random", "random_from_data"]


def blobs(offset=0.0):
    rng = np.random.default_rng(0)
    centers = 3 * rng.normal(size=(3, 3))
    return rng.normal(size=(500, 3)) + centers[rng.integers(3, size=500)] + offset


@pytest.fixture
def data(real_data):
    def load(name):
        if name == "digits":
            return PCA(12, random_state=0).fit_transform(real_data(name))
        return blobs(50.0) if name == "offset" else blobs() if name == "blobs" else real_data(name)

    return load


def fit_both(X, n_components=3, **options):
    options = {"random_state": 0} | options
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        return [
            package.GaussianMixture(n_components, **options).fit(X)
            for package in (sklearn.mixture, fastclust)
        ]


PARAMETERS = ("weights_", "means_", "covariances_", "precisions_", "precisions_cholesky_")


def assert_same_parameters(theirs, ours):
    for name in PARAMETERS:
        expected = getattr(theirs, name)
        scale = np.abs(expected).max()
        np.testing.assert_allclose(getattr(ours, name), expected, rtol=1e-6, atol=1e-6 * scale)
        assert getattr(ours, name).dtype == expected.dtype


def assert_same(theirs, ours, X):
    assert ours.n_iter_ == theirs.n_iter_
    assert ours.converged_ == theirs.converged_
    # The tolerances: thousands of roundings in each of up to 100 dependent iterations.
    assert ours.lower_bound_ == pytest.approx(theirs.lower_bound_, rel=1e-9)
    assert len(ours.lower_bounds_) == len(theirs.lower_bounds_)
    assert_same_parameters(theirs, ours)
    np.testing.assert_array_equal(ours.predict(X), theirs.predict(X))
    assert ours.predict(X).dtype == theirs.predict(X).dtype


@pytest.mark.parametrize("covariance_type", COVARIANCE_TYPES)
@pytest.mark.parametrize("init_params", STARTS)
@pytest.mark.parametrize("name", ["iris", "wine", "breast_cancer", "digits", "blobs", "offset"])
def test_float64_fit_is_scikit_learns(data, name, init_params, covariance_type):
    X = data(name)
    assert_same(*fit_both(X, init_params=init_params, covariance_type=covariance_type), X)


@pytest.mark.parametrize("covariance_type", COVARIANCE_TYPES)
def test_functions_of_new_rows_are_scikit_learns(covariance_type):
    theirs, ours = fit_both(blobs(), covariance_type=covariance_type)
    X = blobs()[::3] + 0.5
    np.testing.assert_allclose(ours.predict_proba(X), theirs.predict_proba(X), atol=1e-9)
    np.testing.assert_allclose(ours.score_samples(X), theirs.score_samples(X), rtol=1e-9)
    for name in ("score", "bic", "aic"):
        assert getattr(ours, name)(X) == pytest.approx(getattr(theirs, name)(X), rel=1e-9)
    for a, b in zip(ours.sample(20), theirs.sample(20), strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-6)
        assert a.dtype == b.dtype


@pytest.mark.parametrize("covariance_type", COVARIANCE_TYPES)
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_given_start_is_used_as_scikit_learn_does(covariance_type, dtype):
    X = blobs().astype(dtype)
    fitted, _ = fit_both(blobs(), covariance_type=covariance_type, max_iter=2)
    given = {
        "weights_init": np.array([0.2, 0.3, 0.5]),
        "means_init": fitted.means_ + 0.1,
        "precisions_init": fitted.precisions_ * 1.1,
    }
    for some in ({name: value} for name, value in given.items()):
        theirs, ours = fit_both(X, covariance_type=covariance_type, **some)
        if dtype == np.float64:
            assert_same(theirs, ours, X)
    theirs, ours = fit_both(X, covariance_type=covariance_type, **given)
    if dtype == np.float64:
        assert_same(theirs, ours, X)
    # float32: equal starts, so the same optimum, up to scikit-learn's own rounding.
    assert ours.score(X) == pytest.approx(theirs.score(X), rel=1e-4)


@pytest.mark.parametrize("covariance_type", COVARIANCE_TYPES)
def test_warm_start_goes_on_where_scikit_learn_does(covariance_type):
    options = {"covariance_type": covariance_type, "max_iter": 3, "tol": 1e-6, "warm_start": True}
    theirs, ours = fit_both(blobs(), **options)
    for rows in (blobs(), blobs()[:300] + 0.1):
        for model in (theirs, ours):
            with warnings.catch_warnings():
                warnings.simplefilter("ignore", ConvergenceWarning)
                model.fit(rows)
        assert_same(theirs, ours, rows)


@pytest.mark.parametrize("options", [{"n_init": 3}, {"tol": 0, "max_iter": 5}])
def test_runs_and_limits_are_scikit_learns(options):
    theirs, ours = fit_both(blobs(), 4, init_params="k-means++", **options)
    assert_same(theirs, ours, blobs())


@pytest.mark.parametrize("covariance_type", COVARIANCE_TYPES)
def test_float32_fit_is_as_good(covariance_type):
    X = blobs().astype(np.float32)
    theirs, ours = fit_both(X, covariance_type=covariance_type)
    # Both reach an optimum of clear blobs; 1e-4 is the rounding of scikit-learn's float32 score.
    assert ours.score(X) >= theirs.score(X) - 1e-4 * abs(theirs.score(X))
    for name in ("weights_", "means_", "covariances_", "precisions_", "precisions_cholesky_"):
        assert getattr(ours, name).dtype == np.float32
        assert getattr(ours, name).shape == getattr(theirs, name).shape


def test_iris_has_the_published_log_likelihood():
    from sklearn.datasets import load_iris

    X = load_iris().data
    model = fastclust.GaussianMixture(3, tol=1e-8, max_iter=500, random_state=0).fit(X)
    # -180.19: R's mclust, model VVV, and scikit-learn; natural logarithm.
    assert model.score(X) * len(X) == pytest.approx(-180.19, abs=0.01)


@pytest.mark.parametrize("verbose", [1, 2])
@pytest.mark.parametrize("max_iter", [3, 100])
def test_prints_scikit_learns_lines(capsys, verbose, max_iter):
    printed = []
    for package in (sklearn.mixture, fastclust):
        model = package.GaussianMixture(
            3, verbose=verbose, verbose_interval=2, max_iter=max_iter, n_init=2, random_state=0,
            init_params="random",
        )  # fmt: skip
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ConvergenceWarning)
            model.fit(blobs())
        printed.append(re.sub(r"time lapse [\d.]+s", "time lapse", capsys.readouterr().out))
    assert printed[0] == printed[1]


X = np.random.default_rng(0).normal(size=(20, 2))
BAD_INPUT = {
    "n_components": ({"n_components": 0}, X),
    "tol": ({"tol": -1.0}, X),
    "covariance_type": ({"covariance_type": "round"}, X),
    "init_params": ({"init_params": "best"}, X),
    "max_iter": ({"max_iter": -1}, X),
    "reg_covar": ({"reg_covar": -1.0}, X),
    "verbose_interval": ({"verbose_interval": 0}, X),
    "too few rows": ({"n_components": 5}, X[:4]),
    "one row": ({}, X[:1]),
    "NaN": ({}, np.where(X > 1, np.nan, X)),
    "infinity": ({}, np.where(X > 1, np.inf, X)),
    "1-D": ({}, X[:, 0]),
    "weights shape": ({"weights_init": [0.5, 0.5]}, X),
    "weights sum": ({"weights_init": [0.5, 0.4, 0.4]}, X),
    "means shape": ({"means_init": np.ones((3, 5))}, X),
    "precisions shape": ({"precisions_init": np.ones((3, 2))}, X),
    "precisions sign": ({"precisions_init": np.full((3, 2), -1.0), "covariance_type": "diag"}, X),
    "precisions full": ({"precisions_init": -np.ones((3, 2, 2))}, X),
    "precisions tied": (
        {"precisions_init": np.array([[1.0, 2], [3, 4]]), "covariance_type": "tied"},
        X,
    ),
    "precisions 3-D": ({"precisions_init": np.ones((3, 2, 2)), "covariance_type": "diag"}, X),
    "singular": ({"reg_covar": 0.0}, np.repeat(X[:3], 5, axis=0)),
    "singular f4": ({"reg_covar": 0.0}, np.zeros((9, 2), dtype=np.float32)),
}


@pytest.mark.filterwarnings("ignore")  # those of KMeans, on repeated rows
@pytest.mark.parametrize("case", BAD_INPUT)
def test_bad_input_gets_scikit_learns_error(case):
    options, rows = BAD_INPUT[case]
    messages = []
    for package in (sklearn.mixture, fastclust):
        with pytest.raises(ValueError) as raised:  # noqa: PT011  (compared below)
            package.GaussianMixture(**{"n_components": 3, "random_state": 0} | options).fit(rows)
        messages.append(str(raised.value))
    words = [sorted(re.findall(r"[\w.-]+", message)) for message in messages]
    assert words[0] == words[1]  # options come in any order


def test_warns_as_scikit_learn_when_not_converged():
    messages = []
    for package in (sklearn.mixture, fastclust):
        with pytest.warns(ConvergenceWarning) as caught:
            package.GaussianMixture(3, max_iter=1, random_state=0).fit(blobs())
        messages.append(str(caught[0].message))
    assert messages[0] == messages[1]
    assert caught[0].filename == __file__  # of the line that called fit


@pytest.mark.parametrize("n_init", [1, 3])
@pytest.mark.parametrize("method", ["fit", "fit_predict"])
def test_warns_as_scikit_learn_of_repeated_rows(method, n_init):
    X = np.repeat(blobs()[:3], 9, axis=0)
    seen = []
    for package in (sklearn.mixture, fastclust):
        model = package.GaussianMixture(5, n_init=n_init, random_state=0)
        with pytest.warns(ConvergenceWarning, match="distinct clusters") as caught:
            getattr(model, method)(X)
        seen.append([(str(warning.message), warning.category) for warning in caught])
    assert seen[0] == seen[1]
    assert caught[0].filename == __file__


def test_every_lower_bound_is_scikit_learns():
    theirs, ours = fit_both(blobs(), 4, tol=1e-9)
    np.testing.assert_allclose(ours.lower_bounds_, theirs.lower_bounds_, rtol=1e-9)


@pytest.mark.parametrize("init_params", STARTS)
@pytest.mark.parametrize("covariance_type", COVARIANCE_TYPES)
def test_start_alone_is_that_of_scikit_learns_last_run(covariance_type, init_params):
    options = {"covariance_type": covariance_type, "init_params": init_params}
    theirs, ours = fit_both(blobs(), max_iter=0, n_init=3, **options)
    assert ours.n_iter_ == theirs.n_iter_ == 0
    assert ours.lower_bound_ == theirs.lower_bound_ == -np.inf
    assert ours.lower_bounds_ == theirs.lower_bounds_ == []
    assert ours.converged_ == theirs.converged_
    assert_same_parameters(theirs, ours)
