"""Are the answers those of scikit-learn: the same labels, objective, iterations?

A change of these figures is a change of the algorithm, whatever its speed.
"""

import warnings

import numpy as np
from sklearn.exceptions import ConvergenceWarning

from .workloads import KMEANS, MIXTURES

K_MEANS = [
    "iris 150 x 4, k=3, n_init=10",
    "digits 1,797 x 64, k=50",
    "pixels 273,280 x 3, k=32",
    "words 20,000 x 5,000 CSR, k=20",
    "blobs 100,000 x 32, k=50",
]
MIXTURE = [
    "iris 150 x 4, k=3, full",
    "digits 1,797 x 30, k=10, diag",
    "pixels 273,280 x 3, k=6, full, 10 iterations",
]


def compare(workloads, objective, labels):
    """Fit both packages; figures of each workload, by its name."""
    warnings.simplefilter("ignore", ConvergenceWarning)
    figures = {}
    for name, workload in workloads.items():
        X = workload.make()
        ours, theirs = (workload.estimator(p).fit(X) for p in ("fastclust", "sklearn"))
        our_value, their_value = getattr(ours, objective), getattr(theirs, objective)
        figures[name] = {
            "objective": our_value,
            "against": (our_value - their_value) / abs(their_value),
            "iterations": ours.n_iter_,
            "same": 100 * np.mean(labels(ours, X) == labels(theirs, X)),
        }
    return figures


class KMeansQuality:
    """Of fits from the same random_state."""

    params = K_MEANS
    param_names = ["workload"]
    timeout = 600

    def setup_cache(self):
        chosen = {name: KMEANS[name] for name in K_MEANS}
        return compare(chosen, "inertia_", lambda kmeans, X: kmeans.labels_)

    setup_cache.timeout = 600

    def track_inertia(self, figures, name):
        return figures[name]["objective"]

    def track_inertia_over_scikit_learns(self, figures, name):
        return figures[name]["against"]

    def track_iterations(self, figures, name):
        return figures[name]["iterations"]

    def track_same_labels(self, figures, name):
        return figures[name]["same"]

    track_same_labels.unit = "%"


class MixtureQuality:
    """Of fits from the same random_state; the objective is the log-likelihood per row."""

    params = MIXTURE
    param_names = ["workload"]
    timeout = 600

    def setup_cache(self):
        chosen = {name: MIXTURES[name] for name in MIXTURE}
        return compare(chosen, "lower_bound_", lambda mixture, X: mixture.predict(X))

    setup_cache.timeout = 600

    def track_log_likelihood(self, figures, name):
        return figures[name]["objective"]

    def track_log_likelihood_over_scikit_learns(self, figures, name):
        return figures[name]["against"]

    def track_iterations(self, figures, name):
        return figures[name]["iterations"]

    def track_same_labels(self, figures, name):
        return figures[name]["same"]

    track_same_labels.unit = "%"
