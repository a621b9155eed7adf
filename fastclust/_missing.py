"""What estimators that leave missing values out share: the parameter `missing`, and its checks."""

from sklearn.utils import assert_all_finite

from fastclust._parameters import one_of

MISSING_RULE = one_of("error", "ignore")
"""What the parameter `missing` must be: NaN in X is an error, or stands for what is missing."""


def allows_nan(estimator):
    """Whether NaN in X stands for missing values; estimators without the parameter refuse it."""
    return getattr(estimator, "missing", "error") == "ignore"


def check_no_infinity(X, estimator_name):
    """Raise ValueError, in scikit-learn's words, if a value is infinite; NaN may be among them.

    Parameters
    ----------
    X : ndarray of shape (n_samples, n_features), float32 or float64
        Rows.
    estimator_name : str
        Name of the class, for the message.
    """
    assert_all_finite(X, allow_nan=True, estimator_name=estimator_name, input_name="X")
