"""KMeans, and its functions `k_means` and `kmeans_plusplus`."""

import numpy as np
import scipy.sparse
from sklearn.utils import check_array

from fastclust import _algorithms, _parameters, _validation
from fastclust._lloyd_base import LloydEstimator, fit_kmeans
from fastclust._missing import (
    MISSING_RULE,
    as_incomplete,
    check_columns,
    check_finite,
    is_incomplete,
    without_na,
)
from fastclust._parameters import integer
from fastclust._validation import FLOAT_DTYPES


class KMeans(LloydEstimator):
    """K-means clustering: scikit-learn's `KMeans`, with its answers, on SIMD kernels.

    The same `random_state` gives the same labels, iterations and centers as scikit-learn, up to
    rounding, and the same bits on any number of threads. The README lists the differences.

    Parameters
    ----------
    n_clusters : int, default=8
        Number of clusters and of centers.

    init : {'k-means++', 'k-means||', 'sample', 'random'}, callable or array-like of shape \
            (n_clusters, n_features), default='k-means++'
        First centers.

        - 'k-means++': greedy k-means++ [1]_, of several candidates in each round the one that
          lowers the inertia most. Of rows that are read in blocks it is 'k-means||', and a warning
          says so.
        - 'k-means||': centers of many candidates, which are drawn as k-means++ would, but in a few
          passes over the rows [3]_: for many clusters, or rows that are read in blocks. Not in
          scikit-learn.
        - 'sample': k-means++ on a uniform sample of the rows, of about 4 MiB or 16 rows for each
          cluster, whichever is more: the fastest start of many rows. Not in scikit-learn.
        - 'random': `n_clusters` different rows, drawn by their weights.
        - array-like: the centers themselves.
        - callable: called as ``init(X, n_clusters, random_state=random_state)`` with X less its
          mean, or a sparse X as it is (as scikit-learn calls it), without rows of weight 0;
          returns the centers.

    n_init : 'auto' or int, default='auto'
        Number of runs from different first centers, of which the best is kept. 'auto' is 1 for
        'k-means++', 'k-means||', 'sample' and arrays, 10 for 'random' and callables.

    max_iter : int, default=300
        Limit of the iterations of one run.

    tol : float, default=1e-4
        A run ends when the sum of the squared shifts of the centers is at most `tol` times the
        mean variance of the features (or when no label changes).

    verbose : int, default=0
        Print scikit-learn's lines for each iteration.

    random_state : int, RandomState instance or None, default=None
        Source of the draws of the first centers; an int makes the result reproducible.

    copy_x : bool, default=True
        Accepted for compatibility. X is never modified, whatever this says.

    algorithm : {'lloyd', 'elkan'}, default='lloyd'
        Accepted for compatibility; both give the same answer by the same code.

    oversampling_factor : float, default=2.0
        Rows that a round of 'k-means||' draws on average, for each cluster. Not in scikit-learn.

    init_rounds : int, default=5
        Number of rounds of 'k-means||'. Not in scikit-learn.

    missing : {'error', 'ignore'}, default='error'
        What NaN in dense X means. 'error': it is an error. 'ignore': the value is missing, and rows
        are clustered by the values that they have [4]_. Labels, `inertia_` and `score` then go by
        sums of squares over the values of a row, which are not scaled; `transform`, 'k-means++' and
        'k-means||' by the distances of `sklearn.metrics.pairwise.nan_euclidean_distances`, which
        are scaled by the share of the values that a row has. A center is the mean of the values
        that its rows have. Rows that become first centers have the mean of a feature for what they
        are missing. Without NaN in X all is as for 'error', to the bit. Not in scikit-learn.

    Attributes
    ----------
    cluster_centers_ : ndarray of shape (n_clusters, n_features)
        Centers of the clusters.

    labels_ : ndarray of shape (n_samples,), int32
        Label of each row; always equal to ``predict(X)``. For rows in blocks its memory may be a
        temporary file.

    inertia_ : float
        Sum of the squared distances of the rows to their centers, times their weights.

    n_iter_ : int
        Number of iterations of the best run.

    n_features_in_ : int
        Number of features seen in `fit`.

    feature_names_in_ : ndarray of shape (n_features_in_,)
        Names of the features seen in `fit`, if X has names that are all strings.

    See Also
    --------
    kmeans_plusplus : The first centers alone.
    k_means : The same as a function.

    References
    ----------
    .. [1] D. Arthur and S. Vassilvitskii, "k-means++: the advantages of careful seeding", SODA
       2007.
    .. [2] S. Lloyd, "Least squares quantization in PCM", IEEE Transactions on Information Theory
       28(2), 1982.
    .. [3] B. Bahmani, B. Moseley, A. Vattani, R. Kumar and S. Vassilvitskii, "Scalable k-means++",
       PVLDB 5(7), 2012.
    .. [4] J. T. Chi, E. C. Chi and R. G. Baraniuk, "k-POD: a method for k-means clustering of
       missing data", The American Statistician 70(1), 2016.

    Examples
    --------
    >>> from fastclust import KMeans
    >>> import numpy as np
    >>> X = np.array([[1, 2], [1, 4], [1, 0],
    ...               [10, 2], [10, 4], [10, 0]])
    >>> kmeans = KMeans(n_clusters=2, random_state=0, n_init="auto").fit(X)
    >>> kmeans.labels_
    array([1, 1, 1, 0, 0, 0], dtype=int32)
    >>> kmeans.predict([[0, 0], [12, 3]])
    array([1, 0], dtype=int32)
    >>> kmeans.cluster_centers_
    array([[10.,  2.],
           [ 1.,  2.]])
    >>> X = np.array([[1, 2], [1, np.nan], [np.nan, 3], [10, 8], [10, np.nan], [np.nan, 9]])
    >>> KMeans(n_clusters=2, random_state=0, missing="ignore").fit_predict(X)
    array([1, 1, 1, 0, 0, 0], dtype=int32)
    """

    _takes_blocks = True

    _rules = {**LloydEstimator._rules, "missing": [MISSING_RULE]}

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
        missing="error",
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
        self.missing = missing

    def fit(self, X, y=None, sample_weight=None):
        """Cluster the rows of X.

        Parameters
        ----------
        X : {array-like, sparse matrix, rows of files} of shape (n_samples, n_features)
            Rows to cluster. Anything but a C-contiguous float32 or float64 array, or a CSR matrix
            of those, is converted, which takes a copy. Rows that `open_rows` has opened, memory
            maps, and other objects that yield rows in blocks are read in blocks if they are more
            than `limit_memory` allows.

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
            For a parameter out of its range, NaN or infinity in X, fewer rows than clusters,
            negative or only zero weights. Where missing values are left out, for a row or a column
            that has no value. An estimator fitted before stays as it was.

        Warns
        -----
        ConvergenceWarning
            If X has fewer distinct rows than clusters.
        UserWarning
            If rows are read in blocks and `init` is 'k-means++', which then is 'k-means||'; if no
            row of a cluster has a feature, where its center then keeps what it had before.
        RuntimeWarning
            If `n_init` is not 1 for centers that are given, or "elkan" is for one cluster.
        """
        with _validation.state_restored_on_error(self):
            fit_kmeans(self, X, sample_weight)
        return self


