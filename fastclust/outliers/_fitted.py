"""What is asked of an estimator that is fitted inside another: distances of many rows, features."""

import sys
from numbers import Real

import numpy as np
from scipy.sparse import issparse
from sklearn.utils import gen_batches, get_tags

from fastclust._parameters import Rule

BLOCK_ROWS = 2**16
"""Rows whose distances to all centers are in memory at a time."""

SHARE = Rule(
    lambda value: isinstance(value, Real) and 0 < float(value) <= 0.5,
    "a float in the range (0.0, 0.5]",
)
"""Share of the rows that are outliers."""


class _ArrowRows:
    """Rows of a table of pyarrow, by slices or numbers."""

    def __init__(self, table):
        self.table = table

    def __getitem__(self, rows):
        return self.table[rows] if isinstance(rows, slice) else self.table.take(rows)


def taker(X):
    """Return the number of rows of X, and what gives some of them by their numbers."""
    rows = X.tocsr() if issparse(X) else X if hasattr(X, "shape") else np.asarray(X)
    pa = sys.modules.get("pyarrow")
    if pa is not None and isinstance(rows, pa.Table | pa.RecordBatch):
        return rows.num_rows, _ArrowRows(rows)
    return rows.shape[0], rows.iloc if hasattr(rows, "iloc") else rows


def nearest_centers(estimator, X):
    """Nearest center of each row, and the distance to it."""
    n_rows, take = taker(X)
    parts = []
    for part in gen_batches(max(n_rows, 1), BLOCK_ROWS):  # the estimator refuses no rows
        distances = estimator.transform(take[part])
        parts.append((distances.argmin(axis=1), distances.min(axis=1)))
    labels, distances = zip(*parts, strict=True)
    return np.concatenate(labels), np.concatenate(distances)


def take_input_tags(tags, estimator):
    """Tags of an estimator that takes sparse rows, and NaN, if the one that it fits does."""
    taken = get_tags(estimator).input_tags
    tags.input_tags.sparse, tags.input_tags.allow_nan = taken.sparse, taken.allow_nan
    return tags


def take_features(estimator, fitted):
    """Note the number and names of features that another estimator was fitted to."""
    estimator.n_features_in_ = fitted.n_features_in_
    if hasattr(fitted, "feature_names_in_"):
        estimator.feature_names_in_ = fitted.feature_names_in_
    elif hasattr(estimator, "feature_names_in_"):
        del estimator.feature_names_in_
