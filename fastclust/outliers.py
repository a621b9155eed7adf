"""Rows not to trust: between components, of low density, or far from their center."""

import sys
from numbers import Real

import numpy as np
from scipy.sparse import issparse
from sklearn.base import ClusterMixin, OutlierMixin, clone
from sklearn.utils import gen_batches, get_tags
from sklearn.utils.validation import check_is_fitted

from fastclust._parameters import Rule, check_parameters
from fastclust._validation import Estimator, state_restored_on_error
from fastclust.gaussian_mixture import GaussianMixture
from fastclust.kmeans import KMeans

__all__ = ["DensityOutliers", "DistanceOutliers", "TrimmedKMeans", "confident_labels"]

BLOCK_ROWS = 2**16
"""Rows whose distances to all centers are in memory at a time."""

_SHARE = Rule(
    lambda value: isinstance(value, Real) and 0 < float(value) <= 0.5,
    "a float in the range (0.0, 0.5]",
)
_PROBABILITY = Rule(
    lambda value: isinstance(value, Real) and 0 <= float(value) <= 1,
    "a float in the range [0.0, 1.0]",
)


def confident_labels(estimator, X, threshold=0.8):
    """Label the rows whose most probable component is probable enough, and no others.

    Parameters
    ----------
    estimator : GaussianMixture or other estimator with `predict_proba`
        The fitted estimator.
    X : array-like of shape (n_samples, n_features)
        The rows.
    threshold : float, default=0.8
        Least probability of a label.

    Returns
    -------
    labels : ndarray of shape (n_samples,), int64
        The most probable component, or -1 where its probability is below `threshold`.

    Raises
    ------
    ValueError
        If `threshold` is not in [0, 1], and for what `predict_proba` does not accept.

    Examples
    --------
    >>> from fastclust import GaussianMixture
    >>> from fastclust.outliers import confident_labels
    >>> from sklearn.datasets import load_iris
    >>> X = load_iris().data
    >>> mixture = GaussianMixture(3, random_state=0).fit(X)
    >>> int((confident_labels(mixture, X, threshold=0.95) == -1).sum())
    10
    """
    check_parameters("confident_labels", {"threshold": threshold}, {"threshold": [_PROBABILITY]})
    probabilities = estimator.predict_proba(X)
    labels = probabilities.argmax(axis=1)
    labels[probabilities.max(axis=1) < threshold] = -1
    return labels


class _ArrowRows:
    """Rows of a table of pyarrow, by slices or numbers."""

    def __init__(self, table):
        self.table = table

    def __getitem__(self, rows):
        return self.table[rows] if isinstance(rows, slice) else self.table.take(rows)


def _taker(X):
    """Return the number of rows of X, and what gives some of them by their numbers."""
    rows = X.tocsr() if issparse(X) else X if hasattr(X, "shape") else np.asarray(X)
    pa = sys.modules.get("pyarrow")
    if pa is not None and isinstance(rows, pa.Table | pa.RecordBatch):
        return rows.num_rows, _ArrowRows(rows)
    return rows.shape[0], rows.iloc if hasattr(rows, "iloc") else rows


def _nearest_centers(estimator, X):
    """Nearest center of each row, and the distance to it."""
    n_rows, take = _taker(X)
    parts = []
    for part in gen_batches(max(n_rows, 1), BLOCK_ROWS):  # the estimator refuses no rows
        distances = estimator.transform(take[part])
        parts.append((distances.argmin(axis=1), distances.min(axis=1)))
    labels, distances = zip(*parts, strict=True)
    return np.concatenate(labels), np.concatenate(distances)


def _take_features(estimator, fitted):
    """Note the number and names of features that another estimator was fitted to."""
    estimator.n_features_in_ = fitted.n_features_in_
    if hasattr(fitted, "feature_names_in_"):
        estimator.feature_names_in_ = fitted.feature_names_in_
    elif hasattr(estimator, "feature_names_in_"):
        del estimator.feature_names_in_


class _Outliers(OutlierMixin, Estimator):
    """What outlier detectors share: an estimator that is fitted, and a threshold learnt with it."""

    def __init__(self, estimator=None, *, contamination=0.05):
        self.estimator = estimator
        self.contamination = contamination

    def fit(self, X, y=None):
        """Fit the estimator to X, and learn what is usual.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            The rows.
        y : Ignored
            Present for the API's sake.

        Returns
        -------
        self : object
            The fitted detector. One fitted before stays as it was if this fails.

        Raises
        ------
        ValueError
            If `contamination` is not in (0, 0.5], and for what the estimator does not accept.
        """
        rules = {"contamination": [_SHARE]}
        check_parameters(type(self).__name__, vars(self), rules)
        with state_restored_on_error(self):
            made = self._make_estimator() if self.estimator is None else clone(self.estimator)
            self.estimator_ = made.fit(X)
            _take_features(self, made)
            self._learn(X)
        return self

    def decision_function(self, X):
        """Score of each row over the threshold.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            The rows.

        Returns
        -------
        decision : ndarray of shape (n_samples,)
            ``score_samples(X) - offset_``: negative for outliers.
        """
        return self.score_samples(X) - self.offset_

    def predict(self, X):
        """Whether each row is usual.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            The rows.

        Returns
        -------
        usual : ndarray of shape (n_samples,), int64
            1, or -1 for outliers.
        """
        return np.where(self.decision_function(X) < 0, -1, 1)


