"""Packed rows that are in Dask's workers: a pass is one task for each block, and a tree of sums."""

import copy
import functools
import operator
import uuid

import dask
import numpy as np
from dask.delayed import Delayed
from dask.sizeof import sizeof

from fastclust import _threads
from fastclust._algorithms.kmeans.precision import SearchedCenters
from fastclust._algorithms.kmeans.statistics import ClusterStatistics
from fastclust._algorithms.metrics.labelled_rows import ClusterSums
from fastclust._algorithms.mixture.moments import MixtureMoments
from fastclust._algorithms.rows.block_passes import RowsInBlocks
from fastclust._algorithms.rows.merging import FAN_IN, merge
from fastclust._algorithms.rows.panels import Panels
from fastclust.dask._starts import DaskCandidates


@sizeof.register(Panels)
def _size_of_panels(panels):
    """Bytes of panels, for Dask, which counts what its workers hold."""
    return panels.values.nbytes + panels.weights.nbytes


@sizeof.register((ClusterStatistics, ClusterSums, MixtureMoments, SearchedCenters))
def _size_of_attributes(statistics):
    return sum(sizeof(value) for value in vars(statistics).values())


@functools.cache
def fingerprint():
    """Bits of a sum that depend on how this process rounds: in fused multiply-adds, or not."""
    rows = np.random.RandomState(0).random_sample((64, 5))
    return Panels(rows, None, np.zeros(5)).cluster_statistics(rows[:3]).inertia.hex()


