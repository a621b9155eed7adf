"""Fits that tests of KMeans share."""

import pytest
import sklearn.cluster

import fastclust
from tests.kmeans.models import blobs


@pytest.fixture(scope="module")
def fitted():
    """Both packages' KMeans, fitted on blobs; tests must not change them."""
    X = blobs()
    return tuple(
        package.KMeans(4, random_state=0).fit(X) for package in (fastclust, sklearn.cluster)
    )
