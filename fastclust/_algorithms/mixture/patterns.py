"""Rows with missing values in panels of one pattern each, for covariance matrices."""

import math

import numpy as np

from fastclust._algorithms.arrays import aligned_empty, aligned_filled
from fastclust._algorithms.chunks import MAX_CHUNKS, split_by_work
from fastclust._algorithms.memory import check_memory
from fastclust._algorithms.mixture.covariance import COVARIANCE_TYPES, padded
from fastclust._algorithms.mixture.moments import MixtureMoments
from fastclust._algorithms.mixture.passes import MIN_CHUNKS, MIN_PARALLEL_WORK, SCRATCH_BYTES
from fastclust._calls import estimate_pattern_moments, estimate_pattern_posterior
from fastclust._kernels.mixture.arguments import MomentScratch
from fastclust._kernels.mixture.layout import BLOCK_PANELS
from fastclust._kernels.simd.sizes import MOMENT_WIDTH, PANELS, VECTOR_BYTES, WIDTH

SCALAR_WORK = 8
"""Cost of a multiply-add of a pattern's matrices, which are no vectors, in those of the kernels."""


def group_rows(missing):
    """Put rows that lack the same features together.

    Parameters
    ----------
    missing : ndarray of shape (n_samples, n_features), bool
        What each row lacks.

    Returns
    -------
    order : ndarray of shape (n_samples,), int64
        Numbers of the rows, group by group, and by number in each.
    starts : ndarray of shape (n_patterns + 1,), int64
        Where each group begins in the order, and the end of the last.
    patterns : ndarray of shape (n_patterns, n_features), int32
        What the rows of each group lack: 1, or 0.
    """
    bits = np.packbits(missing, axis=1)
    words = np.zeros((len(bits), padded(bits.shape[1], 8)), dtype=np.uint8)
    words[:, : bits.shape[1]] = bits
    keys = words.view(np.uint64)
    order = np.lexsort(keys.T)  # a stable sort
    keys = keys[order]
    is_first = np.ones(len(keys), dtype=bool)
    is_first[1:] = (keys[1:] != keys[:-1]).any(axis=1)
    firsts = np.flatnonzero(is_first)
    return order, np.append(firsts, len(keys)), missing[order[firsts]].astype(np.int32)


