"""Rows are what answers to the protocol: statistics merge, and an algorithm asks nothing else."""

import functools
import pickle
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import scipy.sparse

from fastclust._algorithms.kmeans.lloyd import LloydOptions, run_lloyd
from fastclust._algorithms.kmeans.parallel_seeding import run_kmeans_parallel
from fastclust._algorithms.kmeans.statistics import ClusterStatistics
from fastclust._algorithms.mixture.components import Components
from fastclust._algorithms.mixture.covariance import COVARIANCE_TYPES
from fastclust._algorithms.mixture.moments import MixtureMoments
from fastclust._algorithms.mixture.passes import MixtureRows
from fastclust._algorithms.rows.missing import IncompleteArray
from fastclust._algorithms.rows.panels import Panels
from fastclust._algorithms.rows.protocol import (
    Iterations,
    LloydState,
    Rows,
    SearchableRows,
    Tiles,
)
from fastclust._algorithms.rows.source import pack
from tests.kernels.conftest import tolerance


class Parts:
    """Rows in several places, each of which has rows of its own: a small source of rows.

    CONTRIBUTING.md walks through it. It has no empty clusters, and seeds from its first part.
    """

    def __init__(self, parts):
        self._parts = parts
        self._starts = np.cumsum([0, *(part.n_samples for part in parts)])
        self.n_samples = int(self._starts[-1])
        self.n_features, self.dtype = parts[0].n_features, parts[0].dtype
        self.origin, self.unit = parts[0].origin, parts[0].unit

    @property
    def largest_square(self) -> float:
        return max(part.largest_square for part in self._parts)

    def is_small(self, n_clusters: int, n_runs: int) -> bool:
        return False

    def take(self, indices: np.ndarray) -> np.ndarray:
        rows = np.empty((len(indices), self.n_features), dtype=self.dtype)
        for part, start in zip(self._parts, self._starts[:-1], strict=True):
            is_here = (start <= indices) & (indices < start + part.n_samples)
            rows[is_here] = part.take(indices[is_here] - start)
        return rows

    def run_seeding(self, first: int, uniforms: np.ndarray) -> np.ndarray:
        return self._parts[0].run_seeding(first, uniforms)

    def start_lloyd(self, centers: np.ndarray) -> LloydState:
        return PartsLloyd(self, centers)

    def assign(self, centers: np.ndarray, tiles: Tiles | None = None) -> np.ndarray:
        return np.concatenate([part.assign(centers, tiles) for part in self._parts])

    def nearest(
        self, centers: np.ndarray, tiles: Tiles | None = None
    ) -> tuple[np.ndarray, np.ndarray]:
        labels, distances_sq = zip(*(p.nearest(centers, tiles) for p in self._parts), strict=True)
        return np.concatenate(labels), np.concatenate(distances_sq)

    def assign_with_inertia(
        self, centers: np.ndarray, tiles: Tiles | None = None
    ) -> tuple[np.ndarray, float]:
        found = [part.assign_with_inertia(centers, tiles) for part in self._parts]
        labels, inertias = zip(*found, strict=True)
        return np.concatenate(labels), sum(inertias)

    def label_inertias(self, centers: np.ndarray, labels: np.ndarray) -> np.ndarray:
        pairs = zip(self._parts, np.split(labels, self._starts[1:-1]), strict=True)
        return sum(part.label_inertias(centers, of_part) for part, of_part in pairs)

    def cluster_statistics(self, centers: np.ndarray) -> ClusterStatistics:
        first, *others = (part.cluster_statistics(centers) for part in self._parts)
        return sum(others, start=first)

    def transform(self, centers: np.ndarray, distances_out: np.ndarray) -> None:
        for part, out in zip(self._parts, np.split(distances_out, self._starts[1:-1]), strict=True):
            part.transform(centers, out)


