"""Print the speed table of the README: fastclust against scikit-learn, as Markdown.

    python benchmarks/speed_table.py              every workload, some minutes
    python benchmarks/speed_table.py iris digits  those whose name holds one of the words

Both packages get the same rows, parameters and random_state. They fit in turns, after a warm-up, so
nothing compiles while it is timed. Seconds are medians.
"""

import argparse
import platform
import statistics
import sys
import time
from importlib.metadata import version
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))  # the checkout, installed or not

from benchmarks.workloads import WORKLOADS
from fastclust import _threads

COLUMNS = [
    "workload",
    "dtype",
    "scikit-learn s",
    "fastclust s",
    "speed-up",
    "same labels",
    "inertia",
    "iterations",
]


def cpu_name():
    """Name of the processor, as the system gives it."""
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
        return next(line.split(": ")[1] for line in lines if line.startswith("model name"))
    except (OSError, StopIteration):
        return platform.processor() or platform.machine()


def heading():
    """Describe what is measured on what."""
    packages = ", ".join(f"{name} {version(name)}" for name in ("scikit-learn", "numba", "numpy"))
    n_threads = _threads.effective_n_threads()
    return (
        f"{cpu_name()}, {n_threads} threads; {packages}, Python {platform.python_version()}. "
        "Inertia is fastclust's less scikit-learn's, relative; iterations are fastclust's / "
        "scikit-learn's."
    )


def seconds_of_fit(kmeans, X):
    """Seconds of one fit, after a pause in which the threads of the one before fall asleep."""
    time.sleep(0.1)
    start = time.perf_counter()
    kmeans.fit(X)
    return time.perf_counter() - start


def compare(name, workload):
    """Fit both in turns; return the cells of one row of the table, and the speed-up."""
    X = workload.make()
    for package in ("sklearn", "fastclust"):
        workload.kmeans(package, max_iter=2).fit(X)
    theirs, ours = workload.kmeans("sklearn"), workload.kmeans("fastclust")
    seconds = [
        (seconds_of_fit(theirs, X), seconds_of_fit(ours, X)) for _ in range(workload.n_repeats)
    ]
    their_seconds, our_seconds = map(statistics.median, zip(*seconds, strict=True))
    speed_up = their_seconds / our_seconds
    cells = [
        name,
        str(X.dtype),
        f"{their_seconds:.4f}",
        f"{our_seconds:.4f}",
        f"{speed_up:.1f}x",
        f"{np.mean(ours.labels_ == theirs.labels_):.2%}",
        f"{ours.inertia_ / theirs.inertia_ - 1:+.0e}",
        f"{ours.n_iter_} / {theirs.n_iter_}",
    ]
    return cells, speed_up


def main():
    """Run the workloads that were asked for and print the table row by row."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("words", nargs="*", default=[""], help="parts of the names of workloads")
    words = parser.parse_args().words
    chosen = {n: w for n, w in WORKLOADS.items() if any(word in n for word in words)}
    if not chosen:
        parser.error(f"no workload is named like {' or '.join(words)}")
    print(heading(), end="\n\n")
    print("| " + " | ".join(COLUMNS) + " |")
    print("| --- | --- |" + " ---: |" * (len(COLUMNS) - 2))
    speed_ups = []
    for name, workload in chosen.items():
        cells, speed_up = compare(name, workload)
        speed_ups.append(speed_up)
        print("| " + " | ".join(cells) + " |", flush=True)
    mean = statistics.geometric_mean(speed_ups)
    print(f"\nSpeed-up: geometric mean {mean:.1f}x, smallest {min(speed_ups):.1f}x.")


if __name__ == "__main__":
    main()
