"""KMeans and MiniBatchKMeans on rows with missing values."""

import pickle
import re
import warnings

import numpy as np
import pandas as pd
import pytest
import scipy.sparse
from hypothesis import given
from hypothesis import strategies as st
from sklearn.exceptions import ConvergenceWarning
from sklearn.metrics.pairwise import nan_euclidean_distances
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

import fastclust
from fastclust import KMeans, MiniBatchKMeans, k_means, kmeans_plusplus
from fastclust._algorithms.rows.missing import GROUP_CLUSTERS
from tests import reference

EPS = float(np.finfo(np.float64).eps)


def make_rows(seed=0, n_samples=300, n_features=4, n_clusters=3, share=0.2, dtype=np.float64):
    """Rows around some centers, each with a value, and these centers."""
    rng = np.random.default_rng(seed)
    centers = 4 * rng.normal(size=(n_clusters, n_features))
    X = centers[np.arange(n_samples) % n_clusters] + rng.normal(size=(n_samples, n_features))
    is_missing = rng.random(X.shape) < share
    is_missing[np.arange(n_samples), rng.integers(n_features, size=n_samples)] = False
    X[is_missing] = np.nan
    return X.astype(dtype), centers.astype(dtype)


def fit(X, init, sample_weight=None, **options):
    """K-means from these centers, until labels repeat."""
    kmeans = KMeans(len(init), init=init, tol=0, missing="ignore", **options)
    return kmeans.fit(X, sample_weight=sample_weight)


@st.composite
def problems(draw):
    """Rows, their centers and weights."""
    n_clusters = draw(st.integers(1, 5))
    X, centers = make_rows(
        draw(st.integers(0, 10_000)),
        draw(st.sampled_from([15, 16, 17, 40, 129])),
        draw(st.sampled_from([1, 2, 3, 8, 9])),
        n_clusters,
        draw(st.sampled_from([0.05, 0.3, 0.7])),
    )
    rng = np.random.default_rng(len(X))
    return X, centers + rng.normal(size=centers.shape), rng.uniform(0.5, 2, size=len(X))


# -- against the naive algorithm -----------------------------------------------------------------


@pytest.mark.filterwarnings("ignore:.*missing in all rows", "ignore:Number of distinct")
@given(problems())
def test_a_fit_is_that_of_the_naive_algorithm(problem):
    X, init, sample_weight = problem
    counts = np.bincount(reference.assign_observed(X, init)[0], minlength=len(init))
    if (counts == 0).any():  # relocated, which has a test of its own
        return
    labels, centers, inertia, n_iter = reference.kmeans_observed(X, sample_weight, init, 30)
    kmeans = fit(X, init, sample_weight, max_iter=30)
    if len(np.unique(labels)) == len(init):
        np.testing.assert_array_equal(kmeans.labels_, labels)
        assert kmeans.n_iter_ == n_iter
        # Rows are taken relative to the mean, and sums of 129 of them in another order.
        np.testing.assert_allclose(kmeans.cluster_centers_, centers, rtol=1e-11, atol=1e-11)
        assert kmeans.inertia_ == pytest.approx(inertia, rel=1e-11, abs=1e-20)


@pytest.mark.parametrize("shape", [(5_000, 3, 4), (3_000, 40, 20), (20_000, 9, 17)])
def test_a_fit_of_many_rows_is_that_of_the_naive_algorithm(shape):
    X, init = make_rows(1, *shape)
    labels, centers, inertia, n_iter = reference.kmeans_observed(X, np.ones(len(X)), init, 30)
    kmeans = fit(X, init, max_iter=30)
    np.testing.assert_array_equal(kmeans.labels_, labels)
    assert kmeans.n_iter_ == n_iter
    np.testing.assert_allclose(kmeans.cluster_centers_, centers, rtol=1e-10, atol=1e-10)
    assert kmeans.inertia_ == pytest.approx(inertia, rel=1e-11)
    assert kmeans.score(X) == -kmeans.inertia_


