"""Processes that fork, whatever their threads did before: children compute in parallel.

A process that hangs is ended by its alarm, and its test fails.
"""

import os

import pytest

from tests.native.processes import ALARM, run_python

pytestmark = pytest.mark.skipif(not hasattr(os, "fork"), reason="this system does not fork")

COMMON = """
import hashlib
import os
import signal
import sys
import threading
import time
import traceback
import warnings

import numpy as np

import fastclust
from fastclust import _threads

warnings.filterwarnings("ignore", "This process .* is multi-threaded", DeprecationWarning)
_threads.available_n_threads = lambda: 3
rng = np.random.default_rng(0)
X = 3 * rng.normal(size=(20, 8))[rng.integers(20, size=20_000)] + rng.normal(size=(20_000, 8))

def fit(seed=0):
    kmeans = fastclust.KMeans(20, n_init=1, max_iter=10, random_state=seed).fit(X)
    mixture = fastclust.GaussianMixture(
        3, init_params="random_from_data", max_iter=2, tol=0.0, random_state=seed
    )
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        mixture.fit(X)
    parts = kmeans.cluster_centers_, kmeans.labels_, mixture.means_
    return hashlib.sha256(b"".join(part.tobytes() for part in parts)).hexdigest()

def n_tasks():
    return len(os.listdir("/proc/self/task"))

def in_child(function):
    '''What the function prints in a forked child, which must end well.'''
    reader, writer = os.pipe()
    pid = os.fork()
    if pid == 0:
        signal.alarm(60)
        status = 1
        try:
            os.close(reader)
            os.write(writer, function().encode())
            status = 0
        except BaseException:
            traceback.print_exc()
        finally:
            os._exit(status)
    os.close(writer)
    with open(reader) as file:
        printed = file.read()
    _, status = os.waitpid(pid, 0)
    assert status == 0, status
    return printed

def fit_in_parallel():
    '''A fit by a process that has no helpers yet.'''
    before = n_tasks()
    assert before == 1
    found = fit()
    assert n_tasks() == before + 2, n_tasks()
    return found
"""

BEFORE = """
there = [in_child(fit_in_parallel) for _ in range(3)]
assert there == 3 * [fit()]
"""

AFTER = """
here = fit()
for _ in range(5):
    assert in_child(fit_in_parallel) == here
    assert fit() == here
"""

AFTER_SMALL = """
with fastclust.limit_threads(1):
    here = fit()  # without helpers
assert in_child(fit_in_parallel) == here
assert fit() == here
"""

OTHERS = """
def fit_all():
    models = [
        fastclust.MiniBatchKMeans(20, max_iter=2, random_state=0),
        fastclust.BisectingKMeans(5, max_iter=5, random_state=0),
        fastclust.SphericalKMeans(20, max_iter=5, random_state=0),
        fastclust.BayesianGaussianMixture(n_components=3, max_iter=3, random_state=0),
        fastclust.MiniBatchGaussianMixture(3, max_iter=2, random_state=0),
    ]
    warnings.simplefilter("ignore")  # of fits that are cut short
    parts = [model.fit(X).predict(X) for model in models]
    parts += [getattr(model, "cluster_centers_", X[:0]) for model in models]
    parts += [getattr(model, "means_", X[:0]) for model in models]
    return hashlib.sha256(b"".join(part.tobytes() for part in parts)).hexdigest()

there = in_child(fit_all)
assert fit_all() == there
assert in_child(fit_all) == there
"""

GRANDCHILD = """
here = fit()

def fit_twice():
    found = fit_in_parallel()
    assert in_child(fit_in_parallel) == found
    assert fit() == found
    return found

assert in_child(fit_twice) == here
assert in_child(lambda: in_child(fit_in_parallel)) == here  # a child that did not fit
assert fit() == here
"""

DURING = """
here = fit()
stopped, fits = threading.Event(), []

def fit_on():
    while not stopped.is_set():
        fits.append(fit())

threads = [threading.Thread(target=fit_on) for _ in range(2)]
for thread in threads:
    thread.start()
for i in range(20):
    time.sleep(0.003 * (i % 5))
    assert in_child(fit_in_parallel) == here
stopped.set()
for thread in threads:
    thread.join()
assert set(fits) == {here}
assert fit() == here
"""

BY_A_THREAD = """
here = fit()
found = []
for _ in range(3):
    thread = threading.Thread(target=lambda: found.append(in_child(fit_in_parallel)))
    thread.start()
    other = fit()  # meanwhile
    thread.join()
    assert other == here
assert found == 3 * [here]
"""

POOL = """
import multiprocessing

def fit_as_worker(seed):
    signal.alarm(60)
    return os.getpid(), fit(seed)

if __name__ == "__main__":
    here = [fit(seed) for seed in range(3)]
    context = multiprocessing.get_context("fork")
    with context.Pool(2, maxtasksperchild=1) as pool:  # a fork for each task, by a thread
        results = pool.map_async(fit_as_worker, list(range(3)) * 4, chunksize=1)
        assert [fit(seed) for seed in range(3)] == here
        pids, there = zip(*results.get(90))
    assert len(set(pids)) == 12
    assert list(there) == here * 4
"""

WITH_LIMITS = """
import threadpoolctl

fit()

def limits():
    n_threads = _threads.effective_n_threads()
    with fastclust.limit_threads(2):
        return f"{n_threads} {_threads.effective_n_threads()}"

assert in_child(limits) == "3 2"
with threadpoolctl.threadpool_limits(1):
    assert in_child(limits) == "1 1"
"""


@pytest.mark.parametrize(
    "code",
    [
        pytest.param(BEFORE, id="before its parent does"),
        pytest.param(AFTER, id="after its parent did"),
        pytest.param(AFTER_SMALL, id="after its parent did without helpers"),
        pytest.param(OTHERS, id="with any estimator"),
        pytest.param(GRANDCHILD, id="and so do its own children"),
        pytest.param(DURING, id="while two threads of its parent do"),
        pytest.param(BY_A_THREAD, id="that a thread forked"),
        pytest.param(POOL, id="as workers of a pool, each for one task"),
        pytest.param(WITH_LIMITS, id="within the limits of its parent"),
    ],
)
def test_a_child_fits_in_parallel(code):
    run_python(ALARM + COMMON + code, OPENBLAS_NUM_THREADS="1")


FORKS_IN_LAUNCHES = """
from fastclust._extension import machine_code

extension = machine_code().extension
number = extension.find("sum_columns", "float64")
values = np.arange(640.0)
chunks = np.array([[s, 10 * s, 10 * s + 10] for s in range(64)])

def launch():
    sums = np.zeros((64, 1))
    extension.launch(number, 3, chunks, values, 1, sums)
    return repr(sums.sum())

here = launch()
assert here == repr(values.sum())
stopped, launches = threading.Event(), []

def launch_on():
    while not stopped.is_set():
        launches.append(launch() == here)

threads = [threading.Thread(target=launch_on) for _ in range(3)]
for thread in threads:
    thread.start()
for _ in range(200):
    assert in_child(launch) == here
stopped.set()
for thread in threads:
    thread.join()
assert all(launches)
assert len(launches) > 200
"""


def test_the_lock_of_the_pool_is_free_in_a_child():
    """Other threads hold it for moments only, at the start and the end of every launch."""
    run_python(ALARM + COMMON + FORKS_IN_LAUNCHES, OPENBLAS_NUM_THREADS="1")
