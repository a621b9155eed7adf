"""Compare fastclust with other packages; write the tables, a picture, and what the README quotes.

    python benchmarks/compare.py             # everything, on an idle machine
    python benchmarks/compare.py mixtures    # one section of: kmeans, mini-batches, bisecting,
                                             # mixtures, bayesian, peers, spherical-peers,
                                             # mixture-peers, missing-peers, seeding

Drop-in fits (kmeans, mini-batches, bisecting, mixtures, bayesian): the rows, parameters and
random_state of each workload go to scikit-learn and fastclust. Beside other packages (peers,
spherical-peers, mixture-peers, missing-peers): each package does the same number of iterations from
the same start, on all threads, without subsampling, in the same dtype (but for faiss, which has
float32 only). Rows for k-means by cosine are divided by their lengths before, as faiss wants them;
fastclust divides again, as it does with all rows. Of rows with missing values see
`missing_peers.py`. Seeding: greedy k-means++ alone. All take turns,
after a warm-up so that nothing compiles while it is timed; seconds are medians, and "inf" is a
package that fails. Peak memory is what a fit takes beside its rows, in a process of its own. A
package that is not installed is left out, and the table says so. The sections go to
benchmarks/compare.md, and to the README where it quotes them; the picture is
benchmarks/compare.png.
"""

import argparse
import importlib.util
import re
import statistics
import subprocess
import sys
import warnings
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))  # the checkout, installed or not

from benchmarks.missing_peers import MISSING_FITS, MISSING_ROWS, start_of_missing
from benchmarks.roofline import blobs
from benchmarks.timing import in_turns, machine_and_versions, peak_growth
from benchmarks.workloads import BAYESIAN, BISECTING, KMEANS, MINI_BATCHES, MIXTURES, ellipsoids

HERE = Path(__file__).resolve().parent
README, TABLES, PICTURE = HERE.parent / "README.md", HERE / "compare.md", HERE / "compare.png"

PEER_FITS = {  # rows, features, clusters, dtype, iterations
    "1,000,000 x 2, k=8, f8": (1_000_000, 2, 8, "f8", 20),
    "300,000 x 3, k=64, f8": (300_000, 3, 64, "f8", 30),
    "2,000,000 x 8, k=16, f4": (2_000_000, 8, 16, "f4", 20),
    "1,000,000 x 16, k=64, f4": (1_000_000, 16, 64, "f4", 20),
    "200,000 x 64, k=256, f4": (200_000, 64, 256, "f4", 20),
    "100,000 x 128, k=500, f4": (100_000, 128, 500, "f4", 10),
    "60,000 x 784, k=10, f4": (60_000, 784, 10, "f4", 10),
}
SPHERICAL_FITS = {  # rows, features, groups of the rows, clusters, most iterations; all float32
    "1,000,000 x 8, k=16": (1_000_000, 8, 48, 16, 20),
    "1,000,000 x 16, k=64": (1_000_000, 16, 192, 64, 20),
    "200,000 x 64, k=256": (200_000, 64, 768, 256, 20),
    "100,000 x 128, k=500": (100_000, 128, 1500, 500, 10),
    "100,000 x 384, k=100": (100_000, 384, 300, 100, 10),
    "60,000 x 784, k=10": (60_000, 784, 30, 10, 10),
    "200,000 x 64, k=100, separated": (200_000, 64, 100, 100, 10),
}
PEER_MIXTURES = {  # rows, features, components, covariance type, dtype, iterations
    "300,000 x 3, k=8, full, f8": (300_000, 3, 8, "full", "f8", 10),
    "100,000 x 16, k=10, full, f8": (100_000, 16, 10, "full", "f8", 10),
    "30,000 x 64, k=10, full, f4": (30_000, 64, 10, "full", "f4", 10),
    "200,000 x 16, k=10, diag, f4": (200_000, 16, 10, "diag", "f4", 10),
}
SEEDING = {  # rows, features, clusters, dtype
    "1,000,000 x 16, k=64, f4": (1_000_000, 16, 64, "f4"),
    "100,000 x 128, k=500, f4": (100_000, 128, 500, "f4"),
}


# -- the packages: functions of rows and a start, which return the objective and the iterations ---