def test_a_fit_in_float32_is_near_that_in_float64():
    X, init = make_rows(dtype=np.float32)
    kmeans, wide = fit(X, init), fit(X.astype(np.float64), init.astype(np.float64))
    assert kmeans.cluster_centers_.dtype == kmeans.transform(X).dtype == np.float32
    np.testing.assert_array_equal(kmeans.labels_, wide.labels_)
    rtol = 8 * float(np.finfo(np.float32).eps)  # of values that are rounded a few times
    np.testing.assert_allclose(kmeans.cluster_centers_, wide.cluster_centers_, rtol=rtol, atol=rtol)
    assert kmeans.inertia_ == pytest.approx(wide.inertia_, rel=rtol)


@pytest.mark.filterwarnings("ignore:.*missing in all rows", "ignore:Number of distinct")
@given(problems())
def test_the_inertia_never_rises(problem):
    X, init, sample_weight = problem
    init = init[[0, *range(len(init)), 0]]  # some clusters are empty, and relocated
    inertias = [fit(X, init, sample_weight, max_iter=n).inertia_ for n in range(1, 8)]
    assert (np.diff(inertias) <= 1e-12 * inertias[0]).all()  # the rounding of sums of 129 rows


@given(problems())
def test_transform_gives_nan_euclidean_distances(problem):
    X, init, _ = problem
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        kmeans = fit(X, init)
    expected = nan_euclidean_distances(X, kmeans.cluster_centers_)
    # scikit-learn expands the squares, which cancel: that loses half of the digits near 0.
    np.testing.assert_allclose(kmeans.transform(X), expected, rtol=1e-7, atol=1e-6)


@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("estimator", [KMeans, MiniBatchKMeans])
def test_without_missing_values_all_is_as_without_the_parameter(estimator, weighted):
    X, _ = make_rows(share=0)
    sample_weight = np.arange(300) % 5 if weighted else None
    ours, usual = (
        estimator(3, n_init=2, random_state=0, missing=missing).fit(X, sample_weight=sample_weight)
        for missing in ("ignore", "error")
    )
    for name in "cluster_centers_", "labels_", "inertia_", "n_iter_":
        np.testing.assert_array_equal(getattr(ours, name), getattr(usual, name))
    np.testing.assert_array_equal(ours.predict(X), usual.predict(X))
    np.testing.assert_array_equal(ours.transform(X), usual.transform(X))
    assert ours.score(X) == usual.score(X)


def test_few_missing_values_change_little():
    X, init = make_rows(share=0)
    complete = fit(X, init)
    X[0, 0] = np.nan
    kmeans = fit(X, init)
    np.testing.assert_array_equal(kmeans.labels_, complete.labels_)
    own = ~np.isin(np.arange(3), kmeans.labels_[0])  # the others' centers are the same means
    np.testing.assert_allclose(
        kmeans.cluster_centers_[own], complete.cluster_centers_[own], rtol=1e-13
    )


# -- rows and weights ----------------------------------------------------------------------------


def test_a_weight_of_2_is_a_row_twice():
    X, init = make_rows()
    weights = 1 + np.arange(300) % 2
    kmeans, repeated = fit(X, init, weights), fit(np.repeat(X, weights, axis=0), init)
    np.testing.assert_array_equal(np.repeat(kmeans.labels_, weights), repeated.labels_)
    np.testing.assert_allclose(kmeans.cluster_centers_, repeated.cluster_centers_, rtol=1e-12)
    assert kmeans.inertia_ == pytest.approx(repeated.inertia_, rel=1e-12)


def test_a_row_of_weight_0_is_labelled_and_no_more():
    X, init = make_rows()
    weights = np.ones(300)
    weights[:50] = 0
    kmeans, without = fit(X, init, weights), fit(X[50:], init)
    np.testing.assert_array_equal(kmeans.cluster_centers_, without.cluster_centers_)
    np.testing.assert_array_equal(kmeans.labels_, without.predict(X))


def test_the_order_of_the_rows_does_not_matter():
    X, init = make_rows()
    order = np.random.default_rng(0).permutation(300)
    kmeans, permuted = fit(X, init), fit(X[order], init)
    np.testing.assert_array_equal(kmeans.labels_[order], permuted.labels_)
    np.testing.assert_allclose(kmeans.cluster_centers_, permuted.cluster_centers_, rtol=1e-12)


