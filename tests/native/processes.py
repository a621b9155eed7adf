"""Python in a process of its own, whose machine code the test chooses."""

import functools

from tests import processes

UNSET = dict.fromkeys((
    "FASTCLUST_JIT", "FASTCLUST_LEVEL", "NUMBA_CPU_FEATURES", "NUMBA_CPU_NAME",
    "NUMBA_NUM_THREADS", "OMP_NUM_THREADS",
))  # fmt: skip
"""What chooses machine code and threads: a test sets what it is about."""

ALARM = "import signal; signal.alarm(100)\n"
"""Ends a process that hangs, and each that forks sets it anew."""


@functools.wraps(processes.run_python)
def run_python(code, *args, timeout=120, **environment):
    return processes.run_python(code, *args, timeout=timeout, **UNSET | environment)
