"""Rows with missing values in panels with a mask, grouped by pattern: variances of features."""

import numpy as np

from fastclust._algorithms.arrays import aligned_empty
from fastclust._algorithms.mixture.components import LOG_2_PI
from fastclust._algorithms.mixture.covariance import COVARIANCE_TYPES, padded
from fastclust._algorithms.mixture.moments import MixtureMoments
from fastclust._algorithms.mixture.passes import pass_chunks
from fastclust._algorithms.mixture.patterns import group_rows
from fastclust._algorithms.rows.panels import Panels
from fastclust._calls import estimate_masked_moments, estimate_masked_posterior
from fastclust._kernels.mixture.layout import ALL, MASKED_PANELS, NONE, SOME
from fastclust._kernels.simd.sizes import WIDTH


class MaskedPanels:
    """Rows with missing values, as panels with NaN.

    Parameters
    ----------
    X, missing, sample_weight, origin, n_components : ndarray, ..., int
        As of `PatternPanels`.
    """

    covariance = COVARIANCE_TYPES["diag"]
    scatter = np.empty((0, 0))  # which the M step does not need

    def __init__(self, X, missing, sample_weight, origin, n_components):
        if sample_weight is None:
            sample_weight = np.ones(len(X), dtype=X.dtype)
        self._order, *_ = group_rows(missing)
        X = np.where(missing, np.asarray(np.nan, dtype=X.dtype), X)[self._order]
        self._panels, self._k = Panels(X, sample_weight[self._order], origin), n_components
        n_panels, d, lanes = self._panels.values.shape
        row_work = self.covariance.work(n_components, d)
        n_blocks = -(-n_panels // MASKED_PANELS)
        self._chunks = pass_chunks(n_blocks, MASKED_PANELS * lanes * row_work)
        self._work = row_work * len(X)
        self._kinds = _find_kinds(missing[self._order], MASKED_PANELS * lanes)
        self._moments = None

    def moments(self, components):
        """Moments of the completed rows, for components of type `diag`; overwritten by the next."""
        n_chunks, k = len(self._chunks), self._k
        _, d, lanes = self._panels.values.shape
        if self._moments is None:
            self._moments = MixtureMoments.zeros(self.covariance, n_chunks, k, d)
            self._scratch = (
                *self._block_scratch(),
                np.empty((n_chunks, MASKED_PANELS), dtype=np.int64),
                np.empty((n_chunks, k)),
                np.empty((n_chunks, 1, 1)),
            )
            self._unseen = np.empty_like(self._moments.first)
            self._counts = np.empty((n_chunks, 2), dtype=np.int64)
        moments = self._moments
        estimate_masked_moments(
            self._chunks, self._panels.values, self._kinds, self._panels.weights, components.about,
            *self._lay_out(components), *self._scratch, self._unseen, moments.nk, moments.first,
            moments.second, moments.log_likelihood, np.empty((0, lanes), dtype=np.int32),
            self._counts, work=self._work,
        )  # fmt: skip
        moments.second[:, :, :d] += self._unseen[:, :, :d] * components.factors**-2.0
        return moments

    def posterior(self, components, with_resp):
        """Label, log-density and responsibilities of each row, in the order of X.

        There are 0 rows of responsibilities, if not `with_resp`.
        """
        panels = self._panels
        shape, dtype = (len(panels.values), panels.lanes), panels.dtype
        labels = np.empty(shape, dtype=np.int32)
        log_density = np.empty(shape, dtype=dtype)
        resp = np.empty((panels.n_samples if with_resp else 0, self._k), dtype=dtype)
        estimate_masked_posterior(
            self._chunks, panels.values, self._kinds, *self._lay_out(components),
            *self._block_scratch(), labels, log_density, resp, work=self._work,
        )  # fmt: skip
        arrays = panels.unpadded(labels), panels.unpadded(log_density), resp
        return tuple(self._in_order_of_X(values) for values in arrays)

    def _in_order_of_X(self, values):
        """Values of the rows, in the order of X; those of no rows are given back."""
        if not len(values):
            return values
        ordered = np.empty_like(values)
        ordered[self._order] = values
        return ordered

    def _lay_out(self, components):
        """Components as the kernels read them, each logarithm beside its feature."""
        means, factors, extras, constants, cuts = components.layout
        k, d = components.means.shape
        logs = np.zeros((padded(k, WIDTH), d), dtype=means.dtype)
        logs[:k] = np.log(components.factors) - 0.5 * LOG_2_PI
        logs = np.ascontiguousarray(logs.reshape(-1, WIDTH, d).swapaxes(1, 2))
        constants = constants.copy()
        with np.errstate(divide="ignore"):
            constants.ravel()[:k] = np.log(components.weights)
        return means, factors, logs, extras, constants, cuts

    def _block_scratch(self):
        """Memory for log-densities, values and mask of a block."""
        n_chunks, (_, d, lanes), dtype = (
            len(self._chunks),
            self._panels.values.shape,
            self._panels.dtype,
        )
        block = n_chunks, MASKED_PANELS
        return (
            aligned_empty((*block, padded(self._k, WIDTH) + 1, lanes), dtype),
            aligned_empty((*block, d, lanes), dtype),
            aligned_empty((*block, d, lanes), dtype),
        )


def _find_kinds(missing, n_rows):
    """NONE, SOME or ALL of the rows of each block of n_rows that have a feature."""
    starts = np.arange(0, len(missing), n_rows)
    n_missing = np.add.reduceat(missing, starts, axis=0, dtype=np.int64)
    sizes = np.diff(np.append(starts, len(missing)))[:, np.newaxis]
    kinds = np.full(n_missing.shape, SOME)
    kinds[n_missing == 0], kinds[n_missing == sizes] = ALL, NONE
    return kinds
