"""Moments of rows about the means of a mixture's components."""

from dataclasses import dataclass

import numpy as np

from fastclust._algorithms.mixture.covariance import padded
from fastclust._kernels.simd.sizes import MOMENT_WIDTH


@dataclass
class MixtureMoments:
    """Sufficient statistics of an M step: all that it needs to know of the rows.

    Moments of different rows about the same means are added by `+`, in the order of the operands:
    those of blocks of rows, or of the workers of a cluster, become those of all rows. They are
    plain arrays and can be pickled. They are kept in parts, one for each chunk of a pass, and
    adding puts the parts of both side by side; the kernel of the M step sums them.

    Attributes
    ----------
    nk : ndarray of shape (n_parts, n_components)
        Sums of the responsibilities r, times the sample weights.
    first : ndarray of shape (n_parts, n_components, n_features and padding)
        Sums of r (x - about), `about` being the means that the moments are about.
    second : ndarray of shape (n_parts, n_components, n_second)
        Sums of r times products of features of x - about; which ones and where depends on the
        covariance type.
    log_likelihood : ndarray of shape (n_parts,)
        Weighted sums of log p(x).
    """

    nk: np.ndarray
    first: np.ndarray
    second: np.ndarray
    log_likelihood: np.ndarray

    @classmethod
    def zeros(cls, covariance, n_parts, n_components, n_features):
        """Moments of no rows, for a covariance type."""
        per_component = n_parts, n_components
        return cls(
            np.zeros(per_component),
            np.zeros((*per_component, padded(n_features, MOMENT_WIDTH))),
            np.zeros((*per_component, covariance.n_second(n_features))),
            np.zeros(n_parts),
        )

    def merged(self):
        """The same moments in one part: the parts added up in their order."""
        return MixtureMoments(
            *(values.sum(axis=0, keepdims=True) for values in vars(self).values())
        )

    def __add__(self, other):
        """Moments of the rows of both, about the same means."""
        pairs = zip(vars(self).values(), vars(other).values(), strict=True)
        return MixtureMoments(*(np.concatenate(pair) for pair in pairs))
