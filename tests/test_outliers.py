"""Uncertain rows and outliers: their definitions, and scikit-learn's conventions."""

import numpy as np
import pandas as pd
import pytest
import scipy.sparse
import sklearn.cluster
import sklearn.mixture
from sklearn.datasets import load_iris, make_blobs
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.utils import get_tags
from sklearn.utils.estimator_checks import parametrize_with_checks

from fastclust import (
    BayesianGaussianMixture,
    BisectingKMeans,
    GaussianMixture,
    KMeans,
    MiniBatchKMeans,
    SphericalKMeans,
)
from fastclust.outliers import (
    DensityOutliers,
    DistanceOutliers,
    TrimmedKMeans,
    _fitted,
    confident_labels,
)

X, _ = make_blobs(500, centers=3, random_state=1)
GAPS = np.where(np.random.default_rng(0).permuted(np.arange(1000) < 80).reshape(500, 2), np.nan, X)
GAPS[np.isnan(GAPS).all(axis=1)] = 0  # k-means wants a value in each row
MIXTURE = GaussianMixture(3, random_state=0)
KMEANS = KMeans(3, n_init=1, random_state=0)
BAYESIAN = BayesianGaussianMixture(n_components=3, tol=1.0, random_state=0)
DETECTORS = [
    DensityOutliers(MIXTURE),
    DensityOutliers(BAYESIAN),
    DistanceOutliers(KMEANS),
    DistanceOutliers(MiniBatchKMeans(3, random_state=0)),
    DistanceOutliers(BisectingKMeans(3, random_state=0)),
]


CHECKED = [
    DensityOutliers(),
    DistanceOutliers(KMeans(2, random_state=0)),
    TrimmedKMeans(KMeans(2, random_state=0)),
]


@parametrize_with_checks(CHECKED)
def test_scikit_learn_check_passes(estimator, check):
    check(estimator)


# -- uncertain labels ----------------------------------------------------------------------------


@pytest.mark.parametrize(
    "make", [sklearn.mixture.GaussianMixture, GaussianMixture, BayesianGaussianMixture]
)
@pytest.mark.parametrize("threshold", [0.0, 0.6, 0.8, 1.0])
def test_rows_below_the_threshold_have_no_label(make, threshold):
    rows = load_iris().data
    mixture = make(n_components=3, random_state=0).fit(rows)
    labels = confident_labels(mixture, rows, threshold)
    largest = mixture.predict_proba(rows).max(axis=1)
    np.testing.assert_array_equal(labels == -1, largest < threshold)
    sure = labels != -1
    np.testing.assert_array_equal(labels[sure], mixture.predict(rows)[sure])
    assert labels.dtype == np.int64


@pytest.mark.parametrize("threshold", [-0.1, 1.1, "high", None])
def test_threshold_is_a_probability(threshold):
    mixture = GaussianMixture(3, random_state=0).fit(X)
    with pytest.raises(ValueError, match="'threshold' parameter of confident_labels must be"):
        confident_labels(mixture, X, threshold)


# -- detectors -----------------------------------------------------------------------------------


@pytest.mark.parametrize("contamination", [0.002, 0.05, 0.5])
def test_low_densities_are_outliers(contamination):
    detector = DensityOutliers(MIXTURE, contamination=contamination).fit(X)
    scores = GaussianMixture(3, random_state=0).fit(X).score_samples(X)
    np.testing.assert_array_equal(detector.score_samples(X), scores)
    assert detector.offset_ == np.quantile(scores, contamination)
    np.testing.assert_array_equal(detector.predict(X) == -1, scores < detector.offset_)
    assert (detector.predict(X) == -1).sum() == np.ceil(499 * contamination)


def test_distances_are_measured_by_those_of_the_cluster():
    rows = np.vstack([X, 100 + 50 * np.random.default_rng(0).normal(size=(300, 2))])
    kmeans = KMeans(2, n_init=1, random_state=0).fit(rows)
    detector = DistanceOutliers(kmeans, contamination=0.1).fit(rows)
    distances = kmeans.transform(rows).min(axis=1)
    for j in (0, 1):
        own = kmeans.labels_ == j
        assert detector.typical_distances_[j] == np.quantile(distances[own], 0.9)
        # Of each cluster the share, and not of the wide one alone.
        assert 0.05 < (detector.predict(rows)[own] == -1).mean() < 0.15
    scores = -distances / detector.typical_distances_[kmeans.labels_]
    np.testing.assert_allclose(detector.score_samples(rows), scores, rtol=1e-12)
    assert detector.offset_ == pytest.approx(-1, abs=0.05)


