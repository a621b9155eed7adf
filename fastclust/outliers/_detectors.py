"""Detectors that learn from rows what is usual: a density, or a distance to the nearest center."""

import numpy as np
from sklearn.base import OutlierMixin, clone
from sklearn.utils.validation import check_is_fitted

from fastclust._parameters import check_parameters
from fastclust._validation import Estimator, state_restored_on_error
from fastclust.gaussian_mixture import GaussianMixture
from fastclust.kmeans import KMeans
from fastclust.outliers._fitted import SHARE, nearest_centers, take_features, take_input_tags, taker


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
        rules = {"contamination": [SHARE]}
        check_parameters(type(self).__name__, vars(self), rules)
        with state_restored_on_error(self):
            made = self._make_estimator() if self.estimator is None else clone(self.estimator)
            self.estimator_ = made.fit(X)
            take_features(self, made)
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

    def __sklearn_tags__(self):
        """Tags that scikit-learn's checks and pipelines read."""
        estimator = self._make_estimator() if self.estimator is None else self.estimator
        return take_input_tags(super().__sklearn_tags__(), estimator)


class DensityOutliers(_Outliers):
    """Outliers are the rows of low density under a mixture.

    If the mixture has ``missing="ignore"``, NaN in a row stands for a missing value. Its density is
    then that of the values that it has, which is larger the fewer they are, as a rule: rows that
    miss much are seldom outliers.

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
    `contamination` of its rows exceed. If the estimator has ``missing="ignore"``, NaN in a row
    stands for a missing value, and distances are scaled by how many values the row has.

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
        labels, distances = nearest_centers(self.estimator_, X)
        n_clusters = self.estimator_.transform(taker(X)[1][slice(1)]).shape[1]
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
        labels, distances = nearest_centers(self.estimator_, X)
        typical = self.typical_distances_[labels]
        with np.errstate(divide="ignore", invalid="ignore"):
            return -np.where(distances == 0, 0.0, distances / typical)
