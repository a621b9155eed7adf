"""Where each kernel is, so that one is found without loading the modules of all.

A new kernel is entered here, or tests/kernels/test_registry.py fails.
"""

import importlib
from typing import Any, NamedTuple

from fastclust._kernels.kmeans.constants import OBSERVED_SEEDING_TILE, WIDEST_SEEDING_TILE
from fastclust._kernels.mixture.layout import COVARIANCES

SEEDING_WIDTHS = range(2, WIDEST_SEEDING_TILE + 1)
"""Points in a tile of seeding: the last seed and the candidates, of which there is at least one.
Candidates that are too many for the widest tile are divided among several tiles of the same width,
which is then more than half of the widest (`Panels.run_seeding`)."""

KERNELS = {
    "rows.pack": ("sum_columns", "pack_rows", "take_csr_rows", "narrow_panels"),
    "rows.sort": ("sort_rows",),
    "kmeans.m_step": ("sum_clusters", "update_centers"),
    "kmeans.tiles": ("tile_centers", "find_close_centers"),
    "kmeans.lloyd": ("iterate",),
    "kmeans.first_bounds": ("start_bounds",),
    "kmeans.bounded": ("iterate_bounded",),
    "kmeans.filtered": ("iterate_filtered",),
    "kmeans.minibatch": ("run_batches",),
    "kmeans.minibatch_csr": ("assign_batch_csr", "add_batch_csr"),
    "kmeans.assign": ("assign_nearest", "assign_with_inertia", "assign_by_differences"),
    "kmeans.distances": ("distances_to_labels", "sum_label_distances", "transform_rows"),
    "kmeans.seeding_csr": ("try_candidates_csr",),
    "kmeans.csr": (
        "assign_csr", "assign_csr_to_two", "accumulate_csr", "distances_to_labels_csr",
        "distances_sq_csr",
    ),
    "kmeans.missing": (
        "sum_observed", "describe_observed", "describe_patterns", "list_observed",
        "assign_observed", "move_observed", "iterate_observed", "transform_observed",
    ),
    "mixture.patterns": ("estimate_pattern_moments", "estimate_pattern_posterior"),
    "mixture.tied_patterns": (
        "estimate_tied_pattern_moments", "estimate_tied_pattern_posterior",
    ),
    "mixture.masked": ("estimate_masked_moments", "estimate_masked_posterior"),
    "metrics.silhouette": ("add_distances",),
}  # fmt: skip
"""Kernels of each module."""

VARIANTS = {
    "seed_rounds": ("kmeans.seeding", "seeding_kernel", SEEDING_WIDTHS),
    "seed_rounds_observed": ("kmeans.seeding", "observed_seeding_kernel", (OBSERVED_SEEDING_TILE,)),
    "lay_out_components": ("mixture.m_step", "lay_out_kernel", COVARIANCES),
    "update_components": ("mixture.m_step", "update_kernel", COVARIANCES),
    "estimate_moments": ("mixture.passes", "moments_kernel", COVARIANCES),
    "estimate_posterior": ("mixture.passes", "posterior_kernel", COVARIANCES),
}
"""Kernels that are made several times: module, function that makes them, and its arguments."""


class Place(NamedTuple):
    """Module of a kernel, and its name there; or that of a function, and its only argument."""

    module: str
    name: str
    key: Any = None

    def load(self):
        """Import the module, and return the kernel."""
        module = importlib.import_module(f"fastclust._kernels.{self.module}")
        found = getattr(module, self.name)
        return found if self.key is None else found(self.key)


PLACES = {name: Place(module, name) for module, names in KERNELS.items() for name in names} | {
    f"{name}_{key}": Place(module, maker, key)
    for name, (module, maker, keys) in VARIANTS.items()
    for key in keys
}
"""Place of each kernel, by its name."""
