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
        Weighted sum of the squared distances to it; of unit vectors half of it, which is the
        weighted sum of 1 - cos.
    n_iter : int
        Number of iterations.
    """

    centers: np.ndarray
    labels: np.ndarray
    inertia: float
    n_iter: int


def run_lloyd(
    rows, centers, *, max_iter, tol, verbose=False, line_end=".", exponent=0,
    weight_exponent=0, dtype=None, with_inertia=True,
):  # fmt: skip
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
    weight_exponent : int, default=0
        The weights are those of X times 2^-weight_exponent, and so is the inertia of the result.
    dtype : dtype, default=None
        Type of the resulting centers; that of the rows by default.
    with_inertia : bool, default=True
        Whether the result is to have its inertia; it may be NaN otherwise.

    Returns
    -------
    result : LloydResult
        The labels are made with the centers that are returned, by the same arithmetic as predict's.
    """
    state = rows.start_lloyd(centers)
    share = 0.5 if rows.unit else 1.0  # of the squared distances in the inertia
    n_iter = 0
    while n_iter < max_iter:
        centers_before = state.centers.copy() if verbose else None
        done = state.advance(n_iter, 1 if verbose else max_iter - n_iter, tol)
        n_iter += done.n_iter
        if verbose:
            inertia = share * state.inertia(centers_before)
            inertia = scaled_up(inertia, 2 * exponent + weight_exponent, "The inertia")
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
    labels, inertia = state.finish(final_centers, with_inertia)
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


def run_restarts(
    rows,
    draw_start,
    n_init,
    n_clusters,
    on_result=None,
    *,
    is_better=is_smaller_and_other,
    **options,
):
    """Best of n_init runs; see `find_best_run`.

    The rows and weights may be scaled by powers of two, where these are options; the result is not.
    """
    best = find_best_run(
        rows, draw_start, n_init, n_clusters, is_better, on_result,
        start_line="Initialization complete", **options,
    )  # fmt: skip
    return scaled_back(best, options.get("exponent", 0), options.get("weight_exponent", 0))


def find_best_run(
    rows, draw_start, n_init, n_clusters, is_better, on_result=None, start_line=None, **options
):
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
    is_better : callable
        Says of two results whether the first, of a later run, is the better one.
    on_result : callable, default=None
        Is called with the result of each run.
    start_line : str, default=None
        Printed, where verbose, before the iterations of each run.
    **options
        Those of `run_lloyd`.
    """

    def run(start):
        centers = start()
        if options["verbose"] and start_line:
            print(start_line)
        return run_lloyd(rows, centers, **options)

    starts = (draw_start() for _ in range(n_init))
    side_by_side = n_init > 1 and not options["verbose"] and rows.is_small(n_clusters, n_init)
    results = _threads.map_in_order(run, starts) if side_by_side else map(run, starts)
    best = None
    for result in results:
        if on_result:
            on_result(result)
        if best is None or is_better(result, best):
            best = result
    return best


def scaled_back(result, exponent, weight_exponent=0):
    """Result for rows times 2^exponent, and weights times 2^weight_exponent.

    Raises
    ------
    ValueError
        If its inertia is above the largest float.
    """
    if exponent == weight_exponent == 0:
        return result
    inertia = scaled_up(result.inertia, 2 * exponent + weight_exponent, "The inertia")
    return LloydResult(scaled(result.centers, exponent), result.labels, inertia, result.n_iter)


def is_same_clustering(labels, other_labels, n_clusters):
    """Whether rows that share a label share their other label too."""
    other_of = np.empty(n_clusters, dtype=other_labels.dtype)
    other_of[labels] = other_labels
    return np.array_equal(other_of[labels], other_labels)
