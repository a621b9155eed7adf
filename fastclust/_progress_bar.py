"""What is going on, on standard error, if that is a terminal."""

import sys
import time

SECONDS = 0.1
"""Least time between two reports of a pass."""


def progress_bar(items, description):
    """Yield the items, with a progress bar if tqdm is there and this is a terminal."""
    try:
        from tqdm import tqdm
    except ImportError:
        return items
    return tqdm(items, description, leave=False, disable=None)


def show_progress(text):
    """Put this in the place of what was shown before."""
    if sys.stderr.isatty():
        print(f"\r\x1b[K{text}", end="", file=sys.stderr, flush=True)


class PassProgress:
    """Shows how far the passes over the rows of a file are, and how many there have been.

    Parameters
    ----------
    text : str
        What is being done.
    """

    def __init__(self, text):
        self._text, self._n_passes, self._n_done = text, 1, 0
        self._shown = time.monotonic()

    def __call__(self, n_done, n_samples):
        """Show that a pass has read n_done of n_samples rows, if enough time has gone by."""
        if n_done <= self._n_done:  # from the first rows again
            self._n_passes += 1
        self._n_done, now = n_done, time.monotonic()
        if now - self._shown >= SECONDS:
            self._shown = now
            part = f"{n_done:,} of {n_samples:,} rows ({n_done / n_samples:.0%})"
            show_progress(f"{self._text}: pass {self._n_passes}, {part}")
