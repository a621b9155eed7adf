"""How a call of a kernel becomes launches, however the kernel was compiled; without Numba.

Long calls are cut into launches of some of the chunks each, so that Ctrl-C is seen between them.
The kernels of many short steps have a team instead, whose first step is opened here: `simd.team`.
"""

import numpy as np

from fastclust import _threads

LAUNCH_WORK = 5e9
"""Multiply-adds per thread in one launch: under 0.2 s, so that Ctrl-C is seen between launches."""


def is_parallel(chunks, alone):
    """Whether the chunks are shared by threads."""
    return len(chunks) != 1 and not alone and _threads.parallel_is_safe()


def cut(chunks, work, n_threads):
    """Cut the chunks of a call into parts, one for each launch.

    Parameters
    ----------
    chunks : ndarray of shape (n_chunks, 3), int64
        The chunks.
    work : float
        Multiply-adds of all of them.
    n_threads : int
        Threads that share them.

    Returns
    -------
    parts : list of ndarray
        The parts, in their order.
    """
    n_launches = int(work / (LAUNCH_WORK * n_threads)) + 1
    most_launches = max(1, len(chunks) // n_threads)  # each with work for every thread
    n_launches = min(n_launches, most_launches)
    return np.array_split(chunks, n_launches) if n_launches > 1 else [chunks]


def n_workers(chunks):
    """Threads that share these chunks."""
    return 1 if len(chunks) == 1 else _threads.effective_n_threads()


def steps_in_launch(chunks, work):
    """How many steps of this many multiply-adds one launch may hold; less than 1 for none."""
    return LAUNCH_WORK * n_workers(chunks) / max(work, 1.0)


# Rows of a team, the counters of the threads that share many steps.
TAKEN = 0  # chunks taken so far, in all steps
DONE = 1  # chunks finished so far
OPEN = 2  # chunks of all steps opened so far; `team.DISMISSED` at the end


def open_team(team_out, n_chunks):
    """Open the first step: a turn for each chunk; without chunks, one for the end of the step."""
    team_out.fill(0)
    team_out[OPEN, 0] = max(n_chunks, 1)
