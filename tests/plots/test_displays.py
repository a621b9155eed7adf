"""What all displays have in common, and errors that say what to do."""

import subprocess
import sys

import matplotlib as mpl
import numpy as np
import pytest
import scipy.sparse
import scipy.stats
from matplotlib import pyplot as plt
from sklearn.exceptions import NotFittedError

from fastclust import GaussianMixture
from fastclust.plots import (
    CurvesDisplay,
    MixtureDisplay,
    RegionsDisplay,
    SilhouetteDisplay,
    _drawing,
)
from tests.plots.models import CURVES, blobs, ellipses, frame, kmeans, mixture, regions


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