_DATA_RULES = {
    "X": [_parameters.ARRAY_LIKE, _parameters.SPARSE],
    "sample_weight": [_parameters.ARRAY_LIKE, _parameters.NONE],
}
_K_MEANS_RULES = _DATA_RULES | {"return_n_iter": [_parameters.BOOLEAN[0]]}
_KMEANS_PLUSPLUS_RULES = _DATA_RULES | {
    "n_clusters": [integer(1)],
    "x_squared_norms": [_parameters.ARRAY_LIKE, _parameters.NONE],
    "random_state": _parameters.RANDOM_STATE,
    "n_local_trials": [integer(1), _parameters.NONE],
    "missing": [MISSING_RULE],
}


def k_means(
    X,
    n_clusters,
    *,
    sample_weight=None,
    init="k-means++",
    n_init="auto",
    max_iter=300,
    verbose=False,
    tol=1e-4,
    random_state=None,
    copy_x=True,
    algorithm="lloyd",
    return_n_iter=False,
    missing="error",
):
    """K-means clustering as a function; see `KMeans` for the parameters.

    Parameters
    ----------
    X : {array-like, sparse matrix} of shape (n_samples, n_features)
        Rows to cluster.
    n_clusters : int
        Number of clusters.
    sample_weight : array-like of shape (n_samples,), default=None
        Weight of each row; None for ones.
    init : {'k-means++', 'k-means||', 'sample', 'random'}, callable or array-like, \
            default='k-means++'
        First centers.
    n_init : 'auto' or int, default='auto'
        Number of runs.
    max_iter : int, default=300
        Limit of the iterations of one run.
    verbose : bool, default=False
        Print scikit-learn's lines for each iteration.
    tol : float, default=1e-4
        Tolerance, relative to the mean variance of the features.
    random_state : int, RandomState instance or None, default=None
        Source of the draws.
    copy_x : bool, default=True
        Accepted for compatibility; X is never modified.
    algorithm : {'lloyd', 'elkan'}, default='lloyd'
        Accepted for compatibility; both give the same answer.
    return_n_iter : bool, default=False
        Whether to return the number of iterations too.
    missing : {'error', 'ignore'}, default='error'
        What NaN in dense X means: an error, or a value that is missing, which is left out. Not in
        scikit-learn.

    Returns
    -------
    centroid : ndarray of shape (n_clusters, n_features)
        Centers of the clusters.
    label : ndarray of shape (n_samples,), int32
        Label of each row.
    inertia : float
        Weighted sum of the squared distances of the rows to their centers.
    best_n_iter : int
        Number of iterations; only if `return_n_iter`.

    Examples
    --------
    >>> import numpy as np
    >>> from fastclust import k_means
    >>> X = np.array([[1, 2], [1, 4], [1, 0],
    ...               [10, 2], [10, 4], [10, 0]])
    >>> centroid, label, inertia = k_means(X, n_clusters=2, random_state=0)
    >>> label
    array([1, 1, 1, 0, 0, 0], dtype=int32)
    >>> inertia
    16.0
    """
    options = {
        "init": init, "n_init": n_init, "max_iter": max_iter, "tol": tol, "verbose": verbose,
        "random_state": random_state, "copy_x": copy_x, "algorithm": algorithm, "missing": missing,
    }  # fmt: skip
    data = {"X": X, "sample_weight": sample_weight, "return_n_iter": return_n_iter}
    _parameters.check_parameters("k_means", data, _K_MEANS_RULES)
    parameters = {"n_clusters": n_clusters} | options
    rules = {name: KMeans._rules[name] for name in parameters}
    _parameters.check_parameters("k_means", parameters, rules)
    kmeans = KMeans(n_clusters, **options).fit(X, sample_weight=sample_weight)
    result = kmeans.cluster_centers_, kmeans.labels_, kmeans.inertia_
    return (*result, kmeans.n_iter_) if return_n_iter else result


