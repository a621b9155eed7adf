"""How long do a pass of the E and M steps, fit and predict of a mixture take, and how much memory?

`Pass` chose BLOCK_PANELS (`_kernels/mixture.py`) and the tiles of `_kernels/tile_products.py`:
change a constant and run it again. `Separated` shows what the two ways to pass over components are
worth, where components are far apart: rows of like components side by side, and separators.
"""

import warnings

import numpy as np
from sklearn.exceptions import ConvergenceWarning

from .workloads import MIXTURES

NAMES = list(MIXTURES)
COVARIANCE_TYPES = ["full", "tied", "diag", "spherical"]
SHAPES = [  # rows, features, components
    (300, 2, 3),
    (500_000, 2, 8),
    (200_000, 8, 12),
    (50_000, 20, 10),
    (20_000, 64, 16),
    (5_000, 128, 32),
]
SEPARATED_SHAPES = [(200_000, 4, 8), (100_000, 8, 20), (50_000, 20, 16), (20_000, 64, 32)]
MEANS_STD = {"overlapping": 0.1, "separated": 3.0}  # standard deviation of the means


def make_rows(n_samples, n_features, n_components, kind, dtype):
    """Rows, and the means to start from.

    Overlapping: standard normal rows and means near 0, so that no responsibility is negligible.
    Separated: unit blobs around the means.
    """
    rng = np.random.default_rng(3)
    means = MEANS_STD[kind] * rng.standard_normal((n_components, n_features))
    X = rng.standard_normal((n_samples, n_features))
    if kind == "separated":
        X += means[rng.integers(n_components, size=n_samples)]
    return X.astype(dtype), means


class Iteration:
    """An iteration that is the same at each call: its components are not those that it makes.

    Parameters
    ----------
    X : ndarray of shape (n_samples, n_features)
        The rows.
    means : ndarray of shape (n_components, n_features)
        Means of the components; their covariances are the identity.
    covariance_type : str
        One of COVARIANCE_TYPES.
    """

    def __init__(self, X, means, covariance_type):
        from fastclust._algorithms import covariance, em
        from fastclust._algorithms.components import Components
        from fastclust._algorithms.mixture_rows import MixtureRows
        from fastclust._algorithms.panels import Panels

        k, d = means.shape
        origin = np.zeros(d, dtype=X.dtype)
        shape = covariance.COVARIANCE_TYPES[covariance_type]
        self.rows = MixtureRows(Panels(X, None, origin), shape, k)
        self.components = Components(shape, k, d, X.dtype)
        self.components.weights.fill(1 / k)
        self.components.means[:] = means
        self.components.factors[:] = np.eye(d) if covariance_type in ("full", "tied") else 1.0
        self.components.lay_out()
        self._m_step = em.MStep(self.rows, 1e-6, origin, False)

    def run(self):
        """E and M step."""
        moments = self.rows.moments(self.components)
        self._m_step.components.about[:] = self.components.about
        self._m_step.update(moments)

    def warm_up(self, groups=False):
        """Compile; put rows of like components side by side or not, whatever it costs."""
        self.rows._regrouping_pays = lambda: groups
        for _ in range(2):
            self.run()
        self.rows._regrouping_pays = lambda: False


class Pass:
    """One iteration where nothing can be skipped."""

    params = [SHAPES, COVARIANCE_TYPES, ["f4", "f8"]]
    param_names = ["rows, features, components", "covariance type", "dtype"]
    warmup_time = 0
    repeat = (3, 10, 5.0)
    timeout = 300

    def setup(self, shape, covariance_type, dtype):
        self.iteration = Iteration(*make_rows(*shape, "overlapping", dtype), covariance_type)
        self.iteration.warm_up()

    def time_pass(self, shape, covariance_type, dtype):
        self.iteration.run()


class Separated:
    """One iteration, full covariances, where most responsibilities are negligible."""

    params = [SEPARATED_SHAPES, [False, True], [False, True], ["f4", "f8"]]
    param_names = ["rows, features, components", "grouped", "separators", "dtype"]
    warmup_time = 0
    repeat = (3, 10, 5.0)
    timeout = 300

    def setup(self, shape, grouped, separators, dtype):
        self.iteration = Iteration(*make_rows(*shape, "separated", dtype), "full")
        if separators:
            self.iteration.components.separate()
            if len(self.iteration.components.layout[2]) == 0:
                raise NotImplementedError("too few features for separators")
            self.iteration.components.lay_out()
        self.iteration.warm_up(grouped)

    def time_pass(self, shape, grouped, separators, dtype):
        self.iteration.run()


class Fit:
    """Fits in a process whose kernels are compiled."""

    params = NAMES
    param_names = ["workload"]
    warmup_time = 0
    repeat = (3, 10, 20.0)
    timeout = 300

    def setup(self, name):
        warnings.simplefilter("ignore", ConvergenceWarning)
        self.X = MIXTURES[name].make()
        self.mixture = MIXTURES[name].estimator("fastclust")
        MIXTURES[name].estimator("fastclust").fit(self.X)

    def time_fit(self, name):
        self.mixture.fit(self.X)


class Inference:
    """New rows against the components of a short fit."""

    params = NAMES
    param_names = ["workload"]
    warmup_time = 0
    repeat = (3, 10, 20.0)
    timeout = 300

    def setup(self, name):
        warnings.simplefilter("ignore", ConvergenceWarning)
        self.X = MIXTURES[name].make()
        self.row = self.X[:1]
        self.mixture = MIXTURES[name].estimator("fastclust", max_iter=2).fit(self.X)
        for X in (self.X, self.row):
            self.mixture.predict_proba(X)

    def time_predict(self, name):
        self.mixture.predict(self.X)

    def time_predict_proba(self, name):
        self.mixture.predict_proba(self.X)

    def time_predict_one_row(self, name):
        self.mixture.predict(self.row)


class Memory:
    """Peak memory of a process with a fit, and of the same process without it."""

    timeout = 300

    def setup(self):
        from fastclust import GaussianMixture

        warnings.simplefilter("ignore", ConvergenceWarning)
        rng = np.random.default_rng(3)
        self.X = rng.standard_normal((1_000_000, 4))  # 32 MB
        for j, center in enumerate(3 * rng.standard_normal((8, 4))):
            self.X[j::8] += center
        self.mixture = GaussianMixture(8, max_iter=5, tol=0.0, random_state=0)
        self.mixture.fit(self.X[:100_000])  # enough rows for the parallel kernels

    def peakmem_baseline(self):
        pass

    def peakmem_fit(self):
        self.mixture.fit(self.X)
