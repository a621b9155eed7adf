"""Passes of the kernels of a Gaussian mixture over rows in blocks."""

import numpy as np

from fastclust._algorithms.mixture.moments import MixtureMoments
from fastclust._algorithms.mixture.passes import MixtureRows, scatter_of
from fastclust._algorithms.rows.blocks import BlockRows


class BlockMixtureRows:
    """Rows in blocks, and the memory for passes of a mixture over them; see `MixtureRows`.

    Parameters
    ----------
    panels : BlockRows
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
    """

    def __init__(self, panels, covariance, n_components):
        self.panels, self.covariance, self.n_components = panels, covariance, n_components
        self.values_per_row = panels.n_features
        self.total_weight, self.largest_weight = float(panels.n_samples), 1.0
        if panels.sample_weight is not None:
            self.total_weight = float(panels.sample_weight.sum(dtype=np.float64))
            self.largest_weight = float(panels.sample_weight.max())
        self.scatter = self._find_scatter() if covariance.is_shared else np.empty((0, 0))
        self._memory = {}  # by the number of panels: all blocks but the last have the same
        self._n_active = 0

    def _find_scatter(self):
        scatter = np.zeros((self.panels.n_features, self.panels.n_features))

        def ask(part, panels):
            nonlocal scatter
            scatter = scatter + scatter_of(panels)

        self.panels.each_block(ask)
        return scatter

    def start_run(self):
        """Nothing is left of earlier runs."""

    def take_over(self):
        """Rows in blocks stay in the order of X."""

    def moments(self, components):
        """Run the E step with these components; return the moments for the M step."""
        return self._add_up(lambda rows, part: rows.moments_in_order(components))

    def row_label_moments(self, components, labels):
        """Moments of the rows with each label, by the order of X, about the components' means."""
        return self._add_up(lambda rows, part: rows.row_label_moments(components, labels[part]))

    def is_separated(self):
        """Whether most responsibilities of the last pass were negligible."""
        return 2 * self._n_active < self.panels.n_samples * self.n_components

    def _add_up(self, run):
        """Sum of the moments that run(rows of a block, slice of X) returns, block by block."""
        k, d = self.n_components, self.panels.n_features
        total = MixtureMoments.zeros(self.covariance, 1, k, d)
        self._n_active = 0

        def ask(part, panels):
            nonlocal total
            rows = self._rows_of(panels)
            total = (total + run(rows, part).merged()).merged()
            self._n_active += rows.n_active()

        self.panels.each_block(ask)
        return total

    def _rows_of(self, panels):
        """Panels of a block, with the memory of passes over the blocks before."""
        n_panels = len(panels.values)
        if n_panels not in self._memory:
            self._memory[n_panels] = MixtureRows(panels, self.covariance, self.n_components)
        rows = self._memory[n_panels]
        rows.take_panels(panels)
        return rows


def mixture_rows(rows, covariance, n_components):
    """Rows of any kind for passes of a mixture."""
    kind = BlockMixtureRows if isinstance(rows, BlockRows) else MixtureRows
    return kind(rows, covariance, n_components)
