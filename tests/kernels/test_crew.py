"""The crew: every slot once in every step, the next step after all of them."""

import re
from pathlib import Path

import numba
import numpy as np
import pytest
from numba import prange

import fastclust
from fastclust._algorithms.slots import new_crew
from fastclust._kernels.crew import end_step, is_last_of_step, start_crew, take_slot
from tests.kernels.conftest import slots_of


@numba.njit(parallel=True, error_model="numpy")
def work_through(slots, n_workers, n_steps, crew_out, visits_out, order_out, step_out):
    """Slot s of step t visits (t, s), and sees what the step before left."""
    n_slots = slots.shape[0]
    start_crew(crew_out, n_slots)
    for _worker in prange(n_workers):
        crew = crew_out[:]
        s = take_slot(crew, n_slots)
        while s >= 0:
            t = step_out[0]
            visits_out[t, s] += 1
            for i in range(slots[s, 1], slots[s, 2]):  # the later slots take longer
                order_out[t + 1, s] += order_out[t, i % n_slots] % 1000 + 1
            if is_last_of_step(crew):
                step_out[0] += 1
                end_step(crew, n_slots, step_out[0] < n_steps)
            s = take_slot(crew, n_slots)


def arrays(n_steps, n_slots):
    order = np.zeros((n_steps + 1, n_slots), dtype=np.int64)
    return np.zeros((n_steps, n_slots)), order, np.zeros(1, dtype=np.int64)


@pytest.mark.parametrize("n_slots", [1, 2, 3, 64])
@pytest.mark.parametrize("n_workers", [1, 2, 5])
def test_every_slot_has_its_turn_in_every_step(n_slots, n_workers):
    """With more workers than threads too: the last begin when all is done."""
    n_steps = 500
    slots = slots_of(50 * n_slots, n_slots)
    slots[:, 2] += slots[:, 0] ** 2
    visits, order, step = arrays(n_steps, n_slots)
    work_through(slots, n_workers, n_steps, new_crew(), visits, order, step)
    assert step[0] == n_steps
    assert (visits == 1).all()
    expected = np.zeros(n_slots, dtype=np.int64)
    for t in range(n_steps):
        np.testing.assert_array_equal(order[t], expected)
        terms = expected % 1000 + 1
        expected = np.array([terms[np.arange(a, b) % n_slots].sum() for _, a, b in slots])


def test_other_threads_may_write_to_the_arrays_of_a_crew():
    """Of the function that Numba makes of a prange, LLVM is told nothing else."""
    work_through(np.array([[0, 0, 1]]), 1, 1, new_crew(), *arrays(1, 1))
    (code,) = work_through.inspect_llvm().values()
    definitions = re.findall(r"define .*numba_parfor_gufunc.*%arg.crew.*", code)
    assert definitions
    assert not re.search(r"noalias[^,]*%arg\.(?!sched)", "".join(definitions))


def test_every_crew_is_a_view():
    for path in Path(fastclust.__file__).parent.glob("_kernels/*.py"):
        code = path.read_text()
        if path.name != "crew.py":
            assert code.count(" take_slot(") == 2 * code.count("crew = crew_out[:]\n")


def test_without_slots_there_is_no_step():
    visits, order, step = arrays(1, 1)
    slots = np.empty((0, 3), dtype=np.int64)
    work_through(slots, 2, 1, new_crew(), visits, order, step)
    assert step[0] == 0
