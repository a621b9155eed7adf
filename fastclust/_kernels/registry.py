"""Every kernel, and the real types that the package calls it with: what there is to compile.

`warmup` compiles these. Each has two variants, one for each driver; see `jit`. Where the kernels
are is said in `places`.
"""

from typing import NamedTuple

from fastclust._kernels.jit import Kernel
from fastclust._kernels.places import PLACES
from fastclust._kernels.signature import REAL_DTYPES

BY_NAME = {name: place.load() for name, place in PLACES.items()}
"""Every kernel, by its name."""

FLOAT64_ONLY = (
    "narrow_panels",  # makes float32 of float64
    "iterate_filtered",  # looks for labels of float64 rows in float32 first
    "add_distances",  # silhouettes are computed in float64 whatever the rows are
)
"""Kernels that are never called with float32; the others are called with both, as the rows are."""


class Entry(NamedTuple):
    """A kernel, and a real type that it is called with."""

    kernel: Kernel
    dtype: str


REGISTRY = tuple(
    Entry(kernel, dtype)
    for name, kernel in BY_NAME.items()
    for dtype in (("float64",) if name in FLOAT64_ONLY else REAL_DTYPES)
)

SCORES = tuple(
    Entry(BY_NAME[name], "float64")
    for name in (
        "sum_columns", "pack_rows", "tile_centers", "sum_clusters", "distances_to_labels",
        "transform_rows", "add_distances",
    )
)  # fmt: skip
"""What the scores in `fastclust.metrics` call for rows of any type, as they convert them."""


def entries_for(dtype):
    """Entries that the package calls for rows of this type."""
    return [entry for entry in REGISTRY if entry.dtype == dtype or entry in SCORES]
