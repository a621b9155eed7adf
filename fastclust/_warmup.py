"""Compiling every kernel ahead of its first use."""

from fastclust import _extension, _threads
from fastclust._progress_bar import progress_bar

DTYPES = "float32", "float64"


def warmup(dtypes=DTYPES):
    """Compile every kernel, into the cache and this process.

    For images of containers and for servers without kernels that were compiled ahead of time
    (`show_config`): no later fit or predict then waits for a compiler. It takes minutes where the
    cache is empty, and seconds where it is not. A terminal shows a progress bar, if tqdm is
    installed. Where kernels were compiled ahead of time, there is nothing to do.

    Parameters
    ----------
    dtypes : sequence of {"float32", "float64"}, default=("float32", "float64")
        Types of the rows to come.

    Raises
    ------
    ValueError
        If `dtypes` holds something else.

    Notes
    -----
    Kernels for several threads are compiled if there are several. `KMeans` computes with float32
    rows of values above 1e15 in float64: where there may be such, both types are to come.

    Examples
    --------
    >>> import fastclust
    >>> fastclust.warmup(["float64"])  # doctest: +SKIP
    """
    unknown = [dtype for dtype in dtypes if dtype not in DTYPES]
    if unknown:
        raise ValueError(f"dtypes are of {', '.join(DTYPES)}. Got {unknown[0]!r} instead.")
    if _extension.level() is not None:
        return
    from fastclust._kernels.registry import entries_for  # here, as it imports Numba

    entries = dict.fromkeys(entry for dtype in dtypes for entry in entries_for(dtype))
    drivers = (False, True) if _threads.parallel_is_safe() else (False,)
    variants = [(*entry, parallel) for entry in entries for parallel in drivers]
    for kernel, dtype, parallel in progress_bar(variants, "compiling"):
        kernel.compile(dtype, parallel)
