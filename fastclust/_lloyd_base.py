"""What KMeans and SphericalKMeans share: fits by Lloyd's algorithm on all rows."""

import numpy as np
from sklearn.utils.validation import validate_data

from fastclust import _algorithms, _block_rows, _parameters, _validation
from fastclust._kmeans_base import (
    CenterEstimator,
    is_string,
    iteration_line_end,
    warn_of_unobserved,
)
from fastclust._missing import is_incomplete
from fastclust._parameters import integer, one_of

PASSES = (
    "one for their mean, one for first centers that are rows (k-means||: two in each round), one "
    "in each iteration, one for the labels"
)
"""What passes over rows in blocks are for: `verbose` prints it."""


class LloydEstimator(CenterEstimator):
    """Base of the estimators that run Lloyd's algorithm; see `fit_kmeans`."""

    _rules = {
        "n_clusters": [integer(1)],
        "init": [
            one_of("k-means++", "random", "k-means||", "sample"),
            _parameters.CALLABLE,
            _parameters.ARRAY_LIKE,
        ],
        "n_init": [one_of("auto"), integer(1)],
        "max_iter": [integer(1)],
        "tol": [_parameters.non_negative_float()],
        "verbose": _parameters.VERBOSE,
        "random_state": _parameters.RANDOM_STATE,
        "copy_x": _parameters.BOOLEAN,
        "algorithm": [one_of("lloyd", "elkan")],
        "oversampling_factor": [_parameters.positive_float()],
        "init_rounds": [integer(1)],
    }

    def _effective_n_init(self, warn):
        """Number of runs, with scikit-learn's warnings for parameters that do not go together."""
        if self.algorithm == "elkan" and self.n_clusters == 1:
            text = (
                "algorithm='elkan' doesn't make sense for a single cluster. Using 'lloyd' instead."
            )
            warn(RuntimeWarning(text))
        return self._checked_n_init(10, warn)

    def _drawn_starts(self, rows, n_clusters, sample_weight, random_state):
        """Return the `draw_start` of `run_restarts` for the `init` that is a string."""
        kmeans, arguments = _algorithms.kmeans, (rows, n_clusters, sample_weight, random_state)
        if self.init == "random":
            return kmeans.seeding.random_starts(*arguments)
        if self.init == "sample":
            return kmeans.seeding.sample_starts(*arguments)
        seeding = kmeans.parallel_seeding
        is_parallel = self.init == "k-means||"
        starts = seeding.kmeans_parallel_starts if is_parallel else seeding.default_starts
        return starts(
            *arguments,
            oversampling_factor=float(self.oversampling_factor),
            init_rounds=int(self.init_rounds),
        )

    def _pack(self, X, sample_weight, mean, panels):
        """Pack checked rows of this mean, unless they have been packed for another fit."""
        source = _algorithms.rows.source
        if self._unit:
            return source.pack_unit(X, sample_weight)
        return source.pack_for_distances(X, sample_weight, mean, panels)

    def _run(self, in_range, units, sample_weight, n_init, random_state, on_result):
        """Run n_init times, return the best result."""
        lloyd = _algorithms.kmeans.lloyd
        options = lloyd.LloydOptions(
            max_iter=int(self.max_iter),
            tol=self._tolerance(in_range),
            verbose=self.verbose,
            start_line="Initialization complete",
            line_end=iteration_line_end(self),
        )
        return lloyd.run_restarts(
            in_range.rows,
            self._start_drawer(in_range, sample_weight, random_state),
            n_init,
            int(self.n_clusters),  # NumPy's integers may be too narrow for products
            options,
            units,
            is_better=self._is_better_run(in_range),
            on_result=on_result,
        )

    def _is_better_run(self, in_range):
        """How runs are compared."""
        return _algorithms.kmeans.lloyd.is_smaller_and_other

    def _set_result(self, result):
        """Set the estimator's attributes by the best run."""
        self.cluster_centers_ = result.centers
        self.labels_ = result.labels
        self.inertia_ = result.inertia
        self.n_iter_ = result.n_iter


def fit_kmeans(
    kmeans, X, sample_weight=None, packed=None, *, on_result=None, warn=_validation.warn_user
):
    """Fit KMeans or SphericalKMeans: what their methods `fit` and sweeps over packed rows share.

    After an error the estimator is half fitted; `fit` then puts it back.

    Parameters
    ----------
    kmeans : LloydEstimator
        The estimator, which gets the attributes of a fit.
    X : {array-like, sparse matrix} of shape (n_samples, n_features)
        Rows to cluster, not yet checked.
    sample_weight : array-like of shape (n_samples,), default=None
        Weight of each row; None for ones, and for rows that are packed, with weights or not.
    packed : PackedRows, default=None
        The rows of X, where they have been checked and packed for another fit.
    on_result : callable, default=None
        Is called with the `LloydResult` of each run.
    warn : callable, default=warn_user
        Is called with each warning.

    Returns
    -------
    best : LloydResult
        The best run, whose labels are those of the rows that have a weight.
    """
    _parameters.check_parameters(type(kmeans).__name__, vars(kmeans), kmeans._rules)
    if packed is None:
        X, mean, sample_weight, weight_exponent, all_rows = kmeans._check_fit_rows(X, sample_weight)
        panels = None
    else:
        validate_data(kmeans, X, skip_check_array=True)  # notes the names of the features
        X, mean, panels, sample_weight = packed.X, packed.mean, packed.panels, packed.sample_weight
        weight_exponent = 0
        all_rows = X if packed.all_rows is None else packed.all_rows
        _validation.check_enough_samples(X, kmeans.n_clusters)
    n_init = kmeans._effective_n_init(warn)
    random_state = _validation.check_random_state(kmeans.random_state)
    in_range = kmeans._pack(X, sample_weight, mean, panels)
    origin = _algorithms.rows.scale.scaled(in_range.origin, in_range.exponent)
    kmeans._origin = origin.astype(X.dtype, copy=False)
    if _block_rows.is_in_blocks(X):
        if kmeans.verbose:
            _block_rows.tell_of_blocks(in_range.rows, PASSES)
        if is_string(kmeans.init, "k-means++"):
            _block_rows.warn_of_first_centers(in_range.rows.n_samples, warn)
    units = _algorithms.rows.scale.Units(in_range.exponent, weight_exponent, X.dtype)
    best = kmeans._run(in_range, units, sample_weight, n_init, random_state, on_result)
    if not np.isfinite(best.inertia):  # of weights that count rows, in a sweep
        raise ValueError(
            "The inertia is above the largest floating-point number. Divide X or sample_weight by "
            "a power of two, which changes no digit of it."
        )
    _validation.warn_of_missing_clusters(best.labels, kmeans.n_clusters, warn)
    if is_incomplete(X):
        n_unobserved = in_range.rows.count_unobserved(in_range.place(best.centers), best.labels)
        warn_of_unobserved(n_unobserved, best.centers.shape, warn)
    kmeans._set_result(best)
    if len(best.labels) < all_rows.shape[0]:
        kmeans.labels_ = _algorithms.kmeans.inference.predict_labels(
            all_rows, kmeans.cluster_centers_, kmeans._origin, kmeans._unit
        )
    return best
