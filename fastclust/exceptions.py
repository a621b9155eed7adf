"""Errors that are fastclust's own."""


class SingularCovarianceError(ValueError):
    """A covariance of a mixture is singular, in spite of `reg_covar`.

    `GaussianMixture.fit` raises it, in scikit-learn's words, unless `on_singular` says otherwise.
    scikit-learn raises a ValueError, as which this one is caught too.

    Examples
    --------
    >>> import numpy as np
    >>> from fastclust import GaussianMixture
    >>> from fastclust.exceptions import SingularCovarianceError
    >>> X = np.zeros((10, 2))
    >>> try:
    ...     GaussianMixture(1, reg_covar=0.0).fit(X)
    ... except SingularCovarianceError:
    ...     print("singular")
    singular
    """
