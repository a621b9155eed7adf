"""What do iterations that skip distances gain, where they help and where they don't?

Each benchmark runs Lloyd's algorithm from the same centers to its end, plain or as it chooses by
itself, and gives the ratio of the times.
"""

import time

import numpy as np

from . import internals

WORKLOADS = {  # rows, features, clusters, standard deviation of the clusters (None: uniform), dtype
    "plane 300,000 x 2, k=50": (300_000, 2, 50, 0.3, "f8"),
    "clusters 300,000 x 8, k=256": (300_000, 8, 256, 0.5, "f4"),
    "clusters 300,000 x 16, k=64": (300_000, 16, 64, 0.7, "f4"),
    "codes 100,000 x 64, k=256": (100_000, 64, 256, 0.7, "f4"),
    "few 1,000,000 x 8, k=16": (1_000_000, 8, 16, 0.7, "f4"),
    "apart 60,000 x 100, k=10": (60_000, 100, 10, 1.0, "f4"),
    "structureless 50,000 x 10, k=8": (50_000, 10, 8, None, "f8"),
    "structureless 100,000 x 16, k=64": (100_000, 16, 64, None, "f4"),
    "structureless 50,000 x 128, k=100": (50_000, 128, 100, None, "f4"),
}


def make_rows(n_samples, n_features, n_clusters, std, dtype):
    """Gaussian clusters around normal centers, or uniform rows."""
    rng = np.random.default_rng(11)
    if std is None:
        return rng.random((n_samples, n_features)).astype(dtype)
    centers = rng.normal(size=(n_clusters, n_features))
    X = std * rng.standard_normal((n_samples, n_features))
    return (X + centers[rng.integers(n_clusters, size=n_samples)]).astype(dtype)


def run_to_end(rows, centers, **how):
    """Iterate to the end, 60 times at most; return how often. `how` goes to `start_lloyd`."""
    state = internals.start_lloyd(rows, centers, **how)
    n_iter, converged = 0, False
    while n_iter < 60 and not converged:
        n_more, converged = internals.iterate(state, n_iter, 60 - n_iter, 0.0)
        n_iter += n_more
    return n_iter


def run(rows, centers, skip):
    """Seconds of a run, and the number of its iterations."""
    start = time.perf_counter()
    n_iter = run_to_end(rows, centers, skip=skip)
    return time.perf_counter() - start, n_iter


class Bounds:
    """Plain iterations against those that skip."""

    params = [list(WORKLOADS)]
    param_names = ["workload"]
    unit = "x"
    timeout = 600

    def setup_cache(self):
        return {name: make_rows(*shape) for name, shape in WORKLOADS.items()}

    def setup(self, rows, name):
        X = rows[name]
        self.rows = internals.pack(X, internals.estimate_mean(X))
        self.centers = internals.seeds(self.rows, WORKLOADS[name][2])
        for skip in (False, True):
            run(self.rows, self.centers, skip)

    def track_gain(self, rows, name):
        ratios = []
        for _ in range(3):
            plain, n_iter = run(self.rows, self.centers, False)
            skipping, same_n_iter = run(self.rows, self.centers, True)
            assert n_iter == same_n_iter
            ratios.append(plain / skipping)
        return float(np.median(ratios))
