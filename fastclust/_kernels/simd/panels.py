"""Rows from anywhere in an array into one panel, less their mean."""

from fastclust._kernels.jit import inner
from fastclust._kernels.simd.row_vectors import NARROW, WIDE, load_transposed
from fastclust._kernels.simd.tiles import store_tile
from fastclust._kernels.simd.vectors import prefetch

PREFETCH_PANELS, PREFETCH_VALUES = 4, 64
"""How many panels prefetching is ahead when rows are packed in another order than X's, and the most
values prefetched of a row: the CPU's own prefetcher does the rest."""

LINE_VALUES = 8
"""Values in a cache line, of float64."""


@inner
def pack_panel(X, mean, numbers, index, n_rows, panels_out, p):
    """Fill panel p with the rows X[numbers[index, lane]] - mean; lanes from n_rows on are 0.

    It takes tiles of features, then one feature after the other.
    """
    n_features, lanes = panels_out.shape[1], panels_out.shape[2]
    f = 0
    if n_features >= WIDE:
        for _ in range(n_features // WIDE):
            store_tile(panels_out, (p, f), load_transposed(X, numbers, index, f, mean, WIDE))
            f += WIDE
    for _ in range((n_features - f) // NARROW):
        store_tile(panels_out, (p, f), load_transposed(X, numbers, index, f, mean, NARROW))
        f += NARROW
    for f_left in range(f, n_features):
        for i in range(lanes):
            panels_out[p, f_left, i] = X[numbers[index, i], f_left] - mean[f_left]
    for i in range(max(0, n_rows), lanes):  # padding
        for f_all in range(n_features):
            panels_out[p, f_all, i] = 0


@inner
def prefetch_rows(X, numbers, index):
    """Prefetch the rows of a panel that is packed soon: they are far apart in X."""
    for i in range(numbers.shape[1]):
        row = min(numbers[index, i], X.shape[0] - 1)
        for f in range(0, min(X.shape[1], PREFETCH_VALUES), LINE_VALUES):
            prefetch(X, (row, f))
