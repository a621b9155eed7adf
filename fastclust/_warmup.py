"""Compiling every kernel ahead of its first use: small runs of all that calls them."""

import functools
import math

from fastclust._progress_bar import progress_bar

DTYPES = "float32", "float64"
N_FEATURES = 16
SIZES = 200, 70_000
"""Rows of a run on one core, and of one on all."""

MOST_CLUSTERS = 1000
"""Seeding has a kernel for each number of candidates, which grows as the log of the clusters."""


def warmup(dtypes=DTYPES):
    """Compile every kernel, into the cache and this process.

    For images of containers and for servers: no later fit or predict then waits for a compiler. It
    takes minutes where the cache is empty, and seconds where it is not. A terminal shows a progress
    bar, if tqdm is installed.

    Parameters
    ----------
    dtypes : sequence of {"float32", "float64"}, default=("float32", "float64")
        Types of the rows to come.

    Raises
    ------
    ValueError
        If `dtypes` holds something else.

    Notes
    -----
    Kernels for several threads are compiled if there are several. Up to 1,000 clusters are covered:
    more may ask for more candidates in seeding, a kernel of 2 seconds.

    Examples
    --------
    >>> import fastclust
    >>> fastclust.warmup(["float64"])  # doctest: +SKIP
    """
    unknown = [dtype for dtype in dtypes if dtype not in DTYPES]
    if unknown:
        raise ValueError(f"dtypes are of {', '.join(DTYPES)}. Got {unknown[0]!r} instead.")
    runs = [(run, dtype, size) for dtype in dtypes for run in _runs() for size in SIZES]
    for run, dtype, size in progress_bar(runs, "compiling"):
        run(_rows(size, dtype))


def _rows(n_rows, dtype):
    import numpy as np

    return np.random.default_rng(0).normal(size=(n_rows, N_FEATURES)).astype(dtype)


def _runs():
    """Functions of rows that together call every kernel."""
    yield _run_kmeans
    yield _run_seeding
    yield _run_sparse
    yield _run_selection
    yield from (
        functools.partial(_run_mixture, covariance_type)
        for covariance_type in ("full", "tied", "diag", "spherical")
    )


def _run_kmeans(X):
    from fastclust.kmeans import KMeans

    kmeans = KMeans(min(32, len(X) // 16), init="random", max_iter=2, random_state=0)
    kmeans.fit(X[:3000])  # in float32 first, on one core
    kmeans.fit(X[: len(X) // 4])  # regrouped by one core
    kmeans.fit(X)  # and by all
    KMeans(3, init="random", max_iter=2, random_state=0).fit(X)  # in float64 alone
    kmeans.predict(X)
    kmeans.score(X)
    kmeans.transform(X)


def _run_seeding(X):
    from fastclust.kmeans import kmeans_plusplus

    for n_local_trials in range(2, 3 + int(math.log(MOST_CLUSTERS))):
        kmeans_plusplus(X, 2, n_local_trials=n_local_trials, random_state=0)


def _run_sparse(X):
    import scipy.sparse

    from fastclust.kmeans import KMeans

    rows = scipy.sparse.csr_array(X)
    kmeans = KMeans(8, max_iter=2, random_state=0).fit(rows)
    kmeans.score(rows)
    kmeans.transform(rows)


def _run_selection(X):
    from fastclust.metrics import silhouette_samples
    from fastclust.model_selection import select_kmeans

    select_kmeans(
        X, [2, 3], n_init=1, silhouette_sample_size=5000, gap_references=0, random_state=0
    )
    silhouette_samples(X, X[:, 0] > 0, metric="sqeuclidean")


def _run_mixture(covariance_type, X):
    from fastclust.gaussian_mixture import GaussianMixture

    mixture = GaussianMixture(
        8, covariance_type=covariance_type, random_state=0,
        init_params="random_from_data", tol=1e9,  # two iterations
    )  # fmt: skip
    mixture.fit(X)
    mixture.predict_proba(X)
