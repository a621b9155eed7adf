"""SphericalKMeans: the answers of a naive twin, any length of rows, and the contract of KMeans."""

import contextlib
import io
import pickle

import numpy as np
import pytest
import scipy.sparse
from hypothesis import given
from hypothesis import strategies as st
from sklearn.base import clone
from sklearn.exceptions import ConvergenceWarning, NotFittedError
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.metrics import adjusted_rand_score
from sklearn.metrics.pairwise import cosine_distances, cosine_similarity
from sklearn.pipeline import make_pipeline

import fastclust
from fastclust import SphericalKMeans
from tests import reference

CONTAINERS = {"dense": np.asarray, "csr": scipy.sparse.csr_array}

EPS = {np.dtype(dtype): float(np.finfo(dtype).eps) for dtype in (np.float32, np.float64)}


def directions(n_samples, n_features, n_groups, dtype=np.float64, spread=0.1, seed=0):
    """Rows around some directions, of lengths from 0.1 to 10, and the group of each."""
    rng = np.random.default_rng(seed)
    groups = rng.integers(n_groups, size=n_samples)
    groups[:n_groups] = np.arange(n_groups)
    centers = reference.unit_rows(rng.normal(size=(n_groups, n_features)))
    X = centers[groups] + spread * rng.normal(size=(n_samples, n_features))
    return (X * 10 ** rng.uniform(-1, 1, size=(n_samples, 1))).astype(dtype), groups


def noise(n_samples, n_features, dtype=np.float64, seed=0):
    rng = np.random.default_rng(seed)
    return rng.normal(size=(n_samples, n_features)).astype(dtype)


def fit_from(centers, X, sample_weight=None, **parameters):
    kmeans = SphericalKMeans(len(centers), init=centers, n_init=1, **parameters)
    return kmeans.fit(X, sample_weight=sample_weight)


def assert_same_model(a, b):
    np.testing.assert_array_equal(a.labels_, b.labels_)
    np.testing.assert_array_equal(a.cluster_centers_, b.cluster_centers_)
    assert (a.n_iter_, a.inertia_) == (b.n_iter_, b.inertia_)


# -- answers ------------------------------------------------------------------------------------


@pytest.mark.parametrize("container", CONTAINERS.values(), ids=CONTAINERS)
@pytest.mark.parametrize("dtype", [np.float64, np.float32])
@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize(
    ("n_samples", "n_features", "n_clusters"),
    [(9, 2, 1), (17, 1, 2), (33, 3, 4), (100, 70, 7), (1000, 3, 13), (5000, 20, 8)],
)
def test_answers_are_those_of_the_naive_twin(
    n_samples, n_features, n_clusters, weighted, dtype, container
):
    X, _ = directions(n_samples, n_features, n_clusters, dtype, spread=0.4)
    X = X if n_features > 1 else X * np.where(np.arange(n_samples) % 2, 1, -1)[:, np.newaxis]
    X = X.astype(dtype)
    weights = np.random.default_rng(1).uniform(0.5, 2.0, size=n_samples) if weighted else None
    centers = X[:n_clusters]
    labels, expected, inertia, n_iter = reference.spherical_kmeans(
        X, np.ones(n_samples) if weights is None else weights.astype(dtype), centers, 20, 0.0
    )
    kmeans = fit_from(centers, container(X), weights, max_iter=20, tol=0)
    np.testing.assert_array_equal(kmeans.labels_, labels)
    assert kmeans.n_iter_ == n_iter
    # Rows of unit length are rounded to their type, and centers, each of which is 1 at most.
    atol = 8 * n_features * EPS[np.dtype(dtype)]
    np.testing.assert_allclose(kmeans.cluster_centers_, expected, rtol=0, atol=atol)
    assert kmeans.inertia_ == pytest.approx(inertia, rel=1e-5, abs=atol * n_samples)
    assert kmeans.cluster_centers_.dtype == dtype
    assert kmeans.labels_.dtype == np.int32


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
def test_iterations_that_skip_distances_have_the_labels_of_the_twin(dtype):
    X, _ = directions(40_000, 8, 64, dtype, spread=0.05)
    centers = X[:64]
    kmeans = fit_from(centers, X, max_iter=60, tol=0)
    rows, centers = (reference.unit_rows(values.astype(np.float64)) for values in (X, centers))
    labels, n_iter, n_changed = np.full(len(X), -1), 0, 1
    while n_changed and n_iter < 60:  # like the twin, without its three-dimensional arrays
        new_labels = (rows @ centers.T).argmax(axis=1)
        n_changed, labels = (new_labels != labels).sum(), new_labels
        sums = np.zeros((64, 8))
        np.add.at(sums, labels, rows)
        centers = reference.unit_rows(sums)
        n_iter += 1
    assert kmeans.n_iter_ == n_iter or dtype == np.float32
    n_other = (kmeans.labels_ != labels).sum()
    assert n_other == 0 if dtype == np.float64 else n_other < 10  # of rows between two centers
    np.testing.assert_array_equal(kmeans.predict(X), kmeans.labels_)


