"""Rows in blocks: the answers of rows in memory, whatever they come from and however few fit."""

import contextlib
import mmap
import signal
import subprocess
import sys
import time

import numpy as np
import pyarrow as pa
import pyarrow.dataset
import pyarrow.parquet
import pytest

from fastclust import BisectingKMeans, KMeans, k_means, limit_memory, open_rows
from fastclust._algorithms.kmeans import seeding
from fastclust._algorithms.kmeans.statistics import ClusterStatistics
from fastclust._algorithms.rows import block_source, files
from fastclust._algorithms.rows.blocks import BlockRows
from fastclust._algorithms.rows.source import pack
from tests.processes import run_python

N, D, K = 3000, 5, 7
LITTLE = "30 kB"  # less than the rows in float32; some blocks of 2 kB stay in memory


@pytest.fixture(autouse=True)
def small_blocks(monkeypatch):
    """Have blocks of some hundred rows, which are no multiple of what is read at a time."""
    monkeypatch.setattr(block_source, "BLOCK_BYTES", 2000)
    monkeypatch.setattr(files, "PIECE_BYTES", 1300)


class Given:
    """A user's rows in blocks, two of which are empty."""

    def __init__(self, X):
        self.n_features, self._X = X.shape[1], X

    def __iter__(self):
        yield self._X[:0]
        for first in range(0, len(self._X), 333):
            yield self._X[first : first + 333]
        yield self._X[:0]


def make_rows(dtype="f4", n=N, seed=0):
    rng = np.random.default_rng(seed)
    centers = 4 * rng.normal(size=(K, D))
    return (rng.normal(size=(n, D)) + centers[rng.integers(K, size=n)]).astype(dtype)


def npy(folder, X):
    np.save(folder / "rows.npy", X)
    return open_rows(folder / "rows.npy")


def npy_folder(folder, X):
    for number, first in enumerate(range(0, len(X), 700)):
        np.save(folder / f"{number}.npy", X[first : first + 700])
    (folder / "_notes.npy").write_text("no rows")
    return open_rows(str(folder))


def columns_of_npy(folder, X):
    wide = np.column_stack([X[:, 0], np.zeros(len(X), X.dtype), X[:, 1:]])
    np.save(folder / "rows.npy", wide)
    return open_rows(folder / "rows.npy", columns=[0, 2, 3, 4, 5])


def parquet_file(path, X):
    table = pa.table({name: X[:, f] for f, name in enumerate("abcde")})
    pa.parquet.write_table(table, path, row_group_size=450)


def parquet(folder, X):
    parquet_file(folder / "rows.parquet", X)
    return open_rows(folder / "rows.parquet")


def parquet_folder(folder, X):
    for number, first in enumerate(range(0, len(X), 700)):
        parquet_file(folder / f"{number}.parquet", X[first : first + 700])
    return open_rows(folder, columns=["a", "b", "c", 3, 4])


def dataset(folder, X):
    parquet_file(folder / "rows.parquet", X)
    return open_rows(pa.dataset.dataset(folder / "rows.parquet"))


def memory_map(folder, X):
    np.save(folder / "rows.npy", np.vstack([X[:10], X]))
    return np.load(folder / "rows.npy", mmap_mode="r")[10:]


def sliced_map(folder, X):
    np.save(folder / "rows.npy", np.repeat(np.column_stack([X[:, :2], X]), 2, axis=0))
    return np.load(folder / "rows.npy", mmap_mode="r+")[::2, 2:]


SOURCES = {
    "npy": npy,
    "Fortran order": lambda folder, X: npy(folder, np.asfortranarray(X)),
    "big endian": lambda folder, X: npy(folder, X.astype(X.dtype.newbyteorder(">"))),
    "columns": columns_of_npy,
    "folder of npy": npy_folder,
    "Parquet": parquet,
    "folder of Parquet": parquet_folder,
    "dataset": dataset,
    "table": lambda folder, X: open_rows(
        pa.dataset.dataset(pa.table({name: X[:, f] for f, name in enumerate("abcde")}))
    ),
    "memory map": memory_map,
    "slice of a map": sliced_map,
    "any object": lambda folder, X: Given(X),
}


