"""Displays: what is drawn is right, for all inputs, and errors say what to do."""

import subprocess
import sys

import matplotlib as mpl
import numpy as np
import pandas as pd
import polars as pl
import pytest
import scipy.sparse
import scipy.stats
import sklearn.mixture
from matplotlib import pyplot as plt
from sklearn.cluster import AgglomerativeClustering, MiniBatchKMeans
from sklearn.datasets import make_blobs
from sklearn.decomposition import PCA
from sklearn.exceptions import NotFittedError
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import silhouette_samples
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

import fastclust
from fastclust import (
    BayesianGaussianMixture,
    BisectingKMeans,
    GaussianMixture,
    KMeans,
    SphericalKMeans,
)
from fastclust.plots import (
    CurvesDisplay,
    MixtureDisplay,
    RegionsDisplay,
    SilhouetteDisplay,
    _drawing,
    _mixture,
)

NAMES = ["one", "two", "three", "four"]
COVARIANCE_TYPES = ["full", "tied", "diag", "spherical"]
RESOLUTION = 40  # of grids: enough for what is tested


@pytest.fixture(autouse=True)
def _close_figures():
    yield
    plt.close("all")


def blobs(n_samples=100, n_features=4, centers=3):
    return make_blobs(n_samples, n_features, centers=centers, random_state=0)[0]


def frame(X, package=pd):
    names = NAMES[: X.shape[1]]
    return package.DataFrame(X, columns=names) if package is pd else pl.DataFrame(X, schema=names)


def kmeans(X, k=3):
    return KMeans(k, random_state=0).fit(X)


def mixture(X, k=3, covariance_type="full"):
    return GaussianMixture(k, covariance_type=covariance_type, random_state=0).fit(X)


def minibatch(X, k=3):
    return fastclust.MiniBatchKMeans(k, random_state=0).fit(X)


def bisecting(X, k=3):
    return BisectingKMeans(k, random_state=0).fit(X)


def spherical(X, k=3):
    return SphericalKMeans(k, random_state=0).fit(X)


def bayesian(X, k=3, covariance_type="full"):
    return BayesianGaussianMixture(
        n_components=k, covariance_type=covariance_type, tol=0.1, max_iter=1000, random_state=0
    ).fit(X)


FITS = [kmeans, minibatch, bisecting, spherical, mixture, bayesian]


def regions(estimator, X, **options):
    return RegionsDisplay.from_estimator(estimator, X, grid_resolution=RESOLUTION, **options)


def ellipses(estimator, X, **options):
    return MixtureDisplay.from_estimator(estimator, X, grid_resolution=RESOLUTION, **options)


def cells(display):
    """Points of a display's grid, row by row."""
    x, y = np.meshgrid(display.x, display.y)
    return np.column_stack([x.ravel(), y.ravel()])


# -- the plane, by RegionsDisplay ----------------------------------------------------------------


@pytest.mark.parametrize("convert", [np.asarray, frame, np.float32])
@pytest.mark.parametrize("fit", FITS)
def test_regions_of_two_features_are_those_of_predict(fit, convert):
    X = convert(blobs(n_features=2))
    estimator = fit(X)
    display = regions(estimator, X)
    points = cells(display)
    expected = estimator.predict(points if convert is np.asarray else convert(points))
    np.testing.assert_array_equal(display.regions.ravel(), expected)
    np.testing.assert_array_equal(display.points, X)
    np.testing.assert_array_equal(display.labels, estimator.predict(X))
    np.testing.assert_allclose(display.centers_.get_offsets(), display.centers)
    assert display.extent == display.ax_.get_xlim() + display.ax_.get_ylim()


@pytest.mark.parametrize("fit", [kmeans, mixture])
@pytest.mark.parametrize(("features", "convert"), [
    ([2, 0], np.asarray),
    ((2, 0), frame),
    (np.array([2, 0]), np.asarray),
    (["three", "one"], frame),
    (["three", "one"], lambda X: frame(X, pl)),
    (pd.Index(["three", "one"]), frame),
])  # fmt: skip
def test_regions_of_a_pair_hold_the_other_features_at_their_means(features, convert, fit):
    X = blobs()
    estimator = fit(convert(X))
    display = regions(estimator, convert(X), features=features)
    points = np.tile(X.mean(axis=0), (RESOLUTION**2, 1))
    points[:, [2, 0]] = cells(display)
    np.testing.assert_array_equal(display.regions.ravel(), estimator.predict(convert(points)))
    np.testing.assert_array_equal(display.points, X[:, [2, 0]])
    centers = estimator.cluster_centers_ if fit is kmeans else estimator.means_
    np.testing.assert_array_equal(display.centers, centers[:, [2, 0]])
    named = convert is not np.asarray
    labels = ("three", "one") if named else ("feature 2", "feature 0")
    assert (display.ax_.get_xlabel(), display.ax_.get_ylabel()) == labels


