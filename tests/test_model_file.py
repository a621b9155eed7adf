"""Models in files: what is loaded predicts as what was saved, and what is no model is refused."""

import json

import numpy as np
import pytest

from fastclust.__main__ import main

ESTIMATORS = [
    ["kmeans", "--clusters", "3"],
    *(
        ["gmm", "--components", "3", "--covariance-type", t]
        for t in ("full", "tied", "diag", "spherical")
    ),
]


@pytest.fixture
def rows(tmp_path):
    rng = np.random.RandomState(0)
    X = rng.normal(size=(90, 2)) + 9 * np.arange(3).repeat(30)[:, None]
    path = tmp_path / "rows.npy"
    np.save(path, X)
    return path


@pytest.mark.parametrize("more", [[], ["--scale"], ["--impute"], ["--scale", "--impute"]])
@pytest.mark.parametrize("estimator", ESTIMATORS, ids=lambda e: e[-1])
def test_a_loaded_model_predicts_as_the_fit(rows, tmp_path, estimator, more, capsys):
    model, ours, again = (tmp_path / name for name in ("m.npz", "ours.npy", "again.npy"))
    fit = ["fit", *estimator, str(rows), "--model", str(model), "--random-state", "0", "--json"]
    assert main([*fit, "--output", str(ours), "--write", "scores", *more]) == 0
    assert sum(json.loads(capsys.readouterr().out)["cluster_sizes"]) == 90
    predict = ["predict", str(rows), "--model", str(model), "--write", "scores"]
    assert main([*predict, "--output", str(again)]) == 0
    np.testing.assert_array_equal(np.load(again), np.load(ours))


def _refused(rows, model, tmp_path, capsys):
    output = tmp_path / "out.npy"
    assert main(["predict", str(rows), "--model", str(model), "--output", str(output)]) == 1
    assert not output.exists()
    return capsys.readouterr().err


@pytest.mark.parametrize("damage", ["text", "truncated", "pickle", "foreign"])
def test_what_is_not_a_model_is_refused(rows, tmp_path, capsys, damage):
    model = tmp_path / "m.npz"
    assert main(["fit", "kmeans", str(rows), "--model", str(model)]) == 0
    if damage == "text":
        model.write_text("hello")
    elif damage == "truncated":
        model.write_bytes(model.read_bytes()[:300])
    elif damage == "pickle":
        np.savez(model, header=np.array([{}], dtype=object))
    else:
        np.savez(model, a=np.zeros(3))
    error = _refused(rows, model, tmp_path, capsys)
    assert error == f"error: {model}: not a fastclust model, or damaged\n"


def test_another_version_is_refused(rows, tmp_path, capsys):
    model = tmp_path / "m.npz"
    header = {"format": "fastclust model", "format_version": 2}
    np.savez(model, header=np.array(json.dumps(header)))
    assert "format version 2, and this fastclust reads 1" in _refused(rows, model, tmp_path, capsys)


@pytest.mark.parametrize("strategy", ["mean", "median", "most_frequent"])
def test_float32_rows_with_missing_values(rows, tmp_path, strategy):
    X = np.load(rows).astype(np.float32)
    X[::7, 1] = np.nan
    np.save(rows, X)
    model, ours, again = (tmp_path / name for name in ("m.npz", "ours.npy", "again.npy"))
    fit = ["fit", "gmm", str(rows), "--model", str(model), "--impute", strategy, "--scale"]
    assert main([*fit, "--output", str(ours), "--write", "scores"]) == 0
    predict = ["predict", str(rows), "--model", str(model), "--write", "scores"]
    assert main([*predict, "--output", str(again)]) == 0
    np.testing.assert_array_equal(np.load(again), np.load(ours))
    assert np.load(ours).dtype == np.float32
