"""Print the speed tables of the README: fastclust against scikit-learn, as Markdown.

    python benchmarks/speed_table.py              every workload, some minutes
    python benchmarks/speed_table.py iris digits  those whose name holds one of the words
    python benchmarks/speed_table.py --estimator GaussianMixture

Both packages get the same rows, parameters and random_state. They fit in turns, after a warm-up, so
nothing compiles while it is timed. Seconds are medians.
"""

import argparse
import platform
import statistics
import sys
import time
import warnings
from importlib.metadata import version
from pathlib import Path

import numpy as np
from sklearn.exceptions import ConvergenceWarning

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))  # the checkout, installed or not

from benchmarks.workloads import MIXTURES, WORKLOADS
from fastclust import _threads

TABLES = {  # estimator: workloads, the column of what is optimised, its attribute
    "KMeans": (WORKLOADS, "inertia", "inertia_"),
    "GaussianMixture": (MIXTURES, "lower bound", "lower_bound_"),
}


def cpu_name():
    """Name of the processor, as the system gives it."""
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
        return next(line.split(": ")[1] for line in lines if line.startswith("model name"))
    except (OSError, StopIteration):
        return platform.processor() or platform.machine()


def heading(objective):
    """Describe what is measured on what."""
    packages = ", ".join(f"{name} {version(name)}" for name in ("scikit-learn", "numba", "numpy"))
    n_threads = _threads.effective_n_threads()
    return (
        f"{cpu_name()}, {n_threads} threads; {packages}, Python {platform.python_version()}. "
        f"{objective.capitalize()} is fastclust's less scikit-learn's, relative; iterations are "
        "fastclust's / scikit-learn's."
    )


def seconds_of_fit(estimator, X):
    """Seconds of one fit, after a pause in which the threads of the one before fall asleep."""
    time.sleep(0.1)
    start = time.perf_counter()
    estimator.fit(X)
    return time.perf_counter() - start


def labels_of(estimator, X):
    """Labels of the rows that it was fitted to."""
    return estimator.labels_ if hasattr(estimator, "labels_") else estimator.predict(X)


def compare(name, workload, attribute):
    """Fit both in turns; return the cells of one row of the table, and the speed-up."""
    X = workload.make()
    workload.estimator("sklearn", max_iter=2).fit(X)
    workload.estimator("fastclust").fit(X)  # to its end, so that all is compiled
    theirs, ours = workload.estimator("sklearn"), workload.estimator("fastclust")
    seconds = [
        (seconds_of_fit(theirs, X), seconds_of_fit(ours, X)) for _ in range(workload.n_repeats)
    ]
    their_seconds, our_seconds = map(statistics.median, zip(*seconds, strict=True))
    speed_up = their_seconds / our_seconds
    their_value, our_value = getattr(theirs, attribute), getattr(ours, attribute)
    cells = [
        name,
        str(X.dtype),
        f"{their_seconds:.4f}",
        f"{our_seconds:.4f}",
        f"{speed_up:.1f}x",
        f"{np.mean(labels_of(ours, X) == labels_of(theirs, X)):.2%}",
        f"{(our_value - their_value) / abs(their_value):+.0e}",
        f"{ours.n_iter_} / {theirs.n_iter_}",
    ]
    return cells, speed_up


def print_table(workloads, objective, attribute):
    """Run the workloads and print their table row by row."""
    columns = ["workload", "dtype", "scikit-learn s", "fastclust s", "speed-up", "same labels"]
    columns += [objective, "iterations"]
    print(heading(objective), end="\n\n")
    print("| " + " | ".join(columns) + " |")
    print("| --- | --- |" + " ---: |" * (len(columns) - 2))
    speed_ups = []
    for name, workload in workloads.items():
        cells, speed_up = compare(name, workload, attribute)
        speed_ups.append(speed_up)
        print("| " + " | ".join(cells) + " |", flush=True)
    mean = statistics.geometric_mean(speed_ups)
    print(f"\nSpeed-up: geometric mean {mean:.1f}x, smallest {min(speed_ups):.1f}x.\n")


def main():
    """Print the tables of the workloads that were asked for."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("words", nargs="*", default=[""], help="parts of the names of workloads")
    parser.add_argument("--estimator", choices=TABLES, help="only the table of this one")
    options = parser.parse_args()
    warnings.simplefilter("ignore", ConvergenceWarning)  # of warm-ups, and by a small max_iter
    tables = []
    for estimator, (workloads, *objective) in TABLES.items():
        if options.estimator in (None, estimator):
            chosen = {
                n: w for n, w in workloads.items() if any(word in n for word in options.words)
            }
            tables += [(chosen, *objective)] if chosen else []
    if not tables:
        parser.error(f"no workload is named like {' or '.join(options.words)}")
    for table in tables:
        print_table(*table)


if __name__ == "__main__":
    main()
