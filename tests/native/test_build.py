"""Wheels: what the hook builds, what it says where it cannot, and what an object depends on."""

import importlib.metadata
import importlib.util
import subprocess
import sys
from pathlib import Path

import pytest

from fastclust import _extension
from fastclust._native import build

ROOT = Path(__file__).resolve().parents[2]
LINUX = sys.platform.startswith("linux")


@pytest.mark.parametrize(
    ("text", "levels"),
    [
        ("", ["native"]), ("native", ["native"]), ("off", []), ("all", ["v2", "v3", "v4"]),
        ("v3", ["v3"]), ("v4, v2", ["v2", "v4"]),
    ],
)  # fmt: skip
def test_levels_are_named_in_any_order(text, levels):
    """The best is the last."""
    assert build.parse_levels(text) == levels


@pytest.mark.parametrize("text", ["v5", "native,v3", "off,v2", "V3"])
def test_what_is_no_level_is_an_error(text):
    with pytest.raises(build.BuildError, match="levels are v2, v3, v4, not"):
        build.parse_levels(text)


def program(path, code):
    """A program in the place of a compiler."""
    path.write_text(f"#!/bin/sh\n{code}\n")
    path.chmod(0o700)
    return str(path)


@pytest.mark.skipif(not LINUX, reason="there is no shell")
def test_a_compiler_is_a_command(monkeypatch, tmp_path):
    compiler = program(tmp_path / "compiler", "exit 0")
    monkeypatch.setenv("CC", f"{compiler} -x")
    assert build.find_compiler() == [compiler, "-x"]
    monkeypatch.setenv("CC", "  ")
    assert build.find_compiler() != []


@pytest.mark.skipif(not LINUX, reason="there is no shell")
def test_a_compiler_that_makes_no_library_is_passed_over(monkeypatch, tmp_path):
    """As one without the headers of the C library, and one that cannot be run at all."""
    failing = "echo 'trivial.c:1:10: fatal error: pthread.h: No such file' >&2; exit 1"
    program(tmp_path / "cc", failing)
    (tmp_path / "gcc").write_bytes(b"\x7fELF, but of another machine")
    (tmp_path / "gcc").chmod(0o700)
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setenv("CC", str(tmp_path / "gcc"))
    assert build.find_compiler() == build.zig()
    program(tmp_path / "clang", "exit 0")
    assert build.find_compiler() == ["clang"]


def test_the_level_of_this_machine_is_that_of_the_extension():
    """LLVM finds it where the extension is built, `level.h` where it runs."""
    code = _extension.machine_code()
    if code.extension is None or build.native_level() not in code.extension.LEVELS:
        pytest.skip("no extension was built for it")
    assert build.native_level() == code.extension.supported_levels()[-1]


@pytest.mark.parametrize(("version", "here"), [("0.1.0", "0.1.0"), (None, "none")])
def test_numba_is_of_one_version(monkeypatch, tmp_path, version, here):
    def version_of(name):
        if version is None:
            raise importlib.metadata.PackageNotFoundError(name)
        return version

    monkeypatch.setattr(importlib.metadata, "version", version_of)
    message = f"Numba {build.NUMBA_VERSION} compiles the kernels, but here is {here}"
    with pytest.raises(build.BuildError, match=message):
        build.build(tmp_path / "new", ["native"], tmp_path, ["cc"])
    assert not (tmp_path / "new").exists()


