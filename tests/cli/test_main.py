"""The command line: what the demo prints and writes, and how it fails."""

import json

import numpy as np
import pytest
import sklearn.datasets

import fastclust
from fastclust._cli.main import FIT_EXAMPLES, main


@pytest.fixture
def small_photo(monkeypatch):
    """Have the demo use every eighth pixel either way."""
    pytest.importorskip("PIL")
    photo = sklearn.datasets.load_sample_image("china.jpg")[::8, ::8]
    monkeypatch.setattr(sklearn.datasets, "load_sample_image", lambda name: photo)
    return photo


def test_demo_compares_both_estimators_and_writes_the_picture(small_photo, tmp_path, capsys):
    from PIL import Image

    path = tmp_path / "picture.png"
    assert main(["demo", "--clusters", "4", "--output", str(path)]) == 0  # no warning either
    out, err = capsys.readouterr()
    assert "KMeans: 4,320 pixels of china.jpg in 4 colours" in out
    assert "GaussianMixture: the same pixels in 8 components" in out
    for line in ("scikit-learn ", "fastclust ", "the first fit took", "equal labels:", "speed-up:"):
        assert out.count(line) == 2
    assert err == ""
    picture = np.asarray(Image.open(path))
    height, width = small_photo.shape[:2]
    assert picture.shape == (height, 2 * width, 3)
    np.testing.assert_array_equal(picture[:, :width], small_photo)
    assert len(np.unique(picture[:, width:].reshape(-1, 3), axis=0)) == 4
    assert list(tmp_path.iterdir()) == [path]


def test_demo_reports_a_picture_that_cannot_be_written(small_photo, tmp_path, capsys):
    assert main(["demo", "--clusters", "2", "--output", str(tmp_path)]) == 1
    assert f"error: cannot write {tmp_path}: it is a directory" in capsys.readouterr().err


@pytest.mark.parametrize(
    "arguments", [[], ["demo", "--clusters", "0"], ["demo", "--clusters", "x"]]
)
def test_wrong_arguments_end_with_status_2(arguments, capsys):
    with pytest.raises(SystemExit, match="2"):
        main(arguments)
    assert "error:" in capsys.readouterr().err


@pytest.mark.parametrize("name", FIT_EXAMPLES)
def test_help_of_fit_shows_an_example_of_its_own(name, capsys):
    with pytest.raises(SystemExit) as raised:
        main(["fit", name, "--help"])
    assert raised.value.code == 0
    assert f"fastclust fit {name} rows" in capsys.readouterr().out


def test_what_cannot_be_written_is_said_before_the_work(tmp_path, capsys):
    rows, model = tmp_path / "rows.npy", tmp_path / "model.npz"
    np.save(rows, np.arange(20.0).reshape(10, 2))
    fit = ["fit", "kmeans", str(rows), "--clusters", "2"]
    assert main([*fit, "--model", str(tmp_path / "no" / "m.npz")]) == 1
    expected = f"error: cannot write {tmp_path / 'no' / 'm.npz'}: no such folder"
    assert capsys.readouterr().err.strip() == expected
    same = tmp_path / "both.npy"
    assert main([*fit, "--model", str(same), "--output", str(same)]) == 1
    expected = f"error: {same}: --model and --output are the same file"
    assert capsys.readouterr().err.strip() == expected
    assert sorted(path.name for path in tmp_path.iterdir()) == ["rows.npy"]
    assert main([*fit, "--model", str(model)]) == 0
    assert main(["predict", str(rows), "--model", str(model), "--output",
                 str(tmp_path / "no" / "labels.csv")]) == 1  # fmt: skip
    assert "no such folder" in capsys.readouterr().err


def test_without_a_header_columns_have_numbers(tmp_path, capsys):
    rows = tmp_path / "rows.csv"
    rows.write_text("".join(f"{i},{i % 3},{-i}\n" for i in range(30)))
    model, output = tmp_path / "model.npz", tmp_path / "labels.npy"
    options = ["--no-header", "--model", str(model), "--output", str(output)]
    fit = ["fit", "kmeans", str(rows), "--columns", "0,2", "--clusters", "3", "--random-state", "0"]
    assert main([*fit, *options, "--json"]) == 0
    summary = json.loads(capsys.readouterr().out)
    X = np.column_stack([np.arange(30.0), -np.arange(30.0)])
    expected = fastclust.KMeans(3, n_init=1, random_state=0).fit(X)
    np.testing.assert_array_equal(np.load(output), expected.labels_)
    assert summary["inertia"] == pytest.approx(expected.inertia_)
    assert (summary["rows"], summary["columns"]) == (30, 2)
    assert main(["predict", str(rows), *options]) == 0
    np.testing.assert_array_equal(np.load(output), expected.labels_)
