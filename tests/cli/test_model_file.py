"""Models in files: what is loaded predicts as what was saved, and what is no model is refused."""

import json
import re

import numpy as np
import pytest

from fastclust import BayesianGaussianMixture
from fastclust._cli.main import main
from fastclust._cli.model_file import load_model

PRIOR = ["--weight-concentration-prior-type"]
ESTIMATORS = [
    ["kmeans", "--clusters", "3"],
    ["mini-batch-kmeans", "--clusters", "5", "--batch-size", "30"],
    ["bisecting-kmeans", "--clusters", "5", "--strategy", "largest_cluster"],
    ["spherical-kmeans", "--clusters", "4"],
    *(
        ["gmm", "--components", "3", "--covariance-type", t]
        for t in ("full", "tied", "diag", "spherical")
    ),
    *(
        ["bayesian-gmm", "--components", "4", "--tol", "1", "--covariance-type", t, *PRIOR, p]
        for t in ("full", "tied", "diag", "spherical")
        for p in ("dirichlet_process", "dirichlet_distribution")
    ),
]


@pytest.fixture
def rows(tmp_path):
    rng = np.random.RandomState(0)
    X = rng.normal(size=(90, 2)) + 9 * np.arange(3).repeat(30)[:, None]
    path = tmp_path / "rows.npy"
    np.save(path, X)
    return path


@pytest.mark.parametrize("more", [[], ["--scale"], ["--impute"], ["--scale", "--impute"]])
@pytest.mark.parametrize("estimator", ESTIMATORS, ids=" ".join)
def test_a_loaded_model_predicts_as_the_fit(rows, tmp_path, estimator, more, capsys):
    model, ours, again = (tmp_path / name for name in ("m.npz", "ours.npy", "again.npy"))
    fit = ["fit", *estimator, str(rows), "--model", str(model), "--random-state", "0", "--json"]
    assert main([*fit, "--output", str(ours), "--write", "scores", *more]) == 0
    assert sum(json.loads(capsys.readouterr().out)["cluster_sizes"]) == 90
    predict = ["predict", str(rows), "--model", str(model), "--write", "scores"]
    assert main([*predict, "--output", str(again)]) == 0
    np.testing.assert_array_equal(np.load(again), np.load(ours))


def _refused(rows, model, tmp_path, capsys):
    output = tmp_path / "out.npy"
    assert main(["predict", str(rows), "--model", str(model), "--output", str(output)]) == 1
    assert not output.exists()
    return capsys.readouterr().err


@pytest.mark.parametrize(
    "damage", ["text", "truncated", "pickle", "foreign", "encrypted", "compression", "deflated"]
)
def test_what_is_not_a_model_is_refused(rows, tmp_path, capsys, damage):
    model = tmp_path / "m.npz"
    assert main(["fit", "kmeans", str(rows), "--model", str(model)]) == 0
    if damage == "text":
        model.write_text("hello")
    elif damage == "truncated":
        model.write_bytes(model.read_bytes()[:300])
    elif damage == "pickle":
        np.savez(model, header=np.array([{}], dtype=object))
    elif damage in ("encrypted", "compression"):  # the flags and the method of each entry
        content, offset = bytearray(model.read_bytes()), 8 if damage == "encrypted" else 10
        for entry in re.finditer(b"PK\x01\x02", bytes(content)):
            content[entry.start() + offset] = 1 if damage == "encrypted" else 99
        model.write_bytes(content)
    elif damage == "deflated":
        content = dict(np.load(model))
        np.savez_compressed(model, **content)
        content = bytearray(model.read_bytes())
        content[60:70] = bytes(10)
        model.write_bytes(content)
    else:
        np.savez(model, a=np.zeros(3))
    error = _refused(rows, model, tmp_path, capsys)
    assert error == f"error: {model}: not a fastclust model, or damaged\n"


