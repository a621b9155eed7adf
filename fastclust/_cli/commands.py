"""What the commands do: fit, select, predict."""

import contextlib
import json
import math
import os
import time
from collections import Counter
from pathlib import Path

import numpy as np
from sklearn.impute import SimpleImputer
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.utils import gen_batches

import fastclust
from fastclust import model_selection
from fastclust._algorithms.rows.block_source import open_source, passes_watched
from fastclust._algorithms.rows.source import row_slices
from fastclust._cli import model_file, tables
from fastclust._cli.files import CommandError, whole_or_not_at_all
from fastclust._missing import allows_nan
from fastclust._progress_bar import PassProgress, show_progress

BLOCK_ROWS = 2**16
"""Rows that are checked at a time."""


class _Stopwatch:
    """Seconds of the parts of a command."""

    def __init__(self):
        self.seconds = {}
        self._last = time.perf_counter()

    def stop(self, part):
        """Note the time since the last part, or the start, as that of this part."""
        now = time.perf_counter()
        self.seconds[part], self._last = now - self._last, now


# -- rows ----------------------------------------------------------------------------------------


def _pick(wanted, names, features):
    """Positions of the columns wanted: by name, or by number among the features without names."""
    if names is None:
        n = len(features)
        bad = [column for column in wanted if not column.isdecimal() or int(column) >= n]
        if bad:
            raise ValueError(f"no column {bad[0]} among the {n}, numbered from 0")
        return [features[int(column)] for column in wanted]
    counts = Counter(names)
    for column in wanted:
        if counts[column] != 1:
            count = "no" if column not in counts else "more than one"
            raise ValueError(f"{count} column {column!r}")
    positions = {name: f for f, name in enumerate(names)}
    return [positions[column] for column in wanted]


def _is_in_blocks(options):
    """Whether the rows may be read in blocks: those of a folder, and of a file with --memory."""
    return getattr(options, "memory", None) is not None or Path(options.input).is_dir()


@contextlib.contextmanager
def _at_work(options, text):
    """Context of the work on the rows, which shows how far passes over files are.

    It sets the limit of the memory for rows, if there is one, and makes ValueErrors one line about
    the file.
    """
    show_progress(text)
    memory = getattr(options, "memory", None)
    limit = contextlib.nullcontext() if memory is None else fastclust.limit_memory(memory)
    try:
        with limit, passes_watched(PassProgress(text)):
            yield
    except ValueError as error:
        raise CommandError(f"{options.input}: {' '.join(str(error).split())}") from None


def _read(options, choose, prepares, may_miss):
    """Read the table, and check what the estimators would refuse.

    Parameters
    ----------
    options : Namespace
        Those of the command.
    choose : callable
        As in `tables.read_table`.
    prepares : bool
        Whether there are steps before the estimator.
    may_miss : bool
        Whether missing values are filled in or left out.
    """
    show_progress(f"reading {options.input}")
    if _is_in_blocks(options):
        if prepares:
            text = "rows that are read in blocks can not be scaled or imputed"
            raise CommandError(f"{options.input}: {text}")
        return tables.open_table(options.input, choose)
    table = tables.read_table(options.input, choose, header=options.header)
    for part in gen_batches(len(table.X), BLOCK_ROWS):
        wrong = np.isinf(table.X[part]) if may_miss else ~np.isfinite(table.X[part])
        if wrong.any():
            row, f = np.argwhere(wrong)[0]
            is_infinite = np.isinf(table.X[part][row, f])
            advice = "fit with --impute, or --missing ignore where there is one"
            value = "infinite" if is_infinite else f"missing ({advice})"
            place = f"row {part.start + row + 1}, {table.label(f)}"
            raise CommandError(f"{options.input}: {place}: {value}")
    return table


def _prepare(options, table):
    """Fit the steps before the estimator; return them, and the rows for it."""
    steps, X = [], table.X
    if options.impute:
        imputer = SimpleImputer(strategy=options.impute_strategy).fit(X)
        for f in np.flatnonzero(np.isnan(imputer.statistics_)):
            raise CommandError(f"{options.input}: {table.label(f)}: all values are missing")
        X = imputer.transform(X)
        steps.append(("impute", imputer))
    if options.scale:
        scaler = StandardScaler()
        X = scaler.fit_transform(X)
        steps.append(("scale", scaler))
    return steps, X


