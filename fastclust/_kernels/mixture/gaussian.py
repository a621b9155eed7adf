"""Log-densities of the components of a Gaussian mixture, block by block of panels.

With the Cholesky factor U of a component's precision, U U' = P, and y = U'(x - mean),

    log(weight) + log N(x; mean, P) = constant - |y|^2 / 2,
    constant = log(weight) + log det U - d log(2 pi) / 2

(Bishop, Pattern Recognition and Machine Learning, 2.3 and 9.2). The mean is subtracted first:
U'x - U'mean would cancel where the covariance is ill-conditioned. For each covariance type there is
one function of the same arguments. It puts the log-densities of the block's rows into
`scratch.log_prob_out`.

The *separator* of component j from component l is U q, where U is the factor of j, and q the unit
vector from mean j to mean l in the coordinates y of j. The squared projection
(q'y)^2 = ((U q)'(x - mean))^2 costs a single product, and is a lower bound of |y|^2.

panels : (n_panels, n_features, LANES)                                 # IN
block, components, scratch : `Block`, `Components` and `EScratch` of   # IN
    `arguments`
"""

import numpy as np

from fastclust._kernels.jit import inner
from fastclust._kernels.mixture.layout import FACTOR_TILE
from fastclust._kernels.simd.products import (
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
from fastclust._kernels.simd.sizes import PANELS, WIDTH
from fastclust._kernels.simd.tiles import (
    fma_tile,
    splat_tile,
    square_diff_tile,
    store_tile,
    zero_tile,
)
from fastclust._kernels.simd.vectors import load, splat, store

SHRINK = 0.99
"""Squared projections are multiplied by this, which leaves room for the rounding of a separator."""

PRODUCTS = PANELS * WIDTH
"""Number of vectors that accumulate a triangular product."""


@inner
def square_norms(rows, chunk, factors, j, limits):
    """Tile of |U'r|^2 of the rows r of PANELS panels; U is upper triangular, in tiles by column.

    The sums of squares only grow: once all are above their limits, the result is infinity instead.
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
def _component_log_prob(panels, block, p, j, components, limits, rows_out):
    """Tile of log-densities of component j for PANELS panels from p on; -inf above the limits."""
    for i in range(PANELS):
        place = min(p + i, block.last - 1)  # the last panel is done twice if their number is odd
        for f in range(panels.shape[1]):
            difference = load(panels, (place, f)) - splat(panels, components.means[j, f])
            store(rows_out, (block.chunk, f, i), difference)
    squares = square_norms(rows_out, block.chunk, components.factors, j, limits)
    return fma_all(squares, splat(panels, -0.5), splat(panels, components.constants[j, 0]))


@inner
def _bound_squares(panels, block, p, likely, separators, bounds_out):
    """Lower bounds of |y|^2 of all components for the rows of panel p.

    They come from the separators of the panel's likely component from all others.
    """
    n_features = panels.shape[1]
    if separators.shape[0] == 0:
        return
    for t in range(separators.shape[1]):
        acc = splat_tile(separators, (likely, t, n_features), WIDTH)
        for f in range(n_features):
            acc = fma_tile(acc, load(panels, (p, f)), separators, (likely, t, f))
        bounds = shrunk_squares(acc, SHRINK)
        store_tile(bounds_out, (block.chunk, p - block.first, t * WIDTH), bounds)


@inner
def full_log_prob(panels, block, components, scratch):
    """Components with covariances of their own.

    The likely component of a panel comes first. Once its log-density is known, another component
    can be left out as soon as it is known to be negligible: by its separator, before anything else
    of it is computed (|y|^2 >= (q'y)^2 for a unit vector q, and along the line between two means
    this bound is nearly as large as |y|^2), or after some columns of its factor.

    means : (n_components, n_features)
    factors : (n_components, n_factor_values), the tiles U[t, c] for c = 0, 1, ... and
        t = 0 ... c
    extras : (n_components, n_tiles, n_features + 1, WIDTH): [likely, tile and lane of j] is the
        separator U q of component j from the component `likely`, and last the offset -q'U'mean, U
        and mean being those of j; or (0, ...) for no separators
    constants : (n_components, 1)
    """
    chunk, first, last = block
    likely_out, rows_out, log_prob_out = scratch
    separators = components.extras
    n_places = log_prob_out.shape[2]
    largest = n_places - 1  # the place of the largest log-density that is known
    zeros = zero_tile(panels, PANELS)
    no_limits = fma_all(zeros, splat(panels, 0.0), splat(panels, np.inf))
    impossible = fma_all(zeros, splat(panels, 0.0), splat(panels, -np.inf))
    for p in range(first, last):
        likely = likely_out[p - (p - first) % PANELS, 0]
        _bound_squares(panels, block, p, likely, separators, log_prob_out)
    for p in range(first, last, PANELS):
        j = likely_out[p, 0]
        log_prob = _component_log_prob(panels, block, p, j, components, no_limits, rows_out)
        store_strided(log_prob_out, (chunk, p - first, j), log_prob, n_places)
        store_strided(log_prob_out, (chunk, p - first, largest), log_prob, n_places)
        likely_out[p, 1] = j
    for j in range(components.means.shape[0]):
        # The log-density is below the cut where |y|^2 / 2 > constant - largest - cut. The 1 that is
        # added to the limit of |y|^2 is more than any rounding.
        slack = splat(panels, 2.0 * (components.constants[j, 0] - components.cuts[j]) + 1.0)
        for p in range(first, last, PANELS):
            b = p - first
            if likely_out[p, 0] == j:
                continue
            best = load_strided(log_prob_out, (chunk, b, largest), PANELS, n_places)
            limits = fma_all(best, splat(panels, -2.0), slack)
            if separators.shape[0] > 0:
                bounds = load_strided(log_prob_out, (chunk, b, j), PANELS, n_places)
                if all_above(bounds, limits):
                    store_strided(log_prob_out, (chunk, b, j), impossible, n_places)
                    continue
            log_prob = _component_log_prob(panels, block, p, j, components, limits, rows_out)
            store_strided(log_prob_out, (chunk, b, j), log_prob, n_places)
            before = log_prob_out[chunk, b, largest, 0]
            best = maximum_tiles(log_prob, best)
            store_strided(log_prob_out, (chunk, b, largest), best, n_places)
            if log_prob_out[chunk, b, largest, 0] > before:
                likely_out[p, 1] = j
    for p in range(first, last, PANELS):
        likely_out[p, 0] = likely_out[p, 1]


@inner
def tied_log_prob(panels, block, components, scratch):
    """Components that share one covariance: its factor is applied once to each row.

    means : (n_tiles, n_values, WIDTH), U'mean
    factors : (1, n_factor_values), as for `full`
    extras, constants : (n_tiles, WIDTH); extras are -1/2

    rows_out holds 2 * n_values values of a row: x and then U'x.
    """
    chunk, means = block.chunk, components.means
    rows_out = scratch.rows_out
    n_values = rows_out.shape[1] // 2
    for p in range(block.first, block.last):
        for f in range(panels.shape[1]):
            store(rows_out, (chunk, f, 0), load(panels, (p, f)))
        start = 0
        for c in range(n_values // WIDTH):
            acc = zero_tile(panels, WIDTH)
            for t in range(c + 1):
                x = (chunk, t * WIDTH, 0)
                acc = product_tile(acc, rows_out, x, components.factors, (0, start), 1, False)
                start += FACTOR_TILE
            store_strided(rows_out, (chunk, n_values + c * WIDTH, 0), acc, 1)
        for t in range(means.shape[0]):
            acc = zero_tile(panels, WIDTH)
            for f in range(n_values):
                y = load(rows_out, (chunk, n_values + f, 0))
                acc = square_diff_tile(acc, y, means, (t, f))
            log_prob = affine_tile(acc, components.extras, components.constants, t)
            store_tile(scratch.log_prob_out, (chunk, p - block.first, t * WIDTH), log_prob)


@inner
def diag_log_prob(panels, block, components, scratch):
    """Components with a variance for each feature.

    means, factors : (n_tiles, n_features, WIDTH)
    extras, constants : (n_tiles, WIDTH); extras are -1/2
    """
    means, factors = components.means, components.factors
    for p in range(block.first, block.last):
        for t in range(means.shape[0]):
            acc = zero_tile(panels, WIDTH)
            for f in range(panels.shape[1]):
                acc = scaled_square_tile(acc, load(panels, (p, f)), means, factors, (t, f))
            log_prob = affine_tile(acc, components.extras, components.constants, t)
            store_tile(scratch.log_prob_out, (block.chunk, p - block.first, t * WIDTH), log_prob)


@inner
def spherical_log_prob(panels, block, components, scratch):
    """Components with one variance each.

    means : (n_tiles, n_features, WIDTH)
    factors : not used
    extras : (n_tiles, WIDTH), minus half the precisions
    constants : (n_tiles, WIDTH)
    """
    means = components.means
    for p in range(block.first, block.last):
        for t in range(means.shape[0]):
            acc = zero_tile(panels, WIDTH)
            for f in range(panels.shape[1]):
                acc = square_diff_tile(acc, load(panels, (p, f)), means, (t, f))
            log_prob = affine_tile(acc, components.extras, components.constants, t)
            store_tile(scratch.log_prob_out, (block.chunk, p - block.first, t * WIDTH), log_prob)
