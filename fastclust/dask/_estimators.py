"""The estimators of fastclust for rows that are Dask collections."""

from typing import Any

import dask
import numpy as np

from fastclust import (
    _validation,
    gaussian_mixture,
    kmeans,
    minibatch_kmeans,
    spherical_kmeans,
)
from fastclust._algorithms.kmeans import lloyd
from fastclust._algorithms.rows import scale
from fastclust._missing import allows_nan
from fastclust.dask._collections import DaskSource, is_collection
from fastclust.dask._lazy import lazily, logs_of_block, score_of_block, scores_of_block, sum_over
from fastclust.dask._rows import DaskRows, WeightsElsewhere
from fastclust.dask._starts import weighted_random_starts


class CollectionEstimator:
    """Base of estimators that take Dask collections, and all that those of fastclust take.

    A subclass says which of these it is (`_local_class`). Pickles hold an estimator of that class:
    it needs no Dask.
    """

    _local_class: Any

    _most_weight = 0.0
    """Weights up to this are not scaled; see `DaskSource.of`."""

    def fit(self, X, y=None, sample_weight=None):
        """Fit to the rows of a Dask collection, or to others as the estimator of fastclust does.

        Parameters
        ----------
        X : dask.array.Array or dask.dataframe.DataFrame of shape (n_samples, n_features)
            Rows; chunks may be of unknown sizes, and empty. They are computed once. Or what the
            estimator of fastclust takes.

        y : Ignored
            Present for the API's sake.

        sample_weight : dask.array.Array, dask.dataframe.Series or array-like, default=None
            Weight of each row, in chunks like those of X if it is Dask's; None for ones.

        Returns
        -------
        self : object
            The fitted estimator. `labels_`, where it has them, are lazy.

        Raises
        ------
        ValueError
            As the estimator of fastclust does, with the block that is wrong; or if the workers
            round differently.
        """
        if not is_collection(X):
            return self._local_class.fit(self, X, sample_weight=sample_weight)
        source = DaskSource.of(X, sample_weight, allows_nan(self), self._most_weight)
        return self._local_class.fit(self, source)

    def to_local(self):
        """The ordinary estimator with the same parameters and results, without lazy `labels_`."""
        local = self._local_class.__new__(self._local_class)
        local.__dict__.update(self.__dict__)
        if dask.is_dask_collection(local.__dict__.get("labels_")):
            del local.labels_
        return local

    def __reduce_ex__(self, protocol):
        return self._local_class, (), self.to_local().__getstate__()

    def predict(self, X):
        """Label of each row: of a Dask collection lazily, with the index of a dataframe.

        Parameters
        ----------
        X : dask.array.Array, dask.dataframe.DataFrame or array-like
            New rows, of shape (n_samples, n_features).

        Returns
        -------
        labels : dask.array.Array, dask.dataframe.Series or ndarray of shape (n_samples,)
            The labels.
        """
        if not is_collection(X):
            return self._local_class.predict(self, X)
        return lazily(self.to_local(), "predict", X)


class CollectionCenters(CollectionEstimator):
    """Base of the estimators that have centers."""

    init: Any
    get_feature_names_out: Any

    def fit(self, X, y=None, sample_weight=None):
        super().fit(X, sample_weight=sample_weight)
        if is_collection(X):
            self.labels_ = self.predict(X)
        return self

    fit.__doc__ = CollectionEstimator.fit.__doc__

    def _drawn_starts(self, rows, n_clusters, sample_weight, random_state):
        """Return the `draw_start` of `run_restarts` for the `init` that is a string."""
        if isinstance(rows, DaskRows) and rows.has_weights:  # it knows its weights itself
            if self.init == "random":
                return weighted_random_starts(rows, n_clusters, random_state)
            sample_weight = WeightsElsewhere(rows)
        return self._local_class._drawn_starts(self, rows, n_clusters, sample_weight, random_state)

    def _is_better_run(self, in_range):
        """How runs are compared."""
        if isinstance(in_range.X, DaskSource):
            return lloyd.is_clearly_smaller
        return self._local_class._is_better_run(self, in_range)

    def transform(self, X):
        """Distances of rows to the centers: of a Dask collection lazily.

        Parameters
        ----------
        X : dask.array.Array, dask.dataframe.DataFrame or array-like
            New rows, of shape (n_samples, n_features).

        Returns
        -------
        X_new : dask.array.Array, dask.dataframe.DataFrame or ndarray
            The distances, of shape (n_samples, n_clusters).
        """
        if not is_collection(X):
            return self._local_class.transform(self, X)
        return lazily(self.to_local(), "transform", X, list(self.get_feature_names_out()))

    def score(self, X, y=None, sample_weight=None):
        """Negative inertia of X; see the estimator of fastclust."""
        if not is_collection(X):
            return self._local_class.score(self, X, sample_weight=sample_weight)
        score = sum_over(self.to_local(), X, sample_weight, score_of_block)
        return scale.scaled_up(float(score), 0, "The inertia")


