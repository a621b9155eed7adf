"""What fitted estimators say of Dask collections, block by block, when it is computed."""

from dataclasses import dataclass

import dask
import dask.array
import numpy as np
from sklearn.utils.validation import validate_data

from fastclust._algorithms.rows import scale
from fastclust._algorithms.rows.merging import sum_tree
from fastclust._algorithms.rows.missing import has_no_value
from fastclust._missing import allows_nan
from fastclust.dask._collections import DaskSource, no_rows_of


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
    no_rows = no_rows_of(X)
    example = no_rows.reindex([0]).fillna(1).astype(X.dtypes.to_dict())
    example = _as_frame(getattr(model, method)(example), example.index, columns)
    meta = example.iloc[:0].set_axis(no_rows.index)
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
    """Values as a series with this index, or as a dataframe if there are names of columns."""
    import pandas as pd  # it is installed where X is a dataframe

    if columns is None:
        return pd.Series(values, index)
    return pd.DataFrame(values, index, columns)


def sum_over(model, X, sample_weight, function, *parameters):
    """Sum of function(model, rows, weights, *parameters) over the blocks of a collection.

    Parameters
    ----------
    model : estimator
        The fitted estimator, of fastclust: a copy, as it changes.
    X : dask.array.Array or dask.dataframe.DataFrame of shape (n_samples, n_features)
        The rows.
    sample_weight : array, series or array-like, default=None
        Their weights, as of `fit`.
    function : callable
        What is summed.
    *parameters
        Further parameters of it.

    Raises
    ------
    ValueError
        If there are no rows that have a weight.
    """
    source = DaskSource.of(X, sample_weight, allows_nan(model))
    validate_data(model, source.header(), reset=False, skip_check_array=True)
    vars(model).pop("feature_names_in_", None)  # checked; the blocks are arrays without names
    shared, ask = _shared(model), dask.delayed(_ask_block, pure=False)
    blocks = source.unread_blocks()
    found = dask.compute(*(ask(shared, block, function, parameters) for block in blocks))
    values = [value for value in found if value is not None]
    if not values:
        raise ValueError("There are no rows, or all weights are zero.")
    return sum_tree(values)


def _ask_block(model, block, function, parameters):
    """What the function says of a block; None of one without rows."""
    rows, weights = block
    return function(model, rows, weights, *parameters) if len(rows) else None


def score_of_block(model, rows, weights):
    """What `score` says."""
    return model.score(rows, sample_weight=weights)


@dataclass
class LogSums:
    """The sums that information criteria need, times 2^-exponent, as weights may be of any size."""

    sums: np.ndarray
    exponent: int

    def __add__(self, other):
        """The sums over the rows of both."""
        exponent = max(self.exponent, other.exponent)
        sums = (np.ldexp(one.sums, one.exponent - exponent) for one in (self, other))
        return LogSums(sum(sums), exponent)


def logs_of_block(model, rows, weights, with_entropy):
    """The sums that information criteria need, over the rows that have a value."""
    weights, exponent = _in_range(weights)
    if allows_nan(model):
        known = ~has_no_value(rows)
        if not known.any():
            return LogSums(np.zeros(3), exponent)
        rows, weights = rows[known], None if weights is None else weights[known]
    return LogSums(model._sum_logs(rows, weights, with_entropy), exponent)


def scores_of_block(model, rows, weights):
    """The sums of the weights and of the weighted log-likelihoods."""
    weights, exponent = _in_range(np.ones(len(rows)) if weights is None else weights)
    sums = [weights.sum(dtype=np.float64), weights.astype(np.float64) @ model.score_samples(rows)]
    return LogSums(np.array(sums), exponent)


def _in_range(weights):
    """Weights times 2^-exponent, so that they can be summed, and the exponent."""
    if weights is None:
        return None, 0
    exponent = scale.find_exponent(weights)
    return scale.scaled(weights, -exponent), exponent