@pytest.mark.parametrize("dtype", ["f4", "f8"])
@pytest.mark.parametrize("name", SOURCES)
def test_rows_of_any_source_have_the_labels_of_an_array(tmp_path, name, dtype):
    X = make_rows(dtype)
    kmeans = KMeans(K, init=X[:K], n_init=1)
    expected = KMeans(K, init=X[:K], n_init=1).fit(X)
    rows = SOURCES[name](tmp_path, X)
    with limit_memory(LITTLE):
        assert isinstance(block_source.open_source(rows), block_source.BlockSource)
        kmeans.fit(rows)
        assert kmeans.n_iter_ == expected.n_iter_ > 3
        np.testing.assert_array_equal(kmeans.labels_, expected.labels_)
        np.testing.assert_array_equal(kmeans.predict(rows), kmeans.labels_)
        # Distances are rounded to the rows' type, and their sums are in float64.
        rel = 8 * float(np.finfo(dtype).eps)
        assert kmeans.score(rows) == pytest.approx(-kmeans.inertia_, rel=rel)
        # How a source cuts its rows does not matter.
        same = KMeans(K, init=X[:K], n_init=1).fit(Given(X))
        np.testing.assert_array_equal(kmeans.transform(rows), same.transform(X))
    np.testing.assert_array_equal(kmeans.cluster_centers_, same.cluster_centers_)
    assert kmeans.inertia_ == same.inertia_
    assert kmeans.cluster_centers_.dtype == dtype
    # Sums of some 400 rows of up to 20 in float64, in another order, of which the mean is rounded.
    rtol, atol = 2 * np.finfo(dtype).eps, 20 * 400 * np.finfo("f8").eps
    np.testing.assert_allclose(kmeans.cluster_centers_, expected.cluster_centers_, rtol, atol)
    assert kmeans.inertia_ == pytest.approx(expected.inertia_, rel=rel)


@pytest.mark.parametrize(
    "make",
    [
        lambda path: np.load(path, mmap_mode="c"),  # what is written to it is not in the file
        lambda path: np.load(path, mmap_mode="r").T,
        lambda path: np.load(path, mmap_mode="r")[::-1],
        lambda path: np.load(path, mmap_mode="r")[:, ::2],
        lambda path: np.load(path, mmap_mode="r") + 1,
        lambda path: np.load(path, mmap_mode="r")[[3, 2, 1]],
        lambda path: np.load(path),
    ],
)
def test_what_is_not_whole_in_a_file_is_an_ordinary_array(tmp_path, make):
    np.save(tmp_path / "rows.npy", make_rows())
    with limit_memory(1):
        assert block_source.open_source(make(tmp_path / "rows.npy")) is None


def test_what_is_written_to_a_map_is_read(tmp_path):
    X = make_rows()
    np.save(tmp_path / "rows.npy", X)
    rows = np.load(tmp_path / "rows.npy", mmap_mode="r+")
    rows[:] = X[::-1]
    with limit_memory(LITTLE):
        np.testing.assert_array_equal(block_source.open_source(rows).read(), X[::-1])


@pytest.mark.parametrize("first_block", [0, 1, 3, 31])
@pytest.mark.parametrize("name", SOURCES)
def test_a_pass_may_begin_at_any_block(tmp_path, name, first_block):
    X = make_rows()
    with limit_memory(LITTLE):
        source = block_source.open_source(SOURCES[name](tmp_path, X))
        selected = np.arange(N) % 3 > 0
        for rows, expected in ((source, X), (source[selected], X[selected])):
            first = first_block * rows.block_rows
            if first < len(expected):
                blocks = [block.copy() for _, block in rows.blocks(first_block)]
                np.testing.assert_array_equal(np.concatenate(blocks), expected[first:])
                assert {len(block) for block in blocks[:-1]} <= {rows.block_rows}


@pytest.mark.parametrize("name", [name for name in SOURCES if name != "table"])
def test_rows_that_fit_are_as_an_array(tmp_path, name):
    X = make_rows()
    rows = SOURCES[name](tmp_path, X)
    ours, expected = (KMeans(K, random_state=0).fit(rows) for rows in (rows, X))
    np.testing.assert_array_equal(ours.labels_, expected.labels_)
    np.testing.assert_array_equal(ours.cluster_centers_, expected.cluster_centers_)
    assert ours.inertia_ == expected.inertia_


def fit_in_blocks(kmeans, X, limit=LITTLE, **fit_params):
    with limit_memory(limit):
        return kmeans.fit(Given(X), **fit_params)


def is_mapped(values):
    """Whether the memory of an array is a file's."""
    while isinstance(values.base, np.ndarray):
        values = values.base
    return isinstance(values.base, mmap.mmap)