@pytest.mark.parametrize("n_clusters", [8, GROUP_CLUSTERS])  # the latter group rows by pattern
@pytest.mark.parametrize("estimator", [KMeans, MiniBatchKMeans])
def test_any_number_of_threads_gives_the_same_bits(estimator, n_clusters):
    X, _ = make_rows(n_samples=30_000, n_features=9, n_clusters=8)
    results = []
    for n_threads in 1, 2:
        with fastclust.limit_threads(n_threads):
            kmeans = estimator(n_clusters, random_state=0, missing="ignore").fit(X)
            results.append((kmeans.cluster_centers_, kmeans.labels_, kmeans.transform(X)))
            np.testing.assert_array_equal(kmeans.predict(X), kmeans.labels_)
    for one, two in zip(*results, strict=True):
        np.testing.assert_array_equal(one, two)


@pytest.mark.parametrize(("dtype", "exponent"), [("f8", 500), ("f8", -500), ("f4", 90)])
def test_rows_of_any_unit_have_the_same_labels(dtype, exponent):
    X, init = make_rows(dtype=dtype)
    kmeans, scaled = fit(X, init), fit(np.ldexp(X, exponent), np.ldexp(init, exponent))
    np.testing.assert_array_equal(kmeans.labels_, scaled.labels_)
    rtol = 8 * float(np.finfo(dtype).eps)  # float32 rows are computed with in float64
    expected = np.ldexp(kmeans.cluster_centers_, exponent)
    atol = expected.max() * rtol
    np.testing.assert_allclose(scaled.cluster_centers_, expected, rtol=rtol, atol=atol)
    np.testing.assert_array_equal(scaled.predict(np.ldexp(X, exponent)), scaled.labels_)
    np.testing.assert_allclose(
        scaled.transform(np.ldexp(X, exponent)), np.ldexp(kmeans.transform(X), exponent), rtol=1e-4
    )


def test_rows_far_from_zero_keep_their_digits():
    X, init = make_rows()
    kmeans, moved = fit(X, init), fit(X + 2.0**30, init + 2.0**30)
    np.testing.assert_array_equal(kmeans.labels_, moved.labels_)
    # X + 2^30 has 22 binary digits after the point.
    expected = kmeans.cluster_centers_ + 2.0**30
    np.testing.assert_allclose(moved.cluster_centers_, expected, rtol=0, atol=2.0**-21)
    assert moved.inertia_ == pytest.approx(kmeans.inertia_, rel=1e-5)


def test_a_huge_value_costs_the_others_no_digits():
    X, init = make_rows()
    X[0] = 1e30
    init = np.vstack([init, X[:1]])
    kmeans, without = fit(X, init), fit(X[1:], init[:3])
    np.testing.assert_array_equal(kmeans.labels_[1:], without.labels_)
    np.testing.assert_allclose(kmeans.cluster_centers_[:3], without.cluster_centers_, rtol=1e-9)
    assert kmeans.labels_[0] == 3


@pytest.mark.parametrize(
    ("estimator", "scale", "offset", "fill"),
    [
        (KMeans, 1, 1.6e9, -1e18),  # seconds since 1970
        (KMeans, 100, 1.6e12, 1e20),  # milliseconds
        (MiniBatchKMeans, 100, 1.6e9, float(2**63)),
    ],
)
def test_a_huge_value_costs_no_digits_of_differences_far_from_zero(estimator, scale, offset, fill):
    X, _ = make_rows()
    X = scale * X + offset
    X[::50, 0] = fill
    kmeans = estimator(4, n_init=3, random_state=0, missing="ignore").fit(X)
    differences = X.astype(np.longdouble)[:, np.newaxis] - kmeans.cluster_centers_
    distances = np.nansum(differences**2, axis=2)
    own = distances[np.arange(len(X)), kmeans.labels_]
    # Centers are rounded to 2^-22 beside differences of 1, or 2^-12 beside some of 100.
    assert (own <= distances.min(axis=1) * (1 + 1e-3)).all()
    np.testing.assert_array_equal(kmeans.predict(X), kmeans.labels_)


def test_a_row_that_is_mostly_missing_goes_to_the_center_of_its_values():
    kmeans = KMeans(2, missing="ignore")
    kmeans.cluster_centers_ = np.array([[0.0, 100.0], [10.0, 0.0]])
    assert kmeans.predict([[9.0, np.nan], [np.nan, 60.0]]).tolist() == [1, 0]
    # A scaled distance: sqrt(2 / 1 * 9^2).
    assert kmeans.transform([[9.0, np.nan]])[0, 0] == pytest.approx(np.sqrt(162), rel=4 * EPS)
    assert kmeans.score([[9.0, np.nan]]) == -1.0  # a sum that is not scaled


