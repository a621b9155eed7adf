"""Rows with missing values in panels of one pattern each, for a covariance that is shared."""

import numpy as np

from fastclust._algorithms.arrays import aligned_empty, aligned_filled
from fastclust._algorithms.mixture.covariance import COVARIANCE_TYPES, padded, unpack_products
from fastclust._algorithms.mixture.moments import MixtureMoments
from fastclust._algorithms.mixture.patterns import SCALAR_WORK, PatternPanels
from fastclust._calls import estimate_tied_pattern_moments, estimate_tied_pattern_posterior
from fastclust._kernels.mixture.layout import BLOCK_PANELS
from fastclust._kernels.simd.sizes import MOMENT_WIDTH, WIDTH


class TiedPatternPanels(PatternPanels):
    """`PatternPanels` for components of type `tied`.

    Attributes
    ----------
    scatter : ndarray of shape (n_features, n_features)
        Sum of x x' over the rows, as the components of the last `moments` complete them.
    """

    covariance = COVARIANCE_TYPES["tied"]

    def _pattern_work(self, n_missing):
        """Multiply-adds for a pattern that lacks so many features."""
        k, d = self._k, self._values.shape[1]
        return SCALAR_WORK * (n_missing**2 * d + n_missing * k * d + (k + d) * d)

    def _extra_values(self):
        """Number of values of a chunk beside rows and responsibilities."""
        k, d = self._k, self._values.shape[1]
        return 3 * d * d + d * ((BLOCK_PANELS + 1) * self._lanes + 4 * k)

    def moments(self, components):
        """Moments of the completed rows, for components of type `tied`; overwritten by the next."""
        n_chunks, k, d = len(self._chunks), self._k, self._values.shape[1]
        if self._moments is None:
            self._moments = MixtureMoments.zeros(self.covariance, n_chunks, k, d)
            self._scratch = *self._e_scratch(), *self._m_scratch(), *self._block_sums()
            self._of_scatter = MixtureMoments.zeros(COVARIANCE_TYPES["full"], n_chunks, 1, d)
            self._counts = np.empty((n_chunks, 2), dtype=np.int64)
        moments, scatter = self._moments, self._of_scatter
        estimate_tied_pattern_moments(
            self._chunks, self._values, self._weights, self._blocks, self._patterns,
            *self._lay_out(components), *self._scratch, moments.nk, moments.first, scatter.first,
            scatter.second, moments.log_likelihood, np.empty((0, self._lanes), dtype=np.int32),
            self._counts, work=self._work,
        )  # fmt: skip
        self.scatter = unpack_products(scatter.second.sum(axis=0), d)[0]
        return moments

    def posterior(self, components, with_resp):
        """Label, log-density and responsibilities of each row; see `PatternPanels.posterior`."""
        arrays = self._posterior_arrays(with_resp)
        precisions, _, *parameters = self._lay_out(components)
        estimate_tied_pattern_posterior(
            self._chunks, self._values, self._blocks, self._patterns, precisions, *parameters,
            *self._e_scratch(), *arrays, work=self._work,
        )  # fmt: skip
        return self._in_order_of_X(*arrays)

    def _lay_out(self, components):
        """Precision and means of the components, the means as panels too, factor and constants."""
        about = components.about
        k, d = about.shape
        rows = np.zeros((padded(k, self._lanes), d), dtype=self._dtype)
        rows[:k] = about
        panels = aligned_empty((len(rows) // self._lanes, d, self._lanes), self._dtype)
        panels[:] = rows.reshape(-1, self._lanes, d).swapaxes(1, 2)
        _, factors, _, constants, cuts = components.layout
        precisions = self.covariance.precisions(components.factors)[np.newaxis]
        return np.ascontiguousarray(precisions), about, panels, factors, constants, cuts

    def _e_scratch(self):
        """Memory of the E step: rows and means, log-densities, and what is said of a pattern."""
        n_chunks, n_values = len(self._chunks), padded(self._values.shape[1], WIDTH)
        n_mean_panels = padded(self._k, self._lanes) // self._lanes
        counts = BLOCK_PANELS, n_mean_panels, n_mean_panels + 1
        return (
            *(
                aligned_filled((n_chunks, n, n_values, self._lanes), self._dtype, 0.0)
                for n in counts
            ),
            *self._pattern_scratch(1),
        )

    def _block_sums(self):
        """Memory for sums over a block; see `arguments.TiedSums`."""
        n_chunks, k, d = len(self._chunks), self._k, self._values.shape[1]
        return (
            aligned_filled((n_chunks, padded(d, WIDTH)), self._dtype, 0.0),
            np.empty((n_chunks, d)),
            np.empty((n_chunks, k)),
            np.empty((n_chunks, k, padded(d, MOMENT_WIDTH))),
        )
