"""Lloyd's algorithm on panels: which iterations skip distances, and when rows are regrouped.

It begins with plain iterations. When few labels change, the rows are regrouped into blocks of like
rows, and iterations that keep bounds of these blocks (`_kernels.bounds`) meet only some centers.
Bounds grow loose and blocks mixed, so rows are regrouped again: whenever as much has been spent on
iterations as a regrouping costs, which is never more than twice the cost of the best moment. Where
the bounds help too little, plain iterations go on for a while. The choices go by counts, not times,
so that a fit is the same every time; by whole numbers, so that it is the same however its
iterations are cut into launches, which depends on the number of threads.
"""

import math

import numpy as np

from fastclust._algorithms.arrays import aligned_empty, chunk_zeros, in_lines, tiles_of
from fastclust._algorithms.chunks import MAX_CHUNKS, new_team, split
from fastclust._algorithms.kmeans import float32_filter
from fastclust._algorithms.kmeans.statistics import (
    RESUM_EVERY,
    ClusterStatistics,
    Progress,
    update_centers,
)
from fastclust._kernels.jit import n_workers, steps_in_launch
from fastclust._kernels.kmeans import bounds, filtered, lloyd
from fastclust._kernels.kmeans.centers import ROUND_UP
from fastclust._kernels.kmeans.start_bounds import start_bounds
from fastclust._kernels.simd.tiles import TILE
from fastclust._kernels.simd.vectors import VECTOR_BYTES

BATCH_BYTES, MOST_BATCH_PANELS = 2**15, 16
"""Panels that are labelled before their labels are looked at: the rows are still in the cache."""

CHUNK_ROWS, FEW_CHUNKS = 1024, 8
"""Rows of a chunk, at least, if there are more chunks than so many: one thread merges the sums of
all (30,000 x 300, k=60: 6.6 ms for an iteration of 64 chunks, 5.9 of 29)."""

LEAST_CHUNKS = 2
"""Chunks from which on there is something to save."""

FEW_CHANGES = 50
"""Rows are first regrouped when fewer than one in this many changes its label."""

FIRST_REGROUP = 3
"""They are when that costs no more than one in this many of the iterations so far; or if it costs
no more than would have been spared in these by leaving out the clusters that are apart."""

SAMPLE_PANELS, SAMPLE_EVERY = 16, 64
"""Panels that show which clusters are apart: at most one in so many, or looking at them would take
as long as an iteration (8,600 x 207, k=34: 0.7 ms)."""

APART_SHIFTS, FEW_BETWEEN = 4, 0.02
"""A cluster is apart if fewer of its rows than this share are between two centers: nearer to one of
them by less than so many times the largest shift."""

LEAST_APART, LATER = 0.5, 4
"""If fewer rows than this share are in such clusters, they are looked at again after this many
times as many iterations."""

TEST_COST, TEST_VECTOR_COST = 30, 5
"""Vector operations of testing a block, and for each vector of centers."""

ACTIVE_COST, EVALUATE_COST = 600, 20
"""Vector operations of labelling a block, and of meeting a center beside its multiply-adds."""

ROW_COST, VALUE_COST = 120, 6
"""Vector operations that a regrouping takes for each row, and for each of its values."""

MOST_REGROUP_COST, MOST_REGROUP_COST_APART = 8, 12
"""Plain iterations that a regrouping may cost, and where clusters are apart: a run is seldom long
enough to gain more. It costs more with few features, where clusters are seldom apart."""

MOST_ROWS = 2**31 - 64
"""Rows that int32 can number, padding included, as it must once they are in another order."""

HELPS = 0.5
"""Bounded iterations go on if they cost less than this, in plain ones."""

FIRST_WAIT = 8
"""If not, plain iterations that cost as much as this many regroupings go first; then twice as many.
"""