# -- first centers -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("estimator", "init"),
    [
        *((KMeans, init) for init in ("k-means++", "k-means||", "random")),
        *((MiniBatchKMeans, init) for init in ("k-means++", "random")),
    ],
)
def test_first_centers_that_are_drawn(estimator, init):
    X, centers = make_rows(n_samples=2_000)
    best = fit(X, centers).inertia_
    kmeans = estimator(3, init=init, n_init=5, random_state=0, missing="ignore").fit(X)
    assert best * (1 - 1e-12) <= kmeans.inertia_ < 1.05 * best
    np.testing.assert_array_equal(kmeans.labels_, kmeans.predict(X))
    again = estimator(3, init=init, n_init=5, random_state=0, missing="ignore").fit_predict(X)
    np.testing.assert_array_equal(kmeans.labels_, again)


def test_a_first_center_that_is_a_row_has_means_for_what_is_missing():
    X = np.array([[0.0, np.nan], [np.nan, 4.0], [2.0, 8.0]])
    kmeans = KMeans(3, init="random", n_init=1, max_iter=1, random_state=0, missing="ignore")
    with pytest.warns(UserWarning, match="2 of the 3 x 2 values of the centers are missing"):
        kmeans.fit(X)
    # Each row is a cluster: what it is missing keeps what the first center had there.
    assert sorted(kmeans.cluster_centers_.tolist()) == [[0.0, 6.0], [1.0, 4.0], [2.0, 8.0]]
    assert kmeans.inertia_ == 0


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("scale", [1, 1e30])  # 1e30: squares of float32 overflow
def test_kmeans_plusplus_draws_the_centers_of_a_fit(dtype, scale):
    X, _ = make_rows(dtype=dtype)
    X *= dtype(scale)
    centers, indices = kmeans_plusplus(X, 3, random_state=0, missing="ignore")
    assert centers.dtype == dtype
    drawn = np.isnan(X[indices])
    np.testing.assert_array_equal(centers[~drawn], X[indices][~drawn])
    means = np.broadcast_to(np.nanmean(X, axis=0, dtype=np.float64), X[indices].shape)
    # The rounding of the mean of 300 values, which are up to 10 standard deviations large.
    atol = 10 * float(np.finfo(dtype).eps) * scale
    np.testing.assert_allclose(centers[drawn], means[drawn], rtol=0, atol=atol)
    assert drawn.any()
    ours = KMeans(3, init=centers, missing="ignore").fit(X)
    usual = KMeans(3, random_state=0, missing="ignore").fit(X)
    np.testing.assert_array_equal(ours.labels_, usual.labels_)


def test_functions_take_missing_values():
    X, _ = make_rows()
    centers, labels, inertia, n_iter = k_means(
        X, 3, random_state=0, return_n_iter=True, missing="ignore"
    )
    kmeans = KMeans(3, random_state=0, missing="ignore").fit(X)
    np.testing.assert_array_equal(centers, kmeans.cluster_centers_)
    np.testing.assert_array_equal(labels, kmeans.labels_)
    assert (inertia, n_iter) == (kmeans.inertia_, kmeans.n_iter_)
    complete = np.nan_to_num(X)
    for ours, usual in zip(
        kmeans_plusplus(complete, 3, random_state=0, missing="ignore"),
        kmeans_plusplus(complete, 3, random_state=0),
        strict=True,
    ):
        np.testing.assert_array_equal(ours, usual)


@pytest.mark.parametrize("function", [k_means, kmeans_plusplus])
def test_functions_refuse_what_the_estimator_does(function):
    X, _ = make_rows()
    with pytest.raises(ValueError, match="contains NaN"):
        function(X, 3)
    with pytest.raises(ValueError, match="'missing' parameter of k"):
        function(X, 3, missing="drop")
    with pytest.raises(ValueError, match="contains NaN"):
        function(scipy.sparse.csr_array(X), 3, missing="ignore")
    X[5] = np.nan
    with pytest.raises(ValueError, match=re.escape("1 of 300 rows has no value at all")):
        function(X, 3, missing="ignore")
    X[5] = np.inf
    with pytest.raises(ValueError, match="contains infinity"):
        function(X, 3, missing="ignore")
    X[5], X[:, 2] = 0, np.nan
    with pytest.raises(ValueError, match="No row has a value in column 2"):
        function(X, 3, missing="ignore")


