"""Is this tree slower than another commit? Print a table; exit with 1 if something is slower.

What could not be measured is no pass: then it exits with 2.

    python benchmarks/slower.py                   # the files as they are, against main
    python benchmarks/slower.py HEAD~1            # against another commit
    python benchmarks/slower.py v1.0 HEAD         # one commit against another
    python benchmarks/slower.py --quick HEAD~1    # fits, and kernels whose source changed
    python benchmarks/slower.py --bench Assign    # all cases of the benchmarks of that name
    python benchmarks/slower.py --jit             # kernels that Numba compiles when they are called

Both run in this environment. The kernels of both are compiled ahead of time, into an extension for
each, unless one of them has no way to: then Numba compiles those of both when they are called, as
`--jit` asks for. Each commit brings its own `internals.py`, by which benchmarks find its
kernels, whatever they are called there. Two processes, one of each commit, take turns call by call,
so that what slows the machine down slows both; the median over the turns of the ratio of their
seconds is one measurement. Where memory lies differs from process to process and may be worth some
percent, so each measurement has processes of its own. What seems slower after the first two is
measured five times more, and what is slower by these, five times once more: it is slower if both
fives say so. benchmarks/README.md says how often this is right.
"""

import argparse
import ast
import importlib
import inspect
import io
import json
import math
import os
import pickle
import statistics
import subprocess
import sys
import tarfile
import tempfile
import time
from contextlib import chdir
from dataclasses import dataclass, field
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

INTERNALS = "benchmarks/internals.py"
SUITES = [
    "bench_kernels", "bench_gaussian_mixture", "bench_bayesian_mixture", "bench_kmeans",
    "bench_minibatch_kmeans", "bench_bisecting_kmeans", "bench_spherical_kmeans",
    "bench_minibatch_gaussian_mixture", "bench_missing_kmeans", "bench_missing_mixture",
    "bench_metrics",
]  # fmt: skip

SCREEN, DECIDE = 2, 5
"""Measurements of each benchmark, and further ones of what seems slower, once or twice."""

SUSPECT, SLOWER = 1.03, 1.05
"""Ratios of seconds from which a benchmark seems slower, and is."""

T_95 = 2.132
"""95 % quantile of Student's t with DECIDE - 1 degrees of freedom."""

N_TURNS, TURN_SECONDS = 12, 0.02
"""Turns of a measurement, and how long one lasts at least: shorter calls are repeated."""

PAUSE = 0.01
"""Seconds between turns, in which the threads of the last one stop spinning."""


@dataclass
class Benchmark:
    """One case of a benchmark, and its measurements: (seconds before, seconds now, ratio).

    `failure` says why there is none; `is_new` that the commit before has not got what is measured.
    """

    suite: str
    owner: type
    case: str
    measured: list[tuple[float, float, float]] = field(default_factory=list)
    failure: str = ""
    is_new: bool = False

    def __str__(self):
        return f"{self.suite}.{self.owner.__name__}({self.case})"

    def ratio(self, first=0):
        """Geometric mean of the ratios from this measurement on."""
        return statistics.geometric_mean([ratio for _, _, ratio in self.measured[first:]])

    def is_slower(self):
        """Whether each DECIDE measurements after the first say so, beyond SLOWER and their spread.

        A single such set is wrong too often: one of many benchmarks, all of which are measured
        whenever something changes.
        """
        decisive = [math.log(ratio) for _, _, ratio in self.measured[SCREEN:]]
        sets = [decisive[i : i + DECIDE] for i in range(0, len(decisive), DECIDE)]
        return bool(sets) and all(map(_is_above, sets))


def _is_above(logs):
    """Whether the mean of these logarithms of ratios is above SLOWER, and not by their spread."""
    if len(logs) < DECIDE:
        return False
    error = statistics.stdev(logs) / math.sqrt(len(logs))
    return statistics.mean(logs) > max(math.log(SLOWER), T_95 * error)


# -- what is measured ---------------------------------------------------------------------------


def find_benchmarks(pattern=None):
    """The `chosen` cases of the classes that have some, or all cases that are named like this."""
    for suite in SUITES:
        module = importlib.import_module(f"benchmarks.{suite}")
        for name, owner in inspect.getmembers(module, inspect.isclass):
            if name.startswith("_") or not hasattr(owner, "chosen"):
                continue
            for case in owner.params:
                benchmark = Benchmark(suite, owner, case)
                if case in owner.chosen if pattern is None else pattern in str(benchmark):
                    yield benchmark


def kernel_sources(source):
    """Files that a kernel is built from, of which `source` is the first, without "_kernels/"."""
    found, waiting = set(), [f"fastclust/_kernels/{source}"]
    while waiting:
        name = waiting.pop()
        if name in found or not (ROOT / name).is_file():
            continue
        found.add(name)
        for node in ast.walk(ast.parse((ROOT / name).read_text())):
            if isinstance(node, ast.ImportFrom) and node.module:
                module = node.module.replace(".", "/")
                waiting.append(f"{module}.py")
                waiting += [f"{module}/{alias.name}.py" for alias in node.names]
    return found


