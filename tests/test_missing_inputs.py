"""Missing values of frames and tables are NaN: in estimators, functions, pipelines and a shell."""

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pyarrow.parquet
import pytest
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from fastclust import (
    GaussianMixture,
    KMeans,
    MiniBatchKMeans,
    k_means,
    kmeans_plusplus,
    model_selection,
    outliers,
)
from fastclust._cli.main import main

NAMES = ["whole", "half", "bool"]


def make_rows():
    """Whole numbers, numbers and booleans as floats, in three clusters far apart, with gaps."""
    rng = np.random.default_rng(0)
    X = 50.0 * (np.arange(150) % 3)[:, np.newaxis] + rng.normal(size=(150, 3))
    X[:, 0] = X[:, 0].round()
    X[:, 2] = rng.random(150) < 0.5
    X[np.arange(0, 150, 2), rng.integers(3, size=75)] = np.nan  # one value of each second row
    return X


ROWS = make_rows()


def columns(none):
    """The columns as lists of int, float and bool, with `none` for what is missing."""
    kinds = zip(ROWS.T, (int, float, bool), strict=True)
    return {
        name: [none if np.isnan(value) else kind(value) for value in values.tolist()]
        for name, (values, kind) in zip(NAMES, kinds, strict=True)
    }


def objects(none):
    """Rows of Python objects."""
    return np.array([list(row) for row in zip(*columns(none).values(), strict=True)], dtype=object)


def nullable():
    return pd.DataFrame({
        name: pd.array(values, dtype=dtype)
        for (name, values), dtype in zip(
            columns(pd.NA).items(), ("Int64", "Float64", "boolean"), strict=True
        )
    })  # fmt: skip


FORMS = {
    "pandas": lambda: pd.DataFrame(ROWS, columns=NAMES),
    "pandas, nullable": nullable,
    "pandas, by pyarrow": lambda: nullable().convert_dtypes(dtype_backend="pyarrow"),
    "pandas, one column nullable": lambda: pd.DataFrame(ROWS, columns=NAMES).assign(
        bool=nullable()["bool"]
    ),
    "pandas, None": lambda: pd.DataFrame(objects(None), columns=NAMES),
    "pandas, None in a column": lambda: pd.DataFrame(ROWS, columns=NAMES).assign(
        bool=pd.Series(columns(None)["bool"], dtype=object)
    ),
    "polars": lambda: pl.DataFrame(columns(None)),
    "polars, NaN": lambda: pl.DataFrame(ROWS, schema=NAMES),
}
"""What scikit-learn's transformers take, too."""

OTHER_FORMS = {
    "pandas, NA among objects": lambda: pd.DataFrame(objects(pd.NA), columns=NAMES),
    "objects, NA": lambda: objects(pd.NA),
    "objects, None": lambda: objects(None),
    "lists": lambda: objects(None).tolist(),
    "pyarrow": lambda: pa.table(columns(None)),
    "pyarrow, in chunks": lambda: pa.concat_tables(
        [pa.table(columns(None)).slice(0, 40), pa.table(columns(None)).slice(40)]
    ),
    "batch": lambda: pa.table(columns(None)).to_batches()[0],
}


def kmeans():
    return KMeans(3, random_state=0, missing="ignore")


def mixture():
    return GaussianMixture(3, covariance_type="diag", random_state=0, missing="ignore")


