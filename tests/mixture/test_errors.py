"""Errors and warnings of GaussianMixture, each made by scikit-learn too."""

import re
import warnings

import numpy as np
import pandas as pd
import pytest
import scipy.sparse
import sklearn.mixture
from sklearn.exceptions import ConvergenceWarning

import fastclust
from tests.mixture.both import PACKAGES, assert_same_error, fit_both

COVARIANCE_TYPES = ["full", "tied", "diag", "spherical"]


STARTS = ["kmeans", "k-means++", "random", "random_from_data"]


def blobs(offset=0.0):
    rng = np.random.default_rng(0)
    centers = 3 * rng.normal(size=(3, 3))
    return rng.normal(size=(500, 3)) + centers[rng.integers(3, size=500)] + offset


@pytest.fixture(params=COVARIANCE_TYPES)
def covariance_type(request):
    return request.param


X = np.random.default_rng(0).normal(size=(20, 2))
EYES = np.stack([np.eye(2)] * 3)
ASYMMETRIC = np.array([[1.0, 2], [3, 4]])
BAD_X = {
    "too few rows": X[:2],
    "one row": X[:1],
    "no rows": X[:0],
    "no features": X[:, :0],
    "NaN": np.where(X > 1, np.nan, X),
    "NaN in a frame": pd.DataFrame(np.where(X > 1, np.nan, X), columns=["a", "b"]),
    "infinity": np.where(X > 1, np.inf, X),
    "minus infinity": np.where(X > 1, -np.inf, X),
    "float32 infinity": np.where(X > 1, np.inf, X).astype(np.float32),
    "1-D": X[:, 0],
    "3-D": X[np.newaxis],
    "number": 3.0,
    "complex": X + 1j,
    "strings": [["a", "b"]] * 5,
    "None": [[None, 1.0]] * 5,
    "sparse": scipy.sparse.csr_array(X),
}
BAD_INITS = [
    ("full", "weights_init", [0.5, 0.5]),
    ("full", "weights_init", np.ones((3, 1)) / 3),
    ("full", "weights_init", [0.5, 0.4, 0.4]),
    ("full", "weights_init", np.array([0.5, 0.5, 3e-6], dtype=np.float32)),
    ("full", "weights_init", [np.nan, 0.5, 0.5]),
    ("full", "weights_init", ["a", "b", "c"]),
    ("full", "weights_init", np.ones((3, 1, 1)) / 3),
    ("full", "means_init", np.ones((3, 5))),
    ("full", "means_init", np.ones(3)),
    ("full", "means_init", np.ones((2, 2))),
    ("full", "means_init", np.full((3, 2), np.nan)),
    ("full", "means_init", np.full((3, 2), np.inf)),
    ("full", "means_init", np.ones((3, 2, 1))),
    ("full", "precisions_init", EYES[0]),
    ("full", "precisions_init", EYES[:2]),
    ("full", "precisions_init", -EYES),
    ("full", "precisions_init", EYES * np.nan),
    ("full", "precisions_init", np.stack([ASYMMETRIC] * 3)),
    ("full", "precisions_init", np.stack([np.eye(2), np.eye(2), np.zeros((2, 2))])),
    ("full", "precisions_init", EYES[np.newaxis]),
    ("tied", "precisions_init", EYES),
    ("tied", "precisions_init", EYES[0][:1]),
    ("tied", "precisions_init", ASYMMETRIC),
    ("tied", "precisions_init", -np.eye(2)),
    ("diag", "precisions_init", EYES),
    ("diag", "precisions_init", np.ones((3, 3))),
    ("diag", "precisions_init", np.full((3, 2), -1.0)),
    ("diag", "precisions_init", np.zeros((3, 2))),
    ("spherical", "precisions_init", EYES),
    ("spherical", "precisions_init", np.ones((3, 1))),
    ("spherical", "precisions_init", np.zeros(3)),
    ("spherical", "precisions_init", [1.0, 1.0, -1.0]),
]
BAD_PARAMETERS = [
    ("n_components", 0),
    ("n_components", -1),
    ("n_components", 2.0),
    ("n_components", "3"),
    ("n_components", None),
    ("covariance_type", "round"),
    ("covariance_type", None),
    ("tol", -1.0),
    ("tol", "0.1"),
    ("tol", None),
    ("tol", np.nan),
    ("tol", np.inf),
    ("reg_covar", -1e-9),
    ("reg_covar", np.inf),
    ("reg_covar", None),
    ("max_iter", -1),
    ("max_iter", 10.0),
    ("n_init", 0),
    ("n_init", 1.5),
    ("init_params", "best"),
    ("init_params", None),
    ("weights_init", 3),
    ("weights_init", "equal"),
    ("means_init", 3.0),
    ("means_init", "a"),
    ("precisions_init", scipy.sparse.csr_array(np.eye(2))),
    ("random_state", -1),
    ("random_state", 2**32),
    ("random_state", "seed"),
    ("random_state", np.random.default_rng(0)),
    ("warm_start", 1),
    ("warm_start", None),
    ("verbose", -1),
    ("verbose", 1.5),
    ("verbose_interval", 0),
    ("verbose_interval", 2.0),
]


@pytest.mark.parametrize("case", BAD_X)
@pytest.mark.parametrize("method", ["fit", "fit_predict"])
def test_bad_rows_get_scikit_learns_error(method, case):
    assert_same_error(
        lambda package: getattr(package.GaussianMixture(3, random_state=0), method)(BAD_X[case])
    )


