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

import numpy as np
from numba import prange

from fastclust._kernels.jit import inner, kernel
from fastclust._kernels.kmeans.arguments import ObservedSums
from fastclust._kernels.kmeans.assign import keep_nearest, make_search, none_yet
from fastclust._kernels.kmeans.constants import KEY_BITS
from fastclust._kernels.kmeans.distances import make_transform_panel
from fastclust._kernels.signature import float64, int32, int64, real
from fastclust._kernels.simd.reductions import greatest_lane
from fastclust._kernels.simd.row_vectors import WIDE, add_observed_rows
from fastclust._kernels.simd.sizes import OBSERVED_TILE
from fastclust._kernels.simd.tiles import (
    argmin_tile,
    observed_diff_tile,
    splat_tile,
    square_diff_tile,
)
from fastclust._kernels.simd.vectors import (
    add_squares,
    load,
    not_above_lanes,
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


# -- panels of rows that lack the same features --------------------------------------------------


@kernel
def describe_patterns(chunks, panels: real[:, :, :], keys_out: int64[:, :]):
    """Number the patterns of what rows lack: rows of one pattern have the same key.

    Others may have the same key too: feature f is bit f % KEY_BITS, in which features add up.

    panels : (n_panels, n_features, LANES)    # IN
    keys_out : (n_panels, LANES), int64       # OUT: from 0 to 2^KEY_BITS - 1
    """
    for s in prange(chunks.shape[0]):
        for p in range(chunks[s, 1], chunks[s, 2]):
            for i in range(panels.shape[2]):
                keys_out[p, i] = 0
            for f in range(panels.shape[1]):
                bit = 1 << (f % KEY_BITS)
                for i in range(panels.shape[2]):
                    x = panels[p, f, i]
                    keys_out[p, i] ^= 0 if x == x else bit


@kernel
def list_observed(chunks, panels: real[:, :, :], features_out: int32[:, :]):
    """List the features that some rows of each panel have.

    panels : (n_panels, n_features, LANES)                          # IN
    features_out : (n_panels, n_features + 1), int32: the features  # OUT
        in their order, and in the last place how many they are, or
        minus that if some rows of the panel lack one of them
    """
    n_features = panels.shape[1]
    for s in prange(chunks.shape[0]):
        for p in range(chunks[s, 1], chunks[s, 2]):
            every, low = (1 << panels.shape[2]) - 1, splat(panels, -np.inf)
            n, needs_mask = 0, False
            for f in range(n_features):
                lacking = not_above_lanes(load(panels, (p, f)), low)
                if lacking != every:
                    features_out[p, n] = f
                    n += 1
                    needs_mask = needs_mask or lacking != 0
            features_out[p, n_features] = -n if needs_mask else n


# -- labels and sums -----------------------------------------------------------------------------

_search_observed = make_search(
    "observed", none_yet, keep_nearest, observed_diff_tile, OBSERVED_TILE
)


@inner
def _search_listed(panels, p, features, tiles, start):
    """As `_search_observed`, by the features that are listed."""
    best, labels = none_yet(panels)
    n = features[p, panels.shape[1]]
    for t in range(tiles.shape[0]):
        acc = splat_tile(start, t, OBSERVED_TILE)
        for a in range(n):
            f = features[p, a]
            acc = square_diff_tile(acc, load(panels, (p, f)), tiles, (t, f))
        for a in range(-n):
            f = features[p, a]
            acc = observed_diff_tile(acc, load(panels, (p, f)), tiles, (t, f))
        best, labels = argmin_tile(best, labels, acc, t * OBSERVED_TILE)
    return best, labels


@inner
def _label_panel(panels, p, features, n_clusters, tiles, start, labels_out, distances_sq_out):
    """Label the rows of a panel."""
    if features.shape[0] > 0:
        best, labels = _search_listed(panels, p, features, tiles, start)
    else:
        best, labels = _search_observed(panels, p, n_clusters, tiles, start)
    store(labels_out, p, labels)
    store(distances_sq_out, p, best)


@kernel
def assign_observed(
    chunks, panels: real[:, :, :], features: int32[:, :], n_clusters: int64, tiles: real[:, :, :],
    start: real[:, :], labels_out: int32[:, :], distances_sq_out: real[:, :],
):  # fmt: skip
    """Label every row with its nearest center, the first of equally near ones.

    panels : (n_panels, n_features, LANES)            # IN
    features : (n_panels or 0, n_features + 1), int32 # IN: as of `list_observed`, if listed
    n_clusters : centers without the padding          # IN
    tiles : (n_tiles, n_features, OBSERVED_TILE)      # IN: the centers, not scaled
    start : (n_tiles, OBSERVED_TILE)                  # IN: 0, infinity for the padding centers
    labels_out : (n_panels, LANES), int32             # OUT
    distances_sq_out : (n_panels, LANES)              # OUT: squared distance to this center
    """
    for s in prange(chunks.shape[0]):
        for p in range(chunks[s, 1], chunks[s, 2]):
            _label_panel(
                panels, p, features, n_clusters, tiles, start, labels_out, distances_sq_out
            )


@inner
def _add_row(panels, p, i, first, weight, j, sums):
    """Add the values of a row from feature `first` on, times its weight, to cluster j's."""
    for f in range(first, panels.shape[1]):
        x = panels[p, f, i]
        if x == x:
            sums.sums_out[j, f] += weight * x
            sums.feature_weights_out[j, f] += weight


@inner
def _move_row(panels, p, i, weight, old, new, sums):
    """Move the values of a row, times its weight, from the sums of one cluster to another's."""
    sums_out, feature_weights_out = sums.sums_out, sums.feature_weights_out
    for f in range(panels.shape[1]):
        x = panels[p, f, i]
        is_there = x == x  # selections below, as branches on it cannot be foreseen
        value = weight * x if is_there else 0.0
        own = weight if is_there else 0.0
        sums_out[new, f] += value
        feature_weights_out[new, f] += own
        sums_out[old, f] -= value
        feature_weights_out[old, f] -= own
    sums.weights_out[old] -= weight
    sums.counts_out[old] -= weight > 0


@inner
def _add_vectors(panels, weights, p, labels, sums):
    """Add several features of a row at a time, of a panel without padding; return how many."""
    whole = panels.shape[1] // WIDE * WIDE
    sums_out, feature_weights_out = sums.sums_out, sums.feature_weights_out
    for f in range(0, whole, WIDE):
        if weights.shape[0] > 0:
            weight = load(weights, p)
            add_observed_rows(sums_out, feature_weights_out, labels, panels, p, f, weight, WIDE)
        else:
            add_observed_rows(sums_out, feature_weights_out, labels, panels, p, f, None, WIDE)
    return whole


@inner
def _move_panel(panels, weights, p, n_rows, labels_old, labels, from_none, sums):
    """Move rows of a panel whose label changed, or add all if `from_none`; return how many did."""
    n_changed, n_new = 0, 0
    for i in range(n_rows):
        n_changed += labels_old[p, i] != labels[p, i]
        n_new += from_none or labels_old[p, i] < 0
    if n_changed == 0 and n_new == 0:
        return 0
    first = _add_vectors(panels, weights, p, labels, sums) if n_new == panels.shape[2] else 0
    for i in range(n_rows):
        old, new = labels_old[p, i], labels[p, i]
        is_new = from_none or old < 0
        if old == new and not is_new:
            continue
        weight = float(weights[p, i]) if weights.shape[0] > 0 else 1.0
        sums.weights_out[new] += weight
        sums.counts_out[new] += weight > 0
        if is_new:
            _add_row(panels, p, i, first, weight, new, sums)
        else:
            _move_row(panels, p, i, weight, old, new, sums)
    return n_changed


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
    sums_out, feature_weights_out, weights_out, counts_out :       # OUT: passed as zeros
        `arguments.ObservedSums` of each chunk
    """
    for s in prange(chunks.shape[0]):
        c, lanes = chunks[s, 0], panels.shape[2]
        sums = ObservedSums(sums_out[c], feature_weights_out[c], weights_out[c], counts_out[c])
        for p in range(chunks[s, 1], chunks[s, 2]):
            n_rows = min(lanes, n_samples - p * lanes)
            _move_panel(panels, weights, p, n_rows, labels_old, labels, False, sums)


@kernel
def iterate_observed(
    chunks, panels: real[:, :, :], weights: real[:, :], n_samples: int64, features: int32[:, :],
    n_clusters: int64, tiles: real[:, :, :], start: real[:, :], from_none: int64,
    labels_old: int32[:, :], labels_out: int32[:, :], distances_sq_out: real[:, :],
    sums_out: float64[:, :, :], feature_weights_out: float64[:, :, :], weights_out: float64[:, :],
    counts_out: int64[:, :], n_changed_out: int64[:],
):  # fmt: skip
    """`assign_observed`, and `move_observed` of each panel while it is in the cache.

    panels, weights, n_samples : `arguments.Rows`                  # IN
    features, n_clusters, tiles, start : as of `assign_observed`   # IN
    from_none : 1 to sum all rows, as if they had had no label     # IN
    labels_old : (n_panels, LANES), int32: -1 for no cluster       # IN
    labels_out, distances_sq_out : as of `assign_observed`         # OUT
    sums_out, feature_weights_out, weights_out, counts_out :       # OUT: as of `move_observed`
    n_changed_out : (n_chunks,), int64                             # OUT: rows of another label
    """
    for s in prange(chunks.shape[0]):
        c, lanes, n_changed = chunks[s, 0], panels.shape[2], 0
        sums = ObservedSums(sums_out[c], feature_weights_out[c], weights_out[c], counts_out[c])
        for p in range(chunks[s, 1], chunks[s, 2]):
            _label_panel(
                panels, p, features, n_clusters, tiles, start, labels_out, distances_sq_out
            )
            n_rows = min(lanes, n_samples - p * lanes)
            n_changed += _move_panel(
                panels, weights, p, n_rows, labels_old, labels_out, from_none != 0, sums
            )
        n_changed_out[c] = n_changed


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
