"""Parts of kernels are compiled for linking alone, and nothing else is touched."""

import numba
import numpy as np
import pytest
from numba import prange
from numba.core.codegen import JITCodeLibrary
from numba.core.registry import cpu_target

from fastclust._kernels import cache, jit, link_only
from fastclust._kernels.signature import real
from tests.processes import run_python

X = np.arange(12.0)


def make_kernel(monkeypatch):
    """A kernel of its own, so that each test compiles one, and the parts that it calls."""
    monkeypatch.setattr(cache, "cache_directory", lambda: None)

    @jit.inner
    def square(x):
        return x * x

    @jit.noinline
    def sum_squares(X, start, stop):
        total = 0.0
        for i in range(start, stop):
            total += max(square(X[i]), 1.0)  # max: of Numba's, compiled as usual
        return total

    @jit.kernel
    def sums(chunks, X: real[:], sums_out: real[:]):
        for s in prange(chunks.shape[0]):
            sums_out[chunks[s, 0]] = sum_squares(X, chunks[s, 1], chunks[s, 2])

    return sums, (square, sum_squares)


def run(kernel, n_chunks):
    sums = np.empty(n_chunks)
    borders = np.linspace(0, len(X), n_chunks + 1).astype(np.int64)
    kernel(np.column_stack([np.arange(n_chunks), borders[:-1], borders[1:]]), X, sums)
    return sums.sum()


def libraries(function):
    return [type(result.library) for result in function.overloads.values()]


@pytest.mark.parametrize("n_chunks", [1, 4])
def test_only_the_kernel_becomes_machine_code(monkeypatch, n_chunks):
    kernel, parts = make_kernel(monkeypatch)
    assert run(kernel, n_chunks) == np.maximum(X * X, 1).sum()
    (dispatcher,) = kernel._compiled.values()
    assert libraries(dispatcher) == [JITCodeLibrary]
    for part in parts:
        assert [library.__name__ for library in libraries(part)] == ["Part"]


@pytest.mark.parametrize("n_chunks", [1, 4])
def test_without_the_private_names_all_is_compiled_as_usual(monkeypatch, n_chunks):
    monkeypatch.setattr(link_only, "_part_class", lambda whole: None)
    kernel, parts = make_kernel(monkeypatch)
    assert run(kernel, n_chunks) == np.maximum(X * X, 1).sum()
    for part in parts:
        assert libraries(part) == [JITCodeLibrary]


@pytest.mark.parametrize("counting", [False, True])
def test_kernels_count_no_references(monkeypatch, counting):
    """But would, and be right, where Numba's private option has gone."""
    if counting:
        monkeypatch.delitem(jit.OPTIONS, "_nrt")
    kernel, _ = make_kernel(monkeypatch)
    assert run(kernel, 1) == np.maximum(X * X, 1).sum()
    (dispatcher,) = kernel._compiled.values()
    (code,) = dispatcher.inspect_llvm().values()
    assert ("call void @NRT_decref" in code) == counting


def test_a_class_without_the_names_is_not_used():
    assert link_only._part_class(None) is None
    assert link_only._part_class(object) is None


def test_parts_serve_several_kernels(monkeypatch):
    kernel, _ = make_kernel(monkeypatch)
    assert run(kernel, 1) == run(kernel, 4)


NAMES = """
import gc
import numba
from fastclust._kernels import jit, registry  # which makes all kernels

compiled = numba.core.dispatcher.Dispatcher, jit.Kernel
found = [thing for thing in gc.get_objects() if issubclass(type(thing), compiled)]
functions = {getattr(thing, "py_func", None) or thing.function for thing in found}
names = [
    (function.__module__, function.__qualname__)
    for function in functions
    if function.__module__.startswith("fastclust.")
]
assert len(names) > 100
assert len(names) == len(set(names))
"""


def test_every_function_has_a_name_of_its_own():
    """By which its machine code is found, whichever process compiled it."""
    run_python(NAMES)


def test_functions_of_others_are_compiled_as_usual(monkeypatch):
    codegen = cpu_target.target_context.codegen()
    kernel, _ = make_kernel(monkeypatch)
    run(kernel, 1)

    @numba.njit
    def largest(x):
        return max(x, 1.0)

    assert largest(2.0) == 2.0
    assert libraries(largest) == [JITCodeLibrary]
    context = link_only.parts_linked_only()
    context.__enter__()
    assert codegen._library_class is not JITCodeLibrary
    assert context.__exit__(ValueError, ValueError(), None) is False
    assert codegen._library_class is JITCodeLibrary
