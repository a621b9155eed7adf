"""Log-densities of the components of a Gaussian mixture, block by block of panels.

With the Cholesky factor U of a component's precision, U U' = P, and y = U'(x - mean),

    log(weight) + log N(x; mean, P) = constant - |y|^2 / 2,
    constant = log(weight) + log det U - d log(2 pi) / 2

(Bishop, Pattern Recognition and Machine Learning, 2.3 and 9.2). The mean is subtracted first:
U'x - U'mean would cancel where the covariance is ill-conditioned. For each covariance type there is
one function of the same arguments:

panels : (n_panels, n_features, LANES)                   # IN
first, last : the block's range of panels                # IN
means, factors, extras, constants : the components, as   # IN
    the type lays them out
cuts : (n_components,), how far below a row's largest    # IN
    log-density one is negligible: it may be -inf
chunk : the chunk's number                                 # IN
likely_out : (n_panels, 2), int32: in [:, 0] a likely     # IN, OUT
    component of the panel, for `full`
rows_out : (n_chunks, n_values, n_at_once, LANES)         # scratch, zeros where there is no feature
log_prob_out : (n_chunks, BLOCK, n_places, LANES)         # OUT: [chunk, panel, component]; the last
                                                         #   place is scratch
"""

import numpy as np

from fastclust._kernels.jit import inner
from fastclust._kernels.signature import real
from fastclust._kernels.simd.products import (
    PANELS,
    WIDTH,
    add_squares_tile,
    affine_tile,
    all_above,
    fma_all,
    load_strided,
    maximum_tiles,
    product_tile,
    scaled_square_tile,
    shrunk_squares,
    store_strided,
)
from fastclust._kernels.simd.tiles import (
    fma_tile,
    splat_tile,
    square_diff_tile,
    store_tile,
    zero_tile,
)
from fastclust._kernels.simd.vectors import load, splat, store

LAYOUTS = {
    "full": (real[:, :], real[:, :], real[:, :, :, :]),
    "tied": (real[:, :, :], real[:, :], real[:, :]),
    "diag": (real[:, :, :], real[:, :, :], real[:, :]),
    "spherical": (real[:, :, :], real[:, :, :], real[:, :]),
}
"""Types of `means`, `factors` and `extras` for each covariance type."""

FACTOR_TILE = WIDTH * WIDTH
"""Values of a factor in one tile."""

SHRINK = 0.99
"""Factor of squared projections, which leaves room for the rounding of a separator."""

PRODUCTS = PANELS * WIDTH
"""Vectors in the accumulators of a triangular product."""