def results(X):
    """Answers for rows, of everything that leaves missing values out."""
    fitted, fitted_mixture = kmeans().fit(X), mixture().fit(X)
    batches = MiniBatchKMeans(3, random_state=0, missing="ignore").fit(X)
    sweep = model_selection.select_gaussian_mixture(
        X, [2, 3], covariance_type="diag", random_state=0, missing="ignore"
    )
    clusters = model_selection.select_kmeans(
        X, [2, 3], n_init=1, gap_references=1, random_state=0, missing="ignore"
    )
    return {
        "labels": fitted.labels_,
        "predict": fitted.predict(X),
        "transform": fitted.transform(X),
        "score": fitted.score(X),
        "batches": batches.partial_fit(X).cluster_centers_,
        "k_means": k_means(X, 3, random_state=0, missing="ignore")[0],
        "kmeans_plusplus": kmeans_plusplus(X, 3, random_state=0, missing="ignore")[1],
        "predict_proba": fitted_mixture.predict_proba(X),
        "score_samples": fitted_mixture.score_samples(X),
        "bic": fitted_mixture.bic(X),
        "impute": fitted_mixture.impute(X),
        "confident": outliers.confident_labels(fitted_mixture, X),
        "density": outliers.DensityOutliers(mixture()).fit(X).score_samples(X),
        "distance": outliers.DistanceOutliers(kmeans()).fit(X).score_samples(X),
        "trimmed": outliers.TrimmedKMeans(kmeans()).fit(X).labels_,
        "sweep": sweep.table_["bic"],
        "clusters": clusters.table_["gap"],
    }


@pytest.fixture(scope="module")
def expected():
    return results(ROWS)


@pytest.mark.parametrize("form", [*FORMS, *OTHER_FORMS])
def test_missing_values_of_any_form_are_nan(form, expected):
    for name, values in results((FORMS | OTHER_FORMS)[form]()).items():
        np.testing.assert_array_equal(values, expected[name], err_msg=name)


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("make", [kmeans, mixture])
def test_a_scaler_in_a_pipeline_passes_them_on(make, form):
    pipeline, usual = (make_pipeline(StandardScaler(), make()) for _ in range(2))
    labels = pipeline.fit_predict(FORMS[form]())
    np.testing.assert_array_equal(labels, usual.fit_predict(ROWS))
    assert np.isnan(pipeline[0].transform(FORMS[form]())).any()
    # Frames lie in memory by columns, so that the scaler adds them up in another order.
    parameter = "cluster_centers_" if make is kmeans else "means_"
    ours, theirs = (getattr(p[-1], parameter) for p in (pipeline, usual))
    np.testing.assert_allclose(ours, theirs, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("form", [*FORMS, *OTHER_FORMS])
def test_they_are_an_error_by_default(form):
    rows = (FORMS | OTHER_FORMS)[form]()
    for estimator in KMeans(3), GaussianMixture(3):
        # What scikit-learn says of NA among objects is a TypeError.
        with pytest.raises((ValueError, TypeError), match=r"contains NaN|NAType"):
            estimator.fit(rows)


@pytest.mark.parametrize("convert", [
    lambda X: pd.DataFrame(X, columns=NAMES),
    lambda X: pd.DataFrame(X, columns=NAMES).astype("Float64"),
    lambda X: pd.DataFrame(X.astype(object), columns=NAMES),
    lambda X: pl.DataFrame(X, schema=NAMES),
    lambda X: pa.table({name: X[:, f] for f, name in enumerate(NAMES)}),
])  # fmt: skip
@pytest.mark.parametrize("make", [kmeans, mixture])
def test_infinity_is_an_error_in_any_form(make, convert):
    X = ROWS.copy()
    X[7, 1] = -np.inf
    with pytest.raises(ValueError, match="contains infinity"):
        make().fit(convert(X))
    fitted = make().fit(convert(ROWS))
    with pytest.raises(ValueError, match="contains infinity"):
        fitted.predict(convert(X))


@pytest.mark.parametrize("estimator", ["kmeans", "gmm"])
def test_nulls_of_parquet_in_a_shell(estimator, tmp_path):
    rows, model, output = (tmp_path / name for name in ("rows.parquet", "m.npz", "labels.parquet"))
    pa.parquet.write_table(pa.table(columns(None)), rows)
    count = "--clusters" if estimator == "kmeans" else "--components"
    fit = ["fit", estimator, rows, count, 3, "--missing", "ignore", "--random-state", 0]
    assert main([str(word) for word in [*fit, "--model", model]]) == 0
    assert (
        main([str(word) for word in ["predict", rows, "--model", model, "--output", output]]) == 0
    )
    made = KMeans if estimator == "kmeans" else GaussianMixture
    labels = made(3, random_state=0, missing="ignore").fit_predict(ROWS)
    np.testing.assert_array_equal(pd.read_parquet(output)["label"], labels)
