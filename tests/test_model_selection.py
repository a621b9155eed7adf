"""Sweeps: the fits of the estimators, the criteria of their definitions, and the choices."""

import ast
import builtins
import warnings
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest
import scipy.sparse
import sklearn.cluster
import sklearn.metrics
import sklearn.mixture
from sklearn.datasets import load_iris, make_blobs
from sklearn.exceptions import ConvergenceWarning

import fastclust
from fastclust.model_selection import (
    Selection,
    _criteria,
    select_gaussian_mixture,
    select_kmeans,
)
from fastclust.model_selection._criteria import (
    KMEANS_CRITERIA,
    LABEL_CRITERIA,
    _best_row,
    _elbow,
    _gap_row,
    _most_stable_row,
)
from fastclust.model_selection._fits import fit_by_all_rows

X, _ = make_blobs(400, n_features=3, centers=4, cluster_std=0.6, random_state=3)


@pytest.fixture(scope="module")
def selection():
    return select_kmeans(X, range(2, 8), n_init=3, gap_references=5, random_state=0)


# -- k-means -------------------------------------------------------------------------------------


def test_fits_are_those_of_the_estimator(selection):
    for row, k in enumerate(range(2, 8)):
        model = fastclust.KMeans(k, n_init=3, random_state=0).fit(X)
        assert selection.table_["n_clusters"][row] == k
        assert selection.table_["inertia"][row] == model.inertia_
        assert selection.table_["n_iter"][row] == model.n_iter_
    best = selection.best_estimator_
    again = fastclust.KMeans(**best.get_params()).fit(X)
    np.testing.assert_array_equal(best.labels_, again.labels_)
    np.testing.assert_array_equal(best.cluster_centers_, again.cluster_centers_)
    np.testing.assert_array_equal(best.predict(X), best.labels_)
    assert vars(best).keys() == vars(again).keys()


def test_criteria_are_scikit_learns(selection):
    for row, k in enumerate(range(2, 8)):
        labels = sklearn.cluster.KMeans(k, n_init=3, random_state=0).fit_predict(X)
        for name in ("silhouette", "davies_bouldin", "calinski_harabasz"):
            expected = getattr(sklearn.metrics, f"{name}_score")(X, labels)
            assert selection.table_[name][row] == pytest.approx(expected, rel=1e-9)


def test_every_criterion_finds_four_blobs(selection):
    assert selection.choices_ == dict.fromkeys(KMEANS_CRITERIA, 4)
    assert selection.agree_
    assert "All criteria agree" in str(selection)
    assert selection.best_estimator_.n_clusters == 4
    stability = dict(zip(range(2, 8), selection.table_["stability"], strict=True))
    assert stability[4] == 1 > stability[7]


@pytest.mark.parametrize("best_by", KMEANS_CRITERIA)
def test_best_estimator_is_by_the_criterion_asked_for(best_by):
    rng = np.random.default_rng(0)
    noise = rng.normal(size=(200, 2))
    selection = select_kmeans(
        noise, range(2, 9), best_by=best_by, n_init=2, gap_references=3, random_state=0
    )
    assert selection.best_by_ == best_by
    assert selection.best_estimator_.n_clusters == selection.choices_[best_by]
    assert not selection.agree_
    assert "The criteria disagree" in str(selection)
    assert f"best_estimator_ is by {best_by}" in str(selection)


def test_gap_statistic_is_that_of_its_definition():
    ks, seed = [1, 2, 3, 4, 5], 7
    random_state = np.random.RandomState(seed)
    selection = select_kmeans(
        X, ks[1:], n_init=1, gap_references=4, random_state=random_state, best_by="gap"
    )
    # Uniform rows have log inertias near those of any others: 20 samples of the plain definition.
    rng = np.random.RandomState(1)
    logs = [
        [np.log(sklearn.cluster.KMeans(k, random_state=0).fit(U).inertia_) for k in ks[1:]]
        for U in (rng.uniform(X.min(axis=0), X.max(axis=0), X.shape) for _ in range(20))
    ]
    expected = np.mean(logs, axis=0) - np.log(selection.table_["inertia"])
    spread = np.std(logs, axis=0)
    np.testing.assert_allclose(selection.table_["gap"], expected, atol=4 * spread.max())
    assert 0 < max(selection.table_["gap_error"]) < 4 * spread.max()


