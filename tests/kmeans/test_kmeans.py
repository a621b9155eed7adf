"""The contract of KMeans: inputs, outputs, errors and warnings, as scikit-learn's."""

import inspect
import itertools
import pickle

import numpy as np
import pandas as pd
import polars as pl
import pytest
import scipy.sparse
import sklearn
import sklearn.cluster
from sklearn.base import clone
from sklearn.compose import ColumnTransformer
from sklearn.exceptions import NotFittedError
from sklearn.impute import SimpleImputer
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import MinMaxScaler, StandardScaler
from sklearn.utils import check_random_state

import fastclust
from fastclust import KMeans, _validation
from tests.kmeans.models import blobs, noise

NAMES = ["one", "two", "three"]

RTOL = 1e-9
"""Of distances beside scikit-learn's, which expands |x - c|^2: that cancels for rows near c."""

SAME_DISTANCES = 8 * 100 * float(np.finfo(np.float64).eps)
"""Of sums of the same 100 or 200 distances in another order."""


def assert_labels_agree(X, **parameters):
    weights = parameters.pop("sample_weight", None)
    model = KMeans(random_state=0, **parameters).fit(X, sample_weight=weights)
    np.testing.assert_array_equal(model.labels_, model.predict(X))
    again = clone(model).fit_predict(X, sample_weight=weights)
    np.testing.assert_array_equal(again, model.labels_)
    assert model.labels_.dtype == np.int32
    assert model.labels_.shape == (X.shape[0],)


# -- labels_, predict, fit_predict -------------------------------------------------------------


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
@pytest.mark.parametrize("offset", [0.0, 1e4])
@pytest.mark.parametrize("max_iter", [1, 2, 300])
@pytest.mark.parametrize(
    ("n_samples", "n_features", "n_clusters"),
    [(1, 1, 1), (7, 2, 7), (16, 3, 5), (17, 1, 6), (33, 70, 13), (1000, 2, 50), (3000, 9, 12)],
)
def test_labels_are_those_of_predict(n_samples, n_features, n_clusters, max_iter, offset, dtype):
    X = noise(n_samples, n_features, dtype) + dtype(offset)
    assert_labels_agree(X, n_clusters=n_clusters, max_iter=max_iter)


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
@pytest.mark.parametrize("max_iter", [1, 300])
@pytest.mark.parametrize("n_clusters", [1, 5, 17, 40])
def test_labels_are_those_of_predict_for_sparse_rows(n_clusters, max_iter, dtype):
    X = scipy.sparse.random(300, 50, density=0.1, format="csr", rng=0, dtype=dtype)
    assert_labels_agree(X, n_clusters=n_clusters, max_iter=max_iter)


@pytest.mark.parametrize("parameters", [
    {"init": "random", "n_init": 4},
    {"init": noise(6, 4)},
    {"init": noise(6, 4) + 100},
    {"algorithm": "elkan", "tol": 0},
    {"sample_weight": np.arange(500) % 7 / 3},
    {"sample_weight": np.arange(500) % 2, "init": "random", "n_init": 2},
])  # fmt: skip
def test_labels_are_those_of_predict_for_all_parameters(parameters):
    assert_labels_agree(noise(500, 4), n_clusters=6, **parameters)


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
@pytest.mark.parametrize("convert", [np.asarray, scipy.sparse.csr_array])
@pytest.mark.parametrize("dtype", [np.float64, np.float32])
def test_labels_are_those_of_predict_for_duplicates(dtype, convert):
    X = np.repeat(noise(5, 3, dtype), 30, axis=0)
    for n_clusters in (2, 5, 9):
        assert_labels_agree(convert(X), n_clusters=n_clusters)
    assert_labels_agree(convert(np.ones_like(X)), n_clusters=3)


def test_labels_of_a_float32_offset_are_those_of_predict_in_many_blocks():
    # predict works in blocks of 4 MB, fit on all rows.
    X = noise(40_000, 60, np.float32) + np.float32(1e4)
    assert_labels_agree(X, n_clusters=20, max_iter=5)


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
def test_a_single_row_has_the_label_it_has_among_others(dtype):
    X = blobs(dtype=dtype)
    model = KMeans(4, random_state=0).fit(X)
    labels = [model.predict(X[i : i + 1])[0] for i in range(len(X))]
    np.testing.assert_array_equal(labels, model.labels_)
    distances = model.transform(X)
    np.testing.assert_array_equal(model.transform(X[7:8]), distances[7:8])


