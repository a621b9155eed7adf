"""Odd and bad input: every method answers or fails as scikit-learn's does, which is asked.

Each input goes through each method of each estimator of both packages. The results must have the
same dtype and shape and, up to rounding, the same values, or the errors the same type and words.
Where they rightly differ, `AS_FLOATS` and `WORDS` say so.
"""

import re
import warnings

import numpy as np
import pandas as pd
import polars as pl
import pytest
import scipy.sparse
import sklearn.cluster
import sklearn.mixture
import sklearn.utils
from sklearn.exceptions import ConvergenceWarning

import fastclust
from fastclust.exceptions import SingularCovarianceError

RNG = np.random.default_rng(0)
X = RNG.normal(size=(40, 3)) + 5 * RNG.integers(3, size=(40, 1))


def _with(value, dtype=float):
    rows = X.astype(dtype)
    rows[7, 1] = value
    return rows


INPUTS = {
    "nan": _with(np.nan),
    "nan, float32": _with(np.nan, np.float32),
    "infinity": _with(np.inf),
    "minus infinity": _with(-np.inf),
    "opposite infinities": np.vstack([_with(np.inf), _with(-np.inf)]),
    "no rows": X[:0],
    "no columns": X[:, :0],
    "one row": X[:1],
    "two rows": X[:2],
    "one feature": X[:, :1],
    "a constant column": X * [1, 0, 1],
    "equal rows": np.repeat(X[:1], 20, axis=0),
    "zeros": np.zeros((20, 3)),
    "large": X * 1e100,
    "small": X * 1e-100,
    "denormal": X * 1e-310,
    "mixed scales": X * [1e-6, 1, 1e6],
    "integers": np.round(10 * X).astype(int),
    "int8": np.round(X).astype(np.int8),
    "unsigned": np.round(X + 20).astype(np.uint16),
    "bool": X > 2,
    "objects": X.astype(object),
    "objects with None": np.where(X > 6, None, X),
    "words": np.array([["a", "b"], ["c", "d"]] * 10),
    "numbers as words": X.astype(str),
    "complex": X + 1j,
    "dates": np.zeros((9, 2), dtype="datetime64[s]"),
    "float16": X.astype(np.float16),
    "longdouble": X.astype(np.longdouble),
    "float32": X.astype(np.float32),
    "a number": np.float64(3.0),
    "one dimension": X[:, 0],
    "three dimensions": X.reshape(10, 4, 3),
    "ragged": [[1.0, 2.0], [3.0]],
    "nothing": None,
    "an object": object(),
    "a word": "rows",
    "lists": X.tolist(),
    "tuples": tuple(map(tuple, X)),
    "reversed": X[::-1, ::-1],
    "every other": RNG.normal(size=(80, 6))[::2, ::2],
    "Fortran order": np.asfortranarray(X),
    "another byte order": X.astype(X.dtype.newbyteorder()),
    "masked": np.ma.masked_array(X, mask=X > 100),
    "csr": scipy.sparse.csr_array(X),
    "csr, old": scipy.sparse.csr_matrix(X),
    "csc": scipy.sparse.csc_array(X),
    "coordinates": scipy.sparse.coo_array(X),
    "csr of integers": scipy.sparse.csr_array(np.round(X).astype(int)),
    "csr with nan": scipy.sparse.csr_array(_with(np.nan)),
    "csr, empty": scipy.sparse.csr_array((20, 3)),
    "csr, float32": scipy.sparse.csr_array(X.astype(np.float32)),
    "frame": pd.DataFrame(X, columns=["a", "b", "c"]),
    "frame of mixed types": pd.DataFrame({"a": X[:, 0], "b": X[:, 1].astype("f4"), "c": 1}),
    "frame with missing": pd.DataFrame(_with(np.nan), columns=["a", "b", "c"]),
    "frame with NA": pd.DataFrame(_with(np.nan)).astype("Float64"),
    "frame of words": pd.DataFrame({"a": ["x", "y"] * 9, "b": 1.0}),
    "frame of categories": pd.DataFrame({"a": pd.Categorical([1, 2] * 9), "b": 1.0}),
    "series": pd.Series(X[:, 0]),
    "polars": pl.DataFrame(X, schema=["a", "b", "c"]),
}
READ_ONLY = X.copy()
READ_ONLY.setflags(write=False)
INPUTS["read-only"] = READ_ONLY

