"""How long does each kernel take alone: nanoseconds per row, and GFLOP/s?

The operations are those of the plain algorithm, so that a kernel that skips work may pass the
machine's peak. The constants of `_kernels/simd` were chosen by these: change one and run them
again. Those of the mixtures' passes are in bench_gaussian_mixture.py, of silhouettes in
bench_metrics.py.
"""

import numpy as np
import scipy.sparse

from . import internals
from .bases import _Kernel

SHAPES = {  # rows, features, clusters, dtype
    "mid 100,000 x 16, k=64, f4": (100_000, 16, 64, "f4"),
    "plane 500,000 x 2, k=8, f8": (500_000, 2, 8, "f8"),
    "codes 20,000 x 128, k=500, f4": (20_000, 128, 500, "f4"),
    "pictures 10,000 x 784, k=10, f4": (10_000, 784, 10, "f4"),
}
FEW = list(SHAPES)[:2]  # for kernels that are a small part of a fit


def make_rows():
    """Normal rows of each shape, and its number of clusters, by its name."""
    rng = np.random.default_rng(0)
    return {
        name: (rng.standard_normal((n_samples, n_features)).astype(dtype), n_clusters)
        for name, (n_samples, n_features, n_clusters, dtype) in SHAPES.items()
    }


class _Dense(_Kernel):
    params = list(SHAPES)
    chosen = params[:1]


class Mean(_Dense):
    """Mean of the columns."""

    params = FEW
    source = "rows/pack.py"

    def setup_cache(self):
        return make_rows()

    def make(self, X, k):
        return lambda: internals.estimate_mean(X), X.shape[1]


class Pack(_Dense):
    """Rows into panels, and the sum of their squares."""

    params = FEW
    source = "rows/pack.py"

    def setup_cache(self):
        return make_rows()

    def make(self, X, k):
        rows = internals.pack(X)
        return lambda: internals.pack_again(rows), 3 * X.shape[1]


class Seeding(_Dense):
    """A round of greedy k-means++: distances of each row to the last seed and the candidates."""

    source = "kmeans/seeding.py"

    def setup_cache(self):
        return make_rows()

    def make(self, X, k):
        rows = internals.pack(X)
        n_rounds, n_candidates = 5, 2 + int(np.log(k))
        uniforms = np.random.default_rng(0).uniform(size=(n_rounds, n_candidates))
        flops = 3 * X.shape[1] * (n_candidates + 1) * n_rounds
        return lambda: internals.seed_rounds(rows, uniforms), flops


class Assign(_Dense):
    """Label of the nearest center."""

    source = "kmeans/assign.py"

    def setup_cache(self):
        return make_rows()

    def make(self, X, k):
        rows = internals.pack(X)
        return lambda: internals.assign(rows, X[:k]), 2 * k * X.shape[1]


class AssignWithInertia(_Dense):
    """The same, and the distance to it."""

    params = FEW
    source = "kmeans/assign.py"

    def setup_cache(self):
        return make_rows()

    def make(self, X, k):
        rows = internals.pack(X)
        return lambda: internals.assign_with_inertia(rows, X[:k]), (2 * k + 3) * X.shape[1]


class Iterate(_Dense):
    """A plain iteration of Lloyd's algorithm, late in a run: few rows change their cluster."""

    source = "kmeans/lloyd.py"

    def setup_cache(self):
        return make_rows()

    def make(self, X, k):
        state = internals.start_lloyd(internals.pack(X), X[:k].copy(), skip=False)
        for iteration in range(10):
            internals.iterate(state, iteration, 1)
        return lambda: internals.iterate(state, 10, 1), 2 * k * X.shape[1]


class IterateFiltered(Iterate):
    """The same in float64, which looks into float32 first."""

    params = ["digits 1,797 x 64, k=10, f8", "doubles 20,000 x 100, k=20, f8"]
    chosen = params[1:]
    source = "kmeans/filtered.py"

    def setup_cache(self):
        rng = np.random.default_rng(0)
        shapes = (1797, 64, 10), (20_000, 100, 20)
        rows = [(rng.normal(size=(n_samples, d)), k) for n_samples, d, k in shapes]
        return dict(zip(self.params, rows, strict=True))


