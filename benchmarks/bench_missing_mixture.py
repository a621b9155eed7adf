"""How many times as long do mixtures take where values are missing, as on complete rows?

And how many times as long as fastclust does NumPy take, with a loop over patterns and components?
"""

import numpy as np

from . import internals, workloads
from .timing import speed_up

N_COMPONENTS = 8
CASES = {  # features, patterns or None for 10 % of the values, covariance type
    "200,000 x 16, 10 %, full": (16, None, "full"),
    "200,000 x 16, 10 %, tied": (16, None, "tied"),
    "200,000 x 16, 10 %, diag": (16, None, "diag"),
    "200,000 x 16, 10 %, spherical": (16, None, "spherical"),
    "200,000 x 8, 50 patterns, full": (8, 50, "full"),
}


def make_missing(shape, n_patterns):
    """Where values are missing: anywhere, or by so many patterns, the first of which is whole."""
    rng = np.random.default_rng(1)
    if n_patterns is None:
        missing = rng.random(shape) < 0.1
    else:
        patterns = rng.random((n_patterns, shape[1])) < 0.1
        patterns[0] = False
        missing = patterns[rng.integers(n_patterns, size=shape[0])]
    missing[missing.all(axis=1), 0] = False
    return missing


class NaiveIteration:
    """The E step and the moments about `means` for the M step, by NumPy and its BLAS.

    It begins with equal weights and unit covariances. What X has where values are missing is of no
    account.
    """

    def __init__(self, X, means, missing):
        self._X, self.means, self.weights = X, means, np.full(len(means), 1 / len(means))
        patterns, numbers = np.unique(missing, axis=0, return_inverse=True)
        rows = np.split(np.argsort(numbers, kind="stable"), np.cumsum(np.bincount(numbers))[:-1])
        self._groups = list(zip(patterns, rows, strict=True))
        self.covariances = np.broadcast_to(np.eye(X.shape[1]), (len(means), *[X.shape[1]] * 2))

    def run(self):
        """One iteration."""
        k, d = self.means.shape
        nk, first, second = np.zeros(k), np.zeros((k, d)), np.zeros((k, d, d))
        for pattern, rows in self._groups:
            m, o = np.flatnonzero(pattern), np.flatnonzero(~pattern)
            X, log_prob, completed = self._X[rows], np.empty((len(rows), k)), []
            for j in range(k):
                S, centered = self.covariances[j], X - self.means[j]
                factor = np.linalg.cholesky(S[np.ix_(o, o)])
                y = np.linalg.solve(factor, centered[:, o].T)
                log_det = np.log(np.diagonal(factor)).sum()
                log_prob[:, j] = np.log(self.weights[j]) - 0.5 * (y**2).sum(axis=0) - log_det
                slopes = np.linalg.solve(S[np.ix_(o, o)], S[np.ix_(o, m)])
                centered[:, m] = centered[:, o] @ slopes
                completed.append((centered, S[np.ix_(m, m)] - S[np.ix_(m, o)] @ slopes))
            resp = np.exp(log_prob - log_prob.max(axis=1, keepdims=True))
            resp /= resp.sum(axis=1, keepdims=True)
            nk += resp.sum(axis=0)
            for j, (centered, conditional) in enumerate(completed):
                scaled = centered * resp[:, j, np.newaxis]
                first[j] += scaled.sum(axis=0)
                second[j] += scaled.T @ centered
                second[j][np.ix_(m, m)] += resp[:, j].sum() * conditional
        return nk, first, second


class Missing:
    """One iteration in which nothing is skipped, in turns."""

    param_names = ["rows"]
    params = list(CASES)
    timeout = 600
    source, chosen = "mixture/patterns.py", params[:1]  # for slower.py, as `call`

    def setup_cache(self):
        return {
            n_features: workloads.ellipsoids(200_000, n_features, N_COMPONENTS, 1.0, "f8")
            for n_features in (8, 16)
        }

    def setup(self, rows, name):
        n_features, n_patterns, covariance_type = CASES[name]
        X = rows[n_features]
        means = 0.1 * np.random.default_rng(3).standard_normal((N_COMPONENTS, n_features))
        missing = make_missing(X.shape, n_patterns)
        self.complete = internals.MixtureIteration(X, means, covariance_type)
        self.incomplete = internals.incomplete_iteration(X, means, covariance_type, missing)
        self.naive = NaiveIteration(X, means, missing)
        self.complete.warm_up()
        self.incomplete.run()

    def call(self):
        self.incomplete.run()

    def track_incomplete_to_complete(self, rows, name):
        return speed_up(self.incomplete.run, self.complete.run)

    track_incomplete_to_complete.unit = "x"

    def track_numpy_to_fastclust(self, rows, name):
        return speed_up(self.naive.run, self.incomplete.run)

    track_numpy_to_fastclust.unit = "x"
