"""Rows that have no direction, where rows are to be unit vectors: what is said of them."""

import numpy as np

BLOCK_ROWS = 2**16
"""Rows that are looked at together for zero ones."""


def zero_rows_error(X):
    """Error that says how many rows are zero, and what to do.

    Parameters
    ----------
    X : ndarray, CSR matrix or RowSource of shape (n_samples, n_features)
        The rows, of which some are zero. Those in blocks are read again, to say where the first is.
    """
    if hasattr(X, "find_rows"):
        n_zero, place = X.find_rows(_is_zero)
        first, keep = f"in {place}", ""
    else:
        is_array = isinstance(X, np.ndarray)
        zero = np.flatnonzero(~_nonzero(X))
        n_zero, first = len(zero), f"X[{zero[0]}]"
        keep = "X.any(axis=1)" if is_array else "abs(X).max(axis=1).toarray() > 0"
        keep = f": keep those where {keep}"
    verb = "are" if n_zero > 1 else "is"
    return ValueError(
        f"{n_zero} of {X.shape[0]} rows {verb} zero, the first of them {first}: a zero row has no "
        f"direction, so its cosine is not defined. Leave such rows out{keep}."
    )


def _is_zero(rows):
    """Which rows of an array are zero."""
    return ~rows.any(axis=1)


def _nonzero(X):
    """Whether each row has a value that is not zero."""
    if not isinstance(X, np.ndarray):
        nonzero = X.tocsr().astype(bool).sum(axis=1, dtype=np.int64).astype(bool)
        return np.asarray(nonzero).ravel()
    blocks = range(0, len(X), BLOCK_ROWS)
    return np.concatenate([X[i : i + BLOCK_ROWS].any(axis=1) for i in blocks])
