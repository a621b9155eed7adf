"""The commands: what they write is what the estimators give, whatever the kind of file."""

import io
import json
import os
import signal
import subprocess
import sys
import time

import numpy as np
import pandas as pd
import pytest
import sklearn.cluster
import sklearn.mixture
from sklearn.impute import SimpleImputer
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

import fastclust
from fastclust import model_selection
from fastclust._cli import main as cli
from fastclust._cli.main import main

pytest.importorskip("pyarrow")

WRITERS = {
    "csv": lambda frame, path: frame.to_csv(path, index=False),
    "parquet": lambda frame, path: frame.to_parquet(path),
    "feather": lambda frame, path: frame.to_feather(path),
    "npy": lambda frame, path: np.save(path, frame[["a", "b"]].to_numpy()),
}
READERS = {
    "csv": pd.read_csv,
    "parquet": pd.read_parquet,
    "feather": pd.read_feather,
    "npy": lambda path: pd.DataFrame(np.load(path)),
}


@pytest.fixture
def frame():
    rng = np.random.default_rng(0)
    rows = rng.normal(size=(200, 2)) * [1, 30] + 8 * np.arange(4).repeat(50)[:, None] * [1, 30]
    frame = pd.DataFrame(rows, columns=["a", "b"])
    frame.loc[::17, "b"] = np.nan
    return frame.assign(word="x")


def run(*arguments):
    """Run a command that succeeds."""
    assert main([str(argument) for argument in arguments]) == 0


# -- fit and predict -----------------------------------------------------------------------------

MINI_BATCH = sklearn.cluster.MiniBatchKMeans(4, n_init=3, random_state=0)
BAYESIAN = sklearn.mixture.BayesianGaussianMixture(
    n_components=4, n_init=3, tol=1.0, random_state=0
)
BISECTING = sklearn.cluster.BisectingKMeans(4, n_init=3, random_state=0)


@pytest.mark.parametrize("kind", WRITERS)
@pytest.mark.parametrize(
    ("estimator", "theirs", "write"),
    [
        ("kmeans", sklearn.cluster.KMeans(4, n_init=3, random_state=0), "labels"),
        ("kmeans", sklearn.cluster.KMeans(4, n_init=3, random_state=0), "scores"),
        ("mini-batch-kmeans", MINI_BATCH, "labels"),
        ("bisecting-kmeans", BISECTING, "labels"),
        ("gmm", sklearn.mixture.GaussianMixture(4, n_init=3, random_state=0), "probabilities"),
        ("gmm", sklearn.mixture.GaussianMixture(4, n_init=3, random_state=0), "scores"),
        ("bayesian-gmm", BAYESIAN, "probabilities"),
        ("bayesian-gmm", BAYESIAN, "scores"),
    ],
)
def test_files_hold_what_a_pipeline_of_scikit_learn_gives(
    frame, tmp_path, kind, estimator, theirs, write
):
    rows, model = tmp_path / f"rows.{kind}", tmp_path / "model.npz"
    outputs = [tmp_path / f"{command}.{kind}" for command in ("fit", "predict")]
    WRITERS[kind](frame, rows)
    count = "--components" if estimator in cli.MIXTURES else "--clusters"
    columns = [] if kind == "npy" else ["--columns", "a,b"]
    how = ["--impute", "--scale", count, 4, "--n-init", 3, "--random-state", 0, *columns]
    how += ["--tol", 1] if estimator == "bayesian-gmm" else []
    run("fit", estimator, *how, rows, "--model", model, "--write", write, "--output", outputs[0])
    run("predict", rows, "--model", model, "--write", write, "--output", outputs[1])
    X = frame[["a", "b"]].to_numpy()
    pipeline = make_pipeline(SimpleImputer(), StandardScaler(), theirs).fit(X)
    expected = {
        "labels": lambda: pipeline.predict(X)[:, None],
        "probabilities": lambda: pipeline.predict_proba(X),
        "scores": lambda: (
            pipeline.score_samples(X)[:, None]
            if estimator in cli.MIXTURES
            else pipeline.transform(X).min(axis=1)[:, None]
        ),
    }[write]()
    for output in outputs:
        # Files hold all digits; the model in a file is the same but for the order of some sums.
        np.testing.assert_allclose(READERS[kind](output), expected, rtol=1e-9, atol=1e-12)


