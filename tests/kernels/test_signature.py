"""Declared types of the parameters of kernels, and what happens to arguments that do not fit."""

import re

import numpy as np
import pytest
from numba import prange
from numba.core import types

from fastclust import _threads
from fastclust._kernels import cache, jit
from fastclust._kernels.signature import Signature, float32, float64, int32, int64, real

N_SAMPLES = 12
X = np.arange(2.0 * N_SAMPLES).reshape(N_SAMPLES, 2)


def test_notation():
    assert str(int64) == "int64"
    assert str(real[:]) == "real[:]"
    assert str(int32[:, :]) == "int32[:, :]"
    assert float64[:, :, :].ndim == 3
    assert real[:].dtype("float32") == np.float32
    assert int32.dtype("float32") == np.int32


@pytest.mark.parametrize("axes", [3, slice(0, 3), (slice(None), 1), "real"])
def test_axes_are_colons(axes):
    with pytest.raises(TypeError, match="one colon for each axis"):
        real[axes]


def test_an_array_has_no_arrays():
    with pytest.raises(TypeError, match=re.escape("real[:]")):
        real[:][:]


@pytest.mark.parametrize(("dtype", "scalar"), [("float32", types.f4), (np.float64, types.f8)])
def test_types_of_numba(dtype, scalar):
    def function(
        chunks,
        X: real[:, :],
        start: int32,
        n: int64,
        tol: real,
        half: float32[:],
        sums_out: real[:],
    ):
        pass

    expected = (
        types.Array(types.int64, 2, "C", readonly=True),
        types.Array(scalar, 2, "C", readonly=True),
        types.int32,
        types.int64,
        scalar,
        types.Array(types.float32, 1, "C", readonly=True),
        types.Array(scalar, 1, "C", readonly=False),
    )
    assert jit.numba_types(Signature(function), dtype) == expected


@pytest.mark.parametrize("dtype", ["int32", "float16", "complex64"])
def test_real_is_float32_or_float64(dtype):
    def function(chunks, X: real[:]):
        pass

    with pytest.raises(TypeError, match=f"function is of float32 or float64, not of {dtype}"):
        Signature(function).resolved(dtype)


def without_type(chunks, X: real[:], n_samples):
    pass


def with_type_of_python(chunks, X: real[:], n_samples: int):
    pass


def without_chunks(X: real[:], n_samples: int64):
    pass


def without_array(chunks, tol: real):
    pass


def without_real(chunks, X: float64[:]):
    pass


def with_chunks_alone(chunks):
    pass


@pytest.mark.parametrize(
    ("function", "message"),
    [
        (without_type, "without_type: n_samples has no declared type"),
        (with_type_of_python, "with_type_of_python: n_samples has no declared type"),
        (without_chunks, "without_chunks: the first parameter must be chunks"),
        (without_array, "without_array: tol must be an array of real"),
        (without_real, "without_real: X must be an array of real"),
        (with_chunks_alone, "with_chunks_alone: second parameter must be an array of real"),
    ],
)
def test_a_kernel_that_is_not_declared_is_not_made(function, message):
    with pytest.raises(TypeError, match=message):
        jit.kernel(function)


@pytest.fixture
def checked_calls():
    """Calls as they are in the package, unlike in the other tests of kernels."""


@pytest.fixture
def sum_rows(monkeypatch):
    """A kernel that is compiled anew."""
    monkeypatch.setattr(cache, "cache_directory", lambda: None)

    @jit.kernel
    def sum_rows(chunks, X: real[:, :], n_times: int64, scale: float64, sums_out: float64[:, :]):
        for s in prange(chunks.shape[0]):
            for f in range(X.shape[1]):
                total = 0.0
                for i in range(chunks[s, 1], chunks[s, 2]):
                    total += X[i, f]
                sums_out[chunks[s, 0], f] = n_times * scale * total

    return sum_rows


def chunks_of(n_chunks):
    borders = np.linspace(0, N_SAMPLES, n_chunks + 1).astype(np.int64)
    return np.column_stack([np.arange(n_chunks), borders[:-1], borders[1:]])


def refuse(kernel, dtype, parallel):
    raise AssertionError("compiled again")


