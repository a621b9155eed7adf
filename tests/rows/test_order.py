"""A fit depends on its input and its random_state: on no fit before it, on no order of its rows.

Fits put rows into another order while they run, and sweeps fit many models to the same packed rows.
Sums of floating-point numbers depend on their order, so each fit must begin with the order of X.
"""

import weakref

import numpy as np
import pytest

from fastclust import GaussianMixture
from fastclust._algorithms.mixture import em
from fastclust._algorithms.mixture.covariance import COVARIANCE_TYPES
from fastclust._algorithms.mixture.passes import MixtureRows
from fastclust._algorithms.rows.panels import Panels
from fastclust.model_selection import select_gaussian_mixture


@pytest.fixture(scope="module")
def blobs():
    """Rows that k-means and EM put side by side by cluster."""
    rng = np.random.default_rng(0)
    X = 3 * rng.normal(size=(64, 8))[rng.integers(64, size=60_000)]
    return X + rng.normal(size=X.shape)


def regroup(panels):
    """Run k-means until it has put the rows of the panels into another order."""
    values = panels.values.copy()
    state = panels.start_lloyd(panels.take(np.arange(64)))
    n_iter = 0
    while n_iter < 40:
        n_iter += state.advance(n_iter, 40 - n_iter, 0.0).n_iter
    assert not np.array_equal(panels.values, values)


def order_before_em(monkeypatch):
    """Observe with which order of rows and likely components each run of EM begins."""
    seen = []
    run_em = em.run_em

    def observe(rows, *args, **kwargs):
        seen.append((rows.panels.values.tobytes(), rows._likely.tobytes()))
        return run_em(rows, *args, **kwargs)

    monkeypatch.setattr(em, "run_em", observe)
    return seen


def test_a_tied_mixture_of_a_sweep_has_the_bits_of_one_alone(blobs):
    options = {"max_iter": 1, "tol": 0.0, "random_state": 0}
    with pytest.warns(Warning, match="max_iter"):
        swept = select_gaussian_mixture(
            blobs, [64], covariance_type=["full", "tied"], best_by="bic", **options
        )
    with pytest.warns(Warning, match="converge"):
        alone = GaussianMixture(64, covariance_type="tied", **options).fit(blobs)
    tied = swept.table_["covariance_type"].index("tied")
    assert swept.table_["icl"][tied] == alone.icl(blobs)  # sums over the same slices of rows


def test_runs_from_given_parameters_begin_alike(blobs, monkeypatch):
    seen = order_before_em(monkeypatch)
    means = blobs[:12]
    mixture = GaussianMixture(
        12, n_init=3, means_init=means, weights_init=np.full(12, 1 / 12), max_iter=8, tol=0.0,
        precisions_init=np.broadcast_to(np.eye(8), (12, 8, 8)), random_state=0,
    )  # fmt: skip
    with pytest.warns(Warning, match="converge"):
        mixture.fit(blobs)
    assert len(seen) == 3
    assert seen[0] == seen[1] == seen[2]


def test_facts_of_rows_outlive_their_order(blobs):
    panels = Panels(blobs, None, blobs.mean(axis=0))
    facts = panels.total_square, panels.largest_square
    regroup(panels)
    assert (panels.total_square, panels.largest_square) == facts


@pytest.mark.parametrize("weighted", [False, True])
def test_a_mixture_after_another_run_has_the_facts_of_the_first(blobs, weighted):
    sample_weight = np.random.default_rng(0).uniform(size=len(blobs)) if weighted else None
    facts = []
    panels = Panels(blobs, sample_weight, blobs.mean(axis=0))
    for _ in range(2):
        rows = MixtureRows(panels, COVARIANCE_TYPES["tied"], 12)
        facts.append((rows.total_weight, rows.scatter.tobytes()))
        regroup(panels)
    assert facts[0] == facts[1]


def test_rows_are_freed_with_their_last_user():
    """Not when cycles of references are collected: the next fit takes over the memory."""
    panels = Panels(np.zeros((100, 2)), None, np.zeros(2))
    freed = weakref.ref(panels)
    state = panels.start_lloyd(np.array([[0.0, 0.0], [1.0, 1.0]]))
    state.advance(0, 3, 0.0)
    rows = MixtureRows(panels, COVARIANCE_TYPES["full"], 2)
    del panels, state, rows
    assert freed() is None
