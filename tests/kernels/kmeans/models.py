"""Rows that tests of the kernels of k-means share."""

import numpy as np

from fastclust._algorithms.rows.panels import Panels


def make_panels(rng, n_samples, n_features, dtype, weighted=False):
    """Panels of normal rows, the rows themselves and their weights."""
    X = rng.normal(size=(n_samples, n_features)).astype(dtype)
    sample_weight = rng.uniform(0.5, 2.0, size=n_samples).astype(dtype)
    sample_weight[::5] = 0
    if n_samples < 5 or not weighted:
        sample_weight = np.ones(n_samples, dtype=dtype)
    mean = np.zeros(n_features, dtype=dtype)
    return Panels(X, sample_weight if weighted else None, mean), X, sample_weight
