"""What an algorithm may ask of rows, whatever they are: dense or sparse, in memory or elsewhere.

A source of rows implements `Rows`, and `LloydState` for its iterations of k-means; mypy holds the
implementations to it (`source.py`). Algorithms pass parameters to the rows and get statistics back.
These can be pickled and merged by `+`: statistics(A) + statistics(B) are those of the rows of A
and B together, up to rounding, and to the bit where A and B are the parts that a source of rows is
made of, as it adds them in their order. So rows can be anywhere, and only parameters and statistics
move.

All coordinates are relative to the origin that the rows were made with (0 for sparse rows), labels
and numbers of rows follow the order of X, and centers are of the rows' dtype. Facts (attributes)
never change. The order of the rows in memory belongs to a run: the next one starts from that of X.
"""

from typing import NamedTuple, Protocol

import numpy as np

from fastclust._algorithms.kmeans.statistics import ClusterStatistics

Tiles = tuple[np.ndarray, np.ndarray, bool]
"""Tiles of centers, their squared norms, and whether their squares cancel."""


class Iterations(NamedTuple):
    """Outcome of `LloydState.advance`."""

    n_iter: int
    """Number of iterations."""

    n_changed: int
    """Rows whose label changed in the last iteration, or just a number that is not 0 if any did."""

    shift_sq: float
    """Sum of the squared shifts of the centers in the last iteration."""


class LloydState(Protocol):
    """State of Lloyd's algorithm on some rows."""

    centers: np.ndarray
    """Current centers, of shape (n_clusters, n_features)."""

    def advance(self, first_iteration: int, n_steps: int, tol: float) -> Iterations:
        """Iterate up to n_steps times, at least once.

        Stop where labels repeat or the sum of squared shifts is at most tol. An empty cluster is
        moved to the row that is farthest from its center.
        """

    def settle(self) -> None:
        """Make the centers means of their rows, where the rounding of sums has moved some.

        It is called after the last iteration.
        """

    def inertia(self, centers: np.ndarray) -> float:
        """Inertia of the current labels with the centers that they were made with."""

    def finish(self, centers: np.ndarray, with_inertia: bool = True) -> tuple[np.ndarray, float]:
        """Labels of these centers, int32 in the order of X, and their inertia; ends the run.

        The centers are the current ones up to rounding. The inertia may be NaN if it is not wanted.
        """


class Rows(Protocol):
    """Rows with weights, from which an origin is subtracted, or which are unit vectors."""

    n_samples: int
    """Number of rows."""

    n_features: int
    """Number of features."""

    dtype: np.dtype
    """float32 or float64."""

    origin: np.ndarray
    """What is subtracted, of shape (n_features,)."""

    unit: bool
    """Whether the rows are divided by their norms. Then the centers are unit vectors too: an
    iteration of Lloyd's algorithm moves them to the directions of the means (spherical k-means)."""

    @property
    def largest_square(self) -> float:
        """Largest squared norm of a row."""

    def is_small(self, n_clusters: int, n_runs: int) -> bool:
        """Whether runs of k-means should take a thread each, as one alone is too little work."""

    def take(self, indices: np.ndarray) -> np.ndarray:
        """Rows by number, dense, of shape (n_indices, n_features)."""

    def run_seeding(self, first: int, uniforms: np.ndarray) -> np.ndarray:
        """Numbers of the rows that greedy k-means++ takes as seeds.

        Parameters
        ----------
        first : int
            Row of the first seed.
        uniforms : ndarray of shape (n_clusters - 1, n_candidates), float64
            Draws from [0, 1), a row for each round.

        Returns
        -------
        indices : ndarray of shape (n_clusters,), int64
            The numbers.
        """

    def start_lloyd(self, centers: np.ndarray) -> LloydState:
        """Start Lloyd's algorithm from these centers."""

    def assign(self, centers: np.ndarray, tiles: Tiles | None = None) -> np.ndarray:
        """Label of the nearest center of each row, the first of equally near ones, int32.

        `tiles` are `kmeans.precision.search_tiles(centers)`, where rows are asked block by block;
        rows that need none leave them alone.
        """

    def assign_with_inertia(
        self, centers: np.ndarray, tiles: Tiles | None = None
    ) -> tuple[np.ndarray, float]:
        """The same labels, and the weighted sum of the squared distances."""

    def label_inertias(self, centers: np.ndarray, labels: np.ndarray) -> np.ndarray:
        """Inertia of the rows of each label with its center, of shape (n_clusters,), float64."""

    def cluster_statistics(self, centers: np.ndarray) -> ClusterStatistics:
        """Statistics of the clusters of these centers."""

    def transform(self, centers: np.ndarray, distances_out: np.ndarray) -> None:
        """Write the distance of each row to each center."""


class SearchableRows(Rows, Protocol):
    """Rows that k-means|| takes as they are; of rows in blocks it asks each block for this."""

    def nearest(
        self, centers: np.ndarray, tiles: Tiles | None = None
    ) -> tuple[np.ndarray, np.ndarray]:
        """The labels of `assign`, and the squared distance of each row to that center."""
