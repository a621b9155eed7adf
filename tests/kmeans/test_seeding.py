"""First centers: drawn when asked for, and in one place for k-means and for mixtures."""

import numpy as np
import pytest

from fastclust import GaussianMixture, KMeans, kmeans_plusplus
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
