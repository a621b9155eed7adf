"""How many threads the extension has: limits of the environment, of threadpoolctl, of Numba.

What holds for whatever machine code is in tests/test_threads.py.
"""

import pytest

from tests.native.processes import ALARM, run_python

COMMON = """
import os
import threading

import numpy as np
import threadpoolctl

import fastclust
from fastclust import _threads

n_threads = _threads.effective_n_threads

def in_a_thread(function):
    found = []
    thread = threading.Thread(target=lambda: found.append(function()))
    thread.start()
    thread.join()
    return found[0]

def fit():
    X = np.random.default_rng(0).normal(size=(40_000, 8))
    fastclust.KMeans(20, n_init=1, max_iter=5, random_state=0).fit(X)

def launched():
    '''Numbers of threads with which a fit launches.'''
    from fastclust import _calls, _extension
    from fastclust._kernels.compiled import CompiledKernel

    numbers, extension = set(), _extension.machine_code().extension
    init = CompiledKernel.__init__

    def watch(kernel, *args):
        init(kernel, *args)
        launch = kernel._launch
        kernel._launch = lambda number, n_threads, *args: (
            numbers.add(n_threads), launch(number, n_threads, *args)
        )

    CompiledKernel.__init__ = watch
    _calls._find.cache_clear()
    fit()
    CompiledKernel.__init__ = init
    _calls._find.cache_clear()
    return numbers
"""

FOUR = "_threads.available_n_threads = lambda: 4\n"


def run(code, **environment):
    return run_python(ALARM + COMMON + code, OPENBLAS_NUM_THREADS="1", **environment)


# -- the environment ---------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["OMP_NUM_THREADS", "NUMBA_NUM_THREADS"])
def test_limits_of_the_environment(name):
    code = "fit(); assert n_threads() == {}; assert 'numba' not in __import__('sys').modules"
    many = "import joblib; joblib.cpu_count = lambda: 4\n"
    run(many + code.format(4))
    run(many + code.format(1), **{name: "1"})
    run(many + code.format(3), **{name: "3"})
    run(many + code.format(4), **{name: "9"})  # an upper limit
    run(many + code.format(4), **{name: ""})
    run(many + code.format(2), OMP_NUM_THREADS="2,1", NUMBA_NUM_THREADS="3")
    run(many + code.format(2), OMP_NUM_THREADS="3", NUMBA_NUM_THREADS="2")


def test_cores_that_the_process_may_use():
    run("""
os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})
assert n_threads() == 1
assert launched() == {1}
""")


def test_a_forked_worker_may_bind_itself_after_a_fit_of_its_parent():
    run("""
before = n_threads()
fit()
pid = os.fork()
if pid == 0:
    os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})
    os._exit(n_threads())
assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 1
assert n_threads() == before
""")


def test_launches_have_as_many_threads_as_are_allowed():
    run(FOUR + "assert launched() == {1, 4}")
    run(FOUR + "with fastclust.limit_threads(3): assert launched() == {1, 3}")
    run(FOUR + "with fastclust.limit_threads(1): assert launched() == {1}")
    run(FOUR + "with threadpoolctl.threadpool_limits(3): assert launched() == {1, 3}")
    run(FOUR + "with threadpoolctl.threadpool_limits(1): assert launched() == {1}")


# -- threadpoolctl -----------------------------------------------------------------------------

INFO = """
info = [lib for lib in threadpoolctl.threadpool_info() if lib["user_api"] == "fastclust"]
assert len(info) == 1
(info,) = info
assert info["internal_api"] == "fastclust"
assert info["num_threads"] == 4
assert info["version"] == fastclust.__version__
assert info["prefix"] == "_fastclust_kernels"
from fastclust._extension import machine_code

assert os.path.samefile(info["filepath"], machine_code().extension.__file__)
"""

