"""Commands on folders, and on files that are read in blocks."""

import json

import numpy as np
import pandas as pd
import pytest

from fastclust import (
    GaussianMixture,
    KMeans,
    MiniBatchKMeans,
    SphericalKMeans,
    _progress_bar,
)
from fastclust._algorithms.kmeans import seeding
from fastclust._algorithms.rows import block_source
from fastclust._cli.main import main

pytest.importorskip("pyarrow")

WRITE = {
    ".npy": lambda frame, path: np.save(path, frame[["a", "b"]].to_numpy()),
    ".parquet": lambda frame, path: frame.to_parquet(path),
}


@pytest.fixture
def frame():
    rng = np.random.default_rng(0)
    rows = rng.normal(size=(4000, 2)) + 8 * np.arange(4).repeat(1000)[:, None]
    return pd.DataFrame(rows[rng.permutation(len(rows))], columns=["a", "b"]).assign(word="x")


def write_folder(frame, folder, kind):
    folder.mkdir()
    for number, first in enumerate(range(0, len(frame), 900)):
        WRITE[kind](frame[first : first + 900], folder / f"{number}{kind}")


@pytest.mark.parametrize("kind", WRITE)
@pytest.mark.parametrize("memory", [None, "1kB"])
def test_a_folder_is_read_as_one_table(frame, tmp_path, capsys, monkeypatch, kind, memory):
    monkeypatch.setattr(block_source, "BLOCK_BYTES", 8000)
    folder, model = tmp_path / "rows", tmp_path / "model.npz"
    write_folder(frame, folder, kind)
    columns = ["--columns", "b,a" if kind == ".parquet" else "1,0"]
    more = [] if memory is None else ["--memory", memory]
    command = ["fit", "kmeans", folder, *columns, "--clusters", "4", "--random-state", "0", *more]
    command += ["--model", model, "--output", tmp_path / "labels.npy", "--json"]
    assert main(list(map(str, command))) == 0
    output = capsys.readouterr()
    assert ("found by k-means||" in output.err) == (memory is not None)
    summary, labels = json.loads(output.out), np.load(tmp_path / "labels.npy")
    assert summary["rows"] == len(frame)
    assert sorted(summary["cluster_sizes"]) == sorted(np.bincount(labels).tolist())
    X = frame[["b", "a"]].to_numpy()
    centers = np.array([X[labels == j].mean(axis=0) for j in range(4)])
    expected = KMeans(4, init=centers, n_init=1).fit(X)
    assert summary["inertia"] == pytest.approx(expected.inertia_, rel=1e-9)
    for write, values in (("labels", labels), ("scores", expected.transform(X).min(axis=1))):
        command = ["predict", folder, "--model", model, "--output", tmp_path / "again.npy", *more]
        assert main([*map(str, command), "--write", write]) == 0
        # Means of rows in another order; distances of rows near a center lose some digits.
        np.testing.assert_allclose(np.load(tmp_path / "again.npy"), values, rtol=1e-9)


ESTIMATORS = {
    "kmeans": KMeans(4, init="sample", random_state=0),
    "spherical-kmeans": SphericalKMeans(4, init="k-means||", random_state=0),
    "mini-batch-kmeans": MiniBatchKMeans(4, init="random", n_init=1, random_state=0),
}


@pytest.mark.parametrize("name", ESTIMATORS)
def test_estimators_with_centers_read_files_in_blocks(frame, tmp_path, monkeypatch, name):
    monkeypatch.setattr(block_source, "BLOCK_BYTES", 8000)
    monkeypatch.setattr(seeding, "SAMPLE_BYTES", 8000)
    path, model, output = (tmp_path / file for file in ("rows.npy", "model.npz", "labels.npy"))
    X = frame[["a", "b"]].to_numpy()
    np.save(path, X)
    command = ["fit", name, path, "--clusters", "4", "--random-state", "0"]
    command += ["--init", ESTIMATORS[name].init, "--memory", "1kB", "--model", model]
    command += ["--output", output]
    assert main(list(map(str, command))) == 0
    expected = ESTIMATORS[name].fit(X)
    np.testing.assert_array_equal(np.load(output), expected.labels_)
    command = ["predict", path, "--model", model, "--output", output, "--memory", "1kB"]
    assert main(list(map(str, command))) == 0
    np.testing.assert_array_equal(np.load(output), expected.labels_)