@pytest.mark.parametrize("detector", DETECTORS)
def test_a_far_row_is_an_outlier_and_a_center_is_none(detector):
    fitted = detector.fit(X).estimator_
    centers = fitted.cluster_centers_ if hasattr(fitted, "cluster_centers_") else fitted.means_
    assert (detector.predict(centers) == 1).all()
    assert (detector.predict([[1e3, 1e3], [-1e6, 0.0]]) == -1).all()


def test_directions_far_from_every_center_are_outliers():
    rows = np.random.default_rng(0).normal(size=(300, 2)) + 9 * np.eye(2)[np.arange(300) % 2]
    detector = DistanceOutliers(SphericalKMeans(2, random_state=0), contamination=0.02).fit(rows)
    distances = detector.estimator_.transform(rows).min(axis=1)
    for j in (0, 1):
        typical = np.quantile(distances[detector.estimator_.labels_ == j], 0.98)
        assert detector.typical_distances_[j] == typical
    assert (detector.predict([[9, 0], [0, 0.1], [-1, -1], [-1e-3, 1e-3]]) == [1, 1, -1, -1]).all()
    trimmed = TrimmedKMeans(SphericalKMeans(2, random_state=0), contamination=0.02).fit(rows)
    assert (trimmed.predict([[9, 0], [-1, -1]]) == -1).tolist() == [False, True]


@pytest.mark.parametrize("make", [MiniBatchKMeans, BisectingKMeans])
def test_trimming_by_other_clusterers(make):
    trimmed = TrimmedKMeans(make(3, random_state=0), contamination=0.01).fit(X)
    coarse = make(3, random_state=0).fit(X).transform(X).min(axis=1)
    again = make(3, random_state=0).fit(X[coarse <= np.quantile(coarse, 0.99)])
    np.testing.assert_array_equal(trimmed.cluster_centers_, again.cluster_centers_)
    distances = again.transform(X).min(axis=1)
    np.testing.assert_array_equal(trimmed.labels_ == -1, distances > np.quantile(distances, 0.99))


def test_blocks_of_rows_make_no_difference(monkeypatch):
    detector = DistanceOutliers(KMEANS).fit(X)
    monkeypatch.setattr(_fitted, "BLOCK_ROWS", 7)  # no argument of the estimator
    again = DistanceOutliers(KMEANS).fit(X)
    np.testing.assert_array_equal(again.score_samples(X), detector.score_samples(X))


@pytest.mark.parametrize("detector", [*DETECTORS, DistanceOutliers(sklearn.cluster.KMeans(3))])
def test_frames_keep_their_names(detector):
    frame = pd.DataFrame(X, columns=["a", "b"])
    detector.fit(frame)
    assert list(detector.feature_names_in_) == ["a", "b"]
    np.testing.assert_array_equal(
        detector.predict(frame) == -1, detector.decision_function(frame) < 0
    )
    with pytest.warns(UserWarning, match="does not have valid feature names"):
        detector.predict(X)
    detector.fit(X)
    assert not hasattr(detector, "feature_names_in_")


@pytest.mark.parametrize("kind", [scipy.sparse.csr_array, scipy.sparse.coo_array])
def test_sparse_rows(kind):
    dense, sparse = (DistanceOutliers(KMEANS).fit(rows) for rows in (X, kind(X)))
    # The same distances from (x - c)^2, of centers whose sums are in another order.
    np.testing.assert_allclose(sparse.score_samples(kind(X)), dense.score_samples(X), rtol=1e-9)


def test_repeated_rows_are_no_outliers_and_others_are():
    rows = np.repeat([[0.0, 0.0], [5.0, 5.0]], 10, axis=0)
    detector = DistanceOutliers(KMeans(2, n_init=1, random_state=0)).fit(rows)
    assert (detector.predict(rows) == 1).all()
    assert detector.predict([[0.0, 0.1]]) == -1


