"""Silhouettes of all rows, cluster by cluster."""

import numpy as np
import pytest
from sklearn.cluster import AgglomerativeClustering
from sklearn.metrics import silhouette_samples

from fastclust.plots import SilhouetteDisplay
from tests.plots.models import FITS, blobs, frame


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
