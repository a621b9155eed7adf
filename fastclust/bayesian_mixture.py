"""BayesianGaussianMixture."""

import numpy as np

from fastclust import _algorithms, _mixture_parameters, _parameters, _validation
from fastclust._mixture_base import MixtureEstimator
from fastclust._parameters import one_of, positive_float


class BayesianGaussianMixture(MixtureEstimator):
    """Bayesian mixture of Gaussians: scikit-learn's `BayesianGaussianMixture`, on SIMD kernels.

    Variational inference finds a posterior of the mixing proportions, means and precisions, in
    which components that the rows do not need stay nearly empty. The same `random_state` gives the
    same labels, iterations and parameters as scikit-learn, up to rounding. The README lists the
    differences.

    Parameters
    ----------
    n_components : int, default=1
        Number of components; as many as the rows need, and more, will do.

    covariance_type : {'full', 'tied', 'diag', 'spherical'}, default='full'
        Shape of the covariances.

        - 'full': each component has its own matrix.
        - 'tied': all components share one matrix.
        - 'diag': each component has a variance for each feature.
        - 'spherical': each component has one variance.

    tol : float, default=1e-3
        A run ends when the lower bound of the evidence, in nats and summed over the rows, changes
        by less.

    reg_covar : float, default=1e-6
        Added to the variances of the rows of each component, in the squared units of X.

    max_iter : int, default=100
        Limit of the iterations of one run.

    n_init : int, default=1
        Number of runs from different starts, of which that with the largest lower bound is kept.

    init_params : {'kmeans', 'k-means++', 'random', 'random_from_data'}, default='kmeans'
        How the first responsibilities are made.

        - 'kmeans': 1 for the cluster of a `KMeans` fit.
        - 'k-means++': 1 for one row a component, seeded by greedy k-means++.
        - 'random': drawn from a uniform distribution.
        - 'random_from_data': 1 for one row a component, drawn at random.

    weight_concentration_prior_type : {'dirichlet_process', 'dirichlet_distribution'}, \
default='dirichlet_process'
        Prior of the mixing proportions: a Dirichlet process, of which as many sticks are broken as
        there are components, or a Dirichlet distribution.

    weight_concentration_prior : float, default=None
        Concentration of that prior, in rows; None for 1 / n_components. The smaller, the fewer
        components have rows.

    mean_precision_prior : float, default=None
        Weight of the prior of the means, in rows; None for 1.

    mean_prior : array-like of shape (n_features,), default=None
        Mean of that prior; None for the mean of X.

    degrees_of_freedom_prior : float, default=None
        Degrees of freedom of the precisions' Wishart prior, in rows; more than n_features - 1. None
        for n_features.

    covariance_prior : float or array-like, default=None
        Inverse of the scale matrix of that prior, in the squared units of X; None for the
        covariance of X. Its shape is (n_features, n_features) for 'full' and 'tied', (n_features,)
        for 'diag', and it is a number for 'spherical'.

    random_state : int, RandomState instance or None, default=None
        Source of the draws of the start and of `sample`; an int makes them reproducible.

    warm_start : bool, default=False
        Whether a further `fit` goes on from the posterior of the last; `n_init` is then 1.

    verbose : int, default=0
        Print scikit-learn's lines: 1 for each run and iteration, 2 with times and changes.

    verbose_interval : int, default=10
        Iterations between lines.

    on_singular : {'raise', 'regularize'}, default='raise'
        What to do about a covariance that is singular, as that of the prior is, in spite of
        `reg_covar`: raise `fastclust.exceptions.SingularCovarianceError`, a ValueError with
        scikit-learn's words, or add to its variances, by factors of ten until it is not, with a
        warning and a record in `reg_covar_`. Not in scikit-learn.

    Attributes
    ----------
    weights_ : ndarray of shape (n_components,)
        Mixing proportions, at the mean of the posterior.

    means_ : ndarray of shape (n_components, n_features)
        Means, at the mean of the posterior.

    covariances_ : ndarray
        Covariances: inverses of the mean precisions of the posterior. Of shape
        (n_components, n_features, n_features) for 'full', (n_features, n_features) for 'tied',
        (n_components, n_features) for 'diag' and (n_components,) for 'spherical'.

    precisions_ : ndarray
        Their inverses, of the same shape.

    precisions_cholesky_ : ndarray
        Upper triangular Cholesky factors U of the precisions, U U' = P, of the same shape.

    weight_concentration_ : tuple of two ndarray, or ndarray, of shape (n_components,)
        Parameters of the beta distributions of the sticks, for 'dirichlet_process', or of the
        Dirichlet distribution.

    mean_precision_ : ndarray of shape (n_components,)
        Weights of the means, in rows: `mean_precision_prior_` and the rows of each.

    degrees_of_freedom_ : ndarray of shape (n_components,), or float for 'tied'
        Of the Wishart distributions of the precisions.

    weight_concentration_prior_, mean_precision_prior_, degrees_of_freedom_prior_ : float
        The priors as they were used.

    mean_prior_ : ndarray of shape (n_features,)
        The same.

    covariance_prior_ : ndarray or float
        The same.

    converged_ : bool
        Whether the best run ended by `tol`.

    n_iter_ : int
        Number of iterations of the best run.

    lower_bound_ : float
        Lower bound of the logarithm of the evidence, but for constants, which depend on
        `n_components` and the priors, after the last iteration of the best run.

    lower_bounds_ : list of float
        The same of each iteration.

    reg_covar_ : ndarray of shape (n_components,)
        `reg_covar`, or more where `on_singular` added to the variances.

    n_features_in_ : int
        Number of features seen in `fit`.

    feature_names_in_ : ndarray of shape (n_features_in_,)
        Names of the features seen in `fit`, if X has names that are all strings.

    See Also
    --------
    GaussianMixture : By maximum likelihood, for a number of components that is known.

    References
    ----------
    .. [1] C. Bishop, "Pattern Recognition and Machine Learning", Springer 2006, section 10.2.
    .. [2] H. Attias, "A variational Bayesian framework for graphical models", Advances in Neural
       Information Processing Systems 12, 2000.
    .. [3] D. Blei and M. Jordan, "Variational inference for Dirichlet process mixtures", Bayesian
       Analysis 1(1), 2006.

    Examples
    --------
    >>> import numpy as np
    >>> from fastclust import BayesianGaussianMixture
    >>> X = np.array([[1, 2], [1, 4], [1, 0], [4, 2], [12, 4], [10, 7]])
    >>> mixture = BayesianGaussianMixture(n_components=2, random_state=42).fit(X)
    >>> mixture.means_.round(1)
    array([[2.5, 2.3],
           [8.5, 4.5]])
    >>> mixture.predict([[0, 0], [9, 3]])
    array([0, 1])
    """

    _counts_rows = True

    _rules = {
        **MixtureEstimator._rules,
        "weight_concentration_prior_type": [one_of("dirichlet_process", "dirichlet_distribution")],
        "weight_concentration_prior": [_parameters.NONE, positive_float()],
        "mean_precision_prior": [_parameters.NONE, positive_float()],
        "mean_prior": [_parameters.NONE, _parameters.ARRAY_LIKE],
        "degrees_of_freedom_prior": [_parameters.NONE, positive_float()],
        "covariance_prior": [_parameters.NONE, _parameters.ARRAY_LIKE, positive_float()],
    }

    def __init__(
        self,
        *,
        n_components=1,
        covariance_type="full",
        tol=1e-3,
        reg_covar=1e-6,
        max_iter=100,
        n_init=1,
        init_params="kmeans",
        weight_concentration_prior_type="dirichlet_process",
        weight_concentration_prior=None,
        mean_precision_prior=None,
        mean_prior=None,
        degrees_of_freedom_prior=None,
        covariance_prior=None,
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
        self.weight_concentration_prior_type = weight_concentration_prior_type
        self.weight_concentration_prior = weight_concentration_prior
        self.mean_precision_prior = mean_precision_prior
        self.mean_prior = mean_prior
        self.degrees_of_freedom_prior = degrees_of_freedom_prior
        self.covariance_prior = covariance_prior
        self.random_state = random_state
        self.warm_start = warm_start
        self.verbose = verbose
        self.verbose_interval = verbose_interval
        self.on_singular = on_singular

    # -- fit -----------------------------------------------------------------------------------

    def _check_start(self, n_features):
        """Check the priors, and what the last fit found if this one goes on from it.

        Returns priors, of which the mean and the covariance may be None, and a posterior with its
        means, covariances and factors, or None for what `init_params` makes.
        """
        k, d, covariance = int(self.n_components), n_features, self._covariance
        concentration, mean_precision, degrees_of_freedom = (
            1.0 / k if self.weight_concentration_prior is None else self.weight_concentration_prior,
            1.0 if self.mean_precision_prior is None else self.mean_precision_prior,
            d if self.degrees_of_freedom_prior is None else self.degrees_of_freedom_prior,
        )
        mean = _mixture_parameters.check_mean_prior(self.mean_prior, d)
        _mixture_parameters.check_degrees_of_freedom_prior(degrees_of_freedom, d)
        matrix = _mixture_parameters.check_covariance_prior(self.covariance_prior, covariance, d)
        is_process = self.weight_concentration_prior_type == "dirichlet_process"
        priors = _algorithms.mixture.priors.Priors(
            is_process, concentration, mean_precision, mean, degrees_of_freedom, matrix
        )
        if not self._goes_on():
            return priors, None
        last = self.weights_, self.means_, self.precisions_cholesky_
        _mixture_parameters.check_last_fit(*last, covariance, k, d)
        _mixture_parameters.check_last_prior(self.weight_concentration_, is_process)
        return priors, (
            posterior_of(self),
            self.means_,
            self.covariances_,
            self.precisions_cholesky_,
        )

    def _result_dtype(self, X):
        """Type of the parameters that a fit to X finds: float64, as in scikit-learn."""
        return np.dtype(np.float64)

    def _least_exponent(self, start):
        """Least exponent of scaled rows with which no parameter that goes with them overflows."""
        priors, given = start
        mean, covariance = (0.0 if v is None else v for v in (priors.mean, priors.covariance))
        means, covariances = (0.0, 0.0) if given is None else given[1:3]
        variance = max(self.reg_covar, np.abs(covariance).max(), np.abs(covariances).max())
        location = max(np.abs(mean).max(), np.abs(means).max())
        return _algorithms.rows.scale.least_exponent(float(variance), float(location))

    def _run(self, in_range, sample_weight, start, warn, **options):
        """Run n_init times, return the best result."""
        priors, given = start
        priors = _algorithms.mixture.priors.complete_priors(priors, in_range, self._covariance)
        self.weight_concentration_prior_ = priors.concentration
        self.mean_precision_prior_ = priors.mean_precision
        self.mean_prior_ = priors.mean
        self.degrees_of_freedom_prior_ = priors.degrees_of_freedom
        self.covariance_prior_ = priors.covariance
        return super()._run(in_range, sample_weight, (priors, given), warn, **options)

    def _make_m_step(self, rows, in_range, start):
        """M step of a run."""
        priors, given = start
        recover = self.on_singular == "regularize"
        return _algorithms.mixture.bayesian.VariationalMStep.of_priors(
            rows, in_range, given, self.reg_covar, recover, priors
        )

    def _set_parameters(self, m_step, in_range, dtype):
        """Set the attributes that only this mixture has."""
        posterior = m_step.posterior
        freedom = posterior.degrees_of_freedom
        self.weight_concentration_ = posterior.concentration
        self.mean_precision_ = posterior.mean_precision
        self.degrees_of_freedom_ = float(freedom) if np.ndim(freedom) == 0 else freedom
        self.weights_ = _algorithms.mixture.posterior.mixing_proportions(posterior.concentration)

    # -- new rows ------------------------------------------------------------------------------

    def _log_weights(self):
        """What is added to the log-densities of the components."""
        return _algorithms.mixture.posterior.log_weights(posterior_of(self))


def posterior_of(mixture):
    """Check what the posterior has beside means and covariances, and return it.

    Parameters
    ----------
    mixture : BayesianGaussianMixture
        Its attributes may have been set by hand, or read from a file.

    Returns
    -------
    posterior : Posterior
        Its concentrations, mean precisions and degrees of freedom.

    Raises
    ------
    ValueError
        If there is no posterior of such parameters.
    """
    k, d = np.shape(mixture.means_)

    def check(values, name):
        values = _validation.check_attribute(values, name, (k,)).astype(np.float64)
        if not (values > 0).all():
            raise ValueError(f"{name} should be positive.")
        return values

    name = "weight_concentration_"
    if isinstance(mixture.weight_concentration_, tuple):
        first, second = mixture.weight_concentration_
        concentration = check(first, name), check(second, name)
    else:
        concentration = check(mixture.weight_concentration_, name)
    freedom = mixture.degrees_of_freedom_
    is_shared = mixture._covariance.is_shared and np.ndim(freedom) == 0
    freedom = check([freedom] * k if is_shared else freedom, "degrees_of_freedom_")
    if not (freedom > d - 1).all():
        raise ValueError(f"degrees_of_freedom_ should be above {d - 1}.")
    return _algorithms.mixture.posterior.Posterior(
        concentration,
        check(mixture.mean_precision_, "mean_precision_"),
        float(freedom[0]) if is_shared else freedom,
        d,
    )
