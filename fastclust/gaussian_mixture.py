"""GaussianMixture."""

import math

import numpy as np
from scipy.special import entr

from fastclust import _algorithms, _missing, _mixture_parameters, _parameters, _validation
from fastclust._mixture_batches import BatchMixtureEstimator

ENTROPY_VALUES = 2**20
"""Responsibilities that `icl` holds at a time."""

IMPUTED_VALUES = 2**22
"""Values of rows, times components, that are imputed at a time."""


class GaussianMixture(BatchMixtureEstimator):
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

    missing : {'error', 'ignore'}, default='error'
        What NaN in X is: an error, or a missing value, which is left out. The components are then
        those of greatest likelihood of the values that there are [3]_, which is right where it does
        not depend on a missing value that it is missing. Not in scikit-learn.

        A row counts by what it has: `score_samples` is the log-density of these values,
        `predict_proba` the probabilities given these; `impute` fills in the rest. A row without any
        value has the weights as probabilities and a log-density of 0; it has no part in a fit, in
        `lower_bound_` and in the number of rows of `bic` and `icl`. A feature without any value is
        an error. Starts look at rows in which the weighted mean of its column is in the place of a
        missing value. Rows of `partial_fit` must be complete.

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

    n_steps_ : int
        Number of batches: 1 after `fit`, and one more after each `partial_fit`. Not in
        scikit-learn.

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
    .. [3] Z. Ghahramani and M. Jordan, "Supervised learning from incomplete data via an EM
       approach", Advances in Neural Information Processing Systems 6, 1994.

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

    _takes_blocks = True

    _rules = {
        **BatchMixtureEstimator._rules,
        "weights_init": [_parameters.ARRAY_LIKE, _parameters.NONE],
        "means_init": [_parameters.ARRAY_LIKE, _parameters.NONE],
        "precisions_init": [_parameters.ARRAY_LIKE, _parameters.NONE],
        "missing": [_missing.MISSING_RULE],
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
        missing="error",
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
        self.missing = missing

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

    def _make_m_step(self, rows, in_range, start):
        """M step of a run."""
        recover = self.on_singular == "regularize"
        return _algorithms.mixture.em.MStep.in_range(rows, in_range, start, self.reg_covar, recover)

    def _set_parameters(self, m_step, in_range, dtype):
        """Set the attributes that only this mixture has."""
        self.weights_ = m_step.components.weights.astype(dtype)
        self.n_steps_ = 1

    def impute(self, X, draw=False, random_state=None):
        """Fill in missing values, by what else the rows have. Not in scikit-learn.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Rows; NaN is missing, which takes `missing="ignore"`. `MiniBatchGaussianMixture` takes
            none. Those that `fit` would read in blocks may be given.

        draw : bool, default=False
            Whether to draw the values at random: for each row a component, by its probability,
            and then the values, by their density given the others. By default they are the means
            of that density, which vary less than real values would.

        random_state : int, RandomState instance or None, default=None
            Source of the draws; an int makes them reproducible.

        Returns
        -------
        X : ndarray of shape (n_samples, n_features)
            A copy of the rows, in memory, without NaN.

        Examples
        --------
        >>> import numpy as np
        >>> from fastclust import GaussianMixture
        >>> X = np.arange(20.0).reshape(10, 2)
        >>> X[3, 1] = np.nan  # was 7
        >>> GaussianMixture(missing="ignore").fit(X).impute(X)[3].round()
        array([6., 7.])
        """
        X = self._check_test_data(X)
        if not isinstance(X, np.ndarray):
            X = X.read()
        _, means = self._check_mixture()
        shape = self._covariance.shape(*means.shape)
        covariances = _validation.check_attribute(self.covariances_, "covariances_", shape)
        rng = _validation.check_random_state(random_state) if draw else None
        X, step = X.copy(), max(1, IMPUTED_VALUES // means.size)
        for _, rows in _algorithms.rows.source.row_slices(X, step):
            resp = np.empty((len(rows), len(means)), dtype=X.dtype)
            self._infer(rows, resp)
            rows[:] = _algorithms.mixture.missing_inference.impute(
                rows, resp, self._covariance, means.astype(np.float64),
                covariances.astype(np.float64), rng,
            )  # fmt: skip
        return X

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
        return self._criteria(*self._sum_logs(X, sample_weight))["bic"]

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
        return self._criteria(*self._sum_logs(X, sample_weight))["aic"]

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
        return self._criteria(*self._sum_logs(X, sample_weight, with_entropy=True))["icl"]

    def _sum_logs(self, X, sample_weight, with_entropy=False):
        """Check rows and weights, and sum what criteria need; see `_sum_logs_of_rows`.

        Rows that have no value are left out.
        """
        X = self._check_test_data(X)
        sample_weight = _validation.check_sample_weight(sample_weight, X)
        if _missing.allows_nan(self):
            X, sample_weight = _missing.rows_with_values(X, sample_weight)
        return self._sum_logs_of_rows(X, sample_weight, with_entropy)

    def _sum_logs_of_rows(self, X, sample_weight, with_entropy=False):
        """Weighted sums over checked rows: of 1, of log p(x), and of entropies of responsibilities.

        The entropies are 0 if they are not asked for.
        """
        k, sums = len(self.means_), np.zeros(3)
        step = max(1, ENTROPY_VALUES // k) if with_entropy else max(1, X.shape[0])
        for part, rows in _algorithms.rows.source.row_slices(X, step):
            weights = np.ones(len(rows)) if sample_weight is None else sample_weight[part]
            resp = np.empty((len(rows) if with_entropy else 0, k), dtype=X.dtype)
            weights, log_density = weights.astype(np.float64), self._infer(rows, resp)[1]
            entropy = weights @ entr(resp).sum(axis=1) if with_entropy else 0.0
            sums += [weights.sum(), weights @ log_density.astype(np.float64), entropy]
        return sums

    def _criteria(self, n, log_likelihood, entropy):
        """Information criteria by name, from what `_sum_logs` returns."""
        n_parameters = self._n_parameters()
        bic = float(n_parameters * math.log(n) - 2 * log_likelihood)
        aic = float(2 * n_parameters - 2 * log_likelihood)
        return {"bic": bic, "aic": aic, "icl": float(bic + 2 * entropy)}

    def _n_parameters(self):
        """Number of free parameters."""
        k, d = np.shape(self.means_)
        return self._covariance.n_parameters(k, d) + k * d + k - 1


def sum_logs(mixture, X, sample_weight):
    """Weighted sums over checked rows that `information_criteria` takes: they can be added."""
    return mixture._sum_logs_of_rows(X, sample_weight, with_entropy=True)


def information_criteria(mixture, sums):
    """BIC, AIC and ICL by name, of rows with these sums."""
    return mixture._criteria(*sums)
