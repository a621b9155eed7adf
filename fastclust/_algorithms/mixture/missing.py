"""Rows with missing values, which are NaN, for passes of a Gaussian mixture.

The components are those of greatest likelihood of what the rows have (Ghahramani and Jordan 1994;
Little and Rubin, "Statistical Analysis with Missing Data", 3rd ed., chapter 11). Starts need
complete rows: theirs are filled by the means of the columns.
"""

from typing import Any, NamedTuple

import numpy as np

from fastclust._algorithms.mixture.components import Components
from fastclust._algorithms.mixture.masked import MaskedPanels
from fastclust._algorithms.mixture.passes import MixtureRows
from fastclust._algorithms.mixture.patterns import PatternPanels
from fastclust._algorithms.mixture.tied_patterns import TiedPatternPanels
from fastclust._algorithms.rows.origin import find_mean

KINDS = {"full": PatternPanels, "tied": TiedPatternPanels}
"""Panels of rows for each covariance type that is a matrix."""


class FilledRows(NamedTuple):
    """Rows of which something is known, complete.

    Attributes
    ----------
    X : ndarray or RowSource of shape (n_samples, n_features)
        The rows; what was missing is the weighted mean of its column.
    mean : ndarray of shape (n_features,)
        Their mean.
    sample_weight : ndarray of shape (n_samples,) or None
        Weight of each row.
    missing : ndarray of shape (n_samples, n_features), bool, or RowSource, or None
        Where values were missing, or the rows before they were filled; None if none was.
    """

    X: np.ndarray
    mean: np.ndarray
    sample_weight: Any
    missing: Any


def fill(X, mean, sample_weight, names=None):
    """Leave out the rows of which nothing is known, and fill the others.

    Parameters
    ----------
    X : ndarray of shape (n_samples, n_features), float32 or float64, C-contiguous
        Rows; NaN is missing, and no value is infinite.
    mean : ndarray of shape (n_features,)
        As of `find_mean`.
    sample_weight : ndarray of shape (n_samples,) or None
        Weight of each row.
    names : sequence of str, default=None
        Names of the features.

    Returns
    -------
    filled : FilledRows
        The rows: those of X to the bit, if nothing is missing.

    Raises
    ------
    ValueError
        If a feature is missing in all rows.
    """
    missing = find_missing(X, mean)
    if missing is None:
        return FilledRows(X, mean, sample_weight, None)
    check_features(~missing.all(axis=0), names)
    known = ~missing.all(axis=1)
    if not known.all():
        X, missing = X[known], missing[known]
        sample_weight = None if sample_weight is None else sample_weight[known]
    weights = ~missing if sample_weight is None else ~missing * sample_weight[:, np.newaxis]
    shares = weights / weights.sum(axis=0, dtype=np.float64)  # of sums that do not overflow
    means = np.nansum(X * shares, axis=0).astype(X.dtype)
    X = np.where(missing, means, X)
    return FilledRows(X, find_mean(X), sample_weight, missing)


def check_features(counts, names):
    """Raise ValueError if a feature has no value; `counts` is not 0 for those that have some."""
    if not np.all(counts):
        f = int(np.argmin(counts))
        name = "" if names is None else f" ({names[f]!r})"
        raise ValueError(
            f"Feature {f}{name} has no value: it is missing in all rows. Leave it out of X."
        )


def find_missing(X, mean=None):
    """Where values are missing, or None if none is; `mean` is that of the rows, if it is known."""
    mean = find_mean(X) if mean is None else mean
    if np.isfinite(mean).all():  # NaN in a row would be in the mean
        return None
    missing = np.isnan(X)
    return missing if missing.any() else None


class Completed:
    """Passes over rows with missing values, for a covariance type.

    The kernels know covariance matrices, shared or not, and variances of features. So a single
    variance is repeated for each feature, and a shared matrix for each component if the moments are
    to be those of separate ones.

    Parameters
    ----------
    X, missing, sample_weight, origin, n_components : ndarray, ..., int
        As of `PatternPanels`.
    moments_type : object
        That of COVARIANCE_TYPES whose moments passes sum up; see `MixtureRows.sum_second`.
    """

    def __init__(self, X, missing, sample_weight, origin, moments_type, n_components):
        kind = KINDS.get(moments_type.name, MaskedPanels)
        self._panels = kind(X, missing, sample_weight, origin, n_components)
        self._components = Components(kind.covariance, n_components, X.shape[1], X.dtype)

    def moments(self, components):
        """Run the E step; return the moments of the completed rows, and their scatter.

        The next call overwrites them. The scatter is (0, 0) where the M step does not need it.
        """
        moments = self._panels.moments(self._of_each(components))
        return moments, self._panels.scatter

    def posterior(self, components, with_resp):
        """Label, log-density and responsibilities of each row; see `PatternPanels.posterior`."""
        return self._panels.posterior(self._of_each(components), with_resp)

    def _of_each(self, components):
        """The components as the kernels take them."""
        if self._components.covariance.name == components.covariance.name:
            return components
        self._components.take(components)
        return self._components


class MissingMixtureRows:
    """Rows with missing values, and the memory for passes of a mixture over them.

    It has what `MixtureRows` has. Starts see the rows filled.

    Parameters
    ----------
    in_range : RowsInRange
        The filled rows.
    sample_weight : ndarray of shape (n_samples,) or None
        Weight of each row, of X's dtype; None for ones.
    missing : ndarray of shape (n_samples, n_features), bool
        Where values were missing.
    covariance : object
        One of COVARIANCE_TYPES.
    n_components : int
        Components of the mixture.
    """

    def __init__(self, in_range, sample_weight, missing, covariance, n_components):
        self.panels, self.covariance, self.n_components = in_range.rows, covariance, n_components
        self._filled = MixtureRows(self.panels, covariance, n_components)
        self._rows = in_range.X, missing, sample_weight, in_range.origin
        self._completed = Completed(*self._rows, covariance, n_components)
        self.total_weight = self._filled.total_weight
        self.largest_weight = self._filled.largest_weight
        self.scatter = self._filled.scatter
        self.values_per_row = float(np.average((~missing).sum(axis=1), weights=sample_weight))

    def start_run(self):
        """Forget what earlier runs found."""
        self._filled.start_run()
        self.scatter = self._filled.scatter

    @property
    def moments_type(self):
        """As of `MixtureRows`."""
        return self._filled.moments_type

    def sum_second(self):
        """As of `MixtureRows`."""
        self._filled.sum_second()
        self._completed = Completed(*self._rows, self.moments_type, self.n_components)

    def take_over(self):
        """Go on in the order in which k-means, or its seeding, has left the filled rows."""
        self._filled.take_over()

    def moments(self, components):
        """Run the E step with these components; return the moments for the M step."""
        moments, scatter = self._completed.moments(components)
        self.scatter = scatter if scatter.size else self.scatter
        return moments

    def kmeans_moments(self, components, kmeans):
        """Moments of the filled rows of each cluster of k-means, about the components' means."""
        return self._filled.kmeans_moments(components, kmeans)

    def is_separated(self):
        """Whether separators are worth it: passes over these rows use none."""
        return False
