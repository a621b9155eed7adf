"""Ellipses and densities of mixtures."""

import numpy as np
import pytest
import scipy.sparse
import scipy.stats
import sklearn.mixture
from sklearn.decomposition import PCA

from fastclust import BayesianGaussianMixture, GaussianMixture
from fastclust.plots import _drawing, _mixture
from tests.plots.models import (
    COVARIANCE_TYPES,
    RESOLUTION,
    bayesian,
    blobs,
    cells,
    ellipses,
    frame,
    mixture,
    regions,
)


def full_covariances(estimator):
    k, d = estimator.means_.shape
    C = estimator.covariances_
    return {
        "full": lambda: C,
        "tied": lambda: np.stack([C] * k),
        "diag": lambda: np.stack([np.diag(c) for c in C]),
        "spherical": lambda: np.stack([c * np.eye(d) for c in C]),
    }[estimator.covariance_type]()


@pytest.mark.parametrize(
    "package",
    [
        GaussianMixture,
        BayesianGaussianMixture,
        sklearn.mixture.GaussianMixture,
        sklearn.mixture.BayesianGaussianMixture,
    ],
)
@pytest.mark.parametrize("features", [None, (3, 1)])
@pytest.mark.parametrize("n_features", [2, 4])
@pytest.mark.parametrize("covariance_type", COVARIANCE_TYPES)
def test_ellipses_are_those_of_the_projected_covariances(
    covariance_type, n_features, features, package
):
    X = blobs(n_features=n_features)
    if features is not None and n_features == 2:
        features = (1, 0)
    options = {"covariance_type": covariance_type, "tol": 1.0, "random_state": 0}
    estimator = package(n_components=3, **options).fit(X)
    display = ellipses(estimator, X, features=features)
    axes = np.eye(n_features)[list(features or (0, 1))]
    if features is None and n_features > 2:
        axes = PCA(2).fit(X).components_
    expected = axes @ full_covariances(estimator) @ axes.T
    np.testing.assert_allclose(display.covariances, expected, atol=1e-10)
    for pair, covariance, mean in zip(display.ellipses_, expected, display.means, strict=True):
        small, large = np.linalg.eigvalsh(covariance)
        for deviations, ellipse in zip((1, 2), pair, strict=True):
            np.testing.assert_allclose(ellipse.width, 2 * deviations * np.sqrt(large))
            np.testing.assert_allclose(ellipse.height, 2 * deviations * np.sqrt(small))
            np.testing.assert_allclose(ellipse.center, mean)
            # Points of the ellipse are at that distance, by Mahalanobis.
            outline = ellipse.get_patch_transform().transform(ellipse.get_path().vertices[::3])
            squares = ((outline - mean) @ np.linalg.inv(covariance) * (outline - mean)).sum(axis=1)
            np.testing.assert_allclose(squares, deviations**2, rtol=1e-3)


@pytest.mark.parametrize("fit", [mixture, bayesian])
@pytest.mark.parametrize("features", [None, (1, 0)])
def test_density_and_band_of_two_features_are_those_of_the_estimator(features, fit):
    X = blobs(n_features=2)
    estimator = fit(X)
    display = ellipses(estimator, X, features=features)
    points = cells(display)[:, list(features or (0, 1))]
    np.testing.assert_array_equal(display.log_density.ravel(), estimator.score_samples(points))
    np.testing.assert_array_equal(
        display.largest_probability.ravel(), estimator.predict_proba(points).max(axis=1)
    )


@pytest.mark.parametrize("convert", [np.asarray, frame])
@pytest.mark.parametrize("features", [None, (0, 2)])
def test_density_and_band_of_more_features_are_those_of_the_projection(features, convert):
    X = blobs()
    estimator = mixture(convert(X))
    display = ellipses(estimator, convert(X), features=features)
    points = cells(display)
    joint = np.column_stack([
        weight * scipy.stats.multivariate_normal(mean, covariance).pdf(points)
        for weight, mean, covariance in zip(
            estimator.weights_, display.means, display.covariances, strict=True
        )
    ])  # fmt: skip
    density = joint.sum(axis=1)
    np.testing.assert_allclose(np.exp(display.log_density.ravel()), density, rtol=1e-8)
    seen = density > 0
    np.testing.assert_allclose(
        display.largest_probability.ravel()[seen], (joint.max(axis=1)[seen] / density[seen])
    )
    np.testing.assert_array_equal(display.labels, estimator.predict(convert(X)))


