"""Wheels: what the hook builds, what it says where it cannot, and what an object depends on."""

import importlib.util
import subprocess
import sys
from pathlib import Path

import pytest

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


def test_a_compiler_is_a_command(monkeypatch):
    monkeypatch.setenv("CC", f"{sys.executable} -x")
    assert build.find_compiler() == [sys.executable, "-x"]
    monkeypatch.setenv("CC", "  ")
    assert build.find_compiler() != []


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


@pytest.mark.skipif(not LINUX, reason="elsewhere there is another reason")
def test_what_fails_is_a_pure_wheel_that_says_why_in_a_line(hook, monkeypatch):
    monkeypatch.delenv("FASTCLUST_AOT", raising=False)
    monkeypatch.setenv("CC", f"{sys.executable} -c 'no compiler'")
    data, reason = built(hook)
    assert reason.startswith("building it failed (")
    assert reason.count("\n") == 1
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
