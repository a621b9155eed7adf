"""Rows drawn by their weights: those of NumPy's choice, and none of weight 0."""

import numpy as np
import pytest

from fastclust._algorithms.kmeans import row_draws


def test_random_rows_are_those_of_choice():
    for n_samples in 2, 3, 10, 1000, 100_000:
        for n_rows in 1, 2, min(n_samples, 30):
            ours, theirs = np.random.RandomState(n_samples), np.random.RandomState(n_samples)
            for _ in range(50):
                p = np.full(n_samples, 1 / n_samples)
                expected = theirs.choice(n_samples, n_rows, replace=False, p=p / p.sum())
                drawn = row_draws.draw_different_rows(n_samples, n_rows, None, ours)
                np.testing.assert_array_equal(drawn, expected)


@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("n_samples", [1, 2, 3, 1000, 100_000])
def test_a_row_is_that_of_choice(n_samples, weighted):
    weights = np.random.default_rng(0).uniform(0.1, 1, n_samples) if weighted else None
    p = np.ones(n_samples) if weights is None else weights
    ours, theirs = np.random.RandomState(n_samples), np.random.RandomState(n_samples)
    for _ in range(50):
        drawn = row_draws.draw_row(n_samples, weights, ours)
        assert drawn == theirs.choice(n_samples, p=p / p.sum())


@pytest.mark.parametrize("n", [1_000_003, 1_000_033])  # borders above i / n, and below
def test_draws_next_to_borders_between_rows(n):
    cumulative = np.cumsum(np.full(n, 1 / n))
    cumulative /= cumulative[-1]
    borders = cumulative[np.random.default_rng(0).integers(n - 1, size=20_000)]
    near = np.concatenate([np.nextafter(borders, 0), borders, np.nextafter(borders, 1), [0.0]])
    expected = np.searchsorted(cumulative, near, side="right")
    np.testing.assert_array_equal(row_draws.Shares(np.ones(n)).look_up(near), expected)


@pytest.mark.parametrize("dtype", ["f4", "f8"])
@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("n", [1, 999, 1000, 1001, 5003])
def test_shares_in_pieces_are_those_of_all_rows(monkeypatch, n, weighted, dtype):
    monkeypatch.setattr(row_draws, "PIECE_ROWS", 1000)
    rng = np.random.default_rng(0)
    weights = np.broadcast_to(np.dtype(dtype).type(1), n)
    if weighted:
        weights = (rng.uniform(0, 2, n) * (rng.random(n) < 0.5)).astype(dtype)
        weights[n // 2] = 1
    cumulative = np.cumsum((weights / np.sum(weights)).astype("f8"))
    cumulative /= cumulative[-1]
    near = np.concatenate([np.nextafter(cumulative, 0), cumulative, np.nextafter(cumulative, 1)])
    uniforms = np.concatenate([near[near < 1], rng.random(1000), [0.0]])
    rng.shuffle(uniforms)
    found = row_draws.SharesInPieces(weights).look_up(uniforms.reshape(-1, 1))
    expected = np.searchsorted(cumulative, uniforms, side="right")
    np.testing.assert_array_equal(found.ravel(), expected)


@pytest.mark.parametrize("n", [1000, 16_777_219])
def test_the_sum_of_ones_needs_no_memory(n):
    ones = np.ones(n, dtype="f4")
    assert np.sum(np.broadcast_to(np.float32(1), n)) == np.sum(ones)


@pytest.mark.parametrize("size", [1, 2, 3, 7])
def test_running_sums_skip_values_of_0(size):
    values = np.array([0.0, 1.0, 0.0, 0.0, 2.0, 4.0, 0.0])
    parts = [(first, values[first : first + size]) for first in range(0, 7, size)]
    found = [row_draws.find_in_running_sum(parts, place) for place in range(9)]
    # At the sum of all, and above, where rounding may bring a draw: the last that is not 0.
    assert found == [1, 4, 4, 5, 5, 5, 5, 5, 5]
