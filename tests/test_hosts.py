"""fastclust in the places it is run in: pools of workers, containers, interrupted sessions.

Each scenario has a process of its own.
"""

import contextlib
import os
import subprocess
import sys

import pytest

from tests.processes import run_jit, run_python

ROWS = """
import hashlib
import numpy as np
import fastclust

X = np.random.default_rng(0).normal(size=(50_000, 8))

def fit(seed):
    kmeans = fastclust.KMeans(16, max_iter=5, n_init=1, random_state=seed).fit(X)
    mixture = fastclust.GaussianMixture(
        4, init_params="random_from_data", max_iter=3, tol=0.0, random_state=seed
    ).fit(X)
    batches = fastclust.MiniBatchKMeans(16, max_iter=2, random_state=seed).fit(X)
    bisecting = fastclust.BisectingKMeans(4, max_iter=5, random_state=seed).fit(X)
    spherical = fastclust.SphericalKMeans(16, max_iter=5, random_state=seed).fit(X)
    bayesian = fastclust.BayesianGaussianMixture(
        n_components=4, init_params="random_from_data", max_iter=3, random_state=seed
    ).fit(X)
    parts = kmeans.cluster_centers_, kmeans.labels_, mixture.means_, batches.cluster_centers_
    parts += bisecting.labels_, spherical.cluster_centers_, bayesian.means_
    return hashlib.sha256(b"".join(part.tobytes() for part in parts)).hexdigest()
"""
SILENT = "import warnings; warnings.simplefilter('ignore')\n"

JOBLIB = """
import sys
from joblib import Parallel, delayed

if __name__ == "__main__":
    backend, before = sys.argv[1:]
    here = [fit(seed) for seed in range(4)] if before == "used" else None
    there = Parallel(n_jobs=2, backend=backend)(delayed(fit)(seed) for seed in range(4))
    assert there == (here or [fit(seed) for seed in range(4)])
"""

NESTED = """
from joblib import Parallel, delayed

def fit_two(seed):
    return Parallel(n_jobs=2, backend="threading")(delayed(fit)(seed) for seed in (seed, seed + 1))

if __name__ == "__main__":
    there = Parallel(n_jobs=2, backend="loky")(delayed(fit_two)(seed) for seed in range(2))
    assert there == [[fit(0), fit(1)], [fit(1), fit(2)]]
"""

DASK = """
import sys
from distributed import Client, LocalCluster

if __name__ == "__main__":
    processes = sys.argv[1] == "processes"
    with (
        LocalCluster(n_workers=2, threads_per_worker=2, processes=processes,
                     dashboard_address=None) as cluster,
        Client(cluster) as client,
    ):
        there = client.gather(client.map(fit, range(6)))
    assert there == [fit(seed) for seed in range(6)]
"""

NO_LIBGOMP = """
import sys
sys.modules["numba.np.ufunc.omppool"] = sys.modules["numba.np.ufunc.tbbpool"] = None
from concurrent.futures import ThreadPoolExecutor
import numba

with ThreadPoolExecutor(3) as pool:
    together = list(pool.map(fit, range(6)))
assert numba.threading_layer() == "workqueue"
assert together == [fit(seed) for seed in range(6)]
"""

