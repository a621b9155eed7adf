"""The command line: what the demo prints and writes, and how it fails."""

import numpy as np
import pytest
import sklearn.datasets

from fastclust.__main__ import main


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
    for line in ("scikit-learn ", "fastclust ", "compiling took", "equal labels:", "speed-up:"):
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
