"""Build the extension: kernels compiled for some CPU levels, linked with `runtime.c`.

    python fastclust/_native/build.py FOLDER OBJECTS [LEVEL ...]

writes `_fastclust_kernels.abi3.so` into a folder, for the level of this machine or for those named.
Objects are kept in the other folder, from which later builds take what has not changed; it may be
deleted at any time.

This file is loaded by its path (`hatch_build.py`): importing the package would import scikit-learn,
which is not there where a wheel is built. So it imports nothing of the package.
"""

import contextlib
import importlib.metadata
import importlib.util
import json
import os
import shutil
import subprocess
import sys
import sysconfig
import tempfile
from pathlib import Path
from typing import NamedTuple

HERE = Path(__file__).resolve().parent
EXTENSION = "_fastclust_kernels.abi3.so"
GLIBC = "x86_64-linux-gnu.2.17"
"""What zig links for: manylinux_2_17."""

NUMBA_VERSION = "0.68.1"
"""What compiles the kernels: one version, as private names of it are used (`emit.py`)."""


class Level(NamedTuple):
    """A CPU level of x86-64, as its psABI defines it.

    Attributes
    ----------
    cpu : str
        LLVM's name of a CPU that has this level and no more.
    features : str
        LLVM's names of its features, each after a plus.
    """

    cpu: str
    features: str

    @property
    def environment(self):
        """Settings under which Numba compiles for this level, whatever the machine is."""
        return {"NUMBA_CPU_NAME": self.cpu, "NUMBA_CPU_FEATURES": self.features}


_V2 = "+cx16,+popcnt,+sahf,+sse3,+ssse3,+sse4.1,+sse4.2"
_V3 = f"{_V2},+avx,+avx2,+bmi,+bmi2,+f16c,+fma,+lzcnt,+movbe,+xsave"
_V4 = f"{_V3},+avx512f,+avx512bw,+avx512cd,+avx512dq,+avx512vl"

LEVELS = {
    "v2": Level("x86-64-v2", _V2),
    "v3": Level("x86-64-v3", _V3),
    "v4": Level("x86-64-v4", _V4),
}
"""Levels by name, each of which has all that those before it have."""


class BuildError(Exception):
    """The extension cannot be built, and why."""


def parse_levels(text):
    """Levels named as in FASTCLUST_AOT, the best last; ["native"] by default, none for "off".

    Raises
    ------
    BuildError
        If one of them is no level.
    """
    names = {name.strip() for name in text.split(",")} - {""}
    if not names or names == {"native"}:
        return ["native"]
    if names == {"off"}:
        return []
    if names == {"all"}:
        return list(LEVELS)
    if not names <= set(LEVELS):
        unknown = ", ".join(sorted(names - set(LEVELS)))
        raise BuildError(f"levels are {', '.join(LEVELS)}, not {unknown}")
    return [level for level in LEVELS if level in names]


def build(folder, levels, objects, compiler):
    """Build the extension.

    Parameters
    ----------
    folder : path
        Where it is written.
    levels : list of str
        As of `parse_levels`: ["native"] is the level of this machine, tuned for it.
    objects : path
        Where objects are kept from one build to the next, if it can be written.
    compiler : list of str or None
        Command of a C compiler, if there is one.

    Returns
    -------
    extension : Path
        The file.

    Raises
    ------
    BuildError
        If this machine, Numba, the compiler or a kernel does not allow it.
    """
    _check_numba()
    if compiler is None:
        raise BuildError("there is no C compiler that works (the package ziglang brings one)")
    folder, objects = Path(folder), Path(objects)
    folder.mkdir(parents=True, exist_ok=True)
    with contextlib.suppress(OSError):
        objects.mkdir(parents=True, exist_ok=True)
    if not os.access(objects, os.W_OK):
        objects = folder / "objects"
    tuned = levels == ["native"]
    if tuned:
        levels = [native_level()]
    made = {level: _emit(level, tuned, objects / level, folder) for level in levels}
    (folder / "table.h").write_text(_table(made))
    return _link(compiler, folder, made)


def _check_numba():
    """Raise an error unless the version of Numba is the one that `emit` was written for."""
    try:
        version = importlib.metadata.version("numba")
    except importlib.metadata.PackageNotFoundError:
        version = "none"
    if version != NUMBA_VERSION:
        raise BuildError(f"Numba {NUMBA_VERSION} compiles the kernels, but here is {version}")


def find_compiler():
    """Command of a C compiler: that of the environment's CC, one that is installed, or zig's.

    One that cannot link a library is passed over: images may have a compiler without the headers
    of the C library.
    """
    for command in (os.environ.get("CC", ""), "cc", "gcc", "clang"):
        words = command.split()
        if words and shutil.which(words[0]) and _works(words):
            return words
    return zig()


def _works(compiler):
    """Whether a compiler makes a shared library of a trivial file."""
    with tempfile.TemporaryDirectory() as folder:
        source = Path(folder) / "trivial.c"
        source.write_text("#include <pthread.h>\npthread_t self(void) { return pthread_self(); }\n")
        try:
            _run([*compiler, "-shared", "-fPIC", "-pthread", str(source), "-o", f"{source}.so"])
        except BuildError:
            return False
    return True


