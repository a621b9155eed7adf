"""The extension's table, its checks of arguments, and its launches on threads."""

import re

import numpy as np
import pytest

from fastclust._kernels import places, registry
from fastclust._kernels.compiled import CompiledKernel
from tests.kernels.conftest import chunks_of
from tests.native.processes import ALARM, run_python

# -- the table ---------------------------------------------------------------------------------


def test_the_table_is_that_of_the_registry(extension):
    declared = [
        (
            kernel.__name__,
            real,
            [
                (name, dtype.kind, dtype.itemsize, ndim, name.endswith("_out"))
                for name, dtype, ndim in kernel.signature.resolved(real)
            ],
        )
        for kernel, real in registry.REGISTRY
    ]
    assert extension.kernels() == declared


def test_a_kernel_is_found_by_its_name_and_type(extension):
    for number, (name, dtype, _) in enumerate(extension.kernels()):
        assert extension.find(name, dtype) == number
    assert extension.find("sum_columns", "float16") is None
    assert extension.find("sum", "float32") is None
    assert extension.find("narrow_panels", "float32") is None
    assert {name for name, _, _ in extension.kernels()} == set(places.PLACES)


def test_levels(extension):
    assert set(extension.supported_levels()) <= set(extension.LEVELS)
    with pytest.raises(ValueError, match="level v9 is not built, or not this CPU's"):
        extension.use("v9")


# -- arguments ---------------------------------------------------------------------------------


def fitting(parameter):
    """An argument that fits a parameter; arrays have extents of 2, and chunks 3 columns."""
    name, kind, itemsize, ndim, _ = parameter
    if ndim == 0:
        return 1.5 if kind == "f" else 1
    return np.zeros((0, 3) if name == "chunks" else (2,) * ndim, f"{kind}{itemsize}")


def misfits(parameter):
    """Arguments that do not fit a parameter, and the end of the message."""
    _, kind, itemsize, ndim, is_written = parameter
    if ndim == 0:
        wrong = ["1", None, 1j, [1], np.zeros(2, np.float32)]
        return [(value, "a number of this type") for value in wrong + [1.0] * (kind == "i")]
    shape, dtype = (2,) * ndim, np.dtype(f"{kind}{itemsize}")
    types = {"f4", "f8", "f2", "i4", "i8", "u4", "u8", "c8", "c16", "M8[s]", "O", "S8", "?"}
    found = [(value, "an array") for value in (1, None, [0.0], np.float64(0), memoryview(b"1"))]
    found += [(np.zeros((2,) * n, dtype), "of as many axes") for n in (0, ndim - 1, ndim + 1)]
    found += [(np.zeros(shape, other), "of this type") for other in types - {dtype.str[1:]}]
    layout = "C-contiguous, aligned and in the byte order of this machine"
    found.append((np.zeros((*shape[:-1], 4), dtype)[..., ::2], layout))
    found.append((np.zeros((4, *shape[1:]), dtype)[::2] if ndim > 1 else found[-1][0], layout))
    found.append((np.zeros(shape, dtype)[::-1], layout))
    if ndim > 1:
        found.append((np.zeros(shape, dtype, order="F"), layout))
    found.append((np.zeros(shape, dtype.newbyteorder()), layout))
    raw = np.zeros(2**ndim * itemsize + 1, np.uint8)
    found.append((raw[1:].view(dtype).reshape(shape), layout))
    if is_written:
        constant = np.zeros(shape, dtype)
        constant.setflags(write=False)
        found.append((constant, "writable"))
    return found


def test_every_misfit_of_every_parameter_is_a_type_error_that_names_both(extension):
    n_errors = 0
    for number, (kernel, _, parameters) in enumerate(extension.kernels()):
        arguments = [fitting(parameter) for parameter in parameters]
        for i, parameter in enumerate(parameters):
            name, kind, itemsize, ndim, _ = parameter
            for wrong, problem in misfits(parameter):
                with pytest.raises(TypeError) as caught:  # noqa: PT012
                    extension.launch(number, 1, *arguments[:i], wrong, *arguments[i + 1 :])
                    pytest.fail(f"{kernel}: {name}: {wrong!r}")
                dtype = {"f": "float", "i": "int"}[kind] + str(8 * itemsize)
                axes = f" with {ndim} axes" if ndim else ""
                assert str(caught.value) == (
                    f"{kernel}: {name} is declared as {dtype}{axes}, but not {problem}"
                )
                n_errors += 1
    assert n_errors > 10_000


def test_a_number_of_arguments_that_is_wrong(extension):
    for number, (kernel, _, parameters) in enumerate(extension.kernels()):
        arguments = [fitting(parameter) for parameter in parameters]
        n = len(arguments)
        for wrong in [], arguments[:-1], [*arguments, 1]:
            message = f"{kernel} takes {n} arguments, not {len(wrong)}"
            with pytest.raises(TypeError, match=re.escape(message)):
                extension.launch(number, 1, *wrong)


