"""How many threads a kernel runs on, and whether the parallel driver is safe here.

Kernels compiled ahead of time run on threads of the extension, in a forked process too. Numba's
threading layers have limits: GNU OpenMP ends a process that was forked after use, and the workqueue
layer aborts when two Python threads launch at once. So where Numba compiles the kernels, a forked
child runs the serial driver, and launches on the workqueue layer take turns.
"""

import _thread
import contextlib
import contextvars
import functools
import math
import operator
import os
import queue
import sys
import threading
from typing import Any

from fastclust import _extension

_launch_lock = threading.Lock()
_state = {"started": False, "forked_after_start": False}
_limit = contextvars.ContextVar("limit", default=math.inf)
threadpoolctls = threading.local()  # its attribute `limit`, if `_threadpoolctl` has set it


@contextlib.contextmanager
def limit_threads(n_threads):
    """Context in which fastclust uses at most so many threads.

    It holds for the calling thread, or asynchronous task, alone. The results are the same bits for
    any number.

    Parameters
    ----------
    n_threads : int
        The limit, at least 1.

    Raises
    ------
    ValueError
        If it is less than 1.

    See Also
    --------
    threadpoolctl.threadpool_limits : Holds here too.

    Examples
    --------
    >>> from sklearn.datasets import load_iris
    >>> import fastclust
    >>> with fastclust.limit_threads(1):
    ...     kmeans = fastclust.KMeans(3, random_state=0).fit(load_iris().data)
    """
    if operator.index(n_threads) < 1:
        raise ValueError(f"n_threads must be at least 1. Got {n_threads} instead.")
    token = _limit.set(n_threads)
    try:
        yield
    finally:
        _limit.reset(token)


def parallel_is_safe():
    """Whether parallel kernels may be launched in this process.

    A limit of one thread does not forbid them: they are compiled already, or later calls need them.
    """
    is_safe = _extension.level() is not None or not _state["forked_after_start"]
    return is_safe and available_n_threads() > 1


def available_n_threads():
    """Cores by affinity and container quota, or fewer by OMP_NUM_THREADS, NUMBA_NUM_THREADS.

    The affinity is that of the calling thread, now: a worker may bind itself to some cores after
    its parent's first fit, or one thread among others. The rest is asked for once, as it takes as
    long as many launches.
    """
    has_affinity = hasattr(os, "sched_getaffinity")
    return _n_threads_on(len(os.sched_getaffinity(0)) if has_affinity else None)


@functools.cache
def _n_threads_on(n_cores):
    """The same in a thread that has so many cores; None where it has all that there are."""
    import joblib

    limits = [joblib.cpu_count()]  # at most n_cores, as this is such a thread
    if _extension.level() is None:
        import numba

        limits.append(numba.config.NUMBA_NUM_THREADS)
    for name in "OMP_NUM_THREADS", "NUMBA_NUM_THREADS":
        with contextlib.suppress(ValueError):  # OMP_NUM_THREADS may be a list, as in "4,2"
            limits.append(int(os.environ.get(name, "").split(",")[0]))
    return min(limit for limit in limits if limit > 0)  # OpenMP ignores a limit of 0


def effective_n_threads():
    """Threads that the next launch uses: those available, or fewer by any limit."""
    if _extension.level() is not None:
        limits = _numbas_limit(), getattr(threadpoolctls, "limit", math.inf), _limit.get()
        return min(available_n_threads(), *limits)
    import numba

    _state["started"] = True  # the next call starts Numba's threads
    limits = numba.get_num_threads(), _openmp_limit()(), _limit.get()
    return min(available_n_threads(), *limits)


def n_threads_to_come():
    """What `effective_n_threads` will say, asked without starting Numba's threads."""
    if _extension.level() is None and not _numba_has_threads():
        return min(available_n_threads(), _limit.get())
    return effective_n_threads()


def _numba_has_threads():
    """Whether they were started, by us or the caller."""
    # A private name, read if it is there: asking Numba itself would start its threads.
    parallel = sys.modules.get("numba.np.ufunc.parallel")
    return bool(getattr(parallel, "_is_initialized", False))


def _numbas_limit():
    """What `numba.set_num_threads` was told in this thread, if Numba has threads."""
    if not _numba_has_threads():
        return math.inf
    return sys.modules["numba"].get_num_threads()


@functools.cache
def _openmp_limit():
    """Function that returns OpenMP's limit for this thread, which threadpoolctl sets."""
    import ctypes

    # The library that Numba's layer runs on: a private name, read if it is there.
    layer = sys.modules.get("numba.np.ufunc.omppool")
    try:
        return ctypes.CDLL(str(getattr(layer, "__file__", None))).omp_get_max_threads
    except (AttributeError, OSError):
        return lambda: math.inf


@contextlib.contextmanager
def launching(n_threads, parallel):
    """Context of one launch, parallel on n_threads or serial."""
    if not parallel:
        yield
        return
    import numba

    in_turn = numba.threading_layer() == "workqueue"
    with _launch_lock if in_turn else contextlib.nullcontext():
        before = numba.get_num_threads()
        numba.set_num_threads(n_threads)
        try:
            yield
        finally:
            numba.set_num_threads(before)


def map_in_order(function, items):
    """Yield function(item) of all items, called in as many threads as there are.

    For functions whose time goes into serial kernels, which release the interpreter's lock.

    ThreadPoolExecutor is not used: an interrupt inside its condition variables, which are written
    in Python, left them locked and its threads waiting forever, once in 20 times. Here the calling
    thread waits on a SimpleQueue and plain locks only, which are written in C.
    """
    n_threads = effective_n_threads()
    if n_threads == 1:
        yield from map(function, items)
        return
    numbered, taking = enumerate(items), threading.Lock()
    results = queue.SimpleQueue[Any]()
    stopped = False

    def work(running):
        error = None
        try:
            _limit.set(n_threads)  # a new thread has no limit
            while not stopped:
                with taking:
                    index, item = next(numbered, (None, None))
                if index is None:
                    break
                results.put((index, function(item)))
        except BaseException as raised:
            error = raised
        results.put((None, error))
        running.release()

    threads = []
    try:
        for _ in range(n_threads):
            running = threading.Lock()
            running.acquire()
            _thread.start_new_thread(work, (running,))
            threads.append(running)
        n_running, n_yielded, early = n_threads, 0, {}
        while n_running:
            index, result = results.get()
            if index is not None:
                early[index] = result
            elif result is not None:
                raise result
            else:
                n_running -= 1
            while n_yielded in early:
                yield early.pop(n_yielded)
                n_yielded += 1
    finally:
        stopped = True
        for running in threads:
            running.acquire()  # waits until its thread has ended


def _after_fork_in_child():
    """Renew the lock, and note whether Numba had started threads, which the child has not."""
    global _launch_lock
    _launch_lock = threading.Lock()
    started = _state["started"] or _numba_has_threads()
    _state["forked_after_start"] = _state["forked_after_start"] or started


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork_in_child)
