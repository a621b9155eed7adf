"""How good a clustering is: scikit-learn's names and values, many times faster."""

import numpy as np
import sklearn.metrics
from scipy.sparse import issparse
from sklearn.preprocessing import LabelEncoder
from sklearn.utils import check_consistent_length, check_X_y, column_or_1d

from fastclust import _algorithms, _block_rows
from fastclust._parameters import (
    ARRAY_LIKE,
    BOOLEAN,
    NONE,
    RANDOM_STATE,
    SPARSE,
    Rule,
    check_parameters,
    integer,
)
from fastclust._validation import FLOAT_DTYPES, as_sparse, check_random_state

__all__ = [
    "calinski_harabasz_score",
    "davies_bouldin_score",
    "silhouette_samples",
    "silhouette_score",
    "simplified_silhouette_score",
]

MOST_DENSE_VALUES = 2**25
"""Values of sparse rows, with their zeros, that may be made dense."""


def silhouette_samples(X, labels, *, metric="euclidean", **kwds):
    """Silhouette of each row: whether it is nearer to its own cluster than to the next.

    With a row's mean distance a to the other rows of its cluster, and b to the rows of the nearest
    other cluster, it is (b - a) / max(a, b): near 1 for rows well inside their cluster, 0 between
    two clusters, negative for rows that are nearer to another. It is 0 for a row that is its whole
    cluster.

    Parameters
    ----------
    X : {array-like, sparse matrix} of shape (n_samples, n_features)
        The rows; with ``metric="precomputed"``, their distances, of shape (n_samples, n_samples).
    labels : array-like of shape (n_samples,)
        Label of each row.
    metric : str or callable, default="euclidean"
        The distance. "euclidean" is exact and takes O(n^2 d) operations, in memory of O(n d);
        "sqeuclidean" takes O(n k d). Any other, sparse rows of more than 2^25 values, zeros
        included, and `kwds` are passed on to scikit-learn.
    **kwds : dict
        Parameters of the distance.

    Returns
    -------
    silhouettes : ndarray of shape (n_samples,)
        In [-1, 1]; of float32 for rows of float32, else of float64.

    Raises
    ------
    ValueError
        If there are fewer than 2 labels, or as many as rows.

    See Also
    --------
    simplified_silhouette_score : The same idea in O(n k d), of distances to the means.

    References
    ----------
    Rousseeuw, P. J. (1987). Silhouettes: a graphical aid to the interpretation and validation of
    cluster analysis. Journal of Computational and Applied Mathematics, 20, 53-65.

    Examples
    --------
    >>> from fastclust.metrics import silhouette_samples
    >>> silhouette_samples([[0.0], [1.0], [8.0], [9.0]], [0, 0, 1, 1]).round(2)
    array([0.88, 0.87, 0.87, 0.88])
    """
    X = _block_rows.read_if_it_fits(X)
    check_parameters("silhouette_samples", locals(), _ANY_ROWS)
    if _block_rows.is_in_blocks(X):
        raise ValueError(
            f"Silhouettes need the distances of all pairs of the {X.shape[0]:,} rows, which are "
            "more than the memory limit allows: take `silhouette_score` with a `sample_size`, or "
            "`simplified_silhouette_score`."
        )
    X = as_sparse(X)
    if issparse(X) and isinstance(metric, str) and metric == "euclidean" and not kwds:
        X = _sparse_without_unit(X)
    if not _is_own(metric, X, kwds):
        return sklearn.metrics.silhouette_samples(X, labels, metric=metric, **kwds)
    X, labels = _check(X, labels)
    if metric == "sqeuclidean":
        silhouettes = _dispersion(X, labels).squared_silhouettes()
    else:
        silhouette = _algorithms.metrics.silhouette
        rows = _without_unit(X)
        silhouettes = silhouette.coefficients(*silhouette.mean_distances(rows, labels))
    return silhouettes.astype(X.dtype, copy=False)


