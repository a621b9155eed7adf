"""scikit-learn's own tests, with fastclust's classes and functions put in."""

import importlib.util
from unittest import mock

import pytest

import fastclust


def load_tests(module_name, package, names):
    """A copy of a module of scikit-learn's tests that has imported fastclust's names instead.

    They are put into the package while the copy is imported, as it lists classes in parameters of
    its tests.
    """
    spec = importlib.util.find_spec(module_name)
    module = importlib.util.module_from_spec(spec)
    with mock.patch.multiple(package, **{name: getattr(fastclust, name) for name in names}):
        spec.loader.exec_module(module)
    return module


def named_tests(module):
    """Its tests, by name."""
    return {name: test for name, test in vars(module).items() if name.startswith("test_")}


def expect_failure(request, private):
    """Mark a test that looks at a private attribute, whose name `private` has by the test's."""
    name = request.node.originalname
    if name in private:
        reason = f"It looks at the private attribute {private[name]}."
        request.applymarker(pytest.mark.xfail(reason=reason, raises=AttributeError, strict=True))
