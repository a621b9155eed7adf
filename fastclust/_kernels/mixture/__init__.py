"""Kernels of Gaussian mixtures."""
