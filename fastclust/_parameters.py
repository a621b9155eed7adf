"""What parameters must be: rules that the estimators share, worded like scikit-learn's.

scikit-learn's own machinery for these is private, so the rules are written out here.
"""

import math
from numbers import Integral, Real

import numpy as np
import scipy.sparse
import sklearn

from fastclust.exceptions import InvalidParameterError


class Rule:
    """What a parameter must be: a test and the words for it."""

    def __init__(self, test, text):
        self.test = test
        self.text = text


def integer(low, high=math.inf):
    """Accept an integer between low and high."""
    end = "inf)" if high == math.inf else f"{high}]"
    return Rule(
        lambda value: isinstance(value, Integral) and low <= value <= high,
        f"an int in the range [{low}, {end}",
    )


def real(low, high=math.inf):
    """Accept a finite real number from `low` to `high`."""
    end = f"{float(high)}]" if high < math.inf else "inf)"
    return Rule(
        lambda value: isinstance(value, Real) and low <= float(value) <= high and value < math.inf,
        f"a float in the range [{float(low)}, {end}",
    )


def non_negative_float():
    """Accept a finite real number that is not negative."""
    return real(0)


def positive_float():
    """Accept a finite real number above 0."""
    return Rule(
        lambda value: isinstance(value, Real) and 0 < float(value) < math.inf,
        "a float in the range (0.0, inf)",
    )


def one_of(*options):
    """Accept one of these strings."""
    text = "a str among {" + ", ".join(map(repr, options)) + "}"
    return Rule(lambda value: isinstance(value, str) and value in options, text)


BOOLEAN = [
    Rule(lambda value: isinstance(value, bool), "an instance of 'bool'"),
    Rule(lambda value: isinstance(value, np.bool_), "an instance of 'numpy.bool'"),
]
VERBOSE = [integer(0), *BOOLEAN]
RANDOM_STATE = [
    integer(0, 2**32 - 1),
    Rule(
        lambda value: isinstance(value, np.random.RandomState),
        "an instance of 'numpy.random.mtrand.RandomState'",
    ),
    Rule(lambda value: value is None, "None"),
]
CALLABLE = Rule(callable, "a callable")
NONE = Rule(lambda value: value is None, "None")


def is_array_like(value):
    """Whether value is an array or a sequence, and not a scalar, a string or a sparse matrix."""
    if scipy.sparse.issparse(value) or np.isscalar(value):
        return False
    return any(hasattr(value, name) for name in ("__len__", "shape", "__array__"))


ARRAY_LIKE = Rule(is_array_like, "an array-like")
SPARSE = Rule(scipy.sparse.issparse, "a sparse array or matrix")


def check_parameters(owner, parameters, rules):
    """Raise InvalidParameterError for the first parameter that none of its rules accepts.

    Parameters
    ----------
    owner : str
        Name of the class or function, for the message.
    parameters : dict
        Values by name.
    rules : dict
        For each name, the list of rules of which one must hold.
    """
    if sklearn.get_config()["skip_parameter_validation"]:
        return
    for name, accepted in rules.items():
        value = parameters[name]
        if any(rule.test(value) for rule in accepted):
            continue
        *texts, last = (rule.text for rule in accepted)
        words = f"{', '.join(texts)} or {last}" if texts else last
        raise InvalidParameterError(
            f"The {name!r} parameter of {owner} must be {words}. Got {value!r} instead."
        )