@pytest.mark.parametrize(("limit", "expected"), [(4 * 4 * N, False), (4 * 4 * N - 1, True)])
def test_labels_that_are_much_of_the_limit_are_in_a_temporary_file(limit, expected):
    X = make_rows()
    kmeans = fit_in_blocks(KMeans(K, init="random", random_state=0), X, limit)
    assert is_mapped(kmeans.labels_) == expected
    with limit_memory(limit):
        assert is_mapped(kmeans.predict(Given(X))) == expected
    assert not is_mapped(kmeans.predict(X))


def test_the_limit_changes_no_bit():
    X = make_rows()
    fits = [
        fit_in_blocks(KMeans(K, init="random", n_init=2, random_state=0), X, limit)
        for limit in ["1 kB", "20 kB", "50 kB", "100 kB"]
    ]
    with limit_memory("100 kB"):
        source = block_source.open_source(Given(X))
        assert 0 < BlockRows(source, None, np.zeros(D, dtype="f4")).n_kept
    for kmeans in fits[1:]:
        np.testing.assert_array_equal(kmeans.cluster_centers_, fits[0].cluster_centers_)
        np.testing.assert_array_equal(kmeans.labels_, fits[0].labels_)
        assert kmeans.inertia_ == fits[0].inertia_


def test_random_starts_are_those_of_an_array():
    X = make_rows("f8")
    kmeans = KMeans(K, init="random", n_init=3, random_state=0)
    expected = KMeans(K, init="random", n_init=3, random_state=0).fit(X)
    np.testing.assert_array_equal(fit_in_blocks(kmeans, X).labels_, expected.labels_)


def test_kmeans_plusplus_is_kmeans_parallel_which_a_warning_says():
    X = make_rows("f8")
    with pytest.warns(UserWarning, match=r"3,000 rows .* are found by k-means\|\|") as record:
        kmeans = fit_in_blocks(KMeans(K, n_init=2, random_state=0), X)
    assert record[0].filename == __file__
    options = {"oversampling_factor": 1.0, "init_rounds": 2, "random_state": 0}
    with pytest.warns(UserWarning, match="are found by"):
        other = fit_in_blocks(KMeans(K, **options), X)
    for fit, given in ((kmeans, {"n_init": 2, "random_state": 0}), (other, options)):
        expected = KMeans(K, init="k-means||", **given).fit(X)
        np.testing.assert_array_equal(fit.labels_, expected.labels_)
        assert fit.n_iter_ == expected.n_iter_


def test_seeds_of_a_sample_are_those_of_an_array(monkeypatch):
    monkeypatch.setattr(seeding, "SAMPLE_BYTES", 10_000)
    X = make_rows("f8")
    kmeans = KMeans(K, init="sample", n_init=2, random_state=0)
    expected = KMeans(K, init="sample", n_init=2, random_state=0).fit(X)
    np.testing.assert_array_equal(fit_in_blocks(kmeans, X).labels_, expected.labels_)
    assert kmeans.n_iter_ == expected.n_iter_


@pytest.mark.parametrize("with_zeros", [False, True])
def test_sample_weight(with_zeros):
    X = make_rows("f8")
    weights = np.random.default_rng(1).uniform(0.5, 2.0, size=N)
    weights[::3] *= not with_zeros
    kmeans = fit_in_blocks(KMeans(K, init=X[:K], n_init=1), X, sample_weight=weights)
    expected = KMeans(K, init=X[:K], n_init=1).fit(X, sample_weight=weights)
    np.testing.assert_array_equal(kmeans.labels_, expected.labels_)
    assert kmeans.n_iter_ == expected.n_iter_
    assert kmeans.inertia_ == pytest.approx(expected.inertia_, rel=1e-12)
    with limit_memory(LITTLE):
        score = kmeans.score(Given(X), sample_weight=weights)
    assert score == pytest.approx(-expected.inertia_, rel=1e-12)


@pytest.mark.parametrize("dtype", ["f4", "f8"])
def test_empty_clusters_move_to_the_farthest_rows(dtype):
    X = make_rows(dtype)
    init = np.concatenate([X[: K - 3], X[:3] + 1000])  # three of which no row is nearest
    kmeans = fit_in_blocks(KMeans(K, init=init, n_init=1), X)
    expected = KMeans(K, init=init, n_init=1).fit(X)
    np.testing.assert_array_equal(kmeans.labels_, expected.labels_)
    assert kmeans.n_iter_ == expected.n_iter_