WEIGHTS = {
    "ones": np.ones(40),
    "integers": np.arange(40) % 3,
    "a number": 2.5,
    "float32": np.linspace(0, 1, 40, dtype=np.float32),
    "list": [1.0] * 40,
    "nan": np.where(np.arange(40) == 3, np.nan, 1),
    "infinite": np.where(np.arange(40) == 3, np.inf, 1),
    "negative": np.where(np.arange(40) == 3, -1, 1),
    "zeros": np.zeros(40),
    "short": np.ones(39),
    "two dimensions": np.ones((40, 1)),
    "words": ["a"] * 40,
    "huge": np.full(40, 1e200),
}


def outcome(call):
    """What a call returns, or the type and words of its error."""
    with warnings.catch_warnings(), np.errstate(all="ignore"):
        warnings.simplefilter("ignore")
        try:
            return call()
        except Exception as error:
            return _error(error)


def _error(error):
    kind = ValueError if isinstance(error, SingularCovarianceError) else type(error)
    words = re.sub(r"0x[0-9a-f]+", "0x", " ".join(str(error).split()))
    return f"{kind.__name__}: {words}"


def _kmeans(module):
    return module.KMeans(3, n_init=2, random_state=0)


def _mixture(module):
    return module.GaussianMixture(3, random_state=0)


def _minibatch(module):
    return module.MiniBatchKMeans(3, batch_size=16, max_iter=3, random_state=0)


def _bisecting(module):
    return module.BisectingKMeans(3, random_state=0)


def _spherical(module):
    return module.SphericalKMeans(3, random_state=0)


def _bayesian(module):
    return module.BayesianGaussianMixture(n_components=2, tol=1.0, random_state=0)


CALLS = {
    "KMeans.fit": lambda m, rows: _kmeans(m).fit(rows).cluster_centers_,
    "KMeans.labels_": lambda m, rows: _kmeans(m).fit_predict(rows),
    "KMeans.inertia_": lambda m, rows: _kmeans(m).fit(rows).inertia_,
    "KMeans.fit_transform": lambda m, rows: _kmeans(m).fit_transform(rows),
    "KMeans.predict": lambda m, rows: _kmeans(m).fit(X).predict(rows),
    "KMeans.transform": lambda m, rows: _kmeans(m).fit(X).transform(rows),
    "KMeans.score": lambda m, rows: _kmeans(m).fit(X).score(rows),
    "k_means": lambda m, rows: m.k_means(rows, 3, n_init=1, random_state=0)[2],
    "kmeans_plusplus": lambda m, rows: m.kmeans_plusplus(rows, 3, random_state=0)[1],
    "GaussianMixture.fit": lambda m, rows: _mixture(m).fit(rows).means_,
    "GaussianMixture.fit_predict": lambda m, rows: _mixture(m).fit_predict(rows),
    "GaussianMixture.lower_bound_": lambda m, rows: float(_mixture(m).fit(rows).lower_bound_),
    "GaussianMixture.predict": lambda m, rows: _mixture(m).fit(X).predict(rows),
    "GaussianMixture.predict_proba": lambda m, rows: _mixture(m).fit(X).predict_proba(rows),
    "GaussianMixture.score_samples": lambda m, rows: _mixture(m).fit(X).score_samples(rows),
    "GaussianMixture.score": lambda m, rows: _mixture(m).fit(X).score(rows),
    "GaussianMixture.bic": lambda m, rows: _mixture(m).fit(X).bic(rows),
    "GaussianMixture.aic": lambda m, rows: _mixture(m).fit(X).aic(rows),
    "MiniBatchKMeans.fit": lambda m, rows: _minibatch(m).fit(rows).cluster_centers_,
    "MiniBatchKMeans.partial_fit": lambda m, rows: _minibatch(m).partial_fit(rows).cluster_centers_,
    "BisectingKMeans.labels_": lambda m, rows: _bisecting(m).fit_predict(rows),
    "BisectingKMeans.predict": lambda m, rows: _bisecting(m).fit(X).predict(rows),
    "BayesianGaussianMixture.fit": lambda m, rows: _bayesian(m).fit(rows).means_,
    "BayesianGaussianMixture.score": lambda m, rows: _bayesian(m).fit(X).score(rows),
}

AS_FLOATS = {
    "kmeans_plusplus": "scikit-learn takes X as it is: arrays of floats alone, integers overflow",
    "GaussianMixture.": "scikit-learn computes in the dtype of X, where integers overflow",
    "BayesianGaussianMixture.": "the same",
    "KMeans.predict": "scikit-learn refuses float32 rows after a float64 fit",
    "KMeans.score": "the same",
    "BisectingKMeans.predict": "the same",
}
"""Calls that may differ, where they answer as scikit-learn does for the same rows in float64."""