def _like_scikit_learn(module):
    def fit(X, centers, max_iter):
        KMeans = importlib.import_module(module).KMeans
        model = KMeans(len(centers), init=centers, n_init=1, max_iter=max_iter, tol=0.0).fit(X)
        return model.inertia_, model.n_iter_

    return fit


def _faiss(X, centers, max_iter):
    import faiss

    k, n_features = centers.shape
    model = faiss.Kmeans(
        n_features, k, niter=max_iter, max_points_per_centroid=len(X), min_points_per_centroid=1
    )
    X, centers = X.astype(np.float32, copy=False), centers.astype(np.float32, copy=False)
    model.train(X, init_centroids=centers)
    distances_sq, _ = model.index.search(X, 1)
    return float(distances_sq.sum()), max_iter


def _spherical(X, centers, max_iter):
    from fastclust import SphericalKMeans

    model = SphericalKMeans(len(centers), init=centers, n_init=1, max_iter=max_iter, tol=0.0)
    model.fit(X)
    return model.inertia_, model.n_iter_


def _spherical_faiss(X, centers, max_iter):
    import faiss

    k, n_features = centers.shape
    model = faiss.Kmeans(
        n_features, k, niter=max_iter, spherical=True, max_points_per_centroid=len(X),
        min_points_per_centroid=1,
    )  # fmt: skip
    model.train(X, init_centroids=centers)
    cosines, _ = model.index.search(X, 1)
    return float((1 - cosines.astype(np.float64)).sum()), max_iter


def _mixture_like_scikit_learn(module):
    def fit(X, means, covariance_type, max_iter):
        k, d = means.shape
        precisions = np.ones((k, d)) if covariance_type == "diag" else np.tile(np.eye(d), (k, 1, 1))
        model = importlib.import_module(module).GaussianMixture(
            k, covariance_type=covariance_type, weights_init=np.full(k, 1 / k), means_init=means,
            precisions_init=precisions.astype(X.dtype), max_iter=max_iter, tol=0.0,
        ).fit(X)  # fmt: skip
        return model.score(X), model.n_iter_

    return fit


def _pomegranate(X, means, covariance_type, max_iter):
    import torch
    from pomegranate.distributions import Normal
    from pomegranate.gmm import GeneralMixtureModel

    k, d = means.shape
    covariance = torch.ones(d) if covariance_type == "diag" else torch.eye(d)
    X = torch.from_numpy(X)
    components = [
        Normal(torch.from_numpy(mean), covariance.to(X.dtype), covariance_type=covariance_type)
        for mean in means
    ]
    model = GeneralMixtureModel(
        components, priors=torch.full((k,), 1 / k, dtype=X.dtype), max_iter=max_iter, tol=-np.inf
    ).to(X.dtype)
    model.fit(X)
    return float(model.log_probability(X).mean()), max_iter


FITS = {  # the package's distribution: what it is imported as, the function
    "scikit-learn": ("sklearn", _like_scikit_learn("sklearn.cluster")),
    "fastclust": ("fastclust", _like_scikit_learn("fastclust")),
    "scikit-learn-intelex": ("sklearnex", _like_scikit_learn("sklearnex.cluster")),
    "faiss-cpu": ("faiss", _faiss),
}
SPHERICAL_KMEANS = {
    "faiss-cpu": ("faiss", _spherical_faiss),
    "fastclust": ("fastclust", _spherical),
}
MIXTURE_FITS = {
    "scikit-learn": ("sklearn", _mixture_like_scikit_learn("sklearn.mixture")),
    "fastclust": ("fastclust", _mixture_like_scikit_learn("fastclust")),
    "pomegranate": ("pomegranate", _pomegranate),
}


def installed(packages):
    """Functions of those that can be imported, and the names of the others."""
    there = {name for name, (module, _) in packages.items() if importlib.util.find_spec(module)}
    functions = {name: function for name, (_, function) in packages.items() if name in there}
    return functions, [name for name in packages if name not in there]


# -- memory ---------------------------------------------------------------------------------------


def peak_mebibytes(section, name, package):
    """What a fit takes in a new process, beside its rows."""
    command = [sys.executable, __file__, "--memory", section, name, package]
    output = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    return float(output.splitlines()[-1])


