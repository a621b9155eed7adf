"""How do the hot paths scale with threads: one, two, all?"""

import warnings

import joblib
from sklearn.exceptions import ConvergenceWarning

from . import workloads


class Threads:
    """Fits and predictions on so many threads; the results are the same bits."""

    params = [
        [
            "pixels 273,280 x 3, k=32",
            "blobs 500,000 x 16, k=100",
            "blobs 1,000,000 x 8, k=16, batches of 16,384",
            "bisected blobs 200,000 x 16, k=64",
            "spherical blobs 500,000 x 8, k=16",
            "ellipsoids 200,000 x 8, k=12, full",
            "Bayesian, ellipsoids 200,000 x 8, k=12, full, 10 iterations",
            "ellipsoids 200,000 x 8, k=12, full, batches of 4,096, 4 passes",
        ],
        sorted({1, 2, joblib.cpu_count()}),
    ]
    param_names = ["workload", "threads"]
    warmup_time = 0
    repeat = (3, 10, 10.0)
    timeout = 300

    def setup_cache(self):
        return workloads.store(self.params[0])

    def setup(self, files, name, n_threads):
        import fastclust

        warnings.simplefilter("ignore", ConvergenceWarning)
        self.limit_threads = fastclust.limit_threads
        self.X = workloads.load(files[name])
        self.estimator = workloads.ALL[name].estimator("fastclust", max_iter=30).fit(self.X)
        self.estimator.predict(self.X)

    def time_fit(self, files, name, n_threads):
        with self.limit_threads(n_threads):
            self.estimator.fit(self.X)

    def time_predict(self, files, name, n_threads):
        with self.limit_threads(n_threads):
            self.estimator.predict(self.X)