def count_threads(n_blocks):
    """Threads for a task, so that the tasks of one pass take all that there are."""
    client = _client()
    total = _threads.effective_n_threads() if client is None else sum(client.nthreads().values())
    return max(1, total // max(1, n_blocks))


def _client():
    """The client that Dask computes with, if there is one."""
    try:
        from distributed import get_client
    except ImportError:
        return None
    try:
        return get_client()
    except ValueError:
        return None


class DaskRows(RowsInBlocks):
    """Rows in Dask's workers, less a point or divided by their norms.

    Parameters
    ----------
    blocks : list of Delayed
        Each is the `Panels` of a block, computed.
    facts : Facts
        Facts of the rows.
    origin : ndarray of shape (n_features,)
        What has been subtracted.
    dtype : dtype
        Type of the rows.
    unit : bool
        Whether the rows have been divided by their norms.
    starts : ndarray of int64
        Number of the first row of each block.
    block_weights : ndarray of float64
        Sum of the weights of each block.
    has_weights : bool
        Whether not all weights are 1.
    fingerprint : str
        What `fingerprint` returns in each of the workers.
    """

    def __init__(
        self, blocks, facts, origin, dtype, unit, *, starts, block_weights, has_weights, fingerprint
    ):
        self._blocks, self._fingerprint, self._has_weights = blocks, fingerprint, has_weights
        self.n_samples, self.n_features, self.dtype = facts.n_samples, len(origin), dtype
        self.origin, self.block_starts, self.block_weights = origin, starts, block_weights
        self.n_blocks = self.n_kept = len(blocks)
        self.unit = unit
        self.learn_squares(None if unit else facts)
        self._n_threads = count_threads(len(blocks))
        self._keys = [block.key for block in blocks]
        self._graph = {key: part for block in blocks for key, part in dict(block.dask).items()}

    @property
    def has_weights(self):
        """Whether not all weights are 1."""
        return self._has_weights

    def each_block(self, function, *parameters, of_blocks=None, numbers=None):
        """Delayed function(panels, *parameters) of each block, or of those of some numbers.

        `of_blocks` has a further parameter for each of them.
        """
        shared = dask.delayed(_Shared(function, parameters, self._n_threads, self._fingerprint))
        numbers = range(self.n_blocks) if numbers is None else numbers
        own = [()] * len(numbers) if of_blocks is None else [(value,) for value in of_blocks]
        run = dask.delayed(_run, pure=False)
        return [run(self._blocks[i], shared, *value) for i, value in zip(numbers, own, strict=True)]

    def sum_blocks(self, function, *parameters, add=operator.add, of_rows=None):
        """Sum of function(panels, *parameters) over the blocks, in the order of `sum_tree`.

        `of_rows` is a list of Delayed, a block each, which have been computed: a block gets its own
        as a last parameter. The graph is written by hand: to make it of delayed calls takes longer
        than small passes.
        """
        name = f"{function.__name__.strip('_')}-{uuid.uuid4().hex}"
        shared = f"shared-{name}"
        graph = self._graph | {
            shared: _Shared(function, parameters, self._n_threads, self._fingerprint)
        }
        keys, level = self._keys, 0
        own = [()] * len(keys) if of_rows is None else [(values.key,) for values in of_rows]
        for values in of_rows or ():
            graph |= dict(values.dask)
        nodes = {(name, level, i): (_run, key, shared, *own[i]) for i, key in enumerate(keys)}
        graph |= nodes
        while len(nodes) > 1:
            keys, level = list(nodes), level + 1
            groups = [keys[i : i + FAN_IN] for i in range(0, len(keys), FAN_IN)]
            nodes = {(name, level, i): (merge, group, add) for i, group in enumerate(groups)}
            graph |= nodes
        # A copy is aligned as the kernels read it, which what came in a message need not be.
        return copy.deepcopy(dask.compute(Delayed(next(iter(nodes)), graph))[0])

    def start_candidates(self):
        """Candidates of k-means|| among these rows."""
        return DaskCandidates(self)

    def take_packed(self, indices):
        """Return rows by number, less the origin, with NaN where values are missing."""
        taken = np.empty((len(indices), self.n_features), dtype=self.dtype)
        return self._collect(_take, indices, taken)

    def take_weights(self, indices):
        """Weights of rows by number."""
        return self._collect(_take_weights, indices, np.ones(len(indices), dtype=self.dtype))

    def _collect(self, function, indices, out):
        """Fill `out` with what function(panels, numbers) returns of rows by number in the block."""
        indices = np.asarray(indices)
        of_row = np.searchsorted(self.block_starts, indices, side="right") - 1
        numbers = np.unique(of_row)
        places = [np.flatnonzero(of_row == number) for number in numbers]
        of_blocks = [
            indices[i] - self.block_starts[n] for i, n in zip(places, numbers, strict=True)
        ]
        found = self.each_block(function, of_blocks=of_blocks, numbers=numbers)
        for i, values in zip(places, dask.compute(*found), strict=True):
            out[i] = values
        return out

    def assign(self, centers, tiles=None):
        """Labels of these centers: they are not fetched, only counted; see `LabelsElsewhere`."""
        return self.assign_with_inertia(centers)[0]

    def assign_with_inertia(self, centers, tiles=None):
        """The same labels, and the weighted sum of the squared distances."""
        statistics = self.cluster_statistics(centers)
        n_distinct = int(np.count_nonzero(statistics.counts))
        return LabelsElsewhere(self.n_samples, n_distinct), statistics.inertia


class WeightsElsewhere:
    """Weights of rows that are in other processes: asked for by number, as those of an array."""

    def __init__(self, rows):
        self._rows = rows

    def __getitem__(self, indices):
        return self._rows.take_weights(indices)


class LabelsElsewhere:
    """Labels of rows that are in other processes.

    Attributes
    ----------
    n_distinct : int
        How many labels occur.
    """

    def __init__(self, n_samples, n_distinct):
        self._n_samples, self.n_distinct = n_samples, n_distinct

    def __len__(self):
        return self._n_samples


class _Shared:
    """What the tasks of a pass share: it travels to each worker once."""

    def __init__(self, function, parameters, n_threads, fingerprint):
        self.function, self.parameters = function, parameters
        self.n_threads, self.fingerprint = n_threads, fingerprint

    def __sizeof__(self):
        return sizeof(self.parameters)


def _run(panels, shared, *of_block):
    """One task of a pass."""
    if fingerprint() != shared.fingerprint:
        raise RuntimeError("A worker that rounds differently from the others has joined them.")
    with _threads.limit_threads(shared.n_threads):
        return shared.function(panels, *shared.parameters, *of_block)


def _take(panels, numbers):
    """Rows of a block by number."""
    return panels.take_packed(numbers)


def _take_weights(panels, numbers):
    """Weights of rows of a block by number."""
    return panels.row_weights()[numbers]