class IterateBounded(_Dense):
    """20 iterations from random rows, which leave out distances as they choose."""

    source = "kmeans/bounded.py"

    def setup_cache(self):
        return make_rows()

    def make(self, X, k):
        rows = internals.pack(X)

        def run():
            state = internals.start_lloyd(rows, X[:k].copy())
            n_iter = 0
            while n_iter < 20:
                n_iter += internals.iterate(state, n_iter, 20 - n_iter)[0]

        return run, 20 * 2 * k * X.shape[1]


class Regroup(_Dense):
    """Rows sorted by label and distance, and packed anew."""

    params = FEW
    source = "rows/sort.py"

    def setup_cache(self):
        return make_rows()

    def make(self, X, k):
        return internals.regroup(internals.pack(X), X[:k]), 3 * X.shape[1]


class SumClusters(_Dense):
    """Sums of the rows of each cluster, from scratch."""

    source = "kmeans/m_step.py"

    def setup_cache(self):
        return make_rows()

    def make(self, X, k):
        rows = internals.pack(X)
        labels = internals.assign(rows, X[:k])
        return lambda: internals.sum_clusters(rows, labels, k), X.shape[1]


class Transform(_Dense):
    """Distances of each row to each center, of which none is kept but the last block's."""

    source = "kmeans/distances.py"

    def setup_cache(self):
        return make_rows()

    def make(self, X, k):
        rows, distances = internals.pack(X), np.empty((len(X), k), dtype=X.dtype)
        return lambda: internals.transform(rows, X[:k], distances), 3 * k * X.shape[1]


class OwnDistances(_Dense):
    """Distance of each row to the center of its label."""

    params = FEW
    source = "kmeans/distances.py"

    def setup_cache(self):
        return make_rows()

    def make(self, X, k):
        rows = internals.pack(X)
        labels = internals.assign(rows, X[:k])
        return lambda: internals.own_distances(rows, X[:k], labels), 3 * X.shape[1]


class AssignSparse(_Kernel):
    """Label of the nearest center of sparse rows; the operations are those of stored values."""

    params = chosen = ["words 20,000 x 5,000, k=2", "words 20,000 x 5,000, k=20"]
    source = "kmeans/csr.py"
    n_stored = 25

    def setup_cache(self):
        X = _sparse_rows(20_000, 5_000, self.n_stored)
        return {name: (X, k) for name, k in zip(self.params, (2, 20), strict=True)}

    def make(self, X, k):
        rows, centers = internals.pack_sparse(X), X[:k].toarray()
        return lambda: internals.assign(rows, centers), 2 * k * self.n_stored


class IterateSparse(AssignSparse):
    """An iteration of Lloyd's algorithm on sparse rows."""

    params = chosen = ["words 20,000 x 5,000, k=20"]

    def setup_cache(self):
        return {self.params[0]: (_sparse_rows(20_000, 5_000, self.n_stored), 20)}

    def make(self, X, k):
        state = internals.start_lloyd(internals.pack_sparse(X), X[:k].toarray())
        for iteration in range(10):
            internals.iterate(state, iteration, 1)
        return lambda: internals.iterate(state, 10, 1), 2 * k * self.n_stored


class TakeSparse(_Kernel):
    """Copies of half of the sparse rows, by number; the operations are those of stored values."""

    params = chosen = ["words 20,000 x 5,000"]
    source = "rows/pack.py"
    n_stored = 25

    def setup_cache(self):
        return {self.params[0]: (_sparse_rows(20_000, 5_000, self.n_stored), 1)}

    def make(self, X, k):
        numbers = np.arange(0, X.shape[0], 2, dtype=np.int32)
        return lambda: internals.pack_sparse_part(X, numbers), self.n_stored


def _sparse_rows(n_samples, n_features, n_stored):
    """Rows with as many uniform values, in random columns."""
    rng = np.random.default_rng(0)
    columns = np.sort(rng.integers(n_features, size=(n_samples, n_stored)))
    starts = np.arange(n_samples + 1) * n_stored
    data = rng.uniform(size=columns.size)
    X = scipy.sparse.csr_matrix((data, columns.ravel(), starts), shape=(n_samples, n_features))
    X.sum_duplicates()
    return X
