"""Which machine code runs, by rules, and what is said of it."""

import ast
import importlib.util
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

import fastclust
from fastclust import _extension
from tests.native.processes import UNSET, run_python

PACKAGE = Path(fastclust.__file__).parent

SHOW = "import fastclust; fastclust.show_config()\n"
FIT = "fastclust.kmeans_plusplus([[0.0, 1.0], [2.0, 5.0], [3.0, 3.0]], 2, random_state=0)\n"
BLOCKED = "import sys; sys.modules['_fastclust_kernels'] = None\n"  # as if it were not there
NO_NUMBA = "import sys; assert not {'numba', 'llvmlite'} & set(sys.modules)\n"

FAKE = """
import ast
import sys
import types

from fastclust import _extension

levels = {name: supported for name, supported in ast.literal_eval(sys.argv[1])}
used = []
fake = types.SimpleNamespace(
    SOURCES=_extension.sources_hash(),
    LEVELS=tuple(levels),
    supported_levels=lambda: [name for name in levels if levels[name]],
    use=used.append,
)
sys.modules["_fastclust_kernels"] = fake
_extension.machine_code.cache_clear()  # importing fastclust has asked already
code = _extension.machine_code()
assert used == ([] if code.extension is None else [code.level])
print(code.level, code.reason, sep=": ")
"""

ERROR = """
import fastclust  # works, as do programs that import it and do not use it

try:
    fastclust.kmeans_plusplus([[0.0], [1.0], [5.0]], 2)
except Exception as error:
    print(type(error).__name__, error, sep=": ")
"""


def shown(code=SHOW, *args, **environment):
    """What is shown in a process, by its names."""
    lines = run_python(code, *args, **environment).splitlines()
    return dict(line.split(maxsplit=1) for line in lines)


# -- the extension -----------------------------------------------------------------------------


@pytest.mark.parametrize("setting", [None, "", "0", "never"])
def test_the_extension_runs_where_it_fits_the_sources(extension, setting):
    level = extension.supported_levels()[-1]
    levels = ", ".join(extension.LEVELS)
    config = shown(NO_NUMBA.join([SHOW, FIT, ""]), FASTCLUST_JIT=setting, OMP_NUM_THREADS="1")
    assert config == {
        "fastclust": fastclust.__version__,
        "kernels": f"compiled ahead of time (by {extension.BUILD}), for x86-64-{level}; "
        f"built for {levels}",
        "extension": extension.__file__,
        "threads": "1",
    }


FEATURES = """
import json
import sys

sys.modules["numba"] = sys.modules["llvmlite"] = None  # importing them is an error

from fastclust._kernels.compiled import CompiledKernel
from tests.features import use_every_feature

call = CompiledKernel.__call__
called = set()

def record_and_call(kernel, *args, **options):
    called.add((kernel.__name__, args[1].dtype.name))
    return call(kernel, *args, **options)

CompiledKernel.__call__ = record_and_call
for dtype in "float32", "float64":
    use_every_feature(dtype)
print(json.dumps([sorted(called), sorted(sys.modules)]))
"""


def test_all_features_use_the_whole_table_and_import_no_source_of_a_kernel(extension):
    printed = run_python(FEATURES, FASTCLUST_JIT="never", timeout=900)
    called, modules = ast.literal_eval(printed)
    assert {tuple(pair) for pair in called} == {kernel[:2] for kernel in extension.kernels()}
    prefix = "fastclust._kernels."
    files = {
        name.removeprefix(prefix)
        for name in modules
        if name.startswith(prefix) and not is_package(name)
    }
    assert files == {
        "compiled", "kmeans.constants", "launch", "mixture.arguments", "mixture.layout", "places",
        "signature", "simd.sizes",
    }  # fmt: skip


def is_package(name):
    return importlib.util.find_spec(name).submodule_search_locations is not None


# -- Numba -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("variables", "reason"),
    [
        ({"FASTCLUST_JIT": "1"}, "FASTCLUST_JIT is 1"),
        ({"FASTCLUST_JIT": "1", "FASTCLUST_LEVEL": "v9"}, "FASTCLUST_JIT is 1"),
        ({"NUMBA_CPU_NAME": "generic"}, "NUMBA_CPU_NAME is set"),
    ],
)
def test_numba_can_be_forced(cache, variables, reason):
    code = SHOW + "import sys; assert '_fastclust_kernels' not in sys.modules\n"
    config = shown(code, FASTCLUST_CACHE_DIR=str(cache), OMP_NUM_THREADS="1", **variables)
    assert config == {
        "fastclust": fastclust.__version__,
        "kernels": f"compiled by Numba when they are first called: {reason}",
        "cache": str(cache),
        "threads": "1",
    }


