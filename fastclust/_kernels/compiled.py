"""Kernels of the extension, which were compiled ahead of time; without Numba."""

import numpy as np

from fastclust import _threads
from fastclust._kernels import launch
from fastclust._kernels.signature import REAL_DTYPES


class CompiledKernel:
    """A kernel of the extension, called like one of Numba's (`jit.Kernel`).

    The extension checks all arguments at each call, and opens a team at each launch.

    Parameters
    ----------
    extension : module
        The extension.
    name : str
        Name of the kernel.
    """

    def __init__(self, extension, name):
        self.__name__ = name
        self._launch = extension.launch
        numbers = {dtype: extension.find(name, dtype) for dtype in REAL_DTYPES}
        self._dtypes = [dtype for dtype, number in numbers.items() if number is not None]
        self._numbers = {np.dtype(dtype).char: numbers[dtype] for dtype in self._dtypes}

    def __call__(self, chunks, *args, work=0.0, alone=False):
        """Run the kernel over the chunks; see `jit.Kernel`.

        Raises
        ------
        TypeError
            If an argument does not fit its declaration.
        """
        try:
            number = self._numbers[args[0].dtype.char]
        except (AttributeError, IndexError, KeyError):
            types = " or ".join(self._dtypes)
            raise TypeError(
                f"{self.__name__}: the second argument must be an array of {types}"
            ) from None
        n_threads = 1
        if len(chunks) != 1 and not alone:
            n_threads = _threads.effective_n_threads()
        if work < launch.LAUNCH_WORK:
            self._launch(number, n_threads, chunks, *args)
            return
        for part in launch.cut(chunks, work, n_threads):
            self._launch(number, n_threads, part, *args)

    def prepare(self, chunks, dtype):
        """Do nothing: it is compiled."""
