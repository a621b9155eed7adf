"""The progress bar: what is iterated over comes through it."""

import sys

import pytest

from fastclust._progress_bar import progress_bar


@pytest.mark.parametrize("has_tqdm", [True, False])
def test_items_come_through_the_bar_with_and_without_tqdm(has_tqdm, monkeypatch, capsys):
    if has_tqdm:
        pytest.importorskip("tqdm")
    else:
        monkeypatch.setitem(sys.modules, "tqdm", None)
    assert list(progress_bar([3, 1, 2], "counting")) == [3, 1, 2]
    assert capsys.readouterr() == ("", "")  # no terminal
