"""How values lie in the arrays of the kernels of mixtures: types, sizes and places."""

from fastclust._kernels.signature import float64, real
from fastclust._kernels.simd.sizes import MOMENT_WIDTH, N_PRODUCTS, WIDTH

LAYOUTS = {
    "full": (real[:, :], real[:, :], real[:, :, :, :]),
    "tied": (real[:, :, :], real[:, :], real[:, :]),
    "diag": (real[:, :, :], real[:, :, :], real[:, :]),
    "spherical": (real[:, :, :], real[:, :, :], real[:, :]),
}
"""Types of `means`, `factors` and `extras` for each covariance type."""

COVARIANCES = {
    "full": float64[:, :, :], "tied": float64[:, :], "diag": float64[:, :],
    "spherical": float64[:],
}  # fmt: skip
"""Type of the covariances, and of their factors, for each covariance type."""

BLOCK_PANELS = 32
"""Panels whose responsibilities are computed before their moments; it must be even, a multiple of
PANELS (benchmarks/bench_gaussian_mixture.py)."""

MASKED_PANELS = 16
"""The same of rows with missing values in panels with a mask: values and mask stay in the cache
(benchmarks/bench_missing_mixture.py)."""

NONE, SOME, ALL = 0, 1, 2
"""How many rows of a block in panels with a mask have a feature."""

FACTOR_TILE = WIDTH * WIDTH
"""Number of values of a factor in one tile."""


def factor_place(f, g):
    """Place of the element f, g >= f, of an upper triangular factor: column of tiles by column.

    This plain Python function is compiled into kernels, and gives the number of values of a factor:
    the place after the last tile.
    """
    t, c = f // WIDTH, g // WIDTH
    return (c * (c + 1) // 2 + t) * FACTOR_TILE + (f % WIDTH) * WIDTH + g % WIDTH


def product_place(f, g):
    """Place of the product of features f >= g among those that `add_full_moments` sums.

    Tile t, u of products, u <= t, is number t (t + 1) / 2 + u. Its rows follow one another; of a
    tile on the diagonal they end at the diagonal, and the rest of the tile is not used. This plain
    Python function takes integers, in kernels, and NumPy arrays.
    """
    t, row, u, column = f // MOMENT_WIDTH, f % MOMENT_WIDTH, g // MOMENT_WIDTH, g % MOMENT_WIDTH
    row_start = (t == u) * (row * (row + 1) // 2) + (t != u) * (row * MOMENT_WIDTH)
    return (t * (t + 1) // 2 + u) * N_PRODUCTS + row_start + column


def least_of_scatter(itemsize):
    """Least part of the scatter of rows that scatter about their components' means may be.

    The first is computed less that of the means: 13 bits of float32 are left, or 26 of float64.
    This plain Python function takes the bytes of a value of the rows, in kernels as well.
    """
    return 2.0**-10 if itemsize == 4 else 2.0**-26