@pytest.mark.parametrize("convert", [np.asarray, frame, lambda X: frame(X, pl), np.float32])
@pytest.mark.parametrize("fit", FITS)
def test_regions_of_more_features_are_those_of_the_principal_plane(fit, convert):
    X = convert(blobs())
    estimator = fit(X)
    display = regions(estimator, X)
    pca = PCA(2).fit(np.asarray(X))
    np.testing.assert_allclose(display.points, pca.transform(np.asarray(X)), atol=1e-5)
    points = pca.inverse_transform(cells(display))
    expected = estimator.predict(points if convert is np.asarray else convert(points))
    assert (display.regions.ravel() == expected).mean() > 0.99  # but for rounding at borders
    assert display.ax_.get_xlabel().startswith("principal component 1 (")


def test_regions_by_chunks_are_the_same(monkeypatch):
    X = blobs()
    estimator = kmeans(X)
    whole = regions(estimator, X)
    # No argument of the display; and whole planes of the real size take long.
    monkeypatch.setattr("fastclust.plots._plane.CHUNK_VALUES", 100)
    np.testing.assert_array_equal(regions(estimator, X).regions, whole.regions)


def test_regions_of_any_estimator():
    X, y = blobs(), np.repeat(["a", "b"], 50)
    assert regions(MiniBatchKMeans(3, random_state=0).fit(X), X).centers.shape == (3, 2)
    assert regions(make_pipeline(StandardScaler(), kmeans(X)).fit(X), X).centers is None
    display = regions(LogisticRegression().fit(X, y), X)
    assert set(np.unique(display.regions)) <= {"a", "b"}
    assert display.centers_ is None


@pytest.mark.parametrize("features", [None, (0, 2)])
def test_regions_of_an_estimator_that_wants_the_type_of_its_fit(features):
    X = blobs().astype(np.float32)
    seen = []

    class Picky(KMeans):
        def predict(self, X):
            seen.append(X.dtype)
            return super().predict(X)

    regions(Picky(3, random_state=0).fit(X), X, features=features)
    assert set(seen) == {np.dtype(np.float32)}


def test_cells_and_rows_of_a_cluster_have_its_colour():
    X = blobs(n_features=2, centers=2)
    display = regions(kmeans(X, 2), X)
    palette = _drawing.make_palette(2)
    np.testing.assert_allclose(display.rows_.get_facecolor()[:, :3], palette[display.labels])
    image = np.asarray(display.surface_.get_array())
    assert image.shape == (RESOLUTION, RESOLUTION, 3)
    tints = _drawing.tint(palette, 0.35)[display.regions]
    border = (image == 1).all(axis=2)
    np.testing.assert_allclose(image[~border], tints[~border])
    assert 0 < border.mean() < 0.1


def test_colours_of_few_and_many_clusters():
    few = [mpl.colors.to_hex(color).upper() for color in _drawing.make_palette(7)]
    assert few == _drawing.OKABE_ITO
    many = _drawing.make_palette(100)
    assert len(np.unique(many, axis=0)) == 100
    X = blobs(400, 2)
    display = regions(kmeans(X, 30), X)
    assert not display.ax_.texts  # too many to number
    assert [text.get_text() for text in regions(kmeans(X), X).ax_.texts] == ["0", "1", "2"]


def test_a_constant_feature_and_a_single_row():
    X = np.column_stack([np.arange(10.0), np.ones(10)])
    display = regions(kmeans(X, 2), X)
    assert display.extent[2:] == (0.5, 1.5)
    assert regions(kmeans(X, 2), X[:1]).points.shape == (1, 2)


# -- MixtureDisplay ------------------------------------------------------------------------------


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


# -- SilhouetteDisplay ---------------------------------------------------------------------------


