"""How long do fit and predict of SphericalKMeans take? scikit-learn has nothing like it."""

from . import workloads
from .bases import _Fit, _Inference


class Fit(_Fit):
    """From k-means++ to convergence."""

    params = list(workloads.SPHERICAL)
    chosen = [name for name in params if "256" not in name]

    def setup_cache(self):
        return workloads.store(self.params)


class Inference(_Inference):
    """By cosine."""

    params = ["spherical words 20,000 x 5,000 CSR, k=20", "spherical blobs 500,000 x 8, k=16"]

    def setup_cache(self):
        return workloads.store(self.params)
