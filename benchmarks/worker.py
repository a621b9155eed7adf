"""One commit's process of slower.py: sets benchmarks up and times them, as it is told.

A request is a line of JSON on standard input, an answer one on standard output. fastclust and
the benchmarks are the first on PYTHONPATH: fastclust of a commit, benchmarks the same for both, but
for the commit's own `internals.py`, whose path is the argument.
"""

import importlib
import importlib.util
import json
import os
import pickle
import sys
import time
import warnings
from pathlib import Path


def load_internals(path):
    """Make the commit's module the one that benchmarks import."""
    spec = importlib.util.spec_from_file_location("benchmarks.internals", path)
    module = sys.modules[spec.name] = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def set_up(suite, owner, case, cache):
    """Set a case up; return what is timed and the seconds of one call."""
    instance = getattr(importlib.import_module(f"benchmarks.{suite}"), owner)()
    instance.setup(pickle.loads(Path(cache).read_bytes()), case)
    start = time.perf_counter()
    instance.call()
    return instance.call, time.perf_counter() - start


def main():
    """Answer requests until there are no more."""
    warnings.simplefilter("ignore")
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)  # what a benchmark prints is no answer
    internals = load_internals(sys.argv[1])
    call = None
    for line in sys.stdin:
        request = json.loads(line)
        try:
            if "set_up" in request:
                call, seconds = set_up(*request["set_up"])
            else:
                if request["warm"]:
                    call()
                start = time.perf_counter()
                for _ in range(request["number"]):
                    call()
                seconds = (time.perf_counter() - start) / request["number"]
            answer = {"seconds": seconds}
        except Exception as error:  # of another commit's insides, perhaps: told, not raised
            known = internals, sys.modules.get("fastclust")
            is_lacking = isinstance(error, AttributeError) and error.obj in known
            answer = {"failure": f"{type(error).__name__}: {error}", "is_lacking": is_lacking}
        print(json.dumps(answer), file=answers, flush=True)


if __name__ == "__main__":
    main()
