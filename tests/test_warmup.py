"""After `warmup` nothing that is called waits for a compiler."""

import pytest

import fastclust
from tests.processes import run_python

USE_EVERYTHING = """
import warnings

import numpy as np
import scipy.sparse
from sklearn.datasets import make_blobs

import fastclust
from fastclust import metrics, model_selection, outliers
from fastclust._kernels.jit import Kernel

fastclust.warmup()

def compile_late(kernel, parallel, args):
    raise AssertionError(f"{kernel.__name__} {args[1].dtype} is not compiled, {parallel=}")

Kernel._compile = compile_late
warnings.simplefilter("ignore")
for dtype in np.float32, np.float64:
    for n_rows, n_features in (30, 2), (20_011, 3), (5_003, 70), (120_000, 10):
        X, _ = make_blobs(n_rows, n_features, centers=9, random_state=0)
        X = X.astype(dtype)
        weights = np.linspace(0, 2, n_rows)
        for n_clusters, n_init in (1, 3), (7, 1), (20, 1):
            kmeans = fastclust.KMeans(n_clusters, n_init=n_init, max_iter=30, random_state=0)
            kmeans.fit(X)
            kmeans.fit(X, sample_weight=weights)
            kmeans.predict(X)
            kmeans.transform(X)
            kmeans.score(X)
        metrics.silhouette_score(X, kmeans.labels_, sample_size=min(n_rows, 3000))
        metrics.simplified_silhouette_score(X, kmeans.labels_)
        sparse = scipy.sparse.csr_array(X)
        kmeans.fit(sparse, sample_weight=weights).transform(sparse)
        kmeans.predict(sparse)
        for covariance_type in "full", "tied", "diag", "spherical":
            for init_params in "kmeans", "random":
                mixture = fastclust.GaussianMixture(
                    4, covariance_type=covariance_type, init_params=init_params, max_iter=3,
                    reg_covar=1e-3, random_state=0,
                )
                mixture.fit(X, sample_weight=weights)
                mixture.predict(X)
                mixture.score_samples(X)
    outliers.DistanceOutliers(fastclust.KMeans(3)).fit(X).predict(X)
    model_selection.select_kmeans(X[:500], [2, 5], n_init=2, gap_references=1)
    fastclust.kmeans_plusplus(X[:2000], 600)
"""


def test_nothing_is_compiled_later(cache):
    run_python(USE_EVERYTHING, FASTCLUST_CACHE_DIR=str(cache), timeout=600)


@pytest.mark.parametrize("dtypes", [["float16"], ["float64", int], "float64"])
def test_types_are_those_of_the_kernels(dtypes):
    with pytest.raises(ValueError, match=r"dtypes are of float32, float64\. Got"):
        fastclust.warmup(dtypes)
