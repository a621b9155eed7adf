"""The pool of threads, with kernels in C that can be watched, fail and take their time.

No kernel of the package fails, or takes long; and no extension need have been built.
"""

import os
import platform
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from fastclust._native import build
from tests.native.processes import ALARM, run_python

compiler = build.find_compiler()
pytestmark = [
    pytest.mark.skipif(compiler is None, reason="there is no C compiler"),
    pytest.mark.skipif(
        not sys.platform.startswith("linux") or platform.machine() != "x86_64",
        reason="the extension is for Linux on x86-64",
    ),
]

KERNELS = Path(__file__).with_name("kernels.c")
PARAMETERS = [["chunks", "int64", 2, False], ["values", "float64", 1, False]]
TEAM = [["team_out", "int64", 2, True]]


def described(name, symbol, team=False):
    """What `emit` says of a kernel."""
    parameters = [*PARAMETERS, ["counts_out", "int64", 1, True], *(TEAM if team else [])]
    return {"kernel": name, "dtype": "float64", "symbol": symbol, "parameters": parameters}


def linked(folder, *options):
    """Link these kernels; return the start of a program that has the extension."""
    kernels = [described(name, name) for name in ("count", "tell", "fail")]
    kernels.append(described("team_steps", "team_steps", team=True))
    others = [kernel | {"symbol": "count_v3"} for kernel in kernels]
    about = {"sources": "none", "compiler": "a C compiler"}
    table = build._table({"v2": about | {"objects": kernels}, "v3": about | {"objects": others}})
    (folder / "table.h").write_text(table)
    copy = shutil.copy(KERNELS, folder)
    command = [*compiler, "-Dpthread_create=create_thread", *options]
    build._link(command, folder, {"v2": {"objects": [{"path": copy}]}})
    return f"{ALARM}import sys; sys.path.insert(0, {str(folder)!r})\n{COMMON}"


@pytest.fixture(scope="module")
def pool(tmp_path_factory):
    """Start of a program that has the extension, made of these kernels."""
    return linked(tmp_path_factory.mktemp("pool"))


COMMON = """
import mmap
import os
import threading
import time

import numpy as np

import _fastclust_kernels as extension

assert extension.BUILD == "a C compiler"
extension.use("v2")
values = np.zeros(1)

def chunks_of(n, milliseconds=0):
    chunks = np.zeros((n, 3), np.int64)
    chunks[:, 0], chunks[:, 2] = np.arange(n), milliseconds
    return chunks

def launch(name, n_threads, chunks, *more, counts=None):
    counts = np.zeros(max(1, len(chunks)), np.int64) if counts is None else counts
    number = extension.find(name, "float64")
    extension.launch(number, n_threads, chunks, values, counts, *more)
    return counts

def error_of(*args):
    try:
        launch(*args)
    except RuntimeError as error:
        return str(error)

def seconds(*args):
    started = time.perf_counter()
    launch(*args)
    return time.perf_counter() - started

def new_team():
    return np.zeros((3, 16), np.int64)
"""


STATUS = """
for _ in range(20):
    assert error_of("fail", 3, chunks_of(12, 2)) == "fail failed with status 5"
    assert error_of("fail", 1, chunks_of(2, 2)) is None  # the main thread does not fail
    assert (launch("count", 3, chunks_of(9)) == 1).all()
    assert error_of("team_steps", 3, chunks_of(9), new_team()) == "team_steps failed with status 6"
    assert error_of("team_steps", 1, chunks_of(9), new_team()) is None
"""

AT_ONCE = """
launch("count", 4, chunks_of(4, 50))
assert seconds("count", 4, chunks_of(4, 200)) < 0.39  # not one after another
assert seconds("count", 2, chunks_of(4, 100)) >= 0.2
assert seconds("count", 1, chunks_of(4, 50)) >= 0.2
for n_threads in 1, 2, 3, 4:
    told = launch("tell", n_threads, chunks_of(12, 5))
    assert len(set(told)) == n_threads, told
    assert os.getpid() in told
    counts = launch("team_steps", 1, chunks_of(9), new_team())
    assert counts[0] == 1
"""

FEW = """
expected = int(os.environ["MOST_HELPERS"]) + 1
for _ in range(3):
    assert len(set(launch("tell", 4, chunks_of(12, 5)))) == expected
    assert (launch("count", 4, chunks_of(500)) == 1).all()
    assert (launch("count", 2, chunks_of(3)) == 1).all()
    assert error_of("team_steps", 4, chunks_of(9), new_team()) == (
        "team_steps failed with status 6" if expected > 1 else None
    )
"""

NOT_WAITING = """
slow = threading.Thread(target=launch, args=("count", 3, chunks_of(3, 1000)))
slow.start()
time.sleep(0.2)
assert slow.is_alive()
assert seconds("count", 3, chunks_of(4, 5)) < 0.5  # the helpers are busy: this thread does it all
assert slow.is_alive()
slow.join()
"""

