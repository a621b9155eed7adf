"""Threads, processes and the cache of compiled kernels, each in a process of its own.

All processes share one cache directory, except where the cache itself is tested.
"""

import os
import shutil
from concurrent.futures import ThreadPoolExecutor

import pytest

from fastclust import _threads, limit_threads
from tests.processes import run_jit, run_python

FIT_SMALL = """
import numpy as np
import scipy.sparse
from sklearn.datasets import make_blobs
import fastclust
from fastclust import metrics

X, _ = make_blobs(301, 5, centers=6, random_state=0)
model = fastclust.KMeans(6, random_state=0).fit(X)
print(model.labels_.tolist(), model.n_iter_)
print(model.fit(scipy.sparse.csr_array(X), sample_weight=np.arange(301) % 3).labels_.tolist())
mixture = fastclust.GaussianMixture(6, random_state=0).fit(X)
print(mixture.predict(X).tolist(), mixture.n_iter_)
print(round(metrics.silhouette_score(X, model.labels_), 9), model.transform(X).round(6).tolist())
"""

SEED_SMALL = """
import fastclust

print(fastclust.kmeans_plusplus([[0.0, 1.0], [2.0, 5.0], [3.0, 3.0]], 2, random_state=0))
"""  # compiles three kernels, a fit ten

SEED_VARIANTS = """
import sys
import numpy as np
import fastclust

rng = np.random.default_rng(0)
X = rng.normal(size=(20_000, 8))
for n_trials in map(int, sys.argv[1:]):  # a kernel for each
    for rows in X, X[:500]:  # and each driver
        print(fastclust.kmeans_plusplus(rows, 20, n_local_trials=n_trials, random_state=0)[1])
"""

FIT_IN_PARALLEL = """
import hashlib
import numpy as np
import scipy.sparse
from fastclust import BisectingKMeans, KMeans, MiniBatchKMeans, SphericalKMeans, _threads

def hashed(X, random_state=0, weights=None, k=16, make=KMeans, **options):
    model = make(k, random_state=random_state, **{"max_iter": 6} | options)
    model.fit(X, sample_weight=weights)
    inertia, distances = np.float64(model.inertia_), model.transform(X[:99])
    parts = model.labels_, model.cluster_centers_, inertia, distances
    return hashlib.sha256(b"".join(part.tobytes() for part in parts)).hexdigest()

rng = np.random.default_rng(0)
X = rng.normal(size=(200_000, 8))
"""

MIXTURES_IN_PARALLEL = """
import hashlib, sys, warnings
import numpy as np
from fastclust import BayesianGaussianMixture, GaussianMixture, _threads

warnings.simplefilter("ignore")
n_threads = int(sys.argv[1])
_threads.available_n_threads = lambda: n_threads
rng = np.random.default_rng(0)
X = rng.normal(size=(30_000, 5)) + 2 * rng.normal(size=(6, 5))[rng.integers(6, size=30_000)]
apart = 3 * rng.normal(size=(9, 16))[rng.integers(9, size=20_000)] + rng.normal(size=(20_000, 16))
weights = rng.uniform(size=len(X))

def hashed(X, k=6, weights=None, make=GaussianMixture, **options):
    model = make(k, random_state=0, max_iter=6, tol=0, **options)
    model.fit(X, sample_weight=weights)
    parts = [getattr(model, name) for name in ("weights_", "means_", "precisions_cholesky_")]
    parts += [np.array(model.lower_bounds_), model.predict(X), model.predict_proba(X)]
    return hashlib.sha256(b"".join(part.tobytes() for part in parts)).hexdigest()

for covariance_type in ("full", "tied", "diag", "spherical"):
    print(covariance_type, hashed(X, covariance_type=covariance_type))
print("float32", hashed(X.astype(np.float32)))
print("weights", hashed(X, weights=weights))
print("rows regrouped", hashed(apart, 9, init_params="random_from_data"))
print("one component", hashed(X, 1))
make = lambda k, **options: BayesianGaussianMixture(n_components=k, **options)
for covariance_type in ("full", "tied", "diag", "spherical"):
    print("Bayesian", covariance_type, hashed(X, covariance_type=covariance_type, make=make))
print("Bayesian, float32", hashed(X.astype(np.float32), make=make))
print("Bayesian, weights", hashed(X, weights=weights, make=make))
"""