@pytest.mark.parametrize("container", CONTAINERS.values(), ids=CONTAINERS)
def test_seeds_are_those_of_kmeans_plusplus_on_unit_rows(container):
    X, groups = directions(2000, 5, 6, spread=0.03)
    rows = container(reference.unit_rows(X))
    _, indices = fastclust.kmeans_plusplus(rows, 6, random_state=0)
    kmeans = SphericalKMeans(6, random_state=0).fit(container(X))
    assert_same_model(fit_from(X[indices], container(X)), kmeans)
    assert adjusted_rand_score(kmeans.labels_, groups) > 0.9


def test_first_centers_are_divided_by_their_lengths():
    X = noise(300, 4)
    of_rows = fit_from(X[:5], X)
    assert_same_model(fit_from(64 * X[:5], X), of_rows)
    by_callable = SphericalKMeans(5, init=lambda rows, k, random_state: 3 * rows[:k], n_init=1).fit(
        X
    )
    np.testing.assert_array_equal(by_callable.labels_, of_rows.labels_)


@pytest.mark.parametrize("container", CONTAINERS.values(), ids=CONTAINERS)
def test_a_callable_gets_unit_rows(container):
    def first_rows(rows, n_clusters, random_state):
        lengths = np.sqrt((rows * rows).sum(axis=1))
        np.testing.assert_allclose(np.asarray(lengths).ravel(), 1, rtol=1e-14)
        assert rows.shape == (40, 3)  # without those of weight 0
        rows = rows[:n_clusters]
        return rows.toarray() if scipy.sparse.issparse(rows) else rows

    weights = np.ones(50)
    weights[::5] = 0
    SphericalKMeans(4, init=first_rows).fit(container(noise(50, 3)), sample_weight=weights)


@pytest.mark.parametrize("container", CONTAINERS.values(), ids=CONTAINERS)
def test_an_empty_cluster_moves_to_the_farthest_row(container):
    X = np.array([[1.0, 0.0], [4.0, 0.4], [3.0, -0.3], [0.2, 2.0]])
    # All rows are nearer to the first center; the last is the farthest from it.
    kmeans = fit_from(np.array([[1.0, 0.2], [-1.0, -1.0]]), container(X))
    np.testing.assert_array_equal(kmeans.labels_, [0, 0, 0, 1])
    np.testing.assert_allclose(kmeans.cluster_centers_[1], reference.unit_rows(X[3:])[0])


@pytest.mark.parametrize("container", CONTAINERS.values(), ids=CONTAINERS)
def test_a_center_whose_rows_add_up_to_zero_stays(container):
    X = np.array([[1.0, 0.0], [-2.0, 0.0], [0.0, 3.0], [0.0, 5.0]])
    kmeans = fit_from(np.array([[0.0, -1.0], [0.0, 1.0]]), container(X), max_iter=5)
    np.testing.assert_array_equal(kmeans.cluster_centers_, [[0.0, -1.0], [0.0, 1.0]])
    np.testing.assert_array_equal(kmeans.labels_, [0, 0, 1, 1])
    assert kmeans.inertia_ == 2.0


