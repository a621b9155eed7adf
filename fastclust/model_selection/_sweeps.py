"""Sweeps over numbers of clusters and covariance types: each model is fitted and judged."""

import functools
import time

import numpy as np
from sklearn.exceptions import ConvergenceWarning

from fastclust import _algorithms
from fastclust._block_rows import is_in_blocks
from fastclust._missing import MISSING_RULE
from fastclust._mixture_base import fit_mixture
from fastclust._mixture_parameters import check_enough_rows
from fastclust._parameters import NONE, RANDOM_STATE, check_parameters, integer, one_of
from fastclust._progress_bar import progress_bar
from fastclust._validation import check_enough_samples, check_random_state, warn_user
from fastclust.exceptions import InvalidParameterError, SingularCovarianceError
from fastclust.model_selection._criteria import (
    DEFAULT_CRITERIA,
    INFORMATION_CRITERIA,
    KMEANS_CRITERIA,
    LABEL_CRITERIA,
    MIXTURE_CRITERIA,
    NOT_OF_BLOCKS,
    _best_row,
    _elbow,
    _gap_row,
    _gap_statistic,
    _judge_by_bayes,
    _most_stable_row,
    judge_mixture,
    make_judge,
)
from fastclust.model_selection._fits import fit_by_all_rows, fit_by_batches
from fastclust.model_selection._packing import pack_for_kmeans, pack_for_mixtures
from fastclust.model_selection._selection import Selection

DEFAULT_MOST_CLUSTERS, DEFAULT_MOST_COMPONENTS = 15, 10
"""Ends of the ranges of a sweep that is given none."""


def sweep_kmeans(
    X, n_clusters, *, sample_weight, best_by, batch_size, n_init, silhouette_sample_size,
    gap_references, random_state, missing, estimators, given=None, **options,
):  # fmt: skip
    """Do what `select_kmeans` does, with estimators of these classes.

    Parameters
    ----------
    X : {array-like, sparse matrix, RowSource} of shape (n_samples, n_features)
        Rows to cluster.
    n_clusters, sample_weight, best_by, batch_size, n_init, silhouette_sample_size, \
gap_references, random_state, missing
        Those of `select_kmeans`.
    estimators : Estimators
        The classes.
    given : object, default=None
        Rows that the best estimator predicts labels of, where X is a source made of these.
    **options : dict
        Other parameters of the estimator.
    """
    check_parameters("select_kmeans", locals(), _KMEANS_RULES)
    ks = None if n_clusters is None else _check_numbers(n_clusters, "n_clusters", 1)
    options = options | {"n_init": n_init, "random_state": random_state, "missing": missing}
    fit = functools.partial(fit_by_all_rows, estimators.kmeans)
    if batch_size is not None:
        fit = functools.partial(fit_by_batches, estimators.minibatch_kmeans)
        options = options | {"batch_size": batch_size}
    packed, named = pack_for_kmeans(X, sample_weight, missing)
    in_blocks = is_in_blocks(packed.X)
    if in_blocks:
        _check_criterion(best_by)
    rng = check_random_state(random_state)
    judge = make_judge(packed, rng, silhouette_sample_size)
    if ks is None:
        ks = list(range(2, max(3, min(DEFAULT_MOST_CLUSTERS + 1, judge.n_samples))))
    check_enough_samples(judge, max(ks) + 1)
    rows, fits, inertias = [], [], []
    for k in progress_bar(ks, "KMeans" if batch_size is None else "MiniBatchKMeans"):
        seconds, fitted = _time(fit, k, named, packed=packed, options=options)
        estimator, (values, is_exact) = fitted.estimator, judge.judge(fitted)
        rows.append(
            {"n_clusters": k, "inertia": estimator.inertia_}
            | values
            | {"n_iter": estimator.n_iter_, "seconds": seconds}
        )
        fits.append(estimator)
        inertias.append(0.0 if is_exact else estimator.inertia_)  # less its rounding
    table = {name: [row[name] for row in rows] for name in rows[0]}
    gap_options = options | {"random_state": rng}
    gap, gap_error = _gap_statistic(packed, ks, inertias, gap_references, fit, gap_options)
    table |= {"gap": gap, "gap_error": gap_error}
    choices = {"elbow": _elbow(ks, inertias)}
    choices |= {name: _best_row(table[name], name) for name in LABEL_CRITERIA}
    choices |= {"gap": _gap_row(gap, gap_error), "stability": _most_stable_row(table["stability"])}
    selection = _selection(table, choices, best_by, fits)
    best = selection.best_estimator_
    if in_blocks and getattr(best, "compute_labels", True):
        best.labels_ = best.predict(X if given is None else given)
    return selection


