"""How long do mini-batches take, and how many times longer does scikit-learn?"""

import numpy as np

from . import internals, workloads
from .bases import _AgainstScikitLearn, _Fit, _Kernel

STEPS = 32


class Fit(_Fit):
    """From the start to convergence, and the labels of all rows."""

    params = list(workloads.MINI_BATCHES)

    def setup_cache(self):
        return workloads.store(self.params)


class Steps(_Kernel):
    """Steps in one launch, on rows from anywhere in X; ns and operations are those of a row."""

    chosen = ["1,000,000 x 8, k=16, batches of 1,024"]
    params = [*chosen, "1,000,000 x 8, k=16, batches of 16,384"]
    source = "kmeans/minibatch.py"

    def setup_cache(self):
        X = workloads.blobs(1_000_000, 8, 16, "f8")
        return dict.fromkeys(self.params, (X, 16))

    def setup(self, rows, name):
        self.batch_size = int(name.rpartition(" ")[2].replace(",", ""))
        super().setup(rows, name)
        self.n_samples = STEPS * self.batch_size

    def make(self, X, k):
        rng = np.random.default_rng(0)
        indices = rng.integers(len(X), size=(STEPS, self.batch_size))
        return internals.minibatch_steps(X, X[:k].copy(), indices), 2 * k * X.shape[1]


class SparseSteps(_Kernel):
    """Steps on CSR rows from anywhere in X; ns and operations are those of a row."""

    params = chosen = [
        "words 20,000 x 5,000 CSR, k=20, batches of 1,024",
        "words 50,000 x 20,000 CSR, k=50, batches of 1,024",
    ]
    source = "kmeans/minibatch_csr.py"

    def setup_cache(self):
        return {
            name: (workloads.ALL[name].make(), workloads.ALL[name].n_groups) for name in self.params
        }

    def setup(self, rows, name):
        super().setup(rows, name)
        self.n_samples = STEPS * 1024

    def make(self, X, k):
        indices = np.random.default_rng(0).integers(X.shape[0], size=(STEPS, 1024))
        n_stored = X.nnz / X.shape[0]
        return internals.minibatch_steps(X, X[:k].toarray(), indices), 2 * k * n_stored


class AgainstScikitLearn(_AgainstScikitLearn):
    """Where scikit-learn takes seconds, not minutes."""

    params = chosen = [
        "digits 1,797 x 64, k=50, batches of 256",
        "words 20,000 x 5,000 CSR, k=20, batches of 1,024",
        "words 50,000 x 20,000 CSR, k=50, batches of 1,024",
        "blobs 1,000,000 x 8, k=16, batches of 16,384",
    ]

    def setup_cache(self):
        return workloads.store(self.params)