def short_form(benchmarks, changed):
    """Fits, and the kernels that are built from a changed file."""
    for benchmark in benchmarks:
        source = getattr(benchmark.owner, "source", None)
        files = kernel_sources(source) if source else set()
        if source and not files:
            raise FileNotFoundError(f"{benchmark}: there is no fastclust/_kernels/{source}")
        if not source or files & set(changed):
            yield benchmark


# -- measuring ----------------------------------------------------------------------------------


class Worker:
    """A process with one commit's fastclust."""

    def __init__(self, tree, environment):
        self._process = subprocess.Popen(
            [sys.executable, Path(__file__).with_name("worker.py"), tree / INTERNALS],
            env=os.environ | environment,
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
        )  # fmt: skip

    def stop(self):
        """End the process, whatever it is doing."""
        self._process.kill()
        self._process.communicate()

    def ask(self, **request):
        """Send a request."""
        self._process.stdin.write(json.dumps(request) + "\n")
        self._process.stdin.flush()

    def seconds(self):
        """Seconds that the answer to the last request tells."""
        line = self._process.stdout.readline()
        answer = json.loads(line) if line else {"failure": "the process died"}
        if "failure" in answer:
            raise NotMeasured(answer["failure"], answer.get("is_lacking", False))
        return answer["seconds"]


class NotMeasured(Exception):
    """A worker's failure, and whether its commit lacks what the benchmark asks for.

    That is a function of its `internals.py`, or an estimator.
    """

    def __init__(self, reason, is_lacking):
        super().__init__(reason)
        self.is_lacking = is_lacking


def measure(benchmark, workers, cache):
    """One measurement: the workers take turns."""
    for worker in workers:  # both at once, as they may compile
        worker.ask(set_up=(benchmark.suite, benchmark.owner.__name__, benchmark.case, str(cache)))
    now = workers[1].seconds()
    try:
        longest = max(workers[0].seconds(), now)
    except NotMeasured as error:
        benchmark.is_new = error.is_lacking
        raise
    number = max(1, round(TURN_SECONDS / longest))
    turns = []
    for i in range(N_TURNS):
        seconds = [0.0, 0.0]
        for j in (1, 0) if i % 2 else (0, 1):
            time.sleep(PAUSE)
            workers[j].ask(number=number, warm=longest < TURN_SECONDS)
            seconds[j] = workers[j].seconds()
        turns.append((*seconds, seconds[1] / seconds[0]))
    benchmark.measured.append(tuple(map(statistics.median, zip(*turns, strict=True))))


def measure_all(benchmarks, trees, environments, caches):
    """One measurement of each, in new processes; what fails is not measured again."""
    workers = []
    try:
        for benchmark in benchmarks:
            if benchmark.failure:
                continue
            workers = workers or list(map(Worker, trees, environments))
            try:
                measure(benchmark, workers, caches[benchmark.owner])
            except (NotMeasured, BrokenPipeError) as error:
                benchmark.failure = str(error) or "the process died"
                stop(workers)  # as the other's answer has not been read
    finally:
        stop(workers)


def stop(workers):
    """End all of them."""
    while workers:
        workers.pop().stop()


def make_caches(owners, directory):
    """Run each class's `setup_cache` once; return the files with what they returned."""
    files = {}
    for owner in owners:
        place = directory / f"{owner.__module__}.{owner.__name__}"
        place.mkdir()
        with chdir(place):
            files[owner] = place / "cache.pickle"
            files[owner].write_bytes(pickle.dumps(owner().setup_cache()))
    return files


# -- machine code ------------------------------------------------------------------------------


def environments_of(trees, directory, jit):
    """Environment of each tree's worker: all with extensions of their own, or all without one."""
    extensions = [] if jit else build_extensions(trees, directory)
    if len(extensions) < len(trees):
        paths = [f"{tree}{os.pathsep}{ROOT}" for tree in trees]
        return [{"PYTHONPATH": path, "FASTCLUST_JIT": "1"} for path in paths]
    return [
        {"PYTHONPATH": f"{tree}{os.pathsep}{folder}{os.pathsep}{ROOT}", "FASTCLUST_JIT": "never"}
        for tree, folder in zip(trees, extensions, strict=True)
    ]


def build_extensions(trees, directory):
    """Build the extension of each tree, until one cannot be; return their folders."""
    folders = []
    for i, tree in enumerate(trees):
        folder, objects = directory / f"extension-{i}", ROOT / "build/objects"
        build = tree / "fastclust/_native/build.py"
        if not build.is_file():
            print(f"{tree.name} has no extension: Numba compiles the kernels of both.")
            break
        command = [sys.executable, str(build), str(folder), str(objects)]
        result = subprocess.run(command, capture_output=True, text=True, check=False)
        if result.returncode != 0:
            print(f"{result.stderr.strip()}\nNumba compiles the kernels of both.")
            break
        folders.append(folder)
    return folders


