"""Labels where squares cancel: groups far from each other, and huge values among ordinary ones.

The nearest center is that of the least sum of (x - c)^2, here in extended precision.
"""

import warnings

import numpy as np
import pytest
import scipy.sparse
from hypothesis import given
from hypothesis import strategies as st
from sklearn.exceptions import ConvergenceWarning
from sklearn.metrics import adjusted_rand_score

from fastclust import BisectingKMeans, GaussianMixture, KMeans
from fastclust._algorithms.kmeans.precision import LIMIT, search_tiles
from fastclust._algorithms.rows.origin import find_mean, find_origin
from fastclust._algorithms.rows.source import pack


@pytest.fixture
def rng():
    return np.random.default_rng(0)


CONTAINERS = [np.asarray, scipy.sparse.csr_array]
MOST_SEPARATED = {np.float32: 20, np.float64: 49}  # 2^-3 is then the step of the type


def exact_distances_sq(X, centers):
    X, centers = X.astype(np.longdouble), centers.astype(np.longdouble)
    return np.square(X[:, np.newaxis] - centers).sum(axis=2)


def assert_nearest(labels, X, centers):
    """No label is that of a center that is farther than another by more than precision.py says."""
    D = exact_distances_sq(X, centers)
    chosen, least = D[np.arange(len(X)), labels], D.min(axis=1)
    eps = np.finfo(X.dtype).eps  # 2 u
    # Of the rounding of a squared distance at the limit, with room for the features; and what
    # rounding costs a coordinate when the origin is subtracted from it.
    relative = 2 * X.shape[1] * eps * LIMIT[X.dtype]
    step = eps * max(np.abs(X).max(), np.abs(centers).max())
    assert (np.sqrt(chosen) <= np.sqrt(least) * (1 + relative) + 8 * step).all()


def lose_digits(centers):
    return search_tiles(centers)[2]


def make_groups(seed, dtype, separation, n_features, offset):
    """Pairs of clusters 6 apart, the pairs as far from each other as is said: rows, centers."""
    rng = np.random.default_rng(seed)
    directions = rng.normal(size=(3, n_features))
    directions *= separation / np.linalg.norm(directions, axis=1, keepdims=True)
    centers = np.vstack([directions, directions + np.eye(1, n_features) * 6])
    truth = rng.integers(6, size=300)
    X = offset * separation + centers[truth] + rng.normal(size=(300, n_features))
    return X.astype(dtype), (offset * separation + centers).astype(dtype)


@st.composite
def groups(draw):
    """Arguments of `make_groups`: separations up to 2^20 in float32 and 2^49 in float64."""
    dtype = draw(st.sampled_from([np.float32, np.float64]))
    separation = 2.0 ** draw(st.integers(4, MOST_SEPARATED[dtype]))
    seed, n_features = draw(st.integers(0, 2**32 - 1)), draw(st.integers(1, 5))
    return seed, dtype, separation, n_features, draw(st.sampled_from([0.0, 0.01, 1.0]))


@given(groups(), st.sampled_from(CONTAINERS))
def test_labels_of_groups_far_apart(problem, container):
    X, centers = make_groups(*problem)
    kmeans = KMeans(6, init=centers, n_init=1, max_iter=3).fit(container(X))
    assert_nearest(kmeans.labels_, X, kmeans.cluster_centers_)
    np.testing.assert_array_equal(kmeans.predict(container(X)), kmeans.labels_)
    distances = kmeans.transform(container(X))
    nearest = distances[np.arange(len(X)), kmeans.labels_]
    assert (nearest <= distances.min(axis=1) * (1 + 2.0**-6)).all()
    inertia = exact_distances_sq(X, kmeans.cluster_centers_).min(axis=1).sum()
    step = float(np.finfo(X.dtype).eps) * float(np.abs(X).max())
    assert kmeans.inertia_ == pytest.approx(float(inertia), rel=1e-2, abs=len(X) * 5 * step**2)


@pytest.mark.parametrize("container", CONTAINERS)
@pytest.mark.parametrize(
    ("dtype", "separation"),
    [(np.float32, 1e4), (np.float32, 1e6), (np.float64, 1e9), (np.float64, 1e12)],
)
def test_groups_far_apart_are_found(rng, dtype, separation, container):
    centers = np.array([[0, 0], [10, 0], [separation, 0], [separation + 10, 0]])
    truth = np.arange(1000) % 4
    X = (centers[truth] + rng.normal(size=(1000, 2))).astype(dtype)
    kmeans = KMeans(4, n_init=5, random_state=0).fit(container(X))
    assert adjusted_rand_score(truth, kmeans.labels_) == 1


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("covariance_type", ["full", "diag", "spherical"])
def test_mixtures_start_from_the_right_labels(rng, dtype, covariance_type):
    separation = 1e5 if dtype == np.float32 else 1e10
    centers = np.array([[0, 0], [10, 0], [separation, 0], [separation + 10, 0]])
    truth = np.arange(1000) % 4
    X = (centers[truth] + rng.normal(size=(1000, 2))).astype(dtype)
    mixture = GaussianMixture(
        4, covariance_type=covariance_type, max_iter=0, random_state=0, reg_covar=1e-3
    ).fit(X)
    order = np.argsort(mixture.means_[:, 0])
    # 250 rows each, but for the rounding of the weights' type.
    np.testing.assert_allclose(mixture.weights_, 0.25, rtol=8 * np.finfo(dtype).eps)
    # Means of 250 rows of deviation 1 are off by 0.06, and rows at 1e5 in float32 by 0.004.
    np.testing.assert_allclose(
        mixture.means_[order][[1, 3], 0] - mixture.means_[order][[0, 2], 0], 10, atol=0.5
    )


