"""What does a user of a fresh process wait for: the import, and the first fit?"""

import subprocess
import sys
from pathlib import Path

FIRST_FIT = """
from {module} import {estimator}
{estimator}(3, random_state=0).fit(X)
"""

MAKE_ROWS = """
import importlib.util
import os
if {jit!r} == "never" and importlib.util.find_spec("_fastclust_kernels") is None:
    raise ImportError("this commit, or this environment, has no extension")
os.environ["FASTCLUST_CACHE_DIR"], os.environ["FASTCLUST_JIT"] = {cache!r}, {jit!r}
import numpy as np
X = np.random.default_rng(0).standard_normal(({n_samples}, 2))
"""

SCIKIT_LEARN = {"KMeans": "sklearn.cluster", "GaussianMixture": "sklearn.mixture"}


class Import:
    """Seconds of one import in a new process."""

    def setup_cache(self):
        """Nothing is shared."""

    params = ["fastclust", "sklearn.cluster", "numba"]
    param_names = ["module"]
    number = 1
    repeat = (3, 7, 20.0)

    def timeraw_import(self, module):
        return f"import {module}"


class FirstFit:
    """Seconds of the import and the first fit in a new process.

    `ahead_of_time` is with the extension; the others are with kernels that Numba compiles.
    """

    params = [list(SCIKIT_LEARN), [300]]
    param_names = ["estimator", "n_samples"]
    number = 1
    repeat = (3, 7, 60.0)
    timeout = 300

    def setup_cache(self):
        """Fill a cache that the runs with a warm one read."""
        cache = Path("cache").absolute()
        cache.mkdir(mode=0o700)
        for estimator in self.params[0]:
            for n_samples in self.params[1]:
                code = "\n".join(
                    reversed(self.code_of("fastclust", str(cache), estimator, n_samples))
                )
                subprocess.run([sys.executable, "-c", code], check=True)
        return str(cache)

    setup_cache.timeout = 300

    @staticmethod
    def code_of(module, cache, estimator, n_samples, jit="1"):
        """What is timed, and what comes before."""
        fit = FIRST_FIT.format(module=module, estimator=estimator)
        return fit, MAKE_ROWS.format(cache=cache, n_samples=n_samples, jit=jit)

    def timeraw_ahead_of_time(self, cache, estimator, n_samples):
        return self.code_of("fastclust", "off", estimator, n_samples, jit="never")

    def timeraw_warm_cache(self, cache, estimator, n_samples):
        return self.code_of("fastclust", cache, estimator, n_samples)

    def timeraw_no_cache(self, cache, estimator, n_samples):
        return self.code_of("fastclust", "off", estimator, n_samples)

    timeraw_no_cache.repeat = (1, 3, 60.0)

    def timeraw_scikit_learn(self, cache, estimator, n_samples):
        return self.code_of(SCIKIT_LEARN[estimator], "off", estimator, n_samples)