# -- results -------------------------------------------------------------------------------------


def _results(estimator, X, what):
    """Columns of the output by name, and the labels."""
    labels = estimator.predict(X)
    if what == "labels":
        return {"label": labels}, labels
    if what == "scores":
        if hasattr(estimator, "score_samples"):
            return {"log_likelihood": estimator.score_samples(X)}, labels
        source = X if isinstance(X, np.ndarray) else open_source(X, allows_nan(estimator))
        blocks = row_slices(source, BLOCK_ROWS)
        distances = [estimator.transform(rows).min(axis=1) for _, rows in blocks]
        return {"distance": np.concatenate(distances)}, labels
    resp = estimator.predict_proba(X)
    return {f"p{j}": resp[:, j] for j in range(resp.shape[1])}, labels


def _check_writable(source, **paths):
    """Fail before the work, not after it."""
    given = {name: Path(path) for name, path in paths.items() if path is not None}
    for name, path in given.items():
        if source != "-" and path.resolve() == Path(source).resolve():
            raise CommandError(f"{path}: --{name} is the file that is read")
        for other in given:
            if other < name and given[other].resolve() == path.resolve():
                raise CommandError(f"{path}: --{other} and --{name} are the same file")
        if not path.parent.is_dir():
            raise CommandError(f"cannot write {path}: no such folder")
        if not os.access(path.parent, os.W_OK):
            raise CommandError(f"cannot write {path}: no permission to write to the folder")


def _kind_of_table(path):
    """Kind of a file of several columns with names, or None for no file."""
    kind = None if path is None else tables.kind_of(path)
    if kind == "npy":
        raise CommandError(f"{path}: .npy has no names of columns: choose another kind of file")
    return kind


@contextlib.contextmanager
def _writing(path, write, *arguments):
    """Write a file that appears only if the block succeeds: of nested ones, all or none appear."""
    if path is None:
        yield
        return
    show_progress(f"writing {path}")
    try:
        with whole_or_not_at_all(path) as file:
            write(file, *arguments)
            file.flush()  # a full disk is found before any file of the block appears
            yield
    except OSError as error:
        raise CommandError(f"cannot write {path}: {error.strerror or error}") from None


def _score(estimator, X, *, is_fit):
    """How well a model fits the rows, for --json."""
    if hasattr(estimator, "means_"):
        return {"log_likelihood": float(estimator.score(X))}
    # A label of a tree of clusters need not be that of the nearest center, by which `score` goes.
    return {"inertia": float(estimator.inertia_ if is_fit else -estimator.score(X))}


def _summary(table, estimator, labels, watch):
    """What --json prints of a model and the rows that it labelled, but for the score."""
    k = len(estimator.means_ if hasattr(estimator, "means_") else estimator.cluster_centers_)
    return {
        "rows": len(table.X),
        "columns": table.X.shape[1] if table.names is None else table.names,
        "seconds": watch.seconds,
        "reading_share": watch.seconds["reading"] / sum(watch.seconds.values()),
        "cluster_sizes": np.bincount(labels, minlength=k).tolist(),
    }


def _print_json(content):
    """Print as JSON, which has neither NaN nor infinity: null."""

    def plain(value):
        if isinstance(value, dict):
            return {key: plain(entry) for key, entry in value.items()}
        if isinstance(value, list | tuple):
            return [plain(entry) for entry in value]
        return None if isinstance(value, float) and not math.isfinite(value) else value

    print(json.dumps(plain(content), allow_nan=False))


# -- commands ------------------------------------------------------------------------------------


def _given(options, names):
    """Those of the options that are parameters of these names."""
    return {name: value for name, value in vars(options).items() if name in names}


def _fit_one(options, X):
    """Fit the estimator that the options name."""
    estimator = model_file.ESTIMATORS[options.estimator]()
    return estimator.set_params(**_given(options, estimator.get_params())).fit(X)


