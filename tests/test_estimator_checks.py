"""scikit-learn's own checks of an estimator; the exemptions are those of its own KMeans.

SphericalKMeans has a few more, as it refuses rows of zeros. `test_spherical.py` holds what these
check, on rows that are not zero.
"""

import pytest
from sklearn.utils.estimator_checks import parametrize_with_checks

from fastclust import (
    BayesianGaussianMixture,
    BisectingKMeans,
    GaussianMixture,
    KMeans,
    MiniBatchGaussianMixture,
    MiniBatchKMeans,
    SphericalKMeans,
)

ESTIMATORS = [
    KMeans(),
    KMeans(n_clusters=3, algorithm="elkan"),
    KMeans(n_clusters=2, init="random", n_init=3, tol=0),
    KMeans(missing="ignore"),
    MiniBatchKMeans(),
    MiniBatchKMeans(n_clusters=2, batch_size=10, init="random", compute_labels=True, tol=1e-2),
    MiniBatchKMeans(missing="ignore"),
    BisectingKMeans(),
    BisectingKMeans(n_clusters=3, init="k-means++", n_init=2, algorithm="elkan"),
    BisectingKMeans(n_clusters=4, bisecting_strategy="largest_cluster", tol=0),
    SphericalKMeans(),
    SphericalKMeans(n_clusters=2, init="random", n_init=3, tol=0),
    GaussianMixture(),
    GaussianMixture(n_components=2, covariance_type="tied", init_params="random"),
    GaussianMixture(covariance_type="diag", init_params="k-means++", warm_start=True),
    GaussianMixture(covariance_type="spherical", init_params="random_from_data"),
    GaussianMixture(missing="ignore"),
    GaussianMixture(n_components=2, covariance_type="diag", missing="ignore"),
    MiniBatchGaussianMixture(),
    MiniBatchGaussianMixture(n_components=2, batch_size=10, covariance_type="diag", tol=0.1),
    BayesianGaussianMixture(),
    BayesianGaussianMixture(n_components=2, covariance_type="tied", init_params="random"),
    BayesianGaussianMixture(
        covariance_type="diag",
        weight_concentration_prior_type="dirichlet_distribution",
        init_params="k-means++",
        warm_start=True,
    ),
    BayesianGaussianMixture(
        covariance_type="spherical", init_params="random_from_data", on_singular="regularize"
    ),
]

# Seeds are drawn by row number, so the same random_state draws other rows where rows are repeated
# instead of weighted. scikit-learn exempts its own KMeans from these two, and whoever draws what it
# draws must fail them too. test_properties.py holds what does hold: from the same first centers, a
# weight of 2 is a row twice.
REASON = "sample_weight is not equivalent to removing/repeating samples."
EXPECTED_FAILURES = {
    "check_sample_weight_equivalence_on_dense_data": REASON,
    "check_sample_weight_equivalence_on_sparse_data": REASON,
}


# Some rows of these checks are zero. They have no direction, so SphericalKMeans refuses them.
ZERO_ROWS = "a row of zeros has no cosine, which is an error"
REFUSED = dict.fromkeys(
    (
        "check_estimators_dtypes", "check_estimator_sparse_tag", "check_estimator_sparse_array",
        "check_estimator_sparse_matrix",
    ),
    ZERO_ROWS,
)  # fmt: skip


def expected_failures(estimator):
    """Those checks of an estimator that starts from drawn rows; one component starts from all."""
    if isinstance(estimator, SphericalKMeans):
        return EXPECTED_FAILURES | REFUSED
    draws = getattr(estimator, "n_components", 2) > 1
    return EXPECTED_FAILURES if draws else {}


# Some checks fit constant data, and some set n_clusters to 1: the warnings are right.
@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
@pytest.mark.filterwarnings("ignore:algorithm='elkan' doesn't make sense:RuntimeWarning")
@parametrize_with_checks(ESTIMATORS, expected_failed_checks=expected_failures)
def test_scikit_learn_check_passes(estimator, check):
    check(estimator)
