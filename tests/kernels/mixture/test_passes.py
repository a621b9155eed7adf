"""Kernels of Gaussian mixtures against their naive twins."""

from unittest import mock

import numpy as np
import pytest

from fastclust._algorithms.mixture import passes
from fastclust._algorithms.mixture.components import Components
from fastclust._algorithms.mixture.covariance import COVARIANCE_TYPES, unpack_products
from fastclust._algorithms.mixture.em import MStep
from fastclust._algorithms.mixture.inference import Mixture, infer
from fastclust._algorithms.mixture.moments import MixtureMoments
from fastclust._algorithms.mixture.passes import MixtureRows
from fastclust._algorithms.rows.panels import Panels
from fastclust._kernels.mixture.layout import BLOCK_PANELS, product_place
from fastclust._kernels.simd.sizes import MOMENT_WIDTH, N_DIAGONAL, N_PRODUCTS
from tests import reference
from tests.kernels.conftest import chunks_of, tolerance

N_COMPONENTS = [1, 3, 4, 5]


@pytest.fixture(params=list(COVARIANCE_TYPES))
def covariance(request):
    return COVARIANCE_TYPES[request.param]


def make_parameters(rng, covariance, k, d):
    """Weights, means, factors of the type's shape, and precisions as matrices."""
    weights = rng.uniform(0.5, 1, k)
    root = rng.normal(size=(k, d, d)) * (1 - np.eye(d)) / np.sqrt(d) + 2 * np.eye(d)
    if covariance.name in ("full", "tied"):
        factors = matrices = np.triu(root if covariance.name == "full" else root[0])
        matrices = np.broadcast_to(matrices, (k, d, d))
    else:
        factors = rng.uniform(0.5, 2, covariance.shape(k, d))
        matrices = factors.reshape(k, -1, 1) * np.eye(d)
    precisions = matrices @ matrices.swapaxes(1, 2)
    return weights / weights.sum(), rng.normal(size=(k, d)), factors, precisions


def make_components(covariance, weights, means, factors, dtype):
    components = Components(covariance, *means.shape, dtype)
    components.weights[:], components.means[:] = weights, means
    components.factors[:] = factors
    components.lay_out()
    return components


def make_rows(X, sample_weight, covariance, k, max_chunks):
    weights = None if sample_weight is None else sample_weight.astype(X.dtype)
    panels = Panels(X, weights, np.zeros(X.shape[1], dtype=X.dtype))
    with mock.patch.object(passes, "pass_chunks", lambda n, *_: chunks_of(n, max_chunks)):
        return MixtureRows(panels, covariance, k)


def check_moments(moments, expected, covariance, d, atol):
    nk, first, second = expected
    np.testing.assert_allclose(moments.nk.sum(axis=0), nk, rtol=0, atol=atol)
    np.testing.assert_allclose(moments.first.sum(axis=0)[:, :d], first, rtol=0, atol=atol)
    sums = moments.second.sum(axis=0)
    if covariance.name == "full":
        np.testing.assert_allclose(unpack_products(sums, d), second, rtol=0, atol=atol)
    elif covariance.name != "tied":
        np.testing.assert_allclose(sums[:, :d], np.einsum("jff->jf", second), rtol=0, atol=atol)


@pytest.mark.parametrize("weighted", [False, True])
def test_estimate_moments(rng, covariance, dtype, n_samples, n_features, weighted):
    X = rng.normal(size=(n_samples, n_features)).astype(dtype)
    weights, means, factors, precisions = make_parameters(rng, covariance, 3, n_features)
    means = means.astype(dtype)
    sample_weight = rng.integers(0, 3, n_samples).astype(dtype) if weighted else None
    rows = make_rows(X, sample_weight, covariance, 3, 1)
    moments = rows.moments(make_components(covariance, weights, means, factors, dtype))
    ones = np.ones(n_samples) if sample_weight is None else sample_weight
    _, log_density, resp = reference.estimate_posterior(X, weights, means, precisions)
    expected = reference.estimate_moments(X, ones, resp, means.astype(np.float64))
    # Rounding of log-densities of size up to 100 becomes a relative error of the responsibilities,
    # which differs from row to row: that of a sum grows with the root of the number of rows.
    atol = 100 * tolerance(dtype, np.sqrt(n_samples))
    check_moments(moments, expected, covariance, n_features, atol)
    assert moments.log_likelihood.sum() == pytest.approx(ones @ log_density, abs=atol)


