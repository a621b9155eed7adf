"""What GaussianMixture and BayesianGaussianMixture share: fits."""

import numpy as np
from sklearn.exceptions import ConvergenceWarning
from sklearn.utils.validation import validate_data

from fastclust import (
    _algorithms,
    _block_rows,
    _missing,
    _mixture_parameters,
    _parameters,
    _validation,
)
from fastclust._mixture_predictions import MixturePredictions
from fastclust._parameters import integer, one_of
from fastclust._validation import FLOAT_DTYPES

PASSES = (
    "one for their mean, some for first components (k-means||: two in each round; k-means: one in "
    "each iteration), one in each iteration"
)
"""What passes over rows in blocks are for: `verbose` prints it."""


class MixtureEstimator(MixturePredictions):
    """Base of the mixtures of Gaussians.

    A subclass says what its parameters must be (`_rules`), checks what a run starts from
    (`_check_start`), makes the M step of a run (`_make_m_step`), and sets the attributes that the
    others have not got (`_set_parameters`).
    """

    _rules = {
        "n_components": [integer(1)],
        "tol": [_parameters.non_negative_float()],
        "reg_covar": [_parameters.non_negative_float()],
        "max_iter": [integer(0)],
        "n_init": [integer(1)],
        "init_params": [one_of("kmeans", "random", "random_from_data", "k-means++")],
        "random_state": _parameters.RANDOM_STATE,
        "warm_start": _parameters.BOOLEAN,
        "verbose": _parameters.VERBOSE,
        "verbose_interval": [integer(1)],
        "covariance_type": [one_of("full", "tied", "diag", "spherical")],
        "on_singular": [one_of("raise", "regularize")],
    }

    _counts_rows = False
    """Whether a row counts as often as its weight says, beside priors; else only ratios matter."""

    def fit(self, X, y=None, sample_weight=None):
        """Estimate the components.

        Parameters
        ----------
        X : {array-like, rows of files} of shape (n_samples, n_features)
            Rows. Anything but a C-contiguous float32 or float64 array is converted, which takes a
            copy. `GaussianMixture` reads rows that `open_rows` has opened, memory maps, and other
            objects that yield rows in blocks so if they are more than `limit_memory` allows.

        y : Ignored
            Present for the API's sake.

        sample_weight : array-like of shape (n_samples,), default=None
            Weight of each row; None for ones. A weight of 2 counts as the row twice, one of 0 as no
            row. Not in scikit-learn.

        Returns
        -------
        self : object
            The fitted estimator.

        Raises
        ------
        ValueError
            For a parameter out of its range, NaN or infinity in X, fewer rows than components,
            negative or only zero weights. An estimator fitted before stays as it was.
        SingularCovarianceError
            A ValueError too: for a covariance that is singular, unless `on_singular` says
            otherwise.

        Warns
        -----
        ConvergenceWarning
            If the best run reached `max_iter`, or X has fewer distinct rows than components and
            `init_params` is 'kmeans'.
        RuntimeWarning
            If a covariance was singular and has been regularised.
        UserWarning
            If rows are read in blocks and `init_params` is 'kmeans' or 'k-means++', as k-means||
            then takes the place of k-means++.
        """
        with _validation.state_restored_on_error(self):
            self._fit(X, sample_weight)
        return self

    def fit_predict(self, X, y=None, sample_weight=None):
        """Estimate the components and label the rows; the same as fit(X).predict(X).

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Rows.

        y : Ignored
            Present for the API's sake.

        sample_weight : array-like of shape (n_samples,), default=None
            Weight of each row; None for ones.

        Returns
        -------
        labels : ndarray of shape (n_samples,), int64
            Most probable component of each row.
        """
        with _validation.state_restored_on_error(self):
            X = self._fit(X, sample_weight)
        return self._infer(self._as_computed(X))[0]

    def _fit(self, X, sample_weight):
        """Fit to rows that are not yet checked; return them as they were computed with."""
        return fit_mixture(self, X, sample_weight)

    def _check_rows(self, X, is_first=True):
        """Check the rows; return them as they are computed with, and their mean.

        Rows of further batches, not the first, may be few, and must have as many features.
        """
        source = self._open_source(X)
        if source is not None:
            X = _block_rows.check_source(self, source, reset=is_first, least=2 if is_first else 1)
        else:
            X = _missing.without_na(X) if _missing.allows_nan(self) else X
            X = validate_data(
                self, X, reset=is_first, dtype=FLOAT_DTYPES, order="C",
                ensure_min_samples=2 if is_first else 1, ensure_all_finite=False,
            )  # fmt: skip
        mean = _algorithms.rows.origin.find_mean(X)
        if _block_rows.is_in_blocks(X):
            return X, mean
        if not np.isfinite(mean).all():  # the mean's pass is the first over X
            check = (
                _missing.check_no_infinity if _missing.allows_nan(self) else _missing.check_finite
            )
            check(X, type(self).__name__)
        return X, mean

    def _goes_on(self):
        """Whether a fit starts from the parameters of the last."""
        return self.warm_start and hasattr(self, "converged_")

    def _result_dtype(self, X):
        """Type of the parameters that a fit to X finds."""
        return X.dtype

    def _least_exponent(self, start):
        """Least exponent of scaled rows with which no parameter that goes with them overflows."""
        return _algorithms.rows.scale.least_exponent(self.reg_covar)

    def _run(
        self, in_range, sample_weight, start, warn, *,
        random_state=None, max_iter=None, missing=None,
    ):  # fmt: skip
        """Run n_init times, return the best result."""
        k = int(self.n_components)  # NumPy's integers may be too narrow for products
        mixture, shape = _algorithms.mixture, (self._covariance, k)
        if missing is None:
            rows = mixture.block_passes.mixture_rows(in_range.rows, *shape)
        else:
            kind = mixture.missing.MissingMixtureRows
            if _block_rows.is_in_blocks(in_range.X):
                kind = mixture.block_missing.MissingBlockMixtureRows
            rows = kind(in_range, sample_weight, missing, *shape)
        start_options = mixture.restarts.StartOptions(
            in_range,
            sample_weight,
            random_state or _validation.check_random_state(self.random_state),
            self.init_params,
            on_kmeans=lambda labels: _validation.warn_of_missing_clusters(labels, k, warn),
        )
        goes_on = self._goes_on()
        return mixture.restarts.run_restarts(
            rows,
            lambda rows: self._make_m_step(rows, in_range, start),
            start_options,
            1 if goes_on else self.n_init,
            self._em_options(max_iter),
            self.lower_bound_ if goes_on else -np.inf,
        )

    def _em_options(self, max_iter=None):
        """When a run stops, after max_iter iterations if given, and what it prints."""
        return _algorithms.mixture.em.EMOptions(
            tol=self.tol,
            max_iter=int(self.max_iter) if max_iter is None else max_iter,
            verbose=int(self.verbose),
            verbose_interval=self.verbose_interval,
        )

    def _warn_of_end(self, converged, warn):
        """Warn of a run that did not converge."""
        if not converged and self.max_iter > 0:
            text = (
                "Best performing initialization did not converge. "
                "Try different init parameters, or increase max_iter, "
                "tol, or check for degenerate data."
            )
            warn(ConvergenceWarning(text))

    def _warn_of_recovery(self, recovered, reg_covar, warn):
        """Warn of components that were regularised."""
        if recovered:
            raised = {j: float(reg_covar[j]) for j in sorted(recovered)}
            text = (
                "Some components had a singular covariance, and their reg_covar was raised "
                f"(component: value): {raised}. Try fewer components, a larger reg_covar, or "
                "scaled data."
            )
            warn(RuntimeWarning(text))

    def _set_result(self, result, in_range, X):
        """Set the estimator's attributes by the best run, which was on scaled rows of X."""
        components, scaled = result.m_step.components, _algorithms.rows.scale.scaled
        dtype, exponent = self._result_dtype(X), in_range.exponent
        factors = scaled(components.factors, -exponent)
        covariances = scaled(components.covariances, 2 * exponent)
        with np.errstate(over="ignore", invalid="ignore"):
            precisions = self._covariance.precisions(factors)
            covariances, factors, precisions = (
                values.astype(dtype) for values in (covariances, factors, precisions)
            )
        if not (np.isfinite(covariances).all() and np.isfinite(precisions).all()):
            raise ValueError(
                f"Covariances or precisions are beyond the range of {np.dtype(dtype).name}. "
                + _algorithms.rows.scale.advise_division(in_range.X, exponent=exponent)
            )
        self.converged_ = result.converged
        self._set_parameters(result.m_step, in_range, dtype)
        self.means_ = scaled((components.means + in_range.origin).astype(dtype), exponent)
        self.covariances_ = covariances
        self.precisions_cholesky_ = factors
        self.precisions_ = precisions
        self.n_iter_ = len(result.lower_bounds)
        self.lower_bound_ = result.lower_bound
        self.lower_bounds_ = result.lower_bounds
        self.reg_covar_ = result.reg_covar


