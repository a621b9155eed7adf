"""Fitted models in files: arrays and JSON in one .npz, which execute nothing when loaded."""

import json
import warnings
import zipfile
import zlib
from dataclasses import dataclass
from typing import Any

import numpy as np
from sklearn.impute import SimpleImputer
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import StandardScaler

from fastclust._algorithms.mixture.covariance import COVARIANCE_TYPES
from fastclust._cli.files import CommandError
from fastclust._kmeans_base import origin_of, set_origin
from fastclust._version import __version__
from fastclust.bayesian_mixture import BayesianGaussianMixture, posterior_of
from fastclust.bisecting_kmeans import BisectingKMeans, set_tree, tree_of
from fastclust.gaussian_mixture import GaussianMixture
from fastclust.kmeans import KMeans
from fastclust.minibatch_kmeans import MiniBatchKMeans
from fastclust.spherical_kmeans import SphericalKMeans

FORMAT, FORMAT_VERSION = "fastclust model", 2

COMPONENTS = ["weights_", "means_", "covariances_", "precisions_", "precisions_cholesky_"]
POSTERIOR = ["weight_concentration_", "mean_precision_", "degrees_of_freedom_"]
PRIORS = ["mean_prior_", "covariance_prior_"]

ARRAYS = {
    "impute": ["statistics_"],
    "scale": ["mean_", "scale_", "var_"],
    "kmeans": ["cluster_centers_", "origin"],
    "mini-batch-kmeans": ["cluster_centers_", "origin"],
    "bisecting-kmeans": ["cluster_centers_", "origin", "centers", "origins", "children"],
    "spherical-kmeans": ["cluster_centers_"],
    "gmm": COMPONENTS,
    "bayesian-gmm": COMPONENTS + POSTERIOR + PRIORS,
}
RUN: dict[str, type] = {"converged_": bool, "lower_bound_": float, "n_iter_": int}
NUMBERS: dict[str, dict[str, type]] = {
    "kmeans": {"inertia_": float, "n_iter_": int},
    "mini-batch-kmeans": {"inertia_": float, "n_iter_": int, "n_steps_": int},
    "bisecting-kmeans": {"inertia_": float},
    "spherical-kmeans": {"inertia_": float, "n_iter_": int},
    "gmm": RUN | {"n_steps_": int},
    "bayesian-gmm": RUN
    | {
        "weight_concentration_prior_": float,
        "mean_precision_prior_": float,
        "degrees_of_freedom_prior_": float,
    },
}
"""What is kept of each step: arrays, and numbers with their types."""

INTEGERS = ["bisecting-kmeans.children"]
"""Arrays that are not of floats."""

ESTIMATORS = {
    "kmeans": KMeans,
    "mini-batch-kmeans": MiniBatchKMeans,
    "bisecting-kmeans": BisectingKMeans,
    "spherical-kmeans": SphericalKMeans,
    "gmm": GaussianMixture,
    "bayesian-gmm": BayesianGaussianMixture,
}
"""By their names in the command line and in files."""

WEIGHTS_ERROR = 1e-3
"""Largest difference from 1 of the sum of the weights: those of float32 rows are less exact."""


