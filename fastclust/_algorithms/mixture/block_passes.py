"""Passes of the kernels of a Gaussian mixture over rows in blocks."""

import threading
from typing import NamedTuple

import numpy as np

from fastclust._algorithms.kmeans.precision import SearchedCenters
from fastclust._algorithms.mixture.components import Components
from fastclust._algorithms.mixture.moments import MixtureMoments
from fastclust._algorithms.mixture.passes import FULL, MixtureRows, scatter_of
from fastclust._algorithms.rows.block_passes import RowsInBlocks


class BlockMixtureRows:
    """Rows in blocks for passes of a mixture; see `MixtureRows`.

    Parameters
    ----------
    panels : RowsInBlocks
        The rows.
    covariance : object
        One of COVARIANCE_TYPES.
    n_components : int
        Components of the mixture.

    Attributes
    ----------
    total_weight, largest_weight : float
        Sum of the sample weights, and the largest.
    scatter : ndarray of shape (n_features, n_features)
        Sum of x x' over the rows, or (0, 0) if the covariance type does not need it.
    values_per_row : float
        Mean number of values that a row has.
    moments_type : object
        That of COVARIANCE_TYPES whose moments passes sum up; see `MixtureRows.sum_second`.
    """

    def __init__(self, panels, covariance, n_components):
        self.panels, self.covariance, self.n_components = panels, covariance, n_components
        self.values_per_row = panels.n_features
        self.total_weight, self.largest_weight = float(panels.n_samples), 1.0
        if panels.has_weights:
            self.total_weight, self.largest_weight = panels.sum_blocks(_weights, add=_add_weights)
        self.scatter = np.empty((0, 0))
        if covariance.is_shared:
            self.scatter = panels.sum_blocks(scatter_of)
        self._memory = PassMemory(covariance, n_components)
        self._n_active, self.moments_type = 0, covariance

    def sum_second(self):
        """Let passes sum up second moments; see `MixtureRows.sum_second`."""
        self.moments_type = FULL
        self._memory = PassMemory(FULL, self.n_components)

    def start_run(self):
        """Do nothing: blocks are always in the order of X."""

    def take_over(self):
        """Do nothing, likewise."""

    def moments(self, components):
        """Run the E step with these components; return the moments for the M step."""
        return self._add_up(_moments, components)

    def kmeans_moments(self, components, kmeans):
        """Moments of the rows of each cluster of k-means, about the components' means.

        The labels are made again, from the same centers.
        """
        centers = (kmeans.centers - self.panels.origin).astype(self.panels.dtype, copy=False)
        return self._add_up(_label_moments, components, SearchedCenters(centers))

    def is_separated(self):
        """Whether most responsibilities of the last pass were negligible."""
        return 2 * self._n_active < self.panels.n_samples * self.n_components

    def _add_up(self, function, components, *parameters):
        """Sum of the moments that a function returns of each block."""
        if self.moments_type is not self.covariance:
            of_each = Components(FULL, self.n_components, self.panels.n_features, self.panels.dtype)
            of_each.take(components)
            components = of_each
        total = self.panels.sum_blocks(
            function, self._memory, components, *parameters, add=_add_moments
        )
        self._n_active = total.n_active
        return total.moments


class PassMemory:
    """Memory for passes over blocks, in each thread of each process that runs them.

    Parameters
    ----------
    covariance : object
        One of COVARIANCE_TYPES.
    n_components : int
        Components of the mixture.
    """

    def __init__(self, covariance, n_components):
        self._covariance, self._n_components = covariance, n_components
        self._by_thread = threading.local()

    def __reduce__(self):
        return PassMemory, (self._covariance, self._n_components)

    def rows_of(self, panels):
        """The rows of a block, with the memory of the blocks of this length before."""
        of_thread, length = self._by_thread.__dict__, f"{len(panels.values)} panels"
        if length not in of_thread:
            of_thread[length] = MixtureRows(panels, self._covariance, self._n_components)
        rows = of_thread[length]
        rows.take_panels(panels)
        return rows


class BlockMoments(NamedTuple):
    """What a pass finds out about a block."""

    moments: MixtureMoments
    """The moments, in one part."""

    n_active: int
    """Number of responsibilities that were not negligible."""


def _add_moments(a, b):
    """Moments of the rows of two blocks, in one part."""
    return BlockMoments((a.moments + b.moments).merged(), a.n_active + b.n_active)


def _moments(panels, memory, components):
    """Moments of a block after an E step."""
    rows = memory.rows_of(panels)
    return BlockMoments(rows.moments_in_order(components).merged(), rows.n_active())


def _label_moments(panels, memory, components, centers):
    """Moments of a block whose responsibilities are 1 for the nearest of the centers."""
    rows = memory.rows_of(panels)
    labels = panels.assign_to_panels(centers.values, centers.tiles)
    return BlockMoments(rows.label_moments(components, labels).merged(), rows.n_active())


def _weights(panels):
    """Sum of the weights of a block, and the largest."""
    weights = panels.row_weights()
    return float(weights.sum(dtype=np.float64)), float(weights.max())


def _add_weights(a, b):
    """Sum of the weights of two blocks, and the largest."""
    return a[0] + b[0], max(a[1], b[1])


def mixture_rows(rows, covariance, n_components):
    """Rows of any kind for passes of a mixture."""
    kind = BlockMixtureRows if isinstance(rows, RowsInBlocks) else MixtureRows
    return kind(rows, covariance, n_components)