@pytest.mark.parametrize("n_columns", [0, 1, 2, 4])
def test_chunks_have_three_columns(extension, n_columns):
    for number, (kernel, _, parameters) in enumerate(extension.kernels()):
        arguments = [fitting(parameter) for parameter in parameters]
        arguments[0] = np.zeros((1, n_columns), np.int64)
        with pytest.raises(TypeError, match=f"{kernel}: chunks have three columns"):
            extension.launch(number, 1, *arguments)


def test_kernels_that_there_are_not(extension):
    for number in -1, len(extension.kernels()), 2**31:
        with pytest.raises(ValueError, match="no such kernel"):
            extension.launch(number, 1, np.zeros((0, 3), np.int64))
    for arguments in (), (0,):
        with pytest.raises(TypeError, match="a kernel and a number of threads are missing"):
            extension.launch(*arguments)
    for arguments in ("0", 1), (0, "1"), (0.0, 1), (0, None):
        with pytest.raises(TypeError):
            extension.launch(*arguments)


def test_integers_that_do_not_fit_into_64_bits(extension):
    number = extension.find("sum_columns", "float64")
    chunks, sums = np.zeros((0, 3), np.int64), np.zeros((1, 1))
    for wrong in 2**63, -(2**63) - 1:
        with pytest.raises(OverflowError):
            extension.launch(number, 1, chunks, np.zeros(2), wrong, sums)


def test_nothing_runs_before_a_level_is_chosen(extension):
    code = """
import _fastclust_kernels
import numpy as np

try:
    _fastclust_kernels.launch(0, 1, np.zeros((0, 3), np.int64))
except ValueError as error:
    print(error)
"""
    assert run_python(code) == "no such kernel, or no level is in use\n"


def test_a_kernel_says_what_its_second_argument_must_be(extension):
    kernel = CompiledKernel(extension, "sum_columns")
    message = "sum_columns: the second argument must be an array of float32 or float64"
    for values in ([], [None], [np.zeros(2, int)], [[1.0]], [np.zeros(2, ">f8")]):
        with pytest.raises(TypeError, match="sum_columns"):
            kernel(chunks_of(2, 1), *values)
    with pytest.raises(TypeError, match=message):
        kernel(chunks_of(2, 1), 1.0)
    message = "narrow_panels: the second argument must be an array of float64"
    with pytest.raises(TypeError, match=message):
        CompiledKernel(extension, "narrow_panels")(chunks_of(2, 1), np.zeros((1, 1, 8), "f4"))


# -- launches ----------------------------------------------------------------------------------


class Sums:
    """Launches of `sum_columns`, whose sums are those of single columns here."""

    def __init__(self, extension, dtype="float64"):
        self.launch, self.number = extension.launch, extension.find("sum_columns", dtype)
        self.values = np.random.default_rng(0).normal(size=(5_000, 3)).astype(dtype)

    def __call__(self, chunks, n_threads, n_sums=64):
        out = np.full((n_sums, 3), -1.0)
        self.launch(self.number, n_threads, chunks, self.values.ravel(), 3, out)
        return out

    def expected(self, chunks, n_sums=64):
        out = np.full((n_sums, 3), -1.0)
        for s, start, stop in chunks:
            out[s] = self.values[start:stop].sum(axis=0, dtype=np.float64)
        return out


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_the_next_call_after_an_error_works(extension, dtype):
    sums, chunks = Sums(extension, dtype), chunks_of(5_000, 10)
    before = sums(chunks, 3)
    np.testing.assert_allclose(before, sums.expected(chunks))
    for _ in range(100):
        with pytest.raises(TypeError):
            extension.launch(sums.number, 3, chunks, sums.values.ravel(), 3.0, before)
        np.testing.assert_array_equal(sums(chunks, 3), before)


@pytest.mark.parametrize("n_threads", [-1, 0, 1, 2, 3, 7, 40])
@pytest.mark.parametrize(
    "chunks",
    [
        np.zeros((0, 3), np.int64),
        chunks_of(5_000, 1),
        chunks_of(5_000, 2),
        chunks_of(5_000, 64),
        np.array([[3, 10, 20], [40, 100, 101], [7, 4_000, 5_000], [63, 5, 5]]),
    ],
    ids=["none", "one", "two", "many", "some"],
)
def test_each_chunk_runs_once_and_no_other(extension, chunks, n_threads):
    sums = Sums(extension)
    first = sums(chunks, 1)
    np.testing.assert_allclose(first, sums.expected(chunks))
    for _ in range(50):
        np.testing.assert_array_equal(sums(chunks, n_threads), first)