HASHES = """
import sys
n_threads = int(sys.argv[1])
_threads.available_n_threads = lambda: n_threads  # also more threads than this machine has cores
assert _threads.effective_n_threads() == n_threads
weights = rng.uniform(size=len(X))
sparse = scipy.sparse.random(20_000, 100, density=0.1, format="csr", rng=0)
print("float64", hashed(X))
print("float32", hashed(X.astype(np.float32)))
print("weights", hashed(X, weights=weights))
print("many clusters", hashed(X[:30_000], k=200))
clusters = rng.normal(size=(64, 8))[rng.integers(64, size=60_000)] * 3 + X[:60_000]
print("skipping distances", hashed(clusters, k=64, max_iter=60, tol=0))
print("restarts side by side", hashed(X[:2000], k=20, n_init=7, max_iter=60))
print("sparse, weights", hashed(sparse, weights=weights[:20_000]))
for make in MiniBatchKMeans, BisectingKMeans, SphericalKMeans:
    print(make.__name__, hashed(X[:60_000], make=make))
    print(make.__name__, "sparse, weights", hashed(sparse, weights=weights[:20_000], make=make))
"""

CONCURRENT = """
import sys
from concurrent.futures import ThreadPoolExecutor
import numba

with ThreadPoolExecutor(3) as pool:  # the first launches of this process
    together = list(pool.map(lambda seed: hashed(X, seed), range(6)))
assert together == [hashed(X, seed) for seed in range(6)]
assert numba.threading_layer() == sys.argv[1]
"""

FORK = """
import multiprocessing

def child(connection):
    connection.send(hashed(X))

if __name__ == "__main__":
    {before}
    context = multiprocessing.get_context("fork")
    receiver, sender = context.Pipe(duplex=False)
    process = context.Process(target=child, args=(sender,))
    process.start()
    sender.close()
    there = receiver.recv()
    process.join(30)
    assert process.exitcode == 0
    assert hashed(X) == there  # the parent still works
"""

BEFORE_FORK = {
    "a large fit": "hashed(X)",
    "a small fit": "hashed(X[:50])",
    "numba's own threads": "import numba; numba.get_num_threads()",
    "nothing": "pass",
}


def files_in(directory):
    """Each file of a directory with what changes when it is written anew."""
    found = {}
    for path in directory.iterdir():
        status = path.stat()
        found[path.name] = status.st_ino, status.st_mtime_ns, status.st_size
    return found


@pytest.fixture(scope="module")
def seeded(tmp_path_factory):
    """What SEED_SMALL prints, and the cache directory that it filled; tests must not change it."""
    directory = tmp_path_factory.mktemp("seeded")
    directory.chmod(0o700)
    return run_jit(SEED_SMALL, FASTCLUST_CACHE_DIR=str(directory)), directory


# -- threads -----------------------------------------------------------------------------------


@pytest.fixture(params=["omp", "tbb", "workqueue"])
def layer(request):
    """Each of Numba's threading layers that can be loaded here, by the name of its setting."""
    module = {"omp": "omppool", "tbb": "tbbpool"}.get(request.param, request.param)
    pytest.importorskip(f"numba.np.ufunc.{module}", exc_type=ImportError)
    return request.param


def test_any_number_of_threads_gives_the_same_bits(cache):
    outputs = [
        run_python(
            FIT_IN_PARALLEL + HASHES, n_threads, timeout=240, NUMBA_NUM_THREADS=str(n_threads),
            FASTCLUST_CACHE_DIR=str(cache),
        )
        for n_threads in (1, 2, 4, 7)
    ]  # fmt: skip
    for output in outputs[1:]:
        assert output.splitlines() == outputs[0].splitlines()


