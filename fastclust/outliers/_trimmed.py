"""K-means that puts outliers aside."""

import numpy as np
from sklearn.base import ClusterMixin, clone
from sklearn.utils.validation import check_is_fitted

from fastclust._parameters import check_parameters
from fastclust._validation import Estimator, state_restored_on_error
from fastclust.kmeans import KMeans
from fastclust.outliers._fitted import SHARE, nearest_centers, take_features, take_input_tags, taker


class TrimmedKMeans(ClusterMixin, Estimator):
    """Clusters of the rows that are no outliers: fit, trim, and fit again.

    The estimator is fitted to all rows, the share `contamination` of them that is farthest from
    its centers is put aside, and the estimator is fitted anew to the rest, so that outliers do not
    draw the centers to them. All rows are then judged again by their distances to the new centers.
    These are the first steps of trimmed k-means [1]_. If the estimator has ``missing="ignore"``,
    NaN in a row stands for a missing value, and distances are scaled by how many values it has.

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
        check_parameters(type(self).__name__, vars(self), {"contamination": [SHARE]})
        with state_restored_on_error(self):
            coarse = (KMeans() if self.estimator is None else clone(self.estimator)).fit(X)
            _, distances = nearest_centers(coarse, X)
            kept = distances <= np.quantile(distances, 1 - self.contamination)
            self.trimmed_share_ = float(1 - kept.mean())
            self.estimator_ = clone(coarse).fit(taker(X)[1][np.flatnonzero(kept)])
            take_features(self, self.estimator_)
            labels, distances = nearest_centers(self.estimator_, X)
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
        labels, distances = nearest_centers(self.estimator_, X)
        return np.where(distances > self.max_distance_, -1, labels)

    def __sklearn_tags__(self):
        """Tags that scikit-learn's checks and pipelines read."""
        estimator = KMeans() if self.estimator is None else self.estimator
        return take_input_tags(super().__sklearn_tags__(), estimator)
