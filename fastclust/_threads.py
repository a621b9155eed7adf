"""How many threads a kernel runs on, and whether the parallel driver is safe here.

Numba's threading layers have limits of their own: GNU OpenMP ends a process that was forked after
use, and the workqueue layer aborts when two Python threads launch at once. So a forked child runs
the serial driver, and launches on the workqueue layer take turns.
"""

import contextlib
import functools
import os
import sys
import threading

_launch_lock = threading.Lock()
_state = {"started": False, "forked_after_start": False}


def parallel_is_safe():
    """Whether parallel kernels may be launched in this process."""
    return not _state["forked_after_start"] and effective_n_threads() > 1


@functools.cache
def _available_n_threads():
    """Cores by affinity and container quota, or fewer by OMP_NUM_THREADS, NUMBA_NUM_THREADS."""
    import joblib
    import numba

    limits = [joblib.cpu_count(), numba.config.NUMBA_NUM_THREADS]
    with contextlib.suppress(ValueError):  # OMP_NUM_THREADS may be a list, as in "4,2"
        limits.append(int(os.environ.get("OMP_NUM_THREADS", "").split(",")[0]))
    return min(limit for limit in limits if limit > 0)  # OpenMP ignores a limit of 0


def _n_threads():
    """Threads to use: what is available, or fewer by numba.set_num_threads."""
    import numba

    return min(_available_n_threads(), numba.get_num_threads())


def effective_n_threads():
    """Threads that the next launch uses."""
    _state["started"] = True  # the next call starts Numba's threads
    return _n_threads()


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
    """
    n_threads = _n_threads()
    if n_threads == 1:
        yield from map(function, items)
        return
    from concurrent.futures import ThreadPoolExecutor

    import numba

    # Numba's limit is one of each thread: new ones have none.
    pool = ThreadPoolExecutor(n_threads, initializer=numba.set_num_threads, initargs=(n_threads,))
    try:
        yield from pool.map(function, items)
    finally:
        pool.shutdown(cancel_futures=True)


def _after_fork_in_child():
    global _launch_lock
    _launch_lock = threading.Lock()
    # The caller's own use of Numba may have started them: a private name, read if it is there.
    parallel = sys.modules.get("numba.np.ufunc.parallel")
    started = _state["started"] or bool(getattr(parallel, "_is_initialized", False))
    _state["forked_after_start"] = _state["forked_after_start"] or started


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork_in_child)
