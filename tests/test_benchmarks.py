"""The benchmarks' tools: what they write is what the README quotes, and they run."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

from benchmarks import missing_peers

ROOT = Path(__file__).resolve().parents[1]
PANELS = "fastclust/_algorithms/rows/panels.py"
SECTION = r"<!-- compare ([\w-]+): begin -->\n(.*?)\n<!-- compare \1: end -->"


def run_tool(*arguments):
    command = [sys.executable, *map(str, arguments)]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)


def test_the_readme_quotes_what_compare_wrote():
    quoted = dict(re.findall(SECTION, (ROOT / "README.md").read_text(), re.DOTALL))
    written = dict(re.findall(SECTION, (ROOT / "benchmarks/compare.md").read_text(), re.DOTALL))
    assert {"kmeans", "mixtures", "peers", "mixture-peers"} <= quoted.keys() <= written.keys()
    for name, section in quoted.items():
        assert section == written[name]
        assert section.count("\n|") > 2


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
@pytest.mark.parametrize("kind", ["k-means", "diag", "full"])
def test_numpy_finds_what_fastclust_does_where_values_are_missing(kind, monkeypatch):
    case = {kind: (2_000, 4, 3, kind, "f8", 5)}
    monkeypatch.setattr("benchmarks.missing_peers.MISSING_ROWS", case)
    start = missing_peers.start_of_missing(kind)
    found, n_iter = missing_peers.MISSING_FITS["fastclust"][1](*start)
    expected, most = missing_peers.MISSING_FITS["numpy"][1](*start)
    # NumPy expands squares, and stops where it is told to; fastclust may stop before.
    assert found == pytest.approx(expected, rel=1e-10)
    assert n_iter <= most


def test_profile_accounts_for_a_fit():
    pytest.importorskip("matplotlib")
    result = run_tool("benchmarks/profile_fit.py", "iris")
    assert result.returncode == 0, result.stderr
    header, *rows = result.stdout.splitlines()
    assert "validation" in header
    assert len(rows) == 2  # KMeans and GaussianMixture
    for row in rows:
        *phases, rest = map(float, re.findall(r"\d+\.\d\d", row))
        assert sum(phases) > rest  # no phase was forgotten


@pytest.fixture
def copy(tmp_path):
    """A clone, to be made slower."""
    if not (ROOT / ".git").exists():
        pytest.skip("not a clone")
    copy = tmp_path / "copy"
    subprocess.run(["git", "clone", "--quiet", ROOT, copy], check=True)
    return copy


def test_a_slower_function_is_named(copy):
    """Twice the work, so that one small benchmark is enough; benchmarks/README.md has the rates.

    The function also has another name than before, which the tree's own adapter knows.
    """
    file, adapter = copy / PANELS, copy / "benchmarks/internals.py"
    source, adapter_source = file.read_text(), adapter.read_text()
    name = "bench_kernels.Assign(mid"
    signature = "(self, centers, tiles=None):\n"
    twice = f"    def label{signature}        np.sort(np.sin(np.arange(300_000)))\n"
    file.write_text(replaced(source, f"    def assign_to_panels{signature}", twice))
    old, new = "    return rows.assign_to_panels(centers) if", "    return rows.label(centers) if"
    adapter.write_text(replaced(adapter_source, old, new))
    result = run_tool(copy / "benchmarks/slower.py", "HEAD", "--jit", "--bench", name)
    assert result.returncode == 1, result.stdout + result.stderr
    assert name in result.stdout.splitlines()[-1]
    file.write_text(source)  # now the adapter knows a name that is not there
    result = run_tool(copy / "benchmarks/slower.py", "HEAD", "--jit", "--bench", name)
    assert result.returncode == 2, result.stdout + result.stderr
    assert f"{name} 100,000 x 16, k=64, f4) could not be measured" in result.stdout
    result = run_tool(copy / "benchmarks/slower.py", "HEAD", "--jit", "--bench", "no such thing")
    assert result.returncode == 2
    assert "no benchmark is named like" in result.stderr


def replaced(text, old, new):
    assert text.count(old) == 1
    return text.replace(old, new)
