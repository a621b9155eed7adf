"""Benchmarks: asv suites (bench_*.py, one file per question) and the speed tables of the README.

Run a suite in the environment at hand, where fastclust is installed, with

    asv run --python=same --quick --bench bench_kernels

and compare two commits, each in a virtual environment of its own, with

    asv continuous HEAD~1 HEAD
"""