@pytest.mark.parametrize(("covariance_type", "name", "value"), BAD_INITS)
def test_bad_given_start_gets_scikit_learns_error(covariance_type, name, value):
    options = {"covariance_type": covariance_type, "random_state": 0, name: value}
    assert_same_error(lambda package: package.GaussianMixture(3, **options).fit(X))


@pytest.mark.parametrize("weights", [[-0.1, 0.6, 0.5], [1.2, -0.1, -0.1], [0.0, 1.5, -0.5]])
def test_weights_out_of_range_get_scikit_learns_error_with_the_numbers_put_right(weights):
    with pytest.raises(ValueError, match="'weights' should be in the range") as theirs:
        sklearn.mixture.GaussianMixture(3, weights_init=weights).fit(X)
    with pytest.raises(ValueError, match="'weights' should be in the range") as ours:
        fastclust.GaussianMixture(3, weights_init=weights).fit(X)
    # scikit-learn calls the least weight the greatest.
    greatest, least = f"{max(weights):.5f}", f"{min(weights):.5f}"
    exchanged = {greatest: least, least: greatest}
    expected = re.sub(r"-?\d\.\d{5}", lambda found: exchanged[found[0]], str(theirs.value))
    assert str(ours.value) == expected


@pytest.mark.parametrize(("name", "value"), BAD_PARAMETERS)
def test_bad_parameters_get_scikit_learns_error(name, value):
    assert_same_error(lambda package: package.GaussianMixture(**{name: value}).fit(X))


@pytest.mark.filterwarnings("ignore:Number of distinct clusters")
@pytest.mark.parametrize("init_params", STARTS)
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_singular_covariance_gets_scikit_learns_error(covariance_type, dtype, init_params):
    rows = np.repeat(X[:3], 5, axis=0).astype(dtype)
    # Zeros have no rounding: other repeated rows have variances of some 1e-32, or none.
    rows = np.zeros_like(rows) if covariance_type != "full" else rows
    options = {"covariance_type": covariance_type, "init_params": init_params, "reg_covar": 0}
    assert_same_error(
        lambda package: package.GaussianMixture(3, random_state=0, **options).fit(rows)
    )


BAD_NEW_ROWS = {
    "features": blobs()[:, :2],
    "NaN": np.full((5, 3), np.nan),
    "infinity": np.full((5, 3), np.inf),
    "1-D": blobs()[0],
    "no rows": blobs()[:0],
    "sparse": scipy.sparse.csr_array(blobs()),
    "complex": blobs() + 1j,
}
METHODS = ["predict", "predict_proba", "score_samples", "score", "bic", "aic"]


@pytest.mark.parametrize("method", METHODS)
def test_bad_new_rows_get_scikit_learns_error(method):
    models = dict(zip(PACKAGES, fit_both(blobs()), strict=True))
    for rows in BAD_NEW_ROWS.values():
        assert_same_error(lambda package, rows=rows: getattr(models[package], method)(rows))
    assert_same_error(lambda package: getattr(package.GaussianMixture(), method)(blobs()))


def test_sample_before_fit_gets_scikit_learns_error():
    assert_same_error(lambda package: package.GaussianMixture().sample())


@pytest.mark.parametrize("n_samples", [0, -1])
def test_sample_of_no_rows_gets_scikit_learns_error_with_the_number_put_right(n_samples):
    theirs, ours = fit_both(blobs())
    with pytest.raises(ValueError, match="Invalid value for 'n_samples'") as raised:
        theirs.sample(n_samples)
    # scikit-learn names n_components.
    expected = str(raised.value).replace("'n_samples': 3 ", f"'n_samples': {n_samples} ")
    with pytest.raises(ValueError, match=re.escape(expected)):
        ours.sample(n_samples)


@pytest.mark.parametrize("method", ["fit", "fit_predict"])
@pytest.mark.parametrize("options", [{"max_iter": 1}, {"tol": 0, "max_iter": 5, "n_init": 3}])
def test_warns_as_scikit_learn_when_not_converged(method, options):
    seen = []
    for package in PACKAGES:
        with pytest.warns(ConvergenceWarning) as caught:
            getattr(package.GaussianMixture(3, random_state=0, **options), method)(blobs())
        seen.append([(str(warning.message), warning.category) for warning in caught])
    assert seen[0] == seen[1]
    assert caught[0].filename == __file__  # of the line that called fit


@pytest.mark.parametrize("options", [{"max_iter": 0}, {}, {"warm_start": True, "n_init": 3}])
def test_does_not_warn_where_scikit_learn_does_not(options):
    for package in PACKAGES:
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            package.GaussianMixture(3, random_state=0, **options).fit(blobs())


@pytest.mark.parametrize("n_init", [1, 3])
@pytest.mark.parametrize("method", ["fit", "fit_predict"])
def test_warns_as_scikit_learn_of_repeated_rows(method, n_init):
    rows = np.repeat(blobs()[:3], 9, axis=0)
    seen = []
    for package in PACKAGES:
        model = package.GaussianMixture(5, n_init=n_init, random_state=0)
        with pytest.warns(ConvergenceWarning, match="distinct clusters") as caught:
            getattr(model, method)(rows)
        seen.append([(str(warning.message), warning.category) for warning in caught])
    assert seen[0] == seen[1]
    assert caught[0].filename == __file__
