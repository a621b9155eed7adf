"""Real data, and the profile of the property tests."""

import functools
import os
from pathlib import Path

import hypothesis
import numpy as np
import pytest
from sklearn import datasets
from sklearn.preprocessing import StandardScaler

os.environ["MPLBACKEND"] = "Agg"  # figures without a screen, in doctests too

# The same examples in every run; no deadline, since the first example compiles.
hypothesis.settings.register_profile(
    "fastclust", max_examples=40, deadline=None, derandomize=True, database=None
)
hypothesis.settings.load_profile("fastclust")

JITTER = 1e-3  # breaks ties: values on a grid lie exactly between two centers, or give equal draws


def _china_pixels():
    pixels = datasets.load_sample_image("china.jpg").reshape(-1, 3)[::97]
    return np.unique(pixels, axis=0) / 255.0


_LOADERS = {
    "iris": lambda: datasets.load_iris().data,
    "wine": lambda: StandardScaler().fit_transform(datasets.load_wine().data),
    "breast_cancer": lambda: StandardScaler().fit_transform(datasets.load_breast_cancer().data),
    "digits": lambda: datasets.load_digits().data,
    "china": _china_pixels,
}


@functools.cache
def _load(name):
    X = _LOADERS[name]()
    X += JITTER * np.random.default_rng(0).normal(size=X.shape)
    X.setflags(write=False)
    return X


@pytest.fixture(scope="session")
def cache(tmp_path_factory):
    """A cache directory that the processes of all tests share: that of the tests, if it is set."""
    if os.environ.get("FASTCLUST_CACHE_DIR", "off") != "off":
        return Path(os.environ["FASTCLUST_CACHE_DIR"])
    directory = tmp_path_factory.mktemp("cache")
    directory.chmod(0o700)
    return directory


@pytest.fixture
def limit_launches(monkeypatch):
    """Function that sets the work of one launch: a constant of all kernels, which none takes."""
    return functools.partial(monkeypatch.setattr, "fastclust._kernels.launch.LAUNCH_WORK")


@pytest.fixture(scope="session")
def real_data():
    """Return the function that returns real data without ties, by name."""
    return _load
