"""Shapes around the lane width and the tile, and chunks for both drivers."""

import numpy as np
import pytest

from fastclust import _calls
from fastclust._kernels.compiled import CompiledKernel

N_SAMPLES = [1, 7, 8, 9, 15, 16, 17, 33, 100]
N_FEATURES = [1, 2, 3, 9]


def pytest_generate_tests(metafunc):
    """Run each test that asks for a shape on every combination that sits on a border."""
    if {"n_samples", "n_features"} <= set(metafunc.fixturenames):
        shapes = [(n, 3) for n in N_SAMPLES] + [(17, d) for d in N_FEATURES]
        metafunc.parametrize(("n_samples", "n_features"), sorted(set(shapes)))


@pytest.fixture(autouse=True)
def checked_calls(monkeypatch):
    """Check the arguments of every call: Numba would truncate a float to an integer."""
    kernels = type(_calls.sum_columns)
    if issubclass(kernels, CompiledKernel):  # the extension checks them itself
        return
    call = kernels.__call__

    def check_and_call(kernel, *args, **options):
        kernel.signature.check(args)
        return call(kernel, *args, **options)

    monkeypatch.setattr(kernels, "__call__", check_and_call)


@pytest.fixture(params=[np.float32, np.float64], ids=["f4", "f8"])
def dtype(request):
    """Real type of the kernels."""
    return request.param


@pytest.fixture(params=[1, 3], ids=["serial", "parallel"])
def max_chunks(request):
    """Number of chunks asked for: one runs the serial driver, more the parallel one."""
    return request.param


@pytest.fixture
def rng():
    """Seeded source of data."""
    return np.random.default_rng(0)


def chunks_of(n_items, max_chunks):
    """At most max_chunks chunks over the items, whatever their work."""
    n_chunks = min(n_items, max_chunks)
    borders = np.arange(n_chunks + 1) * n_items // n_chunks
    return np.column_stack([np.arange(n_chunks), borders[:-1], borders[1:]])


def tolerance(dtype, n_terms):
    """Rounding of a sum of n_terms products of numbers near 1, with room for the worst order."""
    return 8 * n_terms * float(np.finfo(dtype).eps)
