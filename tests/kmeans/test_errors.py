"""Errors and warnings of KMeans, each made by scikit-learn too."""

import re
import warnings

import numpy as np
import pandas as pd
import pytest
import scipy.sparse
import sklearn
import sklearn.cluster
from sklearn.exceptions import ConvergenceWarning

import fastclust
from fastclust import KMeans
from fastclust._algorithms.rows import dense
from tests.kmeans.models import blobs, noise

OUR_STARTS = {"'k-means||'", "'sample'"}


def outcome(call, package):
    """Return name of the error and words, with sets in one order, without fastclust's own."""
    try:
        call(package)
    except Exception as error:
        words = re.sub(
            r"\{([^{}]*)\}",
            lambda found: "{" + ", ".join(sorted({*found[1].split(", ")} - OUR_STARTS)) + "}",
            str(error),
        )
        return type(error).__name__, words
    return "no error"


def assert_same_error(call):
    ours, theirs = outcome(call, fastclust), outcome(call, sklearn.cluster)
    assert ours == theirs
    assert ours != "no error"


def _spoilt(value):
    X = blobs()
    X[3, 1] = value
    return X


BAD_DATA = {
    "NaN": _spoilt(np.nan),
    "infinity": _spoilt(np.inf),
    "NaN in float32": _spoilt(np.nan).astype(np.float32),
    "NaN in CSR": scipy.sparse.csr_array(_spoilt(np.nan)),
    "too few rows": blobs()[:3],
    "complex": blobs() + 1j,
    "one dimension": blobs()[:, 0],
    "three dimensions": blobs().reshape(10, 10, 3),
    "no rows": np.empty((0, 3)),
    "no features": np.empty((5, 0)),
    "strings": np.array([["a", "b"], ["c", "d"]]),
    "a number": 3.0,
    "None": None,
}


@pytest.mark.parametrize("case", BAD_DATA)
def test_bad_data_is_refused_with_the_same_words(case):
    assert_same_error(lambda package: package.KMeans(4).fit(BAD_DATA[case]))


def test_the_mean_that_finds_infinities_of_both_signs_does_not_warn():
    X = _spoilt(np.inf)
    X[5, 1] = -np.inf
    assert not np.isfinite(dense.estimate_mean(X)).all()


@pytest.mark.parametrize("method", ["predict", "transform", "score"])
@pytest.mark.parametrize("case", [case for case in BAD_DATA if case != "too few rows"])
def test_bad_new_rows_are_refused_with_the_same_words(fitted, case, method):
    models = dict(zip((fastclust, sklearn.cluster), fitted, strict=True))
    assert_same_error(lambda package: getattr(models[package], method)(BAD_DATA[case]))


@pytest.mark.parametrize("method", ["predict", "transform", "score", "get_feature_names_out"])
def test_use_before_fit_is_refused_with_the_same_words(method):
    args = () if method == "get_feature_names_out" else (blobs(),)
    assert_same_error(lambda package: getattr(package.KMeans(), method)(*args))


@pytest.mark.parametrize("method", ["predict", "transform", "score"])
@pytest.mark.parametrize("convert", [np.asarray, scipy.sparse.csr_array])
def test_another_number_of_features_is_refused_with_the_same_words(fitted, method, convert):
    models = dict(zip((fastclust, sklearn.cluster), fitted, strict=True))
    assert_same_error(lambda package: getattr(models[package], method)(convert(noise(9, 4))))


BAD_WEIGHTS = {
    "wrong length": np.ones(99),
    "NaN": np.where(np.arange(100) == 5, np.nan, 1.0),
    "infinite": np.where(np.arange(100) == 5, np.inf, 1.0),
    "two dimensions": np.ones((100, 1)),
    "all zero": np.zeros(100),
    "strings": ["a"] * 100,
    "zero": 0,
}


@pytest.mark.parametrize("case", BAD_WEIGHTS)
@pytest.mark.parametrize("convert", [np.asarray, scipy.sparse.csr_array])
def test_bad_weights_are_refused_with_the_same_words(case, convert):
    X, weights = convert(blobs()), BAD_WEIGHTS[case]
    assert_same_error(lambda package: package.KMeans(4).fit(X, sample_weight=weights))
    assert_same_error(lambda package: package.kmeans_plusplus(X, 4, sample_weight=weights))
    assert_same_error(lambda package: package.KMeans(4).fit(X).score(X, sample_weight=weights))


