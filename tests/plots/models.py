"""Rows, fits and displays that the tests of several displays share."""

import numpy as np
import pandas as pd
import polars as pl
from sklearn.datasets import make_blobs

import fastclust
from fastclust import (
    BayesianGaussianMixture,
    BisectingKMeans,
    GaussianMixture,
    KMeans,
    SphericalKMeans,
)
from fastclust.plots import MixtureDisplay, RegionsDisplay

NAMES = ["one", "two", "three", "four"]
COVARIANCE_TYPES = ["full", "tied", "diag", "spherical"]
RESOLUTION = 40  # of grids: enough for what is tested
CURVES = {"BIC": [30.0, 10, 20, 25], "AIC": [28.0, 9, 8, 12]}


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
