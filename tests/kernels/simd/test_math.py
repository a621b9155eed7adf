"""exp and log of vectors against mpmath."""

import mpmath
import numba
import numpy as np
import pytest

from fastclust._kernels.simd.math import EXP_ULPS, LOG_ULPS, exp, log
from fastclust._kernels.simd.vectors import load, store


@numba.njit
def run_exp(x, y_out):
    for p in range(x.shape[0]):
        store(y_out, p, exp(load(x, p)))


@numba.njit
def run_log(x, y_out):
    for p in range(x.shape[0]):
        store(y_out, p, log(load(x, p)))


def apply(run, values, dtype):
    lanes = 64 // np.dtype(dtype).itemsize
    padded = np.resize(values.astype(dtype), (-(-len(values) // lanes), lanes))
    result = np.empty_like(padded)
    run(padded, result)
    return padded.ravel(), result.ravel()


def worst_ulps(run, function, values, dtype):
    x, y = apply(run, values, dtype)
    with mpmath.workdps(60):
        exact = [function(mpmath.mpf(float(v))) for v in x]
        unit = [np.spacing(dtype(float(e))) for e in exact]
        errors = [
            abs(mpmath.mpf(float(v)) - e) / mpmath.mpf(float(u))
            for v, e, u in zip(y, exact, unit, strict=True)
        ]
    return float(max(errors))


@pytest.fixture(params=[np.float32, np.float64], ids=["f4", "f8"])
def real(request):
    return request.param


def test_exp_is_within_its_bound(real):
    rng = np.random.default_rng(0)
    least = -86 if real == np.float32 else -708
    borders = -(np.arange(1000) + 0.5) * np.log(2)  # where n changes
    borders = np.concatenate([borders, np.nextafter(borders, 0), np.nextafter(borders, -np.inf)])
    values = [rng.uniform(least, 0, 3000), -rng.exponential(1, 2000), borders, [0.0, -1e-30]]
    values = np.concatenate(values)
    assert worst_ulps(run_exp, mpmath.exp, values[values > least + 1], real) <= EXP_ULPS


def test_exp_vanishes_far_below(real):
    _, y = apply(run_exp, np.array([-1e4, -1e30, -np.inf]), real)
    assert (y == 0).all()


def test_exp_of_zero_is_one(real):
    _, y = apply(run_exp, np.zeros(3), real)
    assert (y == 1).all()


def test_log_is_within_its_bound(real):
    rng = np.random.default_rng(0)
    roots = np.sqrt(2) * 2.0 ** np.arange(60)  # where e changes
    near_one = 1 + np.logspace(-7 if real == np.float32 else -15, 0, 2000)
    powers = 2.0 ** np.arange(99)
    values = [2 ** rng.uniform(0, 100, 3000), near_one, roots, roots * (1 + 1e-6), powers]
    values = np.concatenate(values)
    x = values[values.astype(real) > 1]
    assert worst_ulps(run_log, mpmath.log, x, real) <= LOG_ULPS


def test_log_of_one_is_zero(real):
    _, y = apply(run_log, np.ones(3), real)
    assert (y == 0).all()
