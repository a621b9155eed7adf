"""Rows in blocks with missing values for passes of a Gaussian mixture.

What `missing` says of rows in memory holds: starts see rows filled by the means of the columns, and
passes complete what each block has. A pass groups the rows of a block by what they lack.
"""

from typing import NamedTuple

import numpy as np

from fastclust._algorithms.mixture.block_passes import BlockMixtureRows
from fastclust._algorithms.mixture.covariance import COVARIANCE_TYPES
from fastclust._algorithms.mixture.missing import Completed, FilledRows, check_features
from fastclust._algorithms.mixture.moments import MixtureMoments


def fill_blocks(source, mean, sample_weight, names=None):
    """Leave out the rows of which nothing is known, and fill the others; see `missing.fill`.

    Parameters
    ----------
    source : RowSource of shape (n_samples, n_features)
        The rows.
    mean, sample_weight, names
        As of `missing.fill`.

    Returns
    -------
    filled : FilledRows
        The rows. `missing` are the same rows as they were.
    """
    if not source.is_incomplete:
        return FilledRows(source, mean, sample_weight, None)
    check_features(source.counts, names)
    source, sample_weight = source.rows_with_values(sample_weight)
    filled = source.filled(source.find_weighted_mean(sample_weight).astype(source.dtype))
    return FilledRows(filled, filled.facts.mean.astype(source.dtype), sample_weight, source)


class MissingBlockMixtureRows(BlockMixtureRows):
    """Rows in blocks with missing values for passes of a mixture; see `MissingMixtureRows`.

    Parameters
    ----------
    in_range : RowsInRange
        The filled rows.
    sample_weight : ndarray of shape (n_samples,) or None
        Weight of each row, as they were packed with.
    source : RowSource
        The rows as they were.
    covariance : object
        One of COVARIANCE_TYPES.
    n_components : int
        Components of the mixture.
    """

    def __init__(self, in_range, sample_weight, source, covariance, n_components):
        super().__init__(in_range.rows, covariance, n_components)
        source = source.astype(in_range.X.dtype)
        source = source.scaled(-in_range.exponent) if in_range.exponent else source
        self._incomplete = source.pack(sample_weight, in_range.origin)
        self._filled_scatter = self.scatter
        n_values = self._incomplete.sum_blocks(_weigh_values)
        self.values_per_row = n_values / self.total_weight

    def start_run(self):
        """Forget the scatter of the completed rows: starts see that of the filled ones."""
        self.scatter = self._filled_scatter

    def moments(self, components):
        """Run the E step with these components; return the moments for the M step."""
        parameters = self.moments_type.name, components
        total = self._incomplete.sum_blocks(_completed_moments, *parameters, add=_add_completed)
        self.scatter = total.scatter if total.scatter.size else self.scatter
        return total.moments

    def is_separated(self):
        """Whether separators are worth it: passes over these rows use none."""
        return False


class CompletedMoments(NamedTuple):
    """What a pass finds out about a block."""

    moments: MixtureMoments
    """The moments of the completed rows, in one part."""

    scatter: np.ndarray
    """Their scatter, or (0, 0) where the M step does not need it."""


def _completed_moments(panels, moments_type, components):
    """Moments, of a covariance type of this name, of the rows of a block after an E step."""
    d = panels.n_features
    X = panels.values.swapaxes(1, 2).reshape(-1, d)[: panels.n_samples]
    missing = np.isnan(X)
    weights = panels.row_weights() if len(panels.weights) else None
    zero = np.zeros(d, dtype=panels.dtype)
    k = len(components.means)
    X = np.where(missing, zero, X)
    rows = Completed(X, missing, weights, zero, COVARIANCE_TYPES[moments_type], k)
    moments, scatter = rows.moments(components)
    return CompletedMoments(moments.merged(), scatter)


def _add_completed(a, b):
    return CompletedMoments((a.moments + b.moments).merged(), a.scatter + b.scatter)


def _weigh_values(panels):
    """Number of the values of the rows of a block, times their weights."""
    n_observed = panels.unpadded(panels.n_observed)
    return float(np.dot(n_observed, panels.row_weights().astype(np.float64)))
