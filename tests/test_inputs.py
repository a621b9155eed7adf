"""Inputs that scikit-learn takes: sparse rows of any kind, tables, attributes set by hand."""

import numpy as np
import pandas as pd
import polars as pl
import pytest
import scipy.sparse
import sklearn.cluster
import sklearn.metrics
import sklearn.mixture
from scipy.spatial.distance import cdist

import fastclust
from fastclust import metrics, model_selection, outliers

RNG = np.random.default_rng(0)
GROUPS = RNG.integers(3, size=90)
ROWS = np.column_stack([6 * GROUPS + RNG.normal(size=90), RNG.normal(size=90)])
FRAME = pd.DataFrame(ROWS, columns=["a", "b"])
CSR = scipy.sparse.random(90, 20, density=0.3, format="csr", random_state=0)
WORDS = pd.DataFrame({"town": RNG.choice(list("abcdef"), 90), "kind": RNG.choice(list("xyz"), 90)})
COVARIANCE_TYPES = ["full", "tied", "diag", "spherical"]


def results(X, n_clusters=3):
    """What every function and estimator that takes sparse rows makes of X."""
    kmeans = fastclust.KMeans(n_clusters, random_state=0)
    fitted = kmeans.fit(X)
    labels = np.arange(X.shape[0]) % 3
    minibatch = fastclust.MiniBatchKMeans(n_clusters, random_state=0).fit(X)
    bisecting = fastclust.BisectingKMeans(n_clusters, random_state=0).fit(X)
    near = outliers.DistanceOutliers(kmeans).fit(X)
    trimmed = outliers.TrimmedKMeans(kmeans).fit(X)
    return {
        "fit": fitted.labels_,
        "centers": fitted.cluster_centers_,
        "fit_predict": kmeans.fit_predict(X),
        "predict": fitted.predict(X),
        "transform": fitted.transform(X),
        "score": fitted.score(X),
        "k_means": fastclust.k_means(X, n_clusters, random_state=0)[1],
        "kmeans_plusplus": fastclust.kmeans_plusplus(X, n_clusters, random_state=0)[1],
        "silhouettes": metrics.silhouette_samples(X, labels),
        "sample": metrics.silhouette_score(X, labels, sample_size=50, random_state=0),
        "distance": near.predict(X),
        "trimmed": trimmed.predict(X),
        "mini-batches": minibatch.predict(X),
        "mini-batches, partial_fit": minibatch.partial_fit(X).cluster_centers_,
        "bisecting": bisecting.predict(X),
        "bisecting, labels": bisecting.labels_,
    }


def dense_results(X):
    """The same of what takes dense rows only."""
    mixture = fastclust.GaussianMixture(3, random_state=0)
    fitted = mixture.fit(X)
    selection = model_selection.select_kmeans(X, [2, 3], n_init=2, random_state=0, gap_references=2)
    mixtures = model_selection.select_gaussian_mixture(X, [2, 3], random_state=0)
    bayesian = fastclust.BayesianGaussianMixture(n_components=3, tol=1.0, random_state=0).fit(X)
    spherical = fastclust.SphericalKMeans(3, random_state=0).fit(X)  # of rows that are not zero
    return results(X) | {
        "Bayesian mixture": bayesian.predict(X),
        "Bayesian probabilities": bayesian.predict_proba(X),
        "spherical": spherical.predict(X),
        "cosines": spherical.transform(X),
        "mixture": fitted.predict(X),
        "probabilities": fitted.predict_proba(X),
        "densities": fitted.score_samples(X),
        "bic": fitted.bic(X),
        "icl": fitted.icl(X),
        "mixture, fit_predict": mixture.fit_predict(X),
        "density": outliers.DensityOutliers(mixture).fit(X).predict(X),
        "confident": outliers.confident_labels(fitted, X),
        "calinski_harabasz": metrics.calinski_harabasz_score(X, GROUPS),
        "davies_bouldin": metrics.davies_bouldin_score(X, GROUPS),
        "simplified": metrics.simplified_silhouette_score(X, GROUPS),
        "select_kmeans": selection.table_["inertia"],
        "select_gaussian_mixture": mixtures.table_["bic"],
    }


def assert_same(ours, expected, atol=1e-9):
    for name, values in expected.items():
        np.testing.assert_allclose(ours[name], values, rtol=1e-9, atol=atol, err_msg=name)


