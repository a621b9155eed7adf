"""Passes of the kernels of a Gaussian mixture over the rows of a fit."""

import math

import numpy as np

from fastclust._algorithms.arrays import aligned_empty, aligned_filled
from fastclust._algorithms.chunks import MAX_CHUNKS, split
from fastclust._algorithms.mixture.components import Components
from fastclust._algorithms.mixture.covariance import COVARIANCE_TYPES, padded, unpack_products
from fastclust._algorithms.mixture.moments import MixtureMoments
from fastclust._calls import variant
from fastclust._kernels.mixture.arguments import EScratch, MomentScratch
from fastclust._kernels.mixture.layout import BLOCK_PANELS
from fastclust._kernels.simd.sizes import MOMENT_WIDTH, WIDTH

SCRATCH_BYTES, MIN_CHUNKS = 2**25, 4
"""Memory of all chunks of a pass, which limits their number; MIN_CHUNKS are allowed in any case."""

MIN_PARALLEL_WORK = 2**23
"""Multiply-adds below which a pass stays on one core. A second one would save little, and lose as
much where something else runs on it, as threads of NumPy's BLAS that spin after a product do
(benchmarks/ablate_constants.py)."""

REGROUP_ROW_WORK, REGROUP_VALUE_WORK = 150, 8
"""Cost of moving a row, and of each of its values, in multiply-adds of the kernels
(benchmarks/ablate_constants.py)."""

SPARED_SHARE = 0.5
"""Share of the work for a row and a component that is saved if the row's panel is left out for the
component."""

FULL = COVARIANCE_TYPES["full"]
"""The type whose moments those of all types follow from."""

PASSES_AHEAD = 4
"""Number of passes that a regrouping is expected to speed up: most fits have ten or more
(benchmarks/ablate_constants.py)."""