def test_a_loaded_model_knows_how_it_was_fitted(frame, tmp_path):
    from fastclust._cli.model_file import load_model

    rows, model = tmp_path / "rows.csv", tmp_path / "model.npz"
    frame.dropna().to_csv(rows, index=False)
    X = frame.dropna()[["a", "b"]].to_numpy()
    for name, expected in (
        ("kmeans", fastclust.KMeans(8, random_state=0).fit(X)),
        ("mini-batch-kmeans", fastclust.MiniBatchKMeans(8, random_state=0).fit(X)),
        ("bisecting-kmeans", fastclust.BisectingKMeans(8, random_state=0).fit(X)),
        ("spherical-kmeans", fastclust.SphericalKMeans(8, random_state=0).fit(X)),
        ("gmm", fastclust.GaussianMixture(random_state=0).fit(X)),
        ("bayesian-gmm", fastclust.BayesianGaussianMixture(random_state=0).fit(X)),
    ):
        run("fit", name, rows, "--columns", "a,b", "--random-state", 0, "--model", model)
        loaded = load_model(model).pipeline[-1]
        for key in ("inertia_", "n_iter_", "n_steps_", "converged_", "lower_bound_"):
            if hasattr(expected, key):
                assert getattr(loaded, key) == getattr(expected, key)


def test_spherical_kmeans_writes_cosine_distances(frame, tmp_path, capsys):
    rows, model, output = (tmp_path / name for name in ("rows.csv", "m.npz", "out.csv"))
    X = frame.dropna()[["a", "b"]]
    X.to_csv(rows, index=False)
    expected = fastclust.SphericalKMeans(3, n_init=2, random_state=0).fit(X)
    to = "--model", model, "--output", output, "--write", "scores", "--json"
    how = "--clusters", 3, "--n-init", 2, "--random-state", 0
    for command in (["fit", "spherical-kmeans", rows, *how, *to], ["predict", rows, *to]):
        run(*command)
        summary = json.loads(capsys.readouterr().out)
        assert summary["inertia"] == pytest.approx(expected.inertia_, rel=1e-9)
        assert summary["cluster_sizes"] == np.bincount(expected.labels_).tolist()
        distances = expected.transform(X).min(axis=1)
        np.testing.assert_allclose(pd.read_csv(output)["distance"], distances, rtol=1e-12)
    refused = ["predict", rows, "--model", model, "--output", output, "--write", "probabilities"]
    assert main([str(word) for word in refused]) == 1
    assert "k-means has no probabilities" in capsys.readouterr().err
    with pytest.raises(SystemExit, match="2"):
        main([str(word) for word in ["fit", "spherical-kmeans", *refused[1:]]])
    rows.write_text("a,b\n1,2\n0,0\n3,4\n")
    fit = ["fit", "spherical-kmeans", rows, "--clusters", 2, "--model", model]
    assert main([str(word) for word in fit]) == 1
    assert f"error: {rows}: 1 of 3 rows is zero" in capsys.readouterr().err