# -- sparse rows ---------------------------------------------------------------------------------


def with_wide_indices(X, names=("indices", "indptr")):
    """The same matrix with indices of 64 bits."""
    X = X.copy()
    if not hasattr(X, "indptr"):
        X.coords = tuple(places.astype(np.int64) for places in X.coords)
        return X
    for name in names:
        setattr(X, name, getattr(X, name).astype(np.int64))
    return X


@pytest.mark.parametrize(
    "name",
    [
        "csr_matrix", "csr_array", "csc_matrix", "csc_array", "coo_matrix", "coo_array",
        "bsr_matrix", "bsr_array",
    ],
)  # fmt: skip
def test_indices_of_64_bits_that_fit_into_32(name):
    X = with_wide_indices(getattr(scipy.sparse, name)(CSR))
    assert_same(results(X), results(CSR))
    wide = X.indices if hasattr(X, "indptr") else X.coords[0]
    assert wide.dtype == np.int64  # X stays as it was


@pytest.mark.parametrize("name", ["indices", "indptr"])
def test_one_array_of_64_bits(name):
    assert_same(results(with_wide_indices(CSR, [name])), results(CSR))


def test_indices_that_do_not_fit_are_refused():
    places = np.array([0, 2**40, 5]), np.arange(4)
    X = scipy.sparse.csr_array((np.ones(3), *places), shape=(3, 2**41))
    for call in (
        lambda: fastclust.KMeans(2).fit(X),
        lambda: fastclust.k_means(X, 2),
        lambda: fastclust.kmeans_plusplus(X, 2),
        lambda: metrics.silhouette_samples(X, [0, 1, 1]),
    ):
        with pytest.raises(ValueError, match=r"with 32-bit integer indices are accepted\. Got"):
            call()


def test_values_at_the_same_place_add_up():
    twice = np.repeat(CSR.indices, 2), 2 * CSR.indptr
    X = scipy.sparse.csr_matrix((np.repeat(CSR.data / 2, 2), *twice), shape=CSR.shape)
    assert_same(results(X), results(CSR))
    assert X.nnz == 2 * CSR.nnz


@pytest.mark.parametrize("dtype", [float, np.float32, bool, int])
def test_frames_of_sparse_columns(dtype):
    frame = pd.get_dummies(WORDS, sparse=True, dtype=dtype)
    matrix = frame.sparse.to_coo().tocsr().astype(float)  # of float32 too, as in scikit-learn
    # The silhouettes are scikit-learn's, which are of float32 for float32.
    assert_same(results(frame, 4), results(matrix, 4), 1e-5 if dtype is np.float32 else 1e-9)
    fitted = fastclust.KMeans(4, random_state=0).fit(frame)
    assert list(fitted.feature_names_in_) == list(frame.columns)
    dense = matrix.toarray()
    for score in ("calinski_harabasz_score", "davies_bouldin_score"):
        values = [getattr(metrics, score)(X, GROUPS) for X in (frame, dense)]
        assert values[0] == pytest.approx(values[1])


def test_frames_of_which_some_columns_are_sparse():
    frame = FRAME.assign(c=pd.arrays.SparseArray(np.arange(90) % 2 * 1.0))
    with pytest.warns(UserWarning, match="sparse columns found"):
        labels = fastclust.KMeans(3, random_state=0).fit(frame).labels_
    expected = fastclust.KMeans(3, random_state=0).fit(frame.to_numpy()).labels_
    np.testing.assert_array_equal(labels, expected)


def test_sparse_frames_that_are_not_zero_elsewhere_are_refused():
    frame = pd.DataFrame({"a": pd.arrays.SparseArray([5.0, 1.0, 5.0] * 9, fill_value=5.0)})
    for package in fastclust, sklearn.cluster:
        with pytest.raises(ValueError, match="fill value must be 0"):
            package.KMeans(2).fit(frame)


# -- tables --------------------------------------------------------------------------------------


def make_tables():
    pa = pytest.importorskip("pyarrow")
    table = pa.table({"a": ROWS[:, 0], "b": ROWS[:, 1]})
    return {
        "pyarrow": table,
        "pyarrow, in chunks": pa.concat_tables([table.slice(0, 40), table.slice(40)]),
        "batch": table.to_batches()[0],
        "polars": pl.DataFrame(ROWS, schema=["a", "b"]),
        "pandas": FRAME,
        "pandas, by pyarrow": FRAME.convert_dtypes(dtype_backend="pyarrow"),
        "pandas, nullable": FRAME.astype("Float64"),
    }


