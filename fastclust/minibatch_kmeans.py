"""MiniBatchKMeans."""

import math

import numpy as np

from fastclust import _algorithms, _block_rows, _parameters, _validation
from fastclust._kmeans_base import CenterEstimator, warn_of_unobserved
from fastclust._missing import MISSING_RULE, is_incomplete
from fastclust._parameters import integer, non_negative_float, one_of

PASSES = (
    "one for their mean, one for the rows of each start, one for the rows by which starts are "
    "compared, one for up to {:,} batches, one for the labels"
)
"""Those over rows in blocks, for `verbose`."""


class MiniBatchKMeans(CenterEstimator):
    """Mini-batch k-means: scikit-learn's `MiniBatchKMeans`, with its answers, on SIMD kernels.

    Each step looks at a batch of rows only, so that the centers of many rows are found long before
    all of them have been seen. The same `random_state` gives the same batches, steps, labels and
    centers as scikit-learn, up to rounding, and the same bits on any number of threads. The README
    lists the differences.

    Parameters
    ----------
    n_clusters : int, default=8
        Number of clusters and of centers.

    init : {'k-means++', 'random'}, callable or array-like of shape \
            (n_clusters, n_features), default='k-means++'
        First centers, of `init_size` rows; see `KMeans`. A callable gets the rows as they are; it
        is not for rows that are read in blocks.

    max_iter : int, default=100
        Limit of the rows seen, in multiples of `n_samples`.

    batch_size : int, default=1024
        Rows in a batch.

    verbose : int, default=0
        Print scikit-learn's lines for each step.

    compute_labels : bool, default=True
        Compute the labels and the inertia of all rows in the end.

    random_state : int, RandomState instance or None, default=None
        Source of the draws of batches, first centers and rows that centers are moved to; an int
        makes the result reproducible.

    tol : float, default=0.0
        A fit ends when the sum of the squared shifts of the centers is at most `tol` times the
        mean variance of the features; never, if it is 0.

    max_no_improvement : int, default=10
        A fit ends after so many steps in which the smoothed inertia of the batches has not reached
        a new minimum; None for never.

    init_size : int, default=None
        Rows drawn for the first centers, and again for their comparison; 3 * `batch_size`, or
        3 * `n_clusters` if that is less than `n_clusters`.

    n_init : 'auto' or int, default='auto'
        Number of first centers that are tried; those of the smallest inertia are taken. 'auto' is
        1 for 'k-means++' and arrays, 3 for 'random' and callables.

    reassignment_ratio : float, default=0.01
        A center that has had less than this share of the rows of the center with the most is moved
        to a row of the batch.

    missing : {'error', 'ignore'}, default='error'
        What NaN in dense X means, as in `KMeans`. With 'ignore' each feature of a center is the
        mean of the values that its rows had, and counts these. A center that is moved to a row
        keeps its own value where the row has none, until another row of it has one. Not in
        scikit-learn.

    Attributes
    ----------
    cluster_centers_ : ndarray of shape (n_clusters, n_features)
        Centers of the clusters.

    labels_ : ndarray of shape (n_samples,), int32
        Label of each row, equal to ``predict(X)``; only if `compute_labels`. For rows in blocks its
        memory may be a temporary file.

    inertia_ : float
        Sum of the squared distances of the rows to their centers, times their weights; without
        `compute_labels`, an estimate from the last batches.

    n_iter_ : int
        Number of times that as many rows as X has were seen, rounded up.

    n_steps_ : int
        Number of batches.

    n_features_in_ : int
        Number of features seen in `fit`.

    feature_names_in_ : ndarray of shape (n_features_in_,)
        Names of the features seen in `fit`, if X has names that are all strings.

    See Also
    --------
    KMeans : All rows in each iteration.

    References
    ----------
    .. [1] D. Sculley, "Web-scale k-means clustering", WWW 2010, algorithm 1.

    Examples
    --------
    >>> from fastclust import MiniBatchKMeans
    >>> import numpy as np
    >>> X = np.array([[1, 2], [1, 4], [1, 0],
    ...               [10, 2], [10, 4], [10, 0]])
    >>> kmeans = MiniBatchKMeans(n_clusters=2, random_state=0, batch_size=6, max_iter=10).fit(X)
    >>> kmeans.predict([[0, 0], [12, 3]])
    array([1, 0], dtype=int32)
    >>> kmeans = MiniBatchKMeans(n_clusters=2, random_state=0)
    >>> kmeans.partial_fit(X[:4]).partial_fit(X[4:]).n_steps_
    2
    """

    _takes_blocks = True

    _rules = {
        "n_clusters": [integer(1)],
        "init": [one_of("k-means++", "random"), _parameters.CALLABLE, _parameters.ARRAY_LIKE],
        "max_iter": [integer(1)],
        "batch_size": [integer(1)],
        "verbose": _parameters.VERBOSE,
        "compute_labels": _parameters.BOOLEAN,
        "random_state": _parameters.RANDOM_STATE,
        "tol": [non_negative_float()],
        "max_no_improvement": [integer(0), _parameters.NONE],
        "init_size": [integer(1), _parameters.NONE],
        "n_init": [one_of("auto"), integer(1)],
        "reassignment_ratio": [non_negative_float()],
        "missing": [MISSING_RULE],
    }

    def __init__(
        self,
        n_clusters=8,
        *,
        init="k-means++",
        max_iter=100,
        batch_size=1024,
        verbose=0,
        compute_labels=True,
        random_state=None,
        tol=0.0,
        max_no_improvement=10,
        init_size=None,
        n_init="auto",
        reassignment_ratio=0.01,
        missing="error",
    ):
        self.n_clusters = n_clusters
        self.init = init
        self.max_iter = max_iter
        self.batch_size = batch_size
        self.verbose = verbose
        self.compute_labels = compute_labels
        self.random_state = random_state
        self.tol = tol
        self.max_no_improvement = max_no_improvement
        self.init_size = init_size
        self.n_init = n_init
        self.reassignment_ratio = reassignment_ratio
        self.missing = missing

    def fit(self, X, y=None, sample_weight=None):
        """Find centers by batches of rows of X.

        Parameters
        ----------
        X : {array-like, sparse matrix, rows of files} of shape (n_samples, n_features)
            Rows to cluster. Anything but a C-contiguous float32 or float64 array, or a CSR matrix
            of those, is converted, which takes a copy. Rows that `open_rows` has opened, memory
            maps, and other objects that yield rows in blocks are read in blocks if they are more
            than `limit_memory` allows: the rows of many batches in each pass.

        y : Ignored
            Present for the API's sake.

        sample_weight : array-like of shape (n_samples,), default=None
            Weight of each row, by which it is drawn; None for ones.

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
        RuntimeWarning
            If `n_init` is not 1 for centers that are given, or `init_size` is too small.
        UserWarning
            If no row of a cluster had a feature, where its center then keeps what it had before.
        """
        with _validation.state_restored_on_error(self):
            _parameters.check_parameters(type(self).__name__, vars(self), self._rules)
            self._fit(X, sample_weight)
        return self

    def _fit(self, X, sample_weight):
        """Check, run the algorithm, set the attributes; an error leaves them half set."""
        X, mean = self._check_rows(X)
        n_samples, k = X.shape[0], int(self.n_clusters)
        _validation.check_enough_samples(X, k)
        n_init = self._checked_n_init(3, _validation.warn_user)
        batch_size, init_size = self._check_sizes(n_samples)
        random_state = _validation.check_random_state(self.random_state)
        sample_weight, exponent = _validation.check_relative_weight(sample_weight, X)
        in_range = _algorithms.rows.source.open_batches(X, mean)
        if self.verbose and _block_rows.is_in_blocks(X):
            at_once = in_range.rows.steps_at_once(batch_size)
            _block_rows.tell_of_blocks(in_range.rows.blocks, PASSES.format(at_once))
        minibatch, minibatch_start = (
            _algorithms.kmeans.minibatch,
            _algorithms.kmeans.minibatch_start,
        )
        centers = minibatch_start.find_best_start(
            in_range,
            sample_weight,
            random_state,
            minibatch_start.StartMethod(self._start_drawer, self.init, init_size),
            n_init,
            weight_exponent=exponent,
            verbose=self.verbose,
        )
        weights = sample_weight
        if weights is None:
            weights = np.broadcast_to(X.dtype.type(1), n_samples)
        options = minibatch.MiniBatchOptions(
            batch_size=batch_size,
            n_steps=int(self.max_iter) * n_samples // batch_size,
            tol=self._tolerance(in_range),
            max_no_improvement=self.max_no_improvement,
            reassignment_ratio=self.reassignment_ratio,
            verbose=self.verbose,
        )
        result = minibatch.run_minibatch(
            in_range.rows, centers, weights, random_state, options, in_range.exponent
        )
        self._batch_size = batch_size
        self.n_steps_ = result.n_steps
        self.n_iter_ = math.ceil(result.n_steps * batch_size / n_samples)
        result.state.centers, origin = in_range.place_back(result.state.centers, X.dtype)
        self._set_state(result.state, origin)
        if self.compute_labels:
            self._label(X, sample_weight, exponent)
        else:
            self.__dict__.pop("labels_", None)  # those of another fit
            inertia = result.mean_inertia * float(weights.sum(dtype=np.float64))
            units = _algorithms.rows.scale.Units(in_range.exponent, exponent)
            self.inertia_ = units.inertia_of_X(inertia)

    def partial_fit(self, X, y=None, sample_weight=None):
        """Move the centers by one batch: all rows of X.

        The first call makes the first centers.

        Parameters
        ----------
        X : {array-like, sparse matrix, rows of files} of shape (n_samples, n_features)
            Rows of the batch. Those that `fit` would read in blocks are read so here too: one step
            with all of them.

        y : Ignored
            Present for the API's sake.

        sample_weight : array-like of shape (n_samples,), default=None
            Weight of each row; None for ones.

        Returns
        -------
        self : object
            The estimator.

        Raises
        ------
        ValueError
            As `fit`. The estimator stays as it was.
        """
        with _validation.state_restored_on_error(self):
            _parameters.check_parameters(type(self).__name__, vars(self), self._rules)
            self._fit_batch(X, sample_weight)
        return self

    def _fit_batch(self, X, sample_weight):
        """Check a batch, run a step, set the attributes; an error leaves them half set."""
        rows_origin = _algorithms.rows.origin
        if not hasattr(self, "_random_state"):
            self._random_state = _validation.check_random_state(self.random_state)
        if hasattr(self, "cluster_centers_"):
            X, centers, _ = self._check_test_data(X)
            sample_weight = _validation.check_sample_weight(sample_weight, X)
            origin = rows_origin.find_origin(X, rows_origin.find_mean(X))
        else:
            X, mean = self._check_rows(X)
            sample_weight = _validation.check_sample_weight(sample_weight, X)
            centers, origin = self._first_centers(X, mean, sample_weight)
        counts, n_since_reassigned, feature_counts = self._rows_had(len(centers))
        if is_incomplete(X) and feature_counts is None:  # none was missing before
            feature_counts = np.repeat(counts[:, np.newaxis], X.shape[1], axis=1)
        state = _algorithms.kmeans.minibatch.MiniBatchState(
            centers, counts, n_since_reassigned, feature_counts
        )
        _algorithms.kmeans.minibatch.run_step(
            state,
            X,
            origin,
            sample_weight,
            self._random_state,
            batch_size=getattr(self, "_batch_size", self.batch_size),
            reassignment_ratio=self.reassignment_ratio,
            verbose=self.verbose,
        )
        self._set_state(state, origin)
        self.n_steps_ = getattr(self, "n_steps_", 0) + 1
        if self.compute_labels:
            self._label(X, sample_weight)

    def _first_centers(self, X, mean, sample_weight):
        """First centers of `partial_fit`, and what is subtracted from them and from the rows."""
        _validation.check_enough_samples(X, self.n_clusters)
        self._checked_n_init(3, _validation.warn_user)
        self._batch_size, init_size = self._check_sizes(X.shape[0])
        in_range = _algorithms.rows.source.open_batches(X, mean)
        start = _algorithms.kmeans.minibatch_start
        method = start.StartMethod(self._start_drawer, self.init, init_size)
        centers = start.draw_centers(in_range, sample_weight, self._random_state, method)
        return in_range.place_back(centers, X.dtype)

    def _check_sizes(self, n_samples):
        """Rows of a batch, and rows that first centers are made of."""
        k, batch_size = int(self.n_clusters), min(int(self.batch_size), n_samples)
        init_size = 3 * batch_size if self.init_size is None else int(self.init_size)
        if init_size < k:
            if self.init_size is not None:
                text = (
                    f"init_size={init_size} should be larger than n_clusters={k}. Setting it to "
                    "min(3*n_clusters, n_samples)"
                )
                _validation.warn_user(RuntimeWarning(text))
            init_size = 3 * k
        return batch_size, min(init_size, n_samples)

    def _set_state(self, state, origin):
        """Set the estimator's attributes by the state that the last step has left."""
        self.cluster_centers_, self._origin = state.centers, origin
        self._counts, self._n_since_reassigned = state.weights, state.n_since_reassigned
        self._counted_centers, self._feature_counts = state.centers, state.feature_weights
        if state.feature_weights is not None:
            unobserved = (state.feature_weights == 0) & (state.weights > 0)[:, np.newaxis]
            n_unobserved, warn = np.count_nonzero(unobserved), _validation.warn_user
            warn_of_unobserved(n_unobserved, state.centers.shape, warn)

    def _rows_had(self, n_clusters):
        """What the next step goes on from, as in `MiniBatchState`: weights, count, feature weights.

        Weights and count are 0, and feature weights None, for centers that steps have not made:
        those of a first batch, and those set by hand.
        """
        counted = getattr(self, "_counted_centers", np.zeros(0))
        if hasattr(self, "cluster_centers_") and np.array_equal(self.cluster_centers_, counted):
            return self._counts.copy(), self._n_since_reassigned, self._feature_counts
        return np.zeros(n_clusters), 0, None

    def _label(self, X, sample_weight, weight_exponent=0):
        """Label the rows by the centers; the weights are given times 2^-weight_exponent."""
        self.labels_, inertia = _algorithms.kmeans.inference.predict_with_inertia(
            X, self.cluster_centers_, self._origin, sample_weight
        )
        units = _algorithms.rows.scale.Units(weight_exponent=weight_exponent)
        self.inertia_ = units.inertia_of_X(inertia)
