"""Matrices of the variational M step: Cholesky factors, and traces of products.

None of it depends on the number of threads, as NumPy's factorisations and products may.
"""

from typing import Any

import numpy as np

from fastclust._algorithms.mixture.covariance import COVARIANCE_TYPES, pack_products
from fastclust._algorithms.mixture.moments import MixtureMoments
from fastclust._calls import variant

BLAS_BLOCK = 64
"""Rows and columns of the matrices that are multiplied at a time."""


class Factorisation:
    """Cholesky factors of the inverses of covariances, by the kernel of EM's M step.

    That kernel divides moments by their sums of responsibilities, and factorises. Here the sums are
    1, and the moments, about the means, are the covariances themselves.

    Parameters
    ----------
    n_matrices, n_features : int
        Number of covariances, and of their rows.
    dtype : dtype
        The rows' real type, of which the kernel is.
    """

    def __init__(self, n_matrices, n_features, dtype):
        k, d, full = n_matrices, n_features, COVARIANCE_TYPES["full"]
        self._moments = MixtureMoments.zeros(full, 1, k, d)
        self._moments.nk.fill(1.0)
        merged = MixtureMoments.zeros(full, 1, k, d)
        self._merged = merged.nk[0], merged.first[0], merged.second[0]
        self._about = np.zeros((k, d), dtype=dtype)
        self._weights, self._means, self._origin = np.empty(k), np.empty((k, d)), np.zeros(d)
        self._scatter, self._chunks = np.empty((0, 0)), full.component_chunks(k, d)
        self._update = variant("update_components", "full")

    def run(self, covariances, added, covariances_out, factors_out, is_singular_out):
        """Factorise covariances with `added` on their diagonals.

        covariances : (n_matrices, n_features, n_features), symmetric   # IN
        added : (n_matrices,)                                           # IN
        covariances_out : the covariances with what is added            # OUT
        factors_out : U, upper triangular, with U U' the inverse        # OUT
        is_singular_out : (n_matrices,), int64: 1 where there is none   # OUT
        """
        moments = self._moments
        pack_products(covariances, moments.second[0])
        self._update(
            self._chunks, self._about, moments.nk, moments.first, moments.second, self._scatter,
            added, self._origin, 0.0, 1.0, *self._merged, self._weights, self._means,
            covariances_out, factors_out, is_singular_out,
        )  # fmt: skip


def sum_of_squares(second, factors):
    """Sum of the traces of U'SU, of second moments S and upper triangular factors U.

    Parameters
    ----------
    second, factors : ndarray of shape (..., n_features, n_features)
        S and U.

    Returns
    -------
    total : float
        The sum.
    """
    # Block by block: OpenBLAS takes one thread for such products, so that their bits do not depend
    # on how many it has, and none of its threads spins while the kernels run.
    d, total = factors.shape[-1], 0.0
    for c in range(0, d, BLAS_BLOCK):
        columns = slice(c, c + BLAS_BLOCK)
        above = [slice(f, f + BLAS_BLOCK) for f in range(0, c + 1, BLAS_BLOCK)]
        for rows in above:
            product: Any = 0.0
            for inner in above:
                product += second[..., rows, inner] @ factors[..., inner, columns]
            total += float((product * factors[..., rows, columns]).sum())
    return total
