"""Print fastclust beside other packages on the same work, as Markdown.

    python benchmarks/compare.py             # about five minutes, on an idle machine

Iterations: each package runs the same number of iterations of Lloyd's algorithm from the same
centers, on all threads, without subsampling. To the end: the same, until it converges by
scikit-learn's default tol. Seeding: greedy k-means++ alone, with the same random_state. The
packages run in turns and the shortest time of each counts; the objective is inertia over
scikit-learn's. A package that is not installed is left out.
"""

import importlib.util
import platform
import sys
import time
import warnings
from importlib.metadata import version
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))  # the checkout, installed or not

from benchmarks.roofline import blobs

ITERATIONS = [  # rows, features, clusters, dtype, iterations
    (1_000_000, 2, 8, "f8", 20),
    (300_000, 3, 64, "f8", 30),
    (2_000_000, 8, 16, "f4", 20),
    (1_000_000, 16, 64, "f4", 20),
    (200_000, 64, 256, "f4", 20),
    (100_000, 128, 500, "f4", 10),
    (60_000, 784, 10, "f4", 10),
]
TO_THE_END = [(1_000_000, 8, 256, "f4")]
SEEDING = [(1_000_000, 16, 64, "f4"), (100_000, 128, 1000, "f4")]


def scikit_learn(X, centers, **options):
    """Inertia and iterations of scikit-learn's KMeans."""
    from sklearn.cluster import KMeans

    model = KMeans(len(centers), init=centers, n_init=1, **options).fit(X)
    return model.inertia_, model.n_iter_


def fastclust(X, centers, **options):
    """The same of fastclust's."""
    from fastclust import KMeans

    model = KMeans(len(centers), init=centers, n_init=1, **options).fit(X)
    return model.inertia_, model.n_iter_


def intelex(X, centers, **options):
    """The same of Intel's extension of scikit-learn."""
    from sklearnex.cluster import KMeans

    model = KMeans(len(centers), init=centers, n_init=1, **options).fit(X)
    return model.inertia_, model.n_iter_


def faiss(X, centers, max_iter, tol):
    """The same of faiss, which works in float32 and always does all its iterations."""
    import faiss

    k, n_features = centers.shape
    model = faiss.Kmeans(
        n_features, k, niter=max_iter, max_points_per_centroid=len(X), min_points_per_centroid=1
    )
    X, centers = X.astype(np.float32, copy=False), centers.astype(np.float32, copy=False)
    model.train(X, init_centroids=centers)
    distances_sq, _ = model.index.search(X, 1)
    return float(distances_sq.sum()), max_iter


PACKAGES = {"scikit-learn": (scikit_learn, "sklearn"), "fastclust": (fastclust, "fastclust")}
PEERS = {"scikit-learn-intelex": (intelex, "sklearnex"), "faiss": (faiss, "faiss")}


def installed(packages):
    """Those of the packages that can be imported."""
    return {
        name: function
        for name, (function, module) in packages.items()
        if importlib.util.find_spec(module)
    }


def in_turns(functions, repeats):
    """Shortest seconds and the last result of each function, called in turns after a warm-up."""
    seconds = dict.fromkeys(functions, np.inf)
    results = {}
    functions["fastclust"]()  # which compiles
    for _ in range(repeats):
        for name, function in functions.items():
            start = time.perf_counter()
            results[name] = function()
            seconds[name] = min(seconds[name], time.perf_counter() - start)
    return seconds, results


def print_table(title, rows):
    """Print a Markdown table; each row is a dict with the same keys."""
    print(f"\n{title}\n")
    print("| " + " | ".join(rows[0]) + " |")
    print("| " + " | ".join("---" for _ in rows[0]) + " |")
    for row in rows:
        print("| " + " | ".join(row.values()) + " |", flush=True)


def compare_fits(packages, workloads, repeats, **options):
    """Rows of a table of fits from the same centers."""
    rows = []
    for n_samples, n_features, n_clusters, dtype, *n_iter in workloads:
        X = blobs(n_samples, n_features, n_clusters, dtype)
        centers = X[np.random.default_rng(1).choice(n_samples, n_clusters, replace=False)]
        if n_iter:
            options = {"max_iter": n_iter[0], "tol": 0.0}
        functions = {
            name: lambda f=function, X=X, c=centers, o=options: f(X, c, **o)
            for name, function in packages.items()
        }
        seconds, results = in_turns(functions, repeats)
        row = {"workload": f"{n_samples:,} x {n_features}, k={n_clusters}, {dtype}"}
        inertia = results["scikit-learn"][0]
        for name in packages:
            row[name] = f"{seconds[name]:.3f} s"
            if name != "scikit-learn":
                row[name] += f", {results[name][0] / inertia - 1:+.0e}"
        row["iterations"] = " / ".join(str(results[name][1]) for name in packages)
        fastest_peer = min(seconds[name] for name in packages if name != "fastclust")
        row["times as fast as the next"] = f"{fastest_peer / seconds['fastclust']:.1f}"
        rows.append(row)
    return rows


def compare_seeding():
    """Rows of a table of seeding alone."""
    import sklearn.cluster

    import fastclust

    rows = []
    for n_samples, n_features, n_clusters, dtype in SEEDING:
        X = blobs(n_samples, n_features, n_clusters, dtype)
        functions = {
            name: lambda p=package, X=X, k=n_clusters: p.kmeans_plusplus(X, k, random_state=0)[1]
            for name, package in (("scikit-learn", sklearn.cluster), ("fastclust", fastclust))
        }
        seconds, _ = in_turns(functions, repeats=1)
        ratio = seconds["scikit-learn"] / seconds["fastclust"]
        row = {"workload": f"{n_samples:,} x {n_features}, k={n_clusters}, {dtype}"}
        row |= {name: f"{s:.3f} s" for name, s in seconds.items()} | {"speed-up": f"{ratio:.1f}"}
        rows.append(row)
    return rows


def main():
    """Print the tables."""
    warnings.filterwarnings("ignore")
    peers = installed(PACKAGES | PEERS)
    for name in (PACKAGES | PEERS).keys() - peers.keys():
        print(f"{name} is not installed and left out.")
    names = [*(name for name in peers if name not in ("fastclust", "faiss")), "numba"]
    names += ["faiss-cpu"] if "faiss" in peers else []
    print(f"{platform.machine()}, " + ", ".join(f"{name} {version(name)}" for name in names))
    print_table(
        "Iterations (seconds, inertia against scikit-learn's)", compare_fits(peers, ITERATIONS, 3)
    )
    print_table(
        "To the end", compare_fits(installed(PACKAGES), TO_THE_END, 1, max_iter=300, tol=1e-4)
    )
    print_table("Seeding", compare_seeding())
    return 0


if __name__ == "__main__":
    sys.exit(main())
