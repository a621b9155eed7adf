"""Lloyd's algorithm, and its restarts."""

from dataclasses import dataclass, replace

import numpy as np

from fastclust import _threads
from fastclust._algorithms.rows.scale import UNITS_OF_X, scaled, scaled_up


@dataclass(frozen=True)
class LloydOptions:
    """When a run stops, and what it prints.

    Attributes
    ----------
    max_iter : int
        Limit of the iterations.
    tol : float
        Sum of the squared shifts of the centers at which to stop, in the units of the rows.
    verbose : bool, default=False
        Print scikit-learn's lines.
    start_line : str, default=None
        Line before the iterations of each run, if verbose.
    line_end : str, default="."
        End of the line of an iteration (scikit-learn's "elkan" has none).
    with_inertia : bool, default=True
        Whether the result is to have its inertia; it may be NaN otherwise.
    """

    max_iter: int
    tol: float
    verbose: bool = False
    start_line: str | None = None
    line_end: str = "."
    with_inertia: bool = True


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
        Weighted sum of the squared distances to it; of unit vectors half of it, which is the
        weighted sum of 1 - cos.
    n_iter : int
        Number of iterations.
    """

    centers: np.ndarray
    labels: np.ndarray
    inertia: float
    n_iter: int


def run_lloyd(rows, centers, options, units=UNITS_OF_X):
    """Alternate labels and means until the labels repeat or the centers stand still.

    Parameters
    ----------
    rows : Rows
        The rows.
    centers : ndarray of shape (n_clusters, n_features)
        First centers, relative to the origin of the rows.
    options : LloydOptions
        When to stop, and what to print.
    units : Units, default=UNITS_OF_X
        Units of the rows, and so of the result. What is printed is in those of X.

    Returns
    -------
    result : LloydResult
        The centers are of X's type. The labels are made with them, by the same arithmetic as
        predict's.
    """
    max_iter, tol, verbose = options.max_iter, options.tol, options.verbose
    state = rows.start_lloyd(centers)
    share = 0.5 if rows.unit else 1.0  # of the squared distances in the inertia
    n_iter = 0
    while n_iter < max_iter:
        centers_before = state.centers.copy() if verbose else None
        done = state.advance(n_iter, 1 if verbose else max_iter - n_iter, tol)
        n_iter += done.n_iter
        if verbose:
            inertia = units.inertia_of_X(share * state.inertia(centers_before))
            print(f"Iteration {n_iter - 1}, inertia {inertia}{options.line_end}")
        if done.n_changed == 0:
            if verbose:
                print(f"Converged at iteration {n_iter - 1}: strict convergence.")
            break
        if done.shift_sq <= tol:
            if verbose:
                shift_sq, limit = (
                    scaled_up(value, 2 * units.exponent, "The shift")
                    for value in (done.shift_sq, tol)
                )
                print(
                    f"Converged at iteration {n_iter - 1}: center shift "
                    f"{shift_sq} within tolerance {limit}."
                )
            break
    state.settle()
    public_centers = (state.centers + rows.origin).astype(units.dtype or rows.dtype, copy=False)
    final_centers = public_centers.astype(rows.dtype, copy=False) - rows.origin
    labels, inertia = state.finish(final_centers, options.with_inertia)
    return LloydResult(public_centers, labels, share * inertia, n_iter)


def is_smaller_and_other(result, best):
    """scikit-learn's rule of KMeans: a smaller inertia, and a clustering that differs.

    It must differ in more than the numbering of the clusters: else only rounding makes the inertia
    smaller.
    """
    return result.inertia < best.inertia and not is_same_clustering(
        result.labels, best.labels, len(result.centers)
    )


def is_clearly_smaller(result, best):
    """scikit-learn's rule of BisectingKMeans: an inertia smaller by more than rounding."""
    return result.inertia < best.inertia * (1 - 1e-6)


def run_restarts(rows, draw_start, n_init, n_clusters, options, units=UNITS_OF_X, **choice):
    """Best of n_init runs, in the units of X; see `find_best_run`, whose arguments these are."""
    best = find_best_run(rows, draw_start, n_init, n_clusters, options, units, **choice)
    if units.exponent == units.weight_exponent == 0:
        return best
    centers, inertia = scaled(best.centers, units.exponent), units.inertia_of_X(best.inertia)
    return replace(best, centers=centers, inertia=inertia)


def find_best_run(
    rows, draw_start, n_init, n_clusters, options, units=UNITS_OF_X, *,
    is_better=is_smaller_and_other, on_result=None,
):  # fmt: skip
    """Best of n_init runs, in the units of the rows.

    On few rows, runs take a thread each.

    Parameters
    ----------
    rows : Rows
        The rows.
    draw_start : callable
        Makes the random draws of a run and returns a function that returns its first centers.
    n_init, n_clusters : int
        Number of runs, and of centers.
    options : LloydOptions
        When a run stops, and what it prints.
    units : Units, default=UNITS_OF_X
        Units of the rows.
    is_better : callable, default=is_smaller_and_other
        Says of two results whether the first, of a later run, is the better one.
    on_result : callable, default=None
        Is called with the result of each run.

    Returns
    -------
    best : LloydResult
        The best run.
    """

    def run(start):
        centers = start()
        if options.verbose and options.start_line:
            print(options.start_line)
        return run_lloyd(rows, centers, options, units)

    starts = (draw_start() for _ in range(n_init))
    side_by_side = n_init > 1 and not options.verbose and rows.is_small(n_clusters, n_init)
    results = _threads.map_in_order(run, starts) if side_by_side else map(run, starts)
    best = None
    for result in results:
        if on_result:
            on_result(result)
        if best is None or is_better(result, best):
            best = result
    return best


def is_same_clustering(labels, other_labels, n_clusters):
    """Whether rows that share a label share their other label too."""
    other_of = np.empty(n_clusters, dtype=other_labels.dtype)
    other_of[labels] = other_labels
    return np.array_equal(other_of[labels], other_labels)
