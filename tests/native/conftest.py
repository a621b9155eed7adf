"""Tests of kernels that were compiled ahead of time, for where they run.

They are skipped where Numba compiles the kernels, with the reason that `show_config` gives.
"""

from pathlib import Path

import pytest

from fastclust import _extension

HERE = Path(__file__).parent
NEEDS_NO_EXTENSION = {"test_build.py", "test_pool.py"}
"""These build their own, or none."""


def pytest_collection_modifyitems(items):
    """Skip the tests of this folder where no extension is used."""
    code = _extension.machine_code()
    if code.extension is not None:
        return
    skip = pytest.mark.skip(reason=f"the extension is not used: {code.reason}")
    for item in items:
        if HERE in item.path.parents and item.path.name not in NEEDS_NO_EXTENSION:
            item.add_marker(skip)


@pytest.fixture(scope="session")
def extension():
    """The extension that is used."""
    return _extension.machine_code().extension
