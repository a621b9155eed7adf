"""Makes wheels with kernels that are compiled ahead of time (fastclust/_native/build.py).

The environment variable FASTCLUST_AOT says for which CPU levels: "native", the default, for that of
this machine; "all", or names as in "v2,v3"; "off" for none. Levels that are named go into a wheel
for manylinux_2_17, which zig links. Where anything fails, the wheel has no such kernels: Numba then
compiles them when they are first called, and `fastclust.show_config()` says why.

An editable install has none, as its sources are meant to change.

What builds need, Numba above all, must be there for pip to install: with FASTCLUST_AOT=off nothing
is needed.
"""

import importlib.util
import os
import platform
import re
import sys
import tempfile
from pathlib import Path

from hatchling.builders.hooks.plugin.interface import BuildHookInterface

NUMPY = "numpy>=2"
"""Of which the C API is used: what is compiled with 2 also runs with 1.26."""

ZIG = "ziglang>=0.13"


def load_build():
    """The module `build`, by its path: importing the package would import scikit-learn."""
    path = Path(__file__).parent / "fastclust/_native/build.py"
    spec = importlib.util.spec_from_file_location("fastclust_build", path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def plan():
    """Levels to build, and why there are none: one of the two is empty."""
    if sys.platform != "linux" or platform.machine() != "x86_64":
        return [], f"not for {platform.system()} on {platform.machine()} yet"
    if "t" in getattr(sys, "abiflags", "t"):
        return [], "not for free-threaded Python"
    build = load_build()
    try:
        levels = build.parse_levels(os.environ.get("FASTCLUST_AOT", ""))
    except build.BuildError as error:
        return [], f"FASTCLUST_AOT: {error}"
    return levels, "" if levels else "FASTCLUST_AOT was off when this was built"


def in_one_line(error):
    """What is most to the point in an error: a compiler's first complaint, or the last line."""
    lines = str(error).strip().splitlines() or [type(error).__name__]
    complaints = [line for line in lines if re.search(r"\berror: ", line)]
    return (complaints or lines[-1:])[0].strip()


class CompiledKernels(BuildHookInterface):
    """Adds the extension to a wheel, or the reason why there is none."""

    def dependencies(self):
        """What building the extension needs."""
        levels, _ = plan()
        if not levels:
            return []
        build = load_build()
        needs_zig = levels != ["native"] or build.find_compiler() is None
        numba = f'numba=={build.NUMBA_VERSION}; python_version < "3.15"'
        return [numba, NUMPY, *([ZIG] if needs_zig else [])]

    def initialize(self, version, build_data):
        """Build the extension, unless the wheel is for an editable install."""
        if version == "editable":
            return
        self._folder = tempfile.TemporaryDirectory()
        folder = Path(self._folder.name)
        levels, reason = plan()
        if levels:
            try:
                self._add_extension(folder, levels, build_data)
                return
            except Exception as error:  # an install never fails for it
                self.app.display_warning(str(error))
                reason = f"building it failed ({in_one_line(error)})"
        self.app.display_warning(f"fastclust has no kernels compiled ahead of time: {reason}")
        file = folder / "no_extension.txt"
        file.write_text(f"{reason}\n", encoding="utf-8", errors="replace")
        build_data["force_include"][str(file)] = "fastclust/_native/no_extension.txt"

    def finalize(self, version, build_data, artifact_path):
        """Remove what was made on the way."""
        if version != "editable":
            self._folder.cleanup()

    def _add_extension(self, folder, levels, build_data):
        build, is_portable = load_build(), levels != ["native"]
        compiler = build.zig() if is_portable else build.find_compiler()
        self.app.display_info("compiling the kernels, about 80 s of one core for each level")
        extension = build.build(folder, levels, Path(self.root) / "build/objects", compiler)
        build_data["force_include"][str(extension)] = extension.name
        build_data["pure_python"] = False
        system = "manylinux_2_17" if is_portable else "linux"
        build_data["tag"] = f"cp311-abi3-{system}_x86_64"