@pytest.mark.parametrize("kind", WRITERS)
@pytest.mark.parametrize(
    ("name", "estimator"),
    [("kmeans", fastclust.KMeans), ("mini-batch-kmeans", fastclust.MiniBatchKMeans)],
)
def test_missing_values_are_left_out(frame, tmp_path, kind, name, estimator):
    rows, model = tmp_path / f"rows.{kind}", tmp_path / "model.npz"
    outputs = [tmp_path / f"{command}.{kind}" for command in ("fit", "predict")]
    WRITERS[kind](frame, rows)
    columns = [] if kind == "npy" else ["--columns", "a,b"]
    how = ["--missing", "ignore", "--scale", "--clusters", 4, "--random-state", 0, *columns]
    run("fit", name, *how, rows, "--model", model, "--write", "scores", "--output", outputs[0])
    run("predict", rows, "--model", model, "--write", "scores", "--output", outputs[1])
    kmeans = estimator(4, random_state=0, missing="ignore")
    X = frame[["a", "b"]].to_numpy()
    pipeline = make_pipeline(StandardScaler(), kmeans).fit(X)
    expected = pipeline.transform(X).min(axis=1)[:, None]
    for output in outputs:
        np.testing.assert_allclose(READERS[kind](output), expected, rtol=1e-6, atol=1e-9)


@pytest.mark.parametrize("kind", WRITERS)
def test_mixtures_leave_missing_values_out(frame, tmp_path, kind):
    rows, model = tmp_path / f"rows.{kind}", tmp_path / "model.npz"
    outputs = [tmp_path / f"{command}.{kind}" for command in ("fit", "predict")]
    WRITERS[kind](frame, rows)
    columns = [] if kind == "npy" else ["--columns", "a,b"]
    how = ["--missing", "ignore", "--scale", "--components", 4, "--random-state", 0, *columns]
    write = ["--write", "probabilities", "--output"]
    run("fit", "gmm", *how, rows, "--model", model, *write, outputs[0])
    run("predict", rows, "--model", model, *write, outputs[1])
    mixture = fastclust.GaussianMixture(4, random_state=0, missing="ignore")
    X = frame[["a", "b"]].to_numpy()
    expected = make_pipeline(StandardScaler(), mixture).fit(X).predict_proba(X)
    for output in outputs:
        np.testing.assert_allclose(READERS[kind](output), expected, rtol=1e-6, atol=1e-9)


@pytest.mark.parametrize("strategy", [[], ["--impute-strategy", "median"]])
def test_impute_may_stand_anywhere(frame, tmp_path, strategy, capsys):
    rows, model = tmp_path / "rows.csv", tmp_path / "model.npz"
    frame.to_csv(rows, index=False)
    summaries = []
    for arguments in (["--impute", rows], [rows, "--impute"]):
        run("fit", "kmeans", *strategy, *arguments, "--columns", "a,b", "--random-state", 0,
            "--json", "--model", model)  # fmt: skip
        summaries.append(json.loads(capsys.readouterr().out))
    assert summaries[0]["inertia"] == summaries[1]["inertia"]


def test_only_the_columns_chosen_are_read(frame, tmp_path, monkeypatch):
    import pyarrow.csv
    import pyarrow.feather
    import pyarrow.parquet

    read = []
    for module, name in ((pyarrow.csv, "read_csv"), (pyarrow.parquet, "read_table"),
                         (pyarrow.feather, "read_table")):  # fmt: skip
        whole = getattr(module, name)
        monkeypatch.setattr(
            module, name, lambda *args, f=whole, **more: read.append(f(*args, **more)) or read[-1]
        )
    for kind in ("csv", "parquet", "feather"):
        WRITERS[kind](frame, tmp_path / f"rows.{kind}")
        run("fit", "kmeans", tmp_path / f"rows.{kind}", "--columns", "a",
            "--model", tmp_path / "m.npz")  # fmt: skip
    assert [table.column_names for table in read] == [["a"]] * 3


def test_the_last_row_is_checked_as_the_first(tmp_path, monkeypatch, capsys):
    from fastclust._cli import commands

    monkeypatch.setattr(commands, "BLOCK_ROWS", 7)  # no option of the command
    X = np.arange(40.0).reshape(20, 2)
    X[19, 1] = np.inf
    np.save(tmp_path / "rows.npy", X)
    fit = ["fit", "kmeans", str(tmp_path / "rows.npy"), "--impute", "--model"]
    assert main([*fit, str(tmp_path / "m.npz")]) == 1
    assert "rows.npy: row 20, column 1: infinite" in capsys.readouterr().err
    X[:, 1] = np.nan
    np.save(tmp_path / "rows.npy", X)
    assert main([*fit, str(tmp_path / "m.npz")]) == 1
    assert "rows.npy: column 1: all values are missing" in capsys.readouterr().err
    assert not (tmp_path / "m.npz").exists()


