"""State of Lloyd's algorithm on panels: plain iterations, or iterations that skip distances.

`policy` decides which, and when the rows are regrouped; `launch` runs the kernels.
"""

import math

import numpy as np

from fastclust._algorithms.kmeans import policy as policy_module
from fastclust._algorithms.kmeans.block_bounds import BlockBounds, split_blocks
from fastclust._algorithms.kmeans.empty_clusters import (
    FarthestRows,
    farthest,
    relocate_empty_clusters,
)
from fastclust._algorithms.kmeans.float32_filter import (
    LARGEST_SQ,
    Float32Filter,
    even_chunks,
    has_memory,
)
from fastclust._algorithms.kmeans.launch import Launcher
from fastclust._algorithms.kmeans.m_step import mean_differences
from fastclust._algorithms.kmeans.policy import Next, RegroupPlan
from fastclust._algorithms.kmeans.precision import (
    may_be_far_from_means,
    may_keep_rounding,
    move_to_means,
)
from fastclust._algorithms.kmeans.statistics import ClusterStatistics
from fastclust._algorithms.memory import is_available
from fastclust._algorithms.rows.protocol import Iterations
from fastclust._calls import (
    distances_to_labels,
    iterate,
    iterate_bounded,
    iterate_filtered,
    sort_rows,
    start_bounds,
)
from fastclust._kernels.kmeans.constants import N_CHANGED, N_EMPTY, N_ITER, ROUND_UP