WORDS = {
    "words": "ValueError: could not convert string to float: np.str_('a')",
    "nothing": "ValueError: Expected 2D array, got scalar array instead: array=nan.",
    "an object": "TypeError: float() argument must be a string or a real number, not 'object'",
    "a word": "ValueError: could not convert string to float: 'rows'",
}
"""What mixtures say after a fit where scikit-learn converts later: as both say in `fit`."""


def same(ours, theirs):
    """Whether outcomes are equal, numbers up to the rounding of some sums."""
    if isinstance(ours, str) or isinstance(theirs, str):
        return type(ours) is type(theirs) and ours == theirs
    ours, theirs = np.asarray(ours), np.asarray(theirs)
    largest = np.nanmax(np.abs(theirs), initial=0.0)
    return (
        ours.dtype == theirs.dtype
        and ours.shape == theirs.shape
        # Of an inertia of 0 scikit-learn's rounding may leave squares of eps.
        and np.allclose(ours, theirs, rtol=1e-5, atol=1e-8 * largest + 1e-28, equal_nan=True)
    )


def _module(name):
    return sklearn.mixture if "GaussianMixture" in name else sklearn.cluster


@pytest.mark.parametrize("name", CALLS)
@pytest.mark.parametrize("rows", INPUTS)
def test_rows(name, rows):
    call, X = CALLS[name], INPUTS[rows]
    theirs = outcome(lambda: call(_module(name), X))
    ours = outcome(lambda: call(fastclust, X))
    if same(ours, theirs):
        return
    if rows == "denormal":
        # Squares of such numbers are 0: scikit-learn finds one cluster. In other units it agrees.
        theirs = outcome(lambda: call(_module(name), np.ldexp(X, 1000)))
        assert same(np.ldexp(ours, 1000) if ours.dtype == np.float64 else ours, theirs)
        return
    assert name.startswith(tuple(AS_FLOATS)), (ours, theirs)
    if rows in WORDS:
        assert ours.startswith(WORDS[rows])
        return
    floats = sklearn.utils.check_array(X, accept_sparse="csr", dtype=np.float64)
    theirs = outcome(lambda: call(_module(name), floats))
    # float16 and float32 rows are less exact, and so are their responsibilities.
    np.testing.assert_allclose(ours, theirs, rtol=1e-5, atol=1e-6)


WEIGHTED_CALLS = {
    "KMeans.fit": lambda m, w: _kmeans(m).fit(X, sample_weight=w).cluster_centers_,
    "KMeans.fit, random": lambda m, w: (
        _kmeans(m).set_params(init="random").fit(X, sample_weight=w).cluster_centers_
    ),
    "KMeans.score": lambda m, w: _kmeans(m).fit(X).score(X, sample_weight=w),
    "k_means": lambda m, w: m.k_means(X, 3, sample_weight=w, n_init=1, random_state=0)[2],
    "kmeans_plusplus": lambda m, w: m.kmeans_plusplus(X, 3, sample_weight=w, random_state=0)[1],
    "MiniBatchKMeans.fit": lambda m, w: _minibatch(m).fit(X, sample_weight=w).cluster_centers_,
    "BisectingKMeans.fit": lambda m, w: _bisecting(m).fit(X, sample_weight=w).cluster_centers_,
}


@pytest.mark.parametrize("name", WEIGHTED_CALLS)
@pytest.mark.parametrize("weights", WEIGHTS)
def test_weights(name, weights):
    call, weights_of_rows = WEIGHTED_CALLS[name], WEIGHTS[weights]
    theirs = outcome(lambda: call(sklearn.cluster, weights_of_rows))
    ours = outcome(lambda: call(fastclust, weights_of_rows))
    if weights == "negative":  # scikit-learn notices them only where it draws by weight
        theirs = "ValueError: Negative values in data passed to `sample_weight`."
    assert same(ours, theirs), (ours, theirs)


@pytest.mark.parametrize("weights", WEIGHTS)
@pytest.mark.parametrize(
    ("make", "method"),
    [
        (_mixture, "fit"),
        (_mixture, "score"),
        (_mixture, "bic"),
        (_bayesian, "fit"),
        (_bayesian, "score"),
        (_spherical, "fit"),
        (_spherical, "score"),
    ],
)
def test_weights_that_scikit_learn_does_not_take_are_checked_as_those_of_kmeans(
    make, method, weights
):
    weights_of_rows = WEIGHTS[weights]
    kmeans = outcome(lambda: _kmeans(fastclust).fit(X, sample_weight=weights_of_rows))
    model = make(fastclust).fit(X)
    ours = outcome(lambda: getattr(model, method)(X, sample_weight=weights_of_rows))
    assert isinstance(ours, str) == isinstance(kmeans, str)
    if isinstance(kmeans, str):
        assert ours == kmeans