@pytest.mark.parametrize("detector", DETECTORS)
def test_the_estimator_given_is_not_fitted(detector):
    detector.fit(X)
    assert not hasattr(detector.estimator, "n_features_in_")


@pytest.mark.parametrize("detector", DETECTORS)
@pytest.mark.parametrize("contamination", [0.0, 0.51, -1, "auto", None])
def test_contamination_is_a_share(detector, contamination):
    detector = type(detector)(detector.estimator, contamination=contamination)
    with pytest.raises(ValueError, match="'contamination' parameter"):
        detector.fit(X)


@pytest.mark.parametrize("detector", DETECTORS)
def test_failed_fit_leaves_the_detector_as_it_was(detector):
    detector = type(detector)(detector.estimator).fit(X)
    before = detector.score_samples(X)
    with pytest.raises(ValueError, match="contains NaN"):
        detector.fit(np.full((10, 2), np.nan))
    np.testing.assert_array_equal(detector.score_samples(X), before)


def test_in_a_pipeline():
    pipeline = make_pipeline(StandardScaler(), DensityOutliers(MIXTURE, contamination=0.1))
    assert (pipeline.fit_predict(X) == -1).sum() == 50


# -- trimmed k-means -----------------------------------------------------------------------------


@pytest.mark.parametrize("scale", [20, 60, 1000])
def test_outliers_do_not_draw_the_centers(scale):
    far = np.random.default_rng(0).uniform(-scale, scale, size=(25, 2))
    rows = np.vstack([X, far])
    true = KMeans(3, n_init=5, random_state=0).fit(X).cluster_centers_
    plain = KMeans(3, n_init=5, random_state=0)
    trimmed = TrimmedKMeans(plain, contamination=0.06).fit(rows)

    def error(centers):
        return np.linalg.norm(true[:, None] - centers, axis=2).min(axis=1).max()

    assert error(trimmed.cluster_centers_) < 0.2 * error(plain.fit(rows).cluster_centers_)
    assert (trimmed.labels_[500:] == -1).mean() > 0.9
    assert (trimmed.labels_ == -1).sum() == np.ceil(524 * 0.06)


@pytest.mark.parametrize(
    "rows", [X, scipy.sparse.csr_array(X), pd.DataFrame(X, columns=["a", "b"])]
)
def test_trimming_is_two_fits(rows):
    trimmed = TrimmedKMeans(KMEANS, contamination=0.1).fit(rows)
    distances = KMeans(3, n_init=1, random_state=0).fit(rows).transform(rows).min(axis=1)
    usual = distances <= np.quantile(distances, 0.9)
    take = rows.iloc if hasattr(rows, "iloc") else rows
    again = KMeans(3, n_init=1, random_state=0).fit(take[np.flatnonzero(usual)])
    np.testing.assert_array_equal(trimmed.cluster_centers_, again.cluster_centers_)
    np.testing.assert_array_equal(trimmed.labels_, trimmed.predict(rows))
    labelled = trimmed.labels_ != -1
    np.testing.assert_array_equal(trimmed.labels_[labelled], again.predict(rows)[labelled])
    distances = again.transform(rows).min(axis=1)
    np.testing.assert_array_equal(labelled, distances <= np.quantile(distances, 0.9))
    assert trimmed.trimmed_share_ == 1 - usual.mean()
    assert trimmed.labels_.dtype == np.int64


def test_equally_far_rows_are_not_trimmed():
    rows = np.repeat([[0.0, 0.0], [5.0, 5.0]], 10, axis=0)
    trimmed = TrimmedKMeans(KMeans(2, n_init=1, random_state=0)).fit(rows)
    assert trimmed.trimmed_share_ == 0
    assert set(trimmed.labels_) == {0, 1}


def test_failed_second_fit_leaves_the_estimator_as_it_was():
    trimmed = TrimmedKMeans(KMEANS).fit(X)
    before = trimmed.labels_
    trimmed.set_params(estimator=KMeans(5, init=X[:5], n_init=1), contamination=0.5)
    with pytest.raises(ValueError, match="n_samples=4 should be >= n_clusters=5"):
        trimmed.fit([[0.0, 0], [1, 0], [5, 0], [9, 0], [14, 0], [20, 1]])
    assert trimmed.labels_ is before


