"""How much memory does a fit take, beside its rows and the libraries?

The peak of each benchmark less that of `peakmem_baseline`, which makes the rows and compiles.
"""

import warnings

import numpy as np
from sklearn.exceptions import ConvergenceWarning

N_SAMPLES, N_FEATURES = 1_000_000, 8  # 64 MB in float64


class Memory:
    """Peak memory of a process: rows and compiled kernels, and a fit or a method on top."""

    timeout = 300

    def setup_cache(self):
        rng = np.random.default_rng(3)
        X = rng.standard_normal((N_SAMPLES, N_FEATURES))
        for j, center in enumerate(3 * rng.standard_normal((8, N_FEATURES))):
            X[j::8] += center
        np.save("rows.npy", X)

    def setup(self):
        from fastclust import GaussianMixture, KMeans

        warnings.simplefilter("ignore", ConvergenceWarning)
        self.X = np.load("rows.npy")
        few = self.X[:100_000]  # enough for the parallel kernels
        self.kmeans = KMeans(16, n_init=1, max_iter=20, random_state=0).fit(few)
        self.mixture = GaussianMixture(8, max_iter=5, tol=0.0, random_state=0).fit(few)
        for estimator in (self.kmeans, self.mixture):
            estimator.predict(few)

    def peakmem_baseline(self):
        pass

    def peakmem_kmeans_fit(self):
        self.kmeans.fit(self.X)

    def peakmem_kmeans_predict(self):
        self.kmeans.predict(self.X)

    def peakmem_mixture_fit(self):
        self.mixture.fit(self.X)

    def peakmem_mixture_predict(self):
        self.mixture.predict(self.X)