def test_a_callable_is_given_the_missing_values():
    X, centers = make_rows()
    given = []

    def init(X, n_clusters, random_state):
        given.append(X)
        return centers - np.nanmean(rows, axis=0)

    rows = X
    kmeans = KMeans(3, init=init, n_init=1, tol=0, missing="ignore").fit(X)
    np.testing.assert_array_equal(np.isnan(given[0]), np.isnan(X))
    np.testing.assert_allclose(given[0], X - np.nanmean(X, axis=0), atol=1e-14)
    np.testing.assert_array_equal(kmeans.labels_, fit(X, centers).labels_)


# -- empty clusters, and values that no row has --------------------------------------------------


def test_an_empty_cluster_moves_to_the_farthest_row_and_keeps_what_that_is_missing():
    X = np.array([[0.0, 0.0], [1.0, 0.0], [0.0, 1.0], [9.0, np.nan]])
    init = np.array([[0.0, 0.0], [-50.0, 7.0]])
    with pytest.warns(UserWarning, match="1 of the 2 x 2 values of the centers are missing"):
        kmeans = fit(X, init)
    assert kmeans.labels_.tolist() == [0, 0, 0, 1]
    np.testing.assert_allclose(kmeans.cluster_centers_, [[1 / 3, 1 / 3], [9, 7]], rtol=1e-14)
    assert kmeans.inertia_ == pytest.approx(4 / 3, rel=1e-14)


@pytest.mark.filterwarnings("ignore:.*missing in all rows")
@pytest.mark.parametrize("dtype", ["f4", "f8"])
def test_fewer_distinct_rows_than_clusters(dtype):
    X = np.array([[0.0, np.nan], [0.0, np.nan], [5.0, 1.0]] * 4, dtype=dtype)
    kmeans = KMeans(5, random_state=0, missing="ignore")
    with pytest.warns(ConvergenceWarning, match="Number of distinct clusters"):
        kmeans.fit(X)
    assert kmeans.inertia_ == 0
    assert np.isfinite(kmeans.cluster_centers_).all()
    np.testing.assert_array_equal(kmeans.labels_, kmeans.predict(X))


def test_a_feature_that_its_rows_no_longer_have_keeps_no_rounding_of_them():
    rng = np.random.default_rng(0)
    # Rows that have feature 1 leave cluster 0 in the second iteration.
    ends = np.column_stack([np.tile([-5.0, 5.0, -7.0, 7.0], 100), np.zeros(400)])
    X = np.vstack([ends + 0.1 * rng.random((400, 2)), np.column_stack([[0.0, 0.1], [np.nan] * 2])])
    init = np.array([[0.0, 3.0], [-11.0, 3.0], [11.0, 3.0]])
    with pytest.warns(UserWarning, match="1 of the 3 x 2 values of the centers are missing"):
        kmeans = fit(X, init, rng.uniform(0.5, 2.0, size=402))
    assert kmeans.labels_[-2:].tolist() == [0, 0]
    assert np.count_nonzero(kmeans.labels_ == 0) == 2
    # The mean of cluster 0 in the first iteration, in which it had rows with that feature.
    assert 0 < kmeans.cluster_centers_[0, 1] < 0.1


# -- errors --------------------------------------------------------------------------------------


