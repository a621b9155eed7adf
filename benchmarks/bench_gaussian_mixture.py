"""How long do fit, predict and a pass of the E and M steps take, and how does scikit-learn compare?

`Pass` chose BLOCK_PANELS (`_kernels/mixture/layout.py`) and the tiles of
`_kernels/simd/sizes.py`: change a constant and run it again. `Separated` shows what the two ways
to pass over components are worth, where components are far apart: rows of like components side by
side, and separators.
"""

import numpy as np

from . import internals, workloads
from .bases import _AgainstScikitLearn, _Fit, _Inference, _Kernel

PASSES = {  # rows, features, components, covariance type, dtype
    "full 100,000 x 8, k=12, f8": (100_000, 8, 12, "full", "f8"),
    "full 300 x 2, k=3, f8": (300, 2, 3, "full", "f8"),
    "full 500,000 x 2, k=8, f8": (500_000, 2, 8, "full", "f8"),
    "full 20,000 x 64, k=16, f4": (20_000, 64, 16, "full", "f4"),
    "full 5,000 x 128, k=32, f8": (5_000, 128, 32, "full", "f8"),
    "tied 50,000 x 20, k=10, f8": (50_000, 20, 10, "tied", "f8"),
    "diag 100,000 x 20, k=10, f8": (100_000, 20, 10, "diag", "f8"),
    "spherical 100,000 x 20, k=10, f8": (100_000, 20, 10, "spherical", "f8"),
}
SEPARATED = {  # rows, features, components
    "100,000 x 8, k=20": (100_000, 8, 20),
    "20,000 x 64, k=32": (20_000, 64, 32),
}
WAYS = ["neither", "grouped", "grouped, separators"]
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


class Pass(_Kernel):
    """One iteration where nothing can be skipped.

    Operations: of full covariances, half are the triangular product with the factors, half one
    triangle of the second moments.
    """

    params = list(PASSES)
    chosen = [params[0], *params[-3:]]  # each covariance type
    source = "mixture/passes.py"

    def setup_cache(self):
        return {
            name: make_rows(*shape, "overlapping", dtype)
            for name, (*shape, _, dtype) in PASSES.items()
        }

    def setup(self, rows, name):
        X, means = rows[name]
        _, n_features, n_components, covariance_type, _ = PASSES[name]
        iteration = internals.MixtureIteration(X, means, covariance_type)
        iteration.warm_up()
        self.call, self.n_samples = iteration.run, len(X)
        exponent = 2 if covariance_type in ("full", "tied") else 1
        self.flops = 2 * n_components * n_features**exponent


class Separated:
    """One iteration, full covariances, where most responsibilities are negligible."""

    params = [list(SEPARATED), WAYS]
    param_names = ["rows", "way"]
    warmup_time = 0
    repeat = (3, 10, 5.0)
    timeout = 300

    def setup_cache(self):
        return {name: make_rows(*shape, "separated", "f8") for name, shape in SEPARATED.items()}

    def setup(self, rows, name, way):
        self.iteration = internals.MixtureIteration(*rows[name], "full", "separators" in way)
        self.iteration.warm_up("grouped" in way)

    def time_pass(self, rows, name, way):
        self.iteration.run()


class Fit(_Fit):
    """From the start to convergence."""

    params = list(workloads.MIXTURES)

    def setup_cache(self):
        return workloads.store(self.params)


class Inference(_Inference):
    """Most probable components, and the probabilities of all of them."""

    params = ["digits 1,797 x 30, k=10, diag", "ellipsoids 200,000 x 8, k=12, full"]
    methods = ["predict", "predict_proba"]

    def setup_cache(self):
        return workloads.store(self.params)

    def time_predict_proba(self, files, name):
        self.estimator.predict_proba(self.X)


class AgainstScikitLearn(_AgainstScikitLearn):
    """Where scikit-learn takes seconds, not minutes."""

    params = chosen = [
        "iris 150 x 4, k=3, full",
        "digits 1,797 x 30, k=10, diag",
        "pixels 273,280 x 3, k=6, full, 10 iterations",
        "ellipsoids 200,000 x 16, k=8, spherical",
    ]

    def setup_cache(self):
        return workloads.store(self.params)
