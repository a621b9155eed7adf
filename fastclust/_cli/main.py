"""The command line: ``fastclust COMMAND``, or ``python -m fastclust COMMAND``."""

import argparse
import contextlib
import signal
import sys
import threading
import time
import warnings
from pathlib import Path

from fastclust._cli.model_options import COVARIANCE_TYPES, MIXTURES, add_model_options
from fastclust._cli.values import integer, listed, non_negative, numbers, size, some_of
from fastclust._extension import machine_code

FIT_EXAMPLES = {
    "kmeans": """example:
  fastclust fit kmeans rows.csv --scale --impute --clusters 8 --n-init 10 \\
      --model model.npz --output labels.csv --json""",
    "mini-batch-kmeans": """example:
  fastclust fit mini-batch-kmeans rows.parquet --clusters 100 --batch-size 4096 \\
      --model model.npz --output labels.parquet""",
    "bisecting-kmeans": """example:
  fastclust fit bisecting-kmeans rows.csv --scale --clusters 8 --strategy largest_cluster \\
      --model model.npz --output labels.csv""",
    "spherical-kmeans": """example:
  fastclust fit spherical-kmeans rows.npy --clusters 50 --n-init 5 \\
      --model model.npz --output distances.parquet --write scores""",
    "gmm": """example:
  fastclust fit gmm rows.parquet --columns a,b --scale --components 5 \\
      --model model.npz --output probabilities.parquet --write probabilities""",
    "bayesian-gmm": """example:
  fastclust fit bayesian-gmm rows.csv --scale --components 20 --max-iter 1000 \\
      --model model.npz --output labels.csv --json""",
}
SELECT_EXAMPLES = {
    "kmeans": """example:
  fastclust select kmeans rows.csv --scale --clusters 2-15 --by silhouette --model best.npz""",
    "gmm": """example:
  fastclust select gmm rows.csv --components 1-8 --covariance-types full,diag \\
      --table criteria.csv""",
}
PREDICT_EXAMPLE = """example:
  fastclust predict new.csv --model model.npz --output probabilities.parquet \\
      --write probabilities"""

KMEANS_CRITERIA = (
    "elbow", "silhouette", "simplified_silhouette", "davies_bouldin", "calinski_harabasz", "gap",
    "stability",
)  # fmt: skip
MIXTURE_CRITERIA = "bic", "aic", "icl", "bayesian"
IN_BLOCKS = "kmeans", "mini-batch-kmeans", "spherical-kmeans", "gmm"
"""Estimators that read rows of files in blocks."""

DTYPES = "float32", "float64"


# -- arguments -----------------------------------------------------------------------------------


def _add_command(commands, name, text, example, **more):
    """Add a command whose help ends with an example."""
    return commands.add_parser(
        name, help=text, description=f"{text[0].upper()}{text[1:]}.", epilog=example,
        formatter_class=argparse.RawDescriptionHelpFormatter, **more,
    )  # fmt: skip


def _add_rows(parser, *, saves):
    """Add the options of all commands that read rows; `saves` says what --model is."""
    parser.add_argument(
        "input", metavar="INPUT",
        help=".csv, .parquet, .arrow, .feather or .npy; - for CSV from standard input; a folder of "
        "Parquet or .npy files, which are read in blocks if they are many",
    )  # fmt: skip
    parser.add_argument(
        "--header", action=argparse.BooleanOptionalAction,
        help="whether the first line of a CSV has the names (default: it has; must be said if "
        "that line is of numbers or booleans)",
    )  # fmt: skip
    parser.add_argument("--model", type=Path, required=saves != "maybe", metavar="PATH",
                        help="model, .npz")  # fmt: skip
    parser.add_argument(
        "--output", required=saves == "no", metavar="PATH",
        help="file of the labels, its kind by its name",
    )  # fmt: skip
    parser.add_argument(
        "--write", choices=["labels", "probabilities", "scores"], default="labels",
        help="what --output gets; scores: log-likelihoods, or distances to the nearest center",
    )  # fmt: skip
    parser.add_argument(
        "--json", action="store_true",
        help="print a summary as JSON; null where a number is infinite or not defined",
    )  # fmt: skip


