"""K-means of rows with missing values: distances over the values that a row has.

Missing values are NaN, in X and in the panels. With m_f = 1 where row x has a value and 0 where it
has none, the squared distance to a center c is

    sum_f m_f (x_f - c_f)^2,

and every feature of a center is the mean of the values that its rows have there (k-POD: Chi, Chi
and Baraniuk, "k-POD: a method for k-means clustering of missing data", The American Statistician
70(1), 2016). Differences cancel nothing, and a comparison of x with itself, which all centers
share, masks them: it costs one operation more for each value and center than the products of
complete rows (`assign`). So labels need neither norms nor a second way where squares cancel.
"""

from numba import prange

from fastclust._kernels.jit import inner, kernel
from fastclust._kernels.kmeans.assign import keep_nearest, make_search, none_yet
from fastclust._kernels.kmeans.distances import make_transform_panel
from fastclust._kernels.signature import float64, int32, int64, real
from fastclust._kernels.simd.reductions import greatest_lane
from fastclust._kernels.simd.row_vectors import WIDE, add_observed_rows
from fastclust._kernels.simd.sizes import OBSERVED_TILE
from fastclust._kernels.simd.tiles import observed_diff_tile
from fastclust._kernels.simd.vectors import (
    add_squares,
    load,
    splat,
    store,
    where_observed,
    zero_doubles,
)

# -- facts of the rows ---------------------------------------------------------------------------


@kernel
def sum_observed(
    chunks, X: real[:, :], sums_out: float64[:, :], counts_out: int64[:, :], n_empty_out: int64[:]
):
    """Sum the values that the rows of each chunk have, feature by feature.

    X : (n_samples, n_features)                    # IN
    sums_out : (n_chunks, n_features), float64     # OUT: passed as zeros
    counts_out : (n_chunks, n_features), int64     # OUT: number of values; passed as zeros
    n_empty_out : (n_chunks,), int64               # OUT: rows that have no value
    """
    for s in prange(chunks.shape[0]):
        chunk, n_empty = chunks[s, 0], 0
        for i in range(chunks[s, 1], chunks[s, 2]):
            n_values = 0
            for f in range(X.shape[1]):
                x = X[i, f]
                is_there = x == x
                sums_out[chunk, f] += x if is_there else 0.0
                counts_out[chunk, f] += is_there
                n_values += is_there
            n_empty += n_values == 0
        n_empty_out[chunk] = n_empty


@inner
def _describe_panel(panels, p, chunk, n_observed_out, squares_out):
    """Count the values of the rows of a panel and add up their squares; return the largest sum."""
    row_sq, n_observed = zero_doubles(panels), splat(panels, 0.0)
    one = splat(panels, 1.0)
    for f in range(panels.shape[1]):
        x = load(panels, (p, f))
        row_sq = add_squares(row_sq, where_observed(x, x))
        n_observed = n_observed + where_observed(one, x)
    store(n_observed_out, p, n_observed)
    for f in range(panels.shape[1]):
        for i in range(panels.shape[2]):
            x = panels[p, f, i]
            value = float(x) if x == x else 0.0
            squares_out[chunk, f, i] += value * value
    return greatest_lane(row_sq)


@kernel
def describe_observed(
    chunks, panels: real[:, :, :], n_observed_out: real[:, :], squares_out: float64[:, :, :],
    largest_out: float64[:],
):  # fmt: skip
    """Count the values of every row, and add up their squares.

    panels : (n_panels, n_features, LANES)                 # IN
    n_observed_out : (n_panels, LANES)                     # OUT: numbers of values
    squares_out : (n_chunks, n_features, LANES), float64   # OUT: sums of squares; passed as zeros
    largest_out : (n_chunks,), float64                     # OUT: largest squared norm of a row
    """
    for s in prange(chunks.shape[0]):
        largest = 0.0
        for p in range(chunks[s, 1], chunks[s, 2]):
            square = _describe_panel(panels, p, chunks[s, 0], n_observed_out, squares_out)
            largest = max(largest, square)
        largest_out[chunks[s, 0]] = largest


# -- labels and sums -----------------------------------------------------------------------------

_search_observed = make_search(
    "observed", none_yet, keep_nearest, observed_diff_tile, OBSERVED_TILE
)


@kernel
def assign_observed(
    chunks, panels: real[:, :, :], n_clusters: int64, tiles: real[:, :, :], start: real[:, :],
    labels_out: int32[:, :], distances_sq_out: real[:, :],
):  # fmt: skip
    """Label every row with its nearest center, the first of equally near ones.

    panels : (n_panels, n_features, LANES)        # IN
    n_clusters : centers without the padding      # IN
    tiles : (n_tiles, n_features, OBSERVED_TILE)  # IN: the centers, not scaled
    start : (n_tiles, OBSERVED_TILE)              # IN: 0, and infinity for the padding centers
    labels_out : (n_panels, LANES), int32         # OUT
    distances_sq_out : (n_panels, LANES)          # OUT: squared distance to this center
    """
    for s in prange(chunks.shape[0]):
        for p in range(chunks[s, 1], chunks[s, 2]):
            best, labels = _search_observed(panels, p, n_clusters, tiles, start)
            store(labels_out, p, labels)
            store(distances_sq_out, p, best)


