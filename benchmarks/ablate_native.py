"""What is each constant of the extension worth? Fits are run with other values of it.

    python benchmarks/ablate_native.py                # all constants, some minutes each
    python benchmarks/ablate_native.py PATIENCE_NS    # this

An extension is built for each value, and fits take turns with those of the extension as it is, as
in `slower.py`, in two measurements with processes of their own. A line gives the time with a value
over that with the default: the geometric mean over the benchmarks, the least and the largest, and
their benchmarks. A constant that no line shows to matter should go.
"""

import argparse
import shutil
import statistics
import sys
import tempfile
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))  # run as a script

from benchmarks import slower
from benchmarks.slower import ROOT

N_MEASUREMENTS = 2

CONSTANTS = {  # file, text, and what stands in its place
    "PATIENCE_NS": (
        "_native/runtime.c", "PATIENCE_NS = 300000",
        ["PATIENCE_NS = 0", "PATIENCE_NS = 30000", "PATIENCE_NS = 100000", "PATIENCE_NS = 3000000"],
    ),
    "MOST_RANGES": ("_native/runtime.c", "MOST_RANGES = 64", ["MOST_RANGES = 1"]),
    "PATIENCE": (
        "_kernels/simd/team.py", "PATIENCE = 2000",
        ["PATIENCE = 20", "PATIENCE = 200", "PATIENCE = 20000"],
    ),
    "tuned": ("_native/build.py", 'tuned = levels == ["native"]', ["tuned = False"]),
}  # fmt: skip


def variant_of(directory, file, text, other):
    """A copy of the package in which a constant has another value."""
    tree = directory / f"variant-{len(list(directory.iterdir()))}"
    shutil.copytree(ROOT / "fastclust", tree / "fastclust")
    (tree / slower.INTERNALS).parent.mkdir()
    shutil.copy(ROOT / slower.INTERNALS, tree / slower.INTERNALS)
    path = tree / "fastclust" / file
    source = path.read_text()
    if source.count(text) != 1:
        raise ValueError(f"{file} does not say {text!r} once: edit this benchmark")
    path.write_text(source.replace(text, other))
    return tree


def measure(file, text, other):
    """Ratios of seconds, the variant's over the default's, by benchmark."""
    benchmarks = list(slower.short_form(slower.find_benchmarks(), []))
    with tempfile.TemporaryDirectory() as directory:
        directory = Path(directory)
        trees = [ROOT, variant_of(directory, file, text, other)]
        environments = slower.environments_of(trees, directory, jit=False)
        caches = slower.make_caches({benchmark.owner for benchmark in benchmarks}, directory)
        for _ in range(N_MEASUREMENTS):
            slower.measure_all(benchmarks, trees, environments, caches)
    for benchmark in benchmarks:
        if benchmark.failure:
            raise RuntimeError(f"{benchmark}: {benchmark.failure}")
    return {str(benchmark): benchmark.ratio() for benchmark in benchmarks}


def main():
    """Print the table of the constants that are asked for."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("constants", nargs="*", help=f"of {', '.join(CONSTANTS)}; all by default")
    chosen = parser.parse_args().constants or list(CONSTANTS)
    start = time.perf_counter()
    print(f"{'constant':28}{'default':>28}{'mean':>7}  least, largest")
    for name in chosen:
        file, text, others = CONSTANTS[name]
        for other in others:
            ratios = measure(file, text, other)
            low, high = min(ratios, key=ratios.get), max(ratios, key=ratios.get)
            mean = statistics.geometric_mean(ratios.values())
            print(
                f"{other:28}{text:>28}{mean:7.3f}  "
                f"{ratios[low]:.2f} {low};  {ratios[high]:.2f} {high}",
                flush=True,
            )
            print(f"{time.perf_counter() - start:6.0f} s  {other}", file=sys.stderr, flush=True)


if __name__ == "__main__":
    main()
