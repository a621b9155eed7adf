"""Rows in blocks that estimators are given: checks, and what is said of them."""

from sklearn.utils.validation import validate_data

from fastclust import _algorithms


def is_in_blocks(X):
    """Whether checked rows do not fit into memory."""
    return isinstance(X, _algorithms.rows.block_source.RowSource)


def tell_of_blocks(rows, n_clusters, is_seeded, verbose, warn):
    """Say that the rows are read in blocks: where verbose, and where their first centers differ.

    Parameters
    ----------
    rows : BlockRows
        The rows.
    n_clusters : int
        Number of clusters or components.
    is_seeded : bool
        Whether k-means++ finds the first centers.
    verbose : int
        The estimator's.
    warn : callable
        Is called with the warning.
    """
    if verbose:
        print(
            f"{rows.n_samples:,} rows in {rows.n_blocks:,} blocks, of which {rows.n_kept:,} stay "
            "in memory. Passes over them: one for their mean, one for first centers that are rows "
            "(k-means||: two in each round), one in each iteration, one for the labels of k-means."
        )
    size = rows.sample_size(n_clusters)
    if is_seeded and size < rows.n_samples:
        text = (
            f"The {rows.n_samples:,} rows are read in blocks, as they do not fit into the memory "
            f"limit. k-means++ takes first centers from a sample of {size:,} of them, so they are "
            "not scikit-learn's."
        )
        warn(UserWarning(text))


def check_source(estimator, source, reset, least=1):
    """Check rows in blocks as far as that needs no pass over them.

    Parameters
    ----------
    estimator : Estimator
        The estimator, which learns or checks number and names of the columns.
    source : RowSource
        The rows.
    reset : bool
        Whether it learns them.
    least : int, default=1
        Least number of rows.

    Returns
    -------
    X : ndarray of shape (n_samples, n_features) or RowSource
        All rows, where they fit into the memory limit; or else the source.

    Raises
    ------
    ValueError
        If there are no rows or no columns, or the estimator expects others.
    """
    validate_data(estimator, source.header(), reset=reset, skip_check_array=True)
    for what, n, minimum in zip(("sample", "feature"), source.shape, (least, 1), strict=True):
        if n < minimum:
            raise ValueError(
                f"Found array with {n} {what}(s) (shape={source.shape}) while a minimum of "
                f"{minimum} is required by {type(estimator).__name__}."
            )
    return source.read() if source.fits_in_memory() else source