def _add_memory(add):
    """Add the option of commands that can read rows in blocks."""
    add("--memory", type=size, metavar="SIZE",
        help="as 2GB: have rows of a .npy or Parquet file or a folder take no more memory, and "
        "read them in blocks (default: half of what is left; a file is read whole)")  # fmt: skip


def _add_estimators(commands, command, text, examples, *, saves):
    """Add a command that fits, with a command of its own for each estimator of the examples."""
    parser = _add_command(commands, command, text, examples["gmm"])
    estimators = parser.add_subparsers(dest="estimator", required=True)
    titles = {
        "kmeans": "k-means",
        "mini-batch-kmeans": "k-means by batches",
        "bisecting-kmeans": "bisecting k-means",
        "spherical-kmeans": "k-means by cosine",
        "gmm": "Gaussian mixtures",
        "bayesian-gmm": "Bayesian Gaussian mixtures, which keep the components that are needed",
    }
    for name, example in examples.items():
        parser = _add_command(estimators, name, titles[name], example)
        _add_rows(parser, saves=saves)
        add = parser.add_argument
        add("--columns", type=listed, metavar="A,B,C",
            help="columns to use, by name, or by number from 0 if there are no names")  # fmt: skip
        add("--scale", action="store_true", help="standardise (StandardScaler)")
        add("--impute", action="store_true", help="fill in missing values (SimpleImputer)")
        add("--impute-strategy", choices=["mean", "median", "most_frequent"], default="mean",
            help="what --impute fills in (default: %(default)s)")  # fmt: skip
        # Without these the defaults of the estimator, or of the sweep, hold.
        add("--n-init", type=integer(1, 2**31), default=argparse.SUPPRESS, metavar="N")
        add("--max-iter", type=integer(1, 2**31), default=argparse.SUPPRESS, metavar="N")
        add("--tol", type=non_negative, default=argparse.SUPPRESS)
        add("--random-state", type=integer(0, 2**32 - 1), metavar="SEED")
        if name in MIXTURES:
            add("--reg-covar", type=non_negative, default=argparse.SUPPRESS)
        if command == "fit" and name in IN_BLOCKS:
            _add_memory(add)
        (_add_sweep if command == "select" else add_model_options)(add, name)


def _add_sweep(add, name):
    """Add what describes a sweep over models, by the names of the function's parameters."""
    add("--table", metavar="PATH", help="file of the criteria, its kind by its name")
    add_model_options(add, name, "missing")
    default = "2-15" if name == "kmeans" else "1-10"
    count = {
        "type": numbers,
        "metavar": "RANGE",
        "help": f"such as 2-10,15,20 (default: {default}, as far as there are rows)",
    }
    if name == "kmeans":
        add("--clusters", dest="n_clusters", **count)
        add("--by", dest="best_by", choices=KMEANS_CRITERIA,
            help="what chooses the model (default: silhouette, if it is defined)")  # fmt: skip
        add("--batch-size", type=integer(1, 2**31), metavar="N",
            help="rows in a batch of k-means by batches (default: k-means without)")  # fmt: skip
        add("--gap-references", type=integer(0, 2**31), default=10, metavar="N",
            help="samples for the gap statistic (default: %(default)s)")  # fmt: skip
    else:
        add("--components", dest="n_components", **count)
        add("--by", dest="best_by", choices=MIXTURE_CRITERIA, default="bic",
            help="what chooses the model (default: %(default)s)")  # fmt: skip
        add("--covariance-types", dest="covariance_type", type=some_of(*COVARIANCE_TYPES),
            default=COVARIANCE_TYPES, metavar="A,B",
            help=f"of {', '.join(COVARIANCE_TYPES)} (default: all)")  # fmt: skip


def _add_warmup(commands):
    """Add the command `warmup`."""
    parser = _add_command(
        commands, "warmup", "compile every kernel, for the image of a container or for a server",
        "example:\n  FASTCLUST_CACHE_DIR=/var/cache/fastclust fastclust warmup --dtypes float64",
    )  # fmt: skip
    parser.add_argument("--dtypes", type=some_of(*DTYPES), default=DTYPES, metavar="A,B",
                        help="types of the rows to come (default: float32,float64)")  # fmt: skip