def test_rules_of_the_choices():
    assert _elbow([2, 3, 4, 5], [10.0, 4, 3, 2.5]) == 1
    assert _elbow([2, 5, 6], [10.0, 4, 3]) == 1
    assert _elbow([2, 3], [10.0, 4]) is None
    assert _elbow([2, 3, 4], [0.0, 0, 0]) is None
    assert _elbow([2, 3, 4], [10.0, 9.5, 0.1]) is None  # above the chord
    assert _elbow([2, 3, 4, 5], [0.4, 0.3, 0.2, 0.1]) is None  # on it, but for rounding
    assert _gap_row([0.1, 0.5, 0.49], [0.02, 0.02, 0.02]) == 1
    assert _gap_row([0.1, 0.5, 0.51], [0.02, 0.02, 0.02]) == 1
    assert _gap_row([0.1, 0.5, 0.9], [0.02, 0.02, 0.02]) is None
    assert _gap_row([0.1, 0.5, np.inf, np.inf], [0.02] * 4) == 2
    assert _gap_row([0.1, 0.5, np.inf], [0.02] * 3) == 2
    assert _gap_row([0.1, np.nan, 0.5], [0.02] * 3) is None
    assert _best_row([3.0, np.inf, np.nan, np.inf], "calinski_harabasz") == 1
    assert _best_row([np.nan, np.inf, 3.0], "davies_bouldin") == 2
    assert _best_row([np.nan, np.inf], "davies_bouldin") is None


def test_sample_of_the_silhouettes_is_the_same_for_each_number():
    selection = select_kmeans(
        X, [3, 4], n_init=1, silhouette_sample_size=100, gap_references=0, random_state=0
    )
    rows = np.random.RandomState(0).permutation(len(X))[:100]
    for row, k in enumerate([3, 4]):
        labels = fastclust.KMeans(k, n_init=1, random_state=0).fit_predict(X)
        expected = sklearn.metrics.silhouette_samples(X[rows], labels[rows])
        assert selection.table_["silhouette"][row] == pytest.approx(expected.mean(), rel=1e-9)
        error = expected.std(ddof=1) / 10
        assert selection.table_["silhouette_error"][row] == pytest.approx(error, rel=1e-9)


def test_without_references_there_is_no_gap():
    selection = select_kmeans(X, [2, 3], n_init=1, gap_references=0, random_state=0)
    assert np.isnan(selection.table_["gap"]).all()
    assert selection.choices_["gap"] is None
    with pytest.raises(ValueError, match="No model is chosen by 'gap'"):
        select_kmeans(X, [2, 3], n_init=1, gap_references=0, best_by="gap", random_state=0)


@pytest.mark.parametrize(
    ("stability", "row"),
    [([1.0, 0.9, 1 - 1e-15, 0.8], 2), ([0.7, 0.9, 0.8], 1), ([float("nan")] * 2, None)],
)
def test_the_largest_of_the_most_stable_numbers_is_chosen(stability, row):
    assert _most_stable_row(stability) == row


def test_repeated_rows_have_no_better_clusters():
    rows = np.repeat(X[:3], 9, axis=0)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        selection = select_kmeans(rows, [2, 3, 5], n_init=2, gap_references=2, random_state=0)
    assert selection.choices_["silhouette"] == 3
    assert selection.table_["inertia"][1] == pytest.approx(0, abs=1e-20)


def named(rows):
    """The rows as a data frame whose columns have names."""
    return pd.DataFrame(rows, columns=[f"c{f}" for f in range(rows.shape[1])])


@pytest.mark.parametrize("convert", [np.float32, named, np.ndarray.tolist])
def test_rows_may_come_in_any_form(convert):
    frame = convert(X)
    selection = select_kmeans(frame, range(2, 6), n_init=2, gap_references=0, random_state=0)
    assert selection.choices_["silhouette"] == 4
    best = selection.best_estimator_
    np.testing.assert_array_equal(best.predict(frame), best.labels_)
    names = getattr(best, "feature_names_in_", None)
    assert (names is not None) == isinstance(frame, pd.DataFrame)
    assert names is None or list(names) == list(frame.columns)


def test_options_are_the_estimators():
    options = {"init": "random", "max_iter": 5, "tol": 0.1}
    selection = select_kmeans(X, [3, 4], n_init=2, gap_references=0, random_state=1, **options)
    expected = fastclust.KMeans(4, n_init=2, random_state=1, **options).fit(X)
    assert selection.table_["inertia"][1] == expected.inertia_


# -- one cluster, few rows, few distinct rows ----------------------------------------------------


def test_one_cluster_has_an_inertia_and_a_gap():
    selection = select_kmeans(X, [1, 2, 4, 5], n_init=2, gap_references=3, random_state=0)
    first = {name: column[0] for name, column in selection.table_.items()}
    assert first["inertia"] == pytest.approx(np.square(X - X.mean(axis=0)).sum())
    assert np.isfinite([first["gap"], first["gap_error"]]).all()
    for name in (*LABEL_CRITERIA, "silhouette_error", "stability"):
        assert np.isnan(first[name])
    assert selection.choices_["gap"] == selection.choices_["silhouette"] == 4


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_the_gap_statistic_chooses_one_cluster_where_there_are_none(dtype):
    for seed in range(3):
        rng = np.random.default_rng(seed)
        for rows in (rng.normal(size=(150, 2)), rng.uniform(size=(150, 3)) * 1e-9):
            selection = select_kmeans(
                rows.astype(dtype), range(1, 5), best_by="gap", n_init=3, random_state=seed
            )
            assert selection.choices_["gap"] == 1 == selection.best_estimator_.n_clusters
            selection.plot(), selection.to_frame(), str(selection)


