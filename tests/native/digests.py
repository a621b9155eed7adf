"""Digests of results of all kinds, to compare machine code of Numba's with the extension's.

    python -m tests.native.digests             those of this process, by name
    python -m tests.native.digests v2 v3 v4    compare both at each of these levels

The second is for releases: exit status 1 says that results differ, 2 that a level could not be
compared, as the extension was not built for it or this CPU does not have it. `--allow-missing v4`
lets this CPU be without v4; that it was built is asked all the same.

Numba compiles for one thread here, as fewer kernels are to be compiled then; the extension has all
threads. So this also compares results on one thread and on several.
"""

import argparse
import contextlib
import hashlib
import io
import os
import subprocess
import sys
import tempfile
import warnings

import numpy as np
import scipy.sparse

import fastclust
from fastclust import metrics, outliers
from fastclust._native.build import LEVELS

DTYPES = "float64", "float32"


def digest(*values):
    """Digest of arrays and numbers: of their types, shapes and bits."""
    hashed = hashlib.sha256()
    for value in map(np.ascontiguousarray, values):
        hashed.update(f"{value.dtype.str} {value.shape} ".encode() + value.tobytes())
    return hashed.hexdigest()[:16]


# -- results -----------------------------------------------------------------------------------


def results():
    """Yield the name and the digest of every result."""
    for dtype in DTYPES:
        for function in (
            kmeans, sparse_kmeans, minibatch_kmeans, bisecting_kmeans, spherical_kmeans, seeds,
            mixtures, bayesian_mixtures, partial_fits, others,
        ):  # fmt: skip
            for name, values in function(dtype):
                yield f"{name}, {dtype}", digest(*values)


def blobs(n_samples, n_features, n_blobs, dtype):
    """Rows around some centers."""
    rng = np.random.default_rng(0)
    centers = 3 * rng.normal(size=(n_blobs, n_features))
    rows = centers[rng.integers(n_blobs, size=n_samples)]
    return (rows + rng.normal(size=rows.shape)).astype(dtype)


def normal(n_samples, n_features, dtype):
    """Rows without clusters."""
    return np.random.default_rng(1).normal(size=(n_samples, n_features)).astype(dtype)


def far_groups(dtype):
    """Rows in two groups, so far from each other that squares cancel."""
    X = blobs(4_001, 5, 7, dtype)
    X[::2] += 1e6 if dtype == "float32" else 1e12
    return X


def weights_of(X):
    """Weights, some of which are 0."""
    return np.arange(X.shape[0]) % 7 / 3


def fitted(k, X, sample_weight=None, **options):
    """A fit of KMeans."""
    return fastclust.KMeans(k, **{"random_state": 0} | options).fit(X, sample_weight=sample_weight)


def of_fit(kmeans):
    """What a fit of KMeans or SphericalKMeans has found."""
    return kmeans.labels_, kmeans.cluster_centers_, kmeans.inertia_, kmeans.n_iter_


def of_use(kmeans, X):
    """What KMeans or SphericalKMeans says of rows."""
    score = kmeans.score(X, sample_weight=weights_of(X))
    return kmeans.predict(X), kmeans.transform(X[:1_000]), kmeans.score(X), score