@pytest.mark.parametrize("n_components", N_COMPONENTS)
@pytest.mark.parametrize("n_features", [1, 3, 4, 5, 8, 9])
def test_estimate_posterior(rng, covariance, dtype, n_components, n_features):
    X = rng.normal(size=(100, n_features)).astype(dtype)
    weights, means, factors, precisions = make_parameters(rng, covariance, n_components, n_features)
    labels, log_density = np.empty(100, dtype=np.int64), np.empty(100, dtype=dtype)
    resp = np.empty((100, n_components), dtype=dtype)
    infer(X, Mixture(covariance, weights, means, factors), labels, log_density, resp)
    expected = reference.estimate_posterior(X, weights, means, precisions)
    atol = 100 * tolerance(dtype, n_features)  # as above
    np.testing.assert_allclose(log_density, expected[1], rtol=0, atol=atol)
    np.testing.assert_allclose(resp, expected[2], rtol=0, atol=atol)
    largest = np.sort(np.pad(expected[2], ((0, 0), (1, 0))), axis=1)[:, -2:]
    clear = largest[:, 1] - largest[:, 0] > 2 * atol
    assert clear.mean() > 0.9
    np.testing.assert_array_equal(labels[clear], expected[0][clear])


@pytest.mark.parametrize("n_samples", [8 * BLOCK_PANELS - 1, 16 * BLOCK_PANELS + 1, 5000])
def test_many_blocks_and_chunks(rng, covariance, dtype, n_samples):
    X = rng.normal(size=(n_samples, 6)).astype(dtype)
    weights, means, factors, precisions = make_parameters(rng, covariance, 4, 6)
    means = means.astype(dtype)
    _, _, resp = reference.estimate_posterior(X, weights, means, precisions)
    expected = reference.estimate_moments(X, np.ones(n_samples), resp, means.astype(np.float64))
    rows = make_rows(X, None, covariance, 4, 3)
    moments = rows.moments(make_components(covariance, weights, means, factors, dtype))
    # As above; a sum of many rows has a smaller error for each.
    check_moments(moments, expected, covariance, 6, 10 * tolerance(dtype, n_samples))


@pytest.mark.parametrize("n_components", N_COMPONENTS)
def test_moments_of_labels(rng, covariance, dtype, n_samples, n_features, n_components):
    X = rng.normal(size=(n_samples, n_features)).astype(dtype)
    labels = rng.integers(n_components, size=n_samples)
    rows = make_rows(X, None, covariance, n_components, 1)
    components = Components(covariance, n_components, n_features, np.dtype(dtype))
    components.about[:] = rng.normal(size=(n_components, n_features))
    moments = rows.label_moments(components, rows.panels.order.panel_labels(labels))
    expected = reference.estimate_moments(
        X, np.ones(n_samples), np.eye(n_components)[labels], components.about.astype(np.float64)
    )
    # Products of differences of up to 6.
    check_moments(moments, expected, covariance, n_features, 36 * tolerance(dtype, n_samples))


@pytest.mark.parametrize("n_features", [1, 2, 3, 4, 5, 9, 33])
def test_update_components(rng, covariance, n_features):
    X = rng.normal(size=(300, n_features))
    check_update(X, make_rows(X, None, covariance, 3, 1), rng)


@pytest.mark.parametrize("n_features", [1, 2, 3, 4, 5, 9, 33])
def test_update_components_of_a_shared_covariance_by_second_moments(rng, n_features):
    X = rng.normal(size=(300, n_features))
    rows = make_rows(X, None, COVARIANCE_TYPES["tied"], 3, 1)
    rows.sum_second()
    check_update(X, rows, rng)


