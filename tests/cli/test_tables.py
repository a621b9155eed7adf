"""Tables in files, by the command line: every kind of file, and each error in one line."""

import csv
import io
import json
import subprocess
import sys

import numpy as np
import pandas as pd
import pytest

from fastclust._cli.files import CommandError
from fastclust._cli.main import main
from fastclust._cli.tables import read_table, write_table

pa = pytest.importorskip("pyarrow")
pytest.importorskip("pyarrow.feather")
pytest.importorskip("pyarrow.parquet")

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
    table = read_table(path, lambda names, features: [2, 0])
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
        ("a,b\n1,NA\n3,x\n", "{}: row 2, column 'b': not a number: 'x'"),
        (
            "a,b\n1,2\n3,\n",
            "{}: row 2, column 'b': missing (fit with --impute, "
            "or --missing ignore where there is one)",
        ),
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
        "import os, sys; from fastclust._cli.files import whole_or_not_at_all\n"
        "with whole_or_not_at_all(sys.argv[1]) as file:\n"
        "    file.write(b'half'); file.flush(); os.kill(os.getpid(), 9)"
    )
    assert subprocess.run([sys.executable, "-c", code, str(output)], check=False).returncode == -9
    assert output.read_text() == "before"


@pytest.mark.parametrize(
    "command",
    [
        *(["fit", *name] for name in ([], ["gmm"], ["kmeans"], ["spherical-kmeans"])),
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


# -- indexes of pandas ---------------------------------------------------------------------------


def write_with_index(frame, path):
    """Write a frame of pandas with its index, as pandas does for Parquet."""
    table = pa.Table.from_pandas(frame)
    if path.suffix == ".parquet":
        pa.parquet.write_table(table, path)
    else:
        with pa.OSFile(str(path), "wb") as file, pa.ipc.new_file(file, table.schema) as writer:
            writer.write_table(table)


def make_frame(n=40):
    rng = np.random.default_rng(0)
    return pd.DataFrame({"a": rng.normal(size=n), "b": rng.normal(size=n)})


@pytest.mark.parametrize("suffix", ["parquet", "arrow", "feather"])
@pytest.mark.parametrize(
    "index",
    [
        None,  # of metadata alone
        pd.RangeIndex(40, name="id"),
        np.arange(40) ** 2,
        pd.Index(np.arange(40) / 3, name="id"),
        pd.Index(list("abcdefgh") * 5, name="word"),
        pd.MultiIndex.from_product([range(4), range(10)], names=["m", None]),
    ],
)
def test_the_index_that_pandas_notes_is_no_feature(tmp_path, suffix, index):
    frame, path = make_frame(), tmp_path / f"rows.{suffix}"
    write_with_index(frame if index is None else frame.set_index(index), path)
    table = read_table(path)
    assert (table.names, table.numbers) == (["a", "b"], [0, 1])
    np.testing.assert_array_equal(table.X, frame)


@pytest.mark.parametrize("suffix", ["parquet", "arrow"])
def test_an_index_that_is_chosen_is_used(tmp_path, suffix, capsys):
    path, model = tmp_path / f"rows.{suffix}", tmp_path / "m.npz"
    write_with_index(make_frame().set_index(pd.Index(np.arange(40) ** 2, name="id")), path)
    fit = ["fit", "kmeans", str(path), "--model", str(model), "--json"]
    assert main([*fit, "--columns", "id,a"]) == 0
    assert json.loads(capsys.readouterr().out)["columns"] == ["id", "a"]
    assert main(fit) == 0
    assert json.loads(capsys.readouterr().out)["columns"] == ["a", "b"]


@pytest.mark.parametrize("first", [0, 1])
@pytest.mark.parametrize("is_quoted", [False, True])
def test_a_first_column_that_counts_the_rows(tmp_path, first, is_quoted, capsys):
    frame, path, model = make_frame(), tmp_path / "rows.csv", tmp_path / "m.npz"
    index = pd.RangeIndex(first, 40 + first)
    frame.set_index(index.astype(str) if is_quoted else index).to_csv(
        path, quoting=csv.QUOTE_NONNUMERIC if is_quoted else csv.QUOTE_MINIMAL
    )
    fit = ["fit", "kmeans", str(path), "--model", str(model), "--json"]
    assert main(fit) == 0
    out, err = capsys.readouterr()
    assert json.loads(out)["columns"] == ["a", "b"]
    assert err == (
        f"warning: {path}: the first column has no name and counts the rows, so it is left out; "
        "give it a name to use it\n"
    )
    assert main([*fit, "--columns", ",a"]) == 0  # chosen, by no name
    out, err = capsys.readouterr()
    assert json.loads(out)["columns"] == ["", "a"]
    assert err == ""


def test_a_first_column_without_a_name_that_does_not_count(tmp_path, capsys):
    frame, path = make_frame(), tmp_path / "rows.csv"
    frame.iloc[::2].to_csv(path)
    with pytest.warns(UserWarning, match=r"rows.csv: the first column has no name, and is used"):
        assert read_table(path).X.shape == (20, 3)
    frame.iloc[5:].to_csv(path)
    with pytest.warns(UserWarning, match="and is used"):
        assert read_table(path).X.shape == (35, 3)
    frame.rename_axis("n").to_csv(path)
    assert read_table(path).names == ["n", "a", "b"]
    path.write_text('""\n' + "".join(f"{i}\n" for i in range(9)))
    assert read_table(path).X.shape == (9, 1)


def test_a_model_knows_columns_by_their_place_among_those_that_are_no_index(tmp_path, capsys):
    frame = make_frame()
    frame.to_csv(tmp_path / "rows.csv")
    write_with_index(frame.set_index(np.arange(40)), tmp_path / "rows.parquet")
    np.save(tmp_path / "rows.npy", frame.to_numpy())
    labels = set()
    for fitted in ("csv", "parquet", "npy"):
        model, output = str(tmp_path / f"{fitted}.npz"), str(tmp_path / "labels.npy")
        fit = ["fit", "kmeans", str(tmp_path / f"rows.{fitted}"), "--random-state", "0"]
        assert main([*fit, "--model", model]) == 0
        for kind in ("csv", "parquet", "npy"):
            rows = str(tmp_path / f"rows.{kind}")
            assert main(["predict", rows, "--model", model, "--output", output]) == 0
            labels.add(tuple(np.load(output)))
    assert len(labels) == 1


# -- rows and values of any length ---------------------------------------------------------------


@pytest.mark.parametrize("has_header", [True, False])
@pytest.mark.parametrize("from_stdin", [False, True])
def test_rows_longer_than_a_block(tmp_path, has_header, from_stdin, monkeypatch):
    path = tmp_path / "rows.csv"
    monkeypatch.setattr("fastclust._cli.csv_file.FIRST_BLOCK", 2**10)
    X = np.random.default_rng(0).normal(size=(5, 2000))
    names = [f"a long name for gene number {f}" for f in range(2000)]
    pd.DataFrame(X, columns=names).to_csv(path, index=False, header=has_header)
    if from_stdin:
        monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(path.read_bytes())))
    table = read_table("-" if from_stdin else path, header=has_header)
    np.testing.assert_array_equal(table.X, X)
    assert table.names == (names if has_header else None)


