"""Log-densities of the components of a Gaussian mixture, block by block of panels.

With the Cholesky factor U of a component's precision, U U' = P, and y = U'(x - mean),

    log(weight) + log N(x; mean, P) = constant - |y|^2 / 2,
    constant = log(weight) + log det U - d log(2 pi) / 2

(Bishop, Pattern Recognition and Machine Learning, 2.3 and 9.2). The mean is subtracted first:
U'x - U'mean would cancel where the covariance is ill-conditioned. For each covariance type there is
one function of the same arguments:

panels : (n_panels, n_features, LANES)                   # IN
first, last : the block's range of panels                # IN
means, factors, scales, constants : the components, as   # IN
    the type lays them out
slot : the slot's number                                 # IN
rows_out : (n_slots, n_values, n_at_once, LANES)         # scratch, zeros where there is no feature
log_prob_out : (n_slots, BLOCK, n_places, LANES)         # OUT: [slot, panel, component]
"""

from fastclust._kernels.jit import inner
from fastclust._kernels.simd import load, splat, square_diff_tile, store, store_tile, zero_tile
from fastclust._kernels.tile_products import (
    PANELS,
    WIDTH,
    add_squares_tile,
    affine_tile,
    fma_all,
    product_tile,
    scaled_square_tile,
    store_strided,
)

FACTOR_TILE = WIDTH * WIDTH
"""Values of a factor in one tile."""

PRODUCTS = PANELS * WIDTH
"""Vectors in the accumulators of a triangular product."""


@inner
def _square_norms(rows, slot, factors, j):
    """Tile of |U'r|^2 of the rows r of PANELS panels; U upper triangular, in tiles by column."""
    squares = zero_tile(rows, PANELS)
    first = 0
    for c in range(rows.shape[1] // WIDTH):
        acc = zero_tile(rows, PRODUCTS)
        for t in range(c):
            acc = product_tile(
                acc, rows, (slot, t * WIDTH, 0), factors, (j, first), PANELS, False
            )
            first += FACTOR_TILE
        acc = product_tile(
            acc, rows, (slot, c * WIDTH, 0), factors, (j, first), PANELS, True
        )
        first += FACTOR_TILE
        squares = add_squares_tile(squares, acc)
    return squares


@inner
def full_log_prob(
    panels, first, last, means, factors, scales, constants, slot, rows_out, log_prob_out
):
    """Components with covariances of their own.

    means : (n_components, n_features); factors : (n_components, n_tiles * FACTOR_TILE), the tiles
    U[t, c] for c = 0, 1, ... and t = 0 ... c; scales : not used; constants : (n_components, 1)
    """
    minus_half = splat(panels, -0.5)
    for j in range(means.shape[0]):
        for p in range(first, last, PANELS):
            for i in range(PANELS):
                place = min(p + i, last - 1)  # an odd panel is done twice
                for f in range(panels.shape[1]):
                    difference = load(panels, (place, f)) - splat(panels, means[j, f])
                    store(rows_out, (slot, f, i), difference)
            squares = _square_norms(rows_out, slot, factors, j)
            log_prob = fma_all(squares, minus_half, splat(panels, constants[j, 0]))
            store_strided(log_prob_out, (slot, p - first, j), log_prob, log_prob_out.shape[2])


@inner
def tied_log_prob(
    panels, first, last, means, factors, scales, constants, slot, rows_out, log_prob_out
):
    """Components of one covariance: its factor is applied once to each row.

    means : (n_tiles, n_values, WIDTH), U'mean; factors : (1, n_tiles * FACTOR_TILE), as above;
    scales, constants : (n_tiles, WIDTH); rows_out holds 2 * n_values values: x, then U'x
    """
    n_values = rows_out.shape[1] // 2
    for p in range(first, last):
        for f in range(panels.shape[1]):
            store(rows_out, (slot, f, 0), load(panels, (p, f)))
        start = 0
        for c in range(n_values // WIDTH):
            acc = zero_tile(panels, WIDTH)
            for t in range(c + 1):
                acc = product_tile(
                    acc, rows_out, (slot, t * WIDTH, 0), factors, (0, start), 1, False
                )
                start += FACTOR_TILE
            store_strided(rows_out, (slot, n_values + c * WIDTH, 0), acc, 1)
        for t in range(means.shape[0]):
            acc = zero_tile(panels, WIDTH)
            for f in range(n_values):
                y = load(rows_out, (slot, n_values + f, 0))
                acc = square_diff_tile(acc, y, means, (t, f))
            log_prob = affine_tile(acc, scales, constants, t)
            store_tile(log_prob_out, (slot, p - first, t * WIDTH), log_prob)


@inner
def diag_log_prob(
    panels, first, last, means, factors, scales, constants, slot, rows_out, log_prob_out
):
    """Components with a variance for each feature.

    means, factors : (n_tiles, n_features, WIDTH); scales, constants : (n_tiles, WIDTH)
    """
    for p in range(first, last):
        for t in range(means.shape[0]):
            acc = zero_tile(panels, WIDTH)
            for f in range(panels.shape[1]):
                acc = scaled_square_tile(acc, load(panels, (p, f)), means, factors, (t, f))
            log_prob = affine_tile(acc, scales, constants, t)
            store_tile(log_prob_out, (slot, p - first, t * WIDTH), log_prob)


@inner
def spherical_log_prob(
    panels, first, last, means, factors, scales, constants, slot, rows_out, log_prob_out
):
    """Components with one variance each.

    means : (n_tiles, n_features, WIDTH); factors : not used; scales, constants : (n_tiles, WIDTH)
    """
    for p in range(first, last):
        for t in range(means.shape[0]):
            acc = zero_tile(panels, WIDTH)
            for f in range(panels.shape[1]):
                acc = square_diff_tile(acc, load(panels, (p, f)), means, (t, f))
            log_prob = affine_tile(acc, scales, constants, t)
            store_tile(log_prob_out, (slot, p - first, t * WIDTH), log_prob)
