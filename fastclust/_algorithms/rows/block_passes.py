"""What algorithms ask of rows in blocks, wherever these are: passes of functions over the blocks.

A pass calls a function with each block, and adds what it returns. Functions and their parameters
can be pickled, and leave the blocks as they are: so a block can be in another process, and asked
again there if that dies.
"""

import operator

import numpy as np

from fastclust._algorithms.kmeans.block_lloyd import BlockLloyd, MissingBlockLloyd
from fastclust._algorithms.kmeans.precision import SearchedCenters


class RowsInBlocks:
    """Base of rows in blocks, less a point or divided by their norms; see `rows.protocol.Rows`.

    A subclass knows where the blocks are: it runs passes over them (`sum_blocks`), and finds single
    rows (`take_packed`, `take_weights`).

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
    squares : ndarray of shape (n_features,), float64, or None
        Sum of the squares of the values of each feature, where some are missing; else None.
    """

    n_samples: int
    n_features: int
    dtype: np.dtype
    origin: np.ndarray
    block_starts: np.ndarray
    total_square: float
    largest_square: float
    squares: np.ndarray | None
    unit: bool

    def learn_squares(self, facts):
        """Set the sums of squares by facts of the rows; without facts by those of unit vectors."""
        self.total_square, self.largest_square = float(self.n_samples), 1.0
        self.squares = None
        if facts is not None:
            self.total_square, self.largest_square = facts.squares_about(self.origin)
            self.squares = facts.feature_squares_about(self.origin)

    @property
    def is_incomplete(self):
        """Whether values are missing. The blocks are `MissingRows` then."""
        return self.squares is not None

    def sum_blocks(self, function, *parameters, add=operator.add, of_rows=None):
        """Sum of function(panels, *parameters) over the blocks, in the order of `sum_tree`.

        Where `of_rows` is a value of each row, lying as the rows do, each block gets those of its
        rows as a last parameter.
        """
        raise NotImplementedError

    def take_packed(self, indices) -> np.ndarray:
        """Return rows by number, less the origin, with NaN where values are missing."""
        raise NotImplementedError

    def take(self, indices) -> np.ndarray:
        """Return rows by number, as centers: a value that is missing is 0, as the origin is."""
        rows = self.take_packed(indices)
        rows[np.isnan(rows)] = 0
        return rows

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
        return (MissingBlockLloyd if self.is_incomplete else BlockLloyd)(self, centers)

    def mean(self):
        """Mean of the rows, whatever their weights, in float64."""
        return self.sum_blocks(block_sums) / self.n_samples

    def cluster_statistics(self, centers):
        """Statistics of the clusters of these centers."""
        return self.sum_blocks(block_statistics, SearchedCenters(centers))

    def count_unobserved(self, centers, labels):
        """How many values of the means of these centers' clusters no row has: a pass."""
        return self.cluster_statistics(centers).n_unobserved


def block_statistics(panels, centers):
    """Statistics of the rows of a block."""
    return panels.cluster_statistics(centers.values, centers.tiles)


def block_sums(panels):
    """Sums of the rows of a block, whatever their weights."""
    return panels.n_samples * panels.mean()
