"""Sums that round, centers that are far, entries that repeat: the bugs that were found."""

import numpy as np
import pytest
import scipy.sparse
import sklearn.cluster

from fastclust import KMeans
from fastclust._algorithms.kmeans.empty_clusters import FarthestRows, relocate_empty_clusters
from fastclust._algorithms.kmeans.statistics import ClusterStatistics


@pytest.fixture
def rng():
    """Seeded source of data."""
    return np.random.default_rng(0)


def test_a_cluster_that_gives_its_last_row_away_leaves_no_residue():
    # Cluster 2 is empty; cluster 1 has one row, and sums that have rounded on the way there.
    statistics = ClusterStatistics(
        sums=np.array([[0.0], [5.0 + 1e-15], [0.0]]),
        weights=np.array([3.0, np.nextafter(0.1, 1.0), 0.0]),
        counts=np.array([3, 1, 0]),
    )
    far_row = FarthestRows(np.array([10.0]), np.array([[50.0]]), np.array([1]), np.array([0.1]))
    sums, weights = relocate_empty_clusters(statistics, far_row)
    # The far row is cluster 2 now, and cluster 1, which has none left, is at the heaviest center.
    rtol = 4 * float(np.finfo(np.float64).eps)  # 50 * 0.1 / 0.1
    np.testing.assert_allclose(sums / weights[:, np.newaxis], [[0.0], [0.0], [50.0]], rtol=rtol)


def assert_the_light_row_keeps_its_place(container, tiny):
    X = np.array([[0.3], [-5.0], [5.0], [-7.0], [7.0]])
    sample_weight = np.array([tiny, 1.0, 1.0, 1.0, 1.0])
    # Two heavy rows share its cluster in the first iteration and leave it in the second.
    kmeans = KMeans(3, init=[[0.0], [-11.0], [11.0]], n_init=1, tol=0, max_iter=2)
    kmeans.fit(container(X), sample_weight=sample_weight)
    # The rows are centered by their mean, 0.06, and moved back.
    rtol = 8 * float(np.finfo(np.float64).eps)
    np.testing.assert_allclose(kmeans.cluster_centers_, [[0.3], [-6.0], [6.0]], rtol=rtol)


@pytest.mark.parametrize("tiny", [1e-20, 1e-13])
@pytest.mark.parametrize("container", [np.asarray, scipy.sparse.csr_array])
def test_a_row_of_tiny_weight_that_is_left_alone_keeps_its_place(container, tiny):
    assert_the_light_row_keeps_its_place(container, tiny)


def test_sums_that_lost_their_precision_are_formed_anew_in_long_launches(limit_launches):
    limit_launches(1.0)
    assert_the_light_row_keeps_its_place(np.asarray, 1e-20)


def test_a_far_center_hides_no_other(rng):
    centers = 10.0 * np.arange(8)[:, np.newaxis]
    X = np.repeat(centers, 20, axis=0) + rng.uniform(-1, 1, size=(160, 1))
    init = centers.copy()
    init[4] = 1e20  # its square is infinite in float32
    ours = KMeans(8, init=init, n_init=1).fit(X.astype(np.float32))
    theirs = sklearn.cluster.KMeans(8, init=init, n_init=1).fit(X.astype(np.float32))
    np.testing.assert_array_equal(ours.labels_, theirs.labels_)
    # scikit-learn sums centers and distances of 160 rows in float32.
    assert ours.inertia_ == pytest.approx(theirs.inertia_, rel=16 * float(np.finfo(np.float32).eps))


def test_repeated_entries_of_a_sparse_row_count_as_their_sum():
    data, indices, indptr = [1.0, 2.0, 4.0, 5.0], [0, 0, 1, 0], [0, 2, 3, 4]
    X = scipy.sparse.csr_matrix((data, indices, indptr), shape=(3, 2))
    kmeans = KMeans(2, init=X.toarray()[:2], n_init=1).fit(X)
    dense = KMeans(2, init=X.toarray()[:2], n_init=1).fit(X.toarray())
    np.testing.assert_array_equal(kmeans.labels_, dense.labels_)
    assert kmeans.inertia_ == 2  # rows at 3 and 5, and exact
    assert X.nnz == 4  # the caller's matrix is as it was