def test_verbose_prints_the_inertia_of_the_iterations():
    X, printed = noise(200, 3), io.StringIO()
    with contextlib.redirect_stdout(printed):
        kmeans = fit_from(X[:4], X, verbose=1, tol=0)
    lines = [line for line in printed.getvalue().splitlines() if line.startswith("Iteration")]
    inertias = [float(line.split("inertia ")[1].rstrip(".")) for line in lines]
    assert len(inertias) == kmeans.n_iter_
    assert inertias[-1] == pytest.approx(kmeans.inertia_, rel=1e-12)
    assert inertias == sorted(inertias, reverse=True)


def test_tol_is_a_share_of_the_mean_variance_of_the_unit_rows():
    X = noise(3000, 6)
    rows = reference.unit_rows(X)
    variance = rows.var(axis=0).mean()
    for tol in 0.3, 1e-2, 1e-3:
        *_, n_iter = reference.spherical_kmeans(X, np.ones(3000), X[:7], 300, tol * variance)
        for container in CONTAINERS.values():
            assert fit_from(X[:7], container(X), tol=tol).n_iter_ == n_iter


# -- text ---------------------------------------------------------------------------------------

TOPICS = {
    "sea": "ship wave sail harbour anchor tide mast captain storm fish",
    "kitchen": "bread oven flour salt butter pan spoon soup onion knife",
    "sky": "star planet moon orbit comet telescope galaxy light sun eclipse",
}


