"""Every kernel, and the real types that the package calls it with: what there is to compile.

`warmup` compiles these. Each has two variants, one for each driver; see `jit`. A new kernel is
entered here, or tests/kernels/test_registry.py fails.
"""

from typing import NamedTuple

from fastclust._kernels.jit import Kernel
from fastclust._kernels.kmeans import (
    assign,
    bounded,
    centers,
    csr,
    distances,
    filtered,
    first_bounds,
    lloyd,
    seeding,
)
from fastclust._kernels.kmeans.constants import WIDEST_SEEDING_TILE
from fastclust._kernels.metrics import silhouette
from fastclust._kernels.mixture import m_step, passes
from fastclust._kernels.mixture.layout import COVARIANCES
from fastclust._kernels.rows import pack, sort
from fastclust._kernels.signature import REAL_DTYPES

SEEDING_WIDTHS = range(2, WIDEST_SEEDING_TILE + 1)
"""Points in a tile of seeding: the last seed and the candidates, of which there is at least one.
Candidates that are too many for the widest tile are divided among several tiles of the same width,
which is then more than half of the widest (`Panels.run_seeding`)."""

COVARIANCE_TYPES = tuple(COVARIANCES)

BOTH_TYPES = (
    pack.sum_columns,
    pack.pack_rows,
    sort.sort_rows,
    *(seeding.seeding_kernel(width) for width in SEEDING_WIDTHS),
    centers.tile_centers,
    centers.sum_clusters,
    centers.update_centers,
    centers.find_close_centers,
    lloyd.iterate,
    first_bounds.start_bounds,
    bounded.iterate_bounded,
    assign.assign_nearest,
    assign.assign_with_inertia,
    assign.assign_by_differences,
    distances.distances_to_labels,
    distances.transform_rows,
    csr.assign_csr,
    csr.accumulate_csr,
    csr.distances_to_labels_csr,
    csr.distances_sq_csr,
    *(
        factory(covariance_type)
        for factory in (
            m_step.lay_out_kernel,
            m_step.update_kernel,
            passes.moments_kernel,
            passes.posterior_kernel,
        )
        for covariance_type in COVARIANCE_TYPES
    ),
)
"""Kernels that are called with float32 and with float64, as the rows are."""

FLOAT64_ONLY = (
    pack.narrow_panels,  # makes float32 of float64
    filtered.iterate_filtered,  # looks for labels of float64 rows in float32 first
    silhouette.add_distances,  # silhouettes are computed in float64 whatever the rows are
)
"""Kernels that are never called with float32."""


class Entry(NamedTuple):
    """A kernel, and a real type that it is called with."""

    kernel: Kernel
    dtype: str


REGISTRY = (
    *(Entry(kernel, dtype) for kernel in BOTH_TYPES for dtype in REAL_DTYPES),
    *(Entry(kernel, "float64") for kernel in FLOAT64_ONLY),
)

SCORES = tuple(
    Entry(kernel, "float64")
    for kernel in (
        pack.sum_columns,
        pack.pack_rows,
        centers.tile_centers,
        centers.sum_clusters,
        distances.distances_to_labels,
        distances.transform_rows,
        silhouette.add_distances,
    )
)
"""What the scores in `fastclust.metrics` call for rows of any type, as they convert them."""


def entries_for(dtype):
    """Entries that the package calls for rows of this type."""
    return [entry for entry in REGISTRY if entry.dtype == dtype or entry in SCORES]
