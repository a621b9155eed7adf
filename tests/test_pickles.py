"""Pickles: the same estimator again, and a warning where another version wrote it."""

import copy
import pickle
import warnings

import numpy as np
import pytest
from sklearn.base import clone
from sklearn.exceptions import InconsistentVersionWarning

import fastclust
from fastclust import _validation
from fastclust.outliers import DensityOutliers, DistanceOutliers, TrimmedKMeans

X = np.random.default_rng(0).normal(size=(60, 2))
ESTIMATORS = [
    fastclust.KMeans(3, random_state=0),
    fastclust.MiniBatchKMeans(3, random_state=0),
    fastclust.BisectingKMeans(3, random_state=0),
    fastclust.SphericalKMeans(3, random_state=0),
    fastclust.GaussianMixture(2, random_state=0),
    fastclust.MiniBatchGaussianMixture(2, batch_size=20, tol=1.0, random_state=0),
    fastclust.BayesianGaussianMixture(n_components=2, tol=1.0, random_state=0),
    DensityOutliers(),
    DistanceOutliers(fastclust.KMeans(2, random_state=0)),
    TrimmedKMeans(fastclust.KMeans(2, random_state=0)),
]


@pytest.mark.parametrize("estimator", ESTIMATORS, ids=lambda e: type(e).__name__)
def test_a_pickle_is_the_same_estimator(estimator):
    estimator.fit(X)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for again in (pickle.loads(pickle.dumps(estimator)), copy.deepcopy(estimator)):
            assert vars(again).keys() == vars(estimator).keys()
            np.testing.assert_array_equal(again.predict(X), estimator.predict(X))
        clone(estimator)


@pytest.mark.parametrize("estimator", ESTIMATORS, ids=lambda e: type(e).__name__)
def test_a_pickle_of_another_version_warns(estimator, monkeypatch):
    monkeypatch.setattr(_validation, "__version__", "9.9")
    pickled = pickle.dumps(estimator.fit(X))
    monkeypatch.undo()
    name = type(estimator).__name__
    message = f"Trying to unpickle estimator {name} from fastclust 9.9 when using fastclust 0"
    with warnings.catch_warnings(record=True) as caught:  # of estimators inside as well
        warnings.simplefilter("always")
        again = pickle.loads(pickled)
    assert all(issubclass(warning.category, InconsistentVersionWarning) for warning in caught)
    assert any(str(warning.message).startswith(message) for warning in caught)
    np.testing.assert_array_equal(again.predict(X), estimator.predict(X))


def test_a_pickle_without_a_version_warns():
    state = vars(fastclust.KMeans(3))
    with pytest.warns(InconsistentVersionWarning, match="fastclust unknown"):
        fastclust.KMeans().__setstate__(state)