# -- commits ------------------------------------------------------------------------------------


def git(*arguments):
    """Output of a git command."""
    command = ["git", "-C", str(ROOT), *arguments]
    return subprocess.run(command, check=True, stdout=subprocess.PIPE).stdout


def tree_of(commit, directory):
    """Directory with a commit's fastclust and `internals.py`; None: the files as they are."""
    if commit is None:
        return ROOT
    place = directory / f"commit-{commit.replace('/', '-')}"
    with tarfile.open(fileobj=io.BytesIO(git("archive", commit, "fastclust"))) as archive:
        archive.extractall(place, filter="data")
    (place / INTERNALS).parent.mkdir()
    (place / INTERNALS).write_bytes(internals_of(commit))
    return place


def internals_of(commit):
    """A commit's `internals.py`, or the oldest that there is if it had none yet."""
    if git("ls-tree", "--name-only", commit, INTERNALS):
        return git("show", f"{commit}:{INTERNALS}")
    added = git("log", "--diff-filter=A", "--format=%H", "--", INTERNALS).decode().split()
    return git("show", f"{added[-1]}:{INTERNALS}") if added else (ROOT / INTERNALS).read_bytes()


def names_lost(base, tree):
    """Public functions of the `internals.py` of the commit before that the present one lacks."""

    def names(source):
        nodes = ast.parse(source).body
        kinds = ast.FunctionDef | ast.ClassDef
        return {n.name for n in nodes if isinstance(n, kinds) and not n.name.startswith("_")}

    return sorted(names((base / INTERNALS).read_bytes()) - names((tree / INTERNALS).read_bytes()))


# -- the answer ---------------------------------------------------------------------------------


def print_table(benchmarks):
    """Print what was measured, as Markdown."""
    print("| benchmark | before, ms | now, ms | now / before | |")
    print("| --- | ---: | ---: | ---: | --- |")
    for benchmark in benchmarks:
        if benchmark.is_new:
            print(f"| {benchmark} | | | | new: not in the commit before |")
        elif benchmark.failure:
            print(f"| {benchmark} | | | | **not measured**: {benchmark.failure[:80]} |")
        else:
            decided = SCREEN if len(benchmark.measured) > SCREEN else 0
            before, now, _ = map(statistics.median, zip(*benchmark.measured[decided:], strict=True))
            verdict = "**slower**" if benchmark.is_slower() else ""
            print(
                f"| {benchmark} | {1e3 * before:.3f} | {1e3 * now:.3f} | "
                f"{benchmark.ratio(decided):.3f} | {verdict} |"
            )


def main():
    """Compare two commits."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("base", nargs="?", default="main", help="the commit before (main)")
    parser.add_argument("commit", nargs="?", help="the commit now (the files as they are)")
    parser.add_argument("--bench", metavar="NAME", help="benchmarks whose name holds this")
    parser.add_argument("--jit", action="store_true", help="kernels that Numba compiles")
    parser.add_argument("--quick", action="store_true", help="fits, and changed kernels")
    options = parser.parse_args()
    benchmarks = list(find_benchmarks(options.bench))
    if options.quick:
        commits = [options.base] + ([options.commit] if options.commit else [])
        changed = git("diff", "--name-only", *commits).decode().splitlines()
        benchmarks = list(short_form(benchmarks, changed))
    if not benchmarks:
        parser.error(f"no benchmark is named like {options.bench}")
    with tempfile.TemporaryDirectory() as directory:
        directory = Path(directory)
        trees = [tree_of(commit, directory) for commit in (options.base, options.commit)]
        lost = names_lost(*trees)
        environments = environments_of(trees, directory, options.jit)
        caches = make_caches({benchmark.owner for benchmark in benchmarks}, directory)
        for _ in range(SCREEN):
            measure_all(benchmarks, trees, environments, caches)
        suspects = [b for b in benchmarks if b.measured and b.ratio() > SUSPECT]
        for _ in range(2):
            for _ in range(DECIDE if suspects else 0):
                measure_all(suspects, trees, environments, caches)
            suspects = [benchmark for benchmark in suspects if benchmark.is_slower()]
    print_table(benchmarks)
    slower = [benchmark for benchmark in benchmarks if benchmark.is_slower()]
    for benchmark in slower:
        print(f"\n{benchmark} takes {benchmark.ratio(SCREEN) - 1:.0%} longer.")
    failed = [benchmark for benchmark in benchmarks if benchmark.failure and not benchmark.is_new]
    for benchmark in failed:
        print(f"\n{benchmark} could not be measured.")
    if lost:
        print(f"\n{INTERNALS} lacks what it had, so some may pass for new: {', '.join(lost)}.")
    if lost or failed or not any(benchmark.measured for benchmark in benchmarks):
        return 2
    return 1 if slower else 0


if __name__ == "__main__":
    sys.exit(main())
