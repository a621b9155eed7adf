"""Displays of rows with missing values."""

import numpy as np
import pytest
from sklearn.decomposition import PCA

from fastclust import GaussianMixture, KMeans
from fastclust.plots import SilhouetteDisplay
from tests.plots.models import blobs, ellipses, frame, kmeans, regions


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
