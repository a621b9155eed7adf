"""How long do fit and predict of BisectingKMeans take, and how many times longer scikit-learn's?"""

from . import workloads
from .bases import _AgainstScikitLearn, _Fit, _Inference


class Fit(_Fit):
    """All splits, each to convergence."""

    params = list(workloads.BISECTING)

    def setup_cache(self):
        return workloads.store(self.params)


class Inference(_Inference):
    """Down the tree."""

    params = ["bisected blobs 200,000 x 16, k=64", "bisected words 20,000 x 5,000 CSR, k=20"]

    def setup_cache(self):
        return workloads.store(self.params)


class AgainstScikitLearn(_AgainstScikitLearn):
    """Where scikit-learn takes less than a second."""

    params = chosen = list(workloads.BISECTING)

    def setup_cache(self):
        return workloads.store(self.params)