@pytest.mark.parametrize("has_header", [True, False])
@pytest.mark.parametrize("long_row", [0, 1, 3, 39_999])
def test_a_long_value_in_a_column_that_is_not_used(tmp_path, has_header, long_row):
    path = tmp_path / "rows.csv"
    words = ["x"] * 40_000
    words[long_row] = "y" * 3_000_000
    rows = [f"{i},{word},{i % 7}" for i, word in enumerate(words)]
    path.write_text("\n".join((["a,t,b"] if has_header else []) + rows) + "\n")
    table = read_table(path, lambda names, features: [0, 2], header=has_header)
    expected = np.column_stack([np.arange(40_000), np.arange(40_000) % 7])
    np.testing.assert_array_equal(table.X, expected)


@pytest.mark.parametrize("length", [1, 50, 5_000, 3_000_000])
@pytest.mark.parametrize("from_stdin", [False, True])
def test_line_breaks_in_quotes(tmp_path, length, from_stdin, monkeypatch):
    path = tmp_path / "rows.csv"
    n = max(3, 4_000_000 // length // 10) if length < 10**6 else 3
    text = '"' + 'a,""b""\n1,2\r\n' * length + '"'
    content = '"a\nb",t,"c"\n' + "".join(f'{i},{text},"{i}.5"\n' for i in range(n))
    path.write_text(content, newline="")
    if from_stdin:
        monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(content.encode())))
    table = read_table("-" if from_stdin else path, lambda names, features: [0, 2])
    assert table.names == ["a\nb", "c"]
    np.testing.assert_array_equal(table.X, np.column_stack([np.arange(n), np.arange(n) + 0.5]))


