"""Where does the time of a fit go?

    python benchmarks/profile_fit.py                  # every workload, and the README's picture
    python benchmarks/profile_fit.py digits ellips    # those whose name holds one of the words

Prints, for each workload (benchmarks/workloads.py), the milliseconds of the phases of one fit. They
are the functions of `internals.phases`, timed from outside; what is called inside another phase
belongs to that one. All workloads make the picture benchmarks/profile_fit.png.
"""

import functools
import statistics
import sys
import time
import warnings
from contextlib import contextmanager
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))  # the checkout, installed or not

from benchmarks import internals
from benchmarks.workloads import KMEANS, MIXTURES

PHASES = internals.phases()
REST = "the rest"
N_FITS = 5


@contextmanager
def timed_phases():
    """Context in which the phases' functions add their seconds to the dict that it gives."""
    seconds = dict.fromkeys(PHASES, 0.0)
    inside = []

    def timed(function, phase):
        @functools.wraps(function)
        def call(*args, **kwargs):
            if inside:
                return function(*args, **kwargs)
            inside.append(phase)
            start = time.perf_counter()
            try:
                return function(*args, **kwargs)
            finally:
                seconds[phase] += time.perf_counter() - start
                inside.pop()

        return call

    originals = []
    for phase, functions in PHASES.items():
        for owner, name in functions:
            originals.append((owner, name, getattr(owner, name)))
            setattr(owner, name, timed(getattr(owner, name), phase))
    try:
        yield seconds
    finally:
        for owner, name, function in originals:
            setattr(owner, name, function)


def profile(workload):
    """Milliseconds of each phase of a fit; medians."""
    X = workload.make()
    estimator = workload.estimator("fastclust", n_init=1)  # restarts may share the threads out
    estimator.fit(X)
    fits = []
    for _ in range(N_FITS):
        start = time.perf_counter()
        with timed_phases() as seconds:
            estimator.fit(X)
        total = time.perf_counter() - start
        fits.append(seconds | {REST: total - sum(seconds.values())})
    return {phase: 1e3 * statistics.median(values[phase] for values in fits) for phase in fits[0]}


def draw(profiles, path):
    """Shares of the phases as bars."""
    import matplotlib as mpl

    mpl.use("Agg")
    import matplotlib.pyplot as plt

    fig, ax = plt.subplots(figsize=(9, 0.9 + 0.3 * len(profiles)), layout="constrained")
    for i, phases in enumerate(profiles.values()):
        total, left = sum(phases.values()), 0.0
        for j, (phase, milliseconds) in enumerate(phases.items()):
            share = 100 * milliseconds / total
            ax.barh(i, share, left=left, color=f"C{j}", label=phase if i == 0 else None)
            left += share
        ax.text(101, i, f"{total:.1f} ms", va="center", fontsize=8)
    ax.set_yticks(range(len(profiles)), profiles, fontsize=8)
    ax.invert_yaxis()
    ax.set(xlim=(0, 110), xlabel="% of a fit")
    ax.spines[["top", "right"]].set_visible(False)
    fig.legend(loc="outside upper center", ncols=len(PHASES) + 1, fontsize=8)
    fig.savefig(path, dpi=100)


def main():
    """Print the table of the workloads that were asked for."""
    warnings.simplefilter("ignore")
    words = sys.argv[1:]
    workloads = {
        name: workload
        for name, workload in (KMEANS | MIXTURES).items()
        if not words or any(word in name for word in words)
    }
    if not workloads:
        sys.exit(f"no workload is named like {' or '.join(words)}")
    print(f"{'milliseconds':45}" + "".join(f"{p:>13}" for p in [*PHASES, REST]))
    profiles = {}
    for name, workload in workloads.items():
        profiles[name] = profile(workload)
        values = profiles[name].values()
        print(f"{name:45}" + "".join(f"{value:13.2f}" for value in values), flush=True)
    if not words:
        draw(profiles, Path(__file__).with_suffix(".png"))


if __name__ == "__main__":
    main()