@pytest.mark.parametrize("estimator", [KMeans, MiniBatchKMeans])
@pytest.mark.parametrize("dtype", ["f4", "f8"])
def test_errors_name_what_is_wrong_and_change_nothing(estimator, dtype):
    X, _ = make_rows(dtype=dtype)
    name = estimator.__name__
    kmeans = estimator(3, random_state=0, missing="ignore").fit(X)
    before = kmeans.labels_
    infinite, empty, no_column = X.copy(), X.copy(), X.copy()
    infinite[3, 1], empty[[7, 9]], no_column[:, 2] = np.inf, np.nan, np.nan
    no_column[np.isnan(no_column).all(axis=1), 0] = 0
    frame = pd.DataFrame(no_column, columns=["a", "b", "age", "d"])
    for wrong, message in [
        (infinite, "Input X contains infinity or a value too large"),
        (empty, r"2 of 300 rows have no value at all, the first of them X[7]"),
        (empty[8:], r"1 of 292 rows has no value at all, the first of them X[1]"),
        (no_column, "No row has a value in column 2 of X"),
        (frame, "No row has a value in column 2 ('age') of X"),
    ]:
        with pytest.raises(ValueError, match=re.escape(message)):
            kmeans.fit(wrong)
        if "column" not in message:
            for method in kmeans.predict, kmeans.transform, kmeans.score:
                with pytest.raises(ValueError, match=re.escape(message)):
                    method(wrong)
    np.testing.assert_array_equal(kmeans.labels_, before)
    kmeans.predict(no_column)
    with pytest.raises(ValueError, match=f"Input X contains NaN.\n{name} does not accept missing"):
        estimator(3).fit(X)
    with pytest.raises(ValueError, match=r"The 'missing' parameter of .* must be a str among"):
        estimator(3, missing="drop").fit(X)
    with pytest.raises(ValueError, match="contains NaN"):
        estimator(3, missing="ignore").fit(scipy.sparse.csr_array(X))
    with pytest.raises(ValueError, match="contains NaN"):
        kmeans.predict(scipy.sparse.csr_array(X))
    with pytest.raises(ValueError, match="contains NaN"):
        estimator(3, init=X[:3], n_init=1, missing="ignore").fit(X)


def test_a_column_whose_rows_have_no_weight_is_an_error():
    X, _ = make_rows()
    X[1:, 2] = np.nan
    X[np.isnan(X).all(axis=1), 0] = 0
    weights = np.ones(300)
    weights[0] = 0
    with pytest.raises(ValueError, match="No row has a value in column 2 of X"):
        KMeans(3, missing="ignore").fit(X, sample_weight=weights)


# -- mini-batches --------------------------------------------------------------------------------


def partial_fits(X, init, n_batches, sample_weight=None):
    kmeans = MiniBatchKMeans(
        len(init), init=init, n_init=1, missing="ignore", reassignment_ratio=0.0
    )
    weights = np.ones(len(X)) if sample_weight is None else sample_weight
    pairs = zip(np.array_split(X, n_batches), np.array_split(weights, n_batches), strict=True)
    for batch, of_batch in pairs:
        kmeans.partial_fit(batch, sample_weight=of_batch)
    return kmeans


@pytest.mark.parametrize("weighted", [False, True])
def test_partial_fit_moves_each_feature_to_the_mean_of_its_own_rows(weighted):
    X, init = make_rows()
    X[:100] = np.nan_to_num(X[:100])  # no value is missing in the first batch
    X[100:200, 1] = np.nan  # and no row of the second has feature 1
    X[np.isnan(X).all(axis=1), 0] = 0
    sample_weight = 1.0 + np.arange(300) % 3 if weighted else np.ones(300)
    kmeans = partial_fits(X, init, 3, sample_weight)
    centers, weights = init.copy(), np.zeros(init.shape)
    for part in np.array_split(np.arange(300), 3):
        rows, nobody = X[part], np.full(len(part), -1)
        labels, _ = reference.assign_observed(rows, centers)
        sums, new, *_ = reference.move_observed(rows, sample_weight[part], nobody, labels, 3)
        after = weights + new
        means = (weights * centers + sums) / np.where(after > 0, after, 1)
        centers, weights = np.where(new > 0, means, centers), after
    np.testing.assert_allclose(kmeans.cluster_centers_, centers, rtol=1e-12)
    np.testing.assert_array_equal(kmeans.labels_, kmeans.predict(X[200:]))
    # A complete batch goes on with the same weights, sparse or not.
    rows, again = np.nan_to_num(X), pickle.loads(pickle.dumps(kmeans))
    labels, _ = reference.assign_observed(rows, centers)
    sums, new, *_ = reference.move_observed(rows, np.ones(300), np.full(300, -1), labels, 3)
    kmeans.partial_fit(rows)
    again.partial_fit(scipy.sparse.csr_array(rows))
    expected = (weights * centers + sums) / (weights + new)
    for k in kmeans, again:
        np.testing.assert_allclose(k.cluster_centers_, expected, rtol=1e-12)


