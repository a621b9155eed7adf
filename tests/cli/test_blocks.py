"""Commands on folders, and on files that are read in blocks."""

import json

import numpy as np
import pandas as pd
import pytest

from fastclust import KMeans
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
    assert ("a sample of" in output.err) == (memory is not None)
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