class DensityOutliers(_Outliers):
    """Outliers are the rows of low density under a mixture.

    Parameters
    ----------
    estimator : GaussianMixture or other estimator with `score_samples`, default=None
        What is fitted (a clone of it); None for a `GaussianMixture` of one component.
    contamination : float, default=0.05
        Share of the rows of `fit` that are outliers, in (0, 0.5].

    Attributes
    ----------
    estimator_ : estimator
        The fitted estimator.
    offset_ : float
        Log-density below which a row is an outlier: the quantile of the rows of `fit`.
    n_features_in_ : int
        Number of features.
    feature_names_in_ : ndarray of shape (n_features_in_,)
        Names of the features, if X had any.

    See Also
    --------
    DistanceOutliers : The same by the distance to the nearest center.

    Examples
    --------
    >>> import numpy as np
    >>> from fastclust import GaussianMixture
    >>> from fastclust.outliers import DensityOutliers
    >>> X = np.random.default_rng(0).normal(size=(500, 2))
    >>> detector = DensityOutliers(GaussianMixture(2, random_state=0), contamination=0.01).fit(X)
    >>> detector.predict([[0.0, 0.0], [5.0, 5.0]])
    array([ 1, -1])
    """

    def _make_estimator(self):
        return GaussianMixture()

    def _learn(self, X):
        self.offset_ = float(np.quantile(self.estimator_.score_samples(X), self.contamination))

    def score_samples(self, X):
        """Log-density of each row, in nats.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            The rows.

        Returns
        -------
        log_density : ndarray of shape (n_samples,)
            The lower, the more unusual.
        """
        check_is_fitted(self)
        return self.estimator_.score_samples(X)


class DistanceOutliers(_Outliers):
    """Outliers are the rows farther from their center than most rows of its cluster.

    The distance of each row is measured in typical ones of the cluster, those that the share
    `contamination` of its rows exceed.

    Parameters
    ----------
    estimator : KMeans or other clusterer with `transform`, default=None
        What is fitted (a clone of it); None for a `KMeans` of 8 clusters.
    contamination : float, default=0.05
        Share of the rows of `fit` that are outliers, in (0, 0.5].

    Attributes
    ----------
    estimator_ : estimator
        The fitted estimator.
    typical_distances_ : ndarray of shape (n_clusters,)
        Distance to the center of each cluster that the share `contamination` of its rows exceed;
        infinity for a cluster without rows.
    offset_ : float
        Score below which a row is an outlier: the quantile of the rows of `fit`, near -1.
    n_features_in_ : int
        Number of features.
    feature_names_in_ : ndarray of shape (n_features_in_,)
        Names of the features, if X had any.

    See Also
    --------
    DensityOutliers : The same by density, where clusters differ in shape or overlap.
    TrimmedKMeans : Clusters that outliers do not draw to them.

    Examples
    --------
    >>> import numpy as np
    >>> from fastclust import KMeans
    >>> from fastclust.outliers import DistanceOutliers
    >>> X = np.random.default_rng(0).normal(size=(500, 2))
    >>> detector = DistanceOutliers(KMeans(3, random_state=0), contamination=0.01).fit(X)
    >>> detector.predict([[0.0, 0.0], [5.0, 5.0]])
    array([ 1, -1])
    """

    def _make_estimator(self):
        return KMeans()

    def _learn(self, X):
        labels, distances = _nearest_centers(self.estimator_, X)
        n_clusters = self.estimator_.transform(_taker(X)[1][slice(1)]).shape[1]
        self.typical_distances_ = np.full(n_clusters, np.inf)
        for j in np.unique(labels):
            typical = np.quantile(distances[labels == j], 1 - self.contamination)
            self.typical_distances_[j] = typical
        self.offset_ = float(np.quantile(self.score_samples(X), self.contamination))

    def score_samples(self, X):
        """Negative distance of each row to the nearest center, in typical ones of the cluster.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            The rows.

        Returns
        -------
        closeness : ndarray of shape (n_samples,)
            The lower, the more unusual.
        """
        check_is_fitted(self)
        labels, distances = _nearest_centers(self.estimator_, X)
        typical = self.typical_distances_[labels]
        with np.errstate(divide="ignore", invalid="ignore"):
            return -np.where(distances == 0, 0.0, distances / typical)

    def __sklearn_tags__(self):
        """Tags that scikit-learn's checks and pipelines read."""
        tags = super().__sklearn_tags__()
        estimator = self._make_estimator() if self.estimator is None else self.estimator
        tags.input_tags.sparse = get_tags(estimator).input_tags.sparse
        return tags


