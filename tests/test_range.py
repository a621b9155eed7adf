"""Rows in other units have the same answer: a power of two changes no digit.

Squares of large rows overflow and those of small ones vanish, so rows beyond some range are scaled
inside (`_algorithms/rows/scale.py`). Where the answer itself cannot be represented, an error says
so.
"""

import math
import re

import numpy as np
import pytest
import scipy.sparse
from hypothesis import given
from hypothesis import strategies as st

from fastclust import (
    BisectingKMeans,
    GaussianMixture,
    KMeans,
    MiniBatchGaussianMixture,
    MiniBatchKMeans,
    SphericalKMeans,
    kmeans_plusplus,
)
from fastclust._algorithms.rows import scale
from fastclust._algorithms.rows.dense import estimate_mean
from fastclust._algorithms.rows.panels import Panels
from fastclust.model_selection import select_kmeans

EXPONENTS = {np.float32: (-60, 60), np.float64: (-500, 500)}
TYPES = ["full", "tied", "diag", "spherical"]


def make_rows(dtype, n_samples=90):
    rng = np.random.default_rng(6)
    X = rng.normal(size=(n_samples, 3)) + 9 * rng.normal(size=(5, 3))[np.arange(n_samples) % 5]
    return X.astype(dtype)


@st.composite
def units(draw):
    """A real type, and an exponent with which rows of ordinary size stay in its range."""
    dtype = draw(st.sampled_from([np.float32, np.float64]))
    return dtype, draw(st.integers(*EXPONENTS[dtype]))


@given(units(), st.sampled_from([np.asarray, scipy.sparse.csr_array]), st.booleans())
def test_kmeans_in_any_unit(unit, container, weighted):
    dtype, exponent = unit
    X = make_rows(dtype)
    sample_weight = np.random.default_rng(1).uniform(0.5, 2, len(X)) if weighted else None
    rows = container(np.ldexp(X, exponent))
    kmeans = KMeans(5, n_init=3, random_state=0).fit(container(X), sample_weight=sample_weight)
    scaled = KMeans(5, n_init=3, random_state=0).fit(rows, sample_weight=sample_weight)
    np.testing.assert_array_equal(scaled.labels_, kmeans.labels_)
    np.testing.assert_array_equal(scaled.predict(rows), kmeans.labels_)
    # The rounding of a sum does not depend on the unit; that of an expression with the mean may.
    # float32 rows beyond their range are float64, which subtracts the mean without rounding.
    rtol = 64 * float(np.finfo(dtype).eps)
    centers, distances = np.ldexp(kmeans.cluster_centers_, exponent), kmeans.transform(container(X))
    np.testing.assert_allclose(scaled.cluster_centers_, centers, rtol=rtol)
    np.testing.assert_allclose(scaled.transform(rows), np.ldexp(distances, exponent), rtol=rtol)
    inertia = math.ldexp(kmeans.inertia_, 2 * exponent)
    assert scaled.inertia_ == pytest.approx(inertia, rel=rtol)
    assert scaled.score(rows, sample_weight=sample_weight) == pytest.approx(-inertia, rel=rtol)
    assert scaled.n_iter_ == kmeans.n_iter_


@given(units(), st.sampled_from(TYPES), st.sampled_from(["kmeans", "random", "random_from_data"]))
def test_mixtures_in_any_unit(unit, covariance_type, init_params):
    dtype, exponent = unit
    X = make_rows(dtype)
    options = {"covariance_type": covariance_type, "init_params": init_params, "random_state": 0}
    mixture = GaussianMixture(2, reg_covar=1e-3, max_iter=20, tol=0.1, **options).fit(X)
    reg_covar = math.ldexp(1e-3, 2 * exponent)  # it has a unit
    rows = np.ldexp(X, exponent)
    scaled = GaussianMixture(2, reg_covar=reg_covar, max_iter=20, tol=0.1, **options).fit(rows)
    # Moments of float32 rows are sums in float32.
    rtol = 1e-9 if dtype == np.float64 else 1e-3
    np.testing.assert_allclose(scaled.weights_, mixture.weights_, rtol=rtol)
    means, covariances = (
        np.ldexp(values, times * exponent)
        for values, times in ((mixture.means_, 1), (mixture.covariances_, 2))
    )
    np.testing.assert_allclose(scaled.means_, means, rtol=rtol, atol=rtol * np.abs(means).max())
    atol = rtol * np.abs(covariances).max()
    np.testing.assert_allclose(scaled.covariances_, covariances, rtol=rtol, atol=atol)
    bound = mixture.lower_bound_ - exponent * 3 * math.log(2)
    assert scaled.lower_bound_ == pytest.approx(bound, rel=rtol, abs=rtol)
    score = mixture.score(X) - exponent * 3 * math.log(2)
    assert scaled.score(rows) == pytest.approx(score, rel=rtol)
    # The logarithms of the densities are of another size, and rounded accordingly.
    resp, atol = mixture.predict_proba(X), 1e-7 if dtype == np.float64 else 1e-2
    np.testing.assert_allclose(scaled.predict_proba(rows), resp, rtol=0, atol=atol)


