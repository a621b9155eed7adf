"""Rows in blocks that estimators are given: checks, and what is said of them."""

from sklearn.utils.validation import validate_data

from fastclust import _algorithms


def is_in_blocks(X):
    """Whether checked rows do not fit into memory."""
    return isinstance(X, _algorithms.rows.row_source.RowSource)


def read_if_it_fits(X):
    """Rows in blocks as an array, where they fit into the memory limit.

    Parameters
    ----------
    X : object
        What a user passes as rows.

    Returns
    -------
    X : ndarray, RowSource or object
        All rows; or the source of rows that do not fit; or else X itself, if it is in memory.
    """
    source = _algorithms.rows.block_source.open_source(X)
    if source is None:
        return X
    return source.read() if source.fits_in_memory() else source


def tell_of_blocks(rows, passes):
    """Print that the rows are read in blocks.

    Parameters
    ----------
    rows : BlockRows
        The rows.
    passes : str
        What the passes over them are.
    """
    print(
        f"{rows.n_samples:,} rows in {rows.n_blocks:,} blocks, of which {rows.n_kept:,} stay "
        f"in memory. Passes over them: {passes}."
    )


def warn_of_first_centers(n_samples, warn):
    """Warn that first centers are those of k-means||, where k-means++ was asked for.

    Parameters
    ----------
    n_samples : int
        Number of rows.
    warn : callable
        Is called with the warning.
    """
    text = (
        f"The {n_samples:,} rows are in blocks. First centers are found by k-means||, in a few "
        "passes over all rows: k-means++ would need one for each center. So they are not "
        "scikit-learn's."
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
    check_shape(source, least, f" by {type(estimator).__name__}")
    return read_if_it_fits(source)


def check_shape(source, least, who=""):
    """Raise ValueError, in scikit-learn's words, for fewer rows than `least`, or no columns."""
    for what, n, minimum in zip(("sample", "feature"), source.shape, (least, 1), strict=True):
        if n < minimum:
            raise ValueError(
                f"Found array with {n} {what}(s) (shape={source.shape}) while a minimum of "
                f"{minimum} is required{who}."
            )
