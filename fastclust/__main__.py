"""The command line: ``python -m fastclust fit|predict|demo``, or ``fastclust``."""

import argparse
import contextlib
import json
import os
import sys
import time
import warnings
from pathlib import Path

from fastclust import _tables

FIT_EXAMPLES = {
    "kmeans": """example:
  fastclust fit kmeans rows.csv --scale --impute --clusters 8 --n-init 10 \\
      --model model.npz --output labels.csv --json""",
    "gmm": """example:
  fastclust fit gmm rows.parquet --columns a,b --scale --components 5 \\
      --model model.npz --output probabilities.parquet --write probabilities""",
}
PREDICT_EXAMPLE = """example:
  fastclust predict new.csv --model model.npz --output probabilities.parquet \\
      --write probabilities"""


class CommandError(Exception):
    """Why a command failed, in one line."""


def _integer(low, high):
    """Make a parser of integers from low to high."""

    def integer(text):
        if not low <= int(text) <= high:
            raise argparse.ArgumentTypeError(f"{text} is not between {low} and {high}")
        return int(text)

    return integer


def _progress(text):
    """Show what is going on, if standard error is a terminal."""
    if sys.stderr.isatty():
        print(f"\r\x1b[K{text}", end="", file=sys.stderr, flush=True)


def _pick(wanted, names, n_columns, path):
    """Positions of the columns wanted by --columns: names, or numbers where there are none."""
    if names is None:
        bad = [column for column in wanted if not column.isdecimal() or int(column) >= n_columns]
        if bad:
            raise ValueError(f"no column {bad[0]} among the {n_columns}, numbered from 0")
        return [int(column) for column in wanted]
    for column in wanted:
        if names.count(column) != 1:
            count = "no" if column not in names else "more than one"
            raise ValueError(f"{count} column {column!r}")
    return [names.index(column) for column in wanted]


def _read(options, choose, can_impute):
    """Read the table, and check what the estimators would refuse."""
    import numpy as np

    _progress(f"reading {options.input}")
    table = _tables.read_table(options.input, choose, header=not options.no_header)
    wrong = np.isinf(table.X) if can_impute else ~np.isfinite(table.X)
    if wrong.any():
        row, f = np.argwhere(wrong)[0]
        value = "infinite" if np.isinf(table.X[row, f]) else "missing (fit with --impute)"
        raise CommandError(f"{options.input}: row {row + 1}, {table.label(f)}: {value}")
    return table


def _results(pipeline, X, what):
    """Columns of the output by name, and the labels."""
    import numpy as np

    labels = pipeline.predict(X)
    if what == "labels":
        return {"label": labels}, labels
    if what == "scores":
        if hasattr(pipeline, "score_samples"):
            return {"log_likelihood": pipeline.score_samples(X)}, labels
        return {"distance": np.min(pipeline.transform(X), axis=1)}, labels
    resp = pipeline.predict_proba(X)
    return {f"p{j}": resp[:, j] for j in range(resp.shape[1])}, labels


def _check_writable(*paths):
    """Fail before the work, not after it."""
    given = [Path(path) for path in paths if path is not None]
    if len({path.resolve() for path in given}) < len(given):
        raise CommandError(f"{given[0]}: --model and --output are the same file")
    for path in given:
        if not path.parent.is_dir():
            raise CommandError(f"cannot write {path}: no such folder")
        if not os.access(path.parent, os.W_OK):
            raise CommandError(f"cannot write {path}: no permission to write to the folder")


def _write(path, write, *arguments):
    """Open a whole file and write to it; a context, so that several appear together."""

    @contextlib.contextmanager
    def writing():
        try:
            with _tables.whole_or_not_at_all(path) as file:
                write(file, *arguments)
                yield
        except OSError as error:
            raise CommandError(f"cannot write {path}: {error.strerror or error}") from None

    return writing()


def _summarise(options, pipeline, table, labels, seconds):
    """Print the summary, if asked for."""
    import numpy as np

    if not options.json:
        return
    name, estimator = pipeline.steps[-1]
    n_clusters = estimator.n_clusters if name == "kmeans" else estimator.n_components
    summary = {
        "rows": len(table.X),
        "columns": table.X.shape[1] if table.names is None else table.names,
        "seconds": seconds,
        "reading_share": seconds["reading"] / sum(seconds.values()),
        "cluster_sizes": np.bincount(labels, minlength=n_clusters).tolist(),
    }
    if name == "kmeans":
        summary["inertia"] = -float(pipeline.score(table.X))
    else:
        summary["log_likelihood"] = float(pipeline.score(table.X))
    if options.command == "fit":
        summary["iterations"] = int(estimator.n_iter_)
        summary["converged"] = bool(
            estimator.converged_ if name == "gmm" else estimator.n_iter_ < estimator.max_iter
        )
    print(json.dumps(summary))