def test_a_forced_numba_compiles(cache):
    code = SHOW + FIT + "import sys; assert 'fastclust._kernels.kmeans.seeding' in sys.modules"
    shown(code, FASTCLUST_JIT="1", FASTCLUST_CACHE_DIR=str(cache))


def test_that_there_is_no_cache_is_shown():
    config = shown(FASTCLUST_JIT="1", FASTCLUST_CACHE_DIR="off")
    assert config["cache"] == "none: every process compiles anew"


def test_showing_it_starts_no_threads():
    """A child that is forked afterwards may launch Numba's threads: nothing was started before."""
    code = """if True:
        import os
        import fastclust
        from fastclust import _threads

        _threads.available_n_threads = lambda: 3
        assert _threads.n_threads_to_come() == 3
        import numba  # and what it starts by itself
        before = len(os.listdir("/proc/self/task"))
        with fastclust.limit_threads(2):
            fastclust.show_config()
        assert len(os.listdir("/proc/self/task")) == before
        assert not _threads._state["started"]
        numba.get_num_threads()  # starts threads
        numba.set_num_threads(1)
        assert _threads.n_threads_to_come() == _threads.effective_n_threads() == 1
        """
    config = shown(code, FASTCLUST_JIT="1", NUMBA_NUM_THREADS="4")
    assert config["threads"] == "2"


def test_without_an_extension_numba_compiles():
    kernels = shown(BLOCKED + SHOW)["kernels"]
    assert kernels == "compiled by Numba when they are first called: there is no extension"


def test_an_extension_that_cannot_be_loaded(tmp_path):
    file = tmp_path / "_fastclust_kernels.abi3.so"
    file.write_bytes(b"not a library")
    kernels = shown(f"import sys; sys.path.insert(0, {str(tmp_path)!r})\n{SHOW}")["kernels"]
    assert kernels.startswith(
        f"compiled by Numba when they are first called: it cannot be loaded ({file}"
    )


# -- errors ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("before", "variables", "reason"),
    [
        (BLOCKED, {}, "there is no extension"),
        ("", {"NUMBA_CPU_NAME": "generic"}, "NUMBA_CPU_NAME is set"),
    ],
    ids=["none is there", "another CPU"],
)
def test_never_is_an_error_where_numba_would_compile(before, variables, reason):
    message = f"FASTCLUST_JIT=never, but no kernels are compiled ahead of time: {reason}."
    variables = variables | {"FASTCLUST_JIT": "never"}
    printed = run_python(before + ERROR + NO_NUMBA, **variables)
    assert printed == f"RuntimeError: {message}\n"
    assert shown(before + SHOW + NO_NUMBA, **variables)["kernels"] == f"none: {message}"


@pytest.mark.parametrize("setting", ["yes", "2", "NEVER", "never "])
def test_other_settings_of_fastclust_jit_are_errors(setting):
    message = f"FASTCLUST_JIT must be 0, 1 or never. Got {setting!r} instead."
    assert run_python(ERROR, FASTCLUST_JIT=setting) == f"ValueError: {message}\n"
    assert shown(FASTCLUST_JIT=setting)["kernels"] == f"none: {message}"


@pytest.mark.parametrize("level", ["v1", "v9", "native", "V3", "x86-64-v3"])
def test_a_level_that_was_not_built_is_an_error(extension, level):
    levels = ", ".join(extension.supported_levels())
    message = (
        f"FASTCLUST_LEVEL is {level!r}, but levels that were built and that this CPU has are "
        f"{levels}."
    )
    assert run_python(ERROR, FASTCLUST_LEVEL=level) == f"ValueError: {message}\n"
    assert shown(FASTCLUST_LEVEL=level)["kernels"] == f"none: {message}"


# -- levels ------------------------------------------------------------------------------------


def test_every_level_that_this_cpu_has_can_be_chosen(extension):
    for level in extension.supported_levels():
        kernels = shown(SHOW + FIT, FASTCLUST_LEVEL=level)["kernels"]
        assert f" for x86-64-{level};" in kernels


