"""Python in a process of its own."""

import functools
import os
import subprocess
import sys


def run_python(code, *args, timeout=120, **environment):
    """Output of a new process that runs the code; a variable given as None is unset."""
    variables = {**os.environ, **environment}
    variables = {name: value for name, value in variables.items() if value is not None}
    result = subprocess.run(
        [sys.executable, "-c", code, *map(str, args)],
        env=variables, capture_output=True, text=True, timeout=timeout, check=False,
    )  # fmt: skip
    assert result.returncode == 0, result.stderr
    return result.stdout


run_jit = functools.partial(run_python, FASTCLUST_JIT="1")
"""The same, with kernels that Numba compiles, where others were compiled ahead of time too."""