def fit_mixture(mixture, X, sample_weight=None, packed=None, *, warn=_validation.warn_user):
    """Fit a mixture: what its method `fit` and sweeps over packed rows share.

    After an error the estimator is half fitted; `fit` then puts it back.

    Parameters
    ----------
    mixture : MixtureEstimator
        The estimator, which gets the attributes of a fit.
    X : array-like of shape (n_samples, n_features)
        Rows, not yet checked.
    sample_weight : array-like of shape (n_samples,), default=None
        Weight of each row; None for ones, and for rows that are packed, with weights or not.
    packed : PackedRows, default=None
        The rows of X, where they have been checked and packed for another fit.
    warn : callable, default=warn_user
        Is called with each warning.

    Returns
    -------
    X : ndarray of shape (n_samples, n_features)
        The rows as they were computed with.
    """
    _parameters.check_parameters(type(mixture).__name__, vars(mixture), mixture._rules)
    if packed is None:
        X, mean = mixture._check_rows(X)
    else:
        validate_data(mixture, X, skip_check_array=True)  # notes the names of the features
        X, mean = packed.X, packed.mean
    _mixture_parameters.check_enough_rows(X, mixture.n_components)
    start = mixture._check_start(X.shape[1])
    source, rows, panels, missing = _algorithms.rows.source, X, None, None
    if packed is not None:
        sample_weight, panels, missing = packed.sample_weight, packed.panels, packed.missing
    else:
        if mixture._counts_rows:
            sample_weight = _validation.check_sample_weight(sample_weight, X)
        else:
            sample_weight, _ = _validation.check_relative_weight(
                sample_weight, X, _algorithms.rows.scale.MOST_WEIGHT_OF_MIXTURE
            )
        rows, sample_weight = _validation.rows_with_weight(X, sample_weight)
        if rows is not X:
            _mixture_parameters.check_enough_rows(rows, mixture.n_components)
            mean = _algorithms.rows.origin.find_mean(rows)
        if _missing.allows_nan(mixture):
            names = getattr(mixture, "feature_names_in_", None)
            of_mixture, is_in_blocks = _algorithms.mixture, _block_rows.is_in_blocks(rows)
            fill = of_mixture.block_missing.fill_blocks if is_in_blocks else of_mixture.missing.fill
            rows, mean, sample_weight, missing = fill(rows, mean, sample_weight, names)
            _mixture_parameters.check_enough_rows(rows, mixture.n_components)
    in_range = source.pack_in_range(
        rows, sample_weight, mean, panels, mixture._least_exponent(start)
    )
    if _block_rows.is_in_blocks(rows):
        is_given = all(values is not None for values in start)
        is_seeded = not is_given and mixture.init_params in ("kmeans", "k-means++")
        if mixture.verbose:
            _block_rows.tell_of_blocks(in_range.rows, PASSES)
        if is_seeded:
            _block_rows.warn_of_first_centers(in_range.rows.n_samples, warn)
    best = mixture._run(in_range, sample_weight, start, warn, missing=missing)
    mixture._warn_of_end(best.converged, warn)
    mixture._warn_of_recovery(best.recovered, best.reg_covar, warn)
    mixture._set_result(best, in_range, X)
    return X
