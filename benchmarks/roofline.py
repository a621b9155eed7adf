"""Print how near the kernels are to the machine's limits, and how much the bounds skip.

    python benchmarks/roofline.py            # about two minutes, on an idle machine

First the machine: the rate of a large matrix product (its multiply-add peak, by BLAS on all cores)
and the bandwidth of reading memory. Then, for each workload:

    plain     milliseconds of one plain iteration of Lloyd's algorithm: every row, every center
    limit     max(2 n k d / peak, bytes of the rows / bandwidth) in milliseconds
    of it     limit / plain
    reachable the same with 3 vector operations more for each row and center, which the search of
              the minimum takes: max(2 n k (d + 3) / peak, bytes / bandwidth) / plain
    labelled  share of the rows that iterations labelled, to the end of the run; the others kept
              their label by the bounds
    computed  share of the distances between rows and centers that they computed
    seeding   milliseconds of greedy k-means++ for all seeds
    passes    k times the bytes of the rows / bandwidth, over the time of seeding

And for Gaussian mixtures with full covariances, on rows where no component can be left out:

    pass      milliseconds of one iteration, E and M step
    GFLOP/s   2 n k d^2 / pass: half for the triangular product with the factors, half for one
              triangle of the second moments
    of it     the same over the matrix product's rate
"""

import os
import platform
import sys
import time
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))  # the checkout, installed or not

from benchmarks import bench_gaussian_mixture, internals
from benchmarks.timing import best_seconds

WORKLOADS = [  # rows, features, clusters, dtype
    (1_000_000, 2, 8, "f8"),
    (300_000, 3, 64, "f8"),
    (4_000_000, 8, 16, "f4"),
    (1_000_000, 16, 64, "f4"),
    (200_000, 64, 256, "f4"),
    (100_000, 128, 1000, "f4"),
    (60_000, 784, 10, "f4"),
]
MIXTURES = [  # rows, features, components, dtype
    (100_000, 64, 16, "f8"),
    (20_000, 128, 32, "f8"),
]


def multiply_add_peak(dtype):
    """Operations a second of a matrix product, a multiply-add counting as two."""
    a = np.ones((2048, 2048), dtype=dtype)
    return 2 * 2048**3 / best_seconds(np.matmul, a, a)


def read_bandwidth():
    """Bytes a second of a pass that reads memory and adds, on all threads."""
    X = np.ones((4_000_000, 8))
    internals.estimate_mean(X)
    return X.nbytes / best_seconds(internals.estimate_mean, X)


def blobs(n_samples, n_features, n_clusters, dtype):
    """Gaussian clusters."""
    rng = np.random.default_rng(5)
    centers = rng.normal(size=(n_clusters, n_features)).astype("f4")
    X = 0.7 * rng.standard_normal((n_samples, n_features), dtype="f4")
    return (X + centers[rng.integers(n_clusters, size=n_samples)]).astype(dtype)


def measure(n_samples, n_features, n_clusters, dtype):
    """Seconds of a plain iteration, shares labelled and computed, seconds of seeding."""
    X = blobs(n_samples, n_features, n_clusters, dtype)
    rows = internals.pack(X, internals.estimate_mean(X))
    seconds = []
    for _ in range(2):  # the first compiles
        start = time.perf_counter()
        centers = internals.seeds(rows, n_clusters)
        seconds.append(time.perf_counter() - start)
    state = internals.start_lloyd(rows, centers, skip=False)
    for iteration in range(10):
        internals.iterate(state, iteration, 1)
    plain = best_seconds(internals.iterate, state, 10, 1)
    state = internals.start_lloyd(rows, centers)
    tol = 1e-4 * internals.total_square(rows) / X.size
    n_iter, converged = 0, False
    while n_iter < 300 and not converged:
        n_more, converged = internals.iterate(state, n_iter, 300 - n_iter, tol)
        n_iter += n_more
    return plain, *internals.shares(state), seconds[1]


def measure_mixture(*workload):
    """Seconds of one iteration."""
    *shape, dtype = workload
    rows = bench_gaussian_mixture.make_rows(*shape, "overlapping", dtype)
    iteration = internals.MixtureIteration(*rows, "full")
    iteration.warm_up()
    return best_seconds(iteration.run)


def main():
    """Print the report."""
    import numba

    max_weights = {dtype: multiply_add_peak(dtype) for dtype in ("f4", "f8")}
    bandwidth = read_bandwidth()
    print(
        f"{platform.machine()}, {os.cpu_count()} cores, numba {numba.__version__}: matrix product "
        f"{max_weights['f4'] / 1e9:.0f} GFLOP/s f4, {max_weights['f8'] / 1e9:.0f} f8; "
        f"reading {bandwidth / 1e9:.0f} GB/s\n"
    )
    header = ["plain", "limit", "of it", "reachable", "labelled", "computed", "seeding", "passes"]
    print(f"{'rows x features, clusters':28}" + "".join(f"{name:>11}" for name in header))
    for workload in WORKLOADS:
        n_samples, n_features, n_clusters, dtype = workload
        plain, labelled, computed, seeding = measure(*workload)
        n_bytes = n_samples * n_features * np.dtype(dtype).itemsize
        pairs = 2 * n_samples * n_clusters
        limit = max(pairs * n_features / max_weights[dtype], n_bytes / bandwidth)
        reachable = max(pairs * (n_features + 3) / max_weights[dtype], n_bytes / bandwidth)
        passes = n_clusters * n_bytes / bandwidth / seeding
        name = f"{n_samples:,} x {n_features}, {n_clusters} {dtype}"
        print(
            f"{name:28}{1e3 * plain:11.2f}{1e3 * limit:11.2f}{limit / plain:11.0%}"
            f"{reachable / plain:11.0%}{labelled:11.1%}{computed:11.1%}{1e3 * seeding:11.1f}"
            f"{passes:11.0%}",
            flush=True,
        )
    header = ["pass", "GFLOP/s", "of it"]
    print(f"\n{'rows x features, components':28}" + "".join(f"{name:>11}" for name in header))
    for workload in MIXTURES:
        n_samples, n_features, n_components, dtype = workload
        seconds = measure_mixture(*workload)
        rate = 2 * n_samples * n_components * n_features**2 / seconds
        name = f"{n_samples:,} x {n_features}, {n_components} {dtype}"
        print(f"{name:28}{1e3 * seconds:11.2f}{rate / 1e9:11.1f}{rate / max_weights[dtype]:11.0%}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
