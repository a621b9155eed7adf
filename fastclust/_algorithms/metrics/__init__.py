"""Scores of a clustering."""

from fastclust._algorithms import load_submodules

__getattr__ = load_submodules(__name__)