def check_update(X, rows, rng):
    """Compare an M step from three clusters of 100 rows with the twin's."""
    covariance, n_features = rows.covariance, X.shape[1]
    labels = np.arange(300) % 3
    step = MStep(rows, 1e-3, np.zeros(n_features), recover=False)
    step.components.about[:] = rng.normal(size=(3, n_features))
    step.update(rows.label_moments(step.components, rows.panels.order.panel_labels(labels)))
    weights, means, covariances = reference.update_components(
        X, np.ones(300), np.eye(3)[labels], 1e-3, covariance.name
    )
    components = step.components
    atol = 100 * tolerance(np.float64, 300)  # moments about other means are larger
    np.testing.assert_allclose(components.weights, weights, rtol=0, atol=atol)
    np.testing.assert_allclose(components.means, means, rtol=0, atol=atol)
    np.testing.assert_allclose(components.covariances, covariances, rtol=0, atol=atol)
    precisions = covariance.precisions(components.factors)
    if covariance.name in ("full", "tied"):
        unit = precisions @ covariances
        # Condition numbers of the covariances of 100 rows with up to 33 features are below 100.
        atol = 100 * tolerance(np.float64, n_features)
        np.testing.assert_allclose(
            unit, np.broadcast_to(np.eye(n_features), unit.shape), rtol=0, atol=atol
        )
        assert (np.tril(components.factors, -1) == 0).all()
    else:
        # The factors' squares beside the covariances, which are sums over the rows as above.
        np.testing.assert_allclose(precisions * covariances, 1, rtol=atol)


def test_parts_of_the_rows_merge_to_the_whole(rng, covariance, dtype):
    X = rng.normal(size=(900, 5)).astype(dtype)
    weights, means, factors, _ = make_parameters(rng, covariance, 3, 5)
    components = make_components(covariance, weights, means, factors, dtype)
    whole, *parts = (
        make_rows(part, None, covariance, 3, 1) for part in (X, X[:100], X[100:500], X[500:])
    )
    results = []
    merged = parts[0].moments(components) + parts[1].moments(components)
    merged = merged + parts[2].moments(components)
    scatter = sum(part.scatter for part in parts)
    for moments, total in ((whole.moments(components), whole.scatter), (merged, scatter)):
        step = MStep(whole, 1e-6, np.zeros(5), recover=False)
        step.components.about[:] = components.about
        step.update(moments, scatter=total)
        results.append(step.components)
    for name in ("weights", "means", "covariances"):
        one, other = (getattr(result, name) for result in results)
        np.testing.assert_allclose(one, other, rtol=0, atol=tolerance(dtype, 900))


# -- how products of features are packed ---------------------------------------------------------


