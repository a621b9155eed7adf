"""MiniBatchKMeans of rows in blocks has the answers of rows in memory."""

import numpy as np
import pytest

from fastclust import MiniBatchKMeans, limit_memory, open_rows
from fastclust._algorithms.rows import batches, block_batches
from fastclust._algorithms.rows.block_source import BlockSource
from tests.rows.test_blocks import LITTLE, SOURCES, D, Given, K, is_mapped, make_rows, small_blocks

pytestmark = pytest.mark.usefixtures(small_blocks.__name__)

LIMITS = ["1 kB", LITTLE]


def fit_both(X, limit=LITTLE, seed=0, sample_weight=None, **options):
    """The fit to rows in blocks, and to an array, from generators in the same state; these too."""
    ours, theirs = np.random.RandomState(seed), np.random.RandomState(seed)
    found = MiniBatchKMeans(K, random_state=ours, **options)
    expected = MiniBatchKMeans(K, random_state=theirs, **options)
    expected.fit(X, sample_weight=sample_weight)
    with limit_memory(limit):
        found.fit(Given(X), sample_weight=sample_weight)
    return found, expected, ours, theirs


def assert_same(found, expected, ours, theirs):
    """The same steps and labels, centers up to rounding, and generators in the same state."""
    assert (found.n_steps_, found.n_iter_) == (expected.n_steps_, expected.n_iter_)
    dtype = expected.cluster_centers_.dtype
    assert found.cluster_centers_.dtype == dtype
    # Coordinates of up to 20, relative to means that are rounded in another way.
    atol = 20 * 8 * np.finfo(dtype).eps
    np.testing.assert_allclose(found.cluster_centers_, expected.cluster_centers_, 0, atol)
    assert found.inertia_ == pytest.approx(expected.inertia_, rel=1e-5)
    assert hasattr(found, "labels_") == hasattr(expected, "labels_")
    if hasattr(expected, "labels_"):
        np.testing.assert_array_equal(found.labels_, expected.labels_)
    np.testing.assert_array_equal(ours.random_sample(3), theirs.random_sample(3))


@pytest.mark.parametrize("init", ["k-means++", "random"])
@pytest.mark.parametrize("dtype", ["f4", "f8"])
@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("limit", LIMITS)
def test_answers_are_those_of_an_array(init, dtype, weighted, limit):
    X = make_rows(dtype)
    weights = None
    if weighted:
        weights = np.random.default_rng(1).uniform(0, 2, len(X)) * (np.arange(len(X)) % 7 > 0)
    fits = fit_both(X, limit, 3, weights, init=init, batch_size=100, n_init=2)
    assert_same(*fits)
    assert fits[0].n_steps_ > 10


@pytest.mark.parametrize(
    "options",
    [
        {"batch_size": 1, "max_iter": 1},
        {"batch_size": 64, "tol": 1e-2, "max_no_improvement": None},
        {"batch_size": 5000, "max_iter": 3},
        {"batch_size": 64, "max_iter": 1, "max_no_improvement": None},
        {"batch_size": 50, "init_size": 20},
        {"batch_size": 50, "compute_labels": False},
        {"batch_size": 50, "max_no_improvement": 0},
        {"batch_size": 60, "reassignment_ratio": 0.4, "init": "random", "max_iter": 2},
    ],
    ids=str,
)
def test_parameters_do_what_they_do_with_an_array(options):
    assert_same(*fit_both(make_rows("f8"), **options))


@pytest.mark.parametrize("name", SOURCES)
def test_any_source(tmp_path, name):
    X = make_rows()
    rows = SOURCES[name](tmp_path, X)
    found = MiniBatchKMeans(K, batch_size=100, random_state=0)
    same = MiniBatchKMeans(K, batch_size=100, random_state=0)
    with limit_memory(LITTLE):
        found.fit(rows)
        np.testing.assert_array_equal(found.predict(rows), found.labels_)
        assert found.score(rows) == pytest.approx(-found.inertia_, rel=1e-5)
        same.fit(Given(X))
    np.testing.assert_array_equal(found.cluster_centers_, same.cluster_centers_)


@pytest.mark.parametrize("factor", [2.0**80, 2.0**-90])
def test_rows_in_any_unit(factor):
    X = make_rows() * np.float32(factor)
    found, expected, *_ = fit_both(X, batch_size=100)
    assert found.n_steps_ == expected.n_steps_
    np.testing.assert_array_equal(found.labels_, expected.labels_)


def test_centers_that_are_given():
    X = make_rows("f8")
    assert_same(*fit_both(X, init=X[:K], n_init=1, batch_size=100))


def test_a_callable_start_is_an_error():
    with pytest.raises(ValueError, match="init can be no callable"), limit_memory(LITTLE):
        MiniBatchKMeans(K, init=lambda X, k, random_state: X[:k]).fit(Given(make_rows()))


def note_passes(monkeypatch):
    """List that gets an entry for each pass over a source from now on."""
    blocks, passes = BlockSource.blocks, []

    def note(self, first_block=0):
        passes.append(first_block)
        return blocks(self, first_block)

    monkeypatch.setattr(BlockSource, "blocks", note)
    return passes


