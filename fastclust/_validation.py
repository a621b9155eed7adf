"""Checks of data that the estimators share, worded like scikit-learn's; warnings and pickles.

X itself is checked by scikit-learn's public `validate_data` and `check_array`.
"""

import contextlib
import inspect
import os
import sys
import warnings
from numbers import Integral
from typing import Any, NamedTuple

import numpy as np
import scipy.sparse
import sklearn
import sklearn.exceptions
import sklearn.utils
from numpy.random.bit_generator import ISeedSequence
from sklearn.base import BaseEstimator
from sklearn.exceptions import ConvergenceWarning
from sklearn.utils import check_array
from sklearn.utils.validation import check_non_negative

from fastclust import _algorithms
from fastclust._version import __version__

FLOAT_DTYPES = [np.float64, np.float32]

LARGEST_INDEX = np.iinfo(np.int32).max
"""Most stored values, and most columns, of sparse rows: kernels number them in 32 bits."""

LABELS_AT_ONCE = 2**20
"""Labels that are counted at a time."""

OWN_FOLDERS = tuple(
    os.path.dirname(os.path.abspath(path)) + os.sep for path in (__file__, sklearn.__file__)
)
"""Folders of fastclust and scikit-learn: no line of their files is one that a user wrote."""


class _NoEntropy(ISeedSequence):
    """Seed of zeros, for a generator that is seeded otherwise as soon as it is made."""

    def generate_state(self, n_words, dtype=np.uint32):
        """Return words of 0."""
        return np.zeros(n_words, dtype=dtype)


NO_ENTROPY: Any = _NoEntropy()  # NumPy's annotations know its subclass SeedSequence only


def check_random_state(seed):
    """Do what scikit-learn's function does, but faster for an integer: small fits gain by that.

    `RandomState(seed)` first asks the operating system for entropy, which the seed replaces.
    """
    if isinstance(seed, Integral):
        random_state = np.random.RandomState(np.random.MT19937(NO_ENTROPY))
        random_state.seed(int(seed))
        return random_state
    return sklearn.utils.check_random_state(seed)


def narrow_csr(X):
    """Sparse rows as the kernels take them: indices of 32 bits, and no place twice.

    scikit-learn refuses all matrices with indices of 64 bits, which many operations leave behind.

    Parameters
    ----------
    X : CSR matrix or array of shape (n_samples, n_features)
        Sparse rows.

    Returns
    -------
    X : CSR matrix or array
        The same rows; X itself if there is nothing to do. X is never modified.

    Raises
    ------
    ValueError
        If there are more values or columns than 32 bits can number.
    """
    if max(X.nnz, X.shape[1]) > LARGEST_INDEX:
        raise ValueError(
            "Only sparse matrices with 32-bit integer indices are accepted. Got "
            f"{X.nnz} values in {X.shape[1]} columns."
        )
    if X.indices.dtype != np.int32 or X.indptr.dtype != np.int32:
        indices, indptr = X.indices.astype(np.int32), X.indptr.astype(np.int32)
        X = type(X)((X.data, indices, indptr), shape=X.shape)
    if not X.has_canonical_format:  # values at the same place add up
        X = X.copy()
        X.sum_duplicates()
    return X


def float_csr(X):
    """Sparse rows as `narrow_csr` gives them, of a float type (frames of booleans keep theirs)."""
    return narrow_csr(X if X.dtype in FLOAT_DTYPES else X.astype(np.float64))


def as_sparse(X):
    """X as narrow CSR rows if scikit-learn takes it for sparse ones, or else X itself.

    Besides sparse matrices these are frames of pandas whose columns are all sparse.
    """
    pandas = sys.modules.get("pandas")
    if pandas is not None and isinstance(X, pandas.DataFrame):
        is_sparse = [isinstance(dtype, pandas.SparseDtype) for dtype in X.dtypes]
        if is_sparse and all(is_sparse):
            X = X.sparse.to_coo()
    return narrow_csr(X.tocsr()) if scipy.sparse.issparse(X) and X.ndim == 2 else X


def check_attribute(values, name, shape):
    """Check an array among the attributes, which users may set by hand.

    Parameters
    ----------
    values : array-like
        The attribute.
    name : str
        Its name, for messages.
    shape : tuple of int or None
        Its shape, with None for any length but 0.

    Returns
    -------
    values : ndarray of float32 or float64, C-contiguous
        The same values.

    Raises
    ------
    ValueError
        If it has another shape, or a value that is no finite number.
    """
    values = np.asarray(values)
    dtype = values.dtype if values.dtype in FLOAT_DTYPES else np.float64
    values = np.ascontiguousarray(values, dtype=dtype)
    fits = values.ndim == len(shape) and values.size > 0
    if not fits or any(n not in (None, m) for n, m in zip(shape, values.shape, strict=True)):
        words = " x ".join("any" if n is None else str(n) for n in shape)
        raise ValueError(f"{name} should have the shape {words}, but has {values.shape}.")
    if not np.isfinite(values).all():
        raise ValueError(f"{name} contains NaN or infinity.")
    return values


