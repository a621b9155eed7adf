"""What benchmarks of a kind share. asv takes each class for a benchmark but those named _Like_this.

A class that inherits from these says `params` and has a `setup_cache` of its own: asv knows one by
where its code is, so that classes which inherit it would get the first one's rows.
"""

import warnings

from sklearn.exceptions import ConvergenceWarning

from . import workloads
from .timing import best_seconds, speed_up


class _Kernel:
    """A kernel alone.

    `make(X, k)` returns what calls the kernel, and its operations per row. `source` is the kernel's
    file in `_kernels`; slower.py times `call` of the `chosen` cases.
    """

    chosen: list[str]
    param_names = ["rows"]
    timeout = 300
    source = ""

    def setup(self, rows, name):
        X, n_clusters = rows[name]
        self.call, self.flops = self.make(X, n_clusters)
        self.n_samples = X.shape[0]
        self.call()  # which compiles

    def time_kernel(self, rows, name):
        self.call()

    def track_ns_per_row(self, rows, name):
        return 1e9 * best_seconds(self.call) / self.n_samples

    track_ns_per_row.unit = "ns"

    def track_gflops(self, rows, name):
        return 1e-9 * self.flops * self.n_samples / best_seconds(self.call)

    track_gflops.unit = "GFLOP/s"


class _Estimator:
    """An estimator on the rows that `workloads.store(params)` wrote; its kernels are compiled."""

    param_names = ["workload"]
    warmup_time = 0
    repeat = (3, 10, 20.0)
    timeout = 300


class _Fit(_Estimator):
    """Fits; slower.py times `call` of the `chosen` cases, where there are some."""

    def setup(self, files, name):
        warnings.simplefilter("ignore", ConvergenceWarning)
        self.X = workloads.load(files[name])
        self.estimator = workloads.ALL[name].estimator("fastclust").fit(self.X)

    def call(self):
        """One fit."""
        self.estimator.fit(self.X)

    def time_fit(self, files, name):
        self.call()


class _Inference(_Estimator):
    """What a short fit says of many rows, by each of `methods`, and of one."""

    methods = ["predict"]

    def setup(self, files, name):
        warnings.simplefilter("ignore", ConvergenceWarning)
        self.X = workloads.load(files[name])
        self.row = self.X[:1]
        self.estimator = workloads.ALL[name].estimator("fastclust", max_iter=2).fit(self.X)
        for method in self.methods:
            for X in (self.X, self.row):
                getattr(self.estimator, method)(X)

    def time_predict(self, files, name):
        self.estimator.predict(self.X)

    def time_predict_one_row(self, files, name):
        self.estimator.predict(self.row)


class _AgainstScikitLearn:
    """Seconds of a fit by scikit-learn over those by fastclust, in turns in one process.

    slower.py times `call`, of the `chosen` cases.
    """

    chosen: list[str]
    param_names = ["workload"]
    timeout = 600
    version = "1"  # of the results in results/reference: edits of this file keep them

    def setup(self, files, name):
        warnings.simplefilter("ignore", ConvergenceWarning)
        X = workloads.load(files[name])
        workload = workloads.ALL[name]
        self.call = lambda: workload.estimator("fastclust").fit(X)
        self.theirs = lambda: workload.estimator("sklearn").fit(X)
        self.call()  # which compiles

    def track_speed_up(self, files, name):
        return speed_up(self.theirs, self.call)

    track_speed_up.unit = "x"
