"""Functions that kernels call are compiled to LLVM IR only; the kernel itself to machine code.

By default Numba optimises each function and generates its machine code before it links the function
into its callers, where both are done again. A kernel has dozens of functions, four nested ones for
each `prange`. In the context `parts_linked_only` these parts are linked as IR, and only the whole
kernel is optimised and made into machine code: the first fit of 200,000 x 3 rows with 64 clusters,
nearly all of it compiling, takes 15 s instead of 26, that of 300 x 2 rows 6 s instead of 8
(benchmarks/bench_startup.py), and the kernels run as fast.

This replaces a class of Numba's that has a private name. Where it has moved, all is compiled as
usual.
"""

import contextlib

from numba.core.compiler_lock import global_compiler_lock
from numba.core.registry import cpu_target

PARTS = set()
"""Names of the functions that only kernels call."""

PRANGE_PARTS = "__numba_parfor_gufunc", "parallelgufuncwrapper", "<numba.np.ufunc.wrappers."
"""Beginnings of the names of the functions that Numba makes of a `prange`."""


@contextlib.contextmanager
def parts_linked_only():
    """Context in which the functions that kernels call are compiled for linking only."""
    with global_compiler_lock:
        codegen = cpu_target.target_context.codegen()
        whole = getattr(codegen, "_library_class", None)
        part = _part_class(whole)
        if part is None:
            yield
            return
        codegen._library_class = _Libraries(whole, part)
        try:
            yield
        finally:
            codegen._library_class = whole


def _part_class(whole):
    """Numba's code library without its last steps; None if Numba has changed these steps."""
    names = (
        "_ensure_finalized", "_finalize_dynamic_globals", "_finalize_final_module",
        "_optimize_final_module", "_unserialize", "_verify_declare_only_symbols",
    )  # fmt: skip
    if not all(hasattr(whole, name) for name in names):
        return None

    class Part(whole):
        def _optimize_final_module(self):
            pass

        def _finalize_final_module(self):
            self._finalize_dynamic_globals()
            self._verify_declare_only_symbols()
            self._finalized = True

        def get_pointer_to_function(self, name):
            """Return no address: there is no machine code."""
            self._ensure_finalized()
            return 0

        @property
        def codegen(self):
            """Object whose `set_env` does nothing: it serves errors, which parts do not raise."""
            return self

        def set_env(self, name, env):
            pass

    return Part


class _Libraries:
    """Stands in for Numba's class of code libraries; chooses one of two by a function's name."""

    def __init__(self, whole, part):
        self._whole, self._part = whole, part
        self._unserialize = whole._unserialize

    def __call__(self, codegen, name, **options):
        is_part = name in PARTS or name.startswith(PRANGE_PARTS)
        return (self._part if is_part else self._whole)(codegen, name, **options)