NAMES_OF_TABLES = (
    "pyarrow", "pyarrow, in chunks", "batch", "polars", "pandas", "pandas, by pyarrow",
    "pandas, nullable",
)  # fmt: skip


@pytest.mark.parametrize("name", NAMES_OF_TABLES)
def test_tables_in_every_estimator_and_function(name):
    table = make_tables()[name]
    assert_same(dense_results(table), dense_results(ROWS))
    if name != "batch":  # has no names for scikit-learn
        for estimator in (
            fastclust.KMeans(3),
            fastclust.GaussianMixture(3),
            fastclust.MiniBatchKMeans(3),
            fastclust.BisectingKMeans(3),
            fastclust.SphericalKMeans(3),
            fastclust.BayesianGaussianMixture(n_components=3, tol=1.0),
            outliers.DistanceOutliers(fastclust.KMeans(3)),
            outliers.TrimmedKMeans(fastclust.KMeans(3)),
        ):
            assert list(estimator.fit(table).feature_names_in_) == ["a", "b"]


def test_other_arguments_from_tables():
    pa = pytest.importorskip("pyarrow")
    table, weights = make_tables()["pyarrow"], np.arange(90) % 4 + 1.0
    start = table.slice(0, 3)
    for given in (pa.array(weights), pa.chunked_array([weights[:9], weights[9:]])):
        kmeans = fastclust.KMeans(3, init=start).fit(table, sample_weight=given)
        expected = fastclust.KMeans(3, init=ROWS[:3]).fit(ROWS, sample_weight=weights)
        np.testing.assert_array_equal(kmeans.cluster_centers_, expected.cluster_centers_)
    mixture = fastclust.GaussianMixture(3, means_init=start, random_state=0).fit(table)
    expected = fastclust.GaussianMixture(3, means_init=ROWS[:3], random_state=0).fit(ROWS)
    np.testing.assert_array_equal(mixture.means_, expected.means_)


# -- attributes set by hand ----------------------------------------------------------------------

CENTERS = np.array([[0.0, 3.0], [9.0, -2.0], [4.0, 0.5], [30.0, 1.0]])


def both_kmeans(centers, is_fitted):
    """K-means of scikit-learn and of fastclust with these centers."""
    models = sklearn.cluster.KMeans(4, random_state=0), fastclust.KMeans(4, random_state=0)
    for model in models:
        if is_fitted:
            model.fit(ROWS)
        model.cluster_centers_ = centers
    models[0]._n_threads = 1  # which scikit-learn needs
    return models


@pytest.mark.parametrize("is_fitted", [False, True])
@pytest.mark.parametrize("rows", [ROWS, ROWS[:1], scipy.sparse.csr_matrix(ROWS)])
def test_centers_set_by_hand(rows, is_fitted):
    theirs, ours = both_kmeans(CENTERS.copy(), is_fitted)
    for model in theirs, ours:
        model.cluster_centers_[1] += 1  # in place
    np.testing.assert_array_equal(ours.predict(rows), theirs.predict(rows))
    # scikit-learn's squares of up to 900 cancel: their rounding is 1e-13, whose root is 4e-7.
    np.testing.assert_allclose(ours.transform(rows), theirs.transform(rows), atol=1e-6)
    assert ours.score(rows) == pytest.approx(theirs.score(rows), rel=1e-9)
    assert len(ours.get_feature_names_out()) == 4
    assert ours.set_output(transform="pandas").transform(rows).shape[1] == 4


@pytest.mark.parametrize("is_fitted", [False, True])
@pytest.mark.parametrize(
    "centers",
    [
        CENTERS.tolist(),
        CENTERS.astype(int),
        CENTERS.astype(np.float32),
        CENTERS.astype(np.float16),
        np.asfortranarray(CENTERS),
        np.hstack([CENTERS, CENTERS])[:, ::2][:, [0, 1]],
        pd.DataFrame(CENTERS),
        CENTERS[:2],
        np.vstack([CENTERS, CENTERS + 1]),
    ],
)
def test_centers_of_any_number_and_type(centers, is_fitted):
    _, ours = both_kmeans(centers, is_fitted)
    distances = cdist(ROWS, np.asarray(centers, dtype=float))
    np.testing.assert_array_equal(ours.predict(ROWS), distances.argmin(axis=1))
    np.testing.assert_allclose(ours.transform(ROWS), distances)
    assert len(ours.get_feature_names_out()) == len(centers)