FITS = """
import hashlib
import numpy as np
import scipy.sparse
import fastclust
from fastclust import _threads

rng = np.random.default_rng(0)
X = 3 * rng.normal(size=(40, 8))[rng.integers(40, size=40_000)] + rng.normal(size=(40_000, 8))

def hashed(X, k=40, weights=None, **options):
    options = {"n_init": 1, "max_iter": 40, "tol": 0, "random_state": 0} | options
    model = fastclust.KMeans(k, **options).fit(X, sample_weight=weights)
    parts = model.labels_, model.cluster_centers_, np.float64(model.inertia_)
    return hashlib.sha256(b"".join(part.tobytes() for part in parts)).hexdigest()

def set_threads(n_threads):
    _threads.available_n_threads = lambda: n_threads
"""

ANY_NUMBER = """
def all_fits():
    yield hashed(X), hashed(X.astype(np.float32))
    yield hashed(X[:999], 5), hashed(X, 3, init="random", weights=np.arange(len(X)) % 3)
    yield hashed(scipy.sparse.csr_array(X[:9_000])), hashed(X[:3_000], 9, n_init=6)

found = {}
for n_threads in 1, 2, 3, 7, 40, 2, 1:
    set_threads(n_threads)
    found[n_threads] = list(all_fits())
assert all(fits == found[1] for fits in found.values())
"""


def test_any_number_of_threads_gives_the_same_bits():
    run_python(ALARM + FITS + ANY_NUMBER)


# -- the pool ----------------------------------------------------------------------------------

TASKS = """
import os
import time
from concurrent.futures import ThreadPoolExecutor

def tasks():
    return set(os.listdir("/proc/self/task"))

set_threads(1)
hashed(X[:2_000])  # NumPy's own threads have started
before = tasks()

def helpers():
    return tasks() - before

def fit_at_once(n):
    with ThreadPoolExecutor(6) as pool:
        fits = list(pool.map(lambda _: hashed(X), range(n)))
    for _ in range(500):  # a thread is gone a little after it was joined
        if len(helpers()) <= 3:
            break
        time.sleep(0.01)
    return fits
"""

IN_ORDER = """
hashed(X)
assert not helpers()  # none for one thread
set_threads(3)
hashed(X[:30], 2)
assert not helpers()  # none for one chunk
hashed(X)
assert len(helpers()) == 2
three = helpers()
with fastclust.limit_threads(2):
    hashed(X)
assert helpers() == three
set_threads(5)
hashed(X)
assert len(helpers()) == 4 and helpers() > three
set_threads(2)
hashed(X)
assert len(helpers()) == 4  # they stay
"""

AT_ONCE = """
set_threads(4)
alone = hashed(X)
together = fit_at_once(12)
assert together == 12 * [alone]
assert len(helpers()) == 3, helpers()
"""

FROM_THE_START = """
alone = hashed(X)
set_threads(4)
together = fit_at_once(12)  # any of them may start the helpers
assert together == 12 * [alone]
assert len(helpers()) == 3, helpers()
"""

IDLE = """
set_threads(4)
hashed(X)
assert len(helpers()) == 3
used = sum(os.times()[:2])
time.sleep(1.0)
used = sum(os.times()[:2]) - used
assert used < 0.2, used
"""

SIGNALS = """
import signal

set_threads(4)
hashed(X)
assert len(helpers()) == 3

def blocked(task):
    with open(f"/proc/self/task/{task}/status") as file:
        (line,) = (line for line in file if line.startswith("SigBlk:"))
    return int(line.split()[1], 16)

def bits(signals):
    return sum(1 << (number - 1) for number in signals)

uncaught = {signal.SIGKILL, signal.SIGSTOP}  # which nobody can block
own = {signal.SIGABRT, signal.SIGBUS, signal.SIGFPE, signal.SIGILL, signal.SIGSEGV, signal.SIGSYS,
       signal.SIGTRAP}  # of the thread that crashes: faulthandler's would not see them
others = set(range(1, 32)) - uncaught - own
for task in helpers():
    assert blocked(task) & bits(range(1, 32)) == bits(others)
assert not blocked(os.getpid()) & bits(range(1, 32))
assert signal.pthread_sigmask(signal.SIG_BLOCK, []) == set()
"""


@pytest.mark.parametrize(
    "code",
    [
        pytest.param(IN_ORDER, id="as many as were asked for, less one"),
        pytest.param(AT_ONCE, id="shared by fits at once"),
        pytest.param(FROM_THE_START, id="started by fits at once"),
        pytest.param(IDLE, id="asleep when idle"),
        pytest.param(SIGNALS, id="without signals but those of their own"),
    ],
)
def test_helpers_are(code):
    run_python(ALARM + FITS + TASKS + code, OPENBLAS_NUM_THREADS="1")
