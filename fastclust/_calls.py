"""How Python calls kernels: by their names, `from fastclust._calls import assign_nearest`.

Whoever calls a kernel need not know how it was compiled: ahead of time, in the extension, or by
Numba, whose kernels are loaded when they are first asked for (`_extension` says which).
Constants that Python shares with the kernels are in modules of `_kernels` without Numba.
"""

import functools
from typing import Any

from fastclust import _extension
from fastclust._kernels.compiled import CompiledKernel
from fastclust._kernels.places import PLACES


@functools.cache
def _find(name: str) -> Any:
    """The kernel of this name."""
    if name not in PLACES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}, as no kernel has")
    extension = _extension.machine_code().extension
    return PLACES[name].load() if extension is None else CompiledKernel(extension, name)


def __getattr__(name):  # not annotated: mypy may ask for the type of a kernel before it has read it
    return _find(name)


def variant(name: str, key: object) -> Any:
    """The kernel that is made for this width of a tile, or for this covariance type."""
    return _find(f"{name}_{key}")