FILLS = {
    np.float32: [1e7, -1e9, 1e20, 9.97e36, -3.4028235e38],
    np.float64: [1e12, -1e16, 1e20, 1e200, 1.7e308],
}


@pytest.mark.parametrize("share", [0.001, 0.05, 0.4])
@pytest.mark.parametrize(
    ("dtype", "fill"), [(t, fill) for t, fills in FILLS.items() for fill in fills]
)
def test_huge_values_leave_the_other_rows_their_labels(rng, dtype, fill, share):
    truth = np.arange(2000) % 2
    X = (np.where(truth, 270.0, 300.0)[:, np.newaxis] + rng.normal(size=(2000, 3))).astype(dtype)
    filled = rng.random(2000) < share
    filled[0] = True
    X[filled] = fill
    kmeans = KMeans(3, n_init=5, random_state=0).fit(X)
    assert adjusted_rand_score(np.where(filled, 2, truth), kmeans.labels_) == 1
    np.testing.assert_array_equal(kmeans.predict(X), kmeans.labels_)
    assert kmeans.cluster_centers_.dtype == kmeans.transform(X).dtype == dtype
    ordinary = kmeans.predict(X[~filled])
    np.testing.assert_array_equal(ordinary, kmeans.labels_[~filled])
    assert np.isfinite(kmeans.cluster_centers_).all()


def test_huge_values_of_one_feature(rng):
    """The others keep their mean, this one has a median."""
    X = rng.normal(size=(1000, 3))
    X[::10, 1] = 1e30
    origin = find_origin(X, find_mean(X))
    np.testing.assert_array_equal(origin[[0, 2]], find_mean(X)[[0, 2]])
    assert abs(origin[1]) < 1


@pytest.mark.parametrize("share", [0.1, 0.3, 0.4])
@pytest.mark.parametrize("estimator", [KMeans, BisectingKMeans])
@pytest.mark.parametrize(
    ("dtype", "huge"), [(np.float32, 1e9), (np.float32, 1e30), (np.float64, 1e20)]
)
def test_ordinary_rows_between_huge_ones(rng, dtype, huge, estimator, share):
    """The mean is near 0, on the scale of the values, but far from 270 and 300."""
    truth = np.arange(2000) % 2
    X = (np.where(truth, 270.0, 300.0)[:, np.newaxis] + rng.normal(size=(2000, 3))).astype(dtype)
    place = rng.random(2000)
    X[place < share], X[place > 1 - share] = huge, -huge
    truth[place < share], truth[place > 1 - share] = 2, 3
    kmeans = estimator(4, n_init=5, random_state=0).fit(X)
    assert adjusted_rand_score(truth, kmeans.labels_) == 1
    inertia = exact_distances_sq(X, kmeans.cluster_centers_).min(axis=1).sum()
    # Centers are rounded to their type.
    rtol = 1e-4 if dtype == np.float32 else 1e-9
    assert kmeans.inertia_ == pytest.approx(float(inertia), rel=rtol)


def test_an_origin_costs_no_digits(rng):
    """Most values are 5, the others too small to be told apart when 5 is subtracted; or all 0."""
    X = np.full((1000, 3), 5, dtype=np.float32)
    X[:, 2] = 0
    X[:300, 0] = np.where(np.arange(300) % 2, 1e-6, 3e-6)
    X[:300, 1] = 1e20
    origin = find_origin(X, find_mean(X))
    np.testing.assert_array_equal(origin, [0, 5, 0])
    kmeans = KMeans(3, n_init=5, random_state=0).fit(X[:, :1])
    assert len(np.unique(kmeans.labels_)) == 3
    assert kmeans.inertia_ < 1e-15


@given(st.integers(0, 2**32 - 1), st.sampled_from([np.float32, np.float64]))
def test_ordinary_rows_have_their_mean_subtracted(seed, dtype):
    rng = np.random.default_rng(seed)
    X = (1000 * rng.normal() + rng.normal(size=(200, 4))).astype(dtype)
    mean = find_mean(X)
    assert find_origin(X, mean) is mean


@pytest.mark.parametrize("n_clusters", [1, 2, 7])
def test_equal_centers_lose_nothing(n_clusters):
    assert not lose_digits(np.full((n_clusters, 3), 1e9))
    centers = np.full((n_clusters, 3), 1e9)
    centers[-1] += 1.0
    assert lose_digits(centers) == (n_clusters > 1)