def run_fit(options):
    """Fit a model to a table and save it."""
    from sklearn.impute import SimpleImputer
    from sklearn.pipeline import Pipeline
    from sklearn.preprocessing import StandardScaler

    import fastclust
    from fastclust import _model_file

    kind = None if options.output is None else _tables.kind_of(options.output)
    _check_writable(options.model, options.output)
    seconds, start = {}, time.perf_counter()

    def choose(names, n_columns):
        wanted = options.columns
        if wanted is None:
            wanted = [str(f) for f in range(n_columns)] if names is None else names
        return _pick(wanted, names, n_columns, options.input)

    table = _read(options, choose, options.impute)
    seconds["reading"], start = time.perf_counter() - start, time.perf_counter()
    _progress(f"fitting {options.estimator} to {len(table.X):,} rows")
    if options.estimator == "kmeans":
        estimator = fastclust.KMeans(options.clusters, n_init=options.n_init)
    else:
        estimator = fastclust.GaussianMixture(
            options.components, covariance_type=options.covariance_type,
            reg_covar=options.reg_covar, n_init=options.n_init,
        )  # fmt: skip
    estimator.set_params(random_state=options.random_state, tol=options.tol,
                         max_iter=options.max_iter)  # fmt: skip
    steps = [("impute", SimpleImputer(strategy=options.impute))] if options.impute else []
    steps += [("scale", StandardScaler())] if options.scale else []
    pipeline = Pipeline([*steps, (options.estimator, estimator)])
    for f in range(table.X.shape[1]):
        if (table.X[:, f] != table.X[:, f]).all():
            raise CommandError(f"{options.input}: {table.label(f)}: all values are missing")
    try:
        pipeline.fit(table.X)
        columns, labels = _results(pipeline, table.X, options.write)
    except ValueError as error:
        raise CommandError(f"{options.input}: {' '.join(str(error).split())}") from None
    seconds["fitting"], start = time.perf_counter() - start, time.perf_counter()
    model = _model_file.Model(pipeline, table.names, table.numbers, fastclust.__version__)
    _progress(f"writing {options.model}")
    with contextlib.ExitStack() as files:
        files.enter_context(_write(options.model, _model_file.save_model, model))
        if kind is not None:
            files.enter_context(_write(options.output, _tables.write_table, kind, columns))
    seconds["writing"] = time.perf_counter() - start
    _summarise(options, pipeline, table, labels, seconds)


def run_predict(options):
    """Label the rows of a table by a saved model."""
    from fastclust import _model_file

    kind = _tables.kind_of(options.output)
    _check_writable(options.output)
    seconds, start = {}, time.perf_counter()
    try:
        model = _model_file.load_model(options.model)
    except OSError as error:
        raise CommandError(f"cannot read {options.model}: {error.strerror or error}") from None
    if options.write == "probabilities" and "kmeans" in model.pipeline.named_steps:
        raise CommandError(f"{options.model}: k-means has no probabilities")

    def choose(names, n_columns):
        if names is None or model.names is None:
            return _pick([str(f) for f in model.numbers], None, n_columns, options.input)
        return _pick(model.names, names, n_columns, options.input)

    table = _read(options, choose, "impute" in model.pipeline.named_steps)
    seconds["reading"], start = time.perf_counter() - start, time.perf_counter()
    _progress(f"labelling {len(table.X):,} rows")
    try:
        columns, labels = _results(model.pipeline, table.X, options.write)
    except ValueError as error:
        raise CommandError(f"{options.input}: {' '.join(str(error).split())}") from None
    seconds["predicting"], start = time.perf_counter() - start, time.perf_counter()
    _progress(f"writing {options.output}")
    with _write(options.output, _tables.write_table, kind, columns):
        pass
    seconds["writing"] = time.perf_counter() - start
    _summarise(options, model.pipeline, table, labels, seconds)


def run_demo(options):
    """Run the demo."""
    from fastclust import _demo

    return _demo.run_demo(options)


def _add_common(parser):
    """Add the options that `fit` and `predict` share."""
    parser.add_argument(
        "input", metavar="INPUT",
        help=".csv, .parquet, .arrow, .feather or .npy; - for CSV from standard input",
    )  # fmt: skip
    parser.add_argument("--model", type=Path, required=True, metavar="PATH", help="model, .npz")
    parser.add_argument("--no-header", action="store_true", help="the CSV has no line of names")
    parser.add_argument(
        "--write", choices=["labels", "probabilities", "scores"], default="labels",
        help="what --output gets; scores: log-likelihoods, or distances to the nearest center",
    )  # fmt: skip
    parser.add_argument("--json", action="store_true", help="print a summary as JSON")


