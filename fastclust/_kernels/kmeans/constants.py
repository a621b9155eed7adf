"""Constants of the kernels of k-means that Python needs too, which loads no kernels for them."""

# -- iterations ----------------------------------------------------------------------------------

# Entries of counts_out of a `Status`.
N_ITER = 0  # iterations done
N_CHANGED = 1  # rows whose label changed in the last iteration
N_EMPTY = 2  # clusters without rows; if there are any, the last iteration moved no centers
N_ACTIVE = 3  # blocks that bounded iterations labelled, in all of them
N_EVALUATED = 4  # centers that were evaluated for these blocks
# 1 while an iteration is repeated, with its sums formed from all rows, because they had become
# imprecise:
REDO = 5
# 1 if the caller must repeat the iteration so, as this launch had no chunks, hence no rows:
IMPRECISE = 6
N_COUNTS = 7

# Values of `finish` of a `Plan`: what follows when all rows have labels.
LABELS_ONLY = 0  # nothing: the sums of the chunks stay apart
MOVE_TO_MEANS = 1  # the sums are merged, and every center moves to the mean of its rows
MOVE_TO_DIRECTIONS = 2  # the same, and the means are divided by their length (spherical k-means)

LEAST_OF_MAX_WEIGHT = 1e-4
"""Sums are formed anew if a cluster's weight falls below this share of its largest: above, they
have 12 correct digits."""

LEAST_RESULTANT = 2.0**-40
"""Length of the mean of unit vectors below which it is what rounding has left of 0: it has no
direction."""

ROUND_UP = 1 + 1e-6
"""Factor that rounds shifts up: they are square roots of sums of n_features rounded squares."""

LIST_TILE = 4
"""Candidates of a block that are evaluated at a time (`bounded`)."""

BATCH_BLOCKS = 64
"""Blocks whose bounds are tested together; those to be labelled are prefetched while the rest are
tested."""

ROUNDING, TINY = 2.0**-24, 2.0**-126
"""Relative error of float32, and absolute error of what underflows: u and v of `filtered`."""

# -- sparse rows ---------------------------------------------------------------------------------

CANCELS = 2.0**-20
"""Part of |x|^2 + |c|^2 below which |x - c|^2 is computed again: it has lost 20 bits of 53."""

LEAST_OF_SQUARE = 2.0**-10
"""Part of its largest value below which |s|^2 of a sum s is formed anew: it has lost 10 bits."""

# -- seeding -------------------------------------------------------------------------------------

SEEDING_BLOCK_PANELS = 16
"""Panels whose potential is one sum."""

WIDEST_SEEDING_TILE = 12
"""Most points in a tile: 2 + log(k) candidates and a seed are more only for k > 22,000."""

OBSERVED_SEEDING_TILE = 4
"""Points in a tile where values are missing, of which there are as many as are needed: a single
width, so that one kernel is compiled (benchmarks/bench_missing_kmeans.py)."""

KEY_BITS = 16
"""Bits of the key of a pattern of missing values, which NumPy sorts in linear time."""
