"""A private cache of compiled kernels on disk.

Numba's own cache is not safe enough here: its key leaves out the compile options and the callees
in other modules, two processes can corrupt its index, and it fails at import where there is no
writable home. This one writes one file for each kernel, real type and driver, named by a hash of
everything the machine code depends on, moved into place when it is whole, in a directory that
only its owner can enter (the files are pickles). Where no such directory can be had, or a private
name of Numba's has moved, there is no cache: nothing here raises.
"""

import functools
import hashlib
import os
import pickle
import platform
import sysconfig
import tempfile
from pathlib import Path

import llvmlite
import numba

VARIABLE = "FASTCLUST_CACHE_DIR"
"""Environment variable that names the directory; empty or "off" turns the cache off."""

DIGEST_SIZE = hashlib.sha256().digest_size
"""A file opens with the digest of the rest: damaged machine code must not run."""


def attach_cache(dispatcher, name):
    """Let the dispatcher load its code from the cache and save it there, if that is possible."""
    directory = cache_directory()
    if directory is not None and hasattr(dispatcher, "_cache"):
        dispatcher._cache = KernelCache(directory, name)


@functools.cache
def cache_directory():
    """Directory of the cache, made and found to be the user's own, or None."""
    named = os.environ.get(VARIABLE)
    if named is not None and named.lower() in ("", "off", "0"):
        return None
    import platformdirs  # here, as it is not there where a wheel is built

    directory = Path(named or platformdirs.user_cache_path("fastclust", appauthor=False))
    try:
        directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        status = directory.stat()
        if hasattr(os, "getuid") and (status.st_uid != os.getuid() or status.st_mode & 0o077):
            return None
        with tempfile.TemporaryFile(dir=directory):
            return directory
    except (OSError, RuntimeError):  # read-only, full, or no home
        return None


@functools.cache
def _sources_hash():
    """Hash of every kernel source, of the versions and of the options that shape the code."""
    digest = hashlib.sha256()
    for path in sorted(Path(__file__).parent.rglob("*.py")):
        digest.update(
            str(path.relative_to(Path(__file__).parent)).encode() + b"\0" + path.read_bytes()
        )
    names = ("OPT", "BOUNDSCHECK", "DEBUGINFO_DEFAULT", "LOOP_VECTORIZE", "SLP_VECTORIZE")
    settings = [getattr(numba.config, name, None) for name in names]
    python = platform.python_version(), sysconfig.get_config_var("SOABI")
    versions = (numba.__version__, llvmlite.__version__, python, settings)
    digest.update(repr(versions).encode())
    return digest.hexdigest()


class KernelCache:
    """What a Numba dispatcher asks of its cache, for a function with one signature."""

    def __init__(self, directory, name):
        self._directory = directory
        self._name = name

    def _path(self, signature, target_context):
        target = target_context.codegen().magic_tuple()  # triple, CPU and its features
        key = repr((_sources_hash(), target, str(signature))).encode()
        return self._directory / f"{self._name}-{hashlib.sha256(key).hexdigest()[:20]}.kernel"

    def load_overload(self, signature, target_context):
        """Compiled code from the file, or None."""
        try:
            from numba.core.compiler import CompileResult
            from numba.core.runtime import rtsys

            # Loaded code needs no more than this. Refreshing the context, as Numba does before it
            # compiles, takes 0.15 s more in a fresh process (benchmarks/bench_startup.py).
            rtsys.initialize(target_context)
            content = self._path(signature, target_context).read_bytes()
            digest, data = content[:DIGEST_SIZE], content[DIGEST_SIZE:]
            if hashlib.sha256(data).digest() != digest:
                return None
            payload = pickle.loads(data)
            return CompileResult._rebuild(target_context, *payload)
        except Exception:  # a missing or damaged file, or private names that moved: compile instead
            return None

    def save_overload(self, signature, result):
        """Write the compiled code, whole or not at all."""
        temporary = None
        try:
            from numba.core.serialize import dumps

            path = self._path(signature, result.target_context)
            data = dumps(result._reduce())
            with tempfile.NamedTemporaryFile(dir=self._directory, delete=False) as file:
                temporary = file.name
                file.write(hashlib.sha256(data).digest() + data)
            os.replace(temporary, path)
        except Exception:  # a full disk, or private names that moved: work without the cache
            pass
        finally:
            if temporary is not None:
                Path(temporary).unlink(missing_ok=True)