def zig():
    """Command of zig's C compiler, for an old glibc; None if it is not installed."""
    if importlib.util.find_spec("ziglang") is None:
        return None
    # Python's own header includes one of the system, where that is how Python was packaged.
    system = ["-idirafter", "/usr/include"]
    return [sys.executable, "-m", "ziglang", "cc", "-target", GLIBC, *system]


def native_level():
    """The best level of this machine, by the features that LLVM finds."""
    import llvmlite.binding  # not there where only the levels are asked for

    found = {f"+{name}" for name, has in llvmlite.binding.get_host_cpu_features().items() if has}
    levels = [name for name, level in LEVELS.items() if found.issuperset(level.features.split(","))]
    if not levels:
        raise BuildError("this CPU has not all of x86-64-v2")
    return levels[-1]


def _emit(level, tuned, objects, folder):
    """Compile the kernels of a level; return what `emit` says of them."""
    as_package = (
        "import sys, types; package = types.ModuleType('fastclust');"
        f"package.__path__ = [{str(HERE.parent)!r}]; sys.modules['fastclust'] = package;"
        "from fastclust._extension import sources_hash; sources = sources_hash();"
        f"from fastclust._native import target; target.set_target({level!r}, {tuned});"
        "from fastclust._native import emit; emit.main(sources)"
    )
    report = folder / f"{level}.json"
    environment = {name: value for name, value in os.environ.items() if "NUMBA_" not in name}
    environment |= {"FASTCLUST_JIT": "1", "FASTCLUST_CACHE_DIR": "off"}
    _run([sys.executable, "-c", as_package, level, str(objects), str(report)], env=environment)
    return json.loads(report.read_text())


def _run(command, **options):
    try:
        result = subprocess.run(
            command, capture_output=True, encoding="utf-8", errors="replace", check=False, **options
        )
    except OSError as error:  # no program, or none that may run
        raise BuildError(str(error)) from error
    if result.returncode != 0:
        said = (result.stderr or result.stdout).strip()
        raise BuildError(f"{command[0]}: status {result.returncode}\n{said}")


def _table(made):
    """C source of the table of kernels."""
    first, *_ = made.values()
    symbols: dict[tuple[str, str], list[str]] = {}
    for one in made.values():
        for each in one["objects"]:
            symbols.setdefault((each["kernel"], each["dtype"]), []).append(each["symbol"])
    lines, rows, most_words = [], [], 0
    for number, each in enumerate(first["objects"]):
        entries = symbols[each["kernel"], each["dtype"]]
        parameters, n_words, team_word = [], 0, -1
        for name, dtype, ndim, is_written in each["parameters"]:
            kind, itemsize = dtype[0], int(dtype[-2:]) // 8
            parameters.append(f"{{\"{name}\", '{kind}', {itemsize}, {ndim}, {int(is_written)}}}")
            team_word = n_words if name == "team_out" else team_word
            n_words += 1 + ndim
        most_words = max(most_words, n_words)
        lines += [f"extern int32_t {entry}(const int64_t *);" for entry in entries]
        lines.append(f"static const entry_t E{number}[] = {{{', '.join(entries)}}};")
        lines.append(f"static const parameter_t P{number}[] = {{{', '.join(parameters)}}};")
        names = f'"{each["kernel"]}", "{each["dtype"]}"'
        rows.append(f"{{{names}, {len(parameters)}, P{number}, {team_word}, E{number}}},")
    levels = ", ".join(f'"{level}"' for level in made)
    return "\n".join([
        *lines, "static const kernel_t KERNELS[] = {", *rows, "};",
        f"enum {{ N_KERNELS = {len(rows)}, N_LEVELS = {len(made)}, MOST_WORDS = {most_words} }};",
        f"static const char *const LEVELS[] = {{{levels}}};",
        f'#define SOURCES "{first["sources"]}"',
        f'#define BUILD "{first["compiler"]}"', "",
    ])  # fmt: skip


def _link(compiler, folder, made):
    """Link the objects with `runtime.c`."""
    import numpy as np

    objects = [each["path"] for one in made.values() for each in one["objects"]]
    includes = [folder, sysconfig.get_path("include"), np.get_include()]
    extension = folder / EXTENSION
    _run([
        *compiler, "-O2", "-Wall", "-Wextra", "-shared", "-fPIC", "-fvisibility=hidden", "-pthread",
        *(f"-I{path}" for path in includes), str(HERE / "runtime.c"), *objects, "-lm", "-s",
        "-o", str(extension),
    ])  # fmt: skip
    return extension


if __name__ == "__main__":
    to, objects, *levels = sys.argv[1:]
    try:
        print(build(to, parse_levels(",".join(levels)), objects, find_compiler()))
    except (BuildError, OSError) as error:
        sys.exit(f"no extension: {error}")
