"""Benchmarks: asv suites (bench_*.py) and tools; README.md beside this file explains them."""
