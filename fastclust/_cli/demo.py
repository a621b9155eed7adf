"""The demo of the command line.

It fits the pixels of a photograph with fastclust and with scikit-learn, as k-means clusters
and as a Gaussian mixture, prints a table of each, and writes the picture of the k-means colours.
"""

import time
import warnings
from pathlib import Path

from fastclust._cli.files import CommandError, whole_or_not_at_all
from fastclust._extension import level

MIXTURE_COMPONENTS, MIXTURE_ITERATIONS = 8, 10
"""Of the demo's mixture, which scikit-learn fits in a few seconds."""


def _timed_fit(estimator, X):
    """Fit and label the rows; return the labels, and the seconds that it took."""
    start = time.perf_counter()
    labels = estimator.fit_predict(X)
    return labels, time.perf_counter() - start


def _compare(theirs, ours, X, column, attribute):
    """Fit both after a first fit, and print a table of them; return fastclust's labels."""
    from sklearn.base import clone

    _, seconds = _timed_fit(clone(ours), X)
    compiled = "" if level() else ", compiling included, if kernels were not in the cache"
    print(f"the first fit took {seconds:.1f} s{compiled}\n")
    print(f"{'':12}  {'seconds':>8}  {column:>14}  {'iterations':>10}")
    results = []
    for name, estimator in (("scikit-learn", theirs), ("fastclust", ours)):
        labels, seconds = _timed_fit(estimator, X)
        objective = getattr(estimator, attribute)
        print(f"{name:12}  {seconds:8.3f}  {objective:14.4f}  {estimator.n_iter_:10}")
        results.append((labels, seconds))
    (their_labels, their_seconds), (our_labels, our_seconds) = results
    print(f"\nequal labels: {(our_labels == their_labels).mean():.2%}")
    print(f"speed-up: {their_seconds / our_seconds:.1f}x\n")
    return our_labels


def demo_kmeans(photo, output, n_clusters, random_state):
    """Cluster the pixels of a photograph with fastclust and with scikit-learn; write the picture.

    Parameters
    ----------
    photo : ndarray of shape (height, width, 3), uint8
        The photograph.
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

    import fastclust

    pixels = photo.reshape(-1, 3) / 255
    print(f"KMeans: {len(pixels):,} pixels of china.jpg in {n_clusters} colours")
    options = {"n_init": 1, "random_state": random_state}
    theirs = sklearn.cluster.KMeans(n_clusters, **options)
    ours = fastclust.KMeans(n_clusters, **options)
    labels = _compare(theirs, ours, pixels, "inertia", "inertia_")
    colours = np.round(ours.cluster_centers_ * 255).astype(np.uint8)
    quantised = colours[labels].reshape(photo.shape)
    Image.fromarray(np.hstack([photo, quantised])).save(output, format="PNG")


def demo_mixture(photo, random_state):
    """Fit a Gaussian mixture to the pixels of a photograph, with fastclust and with scikit-learn.

    Parameters
    ----------
    photo : ndarray of shape (height, width, 3), uint8
        The photograph.
    random_state : int
        Seed of both.
    """
    import sklearn.mixture
    from sklearn.exceptions import ConvergenceWarning

    import fastclust

    options = {"max_iter": MIXTURE_ITERATIONS, "tol": 0.0, "random_state": random_state}
    print(
        f"GaussianMixture: the same pixels in {MIXTURE_COMPONENTS} components with full "
        f"covariances,\n{MIXTURE_ITERATIONS} iterations (max_iter={MIXTURE_ITERATIONS}, tol=0)"
    )
    theirs = sklearn.mixture.GaussianMixture(MIXTURE_COMPONENTS, **options)
    ours = fastclust.GaussianMixture(MIXTURE_COMPONENTS, **options)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)  # by max_iter, as intended
        _compare(theirs, ours, photo.reshape(-1, 3) / 255, "log-likelihood", "lower_bound_")


def run_demo(options):
    """Run the demo."""
    path = options.output or Path(f"china-{options.clusters}-colours.png")
    try:
        import PIL  # noqa: F401  (is it there? scikit-learn reads the photograph with it)
    except ImportError:
        raise CommandError('the demo needs Pillow: pip install "fastclust[plots]"') from None
    from sklearn.datasets import load_sample_image

    photo = load_sample_image("china.jpg")
    try:
        with whole_or_not_at_all(path) as file:
            demo_kmeans(photo, file, options.clusters, options.random_state)
    except OSError as error:
        raise CommandError(f"cannot write {path}: {error.strerror or error}") from None
    print(f"wrote {path}: the photograph on the left, fastclust's colours on the right\n")
    demo_mixture(photo, options.random_state)