INTERRUPTED = """
import os, signal, sys, threading, time
import scipy.sparse
from fastclust import metrics, model_selection

rng = np.random.default_rng(0)
big = rng.normal(size=(1_000_000, 8))
few = rng.normal(size=(1500, 20))
sparse = scipy.sparse.random(50_000, 1000, density=0.01, format="csr", rng=0)
endless = {"max_iter": 100_000, "random_state": 0}
k_means = fastclust.KMeans(100, tol=0, n_init=1, **endless)
batches = fastclust.MiniBatchKMeans(100, max_no_improvement=None, **endless)
bisecting = fastclust.BisectingKMeans(100, tol=0, n_init=100_000, **endless)
spherical = fastclust.SphericalKMeans(100, tol=0, n_init=1, **endless)
mixture = fastclust.GaussianMixture(16, init_params="random_from_data", tol=0.0, **endless)
bayesian = fastclust.BayesianGaussianMixture(
    n_components=16, init_params="random_from_data", tol=0.0, **endless
)
estimators = k_means, batches, bisecting, spherical, mixture, bayesian
work = {
    "iterations": lambda: k_means.fit(big),
    "seeding": lambda: fastclust.kmeans_plusplus(big, 1000, random_state=0),
    "restarts": lambda: k_means.set_params(n_clusters=20, n_init=100_000).fit(few),
    "sparse": lambda: k_means.set_params(n_init=100_000).fit(sparse),
    "batches": lambda: batches.fit(big),
    "bisections": lambda: bisecting.fit(big),
    "cosines": lambda: spherical.fit(big),
    "mixture": lambda: mixture.fit(big),
    "posterior": lambda: bayesian.fit(big),
    "silhouettes": lambda: metrics.silhouette_samples(big, np.arange(len(big)) % 7),
    "sweep": lambda: model_selection.select_kmeans(big, range(2, 300), random_state=0),
}[sys.argv[1]]
fastclust.warmup(["float64"])  # an interrupt may be lost while LLVM compiles
for estimator in estimators:
    n_init = estimator.n_init
    estimator.set_params(max_iter=2, n_init=1).fit(big[:50_000])
    estimator.set_params(max_iter=100_000, n_init=n_init)
fitted = [vars(estimator).copy() for estimator in estimators]
sent = []

def interrupt():
    sent.append(time.perf_counter())
    os.kill(os.getpid(), signal.SIGINT)

signal.signal(signal.SIGINT, signal.default_int_handler)  # shells have it ignored in background
timer = threading.Timer(1.0, interrupt)
timer.start()
try:
    work()
except KeyboardInterrupt:
    waited = time.perf_counter() - sent[0]
else:
    raise AssertionError("not interrupted")
print(waited)
for estimator, before in zip(estimators, fitted):
    for name, value in vars(estimator).items():
        if name.endswith("_"):
            assert value is before[name], name  # as before the fit
assert fit(0) == fit(0)  # the process is usable
"""


@pytest.mark.parametrize("before", ["fresh", "used"])
@pytest.mark.parametrize("backend", ["loky", "threading", "multiprocessing"])
def test_joblib_workers(cache, tmp_path, backend, before):
    script = tmp_path / "script.py"  # loky wants a file
    script.write_text(SILENT + ROWS + JOBLIB)
    run_python(f"import runpy; runpy.run_path({str(script)!r}, run_name='__main__')",
               backend, before, FASTCLUST_CACHE_DIR=str(cache))  # fmt: skip


def test_threads_in_workers(cache):
    run_python(SILENT + ROWS + NESTED, FASTCLUST_CACHE_DIR=str(cache))


@pytest.mark.parametrize("workers", ["threads", "processes"])
def test_dask_workers(cache, workers):
    pytest.importorskip("distributed")
    run_python(SILENT + ROWS + DASK, workers, FASTCLUST_CACHE_DIR=str(cache), timeout=180)


def test_a_container_without_libgomp(cache):
    run_jit(SILENT + ROWS + NO_LIBGOMP, FASTCLUST_CACHE_DIR=str(cache))


def test_a_home_that_cannot_be_written():
    run_jit(
        "import fastclust; fastclust.kmeans_plusplus([[0.0], [1.0], [5.0]], 2)",
        HOME="/proc/none", XDG_CACHE_HOME="/proc/none", FASTCLUST_CACHE_DIR=None,
    )  # fmt: skip


def test_processes_that_fill_one_cache_at_once(tmp_path):
    tmp_path.chmod(0o700)
    code = SILENT + ROWS + "print(fastclust.kmeans_plusplus(X[:300], 3, random_state=0)[1])"
    environment = {"FASTCLUST_CACHE_DIR": str(tmp_path), "FASTCLUST_JIT": "1"}
    command = [sys.executable, "-c", code]
    with contextlib.ExitStack() as processes:
        running = [
            processes.enter_context(
                subprocess.Popen(
                    command, env=os.environ | environment, text=True, stdout=subprocess.PIPE
                )
            )
            for _ in range(8)
        ]
        printed = {process.communicate(timeout=300)[0] for process in running}
        assert [process.returncode for process in running] == [0] * 8
    assert printed == {run_python(code, **environment)}
    assert {path.suffix for path in tmp_path.iterdir()} == {".kernel"}  # none half-written


@pytest.mark.parametrize(
    "work",
    [
        "iterations", "seeding", "restarts", "sparse", "batches", "bisections", "cosines",
        "mixture", "posterior", "silhouettes", "sweep",
    ],
)  # fmt: skip
def test_an_interrupted_fit_returns_soon_and_changes_nothing(cache, work):
    waited = run_python(
        SILENT + ROWS + INTERRUPTED, work, FASTCLUST_CACHE_DIR=str(cache), timeout=300
    )
    assert float(waited) < 2  # seconds: 0.2 or less on a machine that does nothing else
