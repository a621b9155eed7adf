"""First parameters of a Gaussian mixture, by scikit-learn's draws."""

import numpy as np

from fastclust._algorithms.kmeans.lloyd import LloydOptions, run_restarts
from fastclust._algorithms.kmeans.parallel_seeding import default_starts
from fastclust._algorithms.kmeans.seeding import run_kmeans_plusplus
from fastclust._algorithms.mixture.covariance import pack_products
from fastclust._algorithms.mixture.em import SUM_FLOOR
from fastclust._algorithms.mixture.moments import MixtureMoments
from fastclust._algorithms.rows.block_passes import RowsInBlocks
from fastclust._algorithms.rows.scale import Units, scaled
from fastclust._algorithms.rows.source import pack_in_range, row_slices

KMEANS_TOL, KMEANS_MAX_ITER = 1e-4, 300
"""scikit-learn's defaults, with which it starts a mixture."""

BLOCK_VALUES = 2**20
"""Responsibilities that are drawn at a time."""


def run_kmeans(rows, X, mean, sample_weight, random_state):
    """Run Lloyd's algorithm once, as scikit-learn's KMeans with one start."""
    n_components = rows.n_components
    # Rows of a mixture are scaled so that reg_covar is in range, too: then they may be too small.
    in_range = pack_in_range(X, sample_weight, mean, rows.panels)
    panels = in_range.rows
    draw_start = default_starts(panels, n_components, sample_weight, random_state)
    options = LloydOptions(KMEANS_MAX_ITER, tol=KMEANS_TOL * in_range.variance)
    result = run_restarts(panels, draw_start, 1, n_components, options, Units(in_range.exponent))
    rows.take_over()
    return result


def draw_seeds(rows, X, mean, sample_weight, random_state):
    """Rows that greedy k-means++ takes as seeds, relative to the origin of the rows.

    Of rows in blocks they are centers by k-means||.
    """
    in_range, k = pack_in_range(X, sample_weight, mean, rows.panels), rows.n_components
    if isinstance(in_range.rows, RowsInBlocks):
        centers = default_starts(in_range.rows, k, sample_weight, random_state)()()
        return scaled(centers + in_range.origin, in_range.exponent) - rows.panels.origin
    seeds = run_kmeans_plusplus(in_range.rows, k, sample_weight, random_state)
    rows.take_over()
    return rows.panels.take(seeds)


def start_from_kmeans(rows, m_step, kmeans):
    """M step from the labels of k-means."""
    np.subtract(kmeans.centers, rows.panels.origin, out=m_step.components.about)
    moments = rows.kmeans_moments(m_step.components, kmeans)
    m_step.update(moments, rows.total_weight)


def start_from_seeds(rows, m_step, seeds):
    """M step from one row for each component, relative to the origin, and no others.

    For tied covariances scikit-learn takes the scatter of all rows about the zero of X, but
    subtracts that of the k seeds only, so that its start depends on where the zero of X is. The
    scatter that is passed here gives the same covariance.
    """
    panels, covariance = rows.panels, rows.covariance
    about = m_step.components.about
    about[:] = seeds
    k, d = about.shape
    scatter = rows.scatter
    moments = MixtureMoments.zeros(rows.moments_type, 1, k, d)
    moments.nk += 1
    if covariance.is_shared:
        origin = panels.origin.astype(np.float64)
        shifted = np.outer(origin, about.sum(axis=0, dtype=np.float64))
        left_out = (rows.total_weight - k) * np.outer(origin, origin)
        scatter = scatter + left_out - shifted - shifted.T
        if moments.second.size:  # those of all rows, as if they were of the first component
            seeds = about.astype(np.float64)
            pack_products(scatter - seeds.T @ seeds, moments.second[0, :1])
    m_step.update(moments, rows.total_weight, scatter, SUM_FLOOR)  # of rows of weight 1


def start_from_noise(rows, m_step, X, sample_weight, random_state):
    """M step from responsibilities drawn from [0, 1), a block of rows at a time."""
    covariance, k, d = rows.moments_type, rows.n_components, X.shape[1]
    moments = MixtureMoments.zeros(covariance, 1, k, d)
    step = max(1, BLOCK_VALUES // k)
    for part, block in row_slices(X, step):
        centered = (block - rows.panels.origin).astype(np.float64)
        resp = random_state.uniform(size=(len(centered), k)).astype(X.dtype)
        resp /= resp.sum(axis=1)[:, np.newaxis]
        if sample_weight is not None:
            resp *= sample_weight[part, np.newaxis]
        resp = resp.astype(np.float64)
        moments.nk += resp.sum(axis=0)
        moments.first[0, :, :d] += resp.T @ centered
        moments.second += covariance.second_moments(centered, resp)
    m_step.components.about.fill(0)
    m_step.update(moments, rows.total_weight)