def test_negative_weights_are_refused():
    # scikit-learn accepts them, and divides by what may be zero.
    weights = np.where(np.arange(100) == 5, -1.0, 1.0)
    message = "Negative values in data passed to `sample_weight`"
    with pytest.raises(ValueError, match=message):
        KMeans(4).fit(blobs(), sample_weight=weights)
    with pytest.raises(ValueError, match=message):
        fastclust.kmeans_plusplus(blobs(), 4, sample_weight=weights)


BAD_PARAMETERS = [
    ("n_clusters", 0),
    ("n_clusters", -1),
    ("n_clusters", 2.0),
    ("n_clusters", "4"),
    ("n_clusters", None),
    ("init", "kmeans++"),
    ("init", 3),
    ("init", None),
    ("n_init", 0),
    ("n_init", 1.5),
    ("n_init", "warn"),
    ("max_iter", 0),
    ("max_iter", 10.0),
    ("tol", -1e-4),
    ("tol", "0.1"),
    ("tol", None),
    ("verbose", -1),
    ("verbose", 1.5),
    ("verbose", "yes"),
    ("random_state", -1),
    ("random_state", 2**32),
    ("random_state", 1.5),
    ("random_state", "seed"),
    ("copy_x", 1),
    ("copy_x", None),
    ("algorithm", "full"),
    ("algorithm", "auto"),
    ("algorithm", None),
]


@pytest.mark.parametrize(("name", "value"), BAD_PARAMETERS)
def test_bad_parameters_are_refused_with_the_same_words(name, value):
    assert_same_error(lambda package: package.KMeans(**{name: value}).fit(blobs()))


@pytest.mark.parametrize(
    "name", ["X", "n_clusters", "sample_weight", "init", "tol", "verbose", "return_n_iter"]
)
def test_bad_parameters_of_k_means_are_refused_with_the_same_words(name):
    parameters = {"X": blobs(), "n_clusters": 4, name: -1}
    assert_same_error(lambda package: package.k_means(**parameters))


def test_a_bad_parameter_error_is_a_value_error_and_a_type_error():
    for kind in (ValueError, TypeError):
        with pytest.raises(kind, match="'tol' parameter of KMeans"):
            KMeans(tol=-1).fit(blobs())


BAD_SEEDING = {
    "X is a number": {"X": 3.0},
    "no clusters": {"n_clusters": 0},
    "more clusters than rows": {"n_clusters": 101},
    "clusters are a float": {"n_clusters": 4.0},
    "random_state is a string": {"random_state": "seed"},
    "no trials": {"n_local_trials": 0},
    "trials are a float": {"n_local_trials": 1.5},
    "too few norms": {"x_squared_norms": np.ones(99)},
    "norms are a number": {"x_squared_norms": 3},
    "norms are NaN": {"x_squared_norms": np.full(100, np.nan)},
    "sample_weight is a string": {"sample_weight": "heavy"},
}


@pytest.mark.parametrize("case", BAD_SEEDING)
def test_bad_parameters_of_kmeans_plusplus_are_refused_with_the_same_words(case):
    parameters = {"X": blobs(), "n_clusters": 4, **BAD_SEEDING[case]}
    assert_same_error(lambda package: package.kmeans_plusplus(**parameters))


BAD_INITS = {
    "too few centers": blobs()[:3],
    "too many features": noise(4, 5),
    "one dimension": np.ones(4),
    "NaN": _spoilt(np.nan)[:4],
    "strings": [["a"] * 3] * 4,
    "callable, too few centers": lambda X, k, random_state: X[: k - 1],
    "callable, too many features": lambda X, k, random_state: noise(k, 5),
    "callable, NaN": lambda X, k, random_state: np.full((k, 3), np.nan),
    "callable, one dimension": lambda X, k, random_state: np.ones(k),
}


@pytest.mark.parametrize("case", BAD_INITS)
def test_bad_first_centers_are_refused_with_the_same_words(case):
    parameters = {"init": BAD_INITS[case], "n_init": 1}
    assert_same_error(lambda package: package.KMeans(4, **parameters).fit(blobs()))


