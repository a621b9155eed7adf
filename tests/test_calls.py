"""Python gets kernels by their names, whoever compiled them, and nothing else of them."""

import pytest

from fastclust import _calls, _extension
from fastclust._kernels import registry
from tests.processes import run_jit, run_python


def test_names_are_those_of_the_registry():
    """Its own kernels, where Numba compiles them."""
    from fastclust._calls import assign_nearest

    kernels = {
        "assign_nearest": assign_nearest,
        "seed_rounds_5": _calls.variant("seed_rounds", 5),
        "update_components_full": _calls.variant("update_components", "full"),
    }
    for name, kernel in kernels.items():
        assert kernel.__name__ == name
        if _extension.level() is None:
            assert kernel is registry.BY_NAME[name]


def test_unknown_names():
    with pytest.raises(AttributeError, match=r"'fastclust\._calls' has no attribute 'assign'"):
        _calls.assign  # noqa: B018
    with pytest.raises(ImportError, match="cannot import name 'assign'"):
        from fastclust._calls import assign  # noqa: F401
    with pytest.raises(AttributeError, match="'seed_rounds_99'"):
        _calls.variant("seed_rounds", 99)


def test_a_kernel_is_loaded_without_the_others():
    run_jit(
        "import sys\n"
        "from fastclust._calls import sort_rows\n"
        "loaded = {name for name in sys.modules if name.startswith('fastclust._kernels.rows.')}\n"
        "assert loaded == {'fastclust._kernels.rows.sort'}, loaded"
    )


WITHOUT_NUMBA = """
import importlib
import pkgutil
import sys

from fastclust import _extension

_extension.level = lambda: sys.argv[1]  # as if kernels had been compiled ahead of time

import fastclust
from fastclust import _calls, _extension

_calls._find = lambda name: name
for module in pkgutil.walk_packages(fastclust.__path__, "fastclust."):
    if not module.name.startswith(("fastclust._kernels.", "fastclust._native.")):
        importlib.import_module(module.name)
assert not {"numba", "llvmlite"} & set(sys.modules)
for name, module in sorted(sys.modules.items()):
    if name.startswith("fastclust._kernels.") and not hasattr(module, "__path__"):
        print(name.removeprefix("fastclust._kernels."))
from fastclust._kernels.simd.sizes import TILE

print(TILE)
"""


@pytest.mark.parametrize(("level", "tile"), [("v2", 6), ("v3", 6), ("v4", 8)])
def test_all_but_the_kernels_is_imported_without_numba(level, tile):
    *loaded, printed_tile = run_python(WITHOUT_NUMBA, level).split()
    assert loaded == [
        "compiled", "kmeans.constants", "launch", "mixture.arguments", "mixture.layout", "places",
        "signature", "simd.sizes",
    ]  # fmt: skip
    assert int(printed_tile) == tile
