"""What the first pass over rows in blocks finds out: facts of each block, which are merged."""

import math
from typing import NamedTuple

import numpy as np

from fastclust._algorithms.rows.dense import sum_rows
from fastclust._algorithms.rows.panels import Panels

SAMPLE_ROWS = 64
"""Most rows in a sample; of more rows than that it has at least half as many."""


class BlockFacts(NamedTuple):
    """What is known of the rows of a block."""

    n_samples: int
    """Number of rows."""

    sums: np.ndarray
    """Their sum, in float64."""

    about: np.ndarray
    """Their mean, rounded to their type."""

    square: float
    """Sum of the squares of all values less their mean."""

    reach: float
    """Upper limit of the distances of the rows from `about`."""


class Facts(NamedTuple):
    """What the first pass over the rows finds out."""

    n_samples: int
    """Number of rows."""

    mean: np.ndarray
    """Their mean, in float64; not finite where a sum was not."""

    square_about_mean: float
    """Sum of the squares of all values less the mean."""

    reach: float
    """Upper limit of the distances of the rows from the mean."""

    sample: np.ndarray
    """Some of the rows, from the first to the last."""

    def squares_about(self, origin):
        """Sum of the squares of all values less this point, and a limit of a row's squared norm."""
        with np.errstate(over="ignore", invalid="ignore"):
            offset_sq = np.square(self.mean - origin).sum()
            total_square = float(self.square_about_mean + self.n_samples * offset_sq)
            largest_square = float(np.square(self.reach + np.sqrt(offset_sq)))
        return total_square, largest_square


def facts_of_block(rows, memory):
    """Facts of some rows, an array.

    Parameters
    ----------
    rows : ndarray of shape (n_samples, n_features), float32 or float64
        The rows, at least one.
    memory : PanelMemory
        Memory to pack them into.
    """
    n, sums = len(rows), sum_rows(rows)
    with np.errstate(over="ignore", invalid="ignore"):
        mean = sums / n
        about = np.where(np.isfinite(mean), mean, 0).astype(rows.dtype)
        panels = Panels(rows, None, about, memory)
        square = panels.total_square - n * _square(mean - about)  # about is rounded
    return BlockFacts(n, sums, about, square, math.sqrt(panels.largest_square))


def merge_facts(of_blocks, sample):
    """Facts of all rows.

    The squares of a block are about its own mean, and moved to the common one by Chan, Golub and
    LeVeque, "Updating formulae and a pairwise algorithm for computing sample variances", COMPSTAT
    1982.

    Parameters
    ----------
    of_blocks : list of BlockFacts
        Those of the blocks, in their order.
    sample : ndarray of shape (n_sampled, n_features)
        Some of the rows; see `sample_step`.
    """
    n, n_features = 0, sample.shape[1]
    sums, mean, square = np.zeros(n_features), np.zeros(n_features), 0.0
    with np.errstate(over="ignore", invalid="ignore"):
        for block in of_blocks:
            moved = block.sums / block.n_samples - mean
            share = n * (block.n_samples / (n + block.n_samples))
            square += block.square + share * _square(moved)
            n, sums = n + block.n_samples, sums + block.sums
            mean = sums / n
        reaches = [block.reach + math.sqrt(_square(mean - block.about)) for block in of_blocks]
        reach = float(np.max(reaches, initial=0.0))
    return Facts(n, mean, square, reach if math.isfinite(reach) else math.inf, sample)


def sample_step(n_samples):
    """Power of two: the sample of so many rows is every row whose number is a multiple of it."""
    step = 1
    while -(-n_samples // step) > SAMPLE_ROWS:
        step *= 2
    return step


def _square(vector):
    """Squared norm, in float64."""
    return float(np.square(vector, dtype=np.float64).sum())