def sweep_gaussian_mixture(
    X, n_components, *, sample_weight, covariance_type, best_by, random_state, missing,
    estimators, **options,
):  # fmt: skip
    """Do what `select_gaussian_mixture` does, with estimators of these classes.

    Parameters
    ----------
    X : {array-like, RowSource} of shape (n_samples, n_features)
        Rows to model.
    n_components, sample_weight, covariance_type, best_by, random_state, missing
        Those of `select_gaussian_mixture`.
    estimators : Estimators
        The classes.
    **options : dict
        Other parameters of the estimator.
    """
    check_parameters("select_gaussian_mixture", locals(), _MIXTURE_RULES)
    types = [covariance_type] if isinstance(covariance_type, str) else list(covariance_type)
    if not types:
        raise InvalidParameterError("The 'covariance_type' parameter is empty.")
    ks = None if n_components is None else _check_numbers(n_components, "n_components", 1)
    rules = {"covariance_type": [one_of(*_algorithms.mixture.covariance.COVARIANCE_TYPES)]}
    for name in types:
        check_parameters("GaussianMixture", {"covariance_type": name}, rules)
    packed, named = pack_for_mixtures(X, sample_weight, missing)
    if best_by == "bayesian" and packed.missing is not None:
        raise ValueError(
            "best_by='bayesian' fits a BayesianGaussianMixture, which takes no missing values: "
            "choose another `best_by`, or fill them in."
        )
    n_samples = packed.X.shape[0]
    if is_in_blocks(packed.X):
        _check_criterion(best_by)
    if ks is None:
        ks = list(range(1, max(2, min(DEFAULT_MOST_COMPONENTS + 1, n_samples))))
    check_enough_rows(packed.X, max(ks))
    models = [(name, k) for name in types for k in ks]
    rows, fits, singular, not_converged = [], [], [], []
    for name, k in progress_bar(models, "GaussianMixture"):
        estimator = estimators.gaussian_mixture(
            k, covariance_type=name, random_state=random_state, missing=missing, **options
        )
        try:
            seconds, _ = _time(fit_mixture, estimator, named, packed=packed)
        except SingularCovarianceError:
            singular.append(f"{name} {k}")
            continue
        if not estimator.converged_ and estimator.max_iter > 0:
            not_converged.append(f"{name} {k}")
        rows.append(
            {"covariance_type": name, "n_components": k}
            | judge_mixture(estimator, packed)
            | {"converged": estimator.converged_, "n_iter": estimator.n_iter_, "seconds": seconds}
        )
        fits.append(estimator)
    if not rows:
        _warn_of_models(singular, not_converged)
        raise ValueError("All models have singular covariances: increase reg_covar or scale X.")
    table = {name: [row[name] for row in rows] for name in rows[0]}
    choices = {name: _best_row(table[name], name) for name in INFORMATION_CRITERIA}
    if best_by == "bayesian" and choices["bic"] is not None:
        mixture, table["bayesian"], choices["bayesian"] = _judge_by_bayes(
            table, choices["bic"], named, packed, options | {"random_state": random_state},
            _warn_but_of_convergence,
        )  # fmt: skip
        if not mixture.converged_:
            not_converged.append(f"Bayesian {mixture.covariance_type} {mixture.n_components}")
    _warn_of_models(singular, not_converged)
    return _selection(table, choices, best_by, fits)


_KMEANS_RULES = {
    "best_by": [one_of(*KMEANS_CRITERIA), NONE],
    "batch_size": [integer(1), NONE],
    "n_init": [integer(1)],
    "silhouette_sample_size": [integer(3), NONE],
    "gap_references": [integer(0)],
    "random_state": RANDOM_STATE,
    "missing": [MISSING_RULE],
}
_MIXTURE_RULES = {
    "best_by": [one_of(*MIXTURE_CRITERIA)],
    "random_state": RANDOM_STATE,
    "missing": [MISSING_RULE],
}


def _check_numbers(numbers, name, least):
    """Check the numbers of clusters or components; return them as a list."""
    numbers = [numbers] if np.isscalar(numbers) else list(numbers)
    accepted = integer(least)
    for number in numbers:
        if not accepted.test(number):
            raise InvalidParameterError(
                f"The {name!r} parameter must hold {accepted.text[3:]}s. Got {number!r} instead."
            )
    if not numbers:
        raise InvalidParameterError(f"The {name!r} parameter is empty.")
    return sorted({int(number) for number in numbers})


def _check_criterion(best_by):
    """Raise ValueError, before anything is fitted, for a criterion without values in blocks."""
    if best_by in NOT_OF_BLOCKS:
        raise ValueError(
            f"best_by={best_by!r} is not defined for rows that are read in blocks. Choose another "
            "criterion, or select by a sample of the rows."
        )


def _warn_but_of_convergence(warning):
    """Issue the warning of a fit, unless the sweep says so itself: in its table, or once of all."""
    if not isinstance(warning, ConvergenceWarning):
        warn_user(warning)


def _time(fit, *arguments, **options):
    """Call a function that fits, as part of a sweep; return the seconds, and what it returns."""
    start = time.perf_counter()
    result = fit(*arguments, warn=_warn_but_of_convergence, **options)
    return time.perf_counter() - start, result


def _selection(table, choices, best_by, estimators):
    if best_by is None:
        best_by = next((name for name in DEFAULT_CRITERIA if choices[name] is not None), None)
        if best_by is None:
            raise ValueError("No criterion chooses a model: try more numbers of clusters.")
    row = choices[best_by]
    if row is None:
        raise ValueError(f"No model is chosen by {best_by!r}: choose another `best_by`.")
    return Selection(table, choices, best_by, estimators[row])


def _warn_of_models(singular, not_converged):
    if singular:
        text = (
            f"Left out, as their covariances are singular: {', '.join(singular)}. Increase "
            "reg_covar, or set on_singular='regularize'."
        )
        warn_user(RuntimeWarning(text))
    if not_converged:
        text = f"Not converged after max_iter iterations: {', '.join(not_converged)}."
        warn_user(ConvergenceWarning(text))