def test_line_breaks_in_quotes_of_a_column_that_is_used(tmp_path, capsys):
    path = tmp_path / "rows.csv"
    path.write_text("a,b\n" + '"1.5\n",2\n' * 200_000)
    with pytest.raises(CommandError, match="column 'a'"):
        read_table(path)


@pytest.mark.parametrize("text", ['1,"x\n2,y\n3,z\n', '1,x\n2,"y', '1,"x""\n2,y\n'])
def test_a_quoted_value_without_an_end_swallows_no_rows(tmp_path, text):
    path = tmp_path / "rows.csv"
    path.write_text("a,t\n" + text)
    with pytest.raises(CommandError, match="a quoted value has no end"):
        read_table(path, lambda names, features: [0])
    path.write_text("a\n1\n" + '"2\n3\n')
    with pytest.raises(CommandError, match="a quoted value has no end"):
        read_table(path)


def test_quotes_inside_values_are_text(tmp_path):
    path = tmp_path / "rows.csv"
    path.write_text('a,t\n1,5" pipe\n2,y\n3,"6"" pipe"\n')
    table = read_table(path, lambda names, features: [0])
    np.testing.assert_array_equal(table.X, [[1], [2], [3]])


# -- types of columns ----------------------------------------------------------------------------


@pytest.mark.parametrize("suffix", ["parquet", "arrow"])
def test_booleans_and_dictionaries_of_numbers(tmp_path, suffix):
    path = tmp_path / f"rows.{suffix}"
    columns = {
        "bool": pa.chunked_array([[True, False], [None]]),
        "int": pa.array([7, None, 9]).dictionary_encode(),
        "float": pa.array([0.5, 2.5, 0.5]).dictionary_encode(),
        "bools": pa.DictionaryArray.from_arrays([1, 0, 1], [True, False]),
        "chunks": pa.chunked_array([
            pa.DictionaryArray.from_arrays([0, 1], [3, 4]),
            pa.DictionaryArray.from_arrays([1], [3, 4]),
        ]),
    }  # fmt: skip
    expected = [[1, 7, 0.5, 0, 3], [0, np.nan, 2.5, 1, 4], [np.nan, 9, 0.5, 0, 4]]
    table = pa.table(columns)
    if suffix == "parquet":
        del columns["bools"]  # of which Parquet has no dictionaries
        table, expected = pa.table(columns), np.delete(expected, 3, axis=1)
        pa.parquet.write_table(table, path)
    else:
        pa.feather.write_feather(table, path)
    np.testing.assert_array_equal(read_table(path).X, expected)


@pytest.mark.parametrize("suffix", ["parquet", "arrow"])
@pytest.mark.parametrize("words", [["x", "y", "x"], ["1", "2", "1"]])
def test_dictionaries_of_words_are_an_error_that_names_the_column(tmp_path, suffix, words):
    path = tmp_path / f"rows.{suffix}"
    write_with_index(pd.DataFrame({"a": [1, 2, 3], "kind": pd.Categorical(words)}), path)
    with pytest.raises(CommandError, match=r"rows.*: column 'kind': not numeric: dictionary<"):
        read_table(path)


def test_booleans_of_other_files(tmp_path):
    (tmp_path / "rows.csv").write_text("a,b\ntrue,1\nFalse,2\n,3\n")
    expected = [[1, 1], [0, 2], [np.nan, 3]]
    np.testing.assert_array_equal(read_table(tmp_path / "rows.csv").X, expected)
    np.save(tmp_path / "rows.npy", np.array([[True, False], [False, False]]))
    np.testing.assert_array_equal(read_table(tmp_path / "rows.npy").X, [[1, 0], [0, 0]])


# -- the first line, and empty ones --------------------------------------------------------------


