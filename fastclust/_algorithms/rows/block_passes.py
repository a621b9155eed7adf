"""What algorithms ask of rows in blocks, wherever these are: passes of functions over the blocks.

A pass calls a function with each block, and adds what it returns. Functions and their parameters
can be pickled, and leave the blocks as they are: so a block can be in another process, and asked
again there if that dies.
"""

import operator

import numpy as np

from fastclust._algorithms.kmeans.block_lloyd import BlockLloyd
from fastclust._algorithms.kmeans.precision import SearchedCenters
from fastclust._algorithms.rows.panels import Panels

SEEDING_ROWS_PER_CLUSTER = 16
"""Least size of a sample of rows for k-means++, if it is more than a block."""


class RowsInBlocks:
    """Base of rows in blocks, with a point subtracted; see `rows.protocol.Rows`.

    A subclass knows where the blocks are: it runs passes over them (`sum_blocks`), and finds single
    rows (`take`, `take_weights`).

    Attributes
    ----------
    n_samples, n_features : int
        Number of rows, and of columns.
    dtype : dtype
        Type of the values.
    origin : ndarray of shape (n_features,)
        What is subtracted from each row.
    block_starts : ndarray of shape (n_blocks,), int64
        Number of the first row of each block.
    sample_rows : int
        Rows of which k-means++ takes its seeds, unless the clusters ask for more.
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
    sample_rows: int
    total_square: float
    largest_square: float
    unit = False

    def sum_blocks(self, function, *parameters, add=operator.add):
        """Sum of function(panels, *parameters) over the blocks, in the order of `sum_tree`."""
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
        """Raise an error: seeds are sought among the rows of `draw_sample`, which do this."""
        raise NotImplementedError

    def sample_size(self, n_clusters):
        """Number of rows of which k-means++ takes its seeds."""
        return min(max(self.sample_rows, SEEDING_ROWS_PER_CLUSTER * n_clusters), self.n_samples)

    def draw_sample(self, n_clusters, random_state):
        """Draw rows for k-means++: those that `sample_size` uniform draws hit, or all if as many.

        Returns
        -------
        rows : Panels
            The rows, in the coordinates of these, with their weights.
        sample_weight : ndarray
            The same weights.
        indices : ndarray of int64
            Numbers of these rows.
        """
        size = self.sample_size(n_clusters)
        indices = np.arange(self.n_samples)
        if size < self.n_samples:
            indices = np.unique(random_state.randint(self.n_samples, size=size, dtype=np.int64))
        weights = self.take_weights(indices) if self.has_weights else None
        return Panels(self.take(indices), weights, np.zeros_like(self.origin)), weights, indices

    @property
    def has_weights(self):
        """Whether not all weights are 1."""
        raise NotImplementedError

    def start_lloyd(self, centers):
        """Start Lloyd's algorithm on these rows."""
        return BlockLloyd(self, centers)

    def cluster_statistics(self, centers):
        """Statistics of the clusters of these centers."""
        return self.sum_blocks(block_statistics, SearchedCenters(centers))


def block_statistics(panels, centers):
    """Statistics of the rows of a block."""
    return panels.cluster_statistics(centers.values)
