"""The registry holds what the package calls: each kernel with each real type, and nothing else."""

import functools
import importlib
import json
import pkgutil

import numpy as np
import pytest

import fastclust._kernels
from fastclust._algorithms.rows.panels import Panels
from fastclust._kernels import registry
from fastclust._kernels.jit import Kernel
from fastclust._kernels.kmeans import seeding
from tests.processes import run_python

CALLED = """
import json
import sys

import fastclust
from fastclust._kernels.jit import Kernel
from tests.features import use_every_feature

compile_variant, call = Kernel._compile, Kernel.__call__
asked = set()

def record(kernel, dtype, parallel):
    asked.add((kernel.__name__, dtype.name))
    return compile_variant(kernel, dtype, parallel)

def check_and_call(kernel, *args, **options):
    kernel.signature.check(args)
    return call(kernel, *args, **options)

Kernel._compile, Kernel.__call__ = record, check_and_call
for dtype in "float32", "float64":
    use_every_feature(dtype)
print(json.dumps(sorted(asked)))
"""


@pytest.fixture(scope="module", params=["1", "2"], ids=["1 thread", "2 threads"])
def called(request, cache):
    """Names of the kernels, and real types, that every feature together calls."""
    printed = run_python(
        CALLED, FASTCLUST_CACHE_DIR=str(cache), OMP_NUM_THREADS=request.param, timeout=900
    )
    return {tuple(pair) for pair in json.loads(printed)}


def test_only_what_is_in_the_registry_is_called(called):
    assert called <= {(kernel.__name__, dtype) for kernel, dtype in registry.REGISTRY}


def test_all_that_is_in_the_registry_is_called(called):
    """No entry is for several threads alone: what is called depends on the shape of the work."""
    assert {(kernel.__name__, dtype) for kernel, dtype in registry.REGISTRY} <= called


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
    makers = {kernel.function.__qualname__.split(".<locals>")[0] for kernel, _ in registry.REGISTRY}
    found = {
        name
        for module in modules()
        for name, value in vars(module).items()
        if name.endswith("_kernel") and isinstance(value, functools._lru_cache_wrapper)
    }
    assert len(found) == 5
    assert found <= makers


def test_every_entry_is_there_once():
    names = [(kernel.__name__, dtype) for kernel, dtype in registry.REGISTRY]
    assert len(set(names)) == len(names)


def test_every_width_of_seeding_is_there(monkeypatch):
    widths = set()

    def record(width):
        widths.add(width)
        return lambda *args, **options: None

    monkeypatch.setattr(seeding, "seeding_kernel", record)
    panels = Panels(np.arange(40.0).reshape(20, 2), None, np.zeros(2))
    for n_candidates in range(1, 200):
        panels.run_seeding(0, np.zeros((1, n_candidates)))
    assert widths == set(registry.SEEDING_WIDTHS)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_entries_for_a_type(dtype):
    entries = registry.entries_for(dtype)
    assert {entry for entry in registry.REGISTRY if entry.dtype == dtype} <= set(entries)
    assert set(registry.SCORES) <= set(entries) <= set(registry.REGISTRY)
