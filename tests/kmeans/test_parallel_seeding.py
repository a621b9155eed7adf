"""First centers by k-means||."""

import numpy as np
import pytest
import scipy.sparse
from scipy.spatial.distance import cdist
from sklearn.exceptions import ConvergenceWarning

from fastclust import KMeans, SphericalKMeans, k_means, limit_memory
from fastclust._algorithms.kmeans import parallel_seeding
from fastclust._algorithms.kmeans.parallel_seeding import Candidates, run_kmeans_parallel
from fastclust._algorithms.rows.origin import find_mean
from fastclust._algorithms.rows.source import pack
from tests.rows.test_blocks import LITTLE, Given, K, make_rows, small_blocks

pytestmark = pytest.mark.usefixtures(small_blocks.__name__)


def naive_candidates(X, weights, first, n_clusters, random_state, n_rounds):
    """Candidates and their weights, by the same draws, as the paper has them."""
    candidates = [first]
    for _ in range(n_rounds):
        squares = weights * np.square(cdist(X, X[candidates])).min(axis=1)
        probabilities = 2 * n_clusters * squares / squares.sum()
        candidates += np.flatnonzero(random_state.random_sample(len(X)) < probabilities).tolist()
    nearest = cdist(X, X[candidates]).argmin(axis=1)
    return X[candidates], np.bincount(nearest, weights, len(candidates))


@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("dtype", ["f4", "f8"])
def test_candidates_are_those_of_the_paper(monkeypatch, dtype, weighted):
    X = make_rows(dtype)
    weights = np.random.default_rng(1).uniform(0.5, 2, len(X)).astype(dtype) if weighted else None
    found = []
    monkeypatch.setattr(parallel_seeding, "_cluster", lambda *args: found.append(args))
    monkeypatch.setattr(parallel_seeding, "ROWS_AT_ONCE", 700)
    rows = pack(X, weights, np.zeros(5, dtype=dtype))
    run_kmeans_parallel(rows, K, weights, np.random.RandomState(0), 2.0, 3)
    (candidates, candidate_weights, *_), random_state = found[0], np.random.RandomState(0)
    first = parallel_seeding.draw_row(len(X), weights, random_state)
    ones = np.ones(len(X)) if weights is None else weights.astype("f8")
    expected = naive_candidates(X.astype("f8"), ones, first, K, random_state, 3)
    np.testing.assert_array_equal(candidates, expected[0])
    # Sums of up to 3,000 weights in float64, rounded to the rows' type.
    rtol = float(np.finfo(dtype).eps + 3000 * np.finfo("f8").eps)
    np.testing.assert_allclose(candidate_weights, expected[1], rtol)
    assert candidate_weights.sum(dtype="f8") == pytest.approx(ones.sum(), rel=rtol)


def test_rows_in_blocks_have_the_centers_of_an_array():
    X = make_rows("f8")
    kmeans = KMeans(K, init="k-means||", n_init=2, random_state=0)
    expected = KMeans(K, init="k-means||", n_init=2, random_state=0).fit(X)
    for limit in ("1 kB", LITTLE):
        with limit_memory(limit):
            kmeans.fit(Given(X))
        np.testing.assert_array_equal(kmeans.labels_, expected.labels_)
        assert kmeans.n_iter_ == expected.n_iter_


@pytest.mark.parametrize("container", [np.asarray, scipy.sparse.csr_array])
def test_they_are_about_as_good_as_those_of_kmeans_plusplus(container):
    X = make_rows("f8", 2000, seed=3)
    inertias = {
        init: np.mean([
            KMeans(K, init=init, n_init=1, random_state=seed).fit(container(X)).inertia_
            for seed in range(10)
        ])
        for init in ("k-means++", "k-means||", "random")
    }  # fmt: skip
    assert inertias["k-means||"] < 1.1 * inertias["k-means++"]


def test_a_round_has_as_many_candidates_as_it_should():
    X = make_rows("f8")
    rows, random_state = pack(X, None, find_mean(X)), np.random.RandomState(0)
    candidates = Candidates(rows, None)
    candidates.add(np.array([5]))
    squares = np.square(cdist(X, X[5:6]))
    assert candidates.total_square() == pytest.approx(squares.sum(), rel=1e-12)
    numbers = [len(candidates.draw(50 / squares.sum(), random_state)) for _ in range(200)]
    # A sum of independent draws: its standard deviation is at most the root of the mean.
    assert np.mean(numbers) == pytest.approx(50, abs=4 * np.sqrt(50 / 200))


def test_the_unit_of_the_rows_does_not_matter():
    X = make_rows("f8")
    fits = [
        KMeans(K, init="k-means||", random_state=0).fit(X * unit) for unit in (1, 2.0**480, 1e-3)
    ]
    for kmeans in fits[1:]:
        np.testing.assert_array_equal(kmeans.labels_, fits[0].labels_)


def test_fewer_rows_than_centers():
    X = np.repeat([[0.0, 1], [1, 0], [5, 5]], 30, axis=0)
    with pytest.warns(ConvergenceWarning, match="distinct clusters .3. found smaller"):
        kmeans = KMeans(5, init="k-means||", random_state=0).fit(X)
    assert kmeans.inertia_ == 0
    assert KMeans(1, init="k-means||", random_state=0).fit(X).n_iter_ <= 2
    X = make_rows("f8", 90)
    kmeans = KMeans(90, init="k-means||", random_state=0, max_iter=1).fit(X)
    np.testing.assert_array_equal(np.sort(kmeans.labels_), np.arange(90))


def test_what_the_rounds_leave_is_drawn_by_distance():
    X = np.concatenate([np.zeros((500, 1)), [[1.0], [2.0], [3.0], [4.0]]])
    rows = pack(X, None, np.zeros(1))
    centers = run_kmeans_parallel(rows, 5, None, np.random.RandomState(0), 1e-9, 1)
    assert sorted(centers.ravel()) == [0, 1, 2, 3, 4]  # no second row at 0


def test_directions():
    X = make_rows("f8")
    kmeans = SphericalKMeans(K, init="k-means||", random_state=0).fit(X)
    plus = SphericalKMeans(K, n_init=5, random_state=0).fit(X)
    rows = pack(X, None, np.zeros(5), unit=True)
    centers = run_kmeans_parallel(rows, K, None, np.random.RandomState(0), 2.0, 5)
    np.testing.assert_allclose(np.linalg.norm(centers, axis=1), 1)
    assert kmeans.inertia_ < 1.2 * plus.inertia_  # a local minimum of its own
    sparse = SphericalKMeans(K, init="k-means||", random_state=0).fit(scipy.sparse.csr_array(X))
    np.testing.assert_array_equal(sparse.labels_, kmeans.labels_)


def test_parameters():
    X = make_rows("f8")
    kmeans = KMeans(K, init="k-means||", random_state=0).fit(X)
    labels = k_means(X, K, init="k-means||", random_state=0)[1]
    np.testing.assert_array_equal(labels, kmeans.labels_)
    for options in {"oversampling_factor": 0.0}, {"init_rounds": 0}:
        with pytest.raises(ValueError, match=f"'{next(iter(options))}' parameter of KMeans"):
            KMeans(2, init="k-means||", **options).fit(X)