@pytest.mark.parametrize(
    ("levels", "wanted", "expected"),
    [
        ([("v2", True), ("v3", True), ("v4", True)], None, "v4: "),
        ([("v2", True), ("v3", True), ("v4", True)], "", "v4: "),
        ([("v2", True), ("v3", True), ("v4", False)], None, "v3: "),
        ([("v2", True), ("v3", True), ("v4", False)], "v2", "v2: "),
        ([("v3", False), ("v4", False)], None, "None: the extension is for v3, v4, which this CPU "
         "has not"),
    ],
    ids=["all", "empty setting", "two of three", "chosen", "none"],
)  # fmt: skip
def test_the_best_level_of_this_cpu_runs_unless_one_is_chosen(levels, wanted, expected):
    assert run_python(FAKE, levels, FASTCLUST_LEVEL=wanted) == expected + "\n"


# -- the sources -------------------------------------------------------------------------------


@pytest.fixture
def copy(tmp_path):
    """A copy of the package, at the start of the path of a process that `shown` starts."""
    ignore = shutil.ignore_patterns("__pycache__", "no_extension.txt")
    return Path(shutil.copytree(PACKAGE, tmp_path / "fastclust", ignore=ignore))


def shown_by(copy, before=""):
    """What a process shows that runs a copy."""
    code = f"import sys; sys.path.insert(0, {str(copy.parent)!r})\n{before}{SHOW}"
    return shown(code + f"assert fastclust.__file__.startswith({str(copy)!r})")


OTHER_SOURCES = (
    "compiled by Numba when they are first called: the extension was built from other sources"
)


def test_the_extension_runs_for_a_copy_of_its_sources(copy, extension):
    (copy / "_kernels" / "__pycache__").mkdir()
    (copy / "_kernels" / "__pycache__" / "jit.cpython-311.pyc").write_bytes(b"")
    assert shown_by(copy)["extension"] == extension.__file__
    (copy / "kmeans.py").write_text((copy / "kmeans.py").read_text() + "# not of a kernel\n")
    assert shown_by(copy)["extension"] == extension.__file__


@pytest.mark.parametrize(
    "name", ["_kernels/kmeans/lloyd.py", "_kernels/jit.py", "_native/runtime.c", "_native/emit.py"]
)
def test_an_edit_of_the_sources_is_noticed(copy, name):
    path = copy / name
    content = bytearray(path.read_bytes())
    content[content.index(b"e")] ^= ord("e") ^ ord("a")  # in a comment or docstring
    path.write_bytes(content)
    assert shown_by(copy)["kernels"] == OTHER_SOURCES


def test_new_and_missing_sources_are_noticed(copy):
    (copy / "_kernels" / "kmeans" / "new.py").write_text("")
    assert shown_by(copy)["kernels"] == OTHER_SOURCES
    (copy / "_kernels" / "kmeans" / "new.py").unlink()
    (copy / "_kernels" / "metrics" / "silhouette.py").rename(copy / "_kernels" / "silhouette.py")
    assert shown_by(copy)["kernels"] == OTHER_SOURCES


def test_the_reason_is_what_the_build_said(copy, extension):
    (copy / "_native" / "no_extension.txt").write_text("there was no C compiler\n")
    kernels = shown_by(copy, BLOCKED)["kernels"]
    assert kernels == "compiled by Numba when they are first called: there was no C compiler"
    assert shown_by(copy)["extension"] == extension.__file__  # where there is one all the same


# -- the command -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "variables",
    [
        {},
        {"FASTCLUST_JIT": "1"},
        {"NUMBA_CPU_NAME": "generic"},
        {"FASTCLUST_JIT": "yes"},
        {"FASTCLUST_LEVEL": "v9"},
        {"FASTCLUST_JIT": "never", "NUMBA_CPU_NAME": "generic"},
    ],
    ids=lambda variables: " ".join(f"{name}={value}" for name, value in variables.items()) or "-",
)
def test_the_command_prints_the_same(variables):
    environment = {name: value for name, value in os.environ.items() if name not in UNSET}
    result = subprocess.run(
        [sys.executable, "-m", "fastclust", "config"],
        env=environment | variables, capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip
    assert result.stderr == ""
    assert result.returncode == 0
    assert result.stdout == run_python(SHOW, **variables)


# -- here --------------------------------------------------------------------------------------


def test_the_hash_is_that_of_the_extension(extension):
    assert extension.SOURCES == _extension.sources_hash()
    assert len(extension.SOURCES) == 16