@pytest.mark.parametrize("is_fitted", [False, True])
@pytest.mark.parametrize(
    ("centers", "words"),
    [
        (np.where(CENTERS > 20, np.nan, CENTERS), "cluster_centers_ contains NaN"),
        (CENTERS[0], "should have the shape any x any"),
        (CENTERS[:0], "should have the shape any x any"),
        (CENTERS[:, :1], "X has 2 features, but KMeans is expecting 1 features"),
    ],
)
def test_centers_that_are_none(centers, words, is_fitted):
    _, ours = both_kmeans(centers, is_fitted)
    for rows in ROWS, scipy.sparse.csr_matrix(ROWS):
        with pytest.raises(ValueError, match=words):
            ours.predict(rows)


def test_centers_of_trimmed_clusters_are_those_of_their_estimator():
    trimmed = outliers.TrimmedKMeans(fastclust.KMeans(3, random_state=0)).fit(ROWS)
    with pytest.raises(AttributeError):
        trimmed.cluster_centers_ = CENTERS
    trimmed.estimator_.cluster_centers_ = CENTERS
    np.testing.assert_array_equal(trimmed.cluster_centers_, CENTERS)


def covariances_and_factors(covariance_type):
    """Covariances of three components, and Cholesky factors: lower ones, as people make them."""
    matrices = RNG.normal(size=(3, 2, 2))
    full = matrices @ matrices.swapaxes(1, 2) + np.eye(2)
    covariances = {
        "full": full, "tied": full[0], "diag": full.diagonal(0, 1, 2), "spherical": full[:, 0, 0],
    }[covariance_type]  # fmt: skip
    if covariance_type in ("full", "tied"):
        return covariances, np.linalg.cholesky(np.linalg.inv(covariances))
    return covariances, 1 / np.sqrt(covariances)


@pytest.mark.parametrize("is_fitted", [False, True])
@pytest.mark.parametrize("is_upper", [False, True])
@pytest.mark.parametrize("covariance_type", COVARIANCE_TYPES)
def test_mixtures_set_by_hand(covariance_type, is_upper, is_fitted):
    covariances, factors = covariances_and_factors(covariance_type)
    if is_upper and factors.shape[-2:] == (2, 2):
        factors = np.linalg.inv(np.linalg.cholesky(covariances)).swapaxes(-1, -2)
    models = []
    for package in sklearn.mixture, fastclust:
        mixture = package.GaussianMixture(3, covariance_type=covariance_type, random_state=0)
        if is_fitted:
            mixture.fit(ROWS)
        mixture.weights_, mixture.means_ = np.array([0.2, 0.3, 0.5]), CENTERS[:3]
        mixture.covariances_, mixture.precisions_cholesky_ = covariances, factors
        models.append(mixture)
    for name in ("predict", "predict_proba", "score_samples", "score", "bic", "aic"):
        theirs, ours = (getattr(mixture, name)(ROWS) for mixture in models)
        np.testing.assert_allclose(ours, theirs, rtol=1e-8, atol=1e-12, err_msg=name)
    for theirs, ours in zip(*(mixture.sample(50) for mixture in models), strict=True):
        np.testing.assert_allclose(ours, theirs)
    before = models[1].score_samples(ROWS)
    for name in ("weights_", "means_", "covariances_", "precisions_cholesky_"):
        setattr(models[1], name, getattr(models[1], name).tolist())
    np.testing.assert_array_equal(models[1].score_samples(ROWS), before)
    assert models[1].sample(50)[0].shape == (50, 2)
    assert np.isfinite(models[1].icl(ROWS))


@pytest.mark.parametrize("covariance_type", COVARIANCE_TYPES)
@pytest.mark.parametrize(
    ("name", "change", "words"),
    [
        ("weights_", lambda w: w[:2], "weights_ should have the shape 3"),
        ("weights_", lambda w: -w, "weights_ should not be negative"),
        ("means_", lambda m: m[:, :1], "X has 2 features, but GaussianMixture is expecting 1"),
        ("means_", lambda m: np.full_like(m, np.nan), "means_ contains NaN"),
        ("precisions_cholesky_", lambda f: f[:1], "precisions_cholesky_ should have the shape"),
        ("precisions_cholesky_", lambda f: 0 * f, "should (not be singular|be positive)"),
    ],
)
def test_mixtures_that_are_none(covariance_type, name, change, words):
    mixture = fastclust.GaussianMixture(3, covariance_type=covariance_type, random_state=0)
    mixture.fit(ROWS)
    setattr(mixture, name, change(getattr(mixture, name)))
    with pytest.raises(ValueError, match=words):
        mixture.predict(ROWS)


