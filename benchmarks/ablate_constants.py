"""What is each constant of kernels, threads and passes worth? Fits are run with other values of it.

    python benchmarks/ablate_constants.py                # all constants, some minutes each
    python benchmarks/ablate_constants.py PATIENCE_NS    # this

A copy of the package is made for each value, in which the text of the constant is another, and an
extension is built of it. Its fits take turns with those of the package as it is, as in `slower.py`,
in two measurements with processes of their own. A line gives the time with a value over that with
the default: the geometric mean over the benchmarks, the least and the largest, and which these are.
A constant that no line shows to matter should go.
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

FITS = ("AgainstScikitLearn",)
SPARSE = "CSR", "SparseSteps"
FEW = "bisecting", "k=3, n_init=10", "blobs 500,000 x 2"
KMEANS = ("bench_kmeans.", "bench_bisecting_kmeans.")
MIXTURES = ("_mixture.AgainstScikitLearn",)

CONSTANTS = {  # file, text, what stands in its place, and parts of the benchmarks' names
    "PATIENCE_NS": (
        "_native/runtime.c", "PATIENCE_NS = 300000",
        ["PATIENCE_NS = 0", "PATIENCE_NS = 30000", "PATIENCE_NS = 3000000"], FITS,
    ),
    "MOST_RANGES": ("_native/runtime.c", "MOST_RANGES = 64", ["MOST_RANGES = 1"], FITS),
    "PATIENCE": (
        "_kernels/simd/team.py", "PATIENCE = 2000", ["PATIENCE = 20", "PATIENCE = 20000"], FITS,
    ),
    "backwards": (
        "_kernels/simd/team.py", "n_chunks - 1 - place if step % 2 else place", ["place"], FITS,
    ),
    "tuned": (
        "_native/build.py", "_emit(level, tuned, objects / level",
        ["_emit(level, False, objects / level"], FITS,
    ),
    "FEW_CLUSTERS": (
        "_kernels/kmeans/m_step.py", "FEW_CLUSTERS = 4", ["FEW_CLUSTERS = 0", "FEW_CLUSTERS = 16"],
        FEW,
    ),
    "LABEL_WORK": (
        "_algorithms/rows/panels.py", "LABEL_WORK = 96",
        ["LABEL_WORK = 0", "LABEL_WORK = 384"], FEW,
    ),
    "READING": ("_algorithms/kmeans/launch.py", "READING = 32", ["READING = 0"], FEW),
    "PREFETCH": (
        "_kernels/kmeans/minibatch_csr.py", "PREFETCH_ROWS, PREFETCH_VALUES = 4, 64",
        ["PREFETCH_ROWS, PREFETCH_VALUES = 4, 0", "PREFETCH_ROWS, PREFETCH_VALUES = 1, 64",
         "PREFETCH_ROWS, PREFETCH_VALUES = 16, 64", "PREFETCH_ROWS, PREFETCH_VALUES = 4, 256"],
        ("SparseSteps",),
    ),
    "ADD_WORK": (
        "_algorithms/rows/csr_batches.py", "ADD_WORK = 100", ["ADD_WORK = 1", "ADD_WORK = 10_000"],
        SPARSE,
    ),
    "CANDIDATE_WORK": (
        "_algorithms/rows/csr.py", "CANDIDATE_WORK = 150",
        ["CANDIDATE_WORK = 1", "CANDIDATE_WORK = 10_000"], SPARSE,
    ),
    "ELEMENT_WORK": (
        "_algorithms/rows/csr.py", "ELEMENT_WORK = 4", ["ELEMENT_WORK = 1", "ELEMENT_WORK = 16"],
        SPARSE,
    ),
    "TAKE_WORK": (
        "_algorithms/rows/csr.py", "TAKE_WORK = 16", ["TAKE_WORK = 1", "TAKE_WORK = 200"], SPARSE,
    ),
    "GROUP_CLUSTERS": (
        "_algorithms/rows/missing.py", "GROUP_CLUSTERS = 32",
        ["GROUP_CLUSTERS = 1", "GROUP_CLUSTERS = 10_000"], ("bench_missing_kmeans.",),
    ),
    "CLUSTER_CHUNKS": (
        "_algorithms/rows/csr.py", "CLUSTER_CHUNKS = 16",
        ["CLUSTER_CHUNKS = 2", "CLUSTER_CHUNKS = 64"], SPARSE,
    ),
    "PACK_WORK": (
        "_algorithms/rows/dense.py", "PACK_WORK = 8", ["PACK_WORK = 1", "PACK_WORK = 64"], FITS,
    ),
    "SORT_WORK": (
        "_algorithms/rows/order.py", "SORT_WORK, SORT_CHUNKS = 100, 16",
        ["SORT_WORK, SORT_CHUNKS = 1, 16", "SORT_WORK, SORT_CHUNKS = 10_000, 16",
         "SORT_WORK, SORT_CHUNKS = 100, 64"],
        KMEANS,
    ),
    "SEGMENT_PANELS": (
        "_algorithms/rows/order.py", "SEGMENT_PANELS, SEGMENT_PANELS_PER_LABEL = 512, 128",
        ["SEGMENT_PANELS, SEGMENT_PANELS_PER_LABEL = 64, 16",
         "SEGMENT_PANELS, SEGMENT_PANELS_PER_LABEL = 4096, 1024"],
        KMEANS,
    ),
    "N_BINS": ("_algorithms/rows/order.py", "N_BINS = 32", ["N_BINS = 1", "N_BINS = 128"], KMEANS),
    "PAIR_WORK": (
        "_algorithms/arrays.py", "PAIR_WORK = 8", ["PAIR_WORK = 1", "PAIR_WORK = 64"], KMEANS,
    ),
    "MIN_SEPARATOR_FEATURES": (
        "_algorithms/mixture/covariance.py", "MIN_SEPARATOR_FEATURES = 8",
        ["MIN_SEPARATOR_FEATURES = 2", "MIN_SEPARATOR_FEATURES = 1000"], MIXTURES,
    ),
    "MIN_PARALLEL_WORK": (
        "_algorithms/mixture/passes.py", "MIN_PARALLEL_WORK = 2**23",
        ["MIN_PARALLEL_WORK = 2**20", "MIN_PARALLEL_WORK = 2**26"], MIXTURES,
    ),
    "REGROUP_ROW_WORK": (
        "_algorithms/mixture/passes.py", "REGROUP_ROW_WORK, REGROUP_VALUE_WORK = 150, 8",
        ["REGROUP_ROW_WORK, REGROUP_VALUE_WORK = 15, 1",
         "REGROUP_ROW_WORK, REGROUP_VALUE_WORK = 1500, 80"],
        MIXTURES,
    ),
    "PASSES_AHEAD": (
        "_algorithms/mixture/passes.py", "PASSES_AHEAD = 4",
        ["PASSES_AHEAD = 0", "PASSES_AHEAD = 40"], MIXTURES,
    ),
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


def measure(file, text, other, names):
    """Ratios of seconds, the variant's over the default's, by benchmark."""
    benchmarks = [
        benchmark
        for benchmark in slower.find_benchmarks()
        if any(name in str(benchmark) for name in names)
    ]
    with tempfile.TemporaryDirectory() as directory:
        directory = Path(directory)
        trees = [ROOT, variant_of(directory, file, text, other)]
        environments = slower.environments_of(trees, directory, jit=False)
        if environments[0]["FASTCLUST_JIT"] == "1":
            raise RuntimeError(f"{other}: no extension could be built")
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
    print(f"{'constant':40} {'mean':>6}  least, largest")
    for name in chosen:
        file, text, others, names = CONSTANTS[name]
        for other in others:
            ratios = measure(file, text, other, names)
            low, high = min(ratios, key=ratios.get), max(ratios, key=ratios.get)
            mean = statistics.geometric_mean(ratios.values())
            print(
                f"{other:40} {mean:6.3f}  {ratios[low]:.2f} {low};  {ratios[high]:.2f} {high}",
                flush=True,
            )
            print(f"{time.perf_counter() - start:6.0f} s  {other}", file=sys.stderr, flush=True)


if __name__ == "__main__":
    main()
