"""Rows in float32 beside those in float64: iterations compute distances with them first."""

import numpy as np

from fastclust._algorithms.chunks import split
from fastclust._algorithms.memory import is_available

LARGEST_SQ = 1e30
"""Largest squared norm with which no sum overflows in float32."""


def has_memory(panels, other_bytes):
    """Whether there is memory for the rows in float32, beside that which other arrays will take."""
    return panels.has_f32 or is_available(panels.values.nbytes // 2 + other_bytes)


def even_chunks(n_panels, n_chunks):
    """At most this many chunks of panels, each of which begins at an even one."""
    n_pairs = -(-n_panels // 2)
    chunks = split(n_pairs, 1.0, n_chunks, 1.0) * [1, 2, 2]
    chunks[-1, 2] = n_panels
    return chunks


class Float32Filter:
    """The arguments of `iterate_filtered` that `iterate` lacks; see `_kernels.kmeans.filtered`.

    Parameters
    ----------
    panels : Panels
        The rows, in float64.
    n_chunks : int
        Number of chunks.
    radius_sq : float
        Largest squared norm of a row or first center.
    near_share : float
        The filter helps while at most this share of the panels is evaluated again in float64.
    """

    def __init__(self, panels, n_chunks, radius_sq, near_share):
        self._panels, self._radius = panels, float(np.sqrt(radius_sq))
        self._most_near = int(near_share * len(panels.values))
        self._chunk_near = np.zeros(n_chunks, dtype=np.int64)

    def arguments(self, tiles):
        """These arguments; `tiles` are the tiles and squared norms of the centers, in float64."""
        with np.errstate(under="ignore"):  # the margin covers what underflows
            tiles_f32 = [part.astype(np.float32) for part in tiles]
        panels_f32 = self._panels.panels_f32()
        return self._radius, self._most_near, panels_f32, *tiles_f32, self._chunk_near

    @property
    def helps(self):
        """Whether few enough panels were evaluated again in the last iteration."""
        return int(self._chunk_near.sum()) <= self._most_near