@pytest.mark.parametrize("convert", [np.asarray, frame])
@pytest.mark.parametrize("fit", FITS)
def test_silhouettes_are_those_of_the_rows_falling_in_each_cluster(fit, convert):
    X = convert(blobs())
    estimator = fit(X)
    display = SilhouetteDisplay.from_estimator(estimator, X)
    labels = estimator.predict(X)
    silhouettes = silhouette_samples(X, labels)
    np.testing.assert_allclose(display.silhouettes, silhouettes)
    assert display.mean_ == pytest.approx(silhouettes.mean())
    assert display.line_.get_xdata() == pytest.approx([silhouettes.mean()] * 2)
    for name, bars in display.bars_.items():
        vertices = bars.get_paths()[0].vertices
        assert np.ptp(vertices[:, 1]) == pytest.approx((labels == name).sum())
        drawn = np.unique(vertices[:, 0])
        expected = np.append(silhouettes[labels == name], 0)
        np.testing.assert_allclose(drawn, np.unique(expected))
        top = vertices[vertices[:, 1] == vertices[:, 1].min(), 0]
        assert top.max() == pytest.approx(expected.max())  # the largest is uppermost
    ticks = [text.get_text() for text in display.ax_.get_yticklabels()]
    assert ticks == ["0", "1", "2"]
    low, high = display.ax_.get_ylim()
    assert low > high


def test_silhouettes_from_predictions_with_names_and_given_values():
    X, labels = blobs(), np.repeat(["b", "a"], 50)
    display = SilhouetteDisplay.from_predictions(X, labels)
    np.testing.assert_allclose(display.silhouettes, silhouette_samples(X, labels))
    assert list(display.bars_) == ["a", "b"]
    given = np.linspace(-1, 1, 100)
    display = SilhouetteDisplay.from_predictions(None, labels.tolist(), silhouettes=given.tolist())
    np.testing.assert_array_equal(display.silhouettes, given)
    assert display.mean_ == pytest.approx(0)


def test_silhouettes_of_an_estimator_without_predict():
    X = blobs()
    estimator = AgglomerativeClustering(3).fit(X)
    display = SilhouetteDisplay.from_estimator(estimator, X)
    np.testing.assert_array_equal(display.labels, estimator.labels_)


def test_bars_of_many_rows_are_thinned_to_evenly_spaced_ones():
    rng = np.random.default_rng(0)
    silhouettes = rng.uniform(-0.2, 0.9, 1_000_000)
    labels = np.repeat([0, 1, 2], [700_000, 299_999, 1])
    display = SilhouetteDisplay.from_predictions(None, labels, silhouettes=silhouettes)
    vertices = [bars.get_paths()[0].vertices for bars in display.bars_.values()]
    assert sum(len(part) for part in vertices) < 20_000
    assert [round(np.ptp(part[:, 1])) for part in vertices] == [700_000, 299_999, 1]
    drawn = vertices[0][vertices[0][:, 0] != 0, 0]
    for q in (0.1, 0.5, 0.9):
        expected = np.quantile(silhouettes[:700_000], q)
        assert np.quantile(drawn, q) == pytest.approx(expected, abs=0.01)
    display.figure_.canvas.draw()


# -- CurvesDisplay -------------------------------------------------------------------------------

CURVES = {"BIC": [30.0, 10, 20, 25], "AIC": [28.0, 9, 8, 12]}


def test_curves_have_panels_and_marked_choices():
    display = CurvesDisplay.from_results([1, 2, 3, 4], CURVES, {"BIC": 2, "AIC": 3})
    assert len(set(display.axes_)) == 2
    assert [ax.get_ylabel() for ax in display.axes_] == ["BIC", "AIC"]
    for ax, (name, choice, value) in zip(
        display.axes_, [("BIC", 2, 10), ("AIC", 3, 8)], strict=True
    ):
        np.testing.assert_array_equal(display.lines_[name].get_xdata(), [1, 2, 3, 4])
        np.testing.assert_array_equal(display.lines_[name].get_ydata(), CURVES[name])
        ring = display.rings_[name]
        assert (ring.get_xdata(), ring.get_ydata()) == ([choice], [value])
        assert ring.axes is ax
        assert [text.get_text() for text in ax.texts] == [f"k = {choice}"]


