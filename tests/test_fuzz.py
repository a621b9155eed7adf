"""Random shapes, scales, repetitions, weights: no crash, no hang, nothing that is no number."""

import warnings

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from fastclust import (
    BayesianGaussianMixture,
    BisectingKMeans,
    GaussianMixture,
    KMeans,
    MiniBatchKMeans,
    SphericalKMeans,
    metrics,
)
from fastclust.exceptions import SingularCovarianceError

EXPONENTS = {np.float32: (-18, 16), np.float64: (-150, 140)}
"""Powers of ten of the columns: squares and their sums stay inside the type."""


@st.composite
def data(draw):
    """Rows, and weights or None."""
    dtype = draw(st.sampled_from([np.float32, np.float64]))
    n_samples, n_features = draw(st.integers(1, 150)), draw(st.integers(1, 20))
    rng = np.random.default_rng(draw(st.integers(0, 2**32)))
    rows = rng.normal(size=(n_samples, n_features))
    rows += draw(st.sampled_from([0, 5, 1e4])) * rng.integers(3, size=(n_samples, 1))
    if draw(st.booleans()):
        rows = rows[rng.integers(draw(st.integers(1, n_samples)), size=n_samples)]
    low, high = EXPONENTS[dtype]
    if draw(st.booleans()):
        rows *= 10.0 ** rng.integers(low, high, size=n_features)
    else:
        rows *= 10.0 ** draw(st.integers(low, high))
    layout = draw(st.sampled_from(["C", "F", "strided", "reversed"]))
    rows = {
        "C": rows,
        "F": np.asfortranarray(rows),
        "strided": np.repeat(rows, 2, axis=1)[:, ::2],
        "reversed": rows[::-1],
    }[layout].astype(dtype)
    weights = draw(st.sampled_from([None, "uniform", "with zeros"]))
    if weights is not None:
        weights = rng.uniform(0.1, 3, size=n_samples) * (
            rng.integers(2, size=n_samples) if weights == "with zeros" else 1
        )
        assume(weights.any())
    return rows, weights


def is_finite(*values):
    return all(np.isfinite(value).all() for value in values)


@given(data=data(), share=st.floats(0, 1), init=st.sampled_from(["k-means++", "random"]))
@settings(max_examples=150)
def test_kmeans(data, share, init):
    rows, weights = data
    n_possible = len(rows) if weights is None else np.count_nonzero(weights)
    k = 1 + int(share * (n_possible - 1))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of fewer distinct rows than clusters
        model = KMeans(k, init=init, n_init=2, random_state=0).fit(rows, sample_weight=weights)
    np.testing.assert_array_equal(model.predict(rows), model.labels_)
    assert model.labels_.min() >= 0
    assert model.labels_.max() < k
    assert is_finite(model.cluster_centers_, model.inertia_, model.transform(rows))
    assert model.inertia_ >= 0
    if 1 < len(np.unique(model.labels_)) < len(rows):
        values = metrics.silhouette_samples(rows, model.labels_)
        assert is_finite(values)
        assert np.abs(values).max() <= 1 + 1e-12  # a rounding error of a quotient


@given(data=data(), share=st.floats(0, 1), init=st.sampled_from(["k-means++", "random"]))
@settings(max_examples=80)
def test_spherical_kmeans(data, share, init):
    rows, weights = data
    is_zero = ~rows.any(axis=1)
    assume(not is_zero.all())
    rows, weights = rows[~is_zero], None if weights is None else weights[~is_zero]
    assume(weights is None or weights.any())
    n_possible = len(rows) if weights is None else np.count_nonzero(weights)
    k = 1 + int(share * (n_possible - 1))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of fewer distinct directions than clusters
        model = SphericalKMeans(k, init=init, n_init=2, random_state=0)
        model.fit(rows, sample_weight=weights)
    np.testing.assert_array_equal(model.predict(rows), model.labels_)
    assert is_finite(model.cluster_centers_, model.inertia_, model.transform(rows))
    assert model.inertia_ >= 0
    # 20 squares of a direction, each rounded to the rows' type
    lengths = np.linalg.norm(model.cluster_centers_.astype(np.float64), axis=1)
    np.testing.assert_allclose(lengths, 1, rtol=40 * np.finfo(rows.dtype).eps)


