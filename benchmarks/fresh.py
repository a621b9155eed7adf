"""Does a fresh process fit later, or take more memory, than one of another commit?

    python benchmarks/fresh.py               # the files as they are, against main
    python benchmarks/fresh.py HEAD~1        # against another commit
    python benchmarks/fresh.py v1.0 HEAD     # one commit against another

Kernels are those that Numba compiles: an installed extension belongs to one commit at most, and
`first_fit.py` measures fits with it. Prints a table, and exits with 1 if a first fit takes SLOWER
times as long (import included, from an empty cache of kernels and from a filled one;
`bench_startup.py`) or a fit or method peaks at LARGER times the memory (`bench_memory.py`), with 2
if a process fails. Processes of the two commits take turns; the median of their ratios decides. It
takes some ten minutes, most of them for compiling.
"""

import argparse
import itertools
import os
import statistics
import subprocess
import sys
import tempfile
import time
from contextlib import chdir
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))  # the checkout, installed or not

from benchmarks.bench_memory import Memory
from benchmarks.bench_startup import FirstFit
from benchmarks.slower import ROOT, tree_of

SLOWER, LARGER = 1.10, 1.01
"""Ratios of seconds and of peak memory above which a commit is worse; the rest is noise."""

ESTIMATORS = "KMeans", "GaussianMixture"
"""Whose memory is compared; every one takes kernels of its own, which are compiled first."""

N_COLD, N_WARM, N_MEMORY = 3, 9, 3
"""Processes of each commit: with an empty cache, with a filled one, and for memory."""

PEAK = """
import resource
from benchmarks.bench_memory import Memory
memory = Memory()
memory.setup({estimator!r})
memory.{method}({estimator!r})
print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)
"""


def run(tree, code, directory, **variables):
    """Seconds of a process that runs this code with a tree's fastclust, and what it printed."""
    path = f"{tree}{os.pathsep}{ROOT}"  # an extension would belong to one tree at most
    environment = os.environ | {"PYTHONPATH": path, "FASTCLUST_JIT": "1"} | variables
    start = time.perf_counter()
    result = subprocess.run(
        [sys.executable, "-c", code], env=environment, cwd=directory, check=True,
        stdout=subprocess.PIPE,
    )  # fmt: skip
    return time.perf_counter() - start, result.stdout


def first_fits(cache):
    """Code of the first fit of each estimator, by its name."""
    for estimator in FirstFit.params[0]:
        for n_samples in FirstFit.params[1]:
            fit, rows = FirstFit.code_of("fastclust", cache, estimator, n_samples)
            yield f"first fit of {estimator}, {n_samples} rows", rows + fit


def in_turns(n_rounds, measure, trees):
    """What `measure` returns for each tree, in rounds; every second one the other way round."""
    rounds = []
    for i in range(n_rounds):
        values = [0.0, 0.0]
        for j in (1, 0) if i % 2 else (0, 1):
            values[j] = measure(trees[j])
        rounds.append(values)
    return rounds


def compare(name, unit, most, rounds):
    """Print a line of the table; return whether the commit now is worse."""
    before, now = map(statistics.median, zip(*rounds, strict=True))
    ratio = statistics.median(after / earlier for earlier, after in rounds)
    worse = ratio > most
    print(
        f"| {name} | {before:.2f} {unit} | {now:.2f} {unit} | {ratio:.3f} | "
        f"{'**worse**' if worse else ''} |",
        flush=True,
    )
    return worse


def main():
    """Compare two commits."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("base", nargs="?", default="main", help="the commit before (main)")
    parser.add_argument("commit", nargs="?", help="the commit now (the files as they are)")
    options = parser.parse_args()
    worse = []
    print("| fresh process | before | now | now / before | |")
    print("| --- | ---: | ---: | ---: | --- |")
    with tempfile.TemporaryDirectory() as directory:
        directory = Path(directory)
        trees = [tree_of(commit, directory) for commit in (options.base, options.commit)]
        for name, code in first_fits("off"):
            rounds = in_turns(N_COLD, lambda tree, code=code: run(tree, code, directory)[0], trees)
            worse.append(compare(f"{name}, empty cache", "s", SLOWER, rounds))
        cache = directory / "cache"
        cache.mkdir(mode=0o700)
        for name, code in first_fits(str(cache)):
            for tree in trees:
                run(tree, code, directory)
            rounds = in_turns(N_WARM, lambda tree, code=code: run(tree, code, directory)[0], trees)
            worse.append(compare(f"{name}, filled cache", "s", SLOWER, rounds))
        with chdir(directory):
            Memory().setup_cache()
        methods = [name for name in dir(Memory) if name.startswith("peakmem_")]
        for estimator, method in itertools.product(ESTIMATORS, methods):
            code = PEAK.format(estimator=estimator, method=method)

            def peak(tree, code=code):
                return int(run(tree, code, directory, FASTCLUST_CACHE_DIR=str(cache))[1]) / 1024

            for tree in trees:
                peak(tree)  # compiles, which takes more memory than any fit
            rounds = in_turns(N_MEMORY, peak, trees)
            worse.append(compare(f"{estimator}: {method}", "MiB", LARGER, rounds))
    return 1 if any(worse) else 0


if __name__ == "__main__":
    try:
        sys.exit(main())
    except subprocess.CalledProcessError as error:
        print(f"\nCould not be measured: {error}")
        sys.exit(2)
