"""Fit files larger than the memory limit: peak memory, and what a pass takes beside its parts.

    python benchmarks/large_files.py FOLDER    # 48,000,000 rows: 13 GB there, about 10 minutes
    python benchmarks/large_files.py FOLDER --rows 4000000

Writes float32 rows of 32 features as a .npy file and as a folder of Parquet files, unless they are
there. KMeans and a diagonal mixture of 32 clusters are fitted to each within 512 MB, every fit in a
process of its own:

    peak MiB    the most memory of a fit beside what the process has before it
    wall, CPU   seconds of a pass: of a fit with more iterations less those of one with fewer
    read        CPU seconds of a pass that reads the file, and decodes it
    pack        CPU seconds of packing as many rows, measured on those of a part of them in memory
    kernels     CPU seconds of an iteration on as many rows, in the same way
    ratio       CPU of a pass divided by that of its three parts
    cores       CPU of a pass divided by its wall time
"""

import argparse
import json
import subprocess
import sys
import time
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))  # the checkout, installed or not

from benchmarks.timing import cpu_name, peak_growth

N_FEATURES, K = 32, 32
FILE_ROWS = 1_000_000
"""Rows of a Parquet file."""

PART_ROWS = 1_000_000
"""Rows on which packing and kernels are measured alone."""

LIMIT = "512 MB"
FEW, MANY = 2, 5
"""Iterations of the two fits that a pass is the difference of."""


def make_rows(part):
    """The rows of one Parquet file: blobs that overlap, so that no iteration is the last."""
    centers = np.random.default_rng(0).standard_normal((K, N_FEATURES), dtype=np.float32)
    rng = np.random.default_rng([1, part])
    X = rng.standard_normal((FILE_ROWS, N_FEATURES), dtype=np.float32)
    X += centers[rng.integers(K, size=FILE_ROWS)]
    return X


def write_files(folder, n):
    """Write the rows, unless they are there; return the path of the file and of the folder."""
    import pyarrow as pa
    import pyarrow.parquet

    npy, parquet = folder / f"rows_{n}.npy", folder / f"rows_{n}"
    if npy.exists() and parquet.exists():
        return npy, parquet
    parquet.mkdir(parents=True, exist_ok=True)
    map_ = np.lib.format.open_memmap(npy, "w+", np.float32, (n, N_FEATURES))
    for part in range(n // FILE_ROWS):
        X = make_rows(part)
        map_[part * FILE_ROWS : (part + 1) * FILE_ROWS] = X
        table = pa.table({f"f{f}": X[:, f] for f in range(N_FEATURES)})
        path = parquet / f"part_{part:04}.parquet"
        pyarrow.parquet.write_table(table, path, row_group_size=100_000)
    map_.flush()
    return npy, parquet


def clock():
    """Seconds, and seconds of CPU of all threads."""
    return np.array([time.perf_counter(), time.process_time()])


def make_model(kind, max_iter):
    """A fit from given centers or components, that ends after so many iterations."""
    import fastclust

    start = make_rows(0)[:K]
    if kind == "kmeans":
        return fastclust.KMeans(K, init=start, n_init=1, tol=0, max_iter=max_iter)
    return fastclust.GaussianMixture(
        K, covariance_type="diag", tol=0, max_iter=max_iter, weights_init=np.full(K, 1 / K),
        means_init=start, precisions_init=np.ones((K, N_FEATURES)),
    )  # fmt: skip


def measure_fit(kind, path):
    """Peak memory of a fit in MiB, wall and CPU seconds of a pass."""
    import warnings

    import pyarrow.dataset  # noqa: F401  what the rows need is imported before

    import fastclust

    warnings.simplefilter("ignore")  # that the iterations have not converged
    for max_iter in (FEW, MANY):
        make_model(kind, max_iter).fit(make_rows(0)[:10_000])
    rows, times = fastclust.open_rows(path), {}
    with fastclust.limit_memory(LIMIT):
        for max_iter in (FEW, MANY):
            model, start = make_model(kind, max_iter), clock()
            peak = peak_growth(lambda model=model: model.fit(rows))
            times[max_iter] = clock() - start
            assert model.n_iter_ == max_iter
    wall, cpu = (times[MANY] - times[FEW]) / (MANY - FEW)
    return {"peak": peak, "wall": wall, "cpu": cpu}


def measure_reading(_, path):
    """CPU seconds of reading and decoding all rows."""
    import fastclust

    start = clock()
    n = sum(len(rows) for rows in fastclust.open_rows(path))
    return {"read": (clock() - start)[1], "rows": n}


def measure_computing(kind, _):
    """CPU seconds of packing, and of an iteration, of PART_ROWS rows in memory."""
    from benchmarks import internals

    X = make_rows(0)[:PART_ROWS]
    mean = internals.estimate_mean(X)
    panels, start = internals.pack(X, mean), X[:K] - mean

    def pack():
        internals.pack_again(panels)

    if kind == "kmeans":
        run = internals.start_lloyd(panels, start, skip=False)

        def iterate():
            internals.iterate(run, 0, 1)
    else:
        mixture = internals.MixtureIteration(X, start, "diag")
        mixture.warm_up()
        iterate = mixture.run
    result = {}
    for name, step in (("pack", pack), ("kernels", iterate)):
        step()
        cpu = []
        for _ in range(7):
            start = clock()
            step()
            cpu.append((clock() - start)[1])
        result[name] = float(np.median(cpu))
    return result


MEASURES = {"fit": measure_fit, "reading": measure_reading, "computing": measure_computing}


def run_apart(what, kind, path):
    """Measure in a process of its own."""
    command = [sys.executable, __file__, "--measure", what, kind, str(path)]
    return json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)


def main():
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("folder", nargs="?", type=Path)
    parser.add_argument("--rows", type=int, default=48_000_000, help="a multiple of 1,000,000")
    parser.add_argument("--measure", nargs=3, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.measure:
        what, kind, path = arguments.measure
        print(json.dumps(MEASURES[what](kind, path)))
        return
    paths = write_files(arguments.folder, arguments.rows)
    print(cpu_name(), f"{arguments.rows:,} x {N_FEATURES}, k={K}, f4, limit {LIMIT}")
    print("fit      rows     peak MiB   wall     CPU    read    pack kernels   ratio   cores")
    for path in paths:
        reading = run_apart("reading", "", path)
        assert reading["rows"] == arguments.rows
        for kind in ("kmeans", "diag"):
            fit, part = run_apart("fit", kind, path), run_apart("computing", kind, path)
            scale = arguments.rows / PART_ROWS
            pack, kernels = scale * part["pack"], scale * part["kernels"]
            parts = reading["read"] + pack + kernels
            print(
                f"{kind:8} {path.suffix or 'Parquet':8} {fit['peak']:8.0f} "
                f"{fit['wall']:7.2f} {fit['cpu']:7.2f} {reading['read']:7.2f} {pack:7.2f} "
                f"{kernels:7.2f} {fit['cpu'] / parts:7.2f} {fit['cpu'] / fit['wall']:7.2f}"
            )


if __name__ == "__main__":
    main()