def measure_memory(section, name, package):
    """Fit in this process, which does nothing else; return mebibytes."""
    packages, make_start = PEERS[section]
    fit = packages[package][1]
    X, *start = make_start(name)
    few = X[: max(20_000, 4 * len(start[0]))]
    fit(few, *start)  # imports, compiles, starts threads
    return peak_growth(lambda: fit(X, *start))


# -- sections -------------------------------------------------------------------------------------


def start_of_kmeans(name):
    """Rows, first centers and iterations."""
    n_samples, n_features, n_clusters, dtype, max_iter = PEER_FITS[name]
    X = blobs(n_samples, n_features, n_clusters, dtype)
    return X, X[np.random.default_rng(1).choice(n_samples, n_clusters, replace=False)], max_iter


def start_of_spherical(name):
    """Rows of length 1, first centers by k-means++ and iterations.

    From rows at random some clusters would become empty, which faiss treats in its own way. faiss
    goes on where no label changes any more, and fastclust does not: so there are no more iterations
    than fastclust needs.
    """
    import fastclust

    n_samples, n_features, n_groups, n_clusters, max_iter = SPHERICAL_FITS[name]
    X = blobs(n_samples, n_features, n_groups, "f4")
    X /= np.linalg.norm(X, axis=1, keepdims=True)
    centers = fastclust.kmeans_plusplus(X, n_clusters, random_state=0)[0]
    return X, centers, _spherical(X, centers, max_iter)[1]


def start_of_mixture(name):
    """Rows, first means, covariance type and iterations."""
    n_samples, n_features, k, covariance_type, dtype, max_iter = PEER_MIXTURES[name]
    X = ellipsoids(n_samples, n_features, k, 1.0, dtype)
    means = X[np.random.default_rng(1).choice(n_samples, k, replace=False)]
    return X, means, covariance_type, max_iter


PEERS = {
    "peers": (FITS, start_of_kmeans),
    "spherical-peers": (SPHERICAL_KMEANS, start_of_spherical),
    "mixture-peers": (MIXTURE_FITS, start_of_mixture),
    "missing-peers": (MISSING_FITS, start_of_missing),
}


def table(rows):
    """Markdown of rows that are dicts with the same keys; numbers are set to the right."""
    lines = ["| " + " | ".join(rows[0]) + " |"]
    lines.append("| --- |" + " ---: |" * (len(rows[0]) - 1))
    lines += ["| " + " | ".join(row.values()) + " |" for row in rows]
    return "\n".join(lines)


def run_in_turns(functions):
    """Median seconds and the result of each function; of one that fails, infinity and NaN."""
    results, works = {}, {}
    for name, function in functions.items():  # imports, compiles
        try:
            results[name] = function()
            works[name] = function
        except Exception as error:
            print(f"{name} fails: {error}")
            results[name] = np.nan, "-"
    seconds = in_turns(works)
    medians = {name: statistics.median(seconds.get(name, [np.inf])) for name in functions}
    return medians, results


def drop_in(workloads, objective):
    """Section of fits from the same random_state."""
    rows, speed_ups = [], []
    for name, workload in workloads.items():
        X = workload.make()
        functions = {
            package: lambda module=module, X=X, w=workload: w.estimator(module).fit(X)
            for package, module in (("scikit-learn", "sklearn"), ("fastclust", "fastclust"))
        }
        seconds, models = run_in_turns(functions)
        theirs, ours = models["scikit-learn"], models["fastclust"]
        value, reference = (  # scikit-learn has arrays of one for a Bayesian mixture that is tied
            float(np.squeeze(getattr(model, workload.objective))) for model in (ours, theirs)
        )
        rows.append({
            "workload": f"{name}, {X.dtype.str[1:]}",
            **{f"{package}, s": f"{seconds[package]:.4f}" for package in functions},
            "speed-up": f"{seconds['scikit-learn'] / seconds['fastclust']:.1f}",
            "same labels": f"{np.mean(ours.predict(X) == theirs.predict(X)):.2%}",
            objective: f"{(value - reference) / abs(reference):+.0e}",
        })  # fmt: skip
        if hasattr(theirs, "n_iter_"):  # a tree of clusters has none
            rows[-1]["iterations"] = f"{ours.n_iter_} / {theirs.n_iter_}"
        speed_ups.append(seconds["scikit-learn"] / seconds["fastclust"])
        print(rows[-1], flush=True)
    iterations = "; iterations: fastclust's / scikit-learn's" if "iterations" in rows[0] else ""
    return (
        f"{machine_and_versions(['scikit-learn', 'numba', 'numpy'])}. {objective.capitalize()}: "
        f"fastclust's less scikit-learn's, relative{iterations}.\n\n"
        f"{table(rows)}\n\nSpeed-up: geometric mean {statistics.geometric_mean(speed_ups):.1f}, "
        f"smallest {min(speed_ups):.1f}."
    )


