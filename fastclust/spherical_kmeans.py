"""SphericalKMeans: k-means by cosine."""

from fastclust import _algorithms, _validation
from fastclust._lloyd_base import LloydEstimator, fit_kmeans


class SphericalKMeans(LloydEstimator):
    """Spherical k-means: rows are clustered by their direction, as for text or embeddings.

    The distance of two rows is 1 - cos of the angle between them. So rows count as if divided by
    their length, and a center is the direction of the mean of its rows so divided: of all unit
    vectors the one whose cosines with them have the largest sum [1]_.

    It is `KMeans` on rows of length 1, where 1 - cos is half of the squared Euclidean distance,
    with centers that are divided by their length in each iteration. It has the same draws, and the
    same bits on any number of threads. A positive factor of a row, or of all, changes nothing; a
    power of two changes no bit.

    Parameters
    ----------
    n_clusters : int, default=8
        Number of clusters and of centers.

    init : {'k-means++', 'k-means||', 'sample', 'random'}, callable or array-like of shape \
            (n_clusters, n_features), default='k-means++'
        First centers.

        - 'k-means++': greedy k-means++ by 1 - cos [2]_, of several candidates in each round the one
          that lowers the inertia most. Of rows that are read in blocks it is 'k-means||', and a
          warning says so.
        - 'k-means||': centers of many candidates, which are drawn as k-means++ would, but in a few
          passes over the rows [3]_: for many clusters or rows. Not in scikit-learn.
        - 'sample': k-means++ on a uniform sample of the rows, of about 4 MiB or 16 rows for each
          cluster, whichever is more: the fastest start of many rows. Not in scikit-learn.
        - 'random': `n_clusters` different rows, drawn by their weights.
        - array-like: the centers themselves; they are divided by their lengths.
        - callable: called as ``init(X, n_clusters, random_state=random_state)`` with the rows of X
          divided by their lengths, without those of weight 0; returns such centers.

    n_init : 'auto' or int, default='auto'
        Number of runs from different first centers, of which the best is kept. 'auto' is 1 for
        'k-means++', 'k-means||', 'sample' and arrays, 10 for 'random' and callables.

    max_iter : int, default=300
        Limit of the iterations of one run.

    tol : float, default=1e-4
        A run ends when the sum of the squared shifts of the centers is at most `tol` times the
        mean variance of the features of the rows divided by their lengths (or when no label
        changes).

    verbose : int, default=0
        Print a line for each iteration.

    random_state : int, RandomState instance or None, default=None
        Source of the draws of the first centers; an int makes the result reproducible.

    copy_x : bool, default=True
        Accepted for compatibility with `KMeans`. X is never modified, whatever this says.

    algorithm : {'lloyd', 'elkan'}, default='lloyd'
        Accepted for compatibility with `KMeans`; both give the same answer by the same code.

    oversampling_factor : float, default=2.0
        Rows that a round of 'k-means||' draws on average, for each cluster. Not in scikit-learn.

    init_rounds : int, default=5
        Number of rounds of 'k-means||'. Not in scikit-learn.

    Attributes
    ----------
    cluster_centers_ : ndarray of shape (n_clusters, n_features)
        Centers of the clusters, of length 1.

    labels_ : ndarray of shape (n_samples,), int32
        Label of each row; always equal to ``predict(X)``. For rows in blocks its memory may be a
        temporary file.

    inertia_ : float
        Sum of 1 - cos of the rows and their centers, times their weights.

    n_iter_ : int
        Number of iterations of the best run.

    n_features_in_ : int
        Number of features seen in `fit`.

    feature_names_in_ : ndarray of shape (n_features_in_,)
        Names of the features seen in `fit`, if X has names that are all strings.

    See Also
    --------
    KMeans : The same by Euclidean distance.

    Notes
    -----
    A row of zeros has no direction: fits and predictions refuse it. A center whose rows add up to
    zero, so that all directions are as good, stays where it is. A cluster that has lost its rows
    moves to the row that is farthest from its center, as in `KMeans`.

    References
    ----------
    .. [1] I. S. Dhillon and D. S. Modha, "Concept decompositions for large sparse text data using
       clustering", Machine Learning 42, 2001.
    .. [2] D. Arthur and S. Vassilvitskii, "k-means++: the advantages of careful seeding", SODA
       2007.
    .. [3] B. Bahmani, B. Moseley, A. Vattani, R. Kumar and S. Vassilvitskii, "Scalable k-means++",
       Proceedings of the VLDB Endowment 5(7), 2012.

    Examples
    --------
    >>> from fastclust import SphericalKMeans
    >>> import numpy as np
    >>> X = np.array([[1.0, 0.1], [9.0, 1.0], [0.2, 1.0], [0.3, 4.0]])
    >>> kmeans = SphericalKMeans(n_clusters=2, random_state=0).fit(X)
    >>> kmeans.labels_[0] == kmeans.labels_[1] != kmeans.labels_[2] == kmeans.labels_[3]
    np.True_
    >>> bool(kmeans.predict([[50.0, 1.0]]) == kmeans.labels_[:1])
    True
    >>> np.linalg.norm(kmeans.cluster_centers_, axis=1).round(12)
    array([1., 1.])
    """

    _unit = True
    _takes_blocks = True

    def __init__(
        self,
        n_clusters=8,
        *,
        init="k-means++",
        n_init="auto",
        max_iter=300,
        tol=1e-4,
        verbose=0,
        random_state=None,
        copy_x=True,
        algorithm="lloyd",
        oversampling_factor=2.0,
        init_rounds=5,
    ):
        self.n_clusters = n_clusters
        self.init = init
        self.n_init = n_init
        self.max_iter = max_iter
        self.tol = tol
        self.verbose = verbose
        self.random_state = random_state
        self.copy_x = copy_x
        self.algorithm = algorithm
        self.oversampling_factor = oversampling_factor
        self.init_rounds = init_rounds

    def fit(self, X, y=None, sample_weight=None):
        """Cluster the rows of X by their directions.

        Parameters
        ----------
        X : {array-like, sparse matrix, rows of files} of shape (n_samples, n_features)
            Rows to cluster, of any length but 0. Anything but a C-contiguous float32 or float64
            array, or a CSR matrix of those, is converted, which takes a copy. Of a CSR matrix the
            values are copied. Rows that `open_rows` has opened, memory maps, and other objects
            that yield rows in blocks are read in blocks if they are more than `limit_memory`
            allows.

        y : Ignored
            Present for the API's sake.

        sample_weight : array-like of shape (n_samples,), default=None
            Weight of each row; None for ones. Not used by an `init` that is an array or callable.

        Returns
        -------
        self : object
            The fitted estimator.

        Raises
        ------
        ValueError
            For a parameter out of its range, rows of zeros, NaN or infinity in X, fewer rows than
            clusters, negative or only zero weights. An estimator fitted before stays as it was.

        Warns
        -----
        ConvergenceWarning
            If X has fewer distinct directions than clusters.
        UserWarning
            If rows are read in blocks and `init` is 'k-means++', which then is 'k-means||'.
        RuntimeWarning
            If `n_init` is not 1 for centers that are given, or "elkan" is for one cluster.
        """
        with _validation.state_restored_on_error(self):
            fit_kmeans(self, X, sample_weight)
        return self

    def transform(self, X):
        """Cosine distances of the rows to the centers.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            New rows.

        Returns
        -------
        X_new : ndarray of shape (n_samples, n_clusters)
            1 - cos of the angle between each row and each center, from 0 to 2. Small ones are
            computed without cancellation, as half of the squared distance of unit vectors.
        """
        inference = _algorithms.kmeans.inference
        return inference.transform_to_distances(*self._check_test_data(X), unit=True)