def _select_one(options, X):
    """Run the sweep that the options describe."""
    of_both = {"best_by", "max_iter", "missing", "n_init", "random_state", "tol"}
    if options.estimator == "kmeans":
        names = of_both | {"batch_size", "gap_references", "n_clusters"}
        return model_selection.select_kmeans(X, **_given(options, names))
    names = of_both | {"covariance_type", "n_components", "reg_covar"}
    return model_selection.select_gaussian_mixture(X, **_given(options, names))


def run_fit(options):
    """Fit a model, or select one of several, and save it."""
    is_selection = options.command == "select"
    output_kind = None if options.output is None else tables.kind_of(options.output)
    table_kind = _kind_of_table(options.table) if is_selection else None
    paths = {"table": options.table} if is_selection else {}
    _check_writable(options.input, model=options.model, output=options.output, **paths)
    watch = _Stopwatch()

    def choose(names, features):
        return _pick(options.columns, names, features) if options.columns else features

    may_miss = options.impute or getattr(options, "missing", "error") == "ignore"
    table = _read(options, choose, options.impute or options.scale, may_miss)
    watch.stop("reading")
    with _at_work(options, f"fitting {options.estimator} to {len(table.X):,} rows"):
        steps, X = _prepare(options, table)
        selection = _select_one(options, X) if is_selection else None
        estimator = selection.best_estimator_ if selection else _fit_one(options, X)
        columns, labels = _results(estimator, X, options.write)
        score = _score(estimator, X, is_fit=True) if options.json else {}
    watch.stop("fitting")
    pipeline = Pipeline([*steps, (model_file.name_of(estimator), estimator)])
    model = model_file.Model(pipeline, table.names, table.numbers, fastclust.__version__)
    with contextlib.ExitStack() as files:
        files.enter_context(_writing(options.model, model_file.save_model, model))
        files.enter_context(_writing(options.output, tables.write_table, output_kind, columns))
        if selection is not None:
            criteria = {name: np.array(column) for name, column in selection.table_.items()}
            files.enter_context(_writing(options.table, tables.write_table, table_kind, criteria))
    watch.stop("writing")
    if options.json:
        summary = _summary(table, estimator, labels, watch) | score
        if hasattr(estimator, "n_iter_"):  # each split of a tree of clusters has its own
            summary["iterations"] = int(estimator.n_iter_)
        if hasattr(estimator, "batch_size"):
            summary["steps"] = int(estimator.n_steps_)
        if hasattr(estimator, "converged_"):
            summary["converged"] = bool(estimator.converged_)
        if selection is not None:
            summary |= {
                "table": selection.table_,
                "choices": selection.choices_,
                "agree": selection.agree_,
                "best_by": selection.best_by_,
            }
        _print_json(summary)
    elif selection is not None:
        print(selection)


def run_predict(options):
    """Label the rows of a table by a saved model."""
    kind = tables.kind_of(options.output)
    _check_writable(options.input, output=options.output)
    watch = _Stopwatch()
    try:
        model = model_file.load_model(options.model)
    except OSError as error:
        raise CommandError(f"cannot read {options.model}: {error.strerror or error}") from None
    *steps, (_, estimator) = model.pipeline.steps
    if options.write == "probabilities" and not hasattr(estimator, "predict_proba"):
        raise CommandError(f"{options.model}: k-means has no probabilities")

    def choose(names, features):
        if names is None or model.names is None:
            return _pick([str(f) for f in model.numbers], None, features)
        return _pick(model.names, names, features)

    may_miss = "impute" in dict(steps) or allows_nan(estimator)
    table = _read(options, choose, len(steps) > 0, may_miss)
    watch.stop("reading")
    with _at_work(options, f"labelling {len(table.X):,} rows"):
        X = table.X
        for _, step in steps:
            X = step.transform(X)
        columns, labels = _results(estimator, X, options.write)
        score = _score(estimator, X, is_fit=False) if options.json else {}
    watch.stop("predicting")
    with _writing(options.output, tables.write_table, kind, columns):
        pass
    watch.stop("writing")
    if options.json:
        _print_json(_summary(table, estimator, labels, watch) | score)
