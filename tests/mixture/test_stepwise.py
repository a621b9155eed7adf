"""Mixtures by batches: GaussianMixture.partial_fit, and MiniBatchGaussianMixture."""

import copy
import pickle

import numpy as np
import pandas as pd
import pytest
from sklearn.exceptions import ConvergenceWarning

from fastclust import (
    GaussianMixture,
    MiniBatchGaussianMixture,
    limit_memory,
    limit_threads,
    open_rows,
)
from fastclust._algorithms.mixture.stepwise import run_batch
from fastclust._algorithms.rows import block_source
from fastclust._algorithms.rows.origin import find_mean
from fastclust._algorithms.rows.source import pack_in_range
from fastclust.exceptions import SingularCovarianceError
from tests.reference import estimate_posterior, update_components

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")

COVARIANCE_TYPES = ["full", "tied", "diag", "spherical"]
NAMES = "weights_", "means_", "covariances_", "precisions_cholesky_"


@pytest.fixture(params=COVARIANCE_TYPES)
def covariance_type(request):
    return request.param


def blobs(n_samples=900, n_features=3, n_blobs=3, spread=3.0, seed=0, dtype=np.float64):
    """Rows of overlapping groups, in no order, far from 0."""
    rng = np.random.default_rng(seed)
    centers = 20 + spread * np.random.default_rng(99).normal(size=(n_blobs, n_features))
    rows = rng.normal(size=(n_samples, n_features)) * np.linspace(0.5, 2, n_features)
    return (rows + centers[rng.integers(n_blobs, size=n_samples)]).astype(dtype)


def assert_equal(one, other, **tolerance):
    for name in NAMES:
        values = getattr(one, name), getattr(other, name)
        np.testing.assert_allclose(*values, err_msg=name, **tolerance)


# -- against a twin ------------------------------------------------------------------------------


def as_matrices(values, mixture):
    """Covariances, or precisions, as a matrix for each component."""
    k, d = mixture.means_.shape
    if mixture.covariance_type in ("full", "tied"):
        return np.broadcast_to(values, (k, d, d))
    return np.broadcast_to(values.reshape(k, -1), (k, d))[:, :, np.newaxis] * np.eye(d)


def twin_steps(mixture, batches, rates):
    """Parameters after each step: an M step on all rows so far, with weights that decay."""
    rows, resps, shares = [], [], []
    before = mixture.weights_, mixture.means_, as_matrices(mixture.precisions_, mixture)
    for (X, weights), rate in zip(batches, rates, strict=True):
        weights = np.ones(len(X)) if weights is None else weights
        rows.append(X)
        resps.append(estimate_posterior(X, *before)[2])
        shares = [(1 - rate) * share for share in shares] + [rate * weights / weights.sum()]
        after = update_components(
            np.concatenate(rows), np.concatenate(shares), np.concatenate(resps),
            mixture.reg_covar, mixture.covariance_type,
        )  # fmt: skip
        yield after
        before = *after[:2], np.linalg.inv(as_matrices(after[2], mixture))


@pytest.mark.parametrize("weighted", [False, True])
def test_steps_are_those_of_a_twin(covariance_type, weighted):
    rng = np.random.default_rng(1)
    batches = []
    for t in range(7):
        X = blobs(80 + 37 * t, seed=t)
        batches.append((X, rng.uniform(0.5, 2, size=len(X)) if weighted else None))
    options = {
        "covariance_type": covariance_type, "init_params": "random", "random_state": 0,
        "reg_covar": 0.3,  # which would show if it were a part of the averages
    }  # fmt: skip
    start = GaussianMixture(3, max_iter=0, **options).fit(batches[0][0], None, batches[0][1])
    mixture = MiniBatchGaussianMixture(3, learning_decay=0.6, learning_offset=2.0, **options)
    rates = [1.0] + [(2.0 + t) ** -0.6 for t in range(2, 8)]
    for t, (weights, means, covariances) in enumerate(twin_steps(start, batches, rates)):
        X, sample_weight = batches[t]
        mixture.partial_fit(X, sample_weight=sample_weight)
        assert mixture.n_steps_ == t + 1
        # Rounding of a few hundred sums, and of their differences.
        np.testing.assert_allclose(mixture.weights_, weights, rtol=1e-9)
        np.testing.assert_allclose(mixture.means_, means, rtol=1e-9)
        np.testing.assert_allclose(mixture.covariances_, covariances, rtol=1e-8, atol=1e-9)


