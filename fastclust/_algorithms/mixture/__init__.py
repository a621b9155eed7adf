"""Gaussian mixtures: covariance types, starts, EM, variational inference, and new rows."""

from fastclust._algorithms import load_submodules

__getattr__ = load_submodules(__name__)
