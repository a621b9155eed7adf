"""How many GFLOP/s do the two kernels reach that a fit spends its time in?

The operations are those of the plain algorithm, so a kernel that skips work may pass the machine's
peak.
"""

import time

import numpy as np

SHAPES = [
    (1_000_000, 2, 8),
    (500_000, 8, 16),
    (200_000, 16, 64),
    (50_000, 64, 256),
    (20_000, 128, 1000),
    (20_000, 784, 10),
]
DTYPES = ["f4", "f8"]


def best_seconds(function, *args, n_repeats=7):
    """Shortest of some calls."""
    seconds = []
    for _ in range(n_repeats):
        start = time.perf_counter()
        function(*args)
        seconds.append(time.perf_counter() - start)
    return min(seconds)


class NearestCenter:
    """Label of the nearest center of every row: one multiply-add per row, center and feature."""

    params = [SHAPES, DTYPES]
    param_names = ["rows, features, clusters", "dtype"]
    unit = "GFLOP/s"

    def setup(self, shape, dtype):
        from fastclust._algorithms.panels import Panels

        n_samples, n_features, n_clusters = shape
        rng = np.random.default_rng(0)
        X = rng.standard_normal((n_samples, n_features)).astype(dtype)
        self.panels = Panels(X, None, np.zeros(n_features, dtype))
        self.centers = X[:n_clusters].copy()
        self.panels.assign(self.centers)

    def track_assign(self, shape, dtype):
        return 2 * np.prod(shape) / best_seconds(self.panels.assign, self.centers) / 1e9


class Seeding:
    """Rounds of greedy k-means++, each one pass over the rows.

    A subtraction and a multiply-add per row, feature and candidate, and again for the last winner.
    """

    params = [SHAPES, DTYPES]
    param_names = ["rows, features, clusters", "dtype"]
    unit = "GFLOP/s"

    def setup(self, shape, dtype):
        from fastclust._algorithms.panels import Panels

        n_samples, n_features, n_clusters = shape
        rng = np.random.default_rng(0)
        X = rng.standard_normal((n_samples, n_features)).astype(dtype)
        self.panels = Panels(X, None, np.zeros(n_features, dtype))
        n_rounds = min(10, n_clusters - 1)
        self.uniforms = rng.uniform(size=(n_rounds, 2 + int(np.log(n_clusters))))
        self.panels.run_seeding(0, self.uniforms)

    def track_run_seeding(self, shape, dtype):
        n_samples, n_features, _ = shape
        n_rounds, n_candidates = self.uniforms.shape
        n_flops = 3 * n_samples * n_features * n_rounds * (n_candidates + 1)
        return n_flops / best_seconds(self.panels.run_seeding, 0, self.uniforms, n_repeats=3) / 1e9