class KMeans(CollectionCenters, kmeans.KMeans):
    """`fastclust.KMeans` for Dask's arrays and dataframes.

    From the same first centers, labels and iterations are those of the rows in memory; centers and
    inertia are so up to rounding, and have the same bits however many workers there are, as they
    depend on the chunks alone. The parameters and attributes are those of `fastclust.KMeans`, but
    for these:

    - ``init='k-means||'`` draws in each chunk. ``init='k-means++'`` is the same, and a warning says
      so. It can not be a callable;
    - of several runs, a later one is kept if its inertia is smaller by more than a millionth;
    - ``labels_`` is a lazy array, or series with the index of a dataframe: ``predict(X)``.

    See Also
    --------
    fastclust.KMeans : The parameters and attributes.

    Examples
    --------
    >>> import dask.array as da
    >>> from fastclust.dask import KMeans
    >>> X = da.random.RandomState(0).normal(size=(1000, 4), chunks=(300, 4))
    >>> kmeans = KMeans(3, init="k-means||", random_state=0).fit(X)
    >>> kmeans.labels_
    dask.array<_ask, shape=(1000,), dtype=int32, chunksize=(300,), chunktype=numpy.ndarray>
    >>> kmeans.cluster_centers_.shape
    (3, 4)
    """

    _local_class = kmeans.KMeans


class SphericalKMeans(CollectionCenters, spherical_kmeans.SphericalKMeans):
    """`fastclust.SphericalKMeans` for Dask's arrays and dataframes; see `KMeans`.

    See Also
    --------
    fastclust.SphericalKMeans : The parameters and attributes.

    Examples
    --------
    >>> import dask.array as da
    >>> from fastclust.dask import SphericalKMeans
    >>> X = da.random.RandomState(0).normal(size=(1000, 4), chunks=(300, 4))
    >>> kmeans = SphericalKMeans(3, init="k-means||", random_state=0).fit(X)
    >>> kmeans.predict(X)
    dask.array<_ask, shape=(1000,), dtype=int32, chunksize=(300,), chunktype=numpy.ndarray>
    """

    _local_class = spherical_kmeans.SphericalKMeans


class MiniBatchKMeans(CollectionCenters, minibatch_kmeans.MiniBatchKMeans):
    """`fastclust.MiniBatchKMeans` for Dask's arrays and dataframes; see `KMeans`.

    The same `random_state` gives the steps and centers of the rows in memory: batches are drawn
    from all rows, and those of many batches are taken from the workers at once. The steps run where
    `fit` is called, and sample weights are gathered there.

    See Also
    --------
    fastclust.MiniBatchKMeans : The parameters and attributes.

    Examples
    --------
    >>> import dask.array as da
    >>> from fastclust.dask import MiniBatchKMeans
    >>> X = da.random.RandomState(0).normal(size=(1000, 4), chunks=(300, 4))
    >>> kmeans = MiniBatchKMeans(3, batch_size=100, random_state=0).fit(X)
    >>> kmeans.labels_
    dask.array<_ask, shape=(1000,), dtype=int32, chunksize=(300,), chunktype=numpy.ndarray>
    """

    _local_class = minibatch_kmeans.MiniBatchKMeans

    def fit(self, X, y=None, sample_weight=None):
        """Fit to the rows of a Dask collection, or to others; see `fastclust.dask.KMeans.fit`."""
        return self._learn(self._local_class.fit, X, sample_weight)

    def partial_fit(self, X, y=None, sample_weight=None):
        """Move the centers by one batch: all rows of a Dask collection, or others.

        The step is that of the rows in memory: sums of clusters come from the workers. See
        `fastclust.MiniBatchKMeans.partial_fit`.
        """
        return self._learn(self._local_class.partial_fit, X, sample_weight)

    def _learn(self, method, X, sample_weight):
        """Call a method that fits, and leave the labels of a collection where its rows are."""
        if not is_collection(X):
            return method(self, X, sample_weight=sample_weight)
        if sample_weight is not None:
            sample_weight = np.asarray(dask.compute(sample_weight)[0])
        with _validation.state_restored_on_error(self):
            source = DaskSource.of(X, allow_nan=allows_nan(self))
            method(self, source, sample_weight=sample_weight)
            if self.compute_labels:
                self.labels_ = self.predict(X)
                self.inertia_ = -self.score(X, sample_weight=sample_weight)
        return self

    def _label(self, X, sample_weight, weight_exponent=0):
        """Leave the labels of a collection where its rows are."""
        if not isinstance(X, DaskSource):
            self._local_class._label(self, X, sample_weight, weight_exponent)


