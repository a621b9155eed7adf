"""When iterations of Lloyd's algorithm on panels skip distances: constants and decisions.

A run begins with plain iterations. Then the rows are regrouped into blocks of like rows, and
iterations that keep bounds of these blocks (`_kernels.kmeans.bounded`) compute only some distances.
Bounds grow loose and blocks mixed, so rows are regrouped again when as much has been spent on
iterations as a regrouping costs; twice as much each time that the last one made iterations no
cheaper. Where the bounds help too little, plain iterations go on for a while.

The decisions go by counts of work, not by times, so that a fit is the same every time; and by whole
numbers, so that it is the same however its iterations are cut into launches, which depends on the
number of threads. Costs are in vector operations. No kernel is needed to decide, or to test that.
"""

import enum
import math
from dataclasses import dataclass

from fastclust._algorithms.chunks import MAX_CHUNKS, MIN_CHUNK_WORK, most_with_sums


@dataclass(frozen=True)
class LloydPolicy:
    """Constants of the iterations on panels.

    `python benchmarks/ablate.py NAME` shows what the constant NAME is worth: runs with other values
    of it take turns with runs as they are.
    """

    max_chunks: int = MAX_CHUNKS
    chunk_work: float = MIN_CHUNK_WORK
    """Most chunks of rows, and multiply-adds that make a chunk worth a thread; see `chunks`."""

    few_chunks: int = 8
    chunk_rows: int = 1024
    """If there are more chunks than `few_chunks`, each has at least `chunk_rows` rows, because one
    thread merges the sums of all chunks."""

    batch_panels: int = 16
    """Panels of a batch, which is labelled before its labels are looked at: its rows are still in
    the cache then."""

    resum_every: int = 100
    """Iterations after which center sums are formed anew, so that their rounding cannot grow."""

    filter_work: float = 2**19
    filter_features: int = 3
    """Least multiply-adds of an iteration and least features with which iterations on float64 rows
    compute distances in float32 first: with fewer, converting the rows takes as long as some
    iterations save."""

    near_share: float = 0.25
    """They do so while at most this share of the panels is evaluated again in float64."""

    first_regroup: int = 3
    """Plain iterations run until they have cost `first_regroup` regroupings, or less where enough
    rows are in well separated clusters: then until skipping those would have repaid one."""

    sample_panels: int = 16
    """Approximate number of panels sampled to estimate which clusters are well separated."""

    apart_shifts: float = 4.0
    """A cluster is well separated (*apart*) if, for each of its sampled rows, the second nearest
    center is farther than the nearest by `apart_shifts` times the largest shift of a center."""

    least_apart: float = 0.5
    """If at most this share of the rows is in such clusters, the rows wait for `first_regroup`."""

    test_cost: int = 30
    test_vector_cost: int = 5
    """Cost of testing the bounds of a block, and of each vector of them."""

    active_cost: int = 600
    evaluate_cost: int = 20
    """Cost of labelling a block, and of evaluating a center beside its multiply-adds."""

    row_cost: int = 120
    value_cost: int = 6
    """Cost of a regrouping for each row, and for each of its values."""

    max_regroup_cost: int = 12
    """Most plain iterations that a regrouping may cost: few runs are long enough to gain more."""

    helps: float = 0.5
    """Bounded iterations go on if they cost less than this share of a plain one; and a regrouping
    has made them cheaper if they cost less than this share of those before it."""

    first_wait: int = 8
    """If they cost more, plain iterations follow for the cost of this many regroupings; the next
    time for twice as many."""

    def chunk_limit(self, n_samples, n_clusters, itemsize):
        """Most chunks of rows."""
        by_memory = most_with_sums(n_samples, n_clusters, itemsize)
        by_rows = max(self.few_chunks, n_samples // self.chunk_rows)
        return min(by_memory, by_rows, self.max_chunks)

    def filter_pays(self, work, n_features):
        """Whether distances in float32 save more time than converting the rows takes."""
        return n_features >= self.filter_features and work >= self.filter_work

    def plain_cost(self, n_panels, n_clusters, n_features, *, filtered):
        """Cost of a plain iteration."""
        if filtered:
            return n_panels * n_clusters * (n_features + 5) // 2
        return n_panels * n_clusters * (n_features + 3)

    def regroup_cost(self, n_rows, n_features):
        """Cost of a regrouping of so many rows, padding included."""
        return n_rows * (self.row_cost + self.value_cost * n_features)

    def block_panels(self, n_clusters, n_features, n_vectors):
        """Panels in a block.

        Bounds then take at most as much memory as the rows, and to label a block by them costs less
        than to label it by all centers.
        """
        test_cost = self.test_cost + self.test_vector_cost * n_vectors
        panel_cost = n_clusters * (n_features + 3)
        by_memory = -(-n_vectors // n_features)
        by_cost = -(-(test_cost + self.active_cost) // panel_cost)
        return max(1, by_memory, by_cost)

    def block_costs(self, n_blocks, block_panels, n_features, n_vectors):
        """Costs of bounded iterations: testing all blocks, labelling one, evaluating a center."""
        test_cost = self.test_cost + self.test_vector_cost * n_vectors
        evaluate_cost = block_panels * (n_features + self.evaluate_cost)
        return n_blocks * test_cost, self.active_cost, evaluate_cost


DEFAULT = LloydPolicy()


class Next(enum.Enum):
    """What follows bounded iterations."""

    BOUNDED = "more of them"
    REGROUP = "another regrouping, then more of them"
    PLAIN = "plain iterations"


class RegroupPlan:
    """Keeps account of what a run has cost, and decides when its rows are regrouped.

    Parameters
    ----------
    policy : LloydPolicy
        Constants.
    plain_cost : int
        Cost of a plain iteration; it may change.
    regroup_cost : int
        Cost of a regrouping.
    may_skip : bool
        Whether iterations may skip distances at all.

    Attributes
    ----------
    cost : int
        Cost of the run so far.
    may_regroup : bool
        Whether the rows may ever be regrouped.
    """

    def __init__(self, policy, plain_cost, regroup_cost, may_skip):
        self._policy = policy
        self.plain_cost, self._regroup_cost = plain_cost, regroup_cost
        self.may_regroup = may_skip and regroup_cost <= policy.max_regroup_cost * plain_cost
        self.cost = 0
        self._cost_before = plain_cost  # of an iteration before the last regrouping
        self._first_cost = 0  # of the first iteration after it, which makes the bounds
        self._judged_at = 0  # cost after the second, which shows what the bounds are worth
        self._patience = 1  # cost of bounded iterations before the next, in regroupings
        self._wait = policy.first_wait * regroup_cost  # plain iterations when bounds do not help
        self._n_bounded = 0  # iterations since the last regrouping
        self.start_plain()

    def start_plain(self):
        """Go on with plain iterations, as at the beginning."""
        self._wait_to_regroup(self._regroup_cost, self._policy.first_regroup * self._regroup_cost)

    def _wait_to_regroup(self, if_apart, anyway):
        """Run plain iterations of these costs before a regrouping, if clusters are apart or not."""
        self._regroup_at = self.cost + if_apart
        self._regroup_anyway_at = self.cost + anyway

    def plain_steps(self, n_steps):
        """How many plain iterations to do, n_steps at most, until it may be time to regroup."""
        if not self.may_regroup:
            return n_steps
        return max(1, min(n_steps, math.ceil((self._regroup_at - self.cost) / self.plain_cost)))

    def note_plain(self, n_iter):
        """Count plain iterations."""
        self.cost += n_iter * self.plain_cost

    def considers(self):
        """Whether it may be time to regroup."""
        return self.may_regroup and self.cost >= self._regroup_at

    def regroup_pays(self, find_share_apart):
        """Whether a regrouping would have paid for itself by the distances it is likely to spare.

        `find_share_apart()` is asked, if it matters, for the share of the rows whose clusters are
        apart from the others.
        """
        policy = self._policy
        share = find_share_apart() if self.cost < self._regroup_anyway_at else 1.0
        pays_at = self._regroup_cost / share if share > policy.least_apart else math.inf
        if self.cost >= pays_at:
            return True
        self._regroup_at = min(pays_at, self._regroup_anyway_at)
        return False

    def note_regroup(self):
        """Count a regrouping."""
        self.cost += self._regroup_cost
        self._regroup_at = math.inf  # until the bounds are judged
        self._n_bounded = 0

    def bounded_steps(self, n_steps):
        """How many bounded iterations to do, and the cost at which to stop."""
        # The first makes the bounds, the second shows what they are worth.
        return 1 if self._n_bounded < 2 else n_steps, self._regroup_at - self.cost

    def note_bounded(self, n_iter, cost):
        """Count bounded iterations, and what they cost."""
        self._n_bounded += n_iter
        self.cost += cost

    def after_bounded(self, cost):
        """What follows the last bounded iterations, which had this cost."""
        if self._n_bounded == 1:
            self._first_cost = cost
        elif self._n_bounded == 2:
            return self._judge(cost)
        elif self.cost >= self._regroup_at:
            self._cost_before = (self.cost - self._judged_at) / (self._n_bounded - 2)
            return Next.REGROUP
        return Next.BOUNDED

    def _judge(self, cost):
        """What follows the second iteration with new bounds, which had this cost."""
        self._judged_at = self.cost
        if cost > self._policy.helps * self.plain_cost:
            self._wait_to_regroup(self._wait, self._wait)
            self._wait *= 2
            return Next.PLAIN
        helped = cost < self._policy.helps * self._cost_before
        self._patience = 1 if helped else 2 * self._patience
        again = self._regroup_cost + self._first_cost
        self._regroup_at = self.cost + self._patience * again
        return Next.BOUNDED