# -- EM is the special case ----------------------------------------------------------------------


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
def test_a_batch_of_all_rows_is_an_iteration_of_em(covariance_type, dtype):
    X = blobs(dtype=dtype)
    options = {"covariance_type": covariance_type, "random_state": 0, "tol": 0.0}
    mixture = MiniBatchGaussianMixture(3, learning_decay=0.0, **options)
    for n_iter in range(1, 5):
        em = GaussianMixture(3, max_iter=n_iter, **options).fit(X)
        mixture.partial_fit(X)
        # From step to step the parameters are rounded to the type of the rows. The bound is at a
        # maximum in them, so it is off by less.
        rel, rtol = (1e-12, 1e-11) if dtype == np.float64 else (1e-6, 2e-4)
        assert mixture.lower_bound_ == pytest.approx(em.lower_bound_, rel=rel)
        assert_equal(mixture, em, rtol=rtol)


def test_fit_with_a_batch_of_all_rows_is_em(covariance_type):
    X = blobs()
    options = {"covariance_type": covariance_type, "random_state": 0}
    em = GaussianMixture(3, **options).fit(X)
    mixture = MiniBatchGaussianMixture(3, batch_size=len(X), **options).fit(X)
    assert_equal(mixture, em, rtol=0)
    assert mixture.lower_bounds_ == em.lower_bounds_
    assert mixture.n_steps_ == mixture.n_iter_ == em.n_iter_


def test_em_that_has_converged_stays_where_it_is(covariance_type):
    X = blobs()
    options = {"covariance_type": covariance_type, "random_state": 0, "reg_covar": 0.1}
    em = GaussianMixture(3, tol=1e-14, max_iter=5000, **options).fit(X)
    after = copy.deepcopy(em).partial_fit(X)
    assert (em.n_steps_, after.n_steps_) == (1, 2)
    assert_equal(after, em, rtol=1e-5)  # what is left to an EM whose bound changes by 1e-14


# -- fit -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
def test_fit_is_near_em(covariance_type, dtype):
    X = blobs(6000, spread=6.0, dtype=dtype)
    options = {"covariance_type": covariance_type, "random_state": 0}
    em = GaussianMixture(3, **options).fit(X)
    mixture = MiniBatchGaussianMixture(3, batch_size=500, **options).fit(X)
    assert mixture.converged_
    assert mixture.n_steps_ == 1 + 12 * mixture.n_iter_
    assert len(mixture.lower_bounds_) == mixture.n_iter_
    assert mixture.means_.dtype == dtype
    # The last batches have more weight than the others: of 6,000 rows some 2,000 count.
    assert mixture.score(X) == pytest.approx(em.score(X), abs=0.01)


def test_what_is_drawn_is_reproducible_and_the_same_on_any_threads():
    X = blobs(5000)
    one = MiniBatchGaussianMixture(3, batch_size=600, random_state=3).fit(X)
    with limit_threads(1):
        assert_equal(copy.deepcopy(one).fit(X), one, rtol=0)
    state = np.random.RandomState(3)
    assert_equal(copy.deepcopy(one).set_params(random_state=state).fit(X), one, rtol=0)
    assert state.randint(2**31) != np.random.RandomState(3).randint(2**31)  # it was drawn from


def test_a_weight_of_two_is_a_row_twice_and_one_of_zero_none():
    X = blobs(400)
    twice = np.random.default_rng(0).integers(0, 3, size=len(X)).astype(float)
    one = GaussianMixture(3, random_state=0).fit(X)
    other = copy.deepcopy(one)
    one.partial_fit(X, sample_weight=twice)
    other.partial_fit(np.repeat(X, twice.astype(int), axis=0))
    assert_equal(one, other, rtol=1e-10)  # sums in another order


