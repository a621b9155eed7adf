"""How times are taken, the shortest of some calls or functions in turns, and how memory is."""

import platform
import re
import time
from importlib.metadata import version
from pathlib import Path

import numpy as np


def seconds_of(function, *args):
    """Seconds of one call."""
    start = time.perf_counter()
    function(*args)
    return time.perf_counter() - start


def best_seconds(function, *args, n_repeats=7):
    """Shortest of some calls."""
    return min(seconds_of(function, *args) for _ in range(n_repeats))


def in_turns(functions, budget=5.0, fewest=3, most=25, pause=0.1):
    """Seconds of functions that are called in turns, in every second round the other way round.

    What slows the machine down for a while then slows all of them. A function's threads may spin
    for a while after it: the pause keeps them from the next one's time.

    Parameters
    ----------
    functions : dict of str to callable
        What is called, without arguments.
    budget : float, default=5.0
        Seconds of calls after which no further round begins.
    fewest, most : int, default=3, 25
        Bounds of the number of rounds, whatever the budget.
    pause : float, default=0.1
        Seconds before each call.

    Returns
    -------
    seconds : dict of str to list of float
        Seconds of each function, a value for each round.
    """
    seconds = {name: [] for name in functions}
    for i in range(most):
        if i >= fewest and sum(map(sum, seconds.values())) > budget:
            break
        for name in list(functions)[:: -1 if i % 2 else 1]:
            time.sleep(pause)
            seconds[name].append(seconds_of(functions[name]))
    return seconds


def speed_up(theirs, ours, budget=5.0):
    """Median over rounds of the seconds of one function over those of another."""
    seconds = in_turns({"theirs": theirs, "ours": ours}, budget, fewest=5)
    return float(np.median(np.divide(seconds["theirs"], seconds["ours"])))


def peak_growth(function):
    """Most memory of this process during a call, in MiB, beside what it has before it (Linux)."""
    before = _resident_kib("VmRSS")
    Path("/proc/self/clear_refs").write_text("5")  # the peak is forgotten
    function()
    return (_resident_kib("VmHWM") - before) / 1024


def _resident_kib(name):
    """A line of the system's account of this process, in KiB."""
    return int(re.search(rf"{name}:\s+(\d+)", Path("/proc/self/status").read_text())[1])


def cpu_name():
    """Name of the processor, as the system gives it."""
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
        return next(line.split(": ")[1] for line in lines if line.startswith("model name"))
    except (OSError, StopIteration):
        return platform.processor() or platform.machine()


def machine_and_versions(packages):
    """One line that says what was measured on."""
    from fastclust import _extension, _threads

    level = _extension.level()
    kernels = f"kernels for x86-64-{level}" if level else "kernels compiled by Numba when called"
    versions = ", ".join(f"{name} {version(name)}" for name in packages)
    n_threads = _threads.effective_n_threads()
    python = f"Python {platform.python_version()}"
    return f"{cpu_name()}, {n_threads} threads, {kernels}; {python}, {versions}"
