"""Regions of labels, and the plane that they are drawn in."""

import matplotlib as mpl
import numpy as np
import pandas as pd
import polars as pl
import pytest
from sklearn.cluster import MiniBatchKMeans
from sklearn.decomposition import PCA
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from fastclust import KMeans
from fastclust.plots import _drawing
from tests.plots.models import FITS, RESOLUTION, blobs, cells, frame, kmeans, mixture, regions


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
