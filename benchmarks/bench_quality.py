"""Are the answers those of scikit-learn: the same labels, objective, iterations?

A change of these figures is a change of the algorithm, whatever its speed.
"""

import warnings

import numpy as np
from sklearn.exceptions import ConvergenceWarning

from . import workloads


class Quality:
    """Of fits from the same random_state; a mixture's objective is the log-likelihood per row."""

    params = [
        "iris 150 x 4, k=3, n_init=10",
        "digits 1,797 x 64, k=50",
        "pixels 273,280 x 3, k=32",
        "words 20,000 x 5,000 CSR, k=20",
        "blobs 100,000 x 32, k=50",
        "digits 1,797 x 64, k=50, batches of 256",
        "bisected digits 1,797 x 64, k=50",
        "iris 150 x 4, k=3, full",
        "digits 1,797 x 30, k=10, diag",
        "Bayesian, iris 150 x 4, k=5, full",
        "pixels 273,280 x 3, k=6, full, 10 iterations",
    ]
    param_names = ["workload"]
    timeout = 600

    def setup_cache(self):
        """Fit both packages; figures of each workload, by its name."""
        warnings.simplefilter("ignore", ConvergenceWarning)
        figures = {}
        for name in self.params:
            workload = workloads.ALL[name]
            X = workload.make()
            ours, theirs = (workload.estimator(p).fit(X) for p in ("fastclust", "sklearn"))
            attribute = workload.objective
            our_value, their_value = getattr(ours, attribute), getattr(theirs, attribute)
            figures[name] = {
                "objective": our_value,
                "difference": (our_value - their_value) / abs(their_value),
                "iterations": getattr(ours, "n_iter_", np.nan),  # of a tree each split has its own
                "same": 100 * np.mean(ours.predict(X) == theirs.predict(X)),
            }
        return figures

    setup_cache.timeout = 600

    def track_objective(self, figures, name):
        return figures[name]["objective"]

    def track_difference_to_scikit_learns(self, figures, name):
        return figures[name]["difference"]

    def track_iterations(self, figures, name):
        return figures[name]["iterations"]

    def track_same_labels(self, figures, name):
        return figures[name]["same"]

    track_same_labels.unit = "%"