def test_order_of_the_farthest_rows_of_many(monkeypatch):
    """It does not depend on how the rows are divided, nor on what else is there."""
    monkeypatch.setattr("fastclust._algorithms.kmeans.block_lloyd.MOST_CANDIDATES", 10)
    X = np.random.default_rng(0).normal(size=(N, D))
    far = 100.0 + np.arange(6)[:, np.newaxis] // 2 * np.ones(D)  # in pairs, equally far
    numbers = np.array([17, 40, 41, 800, 1500, N - 1])
    X[numbers] = far
    init = np.concatenate([np.zeros((1, D)), np.full((4, D), -1e9)])
    expected = X[[1500, N - 1, 41, 800]]  # the farthest first, and the first of equal ones
    for block_bytes in (600, 2000, 9000):
        monkeypatch.setattr(block_source, "BLOCK_BYTES", block_bytes)
        source = block_source.open_source(Given(X))
        state = source.pack(None, np.zeros(D)).start_lloyd(init)
        state.advance(0, 1, 0.0)
        np.testing.assert_array_equal(state.centers[1:], expected)


def test_candidates_for_empty_clusters_are_few(monkeypatch):
    X = make_rows()
    monkeypatch.setattr("fastclust._algorithms.kmeans.block_lloyd.MOST_CANDIDATES", 10)
    init = np.concatenate([X[: K - 1], X[:1] + 1000])
    kmeans = fit_in_blocks(KMeans(K, init=init, n_init=1), X)
    expected = KMeans(K, init=init, n_init=1).fit(X)
    np.testing.assert_array_equal(kmeans.labels_, expected.labels_)


@pytest.mark.parametrize(
    ("dtype", "factor"), [("f4", 2.0**80), ("f4", 2.0**-90), ("f8", 2.0**600), ("f8", 2.0**-600)]
)
def test_rows_in_any_unit(dtype, factor):
    X = make_rows("f4").astype(dtype)
    X *= np.asarray(factor, dtype=dtype)
    with contextlib.suppress(ValueError):  # the inertia may be too large for a float
        kmeans = fit_in_blocks(KMeans(K, init=X[:K], n_init=1), X)
        expected = KMeans(K, init=X[:K], n_init=1).fit(X)
        np.testing.assert_array_equal(kmeans.labels_, expected.labels_)
        with limit_memory(LITTLE):
            np.testing.assert_array_equal(kmeans.predict(Given(X)), expected.labels_)


def test_centers_that_rounding_moved_settle_at_means():
    X = np.random.default_rng(0).normal(size=(N, 2))
    X[1000:1400] = 1e20  # whole blocks, in which the other clusters have no rows
    init = np.array([[-2.0, 0], [3, 1], [1e20, 1e20]])
    kmeans = fit_in_blocks(KMeans(3, init=init, n_init=1, tol=0), X)
    expected = KMeans(3, init=init, n_init=1, tol=0).fit(X)
    np.testing.assert_array_equal(kmeans.labels_, expected.labels_)
    # Means of some 1,000 rows of up to 4.
    atol = 4 * 1000 * np.finfo("f8").eps
    np.testing.assert_allclose(kmeans.cluster_centers_, expected.cluster_centers_, 1e-15, atol)


def test_verbose_says_what_is_read(capsys):
    X = make_rows()
    fit_in_blocks(KMeans(K, init=X[:K], n_init=1, verbose=1), X)
    first, second, *others = capsys.readouterr().out.splitlines()
    assert first.startswith("3,000 rows in 32 blocks, of which ")
    assert second == "Initialization complete"
    assert others[0].startswith("Iteration 0, inertia ")


def test_labels_beyond_the_limit_are_an_array_in_a_file_and_can_be_pickled():
    import pickle

    X = make_rows()
    kmeans = fit_in_blocks(KMeans(K, init=X[:K], n_init=1), X, "2 kB")
    assert type(kmeans.labels_) is np.ndarray
    assert kmeans.labels_.dtype == np.int32
    copy = pickle.loads(pickle.dumps(kmeans))
    np.testing.assert_array_equal(copy.labels_, kmeans.labels_)