def test_what_cannot_be_run_or_written_is_an_error_in_a_line(tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(build.BuildError, match="Permission denied"):
        build._run([str(tmp_path / "file")])
    result = subprocess.run(
        [sys.executable, build.__file__, tmp_path / "file", tmp_path, "v3"],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert result.returncode == 1
    assert result.stderr.startswith("no extension: ")
    assert result.stderr.count("\n") == 1


class App:
    """What the hook says."""

    def __init__(self):
        self.said = []

    def display_info(self, message):
        pass

    def display_warning(self, message):
        self.said.append(message)


@pytest.fixture
def hook(monkeypatch):
    """The hook, without hatchling, of which it needs a class to inherit from."""
    name = "hatchling.builders.hooks.plugin.interface"
    package, interface = type(sys)("hatchling"), type(sys)(name)
    interface.BuildHookInterface = object
    for part in ("hatchling", "hatchling.builders", "hatchling.builders.hooks",
                 "hatchling.builders.hooks.plugin"):  # fmt: skip
        monkeypatch.setitem(sys.modules, part, package)
    monkeypatch.setitem(sys.modules, name, interface)
    spec = importlib.util.spec_from_file_location("hatch_build", ROOT / "hatch_build.py")
    module = importlib.util.module_from_spec(spec)
    monkeypatch.setitem(sys.modules, module.__name__, module)
    spec.loader.exec_module(module)
    kernels = module.CompiledKernels()
    kernels.app, kernels.root = App(), str(ROOT)
    return kernels


def built(hook, version="standard"):
    """What the hook adds to a wheel, and why there is no extension."""
    data = {"force_include": {}}
    hook.initialize(version, data)
    reasons = [
        Path(source).read_text(encoding="utf-8")
        for source, name in data["force_include"].items()
        if name.endswith("no_extension.txt")
    ]
    hook.finalize(version, data, "")
    return data, "".join(reasons)


def test_an_editable_install_has_no_extension(hook):
    data, reason = built(hook, "editable")
    assert data == {"force_include": {}}
    assert reason == ""


@pytest.mark.skipif(not LINUX, reason="elsewhere there is another reason")
@pytest.mark.parametrize(
    ("setting", "reason"),
    [
        ("off", "FASTCLUST_AOT was off when this was built\n"),
        ("v9", "FASTCLUST_AOT: levels are v2, v3, v4, not v9\n"),
    ],
)
def test_without_levels_nothing_is_needed(hook, monkeypatch, setting, reason):
    monkeypatch.setenv("FASTCLUST_AOT", setting)
    assert hook.dependencies() == []
    data, said = built(hook)
    assert said == reason
    assert "tag" not in data


NO_PYTHON_H = """fastclust/_native/runtime.c:16:10: fatal error: Python.h: No such file or directory
   16 | #include <Python.h>
      |          ^~~~~~~~~~
compilation terminated."""

FAILED_PROCESS = """Traceback (most recent call last):
  File "emit.py", line 1, in main
    raise error
RuntimeError: sum_rows can fail: ret i32 1"""


@pytest.mark.skipif(not LINUX, reason="elsewhere there is another reason")
@pytest.mark.parametrize(
    ("said", "line"),
    [
        (NO_PYTHON_H, NO_PYTHON_H.splitlines()[0]),
        (FAILED_PROCESS, FAILED_PROCESS.splitlines()[-1]),
        ("", None),
    ],
    ids=["a compiler", "a process of Python", "nothing"],
)
def test_what_fails_is_a_pure_wheel_that_says_why_in_a_line(
    hook, monkeypatch, tmp_path, said, line
):
    """The line is the one that helps, not the last."""
    (tmp_path / "said").write_text(said)
    failing = f"case $* in *trivial*) exit 0;; esac; cat {tmp_path}/said >&2; exit 1"
    compiler = program(tmp_path / "compiler", failing)
    monkeypatch.delenv("FASTCLUST_AOT", raising=False)
    monkeypatch.setenv("CC", compiler)
    module = sys.modules[type(hook).__module__]
    monkeypatch.setattr(module, "load_build", lambda: build)
    made = {"objects": [], "sources": "none", "compiler": "none"}
    monkeypatch.setattr(build, "_emit", lambda *args: made)  # which takes long
    data, reason = built(hook)
    assert reason == f"building it failed ({line or f'{compiler}: status 1'})\n"
    assert hook.app.said
    assert "tag" not in data
    assert "pure_python" not in data


def object_names(tree):
    """Names of the objects of a kernel of each kind, as a tree's `emit` names them."""
    code = """if True:
        from fastclust._native import emit
        for kernel, _ in emit.REGISTRY[:95:7]:
            print(kernel.__name__, emit._sources_hash(kernel.function.__module__))
        """
    environment = {"PYTHONPATH": str(tree), "FASTCLUST_JIT": "1", "PATH": ""}
    result = subprocess.run(
        [sys.executable, "-c", code], env=environment, cwd=tree, capture_output=True, text=True,
        check=True,
    )  # fmt: skip
    return dict(line.split() for line in result.stdout.splitlines())


def test_an_edit_compiles_again_what_it_can_change(tmp_path):
    import shutil

    import fastclust

    package = tmp_path / "fastclust"
    shutil.copytree(Path(fastclust.__file__).parent, package)
    before = object_names(tmp_path)
    assert len(set(before)) > 8
    with (package / "_kernels/mixture/gaussian.py").open("a") as file:
        file.write("# an edit\n")
    after = object_names(tmp_path)
    changed = {name for name in before if before[name] != after[name]}
    assert changed
    assert all(name.startswith(("lay_out", "update", "estimate")) for name in changed)
    with (package / "_kernels/simd/vectors.py").open("a") as file:
        file.write("# an edit\n")
    last = object_names(tmp_path)
    assert not [name for name in before if name.startswith("iterate") and last[name] == after[name]]


@pytest.mark.parametrize(
    ("code", "error"),
    [
        (
            "for i in range(0, chunks[0, 2], chunks[0, 1]):\n                out[i] = 0.0",
            "can fail",
        ),
        ("out[0] = np.arctan2(values[0], 2.0)", "needs atan2"),
    ],
)
def test_a_kernel_that_can_fail_or_needs_a_library_is_an_error(tmp_path, code, error):
    """It would have no way to say so, or its bits would depend on the library."""
    source = f"""
import sys
import numpy as np
from numba import prange
from fastclust._kernels.jit import kernel
from fastclust._kernels.signature import float64, real
from fastclust._native import emit

@kernel
def wrong(chunks, values: real[:], sums_out: float64[:]):
    for s in prange(chunks.shape[0]):
        out = sums_out
        if chunks[s, 0] >= 0:
            {code}

try:
    emit._emit_module(wrong, "float64", "entry")
except RuntimeError as refused:
    print(refused)
"""
    file = tmp_path / "wrong.py"
    file.write_text(source)
    environment = {"PYTHONPATH": str(ROOT), "FASTCLUST_JIT": "1", "PATH": ""}
    environment |= build.LEVELS["v2"].environment
    printed = subprocess.run(
        [sys.executable, file], env=environment, capture_output=True, text=True, check=True
    ).stdout
    assert error in printed
