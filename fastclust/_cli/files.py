"""Files of any kind: errors that name them, and files that appear whole or not at all."""

import contextlib
import os
from pathlib import Path


class CommandError(Exception):
    """Why a command failed, in one line that names the file at fault."""

    status = 1


class OptionError(CommandError):
    """A file that needs an option."""

    status = 2


@contextlib.contextmanager
def whole_or_not_at_all(path):
    """Open a file that appears at `path` only if the block succeeds."""
    path = Path(path)
    if path.is_dir():
        raise IsADirectoryError("it is a directory")
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        with open(temporary, "wb") as file:  # a killed process of this number may have left one
            yield file
        os.replace(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)