# -- predict, transform, score -----------------------------------------------------------------


@pytest.mark.parametrize("n_samples", [1, 7, 8, 9, 500])
def test_new_rows_get_scikit_learns_values(fitted, n_samples):
    X = 3 * noise(n_samples, 3)
    weights = np.linspace(0.5, 2, n_samples)
    ours, theirs = fitted
    np.testing.assert_array_equal(ours.predict(X), theirs.predict(X))
    np.testing.assert_allclose(ours.transform(X), theirs.transform(X), rtol=RTOL)
    for sample_weight in (None, weights, 2.5):
        expected = theirs.score(X, sample_weight=sample_weight)
        assert ours.score(X, sample_weight=sample_weight) == pytest.approx(expected, rel=RTOL)


def test_sparse_rows_get_scikit_learns_values():
    X = scipy.sparse.random(200, 40, density=0.2, format="csr", rng=0)
    ours, theirs = (
        package.KMeans(5, random_state=0).fit(X) for package in (fastclust, sklearn.cluster)
    )
    np.testing.assert_allclose(ours.transform(X), theirs.transform(X), rtol=RTOL)
    assert ours.score(X) == pytest.approx(theirs.score(X), rel=RTOL)
    assert -ours.score(X) == pytest.approx(ours.inertia_, rel=SAME_DISTANCES)


def test_score_of_the_fitted_rows_is_minus_the_inertia(fitted):
    assert fitted[0].score(blobs()) == pytest.approx(-fitted[0].inertia_, rel=SAME_DISTANCES)


@pytest.mark.parametrize("convert", [np.asarray, scipy.sparse.csr_array])
def test_fit_transform_is_fit_then_transform(convert):
    X = convert(blobs())
    model = KMeans(4, random_state=0)
    np.testing.assert_array_equal(clone(model).fit_transform(X), model.fit(X).transform(X))


def test_sparse_and_dense_rows_can_be_mixed(fitted):
    X = blobs()
    sparse = scipy.sparse.csr_array(X)
    from_dense, from_sparse = fitted[0], KMeans(4, random_state=0).fit(sparse)
    np.testing.assert_array_equal(from_dense.predict(sparse), from_dense.labels_)
    np.testing.assert_array_equal(from_sparse.predict(X), from_sparse.labels_)
    # Sparse rows are not centered, so their distances round differently.
    np.testing.assert_allclose(from_dense.transform(sparse), from_dense.transform(X), rtol=RTOL)
    np.testing.assert_allclose(from_sparse.transform(X), from_sparse.transform(sparse), rtol=RTOL)


def test_centers_may_be_replaced_after_fit():
    X = blobs()
    model = KMeans(4, random_state=0).fit(X)
    before = model.predict(X)
    model.cluster_centers_ = model.cluster_centers_[::-1].copy()
    np.testing.assert_array_equal(model.predict(X), 3 - before)


# -- dtypes ------------------------------------------------------------------------------------


@pytest.mark.parametrize("convert", [np.asarray, scipy.sparse.csr_array])
def test_float32_stays_float32(convert):
    X = convert(blobs(dtype=np.float32))
    model = KMeans(4, random_state=0).fit(X)
    assert model.cluster_centers_.dtype == np.float32
    assert model.transform(X).dtype == np.float32
    assert isinstance(model.inertia_, float)


@pytest.mark.parametrize("fit_dtype", [np.float64, np.float32])
@pytest.mark.parametrize("convert", [np.asarray, scipy.sparse.csr_array])
def test_rows_of_the_other_dtype_get_the_same_labels(fit_dtype, convert):
    other = np.float32 if fit_dtype == np.float64 else np.float64
    X = convert(blobs(dtype=np.float32))
    model = KMeans(4, random_state=0).fit(X.astype(fit_dtype))
    np.testing.assert_array_equal(model.predict(X.astype(other)), model.labels_)
    # Each squared distance is rounded in float32, where either is.
    rel = 8 * float(np.finfo(np.float32).eps)
    assert model.score(X.astype(other)) == pytest.approx(-model.inertia_, rel=rel)


