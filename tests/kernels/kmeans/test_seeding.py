"""Rounds of greedy k-means++ against their naive twin."""

import functools

import numpy as np
import pytest

from fastclust._algorithms import chunks as chunks_module
from fastclust._algorithms.rows.panels import Panels
from fastclust._kernels.kmeans.constants import WIDEST_SEEDING_TILE
from tests import reference
from tests.kernels.kmeans.models import make_panels


def assert_seeds_are_right(panels, X, sample_weight, first, uniforms):
    """The seeds are those of the naive algorithm for the same draws."""
    taken = panels.run_seeding(first, uniforms)
    expected = reference.seed_rounds(X, sample_weight, first, uniforms, taken)
    np.testing.assert_array_equal(taken, expected)


@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("n_candidates", [1, 4, WIDEST_SEEDING_TILE])  # the last takes two tiles
def test_seed_rounds(rng, n_samples, n_features, n_candidates, weighted):
    panels, X, sample_weight = make_panels(rng, n_samples, n_features, np.float64, weighted)
    uniforms = rng.random((min(6, n_samples - 1), n_candidates))
    assert_seeds_are_right(panels, X, sample_weight, n_samples - 1, uniforms)


def test_seed_rounds_in_many_blocks_and_launches(rng, monkeypatch, limit_launches):
    panels, X, sample_weight = make_panels(rng, 3000, 5, np.float64, weighted=True)
    uniforms = rng.random((20, 6))
    assert_seeds_are_right(panels, X, sample_weight, 3, uniforms)
    few = functools.partial(chunks_module.split, min_work=1000)  # several chunks
    monkeypatch.setattr("fastclust._algorithms.rows.panels.split", few)
    assert_seeds_are_right(panels, X, sample_weight, 3, uniforms)
    limit_launches(1.0)  # a launch for each round
    assert_seeds_are_right(panels, X, sample_weight, 3, uniforms)


def test_seed_rounds_in_float32_follow_the_potentials(rng):
    panels, X, sample_weight = make_panels(rng, 500, 4, np.float32)
    # No draw of these falls within the rounding of float32 of a border between two rows.
    assert_seeds_are_right(panels, X, sample_weight, 0, rng.random((10, 5)))


@pytest.mark.parametrize("n_like_the_seed", [1, 200])  # the seed alone, or a block and more
def test_draws_at_the_ends_take_the_rows_of_searchsorted(rng, n_like_the_seed):
    X, sample_weight = rng.normal(size=(1000, 2)), np.ones(1000)
    X[:n_like_the_seed] = X[0]
    sample_weight[-150:] = 0
    panels = Panels(X, sample_weight, np.zeros(2))
    assert_seeds_are_right(panels, X, sample_weight, 0, np.array([[0.0]]))
    np.testing.assert_array_equal(panels.run_seeding(0, np.array([[0.0]])), [0, 0])
    last = np.array([[np.nextafter(1.0, 0.0)]])
    assert_seeds_are_right(panels, X, sample_weight, 0, last)
    np.testing.assert_array_equal(panels.run_seeding(0, last), [0, 849])


def test_the_last_draw_takes_a_row_of_positive_weight(rng):
    """However the sums of the blocks and those of the rows round."""
    last = np.array([[np.nextafter(1.0, 0.0)]])
    for _ in range(40):
        X, sample_weight = rng.normal(size=(100, 3)), rng.uniform(0.5, 2.0, size=100)
        sample_weight[-7:] = 0
        panels = Panels(X, sample_weight, np.zeros(3))
        np.testing.assert_array_equal(panels.run_seeding(0, last), [0, 92])


def test_seeding_takes_the_first_of_equal_candidates():
    X = np.ones((10, 1))
    X[0] = 0  # the seed; the others have a potential of 1 each
    panels = Panels(X, None, np.zeros(1))
    np.testing.assert_array_equal(panels.run_seeding(0, np.array([[0.7, 0.2, 0.4]])), [0, 7])


def test_seeding_of_equal_rows_takes_the_first():
    X = np.ones((40, 2))
    panels = Panels(X, None, np.ones(2))
    indices = panels.run_seeding(5, np.full((3, 4), 0.5))
    np.testing.assert_array_equal(indices, [5, 0, 0, 0])  # potential 0: searchsorted finds row 0