@pytest.mark.parametrize("exponent", [-540, -1000, 505])
def test_given_and_last_parameters_are_scaled_too(exponent):
    X = make_rows(np.float64)
    start = {"weights_init": [0.4, 0.6], "means_init": X[:2], "precisions_init": [[1.0] * 3] * 2}
    options = {"covariance_type": "diag", "max_iter": 2, "tol": 0.0, "warm_start": True}
    scaled_start = dict(start)
    scaled_start["means_init"] = np.ldexp(X[:2], exponent)
    if abs(exponent) < 520:
        scaled_start["precisions_init"] = np.ldexp([[1.0] * 3] * 2, -2 * exponent)
    else:  # such precisions are no numbers: those of reg_covar alone are
        start = scaled_start = {"means_init": scaled_start["means_init"]}
        rows = np.ldexp(X, exponent)
        with pytest.warns(Warning, match="converge"):
            scaled = GaussianMixture(2, **start, **options, random_state=0).fit(rows)
        # Next to reg_covar all rows are equal, so each belongs to both components alike.
        for mean in np.ldexp(scaled.means_, -exponent):
            np.testing.assert_allclose(mean, X.mean(axis=0), rtol=1e-9)
        return
    plain = GaussianMixture(2, reg_covar=0.0, **start, **options)
    scaled = GaussianMixture(2, reg_covar=0.0, **scaled_start, **options)
    for _ in range(2):
        with pytest.warns(Warning, match="converge"):
            plain.fit(X)
        with pytest.warns(Warning, match="converge"):
            scaled.fit(np.ldexp(X, exponent))
        np.testing.assert_allclose(np.ldexp(scaled.means_, -exponent), plain.means_, rtol=1e-12)
    bounds = np.array(scaled.lower_bounds_) + exponent * 3 * math.log(2)
    np.testing.assert_allclose(bounds, plain.lower_bounds_, rtol=1e-9)


@pytest.mark.parametrize("container", [np.asarray, scipy.sparse.csr_array])
def test_an_inertia_above_the_largest_float_is_an_error(container):
    kmeans = KMeans(5, random_state=0).fit(make_rows(np.float64))
    before = kmeans.inertia_
    X = np.ldexp(make_rows(np.float64), 600)
    with pytest.raises(
        ValueError, match=r"inertia is above .* Divide X by a power of two"
    ) as error:
        kmeans.fit(container(X))
    assert kmeans.inertia_ == before
    exponent = int(re.search(r"2\.0\*\*(\d+)", str(error.value))[1])
    scaled = KMeans(5, random_state=0).fit(container(np.ldexp(X, -exponent)))  # as it says
    assert np.isfinite(scaled.inertia_)


@pytest.mark.parametrize("covariance_type", TYPES)
@pytest.mark.parametrize(("dtype", "exponent"), [(np.float32, 70), (np.float64, 520)])
def test_covariances_beyond_the_range_are_an_error(dtype, exponent, covariance_type):
    mixture = GaussianMixture(2, covariance_type=covariance_type, random_state=0)
    with pytest.raises(ValueError, match="Covariances or precisions are beyond the range of float"):
        mixture.fit(np.ldexp(make_rows(dtype), exponent))
    assert not hasattr(mixture, "means_")


@pytest.mark.parametrize("exponent", [-1050, -700, 520, 1010])
def test_seeds_in_any_unit(exponent):
    X = make_rows(np.float64)
    _, indices = kmeans_plusplus(X, 5, random_state=0)
    _, scaled = kmeans_plusplus(np.ldexp(X, exponent), 5, random_state=0)
    np.testing.assert_array_equal(scaled, indices)


def test_verbose_lines_are_in_the_unit_of_the_rows(capsys):
    X = make_rows(np.float32)
    KMeans(5, init=X[:5], verbose=1).fit(X)
    lines = capsys.readouterr().out
    KMeans(5, init=np.ldexp(X[:5], 50), verbose=1).fit(np.ldexp(X, 50))
    numbers, scaled = (
        [float(line.split()[-1].rstrip(".")) for line in out.splitlines() if "inertia" in line]
        for out in (lines, capsys.readouterr().out)
    )
    assert len(numbers) > 1
    np.testing.assert_allclose(scaled, np.ldexp(numbers, 100), rtol=1e-6)