def documents(n=120):
    """Documents of 5 to 200 words, most of which belong to a topic, and the topic of each."""
    rng = np.random.default_rng(0)
    every = sorted(word for words in TOPICS.values() for word in words.split())
    topics = rng.integers(len(TOPICS), size=n)
    of_topic = [words.split() for words in TOPICS.values()]
    texts = []
    for topic in topics:
        n_words = int(rng.integers(5, 200))
        words = [*rng.choice(of_topic[topic], n_words), *rng.choice(every, n_words // 4)]
        texts.append(" ".join(words))
    return texts, topics


def test_documents_are_clustered_by_topic_whatever_their_length():
    texts, topics = documents()
    for norm in "l2", None:
        pipeline = make_pipeline(
            TfidfVectorizer(norm=norm), SphericalKMeans(3, n_init=5, random_state=0)
        ).fit(texts)
        kmeans = pipeline[-1]
        assert adjusted_rand_score(topics, kmeans.labels_) == 1
        X = pipeline[:-1].transform(texts)
        cosines = cosine_similarity(X, kmeans.cluster_centers_)
        np.testing.assert_array_equal(cosines.argmax(axis=1), kmeans.labels_)
        assert kmeans.inertia_ == pytest.approx((1 - cosines.max(axis=1)).sum(), rel=1e-12)
        dense = clone(kmeans).fit(X.toarray())
        np.testing.assert_array_equal(dense.labels_, kmeans.labels_)
    new = pipeline.predict(["the captain saw a wave", "butter on bread", "a comet and the moon"])
    assert len(set(new)) == 3


# -- properties ---------------------------------------------------------------------------------

SEEDS = st.integers(0, 2**16)
SHAPES = st.tuples(st.integers(8, 120), st.integers(2, 9), st.integers(1, 6))


@given(SEEDS, SHAPES, st.sampled_from([np.float64, np.float32]))
def test_positive_factors_of_rows_change_nothing(seed, shape, dtype):
    n, d, k = shape
    X, factors = noise(n, d, dtype, seed), np.random.default_rng(seed).integers(-40, 41, size=n)
    powers = np.ldexp(X, factors[:, np.newaxis])
    for container in CONTAINERS.values():
        expected = SphericalKMeans(k, random_state=0).fit(container(X))
        assert_same_model(SphericalKMeans(k, random_state=0).fit(container(powers)), expected)


@given(SEEDS, SHAPES)
def test_other_factors_change_no_label(seed, shape):
    n, d, k = shape
    X, factors = noise(n, d, seed=seed), np.random.default_rng(seed).uniform(0.1, 10, size=n)
    expected = fit_from(X[:k], X)
    scaled = fit_from(X[:k], factors[:, np.newaxis] * X)
    np.testing.assert_array_equal(scaled.labels_, expected.labels_)
    np.testing.assert_allclose(scaled.cluster_centers_, expected.cluster_centers_, atol=1e-12)


@given(SEEDS, SHAPES)
def test_the_order_of_the_rows_does_not_matter(seed, shape):
    n, d, k = shape
    X, order = noise(n, d, seed=seed), np.random.default_rng(seed).permutation(n)
    expected, other = fit_from(X[:k], X), fit_from(X[:k], X[order])
    np.testing.assert_array_equal(other.labels_, expected.labels_[order])
    np.testing.assert_allclose(other.cluster_centers_, expected.cluster_centers_, atol=1e-12)


@given(SEEDS, SHAPES)
def test_a_weight_of_2_is_a_row_twice(seed, shape):
    n, d, k = shape
    X, weights = noise(n, d, seed=seed), np.random.default_rng(seed).integers(0, 3, size=n)
    weights[:k] = 1
    repeated = np.repeat(X, weights, axis=0)
    for container in CONTAINERS.values():
        # No tolerance: the variance that it refers to is that of the rows, without weights.
        weighted = fit_from(X[:k], container(X), weights, tol=0)
        twice = fit_from(X[:k], container(repeated), tol=0)
        np.testing.assert_array_equal(np.repeat(weighted.labels_, weights), twice.labels_)
        np.testing.assert_allclose(weighted.cluster_centers_, twice.cluster_centers_, atol=1e-12)
        assert weighted.inertia_ == pytest.approx(twice.inertia_, rel=1e-11, abs=1e-12)


@given(SEEDS, SHAPES, st.sampled_from([np.float64, np.float32]))
def test_the_inertia_never_rises(seed, shape, dtype):
    n, d, k = shape
    X = noise(n, d, dtype, seed)
    inertias = [fit_from(X[:k], X, max_iter=m, tol=0).inertia_ for m in range(1, 9)]
    rounding = n * 8 * d * EPS[np.dtype(dtype)]
    assert (np.diff(inertias) <= rounding).all()


@given(SEEDS, SHAPES, st.sampled_from([np.float64, np.float32]))
def test_labels_are_those_of_predict_and_centers_have_length_1(seed, shape, dtype):
    n, d, k = shape
    X = noise(n, d, dtype, seed)
    for container in CONTAINERS.values():
        kmeans = SphericalKMeans(k, random_state=seed).fit(container(X))
        np.testing.assert_array_equal(kmeans.predict(container(X)), kmeans.labels_)
        np.testing.assert_array_equal(clone(kmeans).fit_predict(container(X)), kmeans.labels_)
        lengths = np.linalg.norm(kmeans.cluster_centers_.astype(np.float64), axis=1)
        np.testing.assert_allclose(lengths, 1, rtol=4 * EPS[np.dtype(dtype)])
        assert -kmeans.score(container(X)) == pytest.approx(kmeans.inertia_, rel=1e-6, abs=1e-12)


# -- scales -------------------------------------------------------------------------------------


@pytest.mark.parametrize("container", CONTAINERS.values(), ids=CONTAINERS)
@pytest.mark.parametrize(
    ("dtype", "exponents"),
    [(np.float64, (-1000, -500, 500, 1015)), (np.float32, (-100, -60, 60, 120))],
)
def test_rows_of_any_length_have_the_same_bits(dtype, exponents, container):
    X, _ = directions(600, 6, 5, dtype)
    expected = SphericalKMeans(5, random_state=0).fit(container(X))
    for exponent in exponents:
        scaled = container(np.ldexp(X, exponent))
        kmeans = SphericalKMeans(5, random_state=0).fit(scaled)
        assert_same_model(kmeans, expected)
        np.testing.assert_array_equal(kmeans.predict(container(X)), expected.labels_)
        np.testing.assert_array_equal(expected.transform(scaled), expected.transform(container(X)))


def test_rows_of_all_lengths_at_once():
    X, _ = directions(600, 6, 5)
    lengths = np.random.default_rng(0).integers(-1000, 1001, size=(600, 1))
    expected = SphericalKMeans(5, random_state=0).fit(X)
    assert_same_model(SphericalKMeans(5, random_state=0).fit(np.ldexp(X, lengths)), expected)


# -- transform ----------------------------------------------------------------------------------


@pytest.mark.parametrize("container", CONTAINERS.values(), ids=CONTAINERS)
@pytest.mark.parametrize("dtype", [np.float64, np.float32])
def test_transform_is_the_cosine_distance(dtype, container):
    X, _ = directions(500, 7, 5, dtype)
    kmeans = SphericalKMeans(5, random_state=0).fit(container(X))
    distances = kmeans.transform(container(X))
    expected = cosine_distances(X.astype(np.float64), kmeans.cluster_centers_.astype(np.float64))
    np.testing.assert_allclose(distances, expected, atol=32 * EPS[np.dtype(dtype)])
    np.testing.assert_array_equal(distances.argmin(axis=1), kmeans.labels_)
    assert distances.dtype == dtype
    assert distances.min() >= 0
    fitted = clone(kmeans).fit_transform(container(X))
    np.testing.assert_array_equal(fitted, distances)


def test_small_cosine_distances_keep_their_digits():
    angles = 10.0 ** -np.arange(1, 8)
    X = np.column_stack([np.cos(angles), np.sin(angles)])
    kmeans = fit_from(np.array([[1.0, 0.0]]), X)
    kmeans.cluster_centers_ = np.array([[1.0, 0.0]])
    # cos is rounded to multiples of 1e-16, so 1 - cos of the last has lost all but one digit. The
    # half of the squared distance has not: the angles are as exact as the sines.
    expected = 2 * np.sin(angles / 2) ** 2
    np.testing.assert_allclose(kmeans.transform(X)[:, 0], expected, rtol=1e-13)


def test_centers_that_are_set_by_hand_are_divided_by_their_lengths():
    X = noise(100, 3)
    kmeans = SphericalKMeans(4, random_state=0).fit(X)
    expected = kmeans.transform(X)
    kmeans.cluster_centers_ = kmeans.cluster_centers_ * [[0.5], [4.0], [1.0], [32.0]]
    np.testing.assert_array_equal(kmeans.predict(X), kmeans.labels_)
    np.testing.assert_allclose(kmeans.transform(X), expected, atol=1e-14)
    unfitted = SphericalKMeans(4)
    unfitted.cluster_centers_ = kmeans.cluster_centers_
    np.testing.assert_array_equal(unfitted.predict(X), kmeans.labels_)
    kmeans.cluster_centers_[2] = 0
    with pytest.raises(ValueError, match="A center is zero"):
        kmeans.predict(X)


def test_float64_rows_are_labelled_by_float32_centers():
    X = noise(400, 5)
    kmeans = SphericalKMeans(4, random_state=0).fit(X.astype(np.float32))
    cosines = cosine_similarity(X, kmeans.cluster_centers_.astype(np.float64))
    np.testing.assert_array_equal(kmeans.predict(X), cosines.argmax(axis=1))


# -- errors -------------------------------------------------------------------------------------


@pytest.mark.parametrize("container", CONTAINERS.values(), ids=CONTAINERS)
@pytest.mark.parametrize("dtype", [np.float64, np.float32])
def test_zero_rows_are_counted(dtype, container):
    X = noise(70_000, 3, dtype)
    kmeans = SphericalKMeans(2, random_state=0).fit(container(X))
    X[[5, 17, 69_999]] = 0
    message = r"3 of 70000 rows are zero, the first of them X\[5\]:.*Leave such rows out"
    for method in kmeans.fit, kmeans.predict, kmeans.transform, kmeans.score:
        with pytest.raises(ValueError, match=message):
            method(container(X))
    weights = X.any(axis=1).astype(float)
    with pytest.raises(ValueError, match=message):  # which cannot be labelled either
        kmeans.fit(container(X), sample_weight=weights)
    X[[17, 69_999]] = 1
    with pytest.raises(ValueError, match="1 of 70000 rows is zero"):
        kmeans.fit(container(X))


def test_stored_zeros_are_zeros():
    X = scipy.sparse.csr_array(np.array([[1.0, 2.0], [3.0, 4.0], [5.0, 6.0]]))
    X.data[2:4] = 0
    with pytest.raises(ValueError, match=r"1 of 3 rows is zero, the first of them X\[1\]"):
        SphericalKMeans(2).fit(X)


def test_what_the_error_about_zero_rows_says_helps():
    X = noise(50, 3)
    X[::7] = 0
    SphericalKMeans(2).fit(X[X.any(axis=1)])
    sparse = scipy.sparse.csr_array(X)
    SphericalKMeans(2).fit(sparse[(abs(sparse).max(axis=1).toarray() > 0).ravel()])


@pytest.mark.parametrize("value", [np.nan, np.inf])
@pytest.mark.parametrize("container", CONTAINERS.values(), ids=CONTAINERS)
def test_bad_values_are_scikit_learns_errors(container, value):
    X = noise(50, 3)
    X[7, 1] = value
    with pytest.raises(ValueError, match=r"Input X contains (NaN|infinity)"):
        SphericalKMeans(2).fit(container(X))
    kmeans = SphericalKMeans(2).fit(noise(50, 3))
    for method in kmeans.predict, kmeans.transform, kmeans.score:
        with pytest.raises(ValueError, match=r"Input X contains (NaN|infinity)"):
            method(container(X))


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        ({"n_clusters": 0}, "'n_clusters' parameter of SphericalKMeans must be an int"),
        ({"n_clusters": 51}, "n_samples=50 should be >= n_clusters=51"),
        ({"init": "k-means"}, "'init' parameter of SphericalKMeans must be"),
        ({"init": np.zeros((8, 3))}, "A center is zero"),
        ({"init": np.ones((8, 2))}, "does not match the number of features"),
        ({"n_init": 0}, "'n_init' parameter"),
        ({"max_iter": 0}, "'max_iter' parameter"),
        ({"tol": -1.0}, "'tol' parameter"),
        ({"random_state": "a"}, "'random_state' parameter"),
        ({"copy_x": 1}, "'copy_x' parameter"),
        ({"algorithm": "auto"}, "'algorithm' parameter"),
    ],
)
def test_bad_parameters(parameters, message):
    with pytest.raises(ValueError, match=message):
        SphericalKMeans(**parameters).fit(noise(50, 3))