class MixtureRows:
    """Panels, and the memory for passes of a mixture over them.

    Parameters
    ----------
    panels : Panels
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
        That of COVARIANCE_TYPES whose moments passes sum up; see `sum_second`.
    """

    def __init__(self, panels, covariance, n_components):
        self.panels, self.covariance, self.n_components = panels, covariance, n_components
        self.values_per_row = panels.n_features
        panels.start_run()  # facts are sums in the order of X
        self._n_passes = 0
        self._allocate(covariance)
        self.scatter = scatter_of(panels) if covariance.is_shared else np.empty((0, 0))
        self.take_panels(panels)  # in the order that finding the scatter has left

    def _allocate(self, covariance):
        """Allocate memory for passes of a covariance type."""
        self.moments_type, k, panels = covariance, self.n_components, self.panels
        d, lanes, dtype = panels.n_features, panels.lanes, panels.dtype
        n_panels = len(panels.values)
        self._row_work = covariance.work(k, d)
        n_tiles = padded(d, MOMENT_WIDTH) // MOMENT_WIDTH if covariance.gathers else 0
        gathered = (n_tiles, BLOCK_PANELS, MOMENT_WIDTH, lanes)
        chunk_bytes = 2 * math.prod(gathered) + BLOCK_PANELS * padded(k, WIDTH) * lanes
        chunk_bytes = dtype.itemsize * chunk_bytes + 8 * k * (1 + d + covariance.n_second(d))
        max_chunks = min(MAX_CHUNKS, max(MIN_CHUNKS, SCRATCH_BYTES // chunk_bytes))
        n_blocks = -(-n_panels // BLOCK_PANELS)
        self._chunks = pass_chunks(n_blocks, BLOCK_PANELS * lanes * self._row_work, max_chunks)
        n_chunks = len(self._chunks)
        self._estimate = variant("estimate_moments", covariance.name)
        self._counts = np.zeros((n_chunks, 2), dtype=np.int64)
        self._e_scratch = e_scratch(covariance, n_panels, n_chunks, k, d, lanes, dtype)
        self._likely = self._e_scratch.likely_out
        self._m_scratch = MomentScratch(
            active_out=np.empty((n_chunks, BLOCK_PANELS), dtype=np.int64),
            differences_out=aligned_filled((n_chunks, *gathered), dtype, 0.0),
            scaled_out=aligned_filled((n_chunks, *gathered), dtype, 0.0),
        )
        self._moments = MixtureMoments.zeros(covariance, n_chunks, k, d)
        self._no_labels = np.empty((0, lanes), dtype=np.int32)

    def take_panels(self, panels):
        """Pass over other panels from now on, as many as before, in the order that they are in.

        The scatter stays that of the first.
        """
        self.panels, self._order = panels, panels.order
        self._likely.fill(0)
        if len(panels.weights):
            self.total_weight = float(panels.weights.sum(dtype=np.float64))
            self.largest_weight = float(panels.weights.max())
            self._tail_weights = None
        else:
            self.total_weight, self.largest_weight = float(panels.n_samples), 1.0
            self._tail_weights = np.ones((1, panels.lanes), dtype=panels.dtype)
            self._tail_weights[0, panels.n_samples - (len(panels.values) - 1) * panels.lanes :] = 0

    def sum_second(self):
        """Let passes sum up second moments about the means of each component from now on.

        A shared covariance is the scatter of the rows less that of the means, which cancels where
        groups are far apart. Moments about the means do not, but take longer.
        """
        self._allocate(FULL)
        self._of_each = Components(
            FULL, self.n_components, self.panels.n_features, self.panels.dtype
        )

    def start_run(self):
        """Forget what earlier runs found: the order of the rows and the likely components."""
        self._order = self.panels.start_run()
        self._n_passes = 0
        self._likely.fill(0)

    def take_over(self):
        """Go on in the order in which k-means, or its seeding, has left the rows.

        Its run is a part of this one.
        """
        self.panels.drop_f32()
        self._order = self.panels.order

    def moments(self, components):
        """Run the E step with these components; return the moments for the M step.

        The next call overwrites them. After passes 1, 2, 4, 8 ... rows of the same most probable
        component are put side by side, if that saves work.
        """
        self._n_passes += 1
        considers = len(self._chunks) > 1 and self._n_passes & (self._n_passes - 1) == 0
        if not considers:
            return self.moments_in_order(components)
        labels = np.empty((len(self.panels.values), self.panels.lanes), dtype=np.int32)
        moments = self._run(components, self._no_labels, labels)
        if self._regrouping_pays():
            distances_sq = np.zeros(labels.shape, dtype=self.panels.dtype)  # any order will do
            labels, _ = self.panels.regroup(self._order, labels, distances_sq, self.n_components)
            self._likely[:, 0] = labels[:, 0]
        return moments

    def moments_in_order(self, components):
        """The same moments; the rows stay where they are."""
        return self._run(components, self._no_labels, self._no_labels)

    def kmeans_moments(self, components, kmeans):
        """Moments of the rows of each cluster of k-means, about the components' means."""
        return self.label_moments(components, self.panels.order.panel_labels(kmeans.labels))

    def label_moments(self, components, labels):
        """Moments of the rows with each label, by the order of the panels."""
        self._likely[:, 0] = labels[:, 0]
        return self._run(components, labels, self._no_labels)

    def is_separated(self):
        """Whether most responsibilities of the last pass were negligible."""
        return 2 * self.n_active() < self.panels.n_samples * self.n_components

    def n_active(self):
        """Number of responsibilities of the last pass that were not negligible."""
        return int(self._counts[:, 0].sum())

    def _regrouping_pays(self):
        """Whether panels of rows of the same component would save more than it costs to make them.

        A panel is left out for a component whose responsibilities in it are all negligible. A
        regrouping saves most if the rows of each component fill whole panels.
        """
        panels = self.panels
        n_rows, n_panels = self._counts.sum(axis=0)
        if not panels.can_be_reordered:
            return False
        if 2 * n_rows > n_panels * panels.lanes:  # no order of the rows would help much
            return False
        spared = (n_panels * panels.lanes - n_rows) / (panels.n_samples * self.n_components)
        cost = REGROUP_ROW_WORK + REGROUP_VALUE_WORK * panels.n_features
        return SPARED_SHARE * spared * self._row_work * PASSES_AHEAD > cost

    def _run(self, components, labels, labels_out):
        """Run a pass; return its moments.

        `labels` are responsibilities of 1 instead of those of the E step, if there are any, and
        `labels_out` gets the most probable components, if it has room for them.
        """
        panels = self.panels
        if self.moments_type is not self.covariance:
            self._of_each.take(components)
            components = self._of_each
        weights = panels.weights if self._tail_weights is None else self._tail_weights
        self._estimate(
            self._chunks, panels.values, weights, labels, components.about,
            *components.layout, *self._e_scratch, *self._m_scratch,
            self._moments.nk, self._moments.first, self._moments.second,
            self._moments.log_likelihood, labels_out, self._counts,
            work=self._row_work * panels.n_samples,
        )  # fmt: skip
        return self._moments


def pass_chunks(n_blocks, block_work, max_chunks=MAX_CHUNKS):
    """Chunks of blocks for a pass: only one if the pass is short."""
    return split(
        n_blocks, block_work, 1 if n_blocks * block_work < MIN_PARALLEL_WORK else max_chunks
    )


def scatter_of(panels):
    """Sum of x x' over the rows: a fact of theirs, computed once, in the order of X."""
    if panels.scatter is None:
        panels.scatter = estimate_scatter(panels)
    return panels.scatter


def estimate_scatter(panels):
    """Sum of x x' over the rows, as the second moments about 0 of a single component."""
    moments = moments_of_all(panels, FULL)
    return unpack_products(moments.second.sum(axis=0), panels.n_features)[0]


def moments_of_all(panels, covariance):
    """Moments about 0 of a single component that has all rows, in the order of X."""
    zero = Components(covariance, 1, panels.n_features, panels.dtype)
    zero.about.fill(0)
    labels = np.zeros((len(panels.values), panels.lanes), dtype=np.int32)
    return MixtureRows(panels, covariance, 1).label_moments(zero, labels)


def e_scratch(covariance, n_panels, n_chunks, n_components, n_features, lanes, dtype):
    """Memory for the E step: an `EScratch`."""
    rows_shape = (n_chunks, covariance.n_row_values(n_features), covariance.n_at_once, lanes)
    n_places = padded(n_components, WIDTH) + 1
    return EScratch(
        likely_out=np.zeros((n_panels, 2), dtype=np.int32),
        rows_out=aligned_filled(rows_shape, dtype, 0.0),
        log_prob_out=aligned_empty((n_chunks, BLOCK_PANELS, n_places, lanes), dtype),
    )