def test_any_number_of_threads_gives_the_same_mixture(cache):
    outputs = {
        run_python(
            MIXTURES_IN_PARALLEL, n_threads, timeout=240, NUMBA_NUM_THREADS=str(n_threads),
            FASTCLUST_CACHE_DIR=str(cache),
        )
        for n_threads in (1, 2, 4, 7)
    }  # fmt: skip
    assert len(outputs) == 1


def test_python_threads_may_fit_at_once(cache, layer):
    run_jit(
        FIT_IN_PARALLEL + CONCURRENT, layer, NUMBA_THREADING_LAYER=layer, NUMBA_NUM_THREADS="2",
        FASTCLUST_CACHE_DIR=str(cache),
    )  # fmt: skip


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system does not fork")
@pytest.mark.parametrize("before", BEFORE_FORK)
def test_a_forked_child_can_fit_whatever_its_parent_did(cache, before, layer):
    run_jit(
        FIT_IN_PARALLEL + FORK.format(before=BEFORE_FORK[before]),
        NUMBA_THREADING_LAYER=layer,
        FASTCLUST_CACHE_DIR=str(cache),
    )


def test_the_number_of_threads_is_put_back_after_a_fit(cache):
    run_python(
        FIT_IN_PARALLEL
        + "import numba; numba.set_num_threads(1); hashed(X); assert numba.get_num_threads() == 1;"
        "numba.set_num_threads(2); hashed(X); assert numba.get_num_threads() == 2",
        NUMBA_NUM_THREADS="2",
        FASTCLUST_CACHE_DIR=str(cache),
    )


def test_restarts_keep_to_the_number_of_threads(cache):
    run_python(
        "import numba; from fastclust import _threads;"
        "_threads.available_n_threads = lambda: 4; numba.set_num_threads(2);"
        "n_threads = _threads.map_in_order(lambda _: _threads.effective_n_threads(), range(3));"
        "assert list(n_threads) == [2, 2, 2]",
        NUMBA_NUM_THREADS="4",
        FASTCLUST_CACHE_DIR=str(cache),
    )


def test_restarts_take_no_lock_that_is_written_in_python(cache):
    """An interrupt inside a condition variable left it locked, and the fit waiting forever."""
    code = """if True:
        import sys
        import threading
        from fastclust import _threads

        files = set()

        def trace(frame, event, arg):
            files.add(frame.f_code.co_filename)

        _threads.available_n_threads = lambda: 2
        _threads.effective_n_threads()
        sys.settrace(trace)  # of this thread
        assert list(_threads.map_in_order(abs, range(-100, 0))) == list(range(100, 0, -1))
        sys.settrace(None)
        assert _threads.__file__ in files
        assert threading.__file__ not in files
        """
    run_python(code, NUMBA_NUM_THREADS="2", FASTCLUST_CACHE_DIR=str(cache))


@pytest.mark.parametrize("n_items", [0, 1, 2, 50])
def test_restarts_in_threads_keep_their_order_and_raise_their_errors(cache, n_items):
    code = """if True:
        import sys, time
        from fastclust import _threads

        def square(item):
            time.sleep(0.001 * (item % 3))
            return item**2

        def fail(item):
            if item == 2:
                raise ValueError("the third")
            return item

        def items():
            yield from range(3)
            raise TypeError("no more")

        _threads.available_n_threads = lambda: 4
        n_items = int(sys.argv[1])
        assert list(_threads.map_in_order(square, range(n_items))) == [i**2 for i in range(n_items)]
        for error, function, failing in (ValueError, fail, range(9)), (TypeError, square, items()):
            try:
                list(_threads.map_in_order(function, failing))
            except error:
                continue
            raise AssertionError(error)
        """
    run_python(code, n_items, NUMBA_NUM_THREADS="4", FASTCLUST_CACHE_DIR=str(cache))


LIMITS = """
import threading
import fastclust
from fastclust import _threads
from threadpoolctl import threadpool_limits

_threads.available_n_threads = lambda: 4
n_threads = _threads.effective_n_threads

assert n_threads() == 4
whole = hashed(X)
with fastclust.limit_threads(2):
    assert n_threads() == 2
    with fastclust.limit_threads(3):  # the inner one holds
        assert n_threads() == 3
    thread = threading.Thread(target=lambda: seen.append(n_threads()))
    seen = []
    thread.start()
    thread.join()
    assert seen == [4]  # of its own thread alone
    assert hashed(X) == whole
assert n_threads() == 4
try:
    with fastclust.limit_threads(1):
        assert hashed(X) == whole
        raise KeyError
except KeyError:
    assert n_threads() == 4
"""

