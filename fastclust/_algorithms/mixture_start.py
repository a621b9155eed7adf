"""First parameters of a Gaussian mixture, by scikit-learn's draws."""

import numpy as np

from fastclust._algorithms import seeding
from fastclust._algorithms.lloyd import run_restarts
from fastclust._algorithms.mixture_rows import MixtureMoments

KMEANS_TOL, KMEANS_MAX_ITER = 1e-4, 300
"""scikit-learn's defaults, with which it starts a mixture."""

BLOCK_VALUES = 2**20
"""Responsibilities that are drawn at a time."""


def kmeans_moments(rows, mean, sample_weight, random_state):
    """Moments of the rows of each cluster of a KMeans fit, about its center."""
    panels, n_components = rows.panels, rows.n_components

    def draw_start():
        draws = seeding.draw_kmeans_plusplus(panels, n_components, sample_weight, random_state)
        return lambda: panels.take(panels.run_seeding(*draws))

    variance = panels.total_square / (panels.n_samples * panels.n_features)
    kmeans = run_restarts(
        panels, mean, draw_start, 1, n_components,
        max_iter=KMEANS_MAX_ITER, tol=KMEANS_TOL * variance, verbose=False, line_end=".",
    )  # fmt: skip
    return rows.label_moments(panels.panel_labels(kmeans.labels), kmeans.centers - mean)


def seed_moments(rows, indices, origin):
    """Moments of a row for each component, and no other.

    For tied covariances scikit-learn takes the scatter of all rows about the zero of X and
    subtracts the seeds', k rows instead of all, so that its start depends on where that zero is:
    the scatter here is the one from which the same comes out.
    """
    panels, covariance = rows.panels, rows.covariance
    about = panels.take(indices).astype(np.float64)
    k, d = about.shape
    scatter = rows.scatter
    if scatter is not None:
        shifted = np.outer(origin, about.sum(axis=0))
        left_out = (rows.total_weight - k) * np.outer(origin, origin)
        scatter = scatter + left_out - shifted - shifted.T
    second = np.zeros((k, covariance.n_second(d)))
    return MixtureMoments(np.ones(k), np.zeros((k, d)), second, 0.0, about, scatter)


def random_moments(rows, X, mean, sample_weight, random_state):
    """Moments with responsibilities drawn from [0, 1), a block of rows at a time."""
    covariance, k, d = rows.covariance, rows.n_components, X.shape[1]
    nk, first, second = np.zeros(k), np.zeros((k, d)), np.zeros((k, covariance.n_second(d)))
    step = max(1, BLOCK_VALUES // k)
    for start in range(0, len(X), step):
        part = slice(start, start + step)
        centered = (X[part] - mean).astype(np.float64)
        resp = random_state.uniform(size=(len(centered), k)).astype(X.dtype)
        resp /= resp.sum(axis=1)[:, np.newaxis]
        if sample_weight is not None:
            resp *= sample_weight[part, np.newaxis]
        resp = resp.astype(np.float64)
        nk += resp.sum(axis=0)
        first += resp.T @ centered
        second += covariance.second_moments(centered, resp)
    return MixtureMoments(nk, first, second, 0.0, np.zeros((k, d)), rows.scatter)
