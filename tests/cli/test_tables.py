"""Tables in files, by the command line: every kind of file, and each error in one line."""

import io
import json
import subprocess
import sys

import numpy as np
import pytest

from fastclust._cli.main import main

pa = pytest.importorskip("pyarrow")

CSV = "a,b,name\n" + "".join(f"{i}.5,{i % 7},x\n" for i in range(40))


@pytest.fixture
def model(tmp_path):
    path = tmp_path / "rows.csv"
    path.write_text(CSV)
    model = tmp_path / "m.npz"
    assert main(["fit", "kmeans", str(path), "--columns", "a,b", "--model", str(model)]) == 0
    return model


@pytest.mark.parametrize("suffix", ["csv", "parquet", "arrow", "feather"])
def test_files_of_every_kind_and_columns_by_name(tmp_path, model, suffix, capsys):
    from fastclust._cli.tables import read_table, write_table

    path, output = tmp_path / f"new.{suffix}", tmp_path / f"labels.{suffix}"
    rows = {"b": np.arange(9.0, dtype="f4"), "other": np.ones(9), "a": np.ones(9, dtype="f4")}
    kind = {"feather": "arrow"}.get(suffix, suffix)
    with open(path, "wb") as file:
        write_table(file, kind, rows)
    predict = ["predict", str(path), "--model", str(model), "--output", str(output), "--json"]
    assert main(predict) == 0
    summary = json.loads(capsys.readouterr().out)
    assert summary["rows"] == 9
    assert summary["columns"] == ["a", "b"]
    assert read_table(output).names == ["label"]
    table = read_table(path, lambda names, n: [2, 0])
    assert table.X.dtype == (np.float64 if suffix == "csv" else np.float32)


def test_standard_input(tmp_path, model, monkeypatch):
    output = tmp_path / "labels.npy"
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(CSV.encode())))
    assert main(["predict", "-", "--model", str(model), "--output", str(output)]) == 0
    assert np.load(output).shape == (40,)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("a,b\n1,2\n3,x\n", "{}: row 2, column 'b': not a number: 'x'"),
        ("a,b\n1,2\n3,\n", "{}: row 2, column 'b': missing (fit with --impute)"),
        ("a,b\n1,2\n3,inf\n", "{}: row 2, column 'b': infinite"),
        ("a,c\n1,2\n", "{}: no column 'b'"),
        ("a,b\n", "{}: no rows"),
        ("", "{}: Empty CSV file"),
        (None, "cannot read {}: No such file or directory"),
    ],
)
def test_errors_name_the_place_and_keep_the_output(tmp_path, model, text, message, capsys):
    path, output = tmp_path / "new.csv", tmp_path / "labels.csv"
    output.write_text("before")
    if text is not None:
        path.write_text(text)
    before = sorted(tmp_path.iterdir())
    assert main(["predict", str(path), "--model", str(model), "--output", str(output)]) == 1
    assert capsys.readouterr().err.splitlines()[-1].startswith("error: " + message.format(path))
    assert output.read_text() == "before"
    assert sorted(tmp_path.iterdir()) == before


@pytest.mark.parametrize("error", [OSError("disk full"), KeyboardInterrupt()])
def test_a_write_that_fails_leaves_nothing(tmp_path, model, monkeypatch, error, capsys):
    def fail(file, *rest):
        file.write(b"half")
        raise error

    monkeypatch.setattr("fastclust._cli.tables.write_table", fail)
    before = sorted(tmp_path.iterdir())
    predict = ["predict", str(tmp_path / "rows.csv"), "--model", str(model)]
    status = main([*predict, "--output", str(tmp_path / "x.csv")])
    assert status == (1 if isinstance(error, OSError) else 130)
    assert sorted(tmp_path.iterdir()) == before


def test_a_killed_run_leaves_no_half_file(tmp_path):
    output = tmp_path / "x.csv"
    output.write_text("before")
    code = (
        "import os, sys; from fastclust._cli.tables import whole_or_not_at_all\n"
        "with whole_or_not_at_all(sys.argv[1]) as file:\n"
        "    file.write(b'half'); file.flush(); os.kill(os.getpid(), 9)"
    )
    assert subprocess.run([sys.executable, "-c", code, str(output)], check=False).returncode == -9
    assert output.read_text() == "before"


@pytest.mark.parametrize(
    "command",
    [
        *(["fit", *name] for name in ([], ["gmm"], ["kmeans"])),
        *(["select", *name] for name in ([], ["gmm"], ["kmeans"])),
        ["predict"],
        ["warmup"],
        ["demo"],
    ],
)
def test_help_shows_an_example(command, capsys):
    with pytest.raises(SystemExit, match="0"):
        main([*command, "--help"])
    assert "example:" in capsys.readouterr().out