class PatternPanels:
    """Rows with missing values, packed so that the rows of each panel lack the same features.

    Parameters
    ----------
    X : ndarray of shape (n_samples, n_features), float32 or float64
        The rows; what stands for a missing value is any number.
    missing : ndarray of shape (n_samples, n_features), bool
        What each row lacks.
    sample_weight : ndarray of shape (n_samples,) or None
        Weight of each row, of X's dtype; None for ones.
    origin : ndarray of shape (n_features,)
        What is subtracted from each row.
    n_components : int
        Components of the mixture.
    """

    covariance = COVARIANCE_TYPES["full"]
    scatter = np.empty((0, 0))  # which the M step does not need

    def __init__(self, X, missing, sample_weight, origin, n_components):
        n_samples, d = X.shape
        self._lanes, self._k, self._dtype = VECTOR_BYTES // X.itemsize, n_components, X.dtype
        order, starts, self._patterns = group_rows(missing)
        counts = np.diff(starts)
        n_panels = -(-counts // self._lanes)
        ends = np.cumsum(n_panels)
        offsets = (ends - n_panels) * self._lanes - starts[:-1]
        self._places = np.empty(n_samples, dtype=np.int64)
        self._places[order] = np.arange(n_samples) + np.repeat(offsets, counts)
        what = f"A computation on {n_samples:,} x {d} rows of {len(counts):,} patterns"
        check_memory(2 * int(ends[-1]) * d * VECTOR_BYTES, what)
        rows = np.zeros((ends[-1] * self._lanes, d), dtype=X.dtype)
        rows[self._places] = X - origin
        self._values = aligned_empty((ends[-1], d, self._lanes), X.dtype)
        self._values[:] = rows.reshape(-1, self._lanes, d).swapaxes(1, 2)
        self._weights = np.zeros((ends[-1], self._lanes), dtype=X.dtype)
        self._weights.ravel()[self._places] = 1 if sample_weight is None else sample_weight
        self._blocks = _blocks_of(ends - n_panels, ends)
        self._chunks, self._work = self._divide()
        self._moments = None

    def _divide(self):
        """Chunks of blocks, of about equal work, and the work of all."""
        k, d, lanes = self._k, self._values.shape[1], self._lanes
        n_missing = self._patterns.sum(axis=1, dtype=np.float64)[self._blocks[:, 2]]
        n_panels = self._blocks[:, 1] - self._blocks[:, 0]
        work = n_panels * lanes * self.covariance.work(k, d) + self._pattern_work(n_missing)
        n_tiles = padded(d, MOMENT_WIDTH) // MOMENT_WIDTH
        gathered = 2 * math.prod((n_tiles, BLOCK_PANELS, MOMENT_WIDTH, lanes))
        chunk_bytes = 8 * (
            gathered + BLOCK_PANELS * padded(k, WIDTH) * lanes + self._extra_values()
        )
        most = min(MAX_CHUNKS, max(MIN_CHUNKS, SCRATCH_BYTES // chunk_bytes))
        total = float(work.sum())
        return split_by_work(work, 1 if total < MIN_PARALLEL_WORK else most), total

    def _pattern_work(self, n_missing):
        """Multiply-adds for a pattern that lacks so many features."""
        k, d = self._k, self._values.shape[1]
        return SCALAR_WORK * k * (n_missing**2 * d + d * d)

    def _extra_values(self):
        """Number of values of a chunk beside rows and responsibilities."""
        return 3 * self._k * self._values.shape[1] ** 2

    def moments(self, components):
        """Moments of the completed rows, for components of type `full`; overwritten by the next."""
        n_chunks, k, d = len(self._chunks), self._k, self._values.shape[1]
        if self._moments is None:
            self._moments = MixtureMoments.zeros(self.covariance, n_chunks, k, d)
            block_nk = np.empty((n_chunks, k))
            self._scratch = *self._e_scratch(), *self._m_scratch(), block_nk
            self._counts = np.empty((n_chunks, 2), dtype=np.int64)
        moments = self._moments
        means, factors, extras, constants, cuts = components.layout
        estimate_pattern_moments(
            self._chunks, self._values, self._weights, self._blocks, self._patterns,
            self.covariance.precisions(components.factors), means, factors, extras[:0], constants,
            cuts, *self._scratch, moments.nk, moments.first, moments.second,
            moments.log_likelihood, np.empty((0, self._lanes), dtype=np.int32), self._counts,
            work=self._work,
        )  # fmt: skip
        return moments

    def posterior(self, components, with_resp):
        """Label, log-density and responsibilities of each row, in the order of X.

        There are 0 rows of responsibilities, if not `with_resp`.
        """
        labels, log_density, resp = self._posterior_arrays(with_resp)
        means, factors, extras, constants, cuts = components.layout
        estimate_pattern_posterior(
            self._chunks, self._values, self._blocks, self._patterns,
            self.covariance.precisions(components.factors), means, factors, extras[:0], constants,
            cuts, *self._e_scratch(), labels, log_density, resp, work=self._work,
        )  # fmt: skip
        return self._in_order_of_X(labels, log_density, resp)

    def _posterior_arrays(self, with_resp):
        """Arrays for what `posterior` returns, by the order of the panels."""
        shape = len(self._values), self._lanes
        labels = np.empty(shape, dtype=np.int32)
        log_density = np.empty(shape, dtype=self._dtype)
        n_rows = math.prod(shape) if with_resp else 0
        n_bytes = n_rows * self._k * self._dtype.itemsize
        check_memory(n_bytes, "Responsibilities of rows of many patterns")
        return labels, log_density, np.empty((n_rows, self._k), dtype=self._dtype)

    def _in_order_of_X(self, labels, log_density, resp):
        """Such arrays by the order of X."""
        places = self._places
        resp = resp[places] if len(resp) else resp
        return labels.ravel()[places], log_density.ravel()[places], resp

    def _e_scratch(self):
        """Memory of the E step: rows, log-densities, and what the kernel says of a pattern."""
        rows = len(self._chunks), padded(self._values.shape[1], WIDTH), PANELS, self._lanes
        return aligned_filled(rows, self._dtype, 0.0), *self._pattern_scratch(self._k)

    def _pattern_scratch(self, n_covariances):
        """Memory for log-densities, and for a pattern and so many covariances."""
        n_chunks, d = len(self._chunks), self._values.shape[1]
        n_places = padded(self._k, WIDTH) + 1
        matrices = n_chunks, n_covariances, d, d
        return (
            aligned_empty((n_chunks, BLOCK_PANELS, n_places, self._lanes), self._dtype),
            np.empty((n_chunks, d), dtype=np.int64),
            np.empty(matrices),
            np.empty(matrices, dtype=self._dtype),
        )

    def _m_scratch(self):
        """Memory in which products of features are summed; see `arguments.MomentScratch`."""
        n_tiles = padded(self._values.shape[1], MOMENT_WIDTH) // MOMENT_WIDTH
        gathered = len(self._chunks), n_tiles, BLOCK_PANELS, MOMENT_WIDTH, self._lanes
        return MomentScratch(
            active_out=np.empty((len(self._chunks), BLOCK_PANELS), dtype=np.int64),
            differences_out=aligned_filled(gathered, self._dtype, 0.0),
            scaled_out=aligned_filled(gathered, self._dtype, 0.0),
        )


def _blocks_of(firsts, ends):
    """Blocks of panels: first panel, end and pattern of each, for the panels of each pattern."""
    n_blocks = -(-(ends - firsts) // BLOCK_PANELS)
    patterns = np.repeat(np.arange(len(firsts)), n_blocks)
    numbers = np.arange(len(patterns)) - np.repeat(np.cumsum(n_blocks) - n_blocks, n_blocks)
    first = firsts[patterns] + numbers * BLOCK_PANELS
    last = np.minimum(first + BLOCK_PANELS, ends[patterns])
    return np.ascontiguousarray(np.column_stack([first, last, patterns]), dtype=np.int64)