@pytest.mark.parametrize("from_stdin", [False, True])
def test_rows_of_another_length_are_named(tmp_path, monkeypatch, from_stdin, capsys):
    path = tmp_path / "rows.csv"
    text = "a,b\n" + "1,2\n" * 99_998 + "1,2,3\n" + "3,4\n" * 1000
    path.write_text(text)
    if from_stdin:
        monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(text.encode())))
    name = "-" if from_stdin else str(path)
    assert main(["fit", "kmeans", name, "--model", str(tmp_path / "m.npz")]) == 1
    assert f"error: {name}: row 99999: 3 columns, not 2" in capsys.readouterr().err


# -- select --------------------------------------------------------------------------------------


def test_select_kmeans_saves_the_choice_of_its_criterion(frame, tmp_path, capsys):
    rows, model, table, labels = (
        tmp_path / name for name in ("rows.csv", "m.npz", "table.csv", "labels.csv")
    )
    frame.dropna().to_csv(rows, index=False)
    select = ["select", "kmeans", rows, "--columns", "a,b", "--clusters", "2-4,6", "--n-init", 2]
    select += ["--random-state", 0, "--gap-references", 3, "--by", "calinski_harabasz"]
    run(*select)
    shown = capsys.readouterr().out
    run(*select, "--model", model, "--table", table, "--output", labels, "--json")
    summary = json.loads(capsys.readouterr().out)
    X = frame.dropna()[["a", "b"]].to_numpy()
    expected = model_selection.select_kmeans(
        X, [2, 3, 4, 6], n_init=2, random_state=0, gap_references=3, best_by="calinski_harabasz"
    )
    best = expected.best_estimator_
    assert summary["choices"] == expected.choices_
    assert summary["best_by"] == "calinski_harabasz"
    assert summary["table"]["inertia"] == expected.table_["inertia"]
    assert str(expected).splitlines()[-1] == shown.splitlines()[-1]
    np.testing.assert_allclose(pd.read_csv(table)["gap"], expected.table_["gap"])
    np.testing.assert_array_equal(pd.read_csv(labels)["label"], best.labels_)
    run("predict", rows, "--model", model, "--output", labels)
    np.testing.assert_array_equal(pd.read_csv(labels)["label"], best.labels_)


def test_select_kmeans_by_batches(frame, tmp_path, capsys):
    """With the defaults of `MiniBatchKMeans`, and so do its model and predictions."""
    rows, model, labels = (tmp_path / name for name in ("rows.csv", "m.npz", "labels.csv"))
    frame.dropna().to_csv(rows, index=False)
    select = ["select", "kmeans", rows, "--columns", "a,b", "--clusters", "3-5", "--n-init", 2]
    select += ["--random-state", 0, "--gap-references", 1, "--batch-size", 32, "--json"]
    run(*select, "--model", model, "--output", labels)
    summary = json.loads(capsys.readouterr().out)
    expected = model_selection.select_kmeans(
        frame.dropna()[["a", "b"]].to_numpy(), range(3, 6), n_init=2, random_state=0,
        gap_references=1, batch_size=32,
    )  # fmt: skip
    assert summary["table"]["inertia"] == expected.table_["inertia"]
    assert summary["table"]["gap"] == expected.table_["gap"]
    best = expected.best_estimator_
    np.testing.assert_array_equal(pd.read_csv(labels)["label"], best.labels_)
    run("predict", rows, "--model", model, "--output", labels)
    np.testing.assert_array_equal(pd.read_csv(labels)["label"], best.labels_)


