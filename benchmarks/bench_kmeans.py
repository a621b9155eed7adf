"""How long do fit, predict and transform take, and how many times longer does scikit-learn?"""

from . import workloads
from .timing import speed_up
from .workloads import KMEANS

COMPARED = [  # by scikit-learn in seconds, not minutes
    "iris 150 x 4, k=3, n_init=10",
    "digits 1,797 x 64, k=50",
    "pixels 273,280 x 3, k=32",
    "words 20,000 x 5,000 CSR, k=20",
    "blobs 500,000 x 2, k=10",
    "blobs 100,000 x 32, k=50",
]


class Fit:
    """Fits in a process whose kernels are compiled."""

    params = list(KMEANS)
    param_names = ["workload"]
    warmup_time = 0
    repeat = (3, 10, 20.0)
    timeout = 300

    def setup_cache(self):
        return workloads.store(KMEANS)

    def setup(self, files, name):
        self.X = workloads.load(files[name])
        self.kmeans = KMEANS[name].estimator("fastclust").fit(self.X)

    def time_fit(self, files, name):
        self.kmeans.fit(self.X)


class Inference:
    """New rows against the centers of a short fit."""

    params = [
        "digits 1,797 x 64, k=50",
        "words 20,000 x 5,000 CSR, k=20",
        "blobs 500,000 x 16, k=100",
    ]
    param_names = ["workload"]
    warmup_time = 0
    repeat = (3, 10, 20.0)
    timeout = 300

    def setup_cache(self):
        return workloads.store({name: KMEANS[name] for name in self.params})

    def setup(self, files, name):
        self.X = workloads.load(files[name])
        self.row = self.X[:1]
        self.kmeans = KMEANS[name].estimator("fastclust", max_iter=2, n_init=1).fit(self.X)
        for X in (self.X, self.row):
            self.kmeans.predict(X)
            self.kmeans.transform(X)

    def time_predict(self, files, name):
        self.kmeans.predict(self.X)

    def time_transform(self, files, name):
        self.kmeans.transform(self.X)

    def time_predict_one_row(self, files, name):
        self.kmeans.predict(self.row)


class AgainstScikitLearn:
    """Seconds of a fit by scikit-learn over those by fastclust, in turns in one process."""

    params = chosen = COMPARED
    param_names = ["workload"]
    timeout = 600

    def setup_cache(self):
        return workloads.store({name: KMEANS[name] for name in self.params})

    def setup(self, files, name):
        X = workloads.load(files[name])
        workload = KMEANS[name]
        workload.estimator("fastclust").fit(X)
        self.call = lambda: workload.estimator("fastclust").fit(X)
        self.theirs = lambda: workload.estimator("sklearn").fit(X)

    def track_speed_up(self, files, name):
        return speed_up(self.theirs, self.call)

    track_speed_up.unit = "x"
