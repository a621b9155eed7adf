"""Errors that are fastclust's own."""


class InvalidParameterError(ValueError, TypeError):
    """A parameter of the wrong type or out of its range.

    Estimators raise it in `fit`, functions when they are called. It is caught as a ValueError and
    as a TypeError, like scikit-learn's, which is private.

    Examples
    --------
    >>> import numpy as np
    >>> from fastclust import KMeans
    >>> from fastclust.exceptions import InvalidParameterError
    >>> try:
    ...     KMeans(0).fit(np.zeros((10, 2)))
    ... except InvalidParameterError as error:
    ...     print(error)
    The 'n_clusters' parameter of KMeans must be an int in the range [1, inf). Got 0 instead.
    """


class SingularCovarianceError(ValueError):
    """A covariance of a mixture is singular, in spite of `reg_covar`.

    `fit` of mixtures raises it, in scikit-learn's words, unless `on_singular` says otherwise.
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
