"""First centers: drawn when asked for, and in one place for k-means and for mixtures."""

import numpy as np
import pytest
import scipy.sparse
from sklearn.preprocessing import normalize

from fastclust import GaussianMixture, KMeans, SphericalKMeans, kmeans_plusplus
from fastclust._algorithms.kmeans import seeding
from fastclust._algorithms.rows.panels import Panels

X = np.random.default_rng(0).normal(size=(200, 3))


def test_starts_are_those_of_kmeans_plusplus_whenever_they_are_computed():
    rows, random_state = Panels(X, None, np.zeros(3)), np.random.RandomState(0)
    draw_start = seeding.kmeans_plusplus_starts(rows, 5, None, random_state)
    starts = [draw_start() for _ in range(3)]
    last, middle, first = [start() for start in reversed(starts)]
    random_state = np.random.RandomState(0)
    for centers in (first, middle, last):
        expected, _ = kmeans_plusplus(X, 5, random_state=random_state)
        np.testing.assert_array_equal(centers, expected)


@pytest.mark.parametrize(
    "estimator", [KMeans(5, random_state=0), GaussianMixture(5, random_state=0)]
)
def test_both_estimators_draw_their_starts_there(estimator, monkeypatch):
    calls = []

    def note_call(rows, n_clusters, sample_weight, random_state):
        calls.append(n_clusters)
        return original(rows, n_clusters, sample_weight, random_state)

    original = seeding.kmeans_plusplus_starts
    monkeypatch.setattr(seeding, "kmeans_plusplus_starts", note_call)
    estimator.fit(X)
    assert calls == [5]


@pytest.mark.parametrize("container", [np.asarray, scipy.sparse.csr_array])
@pytest.mark.parametrize("estimator", [KMeans, SphericalKMeans])
@pytest.mark.parametrize("weighted", [False, True])
def test_a_sample_is_seeded_as_if_it_were_all_rows(monkeypatch, estimator, container, weighted):
    monkeypatch.setattr(seeding, "SAMPLE_BYTES", 100 * X[0].nbytes)
    weights = np.random.default_rng(1).uniform(0.5, 2, len(X)) if weighted else None
    found = estimator(5, init="sample", random_state=0, max_iter=1)
    found.fit(container(X), sample_weight=weights)
    random_state = np.random.RandomState(0)
    sample = np.unique(random_state.randint(len(X), size=100))
    rows = X[sample] if estimator is KMeans else normalize(X[sample])
    given = None if weights is None else weights[sample]
    centers, _ = kmeans_plusplus(rows, 5, sample_weight=given, random_state=random_state)
    expected = estimator(5, init=centers, max_iter=1).fit(container(X), sample_weight=weights)
    np.testing.assert_array_equal(found.labels_, expected.labels_)


def test_a_sample_may_be_all_rows(monkeypatch):
    found, expected = (KMeans(5, init=init, random_state=0) for init in ("sample", "k-means++"))
    np.testing.assert_array_equal(found.fit(X).labels_, expected.fit(X).labels_)
    monkeypatch.setattr(seeding, "SAMPLE_BYTES", 1)
    n_rows = 16 * 5  # for each cluster
    found.fit(X[:n_rows])
    np.testing.assert_array_equal(found.labels_, expected.fit(X[:n_rows]).labels_)
