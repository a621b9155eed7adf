"""Work that does not fit into memory is refused before anything is allocated."""

import math
import sys

import numpy as np
import pytest

from fastclust import GaussianMixture, KMeans, SphericalKMeans
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