def _rewrite(model, header=None, **arrays):
    """Change entries of the header, and arrays, of a model file."""
    with np.load(model) as archive:
        content = dict(archive)
    entries = json.loads(str(content["header"])) | (header or {})
    np.savez(model, **content | {"header": np.array(json.dumps(entries))} | arrays)


@pytest.mark.parametrize(
    "arrays",
    [
        {"gmm.weights_": np.array([0.5, 0.6])},
        {"gmm.weights_": np.array([1.5, -0.5])},
        {"gmm.means_": np.zeros((3, 2))},
        {"gmm.covariances_": np.zeros((2, 2))},
        {"gmm.precisions_": np.zeros((2, 3, 3))},
        {"gmm.precisions_cholesky_": np.full((2, 2, 2), np.nan)},
        {"gmm.precisions_cholesky_": np.zeros((2, 2, 2), dtype=int)},
        {"scale.mean_": np.zeros(3)},
    ],
    ids=lambda arrays: next(iter(arrays)),
)
def test_arrays_that_fit_no_model_are_refused(rows, tmp_path, capsys, arrays):
    model = tmp_path / "m.npz"
    assert (
        main(["fit", "gmm", str(rows), "--scale", "--components", "2", "--model", str(model)]) == 0
    )
    _rewrite(model)
    assert main(["predict", str(rows), "--model", str(model), "--output",
                 str(tmp_path / "out.npy")]) == 0  # fmt: skip
    (tmp_path / "out.npy").unlink()
    capsys.readouterr()
    _rewrite(model, **arrays)
    error = _refused(rows, model, tmp_path, capsys)
    assert error == f"error: {model}: not a fastclust model, or damaged\n"


@pytest.mark.parametrize("prior", ["process", "distribution"])
@pytest.mark.parametrize("covariance_type", ["full", "tied", "diag", "spherical"])
def test_a_loaded_bayesian_mixture_is_the_one_that_was_saved(
    rows, tmp_path, covariance_type, prior
):
    """What it is asked for needs the posterior; the priors say how it was fitted."""
    options = {
        "n_components": 4,
        "covariance_type": covariance_type,
        "weight_concentration_prior_type": f"dirichlet_{prior}",
        "weight_concentration_prior": 0.5,
        "mean_precision_prior": 2.0,
        "degrees_of_freedom_prior": 3.0,
        "reg_covar": 1e-3,
        "tol": 1.0,
        "random_state": 0,
    }
    model, fit = tmp_path / "m.npz", ["fit", "bayesian-gmm", str(rows)]
    for name, value in options.items():
        fit += [f"--{name.removeprefix('n_').replace('_', '-')}", str(value)]
    assert main([*fit, "--model", str(model)]) == 0
    X = np.load(rows)
    expected = BayesianGaussianMixture(**options).fit(X)
    loaded = load_model(model).pipeline[-1]
    assert loaded.get_params() == expected.get_params()
    not_saved = {"lower_bounds_", "reg_covar_"}
    assert vars(loaded).keys() == vars(expected).keys() - not_saved
    for name in vars(loaded):
        np.testing.assert_equal(getattr(loaded, name), getattr(expected, name), err_msg=name)
    for method in "predict", "predict_proba", "score_samples":
        np.testing.assert_array_equal(getattr(loaded, method)(X), getattr(expected, method)(X))
    np.testing.assert_array_equal(loaded.sample(20)[0], expected.sample(20)[0])


@pytest.mark.parametrize(
    "arrays",
    [
        {"weight_concentration_": np.ones(3)},
        {"weight_concentration_": np.array([[1.0, 1, 1], [1, 1, 0]])},
        {"mean_precision_": np.zeros(3)},
        {"degrees_of_freedom_": np.full(3, 0.5)},
        {"degrees_of_freedom_": np.float64(3)},
        {"mean_prior_": np.zeros(3)},
        {"covariance_prior_": np.ones(2)},
        {"covariance_prior_": np.full((2, 2), np.inf)},
    ],
    ids=lambda arrays: next(iter(arrays)),
)
def test_arrays_that_are_no_posterior_are_refused(rows, tmp_path, capsys, arrays):
    model = tmp_path / "m.npz"
    fit = ["fit", "bayesian-gmm", str(rows), "--components", "3", "--tol", "1"]
    assert main([*fit, "--model", str(model)]) == 0
    _rewrite(model, **{f"bayesian-gmm.{key}": array for key, array in arrays.items()})
    error = _refused(rows, model, tmp_path, capsys)
    assert error == f"error: {model}: not a fastclust model, or damaged\n"