def test_select_gmm_tries_the_covariance_types(frame, tmp_path, capsys):
    rows, table = tmp_path / "rows.csv", tmp_path / "criteria.parquet"
    frame.dropna().to_csv(rows, index=False)
    run("select", "gmm", "--covariance-types", "diag,full", rows, "--columns", "a,b",
        "--components", "1-3", "--random-state", 0, "--json", "--table", table)  # fmt: skip
    summary = json.loads(capsys.readouterr().out)
    X = frame.dropna()[["a", "b"]].to_numpy()
    expected = model_selection.select_gaussian_mixture(
        X, range(1, 4), covariance_type=["diag", "full"], random_state=0
    )
    assert summary["choices"]["bic"] == list(expected.choices_["bic"])
    assert summary["table"]["bic"] == expected.table_["bic"]
    assert list(pd.read_parquet(table)["covariance_type"]) == expected.table_["covariance_type"]


def test_select_leaves_missing_values_out(frame, tmp_path, capsys):
    rows, model, labels = (tmp_path / name for name in ("rows.csv", "m.npz", "labels.csv"))
    frame.to_csv(rows, index=False)
    X = frame[["a", "b"]].to_numpy()
    assert np.isnan(X).any()
    select = [rows, "--columns", "a,b", "--missing", "ignore", "--random-state", 0, "--json"]
    run("select", "kmeans", *select, "--clusters", "2-4", "--n-init", 2, "--gap-references", 1,
        "--model", model, "--output", labels)  # fmt: skip
    summary = json.loads(capsys.readouterr().out)
    expected = model_selection.select_kmeans(
        X, [2, 3, 4], n_init=2, gap_references=1, random_state=0, missing="ignore"
    )
    for name in "inertia", "simplified_silhouette", "gap":
        assert summary["table"][name] == expected.table_[name]
    best = expected.best_estimator_
    np.testing.assert_array_equal(pd.read_csv(labels)["label"], best.labels_)
    run("predict", rows, "--model", model, "--output", labels)
    np.testing.assert_array_equal(pd.read_csv(labels)["label"], best.labels_)
    run("select", "gmm", *select, "--components", "1-3", "--covariance-types", "diag")
    summary = json.loads(capsys.readouterr().out)
    expected = model_selection.select_gaussian_mixture(
        X, [1, 2, 3], covariance_type="diag", random_state=0, missing="ignore"
    )
    assert summary["table"]["bic"] == expected.table_["bic"]


def test_json_has_no_nan(frame, tmp_path, capsys):
    rows = tmp_path / "rows.csv"
    frame.dropna().to_csv(rows, index=False)
    run("select", "kmeans", rows, "--columns", "a,b", "--clusters", "2-3", "--n-init", 1,
        "--gap-references", 0, "--json")  # fmt: skip

    def refuse(constant):
        raise AssertionError(constant)

    summary = json.loads(capsys.readouterr().out, parse_constant=refuse)
    assert summary["table"]["gap"] == [None, None]
    assert summary["choices"]["gap"] is None


def test_json_has_no_infinity(tmp_path, capsys):
    """Of four points each in many rows, four clusters explain everything."""
    rows = tmp_path / "rows.csv"
    points = pd.DataFrame({"a": [0, 0, 2, 2], "b": [0, 2, 0, 2]})
    pd.concat([points] * 20).to_csv(rows, index=False)
    run("select", "kmeans", rows, "--clusters", "1-5", "--by", "gap", "--random-state", 0, "--json")

    def refuse(constant):
        raise AssertionError(constant)

    summary = json.loads(capsys.readouterr().out, parse_constant=refuse)
    assert summary["choices"]["gap"] == summary["choices"]["calinski_harabasz"] == 4
    assert summary["table"]["gap"][3:] == [None, None]
    assert summary["table"]["calinski_harabasz"][3:] == [None, None]
    with pytest.raises(SystemExit):
        main(["select", "kmeans", "--help"])
    assert "null where a number is" in capsys.readouterr().out


