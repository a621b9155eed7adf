"""Sweeps over numbers of clusters and covariance types: each model is fitted and judged."""

import time

import numpy as np
from sklearn.exceptions import ConvergenceWarning

from fastclust import _algorithms
from fastclust._missing import MISSING_RULE
from fastclust._mixture_base import fit_mixture
from fastclust._mixture_parameters import check_enough_rows
from fastclust._parameters import NONE, RANDOM_STATE, check_parameters, integer, one_of
from fastclust._progress_bar import progress_bar
from fastclust._validation import check_enough_samples, check_random_state, warn_user
from fastclust.exceptions import InvalidParameterError, SingularCovarianceError
from fastclust.gaussian_mixture import GaussianMixture
from fastclust.model_selection._criteria import (
    DEFAULT_CRITERIA,
    INFORMATION_CRITERIA,
    KMEANS_CRITERIA,
    LABEL_CRITERIA,
    MIXTURE_CRITERIA,
    _best_row,
    _elbow,
    _gap_row,
    _gap_statistic,
    _Judge,
    _judge_by_bayes,
    _most_stable_row,
)
from fastclust.model_selection._fits import fit_by_all_rows, fit_by_batches
from fastclust.model_selection._packing import pack_for_kmeans, pack_for_mixtures
from fastclust.model_selection._selection import Selection

DEFAULT_MOST_CLUSTERS, DEFAULT_MOST_COMPONENTS = 15, 10
"""Ends of the ranges of a sweep that is given none."""