def test_batches_are_drawn_from_all_rows():
    X = blobs(6000, spread=6.0)
    X = X[np.argsort(X[:, 0])]  # else a batch would be of one group
    em = GaussianMixture(3, random_state=0).fit(X)
    mixture = MiniBatchGaussianMixture(3, batch_size=500, random_state=0).fit(X)
    assert mixture.score(X) == pytest.approx(em.score(X), abs=0.01)  # as in test_fit_is_near_em


def test_a_batch_counts_by_its_weight():
    X = blobs()
    mixture = GaussianMixture(3, random_state=0).fit(X)
    state = mixture._check_state(3)
    other = X[:200] + 5
    rows = [pack_in_range(other, np.full(200, weight), find_mean(other)) for weight in (1e-6, 1.0)]
    light, ordinary, whole = (
        run_batch(
            in_range, state, covariance=mixture._covariance, n_components=3, reg_covar=1e-6,
            recover=False, rate=0.2, batch_weight=batch_weight,
        ).m_step.components.means + in_range.origin
        for in_range, batch_weight in ((rows[0], 200.0), (rows[1], 200.0), (rows[0], None))
    )  # fmt: skip
    np.testing.assert_allclose(light, state.means, rtol=1e-5)
    np.testing.assert_allclose(whole, ordinary, rtol=1e-9)  # without, a batch counts as a whole one
    assert np.abs(ordinary - state.means).max() > 0.1


def test_weights_count_in_fit():
    X = np.concatenate([blobs(2000), blobs(2000) + 50])
    weights = np.repeat([3.0, 1.0], 2000)
    mixture = MiniBatchGaussianMixture(2, batch_size=500, random_state=0)
    mixture.fit(X, sample_weight=weights)
    # Batches have other shares of the two groups than all rows, by some percent.
    assert mixture.weights_.max() == pytest.approx(0.75, abs=0.05)


def test_a_stream_that_changes_is_followed():
    rng = np.random.default_rng(0)
    mixture = GaussianMixture(2, random_state=0)
    for t in range(150):
        group = rng.integers(2, size=300)
        mixture.partial_fit(rng.normal(loc=10 * group + 0.1 * t, size=(1, 300)).T)
    # It lags behind by about the batches that count: at t = 150 one of 1 / 35.
    assert np.sort(mixture.means_.ravel()) == pytest.approx([12, 22], abs=3)
    assert mixture.n_steps_ == 150


def test_rows_of_any_scale():
    X = blobs(600)
    options = {"random_state": 0, "reg_covar": 0.0}
    one = GaussianMixture(3, **options).partial_fit(X[:300]).partial_fit(X[300:])
    large = X * 2.0**505
    other = GaussianMixture(3, **options).partial_fit(large[:300]).partial_fit(large[300:])
    np.testing.assert_allclose(other.means_, one.means_ * 2.0**505, rtol=1e-12)
    np.testing.assert_allclose(other.weights_, one.weights_, rtol=1e-12)
    one, other = (
        MiniBatchGaussianMixture(3, batch_size=100, **options).fit(rows) for rows in (X, large)
    )
    assert one.n_iter_ == other.n_iter_
    np.testing.assert_allclose(other.means_, one.means_ * 2.0**505, rtol=1e-12)


# -- going on ------------------------------------------------------------------------------------


def test_a_pickle_goes_on():
    X = blobs(1500)
    one = GaussianMixture(3, random_state=0).partial_fit(X[:500])
    other = pickle.loads(pickle.dumps(one))
    assert_equal(one.partial_fit(X[500:]), other.partial_fit(X[500:]), rtol=0)


def test_warm_start_goes_on_with_smaller_steps():
    X = blobs(3000)
    mixture = MiniBatchGaussianMixture(
        3, batch_size=500, max_iter=2, tol=0.0, warm_start=True, random_state=0
    )
    assert mixture.fit(X).n_steps_ == 13
    assert mixture.fit(X).n_steps_ == 25


def test_few_rows_are_a_batch_once_there_are_components():
    X = blobs()
    mixture = GaussianMixture(3, random_state=0).fit(X)
    mixture.partial_fit(X[:1])
    assert np.isfinite(mixture.lower_bound_)
    with pytest.raises(ValueError, match="minimum of 1 is required"):
        mixture.partial_fit(X[:0])
    with pytest.raises(ValueError, match="n_samples >= n_components"):
        GaussianMixture(3).partial_fit(X[:2])


