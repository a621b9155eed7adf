"""Comparisons of vectors, lane by lane."""

import numba
import numpy as np
import pytest

from fastclust._kernels.simd.vectors import load, not_above_lanes


@numba.njit
def run_not_above(x, y):
    return not_above_lanes(load(x, 0), load(y, 0))


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_not_above_lanes_are_those_below_equal_or_not_a_number(dtype):
    lanes = 64 // np.dtype(dtype).itemsize
    values = [(1, 2), (2, 2), (np.nextafter(dtype(2), dtype(3)), 2), (np.nan, 2), (1, np.nan)]
    values += [(np.inf, np.inf), (-np.inf, -np.inf), (np.inf, 1)]
    x, y = np.resize(np.array(values, dtype=dtype), (lanes, 2)).T.copy()
    expected = sum(1 << i for i in range(lanes) if not x[i] > y[i])
    assert run_not_above(x[np.newaxis], y[np.newaxis]) & ((1 << lanes) - 1) == expected
