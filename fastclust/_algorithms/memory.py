"""Whether there is memory for what is asked, said before it is allocated; a limit for files.

An operating system may grant more memory than it has, and end the process when it is used.
"""

import contextlib
import contextvars
import math
import os
import re
import tempfile
from pathlib import Path

import numpy as np

SMALL = 2**28
"""Bytes below which memory counts as available without asking the system."""

CONTAINERS = (
    ("/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory.stat", ("anon", "shmem")),
    (
        "/sys/fs/cgroup/memory/memory.limit_in_bytes",
        "/sys/fs/cgroup/memory/memory.stat",
        ("total_rss", "total_shmem"),
    ),
)
"""For control groups 2 and 1: files of a container's limit and of its use, and the entries of its
use that the system cannot reclaim."""

DEFAULT_SHARE = 0.5
"""Share of the available memory that rows of files may take where no limit was set: as much again
is left to other programs, and to the files' pages in the system's cache."""

LABELS_SHARE = 0.25
"""Share of the limit that labels of rows in blocks may take; more are in a temporary file."""

UNITS = {"": 1, "B": 1} | {
    prefix.upper() + unit: base**power
    for power, prefix in enumerate("kMGT", start=1)
    for unit, base in (("B", 1000), ("iB", 1024))
}
"""Bytes of the units of a limit."""

_limit = contextvars.ContextVar[int | None]("limit", default=None)


@contextlib.contextmanager
def limit_memory(limit):
    """Context in which rows of files take at most so much memory.

    It decides what is done with rows that `open_rows` has opened, and with memory maps: those that
    fit are read once and stay in memory, others are read in blocks, again in each pass over them.
    It holds for the calling thread, or asynchronous task, alone; the environment variable
    FASTCLUST_MEMORY sets it for a process. By default it is half of the memory that the machine, or
    its container, has left, and there is none where that is not known, as it is on Linux only.
    Arrays in memory are not limited, and neither is the rest of the process.

    Parameters
    ----------
    limit : int or str
        Bytes, or a number and a unit: "2 GB" (of 1000^3 bytes), "512 MiB" (of 1024^2).

    Raises
    ------
    ValueError
        If it is no positive amount of memory.

    See Also
    --------
    open_rows : Rows of files.

    Examples
    --------
    >>> import tempfile, os
    >>> import numpy as np
    >>> import fastclust
    >>> path = os.path.join(tempfile.mkdtemp(), "rows.npy")
    >>> np.save(path, np.random.default_rng(0).normal(size=(10_000, 4)))
    >>> with fastclust.limit_memory("100 kB"):
    ...     kmeans = fastclust.KMeans(3, init="random", n_init=1, random_state=0)
    ...     kmeans = kmeans.fit(fastclust.open_rows(path))
    >>> kmeans.labels_.shape
    (10000,)
    """
    token = _limit.set(parse_size(limit))
    try:
        yield
    finally:
        _limit.reset(token)


def memory_limit():
    """Bytes that rows of files may take; infinity if there is no limit."""
    limit = _limit.get()
    if limit is not None:
        return limit
    if os.environ.get("FASTCLUST_MEMORY"):
        return parse_size(os.environ["FASTCLUST_MEMORY"])
    return DEFAULT_SHARE * available_memory()


def parse_size(size):
    """Bytes of an amount of memory, as `limit_memory` takes it."""
    words = re.fullmatch(r"([0-9]+\.?[0-9]*|\.[0-9]+)\s*([A-Za-z]*)", str(size).strip())
    if words is not None:
        number, unit = words.groups()
        unit = unit[:1].upper() + unit[1:].replace("b", "B")
        n_bytes = float(number) * UNITS.get(unit, 0)
        if n_bytes >= 1:
            return int(n_bytes)
    raise ValueError(
        "A limit of memory must be a positive number of bytes, or have a unit, as in '2 GB' or "
        f"'512 MiB'. Got {size!r} instead."
    )


def labels_fit(n_samples):
    """Whether labels of so many rows in blocks stay in memory."""
    return 4 * n_samples <= LABELS_SHARE * memory_limit()


def empty_values(n_samples, dtype):
    """Memory for a value of each row in blocks, in a temporary file if labels do not fit."""
    new = np.empty if labels_fit(n_samples) else mapped_empty
    return new(n_samples, dtype)


def mapped_empty(n_values, dtype):
    """Array of one dimension in a temporary file, which is deleted with the last view of it.

    The system can write its pages to the disk when memory is short. It is an ordinary ndarray, and
    its pickle has the values.
    """
    n_bytes = n_values * np.dtype(dtype).itemsize
    with tempfile.TemporaryFile() as file:
        if hasattr(os, "posix_fallocate"):  # a full disk would be a crash later
            os.posix_fallocate(file.fileno(), 0, n_bytes)
        return np.asarray(np.memmap(file, dtype, "r+", shape=(n_values,)))


def check_memory(n_bytes, what):
    """Raise MemoryError if more is needed than there is, as far as that is known.

    Parameters
    ----------
    n_bytes : int
        Memory needed.
    what : str
        What needs it, for the message.
    """
    if not is_available(n_bytes):
        available = available_memory()
        raise MemoryError(
            f"{what} needs {n_bytes / 2**30:.1f} GiB of memory, and {available / 2**30:.1f} GiB "
            "are available. float32 takes half of it."
        )


def is_available(n_bytes):
    """Whether there is this much memory, as far as that is known."""
    return n_bytes < SMALL or n_bytes <= available_memory()


def available_memory():
    """Bytes that this process may still use: of the machine, or its container; infinity if unknown.

    It is known on Linux only.
    """
    available = math.inf
    with contextlib.suppress(OSError, KeyError, ValueError):
        kibibytes = _entries("/proc/meminfo")
        available = 1024 * (kibibytes["MemAvailable:"] + kibibytes["SwapFree:"])
    for limit, use, entries in CONTAINERS:
        with contextlib.suppress(OSError, KeyError, ValueError):  # there is none, or no limit
            used = _entries(use)
            left = int(Path(limit).read_text()) - sum(used[entry] for entry in entries)
            available = min(available, max(left, 0))
    return available


def _entries(path):
    """Numbers by name of a file with one of both in each line."""
    lines = map(str.split, Path(path).read_text().splitlines())
    return {words[0]: int(words[1]) for words in lines}