@dataclass
class Model:
    """A fitted pipeline and the columns that it wants.

    Attributes
    ----------
    pipeline : Pipeline
        Of the steps "impute" and "scale", each if asked for, and one of `ESTIMATORS`.
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


def name_of(estimator):
    """Name that an estimator has in the command line and in files."""
    return next(name for name, kind in ESTIMATORS.items() if type(estimator) is kind)


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
        numbers = {key: kind(getattr(step, key)) for key, kind in NUMBERS.get(name, {}).items()}
        steps.append({"name": name, "parameters": parameters, "fitted": numbers})
        arrays |= {f"{name}.{key}": _get(step, key) for key in ARRAYS[name]}
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
    """Whether JSON keeps a parameter as it is."""
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
    CommandError
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
                raise CommandError(
                    f"{path}: model of format version {version}, and this fastclust reads "
                    f"{FORMAT_VERSION}"
                )
            for step in header["steps"]:
                if step["name"] not in ARRAYS:
                    raise CommandError(
                        f"{path}: model of fastclust {header['fastclust_version']} with "
                        f"{step['name']!r}, which fastclust {__version__} does not know"
                    )
            arrays = {key: archive[key] for key in archive.files if key != "header"}
        model = _restore(header, arrays)
    except OSError:
        raise
    except (
        ValueError, KeyError, TypeError, AttributeError, IndexError, EOFError, RuntimeError,
        zipfile.BadZipFile, zlib.error,
    ):  # fmt: skip
        raise CommandError(f"{path}: not a fastclust model, or damaged") from None
    if model.version != __version__:
        warnings.warn(
            f"{path}: model of fastclust {model.version}, read by fastclust "
            f"{__version__}: this might lead to invalid results.",
            stacklevel=2,
        )
    return model


def _restore(header, arrays):
    """Model of a header and arrays; ValueError or KeyError if they do not fit each other."""
    numbers, names = header["numbers"], header["names"]
    n_features = len(numbers)
    if names is not None and len(names) != n_features:
        raise ValueError("names and numbers differ in length")
    for key, array in arrays.items():
        if array.dtype.kind != ("i" if key in INTEGERS else "f") or not np.isfinite(array).all():
            raise ValueError(f"{key} is not of finite numbers")
    steps = [(step["name"], _restore_step(step, arrays, n_features)) for step in header["steps"]]
    if steps[-1][0] not in ESTIMATORS:
        raise ValueError("no estimator")
    return Model(Pipeline(steps), names, numbers, str(header["fastclust_version"]))


def _restore_step(step, arrays, n_features):
    """Step of a pipeline, from what the file says of it."""
    name = step["name"]
    kept = {key: arrays[f"{name}.{key}"] for key in ARRAYS[name]}
    if name == "impute":  # fitted to its own statistics, it has them again
        return SimpleImputer(**step["parameters"]).fit(kept["statistics_"].reshape(1, n_features))
    result = StandardScaler() if name == "scale" else ESTIMATORS[name](**step["parameters"])
    if name == "bisecting-kmeans":
        set_tree(result, *(kept.pop(key) for key in ("centers", "origins", "children")))
    for key, array in kept.items():
        _set(result, key, array)
    for key, kind in NUMBERS.get(name, {}).items():
        setattr(result, key, kind(step["fitted"][key]))
    result.n_features_in_ = n_features
    _check_arrays(name, result, n_features)
    return result


def _get(step, key):
    """Value of a fitted step that is kept under this key."""
    if key in ("centers", "origins", "children"):
        return getattr(tree_of(step), key)
    return origin_of(step) if key == "origin" else np.asarray(getattr(step, key))


def _set(step, key, array):
    """Give a step the value that was kept under this key."""
    if key == "origin":
        set_origin(step, array)
    elif array.ndim == 0:
        setattr(step, key, float(array))
    elif key == "weight_concentration_" and array.ndim == 2:  # of a process: two arrays
        setattr(step, key, tuple(array))
    else:
        setattr(step, key, array)


def _check_arrays(name, step, n_features):
    """Raise ValueError if the arrays of a step do not fit each other."""
    shapes: dict[str, tuple[int, ...]]
    if name == "scale":
        shapes = dict.fromkeys(ARRAYS[name], (n_features,))
    elif name == "spherical-kmeans":
        shapes = {"cluster_centers_": (step.n_clusters, n_features)}
    elif name in ("gmm", "bayesian-gmm"):
        shapes = _shapes_of_mixture(step, n_features)
        if (step.weights_ < 0).any() or abs(step.weights_.sum() - 1) > WEIGHTS_ERROR:
            raise ValueError("weights_ are not shares")
    else:
        shapes = {"cluster_centers_": (step.n_clusters, n_features), "origin": (n_features,)}
        if name == "bisecting-kmeans":
            n_splits = step.n_clusters - 1
            shapes |= {
                "centers": (n_splits, 2, n_features),
                "origins": (n_splits, n_features),
                "children": (n_splits, 2),
            }
    for key, shape in shapes.items():
        if _get(step, key).shape != shape:
            raise ValueError(f"{key} is not of shape {shape}")
    if name == "bayesian-gmm":
        posterior_of(step)


def _shapes_of_mixture(step, n_features):
    """Shapes of the arrays of a mixture, by their names."""
    k, covariance = step.n_components, COVARIANCE_TYPES[step.covariance_type]
    shapes = dict.fromkeys(COMPONENTS, covariance.shape(k, n_features))
    shapes |= {"weights_": (k,), "means_": (k, n_features)}
    if isinstance(step, BayesianGaussianMixture):
        is_process = step.weight_concentration_prior_type == "dirichlet_process"
        shapes |= {
            "weight_concentration_": (2, k) if is_process else (k,),
            "mean_precision_": (k,),
            "degrees_of_freedom_": () if covariance.is_shared else (k,),
            "mean_prior_": (n_features,),
            "covariance_prior_": covariance.shape_of_one(n_features),
        }
    return shapes