def select_kmeans(
    X,
    n_clusters=None,
    *,
    sample_weight=None,
    best_by=None,
    batch_size=None,
    n_init=10,
    silhouette_sample_size=10_000,
    gap_references=10,
    random_state=None,
    missing="error",
    **options,
):
    """Fit KMeans for each number of clusters, and compare them by every criterion.

    The rows are checked and packed once. The fits are those of `KMeans` with the same parameters,
    or of `MiniBatchKMeans` where a `batch_size` is given.

    Parameters
    ----------
    X : {array-like, sparse matrix} of shape (n_samples, n_features)
        Rows to cluster.
    n_clusters : iterable of int, default=None
        Numbers of clusters, each less than the number of rows; None for 2 to 15, or to one less
        than there are rows. 1 can be chosen by the gap statistic.
    sample_weight : array-like of shape (n_samples,), default=None
        Weight of each row: 2 counts as the row twice, 0 as no row. None for ones.
    best_by : str, default=None
        Criterion that chooses `best_estimator_`: "elbow", "silhouette", "simplified_silhouette",
        "davies_bouldin", "calinski_harabasz", "gap" or "stability". None for "silhouette", or if it
        is not defined the first that makes a choice of "simplified_silhouette", "elbow", "gap" and
        "stability".
    batch_size : int, default=None
        Rows in a batch of `MiniBatchKMeans`, which takes less time for many rows and finds inertias
        that are a little larger; None for `KMeans`.
    n_init : int, default=10
        Runs for each number of clusters, of which the best is kept. How far the others agree with
        it is the column "stability".
    silhouette_sample_size : int or None, default=10_000
        Rows of the sample that silhouettes are computed on, the same for each number of clusters;
        None for all.
    gap_references : int, default=10
        Uniform samples that the gap statistic compares with; 0 for no gap statistic.
    random_state : int, RandomState instance or None, default=None
        Source of all randomness. An int gives each fit the same draws.
    missing : {"error", "ignore"}, default="error"
        What NaN in dense X means: an error, or a value that is missing, which is left out as
        `KMeans` does; see the notes.
    **options : dict
        Other parameters of `KMeans`, or of `MiniBatchKMeans`.

    Returns
    -------
    selection : Selection
        The table has the columns "n_clusters", "inertia", "silhouette" and its standard error
        "silhouette_error", "simplified_silhouette", "davies_bouldin", "calinski_harabasz", "gap"
        and its standard error "gap_error", "stability" (the mean adjusted Rand index of the best
        run and each other), "n_iter" and "seconds" (of the fit). It is NaN where a value is not
        defined; see the notes.

    Raises
    ------
    ValueError
        For a parameter out of its range, NaN or infinity in X, or too few rows. Where values may
        be missing, for a row or a column that has none.

    Notes
    -----
    The elbow is the point farthest below the chord of the inertias [1]_. The gap statistic is the
    difference of log inertias to those of rows drawn from the box around X, each fitted as X is,
    and chooses the first k whose gap is not smaller than that of the next less its error [2]_. The
    stability chooses the largest of the k whose runs agree best [3]_. The other criteria choose
    their largest value, Davies-Bouldin the smallest.

    Criteria that are not defined are NaN, without a warning:

    - for one cluster all but the inertia and the gap statistic;
    - with `sample_weight` the silhouettes. The other criteria count a row as often as its weight
      says (Calinski-Harabasz is NaN if the weights sum to no more than k);
    - for sparse rows all but the inertia, the silhouettes and the stability;
    - where values are missing the silhouettes of all pairs, of which some may share no value,
      Davies-Bouldin and Calinski-Harabasz. The simplified silhouette compares the distances of a
      row to two centers, by the values that it has. The rows that the gap statistic compares with
      miss what those of X do;
    - the stability for a k of which fewer clusters have rows, as X has fewer distinct rows, and if
      there is only one run;
    - the gap statistic if all rows are equal.

    Values can be infinite where each cluster has equal rows only: Calinski-Harabasz and the gap
    statistic are then, the best there is, and Davies-Bouldin where spread clusters have the same
    mean, the worst.

    References
    ----------
    .. [1] Satopaa, V., Albrecht, J., Irwin, D. and Raghavan, B. (2011). Finding a "kneedle" in a
       haystack. 31st International Conference on Distributed Computing Systems Workshops, 166-171.
    .. [2] Tibshirani, R., Walther, G. and Hastie, T. (2001). Estimating the number of clusters in a
       data set via the gap statistic. Journal of the Royal Statistical Society B, 63, 411-423.
    .. [3] von Luxburg, U. (2010). Clustering stability: an overview. Foundations and Trends in
       Machine Learning, 2(3), 235-274. Section 2.

    Examples
    --------
    >>> from sklearn.datasets import make_blobs
    >>> from fastclust.model_selection import select_kmeans
    >>> X, _ = make_blobs(300, centers=4, cluster_std=0.5, random_state=3)
    >>> selection = select_kmeans(X, range(2, 7), random_state=0)
    >>> selection.choices_["silhouette"], selection.best_estimator_.n_clusters
    (4, 4)
    """
    check_parameters("select_kmeans", locals(), _KMEANS_RULES)
    ks = None if n_clusters is None else _check_numbers(n_clusters, "n_clusters", 1)
    options = options | {"n_init": n_init, "random_state": random_state, "missing": missing}
    fit = fit_by_all_rows
    if batch_size is not None:
        fit, options = fit_by_batches, options | {"batch_size": batch_size}
    packed = pack_for_kmeans(X, sample_weight, missing)
    rng = check_random_state(random_state)
    judge = _Judge(packed, rng, silhouette_sample_size)
    if ks is None:
        ks = list(range(2, max(3, min(DEFAULT_MOST_CLUSTERS + 1, judge.n_samples))))
    check_enough_samples(judge, max(ks) + 1)
    rows, estimators, inertias = [], [], []
    for k in progress_bar(ks, "KMeans" if batch_size is None else "MiniBatchKMeans"):
        seconds, (estimator, labels, run_labels) = _time(fit, k, X, packed=packed, options=options)
        values, is_exact = judge.judge_labels(labels, estimator)
        rows.append(
            {"n_clusters": k, "inertia": estimator.inertia_}
            | values
            | {"stability": judge.compare_runs(k, labels, run_labels)}
            | {"n_iter": estimator.n_iter_, "seconds": seconds}
        )
        estimators.append(estimator)
        inertias.append(0.0 if is_exact else estimator.inertia_)  # less its rounding
    table = {name: [row[name] for row in rows] for name in rows[0]}
    gap_options = options | {"random_state": rng}
    gap, gap_error = _gap_statistic(packed, ks, inertias, gap_references, fit, gap_options)
    table |= {"gap": gap, "gap_error": gap_error}
    choices = {"elbow": _elbow(ks, inertias)}
    choices |= {name: _best_row(table[name], name) for name in LABEL_CRITERIA}
    choices |= {"gap": _gap_row(gap, gap_error), "stability": _most_stable_row(table["stability"])}
    return _selection(table, choices, best_by, estimators)