class PanelLloyd:
    """A run of Lloyd's algorithm; see `rows.protocol.LloydState`.

    Parameters
    ----------
    panels : Panels
        The rows, which the run may regroup.
    centers : ndarray of shape (n_clusters, n_features)
        First centers.
    skip : bool, default=True
        Whether iterations may skip distances; the labels are the same.
    policy : LloydPolicy, default=None
        Constants; `policy.DEFAULT` by default.

    Attributes
    ----------
    order : RowOrder
        The order in which the run has put the rows.
    """

    def __init__(self, panels, centers, skip=True, policy=None):
        policy = policy or policy_module.DEFAULT
        self._panels, self._policy = panels, policy
        self.order = panels.start_run()
        k, d, n_panels = len(centers), panels.n_features, len(panels.values)
        work = panels.work(k)
        filters = panels.dtype == np.float64 and policy.filter_pays(work, d)
        max_chunks = policy.chunk_limit(panels.n_samples, k, panels.dtype.itemsize)
        self._chunks = panels.chunks(k, max_chunks, policy.chunk_work)
        if filters:
            self._chunks = even_chunks(n_panels, len(self._chunks))
        self._run = Launcher(panels, centers, len(self._chunks), policy)
        # Runs of one chunk may be in parallel threads on the same panels, which none may reorder.
        may_skip = skip and len(self._chunks) > 1 and panels.can_be_reordered
        bounds_bytes = BlockBounds.n_bytes(panels, k) if may_skip else 0
        may_skip = may_skip and is_available(bounds_bytes)
        self._filter = None
        if may_skip or filters:
            # Unit vectors are longer than others by rounding.
            self._radius_sq = ROUND_UP * max(panels.largest_square, _largest_square(centers))
            may_skip &= 16 * self._radius_sq <= float(np.finfo(panels.dtype).max)
            filters &= self._radius_sq < LARGEST_SQ
        if filters and has_memory(panels, bounds_bytes if may_skip else 0):
            self._filter = Float32Filter(
                panels, len(self._chunks), self._radius_sq, policy.near_share
            )
        self._unfiltered_cost = cost = policy.plain_cost(n_panels, k, d, filtered=False)
        if self._filter is not None:
            cost = policy.plain_cost(n_panels, k, d, filtered=True)
        regroup_cost = policy.regroup_cost(n_panels * panels.lanes, d)
        self._plan = RegroupPlan(policy, cost, regroup_cost, may_skip)
        self._n_plain = 0
        self._bounds: BlockBounds | None = None  # None in plain iterations
        self._all_bounds: BlockBounds | None = None  # allocated once: new memory is slow

    @property
    def centers(self):
        """Current centers."""
        return self._run.centers

    @property
    def labels(self):
        """Labels made with the centers before the last update, in the order of the panels."""
        return self._run.labels

    @property
    def statistics(self):
        """Sums over the rows of each label."""
        return self._run.statistics

    @property
    def is_bounded(self):
        """Whether the next iteration may skip distances."""
        return self._bounds is not None

    @property
    def cost(self):
        """Cost so far, in plain iterations; for benchmarks and tests."""
        return self._plan.cost / self._plan.plain_cost

    def shares(self):
        """Shares of the rows labelled and of the distances computed, over all iterations.

        Benchmarks ask for them.
        """
        n_plain, bounded = self._n_plain, self._all_bounds
        if bounded is None:
            return 1.0, 1.0
        n_iter = n_plain + bounded.n_iter
        return (n_plain + bounded.labelled) / n_iter, (n_plain + bounded.evaluated) / n_iter

    def prepare(self):
        """Compile what later iterations may call, so that only the first fit waits for it."""
        if self._plan.may_regroup:
            panels, dtype, k = self._panels, self._panels.dtype, len(self.centers)
            *_, blocks = split_blocks(panels, k, len(self._chunks), self._policy)
            distances_to_labels.prepare(panels.value_chunks(), dtype)
            sort_rows.prepare(self.order.segments(k)[1], dtype)
            start_bounds.prepare(blocks, dtype)
            iterate_bounded.prepare(blocks, dtype)

    # -- iterations ------------------------------------------------------------------------------

    def advance(self, first_iteration, n_steps, tol):
        """Iterate up to n_steps times; stop where labels repeat or centers shift within tol."""
        if self._run.lose_digits:
            self._iterate_by_differences()
        elif self._bounds is None:
            self._iterate_plain(first_iteration, n_steps, tol)
        else:
            self._iterate_bounded(self._bounds, first_iteration, n_steps, tol)
        counts, shift_sq = self._run.counts, float(self._run.shift_sq[0])
        if counts[N_EMPTY]:
            shift_sq = self._relocate()
        return Iterations(int(counts[N_ITER]), int(counts[N_CHANGED]), shift_sq)

    def _goes_on(self, tol):
        """Whether another iteration follows, with the bounds still valid."""
        counts = self._run.counts
        no_cluster_is_empty = counts[N_EMPTY] == 0
        return no_cluster_is_empty and counts[N_CHANGED] > 0 and self._run.shift_sq[0] > tol

    def _plain_call(self):
        """Kernel of plain iterations, its chunks, and its own arguments."""
        new_labels = self._run.new_labels
        if self._filter is None:
            return iterate, self._chunks, (new_labels,)
        own = *self._filter.arguments(self._run.tiles), new_labels
        return iterate_filtered, self._chunks, own

    def _iterate_plain(self, first_iteration, n_steps, tol):
        """Run plain iterations, then regroup the rows if that pays."""
        run, plan = self._run, self._plan
        n_steps = plan.plain_steps(n_steps)
        run.iterate(self._plain_call(), first_iteration, n_steps, tol)
        n_iter = int(run.counts[N_ITER])
        self._n_plain += n_iter
        plan.note_plain(n_iter)
        if self._filter is not None and not self._filter.helps:
            self._filter, plan.plain_cost = None, self._unfiltered_cost
        if plan.considers() and self._goes_on(tol) and plan.regroup_pays(self.find_share_apart):
            self._regroup()

    def _iterate_by_differences(self):
        """One iteration with distances that do not cancel."""
        run, panels, k = self._run, self._panels, len(self.centers)
        labels = panels.assign_by_differences(self.centers, run.tiles[0])
        n_changed = np.count_nonzero(panels.unpadded(labels) != panels.unpadded(run.labels))
        run.labels = labels
        run.statistics = ClusterStatistics(*panels.sum_clusters(labels, k))
        run.max_weights[:] = run.statistics.weights
        run.counts[:] = 0
        run.counts[N_ITER], run.counts[N_CHANGED] = 1, n_changed
        run.counts[N_EMPTY] = np.count_nonzero(run.statistics.counts == 0)
        if run.counts[N_EMPTY] == 0:
            run.shift_sq[0] = run.move_centers(run.statistics.sums, run.statistics.weights)
        self.leave_bounds()

    def find_share_apart(self):
        """Share of the rows whose clusters are apart from the others, estimated from a sample."""
        from scipy.spatial.distance import cdist

        policy, k, values = self._policy, len(self.centers), self._panels.values
        step = max(1, len(values) // policy.sample_panels)
        sample = slice(0, -1, step)  # without the padding
        rows = values[sample].swapaxes(1, 2).reshape(-1, values.shape[1])
        distances = np.partition(cdist(rows, self.centers), 1, axis=1)
        margin = policy.apart_shifts * self._run.shifts.max()
        is_between = distances[:, 1] - distances[:, 0] < margin
        labels = self.labels[sample].ravel()
        n_of_label = np.bincount(labels, minlength=k)
        n_between = np.bincount(labels[is_between], minlength=k)
        return n_of_label[n_between == 0].sum() / len(rows)

    def _iterate_bounded(self, block_bounds, first_iteration, n_steps, tol):
        """Run iterations that skip distances; then regroup, or return to plain ones, if it pays."""
        run, plan = self._run, self._plan
        n_steps, budget = plan.bounded_steps(n_steps)
        run.iterate(block_bounds.call(budget), first_iteration, n_steps, tol)
        cost = block_bounds.note(run.counts)
        plan.note_bounded(int(run.counts[N_ITER]), cost)
        if not self._goes_on(tol):
            return
        follows = plan.after_bounded(cost)
        if follows is Next.REGROUP:
            self._regroup()
        elif follows is Next.PLAIN:
            self._bounds = None

    def _regroup(self):
        """Sort the rows into blocks, and make the bounds of these."""
        panels, run, k = self._panels, self._run, len(self.centers)
        distances_sq = panels.panel_distances_sq(self.centers, self.labels)
        run.labels, distances_sq = panels.regroup(self.order, self.labels, distances_sq, k)
        if self._all_bounds is None:
            self._all_bounds = BlockBounds(
                panels, k, self._radius_sq, len(self._chunks), self._policy
            )
        self._bounds = self._all_bounds
        self._bounds.start(run.labels, distances_sq, self.centers)
        run.shifts[:] = 0
        run.forget_changes()
        self._plan.note_regroup()

    def _relocate(self):
        """M step where clusters are empty; return the sum of the squared shifts."""
        far_rows = self._find_far_rows(int(self._run.counts[N_EMPTY]))
        sums, weights = relocate_empty_clusters(self.statistics, far_rows)
        shift_sq = self._run.move_centers(sums, weights)
        self.leave_bounds()
        return shift_sq

    def _find_far_rows(self, n_far):
        """The rows farthest from the centers of their labels."""
        panels = self._panels
        distances_sq = panels.distances_sq(self.centers, self.labels)
        places = farthest(distances_sq, n_far)
        rows = panels.values[places // panels.lanes, :, places % panels.lanes]
        labels, weights = panels.unpadded(self.labels)[places], panels.row_weights()[places]
        return FarthestRows(distances_sq[places], rows, labels, weights)

    def leave_bounds(self):
        """Drop the bounds, since the centers have moved otherwise than by an iteration."""
        self._run.set_centers(self.centers)
        self._bounds = None
        self._plan.start_plain()

    # -- the end ---------------------------------------------------------------------------------

    def settle(self):
        """Correct centers by the mean difference of their rows, where sums of huge values round.

        Such rounding may move a mean by more than the distances between ordinary rows.
        """
        run = self._run
        if run.counts[N_EMPTY]:  # centers that were relocated are no means of labels
            return
        if self._panels.unit:  # nor are directions; unit vectors have no huge values
            return
        center_sq = run.tiles[1].ravel()[: len(run.centers)]
        if may_be_far_from_means(center_sq) or may_keep_rounding(run.centers, center_sq):
            panels, centers, labels = self._panels, run.centers, run.labels
            move_to_means(centers, lambda: mean_differences(panels, centers, labels))
            self.leave_bounds()

    def inertia(self, centers):
        """Inertia of the current labels with these centers."""
        return self._panels.inertia(centers, self.labels)

    def finish(self, centers, with_inertia=True):
        """Labels of these centers in the order of X, and their inertia; the run ends here.

        The centers are the current ones up to rounding, and bounds are lowered by the difference.
        The labels are those of `Panels.assign_with_inertia`, bit for bit, but found with the bounds
        or in float32 first, which is faster.
        """
        panels, run = self._panels, self._run
        if self._bounds is None and self._filter is None:
            if not with_inertia:
                return panels.assign(centers), math.nan
            labels, inertia = panels.assign_to_panels_with_inertia(centers)
            return self.order.row_labels(labels), inertia
        block_bounds = self._bounds if _largest_square(centers) <= self._radius_sq else None
        if block_bounds is not None:
            moved = np.subtract(centers, self.centers, dtype=np.float64)
            run.shifts[: len(centers)] += ROUND_UP * np.sqrt(np.square(moved).sum(axis=1))
        run.set_centers(centers)
        if run.lose_digits:
            labels = panels.assign_by_differences(centers, run.tiles[0])
        else:
            run.label(block_bounds.call(0.0) if block_bounds else self._plain_call())
            labels = self.labels
        inertia = panels.inertia(centers, labels) if with_inertia else math.nan
        return self.order.row_labels(labels), inertia


def _largest_square(centers):
    """Largest squared norm of a center."""
    return float(np.square(centers, dtype=np.float64).sum(axis=1).max())
