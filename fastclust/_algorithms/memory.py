"""Whether there is memory for what is asked, said before it is allocated.

An operating system may grant more memory than it has, and end the process when it is used.
"""

import contextlib
import math
from pathlib import Path

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
