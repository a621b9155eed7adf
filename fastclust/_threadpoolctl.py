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
        """Threads that a launch may use; 1 where the extension is loaded, but not used."""
        if not _is_used():
            return 1
        limit = getattr(_threads.threadpoolctls, "limit", math.inf)
        return min(_threads.available_n_threads(), limit)

    def set_num_threads(self, num_threads):
        """Set how many threads a launch may use."""
        _threads.threadpoolctls.limit = num_threads

    def get_version(self):
        """Version of the package."""
        return __version__


def _is_used():
    """Whether the extension runs; no error, as other packages ask threadpoolctl."""
    with contextlib.suppress(ValueError, RuntimeError):  # raised again where a kernel is called
        return _extension.level() is not None
    return False


register(PoolController)
_is_used()  # threadpoolctl finds what is loaded
