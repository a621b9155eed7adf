"""scikit-learn's own tests of k-means, with fastclust's classes and functions put in."""

import numpy as np
import pytest
import sklearn.cluster

import fastclust
from tests.theirs import expect_failure, load_tests, named_tests

NAMES = ["KMeans", "MiniBatchKMeans", "k_means", "kmeans_plusplus"]

PRIVATE = {
    "test_kmeans_init_auto_with_initial_centroids": "_n_init",
    "test_minibatch_kmeans_init_size": "_init_size",
    "test_n_init_auto": "_n_init",
    "test_sample_weight_init": "_init_centroids",
    "test_sample_weight_zero": "_init_centroids",
}
"""Tests that look at a private attribute, and its name."""


theirs = load_tests("sklearn.cluster.tests.test_k_means", sklearn.cluster, NAMES)
of_bisecting = load_tests(
    "sklearn.cluster.tests.test_bisect_k_means", sklearn.cluster, ["BisectingKMeans"]
)
globals().update(named_tests(theirs) | named_tests(of_bisecting))


@pytest.fixture
def global_random_seed():
    """As of scikit-learn's conftest."""
    return 42


@pytest.fixture
def global_dtype():
    """As of scikit-learn's conftest."""
    return np.float64


@pytest.fixture(autouse=True)
def _private_attributes_may_lack(request):
    expect_failure(request, PRIVATE)


def test_they_are_tests_of_fastclust():
    assert theirs.KMeans is fastclust.KMeans
    assert theirs.MiniBatchKMeans is fastclust.MiniBatchKMeans
    assert of_bisecting.BisectingKMeans is fastclust.BisectingKMeans


def test_no_test_hides_another():
    assert named_tests(theirs).keys().isdisjoint(named_tests(of_bisecting))
