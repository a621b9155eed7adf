"""Arguments of the iterations of Lloyd's algorithm that belong together, and their shapes.

The kernels, which Python calls, take them one by one and put them together. Inner functions take
the groups, so that they have few arguments and no two arrays can be swapped by mistake. Numba takes
a NamedTuple apart, so that it costs nothing. An array whose name ends in `_out` is written to.
"""

from typing import NamedTuple


class Rows(NamedTuple):
    """Dense rows.

    panels : (n_panels, n_features, LANES)
    weights : (n_panels, LANES), or (0, LANES) for ones
    n_samples : rows without the padding
    """

    panels: object
    weights: object
    n_samples: object


class Centers(NamedTuple):
    """Centers, also laid out as tiles for the search of the nearest.

    centers_out : (n_clusters, n_features)
    tiles_out : (n_tiles, n_features, TILE), as `assign` says
    center_sq_out : (n_tiles, TILE)
    shifts_out : (n_vectors * LANES,): how far each center moved, rounded up; 0 for the padding
    """

    centers_out: object
    tiles_out: object
    center_sq_out: object
    shifts_out: object


class Labels(NamedTuple):
    """Labels of the rows.

    labels_out : (n_panels, LANES), int32
    new_labels_out : (n_chunks, batch_panels, LANES), int32: scratch, of the panels of a batch,
        or of a block where there are bounds
    """

    labels_out: object
    new_labels_out: object


class ClusterSums(NamedTuple):
    """Statistics of the clusters, or what labels that changed add to them.

    sums_out : (n_clusters, n_features), float64: weighted sums of the rows
    weights_out : (n_clusters,), float64: sums of the weights
    counts_out : (n_clusters,), int64: rows of positive weight
    """

    sums_out: object
    weights_out: object
    counts_out: object


class ObservedSums(NamedTuple):
    """Statistics of clusters of rows with missing values, or what changed labels add to them.

    sums_out : (n_clusters, n_features), float64: weighted sums of the values that the rows have
    feature_weights_out : (n_clusters, n_features), float64: the weights of the rows that have them
    weights_out : (n_clusters,), float64: sums of the weights of all rows
    counts_out : (n_clusters,), int64: rows of positive weight
    """

    sums_out: object
    feature_weights_out: object
    weights_out: object
    counts_out: object


class ChunkSums(NamedTuple):
    """Statistics of the clusters in each chunk, with a first axis of n_chunks.

    All but changed_out are 0 between iterations. The axis of the clusters may be longer than
    n_clusters, so that no two chunks share a cache line.

    sums_out, weights_out, counts_out : as `ClusterSums`, of each chunk
    touched_out : (n_chunks, n_clusters or more), int64: 1 for clusters that changed
    changed_out : (n_chunks,), int64: labels that changed
    """

    sums_out: object
    weights_out: object
    counts_out: object
    touched_out: object
    changed_out: object


class Plan(NamedTuple):
    """What a launch is to do.

    finish : what follows the labels: LABELS_ONLY, MOVE_TO_MEANS or MOVE_TO_DIRECTIONS (`constants`)
    first_iteration : number of the first iteration
    n_steps : limit of the iterations
    resum_every : iterations after which sums are formed anew, or 0 for never
    tol : sum of squared shifts at which to stop
    """

    finish: object
    first_iteration: object
    n_steps: object
    resum_every: object
    tol: object


class Status(NamedTuple):
    """What a launch has done.

    counts_out : (N_COUNTS,), int64: see `constants`
    shift_sq_out : (1,), float64: sum of the squared shifts of the centers in the last iteration
    max_weights_out : (n_clusters,), float64: largest weight of each cluster since its sum was
        formed from all rows
    """

    counts_out: object
    shift_sq_out: object
    max_weights_out: object


class Batches(NamedTuple):
    """Batches of rows, each by their numbers.

    X : (n_samples, n_features), row by row
    origin : (n_features,): what is subtracted from the rows
    numbers : (n_steps * n_panels, LANES), int64: the rows of one batch after the other, in panels;
        padding has the number of any row
    n_rows : rows in a batch
    n_steps : batches
    """

    X: object
    origin: object
    numbers: object
    n_rows: object
    n_steps: object


class MiniBatchCenters(NamedTuple):
    """Centers and weights before the first step and after each step, and tiles of the last.

    centers_out : (n_steps + 1, n_clusters, n_features); the first are given
    weights_out : (n_steps + 1, n_clusters), float64: rows that each center has had; the first given
    tiles_out, center_sq_out : as of `Centers`, of the centers that the next step begins with
    """

    centers_out: object
    weights_out: object
    tiles_out: object
    center_sq_out: object
