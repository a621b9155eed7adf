"""Mixtures that learn from batches of rows: `partial_fit`."""

import numpy as np

from fastclust import _algorithms, _missing, _mixture_parameters, _parameters, _validation
from fastclust._mixture_base import MixtureEstimator

LEARNING_DECAY, LEARNING_OFFSET = 0.7, 10.0
"""Of the share of a batch: as in scikit-learn's LatentDirichletAllocation."""


class BatchMixtureEstimator(MixtureEstimator):
    """Base of the mixtures that go on from what they are with a batch of rows.

    An M step loses nothing of the moments that it is made from, so there is no state beside the
    parameters, but for the number of batches, `n_steps_`.
    """

    def partial_fit(self, X, y=None, sample_weight=None):
        """Update the components by one batch: all rows of X. Not in scikit-learn.

        This is stepwise EM [1]_: an E step on the batch, and an M step on the average of its
        moments and those of the batches before, in which batch t has a share of (t + 10)^-0.7 when
        it arrives, so that the mixture follows rows that change. `MiniBatchGaussianMixture` has
        this share as parameters. The first call makes the first components of its batch, by
        `init_params`, and runs one iteration of `fit`. After a `fit`, its rows are the first batch.

        A batch should have many more rows than there are components; a small one leaves components
        without rows, and their covariances shrink.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Rows of the batch.

        y : Ignored
            Present for the API's sake.

        sample_weight : array-like of shape (n_samples,), default=None
            Weight of each row within the batch; None for ones.

        Returns
        -------
        self : object
            The estimator. `lower_bound_` is the mean log-likelihood of the batch before its M step.

        Raises
        ------
        ValueError
            As `fit`, and for another number of components or features than before. The estimator
            stays as it was.
        SingularCovarianceError
            As `fit`.

        Warns
        -----
        RuntimeWarning
            If a covariance was singular and has been regularised.

        References
        ----------
        .. [1] O. Cappé and E. Moulines, "On-line expectation-maximization algorithm for latent data
           models", Journal of the Royal Statistical Society B 71(3), 2009.

        Examples
        --------
        >>> import numpy as np
        >>> from fastclust import GaussianMixture
        >>> gm = GaussianMixture(n_components=2, random_state=0)
        >>> rng = np.random.default_rng(0)
        >>> for _ in range(20):
        ...     group = rng.integers(2, size=500)
        ...     gm = gm.partial_fit(rng.normal(loc=10 * group, size=(1, 500)).T)
        >>> np.sort(gm.means_.ravel()).round()
        array([ 0., 10.])
        """
        with _validation.state_restored_on_error(self):
            _parameters.check_parameters(type(self).__name__, vars(self), self._rules)
            self._fit_batch(X, sample_weight)
        return self

    def _learning(self):
        """Decay and offset of the share that a batch has in the average."""
        return LEARNING_DECAY, LEARNING_OFFSET

    def _fit_batch(self, X, sample_weight):
        """Check a batch, run a step, and set the attributes."""
        source = _algorithms.rows.source
        is_first = not hasattr(self, "means_")
        X, _ = self._check_rows(X, is_first)
        X = X if is_first else self._as_computed(X)
        sample_weight, _ = _validation.check_relative_weight(
            sample_weight, X, _algorithms.rows.scale.MOST_WEIGHT_OF_MIXTURE
        )
        X, sample_weight = _validation.rows_with_weight(X, sample_weight)
        mean = _algorithms.rows.origin.find_mean(X)
        if _missing.is_incomplete(X):
            raise ValueError(
                f"Input X contains NaN: partial_fit of {type(self).__name__} takes none."
            )
        if _missing.allows_nan(self) and not np.isfinite(mean).all():
            _missing.check_finite(X, f"partial_fit of {type(self).__name__}")
        if is_first:
            _mixture_parameters.check_enough_rows(X, self.n_components)
            start = self._check_start(X.shape[1])
            least = self._least_exponent(start)
            in_range = source.pack_in_range(X, sample_weight, mean, None, least)
            run = self._run(in_range, sample_weight, start, _validation.warn_user, max_iter=1)
            n_before = 0
        else:
            before = self._check_state(X.shape[1])
            least = self._least_exponent(None)
            in_range = source.pack_in_range(X, sample_weight, mean, None, least)
            run = self._run_batch(in_range, before)
            n_before = before.n_steps
        self._warn_of_recovery(run.recovered, run.reg_covar, _validation.warn_user)
        self._set_result(run, in_range, X)
        self.n_steps_ = n_before + 1

    def _run_batch(self, in_range, before, batch_weight=None):
        """One step from a mixture before."""
        stepwise = _algorithms.mixture.stepwise
        return stepwise.run_batch(
            in_range,
            before,
            covariance=self._covariance,
            n_components=int(self.n_components),
            reg_covar=self.reg_covar,
            recover=self.on_singular == "regularize",
            rate=stepwise.learning_rate(before.n_steps, *self._learning()),
            batch_weight=batch_weight,
        )

    def _check_state(self, n_features):
        """Check the parameters of the mixture, from which a step goes on; return them."""
        k, how = int(self.n_components), _mixture_parameters.PARTIAL_FIT
        last = self.weights_, self.means_, self.precisions_cholesky_
        _mixture_parameters.check_last_fit(*last, self._covariance, k, n_features, how)
        weights, means, factors = (np.asarray(values, dtype=np.float64) for values in last)
        covariances = _validation.check_attribute(
            self.covariances_, "covariances_", self._covariance.shape(k, n_features)
        )
        return _algorithms.mixture.stepwise.State(
            weights,
            means,
            covariances.astype(np.float64),
            self._covariance.normalise_factors(factors, "precisions_cholesky_"),
            np.asarray(getattr(self, "reg_covar_", np.full(k, float(self.reg_covar)))),
            getattr(self, "n_steps_", 1),
        )