def silhouette_score(
    X,
    labels,
    *,
    metric="euclidean",
    sample_size=None,
    random_state=None,
    return_standard_error=False,
    **kwds,
):
    """Mean silhouette of all rows, or of a random sample of them.

    Parameters
    ----------
    X : {array-like, sparse matrix} of shape (n_samples, n_features)
        The rows; with ``metric="precomputed"``, their distances, of shape (n_samples, n_samples).
    labels : array-like of shape (n_samples,)
        Label of each row.
    metric : str or callable, default="euclidean"
        The distance; see `silhouette_samples`.
    sample_size : int, default=None
        Number of rows, drawn without replacement, that make the sample; all if None, but of rows
        of files that are more than `limit_memory` allows, which need one.
    random_state : int, RandomState instance or None, default=None
        Source of the sample; the draws are scikit-learn's.
    return_standard_error : bool, default=False
        Whether to return the standard error of the mean too. As the silhouettes of a sample are
        those of its own clusters, it tells how much the rows of the sample vary, and not that a
        small sample has few rows of a cluster.
    **kwds : dict
        Parameters of the distance.

    Returns
    -------
    score : float
        The mean, in [-1, 1]: the larger, the better.
    standard_error : float
        Standard deviation of the silhouettes over the root of their number; only if
        `return_standard_error`.

    Raises
    ------
    ValueError
        If there are fewer than 2 labels, or as many as rows, in the sample.

    Examples
    --------
    >>> from fastclust.metrics import silhouette_score
    >>> round(silhouette_score([[0.0], [1.0], [8.0], [9.0]], [0, 0, 1, 1]), 3)
    0.875
    """
    X = _block_rows.read_if_it_fits(X)
    check_parameters("silhouette_score", locals(), _SCORE_RULES)
    if sample_size is not None:
        if _block_rows.is_in_blocks(X):
            labels = _check_labels(X, labels)
        else:
            X, labels = check_X_y(X, labels, accept_sparse=["csc", "csr"])
        rows = check_random_state(random_state).permutation(X.shape[0])[:sample_size]
        labels = labels[rows]
        if _block_rows.is_in_blocks(X):
            X = _algorithms.rows.source.take_rows(X, rows)
        elif isinstance(metric, str) and metric == "precomputed":
            X = X[rows].T[rows].T
        else:
            X = X[rows]
    silhouettes = silhouette_samples(X, labels, metric=metric, **kwds)
    score = float(np.mean(silhouettes))
    if not return_standard_error:
        return score
    return score, float(np.std(silhouettes, ddof=1) / np.sqrt(len(silhouettes)))


def simplified_silhouette_score(X, labels):
    """Mean silhouette with the distances to the means of clusters in place of those to their rows.

    It takes O(n k d) operations where `silhouette_score` takes O(n^2 d). Its values are others,
    mostly larger; they rank clusterings by k-means much the same.

    Parameters
    ----------
    X : {array-like, rows of files} of shape (n_samples, n_features)
        The rows. Those of `open_rows`, memory maps and other rows in blocks that are more than
        `limit_memory` allows are read block by block, in four passes.
    labels : array-like of shape (n_samples,)
        Label of each row.

    Returns
    -------
    score : float
        The mean of (b - a) / max(a, b), a being the distance of a row to the mean of its cluster
        and b that to the nearest other mean; in [-1, 1]: the larger, the better.

    Raises
    ------
    ValueError
        If there are fewer than 2 labels, or as many as rows.

    References
    ----------
    Hruschka, E. R., de Castro, L. N. and Campello, R. J. G. B. (2004). Evolutionary algorithms for
    clustering gene-expression data. Fourth IEEE International Conference on Data Mining, 403-406.

    Examples
    --------
    >>> from fastclust.metrics import simplified_silhouette_score
    >>> round(simplified_silhouette_score([[0.0], [1.0], [8.0], [9.0]], [0, 0, 1, 1]), 3)
    0.937
    """
    X = _block_rows.read_if_it_fits(X)
    check_parameters("simplified_silhouette_score", locals(), _ROWS)
    return _cluster_scores(X, labels).simplified_silhouette()


def calinski_harabasz_score(X, labels):
    """Ratio of the dispersion between clusters to that within them.

    Parameters
    ----------
    X : {array-like, rows of files} of shape (n_samples, n_features)
        The rows. Those of `open_rows`, memory maps and other rows in blocks that are more than
        `limit_memory` allows are read block by block, in four passes.
    labels : array-like of shape (n_samples,)
        Label of each row.

    Returns
    -------
    score : float
        Not negative: the larger, the better. Infinite if the rows of each cluster are equal, but
        those of different clusters are not; 1, as in scikit-learn, if all rows are equal.

    Raises
    ------
    ValueError
        If there are fewer than 2 labels, or as many as rows.

    References
    ----------
    Calinski, T. and Harabasz, J. (1974). A dendrite method for cluster analysis. Communications in
    Statistics, 3, 1-27.

    Examples
    --------
    >>> from fastclust.metrics import calinski_harabasz_score
    >>> calinski_harabasz_score([[0.0], [1.0], [8.0], [9.0]], [0, 0, 1, 1])
    128.0
    """
    X = _block_rows.read_if_it_fits(X)
    check_parameters("calinski_harabasz_score", locals(), _ROWS)
    return _cluster_scores(X, labels).calinski_harabasz()


