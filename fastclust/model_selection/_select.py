"""The functions that select a model: what they take, and what they return."""

from fastclust.model_selection._fits import Estimators
from fastclust.model_selection._sweeps import sweep_gaussian_mixture, sweep_kmeans


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
    X : {array-like, sparse matrix, rows of files} of shape (n_samples, n_features)
        Rows to cluster. Those of `open_rows`, memory maps and other rows in blocks that are more
        than `limit_memory` allows are read block by block, again for each fit.
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
    - for rows that are read in blocks the gap statistic and the stability, which need samples as
      large as X, or the labels of all runs. Silhouettes are of a sample that is drawn with
      replacement, and not defined for all rows;
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
    return sweep_kmeans(
        X, n_clusters, sample_weight=sample_weight, best_by=best_by, batch_size=batch_size,
        n_init=n_init, silhouette_sample_size=silhouette_sample_size,
        gap_references=gap_references, random_state=random_state,
        missing=missing, estimators=Estimators(), **options,
    )  # fmt: skip


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
    X : {array-like, rows of files} of shape (n_samples, n_features)
        Rows to model. Those of `open_rows`, memory maps and other rows in blocks that are more
        than `limit_memory` allows are read block by block, again for each fit.
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

    Rows that are read in blocks have no "bayesian".

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
    return sweep_gaussian_mixture(
        X, n_components, sample_weight=sample_weight, covariance_type=covariance_type,
        best_by=best_by, random_state=random_state,
        missing=missing, estimators=Estimators(), **options,
    )  # fmt: skip
