"""The steps of an ordinary tutorial on K-Means and mixtures, with scikit-learn's numbers.

Each step is written once, for both packages, as people write it.
"""

from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
import sklearn.cluster
import sklearn.metrics
import sklearn.mixture
from sklearn.compose import ColumnTransformer
from sklearn.datasets import load_iris, make_blobs
from sklearn.impute import SimpleImputer
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler

import fastclust
import fastclust.metrics
from fastclust.outliers import confident_labels

PACKAGES = [
    SimpleNamespace(
        KMeans=sklearn.cluster.KMeans,
        GaussianMixture=sklearn.mixture.GaussianMixture,
        silhouette_score=sklearn.metrics.silhouette_score,
    ),
    SimpleNamespace(
        KMeans=fastclust.KMeans,
        GaussianMixture=fastclust.GaussianMixture,
        silhouette_score=fastclust.metrics.silhouette_score,
    ),
]

X_raw, y_true = make_blobs(n_samples=600, centers=4, cluster_std=[0.6, 0.9, 1.1, 0.7],
                           random_state=42)  # fmt: skip
X = StandardScaler().fit_transform(X_raw)


def in_both(step):
    """Values of a step for scikit-learn and for fastclust."""
    return [step(package) for package in PACKAGES]


def assert_same(step, rtol=1e-9):
    """Rounding, over tens of iterations."""
    theirs, ours = in_both(step)
    np.testing.assert_allclose(ours, theirs, rtol=rtol, atol=1e-12)


def test_k_means_with_ten_starts():
    def fit(package):
        return package.KMeans(n_clusters=4, n_init=10, random_state=42).fit(X)

    theirs, ours = in_both(fit)
    np.testing.assert_array_equal(ours.labels_, theirs.labels_)
    np.testing.assert_allclose(ours.cluster_centers_, theirs.cluster_centers_, rtol=1e-9)
    assert ours.inertia_ == pytest.approx(theirs.inertia_, rel=1e-9)
    assert ours.n_iter_ == theirs.n_iter_
    assert sklearn.metrics.adjusted_rand_score(y_true, ours.labels_) > 0.9


def test_elbow_loop():
    assert_same(lambda package: [
        package.KMeans(n_clusters=k, n_init=10, random_state=42).fit(X).inertia_
        for k in range(1, 11)
    ])  # fmt: skip


def test_silhouette_loop():
    def scores(package):
        return [
            package.silhouette_score(
                X, package.KMeans(n_clusters=k, n_init=10, random_state=42).fit_predict(X)
            )
            for k in range(2, 8)
        ]

    assert_same(scores)
    assert np.argmax(scores(PACKAGES[1])) + 2 == 4


@pytest.mark.parametrize("covariance_type", ["full", "tied", "diag", "spherical"])
def test_mixture_and_its_probabilities(covariance_type):
    def fit(package):
        return package.GaussianMixture(4, covariance_type=covariance_type, random_state=42).fit(X)

    theirs, ours = in_both(fit)
    np.testing.assert_array_equal(ours.predict(X), theirs.predict(X))
    np.testing.assert_allclose(ours.predict_proba(X), theirs.predict_proba(X), atol=1e-9)
    np.testing.assert_allclose(ours.score_samples(X), theirs.score_samples(X), rtol=1e-9)
    np.testing.assert_allclose(ours.predict_proba(X).sum(axis=1), 1, rtol=1e-12)


@pytest.mark.parametrize("criterion", ["bic", "aic"])
def test_information_criteria_loop(criterion):
    def values(package):
        return [
            getattr(package.GaussianMixture(k, random_state=42).fit(X), criterion)(X)
            for k in range(1, 9)
        ]

    assert_same(values)
    assert np.argmin(values(PACKAGES[1])) + 1 == 4


def test_hard_labels_with_an_uncertain_class():
    def labels(package):
        mixture = package.GaussianMixture(3, random_state=42).fit(load_iris().data)
        probabilities = mixture.predict_proba(load_iris().data)
        labels = probabilities.argmax(axis=1)
        labels[probabilities.max(axis=1) < 0.8] = -1
        return labels

    theirs, ours = in_both(labels)
    np.testing.assert_array_equal(ours, theirs)
    assert -1 in ours
    mixture = fastclust.GaussianMixture(3, random_state=42).fit(load_iris().data)
    np.testing.assert_array_equal(confident_labels(mixture, load_iris().data, 0.8), ours)


@pytest.mark.parametrize("name", ["KMeans", "GaussianMixture"])
def test_decision_regions_on_a_mesh(name):
    x = np.linspace(X[:, 0].min() - 1, X[:, 0].max() + 1, 200)
    y = np.linspace(X[:, 1].min() - 1, X[:, 1].max() + 1, 200)
    mesh = np.column_stack([axis.ravel() for axis in np.meshgrid(x, y)])
    theirs, ours = in_both(
        lambda package: getattr(package, name)(4, n_init=3, random_state=42).fit(X).predict(mesh)
    )
    np.testing.assert_array_equal(ours, theirs)


# -- what real tables need -----------------------------------------------------------------------


def make_customers():
    """A table with gaps, numbers of different scales and a column of words."""
    rng = np.random.default_rng(0)
    kind = rng.integers(3, size=300)
    frame = pd.DataFrame({
        "income": 20_000 + 15_000 * kind + rng.normal(0, 2_000, 300),
        "age": 30 + 12 * kind + rng.normal(0, 3, 300),
        "city": np.array(["north", "south", "east"])[kind],
    })  # fmt: skip
    frame.loc[::17, "income"] = np.nan
    frame.loc[::23, "age"] = np.nan
    return frame, kind


@pytest.mark.parametrize("name", ["KMeans", "GaussianMixture"])
def test_missing_values_are_an_error_that_names_the_cure(name):
    frame, _ = make_customers()
    with pytest.raises(ValueError, match="NaN") as raised:
        getattr(fastclust, name)(3).fit(frame[["income", "age"]])
    assert "imputer transformer in a pipeline" in str(raised.value)


@pytest.mark.parametrize("name", ["KMeans", "GaussianMixture"])
def test_missing_values_and_scales_in_a_pipeline(name):
    frame, kind = make_customers()
    numbers = frame[["income", "age"]]

    def labels(package):
        estimator = getattr(package, name)(3, n_init=5, random_state=0)
        pipeline = make_pipeline(SimpleImputer(), StandardScaler(), estimator)
        pipeline.fit(numbers)
        return pipeline.predict(numbers)

    theirs, ours = in_both(labels)
    np.testing.assert_array_equal(ours, theirs)
    assert sklearn.metrics.adjusted_rand_score(kind, ours) > 0.7


def test_mixed_columns_in_a_pipeline():
    frame, kind = make_customers()

    def labels(package):
        numbers = make_pipeline(SimpleImputer(), StandardScaler())
        columns = ColumnTransformer([
            ("numbers", numbers, ["income", "age"]),
            ("words", OneHotEncoder(sparse_output=False), ["city"]),
        ])  # fmt: skip
        pipeline = make_pipeline(columns, package.KMeans(3, n_init=5, random_state=0))
        return pipeline.fit_predict(frame)

    theirs, ours = in_both(labels)
    np.testing.assert_array_equal(ours, theirs)
    assert sklearn.metrics.adjusted_rand_score(kind, ours) > 0.9
