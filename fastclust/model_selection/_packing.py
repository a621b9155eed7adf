"""Rows of a sweep, checked and packed once for all of its fits."""

import numpy as np
from scipy.sparse import issparse
from sklearn.utils import check_array

from fastclust import _algorithms
from fastclust._missing import check_columns, check_finite, find_missing, without_na
from fastclust._validation import (
    FLOAT_DTYPES,
    PackedRows,
    check_sample_weight,
    float_csr,
    rows_with_weight,
)


def pack_for_kmeans(X, sample_weight, missing):
    """Check rows and weights, and pack those that have a weight for fits of k-means.

    Parameters
    ----------
    X : {array-like, sparse matrix} of shape (n_samples, n_features)
        The rows.
    sample_weight : array-like of shape (n_samples,) or None
        Weight of each row; None for ones.
    missing : {"error", "ignore"}
        What NaN in dense rows means.

    Returns
    -------
    packed : PackedRows
        The rows; X is an `IncompleteArray` if values are missing.
    """
    X = _check(X, missing, accept_sparse="csr")
    if issparse(X):
        check_finite(X)  # sparse rows miss nothing
        X = float_csr(X)
    elif missing == "ignore":
        X = find_missing(X)
    all_rows = X
    X, sample_weight = rows_with_weight(all_rows, check_sample_weight(sample_weight, all_rows))
    check_columns(X)
    mean = _algorithms.rows.origin.find_mean(X)
    return PackedRows(
        X, mean, _pack(X, sample_weight, mean), sample_weight, None if X is all_rows else all_rows
    )


def pack_for_mixtures(X, sample_weight, missing):
    """Check rows and weights, and pack those that have a weight and a value for fits of mixtures.

    Parameters
    ----------
    X, sample_weight, missing : array-like, array-like or None, str
        As in `pack_for_kmeans`; no sparse matrix.

    Returns
    -------
    packed : PackedRows
        The rows; those with missing values are filled.
    total : float
        Sum of the weights of all rows, those without a value included.
    """
    X = _check(X, missing)
    X, sample_weight = rows_with_weight(X, check_sample_weight(sample_weight, X))
    total = float(len(X) if sample_weight is None else sample_weight.sum(dtype=np.float64))
    mean, where_missing = _algorithms.rows.origin.find_mean(X), None
    if missing == "ignore":
        X, mean, sample_weight, where_missing = _algorithms.mixture.missing.fill(
            X, mean, sample_weight
        )
    rows = _pack(X, sample_weight, mean)
    return PackedRows(X, mean, rows, sample_weight, missing=where_missing), total


def _check(X, missing, accept_sparse=False):
    """Check rows, of which dense ones may have NaN if that is what is missing."""
    may_miss = missing == "ignore"
    return check_array(
        without_na(X) if may_miss else X, accept_sparse=accept_sparse, dtype=FLOAT_DTYPES,
        order="C", ensure_min_samples=2, input_name="X",
        ensure_all_finite="allow-nan" if may_miss else True,
    )  # fmt: skip


def _pack(X, sample_weight, mean):
    """Pack checked rows of this mean."""
    origin = _algorithms.rows.origin.find_origin(X, mean)
    return _algorithms.rows.source.pack(X, sample_weight, origin)