LIMITS = """
with threadpoolctl.threadpool_limits(3):  # before a fit too
    assert n_threads() == 3
    with threadpoolctl.threadpool_limits(1):
        assert n_threads() == 1
    assert n_threads() == 3
    with fastclust.limit_threads(2):
        assert n_threads() == 2
    assert in_a_thread(n_threads) == 4  # of its own thread alone
assert n_threads() == 4
with threadpoolctl.threadpool_limits(100):
    assert n_threads() == 4
assert n_threads() == 4
with threadpoolctl.threadpool_limits({"fastclust": 2}):
    assert n_threads() == 2
with threadpoolctl.threadpool_limits(2, user_api="fastclust"):
    assert n_threads() == 2
with threadpoolctl.threadpool_limits(1, user_api="blas"):  # not ours
    assert n_threads() == 4

@threadpoolctl.threadpool_limits.wrap(limits=2)
def limited():
    return n_threads()

assert limited() == 2
assert n_threads() == 4
try:
    with threadpoolctl.threadpool_limits(1):
        raise KeyError
except KeyError:
    assert n_threads() == 4

def limited_there():
    with threadpoolctl.threadpool_limits(2):
        return n_threads()

assert in_a_thread(limited_there) == 2
assert n_threads() == 4
"""


@pytest.mark.parametrize("before", ["", "fit()\n"], ids=["before a fit", "after a fit"])
def test_threadpoolctl_lists_the_extension(before):
    run(FOUR + before + INFO)


@pytest.mark.parametrize("before", ["", "fit()\n"], ids=["before a fit", "after a fit"])
def test_threadpoolctl_limits_the_thread_that_asks(before):
    run(FOUR + before + LIMITS)


def test_a_limit_of_threadpoolctl_holds_for_its_restarts():
    run(
        FOUR
        + """
with threadpoolctl.threadpool_limits(2):
    seen = list(_threads.map_in_order(lambda _: n_threads(), range(6)))
assert seen == 6 * [2]
"""
    )


def test_threadpoolctl_does_not_list_what_is_not_loaded():
    run("""
assert "fastclust" not in {lib["user_api"] for lib in threadpoolctl.threadpool_info()}
""", FASTCLUST_JIT="1")  # fmt: skip


UNUSED = """
import sys
import _fastclust_kernels  # loaded in any case
from fastclust import _extension

{before}
assert [
    lib["num_threads"] for lib in threadpoolctl.threadpool_info() if lib["user_api"] == "fastclust"
] == [1]
with threadpoolctl.threadpool_limits(1):  # as scikit-learn does
    pass
assert not {{"numba", "llvmlite"}} & set(sys.modules)
"""

OTHER_SOURCES = """
_extension.sources_hash = lambda: "others"
_extension.machine_code.cache_clear()
"""


@pytest.mark.parametrize(
    ("before", "variables"),
    [
        ("", {"FASTCLUST_JIT": "1"}),
        ("", {"FASTCLUST_JIT": "yes"}),
        ("", {"FASTCLUST_JIT": "never", "NUMBA_CPU_NAME": "generic"}),
        ("", {"FASTCLUST_LEVEL": "v9"}),
        (OTHER_SOURCES, {}),
        (OTHER_SOURCES, {"FASTCLUST_JIT": "never"}),
    ],
    ids=["forced", "unknown setting", "never", "unknown level", "other sources", "never others"],
)
def test_threadpoolctl_works_where_the_extension_is_not_used(before, variables):
    run(UNUSED.format(before=before), **variables)


# -- Numba -------------------------------------------------------------------------------------

NUMBA = """
import numba

assert n_threads() == 4  # Numba is there, but has started no threads
assert not numba.np.ufunc.parallel._is_initialized
numba.set_num_threads(2)
assert n_threads() == 2
fit()
assert numba.get_num_threads() == 2
assert in_a_thread(n_threads) in (3, 4)  # of its own thread alone
with fastclust.limit_threads(1):
    assert n_threads() == 1
with threadpoolctl.threadpool_limits({"fastclust": 1}):
    assert n_threads() == 1
numba.set_num_threads(1)
assert launched() == {1}
"""


@pytest.mark.parametrize("before", ["", "fit()\n"], ids=["before a fit", "after a fit"])
def test_numbas_limit_holds_once_it_has_threads(before):
    run("import joblib; joblib.cpu_count = lambda: 4\n" + before + NUMBA, NUMBA_NUM_THREADS="4")