def test_references_of_the_gap_get_the_runs_of_the_data(monkeypatch):
    fits = []

    def note(kmeans, *arguments, **options):
        fits.append(kmeans.get_params() | {"random_state": None})
        return fastclust._lloyd_base.fit_kmeans(kmeans, *arguments, **options)

    monkeypatch.setattr("fastclust.model_selection._fits.fit_kmeans", note)
    select_kmeans(X, [2, 3], n_init=7, gap_references=2, random_state=0, max_iter=11, tol=0.5)
    assert len(fits) == 6
    for k in (2, 3):
        of_k = [fit for fit in fits if fit["n_clusters"] == k]
        assert of_k == of_k[:1] * 3
        assert (of_k[0]["n_init"], of_k[0]["max_iter"], of_k[0]["tol"]) == (7, 11, 0.5)


@pytest.mark.parametrize("n_samples", [3, 4, 6, 14, 15, 16, 17, 40])
def test_default_range_ends_below_the_number_of_rows(n_samples):
    rows = X[:n_samples]
    selection = select_kmeans(rows, n_init=1, gap_references=1, random_state=0)
    assert selection.table_["n_clusters"] == list(range(2, min(16, n_samples)))
    assert len(str(selection).splitlines()) == len(selection.to_frame()) + 2
    selection.plot().figure_.canvas.draw()
    plt.close("all")
    selection = select_gaussian_mixture(
        rows, covariance_type="spherical", max_iter=200, random_state=0
    )
    assert selection.table_["n_components"] == list(range(1, min(11, n_samples)))
    with pytest.raises(ValueError, match="n_samples"):
        select_kmeans(rows, [n_samples], n_init=1, gap_references=0)


def test_two_rows_are_too_few():
    with pytest.raises(ValueError, match="n_samples=2 should be >= n_clusters=3"):
        select_kmeans(X[:2])
    assert select_gaussian_mixture(X[:2], random_state=0).table_["n_components"] == [1] * 4


@pytest.mark.parametrize(("scale", "offset"), [
    (1.0, 0), (1 / 3, 0), (2.0**-20, 0), (1.0, 1 / 7), (1 / 3, 1e3),
])  # fmt: skip
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_every_criterion_finds_the_number_of_distinct_rows(dtype, scale, offset):
    """Clusters beyond these have no rows: inertias are 0 but for rounding, and runs agree."""
    points = np.array([[0, 0, 1], [0, 4, 4], [5, 0, 0], [5, 5, 5], [9, 1, 9]]) * scale + offset
    rows = points[np.random.default_rng(0).integers(5, size=100)].astype(dtype)
    selection = select_kmeans(rows, range(1, 9), n_init=10, gap_references=4, random_state=0)
    for name in (*LABEL_CRITERIA, "gap", "stability"):
        assert selection.choices_[name] == 5, name
    assert selection.table_["calinski_harabasz"][4:] == [np.inf] * 4
    assert selection.table_["gap"][4:] == [np.inf] * 4
    assert np.isnan(selection.table_["stability"][5:]).all()
    assert "inf" in str(selection)
    assert selection.to_frame().loc[5, "gap"] == np.inf
    selection.plot().figure_.canvas.draw()
    plt.close("all")


@pytest.mark.parametrize("offset", [0, 1 / 7, 1e3])
def test_rounding_errors_have_no_elbow(offset):
    rows = np.repeat([[0.0, 1], [1, 3], [7, 2]], 30, axis=0) / 3 + offset
    selection = select_kmeans(rows, range(3, 8), n_init=2, gap_references=1, random_state=0)
    assert selection.choices_["elbow"] is None
    assert selection.choices_["silhouette"] == selection.choices_["gap"] == 3


@pytest.mark.parametrize("value", [0.0, 1 / 3])
def test_equal_rows_have_no_best_number(value):
    for ks in (None, [1], range(1, 4)):
        with pytest.raises(ValueError, match="No criterion chooses a model"):
            select_kmeans(np.full((20, 2), value), ks, n_init=2, gap_references=2, random_state=0)


@pytest.mark.parametrize("exponent", [-400, -60, 60, 400])
def test_choices_have_no_unit(selection, exponent):
    rows = np.ldexp(X, exponent)
    scaled = select_kmeans(rows, range(2, 8), n_init=3, gap_references=5, random_state=0)
    assert scaled.choices_ == selection.choices_
    for name in LABEL_CRITERIA:
        assert scaled.table_[name] == selection.table_[name]
    np.testing.assert_allclose(scaled.table_["gap"], selection.table_["gap"], rtol=1e-9)