def beside_peers(section, names, objective):
    """Section of iterations from the same start; objectives are those less the first package's."""
    packages, make_start = PEERS[section]
    functions, missing = installed(packages)
    first, rows = next(iter(functions)), []
    for name in names:
        start = make_start(name)
        seconds, results = run_in_turns({
            package: lambda fit=fit, start=start: fit(*start) for package, fit in functions.items()
        })  # fmt: skip
        reference = results[first][0]
        row = {"workload": name}
        row |= {f"{package}, s": f"{seconds[package]:.3f}" for package in functions}
        others = [package for package in functions if package != "fastclust"]
        fastest = min((seconds[package] for package in others), default=np.nan)
        row["times as fast as the next"] = f"{fastest / seconds['fastclust']:.1f}"
        relative = {
            package: (results[package][0] - reference) / abs(reference) for package in functions
        }
        row[objective] = " / ".join(f"{relative[p]:+.0e}" for p in functions if p != first)
        row["iterations"] = " / ".join(str(results[package][1]) for package in functions)
        peaks = [
            peak_mebibytes(section, name, package) if seconds[package] < np.inf else np.nan
            for package in functions
        ]
        row["peak memory, MiB"] = " / ".join(f"{peak:.0f}" for peak in peaks)
        rows.append(row)
        print(row, flush=True)
    distributions = dict.fromkeys([*functions, "numba", "numpy"])
    text = (
        f"{machine_and_versions(distributions)}. {objective.capitalize()}: "
        f"of {' / '.join(p for p in functions if p != first)}, less {first}'s, "
        f"relative; iterations and memory: of {' / '.join(functions)}."
    )
    if missing:
        text += f" Not installed, left out: {', '.join(missing)}."
    return f"{text}\n\n{table(rows)}"


def seeding():
    """Section of greedy k-means++ alone, with the same random_state."""
    import sklearn.cluster

    import fastclust

    rows = []
    for name, (*shape, n_clusters, dtype) in SEEDING.items():
        X = blobs(*shape, n_clusters, dtype)
        seconds, _ = run_in_turns({
            package: lambda p=module, X=X, k=n_clusters: p.kmeans_plusplus(X, k, random_state=0)
            for package, module in (("scikit-learn", sklearn.cluster), ("fastclust", fastclust))
        })  # fmt: skip
        speed_up = seconds["scikit-learn"] / seconds["fastclust"]
        row = {"workload": name} | {f"{p}, s": f"{s:.3f}" for p, s in seconds.items()}
        rows.append(row | {"speed-up": f"{speed_up:.1f}"})
    heading = machine_and_versions(["scikit-learn", "numba", "numpy"])
    return f"{heading}.\n\n{table(rows)}"


SECTIONS = {
    "kmeans": ("KMeans, drop-in", lambda: drop_in(KMEANS, "inertia")),
    "mini-batches": ("MiniBatchKMeans, drop-in", lambda: drop_in(MINI_BATCHES, "inertia")),
    "bisecting": ("BisectingKMeans, drop-in", lambda: drop_in(BISECTING, "inertia")),
    "mixtures": ("GaussianMixture, drop-in", lambda: drop_in(MIXTURES, "lower bound")),
    "bayesian": ("BayesianGaussianMixture, drop-in", lambda: drop_in(BAYESIAN, "lower bound")),
    "peers": (
        "KMeans, the same iterations",
        lambda: beside_peers("peers", PEER_FITS, "inertia"),
    ),
    "spherical-peers": (
        "SphericalKMeans, the same iterations",
        lambda: beside_peers("spherical-peers", SPHERICAL_FITS, "inertia"),
    ),
    "mixture-peers": (
        "GaussianMixture, the same iterations",
        lambda: beside_peers("mixture-peers", PEER_MIXTURES, "log-likelihood"),
    ),
    "missing-peers": (
        "Missing values, the same iterations",
        lambda: beside_peers("missing-peers", MISSING_ROWS, "inertia or log-likelihood"),
    ),
    "seeding": ("Greedy k-means++ alone", seeding),
}