def test_parameters_and_attributes_are_those_of_kmeans():
    X = noise(50, 3)
    spherical, kmeans = SphericalKMeans(3, random_state=0), fastclust.KMeans(3, random_state=0)
    assert spherical.get_params() | {"missing": "error"} == kmeans.get_params()
    assert vars(spherical.fit(X)).keys() | {"missing"} == vars(kmeans.fit(X)).keys()
    for parameters in ({"algorithm": "elkan"}, {"copy_x": False}):
        before = X.copy()
        assert_same_model(clone(spherical).set_params(**parameters).fit(X), spherical)
        np.testing.assert_array_equal(X, before)
    with pytest.warns(RuntimeWarning, match="algorithm='elkan' doesn't make sense"):
        SphericalKMeans(1, algorithm="elkan").fit(X)


def test_given_centers_are_run_once():
    X = noise(50, 3)
    with pytest.warns(RuntimeWarning, match="performing only one init in SphericalKMeans"):
        SphericalKMeans(2, init=X[:2], n_init=3).fit(X)


def test_fewer_directions_than_clusters_is_a_warning():
    X = np.outer(np.arange(1.0, 21.0), [1.0, 2.0])  # one direction
    with pytest.warns(ConvergenceWarning, match="Number of distinct clusters"):
        kmeans = SphericalKMeans(3, random_state=0).fit(X)
    assert kmeans.inertia_ == pytest.approx(0, abs=1e-14)


