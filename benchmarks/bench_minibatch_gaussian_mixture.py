"""How long do mixtures by mini-batches take, and how near to those of EM are they?

There is nothing like it in scikit-learn: EM on all rows is what it is compared with.
"""

import warnings

from sklearn.exceptions import ConvergenceWarning

import fastclust

from . import workloads
from .bases import _Fit

BATCH_SIZES = {
    "batches of 1,024": 1024,
    "batches of 8,192": 8192,
    "all rows": 1_000_000,
}
N_COMPONENTS = 16


class Fit(_Fit):
    """From the start through all passes."""

    params = chosen = list(workloads.MIXTURE_BATCHES)

    def setup_cache(self):
        return workloads.store(self.params)


class Passes:
    """Fits to 1,000,000 x 8 rows; "all rows" is EM."""

    params = (list(BATCH_SIZES), ["full", "diag"])
    param_names = ("batches", "covariance")
    number, repeat, timeout = 1, 3, 600

    def setup_cache(self):
        return workloads.blobs(1_000_000, 8, N_COMPONENTS, "f8")

    def setup(self, X, batches, covariance):
        warnings.simplefilter("ignore", ConvergenceWarning)
        self.mixture = fastclust.MiniBatchGaussianMixture(
            N_COMPONENTS, covariance_type=covariance, batch_size=BATCH_SIZES[batches],
            random_state=0,
        )  # fmt: skip
        self.mixture.fit(X)

    def time_fit(self, X, batches, covariance):
        self.mixture.fit(X)

    def track_mean_log_likelihood(self, X, batches, covariance):
        return self.mixture.score(X)

    def track_passes(self, X, batches, covariance):
        return self.mixture.n_iter_


class Steps:
    """Steps of `partial_fit` on batches that come one by one: microseconds of one."""

    params = [100, 1_000, 10_000]
    param_names = ("rows",)

    def setup(self, n_rows):
        self.X = workloads.blobs(n_rows, 8, N_COMPONENTS, "f8")
        self.mixture = fastclust.GaussianMixture(N_COMPONENTS, random_state=0).fit(self.X)

    def time_partial_fit(self, n_rows):
        self.mixture.partial_fit(self.X)
