"""Measure what a pass costs on a cluster of this machine, and what follows for many workers.

    python benchmarks/scaling.py              # some minutes, on an idle machine
    python benchmarks/scaling.py --write      # the same, into docs/scaling.md
    python benchmarks/scaling.py --bytes      # only the bytes, which do not depend on load

The first table is of k-means on float32 rows in a LocalCluster of two processes with a thread each:
milliseconds of an iteration, of a plain one (without bounds) on the same rows in memory on as many
threads, and what is added. Where dask-ml is installed, its iterations
from the same centers follow. The second table has the bytes that workers send in an iteration, to
each other and to the client, by their own record (`transfer_outgoing_log`). Blocks of rows are left
out, which Dask may move once in a fit. The third is the model of docs/scaling.md with these
numbers.
"""

import argparse
import pickle
import re
import statistics
import sys
import time
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))  # the checkout, installed or not

import fastclust
from benchmarks import internals
from benchmarks.timing import cpu_name

ROWS, N_FEATURES, K = (250_000, 1_000_000, 4_000_000), 16, 64
N_BLOCKS = 16
N_THREADS = 2
"""Processes of the cluster, with a thread each, and threads of the iterations in memory."""

N_STEPS, N_ROUNDS = 10, 3
ROW_BYTES = 4 * N_FEATURES
TARGET_ROWS, TARGET_WORKERS = 1_000_000_000, (1, 8, 64)
BLOCK_ROWS = 1_000_000
"""Rows of a block in the model: 64 MB."""

LINK_BYTES = 1.25e9
"""Bytes a second between workers in the model: 10 Gbit/s."""

PAGE = Path(__file__).resolve().parents[1] / "docs" / "scaling.md"


def make_rows(n):
    """Blobs that overlap, so that no iteration is the last."""
    rng = np.random.default_rng(0)
    centers = rng.standard_normal((K, N_FEATURES))
    X = rng.standard_normal((n, N_FEATURES), dtype=np.float32)
    X += centers[rng.integers(K, size=n)].astype(np.float32)
    return X


def seconds(call):
    """Seconds of a call."""
    start = time.perf_counter()
    call()
    return time.perf_counter() - start


def iteration_of(fit):
    """Median seconds of an iteration: of fits with more iterations less those with few."""
    few, many = 2, 2 + N_STEPS
    fit(few)
    rounds = [(seconds(lambda: fit(many)), seconds(lambda: fit(few))) for _ in range(N_ROUNDS)]
    return statistics.median(long - short for long, short in rounds) / N_STEPS


def plain_iteration(X):
    """Median seconds of an iteration without bounds on rows in memory."""
    mean = internals.estimate_mean(X)
    run = internals.start_lloyd(internals.pack(X, mean), X[:K] - mean, skip=False)
    with fastclust.limit_threads(N_THREADS):
        internals.iterate(run, 0, 1)
        times = [seconds(lambda: internals.iterate(run, 0, 1)) for _ in range(N_ROUNDS * N_STEPS)]
    return statistics.median(times)