@pytest.mark.parametrize("estimator", ["kmeans", "gmm"])
def test_default_ranges_end_below_the_number_of_rows(tmp_path, capsys, estimator):
    rows = tmp_path / "rows.csv"
    pd.DataFrame({"a": [0.0, 1, 7, 8, 15]}).to_csv(rows, index=False)
    run("select", estimator, rows, "--random-state", 0, "--json")
    table = json.loads(capsys.readouterr().out)["table"]
    name = "n_clusters" if estimator == "kmeans" else "n_components"
    assert max(table[name]) == 4


@pytest.mark.parametrize("text", ["", "2-", "x", "2-4,", "-3"])
def test_numbers_that_are_none(text, capsys):
    with pytest.raises(SystemExit, match="2"):
        main(["select", "kmeans", "rows.csv", f"--clusters={text}"])
    if text:
        assert "is no number or range" in capsys.readouterr().err


def test_options_name_what_there_is():
    from fastclust._algorithms.mixture.covariance import COVARIANCE_TYPES
    from fastclust._cli import model_file
    from fastclust.model_selection import _criteria

    assert list(cli.FIT_EXAMPLES) == list(model_file.ESTIMATORS)
    mixtures = [name for name, kind in model_file.ESTIMATORS.items() if hasattr(kind, "sample")]
    assert list(cli.MIXTURES) == mixtures
    assert cli.KMEANS_CRITERIA == _criteria.KMEANS_CRITERIA
    assert cli.MIXTURE_CRITERIA == _criteria.MIXTURE_CRITERIA
    assert list(cli.COVARIANCE_TYPES) == list(COVARIANCE_TYPES)
    assert list(cli.DTYPES) == list(fastclust._warmup.DTYPES)


NO_OPTION = {
    "algorithm", "compute_labels", "copy_x", "verbose", "verbose_interval", "warm_start",
    "covariance_prior", "mean_prior", "means_init", "precisions_init", "weights_init",
}  # fmt: skip
"""Parameters that change no answer, or are arrays."""


@pytest.mark.parametrize("name", cli.FIT_EXAMPLES)
def test_options_of_an_estimator_are_its_parameters(name):
    from fastclust._cli import model_file
    from fastclust._cli.model_options import MODEL_OPTIONS

    kind = model_file.ESTIMATORS[name]
    defaults = kind().get_params()
    options = [option for option in MODEL_OPTIONS if name in option.estimators]
    of_all = {"n_init", "max_iter", "tol", "random_state"} | (
        {"reg_covar"} if name in cli.MIXTURES else set()
    )
    assert {option.parameter for option in options} | of_all == set(defaults) - NO_OPTION
    for option in options:
        rules = kind._rules[option.parameter]
        assert option.default == defaults[option.parameter]
        for word in option.choices or ():
            assert any(rule.test(word) for rule in rules)
            assert sum(f"'{word}'" in rule.text for rule in rules) == 1
        if option.choices:
            words = next(rule.text for rule in rules if f"'{option.default}'" in rule.text)
            assert words.count("'") == 2 * len(option.choices)  # none is missing


