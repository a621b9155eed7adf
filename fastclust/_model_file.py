"""Fitted models in files: arrays and JSON in one .npz, which execute nothing when loaded."""

import json
import zipfile
from dataclasses import dataclass
from typing import Any

import numpy as np
from sklearn.impute import SimpleImputer
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import StandardScaler

from fastclust.gaussian_mixture import GaussianMixture
from fastclust.kmeans import KMeans

FORMAT, FORMAT_VERSION = "fastclust model", 1

ARRAYS = {
    "impute": ["statistics_"],
    "scale": ["mean_", "scale_", "var_"],
    "kmeans": ["cluster_centers_", "_mean"],
    "gmm": ["weights_", "means_", "covariances_", "precisions_", "precisions_cholesky_"],
}
"""What is kept of each step."""

ESTIMATORS = {"kmeans": KMeans, "gmm": GaussianMixture}


class ModelFileError(Exception):
    """A file that is not a model that this version can read."""


@dataclass
class Model:
    """A fitted pipeline and the columns that it wants.

    Attributes
    ----------
    pipeline : Pipeline
        Of the steps "impute" and "scale", each if asked for, and "kmeans" or "gmm".
    names : list of str or None
        Names of the columns, None if the file had none.
    numbers : list of int
        Positions of the columns in the file of the fit.
    version : str
        Of the fastclust that saved it.
    """

    pipeline: Pipeline
    names: list[str] | None
    numbers: list[int]
    version: str


def save_model(file, model):
    """Write a model to an open binary file.

    Parameters
    ----------
    file : binary file
        Where it goes.
    model : Model
        Fitted.
    """
    arrays: dict[str, Any] = {}
    steps = []
    for name, step in model.pipeline.steps:
        parameters = {"strategy": step.strategy} if name == "impute" else {}
        if name in ESTIMATORS:
            parameters = {k: v for k, v in step.get_params().items() if _is_plain(v)}
        steps.append({"name": name, "parameters": parameters})
        arrays |= {f"{name}.{key}": getattr(step, key) for key in ARRAYS[name]}
    header = {
        "format": FORMAT,
        "format_version": FORMAT_VERSION,
        "fastclust_version": model.version,
        "names": model.names,
        "numbers": model.numbers,
        "steps": steps,
    }
    np.savez(file, header=np.array(json.dumps(header)), **arrays)


def _is_plain(value):
    return value is None or isinstance(value, bool | int | float | str)


def load_model(path):
    """Read a model.

    Parameters
    ----------
    path : path-like
        The file.

    Returns
    -------
    model : Model
        Its pipeline predicts as that which was saved.

    Raises
    ------
    ModelFileError
        If the file is not such a model, is damaged, or of another version of the format.
    OSError
        If it cannot be read.
    """
    try:
        with open(path, "rb") as file, np.load(file, allow_pickle=False) as archive:
            header = json.loads(str(archive["header"]))
            if header["format"] != FORMAT:
                raise ValueError("another format")
            version = header["format_version"]
            if version != FORMAT_VERSION:
                raise ModelFileError(
                    f"{path}: model of format version {version}, and this fastclust reads "
                    f"{FORMAT_VERSION}"
                )
            arrays = {key: archive[key] for key in archive.files if key != "header"}
        return _restore(header, arrays)
    except OSError:
        raise
    except (
        ValueError, KeyError, TypeError, AttributeError, IndexError, EOFError, zipfile.BadZipFile,
    ):  # fmt: skip
        raise ModelFileError(f"{path}: not a fastclust model, or damaged") from None


def _restore(header, arrays):
    numbers, names = header["numbers"], header["names"]
    n_features = len(numbers)
    if names is not None and len(names) != n_features:
        raise ValueError("names and numbers differ in length")
    for key, array in arrays.items():
        if array.dtype.kind != "f" or not np.isfinite(array).all():
            raise ValueError(f"{key} is not of finite numbers")
    steps = [(step["name"], _restore_step(step, arrays, n_features)) for step in header["steps"]]
    if steps[-1][0] not in ESTIMATORS:
        raise ValueError("no estimator")
    return Model(Pipeline(steps), names, numbers, str(header["fastclust_version"]))


def _restore_step(step, arrays, n_features):
    name = step["name"]
    kept = {key: arrays[f"{name}.{key}"] for key in ARRAYS[name]}
    if name == "impute":  # fitted to its own statistics, it has them again
        return SimpleImputer(**step["parameters"]).fit(kept["statistics_"].reshape(1, n_features))
    result = StandardScaler() if name == "scale" else ESTIMATORS[name](**step["parameters"])
    for key, array in kept.items():
        setattr(result, key, array)
    result.n_features_in_ = n_features
    _check_shapes(name, result, n_features)
    return result


def _check_shapes(name, step, n_features):
    shapes: dict[str, tuple[int, ...]]
    if name == "scale":
        shapes = dict.fromkeys(ARRAYS[name], (n_features,))
    elif name == "kmeans":
        step._n_features_out = len(step.cluster_centers_)
        shapes = {"cluster_centers_": (step.n_clusters, n_features), "_mean": (n_features,)}
    else:
        k, factors = step.n_components, step._covariance.shape(step.n_components, n_features)
        shapes = {"weights_": (k,), "means_": (k, n_features), "precisions_cholesky_": factors}
    for key, shape in shapes.items():
        if getattr(step, key).shape != shape:
            raise ValueError(f"{key} is not of shape {shape}")
