"""Fits to rows with missing values, by fastclust and by what else there is, for `compare.py`.

All of them do the same number of iterations from the same centers, or means. scikit-learn has the
rows filled by means before, and so finds something else: its seconds say what that costs. NumPy has
the same algorithm with masks, or for covariance matrices with a loop over patterns of missing
features. pomegranate has masked tensors, which its full covariances do not take; its means and
variances are those of the values that there are, and not of completed rows. What each finds is
judged alike, by the values that there are.
"""

import numpy as np

from benchmarks.bench_missing_mixture import NaiveIteration
from benchmarks.roofline import blobs
from benchmarks.workloads import ellipsoids

SHARE = 0.1
REG_COVAR = 1e-6
MISSING_ROWS = {  # rows, features, clusters or components, what is fitted, dtype, iterations
    "k-means, 50,000 x 16, k=16, f8": (50_000, 16, 16, "k-means", "f8", 5),
    "diag, 50,000 x 16, k=8, f8": (50_000, 16, 8, "diag", "f8", 5),
    "full, 50,000 x 8, k=8, f8": (50_000, 8, 8, "full", "f8", 5),
}


def start_of_missing(name):
    """Rows with missing values, first centers or means, what is fitted and iterations."""
    n_samples, n_features, k, kind, dtype, max_iter = MISSING_ROWS[name]
    if kind == "k-means":
        X = blobs(n_samples, n_features, k, dtype)
    else:
        X = ellipsoids(n_samples, n_features, k, 1.0, dtype)
    rng = np.random.default_rng(1)
    centers = X[rng.choice(n_samples, k, replace=False)]
    missing = rng.random(X.shape) < SHARE
    missing[missing.all(axis=1), 0] = False
    X[missing] = np.nan
    return X, centers, kind, max_iter


# -- what was found -------------------------------------------------------------------------------


def inertia_of(X, centers):
    """Sum of squares over the values that there are."""
    from fastclust import KMeans

    kmeans = KMeans(len(centers), missing="ignore")
    kmeans.cluster_centers_ = np.ascontiguousarray(centers, dtype=X.dtype)
    return -kmeans.score(X)


def likelihood_of(X, weights, means, covariances, kind):
    """Mean log-likelihood of the values that there are."""
    from fastclust import GaussianMixture

    mixture = GaussianMixture(len(means), covariance_type=kind, missing="ignore")
    mixture.weights_, mixture.means_, mixture.covariances_ = weights, means, covariances
    if kind == "diag":
        factors = 1 / np.sqrt(covariances)
    else:
        factors = np.linalg.inv(np.linalg.cholesky(covariances)).transpose(0, 2, 1)
    mixture.precisions_cholesky_ = factors
    return mixture.score(X)


# -- the packages: functions of rows and a start, which return the objective and the iterations ---


def _fit(package, X, given, centers, kind, max_iter, **options):
    """Fit an estimator of a module like scikit-learn; X has missing values, `given` may not."""
    k, d = centers.shape
    if kind == "k-means":
        kmeans = package.KMeans(k, init=centers, n_init=1, max_iter=max_iter, tol=0.0, **options)
        return inertia_of(X, kmeans.fit(given).cluster_centers_), kmeans.n_iter_
    precisions = np.ones((k, d)) if kind == "diag" else np.tile(np.eye(d), (k, 1, 1))
    mixture = package.GaussianMixture(
        k, covariance_type=kind, weights_init=np.full(k, 1 / k), means_init=centers,
        precisions_init=precisions.astype(X.dtype), max_iter=max_iter, tol=0.0, reg_covar=REG_COVAR,
        **options,
    ).fit(given)  # fmt: skip
    found = mixture.weights_, mixture.means_, mixture.covariances_
    return likelihood_of(X, *found, kind), mixture.n_iter_


def _fastclust(X, *start):
    import fastclust

    return _fit(fastclust, X, X, *start, missing="ignore")


def _scikit_learn(X, *start):
    import sklearn.cluster
    import sklearn.mixture
    from sklearn.impute import SimpleImputer

    package = sklearn.cluster if start[1] == "k-means" else sklearn.mixture
    return _fit(package, X, SimpleImputer().fit_transform(X), *start)


