"""The decorators that make kernels: all compile, cache and parallel policy is here.

`@inner` marks a serial function that is inlined into kernels, `@noinline` one that is not.
`@kernel` marks a function that Python calls: a thin `prange` over chunks around these.

The first argument of every kernel is `chunks`, an int64 array of rows (chunk, start, stop): the
chunk's own number and the range of items that it works on. Chunks depend on the shape of the work
alone, so results are the same bits for any number of threads, and any subset of the chunks can be
launched by itself.

The names of a kernel's parameters are its signature: an array whose name ends in `_out` is
written to, every other array is read-only. The dtype of the second argument is the kernel's real
type, and it is compiled once for each real type, serial (one chunk) or parallel (any other number).
"""

import inspect

import numba
import numpy as np
from numba.core import types

from fastclust import _threads
from fastclust._kernels.cache import attach_cache
from fastclust._kernels.link_only import PARTS, parts_linked_only

OPTIONS = {"error_model": "numpy", "nogil": True}

LAUNCH_WORK = 5e9
"""Multiply-adds per thread in one launch: under 0.2 s, so that Ctrl-C is seen between launches."""


def inner(function):
    """Compile a serial function to be inlined into kernels."""
    return _part(function, forceinline=True)


def noinline(function):
    """Compile a serial function to be called by kernels.

    For large ones that are called seldom: LLVM takes longer for one function than for its parts
    (first fit with 64 clusters 33 -> 28 s, of which Numba's and LLVM's compiling is nearly all).
    """
    return _part(function)


def _part(function, **options):
    PARTS.add(function.__qualname__)
    options |= {"no_cpython_wrapper": True, "no_cfunc_wrapper": True}
    return numba.njit(**options, **OPTIONS)(function)


def variant(name):
    """Return a decorator that names a function after the variant of a kernel that it belongs to.

    Every function that is made several times needs it. Machine code is found by its name, and what
    Numba adds to that counts the functions of a process: of two that processes compiled apart, a
    third that loads both would run one for the other.
    """

    def rename(function):
        function.__name__ += f"_{name}"
        function.__qualname__ += f"_{name}"
        return function

    return rename


def n_workers(chunks):
    """Threads that share these chunks."""
    return 1 if len(chunks) == 1 else _threads.effective_n_threads()


def steps_in_launch(chunks, work):
    """How many steps of this many multiply-adds one launch may hold; less than 1 for none."""
    return LAUNCH_WORK * n_workers(chunks) / max(work, 1.0)


def kernel(function):
    """Compile a function of chunks, at its first call for each real type and driver."""
    return Kernel(function)


class Kernel:
    """A kernel, compiled lazily; called as its function, with the work to cut launches by."""

    def __init__(self, function):
        self.function = function
        self.__name__ = function.__name__
        self.__doc__ = function.__doc__
        self._parameters = list(inspect.signature(function).parameters)
        self._compiled = {}

    def __call__(self, chunks, *args, work=0.0, alone=False):
        """Run the kernel over the chunks.

        Parameters
        ----------
        chunks : ndarray of shape (n_chunks, 3), int64
            Chunk number, first item and end of each chunk.
        *args : ndarray or scalar
            The kernel's other arguments.
        work : float, default=0.0
            Multiply-adds of the whole call; a long call is cut into several launches.
        alone : bool, default=False
            Whether this thread does all chunks.
        """
        parallel = _is_parallel(chunks, alone)
        compiled = self._compiled.get((args[0].dtype.char, parallel))
        if compiled is None:
            compiled = self._compile(parallel, (chunks, *args))
        if not parallel and work < LAUNCH_WORK:
            compiled(chunks, *args)
            return
        n_threads = _threads.effective_n_threads() if parallel else 1
        n_launches = int(work / (LAUNCH_WORK * n_threads)) + 1
        most_launches = max(1, len(chunks) // n_threads)  # each with work for every thread
        n_launches = min(n_launches, most_launches)
        for part in np.array_split(chunks, n_launches) if n_launches > 1 else [chunks]:
            with _threads.launching(n_threads, parallel):
                compiled(part, *args)

    def compile(self, chunks, *args, work=0.0):
        """Compile what such a call would run, if it is not yet; run nothing, whatever the work."""
        parallel = _is_parallel(chunks, alone=False)
        if (args[0].dtype.char, parallel) not in self._compiled:
            self._compile(parallel, (chunks, *args))

    def _compile(self, parallel, args):
        key = (args[1].dtype.char, parallel)
        with parts_linked_only():  # under Numba's lock: of several threads one compiles
            if key not in self._compiled:
                dispatcher = numba.njit(parallel=parallel, **OPTIONS)(self.function)
                driver = "parallel" if parallel else "serial"
                attach_cache(dispatcher, f"{self.__name__}-{key[0]}-{driver}")
                dispatcher.compile(tuple(map(_type_of, self._parameters, args)))
                dispatcher.disable_compile()
                self._compiled[key] = dispatcher
        return self._compiled[key]


def _is_parallel(chunks, alone):
    """Whether the chunks are shared by threads."""
    return len(chunks) != 1 and not alone and _threads.parallel_is_safe()


def _type_of(name, value):
    """Numba type of a kernel's argument: C-contiguous, read-only unless named `*_out`."""
    if isinstance(value, np.ndarray):
        readonly = not name.endswith("_out")
        return types.Array(numba.from_dtype(value.dtype), value.ndim, "C", readonly=readonly)
    return types.int64 if isinstance(value, (int, np.integer)) else types.float64