# -- weights and sparse rows ---------------------------------------------------------------------


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_a_weight_counts_as_that_many_rows(dtype):
    counts = np.random.default_rng(0).integers(0, 4, size=len(X))
    rows = X.astype(dtype)
    options = {"n_init": 10, "gap_references": 3, "random_state": 0}
    weighted = select_kmeans(rows, range(1, 7), sample_weight=counts, **options)
    repeated = select_kmeans(np.repeat(rows, counts, axis=0), range(1, 7), **options)
    for name in ("inertia", "simplified_silhouette", "davies_bouldin", "calinski_harabasz"):
        # At 5 and 6 the runs may end in other optima.
        values, expected = weighted.table_[name][:4], repeated.table_[name][:4]
        # The same sums in another order; distances are in the rows' type.
        rtol = 1e-5 if dtype == np.float32 else 1e-11
        np.testing.assert_allclose(values, expected, rtol=rtol, err_msg=name)
    for name in set(KMEANS_CRITERIA) - {"silhouette", "elbow"}:
        assert weighted.choices_[name] == 4, name
    assert weighted.choices_["elbow"] == repeated.choices_["elbow"]
    assert np.isnan(weighted.table_["silhouette"]).all()
    assert weighted.choices_["silhouette"] is None
    assert weighted.best_by_ == "simplified_silhouette"
    best = weighted.best_estimator_
    again = fastclust.KMeans(**best.get_params()).fit(rows, sample_weight=counts)
    np.testing.assert_array_equal(best.cluster_centers_, again.cluster_centers_)
    weighted.plot(), weighted.to_frame(), str(weighted)
    with pytest.raises(ValueError, match="No model is chosen by 'silhouette'"):
        select_kmeans(rows, [2], sample_weight=counts, best_by="silhouette", **options)


def test_rows_without_weight_are_not_counted():
    weights = np.zeros(len(X))
    weights[:6] = 1
    selection = select_kmeans(X, sample_weight=weights, n_init=2, gap_references=1, random_state=0)
    assert selection.table_["n_clusters"] == [2, 3, 4, 5]
    mixtures = select_gaussian_mixture(
        X, sample_weight=weights, covariance_type="spherical", max_iter=300, random_state=0
    )
    assert mixtures.table_["n_components"] == [1, 2, 3, 4, 5]


def test_criteria_of_weights_that_are_fractions():
    weights = np.full(len(X), 1 / len(X))
    options = {"n_init": 2, "gap_references": 2, "random_state": 0}
    weighted = select_kmeans(X, range(2, 7), sample_weight=weights, **options)
    plain = select_kmeans(X, range(2, 7), **options)
    for name in ("simplified_silhouette", "davies_bouldin", "gap"):
        # Weights of 1/n are rounded, and so are their sums: in another way than those of ones.
        np.testing.assert_allclose(weighted.table_[name], plain.table_[name], rtol=1e-9)
    assert np.isnan(weighted.table_["calinski_harabasz"]).all()


@pytest.mark.parametrize("weights", [np.full(400, -1.0), np.zeros(400), np.ones(3)])
@pytest.mark.parametrize("select", [select_kmeans, select_gaussian_mixture])
def test_bad_weights_are_an_error(select, weights):
    with pytest.raises(ValueError, match="weight"):
        select(X, [2], sample_weight=weights)


@pytest.mark.parametrize("convert", [scipy.sparse.csr_array, scipy.sparse.csc_matrix])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_sparse_rows_have_the_criteria_that_are_defined(convert, dtype):
    options = {"n_init": 3, "gap_references": 2, "random_state": 0}
    selection = select_kmeans(convert(X.astype(dtype)), range(1, 8), **options)
    dense = select_kmeans(X.astype(dtype), range(1, 8), **options)
    assert selection.choices_ == {
        "elbow": dense.choices_["elbow"], "silhouette": 4, "simplified_silhouette": None,
        "davies_bouldin": None, "calinski_harabasz": None, "gap": None, "stability": 4,
    }  # fmt: skip
    for name in ("inertia", "silhouette", "stability"):
        # From 5 on the starts, and so the ends, may be others in float32.
        values, expected = selection.table_[name][:4], dense.table_[name][:4]
        np.testing.assert_allclose(values, expected, rtol=1e-4, err_msg=name)
    assert np.isnan(selection.table_["gap"]).all()
    assert selection.best_by_ == "silhouette"
    selection.plot(), selection.to_frame(), str(selection)
    weighted = select_kmeans(
        convert(X.astype(dtype)), range(2, 8), sample_weight=np.ones(len(X)), **options
    )
    assert weighted.best_by_ == "elbow"


def test_weights_of_mixtures_count_as_that_many_rows():
    counts = np.random.default_rng(0).integers(0, 4, size=len(X))
    weighted = select_gaussian_mixture(X, [1, 2, 4], sample_weight=counts, random_state=0)
    repeated = select_gaussian_mixture(np.repeat(X, counts, axis=0), [1, 2, 4], random_state=0)
    for name in ("log_likelihood", "bic", "aic", "icl"):
        values, expected = np.array([s.table_[name] for s in (weighted, repeated)])
        rows = np.array(weighted.table_["n_components"]) != 2  # which has several optima
        # Both draw other starts, and stop at one optimum, where a step changes the bound by less
        # than 1e-3 and all that follow by less still.
        np.testing.assert_allclose(values[rows], expected[rows], rtol=1e-5, err_msg=name)
    assert weighted.choices_["bic"][1] == 4
    best = weighted.best_estimator_
    again = fastclust.GaussianMixture(**best.get_params()).fit(X, sample_weight=counts)
    np.testing.assert_array_equal(best.means_, again.means_)


