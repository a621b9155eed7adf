"""MiniBatchGaussianMixture."""

import math

import numpy as np

from fastclust import _algorithms, _parameters, _validation
from fastclust._mixture_base import fit_mixture
from fastclust._mixture_batches import LEARNING_DECAY, LEARNING_OFFSET
from fastclust._mixture_parameters import check_enough_rows
from fastclust._parameters import integer, real
from fastclust.gaussian_mixture import GaussianMixture


class MiniBatchGaussianMixture(GaussianMixture):
    """Mixture of Gaussians by stepwise EM: an M step after each batch of rows. Not in scikit-learn.

    To `GaussianMixture` it is what `MiniBatchKMeans` is to `KMeans`: for many rows a good mixture
    after one or two passes over them, near that of EM but not equal to it. Batch t has a share of
    (t + learning_offset)^-learning_decay in the average of the moments, the first of 1 [1]_.

    The first components are those of `init_params` and one iteration of EM on a sample of the rows.
    Each pass takes all rows in a new random order. If a batch has all rows, `fit` is that of
    `GaussianMixture`.

    Parameters
    ----------
    n_components : int, default=1
        Number of components.

    covariance_type : {'full', 'tied', 'diag', 'spherical'}, default='full'
        Shape of the covariances, as in `GaussianMixture`.

    batch_size : int, default=1024
        Rows of a batch of `fit`. It should be many times n_components; with full covariances
        n_components times n_features, too.

    learning_decay : float, default=0.7
        How fast the shares of batches fall, from 0 to 1: 0 forgets all batches before the last, 1
        weights all batches about alike. Stepwise EM converges above 0.5.

    learning_offset : float, default=10.0
        Number of batches, at least 1, that the shares of the first ones are lowered as if after.

    init_size : int, default=None
        Rows of the sample; 3 * batch_size by default, and at least n_components.

    tol : float, default=1e-3
        `fit` ends when the mean log-likelihood of the rows, in nats, changes by less from one pass
        to the next. That of a row is by the components before its batch.

    reg_covar : float, default=1e-6
        Added to the variances, in the squared units of X, to keep them positive.

    max_iter : int, default=100
        Limit of the passes over the rows.

    n_init : int, default=1
        Number of starts, of which the one with the best likelihood of the sample is taken.

    init_params : {'kmeans', 'k-means++', 'random', 'random_from_data'}, default='kmeans'
        How the first responsibilities are made, as in `GaussianMixture`.

    weights_init : array-like of shape (n_components,), default=None
        First mixing proportions, over those of `init_params`.

    means_init : array-like of shape (n_components, n_features), default=None
        First means, over those of `init_params`.

    precisions_init : array-like, default=None
        First inverses of the covariances, over those of `init_params`, shaped as `precisions_`.

    random_state : int, RandomState instance or None, default=None
        Source of the draws of the sample, the start and the batches, and of `sample`; an int makes
        them reproducible.

    warm_start : bool, default=False
        Whether a further `fit` goes on from the parameters of the last, and its number of batches.

    verbose : int, default=0
        Print a line for each pass, as `GaussianMixture` for an iteration; 2 for times and changes.

    verbose_interval : int, default=10
        Passes between lines.

    on_singular : {'raise', 'regularize'}, default='raise'
        What to do about a singular covariance, as in `GaussianMixture`.

    Attributes
    ----------
    weights_, means_, covariances_, precisions_, precisions_cholesky_ : ndarray
        The components, as of `GaussianMixture`.

    converged_ : bool
        Whether `fit` ended by `tol`.

    n_iter_ : int
        Number of passes over the rows.

    n_steps_ : int
        Number of batches, the sample included, and those of `partial_fit`.

    lower_bound_ : float
        Mean log-likelihood of the rows in the last pass, each by the components before its batch.

    lower_bounds_ : list of float
        The same of each pass.

    reg_covar_ : ndarray of shape (n_components,)
        What was added to the variances of each component in the end.

    n_features_in_ : int
        Number of features seen in `fit`.

    feature_names_in_ : ndarray of shape (n_features_in_,)
        Names of the features seen in `fit`, if X has names that are all strings.

    See Also
    --------
    GaussianMixture : The mixture of greatest likelihood, by all rows in each iteration.
    MiniBatchKMeans : Clusters by distance alone, in batches.

    References
    ----------
    .. [1] O. Cappé and E. Moulines, "On-line expectation-maximization algorithm for latent data
       models", Journal of the Royal Statistical Society B 71(3), 2009.

    Examples
    --------
    >>> import numpy as np
    >>> from fastclust import MiniBatchGaussianMixture
    >>> rng = np.random.default_rng(0)
    >>> X = np.concatenate([rng.normal(size=(5000, 2)), rng.normal(loc=9, size=(5000, 2))])
    >>> gm = MiniBatchGaussianMixture(n_components=2, random_state=0).fit(X)
    >>> np.sort(gm.means_[:, 0]).round()
    array([0., 9.])
    """

    _takes_blocks = False  # batches are rows from anywhere

    _rules = {
        **GaussianMixture._rules,
        "max_iter": [integer(1)],
        "batch_size": [integer(1)],
        "learning_decay": [real(0, 1)],
        "learning_offset": [real(1)],
        "init_size": [integer(1), _parameters.NONE],
    }

    def __init__(
        self,
        n_components=1,
        *,
        covariance_type="full",
        batch_size=1024,
        learning_decay=LEARNING_DECAY,
        learning_offset=LEARNING_OFFSET,
        init_size=None,
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
        super().__init__(
            n_components,
            covariance_type=covariance_type,
            tol=tol,
            reg_covar=reg_covar,
            max_iter=max_iter,
            n_init=n_init,
            init_params=init_params,
            weights_init=weights_init,
            means_init=means_init,
            precisions_init=precisions_init,
            random_state=random_state,
            warm_start=warm_start,
            verbose=verbose,
            verbose_interval=verbose_interval,
            on_singular=on_singular,
        )
        self.batch_size = batch_size
        self.learning_decay = learning_decay
        self.learning_offset = learning_offset
        self.init_size = init_size

    def _learning(self):
        """Decay and offset of the share that a batch has in the average."""
        return float(self.learning_decay), float(self.learning_offset)

    def _fit(self, X, sample_weight):
        """Fit to rows that are not yet checked; return them as they were computed with."""
        _parameters.check_parameters(type(self).__name__, vars(self), self._rules)
        given = X
        X, _ = self._check_rows(given)
        sample_weight, _ = _validation.check_relative_weight(
            sample_weight, X, _algorithms.rows.scale.MOST_WEIGHT_OF_MIXTURE
        )
        rows, weights = _validation.rows_with_weight(X, sample_weight)
        check_enough_rows(rows, self.n_components)
        if self.batch_size >= len(rows):
            mean = _algorithms.rows.origin.find_mean(rows)
            fit_mixture(self, given, packed=_validation.PackedRows(rows, mean, None, weights))
            self.n_steps_ = self.n_iter_
            return X
        result, in_range, n_steps = self._run_passes(rows, weights)
        self._warn_of_end(result.converged, _validation.warn_user)
        self._warn_of_recovery(result.recovered, result.reg_covar, _validation.warn_user)
        self._set_result(result, in_range, X)
        self.n_steps_ = n_steps
        return X

    def _run_passes(self, rows, weights):
        """Passes over the rows in batches, from a start or from the last fit."""
        stepwise, source = _algorithms.mixture.stepwise, _algorithms.rows.source
        random_state = _validation.check_random_state(self.random_state)
        least_exponent = self._least_exponent(None)

        def weights_of(numbers):
            return None if weights is None else weights[numbers]

        def pack(numbers):
            part = rows[numbers]
            mean = _algorithms.rows.origin.find_mean(part)
            return source.pack_in_range(part, weights_of(numbers), mean, None, least_exponent)

        if self._goes_on():
            state, bound = self._check_state(rows.shape[1]), self.lower_bound_
        else:
            start = self._check_start(rows.shape[1])
            size = 3 * self.batch_size if self.init_size is None else self.init_size
            size = min(max(int(size), int(self.n_components)), len(rows))
            numbers = np.sort(random_state.permutation(len(rows))[:size])
            sample, warn = pack(numbers), _validation.warn_user
            run = self._run(
                sample, weights_of(numbers), start, warn, random_state=random_state, max_iter=1
            )
            state, bound = stepwise.State.of_run(run, sample, n_steps=1), -math.inf
        row_weights = np.ones(len(rows)) if weights is None else weights.astype(np.float64)
        return stepwise.run_passes(
            pack,
            self._run_batch,
            state,
            row_weights,
            random_state,
            batch_size=int(self.batch_size),
            options=self._em_options(),
            lower_bound=bound,
        )