def _numpy(X, centers, kind, max_iter):
    if kind == "k-means":
        return inertia_of(X, _numpy_kmeans(X, centers, max_iter)), max_iter
    fit = _numpy_variances if kind == "diag" else _numpy_matrices
    return likelihood_of(X, *fit(X, centers, max_iter), kind), max_iter


def _numpy_kmeans(X, centers, max_iter):
    there = (~np.isnan(X)).astype(X.dtype)
    values = np.nan_to_num(X)
    for _ in range(max_iter):
        labels = (there @ np.square(centers).T - 2 * values @ centers.T).argmin(axis=1)
        members = np.eye(len(centers), dtype=X.dtype)[labels].T
        counts = members @ there
        centers = np.where(counts > 0, members @ values / np.maximum(counts, 1), centers)
    return centers


def _numpy_variances(X, means, max_iter):
    there = (~np.isnan(X)).astype(X.dtype)
    values = np.nan_to_num(X)
    weights, variances = np.full(len(means), 1 / len(means)), np.ones_like(means)
    for _ in range(max_iter):
        constants = np.square(means) / variances + np.log(2 * np.pi * variances)
        squares = np.square(values) @ (1 / variances).T - 2 * values @ (means / variances).T
        log_prob = np.log(weights) - 0.5 * (squares + there @ constants.T)
        resp = np.exp(log_prob - log_prob.max(axis=1, keepdims=True))
        resp /= resp.sum(axis=1, keepdims=True)
        nk = resp.sum(axis=0)
        lacking = nk[:, np.newaxis] - resp.T @ there
        first = resp.T @ values + lacking * means
        second = resp.T @ np.square(values) + lacking * (np.square(means) + variances)
        weights, means = nk / len(X), first / nk[:, np.newaxis]
        variances = second / nk[:, np.newaxis] - np.square(means) + REG_COVAR
    return weights, means, variances


def _numpy_matrices(X, means, max_iter):
    iteration = NaiveIteration(np.nan_to_num(X), means, np.isnan(X))
    for _ in range(max_iter):
        nk, first, second = iteration.run()  # about the means before
        shift = first / nk[:, np.newaxis]
        covariances = second / nk[:, np.newaxis, np.newaxis]
        covariances -= shift[:, :, np.newaxis] * shift[:, np.newaxis]
        iteration.weights, iteration.means = nk / len(X), iteration.means + shift
        iteration.covariances = covariances + REG_COVAR * np.eye(X.shape[1])
    return iteration.weights, iteration.means, iteration.covariances


def _pomegranate(X, centers, kind, max_iter):
    import torch
    from pomegranate.distributions import Normal
    from pomegranate.gmm import GeneralMixtureModel
    from pomegranate.kmeans import KMeans

    k, d = centers.shape
    masked = torch.masked.MaskedTensor(
        torch.from_numpy(np.nan_to_num(X)), mask=torch.from_numpy(~np.isnan(X))
    )
    if kind == "k-means":
        tiny = float(np.finfo(X.dtype).tiny)  # 0 is refused
        model = KMeans(centroids=torch.from_numpy(centers.copy()), max_iter=max_iter, tol=tiny)
        model.fit(masked)
        return inertia_of(X, model.centroids.numpy()), max_iter
    covariance = torch.ones(d) if kind == "diag" else torch.eye(d)
    components = [
        Normal(torch.from_numpy(mean), covariance.to(masked.dtype), covariance_type=kind)
        for mean in centers.copy()
    ]
    priors = torch.full((k,), 1 / k, dtype=masked.dtype)
    model = GeneralMixtureModel(components, priors=priors, max_iter=max_iter, tol=-np.inf)
    model.to(masked.dtype).fit(masked)
    means, covariances = (
        np.array([getattr(part, name).numpy() for part in model.distributions])
        for name in ("means", "covs")
    )
    return likelihood_of(X, model.priors.numpy(), means, covariances, kind), max_iter


MISSING_FITS = {  # the package's distribution: what it is imported as, the function
    "numpy": ("numpy", _numpy),
    "fastclust": ("fastclust", _fastclust),
    "scikit-learn": ("sklearn", _scikit_learn),
    "pomegranate": ("pomegranate", _pomegranate),
}