def test_an_estimator_that_is_not_fitted_says_so():
    with pytest.raises(NotFittedError):
        SphericalKMeans().predict(noise(5, 3))


def test_a_failed_fit_leaves_the_estimator_as_it_was():
    X = noise(100, 3)
    kmeans = SphericalKMeans(4, random_state=0).fit(X)
    before = pickle.dumps(kmeans)

    def interrupt(rows, n_clusters, random_state):
        raise KeyboardInterrupt

    zero = np.vstack([X, np.zeros((1, 3))])
    kmeans_init = kmeans.init
    for rows, init, error in (
        (zero, "k-means++", ValueError),
        (X[:, :2], interrupt, KeyboardInterrupt),
        (X[:3], "k-means++", ValueError),
    ):
        kmeans.init = init
        with pytest.raises(error):
            kmeans.fit(rows)
        kmeans.init = kmeans_init
        assert pickle.dumps(kmeans) == before


# -- the rest -----------------------------------------------------------------------------------


@pytest.mark.parametrize("container", CONTAINERS.values(), ids=CONTAINERS)
@pytest.mark.parametrize("dtype", [np.float64, np.float32])
def test_the_number_of_threads_changes_no_bit(dtype, container):
    X = container(directions(20_000, 12, 30, dtype, spread=0.3)[0])

    def fit():
        kmeans = SphericalKMeans(30, random_state=0, tol=0, max_iter=30).fit(X)
        return kmeans, kmeans.transform(X[:1000])

    kmeans, distances = fit()
    with fastclust.limit_threads(1):
        other, other_distances = fit()
    assert_same_model(other, kmeans)
    np.testing.assert_array_equal(other_distances, distances)