@pytest.mark.parametrize("name", ["kmeans", "mini-batch-kmeans"])
def test_missing_values_of_files_in_blocks_are_left_out(frame, tmp_path, capsys, monkeypatch, name):
    monkeypatch.setattr(block_source, "BLOCK_BYTES", 8000)
    path, model, output = (tmp_path / file for file in ("rows.parquet", "model.npz", "out.npy"))
    frame.loc[::5, "a"] = None
    frame[["a", "b"]].to_parquet(path)
    rows = [path, "--memory", "1kB", "--output", output]
    command = ["fit", name, *rows, "--clusters", "4", "--init", "random", "--random-state", "0"]
    command += ["--model", model]
    assert main(list(map(str, command))) == 1
    assert "contains NaN, in" in capsys.readouterr().err
    assert main([*map(str, command), "--missing", "ignore"]) == 0
    expected = ESTIMATORS[name].__class__(4, init="random", random_state=0, missing="ignore")
    X = frame[["a", "b"]].to_numpy()
    labels = expected.fit_predict(X)
    np.testing.assert_array_equal(np.load(output), labels)
    for write, values in ("labels", labels), ("scores", expected.transform(X).min(axis=1)):
        command = ["predict", *rows, "--model", model, "--write", write]
        assert main(list(map(str, command))) == 0
        # Distances of rows near a center lose some digits.
        np.testing.assert_allclose(np.load(output), values, rtol=1e-9)


def test_mixtures_leave_missing_values_of_files_in_blocks_out(frame, tmp_path, monkeypatch):
    monkeypatch.setattr(block_source, "BLOCK_BYTES", 8000)
    path, model, output = (tmp_path / file for file in ("rows.npy", "model.npz", "out.npy"))
    X = frame[["a", "b"]].to_numpy(copy=True)
    X[::5, 0] = np.nan
    np.save(path, X)
    rows = [path, "--memory", "1kB", "--output", output, "--write", "scores"]
    command = ["fit", "gmm", *rows, "--components", "4", "--init-params", "random_from_data"]
    command += ["--random-state", "0", "--missing", "ignore", "--model", model]
    assert main(list(map(str, command))) == 0
    options = {"init_params": "random_from_data", "random_state": 0, "missing": "ignore"}
    expected = GaussianMixture(4, **options).fit(X).score_samples(X)
    np.testing.assert_allclose(np.load(output), expected, rtol=1e-7)  # sums in another order
    command = ["predict", *rows, "--model", model]
    assert main(list(map(str, command))) == 0
    np.testing.assert_allclose(np.load(output), expected, rtol=1e-7)


def test_passes_over_the_rows_are_shown(frame, tmp_path, monkeypatch):
    shown = []
    monkeypatch.setattr(block_source, "BLOCK_BYTES", 1000 * 2 * 8)
    monkeypatch.setattr(_progress_bar, "SECONDS", 0)
    monkeypatch.setattr(_progress_bar, "show_progress", shown.append)
    write_folder(frame, tmp_path / "rows", ".npy")
    command = ["fit", "kmeans", tmp_path / "rows", "--clusters", "2", "--init", "random"]
    command += [
        "--n-init",
        "1",
        "--max-iter",
        "1",
        "--memory",
        "1kB",
        "--model",
        tmp_path / "model.npz",
    ]
    assert main(list(map(str, command))) == 0
    # The mean, first centers, an iteration, the labels, and those of predict.
    expected = [
        f"fitting kmeans to 4,000 rows: pass {n_passes}, {n_done:,} of 4,000 rows ({share})"
        for n_passes in range(1, 6)
        for n_done, share in ((1000, "25%"), (2000, "50%"), (3000, "75%"), (4000, "100%"))
    ]
    assert [text for text in shown if "pass" in text] == expected


@pytest.mark.parametrize(
    ("change", "options", "message"),
    [
        (lambda folder: (folder / "x.npy").write_bytes(b""), [], "must have files of one kind"),
        (lambda folder: (folder / "0.parquet").write_bytes(b""), [], "rows: "),
        (lambda folder: None, ["--scale"], "can not be scaled or imputed"),
        (lambda folder: None, ["--columns", "a,c"], "no column 'c'"),
        (lambda folder: None, ["--columns", "a,word"], "column 'word': not numeric"),
    ],
)
def test_a_folder_at_fault_is_one_line(frame, tmp_path, capsys, change, options, message):
    folder = tmp_path / "rows"
    write_folder(frame[:100], folder, ".parquet")
    change(folder)
    command = ["fit", "kmeans", folder, "--columns", "a,b", "--model", tmp_path / "model.npz"]
    assert main([*map(str, command), *options]) == 1
    error = capsys.readouterr().err
    assert message in error
    assert error.count("\n") == 1


def test_a_size_at_fault_is_a_wrong_option(capsys):
    with pytest.raises(SystemExit):
        main(["fit", "kmeans", "rows.npy", "--model", "model.npz", "--memory", "much"])
    assert "'much' is no amount such as 2GB" in capsys.readouterr().err