class PartsLloyd:
    """Lloyd's algorithm that knows statistics only."""

    def __init__(self, rows, centers):
        self._rows, self.centers = rows, centers
        self._labels = np.full(rows.n_samples, -1)

    def advance(self, first_iteration: int, n_steps: int, tol: float) -> Iterations:
        labels, before = self._rows.assign(self.centers), self.centers
        statistics = self._rows.cluster_statistics(before)
        means = statistics.sums * (1 / statistics.weights)[:, np.newaxis]
        self.centers = means.astype(before.dtype)
        n_changed = int(np.count_nonzero(labels != self._labels))
        self._labels = labels
        return Iterations(1, n_changed, float(np.square(self.centers - before).sum()))

    def settle(self) -> None:
        pass

    def inertia(self, centers: np.ndarray) -> float:
        return self._rows.cluster_statistics(centers).inertia

    def finish(self, centers: np.ndarray, with_inertia: bool = True) -> tuple[np.ndarray, float]:
        return self._rows.assign_with_inertia(centers)


def make_rows(n_samples=1000, n_features=5, n_clusters=7):
    rng = np.random.default_rng(8)
    centers = 4 * rng.normal(size=(n_clusters, n_features))
    X = rng.normal(size=(n_samples, n_features)) + centers[np.arange(n_samples) % n_clusters]
    return X, rng.uniform(0.5, 2.0, size=n_samples)


def with_missing_values(X):
    return IncompleteArray(np.where(X > 5, np.nan, X).astype(X.dtype))


def packed(X, sample_weight, container, dtype):
    weights = None if sample_weight is None else sample_weight.astype(dtype)
    return pack(container(X.astype(dtype)), weights, np.zeros(X.shape[1], dtype=dtype))


def split(X, sample_weight, border, container, dtype):
    """Packed rows before a border, and after it."""
    return [
        packed(X[part], None if sample_weight is None else sample_weight[part], container, dtype)
        for part in (slice(border), slice(border, None))
    ]


def assert_same_bits(a, b):
    for name, value in vars(a).items():
        np.testing.assert_array_equal(value, getattr(b, name))


def rows_pass(centers):
    return lambda rows: rows.cluster_statistics(centers)


def mixture_pass(covariance_type, centers):
    """Moments of the rows about the centers, from one pass of the E step."""

    def moments(rows):
        covariance = COVARIANCE_TYPES[covariance_type]
        k, d = centers.shape
        components = Components(covariance, k, d, rows.dtype)
        components.weights[:], components.means[:] = 1 / k, centers
        components.factors[:] = np.eye(d) if covariance_type in ("full", "tied") else 1.0
        components.lay_out()
        return MixtureRows(rows, covariance, k).moments(components)

    return moments


def total(statistics):
    """The numbers of statistics, whatever their kind and parts."""
    if isinstance(statistics, MixtureMoments):
        return [np.asarray(values).sum(axis=0) for values in vars(statistics).values()]
    return list(vars(statistics).values())


PASSES: dict[str, Callable[..., Any]] = {
    "k-means": rows_pass,
    **{name: functools.partial(mixture_pass, name) for name in COVARIANCE_TYPES},
}


@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("dtype", ["f4", "f8"])
@pytest.mark.parametrize(
    ("kind", "container"),
    [
        *((kind, np.asarray) for kind in PASSES),
        ("k-means", scipy.sparse.csr_array),
        ("k-means", with_missing_values),
    ],
)
def test_statistics_of_parts_add_up_to_those_of_the_whole(kind, container, dtype, weighted):
    X, sample_weight = make_rows()
    sample_weight = sample_weight if weighted else None
    run = PASSES[kind](X[:7].astype(dtype))
    whole = run(packed(X, sample_weight, container, dtype))
    # Each part is pickled, as it is when it comes from another process.
    a, b = (
        pickle.loads(pickle.dumps(run(rows)))
        for rows in split(X, sample_weight, 413, container, dtype)
    )
    # The sums of 1,000 rows, of which those of up to 32 vectors are in the rows' own type.
    rtol = tolerance(dtype, 32) + tolerance(np.float64, 1000)
    for merged, expected in zip(total(a + b), total(whole), strict=True):
        atol = rtol * np.abs(expected).max(initial=0.0)  # sums of differences cancel
        np.testing.assert_allclose(merged, expected, rtol=rtol, atol=atol)