# -- mixtures ------------------------------------------------------------------------------------


def test_mixtures_are_those_of_the_estimator():
    types = ["full", "diag"]
    rows = load_iris().data
    selection = select_gaussian_mixture(rows, [1, 3], covariance_type=types, random_state=0)
    models = [(name, k) for name in types for k in (1, 3)]
    assert list(zip(*(selection.table_[c] for c in list(selection.table_)[:2]), strict=True)) == (
        models
    )
    for row, (name, k) in enumerate(models):
        model = fastclust.GaussianMixture(k, covariance_type=name, random_state=0).fit(rows)
        theirs = sklearn.mixture.GaussianMixture(k, covariance_type=name, random_state=0).fit(rows)
        for criterion in ("bic", "aic", "icl"):
            assert selection.table_[criterion][row] == getattr(model, criterion)(rows)
        assert selection.table_["bic"][row] == pytest.approx(theirs.bic(rows), rel=1e-9)
        assert selection.table_["log_likelihood"][row] == pytest.approx(theirs.score(rows) * 150)
        assert selection.table_["n_iter"][row] == model.n_iter_
    best = selection.best_estimator_
    assert selection.choices_["bic"] == (best.covariance_type, best.n_components)
    np.testing.assert_array_equal(best.predict(rows), best.fit(rows).predict(rows))


def test_a_bayesian_mixture_says_how_many_components_it_keeps():
    weights = np.arange(1, len(X) + 1) % 3
    options = {"reg_covar": 1e-3, "init_params": "random_from_data", "n_init": 2, "random_state": 0}
    selection = select_gaussian_mixture(
        X, [2, 3, 5, 6, 9], sample_weight=weights, covariance_type=["diag", "full"],
        best_by="bayesian", means_init=None, tol=1e-2, **options,
    )  # fmt: skip
    name, _ = selection.choices_["bic"]
    mixture = fastclust.BayesianGaussianMixture(
        n_components=9, covariance_type=name, max_iter=2000, **options
    ).fit(X, sample_weight=weights)
    falling = np.sort(mixture.weights_)[::-1]
    assert (falling >= 0.1 / 9).sum() == 4
    is_of_type = np.array(selection.table_["covariance_type"]) == name
    column = np.array(selection.table_["bayesian"])
    np.testing.assert_array_equal(column[is_of_type], falling[[1, 2, 4, 5, 8]])
    assert np.isnan(column[~is_of_type]).all()
    assert selection.choices_["bayesian"] == (name, 5)  # the next of 4 in the table
    best = selection.best_estimator_
    assert (type(best), best.covariance_type) == (fastclust.GaussianMixture, name)
    assert best.n_components == 5
    assert list(selection.plot(["bayesian"]).curves) == [f"bayesian, {name}"]


def test_lower_bounds_of_bayesian_mixtures_depend_on_the_unit():
    """So they say nothing of the number of components, and are no criterion."""
    differences = [
        np.subtract(*(
            fastclust.BayesianGaussianMixture(
                n_components=k, weight_concentration_prior=0.1, max_iter=2000, random_state=0
            ).fit(unit * X).lower_bound_
            for k in (4, 6)
        ))
        for unit in (1, 1024)
    ]  # fmt: skip
    assert differences[1] > differences[0] + 10


def test_a_bayesian_mixture_that_does_not_converge_is_named(monkeypatch):
    monkeypatch.setattr(_criteria, "BAYESIAN_ITERATIONS", 3)  # no option of the sweep
    with pytest.warns(ConvergenceWarning) as caught:
        select_gaussian_mixture(X, [6], covariance_type="full", best_by="bayesian", random_state=0)
    assert str(caught[-1].message) == "Not converged after max_iter iterations: Bayesian full 6."
    assert len(caught) == 1


def test_singular_models_are_left_out_with_a_warning():
    """One component of four points in 3-D has a covariance, two or three have none."""
    rows = np.repeat(np.vstack([np.eye(3), np.zeros((1, 3))]), 3, axis=0)
    with pytest.warns(RuntimeWarning, match="Left out.*: full 2, full 3") as caught:
        selection = select_gaussian_mixture(
            rows, [1, 2, 3], covariance_type="full", reg_covar=0.0, random_state=0
        )
    assert selection.table_["n_components"] == [1]
    assert caught[0].filename == __file__


def test_if_all_models_are_singular_there_is_an_error():
    with (
        pytest.warns(RuntimeWarning, match="Left out"),
        pytest.raises(ValueError, match="All models have singular covariances"),
    ):
        select_gaussian_mixture(
            np.zeros((9, 2)), [1], covariance_type="full", reg_covar=0.0, random_state=0
        )