def _add_fit(commands):
    fit = commands.add_parser("fit", help="fit a model to a file and save it")
    raw = argparse.RawDescriptionHelpFormatter
    fit.formatter_class, fit.epilog = raw, FIT_EXAMPLES["gmm"]
    estimators = fit.add_subparsers(dest="estimator", required=True)
    for name, n, tol, max_iter in (
        ("kmeans", "clusters", 1e-4, 300),
        ("gmm", "components", 1e-3, 100),
    ):
        parser = estimators.add_parser(name, formatter_class=raw, epilog=FIT_EXAMPLES[name])
        _add_common(parser)
        add = parser.add_argument
        add("--output", metavar="PATH", help="file of the labels, its kind by its name")
        add(
            "--columns",
            type=lambda text: text.split(","),
            metavar="A,B,C",
            help="columns to use, by name, or by number from 0 where there are no names",
        )
        add("--scale", action="store_true", help="standardise (StandardScaler)")
        add(
            "--impute",
            nargs="?",
            const="mean",
            choices=["mean", "median", "most_frequent"],
            help="fill in missing values (SimpleImputer), after INPUT on the command line",
        )
        add(f"--{n}", type=_integer(1, 2**31), default=8 if name == "kmeans" else 1, metavar="N")
        add("--n-init", type=_integer(1, 2**31), default=1, metavar="N")
        add("--max-iter", type=_integer(1, 2**31), default=max_iter, metavar="N")
        add("--tol", type=float, default=tol)
        add("--random-state", type=_integer(0, 2**32 - 1), metavar="SEED")
        if name == "gmm":
            add("--covariance-type", choices=["full", "tied", "diag", "spherical"], default="full")
            add("--reg-covar", type=float, default=1e-6)
    fit.set_defaults(run=run_fit)


def _add_predict(commands):
    parser = commands.add_parser(
        "predict", help="label the rows of a file by a saved model", epilog=PREDICT_EXAMPLE,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )  # fmt: skip
    _add_common(parser)
    parser.add_argument("--output", required=True, metavar="PATH", help="its kind by its name")
    parser.set_defaults(run=run_predict)


def _add_demo(commands):
    demo = commands.add_parser(
        "demo",
        help="KMeans and GaussianMixture on the pixels of a photograph, beside scikit-learn",
        description="Fit KMeans and GaussianMixture to the 273,280 pixels of scikit-learn's "
        "china.jpg, with fastclust and with scikit-learn, compare them, and write the photograph "
        "in the colours that KMeans found.",
        epilog="example: fastclust demo --clusters 16",
    )
    demo.add_argument(
        "--output", type=Path, metavar="PATH",
        help="the picture in KMeans's colours, a PNG file (default: china-N-colours.png)",
    )  # fmt: skip
    demo.add_argument(
        "--clusters", type=_integer(1, 4096), default=64, metavar="N",
        help="number of colours, for KMeans (default: %(default)s)",
    )  # fmt: skip
    demo.add_argument(
        "--random-state", type=_integer(0, 2**32 - 1), default=0, metavar="SEED",
        help="seed of all fits (default: %(default)s)",
    )  # fmt: skip
    demo.set_defaults(run=run_demo)


def _run(options):
    """Run a command, with warnings and errors of one line; return the exit status."""
    from fastclust._model_file import ModelFileError

    def show(message, *rest, **more):
        print(f"warning: {' '.join(str(message).split())}", file=sys.stderr)

    try:
        with warnings.catch_warnings():
            warnings.simplefilter("default")
            warnings.showwarning = show
            options.run(options)
        message, status = "", 0
    except (CommandError, ModelFileError, _tables.TableError) as error:
        message, status = f"error: {error}", 1
    except MemoryError:
        message, status = f"error: {options.input}: not enough memory", 1
    except KeyboardInterrupt:
        message, status = "interrupted", 130
    _progress("")
    if status:
        print(message, file=sys.stderr)
    return status


def main(arguments=None):
    """Run the command line; return the exit status."""
    parser = argparse.ArgumentParser(
        prog="fastclust",
        description="K-means and Gaussian mixtures for CPUs: scikit-learn's estimators and "
        "answers, many times faster.",
        epilog=FIT_EXAMPLES["kmeans"],
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    commands = parser.add_subparsers(dest="command", required=True)
    for add in (_add_fit, _add_predict, _add_demo):
        add(commands)
    options = parser.parse_args(arguments)
    if getattr(options, "estimator", None) == "kmeans" and options.write == "probabilities":
        parser.error("k-means has no probabilities")
    return run_demo(options) if options.command == "demo" else _run(options)


if __name__ == "__main__":
    sys.exit(main())
