"""Passes over rows with missing values, against their naive twins."""

import numpy as np
import pytest

from fastclust._algorithms.chunks import split_by_work
from fastclust._algorithms.mixture.covariance import COVARIANCE_TYPES, unpack_products
from fastclust._algorithms.mixture.masked import MaskedPanels
from fastclust._algorithms.mixture.patterns import PatternPanels, group_rows
from fastclust._algorithms.mixture.tied_patterns import TiedPatternPanels
from tests import reference
from tests.kernels.conftest import tolerance
from tests.kernels.mixture.test_passes import make_components, make_parameters

KINDS = {"full": PatternPanels, "tied": TiedPatternPanels, "diag": MaskedPanels}


def make_missing(rng, n_samples, n_features):
    """Where values are missing: few patterns and rare ones, and no row without a value."""
    missing = rng.random((n_samples, n_features)) < rng.choice([0, 0.1, 0.6], size=(n_samples, 1))
    missing[missing.all(axis=1), 0] = False
    return missing


def scatter_about_zero(nk, first, second, means):
    """Sum of x x' over rows of these moments about the means."""
    cross = means.T @ first
    return second.sum(axis=0) + cross + cross.T + (means * nk[:, np.newaxis]).T @ means


@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("kind", list(KINDS))
def test_estimate_moments_and_posterior(rng, kind, dtype, n_samples, n_features, weighted):
    k, covariance = 3, COVARIANCE_TYPES[kind]
    X = rng.normal(size=(n_samples, n_features)).astype(dtype)
    missing = make_missing(rng, n_samples, n_features)
    weights, means, factors, precisions = make_parameters(rng, covariance, k, n_features)
    means = means.astype(dtype).astype(np.float64)
    sample_weight = rng.integers(0, 3, n_samples).astype(dtype) if weighted else None
    origin = np.zeros(n_features, dtype=dtype)
    panels = KINDS[kind](X, missing, sample_weight, origin, k)
    components = make_components(covariance, weights, means, factors, dtype)
    moments = panels.moments(components).merged()

    rows = np.where(missing, np.nan, X.astype(np.float64))
    ones = np.ones(n_samples) if sample_weight is None else sample_weight
    covariances = np.broadcast_to(np.linalg.inv(precisions), (k, n_features, n_features))
    mixture = weights, means, covariances
    # Rounding of log-densities of size up to 100 becomes a relative error of the responsibilities.
    nk, first, second, log_likelihood = reference.estimate_pattern_moments(rows, ones, *mixture)
    atol = 200 * tolerance(dtype, n_samples * n_features)
    np.testing.assert_allclose(moments.nk[0], nk, rtol=0, atol=atol)
    np.testing.assert_allclose(moments.first[0, :, :n_features], first, rtol=0, atol=atol)
    if kind == "full":
        found = unpack_products(moments.second[0], n_features)
    elif kind == "tied":
        found, second = panels.scatter, scatter_about_zero(nk, first, second, means)
    else:
        found, second = moments.second[0, :, :n_features], np.einsum("jff->jf", second)
    np.testing.assert_allclose(found, second, rtol=0, atol=atol)
    assert float(moments.log_likelihood[0]) == pytest.approx(log_likelihood, abs=atol)

    components.layout.cuts.fill(-np.inf)
    labels, log_density, resp = panels.posterior(components, with_resp=True)
    wanted, wanted_density = reference.estimate_pattern_posterior(rows, *mixture)
    np.testing.assert_allclose(resp, wanted, rtol=0, atol=atol)
    np.testing.assert_allclose(log_density, wanted_density, rtol=0, atol=atol)
    np.testing.assert_array_equal(labels, resp.argmax(axis=1))
    assert panels.posterior(components, with_resp=False)[2].shape == (0, k)


@pytest.mark.parametrize("n_features", [1, 8, 9, 64, 65, 130])
def test_group_rows(rng, n_features):
    missing = np.zeros((50, n_features), dtype=bool)
    missing[rng.integers(50, size=30), rng.integers(n_features, size=30)] = True
    order, starts, patterns = group_rows(missing)
    assert sorted(order) == list(range(50))
    assert len({tuple(pattern) for pattern in patterns}) == len(patterns)
    for pattern, first, stop in zip(patterns, starts, starts[1:], strict=False):
        assert (missing[order[first:stop]] == pattern).all()
        assert (np.diff(order[first:stop]) > 0).all()


def test_split_by_work():
    work = np.array([1.0, 1.0, 1.0, 100.0, 1.0, 1.0, 50.0, 1.0])
    chunks = split_by_work(work, max_chunks=4, min_work=1.0)
    assert chunks[0, 1] == 0
    assert chunks[-1, 2] == len(work)
    np.testing.assert_array_equal(chunks[1:, 1], chunks[:-1, 2])
    assert (chunks[:, 2] > chunks[:, 1]).all()
    assert len(split_by_work(work, max_chunks=4, min_work=1e9)) == 1
    assert len(split_by_work(np.ones(3), max_chunks=64, min_work=0.01)) <= 3
