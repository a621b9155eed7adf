"""How do the hot paths scale with threads: one, two, all?"""

import joblib

from . import workloads
from .workloads import KMEANS, MIXTURES

N_THREADS = sorted({1, 2, joblib.cpu_count()})
K_MEANS = ["pixels 273,280 x 3, k=32", "blobs 500,000 x 16, k=100"]
MIXTURE = ["ellipsoids 200,000 x 8, k=12, full"]


class KMeansFit:
    """Fits and predictions of KMeans on so many threads; the results are the same bits."""

    params = [K_MEANS, N_THREADS]
    param_names = ["workload", "threads"]
    warmup_time = 0
    repeat = (3, 10, 10.0)
    timeout = 300

    def setup_cache(self):
        return workloads.store({name: KMEANS[name] for name in K_MEANS})

    def setup(self, files, name, n_threads):
        import fastclust

        self.limit_threads = fastclust.limit_threads
        self.X = workloads.load(files[name])
        self.kmeans = KMEANS[name].estimator("fastclust", max_iter=30).fit(self.X)

    def time_fit(self, files, name, n_threads):
        with self.limit_threads(n_threads):
            self.kmeans.fit(self.X)

    def time_predict(self, files, name, n_threads):
        with self.limit_threads(n_threads):
            self.kmeans.predict(self.X)


class MixtureFit:
    """Fits of GaussianMixture on so many threads."""

    params = [MIXTURE, N_THREADS]
    param_names = ["workload", "threads"]
    warmup_time = 0
    repeat = (3, 10, 10.0)
    timeout = 300

    def setup_cache(self):
        return workloads.store({name: MIXTURES[name] for name in MIXTURE})

    def setup(self, files, name, n_threads):
        import fastclust

        self.limit_threads = fastclust.limit_threads
        self.X = workloads.load(files[name])
        self.mixture = MIXTURES[name].estimator("fastclust").fit(self.X)

    def time_fit(self, files, name, n_threads):
        with self.limit_threads(n_threads):
            self.mixture.fit(self.X)
