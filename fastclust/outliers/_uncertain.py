"""Labels of the rows that one component explains."""

from fastclust._parameters import check_parameters, real


def confident_labels(estimator, X, threshold=0.8):
    """Label the rows whose most probable component is probable enough, and no others.

    Parameters
    ----------
    estimator : GaussianMixture or other estimator with `predict_proba`
        The fitted estimator.
    X : array-like of shape (n_samples, n_features)
        The rows. With NaN for missing values, if the mixture has ``missing="ignore"``: its
        probabilities are then those given the values that a row has.
    threshold : float, default=0.8
        Least probability of a label.

    Returns
    -------
    labels : ndarray of shape (n_samples,), int64
        The most probable component, or -1 where its probability is below `threshold`.

    Raises
    ------
    ValueError
        If `threshold` is not in [0, 1], and for what `predict_proba` does not accept.

    Examples
    --------
    >>> from fastclust import GaussianMixture
    >>> from fastclust.outliers import confident_labels
    >>> from sklearn.datasets import load_iris
    >>> X = load_iris().data
    >>> mixture = GaussianMixture(3, random_state=0).fit(X)
    >>> int((confident_labels(mixture, X, threshold=0.95) == -1).sum())
    10
    """
    check_parameters("confident_labels", {"threshold": threshold}, {"threshold": [real(0, 1)]})
    probabilities = estimator.predict_proba(X)
    labels = probabilities.argmax(axis=1)
    labels[probabilities.max(axis=1) < threshold] = -1
    return labels