THREADPOOL_LIMITS = """
with threadpool_limits(3):
    assert n_threads() == 3
    assert hashed(X) == whole
with threadpool_limits(1, user_api="blas"):  # not ours
    assert n_threads() == 4
assert n_threads() == 4
"""


def test_limits_of_threads(cache, layer):
    code = FIT_IN_PARALLEL + LIMITS + (THREADPOOL_LIMITS if layer == "omp" else "")
    run_jit(code, NUMBA_NUM_THREADS="4", OMP_NUM_THREADS="4", NUMBA_THREADING_LAYER=layer,
               FASTCLUST_CACHE_DIR=str(cache))  # fmt: skip


@pytest.mark.parametrize("n_threads", [0, -1])
def test_a_limit_is_positive(n_threads):
    with pytest.raises(ValueError, match="n_threads must be at least 1"), limit_threads(n_threads):
        pass


@pytest.fixture
def forgotten():
    """As if nothing had asked for the number of threads yet, and afterwards again."""
    _threads._n_threads_on.cache_clear()
    yield
    _threads._n_threads_on.cache_clear()


@pytest.mark.usefixtures("forgotten")
@pytest.mark.parametrize("value", ["1", "1,4"])  # 4 for nested levels
def test_omp_num_threads_is_an_upper_limit(monkeypatch, value):
    monkeypatch.setenv("OMP_NUM_THREADS", value)
    assert _threads.available_n_threads() == 1


@pytest.mark.usefixtures("forgotten")
@pytest.mark.parametrize("value", ["", "many", "0", "-1", "1000000"])
def test_omp_num_threads_without_meaning_is_ignored(monkeypatch, value):
    monkeypatch.delenv("OMP_NUM_THREADS", raising=False)
    unlimited = _threads.available_n_threads()
    _threads._n_threads_on.cache_clear()
    monkeypatch.setenv("OMP_NUM_THREADS", value)
    assert _threads.available_n_threads() == unlimited


@pytest.mark.skipif(not hasattr(os, "sched_setaffinity"), reason="this system binds no threads")
@pytest.mark.usefixtures("forgotten")
@pytest.mark.parametrize("first", ["the bound thread", "another"])
def test_a_thread_that_is_bound_to_a_core_limits_itself_alone(first):
    before = None if first == "the bound thread" else _threads.available_n_threads()
    with ThreadPoolExecutor(1) as pool:
        core = min(os.sched_getaffinity(0))
        pool.submit(os.sched_setaffinity, 0, {core}).result()
        assert pool.submit(_threads.available_n_threads).result() == 1
    assert _threads.available_n_threads() == (before or unlimited_n_threads())


def unlimited_n_threads():
    """What a process says that no thread has limited."""
    return int(run_python("from fastclust import _threads; print(_threads.available_n_threads())"))


# -- import ------------------------------------------------------------------------------------


def test_import_does_not_import_numba_and_compiles_nothing(tmp_path):
    tmp_path.chmod(0o700)
    run_python(
        "import sys, fastclust\n"
        "fastclust.KMeans(3).get_params()\n"
        "assert not {'numba', 'llvmlite', 'matplotlib'} & set(sys.modules)",
        FASTCLUST_CACHE_DIR=str(tmp_path),
    )
    assert not files_in(tmp_path)


# -- the cache ---------------------------------------------------------------------------------


def test_the_first_fit_compiles_what_a_longer_one_needs(cache):
    code = """
from fastclust._kernels.jit import Kernel
from dataclasses import replace
from fastclust._algorithms.kmeans import policy

rows = rng.normal(size=(64, 8))[rng.integers(64, size=60_000)] * 3 + X[:60_000]
hashed(rows, k=64, max_iter=1)

def refuse(self, *args):
    raise AssertionError(f"{self.__name__} is compiled by a later fit")

Kernel._compile = refuse
policy.DEFAULT = replace(policy.DEFAULT, helps=float("inf"))
hashed(rows, k=64, max_iter=60)
"""
    run_jit(FIT_IN_PARALLEL + code, FASTCLUST_CACHE_DIR=str(cache), timeout=240)