def test_cluster_statistics_of_chunks_are_those_of_the_whole_to_the_bit():
    X, sample_weight = make_rows(2**14, 16, 8)  # two chunks of 2**13 rows
    whole = packed(X, sample_weight, np.asarray, "f8").cluster_statistics(X[:2])
    a, b = (
        rows.cluster_statistics(X[:2]) for rows in split(X, sample_weight, 2**13, np.asarray, "f8")
    )
    assert_same_bits(a + b, whole)


@pytest.mark.parametrize("covariance_type", list(COVARIANCE_TYPES))
def test_moments_of_chunks_are_those_of_the_whole_to_the_bit(covariance_type):
    X, sample_weight = make_rows(2**16, 8, 8)  # at most 64 chunks, of which a part has half
    run = mixture_pass(covariance_type, X[:8])
    whole = run(packed(X, sample_weight, np.asarray, "f8"))
    a, b = (run(rows) for rows in split(X, sample_weight, 2**15, np.asarray, "f8"))
    assert len(a.nk) == len(b.nk) == len(whole.nk) / 2
    assert_same_bits(a + b, whole)


@pytest.mark.parametrize("dtype", ["f4", "f8"])
@pytest.mark.parametrize("container", [np.asarray, scipy.sparse.csr_array])
def test_algorithms_run_on_parts(container, dtype):
    X, sample_weight = make_rows()
    starts = X[:7].astype(dtype)
    whole: Rows = packed(X, sample_weight, container, dtype)
    in_parts = split(X, sample_weight, 413, container, dtype)
    parts: SearchableRows = Parts(in_parts)
    first, second = (
        pickle.loads(pickle.dumps(rows.cluster_statistics(starts))) for rows in in_parts
    )
    assert_same_bits(first + second, parts.cluster_statistics(starts))
    ours, theirs = (run_lloyd(rows, starts, LloydOptions(100, tol=0.0)) for rows in (parts, whole))
    assert ours.n_iter == theirs.n_iter > 2
    np.testing.assert_array_equal(ours.labels, theirs.labels)
    # Sums of some 150 rows in another order; the centers are rounded to the rows' type.
    rtol = tolerance(dtype, 1)
    np.testing.assert_allclose(ours.centers, theirs.centers, rtol=rtol)
    assert ours.inertia == pytest.approx(theirs.inertia, rel=rtol)
    assert parts.largest_square == pytest.approx(whole.largest_square, rel=rtol)

    # What is asked for new rows, and after a fit.
    np.testing.assert_array_equal(parts.assign(ours.centers), ours.labels)
    inertias = parts.label_inertias(ours.centers, ours.labels)
    assert inertias.sum() == pytest.approx(ours.inertia, rel=rtol)
    distances = np.empty((len(X), 7), dtype=dtype)
    parts.transform(ours.centers, distances)
    np.testing.assert_array_equal(distances.argmin(axis=1), ours.labels)


@pytest.mark.parametrize("dtype", ["f4", "f8"])
@pytest.mark.parametrize("container", [np.asarray, scipy.sparse.csr_array])
def test_parallel_seeding_runs_on_parts(container, dtype):
    X, sample_weight = make_rows()
    weights = sample_weight.astype(dtype)
    parts: SearchableRows = Parts(split(X, sample_weight, 413, container, dtype))
    whole = packed(X, sample_weight, container, dtype)
    ours, theirs = (
        run_kmeans_parallel(rows, 7, weights, np.random.RandomState(0), 2.0, 5)
        for rows in (parts, whole)
    )
    # A row's distances do not depend on what is beside it, so nor do draws: the same bits.
    np.testing.assert_array_equal(ours, theirs)


def test_statistics_of_no_rows_change_nothing():
    X, _ = make_rows(100)
    statistics = packed(X, None, np.asarray, "f8").cluster_statistics(X[:3])
    assert_same_bits(statistics + ClusterStatistics.zeros(3, 5), statistics)


def test_another_run_ends_the_order_of_the_last():
    panels = Panels(make_rows()[0], None, np.zeros(5))
    order = panels.start_run()
    panels.start_run()
    labels = panels.new_labels()
    with pytest.raises(RuntimeError, match="Another run"):
        panels.regroup(order, labels, np.zeros(labels.shape), 1)
