"""Where rows are: dense in panels, sparse as CSR; what algorithms may ask of them."""

from fastclust._algorithms import load_submodules

__getattr__ = load_submodules(__name__)
