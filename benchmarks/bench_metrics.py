"""How much faster than scikit-learn's are the metrics, and how long do large silhouettes take?

`Pairs` chose PAIR_TILE (`_kernels/simd.py`) and the block of `_kernels/silhouette.py`: change a
constant and run it again.
"""

import time

import numpy as np
import sklearn.metrics

SHAPES = {  # rows, features, clusters
    "few 300 x 4, k=3": (300, 4, 3),
    "many clusters 2,000 x 4, k=500": (2_000, 4, 500),
    "plane 5,000 x 2, k=8": (5_000, 2, 8),
    "mid 20,000 x 16, k=10": (20_000, 16, 10),
    "wide 3,000 x 300, k=10": (3_000, 300, 10),
}
METRICS = [
    "silhouette_samples",
    "calinski_harabasz_score",
    "davies_bouldin_score",
]


def make_rows(n_samples, n_features, n_clusters):
    """Gaussian clusters around normal centers, and their labels."""
    rng = np.random.default_rng(5)
    labels = np.arange(n_samples) % n_clusters
    centers = rng.normal(size=(n_clusters, n_features))
    return rng.normal(size=(n_samples, n_features)) + centers[labels], labels


class Ratio:
    """A metric by scikit-learn and by fastclust, in turn."""

    params = [METRICS, list(SHAPES)]
    param_names = ["metric", "rows"]
    unit = "times as fast"
    timeout = 600

    def setup(self, name, shape):
        from fastclust import metrics

        self.X, self.labels = make_rows(*SHAPES[shape])
        self.functions = [getattr(module, name) for module in (sklearn.metrics, metrics)]
        for function in self.functions:
            function(self.X, self.labels)

    def track_speed_up(self, name, shape):
        ratios = []
        for _ in range(5):
            seconds = []
            for function in self.functions:
                start = time.perf_counter()
                function(self.X, self.labels)
                seconds.append(time.perf_counter() - start)
            ratios.append(seconds[0] / seconds[1])
        return float(np.median(ratios))


class Pairs:
    """Exact silhouettes of rows too many for scikit-learn's patience."""

    params = [[(50_000, 2, 8), (50_000, 16, 10), (50_000, 64, 20), (200_000, 16, 10)]]
    param_names = ["rows, features, clusters"]
    timeout = 600

    def setup(self, shape):
        from fastclust.metrics import silhouette_samples

        self.X, self.labels = make_rows(*shape)
        self.silhouette_samples = silhouette_samples
        silhouette_samples(self.X[:3000], self.labels[:3000])

    def time_silhouettes(self, shape):
        self.silhouette_samples(self.X, self.labels)

    def peakmem_silhouettes(self, shape):
        self.silhouette_samples(self.X, self.labels)