def test_a_run_returns_to_plain_iterations(rng):
    """Two seeds that are nearly equal move apart."""
    X = rng.normal(size=(5000, 2))
    X[1] = X[0] + 1e-12
    rows = pack(X, None, find_mean(X))
    state = rows.start_lloyd(rows.take(np.arange(8)))
    assert lose_digits(state.centers)
    assert state.advance(0, 10, 0.0).n_iter == 1
    assert not lose_digits(state.centers)
    assert state.advance(1, 10, 0.0).n_iter > 1
    again = pack(X + 0, None, find_mean(X))
    labels, _ = state.finish(state.centers)
    np.testing.assert_array_equal(labels, again.assign(state.centers))


def test_clusters_that_lose_all_rows_among_close_centers(rng):
    """The empty one moves to the farthest row there too."""
    X = np.array([[0.0], [1e-9], [2e-9], [5.0], [1e6]])
    centers = np.array([[0.0], [1e-9], [1e6], [2e6]])
    kmeans = KMeans(4, init=centers, n_init=1).fit(X)
    assert len(np.unique(kmeans.labels_)) == 4
    assert_nearest(kmeans.labels_, X, kmeans.cluster_centers_)


@pytest.mark.parametrize("n_clusters", [3, 5])
@pytest.mark.parametrize("max_iter", [1, 2, 300])
@pytest.mark.parametrize("make", CONTAINERS)
def test_huge_values_and_clusters_without_rows(make, n_clusters, max_iter):
    """Centers that moved to far rows are left where they are."""
    X = make(np.repeat([[1.0], [2.0], [1e20]], 20, axis=0))
    init = np.array([[1.0], [2.0], [1e20], [3e20], [4e20]])[:n_clusters]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)  # of distinct clusters
        kmeans = KMeans(n_clusters, init=init, n_init=1, max_iter=max_iter).fit(X)
    assert np.isfinite(kmeans.cluster_centers_).all()
    assert kmeans.inertia_ == 0
    assert len(np.unique(kmeans.labels_)) == 3


@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("make", CONTAINERS)
def test_centers_that_rounding_moved_settle_at_means(rng, make, weighted):
    """Beside a cluster of huge values, of which each is the mean."""
    X = rng.normal(size=(3000, 2)) * (rng.random((3000, 2)) < 0.7)
    X[::7] = 1e20
    weights = rng.uniform(0.5, 2, 3000) if weighted else None
    init = np.array([[-2.0, 0], [3, 1], [1e20, 1e20]])
    kmeans = KMeans(3, init=init, n_init=1, tol=0).fit(make(X), sample_weight=weights)
    assert_nearest(kmeans.labels_, X, kmeans.cluster_centers_)
    np.testing.assert_array_equal(kmeans.cluster_centers_[2], 1e20)
    own = kmeans.labels_ < 2
    own_weights = None if weights is None else weights[own]
    ordinary = KMeans(2, init=init[:2], n_init=1, tol=0)
    ordinary.fit(make(X[own]), sample_weight=own_weights)
    np.testing.assert_allclose(kmeans.cluster_centers_[:2], ordinary.cluster_centers_, atol=1e-12)
    np.testing.assert_allclose(kmeans.inertia_, ordinary.inertia_, rtol=1e-12)


def means_by_label(X, labels):
    X = X.astype(np.longdouble)
    return np.array([X[labels == j].mean(axis=0) for j in range(labels.max() + 1)])


@pytest.mark.parametrize("make", CONTAINERS)
@pytest.mark.parametrize("huge", [1e20, 1e63, 1e120])
def test_centers_next_to_nothing_beside_others(make, huge):
    """What rounding leaves of huge values is huge itself, beside ordinary ones."""
    for seed in (0, 1):
        rng = np.random.default_rng(seed)
        groups = rng.integers(3, size=(600, 1))
        X = rng.normal(size=(600, 3)) + 2 + huge * groups * np.array([1, 1.1, 0.1])
        kmeans = KMeans(3, init="random", n_init=1, tol=0, random_state=0).fit(make(X))
        means = means_by_label(X, kmeans.labels_).astype(float)
        np.testing.assert_allclose(kmeans.cluster_centers_, means, rtol=1e-9)


@pytest.mark.parametrize("make", CONTAINERS)
@pytest.mark.parametrize("seed", range(4))
def test_ordinary_coordinates_of_far_centers(seed, make):
    """Every row has a huge value in some feature, and no cluster has one in all."""
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(300, 6)) + 3
    X[rng.random(X.shape) < 0.3] = 1e20
    kmeans = KMeans(8, init="random", n_init=1, tol=0, random_state=0).fit(make(X))
    means = means_by_label(X, kmeans.labels_)
    np.testing.assert_allclose(kmeans.cluster_centers_, means.astype(float), rtol=1e-9)
