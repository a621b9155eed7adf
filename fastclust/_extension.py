"""Which machine code this process runs: kernels compiled ahead of time, or Numba's.

The extension `_fastclust_kernels` is a module of its own, beside the package. It is used where it
was built from the sources that are here: by an installed package, and by a clone of the same
commit. It has the kernels for one CPU level or several, and the best that this CPU has is used.

Environment variables:

FASTCLUST_LEVEL : a level, "v2", "v3" or "v4", which must have been built, unless Numba is forced
FASTCLUST_JIT : "1" for Numba's, "never" for an error where there is no extension to use
NUMBA_CPU_NAME : any CPU, which only Numba can compile for
"""

import functools
import hashlib
import importlib
import os
from pathlib import Path
from types import ModuleType
from typing import NamedTuple

NAME = "_fastclust_kernels"

BUILT_FROM = "_kernels/**/*.py", "_native/*.py", "_native/*.[ch]"
"""What the extension is built from: the sources of the kernels, and of the extension itself."""

REASON_FILE = "_native/no_extension.txt"
"""File of an installed package that says why no extension was built."""


class MachineCode(NamedTuple):
    """What runs.

    Attributes
    ----------
    extension : module or None
        The extension; None for Numba's machine code.
    level : str or None
        CPU level of its kernels.
    reason : str
        Why it is not used; empty if it is.
    """

    extension: ModuleType | None
    level: str | None
    reason: str


def sources_hash():
    """Hash of what the extension is built from, as it is here."""
    package = Path(__file__).parent
    digest = hashlib.sha256()
    for path in sorted(path for pattern in BUILT_FROM for path in package.glob(pattern)):
        if not path.is_file():  # the lock of an editor may be a link to nothing
            continue
        digest.update(path.relative_to(package).as_posix().encode() + b"\0" + path.read_bytes())
    return digest.hexdigest()[:16]


@functools.cache
def machine_code():
    """What runs in this process.

    Raises
    ------
    ValueError
        If FASTCLUST_JIT means nothing, or FASTCLUST_LEVEL is no level that was built and that this
        CPU has.
    RuntimeError
        If Numba would compile the kernels, and FASTCLUST_JIT forbids it.
    """
    setting = os.environ.get("FASTCLUST_JIT", "")
    if setting not in ("", "0", "1", "never"):
        raise ValueError(f"FASTCLUST_JIT must be 0, 1 or never. Got {setting!r} instead.")
    code = _find(setting)
    is_forced = setting == "1" or bool(os.environ.get("NUMBA_CPU_NAME"))
    wanted = os.environ.get("FASTCLUST_LEVEL")
    if code.extension is None and wanted and not is_forced:
        raise ValueError(f"FASTCLUST_LEVEL is {wanted!r}, but no level was built: {code.reason}.")
    if code.extension is None and setting == "never":
        raise RuntimeError(
            f"FASTCLUST_JIT=never, but no kernels are compiled ahead of time: {code.reason}."
        )
    return code


def level():
    """CPU level of the kernels in the extension; None for Numba's."""
    return machine_code().level


def _find(setting):
    """The machine code by this value of FASTCLUST_JIT, whatever else forbids it."""
    if setting == "1":
        return MachineCode(None, None, "FASTCLUST_JIT is 1")
    if os.environ.get("NUMBA_CPU_NAME"):
        return MachineCode(None, None, "NUMBA_CPU_NAME is set")
    try:
        extension = importlib.import_module(NAME)
    except ImportError as error:
        return MachineCode(None, None, _why_there_is_none(error))
    if extension.SOURCES != sources_hash():
        return MachineCode(None, None, "the extension was built from other sources")
    levels = extension.supported_levels()
    wanted = os.environ.get("FASTCLUST_LEVEL")
    if wanted and wanted not in levels:
        raise ValueError(
            f"FASTCLUST_LEVEL is {wanted!r}, but levels that were built and that this CPU has are "
            f"{', '.join(levels) or 'none'}."
        )
    if not levels:
        built = ", ".join(extension.LEVELS)
        return MachineCode(None, None, f"the extension is for {built}, which this CPU has not")
    extension.use(wanted or levels[-1])
    return MachineCode(extension, wanted or levels[-1], "")


def _why_there_is_none(error):
    """What the build said, or the import."""
    try:
        file = Path(__file__).parent / REASON_FILE
        return file.read_text(encoding="utf-8", errors="replace").strip()
    except OSError:
        is_missing = isinstance(error, ModuleNotFoundError) and error.name == NAME
        return "there is no extension" if is_missing else f"it cannot be loaded ({error})"
