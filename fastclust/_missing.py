"""What estimators that leave missing values out share: the parameter `missing`, and its checks."""

import sys

import numpy as np
from sklearn.utils import assert_all_finite

from fastclust import _algorithms
from fastclust._parameters import one_of

MISSING_RULE = one_of("error", "ignore")
"""What the parameter `missing` must be: NaN in X is an error, or stands for what is missing."""


def allows_nan(estimator):
    """Whether NaN in X stands for missing values; estimators without the parameter refuse it."""
    return getattr(estimator, "missing", "error") == "ignore"


def without_na(X):
    """What a user passes, with NaN for pandas' NA among Python objects: that is no float.

    Columns of pandas' nullable types need no help.

    Parameters
    ----------
    X : object
        Rows, not yet checked.

    Returns
    -------
    X : object
        A copy for frames and arrays of objects, X itself otherwise.
    """
    pandas = sys.modules.get("pandas")
    if pandas is None:
        return X
    if isinstance(X, pandas.DataFrame):
        has_objects = any(map(pandas.api.types.is_object_dtype, X.dtypes))
        return X.mask(X.isna(), np.nan) if has_objects else X
    if isinstance(X, np.ndarray) and X.dtype == object:
        return np.where(pandas.isna(X), np.nan, X)
    return X


def check_finite(X, estimator_name=None):
    """Raise ValueError, in scikit-learn's words, if a value is NaN or infinite."""
    assert_all_finite(X, estimator_name=estimator_name, input_name="X")


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


def is_incomplete(X):
    """Whether checked rows, in memory or in blocks, have missing values."""
    return _algorithms.rows.missing.is_incomplete(X)


def as_incomplete(X):
    """Dense rows as k-means computes with them where NaN stands for missing values.

    Parameters
    ----------
    X : ndarray of shape (n_samples, n_features), float32 or float64, C-contiguous
        Rows; no value is infinite.

    Returns
    -------
    X : ndarray or IncompleteArray
        X itself if nothing is missing, so that all is as where NaN is an error.

    Raises
    ------
    ValueError
        If rows have no value.
    """
    incomplete = _algorithms.rows.missing.IncompleteArray(X)
    if incomplete.is_complete:
        return X
    incomplete.check_rows()
    return incomplete


def check_columns(X, names=None):
    """Raise ValueError if no row has a value in some column.

    Parameters
    ----------
    X : ndarray, IncompleteArray, CSR matrix or RowSource of shape (n_samples, n_features)
        Checked rows.
    names : sequence of str, default=None
        Names of the columns.
    """
    empty = np.flatnonzero(X.counts == 0).tolist() if is_incomplete(X) else []
    if empty:
        name = f" ({names[empty[0]]!r})" if names is not None else ""
        raise ValueError(
            f"No row has a value in column {empty[0]}{name} of X: nothing is known of centers "
            "there. Leave the column out."
        )


def rows_with_values(X, sample_weight):
    """Rows and their weights without the rows whose values are all missing.

    Parameters
    ----------
    X : ndarray or RowSource of shape (n_samples, n_features)
        Rows; NaN is missing.
    sample_weight : ndarray of shape (n_samples,) or None
        Weight of each row.

    Returns
    -------
    X, sample_weight : ndarray, ndarray or None
        The same objects if there is no such row.

    Raises
    ------
    ValueError
        If there is no other row.
    """
    if not isinstance(X, np.ndarray):
        return X.rows_with_values(sample_weight) if X.is_incomplete else (X, sample_weight)
    known = ~_algorithms.rows.missing.has_no_value(X)
    if known.all():
        return X, sample_weight
    if not known.any():
        raise ValueError("X has no value: all are missing.")
    return X[known], None if sample_weight is None else sample_weight[known]