def test_integers_and_booleans_are_taken_as_float64():
    integers = np.random.default_rng(0).integers(0, 100, size=(60, 3))
    for X in (integers, integers.astype(np.int8), integers > 50, integers.tolist()):
        as_float = np.asarray(X, dtype=np.float64)
        model = KMeans(3, random_state=0).fit(X)
        expected = KMeans(3, random_state=0).fit(as_float)
        np.testing.assert_array_equal(model.labels_, expected.labels_)
        assert model.cluster_centers_.dtype == np.float64


# -- layouts -----------------------------------------------------------------------------------


def _read_only(X, path):
    X = X.copy()
    X.setflags(write=False)
    return X


def _strided(X, path):
    wide = np.zeros((2 * X.shape[0], 3 * X.shape[1]), dtype=X.dtype)
    wide[::2, ::3] = X
    return wide[::2, ::3]


def _memory_mapped(X, path):
    X.tofile(path)
    return np.memmap(path, dtype=X.dtype, mode="r", shape=X.shape)


def _big_endian(X, path):
    return X.astype(X.dtype.newbyteorder(">"))


def _reversed(X, path):
    return X[::-1].copy()[::-1]


LAYOUTS = {
    "read-only": _read_only,
    "Fortran-ordered": lambda X, path: np.asfortranarray(X),
    "strided": _strided,
    "reversed": _reversed,
    "memory-mapped": _memory_mapped,
    "big-endian": _big_endian,
    "pandas": lambda X, path: pd.DataFrame(X, columns=NAMES),
    "polars": lambda X, path: pl.DataFrame(X, schema=NAMES),
}


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("dtype", [np.float64, np.float32])
def test_every_layout_gives_the_same_bits(layout, dtype, tmp_path):
    X = blobs(dtype=dtype)
    other = LAYOUTS[layout](X, tmp_path / "rows")
    # scikit-learn takes big-endian numbers, and polars frames, as float64.
    X = X.astype(sklearn.utils.check_array(other, dtype=[np.float64, np.float32]).dtype)
    expected = KMeans(4, random_state=0).fit(X)
    model = KMeans(4, random_state=0).fit(other)
    np.testing.assert_array_equal(model.cluster_centers_, expected.cluster_centers_)
    np.testing.assert_array_equal(model.labels_, expected.labels_)
    np.testing.assert_array_equal(model.predict(other), expected.labels_)
    np.testing.assert_array_equal(model.transform(other), expected.transform(X))
    assert model.score(other) == expected.score(X)


def _with_unsorted_indices(X):
    X = scipy.sparse.csr_array(X)
    order = np.concatenate([np.arange(a, b)[::-1] for a, b in itertools.pairwise(X.indptr)])
    return scipy.sparse.csr_array((X.data[order], X.indices[order], X.indptr), shape=X.shape)


SPARSE = {
    "csr_matrix": scipy.sparse.csr_matrix,
    "csc_array": scipy.sparse.csc_array,
    "coo_array": scipy.sparse.coo_array,
    "unsorted": _with_unsorted_indices,
}


@pytest.mark.parametrize("form", SPARSE)
def test_every_sparse_form_gives_the_same_labels(form):
    X = np.maximum(blobs(), 0)
    expected = KMeans(4, random_state=0).fit(scipy.sparse.csr_array(X))
    model = KMeans(4, random_state=0).fit(SPARSE[form](X))
    np.testing.assert_array_equal(model.labels_, expected.labels_)
    np.testing.assert_array_equal(model.predict(SPARSE[form](X)), expected.labels_)
    # The elements of unsorted rows are added up in another order.
    rtol = SAME_DISTANCES
    np.testing.assert_allclose(model.cluster_centers_, expected.cluster_centers_, rtol=rtol)


def test_read_only_sparse_rows_and_weights_are_accepted():
    X, weights = scipy.sparse.csr_array(np.maximum(blobs(), 0)), np.ones(100)
    for array in (X.data, X.indices, X.indptr, weights):
        array.setflags(write=False)
    KMeans(4, random_state=0).fit(X, sample_weight=weights).predict(X)


