"""Numba's machine code and the extension's give the same bits."""

from fastclust import _extension
from tests.native import digests
from tests.native.processes import run_python

COMMAND = """
import sys
from tests.native import digests

{before}
print("status", digests.main(sys.argv[1:]))
"""


def test_numba_and_the_extension_give_the_same_bits_at_the_level_in_use(cache):
    differing, n_equal = digests.compare(_extension.level(), cache)
    assert not differing
    assert n_equal > 100


def test_digests_depend_on_types_shapes_and_bits():
    values = [1.0, -1.0, 0.0, -0.0, 0, [0.0], [0.0, 0.0], [[0.0, 0.0]], [[0.0], [0.0]]]
    assert len({digests.digest(value) for value in values}) == len(values) - 1  # arrays have axes
    assert digests.digest(0.0, 1.0) != digests.digest(1.0, 0.0)


def test_names_are_there_once():
    printed = run_python("from tests.native import digests; digests.main([])")
    names = [line.split("\t")[0] for line in printed.splitlines()]
    assert len(names) == len(set(names)) > 50


def test_levels_that_cannot_be_compared_are_said():
    printed = run_python(COMMAND.format(before=""), "v1", "v9")
    assert printed.splitlines() == [
        "v1: not compared: not built", "v9: not compared: not built", "status 2",
    ]  # fmt: skip
    printed = run_python(COMMAND.format(before=""), "v3", FASTCLUST_JIT="1")
    assert printed.splitlines() == ["v3: not compared: FASTCLUST_JIT is 1", "status 2"]


def test_levels_that_this_cpu_does_not_have_are_said(extension):
    before = """
import types
from fastclust import _extension

here = types.SimpleNamespace(LEVELS=("v4",), supported_levels=lambda: [])
_extension.machine_code = lambda: _extension.MachineCode(here, None, "")
"""
    command = COMMAND.format(before=before)
    for allowed, status in ([], 2), (["--allow-missing", "v4"], 0), (["--allow-missing=v3"], 2):
        printed = run_python(command, "v4", *allowed)
        assert printed.splitlines() == [
            "v4: not compared: this CPU does not have it", f"status {status}",
        ]  # fmt: skip
    printed = run_python(command, "v3", "--allow-missing", "v3")
    assert printed.splitlines() == ["v3: not compared: not built", "status 2"]


def test_what_differs_is_said(extension):
    level = extension.supported_levels()[-1]
    before = """
digests.digests_of = lambda **environment: (
    {"same": "1", "other": "2", "new": "3"}
    if "FASTCLUST_LEVEL" in environment
    else {"same": "1", "other": "4", "old": "5"}
)
"""
    printed = run_python(COMMAND.format(before=before), level, "v9")
    assert printed.splitlines() == [
        f"{level}: other: extension 2, Numba 4",
        f"{level}: new: extension 3, Numba None",
        f"{level}: old: extension None, Numba 5",
        f"{level}: 1 digests are equal, 3 differ",
        "v9: not compared: not built",
        "status 1",
    ]
