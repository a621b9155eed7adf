"""Rows in float32 beside those in float64, for iterations that look there first."""

import numpy as np

from fastclust._algorithms.memory import is_available

LEAST_WORK = 2**19
"""Multiply-adds of an iteration below which there is nothing to gain."""

LEAST_CLUSTERS, LEAST_FEATURES = 4, 3
"""With fewer, narrowing the rows takes as long as some iterations gain."""

MOST_NEAR = 4
"""Iterations look into float32 until they have to meet one panel in so many again."""

LARGEST_SQ = 1e30
"""Largest squared norm with which no sum overflows in float32."""


def pays(panels, n_clusters):
    """Whether iterations gain more than narrowing the rows takes."""
    return (
        panels.dtype == np.float64
        and n_clusters >= LEAST_CLUSTERS
        and panels.n_features >= LEAST_FEATURES
        and panels.work(n_clusters) >= LEAST_WORK
    )


def has_memory(panels):
    """Whether there is memory for the rows in float32."""
    return panels.has_f32 or is_available(panels.values.nbytes // 2)


class Float32Filter:
    """What `iterate_filtered` wants beside what `iterate` does; see `_kernels.filtered`.

    Parameters
    ----------
    panels : Panels
        The rows, in float64.
    n_chunks : int
        Number of chunks.
    radius_sq : float
        Largest squared norm of a row or first center.
    """

    def __init__(self, panels, n_chunks, radius_sq):
        self._panels, self._radius = panels, float(np.sqrt(radius_sq))
        self._most_near = len(panels.values) // MOST_NEAR
        self._chunk_near = np.zeros(n_chunks, dtype=np.int64)

    def arguments(self, tiles):
        """What the kernel wants, `tiles` being the centers and their norms in float64."""
        with np.errstate(under="ignore"):  # which the margin covers
            panels_f32 = [part.astype(np.float32) for part in tiles]
        return (
            self._radius,
            self._most_near,
            self._panels.panels_f32(),
            *panels_f32,
            self._chunk_near,
        )

    @property
    def helps(self):
        """Whether few enough panels were met again in the last iteration."""
        return int(self._chunk_near.sum()) <= self._most_near
