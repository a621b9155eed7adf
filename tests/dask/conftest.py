"""A cluster of two processes on this machine, for all tests that ask for it."""

import pytest
from distributed import Client, LocalCluster


def start_cluster(**options):
    return LocalCluster(
        n_workers=2, threads_per_worker=1, processes=True, dashboard_address=":0", **options
    )


@pytest.fixture(scope="session")
def cluster():
    with start_cluster() as cluster:
        yield cluster


@pytest.fixture
def client(cluster):
    with Client(cluster) as client:
        yield client


@pytest.fixture(params=["threads", "processes"])
def scheduler(request):
    """Who runs the tasks: Dask's threads, or the processes of a cluster."""
    return request.getfixturevalue("client") if request.param == "processes" else None
