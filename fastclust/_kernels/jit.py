"""The decorators that make kernels: all compile, cache and parallel policy is here.

`@inner` marks a serial function that is inlined into kernels, `@noinline` one that is not.
`@kernel` marks a function that Python calls: a thin `prange` over chunks around these.

The first argument of every kernel is `chunks`, an int64 array of rows (chunk, start, stop): the
chunk's own number and the range of items that it works on. Chunks depend on the shape of the work
alone, so results are the same bits for any number of threads, and any subset of the chunks can be
launched by itself.

A kernel declares its signature by annotations (`signature`). The dtype of the second argument is
what the declaration calls `real`. Each kernel has a variant for each real type and each of two
drivers, serial (for one chunk) and parallel (for any other number of chunks). A variant is compiled
from the declaration alone, when it is first called or ahead of that; `registry` lists the kernels
and the real types that the package calls them with. `launch` cuts a call into launches.
"""

import numba
import numpy as np
from numba.core import types
from numba.core.options import DefaultOptions

from fastclust import _threads
from fastclust._kernels import launch
from fastclust._kernels.cache import attach_cache
from fastclust._kernels.link_only import PARTS, parts_linked_only
from fastclust._kernels.signature import Signature

OPTIONS = {"error_model": "numpy", "nogil": True}
if hasattr(DefaultOptions, "_nrt"):  # a private name of Numba's
    # Kernels allocate nothing, so no references are counted. To count those of arrays in groups
    # would make machine code larger, and iterations on few features slower.
    OPTIONS["_nrt"] = False


def inner(function):
    """Compile a serial function to be inlined into kernels."""
    return _part(function, forceinline=True)


def noinline(function):
    """Compile a serial function to be called by kernels.

    For large functions that are called seldom: LLVM takes longer for one function than for its
    parts. `forceinline=False` is explicit, because a function without the option takes over that of
    its first caller.
    """
    return _part(function, forceinline=False)


def _part(function, **options):
    PARTS.add(function.__qualname__)
    options |= {"no_cpython_wrapper": True, "no_cfunc_wrapper": True}
    return numba.njit(**options, **OPTIONS)(function)


def variant(name):
    """Return a decorator that names a function after the variant of a kernel that it belongs to.

    Every function that is made several times needs it, as machine code is found by its name. Numba
    adds a counter to the name, which starts anew in each process: functions that two processes have
    compiled can share a name, and a third process that loads both would run the wrong one.
    """

    def rename(function):
        function.__name__ += f"_{name}"
        function.__qualname__ += f"_{name}"
        return function

    return rename


def numba_types(signature, real):
    """Numba's types of the declared parameters, with this dtype for `real`."""
    return tuple(
        _numba_type(dtype, ndim, not name.endswith("_out"))
        for name, dtype, ndim in signature.resolved(real)
    )


def _numba_type(dtype, ndim, readonly):
    scalar = numba.from_dtype(dtype)
    return types.Array(scalar, ndim, "C", readonly=readonly) if ndim > 0 else scalar


def kernel(function):
    """Make a kernel of a function of chunks whose other parameters are annotated."""
    return Kernel(function)


class Kernel:
    """A kernel, compiled when it is first called; a call may be cut into several launches."""

    def __init__(self, function):
        self.function = function
        self.__name__ = function.__name__
        self.__doc__ = function.__doc__
        self.signature = Signature(function)
        others = list(self.signature.parameters)[1:]
        self._team = others.index("team_out") if "team_out" in others else None
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

        Raises
        ------
        TypeError
            If an argument does not fit its declaration. To save time, a float in the place of an
            integer is looked for in the first call of each variant only.
        """
        try:
            parallel = launch.is_parallel(chunks, alone)
            compiled = self._compiled.get((args[0].dtype.char, parallel))
            if compiled is None:
                self.signature.check((chunks, *args))
                compiled = self._compile(args[0].dtype, parallel)
            if not parallel and work < launch.LAUNCH_WORK:
                if self._team is not None:
                    launch.open_team(args[self._team], len(chunks))
                compiled(chunks, *args)
                return
            n_threads = _threads.effective_n_threads() if parallel else 1
            for part in launch.cut(chunks, work, n_threads):
                if self._team is not None:
                    launch.open_team(args[self._team], len(part))
                with _threads.launching(n_threads, parallel):
                    compiled(part, *args)
        except (AttributeError, IndexError, TypeError):
            self.signature.check((chunks, *args))  # raises an error that names the parameter
            raise

    def prepare(self, chunks, dtype):
        """Compile what a call with these chunks and this real type would run."""
        self.compile(dtype, launch.is_parallel(chunks, alone=False))

    def compile(self, dtype, parallel):
        """Compile a variant, unless it is compiled already.

        Parameters
        ----------
        dtype : dtype
            The real type, float32 or float64.
        parallel : bool
            Whether to compile the parallel driver, not the serial one.
        """
        dtype = np.dtype(dtype)
        if (dtype.char, parallel) not in self._compiled:
            self._compile(dtype, parallel)

    def _compile(self, dtype, parallel):
        """Compile a variant and return Numba's dispatcher, which compiles nothing more."""
        key = dtype.char, parallel
        with parts_linked_only():  # under Numba's lock: of several threads one compiles
            if key not in self._compiled:
                dispatcher = numba.njit(parallel=parallel, **OPTIONS)(self.function)
                driver = "parallel" if parallel else "serial"
                attach_cache(dispatcher, f"{self.__name__}-{key[0]}-{driver}")
                dispatcher.compile(numba_types(self.signature, dtype))
                dispatcher.disable_compile()
                self._compiled[key] = dispatcher
        return self._compiled[key]