def test_rows_of_another_type_than_before():
    X = blobs()
    mixture = GaussianMixture(3, random_state=0).partial_fit(X.astype(np.float32))
    assert mixture.partial_fit(X).means_.dtype == np.float64
    assert mixture.partial_fit(X.astype(np.float32)).means_.dtype == np.float64


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda X, mixture: X[:, :2], "features"),
        (lambda X, mixture: np.where(X == X[3, 1], np.nan, X), "NaN"),
        (lambda X, mixture: mixture.set_params(n_components=4) and X, "partial_fit goes on"),
        (lambda X, mixture: mixture.set_params(covariance_type="diag") and X, "partial_fit goes"),
        (lambda X, mixture: mixture.set_params(reg_covar=-1.0) and X, "reg_covar"),
    ],
)
def test_an_error_leaves_the_mixture_as_it_was(change, message):
    X = blobs()
    mixture = GaussianMixture(3, random_state=0).fit(X)
    before = vars(mixture).copy()
    with pytest.raises(ValueError, match=message):
        mixture.partial_fit(change(X, mixture))
    fitted = {name: value for name, value in vars(mixture).items() if name.endswith("_")}
    assert all(before[name] is value for name, value in fitted.items())


def test_a_singular_batch():
    X = np.repeat(blobs(30), 20, axis=0)
    X[:, 2] = X[:, 1]
    options = {"reg_covar": 0.0, "random_state": 0}
    with pytest.raises(SingularCovarianceError):
        GaussianMixture(2, **options).partial_fit(X)
    with pytest.warns(RuntimeWarning, match="singular"):
        mixture = GaussianMixture(2, on_singular="regularize", **options).partial_fit(X)
    raised = mixture.reg_covar_
    assert (mixture.partial_fit(X).reg_covar_ >= raised).all()
    assert np.isfinite(mixture.score(X))


def test_what_fit_warns_of_and_refuses():
    X = blobs(3000)
    with pytest.warns(ConvergenceWarning, match="did not converge"):
        MiniBatchGaussianMixture(3, batch_size=500, max_iter=1, tol=0.0).fit(X)
    for options in {"learning_decay": 1.1}, {"learning_offset": 0.5}, {"batch_size": 0}:
        name = next(iter(options))
        with pytest.raises(ValueError, match=f"'{name}' parameter"):
            MiniBatchGaussianMixture(**options).fit(X)


# -- what rows are -------------------------------------------------------------------------------


@pytest.mark.parametrize("batch_size", [200, 10_000])
def test_names_of_columns_are_kept(batch_size):
    frame = pd.DataFrame(blobs(), columns=["a", "b", "c"])
    mixture = MiniBatchGaussianMixture(3, batch_size=batch_size, random_state=0).fit(frame)
    assert list(mixture.feature_names_in_) == ["a", "b", "c"]
    assert list(mixture.partial_fit(frame).feature_names_in_) == ["a", "b", "c"]


@pytest.mark.parametrize("batch_size", [200, 10_000])
def test_rows_of_weight_zero_are_labelled(batch_size):
    X = blobs()
    weights = np.ones(len(X))
    weights[::3] = 0
    mixture = MiniBatchGaussianMixture(3, batch_size=batch_size, random_state=0)
    labels = mixture.fit_predict(X, sample_weight=weights)
    np.testing.assert_array_equal(labels, mixture.predict(X))


def test_a_batch_may_be_rows_in_blocks(covariance_type, tmp_path, monkeypatch):
    monkeypatch.setattr(block_source, "BLOCK_BYTES", 2**11)
    X = blobs()
    np.save(tmp_path / "rows.npy", X)
    start = GaussianMixture(3, covariance_type=covariance_type, random_state=0).fit(X)
    one, other = copy.deepcopy(start).partial_fit(X), copy.deepcopy(start)
    with limit_memory("10 kB"):
        other.partial_fit(open_rows(tmp_path / "rows.npy"))
    # Sums over other parts of the rows.
    assert_equal(other, one, rtol=1e-9)