@given(data=data(), share=st.floats(0, 1), batch_size=st.integers(1, 200))
@settings(max_examples=100)
def test_minibatches(data, share, batch_size):
    rows, weights = data
    k = 1 + int(share * (len(rows) - 1))
    model = MiniBatchKMeans(k, batch_size=batch_size, max_iter=5, random_state=0)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        model.fit(rows, sample_weight=weights)
    np.testing.assert_array_equal(model.predict(rows), model.labels_)
    assert is_finite(model.cluster_centers_, model.inertia_)
    model.partial_fit(rows, sample_weight=weights)
    np.testing.assert_array_equal(model.predict(rows), model.labels_)
    assert is_finite(model.cluster_centers_, model.inertia_)


@given(
    data=data(),
    share=st.floats(0, 1),
    strategy=st.sampled_from(["biggest_inertia", "largest_cluster"]),
    init=st.sampled_from(["k-means++", "random"]),
)
@settings(max_examples=150)
def test_bisecting_kmeans(data, share, strategy, init):
    rows, weights = data
    n_possible = len(rows) if weights is None else np.count_nonzero(weights)
    k = 1 + int(share * (n_possible - 1))
    model = BisectingKMeans(k, init=init, bisecting_strategy=strategy, random_state=0)
    model.fit(rows, sample_weight=weights)
    np.testing.assert_array_equal(model.predict(rows), model.labels_)
    assert model.labels_.min() >= 0
    assert model.labels_.max() < k
    assert is_finite(model.cluster_centers_, model.inertia_, model.transform(rows))
    assert model.inertia_ >= 0


@given(
    data=data(),
    n_components=st.integers(1, 6),
    covariance_type=st.sampled_from(["full", "tied", "diag", "spherical"]),
    init=st.sampled_from(["kmeans", "k-means++", "random", "random_from_data"]),
)
@settings(max_examples=150)
def test_mixtures(data, n_components, covariance_type, init):
    rows, weights = data
    n_possible = len(rows) if weights is None else np.count_nonzero(weights)
    model = GaussianMixture(
        n_components, covariance_type=covariance_type, init_params=init, max_iter=5, random_state=0
    )
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of no convergence
        if max(n_components, 2) > n_possible:
            with pytest.raises(ValueError, match=r"n_samples|minimum of 2|required"):
                model.fit(rows, sample_weight=weights)
            return
        try:
            model.fit(rows, sample_weight=weights)
        except SingularCovarianceError:
            return
    assert is_finite(model.weights_, model.means_, model.covariances_, model.precisions_cholesky_)
    resp = model.predict_proba(rows)
    assert is_finite(resp, model.score_samples(rows), model.lower_bound_)
    np.testing.assert_allclose(resp.sum(axis=1), 1, rtol=1e-5 if rows.dtype == "f4" else 1e-12)
    np.testing.assert_allclose(model.weights_.sum(), 1, rtol=1e-5)
    np.testing.assert_array_equal(model.predict(rows), resp.argmax(axis=1))


@given(
    data=data(),
    n_components=st.integers(1, 6),
    covariance_type=st.sampled_from(["full", "tied", "diag", "spherical"]),
    prior_type=st.sampled_from(["dirichlet_process", "dirichlet_distribution"]),
    init=st.sampled_from(["kmeans", "k-means++", "random", "random_from_data"]),
)
@settings(max_examples=150)
def test_bayesian_mixtures(data, n_components, covariance_type, prior_type, init):
    rows, weights = data
    n_possible = len(rows) if weights is None else np.count_nonzero(weights)
    model = BayesianGaussianMixture(
        n_components=n_components, covariance_type=covariance_type, init_params=init, max_iter=5,
        weight_concentration_prior_type=prior_type, random_state=0,
    )  # fmt: skip
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of no convergence
        if len(rows) < 2 or n_components > n_possible:
            with pytest.raises(ValueError, match=r"n_samples|minimum of 2|required"):
                model.fit(rows, sample_weight=weights)
            return
        try:
            model.fit(rows, sample_weight=weights)
        except SingularCovarianceError:
            return
        except ValueError as error:
            assert "must sum to more than 1" in str(error)  # noqa: PT017
            return
    posterior = np.hstack(model.weight_concentration_), model.mean_precision_, model.weights_
    assert is_finite(*posterior, model.means_, model.covariances_, model.precisions_cholesky_)
    resp = model.predict_proba(rows)
    assert is_finite(resp, model.score_samples(rows), model.lower_bound_)
    np.testing.assert_allclose(resp.sum(axis=1), 1, rtol=1e-12)
    np.testing.assert_array_equal(model.predict(rows), resp.argmax(axis=1))
