"""Scores of clusters of Dask collections: those that follow from means, in passes over the rows."""

import dask
import numpy as np

from fastclust import metrics
from fastclust.dask._collections import DaskSource, is_collection


def calinski_harabasz_score(X, labels):
    """Ratio of the dispersion between clusters to that within them.

    Parameters
    ----------
    X : dask.array.Array, dask.dataframe.DataFrame or array-like of shape (n_samples, n_features)
        The rows.
    labels : dask.array.Array, dask.dataframe.Series or array-like of shape (n_samples,)
        Label of each row, in chunks like those of X if they are Dask's.

    Returns
    -------
    score : float
        That of `fastclust.metrics.calinski_harabasz_score`.

    Raises
    ------
    ValueError
        If there are fewer than 2 labels, or as many as rows; or they do not fit the rows.

    Examples
    --------
    >>> import dask.array as da
    >>> from fastclust.dask import calinski_harabasz_score
    >>> X = da.from_array([[0.0], [1.0], [8.0], [9.0]], chunks=(2, 1))
    >>> calinski_harabasz_score(X, [0, 0, 1, 1])
    128.0
    """
    if not is_collection(X):
        return metrics.calinski_harabasz_score(X, labels)
    return _cluster_scores(X, labels).calinski_harabasz()


def davies_bouldin_score(X, labels):
    """Mean likeness of each cluster to the one most like it.

    Parameters
    ----------
    X : dask.array.Array, dask.dataframe.DataFrame or array-like of shape (n_samples, n_features)
        The rows.
    labels : dask.array.Array, dask.dataframe.Series or array-like of shape (n_samples,)
        Label of each row, in chunks like those of X if they are Dask's.

    Returns
    -------
    score : float
        That of `fastclust.metrics.davies_bouldin_score`.

    Raises
    ------
    ValueError
        If there are fewer than 2 labels, or as many as rows; or they do not fit the rows.

    Examples
    --------
    >>> import dask.array as da
    >>> from fastclust.dask import davies_bouldin_score
    >>> X = da.from_array([[0.0], [1.0], [8.0], [9.0]], chunks=(2, 1))
    >>> davies_bouldin_score(X, [0, 0, 1, 1])
    0.125
    """
    if not is_collection(X):
        return metrics.davies_bouldin_score(X, labels)
    return _cluster_scores(X, labels).davies_bouldin()


def simplified_silhouette_score(X, labels):
    """Mean silhouette with the distances to the means of clusters in place of those to their rows.

    Parameters
    ----------
    X : dask.array.Array, dask.dataframe.DataFrame or array-like of shape (n_samples, n_features)
        The rows.
    labels : dask.array.Array, dask.dataframe.Series or array-like of shape (n_samples,)
        Label of each row, in chunks like those of X if they are Dask's.

    Returns
    -------
    score : float
        That of `fastclust.metrics.simplified_silhouette_score`.

    Raises
    ------
    ValueError
        If there are fewer than 2 labels, or as many as rows; or they do not fit the rows.

    Examples
    --------
    >>> import dask.array as da
    >>> from fastclust.dask import simplified_silhouette_score
    >>> X = da.from_array([[0.0], [1.0], [8.0], [9.0]], chunks=(2, 1))
    >>> round(simplified_silhouette_score(X, [0, 0, 1, 1]), 3)
    0.937
    """
    if not is_collection(X):
        return metrics.simplified_silhouette_score(X, labels)
    return _cluster_scores(X, labels).simplified_silhouette()


def _cluster_scores(X, labels):
    """What scores the clusters of a collection."""
    source = DaskSource.of(X)
    if source.n_samples == 0:
        raise ValueError("Found array with 0 sample(s) while a minimum of 2 is required.")
    parts = source.parts_of(labels, "labels")
    if is_collection(labels):
        parts = dask.persist(*parts)
    distinct = dask.delayed(np.unique, pure=False)
    names = np.unique(np.concatenate(dask.compute(*(distinct(part) for part in parts))))
    metrics.check_n_labels(len(names), source.n_samples)
    number = dask.delayed(_number, pure=False)
    numbers = [
        number(part, names, n_rows, f"block {i} of those that are not empty")
        for i, (part, n_rows) in enumerate(zip(parts, source.block_sizes(), strict=True))
    ]
    return metrics.scores_of_blocks(source, list(dask.persist(*numbers)), len(names))


def _number(labels, names, n_rows, place):
    """Labels of a block as numbers from 0 on, checked."""
    labels = np.asarray(labels)
    if labels.shape != (n_rows,):
        raise ValueError(f"There are labels of shape {labels.shape} for {n_rows} rows, in {place}.")
    return np.searchsorted(names, labels).astype(np.int32)
