"""Lets threadpoolctl limit the threads of the extension, which has a pool of its own."""

import contextlib
import math

from threadpoolctl import LibController, register

from fastclust import _extension, _threads
from fastclust._version import __version__


class PoolController(LibController):
    """What threadpoolctl asks of the extension; a limit holds for the thread that sets it."""

    user_api = internal_api = "fastclust"
    filename_prefixes = (_extension.NAME,)

    def get_num_threads(self):
        """Threads that a launch may use."""
        limit = getattr(_threads.threadpoolctls, "limit", math.inf)
        return min(_threads.available_n_threads(), limit)

    def set_num_threads(self, num_threads):
        """Set how many threads a launch may use."""
        _threads.threadpoolctls.limit = num_threads

    def get_version(self):
        """Version of the package."""
        return __version__


register(PoolController)
with contextlib.suppress(ValueError, RuntimeError):  # raised again where a kernel is called
    _extension.machine_code()  # threadpoolctl finds what is loaded