STRESS = """
sys.setswitchinterval(1e-5)
failed = []

def work(seed):
    rng = np.random.default_rng(seed)
    for _ in range(1500):
        n = rng.integers(12)
        counts = launch("count", int(rng.integers(1, 6)), chunks_of(n))
        if not (counts[:n] == 1).all():
            failed.append(counts)

threads = [threading.Thread(target=work, args=(seed,)) for seed in range(6)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
assert not failed
for _ in range(200):
    assert (launch("count", 4, chunks_of(5000)) == 1).all()
"""

TEAMS = """
for n_threads, n_chunks, expected in (1, 5, 1), (3, 5, 3), (5, 3, 3), (3, 0, 1), (3, 1, 1):
    team = np.full((3, 16), -7, np.int64)
    counts = np.zeros(1, np.int64)
    try:
        launch("team_steps", n_threads, chunks_of(n_chunks), team, counts=counts)
    except RuntimeError:
        assert n_threads > 1
    assert counts[0] == expected, (n_threads, n_chunks, counts)
    assert team[:, 0].tolist() == [0, 0, max(1, n_chunks)]
    assert (team[:, 1:] == -7).all()
"""

IN_QUEUE = """
import signal

shared = np.frombuffer(mmap.mmap(-1, 8 * 80), np.int64)  # one for parent and child
first = threading.Thread(target=launch, args=("count", 3, chunks_of(3, 600)))
first.start()
time.sleep(0.1)
second = threading.Thread(target=lambda: launch("count", 3, chunks_of(80, 10), counts=shared))
second.start()
time.sleep(0.1)
assert first.is_alive() and 0 < shared.sum() < 60  # it has no helper yet
pid = os.fork()
if pid == 0:
    signal.alarm(20)
    told = launch("tell", 3, chunks_of(30, 20))
    os._exit(0 if len(set(told)) == 3 else 1)
assert os.waitpid(pid, 0)[1] == 0
first.join()
second.join()
assert (shared == 1).all(), shared  # no thread of the child has taken a chunk of the parent's
"""

AGAIN = """
from importlib import machinery, util

spec = util.spec_from_file_location(  # as another interpreter would
    "again._fastclust_kernels",
    loader=machinery.ExtensionFileLoader("again._fastclust_kernels", extension.__file__),
)
again = util.module_from_spec(spec)
assert again is not extension and again.kernels() == extension.kernels()
for _ in range(2):
    pid = os.fork()
    if pid == 0:
        os._exit(int((launch("count", 3, chunks_of(9)) != 1).any()))
    assert os.waitpid(pid, 0)[1] == 0
    assert (launch("count", 3, chunks_of(9)) == 1).all()
"""

LEVELS = """
if "v3" in extension.supported_levels():
    extension.use("v3")
    assert error_of("count", 1, chunks_of(1)) == "count failed with status 3"
    extension.use("v2")
    assert error_of("count", 1, chunks_of(1)) is None
"""


@pytest.mark.parametrize(
    "code",
    [
        pytest.param(STATUS, id="keeps the status that a helper got"),
        pytest.param(AT_ONCE, id="has as many threads at work as a launch asks for"),
        pytest.param(NOT_WAITING, id="waits for no helper that works for another launch"),
        pytest.param(STRESS, id="runs each chunk once, for launches at once"),
        pytest.param(TEAMS, id="opens teams, which all enter"),
        pytest.param(LEVELS, id="runs the code of the level in use"),
    ],
)
def test_the_pool(pool, code):
    run_python(pool + code)


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system does not fork")
def test_a_child_leaves_the_launches_of_its_parent_alone(pool):
    run_python(pool + IN_QUEUE)


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system does not fork")
def test_a_process_forks_that_initialised_the_extension_twice(pool):
    run_python(pool + AGAIN)


@pytest.mark.parametrize("most", [0, 1, 2])
def test_launches_do_with_the_helpers_that_the_system_gives(pool, most):
    run_python(pool + FEW, MOST_HELPERS=str(most))


@pytest.fixture(scope="module")
def sanitized(tmp_path_factory):
    """Start of a program whose pool the thread sanitizer watches, and its library."""
    if compiler == build.zig():
        pytest.skip("zig's sanitizer is part of what it links: Python does not start with it")
    found = subprocess.run(
        [*compiler, "-print-file-name=libtsan.so"], capture_output=True, text=True, check=False
    ).stdout.strip()
    if not os.path.isabs(found):
        pytest.skip("the compiler has no libtsan")
    try:
        run_python("import numpy", LD_PRELOAD=found)
        return linked(tmp_path_factory.mktemp("sanitized"), "-fsanitize=thread"), found
    except (AssertionError, build.BuildError) as error:
        pytest.skip(f"the thread sanitizer does not work here: {error}")


@pytest.mark.parametrize("code", [STRESS, TEAMS, STATUS], ids=["chunks", "teams", "failures"])
def test_threads_of_the_pool_do_not_race(sanitized, code):
    """A process in which the sanitizer finds a race ends with an error."""
    start, library = sanitized
    run_python(start + code, LD_PRELOAD=library, OPENBLAS_NUM_THREADS="1")
