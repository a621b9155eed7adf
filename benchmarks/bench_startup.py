"""What does a user of a fresh process wait for: the import, and the first fit?"""

import subprocess
import sys
from pathlib import Path

FIRST_FIT = """
from {module} import KMeans
KMeans(8, n_init=1, random_state=0).fit(X)
"""

MAKE_ROWS = """
import os
os.environ["FASTCLUST_CACHE_DIR"] = {cache!r}
import numpy as np
X = np.random.default_rng(0).standard_normal((200_000, 4))
"""


class Import:
    """Seconds of one import in a new process."""

    params = ["fastclust", "sklearn.cluster", "numba"]
    param_names = ["module"]
    number = 1
    repeat = (3, 7, 20.0)

    def timeraw_import(self, module):
        return f"import {module}"


class FirstFit:
    """Seconds of the import and the first fit, of 200,000 x 4 rows, in a new process."""

    number = 1
    repeat = (3, 7, 60.0)
    timeout = 300

    def setup_cache(self):
        """Fill a cache that the runs with a warm one read."""
        cache = Path("cache").absolute()
        cache.mkdir(mode=0o700)
        code = MAKE_ROWS.format(cache=str(cache)) + FIRST_FIT.format(module="fastclust")
        subprocess.run([sys.executable, "-c", code], check=True)
        return str(cache)

    setup_cache.timeout = 300

    def timeraw_warm_cache(self, cache):
        return FIRST_FIT.format(module="fastclust"), MAKE_ROWS.format(cache=cache)

    def timeraw_no_cache(self, cache):
        return FIRST_FIT.format(module="fastclust"), MAKE_ROWS.format(cache="off")

    timeraw_no_cache.repeat = (1, 3, 60.0)

    def timeraw_scikit_learn(self, cache):
        return FIRST_FIT.format(module="sklearn.cluster"), MAKE_ROWS.format(cache="off")
