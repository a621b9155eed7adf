"""GaussianMixture."""

import math

import numpy as np
from scipy.special import entr
from sklearn.base import DensityMixin
from sklearn.exceptions import ConvergenceWarning
from sklearn.utils import assert_all_finite
from sklearn.utils.validation import check_is_fitted, validate_data

from fastclust import _algorithms, _mixture_parameters, _parameters, _validation
from fastclust._parameters import integer, one_of
from fastclust._validation import FLOAT_DTYPES, Estimator

ENTROPY_VALUES = 2**20
"""Responsibilities that `icl` holds at a time."""


class GaussianMixture(DensityMixin, Estimator):
    """Mixture of Gaussians: scikit-learn's `GaussianMixture`, with its answers, on SIMD kernels.

    The same `random_state` gives the same labels, iterations and parameters as scikit-learn, up to
    rounding, and the same bits on any number of threads. The README lists the differences.

    Parameters
    ----------
    n_components : int, default=1
        Number of components.

    covariance_type : {'full', 'tied', 'diag', 'spherical'}, default='full'
        Shape of the covariances.

        - 'full': each component has its own matrix.
        - 'tied': all components share one matrix.
        - 'diag': each component has a variance for each feature.
        - 'spherical': each component has one variance.

    tol : float, default=1e-3
        A run ends when the mean log-likelihood of the rows, in nats, changes by less.

    reg_covar : float, default=1e-6
        Added to the variances, in the squared units of X, to keep them positive.

    max_iter : int, default=100
        Limit of the iterations of one run.

    n_init : int, default=1
        Number of runs from different starts, of which the best is kept.

    init_params : {'kmeans', 'k-means++', 'random', 'random_from_data'}, default='kmeans'
        How the first responsibilities are made.

        - 'kmeans': 1 for the cluster of a `KMeans` fit.
        - 'k-means++': 1 for one row a component, seeded by greedy k-means++.
        - 'random': drawn from a uniform distribution.
        - 'random_from_data': 1 for one row a component, drawn at random.

    weights_init : array-like of shape (n_components,), default=None
        First mixing proportions, over those of `init_params`.

    means_init : array-like of shape (n_components, n_features), default=None
        First means, over those of `init_params`.

    precisions_init : array-like, default=None
        First inverses of the covariances, over those of `init_params`, shaped as `precisions_`.

    random_state : int, RandomState instance or None, default=None
        Source of the draws of the start and of `sample`; an int makes them reproducible.

    warm_start : bool, default=False
        Whether a further `fit` goes on from the parameters of the last; `n_init` is then 1.

    verbose : int, default=0
        Print scikit-learn's lines: 1 for each run and iteration, 2 with times and changes.

    verbose_interval : int, default=10
        Iterations between lines.

    on_singular : {'raise', 'regularize'}, default='raise'
        What to do about a covariance that is singular, in spite of `reg_covar`: raise
        `fastclust.exceptions.SingularCovarianceError`, a ValueError with scikit-learn's words, or
        raise the `reg_covar` of that component by factors of ten until it is not, with a warning
        and a record in `reg_covar_`. Not in scikit-learn.

    Attributes
    ----------
    weights_ : ndarray of shape (n_components,)
        Mixing proportions.

    means_ : ndarray of shape (n_components, n_features)
        Means.

    covariances_ : ndarray
        Covariances, of shape (n_components, n_features, n_features) for 'full',
        (n_features, n_features) for 'tied', (n_components, n_features) for 'diag' and
        (n_components,) for 'spherical'.

    precisions_ : ndarray
        Their inverses, of the same shape.

    precisions_cholesky_ : ndarray
        Upper triangular Cholesky factors U of the precisions, U U' = P, of the same shape.

    converged_ : bool
        Whether the best run ended by `tol`.

    n_iter_ : int
        Number of iterations of the best run.

    lower_bound_ : float
        Mean log-likelihood of the rows in the last iteration of the best run, before its M step.

    lower_bounds_ : list of float
        The same of each iteration.

    reg_covar_ : ndarray of shape (n_components,)
        What was added to the variances of each component in the end: `reg_covar`, or more by
        `on_singular`.

    n_features_in_ : int
        Number of features seen in `fit`.

    feature_names_in_ : ndarray of shape (n_features_in_,)
        Names of the features seen in `fit`, if X has names that are all strings.

    See Also
    --------
    KMeans : Clusters by distance alone; what 'kmeans' starts with.

    References
    ----------
    .. [1] A. Dempster, N. Laird and D. Rubin, "Maximum likelihood from incomplete data via the EM
       algorithm", Journal of the Royal Statistical Society B 39(1), 1977.
    .. [2] C. Bishop, "Pattern Recognition and Machine Learning", Springer 2006, section 9.2.

    Examples
    --------
    >>> import numpy as np
    >>> from fastclust import GaussianMixture
    >>> X = np.array([[1, 2], [1, 4], [1, 0], [10, 2], [10, 4], [10, 0]])
    >>> gm = GaussianMixture(n_components=2, random_state=0).fit(X)
    >>> gm.means_
    array([[10.,  2.],
           [ 1.,  2.]])
    >>> gm.predict([[0, 0], [12, 3]])
    array([1, 0])
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
        "weights_init": [_parameters.ARRAY_LIKE, _parameters.NONE],
        "means_init": [_parameters.ARRAY_LIKE, _parameters.NONE],
        "precisions_init": [_parameters.ARRAY_LIKE, _parameters.NONE],
        "on_singular": [one_of("raise", "regularize")],
    }

    def __init__(
        self,
        n_components=1,
        *,
        covariance_type="full",
        tol=1e-3,
        reg_covar=1e-6,
        max_iter=100,
        n_init=1,
        init_params="kmeans",
        weights_init=None,
        means_init=None,
        precisions_init=None,
        random_state=None,
        warm_start=False,
        verbose=0,
        verbose_interval=10,
        on_singular="raise",
    ):
        self.n_components = n_components
        self.covariance_type = covariance_type
        self.tol = tol
        self.reg_covar = reg_covar
        self.max_iter = max_iter
        self.n_init = n_init
        self.init_params = init_params
        self.weights_init = weights_init
        self.means_init = means_init
        self.precisions_init = precisions_init
        self.random_state = random_state
        self.warm_start = warm_start
        self.verbose = verbose
        self.verbose_interval = verbose_interval
        self.on_singular = on_singular

    # -- fit -----------------------------------------------------------------------------------

    def fit(self, X, y=None, sample_weight=None):
        """Estimate the components by expectation-maximisation.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Rows. Anything but a C-contiguous float32 or float64 array is converted, which takes a
            copy.

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
        """
        with _validation.state_restored_on_error(self):
            fit_mixture(self, X, sample_weight)
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
            X = fit_mixture(self, X, sample_weight)
        return self._infer(X)[0]

    def _check_rows(self, X):
        """Check the rows; return them as they are computed with, and their mean."""
        X = validate_data(
            self, X, dtype=FLOAT_DTYPES, order="C", ensure_min_samples=2, ensure_all_finite=False
        )
        mean = _algorithms.rows.source.find_mean(X)
        if not np.isfinite(mean).all():  # the mean's pass is the first over X
            assert_all_finite(X, estimator_name=type(self).__name__, input_name="X")
        return X, mean

    def _goes_on(self):
        """Whether a fit starts from the parameters of the last."""
        return self.warm_start and hasattr(self, "converged_")

    def _check_start(self, n_features):
        """Check the parameters that runs start from: given ones, or those of the last fit.

        Returns weights, means and factors of the precisions; None for what `init_params` makes.
        """
        shape = self._covariance, int(self.n_components), n_features
        given = _mixture_parameters.check_given(
            self.weights_init, self.means_init, self.precisions_init, *shape
        )
        if self._goes_on():
            given = self.weights_, self.means_, self.precisions_cholesky_
            _mixture_parameters.check_last_fit(*given, *shape)
        return given

    @property
    def _covariance(self):
        return _algorithms.mixture.covariance.COVARIANCE_TYPES[self.covariance_type]

    def _run(self, in_range, sample_weight, given, warn):
        """Run n_init times, return the best result."""
        k = int(self.n_components)  # NumPy's integers may be too narrow for products
        goes_on = self._goes_on()
        return _algorithms.mixture.restarts.run_restarts(
            in_range,
            sample_weight,
            given,
            _validation.check_random_state(self.random_state),
            covariance=self._covariance,
            n_components=k,
            n_init=1 if goes_on else self.n_init,
            init_params=self.init_params,
            on_kmeans=lambda labels: _validation.warn_of_missing_clusters(labels, k, warn),
            tol=self.tol,
            reg_covar=self.reg_covar,
            max_iter=int(self.max_iter),
            lower_bound=self.lower_bound_ if goes_on else -np.inf,
            recover=self.on_singular == "regularize",
            verbose=int(self.verbose),
            verbose_interval=self.verbose_interval,
        )

    def _warn_of_result(self, result, warn):
        """Warn of a run that did not converge, and of components that were regularised."""
        if not result.converged and self.max_iter > 0:
            text = (
                "Best performing initialization did not converge. "
                "Try different init parameters, or increase max_iter, "
                "tol, or check for degenerate data."
            )
            warn(ConvergenceWarning(text))
        if result.recovered:
            raised = {j: float(result.reg_covar[j]) for j in sorted(result.recovered)}
            text = (
                "Some components had a singular covariance, and their reg_covar was raised "
                f"(component: value): {raised}. Try fewer components, a larger reg_covar, or "
                "scaled data."
            )
            warn(RuntimeWarning(text))

    def _set_result(self, result, in_range):
        """Make the outcome of the best run, on scaled rows, the estimator's attributes."""
        components, scaled = result.components, _algorithms.rows.scale.scaled
        dtype, origin, exponent = in_range.X.dtype, in_range.origin, in_range.exponent
        factors = scaled(components.factors, -exponent)
        covariances = scaled(components.covariances, 2 * exponent)
        with np.errstate(over="ignore", invalid="ignore"):
            precisions = self._covariance.precisions(factors)
            covariances, factors, precisions = (
                values.astype(dtype) for values in (covariances, factors, precisions)
            )
        if exponent != 0 and not (np.isfinite(covariances).all() and np.isfinite(precisions).all()):
            raise ValueError(
                f"Covariances or precisions are beyond the range of {np.dtype(dtype).name}. Divide "
                f"X by a power of two, 2.0**{exponent} for example, which changes no digit of it."
            )
        self.converged_ = result.converged
        self.weights_ = components.weights.astype(dtype)
        self.means_ = scaled((components.means + origin).astype(dtype), exponent)
        self.covariances_ = covariances
        self.precisions_cholesky_ = factors
        self.precisions_ = precisions
        self.n_iter_ = len(result.lower_bounds)
        self.lower_bound_ = result.lower_bound
        self.lower_bounds_ = result.lower_bounds
        self.reg_covar_ = result.reg_covar

    # -- new rows ------------------------------------------------------------------------------

    def predict(self, X):
        """Most probable component of each row.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            New rows.

        Returns
        -------
        labels : ndarray of shape (n_samples,), int64
            Index of the component, the first of equally probable ones.
        """
        return self._infer(self._check_test_data(X))[0]

    def predict_proba(self, X):
        """Probability of each component for each row.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            New rows.

        Returns
        -------
        resp : ndarray of shape (n_samples, n_components)
            Responsibilities of the components; each row sums to 1.
        """
        X = self._check_test_data(X)
        shape = X.shape[0], len(self.means_)
        what = f"A result of {shape[0]:,} x {shape[1]}"
        _algorithms.memory.check_memory(math.prod(shape) * X.dtype.itemsize, what)
        resp = np.empty(shape, dtype=X.dtype)
        self._infer(X, resp)
        return resp

    def score_samples(self, X):
        """Log-likelihood of each row.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            New rows.

        Returns
        -------
        log_prob : ndarray of shape (n_samples,)
            log p(x), in nats.
        """
        return self._infer(self._check_test_data(X))[1]

    def score(self, X, y=None, sample_weight=None):
        """Mean log-likelihood of the rows.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            New rows.

        y : Ignored
            Present for the API's sake.

        sample_weight : array-like of shape (n_samples,), default=None
            Weight of each row; None for ones. Not in scikit-learn.

        Returns
        -------
        log_likelihood : float
            Weighted mean of log p(x), in nats.
        """
        X = self._check_test_data(X)
        sample_weight = _validation.check_sample_weight(sample_weight, X)
        return _mean(self._infer(X)[1], sample_weight)

    def bic(self, X, sample_weight=None):
        """Bayesian information criterion on X; the lower the better.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Rows.

        sample_weight : array-like of shape (n_samples,), default=None
            Weight of each row, of which the sum stands for n_samples. Not in scikit-learn.

        Returns
        -------
        bic : float
            -2 log L + log(n_samples) times the number of free parameters.
        """
        _, _, n, deviance = self._deviance(X, sample_weight)
        return deviance + self._n_parameters() * math.log(n)

    def aic(self, X, sample_weight=None):
        """Akaike information criterion on X; the lower the better.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Rows.

        sample_weight : array-like of shape (n_samples,), default=None
            Weight of each row. Not in scikit-learn.

        Returns
        -------
        aic : float
            -2 log L + 2 times the number of free parameters.
        """
        *_, deviance = self._deviance(X, sample_weight)
        return deviance + 2 * self._n_parameters()

    def icl(self, X, sample_weight=None):
        """Integrated completed likelihood on X; the lower the better. Not in scikit-learn.

        BIC with twice the entropy of the responsibilities added, which counts against components
        that overlap: it chooses the number of clusters, where BIC chooses that of components.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Rows.

        sample_weight : array-like of shape (n_samples,), default=None
            Weight of each row, of which the sum stands for n_samples.

        Returns
        -------
        icl : float
            bic(X) - 2 times the sum of r log r over rows and components.

        References
        ----------
        C. Biernacki, G. Celeux and G. Govaert, "Assessing a mixture model for clustering with the
        integrated completed likelihood", IEEE Transactions on Pattern Analysis and Machine
        Intelligence 22(7), 2000; in the form of G. McLachlan and D. Peel, "Finite Mixture Models",
        Wiley 2000, section 6.10.3.
        """
        X, sample_weight, n, deviance = self._deviance(X, sample_weight)
        entropy = n * _mean(self._entropies(X), sample_weight)
        return deviance + self._n_parameters() * math.log(n) + 2 * entropy

    def sample(self, n_samples=1):
        """Draw rows from the mixture.

        Parameters
        ----------
        n_samples : int, default=1
            Number of rows.

        Returns
        -------
        X : ndarray of shape (n_samples, n_features)
            The rows, component by component.

        y : ndarray of shape (n_samples,)
            The component of each.
        """
        check_is_fitted(self)
        if n_samples < 1:
            raise ValueError(
                f"Invalid value for 'n_samples': {n_samples} . The sampling requires at "
                "least one sample."
            )
        weights, means = self._check_mixture()
        shape = self._covariance.shape(*means.shape)
        covariances = _validation.check_attribute(self.covariances_, "covariances_", shape)
        rng = _validation.check_random_state(self.random_state)
        if weights.dtype != np.float64:  # rounded, so they do not sum to 1 as numpy wants it
            weights = weights.astype(np.float64)
            weights /= weights.sum()
        counts = rng.multinomial(n_samples, weights)
        drawn = self._covariance.draw(rng, means, covariances, counts)
        return np.vstack(drawn), np.repeat(np.arange(len(counts)), counts)

    def _check_test_data(self, X):
        """Check new rows; return them in the dtype of the computation."""
        check_is_fitted(self)
        X = validate_data(self, X, reset=False, dtype=FLOAT_DTYPES, order="C")
        _, means = self._check_mixture()
        _validation.check_n_features(X, means.shape[1], self)
        return X.astype(np.result_type(X.dtype, means.dtype), copy=False)

    def _check_mixture(self):
        """Check the weights and means, which may have been set by hand; return them."""
        means = _validation.check_attribute(self.means_, "means_", (None, None))
        weights = _validation.check_attribute(self.weights_, "weights_", (len(means),))
        if (weights < 0).any():
            raise ValueError("weights_ should not be negative.")
        return weights, means

    def _infer(self, X, resp_out=None):
        """Labels and log-densities of checked rows; responsibilities into resp_out, if given."""
        labels = np.empty(X.shape[0], dtype=np.int64)
        log_density = np.empty(X.shape[0], dtype=X.dtype)
        if resp_out is None:
            resp_out = np.empty((0, len(self.means_)), dtype=X.dtype)
        name, shape = "precisions_cholesky_", self._covariance.shape(*np.shape(self.means_))
        factors = _validation.check_attribute(self.precisions_cholesky_, name, shape)
        _algorithms.mixture.inference.infer(
            X,
            self._covariance,
            np.asarray(self.weights_, dtype=np.float64),
            np.asarray(self.means_, dtype=np.float64),
            self._covariance.normalise_factors(factors.astype(np.float64), name),
            labels,
            log_density,
            resp_out,
        )
        return labels, log_density

    def _deviance(self, X, sample_weight):
        """Checked rows and weights, the sum of the weights, and -2 log L."""
        X = self._check_test_data(X)
        sample_weight = _validation.check_sample_weight(sample_weight, X)
        n = X.shape[0] if sample_weight is None else float(sample_weight.sum(dtype=np.float64))
        return X, sample_weight, n, -2 * n * _mean(self._infer(X)[1], sample_weight)

    def _entropies(self, X):
        """Entropy of the responsibilities of each row."""
        entropies = np.empty(X.shape[0], dtype=X.dtype)
        step = max(1, ENTROPY_VALUES // len(self.means_))
        for first in range(0, len(X), step):
            part = X[first : first + step]
            resp = np.empty((len(part), len(self.means_)), dtype=X.dtype)
            self._infer(part, resp)
            entropies[first : first + step] = entr(resp).sum(axis=1)
        return entropies

    def _n_parameters(self):
        """Number of free parameters."""
        k, d = np.shape(self.means_)
        return self._covariance.n_parameters(k, d) + k * d + k - 1


def fit_mixture(mixture, X, sample_weight=None, packed=None, *, warn=_validation.warn_user):
    """Fit a GaussianMixture: what its method `fit` and sweeps over packed rows share.

    After an error the estimator is half fitted; `fit` then puts it back.

    Parameters
    ----------
    mixture : GaussianMixture
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
    check_enough_rows(X, mixture.n_components)
    given = mixture._check_start(X.shape[1])
    source, rows, panels = _algorithms.rows.source, X, None
    if packed is not None:
        sample_weight, panels = packed.sample_weight, packed.panels
    else:
        sample_weight = _validation.check_sample_weight(sample_weight, X)
        rows, sample_weight = _validation.rows_with_weight(X, sample_weight)
        if rows is not X:
            check_enough_rows(rows, mixture.n_components)
            mean = source.find_mean(rows)
    in_range = source.pack_in_range(
        rows, sample_weight, mean, panels, _least_exponent(mixture.reg_covar)
    )
    best = mixture._run(in_range, sample_weight, given, warn)
    mixture._warn_of_result(best, warn)
    mixture._set_result(best, in_range)
    return X


def check_enough_rows(X, n_components):
    """Raise ValueError, as scikit-learn, if there are fewer rows than components."""
    if X.shape[0] < n_components:
        raise ValueError(
            "Expected n_samples >= n_components "
            f"but got n_components = {n_components}, n_samples = {X.shape[0]}"
        )


def _least_exponent(reg_covar):
    """Least exponent of scaled rows with which what is added to their variances is no overflow."""
    return None if reg_covar == 0 else (math.frexp(reg_covar)[1] - 900) // 2


def _mean(values, sample_weight):
    return float(np.average(values.astype(np.float64), weights=sample_weight))