def check_n_features(X, n_features, estimator):
    """Raise ValueError, in scikit-learn's words, unless X has as many columns."""
    if X.shape[1] != n_features:
        raise ValueError(
            f"X has {X.shape[1]} features, but {type(estimator).__name__} is expecting "
            f"{n_features} features as input."
        )


def check_sample_weight(sample_weight, X):
    """Check the weights of the rows of X; return them in X's dtype, or None for equal weights.

    They are for what counts a row as often as its weight says; else see `check_relative_weight`.

    Parameters
    ----------
    sample_weight : array-like of shape (n_samples,), number or None
        The weights.
    X : ndarray or sparse matrix of shape (n_samples, n_features)
        Checked data.

    Returns
    -------
    sample_weight : ndarray of shape (n_samples,) or None
        The weights; None if none were given.

    Raises
    ------
    ValueError
        If a weight is NaN, infinite or negative, if all are zero, or for a wrong shape; and if
        they are so large or small that sums over the rows would not be numbers.
    """
    sample_weight = _check_weight(sample_weight, X)
    if sample_weight is None:
        return None
    low, high = _algorithms.rows.scale.RANGE_OF_COUNTS[np.dtype(X.dtype)]
    if not low <= float(sample_weight.max()) <= high:
        raise ValueError(
            "sample_weight is too large or small to say how often a row counts: the largest is "
            f"{sample_weight.max():g}. Divide all weights by it, for example."
        )
    return sample_weight.astype(X.dtype, copy=False)


def check_relative_weight(sample_weight, X, most=0.0):
    """Check the weights of the rows of X, of which only the ratios matter.

    Parameters
    ----------
    sample_weight, X : array-like or number or None, ndarray, sparse matrix or RowSource
        As in `check_sample_weight`. A source of rows may have weights of its own.
    most : float, default=0.0
        Weights up to this are ordinary, too.

    Returns
    -------
    sample_weight : ndarray of shape (n_samples,) or None
        The weights times 2^-exponent, in X's dtype; None if none were given.
    exponent : int
        0 for ordinary weights.

    Raises
    ------
    ValueError
        If a weight is NaN, infinite or negative, if all are zero, or for a wrong shape.
    """
    sample_weight = _check_weight(sample_weight, X)
    if sample_weight is None:
        return None, getattr(X, "weight_exponent", 0)
    return _algorithms.rows.scale.scaled_weights(sample_weight, X.dtype, most)


def _check_weight(sample_weight, X):
    """Check weights; return them in float32 or float64, or None if none were given."""
    if sample_weight is None:
        return None
    n_samples = X.shape[0]
    if np.isscalar(sample_weight):
        sample_weight = np.full(n_samples, sample_weight, dtype=np.float64)
    sample_weight = check_array(
        sample_weight, ensure_2d=False, dtype=FLOAT_DTYPES, order="C", input_name="sample_weight"
    )
    if sample_weight.ndim != 1:
        raise ValueError(
            f"Sample weights must be 1D array or scalar, got {sample_weight.ndim}D array. "
            f"Expected either a scalar value or a 1D array of length {n_samples}."
        )
    if sample_weight.shape != (n_samples,):
        raise ValueError(f"sample_weight.shape == {sample_weight.shape}, expected {(n_samples,)}!")
    if not sample_weight.any():
        raise ValueError("Sample weights must contain at least one non-zero number.")
    check_non_negative(sample_weight, "`sample_weight`")
    return sample_weight


def rows_with_weight(X, sample_weight):
    """Rows and weights without those whose weight is 0: such a row is as if it were absent.

    Parameters
    ----------
    X : ndarray or sparse matrix of shape (n_samples, n_features)
        Checked rows.
    sample_weight : ndarray of shape (n_samples,) or None
        Checked weights.

    Returns
    -------
    X, sample_weight : ndarray or sparse matrix, ndarray or None
        The same objects if there is no such row.
    """
    if sample_weight is None or sample_weight.all():
        return X, sample_weight
    return X[sample_weight > 0], sample_weight[sample_weight > 0]


def check_enough_samples(X, n_clusters):
    """Raise ValueError if there are fewer rows than clusters."""
    if X.shape[0] < n_clusters:
        raise ValueError(f"n_samples={X.shape[0]} should be >= n_clusters={n_clusters}.")