@pytest.mark.parametrize(("choice", "right", "below"), [
    (1, True, False),
    (2, True, True),
    (4, False, True),
    (5, False, False),
])  # fmt: skip
def test_the_name_of_a_choice_is_beside_the_curve(choice, right, below):
    curve = [9.0, 1, 5, 2, 7]
    display = CurvesDisplay.from_results([1, 2, 3, 4, 5], {"BIC": curve}, {"BIC": choice})
    x, y = display.ax_.texts[0].get_position()
    assert (x > 0, y < 0) == (right, below)


def test_a_curve_of_one_value():
    assert CurvesDisplay.from_results([3], {"BIC": [1]}, {"BIC": 3}).ax_.texts


def test_curves_share_axes_if_asked():
    display = CurvesDisplay.from_results([1, 2, 3, 4], CURVES, shared=True)
    assert display.axes_[0] is display.axes_[1] is display.ax_
    assert [text.get_text() for text in display.ax_.get_legend().get_texts()] == ["BIC", "AIC"]
    assert display.rings_ == {}


def test_curves_are_sorted_and_may_have_gaps():
    display = CurvesDisplay.from_results(
        range(4, 0, -1), {"silhouette": [0.3, 0.4, 0.6, np.nan]}, {"silhouette": 2}
    )
    np.testing.assert_array_equal(display.k_values, [1, 2, 3, 4])
    np.testing.assert_array_equal(display.curves["silhouette"], [np.nan, 0.6, 0.4, 0.3])
    assert display.rings_["silhouette"].get_ydata() == [0.6]


@pytest.mark.parametrize(("value", "height"), [(np.inf, 1), (-np.inf, 0)])
@pytest.mark.parametrize("others", [[0.3, 0.4], [np.nan, np.nan]])
def test_an_infinite_choice_is_at_the_edge(value, height, others):
    display = CurvesDisplay.from_results([1, 2, 3], {"gap": [*others, value]}, {"gap": 3})
    ring = display.rings_["gap"]
    assert ring.get_ydata() == [height]
    assert display.ax_.texts[0].get_text() == "k = 3: infinite"
    display.figure_.canvas.draw()
    (_, place), box = ring.get_transform().transform((3, height)), display.ax_.bbox
    assert place == pytest.approx(box.y1 if height else box.y0)


@pytest.mark.parametrize("values", [[1.7e308, 1e308, 5e307], [-1.7e308, 1.7e308, np.inf]])
def test_curves_of_the_largest_numbers_can_be_drawn(values):
    display = CurvesDisplay.from_results([1, 2, 3], {"inertia": values}, {"inertia": 2})
    display.figure_.canvas.draw()
    assert display.ax_.get_ylabel() == "inertia / 1e+300"
    np.testing.assert_array_equal(display.curves["inertia"], values)


def test_curves_are_drawn_on_given_axes():
    figure, axes = plt.subplots(1, 2)
    display = CurvesDisplay.from_results([1, 2, 3, 4], CURVES, ax=axes)
    assert display.figure_ is figure
    assert display.axes_.tolist() == axes.tolist()
    display.plot(ax=axes[1])
    assert display.axes_.tolist() == [axes[1], axes[1]]
    with pytest.raises(ValueError, match="There are 2 criteria, but 3 axes"):
        display.plot(ax=plt.subplots(3)[1])


# -- all displays --------------------------------------------------------------------------------


def make_displays(ax=None):
    """Yield a display of each class."""
    X = blobs()
    yield regions(kmeans(X), X, ax=ax)
    yield ellipses(mixture(X), X, ax=ax)
    yield SilhouetteDisplay.from_estimator(kmeans(X), X, ax=ax)
    yield CurvesDisplay.from_results([1, 2, 3, 4], CURVES, ax=ax, shared=True)


def test_displays_draw_on_given_axes_and_again():
    figure, ax = plt.subplots()
    for display in make_displays(ax):
        assert display.ax_ is ax
        assert display.figure_ is figure
        assert plt.get_fignums() == [figure.number]
        _, other = plt.subplots()
        assert display.plot(ax=other) is display
        assert display.ax_ is other
        plt.close(display.figure_)


@pytest.mark.parametrize("suffix", ["png", "pdf", "svg"])
def test_displays_can_be_saved(tmp_path, suffix):
    for display in make_displays():
        path = tmp_path / f"{type(display).__name__}.{suffix}"
        display.figure_.savefig(path)
        assert path.stat().st_size > 1000


