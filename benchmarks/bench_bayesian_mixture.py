"""How long does a fit of BayesianGaussianMixture take, and how does scikit-learn compare?

An iteration is one of GaussianMixture, but for the M step, which is NumPy's: it counts where rows
are few.
"""

from . import workloads
from .bases import _AgainstScikitLearn, _Fit


class Fit(_Fit):
    """From the start to convergence, or the limit of the iterations."""

    params = list(workloads.BAYESIAN)

    def setup_cache(self):
        return workloads.store(self.params)


class AgainstScikitLearn(_AgainstScikitLearn):
    """The same, as often as scikit-learn's."""

    params = chosen = [
        name for name in workloads.BAYESIAN if "x 8" not in name and "x 100" not in name
    ]

    def setup_cache(self):
        return workloads.store(self.params)
