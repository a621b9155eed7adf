"""The command line: ``python -m fastclust demo``."""

import argparse
import contextlib
import os
import sys
import time
from pathlib import Path


def _integer(low, high):
    """Make a parser of integers from low to high."""

    def integer(text):
        if not low <= int(text) <= high:
            raise argparse.ArgumentTypeError(f"{text} is not between {low} and {high}")
        return int(text)

    return integer


@contextlib.contextmanager
def _whole_or_not_at_all(path):
    """Open a file that appears at `path` only if the block succeeds."""
    if path.is_dir():
        raise IsADirectoryError("it is a directory")
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        with open(temporary, "xb") as file:
            yield file
        os.replace(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)


def _timed_fit(kmeans, X):
    """Fit, and return the seconds that it took."""
    start = time.perf_counter()
    kmeans.fit(X)
    return time.perf_counter() - start


def _row(name, seconds, kmeans):
    return f"{name:12}  {seconds:8.3f}  {kmeans.inertia_:12.4f}  {kmeans.n_iter_:10}"


def run_demo(output, n_clusters, random_state):
    """Cluster the pixels of a photograph with fastclust and with scikit-learn; write the picture.

    Parameters
    ----------
    output : binary file
        Where the picture goes, as PNG: the original on the left, fastclust's colours on the right.
    n_clusters : int
        Number of colours.
    random_state : int
        Seed of both.
    """
    import numpy as np
    import sklearn.cluster
    from PIL import Image
    from sklearn.datasets import load_sample_image

    import fastclust

    photo = load_sample_image("china.jpg")
    pixels = photo.reshape(-1, 3) / 255
    print(f"{len(pixels):,} pixels of china.jpg in {n_clusters} colours")

    options = {"n_init": 1, "random_state": random_state}
    ours = fastclust.KMeans(n_clusters, **options)
    theirs = sklearn.cluster.KMeans(n_clusters, **options)
    warm_up = fastclust.KMeans(n_clusters, max_iter=1, **options)
    print(f"compiling took {_timed_fit(warm_up, pixels):.1f} s (cached for the next run)\n")

    print(f"{'':12}  {'seconds':>8}  {'inertia':>12}  {'iterations':>10}")
    their_seconds = _timed_fit(theirs, pixels)
    print(_row("scikit-learn", their_seconds, theirs))
    our_seconds = _timed_fit(ours, pixels)
    print(_row("fastclust", our_seconds, ours))
    print(f"\nequal labels: {np.mean(ours.labels_ == theirs.labels_):.2%}")
    print(f"speed-up: {their_seconds / our_seconds:.1f}x")

    colours = np.round(ours.cluster_centers_ * 255).astype(np.uint8)
    quantised = colours[ours.labels_].reshape(photo.shape)
    Image.fromarray(np.hstack([photo, quantised])).save(output, format="PNG")


def main(arguments=None):
    """Run the command line; return the exit status."""
    parser = argparse.ArgumentParser(
        prog="python -m fastclust",
        description="K-means for CPUs: scikit-learn's estimators and answers, many times faster.",
    )
    commands = parser.add_subparsers(dest="command", required=True)
    demo = commands.add_parser(
        "demo",
        help="cluster the pixels of a photograph, beside scikit-learn",
        description="Cluster the 273,280 pixels of scikit-learn's china.jpg with fastclust and "
        "with scikit-learn, compare them, and write the photograph in the colours found.",
    )
    demo.add_argument(
        "--output",
        type=Path,
        metavar="PATH",
        help="the picture, a PNG file (default: china-N-colours.png)",
    )
    demo.add_argument(
        "--clusters",
        type=_integer(1, 4096),
        default=64,
        metavar="N",
        help="number of colours (default: %(default)s)",
    )
    demo.add_argument(
        "--random-state",
        type=_integer(0, 2**32 - 1),
        default=0,
        metavar="SEED",
        help="seed of both fits (default: %(default)s)",
    )
    options = parser.parse_args(arguments)
    path = options.output or Path(f"china-{options.clusters}-colours.png")
    try:
        import PIL  # noqa: F401  (is it there? scikit-learn reads the photograph with it)
    except ImportError:
        print('error: the demo needs Pillow: pip install "fastclust[plots]"', file=sys.stderr)
        return 1
    try:
        with _whole_or_not_at_all(path) as file:
            run_demo(file, options.clusters, options.random_state)
    except OSError as error:
        print(f"error: cannot write {path}: {error.strerror or error}", file=sys.stderr)
        return 1
    print(f"wrote {path}: the photograph on the left, fastclust's colours on the right")
    return 0


if __name__ == "__main__":
    sys.exit(main())
