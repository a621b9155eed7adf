"""What fitted estimators say of Dask collections, block by block, when it is computed."""

import dask
import dask.array
import numpy as np
from sklearn.utils.validation import validate_data

from fastclust._algorithms.rows.merging import sum_tree
from fastclust._algorithms.rows.missing import has_no_value
from fastclust._missing import allows_nan
from fastclust.dask._collections import DaskSource


def lazily(model, method, X, columns=None):
    """What a method says of the rows of a collection: an array, or a dataframe with X's index.

    Parameters
    ----------
    model : estimator
        The fitted estimator, of fastclust: a copy, as it changes.
    method : str
        Name of the method.
    X : dask.array.Array or dask.dataframe.DataFrame of shape (n_samples, n_features)
        The rows.
    columns : list of str or int, default=None
        Names of the columns of the result; None if it has one value for each row.

    Returns
    -------
    result : dask.array.Array, dask.dataframe.Series or dask.dataframe.DataFrame
        The lazy result, in the blocks of X.
    """
    shared = _shared(model)
    if isinstance(X, dask.array.Array):
        example = getattr(model, method)(np.ones((1, X.shape[1]), dtype=X.dtype))
        options = {"dtype": example.dtype, "meta": example[:0]}
        if columns is None:
            options["drop_axis"] = 1
        else:
            options["chunks"] = X.chunks[0], (len(columns),)
        X = X.rechunk({1: -1})
        return X.map_blocks(_ask, model=shared, method=method, empty=example[:0], **options)
    example = X._meta.head(0).reindex([0]).fillna(1).astype(X.dtypes.to_dict())
    example = _as_frame(getattr(model, method)(example), example.index, columns)
    meta = example.iloc[:0].set_axis(X._meta.index)
    return X.map_partitions(_ask_frame, shared, method, columns, meta, meta=meta)


def _shared(model):
    """The estimator, which travels to each worker once, without labels as long as its rows."""
    vars(model).pop("labels_", None)
    return dask.delayed(model, traverse=False)


def _ask(rows, model, method, empty):
    """What the method says of a block of an array."""
    return getattr(model, method)(rows) if len(rows) else empty


def _ask_frame(rows, model, method, columns, empty):
    """What the method says of a partition of a dataframe, with its index."""
    if len(rows) == 0:
        return empty.set_axis(rows.index)
    return _as_frame(getattr(model, method)(rows), rows.index, columns)


def _as_frame(values, index, columns):
    import pandas as pd  # whoever has a dataframe has it

    if columns is None:
        return pd.Series(values, index)
    return pd.DataFrame(values, index, columns)


def sum_scores(model, X, sample_weight):
    """Scores of the blocks of a collection times their total weights, and these; summed.

    Parameters
    ----------
    model : estimator
        The fitted estimator, of fastclust: a copy, as it changes.
    X : dask.array.Array or dask.dataframe.DataFrame of shape (n_samples, n_features)
        The rows.
    sample_weight : array, series or array-like, default=None
        Their weights, as of `fit`.

    Returns
    -------
    score, weighted_score, weight, known_weight : float
        Sum of the scores of the blocks, sum of the scores times the weights, sum of the weights,
        and that of the weights of rows that have a value.
    """
    source = DaskSource.of(X, sample_weight, allows_nan(model))
    validate_data(model, source.header(), reset=False, skip_check_array=True)
    vars(model).pop("feature_names_in_", None)  # checked; the blocks are arrays without names
    shared, ask = _shared(model), dask.delayed(_score, pure=False)
    blocks = source.unread_blocks()
    return sum_tree(dask.compute(*(ask(shared, block) for block in blocks))).tolist()


def _score(model, block):
    rows, weights = block
    if len(rows) == 0:
        return np.zeros(4)
    score = model.score(rows, sample_weight=weights)
    weights = np.ones(len(rows)) if weights is None else weights
    weight = weights.sum(dtype=np.float64)
    known = weights[~has_no_value(rows)].sum(dtype=np.float64)
    return np.array([score, score * weight, weight, known])