def test_not_converged_is_said_once():
    with pytest.warns(ConvergenceWarning) as caught:
        select_gaussian_mixture(X, [3, 4], covariance_type="full", max_iter=1, random_state=0)
    assert [str(warning.message) for warning in caught] == [
        "Not converged after max_iter iterations: full 3, full 4."
    ]
    assert caught[0].filename == __file__


# -- missing values ------------------------------------------------------------------------------


def with_gaps(X, share=0.15, seed=0):
    """X with values missing at random, of which each row has one at least."""
    rng = np.random.default_rng(seed)
    is_missing = rng.random(X.shape) < share
    is_missing[np.arange(len(X)), rng.integers(X.shape[1], size=len(X))] = False
    return np.where(is_missing, np.nan, X).astype(X.dtype)


@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_missing_values_have_the_criteria_that_are_defined(dtype, weighted):
    rows = with_gaps(X.astype(dtype))
    weights = 1.0 + np.arange(len(X)) % 3 if weighted else None
    selection = select_kmeans(
        rows, range(2, 8), sample_weight=weights, n_init=3, gap_references=3, random_state=0,
        missing="ignore",
    )  # fmt: skip
    assert selection.choices_ == {
        "elbow": 4, "silhouette": None, "simplified_silhouette": 4, "davies_bouldin": None,
        "calinski_harabasz": None, "gap": 4, "stability": 4,
    }  # fmt: skip
    assert selection.best_by_ == "simplified_silhouette"
    eps = float(np.finfo(dtype).eps)
    for row, k in enumerate(range(2, 8)):
        model = fastclust.KMeans(k, n_init=3, random_state=0, missing="ignore")
        model.fit(rows, sample_weight=weights)
        # Weights that count rows are those of a fit times a power of two, but for rounding.
        assert selection.table_["inertia"][row] == pytest.approx(model.inertia_, rel=16 * eps)
        distances = np.sort(model.transform(rows.astype(np.float64)), axis=1)
        expected = np.average(1 - distances[:, 0] / distances[:, 1], weights=weights)
        value = selection.table_["simplified_silhouette"][row]
        assert value == pytest.approx(expected, rel=64 * eps)  # small distances are rounded
    selection.plot(), selection.to_frame(), str(selection)


def test_references_of_the_gap_miss_what_the_rows_do(monkeypatch):
    seen = []

    def note(make, k, X, *, packed, options, warn):
        seen.append(np.isnan(getattr(packed.X, "values", packed.X)))
        return fit_by_all_rows(make, k, X, packed=packed, options=options, warn=warn)

    monkeypatch.setattr("fastclust.model_selection._sweeps.fit_by_all_rows", note)
    rows = with_gaps(X)
    select_kmeans(rows, [2], n_init=1, gap_references=2, random_state=0, missing="ignore")
    assert len(seen) == 3
    for where_missing in seen:
        np.testing.assert_array_equal(where_missing, np.isnan(rows))


@pytest.mark.parametrize("batch_size", [None, 100])
def test_a_sweep_without_missing_values_is_the_same(batch_size):
    options = {"n_init": 2, "gap_references": 1, "random_state": 0, "batch_size": batch_size}
    ours, usual = (
        select_kmeans(X, range(2, 5), missing=missing, **options) for missing in ("ignore", "error")
    )
    for name in ours.table_.keys() - {"seconds"}:
        np.testing.assert_array_equal(ours.table_[name], usual.table_[name], err_msg=name)


@pytest.mark.filterwarnings("ignore:.*missing in all rows")
def test_a_sweep_by_batches_leaves_missing_values_out():
    rows, weights = pd.DataFrame(with_gaps(X), columns=["a", "b", "c"]), np.ones(len(X))
    weights[:20] = 0
    selection = select_kmeans(
        rows, range(2, 7), sample_weight=weights, batch_size=128, n_init=2, gap_references=1,
        random_state=0, missing="ignore",
    )  # fmt: skip
    assert selection.choices_["simplified_silhouette"] == 4
    best = selection.best_estimator_
    assert isinstance(best, fastclust.MiniBatchKMeans)
    np.testing.assert_array_equal(best.predict(rows), best.labels_)
    assert list(best.feature_names_in_) == ["a", "b", "c"]


@pytest.mark.filterwarnings("ignore:.*missing in all rows", "ignore:Number of distinct")
def test_equal_values_of_each_cluster_are_explained_by_it():
    points = np.random.default_rng(0).normal(size=(3, 4))
    rows = with_gaps(np.repeat(points, 20, axis=0), share=0.3)
    selection = select_kmeans(
        rows, range(1, 6), n_init=3, gap_references=2, random_state=0, missing="ignore"
    )
    assert selection.table_["gap"][2] == np.inf
    assert selection.choices_["gap"] == selection.choices_["simplified_silhouette"] == 3


