"""Lloyd's algorithm, and its restarts."""

from dataclasses import dataclass

import numpy as np

from fastclust._algorithms.statistics import update_centers

RESUM_EVERY = 32
"""Iterations after which the center sums are formed anew, so that their rounding cannot grow."""


@dataclass
class LloydResult:
    """Outcome of one run.

    Attributes
    ----------
    centers : ndarray of shape (n_clusters, n_features)
        Centers, in the coordinates of X.
    labels : ndarray of shape (n_samples,), int32
        Nearest of these centers for each row.
    inertia : float
        Weighted sum of the squared distances to it.
    n_iter : int
        Number of iterations.
    """

    centers: np.ndarray
    labels: np.ndarray
    inertia: float
    n_iter: int


def run_lloyd(rows, centers, mean, *, max_iter, tol, verbose=False, line_end="."):
    """Alternate labels and means until the labels repeat or the centers stand still.

    Parameters
    ----------
    rows : Panels or CsrRows
        The rows, in coordinates from which `mean` is subtracted.
    centers : ndarray of shape (n_clusters, n_features)
        First centers, in the same coordinates.
    mean : ndarray of shape (n_features,), or 0
        What the coordinates are relative to.
    max_iter : int
        Limit of the iterations.
    tol : float
        Sum of squared center shifts at which to stop.
    verbose : bool, default=False
        Print scikit-learn's lines.
    line_end : str, default="."
        End of the line of an iteration (scikit-learn's "elkan" has none).

    Returns
    -------
    result : LloydResult
        The labels are made with the centers that are returned, by the same arithmetic as predict's.
    """
    state = rows.start_lloyd(len(centers))
    for iteration in range(max_iter):
        n_changed = state.assign(centers, from_scratch=iteration % RESUM_EVERY == 0)
        if verbose:
            _, inertia = rows.inertia(centers, state.labels)
            print(f"Iteration {iteration}, inertia {inertia}{line_end}")
        centers, shifts = update_centers(state.statistics, rows, centers, state.labels)
        if n_changed == 0:
            if verbose:
                print(f"Converged at iteration {iteration}: strict convergence.")
            break
        shift_sq = np.square(shifts).sum()
        if shift_sq <= tol:
            if verbose:
                print(
                    f"Converged at iteration {iteration}: center shift "
                    f"{shift_sq} within tolerance {tol}."
                )
            break
    public_centers = centers + mean
    centers = public_centers - mean
    labels = rows.assign(centers)
    _, inertia = rows.inertia(centers, labels)
    return LloydResult(public_centers, rows.row_labels(labels), inertia, iteration + 1)


def run_restarts(rows, mean, initial_centers, n_init, n_clusters, **options):
    """Best of n_init runs, each from the centers that `initial_centers()` returns.

    As in scikit-learn, a later run is better if its inertia is smaller and its clustering not the
    same but for the names of the clusters (then only rounding makes it smaller).
    """
    best = None
    for _ in range(n_init):
        centers = initial_centers()
        if options["verbose"]:
            print("Initialization complete")
        result = run_lloyd(rows, centers, mean, **options)
        if best is None or (
            result.inertia < best.inertia
            and not is_same_clustering(result.labels, best.labels, n_clusters)
        ):
            best = result
    return best


def is_same_clustering(labels, other_labels, n_clusters):
    """Whether each label always meets the same other label."""
    other_of = np.empty(n_clusters, dtype=other_labels.dtype)
    other_of[labels] = other_labels
    return np.array_equal(other_of[labels], other_labels)
