"""How long do fit, predict and transform take, and how many times longer does scikit-learn?"""

from . import workloads
from .bases import _AgainstScikitLearn, _Fit, _Inference


class Fit(_Fit):
    """From the start to convergence."""

    params = list(workloads.KMEANS)

    def setup_cache(self):
        return workloads.store(self.params)


class Inference(_Inference):
    """Nearest centers, and the distances to all of them."""

    params = [
        "digits 1,797 x 64, k=50",
        "words 20,000 x 5,000 CSR, k=20",
        "blobs 500,000 x 16, k=100",
        "blobs 20,000 x 128, k=1,000",
    ]
    methods = ["predict", "transform"]

    def setup_cache(self):
        return workloads.store(self.params)

    def time_transform(self, files, name):
        self.estimator.transform(self.X)


class AgainstScikitLearn(_AgainstScikitLearn):
    """Where scikit-learn takes seconds, not minutes."""

    params = chosen = [
        "iris 150 x 4, k=3, n_init=10",
        "digits 1,797 x 64, k=50",
        "pixels 273,280 x 3, k=32",
        "words 20,000 x 5,000 CSR, k=20",
        "blobs 500,000 x 2, k=10",
        "blobs 100,000 x 32, k=50",
    ]

    def setup_cache(self):
        return workloads.store(self.params)