def places_by_loops(d):
    """Where `add_full_moments` puts each product, counted in the order in which it is written."""
    places, place = {}, 0
    n_tiles = -(-d // MOMENT_WIDTH)
    for t, u in zip(*np.tril_indices(n_tiles), strict=True):
        pairs = [
            (t * MOMENT_WIDTH + row, u * MOMENT_WIDTH + column)
            for row in range(MOMENT_WIDTH)
            for column in range(row + 1 if t == u else MOMENT_WIDTH)
        ]
        assert len(pairs) == (N_DIAGONAL if t == u else N_PRODUCTS)
        places |= {pair: place + i for i, pair in enumerate(pairs) if max(pair) < d}
        place += N_PRODUCTS
    return places, place


@pytest.mark.parametrize("n_features", [1, 2, 3, 4, 5, 8, 9, 33])
def test_product_place(n_features):
    expected, n_second = places_by_loops(n_features)
    assert {(f, g): product_place(f, g) for f, g in expected} == expected
    full = COVARIANCE_TYPES["full"]
    assert full.n_second(n_features) == n_second
    matrix = unpack_products(np.arange(n_second)[np.newaxis], n_features)[0]
    np.testing.assert_array_equal(matrix, matrix.T)
    assert {(f, g): matrix[f, g] for f, g in expected} == expected


@pytest.mark.parametrize("n_features", [1, 2, 3, 4, 5, 8, 9, 33])
def test_products_packed_by_numpy_are_those_that_the_m_step_reads(rng, n_features):
    full = COVARIANCE_TYPES["full"]
    X, resp = rng.normal(size=(300, n_features)), rng.uniform(size=(300, 3))
    step = MStep(make_rows(X, None, full, 3, 1), 1e-3, np.zeros(n_features), recover=False)
    step.components.about.fill(0)
    first = np.zeros((1, 3, -(-n_features // MOMENT_WIDTH) * MOMENT_WIDTH))
    first[0, :, :n_features] = resp.T @ X
    second = full.second_moments(X, resp)[np.newaxis]
    step.update(MixtureMoments(resp.sum(axis=0)[np.newaxis], first, second, np.zeros(1)))
    expected = reference.update_components(X, np.ones(300), resp, 1e-3, "full")[2]
    np.testing.assert_allclose(
        step.components.covariances, expected, rtol=0, atol=tolerance(np.float64, 300)
    )


# -- what is skipped -----------------------------------------------------------------------------


def separated(rng, dtype, spread):
    """Rows in clusters, and the components of these."""
    k, d = 6, 12
    means = spread * rng.normal(size=(k, d))
    labels = rng.integers(k, size=3000)
    X = (rng.normal(size=(3000, d)) + means[labels]).astype(dtype)
    factors = np.broadcast_to(np.eye(d), (k, d, d)) * rng.uniform(0.8, 1.2, (k, 1, 1))
    full = COVARIANCE_TYPES["full"]
    components = make_components(full, np.full(k, 1 / k), means, factors, np.dtype(dtype))
    return X, labels, components


def summed(rows, components):
    moments = rows.moments(components)
    return [moments.nk.sum(axis=0), moments.first.sum(axis=0), moments.second.sum(axis=0)]


@pytest.mark.parametrize("spread", [1.0, 2.0, 4.0])
@pytest.mark.parametrize("grouped", [False, True])
def test_components_given_up_change_nothing(rng, dtype, spread, grouped):
    X, labels, components = separated(rng, dtype, spread)
    if grouped:
        X = X[np.argsort(labels)]
    expected = summed(make_rows(X, None, components.covariance, 6, 1), components)
    for likely in (np.zeros(3000), rng.integers(6, size=3000)):  # wrong for most panels
        rows = make_rows(X, None, components.covariance, 6, 1)
        rows._likely[:, 0] = likely[: len(rows._likely)]
        for a, b in zip(summed(rows, components), expected, strict=True):
            np.testing.assert_array_equal(a, b)
    components.separate()
    components.lay_out()
    assert len(components.layout.extras) == 6
    rows = make_rows(X, None, components.covariance, 6, 1)
    for _ in range(2):  # the second time the likely are right
        for a, b in zip(summed(rows, components), expected, strict=True):
            np.testing.assert_array_equal(a, b)


def test_what_is_cut_is_less_than_rounding(rng, dtype):
    X, _, components = separated(rng, dtype, 3.0)
    rows = make_rows(X, None, components.covariance, 6, 1)
    cut = summed(rows, components)
    assert rows.is_separated()
    components.layout.cuts.fill(-np.inf)
    whole = summed(make_rows(X, None, components.covariance, 6, 1), components)
    components.layout.cuts.fill(-1e-3)  # what is not nearly as likely as the likeliest
    too_much = summed(make_rows(X, None, components.covariance, 6, 1), components)
    assert not np.array_equal(too_much[0], whole[0])
    eps = np.finfo(dtype).eps
    for a, b in zip(cut, whole, strict=True):
        # nk by eps / 1000 of itself; squared distances of what is cut are below 1000 here.
        np.testing.assert_allclose(a, b, rtol=8 * eps, atol=8 * eps * np.abs(b).max())


def test_regrouped_rows_give_the_same_moments(rng, dtype):
    X, labels, components = separated(rng, dtype, 3.0)
    rows = make_rows(X, None, components.covariance, 6, 1)
    before = summed(rows, components)
    placed = rows.panels.order.panel_labels(labels)
    rows.panels.regroup(rows.panels.order, placed, np.zeros(placed.shape, dtype=dtype), 6)
    after = summed(rows, components)
    for a, b in zip(after, before, strict=True):
        # Of 3,000 rows, the sums of up to 32 vectors are in the rows' own type.
        atol = (tolerance(dtype, 32) + tolerance(np.float64, 3000)) * np.abs(b).max()
        np.testing.assert_allclose(a, b, rtol=0, atol=atol)
    assert not np.array_equal(after[2], before[2])  # the order did change
    rows.start_run()
    for a, b in zip(summed(rows, components), before, strict=True):
        np.testing.assert_array_equal(a, b)