@inner
def _add_row(panels, p, i, f, weight, sums_out, feature_weights_out):
    """Add the values of a row from feature f on, times its weight, to the sums of a cluster."""
    for g in range(f, panels.shape[1]):
        x = panels[p, g, i]
        if x == x:
            sums_out[g] += weight * x
            feature_weights_out[g] += weight


@inner
def _move_row(panels, p, i, weight, old, new, sums_out, feature_weights_out):
    """Move the values of a row, times its weight, from the sums of one cluster to another's."""
    for f in range(panels.shape[1]):
        x = panels[p, f, i]
        is_there = x == x
        value = weight * x if is_there else 0.0
        own = weight if is_there else 0.0
        sums_out[new, f] += value
        feature_weights_out[new, f] += own
        sums_out[old, f] -= value
        feature_weights_out[old, f] -= own


@inner
def _add_panel(panels, weights, p, labels, sums_out, feature_weights_out):
    """Add the values of a panel without padding to the sums of the clusters of its rows."""
    whole, weighted = panels.shape[1] // WIDE * WIDE, weights.shape[0] > 0
    for f in range(0, whole, WIDE):
        if weighted:
            weight = load(weights, p)
            add_observed_rows(sums_out, feature_weights_out, labels, panels, p, f, weight, WIDE)
        else:
            add_observed_rows(sums_out, feature_weights_out, labels, panels, p, f, None, WIDE)
    for i in range(panels.shape[2]):
        row_weight, j = float(weights[p, i]) if weighted else 1.0, labels[p, i]
        _add_row(panels, p, i, whole, row_weight, sums_out[j], feature_weights_out[j])


@inner
def _count_changed(labels_old, labels, p, n_rows):
    """How many of the first n_rows rows of a panel have another label, and how many had none."""
    n_changed, n_new = 0, 0
    for i in range(n_rows):
        n_changed += labels_old[p, i] != labels[p, i]
        n_new += labels_old[p, i] < 0
    return n_changed, n_new


@kernel
def move_observed(
    chunks, panels: real[:, :, :], weights: real[:, :], n_samples: int64, labels_old: int32[:, :],
    labels: int32[:, :], sums_out: float64[:, :, :], feature_weights_out: float64[:, :, :],
    weights_out: float64[:, :], counts_out: int64[:, :],
):  # fmt: skip
    """Move the rows whose label changed from the sums of one cluster to those of another.

    The outputs are what the statistics of the clusters grow by, for each chunk of panels.

    panels, weights, n_samples : `arguments.Rows`                  # IN
    labels_old : (n_panels, LANES), int32: -1 for no cluster       # IN
    labels : (n_panels, LANES), int32                              # IN
    sums_out : (n_chunks, n_clusters, n_features), float64: sums   # OUT: all passed as zeros
        of the values that the rows have
    feature_weights_out : the same of the weights of these rows    # OUT
    weights_out : (n_chunks, n_clusters), float64                  # OUT: weights of all rows
    counts_out : (n_chunks, n_clusters), int64                     # OUT: rows of positive weight
    """
    lanes = panels.shape[2]
    for s in prange(chunks.shape[0]):
        chunk = chunks[s, 0]
        sums, feature_weights = sums_out[chunk], feature_weights_out[chunk]
        for p in range(chunks[s, 1], chunks[s, 2]):
            n_rows = min(lanes, n_samples - p * lanes)
            n_changed, n_new = _count_changed(labels_old, labels, p, n_rows)
            if n_changed == 0:
                continue
            if n_new == lanes:
                _add_panel(panels, weights, p, labels, sums, feature_weights)
            for i in range(n_rows):
                old, new = labels_old[p, i], labels[p, i]
                if old == new:
                    continue
                weight = float(weights[p, i]) if weights.shape[0] > 0 else 1.0
                weights_out[chunk, new] += weight
                counts_out[chunk, new] += weight > 0
                if old >= 0:
                    _move_row(panels, p, i, weight, old, new, sums, feature_weights)
                    weights_out[chunk, old] -= weight
                    counts_out[chunk, old] -= weight > 0
                elif n_new < lanes:
                    _add_row(panels, p, i, 0, weight, sums[new], feature_weights[new])


# -- distances -----------------------------------------------------------------------------------

_transform_panel = make_transform_panel("observed", observed_diff_tile)


@kernel
def transform_observed(
    chunks, panels: real[:, :, :], tiles: real[:, :, :], tile_out: real[:, :, :],
    distances_out: real[:, :],
):  # fmt: skip
    """Distance of every row to every center, over the values that the row has.

    panels : (n_panels, n_features, LANES)        # IN
    tiles : (n_tiles, n_features, DISTANCE_TILE)  # IN: the centers, not scaled
    tile_out : (n_chunks, DISTANCE_TILE, LANES)   # scratch
    distances_out : (n_samples, n_clusters)       # OUT
    """
    for s in prange(chunks.shape[0]):
        for p in range(chunks[s, 1], chunks[s, 2]):
            _transform_panel(panels, p, tiles, chunks[s, 0], tile_out, distances_out)
