"""Packing of rows into panels against the naive twin, and rows divided by their norms."""

import numpy as np
import pytest

from fastclust._algorithms.rows.dense import UnitRows
from fastclust._algorithms.rows.panels import Panels
from fastclust._calls import pack_rows, sum_columns
from tests import reference
from tests.kernels.conftest import chunks_of, tolerance


def test_sum_columns(rng, n_samples, n_features, dtype, max_chunks):
    X = rng.normal(size=(n_samples, n_features)).astype(dtype)
    chunks = chunks_of(n_samples, max_chunks)
    sums = np.empty((len(chunks), 3, n_features))
    sum_columns(chunks, X.reshape(-1), n_features, sums.reshape(len(chunks), -1))
    # Both sums are in float64; only their order differs.
    atol = tolerance(np.float64, n_samples)
    np.testing.assert_allclose(sums.sum(axis=(0, 1)), reference.sum_columns(X), rtol=0, atol=atol)


@pytest.mark.parametrize("unit", [False, True])
@pytest.mark.parametrize("in_order", [True, False])
def test_pack_rows(rng, n_samples, n_features, dtype, max_chunks, in_order, unit):
    X = rng.normal(size=(n_samples, n_features)).astype(dtype)
    mean = X.mean(axis=0) * (not unit)
    lanes = 64 // X.dtype.itemsize
    n_panels = -(-n_samples // lanes)
    order = np.arange(n_panels * lanes, dtype=np.int32).reshape(n_panels, lanes)
    if not in_order:
        order.ravel()[:n_samples] = rng.permutation(n_samples)
    expected, square = reference.pack_rows(X[order.ravel()[:n_samples]], mean, lanes, unit)
    chunks = chunks_of(n_panels, max_chunks)
    panels = np.full_like(expected, np.nan, order="C")
    numbers = np.empty((len(chunks), lanes), dtype=np.int64)
    norms = np.empty((len(chunks), lanes))
    squares, largest = np.empty(len(chunks)), np.empty(len(chunks))
    n_zero = np.full(len(chunks), 7)
    given = order[:0] if in_order else order
    pack_rows(
        chunks, X, n_samples, mean, given, int(unit), numbers, norms, panels, squares, largest,
        n_zero,
    )  # fmt: skip
    assert not n_zero.any()
    if unit:  # norms are rounded sums, and what is divided by them is rounded again
        rtol = tolerance(np.float64, n_features) + tolerance(dtype, 1)
        np.testing.assert_allclose(panels, expected, rtol=rtol)
        square = (panels.astype(np.float64) ** 2).sum()
    else:
        np.testing.assert_array_equal(panels, expected)
    row_sq = (reference.unpack(panels, n_samples).astype(np.float64) ** 2).sum(axis=1)
    # Only the order of these sums in float64 differs.
    assert squares.sum() == pytest.approx(square, rel=tolerance(np.float64, X.size))
    assert largest.max() == pytest.approx(row_sq.max(), rel=tolerance(np.float64, n_features))


@pytest.mark.parametrize("n_samples", [1, 8, 19, 200])
@pytest.mark.parametrize("exponent", [-1070, -500, -451, 0, 499, 501, 1020])
def test_unit_rows_have_the_same_bits_in_any_unit(rng, exponent, n_samples):
    X = rng.integers(-7, 8, size=(n_samples, 9)).astype(np.float64)  # no digit is lost at 2^-1070
    X[:, 0] += 8
    zero = np.zeros(9)
    expected = Panels(UnitRows(X), None, zero)
    panels = Panels(UnitRows(np.ldexp(X, exponent)), None, zero)
    np.testing.assert_array_equal(panels.values, expected.values)
    rows = panels.take(np.arange(n_samples))
    np.testing.assert_allclose(rows, reference.unit_rows(X), rtol=tolerance(np.float64, 9))
    assert panels.total_square == expected.total_square


@pytest.mark.parametrize("exponent", [-145, -70, 70, 120])
def test_unit_rows_of_float32_have_the_same_bits_in_any_unit(rng, exponent):
    X = rng.integers(1, 8, size=(40, 3)).astype(np.float32)
    zero = np.zeros(3, dtype=np.float32)
    expected = Panels(UnitRows(X), None, zero)
    panels = Panels(UnitRows(np.ldexp(X, exponent)), None, zero)
    np.testing.assert_array_equal(panels.values, expected.values)


def test_zero_rows_are_counted_and_stay_zero(dtype):
    X = np.ones((37, 3), dtype=dtype)
    X[[0, 8, 20, 36]] = 0
    X[1, 1:] = 0
    panels = Panels(UnitRows(X), None, np.zeros(3, dtype=dtype))
    assert panels.n_zero == 4  # the padding is not
    rows = panels.take(np.arange(37))
    np.testing.assert_array_equal(rows.any(axis=1), X.any(axis=1))
    np.testing.assert_array_equal(rows[1], [1, 0, 0])
    np.testing.assert_allclose(panels.mean(), rows.mean(axis=0, dtype=np.float64), rtol=1e-14)
