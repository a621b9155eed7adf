"""How many times as long does k-means take where values are missing, as on complete rows?"""

import numpy as np

from . import internals, workloads
from .timing import speed_up

ITERATIONS = 10


class Missing:
    """Rows of which 10 % of the values are missing, and the same rows complete, in turns.

    The complete rows skip no distances: it is the passes over the rows that are compared.
    """

    param_names = ["rows"]
    params = ["200,000 x 16, k=8, f4", "200,000 x 16, k=8, f8", "200,000 x 16, k=64, f8"]
    timeout = 300
    source, chosen = "kmeans/missing.py", params[1:]  # for slower.py, as `call`

    def setup_cache(self):
        rows = {}
        for name in self.params:
            _, k, dtype = name.split(", ")
            n_clusters = int(k.partition("=")[2])
            X = workloads.blobs(200_000, 16, n_clusters, dtype)
            incomplete = X.copy()
            incomplete[np.random.default_rng(1).random(X.shape) < 0.1] = np.nan
            incomplete[np.isnan(incomplete).all(axis=1), 0] = 0
            rows[name] = X, incomplete, n_clusters
        return rows

    def setup(self, rows, name):
        X, incomplete, self.n_clusters = rows[name]
        self.pairs = [internals.pack(X), internals.pack_missing(incomplete)]
        self.centers = X[: self.n_clusters].copy()
        uniforms = np.random.default_rng(2).random((self.n_clusters - 1, 5))
        self.seed = [lambda p=p: internals.seed_rounds(p, uniforms) for p in self.pairs]
        self.iterate = [lambda p=p: self._iterate(p) for p in self.pairs]
        for call in self.seed + self.iterate:
            call()  # which compiles

    def call(self):
        self.iterate[1]()

    def _iterate(self, packed):
        state, n_iter = internals.start_lloyd(packed, self.centers, skip=False), 0
        while n_iter < ITERATIONS:
            n_iter += internals.iterate(state, n_iter, ITERATIONS - n_iter)[0]

    def track_iterations(self, rows, name):
        complete, incomplete = self.iterate
        return speed_up(incomplete, complete)

    track_iterations.unit = "x"

    def track_seeding(self, rows, name):
        complete, incomplete = self.seed
        return speed_up(incomplete, complete)

    track_seeding.unit = "x"