def make_fit(client, X):
    """Rows on the cluster, and a function that fits so many iterations to them."""
    import dask.array as da

    from fastclust.dask import KMeans

    rows = client.persist(da.from_array(X, chunks=(len(X) // N_BLOCKS, N_FEATURES)))

    def fit(max_iter):
        return KMeans(K, init=X[:K], n_init=1, tol=0, max_iter=max_iter).fit(rows)

    return rows, fit


def measure_bytes(client, n):
    """A row of the second table: median bytes that workers send in an iteration."""
    _, fit = make_fit(client, make_rows(n))
    block_bytes = n // N_BLOCKS * ROW_BYTES

    def sent(max_iter):
        start = time.time()
        fit(max_iter)
        return sum(client.run(count_sent, since=start, less_than=block_bytes).values())

    rounds = [(sent(2 + N_STEPS), sent(2)) for _ in range(N_ROUNDS)]
    return {"rows": n, "bytes": statistics.median(long - short for long, short in rounds) / N_STEPS}


def count_sent(dask_worker, since, less_than):
    """Bytes that a worker has sent, but for what is as large as a block of rows."""
    sizes = (
        size
        for transfer in dask_worker.transfer_outgoing_log
        for size in transfer["keys"].values()
        if transfer["start"] > since
    )
    return sum(size for size in sizes if size < less_than)


def measure(client, n):
    """A row of the first table."""
    X = make_rows(n)
    rows, fit = make_fit(client, X)
    init = X[:K]
    on_dask = iteration_of(fit)
    peer = None
    try:
        from dask_ml.cluster import KMeans as Peer
    except ImportError:
        pass
    else:
        peer = iteration_of(lambda max_iter: Peer(K, init=init, tol=0, max_iter=max_iter).fit(rows))
    return {"rows": n, "dask": on_dask, "memory": plain_iteration(X), "peer": peer}


def expected_bytes():
    """Bytes of what one block returns, and of the parameters."""
    statistics_bytes = 8 * K * (N_FEATURES + 2)
    parameters_bytes = len(pickle.dumps(np.zeros((K, N_FEATURES), dtype=np.float32)))
    return statistics_bytes, parameters_bytes


def describe(measured):
    """The first table."""
    lines = [
        "| rows | iteration on Dask, ms | plain, in memory, ms | added, ms | ratio | dask-ml, ms |",
        "| ---: | ---: | ---: | ---: | ---: | ---: |",
    ]
    for row in measured:
        on_dask, memory = 1000 * row["dask"], 1000 * row["memory"]
        peer = "" if row["peer"] is None else f"{1000 * row['peer']:.1f}"
        lines.append(
            f"| {row['rows']:,} | {on_dask:.1f} | {memory:.1f} | {on_dask - memory:.1f} "
            f"| {on_dask / memory:.2f} | {peer} |"
        )
    return "\n".join(lines)


def describe_bytes(measured):
    """The second table."""
    of_block, parameters = expected_bytes()
    most = N_BLOCKS * of_block + N_THREADS * parameters
    lines = [
        "| rows | sent in an iteration, kB | all of it, by the model, kB |",
        "| ---: | ---: | ---: |",
    ]
    lines += [
        f"| {row['rows']:,} | {row['bytes'] / 1e3:.1f} | {most / 1e3:.1f} |" for row in measured
    ]
    return "\n".join(lines)


def count_tasks(n_blocks):
    """Tasks of a pass: one a block, and those of the tree that adds what these return."""
    total = n_blocks
    while n_blocks > 1:
        n_blocks = -(-n_blocks // internals.fan_in())
        total += n_blocks
    return total


def predict(measured):
    """The third table: the model for many rows."""
    largest = measured[-1]
    row_seconds = N_THREADS * largest["memory"] / largest["rows"]  # of one thread
    added = statistics.median(max(0.0, row["dask"] - row["memory"]) for row in measured)
    task_seconds = added / count_tasks(N_BLOCKS)
    of_block, parameters = expected_bytes()
    n_blocks = TARGET_ROWS // BLOCK_ROWS
    lines = [
        "| workers, of 16 threads | kernels, s | tasks, s | bytes, MB | bytes, s | iteration, s |",
        "| ---: | ---: | ---: | ---: | ---: | ---: |",
    ]
    for n_workers in TARGET_WORKERS:
        kernels = TARGET_ROWS * row_seconds / (16 * n_workers)
        tasks = task_seconds * count_tasks(n_blocks)
        sent = n_blocks * of_block + n_workers * parameters
        link = sent / LINK_BYTES / n_workers
        total = max(kernels, tasks) + link
        lines.append(
            f"| {n_workers} | {kernels:.2f} | {tasks:.2f} | {sent / 1e6:.1f} | {link:.3f} "
            f"| {total:.2f} |"
        )
    return "\n".join(lines)


def main():
    """Print the tables, or write them into the page."""
    from distributed import Client, LocalCluster

    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--write", action="store_true", help="into docs/scaling.md")
    parser.add_argument("--bytes", action="store_true", help="only the bytes that are sent")
    options = parser.parse_args()
    tables = {}
    cluster = LocalCluster(n_workers=N_THREADS, threads_per_worker=1, dashboard_address=":0")
    with cluster, Client(cluster) as client:
        tables["bytes"] = describe_bytes([measure_bytes(client, n) for n in ROWS])
        if not options.bytes:
            measured = [measure(client, n) for n in ROWS]
            tables["measured"] = f"{cpu_name()}.\n\n{describe(measured)}"
            tables["model"] = predict(measured)
    for name, section in tables.items():
        print(section)
        if options.write:
            marks = f"<!-- scaling {name}: begin -->\n", f"\n<!-- scaling {name}: end -->"
            pattern = re.escape(marks[0]) + ".*?" + re.escape(marks[1])
            text = PAGE.read_text()
            new = re.sub(pattern, lambda _, s=section, m=marks: s.join(m), text, flags=re.DOTALL)
            PAGE.write_text(new)


if __name__ == "__main__":
    main()
