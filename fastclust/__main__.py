"""``python -m fastclust``: the command line."""

import sys

from fastclust._cli.main import main

if __name__ == "__main__":
    sys.exit(main())