def test_rows_without_any_stored_value_are_accepted():
    X = scipy.sparse.csr_array(np.where(np.arange(60)[:, None] % 3 == 0, 0, blobs(60)))
    model = KMeans(3, random_state=0).fit(X)
    np.testing.assert_array_equal(model.labels_, model.predict(X))


@pytest.mark.parametrize("copy_x", [True, False])
@pytest.mark.parametrize("convert", [np.asarray, scipy.sparse.csr_array])
def test_data_weights_and_first_centers_are_never_modified(convert, copy_x):
    X, weights = convert(blobs()), np.linspace(0, 1, 100)
    init = blobs()[:4].copy()
    before = X.copy(), weights.copy(), init.copy()
    model = KMeans(4, init=init, copy_x=copy_x).fit(X, sample_weight=weights)
    model.predict(X)
    model.transform(X)
    model.score(X, sample_weight=weights)
    assert abs(X - before[0]).max() == 0
    np.testing.assert_array_equal(weights, before[1])
    np.testing.assert_array_equal(init, before[2])


# -- frames and names --------------------------------------------------------------------------


@pytest.mark.parametrize("frame", [pd.DataFrame, pl.DataFrame])
def test_names_of_a_frame_are_kept_and_checked(frame):
    X = frame(dict(zip(NAMES, blobs().T, strict=True)))
    model = KMeans(4, random_state=0).fit(X)
    np.testing.assert_array_equal(model.feature_names_in_, NAMES)
    assert model.n_features_in_ == 3
    np.testing.assert_array_equal(model.predict(X), model.labels_)
    with pytest.raises(ValueError, match="feature names should match"):
        model.predict(X[NAMES[::-1]])
    with pytest.warns(UserWarning, match="X does not have valid feature names"):
        model.predict(blobs())
    model.fit(blobs())
    assert not hasattr(model, "feature_names_in_")


def test_names_of_the_distances(fitted):
    ours, theirs = fitted
    names = ["kmeans0", "kmeans1", "kmeans2", "kmeans3"]
    assert list(ours.get_feature_names_out()) == list(theirs.get_feature_names_out()) == names


@pytest.mark.parametrize(("library", "frame"), [("pandas", pd.DataFrame), ("polars", pl.DataFrame)])
def test_set_output_gives_frames(library, frame):
    X = blobs()
    model = KMeans(4, random_state=0).set_output(transform=library)
    for out in (model.fit_transform(X), model.transform(X)):
        assert isinstance(out, frame)
        assert list(out.columns) == ["kmeans0", "kmeans1", "kmeans2", "kmeans3"]
    assert isinstance(model.predict(X), np.ndarray)


# -- clone, pickle, parameters -----------------------------------------------------------------


@pytest.mark.parametrize("name", ["KMeans", "k_means", "kmeans_plusplus"])
def test_parameters_and_defaults_are_scikit_learns(name):
    ours, theirs = (
        list(inspect.signature(getattr(package, name)).parameters.values())
        for package in (fastclust, sklearn.cluster)
    )
    assert list(map(str, ours[: len(theirs)])) == list(map(str, theirs))
    further = [str(parameter) for parameter in ours[len(theirs) :]]
    of_k_means_parallel = ["oversampling_factor=2.0", "init_rounds=5"] if name == "KMeans" else []
    assert further == [*of_k_means_parallel, "missing='error'"]


def test_public_methods_and_attributes_are_scikit_learns(fitted):
    ours, theirs = ({name for name in dir(m) if not name.startswith("_")} for m in fitted)
    assert ours - theirs == {"oversampling_factor", "init_rounds", "missing"}
    assert theirs <= ours


def test_a_pickle_gives_the_same_answers(fitted):
    X = noise(50, 3)
    copy = pickle.loads(pickle.dumps(fitted[0]))
    np.testing.assert_array_equal(copy.predict(X), fitted[0].predict(X))
    np.testing.assert_array_equal(copy.transform(X), fitted[0].transform(X))
    assert copy.get_params() == fitted[0].get_params()


def test_a_clone_has_the_parameters_and_is_not_fitted(fitted):
    copy = clone(fitted[0])
    assert copy.get_params() == fitted[0].get_params()
    with pytest.raises(NotFittedError):
        copy.predict(blobs())


