"""BisectingKMeans."""

import numpy as np
import scipy.sparse
from sklearn.utils.validation import check_is_fitted

from fastclust import _algorithms, _parameters, _validation
from fastclust._kmeans_base import CenterEstimator, called_starts, drawn_starts, iteration_line_end
from fastclust._parameters import integer, one_of


class BisectingKMeans(CenterEstimator):
    """Bisecting k-means: scikit-learn's `BisectingKMeans`, with its answers, on SIMD kernels.

    All rows are one cluster at first. Then the greatest cluster is split in two by k-means [1]_,
    until there are `n_clusters`. The same `random_state` gives the same labels and centers as
    scikit-learn, up to rounding, and the same bits on any number of threads. The README lists the
    differences.

    Parameters
    ----------
    n_clusters : int, default=8
        Number of clusters.

    init : {'k-means++', 'random'} or callable, default='random'
        First two centers of each split.

        - 'k-means++': greedy k-means++ on the rows of the cluster that is split.
        - 'random': two different ones of its rows, drawn by their weights.
        - callable: called as ``init(X, 2, random_state=random_state)`` with the rows of the cluster
          less the mean of all rows, or sparse rows as they are (as scikit-learn calls it), without
          rows of weight 0; returns two centers.

    n_init : int, default=1
        Number of runs from different first centers for each split, of which the best is kept.

    random_state : int, RandomState instance or None, default=None
        Source of the draws of the first centers; an int makes the result reproducible.

    max_iter : int, default=300
        Limit of the iterations of one run.

    verbose : int, default=0
        Print scikit-learn's lines for each iteration and each split.

    tol : float, default=1e-4
        A run ends when the sum of the squared shifts of both centers is at most `tol` (or when no
        label changes). It is not relative to the variance as that of `KMeans`, but in the units of
        X, squared.

    copy_x : bool, default=True
        Accepted for compatibility. X is never modified, whatever this says.

    algorithm : {'lloyd', 'elkan'}, default='lloyd'
        Accepted for compatibility; both give the same answer by the same code.

    bisecting_strategy : {'biggest_inertia', 'largest_cluster'}, default='biggest_inertia'
        Which cluster is split next: that of the largest inertia, or that of the most rows. Among
        equals it is the one with the lowest label.

    Attributes
    ----------
    cluster_centers_ : ndarray of shape (n_clusters, n_features)
        Centers of the clusters.

    labels_ : ndarray of shape (n_samples,), int32
        Label of each row; always equal to ``predict(X)``.

    inertia_ : float
        Sum of the squared distances of the rows to the centers of their labels, times their
        weights.

    n_features_in_ : int
        Number of features seen in `fit`.

    feature_names_in_ : ndarray of shape (n_features_in_,)
        Names of the features seen in `fit`, if X has names that are all strings.

    See Also
    --------
    KMeans : K-means with all centers at once.

    References
    ----------
    .. [1] M. Steinbach, G. Karypis and V. Kumar, "A comparison of document clustering techniques",
       KDD workshop on text mining, 2000.

    Examples
    --------
    >>> from fastclust import BisectingKMeans
    >>> import numpy as np
    >>> X = np.array([[1, 1], [10, 1], [3, 1],
    ...               [10, 0], [2, 1], [10, 2],
    ...               [10, 8], [10, 9], [10, 10]])
    >>> bisecting = BisectingKMeans(n_clusters=3, random_state=0).fit(X)
    >>> bisecting.labels_
    array([0, 2, 0, 2, 0, 2, 1, 1, 1], dtype=int32)
    >>> bisecting.predict([[0, 0], [12, 3]])
    array([0, 2], dtype=int32)
    >>> bisecting.cluster_centers_
    array([[ 2.,  1.],
           [10.,  9.],
           [10.,  1.]])
    """

    _rules = {
        "n_clusters": [integer(1)],
        "init": [one_of("k-means++", "random"), _parameters.CALLABLE],
        "n_init": [integer(1)],
        "max_iter": [integer(1)],
        "tol": [_parameters.non_negative_float()],
        "verbose": _parameters.VERBOSE,
        "random_state": _parameters.RANDOM_STATE,
        "copy_x": _parameters.BOOLEAN,
        "algorithm": [one_of("lloyd", "elkan")],
        "bisecting_strategy": [one_of("biggest_inertia", "largest_cluster")],
    }

    def __init__(
        self,
        n_clusters=8,
        *,
        init="random",
        n_init=1,
        random_state=None,
        max_iter=300,
        verbose=0,
        tol=1e-4,
        copy_x=True,
        algorithm="lloyd",
        bisecting_strategy="biggest_inertia",
    ):
        self.n_clusters = n_clusters
        self.init = init
        self.n_init = n_init
        self.random_state = random_state
        self.max_iter = max_iter
        self.verbose = verbose
        self.tol = tol
        self.copy_x = copy_x
        self.algorithm = algorithm
        self.bisecting_strategy = bisecting_strategy

    def fit(self, X, y=None, sample_weight=None):
        """Cluster the rows of X.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Rows to cluster. Anything but a C-contiguous float32 or float64 array, or a CSR matrix
            of those, is converted, which takes a copy.

        y : Ignored
            Present for the API's sake.

        sample_weight : array-like of shape (n_samples,), default=None
            Weight of each row; None for ones. Not used by an `init` that is a callable.

        Returns
        -------
        self : object
            The fitted estimator.

        Raises
        ------
        ValueError
            For a parameter out of its range, NaN or infinity in X, fewer rows than clusters,
            negative or only zero weights. An estimator fitted before stays as it was.
        """
        with _validation.state_restored_on_error(self):
            self._fit(X, sample_weight)
        return self

    def _fit(self, X, sample_weight):
        """Check, run the algorithm, set the attributes; an error leaves them half set."""
        _parameters.check_parameters(type(self).__name__, vars(self), self._rules)
        X, mean, sample_weight, exponent, all_rows = self._check_fit_rows(X, sample_weight)
        random_state = _validation.check_random_state(self.random_state)
        bisecting = _algorithms.kmeans.bisecting
        options = bisecting.BisectingOptions(
            n_clusters=int(self.n_clusters),  # NumPy's integers may be too narrow for products
            by_inertia=self.bisecting_strategy == "biggest_inertia",
            n_init=int(self.n_init),
            lloyd=_algorithms.kmeans.lloyd.LloydOptions(
                max_iter=int(self.max_iter),
                tol=float(self.tol),
                verbose=self.verbose,
                line_end=iteration_line_end(self),
            ),
        )
        result = bisecting.run_bisecting(
            X,
            sample_weight,
            mean,
            self._split_starts(X, random_state),
            options,
            exponent,
        )
        self.cluster_centers_, self.labels_, self.inertia_, self._tree = result
        self._origin = (*result.tree.origins, result.centers[0])[0]  # of the first split, if any
        if all_rows is not X:
            self.labels_ = bisecting.predict_labels(all_rows, result.tree)

    def _split_starts(self, X, random_state):
        """Return the `starts` of `run_bisecting`."""

        def starts(rows, exponent, numbers, sample_weight, mean):
            if isinstance(self.init, str):
                return drawn_starts(self.init, rows, 2, sample_weight, random_state)
            part, scaled = X if numbers is None else X[numbers], _algorithms.rows.scale.scaled
            in_range = _algorithms.rows.source.RowsInRange(rows, part, mean, exponent)
            offset = scaled(mean.astype(rows.dtype), -exponent)
            if not scipy.sparse.issparse(X):
                part = part - mean
            return called_starts(
                self.init, part, 2, random_state, lambda centers: in_range.place(centers, offset)
            )

        return starts

    def predict(self, X):
        """Cluster of each row, found from the root of the tree down.

        At each split a row goes to the side whose center is nearer. So the center of its cluster
        need not be the nearest of all.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            New rows.

        Returns
        -------
        labels : ndarray of shape (n_samples,), int32
            Index of the cluster of each row.
        """
        check_is_fitted(self, ["cluster_centers_", "_tree"])
        X, centers, _ = self._check_test_data(X)
        tree, dtype = self._tree, centers.dtype
        is_sparse = scipy.sparse.issparse(X)
        origins = np.zeros_like(tree.origins) if is_sparse else tree.origins
        tree = tree._replace(
            centers=tree.centers.astype(dtype, copy=False),
            origins=origins.astype(dtype, copy=False),
        )
        return _algorithms.kmeans.bisecting.predict_labels(X, tree)


def tree_of(bisecting):
    """Tree of a fitted estimator: `centers`, `origins` and `children`, each an array."""
    return bisecting._tree


def set_tree(bisecting, centers, origins, children):
    """Give an estimator that was put together from its attributes the tree of its fit.

    Raises
    ------
    ValueError
        If the children are not those of a tree with a leaf for each label.
    """
    tree = _algorithms.kmeans.bisecting.Tree(centers, origins, children)
    _algorithms.kmeans.bisecting.check_children(tree.children)
    bisecting._tree = tree
