"""Print what a pass over rows in blocks takes beside reading, packing and computing alone.

    python benchmarks/blocks.py              # about a minute, on an idle machine

Each row is a step of a pass, with the steps before it. For each there are milliseconds, and
milliseconds of CPU, of all threads; medians over rounds in which the steps take turns.

    read        the file, piece by piece
    cut         the same, cut into blocks and checked, by the thread that reads ahead
    pack        the same, packed
    take        the same, and a 16th of the rows taken by number, as those of mini-batches
    iteration   an iteration of Lloyd's algorithm on blocks from the file
    kept        an iteration on blocks that are all kept in memory
    in memory   a plain iteration on the rows in memory
"""

import sys
import tempfile
import time
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))  # the checkout, installed or not

from benchmarks import internals
from benchmarks.timing import cpu_name

WORKLOADS = [  # rows, features, clusters, dtype
    (2_000_000, 8, 16, "f4"),
    (1_000_000, 16, 64, "f4"),
    (200_000, 64, 64, "f8"),
]
ROUNDS = 7


def write(X, folder, kind):
    """Write rows to a file; return its path."""
    path = Path(folder) / f"rows.{kind}"
    if kind == "npy":
        np.save(path, X)
    else:
        import pyarrow as pa
        import pyarrow.parquet

        table = pa.table({str(f): X[:, f] for f in range(X.shape[1])})
        pyarrow.parquet.write_table(table, path, row_group_size=100_000)
    return path


def steps_of(path, X, n_clusters):
    """Functions of the steps, by name."""
    import fastclust

    file = fastclust.open_rows(path)
    with fastclust.limit_memory("1 kB"):
        blocks = internals.open_blocks(file)
    with fastclust.limit_memory("8 GB"):
        kept = internals.open_blocks(file)
    panels = internals.pack(X, internals.estimate_mean(X))
    centers = X[:n_clusters] - internals.estimate_mean(X)
    numbers = np.random.default_rng(0).integers(len(X), size=len(X) // 16)
    runs = [internals.start_lloyd(rows, centers) for rows in (blocks, kept)]
    runs.append(internals.start_lloyd(panels, centers, skip=False))

    def iterate(run):
        return lambda: internals.iterate(run, 0, 1)

    return {
        "read": lambda: sum(len(rows) for rows in file),
        "cut": lambda: internals.cut_blocks(file),
        "pack": lambda: internals.pack_blocks(blocks),
        "take": lambda: internals.take_rows(blocks, numbers),
        "iteration": iterate(runs[0]),
        "kept": iterate(runs[1]),
        "in memory": iterate(runs[2]),
    }


def measure(steps):
    """Milliseconds and milliseconds of CPU of each step."""
    times = {name: [] for name in steps}
    for round_ in range(ROUNDS + 1):
        for name, step in steps.items():
            start = time.perf_counter(), time.process_time()
            step()
            end = time.perf_counter(), time.process_time()
            if round_:  # the first loads what is needed
                times[name].append(np.subtract(end, start))
    return {name: 1000 * np.median(values, axis=0) for name, values in times.items()}


def main():
    """Print a table for each workload and kind of file."""
    print(cpu_name())
    rng = np.random.default_rng(0)
    for n, d, k, dtype in WORKLOADS:
        X = rng.standard_normal((n, d)).astype(dtype)
        for kind in ("npy", "parquet"):
            with tempfile.TemporaryDirectory() as folder:
                path = write(X, folder, kind)
                times = measure(steps_of(path, X, k))
                size = path.stat().st_size / 1e6
            print(f"\n{n:,} x {d}, k={k}, {dtype}, {kind} of {size:.0f} MB    ms    CPU ms")
            for name, (wall, cpu) in times.items():
                print(f"  {name:10} {wall:9.1f} {cpu:9.1f}")


if __name__ == "__main__":
    main()
