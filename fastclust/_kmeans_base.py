"""What the estimators of k-means share: checks of rows, fits, predictions, distances, scores."""

import numpy as np
import scipy.sparse
from sklearn.base import (
    ClassNamePrefixFeaturesOutMixin,
    ClusterMixin,
    TransformerMixin,
)
from sklearn.utils import assert_all_finite, check_array
from sklearn.utils.sparsefuncs import mean_variance_axis
from sklearn.utils.validation import check_is_fitted, validate_data

from fastclust import _algorithms, _block_rows, _validation
from fastclust._missing import (
    allows_nan,
    as_incomplete,
    check_columns,
    check_no_infinity,
    is_incomplete,
    without_na,
)
from fastclust._parameters import is_array_like
from fastclust._validation import FLOAT_DTYPES, Estimator


class CenterEstimator(ClassNamePrefixFeaturesOutMixin, TransformerMixin, ClusterMixin, Estimator):
    """Base of the estimators that have centers.

    A fit sets `cluster_centers_`, and `_origin`: what it has subtracted from the rows, without
    which predictions would be made with other numbers than the labels.
    """

    _unit = False
    """Whether rows and centers are divided by their norms (spherical k-means)."""

    _takes_blocks = False
    """Whether rows that do not fit into memory are read in blocks; else all are read."""

    def _check_rows(self, X):
        """Check the rows; return them as they are computed with, and their mean."""
        source = self._open_source(X)
        if source is not None:
            X = _block_rows.check_source(self, source, reset=True)
        else:
            X = without_na(X) if allows_nan(self) else X
            X = validate_data(
                self, X, accept_sparse="csr", dtype=FLOAT_DTYPES, order="C", ensure_all_finite=False
            )
        if _block_rows.is_in_blocks(X):
            mean = self._find_mean(X)
            if is_incomplete(X) and X.facts.n_empty:
                raise _algorithms.rows.missing.empty_rows_error(X)
            self._check_columns(X)
            return X, mean
        if scipy.sparse.issparse(X):
            assert_all_finite(X, estimator_name=type(self).__name__, input_name="X")
            X = _validation.float_csr(X)
        mean = _algorithms.rows.origin.find_mean(X)
        if not np.isfinite(mean).all():  # the mean's pass is the first over X
            if not allows_nan(self):
                assert_all_finite(X, estimator_name=type(self).__name__, input_name="X")
                return X, mean
            check_no_infinity(X, type(self).__name__)
            X = as_incomplete(X)
            self._check_columns(X)
            mean = _algorithms.rows.origin.find_mean(X)
        return X, mean

    def _check_columns(self, X):
        """Raise ValueError if no row has a value in some column."""
        check_columns(X, getattr(self, "feature_names_in_", None))

    def _open_source(self, X):
        """X as a source of rows in blocks, or None if it is none, or is to be read whole."""
        if not self._takes_blocks:
            return None
        return _algorithms.rows.block_source.open_source(X, allows_nan(self))

    def _check_fit_rows(self, X, sample_weight):
        """Check what `fit` was called with.

        Returns
        -------
        X : ndarray, CSR matrix or RowSource of shape (n_samples, n_features)
            The rows that have a weight: those of weight 0 are as if absent.
        mean : ndarray of shape (n_features,)
            Their mean.
        sample_weight : ndarray of shape (n_samples,) or None
            Their weights times 2^-weight_exponent; None for ones.
        weight_exponent : int
            0 for ordinary weights.
        all_rows : ndarray or CSR matrix
            All rows; X itself where each has a weight.
        """
        all_rows, mean = self._check_rows(X)
        _validation.check_enough_samples(all_rows, self.n_clusters)
        sample_weight, exponent = _validation.check_relative_weight(sample_weight, all_rows)
        X, sample_weight = _validation.rows_with_weight(all_rows, sample_weight)
        if X is not all_rows:
            _validation.check_enough_samples(X, self.n_clusters)
            self._check_columns(X)
            mean = self._find_mean(X)
        return X, mean, sample_weight, exponent, all_rows

    def _find_mean(self, X):
        """Mean of the rows: a pass over them, which directions in blocks do without."""
        if self._unit and _block_rows.is_in_blocks(X):
            return np.zeros(X.shape[1], dtype=X.dtype)
        return _algorithms.rows.origin.find_mean(X)

    @property
    def _n_features_out(self):
        """Number of columns of `transform`, for scikit-learn's get_feature_names_out."""
        return len(self.cluster_centers_)

    def _checked_n_init(self, most, warn):
        """Number of runs, `most` of them where each draws all its first centers at once.

        It warns, as scikit-learn does, of more than one run from centers that are given.
        """
        n_init = self.n_init
        if n_init == "auto":
            n_init = most if callable(self.init) or is_string(self.init, "random") else 1
        if is_array_like(self.init) and n_init != 1:
            text = (
                "Explicit initial center position passed: performing only"
                f" one init in {type(self).__name__} instead of n_init={n_init}."
            )
            warn(RuntimeWarning(text))
            n_init = 1
        return int(n_init)

    def _tolerance(self, in_range):
        """`tol` times the mean variance of the features of these rows."""
        if not self.tol:
            return 0.0
        if scipy.sparse.issparse(in_range.X) and not in_range.rows.unit:
            return self.tol * mean_variance_axis(in_range.X, axis=0)[1].mean()
        return self.tol * in_range.variance

    def _start_drawer(self, in_range, sample_weight, random_state):
        """Return the `draw_start` of `run_restarts`: centers in the coordinates of packed rows."""
        rows, X, mean, exponent = in_range
        k, scaled = int(self.n_clusters), _algorithms.rows.scale.scaled
        if isinstance(self.init, str):
            return self._drawn_starts(rows, k, sample_weight, random_state)
        if is_array_like(self.init):
            centers = check_array(self.init, dtype=X.dtype, order="C")
            _validation.check_centers_shape(centers, k, X.shape[1])

            def draw_start():
                return lambda: in_range.place(centers)

            return draw_start
        if _block_rows.is_in_blocks(X):
            raise ValueError(
                "init can be no callable where the rows are read in blocks: it is given rows in "
                "memory. Call it on some of them, and pass its centers."
            )
        X_given = X  # what the callable gets
        if not scipy.sparse.issparse(X):
            values = X.values if is_incomplete(X) else X
            is_unit = rows.unit
            X_given = rows.take(np.arange(len(X))) if is_unit else scaled(values - mean, exponent)
        return called_starts(
            self.init, X_given, k, random_state, lambda centers: in_range.place(centers, mean)
        )

    def _drawn_starts(self, rows, n_clusters, sample_weight, random_state):
        """Return the `draw_start` of `run_restarts` for the `init` that is a string."""
        return drawn_starts(self.init, rows, n_clusters, sample_weight, random_state)

    def fit_predict(self, X, y=None, sample_weight=None):
        """Cluster the rows of X and return their labels; the same as fit(X).predict(X).

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Rows to cluster.

        y : Ignored
            Present for the API's sake.

        sample_weight : array-like of shape (n_samples,), default=None
            Weight of each row; None for ones.

        Returns
        -------
        labels : ndarray of shape (n_samples,), int32
            Index of the cluster of each row.
        """
        return self.fit(X, sample_weight=sample_weight).labels_

    def predict(self, X):
        """Index of the nearest center of each row.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            New rows.

        Returns
        -------
        labels : ndarray of shape (n_samples,), int32
            Index of the nearest center, the first of equally near ones.
        """
        return _algorithms.kmeans.inference.predict_labels(*self._check_test_data(X), self._unit)

    def transform(self, X):
        """Euclidean distances of the rows to the centers.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            New rows.

        Returns
        -------
        X_new : ndarray of shape (n_samples, n_clusters)
            Euclidean distance of each row to each center, in the units of X. Where missing values
            are left out, it is that of `sklearn.metrics.pairwise.nan_euclidean_distances`:
            sqrt(n_features / n_values * sum (x - c)^2) over the n_values that the row has.
        """
        inference = _algorithms.kmeans.inference
        return inference.transform_to_distances(*self._check_test_data(X), self._unit)

    def fit_transform(self, X, y=None, sample_weight=None):
        """Cluster the rows of X and return their distances to the centers.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Rows to cluster.

        y : Ignored
            Present for the API's sake.

        sample_weight : array-like of shape (n_samples,), default=None
            Weight of each row; None for ones.

        Returns
        -------
        X_new : ndarray of shape (n_samples, n_clusters)
            Distance of each row to each center, as of `transform`.
        """
        return self.fit(X, sample_weight=sample_weight).transform(X)

    def score(self, X, y=None, sample_weight=None):
        """Negative inertia of X.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            New rows.

        y : Ignored
            Present for the API's sake.

        sample_weight : array-like of shape (n_samples,), default=None
            Weight of each row; None for ones.

        Returns
        -------
        score : float
            Minus the weighted sum that `inertia_` is of the rows of a fit.
        """
        X, centers, origin = self._check_test_data(X)
        sample_weight, exponent = _validation.check_relative_weight(sample_weight, X)
        inference = _algorithms.kmeans.inference
        inertia = inference.score_inertia(X, centers, origin, sample_weight, self._unit)
        units = _algorithms.rows.scale.Units(weight_exponent=exponent)
        return -units.inertia_of_X(inertia)

    def _check_test_data(self, X):
        """Check new rows; return them, the centers and the origin of the last fit, in one dtype.

        They are the numbers that `fit` made the labels with, so labels_ equals predict(X). The
        centers may have been set by hand, after a fit or without one.
        """
        check_is_fitted(self, "cluster_centers_")
        source = self._open_source(X)
        if source is not None:
            X = _block_rows.check_source(self, source, reset=False)
        else:
            X = without_na(X) if allows_nan(self) else X
            X = validate_data(
                self, X, reset=False, accept_sparse="csr", dtype=FLOAT_DTYPES, order="C",
                ensure_all_finite="allow-nan" if allows_nan(self) else True,
            )  # fmt: skip
        given = _validation.check_attribute(self.cluster_centers_, "cluster_centers_", (None, None))
        _validation.check_n_features(X, given.shape[1], self)
        origin = np.zeros(X.shape[1], dtype=given.dtype)
        if scipy.sparse.issparse(X):
            if allows_nan(self):  # which sparse rows are not
                assert_all_finite(X, estimator_name=type(self).__name__, input_name="X")
            X = _validation.float_csr(X)
        elif self._unit:
            pass
        elif len(getattr(self, "_origin", ())) == X.shape[1]:
            origin = self._origin
        else:  # never fitted
            origin = np.quantile(given, 0.5, axis=0, method="lower")
        if allows_nan(self) and isinstance(X, np.ndarray):
            X = as_incomplete(X)
        dtype = np.result_type(X.dtype, given.dtype)
        centers = np.ascontiguousarray(given, dtype=dtype)
        if self._unit:
            centers = _algorithms.rows.source.unit_centers(centers)
        return X.astype(dtype, copy=False), centers, origin.astype(dtype, copy=False)

    def __sklearn_tags__(self):
        """Tags that scikit-learn's checks and pipelines read."""
        tags = super().__sklearn_tags__()
        tags.input_tags.sparse = True
        tags.input_tags.allow_nan = allows_nan(self)
        tags.transformer_tags.preserves_dtype = ["float64", "float32"]
        return tags