@pytest.mark.parametrize(
    ("name", "options", "parameters"),
    [
        (
            "kmeans",
            ["--init", "k-means||", "--oversampling-factor", "1.5", "--init-rounds", "3"],
            {"init": "k-means||", "oversampling_factor": 1.5, "init_rounds": 3},
        ),
        ("spherical-kmeans", ["--init", "random"], {"init": "random"}),  # ten runs
        (
            "mini-batch-kmeans",
            [
                *["--init", "random", "--init-size", "90", "--max-no-improvement", "none"],
                *["--reassignment-ratio", "0.2", "--batch-size", "40", "--max-iter", "3"],
            ],
            {
                "init": "random", "init_size": 90, "max_no_improvement": None, "max_iter": 3,
                "reassignment_ratio": 0.2, "batch_size": 40,
            },
        ),
        ("bisecting-kmeans", ["--init", "k-means++"], {"init": "k-means++"}),
        (
            "gmm",
            ["--init-params", "random", "--on-singular", "regularize"],
            {"init_params": "random", "on_singular": "regularize"},
        ),
        (
            "bayesian-gmm",
            ["--init-params", "k-means++", "--tol", "10"],
            {"init_params": "k-means++", "tol": 10.0},
        ),
    ],
)  # fmt: skip
def test_options_do_what_parameters_do(name, options, parameters, frame, tmp_path, capsys):
    from fastclust._cli import model_file

    rows, output = tmp_path / "rows.npy", tmp_path / "labels.npy"
    X = frame.dropna()[["a", "b"]].to_numpy()
    np.save(rows, X)
    groups = "components" if name in cli.MIXTURES else "clusters"
    parameters = {f"n_{groups}": 4, "random_state": 0, **parameters}
    expected = model_file.ESTIMATORS[name](**parameters).fit(X)
    how = [f"--{groups}", 4, "--random-state", 0]
    to = ["--model", tmp_path / "m.npz", "--output", output, "--json"]
    run("fit", name, rows, *how, *options, *to)
    np.testing.assert_array_equal(np.load(output), expected.predict(X))
    summary = json.loads(capsys.readouterr().out)
    assert summary.get("iterations") == getattr(expected, "n_iter_", None)
    is_batch = name == "mini-batch-kmeans"
    assert summary.get("steps") == (expected.n_steps_ if is_batch else None)


def test_the_inertia_of_a_fit_is_that_of_its_labels(tmp_path, capsys):
    """Rows of a tree of clusters need not have the label of the nearest center."""
    X = np.random.default_rng(0).normal(size=(300, 2))
    rows, labels = tmp_path / "rows.npy", tmp_path / "labels.npy"
    np.save(rows, X)
    expected = fastclust.BisectingKMeans(7, random_state=0).fit(X)
    assert expected.inertia_ > -1.01 * expected.score(X)
    how = "--clusters", 7, "--random-state", 0, "--json", "--output", labels
    run("fit", "bisecting-kmeans", rows, *how, "--model", tmp_path / "m.npz")
    found = json.loads(capsys.readouterr().out)["inertia"]
    to_center = X - expected.cluster_centers_[np.load(labels)]
    assert found == pytest.approx(np.square(to_center).sum(), rel=1e-12)


# -- in a shell ----------------------------------------------------------------------------------


def test_warmup_command(monkeypatch, capsys):
    asked = []
    monkeypatch.setattr(fastclust, "warmup", asked.append)
    run("warmup", "--dtypes", "float32")
    assert asked == [["float32"]]
    assert "every kernel is compiled" in capsys.readouterr().out
    with pytest.raises(SystemExit, match="2"):
        main(["warmup", "--dtypes", "float16"])


def test_without_pyarrow_the_error_says_what_to_install(tmp_path):
    rows = tmp_path / "rows.csv"
    rows.write_text("a,b\n1,2\n3,4\n")
    code = (
        "import sys; sys.modules['pyarrow'] = None\n"
        "from fastclust._cli.main import main; sys.exit(main(sys.argv[1:]))"
    )
    fit = ["fit", "kmeans", str(rows), "--model", str(tmp_path / "m.npz")]
    command = [sys.executable, "-c", code, *fit]
    result = subprocess.run(command, capture_output=True, text=True, check=False)
    assert result.returncode == 1
    assert result.stderr == (
        f'error: {rows}: this kind of file needs pyarrow: pip install "fastclust[tables]"\n'
    )
    assert [path.name for path in tmp_path.iterdir()] == ["rows.csv"]


