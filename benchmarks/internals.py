"""Where the benchmarks reach into fastclust: the only file that knows the names behind its API.

A benchmark of a kernel says `internals.assign(rows, centers)`, whatever the modules are called.
`slower.py` gives each of two commits the file that the commit carries (commits from before there
was one get the oldest), so that commits are compared across renamed modules. So a function here
keeps its name and meaning for good; what it calls follows the tree. Rows, states and iterations
are passed on as they come.
"""

from contextlib import contextmanager

import numpy as np


def estimate_mean(X):
    """Mean of the columns."""
    from fastclust._algorithms.rows.dense import estimate_mean

    return estimate_mean(X)


def pack(X, mean=None):
    """Dense rows, packed for the kernels, less their mean or nothing."""
    from fastclust._algorithms.rows.panels import Panels

    return Panels(X, None, np.zeros(X.shape[1], dtype=X.dtype) if mean is None else mean)


def pack_missing(X):
    """Dense rows with missing values, packed for the kernels as they are."""
    from fastclust._algorithms.rows.missing import MissingRows

    return MissingRows(X, None, np.zeros(X.shape[1], dtype=X.dtype))


def pack_sparse(X):
    """CSR rows, as the kernels want them."""
    from fastclust._algorithms.rows.csr import CsrRows

    return CsrRows(X, None)


def pack_sparse_part(X, numbers):
    """Some rows of a CSR matrix, by number."""
    from fastclust._algorithms.rows.csr import CsrRows

    return CsrRows.of_numbers(X, numbers, None)


def pack_again(rows):
    """Pack the same dense rows once more."""
    rows.pack()


def seed_rounds(rows, uniforms):
    """Rounds of greedy k-means++ from row 0, with these draws."""
    return rows.run_seeding(0, uniforms)


def seeds(rows, n_clusters):
    """Centers of greedy k-means++."""
    from fastclust._algorithms.kmeans.seeding import run_kmeans_plusplus

    indices = run_kmeans_plusplus(rows, n_clusters, None, np.random.RandomState(0))
    return rows.take(indices)


def assign(rows, centers):
    """Label of the nearest center of each row, in the order that the rows' other passes want."""
    return rows.assign_to_panels(centers) if hasattr(rows, "values") else rows.assign(centers)


def assign_with_inertia(rows, centers):
    """The same, and the inertia, of dense rows."""
    return rows.assign_to_panels_with_inertia(centers)


def own_distances(rows, centers, labels):
    """Squared distance of each row to the center of its label."""
    return rows.distances_sq(centers, labels)


def regroup(rows, centers):
    """Return a function that sorts rows by their nearest center and distance, and packs them."""
    labels = rows.assign_to_panels(centers)
    distances_sq = rows.panel_distances_sq(centers, labels)
    return lambda: rows.regroup(rows.order, labels, distances_sq, len(centers))


def sum_clusters(rows, labels, n_clusters):
    """Sums of the rows of each label."""
    return rows.sum_clusters(labels, n_clusters)


def transform(rows, centers, distances_out):
    """Distances of each row to each center."""
    rows.transform(centers, distances_out)


def start_lloyd(rows, centers, skip=True, **constants):
    """State of Lloyd's algorithm, on rows in the order of X; it may skip distances.

    Constants of its policy can be given other values, for dense rows.
    """
    if constants:
        from fastclust._algorithms.kmeans.policy import LloydPolicy

        return rows.start_lloyd(centers, skip=skip, policy=LloydPolicy(**constants))
    return rows.start_lloyd(centers) if skip else rows.start_lloyd(centers, skip=False)


def minibatch_steps(X, centers, indices):
    """Steps of mini-batch k-means from these centers, one for each row of numbers of rows."""
    from fastclust._algorithms.rows.source import open_batches

    batches, weights = (
        open_batches(X, np.zeros(X.shape[1], dtype=X.dtype)).rows,
        np.zeros(len(centers)),
    )

    def run():
        steps, n_done = batches.start(centers, weights, indices.shape[1]), 0
        while n_done < len(indices):
            n_done += len(steps.advance(indices[n_done:]).inertia)

    return run


@contextmanager
def minibatch_constants(**values):
    """Context in which constants of dense mini-batches have these values."""
    from fastclust._algorithms.rows import batches

    defaults = {name: getattr(batches, name) for name in values}
    try:
        vars(batches).update(values)
        yield
    finally:
        vars(batches).update(defaults)


def lloyd_constants():
    """Constants of the policy of Lloyd's algorithm, by name."""
    from dataclasses import asdict

    from fastclust._algorithms.kmeans.policy import DEFAULT

    return asdict(DEFAULT)


def iterate(state, n_iter, n_steps, tol=-1.0):
    """Iterate up to n_steps times after n_iter; return (iterations done, whether it converged)."""
    done = state.advance(n_iter, n_steps, tol)
    return done.n_iter, done.n_changed == 0 or done.shift_sq <= tol


