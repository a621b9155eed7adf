"""K-means: first centers, Lloyd's algorithm, and new rows."""

from fastclust._algorithms import load_submodules

__getattr__ = load_submodules(__name__)
