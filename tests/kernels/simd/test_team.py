"""The team: every chunk once in every step, the next step after all of them."""

import re
from pathlib import Path

import numba
import numpy as np
import pytest
from numba import prange

import fastclust
from fastclust._algorithms.chunks import new_team
from fastclust._kernels.launch import open_team
from fastclust._kernels.simd.team import end_step, is_last_of_step, take_chunk
from tests.kernels.conftest import chunks_of


@numba.njit(parallel=True, error_model="numpy")
def work_through(chunks, n_workers, n_steps, team_out, visits_out, order_out, step_out):
    """Chunk s of step t visits (t, s), and sees what the step before left."""
    n_chunks = chunks.shape[0]
    for _worker in prange(n_workers):
        team = team_out[:]
        s = take_chunk(team, n_chunks)
        while s >= 0:
            t = step_out[0]
            visits_out[t, s] += 1
            for i in range(chunks[s, 1], chunks[s, 2]):  # the later chunks take longer
                order_out[t + 1, s] += order_out[t, i % n_chunks] % 1000 + 1
            if is_last_of_step(team):
                step_out[0] += 1
                end_step(team, n_chunks, step_out[0] < n_steps)
            s = take_chunk(team, n_chunks)


def opened(n_chunks):
    team = new_team()
    open_team(team, n_chunks)
    return team


def arrays(n_steps, n_chunks):
    order = np.zeros((n_steps + 1, n_chunks), dtype=np.int64)
    return np.zeros((n_steps, n_chunks)), order, np.zeros(1, dtype=np.int64)


@pytest.mark.parametrize("n_chunks", [1, 2, 3, 64])
@pytest.mark.parametrize("n_workers", [1, 2, 5])
def test_every_chunk_has_its_turn_in_every_step(n_chunks, n_workers):
    """With more workers than threads too: the last begin when all is done."""
    n_steps = 500
    chunks = chunks_of(50 * n_chunks, n_chunks)
    chunks[:, 2] += chunks[:, 0] ** 2
    visits, order, step = arrays(n_steps, n_chunks)
    work_through(chunks, n_workers, n_steps, opened(n_chunks), visits, order, step)
    assert step[0] == n_steps
    assert (visits == 1).all()
    expected = np.zeros(n_chunks, dtype=np.int64)
    for t in range(n_steps):
        np.testing.assert_array_equal(order[t], expected)
        terms = expected % 1000 + 1
        expected = np.array([terms[np.arange(a, b) % n_chunks].sum() for _, a, b in chunks])


@numba.njit(error_model="numpy")
def take_all(n_chunks, n_steps, team_out, taken_out):
    """Chunks that one thread takes in each step."""
    for step in range(n_steps):
        for turn in range(n_chunks):
            taken_out[step, turn] = take_chunk(team_out, n_chunks)
        end_step(team_out, n_chunks, step + 1 < n_steps)


def test_every_second_step_takes_the_chunks_backwards():
    taken = np.empty((4, 5), dtype=np.int64)
    take_all(5, 4, opened(5), taken)
    np.testing.assert_array_equal(taken, [[0, 1, 2, 3, 4], [4, 3, 2, 1, 0]] * 2)


def test_other_threads_may_write_to_the_arrays_of_a_team():
    """Of the function that Numba makes of a prange, LLVM is told nothing else."""
    work_through(np.array([[0, 0, 1]]), 1, 1, opened(1), *arrays(1, 1))
    (code,) = work_through.inspect_llvm().values()
    definitions = re.findall(r"define .*numba_parfor_gufunc.*%arg.team.*", code)
    assert definitions
    assert not re.search(r"noalias[^,]*%arg\.(?!sched)", "".join(definitions))


def test_every_team_is_a_view():
    n_teams = 0
    for path in Path(fastclust.__file__).parent.glob("_kernels/*/*.py"):
        code = path.read_text() if path.name != "team.py" else ""
        views = re.findall(r"in prange\(n_workers\):\n +team = team_out\[:\]\n", code)
        assert code.count("prange(n_workers)") == len(views)
        n_teams += len(views)
    assert n_teams == 5  # three kinds of iterations, mini-batches, and seeding


def test_who_comes_after_the_last_step_does_nothing():
    visits, order, step = arrays(1, 1)
    team = opened(1)
    for _ in range(2):
        work_through(np.array([[0, 0, 1]]), 2, 1, team, visits, order, step)
    assert step[0] == 1