@pytest.mark.parametrize(
    "estimator",
    [
        make_pipeline(StandardScaler(), KMeans(3, random_state=0)),
        sklearn.cluster.Birch(n_clusters=None),
    ],
)
def test_distances_of_any_clusterer_with_transform(estimator):
    X = np.random.default_rng(0).normal(size=(200, 2))
    detector = DistanceOutliers(estimator, contamination=0.05).fit(X)
    assert 0 < (detector.predict(X) == -1).mean() <= 0.06
    assert detector.predict([[50.0, 50.0]]) == -1
    with pytest.raises(ValueError, match="minimum of 1 is required"):
        detector.predict(np.empty((0, 2)))


# -- missing values --------------------------------------------------------------------------------


@pytest.mark.parametrize("threshold", [0.5, 0.9])
def test_rows_with_missing_values_that_no_component_explains_have_no_label(threshold):
    mixture = GaussianMixture(3, random_state=0, missing="ignore").fit(GAPS)
    rows = np.vstack([GAPS, [[np.nan, np.nan]]])
    labels, probabilities = confident_labels(mixture, rows, threshold), mixture.predict_proba(rows)
    sure = probabilities.max(axis=1) >= threshold
    np.testing.assert_array_equal(labels, np.where(sure, probabilities.argmax(axis=1), -1))
    assert labels[-1] == -1  # the weights are a third each
    with pytest.raises(ValueError, match="contains NaN"):
        confident_labels(MIXTURE.fit(X), GAPS)


@pytest.mark.parametrize("convert", [np.asarray, pd.DataFrame])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("estimator", [
    GaussianMixture(3, random_state=0, missing="ignore"),
    KMeans(3, random_state=0, missing="ignore"),
    MiniBatchKMeans(3, random_state=0, missing="ignore"),
])  # fmt: skip
def test_outliers_among_rows_with_missing_values(estimator, dtype, convert):
    is_mixture = hasattr(estimator, "covariance_type")
    detector = (DensityOutliers if is_mixture else DistanceOutliers)(estimator, contamination=0.02)
    rows = convert(GAPS.astype(dtype))
    assert get_tags(detector).input_tags.allow_nan
    usual = make_pipeline(StandardScaler(), detector).fit_predict(rows)
    assert 0 < (usual == -1).sum() <= 11  # 2 % of 500 rows, and equally far ones
    detector.fit(rows)
    far = np.array([[1e3, np.nan], [np.nan, -1e3], [1e3, -1e3]], dtype=dtype)
    assert (detector.predict(convert(far)) == -1).all()
    np.testing.assert_array_equal(detector.predict(convert(GAPS)), detector.predict(rows))


def test_trimming_rows_with_missing_values():
    kmeans = KMeans(3, random_state=0, missing="ignore")
    trimmed = TrimmedKMeans(kmeans, contamination=0.02)
    assert get_tags(trimmed).input_tags.allow_nan
    trimmed.fit(np.vstack([GAPS, [[20, np.nan], [np.nan, -20]]]))
    assert (trimmed.labels_[-2:] == -1).all()
    centers = kmeans.fit(GAPS).cluster_centers_
    order, expected = (np.lexsort(c.T) for c in (trimmed.cluster_centers_, centers))
    # Ten of about 170 rows a cluster, at twice the usual distance, are fewer.
    np.testing.assert_allclose(trimmed.cluster_centers_[order], centers[expected], atol=0.2)
    assert (trimmed.predict([[1e3, np.nan]]) == -1).all()


@pytest.mark.parametrize("detector", [*DETECTORS, TrimmedKMeans(KMEANS)])
def test_missing_values_are_an_error_where_the_estimator_takes_none(detector):
    assert not get_tags(detector).input_tags.allow_nan
    with pytest.raises(ValueError, match="contains NaN"):
        detector.fit(GAPS)
    detector.fit(X)
    with pytest.raises(ValueError, match="contains NaN"):
        detector.predict(GAPS)
