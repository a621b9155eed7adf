"""How much memory does a fit take, beside its rows and the libraries?

The peak of each benchmark less that of `peakmem_baseline`, which makes the rows and compiles.
"""

import warnings

import numpy as np
from sklearn.exceptions import ConvergenceWarning

N_SAMPLES, N_FEATURES = 1_000_000, 8  # 64 MB in float64

ESTIMATORS = {
    "KMeans": {"n_clusters": 16, "n_init": 1, "max_iter": 20},
    "MiniBatchKMeans": {"n_clusters": 16, "n_init": 1, "max_iter": 2},
    "BisectingKMeans": {"n_clusters": 16, "max_iter": 5},
    "SphericalKMeans": {"n_clusters": 16, "n_init": 1, "max_iter": 5},
    "GaussianMixture": {"n_components": 8, "max_iter": 5, "tol": 0.0},
    "BayesianGaussianMixture": {"n_components": 8, "max_iter": 5, "tol": 0.0},
    "MiniBatchGaussianMixture": {"n_components": 8, "max_iter": 2, "tol": 0.0},
}
"""By their names, with parameters of short fits."""


class Memory:
    """Peak memory of a process: rows and compiled kernels, and a fit or a method on top."""

    params = list(ESTIMATORS)
    param_names = ["estimator"]
    timeout = 300

    def setup_cache(self):
        rng = np.random.default_rng(3)
        X = rng.standard_normal((N_SAMPLES, N_FEATURES))
        for j, center in enumerate(3 * rng.standard_normal((8, N_FEATURES))):
            X[j::8] += center
        np.save("rows.npy", X)

    def setup(self, name):
        import fastclust

        warnings.simplefilter("ignore", ConvergenceWarning)
        self.X = np.load("rows.npy")
        few = self.X[:100_000]  # enough for the parallel kernels
        self.estimator = getattr(fastclust, name)(random_state=0, **ESTIMATORS[name]).fit(few)
        self.estimator.predict(few)

    def peakmem_baseline(self, name):
        pass

    def peakmem_fit(self, name):
        self.estimator.fit(self.X)

    def peakmem_predict(self, name):
        self.estimator.predict(self.X)