def shares(state):
    """Shares of the rows that were labelled, and of the distances computed, in all iterations."""
    return state.shares()


def total_square(rows):
    """Sum of the squares of all values."""
    return rows.total_square


class MixtureIteration:
    """An iteration of EM that is the same each time: its components are not those that it makes.

    Parameters
    ----------
    X : ndarray of shape (n_samples, n_features)
        The rows.
    means : ndarray of shape (n_components, n_features)
        Means of the components; their covariances are the identity.
    covariance_type : str
        One of scikit-learn's.
    separate : bool, default=False
        Whether separators are laid out.
    missing : ndarray of shape (n_samples, n_features), bool, default=None
        Which of the values are missing; by default none is.
    """

    def __init__(self, X, means, covariance_type, separate=False, missing=None):
        from fastclust._algorithms.mixture import covariance, em
        from fastclust._algorithms.mixture.components import Components
        from fastclust._algorithms.mixture.passes import MixtureRows
        from fastclust._algorithms.rows.panels import Panels

        k, d = means.shape
        origin = np.zeros(d, dtype=X.dtype)
        shape = covariance.COVARIANCE_TYPES[covariance_type]
        panels = Panels(X, None, origin)
        if missing is None:
            self._rows = MixtureRows(panels, shape, k)
        else:
            from fastclust._algorithms.mixture.missing import MissingMixtureRows
            from fastclust._algorithms.rows.source import RowsInRange

            in_range = RowsInRange(panels, X, origin, 0)
            self._rows = MissingMixtureRows(in_range, None, missing, shape, k)
        self._components = Components(shape, k, d, X.dtype)
        self._components.weights.fill(1 / k)
        self._components.means[:] = means
        self._components.factors[:] = np.eye(d) if covariance_type in ("full", "tied") else 1.0
        if separate:
            self._components.separate()
        self._components.lay_out()
        self._m_step = em.MStep(self._rows, 1e-6, origin, False)

    def run(self):
        """E and M step."""
        moments = self._rows.moments(self._components)
        self._m_step.components.about[:] = self._components.about
        self._m_step.update(moments)

    def warm_up(self, groups=False):
        """Compile; put rows of like components side by side or not, whatever it costs."""
        self._rows._regrouping_pays = lambda: groups
        for _ in range(2):
            self.run()
        self._rows._regrouping_pays = lambda: False


def incomplete_iteration(X, means, covariance_type, missing):
    """A `MixtureIteration` on rows of which values are missing."""
    return MixtureIteration(X, means, covariance_type, missing=missing)


def phases():
    """Functions of fastclust by the phase of a fit that they are, as (owner, name)."""
    import fastclust._kmeans_base
    from fastclust import _mixture_base, _parameters, _validation
    from fastclust._algorithms.kmeans import panel_lloyd, seeding
    from fastclust._algorithms.mixture import em, passes, restarts
    from fastclust._algorithms.rows import csr, origin, panels, source

    return {
        "validation": [
            (fastclust._kmeans_base, "validate_data"),
            (_mixture_base, "validate_data"),
            (_parameters, "check_parameters"),
            (_validation, "check_sample_weight"),
            (origin, "find_mean"),  # which finds NaN and infinity
            (source, "find_origin"),
        ],
        "packing": [
            (panels.Panels, "__init__"),
            (csr.CsrRows, "__init__"),
            (passes.MixtureRows, "__init__"),
        ],
        "seeding": [
            (seeding, "draw_kmeans_plusplus"),
            (panels.Panels, "run_seeding"),
            (csr.CsrRows, "run_seeding"),
            (restarts, "start_components"),  # the k-means of the start in all
        ],
        "iterations": [
            (panel_lloyd.PanelLloyd, "__init__"),
            (panel_lloyd.PanelLloyd, "advance"),
            (csr.CsrLloyd, "advance"),
            (em, "run_em"),
        ],
        "final labels": [
            (panel_lloyd.PanelLloyd, "finish"),
            (csr.CsrLloyd, "finish"),
        ],
    }


def open_blocks(rows):
    """Rows in blocks, less their mean, of rows that `open_rows` has opened; see `start_lloyd`."""
    from fastclust._algorithms.rows.block_source import open_source
    from fastclust._algorithms.rows.origin import find_mean
    from fastclust._algorithms.rows.source import pack

    source = open_source(rows)
    return pack(source, None, find_mean(source))


def cut_blocks(rows):
    """Read such rows, and cut them into blocks."""
    from fastclust._algorithms.rows.block_source import open_source

    for _ in open_source(rows).blocks():
        pass


def pack_blocks(blocks):
    """Pack each of the rows in blocks."""
    for _ in blocks.blocks():
        pass


def take_rows(rows, numbers):
    """Rows by number."""
    return rows.take(numbers)


def fan_in():
    """Most statistics of blocks that are added in one task."""
    from fastclust._algorithms.rows.merging import FAN_IN

    return FAN_IN