@pytest.mark.parametrize("rows", INPUTS)
def test_rows_of_spherical_kmeans_are_those_of_kmeans_but_for_zeros(rows):
    kmeans = outcome(lambda: _kmeans(fastclust).fit(INPUTS[rows]).labels_)
    model = _spherical(fastclust)
    ours = outcome(lambda: model.fit(INPUTS[rows]).labels_)
    if isinstance(kmeans, str):
        assert ours == kmeans.replace("KMeans", "SphericalKMeans")
    elif isinstance(ours, str):
        assert re.match("ValueError: [0-9]+ of [0-9]+ rows (is|are) zero", ours)
    else:
        np.testing.assert_array_equal(model.predict(INPUTS[rows]), ours)
        lengths = np.linalg.norm(model.cluster_centers_.astype(float), axis=1)
        np.testing.assert_allclose(lengths, 1, rtol=1e-6)  # float32 centers are rounded


@pytest.mark.parametrize("n_clusters", [1, 39, 40, 41, 0, -1, 2.5, "3", None, np.int64(3)])
def test_numbers_of_clusters(n_clusters):
    for name, call in {
        "KMeans": lambda m: m.KMeans(n_clusters, n_init=1, random_state=0).fit(X).inertia_,
        "k_means": lambda m: m.k_means(X, n_clusters, n_init=1, random_state=0)[2],
        "kmeans_plusplus": lambda m: m.kmeans_plusplus(X, n_clusters, random_state=0)[1],
        "MiniBatchKMeans": lambda m: m.MiniBatchKMeans(n_clusters, random_state=0).fit(X).inertia_,
        "BisectingKMeans": lambda m: m.BisectingKMeans(n_clusters, random_state=0).fit(X).inertia_,
        "GaussianMixture": lambda m: m.GaussianMixture(n_clusters, random_state=0).fit(X).means_,
        "BayesianGaussianMixture": lambda m: (
            m.BayesianGaussianMixture(n_components=n_clusters, tol=1.0, random_state=0)
            .fit(X)
            .means_
        ),
    }.items():
        if name == "MiniBatchKMeans" and n_clusters in (39, 40):
            continue  # rows of its start are drawn twice, and rounding chooses among equal ones
        theirs = outcome(lambda: call(_module(name)))  # noqa: B023
        ours = outcome(lambda: call(fastclust))  # noqa: B023
        if n_clusters == 40 and "eans" in name:  # 0, or a rounding error of 0
            assert ours == pytest.approx(theirs, abs=1e-12)
        else:
            assert same(ours, theirs), (name, ours, theirs)


ESTIMATORS = [
    make(fastclust) for make in (_kmeans, _minibatch, _bisecting, _spherical, _mixture, _bayesian)
]


@pytest.mark.parametrize("estimator", ESTIMATORS, ids=lambda e: type(e).__name__)
@pytest.mark.parametrize("rows", INPUTS)
def test_a_fit_that_fails_changes_nothing(estimator, rows):
    estimator.fit(X)
    before = dict(vars(estimator))
    if isinstance(outcome(lambda: estimator.fit(INPUTS[rows])), str):
        assert vars(estimator).keys() == before.keys()
        assert all(vars(estimator)[name] is value for name, value in before.items())


@pytest.mark.parametrize("integer", [np.int8, np.uint8, np.int16, np.int64])
def test_narrow_integers_as_parameters_do_not_overflow(integer):
    """100 clusters x 64 features do not fit in an int8."""
    X = np.random.default_rng(0).normal(size=(300, 64))
    options = {"n_init": 2, "max_iter": 20, "random_state": 0}
    narrow = {name: integer(value) for name, value in options.items()}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        labels = fastclust.KMeans(100, **options).fit(X).labels_
        np.testing.assert_array_equal(
            fastclust.KMeans(integer(100), **narrow).fit(X).labels_, labels
        )
        for covariance_type in ("full", "tied", "diag", "spherical"):
            options["covariance_type"] = narrow["covariance_type"] = covariance_type
            mixture = fastclust.GaussianMixture(100, reg_covar=1.0, **options).fit(X)
            of_narrow = fastclust.GaussianMixture(integer(100), reg_covar=1.0, **narrow).fit(X)
            assert of_narrow.bic(X) == mixture.bic(X)
            assert of_narrow.sample(integer(5))[0].shape == (5, 64)
    indices = fastclust.kmeans_plusplus(X, 100, n_local_trials=20, random_state=0)[1]
    of_narrow = fastclust.kmeans_plusplus(
        X, integer(100), n_local_trials=integer(20), random_state=0
    )
    np.testing.assert_array_equal(of_narrow[1], indices)