def test_set_params_takes_effect():
    model = KMeans().set_params(n_clusters=3, random_state=0)
    assert model.fit(blobs()).cluster_centers_.shape == (3, 3)
    with pytest.raises(ValueError, match="Invalid parameter 'k' for estimator KMeans"):
        model.set_params(k=3)


def test_fit_leaves_the_parameters_as_they_are():
    init = blobs()[:4]
    model = KMeans(4, init=init, n_init="auto", algorithm="elkan", random_state=0)
    before = model.get_params()
    model.fit(blobs())
    assert all(model.get_params()[name] is before[name] for name in before)


def test_the_same_random_state_gives_the_same_bits():
    X = noise(1000, 5)
    first, second = (KMeans(9, random_state=3, n_init=2).fit(X) for _ in range(2))
    np.testing.assert_array_equal(first.cluster_centers_, second.cluster_centers_)
    assert first.inertia_ == second.inertia_


# -- inside scikit-learn -----------------------------------------------------------------------


def _pipeline(package):
    return make_pipeline(SimpleImputer(), StandardScaler(), package.KMeans(4, random_state=0))


def _with_gaps():
    X = blobs()
    X[::7, 0] = np.nan
    return X


def test_a_pipeline_gives_scikit_learns_answers():
    X = _with_gaps()
    ours, theirs = (_pipeline(package).fit(X) for package in (fastclust, sklearn.cluster))
    np.testing.assert_array_equal(ours.predict(X), theirs.predict(X))
    np.testing.assert_allclose(ours.transform(X), theirs.transform(X), rtol=RTOL)
    assert list(ours.get_feature_names_out()) == ["kmeans0", "kmeans1", "kmeans2", "kmeans3"]


def test_a_column_transformer_gives_scikit_learns_answers():
    X = pd.DataFrame(blobs(), columns=NAMES)
    outputs = [
        ColumnTransformer([
            ("clusters", package.KMeans(3, random_state=0), ["one", "two"]),
            ("scaled", MinMaxScaler(), ["three"]),
        ]).set_output(transform="pandas").fit_transform(X)
        for package in (fastclust, sklearn.cluster)
    ]  # fmt: skip
    pd.testing.assert_frame_equal(*outputs, rtol=RTOL)


def test_a_grid_search_gives_scikit_learns_scores():
    searches = [
        GridSearchCV(_pipeline(package), {"kmeans__n_clusters": [2, 4, 6]}, cv=3).fit(_with_gaps())
        for package in (fastclust, sklearn.cluster)
    ]
    ours, theirs = (search.cv_results_["mean_test_score"] for search in searches)
    np.testing.assert_allclose(ours, theirs, rtol=RTOL)
    assert searches[0].best_params_ == searches[1].best_params_


def test_sample_weight_can_be_routed_through_a_pipeline():
    X, weights = blobs(), np.arange(100.0)
    with sklearn.config_context(enable_metadata_routing=True):
        scaler = StandardScaler().set_fit_request(sample_weight=False)
        kmeans = KMeans(4, random_state=0).set_fit_request(sample_weight=True)
        routed = make_pipeline(scaler, kmeans).fit(X, sample_weight=weights)
        assert kmeans.get_metadata_routing().fit.requests == {"sample_weight": True}
    expected = KMeans(4, random_state=0).fit(routed[0].transform(X), sample_weight=weights)
    np.testing.assert_array_equal(routed[-1].cluster_centers_, expected.cluster_centers_)


@pytest.mark.parametrize("seed", [0, 1, np.int64(12345), True, 2**32 - 1])
def test_generators_are_those_of_scikit_learn(seed):
    ours, theirs = _validation.check_random_state(seed), check_random_state(seed)
    np.testing.assert_array_equal(ours.get_state()[1], theirs.get_state()[1])
    np.testing.assert_array_equal(ours.normal(size=3), theirs.normal(size=3))


@pytest.mark.parametrize("seed", [-1, 2**32, 1.5, "0"])
def test_seeds_that_scikit_learn_refuses(seed):
    for check in _validation.check_random_state, check_random_state:
        with pytest.raises(ValueError, match=r"Seed must be between|cannot be used to seed"):
            check(seed)
