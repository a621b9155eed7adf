"""How long do fit, predict and transform take, and how many times longer does scikit-learn?"""

import time

import numpy as np

from .workloads import WORKLOADS

NAMES = list(WORKLOADS)


class Fit:
    """Fits in a process whose kernels are compiled."""

    params = NAMES
    param_names = ["workload"]
    warmup_time = 0
    repeat = (3, 10, 20.0)
    timeout = 300

    def setup(self, name):
        workload = WORKLOADS[name]
        self.X = workload.make()
        self.kmeans = workload.estimator("fastclust")
        workload.estimator("fastclust", max_iter=2).fit(self.X)

    def time_fit(self, name):
        self.kmeans.fit(self.X)

    def peakmem_fit(self, name):
        self.kmeans.fit(self.X)


class Inference:
    """New rows against the centers of a short fit."""

    params = NAMES
    param_names = ["workload"]
    warmup_time = 0
    repeat = (3, 10, 20.0)
    timeout = 300

    def setup(self, name):
        workload = WORKLOADS[name]
        self.X = workload.make()
        self.row = self.X[:1]
        self.kmeans = workload.estimator("fastclust", max_iter=2, n_init=1).fit(self.X)
        for X in (self.X, self.row):
            self.kmeans.predict(X)
            self.kmeans.transform(X)

    def time_predict(self, name):
        self.kmeans.predict(self.X)

    def time_transform(self, name):
        self.kmeans.transform(self.X)

    def time_predict_one_row(self, name):
        self.kmeans.predict(self.row)


class AgainstScikitLearn:
    """Median seconds of scikit-learn over those of fastclust, the fits taking turns.

    Each starts after a pause in which the threads of the other fall asleep.
    """

    params = NAMES
    param_names = ["workload"]
    unit = "x"
    timeout = 600

    def setup(self, name):
        workload = WORKLOADS[name]
        self.X = workload.make()
        for package in ("sklearn", "fastclust"):
            workload.estimator(package, max_iter=2).fit(self.X)

    def track_speed_up(self, name):
        seconds = {"sklearn": [], "fastclust": []}
        for _ in range(3):
            for package, times in seconds.items():
                kmeans = WORKLOADS[name].estimator(package)
                time.sleep(0.1)
                start = time.perf_counter()
                kmeans.fit(self.X)
                times.append(time.perf_counter() - start)
        return np.median(seconds["sklearn"]) / np.median(seconds["fastclust"])