def kmeans_plusplus(
    X,
    n_clusters,
    *,
    sample_weight=None,
    x_squared_norms=None,
    random_state=None,
    n_local_trials=None,
    missing="error",
):
    """First centers by greedy k-means++.

    Parameters
    ----------
    X : {array-like, sparse matrix} of shape (n_samples, n_features)
        Rows to draw the centers from.
    n_clusters : int
        Number of centers.
    sample_weight : array-like of shape (n_samples,), default=None
        Weight of each row; None for ones.
    x_squared_norms : array-like of shape (n_samples,), default=None
        Accepted for compatibility and checked for its length; it is not needed.
    random_state : int, RandomState instance or None, default=None
        Source of the draws.
    n_local_trials : int, default=None
        Candidates in each round, of which the best is taken; 2 + log(n_clusters) by default.
    missing : {'error', 'ignore'}, default='error'
        What NaN in dense X means: an error, or a value that is missing. The draws then go by the
        distances of `sklearn.metrics.pairwise.nan_euclidean_distances`. Not in scikit-learn.

    Returns
    -------
    centers : ndarray of shape (n_clusters, n_features)
        The centers. For what a row is missing they have the mean of the feature (the median, where
        a few huge values have dragged the mean away).
    indices : ndarray of shape (n_clusters,)
        Their rows: ``X[indices] == centers``, but for what is missing.

    Raises
    ------
    ValueError
        For a parameter out of its range, NaN or infinity in X, fewer rows than clusters, negative
        or only zero weights. Where values may be missing, for a row or a column that has none.

    References
    ----------
    D. Arthur and S. Vassilvitskii, "k-means++: the advantages of careful seeding", SODA 2007.

    Examples
    --------
    >>> from fastclust import kmeans_plusplus
    >>> import numpy as np
    >>> X = np.array([[1, 2], [1, 4], [1, 0],
    ...               [10, 2], [10, 4], [10, 0]])
    >>> centers, indices = kmeans_plusplus(X, n_clusters=2, random_state=0)
    >>> centers
    array([[10,  2],
           [ 1,  0]])
    >>> indices
    array([3, 2])
    """
    parameters = {
        "X": X, "n_clusters": n_clusters, "sample_weight": sample_weight,
        "x_squared_norms": x_squared_norms, "random_state": random_state,
        "n_local_trials": n_local_trials, "missing": missing,
    }  # fmt: skip
    _parameters.check_parameters("kmeans_plusplus", parameters, _KMEANS_PLUSPLUS_RULES)
    may_miss = missing == "ignore"
    ensure_all_finite = "allow-nan" if may_miss else True
    checks = {"accept_sparse": "csr", "order": "C", "ensure_all_finite": ensure_all_finite}
    X = check_array(without_na(X) if may_miss else X, dtype=None, **checks)
    X = _validation.narrow_csr(X) if scipy.sparse.issparse(X) else X
    rows_X = check_array(X, dtype=FLOAT_DTYPES, **checks)
    if scipy.sparse.issparse(X):
        check_finite(X)  # sparse rows miss nothing
    elif may_miss:
        rows_X = as_incomplete(rows_X)
        check_columns(rows_X)
    sample_weight, _ = _validation.check_relative_weight(sample_weight, rows_X)
    _validation.check_enough_samples(X, n_clusters)
    if x_squared_norms is not None:
        x_squared_norms = check_array(x_squared_norms, dtype=rows_X.dtype, ensure_2d=False)
        if len(x_squared_norms) != X.shape[0]:
            raise ValueError(
                f"The length of x_squared_norms {len(x_squared_norms)} should "
                f"be equal to the length of n_samples {X.shape[0]}."
            )
    random_state = _validation.check_random_state(random_state)
    mean = _algorithms.rows.origin.find_mean(rows_X)
    in_range = _algorithms.rows.source.pack_for_distances(rows_X, sample_weight, mean)
    n_local_trials = None if n_local_trials is None else int(n_local_trials)
    indices = _algorithms.kmeans.seeding.run_kmeans_plusplus(
        in_range.rows, int(n_clusters), sample_weight, random_state, n_local_trials
    )
    centers = X[indices]
    if is_incomplete(rows_X):
        _, filling = in_range.place_back(np.zeros_like(mean), rows_X.dtype)
        centers = np.where(np.isnan(rows_X.values[indices]), filling, centers)
    return centers.toarray() if scipy.sparse.issparse(X) else centers, indices
