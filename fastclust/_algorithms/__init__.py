"""Algorithms: loops, stopping rules and choices in plain Python and NumPy, over the kernels.

Submodules are loaded at first use, as attributes of their package, so that importing fastclust
stays quick: it loads no kernel.
"""

import importlib


def load_submodules(package):
    """Make the `__getattr__` of a package: it imports the submodule of that name."""

    def __getattr__(name):
        try:
            return importlib.import_module(f"{package}.{name}")
        except ModuleNotFoundError as error:
            if error.name != f"{package}.{name}":
                raise
            raise AttributeError(f"module {package!r} has no attribute {name!r}") from None

    return __getattr__


__getattr__ = load_submodules(__name__)
