"""Algorithms: loops, stopping rules and choices in plain Python and NumPy, over the kernels.

Submodules are loaded at first use, as attributes of this package: they import Numba, and importing
fastclust must not.
"""

import importlib


def __getattr__(name):
    try:
        return importlib.import_module(f"{__name__}.{name}")
    except ModuleNotFoundError as error:
        if error.name != f"{__name__}.{name}":
            raise
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}") from None