def test_sigterm_leaves_no_temporary_file(frame, tmp_path):
    frame.dropna().to_csv(tmp_path / "rows.csv", index=False)
    code = (
        "import sys, time\n"
        "from fastclust._cli import main, tables\n"
        "def write(file, kind, columns):\n"
        "    file.write(b'half'); print('writing', flush=True); time.sleep(60)\n"
        "tables.write_table = write\n"
        "sys.exit(main.main(sys.argv[1:]))"
    )
    rows, model, labels = (str(tmp_path / name) for name in ("rows.csv", "m.npz", "labels.csv"))
    fit = ["fit", "kmeans", rows, "--columns", "a", "--model", model, "--output", labels]
    process = subprocess.Popen([sys.executable, "-c", code, *fit], stdout=subprocess.PIPE)
    assert process.stdout.readline() == b"writing\n"
    process.send_signal(signal.SIGTERM)
    assert process.wait(timeout=30) == 128 + signal.SIGTERM
    process.stdout.close()
    assert [path.name for path in tmp_path.iterdir()] == ["rows.csv"]


@pytest.mark.skipif(not hasattr(os, "openpty"), reason="there are no pseudo-terminals")
def test_progress_is_for_terminals(frame, tmp_path):
    rows, model = str(tmp_path / "rows.csv"), str(tmp_path / "m.npz")
    frame.dropna().to_csv(rows, index=False)
    command = [sys.executable, "-m", "fastclust", "fit", "kmeans", rows, "--columns", "a"]
    command += ["--model", model]
    result = subprocess.run(command, capture_output=True, check=True)
    assert (result.stdout, result.stderr) == (b"", b"")
    reader, writer = os.openpty()
    subprocess.run(command, stderr=writer, stdout=subprocess.DEVNULL, check=True)
    os.close(writer)
    time.sleep(0.1)
    shown = os.read(reader, 65536)
    os.close(reader)
    assert b"reading " in shown
    assert shown.endswith(b"\x1b[K")  # nothing of it is left


def test_an_interrupted_demo_says_so(monkeypatch, capsys):
    def interrupt(options):
        raise KeyboardInterrupt

    monkeypatch.setattr("fastclust._cli.demo.run_demo", interrupt)
    assert main(["demo"]) == 130
    assert capsys.readouterr().err == "interrupted\n"


def test_an_output_is_not_the_input(frame, tmp_path, capsys):
    rows, model = tmp_path / "rows.csv", tmp_path / "m.npz"
    frame.dropna().to_csv(rows, index=False)
    before = rows.read_bytes()
    run("fit", "kmeans", rows, "--columns", "a,b", "--model", model)
    for arguments in (
        ["fit", "kmeans", rows, "--model", rows],
        ["fit", "kmeans", rows, "--model", model, "--output", tmp_path / "." / "rows.csv"],
        ["predict", rows, "--model", model, "--output", rows],
    ):
        capsys.readouterr()
        assert main([str(a) for a in arguments]) == 1
        assert "is the file that is read" in capsys.readouterr().err
    assert rows.read_bytes() == before


@pytest.mark.parametrize("option", ["--tol", "--reg-covar", "--mean-precision-prior"])
@pytest.mark.parametrize("value", ["-1", "nan", "inf", "much"])
def test_numbers_that_cannot_be_are_wrong_options(option, value, capsys):
    with pytest.raises(SystemExit) as ended:
        main(["fit", "bayesian-gmm", "no-such-file.csv", option, value, "--model", "m.npz"])
    assert ended.value.code == 2
    assert option in capsys.readouterr().err


def test_a_score_that_is_no_number_is_one_line(tmp_path, capsys):
    rows, model, labels = (tmp_path / name for name in ("rows.npy", "m.npz", "labels.npy"))
    X = np.random.default_rng(0).normal(size=(50, 2))
    np.save(rows, X)
    run("fit", "kmeans", rows, "--clusters", 2, "--model", model)
    np.save(rows, 1e200 * X)
    capsys.readouterr()
    arguments = ["predict", rows, "--model", model, "--output", labels, "--json"]
    assert main([str(a) for a in arguments]) == 1
    error = capsys.readouterr().err
    assert error.startswith(f"error: {rows}: The inertia is above the largest")
    assert not labels.exists()
