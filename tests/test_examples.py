"""The examples of the documentation run, and show what they say."""

import runpy
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
import pytest

EXAMPLES = Path(__file__).resolve().parents[1] / "docs" / "examples"


@pytest.fixture(autouse=True)
def _close_figures():
    backend = plt.get_backend()
    plt.switch_backend("agg")
    yield
    plt.close("all")
    plt.switch_backend(backend)


def test_missing_values(capsys):
    names = runpy.run_path(str(EXAMPLES / "plot_missing_values.py"))
    ours, *others = (np.array(errors) for errors in names["errors"].values())
    for theirs in others:
        assert (ours < theirs).all()  # of means and covariances, for each set of rows
    assert len(names["axes"][0].lines) == 4  # ellipses: two that were found, two of the truth
    filled, lacked = names["filled"], names["is_missing"]
    errors = {way: np.abs(rows - names["complete"])[lacked].mean() for way, rows in filled.items()}
    assert min(errors, key=errors.get) == "impute(X)"
    assert capsys.readouterr().out.count("\n") == 4 + 6  # two tables