def test_ordinary_rows_are_not_scaled(monkeypatch):
    monkeypatch.setattr(scale, "scaled_rows", None)
    monkeypatch.setattr(scale, "find_exponent", None)
    for dtype in (np.float32, np.float64):
        for factor in (1e-8, 1.0, 1e8):
            X = dtype(factor) * make_rows(dtype)
            KMeans(5, random_state=0).fit(X).transform(X)
            GaussianMixture(2, random_state=0).fit(X)


def test_rows_of_zeros_have_an_answer():
    with pytest.warns(Warning, match="distinct"):
        kmeans = KMeans(2, random_state=0).fit(np.zeros((20, 3)))
    assert kmeans.inertia_ == 0
    with pytest.warns(Warning, match="distinct"):
        KMeans(2, random_state=0).fit(scipy.sparse.csr_array((20, 3)))


# -- weights of any size -------------------------------------------------------------------------

LARGEST_WEIGHTS = {np.float32: [-900, -140, 126, 900], np.float64: [-1000, -300, 300, 1000]}


WEIGHTED = {
    "kmeans": lambda: KMeans(5, n_init=2, random_state=0),
    "kmeans-parallel": lambda: KMeans(5, init="k-means||", random_state=0),
    "spherical": lambda: SphericalKMeans(5, n_init=2, random_state=0),
    "bisecting": lambda: BisectingKMeans(5, random_state=0),
    "one-leaf": lambda: BisectingKMeans(1, random_state=0),
    "batches": lambda: MiniBatchKMeans(5, random_state=0, batch_size=30),
    "no-labels": lambda: MiniBatchKMeans(5, random_state=0, batch_size=30, compute_labels=False),
}


@pytest.mark.parametrize("container", [np.asarray, scipy.sparse.csr_array])
@pytest.mark.parametrize("make", WEIGHTED.values(), ids=WEIGHTED)
@pytest.mark.parametrize(
    ("dtype", "exponent"), [(t, e) for t, exponents in LARGEST_WEIGHTS.items() for e in exponents]
)
def test_centers_do_not_depend_on_the_unit_of_the_weights(dtype, exponent, make, container):
    X = container(make_rows(dtype))
    # Of float32 precision, so that no weight is rounded in either type.
    weights = np.random.default_rng(1).uniform(0.5, 2, 90).astype(np.float32).astype(np.float64)
    expected = make().fit(X, sample_weight=weights)
    scaled_weights = np.ldexp(weights, exponent)
    fitted = make().fit(X, sample_weight=scaled_weights)
    np.testing.assert_array_equal(fitted.cluster_centers_, expected.cluster_centers_)
    if hasattr(expected, "labels_"):
        np.testing.assert_array_equal(fitted.labels_, expected.labels_)
    assert fitted.inertia_ == math.ldexp(expected.inertia_, exponent)
    score = math.ldexp(expected.score(X, sample_weight=weights), exponent)
    assert fitted.score(X, sample_weight=scaled_weights) == score


def test_huge_weights_of_huge_rows_are_an_error_or_finite(recwarn):
    X, weights = make_rows(np.float64), np.random.default_rng(1).uniform(1, 1e10, 90)
    for exponent in (400, 480, 505):
        rows = np.ldexp(X, exponent)
        kmeans = KMeans(5, random_state=0)
        if exponent < 480:
            assert np.isfinite(kmeans.fit(rows, sample_weight=weights).inertia_)
            continue
        with pytest.raises(ValueError, match="inertia is above"):
            kmeans.fit(rows, sample_weight=np.ldexp(weights, 60))


def test_inertias_are_printed_for_the_weights_that_are_given(capsys):
    X = make_rows(np.float64)
    for weight in (1.0, 2.0**400):
        KMeans(5, init=X[:5], verbose=1).fit(X, sample_weight=np.full(90, weight))
    lines = [line for line in capsys.readouterr().out.splitlines() if "inertia" in line]
    numbers = [float(line.split()[-1].rstrip(".")) for line in lines]
    half = len(numbers) // 2
    np.testing.assert_allclose(numbers[half:], np.ldexp(numbers[:half], 400), rtol=1e-12)


def test_seeds_do_not_depend_on_the_unit_of_the_weights():
    X, weights = make_rows(np.float64), np.random.default_rng(1).uniform(0.5, 2, 90)
    _, indices = kmeans_plusplus(X, 5, sample_weight=weights, random_state=0)
    for exponent in (-1000, 1020):
        scaled_weights = np.ldexp(weights, exponent)
        _, scaled = kmeans_plusplus(X, 5, sample_weight=scaled_weights, random_state=0)
        np.testing.assert_array_equal(scaled, indices)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("make", [GaussianMixture, MiniBatchGaussianMixture])
