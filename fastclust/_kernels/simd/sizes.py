"""Sizes of vectors, of register tiles and of teams: for kernels, and for who lays arrays out.

They suit CPUs with 32 registers of 64 bytes, or with 16 registers of 32 bytes. The comments name
the benchmarks that chose them: change a size and run its benchmark again.
"""

from fastclust import _extension

VECTOR_BYTES = 64
"""Bytes of a vector, which holds one value of each of the LANES rows of a panel."""


def _find_avx512():
    """Whether code is compiled for 32 registers of 64 bytes."""
    level = _extension.level()
    if level is not None:
        return level == "v4"
    import llvmlite.binding  # here, as kernels compiled ahead of time need neither
    import numba

    if numba.config.CPU_NAME or numba.config.CPU_FEATURES:
        return "+avx512f" in (numba.config.CPU_FEATURES or "")
    return bool(llvmlite.binding.get_host_cpu_features().get("avx512f"))


HAS_AVX512 = _find_avx512()

# -- distances -----------------------------------------------------------------------------------

TILE = 8 if HAS_AVX512 else 6
"""Centers in the register tile of the nearest-center search (benchmarks/bench_kernels.py)."""

NARROW_TILE = 2
"""Centers in the tile for the last one or two centers: 0.62 -> 0.55 ms at 100,000 x 20, k=10."""

OBSERVED_TILE = 8 if HAS_AVX512 else 4
"""Centers in the tile of the search where values are missing: masks take registers too
(benchmarks/bench_missing_kmeans.py)."""

DISTANCE_TILE = 4
"""Centers in the register tile of |x - c|^2."""

PAIR_TILE = 8 if HAS_AVX512 else 2
"""Points whose distances to a panel are in registers at a time, beside sums over the panels
(benchmarks/bench_metrics.py)."""

# -- products and moments (benchmarks/bench_gaussian_mixture.py) ---------------------------------

WIDTH = 4
"""Columns in a tile of a product, and components in a tile of distances."""

PANELS = 2 if HAS_AVX512 else 1
"""Panels that are multiplied at a time."""

MOMENT_WIDTH = 4 if HAS_AVX512 else 2
"""Features on each side of a moment tile."""

N_PRODUCTS = MOMENT_WIDTH**2
"""Number of products in a moment tile."""

N_DIAGONAL = MOMENT_WIDTH * (MOMENT_WIDTH + 1) // 2
"""Number of different products in a moment tile on the diagonal, which is symmetric."""

# -- teams ---------------------------------------------------------------------------------------

N_COUNTERS, COUNTER_VALUES = 3, 16
"""Shape of a team: no two counters share a cache line."""