def test_a_second_process_compiles_nothing(seeded):
    printed, directory = seeded
    before = files_in(directory)
    assert before
    assert run_jit(SEED_SMALL, FASTCLUST_CACHE_DIR=str(directory)) == printed
    assert files_in(directory) == before


def test_kernels_that_several_processes_compiled_work_in_one(tmp_path):
    """Code is found by its name, in which Numba counts the functions of the process."""
    tmp_path.chmod(0o700)
    apart = [
        run_jit(SEED_VARIANTS, n_trials, FASTCLUST_CACHE_DIR=str(tmp_path))
        for n_trials in (5, 2, 3)
    ]
    for order in (2, 5, 3), (5, 3, 2):
        together = run_jit(SEED_VARIANTS, *order, FASTCLUST_CACHE_DIR=str(tmp_path))
        assert sorted(together.splitlines()) == sorted("".join(apart).splitlines())


@pytest.mark.parametrize("damage", [b"", b"not a kernel", "half"])
def test_a_damaged_file_is_compiled_anew(seeded, tmp_path, damage):
    printed, warm = seeded
    directory = tmp_path / "cache"
    shutil.copytree(warm, directory)
    directory.chmod(0o700)
    damaged = sorted(directory.iterdir())[1:]
    whole = [path.read_bytes() for path in damaged]
    for path, content in zip(damaged, whole, strict=True):
        path.write_bytes(content[: len(content) // 2] if damage == "half" else damage)
    before = files_in(directory)
    assert run_jit(SEED_SMALL, FASTCLUST_CACHE_DIR=str(directory)) == printed
    after = files_in(directory)
    assert before.keys() == after.keys()
    assert {name for name in before if before[name] != after[name]} == {p.name for p in damaged}


@pytest.mark.skipif(os.name != "posix", reason="modes are POSIX's")
@pytest.mark.parametrize("mode", [0o750, 0o770, 0o702])
def test_a_directory_that_is_open_to_others_is_not_used(seeded, tmp_path, mode):
    tmp_path.chmod(mode)
    assert run_jit(SEED_SMALL, FASTCLUST_CACHE_DIR=str(tmp_path)) == seeded[0]
    assert not files_in(tmp_path)


def test_a_directory_that_cannot_be_made_means_no_cache(seeded, tmp_path):
    (tmp_path / "file").touch()
    impossible = tmp_path / "file" / "cache"
    assert run_jit(SEED_SMALL, FASTCLUST_CACHE_DIR=str(impossible)) == seeded[0]


@pytest.mark.skipif(os.name != "posix", reason="modes are POSIX's")
@pytest.mark.parametrize("variable", ["off", None])
def test_the_cache_is_the_users_own_unless_it_is_off(seeded, tmp_path, variable):
    home = {"HOME": str(tmp_path), "XDG_CACHE_HOME": str(tmp_path)}
    assert run_jit(SEED_SMALL, FASTCLUST_CACHE_DIR=variable, **home) == seeded[0]
    if variable == "off":
        assert not files_in(tmp_path)
    else:
        assert (tmp_path / "fastclust").stat().st_mode & 0o777 == 0o700
        assert files_in(tmp_path / "fastclust").keys() == files_in(seeded[1]).keys()


# -- the CPU -----------------------------------------------------------------------------------


@pytest.mark.parametrize("setting", [{"NUMBA_CPU_NAME": "generic"}, {"NUMBA_BOUNDSCHECK": "1"}])
def test_other_compile_settings_give_the_same_labels(cache, setting):
    directory = {"FASTCLUST_CACHE_DIR": str(cache)}  # its keys hold these settings
    assert run_jit(FIT_SMALL, **setting, **directory) == run_jit(FIT_SMALL, **directory)
