"""What algorithms ask of rows in blocks, wherever these are: passes of functions over the blocks.

A pass calls a function with each block, and adds what it returns. Functions and their parameters
can be pickled, and leave the blocks as they are: so a block can be in another process, and asked
again there if that dies.
"""

import operator

import numpy as np

from fastclust._algorithms.kmeans.block_lloyd import BlockLloyd
from fastclust._algorithms.kmeans.precision import SearchedCenters


class RowsInBlocks:
    """Base of rows in blocks, less a point or divided by their norms; see `rows.protocol.Rows`.

    A subclass knows where the blocks are: it runs passes over them (`sum_blocks`), and finds single
    rows (`take`, `take_weights`).

    Attributes
    ----------
    n_samples, n_features : int
        Number of rows, and of columns.
    dtype : dtype
        Type of the values.
    unit : bool
        Whether the rows are divided by their norms.
    origin : ndarray of shape (n_features,)
        What is subtracted from each row.
    block_starts : ndarray of shape (n_blocks,), int64
        Number of the first row of each block.
    total_square : float
        Sum of the squares of all values.
    largest_square : float
        Upper limit of the largest squared norm of a row.
    """

    n_samples: int
    n_features: int
    dtype: np.dtype
    origin: np.ndarray
    block_starts: np.ndarray
    total_square: float
    largest_square: float
    unit: bool

    def sum_blocks(self, function, *parameters, add=operator.add, of_rows=None):
        """Sum of function(panels, *parameters) over the blocks, in the order of `sum_tree`.

        Where `of_rows` is a value of each row, lying as the rows do, each block gets those of its
        rows as a last parameter.
        """
        raise NotImplementedError

    def take(self, indices) -> np.ndarray:
        """Return rows by number, less the origin, of shape (n_indices, n_features)."""
        raise NotImplementedError

    def take_weights(self, indices) -> np.ndarray:
        """Weights of rows by number; ones if there are none."""
        raise NotImplementedError

    def is_small(self, n_clusters, n_runs):
        """Return False: runs follow one another."""
        return False

    def run_seeding(self, first, uniforms):
        """Raise an error: each seed would be a pass; see `parallel_seeding`."""
        raise NotImplementedError

    @property
    def has_weights(self):
        """Whether not all weights are 1."""
        raise NotImplementedError

    def start_lloyd(self, centers):
        """Start Lloyd's algorithm on these rows."""
        return BlockLloyd(self, centers)

    def mean(self):
        """Mean of the rows, whatever their weights, in float64."""
        return self.sum_blocks(block_sums) / self.n_samples

    def cluster_statistics(self, centers):
        """Statistics of the clusters of these centers."""
        return self.sum_blocks(block_statistics, SearchedCenters(centers))


def block_statistics(panels, centers):
    """Statistics of the rows of a block."""
    return panels.cluster_statistics(centers.values, centers.tiles)


def block_sums(panels):
    """Sums of the rows of a block, whatever their weights."""
    return panels.n_samples * panels.mean()
