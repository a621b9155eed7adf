"""What mixtures say of new rows, and rows drawn from them."""

import math

import numpy as np
from sklearn.base import DensityMixin
from sklearn.utils.validation import check_is_fitted, validate_data

from fastclust import _algorithms, _block_rows, _missing, _validation
from fastclust._validation import FLOAT_DTYPES, Estimator


class MixturePredictions(DensityMixin, Estimator):
    """The methods of a fitted mixture of Gaussians."""

    _takes_blocks = False
    """Whether rows that do not fit into memory are read in blocks; else all are read."""

    @property
    def _covariance(self):
        """The covariance type: one of COVARIANCE_TYPES."""
        return _algorithms.mixture.covariance.COVARIANCE_TYPES[self.covariance_type]

    def _open_source(self, X):
        """X as a source of rows in blocks, or None if it is none, or is to be read whole."""
        if not self._takes_blocks:
            return None
        return _algorithms.rows.block_source.open_source(X, _missing.allows_nan(self))

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
        sample_weight, _ = _validation.check_relative_weight(sample_weight, X)
        return weighted_mean(self._infer(X)[1], sample_weight)

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
        source = self._open_source(X)
        if source is not None:
            X = _block_rows.check_source(self, source, reset=False)
        else:
            may_miss = _missing.allows_nan(self)
            X = validate_data(
                self, _missing.without_na(X) if may_miss else X, reset=False, dtype=FLOAT_DTYPES,
                order="C", ensure_all_finite="allow-nan" if may_miss else True,
            )  # fmt: skip
        _, means = self._check_mixture()
        _validation.check_n_features(X, means.shape[1], self)
        return self._as_computed(X)

    def _as_computed(self, X):
        """Checked rows in the type that new rows are computed with."""
        means = _validation.check_attribute(self.means_, "means_", (None, None))
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
        inference = _algorithms.mixture.inference
        mixture = inference.Mixture(
            self._covariance,
            np.asarray(self.weights_, dtype=np.float64),
            np.asarray(self.means_, dtype=np.float64),
            self._covariance.normalise_factors(factors.astype(np.float64), name),
            self._log_weights(),
        )
        outputs = labels, log_density, resp_out
        if _missing.allows_nan(self):
            _algorithms.mixture.missing_inference.infer_observed(X, mixture, *outputs)
        else:
            inference.infer(X, mixture, *outputs)
        return labels, log_density

    def __sklearn_tags__(self):
        """Whether NaN in X stands for missing values."""
        tags = super().__sklearn_tags__()
        tags.input_tags.allow_nan = _missing.allows_nan(self)
        return tags

    def _log_weights(self):
        """What is added to the log-densities of the components; None for the logs of weights_."""
        return None


def weighted_mean(values, sample_weight):
    """Weighted mean of values, as a float; of weights of 1 if there are none."""
    return float(np.average(values.astype(np.float64), weights=sample_weight))