def test_names_of_columns_are_learnt_and_checked(tmp_path):
    X = make_rows()
    rows = parquet(tmp_path, X)
    with limit_memory(LITTLE):
        kmeans = KMeans(K, init=X[:K], n_init=1).fit(rows)
        assert list(kmeans.feature_names_in_) == list("abcde")
        with pytest.warns(UserWarning, match="X does not have valid feature names"):
            kmeans.predict(X)
        with pytest.raises(ValueError, match="feature names should match"):
            kmeans.predict(open_rows(tmp_path / "rows.parquet", columns=list("edcba")))
        kmeans.fit(Given(X))
        with pytest.raises(ValueError, match="X has 2 features, but KMeans is expecting 5"):
            kmeans.predict(Given(X[:, :2]))


def test_estimators_that_take_no_blocks_read_all_rows(tmp_path):
    X = make_rows("f8")
    rows = npy(tmp_path, X)
    bisecting = BisectingKMeans(3, random_state=0)
    with limit_memory(LITTLE):
        labels = bisecting.fit(rows).predict(rows)
    np.testing.assert_array_equal(labels, bisecting.fit(X).predict(X))
    np.testing.assert_array_equal(np.asarray(rows), X)
    labels = k_means(rows, 3, random_state=0)[1]
    np.testing.assert_array_equal(labels, KMeans(3, random_state=0).fit(X).labels_)


# -- what rows in blocks are asked -----------------------------------------------------------------