def select_gaussian_mixture(
    X,
    n_components=None,
    *,
    sample_weight=None,
    covariance_type=("full", "tied", "diag", "spherical"),
    best_by="bic",
    random_state=None,
    missing="error",
    **options,
):
    """Fit GaussianMixture for each covariance type and number of components, and compare them.

    The rows are checked and packed once. The fits are those of `GaussianMixture` with the same
    parameters.

    Parameters
    ----------
    X : array-like of shape (n_samples, n_features)
        Rows to model.
    n_components : iterable of int, default=None
        Numbers of components, each no more than the number of rows; None for 1 to 10, or to one
        less than there are rows.
    sample_weight : array-like of shape (n_samples,), default=None
        Weight of each row: 2 counts as the row twice, 0 as no row. None for ones.
    covariance_type : str or sequence of str, default=("full", "tied", "diag", "spherical")
        Covariance types.
    best_by : {"bic", "aic", "icl", "bayesian"}, default="bic"
        Criterion that chooses `best_estimator_`. "bayesian" is computed only if it is asked for
        here; see the notes.
    random_state : int, RandomState instance or None, default=None
        Source of all randomness. An int gives each fit the same draws.
    missing : {"error", "ignore"}, default="error"
        What NaN in X means: an error, or a value that is missing, which is left out as
        `GaussianMixture` does. Log-likelihoods and criteria are then of the values that there are.
    **options : dict
        Other parameters of `GaussianMixture`.

    Returns
    -------
    selection : Selection
        The table has the columns "covariance_type", "n_components", "log_likelihood" (of all rows),
        "bic", "aic", "icl", "converged", "n_iter" and "seconds" (of the fit), and "bayesian" if it
        is asked for. A model whose covariances are singular is left out, with a warning.

    Raises
    ------
    ValueError
        For a parameter out of its range, NaN or infinity in X, too few rows, or if all models are
        singular. Where values may be missing, for a column that has none, and if `best_by` is
        "bayesian", as a `BayesianGaussianMixture` takes complete rows only.

    Warns
    -----
    ConvergenceWarning
        If a fit reached `max_iter`: once, with the models that did.
    RuntimeWarning
        If models were left out.

    Notes
    -----
    BIC, AIC and ICL choose their smallest value [1]_.

    "bayesian" fits a `BayesianGaussianMixture` of the most components of the table and the
    covariance type that BIC chooses, with a Dirichlet process for a prior, and with `n_init`,
    `init_params`, `reg_covar` and `on_singular` of the fits. A component is kept if its weight is a
    tenth of an equal share or more. The choice is the smallest number of the table that is no less
    than those kept; where that is the largest, try more. In the row of k components the table has
    the k-th largest weight, and NaN for other covariance types.

    The lower bounds of Bayesian mixtures are no criterion: constants that grow with the number of
    components are left out of them, as in scikit-learn, so that the best number would depend on
    the unit of X.

    References
    ----------
    .. [1] Fraley, C. and Raftery, A. E. (2002). Model-based clustering, discriminant analysis, and
       density estimation. Journal of the American Statistical Association, 97, 611-631.

    Examples
    --------
    >>> from sklearn.datasets import load_iris
    >>> from fastclust.model_selection import select_gaussian_mixture
    >>> selection = select_gaussian_mixture(load_iris().data, range(1, 5), random_state=0)
    >>> selection.choices_["bic"]
    ('full', 2)
    """
    check_parameters("select_gaussian_mixture", locals(), _MIXTURE_RULES)
    types = [covariance_type] if isinstance(covariance_type, str) else list(covariance_type)
    if not types:
        raise InvalidParameterError("The 'covariance_type' parameter is empty.")
    ks = None if n_components is None else _check_numbers(n_components, "n_components", 1)
    rules = {"covariance_type": [one_of(*_algorithms.mixture.covariance.COVARIANCE_TYPES)]}
    for name in types:
        check_parameters("GaussianMixture", {"covariance_type": name}, rules)
    packed, total = pack_for_mixtures(X, sample_weight, missing)
    if best_by == "bayesian" and packed.missing is not None:
        raise ValueError(
            "best_by='bayesian' fits a BayesianGaussianMixture, which takes no missing values: "
            "choose another `best_by`, or fill them in."
        )
    if ks is None:
        ks = list(range(1, max(2, min(DEFAULT_MOST_COMPONENTS + 1, len(packed.X)))))
    check_enough_rows(packed.X, max(ks))
    models = [(name, k) for name in types for k in ks]
    rows, estimators, singular, not_converged = [], [], [], []
    for name, k in progress_bar(models, "GaussianMixture"):
        estimator = GaussianMixture(
            k, covariance_type=name, random_state=random_state, missing=missing, **options
        )
        try:
            seconds, _ = _time(fit_mixture, estimator, X, packed=packed)
        except SingularCovarianceError:
            singular.append(f"{name} {k}")
            continue
        if not estimator.converged_ and estimator.max_iter > 0:
            not_converged.append(f"{name} {k}")
        rows.append(
            {"covariance_type": name, "n_components": k}
            | {"log_likelihood": estimator.score(X, sample_weight=sample_weight) * total}
            | {name: getattr(estimator, name)(X, sample_weight) for name in INFORMATION_CRITERIA}
            | {"converged": estimator.converged_, "n_iter": estimator.n_iter_, "seconds": seconds}
        )
        estimators.append(estimator)
    if not rows:
        _warn_of_models(singular, not_converged)
        raise ValueError("All models have singular covariances: increase reg_covar or scale X.")
    table = {name: [row[name] for row in rows] for name in rows[0]}
    choices = {name: _best_row(table[name], name) for name in INFORMATION_CRITERIA}
    if best_by == "bayesian" and choices["bic"] is not None:
        mixture, table["bayesian"], choices["bayesian"] = _judge_by_bayes(
            table, choices["bic"], X, packed, options | {"random_state": random_state},
            _warn_but_of_convergence,
        )  # fmt: skip
        if not mixture.converged_:
            not_converged.append(f"Bayesian {mixture.covariance_type} {mixture.n_components}")
    _warn_of_models(singular, not_converged)
    return _selection(table, choices, best_by, estimators)


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
