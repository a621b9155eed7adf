"""Functions that kernels call, compiled no further than that needs.

Numba optimises each function and makes machine code of it before it is linked into its callers,
where both are done again; and a `prange` is four functions around one another. The functions of
one kernel are dozens. While a kernel is compiled here, its parts stay as they were written, and
only the whole is made ready to run: the first fit of 200,000 x 3 rows with 64 clusters, nearly all
of it compiling, takes 15 s and not 26, that of 300 x 2 rows 6 s and not 8
(benchmarks/bench_startup.py), and the kernels run as fast.

This changes what Numba creates by a private name. Where that has moved, all is compiled as usual.
"""

import contextlib

from numba.core.compiler_lock import global_compiler_lock
from numba.core.registry import cpu_target

PARTS = set()
"""Names of the functions that only kernels call."""

PRANGE_PARTS = "__numba_parfor_gufunc", "parallelgufuncwrapper", "<numba.np.ufunc.wrappers."
"""How the names of what Numba makes of a `prange` begin."""


@contextlib.contextmanager
def parts_linked_only():
    """Context in which parts of kernels are compiled for linking alone."""
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
    """Numba's class of the code of a function, without the last steps; None if it has others."""
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
            """What sets the environment, in which Python errors are raised: parts raise none."""
            return self

        def set_env(self, name, env):
            pass

    return Part


class _Libraries:
    """What Numba calls to create the code of a function, by its name."""

    def __init__(self, whole, part):
        self._whole, self._part = whole, part
        self._unserialize = whole._unserialize

    def __call__(self, codegen, name, **options):
        is_part = name in PARTS or name.startswith(PRANGE_PARTS)
        return (self._part if is_part else self._whole)(codegen, name, **options)