@pytest.mark.parametrize("dtype", ["f4", "f8"])
def test_facts_are_those_of_all_rows(dtype):
    X = 1000 + make_rows(dtype)
    X[: N // 2] += 7  # so that the means of blocks differ
    facts = block_source.open_source(Given(X)).facts
    exact = X.astype("f8")
    differences = exact - exact.mean(axis=0)
    assert facts.n_samples == N
    np.testing.assert_allclose(facts.mean, exact.mean(axis=0), rtol=1e-13)
    # Means of blocks, of about 1,000, are rounded to the rows' type.
    rtol = 1000 * float(np.finfo(dtype).eps)
    assert facts.square_about_mean == pytest.approx(np.square(differences).sum(), rel=rtol)
    farthest = np.sqrt(np.square(differences).sum(axis=1).max())
    assert farthest <= facts.reach * (1 + rtol) < 4 * farthest
    assert 32 <= len(facts.sample) <= 64
    step = np.flatnonzero((X == facts.sample[1]).all(axis=1))[0]
    np.testing.assert_array_equal(facts.sample, X[::step])


def test_statistics_are_the_sums_of_those_of_the_blocks_to_the_bit():
    X = make_rows()
    source = block_source.open_source(Given(X))
    with limit_memory(LITTLE):
        rows = BlockRows(source, None, np.zeros(D, dtype="f4"))
    total = ClusterStatistics.zeros(K, D)
    for first in range(0, N, source.block_rows):
        block = pack(X[first : first + source.block_rows], None, rows.origin)
        total += block.cluster_statistics(X[:K])
    for _ in range(2):  # from the second pass on some blocks stay in memory
        for name, values in vars(rows.cluster_statistics(X[:K])).items():
            np.testing.assert_array_equal(values, getattr(total, name))
    np.testing.assert_array_equal(rows.take(np.array([2999, 5, 5, 700])), X[[2999, 5, 5, 700]])


# -- faults ---------------------------------------------------------------------------------------


def spoilt(X, rows):
    X = X.copy()
    X[2000] = rows
    return X


class Changing(Given):
    """Rows of which the last are gone in the third pass."""

    def __init__(self, X, passes=2, n_samples=None):
        super().__init__(X)
        self.n_samples, self.dtype, self._passes = n_samples or len(X), X.dtype, passes

    def __iter__(self):
        self._passes -= 1
        for rows in super().__iter__():
            yield rows if self._passes >= 0 else rows[:-1]


def mixed_blocks(X):
    blocks = Given(X[:1000])
    blocks._X = list(X[:, :3])
    return blocks


FAULTS = {
    "NaN": (lambda X: Given(spoilt(X, np.nan)), r"contains NaN, in block 8 of the Given"),
    "infinity": (lambda X: Given(spoilt(X, -np.inf)), r"contains infinity .* in block 8 of"),
    "no rows": (lambda X: Given(X[:0]), r"Found array with 0 sample\(s\)"),
    "no columns": (lambda X: Given(X[:, :0]), r"Found array with 0 feature\(s\)"),
    "few rows": (lambda X: Given(X[:3]), r"n_samples=3 should be >= n_clusters=7"),
    "an iterator": (lambda X: Iterator(X), "each iter.. must begin anew"),
    "fewer rows": (Changing, r"There are 2,990 rows, and 3,000 were expected"),
    "more rows": (lambda X: Changing(X[:50], 9, len(X) // 100), "more rows than the expected 30"),
    "words": (lambda X: Given(X.astype(str)), "is not numeric"),
    "one dimension": (mixed_blocks, "block 1 of the Given has the shape"),
}


class Iterator(Given):
    def __iter__(self):
        return self

    def __next__(self):
        raise StopIteration


@pytest.mark.parametrize("name", FAULTS)
def test_a_fault_is_an_error_and_the_last_fit_stays(name):
    X = make_rows()
    make, message = FAULTS[name]
    kmeans = KMeans(K, init=X[:K], n_init=1).fit(X)
    before = dict(vars(kmeans))
    with pytest.raises(ValueError, match=message), limit_memory("1 kB"):
        kmeans.fit(make(X))
    assert vars(kmeans).keys() == before.keys()
    assert all(vars(kmeans)[key] is value for key, value in before.items())


@pytest.mark.parametrize("source", [npy, parquet, npy_folder])
def test_nan_in_a_file_is_an_error_that_names_it(tmp_path, source):
    X = spoilt(make_rows(), np.nan)
    name = {npy: "rows.npy", parquet: "rows.parquet", npy_folder: "2.npy"}[source]
    rows = source(tmp_path, X)
    with limit_memory(LITTLE), pytest.raises(ValueError, match=rf"NaN, in block \d+ of .*{name}"):
        KMeans(K, init=X[:K], n_init=1).fit(rows)


@pytest.mark.parametrize("source", [npy, parquet])
def test_a_file_that_changes_is_an_error(tmp_path, source):
    X = make_rows()
    rows = source(tmp_path, X)
    source(tmp_path, X[:2000])
    with limit_memory(LITTLE), pytest.raises(ValueError, match=r"rows\.\w+ has changed since"):
        KMeans(K, init=X[:K], n_init=1).fit(rows)


def test_a_file_that_is_cut_while_it_is_read_is_an_error(tmp_path):
    X = make_rows()
    rows = npy(tmp_path, X)
    blocks = iter(rows)
    next(blocks)
    with open(tmp_path / "rows.npy", "r+b") as file:
        file.truncate(20_000)
    with pytest.raises(ValueError, match=r"rows\.npy ends before its last row"):
        list(blocks)


def test_a_file_that_cannot_be_decoded_is_an_error_that_names_it(tmp_path):
    parquet(tmp_path, make_rows())
    path = tmp_path / "rows.parquet"
    content = bytearray(path.read_bytes())
    content[100:40_000] = bytes(39_900)
    path.write_bytes(content)
    rows = open_rows(path)
    with limit_memory(LITTLE), pytest.raises(ValueError, match=r"rows\.parquet: "):
        KMeans(K, init=np.eye(7, 5), n_init=1).fit(rows)


def write_files(folder):
    np.save(folder / "wide.npy", np.zeros((3, 4)))
    np.save(folder / "words.npy", np.array([["a", "b"]]))
    np.save(folder / "one.npy", np.zeros(3))
    (folder / "short.npy").write_bytes((folder / "wide.npy").read_bytes()[:-8])
    (folder / "empty").mkdir()
    (folder / "two").mkdir()
    np.save(folder / "two" / "a.npy", np.zeros((3, 4)))
    np.save(folder / "two" / "b.npy", np.zeros((3, 5)))
    table = pa.table({"a": [1.0, 2.0], "b": ["x", "y"], "c": [1, 2]})
    pa.parquet.write_table(table, folder / "rows.parquet")


@pytest.mark.parametrize(
    ("name", "columns", "message"),
    [
        ("words.npy", None, r"words\.npy: not numeric: <U1"),
        ("one.npy", None, r"one\.npy: not an array of two dimensions"),
        ("short.npy", None, r"short\.npy: "),
        ("wide.npy", [4], r"wide\.npy: columns are numbers from 0"),
        ("wide.npy", ["a"], r"wide\.npy: columns are numbers from 0"),
        ("empty", None, r"empty: .* not no \.npy or \.parquet"),
        ("two", None, r"b\.npy has 5 columns, and .*a\.npy has 4"),
        ("rows.csv", None, r"rows\.csv: the name must end in \.npy or \.parquet"),
        ("rows.parquet", None, "column 'b': not numeric: string"),
        ("rows.parquet", ["a", "d"], "no column 'd': there are a, b, c"),
        ("rows.parquet", [3], "no column 3"),
    ],
)
def test_files_that_are_no_rows_are_errors(tmp_path, name, columns, message):
    write_files(tmp_path)
    with pytest.raises(ValueError, match=message):
        open_rows(tmp_path / name, columns)


def test_what_cannot_be_opened_is_an_error(tmp_path):
    for name in ("none.npy", "none.parquet"):
        with pytest.raises(FileNotFoundError, match=name):
            open_rows(tmp_path / name)
    with pytest.raises(TypeError, match="must be a path or a dataset of pyarrow, not"):
        open_rows(np.zeros((3, 2)))
    table = pa.dataset.dataset(pa.table({"a": [1.0, 2.0, 3.0]}))
    with pytest.raises(ValueError, match="of a filtered"):
        open_rows(table.filter(pa.dataset.field("a") > 1))


def test_a_callable_start_is_an_error():
    def first_rows(X, n_clusters, random_state):
        return X[:n_clusters]

    with pytest.raises(ValueError, match="init can be no callable"):
        fit_in_blocks(KMeans(K, init=first_rows), make_rows())


def test_no_thread_is_left_behind_after_an_error():
    import _thread

    before = _thread._count()
    with pytest.raises(ValueError, match="NaN"):
        fit_in_blocks(KMeans(K, init="random"), spoilt(make_rows(), np.nan))
    assert _thread._count() == before


# -- memory and interrupts ------------------------------------------------------------------------

PEAK = """
import sys, numpy as np, fastclust

def peak():
    with open("/proc/self/status") as lines:
        return next(int(line.split()[1]) for line in lines if line.startswith("VmHWM"))

init = np.random.default_rng(0).normal(size=(8, 16)).astype(np.float32)
estimator = getattr(fastclust, sys.argv[2])(8, init=init, n_init=1, max_iter=3, random_state=0)
estimator.fit(np.resize(init, (100_000, 16)))  # loads what a fit needs
rows = fastclust.open_rows(sys.argv[1])
for _ in rows:  # loads pyarrow, and fills its pool of memory
    pass
before = peak()
with fastclust.limit_memory("40 MB"):
    estimator.fit(rows).predict(rows)
print(1024 * (peak() - before))
"""


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
@pytest.mark.parametrize(
    ("kind", "estimator"),
    [("npy", "KMeans"), ("parquet", "KMeans"), ("npy", "MiniBatchKMeans")],
)
def test_a_fit_stays_within_the_limit(tmp_path, kind, estimator):
    rng = np.random.default_rng(0)
    X = rng.standard_normal(size=(1_600_000, 16), dtype=np.float32)  # 102 MB
    path = tmp_path / f"rows.{kind}"
    if kind == "npy":
        np.save(path, X)
    else:
        table = pa.table({str(f): X[:, f] for f in range(16)})
        pa.parquet.write_table(table, path, row_group_size=2**16, compression="none")
    # pyarrow fills its pool of memory again, as a thread of its own reads.
    room = {"npy": 20e6, "parquet": 50e6}[kind]
    grown = int(run_python(PEAK, path, estimator))
    assert grown < 40e6 + room < X.nbytes


INTERRUPTED = """
import sys, numpy as np, fastclust, signal, threading, os

class Endless:
    n_features, n_samples, dtype = 4, 10**12, np.float32
    def __iter__(self):
        rows = np.random.default_rng(0).normal(size=(10_000, 4)).astype(np.float32)
        print("reading", flush=True)
        while True:
            yield rows

try:
    with fastclust.limit_memory("1 MB"):
        fastclust.KMeans(4, init=np.eye(4), n_init=1).fit(Endless())
except KeyboardInterrupt:
    print("interrupted")
"""


@pytest.mark.skipif(sys.platform == "win32", reason="sends SIGINT")
def test_ctrl_c_ends_a_pass():
    process = subprocess.Popen(
        [sys.executable, "-c", INTERRUPTED], stdout=subprocess.PIPE, text=True
    )
    try:
        assert process.stdout.readline() == "reading\n"
        time.sleep(0.3)
        process.send_signal(signal.SIGINT)
        out, _ = process.communicate(timeout=20)
    finally:
        process.kill()
    assert out == "interrupted\n"
    assert process.returncode == 0
