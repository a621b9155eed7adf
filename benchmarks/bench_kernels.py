"""How long does each kernel take alone: nanoseconds per row, and GFLOP/s?

The operations are those of the plain algorithm, so that a kernel that skips work may pass the
machine's peak. The constants of `_kernels/simd.py` were chosen by these: change one and run them
again. Those of the mixtures' passes are in bench_gaussian_mixture.py, of silhouettes in
bench_metrics.py.
"""

import numpy as np
import scipy.sparse

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


def _pack(X):
    from fastclust._algorithms.panels import Panels

    return Panels(X, None, np.zeros(X.shape[1], dtype=X.dtype))


class Mean(_Dense):
    """Mean of the columns."""

    params = FEW
    source = "rows"

    def setup_cache(self):
        return make_rows()

    def make(self, X, k):
        from fastclust._algorithms.panels import estimate_mean

        return lambda: estimate_mean(X), X.shape[1]


class Pack(_Dense):
    """Rows into panels, and the sum of their squares."""

    params = FEW
    source = "rows"

    def setup_cache(self):
        return make_rows()

    def make(self, X, k):
        return _pack(X)._pack, 3 * X.shape[1]


class Seeding(_Dense):
    """A round of greedy k-means++: distances of each row to the last seed and the candidates."""

    source = "seeding"

    def setup_cache(self):
        return make_rows()

    def make(self, X, k):
        panels = _pack(X)
        n_rounds, n_candidates = 5, 2 + int(np.log(k))
        uniforms = np.random.default_rng(0).uniform(size=(n_rounds, n_candidates))
        flops = 3 * X.shape[1] * (n_candidates + 1) * n_rounds
        return lambda: panels.run_seeding(0, uniforms), flops


class Assign(_Dense):
    """Label of the nearest center."""

    source = "assign"

    def setup_cache(self):
        return make_rows()

    def make(self, X, k):
        panels = _pack(X)
        return lambda: panels.assign(X[:k]), 2 * k * X.shape[1]


class AssignWithInertia(_Dense):
    """The same, and the distance to it."""

    params = FEW
    source = "assign"

    def setup_cache(self):
        return make_rows()

    def make(self, X, k):
        panels = _pack(X)
        return lambda: panels.assign_with_inertia(X[:k]), (2 * k + 3) * X.shape[1]


class Iterate(_Dense):
    """A plain iteration of Lloyd's algorithm, late in a run: few rows change their cluster."""

    source = "lloyd"

    def setup_cache(self):
        return make_rows()

    def make(self, X, k):
        state = _pack(X).start_lloyd(X[:k].copy(), skip=False)
        for iteration in range(10):
            state.advance(iteration, 1, -1.0)
        return lambda: state.advance(10, 1, -1.0), 2 * k * X.shape[1]


class IterateFiltered(Iterate):
    """The same in float64, which looks into float32 first."""

    params = ["digits 1,797 x 64, k=10, f8", "doubles 20,000 x 100, k=20, f8"]
    chosen = params[1:]
    source = "filtered"

    def setup_cache(self):
        rng = np.random.default_rng(0)
        shapes = (1797, 64, 10), (20_000, 100, 20)
        rows = [(rng.normal(size=(n_samples, d)), k) for n_samples, d, k in shapes]
        return dict(zip(self.params, rows, strict=True))


class IterateBounded(_Dense):
    """20 iterations from random rows, which leave out distances as they choose."""

    source = "bounds"

    def setup_cache(self):
        return make_rows()

    def make(self, X, k):
        panels = _pack(X)

        def run():
            panels.restore_order()
            state = panels.start_lloyd(X[:k].copy())
            n_iter = 0
            while n_iter < 20:
                n_iter += state.advance(n_iter, 20 - n_iter, -1.0).n_iter

        return run, 20 * 2 * k * X.shape[1]


class Regroup(_Dense):
    """Rows sorted by label and distance, and packed anew."""

    params = FEW
    source = "regroup"

    def setup_cache(self):
        return make_rows()

    def make(self, X, k):
        panels = _pack(X)
        labels = panels.assign(X[:k])
        distances_sq = panels.panel_distances_sq(X[:k], labels)
        return lambda: panels.regroup(labels, distances_sq, k), 3 * X.shape[1]


class SumClusters(_Dense):
    """Sums of the rows of each cluster, from scratch."""

    source = "centers"

    def setup_cache(self):
        return make_rows()

    def make(self, X, k):
        panels = _pack(X)
        labels = panels.assign(X[:k])
        return lambda: panels.sum_clusters(labels, k), X.shape[1]


class Transform(_Dense):
    """Distances of each row to each center, of which none is kept but the last block's."""

    source = "distances"

    def setup_cache(self):
        return make_rows()

    def make(self, X, k):
        panels, distances = _pack(X), np.empty((len(X), k), dtype=X.dtype)
        return lambda: panels.transform(X[:k], distances), 3 * k * X.shape[1]


class OwnDistances(_Dense):
    """Distance of each row to the center of its label."""

    params = FEW
    source = "distances"

    def setup_cache(self):
        return make_rows()

    def make(self, X, k):
        panels = _pack(X)
        labels = panels.assign(X[:k])
        return lambda: panels.distances_sq(X[:k], labels), 3 * X.shape[1]


class AssignSparse(_Kernel):
    """Label of the nearest center of sparse rows; the operations are those of stored values."""

    params = chosen = ["words 20,000 x 5,000, k=20"]
    source = "csr"
    n_stored = 25

    def setup_cache(self):
        return {self.params[0]: (_sparse_rows(20_000, 5_000, self.n_stored), 20)}

    def make(self, X, k):
        from fastclust._algorithms.csr_rows import CsrRows

        rows = CsrRows(X, None)
        centers = X[:k].toarray()
        return lambda: rows.assign(centers), 2 * k * self.n_stored


class IterateSparse(AssignSparse):
    """An iteration of Lloyd's algorithm on sparse rows."""

    def setup_cache(self):
        return {self.params[0]: (_sparse_rows(20_000, 5_000, self.n_stored), 20)}

    def make(self, X, k):
        from fastclust._algorithms.csr_rows import CsrRows

        state = CsrRows(X, None).start_lloyd(X[:k].toarray())
        for iteration in range(10):
            state.advance(iteration, 1, -1.0)
        return lambda: state.advance(10, 1, -1.0), 2 * k * self.n_stored


def _sparse_rows(n_samples, n_features, n_stored):
    """Rows with as many uniform values, in random columns."""
    rng = np.random.default_rng(0)
    columns = np.sort(rng.integers(n_features, size=(n_samples, n_stored)))
    starts = np.arange(n_samples + 1) * n_stored
    data = rng.uniform(size=columns.size)
    X = scipy.sparse.csr_matrix((data, columns.ravel(), starts), shape=(n_samples, n_features))
    X.sum_duplicates()
    return X