def test_an_estimator_of_a_newer_fastclust_is_refused(rows, tmp_path, capsys):
    model = tmp_path / "m.npz"
    assert main(["fit", "kmeans", str(rows), "--model", str(model)]) == 0
    step = {"name": "k-medoids", "parameters": {}, "fitted": {}}
    _rewrite(model, {"fastclust_version": "9.9.9", "steps": [step]})
    error = _refused(rows, model, tmp_path, capsys)
    assert error.startswith(
        f"error: {model}: model of fastclust 9.9.9 with 'k-medoids', which fastclust 0.1.0"
    )


@pytest.mark.parametrize(
    "arrays",
    [
        {"centers": np.zeros((3, 2, 3))},
        {"origins": np.zeros((2, 2))},
        {"children": np.array([[1, 2], [-1, -2], [-3, -3]])},
        {"children": np.array([[-1, 2], [1, -2], [-3, -4]])},
        {"children": np.array([[1.0, 2.0], [-1.0, -2.0], [-3.0, -4.0]])},
        {"children": np.array([-1, -2])},
    ],
)
def test_arrays_that_are_no_tree_are_refused(rows, tmp_path, capsys, arrays):
    model = tmp_path / "m.npz"
    fit = ["fit", "bisecting-kmeans", str(rows), "--clusters", "4", "--model", str(model)]
    assert main(fit) == 0
    _rewrite(model, **{f"bisecting-kmeans.{key}": array for key, array in arrays.items()})
    error = _refused(rows, model, tmp_path, capsys)
    assert error == f"error: {model}: not a fastclust model, or damaged\n"


def test_a_model_of_another_fastclust_warns(rows, tmp_path, capsys):
    model = tmp_path / "m.npz"
    assert main(["fit", "kmeans", str(rows), "--model", str(model)]) == 0
    _rewrite(model, {"fastclust_version": "9.9.9"})
    assert main(["predict", str(rows), "--model", str(model), "--output",
                 str(tmp_path / "out.npy")]) == 0  # fmt: skip
    error = capsys.readouterr().err
    assert error.startswith(f"warning: {model}: model of fastclust 9.9.9, read by fastclust 0.1.0")
    assert len(error.splitlines()) == 1


def test_another_version_is_refused(rows, tmp_path, capsys):
    model = tmp_path / "m.npz"
    header = {"format": "fastclust model", "format_version": 1}
    np.savez(model, header=np.array(json.dumps(header)))
    assert "format version 1, and this fastclust reads 2" in _refused(rows, model, tmp_path, capsys)


@pytest.mark.parametrize("strategy", ["mean", "median", "most_frequent"])
def test_float32_rows_with_missing_values(rows, tmp_path, strategy):
    X = np.load(rows).astype(np.float32)
    X[::7, 1] = np.nan
    np.save(rows, X)
    model, ours, again = (tmp_path / name for name in ("m.npz", "ours.npy", "again.npy"))
    fit = ["fit", "gmm", str(rows), "--model", str(model), "--scale", "--impute"]
    fit += ["--impute-strategy", strategy]
    assert main([*fit, "--output", str(ours), "--write", "scores"]) == 0
    predict = ["predict", str(rows), "--model", str(model), "--write", "scores"]
    assert main([*predict, "--output", str(again)]) == 0
    np.testing.assert_array_equal(np.load(again), np.load(ours))
    assert np.load(ours).dtype == np.float32
