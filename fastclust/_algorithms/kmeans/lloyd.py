"""Lloyd's algorithm, and its restarts."""

from dataclasses import dataclass

import numpy as np

from fastclust import _threads
from fastclust._algorithms.rows.scale import scaled, scaled_up


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


def run_lloyd(rows, centers, *, max_iter, tol, verbose=False, line_end=".", exponent=0, dtype=None):
    """Alternate labels and means until the labels repeat or the centers stand still.

    Parameters
    ----------
    rows : Rows
        The rows.
    centers : ndarray of shape (n_clusters, n_features)
        First centers, relative to the origin of the rows.
    max_iter : int
        Limit of the iterations.
    tol : float
        Sum of squared center shifts at which to stop.
    verbose : bool, default=False
        Print scikit-learn's lines.
    line_end : str, default="."
        End of the line of an iteration (scikit-learn's "elkan" has none).
    exponent : int, default=0
        The rows, centers and tol are those of X times 2^-exponent, and so is the result;
        what is printed is not.
    dtype : dtype, default=None
        Type of the resulting centers; that of the rows by default.

    Returns
    -------
    result : LloydResult
        The labels are made with the centers that are returned, by the same arithmetic as predict's.
    """
    state = rows.start_lloyd(centers)
    n_iter = 0
    while n_iter < max_iter:
        centers_before = state.centers.copy() if verbose else None
        done = state.advance(n_iter, 1 if verbose else max_iter - n_iter, tol)
        n_iter += done.n_iter
        if verbose:
            inertia = scaled_up(state.inertia(centers_before), 2 * exponent, "The inertia")
            print(f"Iteration {n_iter - 1}, inertia {inertia}{line_end}")
        if done.n_changed == 0:
            if verbose:
                print(f"Converged at iteration {n_iter - 1}: strict convergence.")
            break
        if done.shift_sq <= tol:
            if verbose:
                shift_sq, limit = (
                    scaled_up(value, 2 * exponent, "The shift") for value in (done.shift_sq, tol)
                )
                print(
                    f"Converged at iteration {n_iter - 1}: center shift "
                    f"{shift_sq} within tolerance {limit}."
                )
            break
    state.settle()
    public_centers = (state.centers + rows.origin).astype(dtype or rows.dtype, copy=False)
    final_centers = public_centers.astype(rows.dtype, copy=False) - rows.origin
    labels, inertia = state.finish(final_centers)
    return LloydResult(public_centers, labels, inertia, n_iter)


def run_restarts(rows, draw_start, n_init, n_clusters, on_result=None, **options):
    """Best of n_init runs; `on_result` is called with each of them.

    `draw_start()` makes the random draws of a run and returns a function that returns its first
    centers. On few rows, runs take a thread each.

    As in scikit-learn, a later run is better if its inertia is smaller and its clustering differs
    in more than the numbering of the clusters (else only rounding makes the inertia smaller).

    The rows may be scaled by 2^-exponent, where that is an option; the result is not.
    """

    def run(start):
        centers = start()
        if options["verbose"]:
            print("Initialization complete")
        return run_lloyd(rows, centers, **options)

    starts = (draw_start() for _ in range(n_init))
    side_by_side = n_init > 1 and not options["verbose"] and rows.is_small(n_clusters, n_init)
    results = _threads.map_in_order(run, starts) if side_by_side else map(run, starts)
    best = None
    for result in results:
        if on_result:
            on_result(result)
        best = best or result
        if result.inertia < best.inertia and not is_same_clustering(
            result.labels, best.labels, n_clusters
        ):
            best = result
    return scaled_back(best, options.get("exponent", 0))


def scaled_back(result, exponent):
    """Result for rows times 2^exponent.

    Raises
    ------
    ValueError
        If its inertia is above the largest float.
    """
    if exponent == 0:
        return result
    inertia = scaled_up(result.inertia, 2 * exponent, "The inertia")
    return LloydResult(scaled(result.centers, exponent), result.labels, inertia, result.n_iter)


def is_same_clustering(labels, other_labels, n_clusters):
    """Whether rows that share a label share their other label too."""
    other_of = np.empty(n_clusters, dtype=other_labels.dtype)
    other_of[labels] = other_labels
    return np.array_equal(other_of[labels], other_labels)