def davies_bouldin_score(X, labels):
    """Mean likeness of each cluster to the one most like it.

    The likeness of two clusters is the sum of their rows' mean distances to their own means over
    the distance of the two means.

    Parameters
    ----------
    X : {array-like, rows of files} of shape (n_samples, n_features)
        The rows. Those of `open_rows`, memory maps and other rows in blocks that are more than
        `limit_memory` allows are read block by block, in four passes.
    labels : array-like of shape (n_samples,)
        Label of each row.

    Returns
    -------
    score : float
        Not negative: the smaller, the better. Infinite if two clusters of different rows have the
        same mean. Two clusters that are the same point have the likeness 0, as in scikit-learn.

    Raises
    ------
    ValueError
        If there are fewer than 2 labels, or as many as rows.

    References
    ----------
    Davies, D. L. and Bouldin, D. W. (1979). A cluster separation measure. IEEE Transactions on
    Pattern Analysis and Machine Intelligence, 1, 224-227.

    Examples
    --------
    >>> from fastclust.metrics import davies_bouldin_score
    >>> davies_bouldin_score([[0.0], [1.0], [8.0], [9.0]], [0, 0, 1, 1])
    0.125
    """
    X = _block_rows.read_if_it_fits(X)
    check_parameters("davies_bouldin_score", locals(), _ROWS)
    return _cluster_scores(X, labels).davies_bouldin()


_DENSE = Rule(lambda X: ARRAY_LIKE.test(X) or _block_rows.is_in_blocks(X), ARRAY_LIKE.text)
_ROWS = {"X": [_DENSE], "labels": [ARRAY_LIKE]}
_ANY_ROWS = {"X": [_DENSE, SPARSE], "labels": [ARRAY_LIKE]}
_SCORE_RULES = _ANY_ROWS | {
    "sample_size": [integer(1), NONE],
    "random_state": RANDOM_STATE,
    "return_standard_error": BOOLEAN,
}


def _is_own(metric, X, kwds):
    """Whether the silhouettes are computed here."""
    is_known = isinstance(metric, str) and metric in ("euclidean", "sqeuclidean")
    return is_known and not kwds and not issparse(X)


def _check(X, labels):
    """Check rows and labels; return the rows, and the labels as numbers from 0 on."""
    X = as_sparse(X)  # sparse matrices have been refused or passed on, frames have not
    X, labels = check_X_y(X.toarray() if issparse(X) else X, labels)
    X = np.ascontiguousarray(X, dtype=X.dtype if X.dtype in FLOAT_DTYPES else np.float64)
    return X, _number_labels(X, labels)[0]


def _check_labels(X, labels):
    """Check labels of rows in blocks."""
    labels = column_or_1d(labels)
    check_consistent_length(X, labels)
    return labels


def _number_labels(X, labels):
    """Labels as numbers from 0 on, and how many different ones there are."""
    encoder = LabelEncoder()
    labels = encoder.fit_transform(labels)
    n_labels = len(encoder.classes_)
    check_n_labels(n_labels, X.shape[0])
    return labels, n_labels


def check_n_labels(n_labels, n_samples):
    """Raise ValueError, in scikit-learn's words, for one label, or as many as rows."""
    if not 1 < n_labels < n_samples:
        raise ValueError(
            f"Number of labels is {n_labels}. Valid values are 2 to n_samples - 1 (inclusive)"
        )


def _without_unit(X):
    """Rows with the scores of X, in float64, whose squares are finite."""
    return _algorithms.metrics.units.without_unit(X.astype(np.float64, copy=False))


def _sparse_without_unit(X):
    """Sparse rows as they are computed with: dense, or in float64 and with squares in its range."""
    if X.shape[0] * X.shape[1] <= MOST_DENSE_VALUES:
        return X.toarray()
    X = X.tocsr().astype(np.float64)
    largest = abs(X).max()
    if 0 < largest < np.inf:
        X.data = np.ldexp(X.data, -np.frexp(largest)[1])
    return X


def _cluster_scores(X, labels):
    """What scores clusters of rows in memory, or in blocks."""
    if not _block_rows.is_in_blocks(X):
        return _dispersion(*_check(X, labels))
    labels, n_labels = _number_labels(X, _check_labels(X, labels))
    return scores_of_blocks(X, labels, n_labels)


def scores_of_blocks(source, labels, n_labels):
    """What scores clusters of rows in blocks.

    Parameters
    ----------
    source : RowSource
        The rows.
    labels : object
        A number for each row, from 0 on, lying as the rows do.
    n_labels : int
        How many there are.

    Returns
    -------
    scores : ClusterScores
        The scores, each of which may need further passes.
    """
    mean, as_they_are = _algorithms.rows.origin.find_mean(source), np.zeros(source.shape[1])
    rows = source.pack(None, as_they_are.astype(source.dtype))
    in_range = _algorithms.rows.source.pack_for_distances(source, None, mean, rows)
    labelled = _algorithms.metrics.labelled_rows.LabelledBlocks(in_range.rows, labels, n_labels)
    return _algorithms.metrics.dispersion.ClusterScores(labelled)


def _dispersion(X, labels):
    """What follows from the means of the clusters of these labels."""
    return _algorithms.metrics.dispersion.Dispersion(_without_unit(X), labels)
