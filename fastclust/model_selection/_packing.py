"""Rows of a sweep, checked and packed once for all of its fits."""

from scipy.sparse import issparse
from sklearn.utils import check_array

from fastclust import _algorithms
from fastclust._block_rows import check_shape, is_in_blocks, read_if_it_fits
from fastclust._missing import as_incomplete, check_columns, check_finite, without_na
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
    X : {array-like, sparse matrix, RowSource} of shape (n_samples, n_features)
        The rows.
    sample_weight : array-like of shape (n_samples,) or None
        Weight of each row; None for ones.
    missing : {"error", "ignore"}
        What NaN in dense rows means.

    Returns
    -------
    packed : PackedRows
        The rows; X is an `IncompleteArray` if values are missing.
    named : object
        What has the names of their columns.
    """
    all_rows, named = _check(X, missing, accept_sparse="csr")
    if issparse(all_rows):
        check_finite(all_rows)  # sparse rows miss nothing
        all_rows = float_csr(all_rows)
    elif missing == "ignore":
        all_rows = as_incomplete(all_rows)
    X, sample_weight = rows_with_weight(all_rows, check_sample_weight(sample_weight, all_rows))
    check_columns(X)
    mean = _algorithms.rows.origin.find_mean(X)
    if X is all_rows or is_in_blocks(X):  # labels of those in blocks are made once, for the best
        all_rows = None
    return PackedRows(X, mean, _pack(X, sample_weight, mean), sample_weight, all_rows), named


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
    named : object
        What has the names of their columns.
    """
    X, named = _check(X, missing)
    X, sample_weight = rows_with_weight(X, check_sample_weight(sample_weight, X))
    mean, where_missing = _algorithms.rows.origin.find_mean(X), None
    if missing == "ignore":
        X, mean, sample_weight, where_missing = _algorithms.mixture.missing.fill(
            X, mean, sample_weight
        )
    rows = _pack(X, sample_weight, mean)
    return PackedRows(X, mean, rows, sample_weight, missing=where_missing), named


def _check(X, missing, accept_sparse=False):
    """Check rows, of which dense ones may have NaN if that is what is missing.

    Return them, or a source of them if they are read in blocks, and what has the names of their
    columns.
    """
    named, rows = X, read_if_it_fits(X)
    if rows is not X or is_in_blocks(X):
        named = _algorithms.rows.block_source.open_source(X).header()
    may_miss = missing == "ignore"
    if is_in_blocks(rows):
        if may_miss:
            raise ValueError(
                "missing='ignore' of a sweep is for rows in memory, and these are read in blocks: "
                "select by a sample of the rows, or fit single models."
            )
        check_shape(rows, 2)
        return rows, named
    rows = check_array(
        without_na(rows) if may_miss else rows, accept_sparse=accept_sparse, dtype=FLOAT_DTYPES,
        order="C", ensure_min_samples=2, input_name="X",
        ensure_all_finite="allow-nan" if may_miss else True,
    )  # fmt: skip
    return rows, named


def _pack(X, sample_weight, mean):
    """Pack checked rows of this mean."""
    origin = _algorithms.rows.origin.find_origin(X, mean)
    return _algorithms.rows.source.pack(X, sample_weight, origin)