class TrimmedKMeans(ClusterMixin, Estimator):
    """Clusters of the rows that are no outliers: fit, trim, and fit again.

    The estimator is fitted to all rows, the share `contamination` of them that is farthest from
    its centers is put aside, and the estimator is fitted anew to the rest, so that outliers do not
    draw the centers to them. All rows are then judged again by their distances to the new centers.
    These are the first steps of trimmed k-means [1]_.

    Parameters
    ----------
    estimator : KMeans or other clusterer with `transform`, default=None
        What is fitted (clones of it); None for a `KMeans` of 8 clusters.
    contamination : float, default=0.05
        Share of the rows of `fit` that are outliers, in (0, 0.5].

    Attributes
    ----------
    estimator_ : estimator
        As fitted the second time.
    cluster_centers_ : ndarray of shape (n_clusters, n_features)
        Its centers. To set others, set those of `estimator_`.
    labels_ : ndarray of shape (n_samples,), int64
        Cluster of each row of `fit`, -1 for outliers.
    max_distance_ : float
        Distance to the nearest center beyond which a row is an outlier: the quantile of the rows
        of `fit`.
    trimmed_share_ : float
        Share of the rows that the second fit left out. Less than `contamination` where many rows
        are equally far from their centers.
    n_features_in_ : int
        Number of features.
    feature_names_in_ : ndarray of shape (n_features_in_,)
        Names of the features, if X had any.

    See Also
    --------
    DistanceOutliers : Outliers of each cluster, by its own distances.

    References
    ----------
    .. [1] Cuesta-Albertos, J. A., Gordaliza, A. and Matran, C. (1997). Trimmed k-means: an attempt
       to robustify quantizers. Annals of Statistics, 25(2), 553-576.

    Examples
    --------
    >>> import numpy as np
    >>> from fastclust import KMeans
    >>> from fastclust.outliers import TrimmedKMeans
    >>> X = np.array([[0.0], [0.1], [0.2], [5.0], [5.1], [5.2], [5.3], [9.0]])
    >>> trimmed = TrimmedKMeans(KMeans(2, random_state=0), contamination=0.1).fit(X)
    >>> trimmed.labels_
    array([ 1,  1,  1,  0,  0,  0,  0, -1])
    """

    def __init__(self, estimator=None, *, contamination=0.05):
        self.estimator = estimator
        self.contamination = contamination

    def fit(self, X, y=None):
        """Fit the estimator to X, and again to its rows that are no outliers.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            The rows.
        y : Ignored
            Present for the API's sake.

        Returns
        -------
        self : object
            The fitted estimator. One fitted before stays as it was if this fails.

        Raises
        ------
        ValueError
            If `contamination` is not in (0, 0.5], for what the estimator does not accept, and if
            too few rows are left for it.
        """
        check_parameters(type(self).__name__, vars(self), {"contamination": [_SHARE]})
        with state_restored_on_error(self):
            coarse = (KMeans() if self.estimator is None else clone(self.estimator)).fit(X)
            _, distances = _nearest_centers(coarse, X)
            kept = distances <= np.quantile(distances, 1 - self.contamination)
            self.trimmed_share_ = float(1 - kept.mean())
            self.estimator_ = clone(coarse).fit(_taker(X)[1][np.flatnonzero(kept)])
            _take_features(self, self.estimator_)
            labels, distances = _nearest_centers(self.estimator_, X)
            self.max_distance_ = float(np.quantile(distances, 1 - self.contamination))
            self.labels_ = np.where(distances > self.max_distance_, -1, labels)
        return self

    @property
    def cluster_centers_(self):
        """Centers of `estimator_`."""
        return self.estimator_.cluster_centers_

    def predict(self, X):
        """Cluster of each row, or -1.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            The rows.

        Returns
        -------
        labels : ndarray of shape (n_samples,), int64
            The nearest center, or -1 for outliers.
        """
        check_is_fitted(self)
        labels, distances = _nearest_centers(self.estimator_, X)
        return np.where(distances > self.max_distance_, -1, labels)

    def __sklearn_tags__(self):
        """Tags that scikit-learn's checks and pipelines read."""
        tags = super().__sklearn_tags__()
        estimator = KMeans() if self.estimator is None else self.estimator
        tags.input_tags.sparse = get_tags(estimator).input_tags.sparse
        return tags
