"""A progress bar for what takes long."""


def progress(items, description):
    """Yield the items, with a progress bar if tqdm is there and this is a terminal."""
    try:
        from tqdm import tqdm
    except ImportError:
        return items
    return tqdm(items, description, leave=False, disable=None)
