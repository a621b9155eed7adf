"""What tests ask of the mixtures of both packages."""

import re
import warnings

import pytest
import sklearn.mixture
from sklearn.exceptions import ConvergenceWarning

import fastclust

PACKAGES = (sklearn.mixture, fastclust)


def fit_both(X, n_components=3, **options):
    options = {"random_state": 0} | options
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        return [package.GaussianMixture(n_components, **options).fit(X) for package in PACKAGES]


def assert_same_error(call):
    errors = []
    for package in PACKAGES:
        with pytest.raises((ValueError, TypeError)) as raised:
            call(package)
        errors.append(raised.value)
    theirs, ours = errors
    assert isinstance(ours, ValueError) == isinstance(theirs, ValueError)
    assert isinstance(ours, TypeError) == isinstance(theirs, TypeError)
    assert in_order(str(ours)) == in_order(str(theirs))


def in_order(message):
    """The options of a message sorted: scikit-learn has them in any order."""
    return re.sub(r"\{(.*?)\}", lambda found: str(sorted(found[1].split(", "))), message)
