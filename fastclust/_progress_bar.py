"""What is going on, on standard error, if that is a terminal."""

import sys


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
