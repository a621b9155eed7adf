"""Whether squares of centers cancel where the nearest center is sought.

The label of row x is argmin_j |c_j|^2 - 2 x.c_j. With a relative error of u in each operation and
d features, rounding can make center j look nearer than a nearer center l only if their squared
distances from x differ by less than 2 (d + 4) u (C^2 + 2 |x| C), C being the larger norm of the
two. Then x is about as far from one as from the other, so that both distances are at least half of
their separation S. So the error is at most the share

    2 (d + 4) u 17 C^2 / (S^2 / 4)     for rows with |x| <= 8 C

of the squared distance. Rows farther out are themselves at least 7/8 |x| from both, and lose
nothing. So it depends on the centers alone whether a label may be that of a center that is farther
than another by more than rounding: on C^2 / (S^2 / 4) of pairs of centers. Above a limit, labels
are found from differences, which cancel nothing. (Equal centers have equal values by either
formula, and do not count.)
"""

import functools
import math

import numpy as np

from fastclust._algorithms.arrays import PAIR_WORK, readable, tiles_of
from fastclust._algorithms.chunks import split
from fastclust._calls import find_close_centers
from fastclust._kernels.simd.sizes import TILE

LIMIT = {np.dtype(np.float32): 2.0**16, np.dtype(np.float64): 2.0**28}
"""Limit of C^2 / (S^2 / 4). That of float32 is above those of centers that k-means finds in
ordinary rows (1,000 colours of a picture: 2^15). The rounding of the two largest terms, about
2 u C^2, is then less than 2^-7 of S^2 / 4 for the closest pair, and 2^-24 in float64."""

MOST_NORMS_SQ, MOST_COORDINATES = 2.0**80, 2.0**40
"""Largest ratio of the squared norms of two centers, and of two coordinates that are not 0, at
which rounding of sums moves no center by more than 2^-12 of the distances between the others."""

LEAST_GAIN = 2.0**-10
"""Centers go on moving to their means while a coordinate moves by less than this share of its last
move. Moves that shrink no faster are rounding."""


def search_tiles(centers):
    """Tiles of centers for the search of the nearest, their squared norms, and `lose_digits`."""
    return tiles_of(centers, TILE, -2.0, LIMIT[centers.dtype] / 4)


class SearchedCenters:
    """Centers among which the nearest is sought, with the tiles that a search needs.

    The tiles are made where they are used, once in each process: they are not pickled.

    Parameters
    ----------
    values : ndarray of shape (n_clusters, n_features)
        The centers.
    """

    def __init__(self, values):
        self.values = readable(values)  # those of a message may begin at any byte

    @functools.cached_property
    def tiles(self):
        """See `search_tiles`."""
        return search_tiles(self.values)

    def __reduce__(self):
        return SearchedCenters, (self.values,)


def lose_digits(centers, center_sq):
    """Whether labels of these centers must be found from differences.

    Parameters
    ----------
    centers : ndarray of shape (n_clusters, n_features)
        Centers, relative to what is subtracted from the rows.
    center_sq : ndarray of shape (n_clusters or more,)
        Their squared norms.
    """
    k = len(centers)
    chunks = split(k, PAIR_WORK * k / 2)
    close = np.empty(len(chunks), dtype=np.int64)
    find_close_centers(chunks, centers, center_sq, LIMIT[centers.dtype] / 4, close)
    return 1 in close.tolist()


def may_be_far_from_means(center_sq):
    """Whether rounding may have moved centers of these squared norms far from their rows' means.

    Where huge values are averaged, rounding may move their mean by more than the distances
    between ordinary rows.
    """
    norms_sq = center_sq.tolist()
    return max(norms_sq) / MOST_NORMS_SQ > min(norms_sq)


def may_keep_rounding(centers, center_sq):
    """Whether sums may have kept the rounding of huge values that were added and taken away again.

    That may be so if a coordinate of a center is tiny beside another of its feature, but not 0.

    Parameters
    ----------
    centers : ndarray of shape (n_clusters, n_features)
        Centers.
    center_sq : ndarray of shape (n_clusters,)
        Their squared norms.
    """
    sizes = np.abs(centers)
    least = float(np.minimum.reduce(sizes, axis=None))
    if math.sqrt(max(center_sq.tolist())) <= MOST_COORDINATES * least:  # as a rule
        return False
    is_small = sizes < np.maximum.reduce(sizes) / MOST_COORDINATES
    return np.count_nonzero(sizes[is_small]) > 0


def move_to_means(centers, mean_differences):
    """Move centers to the means of their rows, from wherever rounding has left them.

    The difference of a far center from its rows is rounded as coarsely as the center is, so it
    takes several steps.

    Parameters
    ----------
    centers : ndarray of shape (n_clusters, n_features)
        Centers, moved in place.
    mean_differences : callable
        Returns the means of the rows of each center less the center, of the same shape.
    """
    largest = np.inf
    while True:
        differences = mean_differences()
        centers += differences
        moves = np.abs(differences)
        if not (moves < LEAST_GAIN * largest).any():
            return
        largest = moves
