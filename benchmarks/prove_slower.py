"""How often is slower.py right? Run it on a slowed kernel, and on a commit against itself.

    python benchmarks/prove_slower.py        # half an hour, on an idle machine
    python benchmarks/prove_slower.py 3      # three tries of each instead of ten

The kernel `assign` of a copy labels the first tenth of each chunk's rows twice, which takes up to
10 % longer and changes no label.
"""

import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
KERNEL = Path("fastclust/_kernels/kmeans/assign.py")
LINE = "            store(labels_out, p, nearest(panels, p, n_clusters, tiles, center_sq))\n"
AGAIN = """\
        tenth = (chunks[s, 2] - chunks[s, 1]) // 10
        for p in range(chunks[s, 1], chunks[s, 1] + tenth):
"""


def alarms(copy):
    """What one run says is slower."""
    command = [sys.executable, str(copy / "benchmarks" / "slower.py"), "HEAD"]
    result = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=False)
    if result.returncode not in (0, 1):
        raise RuntimeError(f"slower.py ended with {result.returncode}")
    print(result.stdout, flush=True)
    return [line.split("(")[0] for line in result.stdout.splitlines() if " longer." in line]


def main():
    """Print how many tries raised which alarms."""
    n_tries = int(sys.argv[1]) if len(sys.argv) > 1 else 10
    with tempfile.TemporaryDirectory() as directory:
        copy = Path(directory) / "copy"
        subprocess.run(["git", "clone", "--quiet", str(ROOT), str(copy)], check=True)
        source = (copy / KERNEL).read_text()
        assert source.count(LINE) == 1, f"{KERNEL} has changed: edit this file"
        itself = [alarms(copy) for _ in range(n_tries)]
        (copy / KERNEL).write_text(source.replace(LINE, LINE + AGAIN + LINE))
        slowed = [alarms(copy) for _ in range(n_tries)]
    found = sum("bench_kernels.Assign" in names for names in slowed)
    print(f"Slowed kernel: reported in {found} of {n_tries} tries.")
    print(f"A commit against itself: an alarm in {sum(map(bool, itself))} of {n_tries} tries.")
    print(f"Names, slowed: {slowed}\nNames, itself: {itself}")


if __name__ == "__main__":
    main()
