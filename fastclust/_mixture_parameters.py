"""Checks of a mixture's rows, start and priors, worded like scikit-learn's."""

import numpy as np
from sklearn.utils import check_array

from fastclust._validation import FLOAT_DTYPES


def check_enough_rows(X, n_components):
    """Raise ValueError, as scikit-learn, if there are fewer rows than components."""
    if X.shape[0] < n_components:
        raise ValueError(
            "Expected n_samples >= n_components "
            f"but got n_components = {n_components}, n_samples = {X.shape[0]}"
        )


def check_given(weights, means, precisions, covariance, n_components, n_features):
    """Check the parameters of the start that are given, each of which may be None.

    Parameters
    ----------
    weights, means, precisions : array-like or None
        `weights_init`, `means_init` and `precisions_init`.
    covariance : object
        One of COVARIANCE_TYPES.
    n_components, n_features : int
        Of the mixture.

    Returns
    -------
    weights, means, factors : ndarray of float64, or None
        The same, but for factors of the precisions instead of these.
    """
    k, d = n_components, n_features
    return (
        None if weights is None else _check_weights(weights, k),
        None if means is None else _check_means(means, k, d),
        None if precisions is None else _check_precisions(precisions, covariance, k, d),
    )


WARM_START = "warm_start", "Set warm_start=False to start anew."
PARTIAL_FIT = "partial_fit", "Call fit, or partial_fit of a new estimator, to start anew."
"""What goes on from the components of the last fit, and what to do instead."""


def check_last_fit(weights, means, factors, covariance, n_components, n_features, how=WARM_START):
    """Check that the last fit's components are of the shape of those to be fitted."""
    k, d = n_components, n_features
    last = weights, means, factors
    if [np.shape(values) for values in last] != [(k,), (k, d), covariance.shape(k, d)]:
        what, instead = how
        raise ValueError(
            f"{what} goes on from the components of the last fit, and these are of another "
            f"n_components, covariance_type or number of features. {instead}"
        )


def check_last_prior(concentration, is_process):
    """Check that the last fit's mixing proportions had the type of prior that they have now."""
    if isinstance(concentration, tuple) != is_process:
        raise ValueError(
            "warm_start goes on from the posterior of the last fit, and this is of another "
            "weight_concentration_prior_type. Set warm_start=False to start anew."
        )


def check_mean_prior(mean, n_features):
    """Check the prior of the means.

    Parameters
    ----------
    mean : array-like or None
        `mean_prior`.
    n_features : int
        Of the mixture.

    Returns
    -------
    mean : ndarray of float64, or None
        The same.
    """
    if mean is None:
        return None
    mean = check_array(mean, dtype=FLOAT_DTYPES, ensure_2d=False)
    _check_shape(mean, (n_features,), "means")
    return mean.astype(np.float64)


def check_degrees_of_freedom_prior(degrees_of_freedom, n_features):
    """Raise ValueError unless a Wishart distribution may have as many degrees of freedom."""
    if not degrees_of_freedom > n_features - 1.0:
        raise ValueError(
            "The parameter 'degrees_of_freedom_prior' should be greater than "
            f"{n_features - 1}, but got {degrees_of_freedom:.3f}."
        )


def check_covariance_prior(prior, covariance, n_features):
    """Check the prior of the covariances.

    Parameters
    ----------
    prior : array-like, float or None
        `covariance_prior`.
    covariance : object
        One of COVARIANCE_TYPES.
    n_features : int
        Of the mixture.

    Returns
    -------
    prior : ndarray of float64, float or None
        The same.
    """
    if prior is None:
        return None
    name, is_number = covariance.name, covariance.name == "spherical"
    if is_number and np.ndim(prior) == 0:
        prior = check_array([prior], dtype=FLOAT_DTYPES, ensure_2d=False)[0]
    else:
        prior = check_array(prior, dtype=FLOAT_DTYPES, ensure_2d=False)
    _check_shape(prior, covariance.shape_of_one(n_features), f"{name} covariance_prior")
    covariance.check_precisions(prior, f"{name} precision")
    return float(prior) if is_number else prior.astype(np.float64)


def _check_shape(values, shape, name):
    """Raise ValueError, in scikit-learn's words, for another shape."""
    if values.shape != shape:
        raise ValueError(
            f"The parameter '{name}' should have the shape of {shape}, but got {values.shape}"
        )


def _check_weights(weights, n_components):
    """Check the first mixing proportions; return them in float64."""
    weights = check_array(weights, dtype=FLOAT_DTYPES, ensure_2d=False)
    _check_shape(weights, (n_components,), "weights")
    if (weights < 0).any() or (weights > 1).any():
        raise ValueError(
            "The parameter 'weights' should be in the range [0, 1], but got "
            f"max value {weights.max():.5f}, min value {weights.min():.5f}"
        )
    tolerance = 1e-6 if weights.dtype == np.float32 else 1e-8
    if abs(1 - weights.sum()) > tolerance:
        raise ValueError(
            "The parameter 'weights' should be normalized, but got "
            f"sum(weights) = {weights.sum():.5f}"
        )
    return weights.astype(np.float64)


def _check_means(means, n_components, n_features):
    """Check the first means; return them in float64."""
    means = check_array(means, dtype=FLOAT_DTYPES, ensure_2d=False)
    _check_shape(means, (n_components, n_features), "means")
    return means.astype(np.float64)


def _check_precisions(precisions, covariance, n_components, n_features):
    """Check the first precisions; return their Cholesky factors."""
    name = f"{covariance.name} precision"
    precisions = check_array(
        precisions, dtype=FLOAT_DTYPES, ensure_2d=False, allow_nd=covariance.name == "full"
    )
    _check_shape(precisions, covariance.shape(n_components, n_features), name)
    precisions = precisions.astype(np.float64)
    covariance.check_precisions(precisions, name)
    return covariance.factorise_precisions(precisions)