def kmeans(dtype):
    """Results of KMeans on dense rows."""
    few, some, wide = (
        blobs(300, 2, 3, dtype), normal(20_011, 3, dtype), blobs(5_003, 70, 20, dtype)
    )  # fmt: skip
    for name, X, k, options in (
        ("few rows", few, 3, {}),
        ("restarts", few, 20, {"n_init": 10}),
        ("random rows", few, 7, {"init": "random"}),
        ("one cluster", some, 1, {}),
        ("rows without clusters", some, 20, {"max_iter": 30}),
        ("many features", wide, 20, {}),
        ("two clusters", wide, 2, {}),
        ("bounds of blocks", blobs(60_000, 8, 64, dtype), 64, {"max_iter": 100, "tol": 0}),
        ("sums formed anew", blobs(2_000, 3, 5, dtype), 40, {"max_iter": 150, "tol": 0}),
        ("filtered", normal(30_000, 16, dtype), 40, {"max_iter": 15}),
    ):
        yield f"KMeans, {name}", of_fit(fitted(k, X, **options))
    start = np.vstack([wide[:5], np.full((2, 70), 1e3, dtype)])
    model = fitted(7, wide, init=start)
    assert len(set(model.labels_)) == 7  # two of them had no rows
    yield "KMeans, empty clusters", of_fit(model)
    yield "KMeans, k-means||", of_fit(fitted(20, wide, init="k-means||", max_iter=3))
    yield "KMeans, far groups", of_fit(fitted(7, far_groups(dtype), max_iter=5))
    yield "KMeans, weights", of_fit(fitted(20, some, weights_of(some), max_iter=30))
    yield "KMeans, new rows", of_use(fitted(20, some, max_iter=5), normal(9_001, 3, dtype) / 2)
    yield "KMeans, new rows, many features", of_use(fitted(20, wide, max_iter=5), wide[::-1].copy())
    far = far_groups(dtype)
    yield "KMeans, new rows, far groups", of_use(fitted(7, far, max_iter=3), far[::-1].copy())


def bisecting_kmeans(dtype):
    """Results of BisectingKMeans."""
    X = blobs(20_003, 5, 12, dtype)
    for name, weights in ("equal", None), ("weighted", weights_of(X)):
        model = fastclust.BisectingKMeans(12, random_state=0).fit(X, sample_weight=weights)
        found = model.labels_, model.cluster_centers_, model.inertia_
        yield f"BisectingKMeans, {name}", (*found, model.predict(X[::-1].copy()))


def sparse_kmeans(dtype):
    """Results of KMeans on sparse rows."""
    X = scipy.sparse.random(20_000, 300, 0.02, random_state=0, format="csr").astype(dtype)
    model = fitted(12, X, max_iter=20)
    yield "KMeans, CSR", of_fit(model)
    yield "KMeans, CSR, weights", of_fit(fitted(5, X, weights_of(X), max_iter=10))
    yield "KMeans, CSR, new rows", of_use(model, X[::-1])
    far = scipy.sparse.csr_array(far_groups(dtype))
    yield "KMeans, CSR, far groups", of_fit(fitted(7, far, max_iter=3))


def spherical_kmeans(dtype):
    """Results of SphericalKMeans, on dense and on sparse rows."""
    some, sparse = normal(20_011, 3, dtype), scipy.sparse.csr_array(normal(4_001, 9, dtype))
    for name, X, k, options in (
        ("few rows", blobs(300, 2, 3, dtype), 3, {}),
        ("rows without clusters", some, 20, {"max_iter": 30}),
        ("many features", blobs(5_003, 70, 20, dtype), 20, {}),
        ("bounds of blocks", blobs(60_000, 8, 64, dtype), 64, {"max_iter": 100, "tol": 0}),
        ("filtered", normal(30_000, 16, dtype), 40, {"max_iter": 15}),
        ("very long rows", some * 2.0**100, 20, {"max_iter": 5}),
        ("CSR", sparse, 12, {"max_iter": 20}),
    ):
        kmeans = fastclust.SphericalKMeans(k, random_state=0, **options).fit(X)
        yield f"SphericalKMeans, {name}", of_fit(kmeans)
        yield f"SphericalKMeans, {name}, new rows", of_use(kmeans, X[::-1].copy())


def minibatch_kmeans(dtype):
    """Results of MiniBatchKMeans, on dense and on sparse rows."""
    sparse = scipy.sparse.random(20_000, 300, 0.02, random_state=0, format="csr").astype(dtype)
    for name, X, k, batch_size in (
        ("few rows", blobs(300, 2, 3, dtype), 3, 50),
        ("many features", blobs(5_003, 70, 20, dtype), 20, 1_024),
        ("CSR", sparse, 12, 1_024),
        ("CSR, small batches", sparse, 25, 100),
    ):
        kmeans = fastclust.MiniBatchKMeans(k, batch_size=batch_size, random_state=0)
        yield f"MiniBatchKMeans, {name}", of_fit(kmeans.fit(X))