def test_contours_enclose_the_shares_they_say():
    x = np.linspace(-5, 5, 500)
    log_density = -(x[:, None] ** 2 + x**2) / 2
    levels = _mixture.find_levels(log_density, (0.5, 0.9, 0.99))
    # A share p of a two-dimensional Gaussian lies where the density is 1 - p of its peak or more.
    np.testing.assert_allclose(np.exp(levels), [0.5, 0.1, 0.01], rtol=0.01)
    display = ellipses(mixture(blobs(n_features=2)), blobs(n_features=2))
    drawn = sorted(_mixture.find_levels(display.log_density, (0.5, 0.9, 0.99)))
    np.testing.assert_allclose(display.contours_.levels, drawn)


def test_the_band_is_where_no_probability_reaches_the_threshold():
    X = np.random.default_rng(0).normal(size=(200, 2)) + np.repeat([[0, 0], [3, 0]], 100, axis=0)
    display = ellipses(mixture(X, 2), X, threshold=0.9)
    np.testing.assert_allclose(display.band_.levels, [0, 0.9])
    path = display.band_.get_paths()[0]
    inside = path.contains_points(cells(display)).reshape(RESOLUTION, RESOLUTION)
    expected = display.largest_probability < 0.9
    assert 0.01 < expected.mean() < 0.5
    assert (inside == expected).mean() > 0.95  # but for cells at the edge
    assert display.band_.hatches == ["////"]
    legend = [text.get_text() for text in display.ax_.get_legend().get_texts()]
    assert legend[-1] == "all probabilities < 0.9"


def test_components_smaller_than_a_cell():
    X = np.repeat([[0.0, 0.0], [1.0, 1.0]], 50, axis=0)
    display = ellipses(mixture(X, 2), X)
    assert 1 <= len(display.contours_.levels) <= 3
    display.figure_.canvas.draw()


def test_a_component_without_weight():
    X = blobs()
    estimator = mixture(X)
    estimator.weights_ = np.array([0.5, 0.5, 0])
    display = ellipses(estimator, X)
    assert np.isfinite(display.log_density).all()
    assert np.isfinite(display.largest_probability).all()


@pytest.mark.parametrize("n_features", [2, 4])
def test_components_of_a_bayesian_mixture_that_have_no_rows_are_not_drawn(n_features):
    X = blobs(300, n_features)
    estimator = bayesian(X, 9)
    has_rows = estimator.mean_precision_ - estimator.mean_precision_prior_ >= 1
    n_drawn = int(has_rows.sum())
    assert 3 <= n_drawn <= 5
    names = [str(j) for j in np.flatnonzero(has_rows)]
    display = ellipses(estimator, X)
    assert len(display.ellipses_) == n_drawn
    np.testing.assert_array_equal(np.isfinite(display.means).all(axis=1), has_rows)
    tints = _drawing.tint(_drawing.make_palette(n_drawn), 0.6)
    codes = (np.cumsum(has_rows) - 1)[estimator.predict(X)]
    np.testing.assert_allclose(display.rows_.get_facecolors()[:, :3], tints[codes])
    for shown in display, regions(estimator, X):
        assert [text.get_text() for text in shown.ax_.texts] == names
        assert len(shown.centers_.get_offsets()) == n_drawn


def test_a_row_of_a_component_with_less_than_a_row_is_drawn_with_it():
    X = blobs(n_features=2)
    estimator = bayesian(X, 4)
    estimator.mean_precision_ = estimator.mean_precision_.copy()
    estimator.mean_precision_[estimator.predict(X[:1])] = estimator.mean_precision_prior_
    display = ellipses(estimator, X)
    assert np.isfinite(display.means[estimator.predict(X[:1])]).all()


def test_one_component_and_an_empty_band():
    X = blobs(n_features=2, centers=1)
    display = ellipses(mixture(X, 1), X)
    assert (display.largest_probability == 1).all()
    display.figure_.canvas.draw()