@pytest.mark.parametrize("at_once", [1, 7, 75])
def test_a_pass_takes_the_rows_of_many_batches(monkeypatch, at_once):
    X = make_rows()
    options = {"batch_size": 20, "max_iter": 1, "max_no_improvement": None, "random_state": 0}
    kmeans = MiniBatchKMeans(K, init=X[:K], reassignment_ratio=0, **options)
    monkeypatch.setattr(block_batches, "BATCHES_SHARE", 1)
    monkeypatch.setattr(block_batches, "ROWS_SHARE", 1)
    passes = note_passes(monkeypatch)
    with limit_memory(at_once * 20 * (X.itemsize * X.shape[1] + block_batches.NUMBER_BYTES)):
        kmeans.fit(Given(X))
    assert kmeans.n_steps_ == 150
    assert len(passes) == 1 + -(-150 // at_once) + 1  # for facts, batches and labels


@pytest.mark.parametrize("ratio", [0.0, 0.9])
def test_batches_of_a_pass_are_run_in_several_launches(monkeypatch, ratio):
    """With or without centers that are moved between batches of a pass."""
    monkeypatch.setattr(batches, "MOST_BYTES", 3 * K * D * 8)  # centers of three steps
    monkeypatch.setattr(block_batches, "BATCHES_SHARE", 1)
    monkeypatch.setattr(block_batches, "ROWS_SHARE", 1)
    passes = note_passes(monkeypatch)
    options = {"batch_size": 60, "init": "random", "n_init": 1, "reassignment_ratio": ratio}
    fits = fit_both(make_rows("f8"), "100 kB", max_iter=1, max_no_improvement=None, **options)
    assert_same(*fits)
    n_with_all = 4 + 50 // 20  # facts, first centers, three for the batches, labels
    assert len(passes) > n_with_all + 2 if ratio else len(passes) == n_with_all


@pytest.mark.parametrize("method", ["fit", "partial_fit"])
@pytest.mark.parametrize(("less", "expected"), [(0, False), (1, True)])
def test_labels_that_are_much_of_the_limit_are_in_a_temporary_file(method, less, expected):
    X = make_rows()
    with limit_memory(4 * 4 * len(X) - less):
        kmeans = getattr(MiniBatchKMeans(K, random_state=0), method)(Given(X))
    assert is_mapped(kmeans.labels_) == expected


def test_verbose_says_what_is_read(capsys):
    with limit_memory(LITTLE):
        MiniBatchKMeans(K, batch_size=100, verbose=1, random_state=0).fit(Given(make_rows()))
    first, second, *_ = capsys.readouterr().out.splitlines()
    assert first.startswith("3,000 rows in 32 blocks, of which ")
    assert "one for up to 1 batches" in first
    assert second == "Init 1/1 with method k-means++"


# -- partial_fit ----------------------------------------------------------------------------------


@pytest.mark.parametrize("weighted", [False, True])
def test_partial_fit_takes_a_batch_in_blocks(weighted):
    X = make_rows("f8")
    weights = np.random.default_rng(2).uniform(0, 3, size=len(X)) if weighted else None
    options = {"n_clusters": 25, "random_state": 0, "reassignment_ratio": 0.5}
    found, expected = (MiniBatchKMeans(**options) for _ in range(2))
    for first in range(0, 3000, 1000):
        part = slice(first, first + 1000)
        part_weights = None if weights is None else weights[part]
        expected.partial_fit(X[part], sample_weight=part_weights)
        with limit_memory("5 kB"):
            found.partial_fit(Given(X[part]), sample_weight=part_weights)
        np.testing.assert_allclose(found.cluster_centers_, expected.cluster_centers_, 1e-9)
        np.testing.assert_array_equal(found.labels_, expected.labels_)
        np.testing.assert_allclose(found._counts, expected._counts)
    assert found.n_steps_ == 3


# -- faults ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("method", ["fit", "partial_fit"])
def test_a_fault_is_an_error_and_the_last_fit_stays(method):
    X = make_rows()
    kmeans = MiniBatchKMeans(K, random_state=0).fit(X)
    before = dict(vars(kmeans))
    X[2000] = np.nan
    message = "contains NaN, in block 8 of the Given"
    with limit_memory(LITTLE), pytest.raises(ValueError, match=message):
        getattr(kmeans, method)(Given(X))
    assert vars(kmeans).keys() == before.keys()
    assert all(vars(kmeans)[key] is value for key, value in before.items())


def test_a_file_that_changes_is_an_error(tmp_path):
    X = make_rows()
    np.save(tmp_path / "rows.npy", X)
    rows = open_rows(tmp_path / "rows.npy")
    np.save(tmp_path / "rows.npy", X[:2000])
    with limit_memory(LITTLE), pytest.raises(ValueError, match=r"rows\.npy has changed since"):
        MiniBatchKMeans(K, random_state=0).fit(rows)
