"""Warnings: they name the user's line, whichever public function it calls."""

from pathlib import Path

import numpy as np
import pytest
from sklearn.exceptions import ConvergenceWarning
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

import fastclust
from fastclust.exceptions import SingularCovarianceError
from fastclust.model_selection import select_gaussian_mixture, select_kmeans
from fastclust.outliers import DensityOutliers, DistanceOutliers, TrimmedKMeans

X = np.random.default_rng(0).normal(size=(60, 2))
EQUAL_ROWS = np.ones((9, 2))
FLAT = X * [1.0, 0.0]
"""Rows without variance in one feature."""

KMEANS = fastclust.KMeans(3, random_state=0)
EXPLICIT = fastclust.KMeans(3, init=X[:3], n_init=2)
UNFINISHED = fastclust.GaussianMixture(3, max_iter=1, tol=0, random_state=0)
BAYESIAN = fastclust.BayesianGaussianMixture(n_components=3, max_iter=1, random_state=0)
MIXTURE = fastclust.GaussianMixture(3, random_state=0)
MENDED = fastclust.GaussianMixture(3, reg_covar=0.0, on_singular="regularize", random_state=0)
OPTIONS = {"covariance_type": "full", "random_state": 0}
CALLS = {
    "KMeans.fit": (lambda: KMEANS.fit(EQUAL_ROWS), "distinct"),
    "KMeans.fit_predict": (lambda: KMEANS.fit_predict(EQUAL_ROWS), "distinct"),
    "KMeans.fit_transform": (lambda: KMEANS.fit_transform(EQUAL_ROWS), "distinct"),
    "k_means": (lambda: fastclust.k_means(EQUAL_ROWS, 3, random_state=0), "distinct"),
    "a pipeline": (
        lambda: make_pipeline(StandardScaler(), KMEANS).fit_predict(EQUAL_ROWS),
        "distinct",
    ),
    "KMeans.fit, parameters": (lambda: EXPLICIT.fit(X), "one init"),
    "KMeans.fit_predict, parameters": (lambda: EXPLICIT.fit_predict(X), "one init"),
    "DistanceOutliers": (lambda: DistanceOutliers(KMEANS).fit(EQUAL_ROWS), "distinct"),
    "TrimmedKMeans": (lambda: TrimmedKMeans(KMEANS).fit(EQUAL_ROWS), "distinct"),
    "GaussianMixture.fit": (lambda: UNFINISHED.fit(X), "did not converge"),
    "GaussianMixture.fit_predict": (lambda: UNFINISHED.fit_predict(X), "did not converge"),
    "GaussianMixture.fit, equal rows": (lambda: MIXTURE.fit(EQUAL_ROWS), "distinct"),
    "GaussianMixture.fit_predict, equal rows": (
        lambda: MIXTURE.fit_predict(EQUAL_ROWS),
        "distinct",
    ),
    "GaussianMixture.fit, flat": (lambda: MENDED.fit(FLAT), "raised"),
    "GaussianMixture.fit_predict, flat": (lambda: MENDED.fit_predict(FLAT), "raised"),
    "BayesianGaussianMixture.fit": (lambda: BAYESIAN.fit(X), "did not converge"),
    "BayesianGaussianMixture.fit_predict": (lambda: BAYESIAN.fit_predict(X), "did not converge"),
    "DensityOutliers": (lambda: DensityOutliers(UNFINISHED).fit(X), "did not converge"),
    "select_kmeans": (
        lambda: select_kmeans(X, 3, init=X[:3], n_init=2, gap_references=0, random_state=0),
        "one init",
    ),
    "select_gaussian_mixture": (
        lambda: select_gaussian_mixture(X, [2, 3], max_iter=1, tol=0, **OPTIONS),
        "Not converged",
    ),
    "select_gaussian_mixture, flat": (
        lambda: select_gaussian_mixture(
            FLAT, 2, reg_covar=0.0, on_singular="regularize", **OPTIONS
        ),
        "raised",
    ),
}


@pytest.mark.parametrize("call", CALLS)
def test_warnings_name_the_users_line(call):
    run, text = CALLS[call]
    with pytest.warns(Warning, match=text) as caught:
        run()
    assert {warning.filename for warning in caught} == {__file__}
    lines = Path(__file__).read_text().splitlines()
    for warning in caught:  # in the lambda, not here
        assert "run()" not in lines[warning.lineno - 1]


def test_a_fit_that_fails_has_warned_of_what_it_met_before():
    mixture = fastclust.GaussianMixture(3, reg_covar=0.0, random_state=0)
    with (
        pytest.warns(ConvergenceWarning, match="duplicate points"),
        pytest.raises(SingularCovarianceError),
    ):
        mixture.fit(EQUAL_ROWS)
