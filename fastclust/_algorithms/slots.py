"""Slots: how the items of a pass (panels, blocks, rows, clusters) are divided among threads."""

import functools

import numpy as np

from fastclust._kernels.crew import COUNTER_VALUES, N_COUNTERS

MIN_SLOT_WORK = 2**20
"""Multiply-adds below which a slot is not worth a thread: about 20 us, as much as a launch."""

MAX_SLOTS = 64
"""Enough slots to keep that many threads busy, few enough that merging them costs nothing."""


@functools.lru_cache(maxsize=256)
def split(n_items, item_work, max_slots=MAX_SLOTS):
    """Divide items into slots of equal size; the result depends on the arguments alone.

    Parameters
    ----------
    n_items : int
        Number of items.
    item_work : float
        Multiply-adds that one item costs.
    max_slots : int, default=MAX_SLOTS
        Upper limit of the number of slots.

    Returns
    -------
    slots : ndarray of shape (n_slots, 3), int64
        Number, first item and end of each slot; read-only, as calls share it.
    """
    wanted = int(n_items * item_work / MIN_SLOT_WORK)
    n_slots = max(1, min(wanted, n_items, max_slots))
    number = np.arange(n_slots + 1)
    borders = number * n_items // n_slots
    slots = np.column_stack([number[:-1], borders[:-1], borders[1:]])
    slots.flags.writeable = False
    return slots


def new_crew():
    """Counters of a launch's crew; see `_kernels.crew`."""
    return np.empty((N_COUNTERS, COUNTER_VALUES), dtype=np.int64)