@pytest.mark.parametrize("weighted", [False, True])
def test_mixtures_with_missing_values_are_those_of_the_estimator(weighted):
    rows = with_gaps(X, share=0.3)
    rows[7] = np.nan  # has no part in a fit
    weights = np.arange(len(X)) % 3 if weighted else None
    selection = select_gaussian_mixture(
        rows, [1, 3, 4], sample_weight=weights, random_state=0, missing="ignore"
    )
    names = zip(selection.table_["covariance_type"], selection.table_["n_components"], strict=True)
    for row, (name, k) in enumerate(names):
        model = fastclust.GaussianMixture(
            k, covariance_type=name, random_state=0, missing="ignore"
        ).fit(rows, sample_weight=weights)
        for criterion in "bic", "aic", "icl":
            expected = getattr(model, criterion)(rows, weights)
            assert selection.table_[criterion][row] == pytest.approx(expected, rel=1e-12)
        log_densities = model.score_samples(rows) * (1 if weights is None else weights)
        expected = log_densities.sum()
        assert selection.table_["log_likelihood"][row] == pytest.approx(expected, rel=1e-12)


def test_sweeps_refuse_missing_values_that_they_cannot_leave_out():
    rows = with_gaps(X)
    for select in select_kmeans, select_gaussian_mixture:
        with pytest.raises(ValueError, match="'missing' parameter of select"):
            select(rows, [2], missing="drop")
        with pytest.raises(ValueError, match="contains infinity"):
            select(np.where(np.isnan(rows), np.inf, rows), [2], missing="ignore")
        with pytest.raises(ValueError, match=r"has a value in column 1|Feature 1 has no value"):
            select(np.nan_to_num(rows) * [1, np.nan, 1], [2], missing="ignore")
    with pytest.raises(ValueError, match="1 of 400 rows has no value"):
        select_kmeans(np.vstack([rows[1:], [[np.nan] * 3]]), [2], missing="ignore")
    with pytest.raises(ValueError, match="contains NaN"):
        select_kmeans(scipy.sparse.csr_array(rows), [2], missing="ignore")
    with pytest.raises(ValueError, match="No model is chosen by 'silhouette'"):
        select_kmeans(rows, [2], best_by="silhouette", n_init=1, missing="ignore")
    with pytest.raises(ValueError, match="takes no missing values"):
        select_gaussian_mixture(rows, [2], best_by="bayesian", missing="ignore")


# -- the result ----------------------------------------------------------------------------------


def test_frame_has_a_row_for_each_model(selection):
    frame = selection.to_frame()
    assert list(frame.index) == list(range(2, 8))
    assert frame.loc[4, "inertia"] == selection.table_["inertia"][2]
    mixture = select_gaussian_mixture(X, [1, 2], covariance_type="diag", random_state=0)
    assert list(mixture.to_frame().index) == [("diag", 1), ("diag", 2)]


def test_frame_says_that_it_needs_pandas(selection, monkeypatch):
    real_import = builtins.__import__

    def without_pandas(name, *args, **options):
        if name == "pandas":
            raise ImportError(name)
        return real_import(name, *args, **options)

    monkeypatch.setattr(builtins, "__import__", without_pandas)
    with pytest.raises(ImportError, match="pip install pandas"):
        selection.to_frame()


def test_text_is_a_table():
    result = Selection(
        {"n_clusters": [2, 10], "inertia": [12.5, 3.25]}, {"elbow": None, "gap": 1}, "gap", None
    )
    assert str(result).splitlines() == [
        "n_clusters  inertia",
        "         2     12.5",
        "        10     3.25",
        "All criteria agree: elbow none, gap 10. best_estimator_ is by gap.",
    ]


def test_plot_marks_the_choices(selection):
    display = selection.plot()
    assert list(display.curves) == list(KMEANS_CRITERIA)
    assert display.choices == dict.fromkeys(KMEANS_CRITERIA, 4)
    np.testing.assert_array_equal(display.curves["elbow"], selection.table_["inertia"])
    assert list(selection.plot(["gap", "n_iter"]).choices) == ["gap"]
    with pytest.raises(ValueError, match="no column 'taste'"):
        selection.plot(["taste"])


def test_plot_of_mixtures_has_a_curve_for_each_covariance_type():
    types = ["full", "diag"]
    selection = select_gaussian_mixture(X, [2, 4, 5], covariance_type=types, random_state=0)
    display = selection.plot(["bic"])
    assert list(display.curves) == ["bic, full", "bic, diag"]
    np.testing.assert_array_equal(display.curves["bic, diag"], selection.table_["bic"][3:])
    name, k = selection.choices_["bic"]
    assert display.choices == {f"bic, {name}": k}


# -- the way to the estimators -------------------------------------------------------------------


@pytest.mark.parametrize(
    "module",
    [
        "model_selection/_selection", "model_selection/_criteria", "model_selection/_sweeps",
        "model_selection/_select", "model_selection/_fits", "model_selection/_packing",
        "dask/_selection", "dask/_metrics", "outliers/_detectors", "outliers/_trimmed",
        "_cli/model_file", "_cli/commands",
    ],
)  # fmt: skip
def test_private_attributes_are_those_of_self_or_of_the_package(module):
    tree = ast.parse((Path(fastclust.__file__).parent / f"{module}.py").read_text())
    owners = {
        ast.unparse(node.value): node.attr
        for node in ast.walk(tree)
        if isinstance(node, ast.Attribute) and node.attr.startswith("_")
        if not node.attr.startswith("__")
    }
    assert owners.keys() <= {"self"}