def _add_demo(commands):
    """Add the command `demo`."""
    demo = _add_command(
        commands, "demo",
        "KMeans and GaussianMixture on the pixels of a photograph, beside scikit-learn",
        "example:\n  fastclust demo --clusters 16",
    )  # fmt: skip
    demo.description = (
        "Fit KMeans and GaussianMixture to the 273,280 pixels of scikit-learn's china.jpg, with "
        "fastclust and with\nscikit-learn, compare them, and write the photograph in the colours "
        "that KMeans found."
    )
    demo.add_argument(
        "--output", type=Path, metavar="PATH",
        help="the picture in KMeans's colours, a PNG file (default: china-N-colours.png)",
    )  # fmt: skip
    demo.add_argument(
        "--clusters", type=integer(1, 4096), default=64, metavar="N",
        help="number of colours, for KMeans (default: %(default)s)",
    )  # fmt: skip
    demo.add_argument(
        "--random-state", type=integer(0, 2**32 - 1), default=0, metavar="SEED",
        help="seed of all fits (default: %(default)s)",
    )  # fmt: skip


def _parser():
    """Parser of all commands and their options."""
    parser = argparse.ArgumentParser(
        prog="fastclust",
        description="K-means and Gaussian mixtures for CPUs: scikit-learn's estimators and "
        "answers, many times faster.",
        epilog=FIT_EXAMPLES["kmeans"],
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    commands = parser.add_subparsers(dest="command", required=True)
    text = "fit a model to a file and save it"
    _add_estimators(commands, "fit", text, FIT_EXAMPLES, saves="yes")
    text = "fit several models to a file, compare them by every criterion, and save the best"
    _add_estimators(commands, "select", text, SELECT_EXAMPLES, saves="maybe")
    text = "label the rows of a file by a saved model"
    predict = _add_command(commands, "predict", text, PREDICT_EXAMPLE)
    _add_rows(predict, saves="no")
    _add_memory(predict.add_argument)
    _add_warmup(commands)
    text = "say which kernels run here, on how many threads, and why"
    _add_command(commands, "config", text, "example:\n  FASTCLUST_LEVEL=v3 fastclust config")
    _add_demo(commands)
    return parser


# -- running -------------------------------------------------------------------------------------


def _run_warmup(options):
    """Run `fastclust warmup`."""
    import fastclust

    start = time.perf_counter()
    fastclust.warmup(options.dtypes)
    print(f"every kernel is compiled ({time.perf_counter() - start:.1f} s)")


def _run_config():
    """Run `fastclust config`."""
    import fastclust

    fastclust.show_config()


def _call(options):
    """Run a command; return the exit status, and why it failed or None."""
    if options.command == "config":  # also where settings are wrong, and all else cannot be loaded
        _run_config()
        return 0, None
    try:
        machine_code()
    except (RuntimeError, ValueError) as error:
        return 1, str(error)
    from fastclust._cli import commands, demo
    from fastclust._cli.files import CommandError
    from fastclust._progress_bar import show_progress

    run = {
        "fit": commands.run_fit,
        "select": commands.run_fit,
        "predict": commands.run_predict,
        "warmup": _run_warmup,
        "demo": demo.run_demo,
    }[options.command]
    try:
        run(options)
    except CommandError as error:
        return error.status, str(error)
    except MemoryError as error:
        what = getattr(options, "input", options.command)
        return 1, f"{what}: {str(error) or 'not enough memory'}"
    finally:
        show_progress("")
    return 0, None


@contextlib.contextmanager
def _terminating_cleanly():
    """Context in which SIGTERM goes through the code that removes half-written files."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return

    def terminate(number, frame):
        raise SystemExit(128 + number)

    before = signal.signal(signal.SIGTERM, terminate)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


def main(arguments=None):
    """Run the command line; return the exit status."""
    parser = _parser()
    options = parser.parse_args(arguments)
    has_centers = getattr(options, "estimator", "gmm") not in MIXTURES
    if has_centers and options.write == "probabilities":
        parser.error("k-means has no probabilities")
    with _terminating_cleanly(), warnings.catch_warnings():
        warnings.simplefilter("default")
        warnings.showwarning = lambda message, *rest, **more: print(
            f"warning: {' '.join(str(message).split())}", file=sys.stderr
        )
        try:
            status, failure = _call(options)
        except KeyboardInterrupt:
            print("interrupted", file=sys.stderr)
            return 130
    if failure:
        print(f"error: {failure}", file=sys.stderr)
    return status