def warn_of_unobserved(n_unobserved, shape, warn):
    """Warn if centers have values that no row of their cluster has.

    Parameters
    ----------
    n_unobserved : int
        Number of such values.
    shape : tuple of int
        Numbers of centers and features.
    warn : callable
        Is called with the warning.
    """
    if n_unobserved:
        text = (
            f"{n_unobserved} of the {shape[0]} x {shape[1]} values of the centers are missing in "
            "all rows of their cluster: these centers keep what they had there before."
        )
        warn(UserWarning(text))


def iteration_line_end(kmeans):
    """End of the line that `verbose` prints of an iteration, by scikit-learn's algorithm."""
    return "" if kmeans.algorithm == "elkan" and kmeans.n_clusters > 1 else "."


def is_string(value, string):
    """Whether value is this string (an array compared with == would not answer)."""
    return isinstance(value, str) and value == string


def drawn_starts(init, rows, n_clusters, sample_weight, random_state):
    """Return the `draw_start` of `run_restarts` for the `init` 'random' or 'k-means++'."""
    seeding = _algorithms.kmeans.seeding
    starts = seeding.random_starts if init == "random" else seeding.kmeans_plusplus_starts
    return starts(rows, n_clusters, sample_weight, random_state)


def called_starts(init, X, n_clusters, random_state, place):
    """Return the `draw_start` of `run_restarts` for the `init` that is a callable.

    Parameters
    ----------
    init : callable
        The parameter.
    X : ndarray or CSR matrix of shape (n_samples, n_features)
        The rows that it is called with.
    n_clusters : int
        Number of centers that it is to return.
    random_state : RandomState
        What it is to draw from.
    place : callable
        Returns a copy of the centers in the coordinates of the packed rows: the callable may use
        its array again.
    """

    def draw_start():
        centers = init(X, n_clusters, random_state=random_state)
        centers = check_array(centers, dtype=X.dtype, order="C")
        _validation.check_centers_shape(centers, n_clusters, X.shape[1])
        centers = place(centers)
        return lambda: centers

    return draw_start


def origin_of(kmeans):
    """What a fit has subtracted from the rows: with it, predict gives the labels of the fit."""
    return kmeans._origin


def set_origin(kmeans, origin):
    """Give an estimator that was put together from its attributes the origin of its fit."""
    kmeans._origin = origin