class GaussianMixture(CollectionEstimator, gaussian_mixture.GaussianMixture):
    """`fastclust.GaussianMixture` for Dask's arrays and dataframes.

    From the same first components, labels and iterations are those of the rows in memory; the
    parameters are so up to rounding, and have the same bits however many workers there are, as they
    depend on the chunks alone. The k-means of `init_params` starts as `KMeans` does here.

    See Also
    --------
    fastclust.GaussianMixture : The parameters and attributes.

    Examples
    --------
    >>> import dask.array as da
    >>> from fastclust.dask import GaussianMixture
    >>> X = da.random.RandomState(0).normal(size=(1000, 4), chunks=(300, 4))
    >>> gm = GaussianMixture(2, init_params="random_from_data", random_state=0).fit(X)
    >>> gm.score_samples(X)
    dask.array<_ask, shape=(1000,), dtype=float64, chunksize=(300,), chunktype=numpy.ndarray>
    """

    _local_class = gaussian_mixture.GaussianMixture
    _most_weight = scale.MOST_WEIGHT_OF_MIXTURE

    def partial_fit(self, X, y=None, sample_weight=None):
        """Update the components by one batch: all rows of a Dask collection, or others.

        See `fastclust.GaussianMixture.partial_fit`.
        """
        if not is_collection(X):
            return super().partial_fit(X, sample_weight=sample_weight)
        source = DaskSource.of(X, sample_weight, allows_nan(self), self._most_weight)
        return super().partial_fit(source)

    def fit_predict(self, X, y=None, sample_weight=None):
        """Estimate the components and label the rows: fit(X).predict(X)."""
        return self.fit(X, sample_weight=sample_weight).predict(X)

    def predict_proba(self, X):
        """Probability of each component for each row: of a Dask collection lazily."""
        if not is_collection(X):
            return super().predict_proba(X)
        return lazily(self.to_local(), "predict_proba", X, list(range(len(self.means_))))

    def score_samples(self, X):
        """Log-likelihood of each row: of a Dask collection lazily."""
        if not is_collection(X):
            return super().score_samples(X)
        return lazily(self.to_local(), "score_samples", X)

    def score(self, X, y=None, sample_weight=None):
        """Mean log-likelihood of the rows; see `fastclust.GaussianMixture.score`."""
        if not is_collection(X):
            return super().score(X, sample_weight=sample_weight)
        found = sum_over(self.to_local(), X, sample_weight, scores_of_block)
        return float(found.sums[1] / found.sums[0])

    def impute(self, X, draw=False, random_state=None):
        """Fill in missing values; see `fastclust.GaussianMixture.impute`.

        Of a Dask collection it is lazy, and there are no draws.
        """
        if not is_collection(X):
            return super().impute(X, draw, random_state)
        if draw:
            raise TypeError("Draws are for rows in memory: call impute of to_local() on blocks.")
        columns = list(getattr(X, "columns", range(X.shape[1])))
        return lazily(self.to_local(), "impute", X, columns)

    def _sum_logs(self, X, sample_weight, with_entropy=False):
        """Weighted sums over the rows that criteria need; see `fastclust.GaussianMixture`."""
        if not is_collection(X):
            return super()._sum_logs(X, sample_weight, with_entropy)
        found = sum_over(self.to_local(), X, sample_weight, logs_of_block, with_entropy)
        return [
            scale.scaled_up(float(value), found.exponent, "A sum of weights")
            for value in found.sums
        ]
