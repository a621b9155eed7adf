"""scikit-learn's own tests of BayesianGaussianMixture, with fastclust's class put in."""

import pytest
import sklearn.mixture

import fastclust
from tests.theirs import expect_failure, load_tests, named_tests

PRIVATE = {"test_compare_covar_type": "_check_parameters"}
"""Tests that look at a private attribute, and its name."""


theirs = load_tests(
    "sklearn.mixture.tests.test_bayesian_mixture", sklearn.mixture, ["BayesianGaussianMixture"]
)
globals().update(named_tests(theirs))


@pytest.fixture
def global_random_seed():
    """As of scikit-learn's conftest."""
    return 42


@pytest.fixture(autouse=True)
def _private_attributes_may_lack(request):
    expect_failure(request, PRIVATE)


def test_they_are_tests_of_fastclust():
    assert theirs.BayesianGaussianMixture is fastclust.BayesianGaussianMixture
