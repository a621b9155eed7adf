"""What is each constant of dense mini-batches worth? Every workload is fitted with other values.

    python benchmarks/ablate_minibatch.py           # every workload
    python benchmarks/ablate_minibatch.py digits    # those whose name holds one of the words

A fit is that of a dense workload of MiniBatchKMeans (benchmarks/workloads.py) with batches of one
of several sizes, without final labels. Fits with the default and with each other value take turns.
A line gives the time with a value over that with the default: the geometric mean over the
workloads, the least and the largest, and their workloads. A constant that no line shows to matter
should go.
"""

import sys
from dataclasses import replace
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))  # run as a script

from benchmarks import internals
from benchmarks.timing import in_turns
from benchmarks.workloads import MINI_BATCHES

VALUES = {"GATHER_WORK": [0, 500, 10_000], "CHUNK_ROWS": [64, 128, 256, 1024, 2048]}
"""Values to try in place of the defaults."""

BATCH_SIZES = 256, 1024, 4096, 16_384


def workloads(words):
    """Dense workloads whose names hold a word, or all, with batches of several sizes, by name."""
    dense = {
        name: workload
        for name, workload in MINI_BATCHES.items()
        if "CSR" not in name and (not words or any(word in name for word in words))
    }
    by_rows = {name.partition(", batches")[0]: workload for name, workload in dense.items()}
    for name, workload in by_rows.items():
        X = workload.make()
        for batch_size in BATCH_SIZES:
            if batch_size < len(X):
                options = workload.options | {"batch_size": batch_size, "max_iter": 3}
                yield f"{name}, {batch_size:,}", X, replace(workload, options=options)


def measure(X, workload):
    """Median over rounds of the time of each value over the default's of the same round."""

    def fit(**constants):
        def call():
            with internals.minibatch_constants(**constants):
                workload.estimator("fastclust", compute_labels=False).fit(X)

        return call

    functions = {"default": fit()}
    for name, values in VALUES.items():
        functions |= {(name, value): fit(**{name: value}) for value in values}
    functions["default"]()
    seconds = in_turns(functions, budget=4.0, fewest=5, pause=0.0)
    default = np.array(seconds.pop("default"))
    return {key: float(np.median(times / default)) for key, times in seconds.items()}


def main():
    """Print the table."""
    ratios = {}
    for name, X, workload in workloads(sys.argv[1:]):
        ratios[name] = measure(X, workload)
        print(name, file=sys.stderr, flush=True)
    print(f"{'constant':24}{'mean':>7}  least, largest")
    for key in next(iter(ratios.values())):
        column = {name: found[key] for name, found in ratios.items()}
        mean = np.exp(np.mean(np.log(list(column.values()))))
        low, high = min(column, key=column.get), max(column, key=column.get)
        text = f"{key[0]}={key[1]:,}"
        print(f"{text:24}{mean:7.3f}  {column[low]:.2f} {low};  {column[high]:.2f} {high}")


if __name__ == "__main__":
    main()