def test_many_rows_are_an_image_that_counts_them():
    X = blobs(1_000_000, 2)
    estimator = kmeans(X[:1000])
    display = regions(estimator, X)
    assert isinstance(display.rows_, mpl.image.AxesImage)
    image = np.asarray(display.rows_.get_array())
    counts, *_ = np.histogram2d(
        *X.T[::-1], bins=_drawing.N_CELLS, range=[display.extent[2:], display.extent[:2]]
    )
    assert ((image[:, :, 3] > 0) == (counts > 0)).mean() > 0.9999  # but for rounding
    row, column = np.unravel_index(counts.argmax(), counts.shape)
    assert image[row, column, 3] == 1
    display.figure_.canvas.draw()
    display = ellipses(mixture(X[:1000]), X)
    assert len(display.ax_.collections) + len(display.ax_.patches) + len(display.ax_.images) < 20
    display.figure_.canvas.draw()


@pytest.mark.parametrize(("n_samples", "rasterized"), [(100, False), (10_000, True)])
def test_few_rows_are_dots(n_samples, rasterized):
    X = blobs(n_samples, 2)
    for display in (regions(kmeans(X), X), ellipses(mixture(X), X)):
        np.testing.assert_array_equal(display.rows_.get_offsets(), X)
        assert bool(display.rows_.get_rasterized()) is rasterized


# -- missing values ------------------------------------------------------------------------------


@pytest.mark.parametrize("features", [(0, 1), (0, 2), None])
@pytest.mark.parametrize("draw", [regions, ellipses])
def test_rows_that_miss_a_value_that_is_shown_are_not_drawn(draw, features):
    n_features = 2 if features == (0, 1) else 3
    rows = frame(blobs(n_features=n_features))
    rows.iloc[:4, 0] = np.nan
    rows.iloc[4:9, 1] = np.nan
    make = KMeans if draw is regions else GaussianMixture
    estimator = make(3, random_state=0, missing="ignore").fit(rows)
    shown = rows.to_numpy()[:, features or slice(None)]
    is_drawn = ~np.isnan(shown).any(axis=1)
    n_out = np.count_nonzero(~is_drawn)
    assert n_out == (4 if features == (0, 2) else 9)
    with pytest.warns(UserWarning, match=f"{n_out} of {len(rows)} rows are not drawn"):
        display = draw(estimator, rows, features=features)
    np.testing.assert_array_equal(display.labels, estimator.predict(rows)[is_drawn])
    if features:
        np.testing.assert_array_equal(display.points, shown[is_drawn])
    else:
        points = PCA(2, random_state=0).fit_transform(shown[is_drawn])
        np.testing.assert_allclose(display.points, points, rtol=1e-9, atol=1e-9)


def test_missing_values_that_no_picture_can_show():
    rows = blobs(n_features=3)
    rows[::2, 0] = rows[1::2, 1] = np.nan
    estimator = KMeans(3, random_state=0, missing="ignore").fit(rows)
    with pytest.raises(ValueError, match=r"0 complete row\(s\) are not defined"):
        regions(estimator, rows)
    with pytest.raises(ValueError, match="there is nothing to draw"):
        regions(estimator, rows, features=(0, 1))
    with pytest.raises(ValueError, match="contains NaN"):
        SilhouetteDisplay.from_estimator(estimator, rows)
    with pytest.raises(ValueError, match="contains NaN"):
        regions(kmeans(blobs(n_features=3)), rows)


# -- errors --------------------------------------------------------------------------------------


@pytest.mark.parametrize(("features", "message"), [
    ([0], "must be a pair of columns"),
    ([0, 1, 2], "must be a pair of columns"),
    (1, "must be a pair of columns"),
    ("ab", "must be a pair of columns"),
    ([1, 1], "two different columns"),
    (["two", 1], "two different columns"),
    ([0, 4], "no column 4: X has 4 features"),
    ([0, -1], "no column -1: X has 4 features"),
    (["one", "five"], "no column 'five'; its columns are 'one', 'two', 'three', 'four'"),
    ([0, 1.5], "no column 1.5"),
])  # fmt: skip
def test_features_that_are_no_pair_of_columns(features, message):
    X = frame(blobs())
    with pytest.raises(ValueError, match=message):
        regions(kmeans(X), X, features=features)
    with pytest.raises(ValueError, match=message):
        ellipses(mixture(X), X, features=features)