def test_a_first_line_with_booleans_is_a_row(tmp_path, capsys):
    path = tmp_path / "rows.csv"
    rows = [f"{i},{'true' if i % 2 else 'False'}\n" for i in range(20)]
    path.write_text("".join(rows))
    call = ["fit", "kmeans", "--clusters", "2", "--model", str(tmp_path / "m.npz"), str(path)]
    assert main(call) == 2
    assert "the first line is of numbers or booleans" in capsys.readouterr().err
    assert main([*call, "--no-header", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["rows"] == 20


COMMANDS = {
    "fit": ["fit", "kmeans", "--clusters", "2"],
    "select": ["select", "kmeans", "--clusters", "2", "--n-init", "1", "--gap-references", "0"],
    "predict": ["predict", "--output"],
}


@pytest.mark.parametrize("command", COMMANDS)
@pytest.mark.parametrize("line", ["2019,2020", "1.5,-2e3", "1,NA", ",2", "nan,7", " 1, 2"])
def test_a_first_line_of_numbers_needs_an_option(tmp_path, command, line, capsys):
    path, model, output = (str(tmp_path / name) for name in ("rows.csv", "m.npz", "labels.npy"))
    text = line + "\n" + "".join(f"{i},{i * i}\n" for i in range(2, 31))
    (tmp_path / "rows.csv").write_text(text)
    if command == "predict":
        np.save(tmp_path / "fit.npy", np.arange(40.0).reshape(20, 2))
        assert main([*COMMANDS["fit"], str(tmp_path / "fit.npy"), "--model", model]) == 0
    call = [*COMMANDS[command], *([output] if command == "predict" else []), path]
    call += ["--model", model]
    before = sorted(tmp_path.iterdir())
    assert main(call) == 2
    assert capsys.readouterr().err == (
        f"error: {path}: the first line is of numbers or booleans: say --no-header if it is a row, "
        "or --header if these are names of columns\n"
    )
    assert sorted(tmp_path.iterdir()) == before
    assert main([*call, "--header", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["rows"] == 29
    if "NA" not in line and "nan" not in line and not line.startswith(","):
        assert main([*call, "--no-header", "--json"]) == 0
        assert json.loads(capsys.readouterr().out)["rows"] == 30


@pytest.mark.parametrize("line", ["a,2", "x1,x2", "1_0,2_0", "1st,2nd", "0x1,0x2"])
def test_a_first_line_with_names_needs_none(tmp_path, line):
    path = tmp_path / "rows.csv"
    path.write_text(line + "\n3,4\n5,6\n")
    assert read_table(path).names == line.split(",")


def test_numbers_for_names_that_pandas_wrote_beside_its_index(tmp_path):
    path, X = tmp_path / "rows.csv", np.arange(12.0).reshape(4, 3) ** 2
    pd.DataFrame(X).to_csv(path)
    with pytest.warns(UserWarning, match="counts the rows"):
        table = read_table(path)
    assert table.names == ["0", "1", "2"]
    np.testing.assert_array_equal(table.X, X)
    pd.DataFrame(X).to_csv(path, index=False)
    with pytest.raises(CommandError, match="--no-header"):
        read_table(path)


@pytest.mark.parametrize("end", ["\n", "\r\n"])
@pytest.mark.parametrize("has_header", [True, False])
def test_an_empty_line_of_one_column_is_a_missing_value(tmp_path, end, has_header):
    path = tmp_path / "rows.csv"
    lines = (["a"] if has_header else [""]) + ["1.5", "", "2", '""', "", "3", ""]
    path.write_text(end.join(lines) + end, newline="")
    missing = np.nan
    expected = [1.5, missing, 2, missing, missing, 3, missing]
    expected = expected if has_header else [missing, *expected]
    np.testing.assert_array_equal(read_table(path, header=has_header).X[:, 0], expected)


def test_output_lines_up_with_a_column_that_has_empty_lines(tmp_path, capsys):
    path, output = tmp_path / "rows.csv", tmp_path / "labels.npy"
    path.write_text("a\n1\n\n2\n9\n\n8\n")
    fit = ["fit", "kmeans", str(path), "--clusters", "2", "--model", str(tmp_path / "m.npz")]
    assert main(fit) == 1
    assert "row 2, column 'a': missing" in capsys.readouterr().err
    assert main([*fit, "--impute", "--output", str(output)]) == 0
    assert np.load(output).shape == (6,)
    path.write_text("\na\n1\n")
    with pytest.raises(CommandError, match="the first line is empty"):
        read_table(path)
    path.write_text("a,b\n1,2\n\n3,4\n")
    assert read_table(path).X.shape == (2, 2)  # of several columns an empty line is none