# -- arrays that begin amid a value --------------------------------------------------------------


def misaligned(values):
    """A copy that begins at an odd byte, as arrays in messages of Dask's may."""
    buffer = np.empty(values.nbytes + 8, dtype=np.uint8)
    odd = buffer[1 : 1 + values.nbytes].view(values.dtype).reshape(values.shape)
    odd[...] = values
    assert not odd.flags.aligned
    return odd


def misaligned_csr(X):
    X = X.copy()
    X.data, X.indices, X.indptr = map(misaligned, (X.data, X.indices, X.indptr))
    return X


def misalign_attributes(estimator):
    for name, value in vars(estimator).items():
        if isinstance(value, np.ndarray) and value.dtype.itemsize > 1:
            setattr(estimator, name, misaligned(value))
    return estimator


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("X", [ROWS, CSR], ids=["dense", "csr"])
def test_kmeans_takes_misaligned_arrays(X, dtype):
    X, weights = X.astype(dtype), RNG.uniform(1, 2, 90).astype(dtype)
    odd = misaligned_csr(X) if scipy.sparse.issparse(X) else misaligned(X)
    kmeans = fastclust.KMeans(3, random_state=0, n_init=2).fit(X, sample_weight=weights)
    other = fastclust.KMeans(3, random_state=0, n_init=2)
    other = misalign_attributes(other.fit(odd, sample_weight=misaligned(weights)))
    for method in "predict", "transform", "score":
        expected = getattr(kmeans, method)(X)
        np.testing.assert_array_equal(getattr(other, method)(odd), expected)
    init = misaligned(other.cluster_centers_)
    assert fastclust.KMeans(3, init=init, n_init=1).fit(odd).inertia_ > 0


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("X", [ROWS, CSR], ids=["dense", "csr"])
@pytest.mark.parametrize("name", ["MiniBatchKMeans", "BisectingKMeans", "SphericalKMeans"])
def test_other_clusterers_take_misaligned_arrays(name, X, dtype):
    if name == "SphericalKMeans" and scipy.sparse.issparse(X):
        X = X[np.diff(X.indptr) > 0]  # rows of zeros have no direction
    X = X.astype(dtype)
    weights = RNG.uniform(1, 2, X.shape[0]).astype(dtype)
    odd = misaligned_csr(X) if scipy.sparse.issparse(X) else misaligned(X)
    make = getattr(fastclust, name)
    model = make(3, random_state=0).fit(X, sample_weight=weights)
    other = make(3, random_state=0).fit(odd, sample_weight=misaligned(weights))
    other = misalign_attributes(other)
    np.testing.assert_array_equal(other.labels_, model.labels_)
    np.testing.assert_array_equal(other.predict(odd), model.predict(X))


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("covariance_type", COVARIANCE_TYPES)
@pytest.mark.parametrize("name", ["GaussianMixture", "BayesianGaussianMixture"])
def test_mixtures_take_misaligned_arrays(name, covariance_type, dtype):
    X, weights = ROWS.astype(dtype), RNG.uniform(1, 2, 90).astype(dtype)
    options = {"covariance_type": covariance_type, "tol": 1.0, "random_state": 0}
    mixture = getattr(fastclust, name)(n_components=3, **options).fit(X, sample_weight=weights)
    other = getattr(fastclust, name)(n_components=3, **options)
    odd = misaligned(X)
    other = misalign_attributes(other.fit(odd, sample_weight=misaligned(weights)))
    for method in "predict", "predict_proba", "score_samples":
        expected = getattr(mixture, method)(X)
        np.testing.assert_array_equal(getattr(other, method)(odd), expected)
    other.set_params(warm_start=True).fit(odd)


def test_scores_take_misaligned_rows():
    for score in metrics.silhouette_score, metrics.davies_bouldin_score:
        assert score(misaligned(ROWS), GROUPS) == score(ROWS, GROUPS)