@pytest.mark.parametrize("n_chunks", [1, 3])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_a_variant_is_compiled_without_arguments(monkeypatch, sum_rows, dtype, n_chunks):
    chunks = chunks_of(n_chunks)
    sum_rows.prepare(chunks, dtype)
    parallel = n_chunks > 1 and _threads.parallel_is_safe()
    assert list(sum_rows._compiled) == [(np.dtype(dtype).char, parallel)]
    monkeypatch.setattr(jit.Kernel, "_compile", refuse)
    sum_rows.prepare(chunks, dtype)
    sum_rows.compile(dtype, parallel)
    sums = np.zeros((n_chunks, 2))
    sum_rows(chunks, X.astype(dtype), 2, 0.5, sums)
    np.testing.assert_array_equal(sums.sum(axis=0), X.sum(axis=0))


def test_variants_are_compiled_one_by_one(sum_rows):
    sum_rows.compile("float32", False)
    assert list(sum_rows._compiled) == [("f", False)]
    sum_rows.compile("float64", False)
    assert list(sum_rows._compiled) == [("f", False), ("d", False)]
    with pytest.raises(TypeError, match="sum_rows is of float32 or float64, not of int64"):
        sum_rows.compile("int64", False)


ARGUMENTS = {
    "chunks": chunks_of(1),
    "X": X,
    "n_times": 2,
    "scale": 0.5,
    "sums_out": np.zeros((1, 2)),
}
READ_ONLY = np.zeros((1, 2))
READ_ONLY.flags.writeable = False
WRONG = [
    ("chunks", chunks_of(1).astype(np.int32), "int64[:, :]", "an array of int32 with 2 axes"),
    ("X", X[0], "real[:, :]", "an array of float64 with 1 axes"),
    ("X", np.asfortranarray(X), "real[:, :]", "not C-contiguous"),
    ("n_times", np.zeros(2, dtype=np.int64), "int64", "an array of int64 with 1 axes"),
    ("n_times", "2", "int64", "a str"),
    ("scale", None, "float64", "a NoneType"),
    ("sums_out", np.zeros((1, 2), dtype=np.float32), "float64[:, :]", "an array of float32"),
    ("sums_out", READ_ONLY, "float64[:, :]", "read-only"),
    ("sums_out", [[0.0, 0.0]], "float64[:, :]", "a list"),
]


def call(kernel, name, argument):
    kernel(*(ARGUMENTS | {name: argument}).values())


@pytest.mark.parametrize("is_compiled", [False, True], ids=["first call", "later call"])
def test_an_argument_that_does_not_fit_is_named(sum_rows, is_compiled):
    if is_compiled:
        sum_rows.compile("float64", False)
    for name, argument, declared, got in WRONG:
        message = rf"^sum_rows: {name} is declared as {re.escape(declared)} .*{got}"
        with pytest.raises(TypeError, match=message):
            call(sum_rows, name, argument)
    for second in X.astype(np.int64), X.tolist(), None:
        with pytest.raises(TypeError, match=r"^sum_rows: X must be an array of float32 or float64"):
            call(sum_rows, "X", second)
    with pytest.raises(TypeError, match="sum_rows takes 5 arguments, not 4"):
        sum_rows(*list(ARGUMENTS.values())[:4])
    with pytest.raises(TypeError, match="sum_rows takes 5 arguments, not 1"):
        sum_rows(chunks_of(1))


def test_an_integer_is_not_truncated_from_a_float(sum_rows):
    for n_times in 2.0, np.float64(2.5):
        with pytest.raises(TypeError, match="sum_rows: n_times is declared as int64"):
            call(sum_rows, "n_times", n_times)
    assert not sum_rows._compiled


def test_what_fits(sum_rows):
    read_only = X.copy()
    read_only.flags.writeable = False
    for name, argument in (
        ("n_times", np.int32(2)),
        ("scale", 1),
        ("scale", np.float32(0.5)),
        ("X", read_only),
        ("X", X.astype(np.float32)),
    ):
        sum_rows.signature.check((*(ARGUMENTS | {name: argument}).values(),))
        call(sum_rows, name, argument)


def test_an_error_of_the_launch_is_not_hidden(monkeypatch, sum_rows):
    def fail():
        raise TypeError("not of an argument")

    sum_rows.compile("float64", False)
    monkeypatch.setattr(_threads, "parallel_is_safe", fail)
    with pytest.raises(TypeError, match="not of an argument"):
        sum_rows(chunks_of(2), *list(ARGUMENTS.values())[1:])