def check_centers_shape(centers, n_clusters, n_features):
    """Raise ValueError unless centers are of shape (n_clusters, n_features)."""
    if centers.shape[0] != n_clusters:
        raise ValueError(
            f"The shape of the initial centers {centers.shape} does not "
            f"match the number of clusters {n_clusters}."
        )
    if centers.shape[1] != n_features:
        raise ValueError(
            f"The shape of the initial centers {centers.shape} does not "
            f"match the number of features of the data {n_features}."
        )


class PackedRows(NamedTuple):
    """Rows that are checked and packed, for several fits.

    Attributes
    ----------
    X : ndarray, IncompleteArray or CSR matrix of shape (n_samples, n_features), float32 or float64
        The rows, all finite; an ndarray is C-contiguous.
    mean : ndarray of shape (n_features,)
        Their mean; 0 for sparse rows.
    panels : Rows or None
        The rows less their origin, with their weights; None where they are yet to be packed.
    sample_weight : ndarray of shape (n_samples,) or None
        Weight of each row, of X's dtype, not 0; None for ones.
    all_rows : ndarray, IncompleteArray or CSR matrix or None
        X before rows of weight 0 were left out; None if there were none.
    missing : ndarray of shape (n_samples, n_features), bool, or None
        Where values were missing that have been filled in, for mixtures; None if there were none.
    """

    X: Any
    mean: np.ndarray
    panels: Any
    sample_weight: np.ndarray | None = None
    all_rows: Any = None
    missing: np.ndarray | None = None


def warn_user(warning):
    """Issue a warning for the line of the user's code that called fastclust.

    That is the first caller outside fastclust and scikit-learn (whose pipelines and wrappers call
    fit), however many functions are in between.

    Parameters
    ----------
    warning : Warning
        The warning, with its message.
    """
    level, frame = 1, inspect.currentframe()
    while frame is not None and frame.f_code.co_filename.startswith(OWN_FOLDERS):
        level, frame = level + 1, frame.f_back
    warnings.warn(warning, stacklevel=level)


def warn_of_missing_clusters(labels, n_clusters, warn):
    """Warn, as scikit-learn does, if fewer than n_clusters labels occur.

    Parameters
    ----------
    labels : ndarray of shape (n_samples,), or object with an attribute `n_distinct`
        Labels, of k-means; or what knows how many of them occur.
    n_clusters : int
        Number of clusters that were asked for.
    warn : callable
        Is called with the warning.
    """
    n_distinct = getattr(labels, "n_distinct", None)
    if n_distinct is None:
        counts = np.zeros(n_clusters, dtype=np.int64)
        for first in range(0, len(labels), LABELS_AT_ONCE):  # bincount makes a copy of 64 bits
            counts += np.bincount(labels[first : first + LABELS_AT_ONCE], minlength=n_clusters)
        n_distinct = np.count_nonzero(counts)
    if n_distinct < n_clusters:
        text = (
            f"Number of distinct clusters ({n_distinct}) found smaller than "
            f"n_clusters ({n_clusters}). Possibly due to duplicate points in X."
        )
        warn(ConvergenceWarning(text))


@contextlib.contextmanager
def state_restored_on_error(estimator):
    """Put the estimator's attributes back if the block raises, interrupts included.

    So is the state of the generator that `partial_fit` draws from, from its first call on.
    """
    before = vars(estimator).copy()
    generator = before.get("_random_state")
    drawn_before = None if generator is None else generator.get_state(legacy=False)
    try:
        yield
    except BaseException:
        vars(estimator).clear()
        vars(estimator).update(before)
        if generator is not None:
            generator.set_state(drawn_before)
        raise


class InconsistentVersionWarning(sklearn.exceptions.InconsistentVersionWarning):
    """An estimator was pickled by another version of fastclust."""

    def __str__(self):
        return (
            f"Trying to unpickle estimator {self.estimator_name} from fastclust "
            f"{self.original_sklearn_version} when using fastclust {self.current_sklearn_version}. "
            "This might lead to breaking code or invalid results. Use at your own risk."
        )


class Estimator(BaseEstimator):
    """Base of the estimators, whose pickles carry the version, as scikit-learn's do."""

    def __getstate__(self):
        return super().__getstate__() | {"_fastclust_version": __version__}

    def __setstate__(self, state):
        version = state.get("_fastclust_version", "unknown")
        if version != __version__:
            warning = InconsistentVersionWarning(
                estimator_name=type(self).__name__,
                current_sklearn_version=__version__,
                original_sklearn_version=version,
            )
            warnings.warn(warning, stacklevel=2)
        super().__setstate__({k: v for k, v in state.items() if k != "_fastclust_version"})
