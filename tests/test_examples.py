"""The examples of the documentation run, and show what they say."""

import re
import runpy
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
import pytest

DOCS = Path(__file__).resolve().parents[1] / "docs"


@pytest.fixture(autouse=True)
def _close_figures():
    backend = plt.get_backend()
    plt.switch_backend("agg")
    yield
    plt.close("all")
    plt.switch_backend(backend)


def test_missing_values(capsys):
    names = runpy.run_path(str(DOCS / "examples" / "plot_missing_values.py"))
    ours, *others = (np.array(errors) for errors in names["errors"].values())
    for theirs in others:
        assert (ours < theirs).all()  # of means and covariances, for each set of rows
    assert len(names["axes"][0].lines) == 4  # ellipses: two that were found, two of the truth
    filled, lacked = names["filled"], names["is_missing"]
    errors = {way: np.abs(rows - names["complete"])[lacked].mean() for way, rows in filled.items()}
    assert min(errors, key=errors.get) == "impute(X)"
    assert capsys.readouterr().out.count("\n") == 4 + 6  # two tables


def test_code_about_missing_values():
    kmeans, mixtures = re.findall(
        r"```python\n(.*?)```", (DOCS / "missing.md").read_text(), re.DOTALL
    )
    names = {}
    exec(kmeans, names)
    np.testing.assert_array_equal(names["labels"], names["kmeans"].labels_)
    names = {}
    exec(mixtures, names)
    for name in "means", "draws":
        assert np.isfinite(names[name]).all()
        there = ~np.isnan(names["X"])
        np.testing.assert_array_equal(names[name][there], names["X"][there])