def test_restarts_side_by_side_have_the_bits_of_one_thread():
    X = noise(300, 4)
    kmeans = SphericalKMeans(8, init="random", n_init=20, random_state=0).fit(X)
    with fastclust.limit_threads(1):
        assert_same_model(clone(kmeans).fit(X), kmeans)


def test_launches_that_are_cut_have_the_same_bits(limit_launches):
    X, _ = directions(5000, 6, 9, spread=0.3)
    expected = fit_from(X[:9], X, tol=0)
    limit_launches(1e4)
    assert_same_model(fit_from(X[:9], X, tol=0), expected)


def test_x_is_not_modified():
    X = noise(100, 3)
    for container in CONTAINERS.values():
        rows = container(X.copy())
        SphericalKMeans(3).fit(rows).predict(rows)
        rows = rows.toarray() if scipy.sparse.issparse(rows) else rows
        np.testing.assert_array_equal(rows, X)


def test_pickles_predict_the_same():
    X = noise(100, 3)
    kmeans = SphericalKMeans(4, random_state=0).fit(X)
    loaded = pickle.loads(pickle.dumps(kmeans))
    np.testing.assert_array_equal(loaded.predict(X), kmeans.labels_)
    assert_same_model(loaded, kmeans)


def test_names_of_the_output():
    X = noise(100, 3)
    kmeans = SphericalKMeans(2, random_state=0).set_output(transform="pandas").fit(X)
    assert list(kmeans.transform(X)) == ["sphericalkmeans0", "sphericalkmeans1"]


def test_rows_of_weight_0_are_labelled_but_do_not_count():
    X, _ = directions(300, 4, 3)
    X[::3] = noise(100, 4, seed=3)
    weights = np.ones(300)
    weights[::3] = 0
    kmeans = fit_from(X[1:4], X, weights)
    without = fit_from(X[1:4], X[weights > 0])
    np.testing.assert_array_equal(kmeans.cluster_centers_, without.cluster_centers_)
    np.testing.assert_array_equal(kmeans.predict(X), kmeans.labels_)


@pytest.mark.parametrize("dtype", [np.float32, np.float64, np.int64, np.int32, bool])
@pytest.mark.parametrize("form", ["dense", "csr", "csc", "bsr", "lil", "dok", "matrix"])
def test_rows_of_all_types_and_forms(form, dtype):
    # What scikit-learn's checks of types and of sparse rows try, on rows some of which are zero.
    X = np.random.default_rng(0).integers(-9, 10, size=(60, 4))
    X[:, 0] = 1
    X = X.astype(dtype)
    if form == "csr" and dtype == np.float64:  # and indices of 64 bits
        rows = scipy.sparse.csr_array(X)
        rows.indices, rows.indptr = rows.indices.astype(np.int64), rows.indptr.astype(np.int64)
    elif form == "matrix":
        rows = scipy.sparse.csr_matrix(X)
    else:
        rows = X if form == "dense" else scipy.sparse.coo_array(X).asformat(form)
    kmeans = SphericalKMeans(3, random_state=0).fit(rows)
    expected = SphericalKMeans(3, random_state=0).fit(np.asarray(X, dtype=np.float64))
    np.testing.assert_array_equal(kmeans.labels_, expected.labels_)
    np.testing.assert_array_equal(kmeans.predict(rows), kmeans.labels_)
