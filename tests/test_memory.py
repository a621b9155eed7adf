"""Work that does not fit into memory is refused before anything is allocated."""

import math
import sys

import numpy as np
import pytest

from fastclust import GaussianMixture, KMeans, SphericalKMeans, limit_memory
from fastclust._algorithms import memory

X = np.random.default_rng(0).normal(size=(100, 3))


@pytest.fixture
def little(monkeypatch):
    """Have a machine of 2 kB, where nothing is too small to be looked at."""
    monkeypatch.setattr(memory, "SMALL", 0)  # or the test would want gigabytes
    monkeypatch.setattr(memory, "available_memory", lambda: 2000)


@pytest.mark.parametrize(
    "estimator", [KMeans(3, random_state=0), SphericalKMeans(3, random_state=0), GaussianMixture(3)]
)
def test_a_fit_that_does_not_fit_says_what_it_needs(estimator, request):
    estimator.fit(X)
    before = dict(vars(estimator))
    request.getfixturevalue("little")
    with pytest.raises(MemoryError, match=r"100 x 3 rows needs 0\.0 GiB .* 0\.0 GiB are available"):
        estimator.fit(X)
    assert all(vars(estimator)[name] is value for name, value in before.items())


@pytest.mark.parametrize(
    ("estimator", "method"),
    [
        (KMeans(8, random_state=0), "transform"),
        (SphericalKMeans(8, random_state=0), "transform"),
        (GaussianMixture(8), "predict_proba"),
    ],
)
def test_so_does_a_result(estimator, method, request):
    estimator.fit(X)
    request.getfixturevalue("little")
    with pytest.raises(MemoryError, match="A result of 100 x 8 needs"):
        getattr(estimator, method)(X)


@pytest.mark.skipif(sys.platform != "linux", reason="Linux alone tells")
def test_available_memory_is_that_of_the_machine_or_less():
    with open("/proc/meminfo") as lines:
        kibibytes = {line.split(":")[0]: int(line.split()[1]) for line in lines}
    total = 1024 * (kibibytes["MemTotal"] + kibibytes["SwapTotal"])
    assert 2**20 < memory.available_memory() <= total


@pytest.mark.parametrize("version", [0, 1])
def test_a_container_has_less(tmp_path, monkeypatch, version):
    limit, use = tmp_path / "limit", tmp_path / "stat"
    entries = memory.CONTAINERS[version][2]
    # Files of the system, which a test cannot write.
    monkeypatch.setattr(memory, "CONTAINERS", [(limit, use, entries)])
    machine = memory.available_memory()  # there are no such files
    use.write_text(f"cache 900000\n{entries[0]} 1000000\n{entries[1]} 500000\n")
    limit.write_text("max\n")
    assert memory.available_memory() == pytest.approx(machine, rel=0.2)  # others come and go
    limit.write_text("3000000\n")
    assert memory.available_memory() == 1_500_000
    limit.write_text("1000000\n")
    assert memory.available_memory() == 0


def test_where_nothing_is_known_nothing_is_refused(monkeypatch):
    def unreadable(path):
        raise OSError(path)

    monkeypatch.setattr(memory, "_entries", unreadable)
    assert memory.available_memory() == math.inf
    memory.check_memory(2**60, "All of it")


@pytest.mark.parametrize(
    ("size", "n_bytes"),
    [
        (1000, 1000), ("1000", 1000), ("1e", None), ("2 GB", 2 * 10**9), ("1.5kB", 1500),
        ("1 KB", 1000), ("1 KiB", 1024), (" 3 MiB ", 3 * 2**20), (".5 TB", 5 * 10**11), (0, None),
        ("-1", None), ("2 GBit", None), ("much", None), (True, None), (None, None), ("0.1", None),
    ],
)  # fmt: skip
def test_sizes_of_memory(size, n_bytes):
    if n_bytes is not None:
        assert memory.parse_size(size) == n_bytes
        return
    with pytest.raises(ValueError, match="must be a positive number of bytes, or have a unit"):
        memory.parse_size(size)


def test_the_limit_is_that_of_the_context_the_process_or_the_machine(monkeypatch):
    monkeypatch.setattr(memory, "available_memory", lambda: 2000)
    monkeypatch.delenv("FASTCLUST_MEMORY", raising=False)
    assert memory.memory_limit() == 1000
    monkeypatch.setenv("FASTCLUST_MEMORY", "3 kB")
    assert memory.memory_limit() == 3000
    with limit_memory("4 kB"):
        with limit_memory(5), pytest.raises(ValueError, match="Got 'x' instead"), limit_memory("x"):
            pass
        assert memory.memory_limit() == 4000
    assert memory.memory_limit() == 3000


def test_memory_in_a_file_is_an_ordinary_array():
    values = memory.mapped_empty(1000, np.int32)
    values[:] = np.arange(1000)
    assert type(values) is np.ndarray
    np.testing.assert_array_equal(values, np.arange(1000))
