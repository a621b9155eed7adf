"""Centers laid out as tiles for the search of the nearest, and whether some are close together.

`_algorithms.kmeans.precision` says what close centers are looked for.
"""

import numpy as np
from numba import prange

from fastclust._kernels.jit import inner, kernel
from fastclust._kernels.signature import float64, int64, real


@inner
def tile_center(j, n_clusters, centers, scale, tiles_out, center_sq_out):
    """Write center j, or a padding center that is infinitely far, into its tile."""
    t, offset = j // tiles_out.shape[2], j % tiles_out.shape[2]
    center_sq = 0.0 if j < n_clusters else np.inf
    for f in range(tiles_out.shape[1]):
        c = np.float64(centers[j, f]) if j < n_clusters else 0.0
        tiles_out[t, f, offset] = scale * c
        center_sq += c * c
    center_sq_out[t, offset] = center_sq


@inner
def _is_close(centers, j, small_sq):
    """Whether an earlier center is nearer to center j than sqrt(small_sq), but not equal to it.

    A pair is given up as soon as its distance exceeds the limit, mostly at the first feature.
    """
    n_features = centers.shape[1]
    for other in range(j):
        distance_sq, f = 0.0, 0
        while f < n_features and distance_sq < small_sq:
            distance_sq += (np.float64(centers[j, f]) - centers[other, f]) ** 2
            f += 1
        if 0 < distance_sq < small_sq:
            return True
    return False


@kernel
def tile_centers(
    chunks, centers: real[:, :], scale: float64, limit: float64, tiles_out: real[:, :, :],
    center_sq_out: real[:, :], close_out: int64[:],
):  # fmt: skip
    """Lay centers out as tiles[t, f, offset] = scale * center and center_sq = |center|^2.

    Also find out whether two centers c and c' are so close that limit |c - c'|^2 < |c|^2.

    centers : (n_clusters, n_features)             # IN
    limit : infinity not to look for close centers # IN
    tiles_out : (n_tiles, n_features, width)       # OUT: 0 for the padding centers
    center_sq_out : (n_tiles, width)               # OUT: infinity for the padding centers
    close_out : (n_chunks,), int64                 # OUT: 1 if there are two such, not equal; or 0
    """
    n_clusters, width = centers.shape[0], tiles_out.shape[2]
    for s in prange(chunks.shape[0]):
        first, stop = chunks[s, 1] * width, chunks[s, 2] * width
        for j in range(first, stop):
            tile_center(j, n_clusters, centers, scale, tiles_out, center_sq_out)
        is_close = False
        if limit < np.inf:
            for j in range(first, min(stop, n_clusters)):
                small_sq = np.float64(center_sq_out[j // width, j % width]) / limit
                is_close = is_close or _is_close(centers, j, small_sq)
        close_out[chunks[s, 0]] = is_close


@kernel
def find_close_centers(
    chunks, centers: real[:, :], center_sq: real[:], limit: float64, close_out: int64[:]
):
    """As `tile_centers`, where the centers need no tiles; the chunks are of centers.

    centers : (n_clusters, n_features)     # IN
    center_sq : (n_clusters,) or more      # IN: |c|^2
    close_out : (n_chunks,), int64         # OUT: 1 if there are two such, not equal; or 0
    """
    for s in prange(chunks.shape[0]):
        is_close = False
        for j in range(chunks[s, 1], chunks[s, 2]):
            small_sq = np.float64(center_sq[j]) / limit
            is_close = is_close or _is_close(centers, j, small_sq)
        close_out[chunks[s, 0]] = is_close
