"""How much faster than scikit-learn's are the metrics, and how long do large silhouettes take?

`Silhouettes` chose PAIR_TILE (`_kernels/simd/sizes.py`) and the block of
`_kernels/metrics/silhouette.py`: change a constant and run it again.
"""

import numpy as np
import sklearn.metrics

from .timing import speed_up

SHAPES = {  # rows, features, clusters
    "few 300 x 4, k=3": (300, 4, 3),
    "many clusters 2,000 x 4, k=500": (2_000, 4, 500),
    "mid 10,000 x 16, k=10": (10_000, 16, 10),
    "wide 3,000 x 300, k=10": (3_000, 300, 10),
}
METRICS = ["silhouette_samples", "calinski_harabasz_score", "davies_bouldin_score"]
LARGE = {
    "20,000 x 16, k=10": (20_000, 16, 10),
    "50,000 x 2, k=8": (50_000, 2, 8),
    "30,000 x 64, k=20": (30_000, 64, 20),
}


def make_rows(n_samples, n_features, n_clusters):
    """Gaussian clusters around normal centers, and their labels."""
    rng = np.random.default_rng(5)
    labels = np.arange(n_samples) % n_clusters
    centers = rng.normal(size=(n_clusters, n_features))
    return rng.normal(size=(n_samples, n_features)) + centers[labels], labels


class AgainstScikitLearn:
    """Seconds of a metric by scikit-learn over those by fastclust, in turns in one process."""

    params = [METRICS, list(SHAPES)]
    param_names = ["metric", "rows"]
    timeout = 600

    def setup_cache(self):
        return {name: make_rows(*shape) for name, shape in SHAPES.items()}

    def setup(self, rows, metric, name):
        from fastclust import metrics

        self.functions = [
            lambda module=module: getattr(module, metric)(*rows[name])
            for module in (sklearn.metrics, metrics)
        ]
        for function in self.functions:
            function()

    def track_speed_up(self, rows, metric, name):
        return speed_up(*self.functions, budget=1.0)

    track_speed_up.unit = "x"


class Silhouettes:
    """Exact silhouettes of many rows: seconds, and memory."""

    params = list(LARGE)
    chosen = params[:1]
    param_names = ["rows"]
    timeout = 600
    source = "metrics/silhouette.py"

    def setup_cache(self):
        return {name: make_rows(*shape) for name, shape in LARGE.items()}

    def setup(self, rows, name):
        from fastclust.metrics import silhouette_samples

        X, labels = rows[name]
        self.call = lambda: silhouette_samples(X, labels)
        silhouette_samples(X[:3000], labels[:3000])

    def time_silhouettes(self, rows, name):
        self.call()

    def peakmem_silhouettes(self, rows, name):
        self.call()