# -- files ----------------------------------------------------------------------------------------


def replace_section(text, name, section):
    """Put a section between its marks in a text, if it has them."""
    marks = f"<!-- compare {name}: begin -->\n", f"\n<!-- compare {name}: end -->"
    pattern = re.escape(marks[0]) + ".*?" + re.escape(marks[1])
    return re.sub(pattern, lambda _: section.join(marks), text, flags=re.DOTALL)


def empty_tables():
    """The file of the tables before anything was measured."""
    text = "# Comparisons\n\nWritten by `python benchmarks/compare.py`.\n"
    for name, (title, _) in SECTIONS.items():
        text += f"\n## {title}\n\n<!-- compare {name}: begin -->\n\n<!-- compare {name}: end -->\n"
    return text


def read_seconds(text):
    """Seconds by package of each row of each section."""
    sections = {}
    for name in SECTIONS:
        marked = re.search(rf"compare {name}: begin -->\n(.*?)\n<!--", text, re.DOTALL)
        lines = [line.strip("| ").split(" | ") for line in marked[1].splitlines() if "| " in line]
        sections[name] = [
            (
                row[0],
                {
                    column.removesuffix(", s"): float(cell)
                    for column, cell in zip(lines[0], row, strict=True)
                    if column.endswith(", s")
                },
            )
            for row in lines[2:]
        ]
    return {name: rows for name, rows in sections.items() if rows}


def draw(drawn):
    """Picture of how many times longer than fastclust's each package's fit takes."""
    import matplotlib as mpl

    mpl.use("Agg")
    import matplotlib.pyplot as plt

    packages = list(dict.fromkeys(p for rows in drawn.values() for _, s in rows for p in s))
    packages.remove("fastclust")
    heights = [len(rows) for rows in drawn.values()]
    fig, axes = plt.subplots(
        len(drawn), figsize=(8, 1.5 + 0.36 * sum(heights)), height_ratios=heights, squeeze=False,
        sharex=True, layout="constrained",
    )  # fmt: skip
    for ax, (section, rows) in zip(axes.flat, drawn.items(), strict=True):
        height = 0.8 / max(len(seconds) - 1 for _, seconds in rows)
        for i, (_, seconds) in enumerate(rows):
            others = [package for package in packages if package in seconds]
            for j, package in enumerate(others):
                ratio = seconds[package] / seconds["fastclust"]
                ratio = ratio if ratio < np.inf else np.nan
                place, color = i + (j - (len(others) - 1) / 2) * height, packages.index(package)
                ax.barh(place, ratio, height, color=f"C{color}")
        ax.set_yticks(range(len(rows)), [name for name, _ in rows], fontsize=8)
        ax.invert_yaxis()
        ax.set_xscale("log")
        ax.axvline(1, color="black")
        ax.set_title(SECTIONS[section][0], fontsize=9, loc="left")
    axes.flat[-1].set_xlabel("seconds over fastclust's")
    bars = [plt.Rectangle((0, 0), 1, 1, color=f"C{j}") for j in range(len(packages))]
    fig.legend(bars, packages, loc="outside upper center", ncols=len(packages), fontsize=8)
    fig.savefig(PICTURE, dpi=100)


def main():
    """Measure the sections that were asked for."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("sections", nargs="*", choices=[[], *SECTIONS], help="all by default")
    parser.add_argument("--memory", nargs=3, help=argparse.SUPPRESS)
    options = parser.parse_args()
    warnings.filterwarnings("ignore")
    if options.memory:
        print(measure_memory(*options.memory))
        return
    for name in options.sections or SECTIONS:
        section = SECTIONS[name][1]()
        print(f"\n{section}\n", flush=True)
        tables = TABLES.read_text() if TABLES.exists() else empty_tables()
        TABLES.write_text(replace_section(tables, name, section))
        README.write_text(replace_section(README.read_text(), name, section))
    draw(read_seconds(TABLES.read_text()))


if __name__ == "__main__":
    main()