def test_rows_that_do_not_suit():
    X = blobs()
    estimator = kmeans(X)
    with pytest.raises(ValueError, match="X has no names"):
        regions(estimator, X, features=["one", "two"])
    with pytest.raises(ValueError, match="X has 3 features, but KMeans is expecting 4"):
        regions(estimator, X[:, :3])
    with pytest.raises(ValueError, match="contains NaN"):
        regions(estimator, np.full((3, 4), np.nan))
    with pytest.raises(TypeError, match="dense data is required"):
        regions(estimator, scipy.sparse.csr_array(X))
    with pytest.raises(ValueError, match=r"1 complete row\(s\) are not defined"):
        regions(estimator, X[:1])
    with pytest.raises(ValueError, match="All rows of X are the same"):
        regions(estimator, np.ones((5, 4)))
    with pytest.raises(ValueError, match="needs 2 or more features, but X has 1"):
        regions(kmeans(X[:, :1]), X[:, :1])
    with pytest.raises(ValueError, match="`grid_resolution` must be an int of 2 or more"):
        RegionsDisplay.from_estimator(estimator, X, grid_resolution=1)


def test_estimators_that_do_not_suit():
    X = blobs()
    for display in (RegionsDisplay, MixtureDisplay, SilhouetteDisplay):
        with pytest.raises(NotFittedError):
            display.from_estimator(GaussianMixture(2), X)
    with pytest.raises(TypeError, match="this is a KMeans; RegionsDisplay draws any"):
        ellipses(kmeans(X), X)
    for threshold in (0, 1.1, -1, np.nan):
        with pytest.raises(ValueError, match="`threshold` must be in"):
            ellipses(mixture(X), X, threshold=threshold)


def test_silhouettes_that_do_not_suit():
    X = blobs()
    with pytest.raises(ValueError, match="Number of labels is 1"):
        SilhouetteDisplay.from_predictions(X, np.zeros(100))
    with pytest.raises(ValueError, match="inconsistent numbers of samples"):
        SilhouetteDisplay.from_predictions(X, np.arange(99) % 2)
    with pytest.raises(ValueError, match="inconsistent numbers of samples"):
        SilhouetteDisplay.from_predictions(X, np.arange(100) % 2, silhouettes=np.zeros(99))
    with pytest.raises(ValueError, match="contains NaN"):
        SilhouetteDisplay.from_predictions(X, np.arange(2), silhouettes=[0.5, np.nan])


@pytest.mark.parametrize(("k_values", "curves", "choices", "message"), [
    ([], {"a": []}, None, "must be a list"),
    (3, {"a": [1]}, None, "must be a list"),
    ([1, 1], {"a": [1, 2]}, None, "must all be different"),
    ([1, 2], {}, None, "one criterion or more"),
    ([1, 2], {"a": [1, 2, 3]}, None, r"the curve 'a' has the shape \(3,\)"),
    ([1, 2], {"a": [1, 2]}, {"b": 1}, "no curve of that name"),
    ([1, 2], {"a": [1, 2]}, {"a": 3}, "The choice of 'a', 3, is not among"),
    ([1, 2], {"a": [np.nan, 2]}, {"a": 1}, "no value at its choice, 1"),
])  # fmt: skip
def test_curves_that_do_not_suit(k_values, curves, choices, message):
    with pytest.raises(ValueError, match=message):
        CurvesDisplay.from_results(k_values, curves, choices)


def test_without_matplotlib_an_error_says_what_to_install(monkeypatch):
    X = blobs()
    estimator, display = kmeans(X), SilhouetteDisplay(silhouettes=X[:, 0], labels=X[:, 0] > 0)
    for name in ("matplotlib", "matplotlib.pyplot"):
        monkeypatch.setitem(sys.modules, name, None)
    for make in (
        lambda: RegionsDisplay.from_estimator(estimator, X),
        lambda: MixtureDisplay.from_estimator(estimator, X),
        lambda: SilhouetteDisplay.from_estimator(estimator, X),
        lambda: SilhouetteDisplay.from_predictions(X, estimator.labels_),
        lambda: CurvesDisplay.from_results([1], {"a": [1]}),
        display.plot,
    ):
        with pytest.raises(ImportError, match=r'pip install "fastclust\[plots\]"'):
            make()


def test_importing_the_displays_does_not_import_matplotlib():
    code = "import sys, fastclust.plots; sys.exit('matplotlib' in sys.modules)"
    subprocess.run([sys.executable, "-c", code], check=True)