def test_a_callable_init_may_reuse_its_array():
    """Each run has the centers of its own call, also when the runs begin after all calls."""
    X = noise(3000, 8)

    def fit(reuse):
        array = np.empty((8, 8))

        def init(X, n_clusters, random_state):
            centers = array if reuse else np.empty((8, 8))
            centers[:] = X[random_state.choice(len(X), n_clusters, replace=False)]
            return centers

        return KMeans(8, init=init, n_init=8, random_state=0).fit(X)

    np.testing.assert_array_equal(fit(True).labels_, fit(False).labels_)


def test_an_error_inside_a_callable_init_comes_through():
    def init(X, n_clusters, random_state):
        raise RuntimeError("no centers today")

    with pytest.raises(RuntimeError, match="no centers today"):
        KMeans(4, init=init, n_init=1).fit(blobs())


@pytest.mark.parametrize("spoil", [
    {"X": _spoilt(np.nan)},
    {"X": noise(3, 7)},
    {"X": pd.DataFrame(noise(3, 2), columns=["a", "b"])},
    {"X": noise(50, 7), "sample_weight": np.zeros(50)},
    {"X": noise(50, 7), "init": noise(4, 6)},
    {"X": noise(50, 7), "init": lambda X, k, random_state: 1 / 0},
    {"X": blobs(), "tol": -1},
])  # fmt: skip
def test_a_failed_fit_leaves_a_fitted_estimator_as_it_was(spoil):
    X = pd.DataFrame(blobs(), columns=["one", "two", "three"])
    model = KMeans(4, random_state=0, n_init=1).fit(X)
    spoil = dict(spoil)
    bad_X, weights = spoil.pop("X"), spoil.pop("sample_weight", None)
    model.set_params(**spoil)
    before = {name: value for name, value in vars(model).items() if name.endswith("_")}
    with pytest.raises((ValueError, ZeroDivisionError)):
        model.fit(bad_X, sample_weight=weights)
    after = {name: value for name, value in vars(model).items() if name.endswith("_")}
    assert before.keys() == after.keys()
    assert all(before[name] is after[name] for name in before)
    np.testing.assert_array_equal(model.predict(X), model.labels_)


def test_a_warning_made_an_error_leaves_a_fitted_estimator_as_it_was():
    model = KMeans(4, random_state=0).fit(blobs())
    labels = model.labels_
    with warnings.catch_warnings():
        warnings.simplefilter("error", ConvergenceWarning)
        with pytest.raises(ConvergenceWarning):
            model.fit(np.ones((9, 2)))
    assert model.labels_ is labels
    assert model.n_features_in_ == 3


def test_parameters_are_not_checked_where_the_user_said_so():
    with sklearn.config_context(skip_parameter_validation=True):
        assert KMeans(4, tol=-1.0, random_state=0).fit(blobs()).n_iter_ >= 1


# -- warnings ----------------------------------------------------------------------------------


@pytest.mark.parametrize("parameters", [
    {"n_clusters": 4, "init": blobs()[:4], "n_init": 3},
    {"n_clusters": 1, "algorithm": "elkan"},
])  # fmt: skip
def test_parameters_that_do_not_go_together_warn_with_the_same_words(parameters):
    with pytest.warns(RuntimeWarning) as ours:
        fastclust.KMeans(**parameters).fit(blobs())
    with pytest.warns(RuntimeWarning) as theirs:
        sklearn.cluster.KMeans(**parameters).fit(blobs())
    assert [str(w.message) for w in ours] == [str(w.message) for w in theirs]
    assert ours[0].filename == __file__


@pytest.mark.parametrize("parameters", [
    {"n_clusters": 4, "init": blobs()[:4]},
    {"n_clusters": 4, "init": blobs()[:4].tolist(), "n_init": 1},
    {"n_clusters": 1},
    {"n_clusters": 4, "max_iter": 1},
    {"n_clusters": 4, "init": "random"},
])  # fmt: skip
def test_other_parameters_do_not_warn(parameters):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        KMeans(**parameters).fit(blobs())
