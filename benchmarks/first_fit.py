"""How long, and in how much memory, does a fresh process import and fit, beside scikit-learn?

    python benchmarks/first_fit.py

Fits 300 x 2 rows in new processes, which take turns: scikit-learn's estimators, fastclust's with
kernels compiled ahead of time, and fastclust's with kernels that Numba compiles, read from a filled
cache. Prints medians of N_TURNS, and their ratios to scikit-learn's. It runs whatever `import
fastclust` finds: the clone, in which it is, or with --installed what is installed.
"""

import argparse
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

ROOT = Path(__file__).resolve().parents[1]

N_TURNS = 9

FIT = """
import resource
import warnings
import numpy as np
from {module} import {estimator}

warnings.simplefilter("ignore")
X = np.random.default_rng(0).standard_normal((300, 2))
{estimator}(3, random_state=0).fit(X)
print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)
"""

MODULES = {"KMeans": "sklearn.cluster", "GaussianMixture": "sklearn.mixture"}


def run(module, estimator, directory, **environment):
    """Seconds of a new process, and its peak memory in MiB."""
    start = time.perf_counter()
    printed = subprocess.run(
        [sys.executable, "-c", FIT.format(module=module, estimator=estimator)],
        env=os.environ | environment, cwd=directory, check=True, capture_output=True, text=True,
    ).stdout  # fmt: skip
    return time.perf_counter() - start, int(printed) / 1024


def main():
    """Print a table."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--installed", action="store_true", help="not the clone")
    options = parser.parse_args()
    print("estimator        kernels         seconds  ratio   MiB  ratio")
    with tempfile.TemporaryDirectory() as cache:
        directory = cache if options.installed else ROOT
        ours = {"FASTCLUST_CACHE_DIR": cache}
        for estimator, module in MODULES.items():
            kinds = {
                "scikit-learn": (module, {}),
                "ahead of time": ("fastclust", ours | {"FASTCLUST_JIT": "never"}),
                "Numba, cached": ("fastclust", ours | {"FASTCLUST_JIT": "1"}),
            }
            for name, environment in kinds.values():
                run(name, estimator, directory, **environment)
            measured = np.empty((N_TURNS, len(kinds), 2))  # seconds and MiB
            for i in range(N_TURNS):
                for j, (name, environment) in enumerate(kinds.values()):
                    measured[i, j] = run(name, estimator, directory, **environment)
            medians = np.median(measured, axis=0)
            ratios = np.median(measured / measured[:, :1], axis=0)
            for j, kind in enumerate(kinds):
                (seconds, memory), (slower, larger) = medians[j], ratios[j]
                print(
                    f"{estimator:<16} {kind:<14} {seconds:8.2f} {slower:6.2f} {memory:5.0f} "
                    f"{larger:6.2f}"
                )


if __name__ == "__main__":
    main()