def seeds(dtype):
    """Results of k-means++, for each kernel: they differ in the number of candidates."""
    X = blobs(30_000, 6, 20, dtype)
    for n_trials in (None, *range(1, 12), 20, 30):
        seeds = fastclust.kmeans_plusplus(X, 20, n_local_trials=n_trials, random_state=0)
        yield f"k-means++, candidates: {n_trials}", seeds
    seeds = fastclust.kmeans_plusplus(X, 9, sample_weight=weights_of(X), random_state=0)
    yield "k-means++, weights", seeds
    yield "k-means++, few rows", fastclust.kmeans_plusplus(X[:40], 30, random_state=0)


def mixtures(dtype):
    """Results of mixtures."""
    some, apart = blobs(20_011, 5, 6, dtype), 2 * blobs(20_000, 16, 9, dtype)
    for covariance_type in "full", "tied", "diag", "spherical":
        for name, X, k, options in (
            ("", some, 6, {}),
            (", few rows", some[:300, :2].copy(), 3, {"n_init": 3}),
            (", rows regrouped", apart, 9, {"init_params": "random_from_data"}),
            (", weights", some, 6, {"init_params": "k-means++"}),
        ):
            model = fastclust.GaussianMixture(
                k, covariance_type=covariance_type, max_iter=8, tol=0, random_state=0, **options
            )
            model.fit(X, sample_weight=weights_of(X) if name == ", weights" else None)
            yield f"mixture, {covariance_type}{name}", (*of_mixture(model, X), model.lower_bounds_)
            if not name:
                X = np.vstack([X[::-1], 1e6 * X[:9]])  # and rows that are far
                inferred = model.predict(X), model.predict_proba(X), model.score_samples(X)
                yield f"mixture, {covariance_type}, new rows", inferred


def of_mixture(model, X):
    """What a mixture has found, and what it says of rows."""
    values = model.weights_, model.means_, model.covariances_, model.precisions_cholesky_
    return *values, model.predict(X), model.score_samples(X)


def bayesian_mixtures(dtype):
    """Results of BayesianGaussianMixture."""
    X = blobs(20_011, 5, 6, dtype)
    for covariance_type in "full", "tied", "diag", "spherical":
        for prior, weights in ("process", None), ("distribution", weights_of(X)):
            model = fastclust.BayesianGaussianMixture(
                n_components=6, covariance_type=covariance_type, max_iter=6, random_state=0,
                weight_concentration_prior_type=f"dirichlet_{prior}",
            ).fit(X, sample_weight=weights)  # fmt: skip
            name = f"Bayesian mixture, {covariance_type}, {prior}"
            yield name, (*of_mixture(model, X), model.lower_bound_)


def partial_fits(dtype):
    """Results of fits batch by batch."""
    X = blobs(20_011, 5, 6, dtype)
    batches = np.array_split(X, 9)
    for covariance_type in "full", "tied", "diag", "spherical":
        options = {"covariance_type": covariance_type, "random_state": 0}
        model = fastclust.MiniBatchGaussianMixture(6, max_iter=2, batch_size=1_000, **options)
        yield f"MiniBatchGaussianMixture, {covariance_type}", of_mixture(model.fit(X), X)
        model = fastclust.GaussianMixture(6, **options)
        for batch in batches:
            model.partial_fit(batch)
        yield f"GaussianMixture.partial_fit, {covariance_type}", of_mixture(model, X)
    kmeans = fastclust.MiniBatchKMeans(6, random_state=0)
    for batch in batches:
        kmeans.partial_fit(batch)
    yield "MiniBatchKMeans.partial_fit", (kmeans.cluster_centers_, kmeans.predict(X))
    kmeans = fastclust.MiniBatchKMeans(6, random_state=0)
    for batch in batches:
        kmeans.partial_fit(scipy.sparse.csr_array(batch), sample_weight=weights_of(batch))
    yield "MiniBatchKMeans.partial_fit, CSR, weights", (kmeans.cluster_centers_, kmeans.predict(X))


