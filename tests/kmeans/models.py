"""Rows that tests of KMeans share."""

import numpy as np
from sklearn.datasets import make_blobs


def blobs(n_samples=100, n_features=3, dtype=np.float64):
    X, _ = make_blobs(n_samples, n_features, centers=4, random_state=0)
    return X.astype(dtype)


def noise(n_samples, n_features, dtype=np.float64):
    return np.random.default_rng(n_samples).normal(size=(n_samples, n_features)).astype(dtype)