@inner
def _square_norms(rows, chunk, factors, j, limits):
    """Tile of |U'r|^2 of the rows r of PANELS panels; U upper triangular, in tiles by column.

    Sums of squares only grow: once all are above their limits it is infinity instead.
    """
    squares = zero_tile(rows, PANELS)
    first = 0
    for c in range(rows.shape[1] // WIDTH):
        acc = zero_tile(rows, PRODUCTS)
        for t in range(c):
            acc = product_tile(acc, rows, (chunk, t * WIDTH, 0), factors, (j, first), PANELS, False)
            first += FACTOR_TILE
        acc = product_tile(acc, rows, (chunk, c * WIDTH, 0), factors, (j, first), PANELS, True)
        first += FACTOR_TILE
        squares = add_squares_tile(squares, acc)
        if all_above(squares, limits):
            return fma_all(squares, splat(rows, 0.0), splat(rows, np.inf))
    return squares


@inner
def _component_log_prob(
    panels, p, last, j, means, factors, constants, chunk, limits, rows_out, log_prob_out
):
    """Tile of log-densities of component j for PANELS panels from p on."""
    for i in range(PANELS):
        place = min(p + i, last - 1)  # an odd panel is done twice
        for f in range(panels.shape[1]):
            difference = load(panels, (place, f)) - splat(panels, means[j, f])
            store(rows_out, (chunk, f, i), difference)
    squares = _square_norms(rows_out, chunk, factors, j, limits)
    return fma_all(squares, splat(panels, -0.5), splat(panels, constants[j, 0]))


@inner
def _separate(panels, p, likely, separators, chunk, b, bounds_out):
    """Lower bounds of |y|^2 of all components, for the rows of a panel with this likely."""
    n_features = panels.shape[1]
    if separators.shape[0] == 0:
        return
    for t in range(separators.shape[1]):
        acc = splat_tile(separators, (likely, t, n_features), WIDTH)
        for f in range(n_features):
            acc = fma_tile(acc, load(panels, (p, f)), separators, (likely, t, f))
        store_tile(bounds_out, (chunk, b, t * WIDTH), shrunk_squares(acc, SHRINK))


@inner
def full_log_prob(
    panels, first, last, means, factors, extras, constants, cuts, chunk,
    likely_out, rows_out, log_prob_out,
):  # fmt: skip
    """Components with covariances of their own.

    The likely component of a panel comes first. With its log-density others can be given up once
    they are known to be negligible: by their separators, before anything else of them is computed
    (|y|^2 >= (q'y)^2 for a unit vector q, and along the line between two means it is nearly as
    large), or after some of their columns.

    means : (n_components, n_features); factors : (n_components, n_tiles * FACTOR_TILE), the tiles
    U[t, c] for c = 0, 1, ... and t = 0 ... c; extras : (n_components, n_tiles, n_features + 1,
    WIDTH), the separators U q of each likely component from each component, and last -q'U'mean; or
    (0, ...) for none; constants : (n_components, 1)
    """
    n_places = log_prob_out.shape[2]
    largest = n_places - 1
    nowhere = zero_tile(panels, PANELS)
    none = fma_all(nowhere, splat(panels, 0.0), splat(panels, np.inf))
    never = fma_all(nowhere, splat(panels, 0.0), splat(panels, -np.inf))
    for p in range(first, last):
        _separate(
            panels,
            p,
            likely_out[p - (p - first) % PANELS, 0],
            extras,
            chunk,
            p - first,
            log_prob_out,
        )
    for p in range(first, last, PANELS):
        j = likely_out[p, 0]
        log_prob = _component_log_prob(
            panels, p, last, j, means, factors, constants, chunk, none, rows_out, log_prob_out
        )
        store_strided(log_prob_out, (chunk, p - first, j), log_prob, n_places)
        store_strided(log_prob_out, (chunk, p - first, largest), log_prob, n_places)
        likely_out[p, 1] = j
    for j in range(means.shape[0]):
        # |y|^2 / 2 above constant - largest - cut: below the cut. The 1 is more than any rounding.
        slack = splat(panels, 2.0 * (constants[j, 0] - cuts[j]) + 1.0)
        for p in range(first, last, PANELS):
            b = p - first
            if likely_out[p, 0] == j:
                continue
            best = load_strided(log_prob_out, (chunk, b, largest), PANELS, n_places)
            limits = fma_all(best, splat(panels, -2.0), slack)
            if extras.shape[0] > 0:
                bounds = load_strided(log_prob_out, (chunk, b, j), PANELS, n_places)
                if all_above(bounds, limits):
                    store_strided(log_prob_out, (chunk, b, j), never, n_places)
                    continue
            log_prob = _component_log_prob(
                panels, p, last, j, means, factors, constants, chunk, limits, rows_out, log_prob_out
            )
            store_strided(log_prob_out, (chunk, b, j), log_prob, n_places)
            before = log_prob_out[chunk, b, largest, 0]
            best = maximum_tiles(log_prob, best)
            store_strided(log_prob_out, (chunk, b, largest), best, n_places)
            if log_prob_out[chunk, b, largest, 0] > before:
                likely_out[p, 1] = j
    for p in range(first, last, PANELS):
        likely_out[p, 0] = likely_out[p, 1]


@inner
def tied_log_prob(
    panels, first, last, means, factors, extras, constants, cuts, chunk,
    likely_out, rows_out, log_prob_out,
):  # fmt: skip
    """Components of one covariance: its factor is applied once to each row.

    means : (n_tiles, n_values, WIDTH), U'mean; factors : (1, n_tiles * FACTOR_TILE), as above;
    extras, constants : (n_tiles, WIDTH), the first -1/2; rows_out holds 2 * n_values values, x and
    then U'x
    """
    n_values = rows_out.shape[1] // 2
    for p in range(first, last):
        for f in range(panels.shape[1]):
            store(rows_out, (chunk, f, 0), load(panels, (p, f)))
        start = 0
        for c in range(n_values // WIDTH):
            acc = zero_tile(panels, WIDTH)
            for t in range(c + 1):
                acc = product_tile(
                    acc, rows_out, (chunk, t * WIDTH, 0), factors, (0, start), 1, False
                )
                start += FACTOR_TILE
            store_strided(rows_out, (chunk, n_values + c * WIDTH, 0), acc, 1)
        for t in range(means.shape[0]):
            acc = zero_tile(panels, WIDTH)
            for f in range(n_values):
                y = load(rows_out, (chunk, n_values + f, 0))
                acc = square_diff_tile(acc, y, means, (t, f))
            log_prob = affine_tile(acc, extras, constants, t)
            store_tile(log_prob_out, (chunk, p - first, t * WIDTH), log_prob)


@inner
def diag_log_prob(
    panels, first, last, means, factors, extras, constants, cuts, chunk,
    likely_out, rows_out, log_prob_out,
):  # fmt: skip
    """Components with a variance for each feature.

    means, factors : (n_tiles, n_features, WIDTH); extras, constants : (n_tiles, WIDTH), the first
    -1/2
    """
    for p in range(first, last):
        for t in range(means.shape[0]):
            acc = zero_tile(panels, WIDTH)
            for f in range(panels.shape[1]):
                acc = scaled_square_tile(acc, load(panels, (p, f)), means, factors, (t, f))
            log_prob = affine_tile(acc, extras, constants, t)
            store_tile(log_prob_out, (chunk, p - first, t * WIDTH), log_prob)


@inner
def spherical_log_prob(
    panels, first, last, means, factors, extras, constants, cuts, chunk,
    likely_out, rows_out, log_prob_out,
):  # fmt: skip
    """Components with one variance each.

    means : (n_tiles, n_features, WIDTH); factors : not used; extras : (n_tiles, WIDTH), minus half
    the precisions; constants : (n_tiles, WIDTH)
    """
    for p in range(first, last):
        for t in range(means.shape[0]):
            acc = zero_tile(panels, WIDTH)
            for f in range(panels.shape[1]):
                acc = square_diff_tile(acc, load(panels, (p, f)), means, (t, f))
            log_prob = affine_tile(acc, extras, constants, t)
            store_tile(log_prob_out, (chunk, p - first, t * WIDTH), log_prob)