@pytest.mark.parametrize("covariance_type", TYPES)
def test_mixtures_do_not_depend_on_the_unit_of_the_weights(covariance_type, make, dtype):
    X, weights = make_rows(dtype), np.random.default_rng(1).uniform(0.5, 2, 90)
    weights = weights.astype(np.float32).astype(np.float64)

    def fit(exponent):
        mixture = make(2, covariance_type=covariance_type, random_state=0, reg_covar=1e-2)
        scaled_weights = np.ldexp(weights, exponent)
        mixture.fit(X, sample_weight=scaled_weights)
        mixture.partial_fit(X, sample_weight=scaled_weights)
        return (*vars(mixture).values(), mixture.score(X, sample_weight=scaled_weights))

    expected = fit(0)
    for exponent in (-1000, 1020):
        for value, other in zip(fit(exponent), expected, strict=True):
            np.testing.assert_array_equal(value, other)


@pytest.mark.parametrize(
    ("dtype", "weight"),
    [(np.float64, 1e-300), (np.float64, 1e300), (np.float32, 1e-100), (np.float32, 1e100)],
)
def test_weights_that_cannot_count_rows_are_an_error(dtype, weight):
    X, weights = make_rows(dtype), np.full(90, weight)
    with pytest.raises(ValueError, match="too large or small to say how often a row counts"):
        select_kmeans(X, [2, 3], sample_weight=weights)


# -- rows without weight -------------------------------------------------------------------------


def with_absent_rows(X, rng):
    """Rows and their weights, and between them as many far ones of weight 0."""
    is_present = rng.permutation(np.repeat([True, False], len(X)))
    rows = 1e6 * rng.normal(size=(2 * len(X), X.shape[1]))
    rows[is_present] = X
    return rows, np.where(is_present, rng.uniform(0.5, 2, 2 * len(X)), 0.0)


@pytest.mark.parametrize("container", [np.asarray, scipy.sparse.csr_array])
@pytest.mark.parametrize("init", ["k-means++", "random"])
def test_rows_of_no_weight_are_absent_from_kmeans(container, init):
    rows, weights = with_absent_rows(make_rows(np.float64), np.random.default_rng(3))
    present = weights > 0
    kmeans = KMeans(5, init=init, n_init=2, random_state=0)
    all_rows = kmeans.fit(container(rows), sample_weight=weights)
    labels, centers, inertia = all_rows.labels_, all_rows.cluster_centers_, all_rows.inertia_
    np.testing.assert_array_equal(labels, all_rows.predict(container(rows)))
    kmeans.fit(container(rows[present]), sample_weight=weights[present])
    np.testing.assert_array_equal(centers, kmeans.cluster_centers_)
    np.testing.assert_array_equal(labels[present], kmeans.labels_)
    assert inertia == kmeans.inertia_


@pytest.mark.parametrize("covariance_type", TYPES)
@pytest.mark.parametrize("init_params", ["kmeans", "random", "k-means++", "random_from_data"])
def test_rows_of_no_weight_are_absent_from_mixtures(covariance_type, init_params):
    rows, weights = with_absent_rows(make_rows(np.float64), np.random.default_rng(3))
    present = weights > 0
    mixture = GaussianMixture(
        2, covariance_type=covariance_type, init_params=init_params, random_state=0, reg_covar=1e-2,
        max_iter=3, tol=1e9,
    )  # fmt: skip
    means = mixture.fit(rows, sample_weight=weights).means_
    np.testing.assert_array_equal(
        means, mixture.fit(rows[present], sample_weight=weights[present]).means_
    )
    assert len(mixture.fit_predict(rows, sample_weight=weights)) == len(rows)


def test_too_few_rows_have_weight():
    with pytest.raises(ValueError, match="n_samples=2 should be >= n_clusters=3"):
        KMeans(3).fit(make_rows(np.float64)[:6], sample_weight=[1, 0, 0, 1, 0, 0])
    with pytest.raises(ValueError, match="n_components = 3, n_samples = 2"):
        GaussianMixture(3).fit(make_rows(np.float64)[:6], sample_weight=[1, 0, 0, 1, 0, 0])


def test_facts_of_panels_say_what_is_in_range():
    X = make_rows(np.float64)
    for exponent, expected in ((0, True), (-500, False), (600, False)):
        rows = np.ldexp(X, exponent)
        with np.errstate(over="ignore"):
            panels = Panels(rows, None, estimate_mean(rows))
        assert scale.is_in_range(panels.largest_square, X.dtype) == expected
