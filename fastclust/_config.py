"""What runs here, in words."""

from fastclust import _extension, _threads
from fastclust._version import __version__


def show_config():
    """Print which machine code the kernels are, on how many threads, and why.

    The same as `fastclust config` in a shell.

    Examples
    --------
    >>> import fastclust
    >>> fastclust.show_config()  # doctest: +SKIP
    fastclust 0.7.0
    kernels    compiled ahead of time (by Numba 0.68.1), for x86-64-v3; built for v2, v3, v4
    extension  /home/me/.venv/lib/python3.13/site-packages/_fastclust_kernels.abi3.so
    threads    8
    """
    print("\n".join(f"{name:<10} {value}".rstrip() for name, value in _config().items()))


def _config():
    """Names and values, in the order in which they are shown."""
    config = {"fastclust": __version__}
    try:
        code = _extension.machine_code()
    except (RuntimeError, ValueError) as error:
        return config | {"kernels": f"none: {error}"}
    if code.extension is None:
        from fastclust._kernels.cache import cache_directory

        config["kernels"] = f"compiled by Numba when they are first called: {code.reason}"
        config["cache"] = str(cache_directory() or "none: every process compiles anew")
    else:
        built, levels = code.extension.BUILD, ", ".join(code.extension.LEVELS)
        config["kernels"] = (
            f"compiled ahead of time (by {built}), for x86-64-{code.level}; built for {levels}"
        )
        config["extension"] = code.extension.__file__
    return config | {"threads": str(_threads.n_threads_to_come())}
