"""The registry holds what the package calls: each kernel with each real type, and nothing else."""

import ast
import functools
import importlib
import json
import pkgutil
from pathlib import Path

import numpy as np
import pytest

import fastclust.metrics
import fastclust.model_selection
import fastclust.outliers
from fastclust._algorithms.rows.panels import Panels
from fastclust._kernels import places, registry
from fastclust._kernels.jit import Kernel
from tests import features
from tests.processes import run_jit

RECORD = """
import json

from fastclust._kernels.jit import Kernel
from tests.features import use_every_feature

compile_variant, call = Kernel._compile, Kernel.__call__
compiled, called = set(), set()

def record_and_compile(kernel, dtype, parallel):
    compiled.add((kernel.__name__, dtype.name))
    return compile_variant(kernel, dtype, parallel)

def record_and_call(kernel, *args, **options):
    kernel.signature.check(args)
    called.add((kernel.__name__, args[1].dtype.name))
    return call(kernel, *args, **options)

Kernel._compile, Kernel.__call__ = record_and_compile, record_and_call
for dtype in "float32", "float64":
    use_every_feature(dtype)
print(json.dumps([sorted(compiled), sorted(called)]))
"""


@pytest.fixture(scope="module", params=["1", "2"], ids=["1 thread", "2 threads"])
def used(request, cache):
    """Names and real types of the kernels that all features compile, and of those they call."""
    printed = run_jit(
        RECORD, FASTCLUST_CACHE_DIR=str(cache), OMP_NUM_THREADS=request.param, timeout=900
    )
    return [{tuple(pair) for pair in pairs} for pairs in json.loads(printed)]


def test_the_package_uses_what_is_in_the_registry(used):
    """All of it with any number of threads: what is called depends on the shape of the work."""
    entered = {(kernel.__name__, dtype) for kernel, dtype in registry.REGISTRY}
    compiled, called = used
    assert compiled <= entered
    assert called == entered


def test_features_are_all_that_is_public():
    source = Path(features.__file__).read_text()
    used = {node.attr for node in ast.walk(ast.parse(source)) if isinstance(node, ast.Attribute)}
    public = fastclust, fastclust.metrics, fastclust.model_selection, fastclust.outliers
    names = {name for module in public for name in module.__all__}
    no_kernels = {"__version__", "show_config", "warmup", "Selection"}
    assert names - no_kernels <= used


def modules():
    """All modules of the kernels."""
    package = fastclust._kernels
    for module in pkgutil.walk_packages(package.__path__, f"{package.__name__}."):
        yield importlib.import_module(module.name)


def test_every_kernel_of_a_module_is_there():
    entered = {kernel for kernel, _ in registry.REGISTRY}
    found = {
        value
        for module in modules()
        for value in vars(module).values()
        if isinstance(value, Kernel)
    }
    assert len(found) > 10
    assert found <= entered


def test_every_function_that_makes_kernels_is_there():
    makers = {maker for _, maker, _ in places.VARIANTS.values()}
    found = {
        name
        for module in modules()
        for name, value in vars(module).items()
        if name.endswith("_kernel") and isinstance(value, functools._lru_cache_wrapper)
    }
    assert len(found) == 6
    assert found <= makers


def test_every_kernel_is_found_by_its_name():
    assert all(kernel.__name__ == name for name, kernel in registry.BY_NAME.items())
    assert len(set(registry.BY_NAME.values())) == len(places.PLACES)


def test_every_entry_is_there_once():
    names = [(kernel.__name__, dtype) for kernel, dtype in registry.REGISTRY]
    assert len(set(names)) == len(names)


def test_every_width_of_seeding_is_there(monkeypatch):
    widths = set()

    def record(name, width):
        widths.add(width)
        return lambda *args, **options: None

    monkeypatch.setattr("fastclust._algorithms.rows.panels.variant", record)
    panels = Panels(np.arange(40.0).reshape(20, 2), None, np.zeros(2))
    for n_candidates in range(1, 200):
        panels.run_seeding(0, np.zeros((1, n_candidates)))
    assert widths == set(places.SEEDING_WIDTHS)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_entries_for_a_type(dtype):
    entries = registry.entries_for(dtype)
    assert {entry for entry in registry.REGISTRY if entry.dtype == dtype} <= set(entries)
    assert set(registry.SCORES) <= set(entries) <= set(registry.REGISTRY)


def kernels_in(tree):
    """Definitions of kernels in the syntax tree of a module."""
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef) and "kernel" in map(ast.unparse, node.decorator_list):
            yield node


def test_a_kernel_is_a_loop_over_chunks_or_threads_and_nothing_else():
    """Each thread may run it as a whole, for some of the chunks: what else it wrote would race."""
    n_kernels = 0
    for path in Path(fastclust._kernels.__file__).parent.rglob("*.py"):
        for kernel in kernels_in(ast.parse(path.read_text())):
            *names, loop = kernel.body[1:]  # after the docstring
            for statement in names:
                assert isinstance(statement, ast.Assign), kernel.name
                assert not any(isinstance(n, ast.Subscript) for n in statement.targets), kernel.name
            assert isinstance(loop, ast.For), kernel.name
            is_team = any(parameter.arg == "team_out" for parameter in kernel.args.args)
            count = "n_workers" if is_team else "chunks.shape[0]"
            assert ast.unparse(loop.iter) == f"prange({count})"
            n_kernels += 1
    assert n_kernels > 20