class PanelLloyd:
    """State of Lloyd's algorithm on panels.

    Parameters
    ----------
    panels : Panels
        The rows, which may be regrouped: `Panels.restore_order` undoes that.
    centers : ndarray of shape (n_clusters, n_features)
        First centers.
    skip : bool, default=True
        Whether iterations may skip distances; the labels are the same.

    Attributes
    ----------
    centers : ndarray of shape (n_clusters, n_features)
        Current centers.
    labels : ndarray of shape (n_panels, lanes), int32
        Labels made with the centers before the last update, in the order of the panels.
    statistics : ClusterStatistics
        Sums over the rows of each label.
    """

    def __init__(self, panels, centers, skip=True):
        self._panels = panels
        self.centers = centers.copy()
        self.labels = panels.new_labels()
        n_clusters, n_features = centers.shape
        self.statistics = ClusterStatistics.zeros(n_clusters, n_features)
        # The chunks' sums together are at most as large as half of the panels.
        max_chunks = panels.n_samples * panels.dtype.itemsize // (16 * n_clusters)
        max_chunks = max(1, min(max_chunks, max(FEW_CHUNKS, panels.n_samples // CHUNK_ROWS)))
        filters = float32_filter.pays(panels, n_clusters)
        chunks_of = panels.even_chunks if filters else panels.chunks
        self._chunks = chunks_of(n_clusters, min(max_chunks, MAX_CHUNKS))
        n_chunks = len(self._chunks)
        n_vectors = -(-n_clusters // panels.lanes)
        self._tiles = tiles_of(centers, TILE, -2.0)
        batch_panels = max(1, min(MOST_BATCH_PANELS, BATCH_BYTES // (n_features * VECTOR_BYTES)))
        batch_panels = in_lines(batch_panels, 4 * panels.lanes)
        self._new_labels = aligned_empty((n_chunks, batch_panels, panels.lanes), np.int32)
        self._shifts = np.zeros(n_vectors * panels.lanes, dtype=panels.dtype)
        self._buffers = (
            chunk_zeros(n_chunks, n_clusters, n_features),
            chunk_zeros(n_chunks, n_clusters),
            chunk_zeros(n_chunks, n_clusters, dtype=np.int64),
            chunk_zeros(n_chunks, n_clusters, dtype=np.int64),
            np.empty(n_chunks, dtype=np.int64),
        )
        may_skip = skip and n_chunks >= LEAST_CHUNKS and panels.n_samples <= MOST_ROWS
        self._filter = None
        if may_skip or filters:
            self._radius_sq = max(panels.largest_square, _largest_square(centers))
            may_skip &= 16 * self._radius_sq <= float(np.finfo(panels.dtype).max)
            filters &= self._radius_sq < float32_filter.LARGEST_SQ
        if filters and float32_filter.has_memory(panels):
            self._filter = float32_filter.Float32Filter(panels, n_chunks, self._radius_sq)
        n_panels = len(panels.values)  # the costs are all in vector operations
        self._unfiltered_cost = n_panels * n_clusters * (n_features + 3)
        filtered_cost = n_panels * n_clusters * (n_features + 5) // 2
        self._plain_cost = filtered_cost if filters else self._unfiltered_cost
        row_cost = ROW_COST + VALUE_COST * n_features
        self._regroup_cost = n_panels * panels.lanes * row_cost
        self._may_regroup = (
            may_skip and self._regroup_cost <= MOST_REGROUP_COST_APART * self._plain_cost
        )
        self._cost, self._n_plain = 0, 0
        self._bounds = self._all_bounds = None
        self._wait_to_regroup(self._regroup_cost, FIRST_REGROUP * self._regroup_cost)
        self._cost_before = self._plain_cost  # of an iteration before the last regrouping
        self._first_cost = 0  # of the first iteration after it, which makes the bounds
        self._judged_at = 0  # cost after the second, which shows what the bounds are worth
        self._patience = 1
        self._wait = FIRST_WAIT * self._regroup_cost  # when bounds do not help
        if self._may_regroup:
            self._compile_bounded()

    def _compile_bounded(self):
        """Compile what iterations with bounds call: no fit but the first is to wait for that."""
        self._panels.compile_regroup(self.centers)
        block_bounds = BlockBounds(
            self._panels, len(self.centers), self._radius_sq, len(self._chunks)
        )
        for kernel in start_bounds, bounds.iterate_bounded:
            kernel.prepare(block_bounds.chunks, self._panels.dtype)

    @property
    def cost(self):
        """Cost so far, in plain iterations; for benchmarks and tests."""
        return self._cost / self._plain_cost

    @property
    def is_bounded(self):
        """Whether the next iteration may skip distances."""
        return self._bounds is not None

    def shares(self):
        """Share of the rows that was labelled, and of their distances computed, in all iterations.

        For benchmarks.
        """
        bounded = self._all_bounds
        labelled, met, n_bounded = (
            (bounded.labelled, bounded.met, bounded.n_all) if bounded else (0.0, 0.0, 0)
        )
        n_iter = self._n_plain + n_bounded
        return (self._n_plain + labelled) / n_iter, (self._n_plain + met) / n_iter

    def leave_bounds(self):
        """Go on with other centers, whose shifts are not in the bounds."""
        self._tiles = tiles_of(self.centers, TILE, -2.0)
        self._bounds = None
        self._wait_to_regroup(self._regroup_cost, FIRST_REGROUP * self._regroup_cost)

    def _wait_to_regroup(self, if_apart, anyway):
        """Go on with plain iterations of these costs before the rows are regrouped."""
        self._regroup_at = self._cost + if_apart
        is_cheap = self._regroup_cost <= MOST_REGROUP_COST * self._plain_cost
        self._regroup_anyway_at = self._cost + anyway if is_cheap else math.inf

    def advance(self, first_iteration, n_steps, tol):
        """Iterate up to n_steps times; stop where labels repeat or centers shift within tol."""
        progress = np.zeros(lloyd.N_PROGRESS)
        if self._bounds is None:
            self._iterate(first_iteration, n_steps, tol, progress)
        else:
            self._iterate_bounded(self._bounds, first_iteration, n_steps, tol, progress)
        if progress[lloyd.N_EMPTY]:
            self.centers, progress[lloyd.SHIFT_SQ] = update_centers(
                self.statistics, self._panels, self.centers, self.labels
            )
            self.leave_bounds()
        return Progress(
            int(progress[lloyd.N_ITER]), int(progress[lloyd.N_CHANGED]), progress[lloyd.SHIFT_SQ]
        )

    def assign_with_inertia(self, centers):
        """Labels of the centers that are returned, and the inertia; nothing may follow.

        They are the current ones but for rounding, by which bounds are lowered once more. As
        `Panels.assign_with_inertia`, bit for bit in the labels, with the bounds (200,000 x 64,
        k=256: 2 ms instead of 31) or in float32 first.
        """
        panels = self._panels
        if self._bounds is None and self._filter is None:
            return panels.assign_with_inertia(centers)
        block_bounds = self._bounds if _largest_square(centers) <= self._radius_sq else None
        if block_bounds is not None:
            moved = np.subtract(centers, self.centers, dtype=np.float64)
            self._shifts[: len(centers)] += ROUND_UP * np.sqrt(np.square(moved).sum(axis=1))
        self.centers, self._tiles = centers, tiles_of(centers, TILE, -2.0)
        self._launch(
            block_bounds.call(0.0) if block_bounds is not None else self._plain_call(-1),
            1, 1, 0.0, panels.work(len(centers)), np.zeros(lloyd.N_PROGRESS),
            resum_every=2, only_label=True,  # 1 % 2 is not 0: no sums are formed
        )  # fmt: skip
        return self.labels, panels.inertia(centers, self.labels)

    def _plain_call(self, few_changes):
        """Kernel of plain iterations, its chunks, and what it alone wants."""
        if self._filter is None:
            return lloyd.iterate, self._chunks, (few_changes, self._new_labels)
        own = few_changes, *self._filter.arguments(self._tiles), self._new_labels
        return filtered.iterate_filtered, self._chunks, own

    def _iterate(self, first_iteration, n_steps, tol, progress):
        """Plain iterations, then a regrouping where it pays."""
        few_changes = self._panels.n_samples // FEW_CHANGES if self._may_regroup else -1
        too_early = math.ceil((self._regroup_at - self._cost) / self._plain_cost)
        if self._may_regroup and too_early > 0:
            n_steps, few_changes = min(n_steps, too_early), -1
        work = self._panels.work(len(self.centers))
        self._launch(self._plain_call(few_changes), first_iteration, n_steps, tol, work, progress)
        self._n_plain += int(progress[lloyd.N_ITER])
        self._cost += int(progress[lloyd.N_ITER]) * self._plain_cost
        if self._filter is not None and not self._filter.helps:
            self._filter, self._plain_cost = None, self._unfiltered_cost
        few = progress[lloyd.N_CHANGED] * FEW_CHANGES <= self._panels.n_samples
        if self._may_regroup and few and self._cost >= self._regroup_at and goes_on(progress, tol):
            self._consider_regrouping()

    def _consider_regrouping(self):
        """Regroup the rows if the share that is likely to be spared would have paid for it."""
        share = self._share_apart() if self._cost < self._regroup_anyway_at else 1.0
        pays_at = self._regroup_cost / share if share > LEAST_APART else LATER * self._cost
        if self._cost >= pays_at:
            self._regroup()
        else:
            self._regroup_at = min(pays_at, self._regroup_anyway_at)

    def _share_apart(self):
        """Share of the rows whose clusters are apart from the others, from a sample."""
        from scipy.spatial.distance import cdist

        k, values = len(self.centers), self._panels.values
        step = max(SAMPLE_EVERY, len(values) // SAMPLE_PANELS)
        sample = slice(0, -1, step)  # without the padding
        rows = values[sample].swapaxes(1, 2).reshape(-1, values.shape[1])
        distances = np.partition(cdist(rows, self.centers), 1, axis=1)
        is_between = distances[:, 1] - distances[:, 0] < APART_SHIFTS * self._shifts.max()
        labels = self.labels[sample].ravel()
        n_of_label = np.bincount(labels, minlength=k)
        is_apart = np.bincount(labels[is_between], minlength=k) <= FEW_BETWEEN * n_of_label
        return n_of_label[is_apart].sum() / len(rows)

    def _iterate_bounded(self, block_bounds, first_iteration, n_steps, tol, progress):
        """Iterations that skip distances, then another regrouping or plain ones where that pays."""
        budget = self._regroup_at - self._cost
        if block_bounds.n_iter < 2:  # the first makes them, the second shows what they are worth
            n_steps = 1
        work = self._panels.work(len(self.centers))
        self._launch(block_bounds.call(budget), first_iteration, n_steps, tol, work, progress)
        cost = block_bounds.note(progress)
        self._cost += cost
        if not goes_on(progress, tol):
            return
        if block_bounds.n_iter == 1:
            self._first_cost = cost
        elif block_bounds.n_iter == 2:
            self._judge(cost)
        elif self._cost >= self._regroup_at:
            self._cost_before = (self._cost - self._judged_at) / (block_bounds.n_iter - 2)
            self._regroup()

    def _judge(self, cost):
        """What to do after the second iteration with new bounds, which took this cost."""
        self._judged_at = self._cost
        if cost > HELPS * self._plain_cost:
            self._bounds = None
            self._wait_to_regroup(self._wait, self._wait)
            self._wait *= 2
        else:
            helped = cost < HELPS * self._cost_before
            self._patience = 1 if helped else 2 * self._patience
            again = self._regroup_cost + self._first_cost
            self._regroup_at = self._cost + self._patience * again

    def _regroup(self):
        """Sort the rows into blocks, and make the bounds of these."""
        panels, k = self._panels, len(self.centers)
        distances_sq = panels.panel_distances_sq(self.centers, self.labels)
        self.labels, distances_sq = panels.regroup(self.labels, distances_sq, k)
        if self._all_bounds is None:  # once, as memory is slow the first time
            self._all_bounds = BlockBounds(panels, k, self._radius_sq, len(self._chunks))
        self._bounds = self._all_bounds
        self._bounds.start(self.labels, distances_sq, self.centers)
        self._shifts[:] = 0
        self._buffers[-1][:] = 0  # there may be fewer chunks of blocks than of panels
        self._cost += self._regroup_cost
        self._regroup_at = math.inf  # until it is judged

    def _launch(
        self, call, first_iteration, n_steps, tol, work, progress, resum_every=None,
        only_label=False,
    ):  # fmt: skip
        """Run a kernel, in several launches where one would be too long."""
        kernel, chunks, own = call
        possible = steps_in_launch(chunks, work)
        resum_every = RESUM_EVERY if resum_every is None else resum_every
        if only_label:
            parts = [(chunks, 0, 1, work)]
        elif possible < 1:  # label the rows in several launches, then finish in one more
            parts = [(chunks, 0, 1, work), (chunks[:0], 1, 1, 0.0)]
        else:
            parts = [(chunks, 1, min(n_steps, int(possible)), 0.0)]
        panels, statistics = self._panels, self.statistics
        for part, finish, steps, part_work in parts:
            kernel(
                part, panels.values, panels.weights, panels.n_samples, finish, first_iteration,
                steps, resum_every, tol, n_workers(part), *own, new_team(), self.labels,
                self.centers, *self._tiles, self._shifts, *self._buffers, statistics.sums,
                statistics.weights, statistics.counts, statistics.max_weights, progress,
                work=part_work,
            )  # fmt: skip
        if progress[lloyd.IMPRECISE]:  # the launch that finished had no rows to form the sums of
            progress[lloyd.IMPRECISE] = 0
            n_changed = progress[lloyd.N_CHANGED]
            self._launch(call, first_iteration, 1, tol, work, progress, resum_every=1)
            progress[lloyd.N_CHANGED] = n_changed


def _largest_square(centers):
    """Largest squared norm of a center."""
    return float(np.square(centers, dtype=np.float64).sum(axis=1).max())


def goes_on(progress, tol):
    """Whether another iteration follows, with the bounds still valid."""
    return (
        progress[lloyd.N_EMPTY] == 0
        and progress[lloyd.N_CHANGED] > 0
        and progress[lloyd.SHIFT_SQ] > tol
    )


class BlockBounds:
    """Bounds of the distances between blocks of rows and centers; see `_kernels.bounds`.

    Attributes
    ----------
    chunks : ndarray of shape (n_chunks, 3)
        Chunks of blocks.
    n_iter : int
        Iterations done since they were made.
    n_all : int
        Iterations done with all bounds of this run.
    labelled, met : float
        Sums over all iterations of the share of the rows that was labelled, and of the distances
        between rows and centers that was computed; for benchmarks.
    """

    def __init__(self, panels, n_clusters, radius_sq, max_chunks):
        n_panels, lanes, dtype = len(panels.values), panels.lanes, panels.dtype
        n_features = panels.n_features
        self._n_samples = panels.n_samples
        n_vectors = -(-n_clusters // lanes)
        test_cost = TEST_COST + TEST_VECTOR_COST * n_vectors
        # Bounds take at most as much memory as the rows; labelling a block by them costs less than
        # by all centers.
        plain_panel_cost = n_clusters * (n_features + 3)
        self._block_panels = max(
            1, -(-n_vectors // n_features), -(-(test_cost + ACTIVE_COST) // plain_panel_cost)
        )
        self._n_blocks = -(-n_panels // self._block_panels)
        self._costs = (
            self._n_blocks * test_cost,
            ACTIVE_COST,
            self._block_panels * (n_features + EVALUATE_COST),
        )
        self._n_clusters, self.n_all, self.labelled, self.met = n_clusters, 0, 0.0, 0.0
        eps = float(np.finfo(dtype).eps)
        self._error = 4 * (n_features + 4) * (eps * radius_sq + float(np.finfo(dtype).tiny))
        self.chunks = split(
            self._n_blocks, self._block_panels * lanes * n_features * n_clusters, max_chunks
        )
        n_chunks = len(self.chunks)
        n_listed = in_lines(n_clusters + bounds.LIST_TILE, 4)
        n_label_panels = in_lines(self._block_panels, 4 * lanes)
        self._arrays = (
            np.empty(self._n_blocks, dtype=np.int32),
            np.empty(self._n_blocks, dtype=dtype),
            aligned_empty((self._n_blocks, n_vectors * lanes), dtype),
            aligned_empty((n_chunks, n_listed), np.int32),
            aligned_empty((n_chunks, n_listed), np.int64),
            aligned_empty((n_chunks, n_listed), dtype),
            aligned_empty((n_chunks, bounds.BATCH_BLOCKS), np.int64),
            np.empty((n_chunks, 2), dtype=np.int64),
            aligned_empty((n_chunks, n_label_panels, lanes), np.int32),
        )
        self._apart = np.empty((n_chunks, n_clusters))
        self.n_iter = 0

    def start(self, labels, distances_sq, centers):
        """Make the bounds of rows with these labels and squared distances to their centers."""
        start_bounds(
            self.chunks, distances_sq, labels, np.ascontiguousarray(centers.T), self._n_samples,
            self._error, self._block_panels, self._apart, *self._arrays[:3],
        )  # fmt: skip
        self.n_iter = 0

    def call(self, budget):
        """Kernel of iterations that stop at this cost, its chunks, and what it alone wants."""
        own = self._error, self._block_panels, *self._costs, float(budget), *self._arrays
        return bounds.iterate_bounded, self.chunks, own

    def note(self, progress):
        """Count what a launch did; return its cost."""
        counts = progress[[lloyd.N_ITER, lloyd.N_ACTIVE, lloyd.N_EVALUATED]]
        n_iter, n_active, n_evaluated = map(int, counts)
        self.n_iter += n_iter
        self.n_all += n_iter
        self.labelled += n_active / self._n_blocks
        self.met += n_evaluated / (self._n_blocks * self._n_clusters)
        test_cost, active_cost, evaluate_cost = self._costs
        return n_iter * test_cost + n_active * active_cost + n_evaluated * evaluate_cost