def others(dtype):
    """Scores, and outliers."""
    X = blobs(3_001, 6, 5, dtype)
    labels = np.arange(len(X)) % 5
    yield "silhouettes", [metrics.silhouette_samples(X, labels)]
    yield "silhouettes, squared", [metrics.silhouette_score(X, labels, metric="sqeuclidean")]
    scores = [
        getattr(metrics, f"{name}_score")(X, labels)
        for name in ("simplified_silhouette", "calinski_harabasz", "davies_bouldin")
    ]
    yield "other scores", scores
    density = outliers.DensityOutliers(fastclust.GaussianMixture(3, random_state=0)).fit(X)
    yield "outliers by density", [density.score_samples(X)]
    trimmed = outliers.TrimmedKMeans(fastclust.KMeans(3, random_state=0)).fit(X)
    yield "trimmed k-means", [trimmed.predict(X), trimmed.cluster_centers_]


# -- comparisons -------------------------------------------------------------------------------


def digests_of(**environment):
    """Digests of a process with these variables, by name; one that is None is unset.

    The variables that choose machine code and threads are unset first.
    """
    ours = "FASTCLUST_JIT", "FASTCLUST_LEVEL"
    kept = {
        name: value
        for name, value in os.environ.items()
        if name not in ours and not name.startswith(("NUMBA_", "OMP_"))
    }
    result = subprocess.run(
        [sys.executable, "-m", "tests.native.digests"],
        env=kept | environment, capture_output=True, text=True, check=False,
    )  # fmt: skip
    if result.returncode != 0:
        raise RuntimeError(result.stderr)
    return dict(line.split("\t") for line in result.stdout.splitlines())


def compare(level, cache):
    """Digests that differ between the extension and Numba at a level, and how many are equal.

    Parameters
    ----------
    level : str
        One that the extension was built for, and that this CPU has.
    cache : path
        Directory of compiled kernels.

    Returns
    -------
    differing : dict
        Digests of the extension and of Numba's code, by name.
    n_equal : int
        Number of equal digests.
    """
    extension = digests_of(FASTCLUST_LEVEL=level, FASTCLUST_JIT="never")
    numba = digests_of(
        **LEVELS[level].environment, FASTCLUST_CACHE_DIR=str(cache), NUMBA_NUM_THREADS="1"
    )
    names = dict.fromkeys([*extension, *numba])
    pairs = {name: (extension.get(name), numba.get(name)) for name in names}
    differing = {name: pair for name, pair in pairs.items() if pair[0] != pair[1]}
    return differing, len(pairs) - len(differing)


def compare_levels(levels, allowed):
    """Compare both at each level, and print what differs; return an exit status.

    Levels that are allowed to be missing were built, but need not be this CPU's.
    """
    from fastclust import _extension

    code = _extension.machine_code()
    supported = code.extension.supported_levels() if code.extension is not None else []
    status = 0
    for level in levels:
        if level not in supported:
            is_built = code.extension is not None and level in code.extension.LEVELS
            why = "this CPU does not have it" if is_built else code.reason or "not built"
            print(f"{level}: not compared: {why}")
            if not (is_built and level in allowed):
                status = status or 2
            continue
        with tempfile.TemporaryDirectory() as cache:  # that nobody else can enter
            differing, n_equal = compare(level, cache)
        for name, (extension, numba) in differing.items():
            print(f"{level}: {name}: extension {extension}, Numba {numba}")
        print(f"{level}: {n_equal} digests are equal, {len(differing)} differ", flush=True)
        status = 1 if differing else status
    return status


def main(arguments):
    """Print digests, or compare levels; return an exit status."""
    parser = argparse.ArgumentParser(description="Digests of results, to compare machine code.")
    parser.add_argument("levels", nargs="*", metavar="LEVEL")
    parser.add_argument("--allow-missing", action="append", default=[], metavar="LEVEL")
    options = parser.parse_args(arguments)
    if options.levels:
        return compare_levels(options.levels, options.allow_missing)
    with warnings.catch_warnings(), contextlib.redirect_stderr(io.StringIO()):
        warnings.simplefilter("ignore")  # of fits that are cut short
        for name, value in results():
            print(f"{name}\t{value}")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