def test_a_fit_by_batches_goes_on_and_is_forgotten():
    X, _ = make_rows(n_samples=2_000)
    kmeans = MiniBatchKMeans(3, random_state=0, batch_size=100, missing="ignore").fit(X)
    kmeans.partial_fit(X[:100])
    assert kmeans.n_steps_ > 2
    complete = np.nan_to_num(X)
    again, first = (
        k.fit(complete)
        for k in (kmeans, MiniBatchKMeans(3, random_state=0, batch_size=100, missing="ignore"))
    )
    np.testing.assert_array_equal(again.cluster_centers_, first.cluster_centers_)
    for k in again, first:  # nothing is left of the rows with missing values
        k.partial_fit(complete[:100])
    np.testing.assert_array_equal(again.cluster_centers_, first.cluster_centers_)


@pytest.mark.filterwarnings("ignore:.*missing in all rows")
def test_clusters_of_little_weight_move_to_rows_with_missing_values():
    X, centers = make_rows(n_samples=2_000)
    far = np.vstack([centers, [[500.0] * 4, [-500.0] * 4]])
    options = {"init": far, "n_init": 1, "random_state": 0, "missing": "ignore"}
    kmeans = MiniBatchKMeans(5, batch_size=200, **options).fit(X)
    assert len(np.unique(kmeans.labels_)) == 5
    # What a row was missing kept the far center's value, until another row of it had one.
    assert ((np.abs(kmeans.cluster_centers_) < 100) | (kmeans.cluster_centers_ % 500 == 0)).all()
    kmeans = MiniBatchKMeans(5, **options)
    for batch in np.array_split(X, 10):
        kmeans.partial_fit(batch)
    assert (np.abs(kmeans.cluster_centers_) < 100).any(axis=1).all()


# -- where rows come from ------------------------------------------------------------------------


def test_frames_and_pipelines():
    X, _ = make_rows()
    kmeans = KMeans(3, random_state=0, missing="ignore").fit(X)
    frame = pd.DataFrame(X, columns=list("abcd")).convert_dtypes()
    assert frame.isna().any().any()
    other = KMeans(3, random_state=0, missing="ignore").fit(frame)
    np.testing.assert_array_equal(kmeans.labels_, other.labels_)
    np.testing.assert_array_equal(other.predict(frame), other.labels_)
    pipeline = make_pipeline(StandardScaler(), KMeans(3, random_state=0, missing="ignore"))
    assert pipeline.fit(X).predict(X).shape == (300,)
    for estimator in KMeans, MiniBatchKMeans:
        assert estimator(missing="ignore").__sklearn_tags__().input_tags.allow_nan
        assert not estimator().__sklearn_tags__().input_tags.allow_nan


def test_nulls_of_polars():
    polars = pytest.importorskip("polars")
    X, _ = make_rows()
    columns = {
        name: [None if np.isnan(x) else float(x) for x in column]
        for name, column in zip("abcd", X.T, strict=True)
    }
    kmeans, other = (
        KMeans(3, random_state=0, missing="ignore").fit(rows)
        for rows in (X, polars.DataFrame(columns))
    )
    np.testing.assert_array_equal(kmeans.labels_, other.labels_)


def test_a_pickle_goes_on_where_the_estimator_was():
    X, init = make_rows()
    kmeans = partial_fits(X[:200], init, 2)
    again = pickle.loads(pickle.dumps(kmeans))
    for k in kmeans, again:
        k.partial_fit(X[200:])
    np.testing.assert_array_equal(kmeans.cluster_centers_, again.cluster_centers_)


def test_verbose_prints_inertias_that_fall(capsys):
    X, init = make_rows()
    kmeans = fit(X, init + 3, verbose=1)
    printed = capsys.readouterr().out
    inertias = [float(text) for text in re.findall(r"inertia (.+)\.\n", printed)]
    assert len(inertias) == kmeans.n_iter_ > 2
    assert (np.diff(inertias) <= 0).all()
    assert inertias[-1] >= kmeans.inertia_
    assert "strict convergence" in printed


def test_finite_rows_whose_sum_overflows_are_complete():
    X = np.array([[1.0], [1.1], [-1.0], [-1.1]]) * 1.5e308
    ours, usual = (
        KMeans(2, init=X[[0, 2]] / 2, random_state=0, missing=missing)
        for missing in ("ignore", "error")
    )
    for kmeans in ours, usual:
        with pytest.raises(ValueError, match="The inertia is above"):
            kmeans.fit(X)
