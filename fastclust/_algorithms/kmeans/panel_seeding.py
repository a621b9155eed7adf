"""Rounds of greedy k-means++ on panels, as many in a launch as do not hold up an interrupt."""

import numpy as np

from fastclust._algorithms.arrays import filled
from fastclust._algorithms.chunks import new_team, split
from fastclust._kernels.kmeans.constants import SEEDING_BLOCK_PANELS
from fastclust._kernels.launch import n_workers, steps_in_launch

POINT_WORK = 4
"""Cost of a distance beside its multiply-adds, in multiply-adds. With few features it is most of
the work of a launch, whose length it limits."""


def seed_panels(panels, first, uniforms, seed_rounds, width, weights):
    """Rows that greedy k-means++ takes as seeds.

    Parameters
    ----------
    panels : Panels
        The rows, in the order of X.
    first : int
        Row of the first seed.
    uniforms : ndarray of shape (n_clusters - 1, n_candidates), float64
        Draws from [0, 1), a row for each round.
    seed_rounds : callable
        The kernel.
    width : int
        Points in its tiles: candidates, and the last seed.
    weights : ndarray of shape (n_panels, lanes) or (0, lanes)
        Weights of the rows in potentials.

    Returns
    -------
    indices : ndarray of shape (n_clusters,), int64
        Rows of the seeds.
    """
    n_panels, (n_rounds, n_candidates) = len(panels.values), uniforms.shape
    n_tiles = -(-(n_candidates + 1) // width)
    n_blocks = -(-n_panels // SEEDING_BLOCK_PANELS)
    round_work = panels.work(2 * n_tiles * width)
    chunks = split(n_blocks, round_work / n_blocks)
    indices = filled(n_rounds + 1, np.int64, first)
    closest_sq = filled((n_panels, panels.lanes), panels.dtype, np.inf)
    panels.padding(closest_sq)[:] = 0
    buffers = (
        np.empty(n_candidates, dtype=np.int64),
        np.zeros((n_tiles, panels.n_features, width), dtype=panels.dtype),
        closest_sq,
        np.empty((n_blocks, n_tiles, width)),
        np.empty(n_blocks),
    )
    point_work = n_panels * panels.lanes * 2 * n_tiles * width * POINT_WORK
    step = max(1, int(steps_in_launch(chunks, round_work + point_work)))
    for j in range(0, n_rounds + 1, step):
        seed_rounds(
            chunks, panels.values, weights, uniforms, n_workers(chunks),
            j, min(j + step, n_rounds + 1), new_team(), np.array([j - 1]),
            indices, *buffers,
        )  # fmt: skip
    return indices