# -- errors --------------------------------------------------------------------------------------


@pytest.mark.parametrize(("options", "message"), [
    ({"n_clusters": [0, 2]}, "'n_clusters' parameter must hold int in the range \\[1, inf\\)"),
    ({"n_clusters": [2.5]}, "'n_clusters' parameter must hold"),
    ({"n_clusters": []}, "'n_clusters' parameter is empty"),
    ({"n_clusters": [400]}, "n_samples=400 should be >= n_clusters=401"),
    ({"best_by": "taste"}, "'best_by' parameter of select_kmeans must be a str among"),
    ({"n_init": 0}, "'n_init' parameter of select_kmeans"),
    ({"gap_references": -1}, "'gap_references' parameter of select_kmeans"),
    ({"silhouette_sample_size": 2}, "'silhouette_sample_size' parameter"),
    ({"random_state": "a"}, "'random_state' parameter of select_kmeans"),
    ({"max_iter": 0}, "'max_iter' parameter of KMeans"),
])  # fmt: skip
def test_bad_options_of_select_kmeans(options, message):
    with pytest.raises(ValueError, match=message):
        select_kmeans(X, **{"n_clusters": [2], "n_init": 1, "gap_references": 0} | options)


@pytest.mark.parametrize(("options", "message"), [
    ({"n_components": [0]}, "'n_components' parameter must hold"),
    ({"n_components": [500]}, "but got n_components = 500, n_samples = 400"),
    ({"covariance_type": "ill-defined"}, "Got 'ill-defined' instead"),
    ({"covariance_type": "round"}, "'covariance_type' parameter of GaussianMixture"),
    ({"covariance_type": ["full", "round"]}, "'covariance_type' parameter of GaussianMixture"),
    ({"best_by": "gap"}, "'best_by' parameter of select_gaussian_mixture"),
    ({"tol": -1}, "'tol' parameter of GaussianMixture"),
])  # fmt: skip
def test_bad_options_of_select_gaussian_mixture(options, message):
    with pytest.raises(ValueError, match=message):
        select_gaussian_mixture(X, **{"n_components": [1]} | options)


@pytest.mark.parametrize("select", [select_kmeans, select_gaussian_mixture])
@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_rows_that_are_not_finite_are_an_error(select, value):
    rows = X.copy()
    rows[3, 1] = value
    with pytest.raises(ValueError, match="Input X contains"):
        select(rows, [2])


def test_a_sweep_of_mixtures_checks_before_it_fits(monkeypatch):
    monkeypatch.setattr("fastclust.model_selection._sweeps.fit_mixture", None)
    with pytest.raises(ValueError, match="n_components = 500, n_samples = 400"):
        select_gaussian_mixture(X, [1, 500])
    with pytest.raises(ValueError, match=r"covariance_type.*Got 'round'"):
        select_gaussian_mixture(X, 2, covariance_type=["full", "round"])
    with pytest.raises(ValueError, match="'covariance_type' parameter is empty"):
        select_gaussian_mixture(X, 2, covariance_type=[])


# -- by batches ------------------------------------------------------------------------------------


def test_a_sweep_by_batches_fits_mini_batches():
    X, _ = make_blobs(3_000, centers=4, cluster_std=0.5, random_state=3)
    selection = select_kmeans(X, range(2, 7), batch_size=256, n_init=3, random_state=0)
    model = selection.best_estimator_
    assert isinstance(model, fastclust.MiniBatchKMeans)
    assert (model.n_clusters, model.batch_size, model.random_state) == (4, 256, 0)
    assert selection.choices_["gap"] == selection.choices_["stability"] == 4
    np.testing.assert_array_equal(model.labels_, model.predict(X))
    exact = select_kmeans(X, range(2, 7), n_init=3, random_state=0)
    ratio = np.divide(selection.table_["inertia"], exact.table_["inertia"])
    assert (ratio > 0.99).all()  # runs of KMeans may end in other minima
    assert (ratio < 1.02).all()


def test_a_sweep_by_batches_leaves_out_rows_without_weight():
    X, _ = make_blobs(500, centers=3, random_state=0)
    weights = np.ones(500)
    weights[:50] = 0
    options = {"batch_size": 100, "n_init": 2, "gap_references": 0, "random_state": 0}
    selection = select_kmeans(X, range(2, 5), sample_weight=weights, **options)
    others = select_kmeans(X[50:], range(2, 5), sample_weight=weights[50:], **options)
    assert selection.table_["inertia"] == others.table_["inertia"]
    assert len(selection.best_estimator_.labels_) == 500


def test_a_batch_size_of_0_is_an_error():
    with pytest.raises(fastclust.exceptions.InvalidParameterError, match="batch_size"):
        select_kmeans(np.zeros((5, 2)), batch_size=0)
