"""What is each constant of the Lloyd policy worth? Every workload is run with other values of it.

    python benchmarks/ablate.py                    # all constants, about 15 minutes
    python benchmarks/ablate.py first_wait helps   # these
    python benchmarks/ablate.py helps=1,first_wait=4   # these values at once

A run is Lloyd's algorithm from the same centers to its end, 60 iterations at most. Runs with the
default and with each other value take turns. A line gives the time with a value over that with the
default: the geometric mean over the workloads, the least and the largest, and their workloads. A
constant that no line shows to matter should go.
"""

import argparse
import sys
import time
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))  # run as a script

from benchmarks import bench_bounds, internals
from benchmarks.timing import seconds_of

WORKLOADS = bench_bounds.WORKLOADS | {
    "small 1,797 x 64, k=10": (1_797, 64, 10, 1.0, "f8"),
    "plane 20,000 x 2, k=8": (20_000, 2, 8, 0.5, "f8"),
    "triples 60,000 x 3, k=4": (60_000, 3, 4, 0.7, "f8"),
    "doubles 20,000 x 100, k=20": (20_000, 100, 20, 1.5, "f8"),
    "wide 30,000 x 300, k=60": (30_000, 300, 60, 2.0, "f8"),
    "mid 8,600 x 207, k=34": (8_600, 207, 34, 2.0, "f4"),
    "tiny 150 x 4, k=3": (150, 4, 3, 0.5, "f8"),
    "thousand 1,000 x 8, k=8": (1_000, 8, 8, 0.7, "f8"),
    "two 200,000 x 8, k=2": (200_000, 8, 2, 1.0, "f8"),
    "images 60,000 x 784, k=10": (60_000, 784, 10, 3.0, "f4"),
}

FACTORS = 0.5, 2.0
OTHERS = {  # values worth trying beside half and double: the constant as good as absent
    "max_chunks": [8],
    "few_chunks": [64],
    "chunk_rows": [1],
    "filter_work": [0.0, np.inf],
    "filter_features": [1],
    "near_share": [1.0],
    "first_regroup": [0],
    "sample_panels": [1],
    "least_apart": [0.0, 0.99],
    "max_regroup_cost": [0, 8, 1000],
    "helps": [1000.0],
    "first_wait": [0],
}


def values_of(name, default):
    """Values to try in place of a default."""
    scaled = [type(default)(factor * default) for factor in FACTORS]
    return [value for value in dict.fromkeys(scaled + OTHERS.get(name, [])) if value != default]


def measure(shape, variants, n_rounds):
    """Median over rounds of the time of each variant over the default's of the same round."""
    X = bench_bounds.make_rows(*shape)
    rows = internals.pack(X, internals.estimate_mean(X))
    centers = internals.seeds(rows, shape[2])
    defaults = internals.lloyd_constants()
    bench_bounds.run_to_end(rows, centers, **defaults)

    def once(constants):
        return seconds_of(lambda: bench_bounds.run_to_end(rows, centers, **constants))

    n_calls = max(1, int(0.02 / once(defaults)))

    def seconds(constants):
        return min(once(constants) for _ in range(n_calls))

    ratios = np.empty((n_rounds, len(variants)))
    for i in range(n_rounds):
        for j, variant in enumerate(variants):
            default = seconds(defaults)
            ratios[i, j] = seconds(defaults | variant) / default
    return np.median(ratios, axis=0)


def parse(argument, defaults):
    """Variants that an argument names: other values of a constant, or some values at once."""
    if "=" not in argument:
        return [{argument: value} for value in values_of(argument, defaults[argument])]
    pairs = [pair.split("=") for pair in argument.split(",")]
    return [{name: type(defaults[name])(float(value)) for name, value in pairs}]


def main():
    """Print the table of the constants that are asked for."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("constants", nargs="*", help="names, or name=value,...; all by default")
    parser.add_argument("--rounds", type=int, default=3)
    args = parser.parse_args()
    defaults = internals.lloyd_constants()
    assert OTHERS.keys() <= defaults.keys()
    variants = [v for name in args.constants or defaults for v in parse(name, defaults)]
    ratios, start = {}, time.perf_counter()
    for workload, shape in WORKLOADS.items():
        ratios[workload] = measure(shape, variants, args.rounds)
        print(f"{time.perf_counter() - start:6.0f} s  {workload}", file=sys.stderr, flush=True)
    workloads, table = list(ratios), np.array(list(ratios.values()))
    print(f"{'constant':32}{'default':>9}{'mean':>7}  least, largest")
    for j, variant in enumerate(variants):
        column = table[:, j]
        low, high = column.argmin(), column.argmax()
        mean = np.exp(np.log(column).mean())
        default = f"{defaults[next(iter(variant))]:g}" if len(variant) == 1 else ""
        text = ",".join(f"{name}={value:g}" for name, value in variant.items())
        print(
            f"{text:32}{default:>9}{mean:7.3f}  "
            f"{column[low]:.2f} {workloads[low]};  {column[high]:.2f} {workloads[high]}"
        )


if __name__ == "__main__":
    main()
