"""Bisecting k-means: a tree of clusters, of which the greatest is split in two by k-means.

Steinbach, Karypis and Kumar, "A comparison of document clustering techniques", KDD workshop on text
mining, 2000. Each split is Lloyd's algorithm on the rows of one leaf, relative to an origin of
their own: so it costs as much as these rows, and is exact however far they are from the others.
"""

import math
from dataclasses import dataclass, field, replace
from typing import NamedTuple

import numpy as np

from fastclust._algorithms.kmeans.inference import blocks_in_range
from fastclust._algorithms.kmeans.lloyd import LloydOptions, find_best_run, is_clearly_smaller
from fastclust._algorithms.rows import scale
from fastclust._algorithms.rows.source import pack_for_distances, pack_part

NEVER_SPLIT = -math.inf, 0.0
"""Priority of a leaf that has less than two rows; scikit-learn fails where it chooses one."""


@dataclass(frozen=True)
class BisectingOptions:
    """How rows are divided.

    Attributes
    ----------
    n_clusters : int
        Number of leaves.
    by_inertia : bool
        Whether the greatest leaf is that of the largest inertia, or of the most rows.
    n_init : int
        Runs for each split, of which the best is kept.
    lloyd : LloydOptions
        Options of each run; its `tol` is in the units of X squared.
    """

    n_clusters: int
    by_inertia: bool
    n_init: int
    lloyd: LloydOptions


class Tree(NamedTuple):
    """The splits of a tree, from which predictions are made."""

    centers: np.ndarray
    """Centers of both sides of each split, of shape (n_splits, 2, n_features)."""

    origins: np.ndarray
    """What is subtracted from the rows of each split, of shape (n_splits, n_features)."""

    children: np.ndarray
    """Number of the split on each side, or -1 - label where that side is a leaf, of shape
    (n_splits, 2), int32."""


class BisectingResult(NamedTuple):
    """Outcome of `run_bisecting`."""

    centers: np.ndarray
    """Centers of the leaves, from left to right, of shape (n_clusters, n_features)."""

    labels: np.ndarray
    """Leaf of each row, of shape (n_samples,), int32."""

    inertia: float
    """Weighted sum of the squared distances to the centers of the leaves."""

    tree: Tree
    """The splits, in the order in which they were made."""


@dataclass
class _Leaf:
    """A cluster.

    Attributes
    ----------
    center : ndarray of shape (n_features,)
        Its center.
    numbers : ndarray of int or None
        Numbers of its rows; None for all.
    inertia : float
        Its inertia, times 2^(-2 exponent).
    exponent : int
        The rows of the split that made it were those of X times 2^-exponent.
    place : tuple of int
        Number of that split, and its side.
    """

    center: np.ndarray
    numbers: np.ndarray | None
    inertia: float
    exponent: int
    place: tuple[int, int] | None = None

    def priority(self, by_inertia):
        """Tuple that is the greater, the sooner the leaf is to be split."""
        n_rows = 0 if self.numbers is None else len(self.numbers)
        if n_rows < 2:
            return NEVER_SPLIT
        if not by_inertia:
            return float(n_rows), 0.0
        mantissa, exponent = math.frexp(self.inertia)  # inertias of any units are compared
        return (exponent + 2.0 * self.exponent, mantissa) if mantissa else (-math.inf, 1.0)


@dataclass
class _Splits:
    """The splits made so far."""

    centers: list[np.ndarray] = field(default_factory=list)
    origins: list[np.ndarray] = field(default_factory=list)
    children: list[list[int]] = field(default_factory=list)

    def add(self, centers, origin, place):
        """Add a split, at the place of the leaf that it divides; return its number."""
        split = len(self.children)
        if place is not None:
            self.children[place[0]][place[1]] = split
        self.centers.append(centers)
        self.origins.append(origin)
        self.children.append([-1, -1])
        return split

    def as_tree(self, leaves, n_features, dtype):
        """Number the leaves from left to right; return arrays."""
        for label, leaf in enumerate(leaves):
            if leaf.place is not None:
                split, side = leaf.place
                self.children[split][side] = -1 - label
        n_splits = len(self.children)
        return Tree(
            np.array(self.centers, dtype=dtype).reshape(n_splits, 2, n_features),
            np.array(self.origins, dtype=dtype).reshape(n_splits, n_features),
            np.array(self.children, dtype=np.int32).reshape(n_splits, 2),
        )


def run_bisecting(X, sample_weight, mean, starts, options, weight_exponent=0):
    """Split the rows in two, and again the greatest leaf, until there are n_clusters.

    Among equals the leftmost is split. A leaf without two rows is never split.

    Parameters
    ----------
    X : ndarray or CSR matrix of shape (n_samples, n_features), float32 or float64
        The rows; at least as many as clusters.
    sample_weight : ndarray of shape (n_samples,) or None
        Weight of each row, of X's dtype, not 0; None for ones.
    mean : ndarray of shape (n_features,)
        Mean of the rows, as of `find_mean`.
    starts : callable
        ``starts(rows, exponent, numbers, sample_weight, mean)`` is `draw_start` of `find_best_run`
        for two centers in these rows, which are those of X that have the numbers (None for all)
        times 2^-exponent. The weights are theirs; the mean is that of all rows, finite.
    options : BisectingOptions
        How the rows are divided.
    weight_exponent : int, default=0
        The weights are those given times 2^-weight_exponent; the inertia is that of those given.

    Returns
    -------
    result : BisectingResult
        The labels are those of `predict_labels`.

    Raises
    ------
    ValueError
        If the inertia is above the largest float.
    """
    n_init = options.n_init
    lloyd = replace(options.lloyd, with_inertia=n_init > 1)
    in_range = pack_for_distances(X, sample_weight, mean)
    rows = memory = in_range.rows
    exponent = in_range.exponent
    mean = scale.scaled(in_range.mean, exponent).astype(X.dtype, copy=False)
    dtype, are_usual = X.dtype, True
    if options.n_clusters == 1:
        root = _root(rows, exponent, dtype)
    else:  # its center and inertia are not asked for
        root = _Leaf(mean, None, math.nan, exponent)
    leaves, splits, priorities = [root], _Splits(), [(0.0, 0.0)]
    while len(leaves) < options.n_clusters:
        greatest = max(range(len(leaves)), key=priorities.__getitem__)  # the first of equals
        leaf = leaves[greatest]
        weights = sample_weight
        if leaf.numbers is not None:
            rows, exponent = pack_part(X, sample_weight, leaf.numbers, leaf.center, memory)
            memory = rows
            weights = None if sample_weight is None else sample_weight[leaf.numbers]
        draw_start = starts(rows, exponent, leaf.numbers, weights, mean)
        best = find_best_run(
            rows, draw_start, n_init, 2,
            replace(lloyd, tol=float(scale.scaled(lloyd.tol, -2 * exponent))),
            scale.Units(exponent, weight_exponent, dtype),
            is_better=is_clearly_smaller,
        )  # fmt: skip
        centers = scale.scaled(best.centers, exponent)
        if lloyd.verbose:  # as scikit-learn, relative to the mean of all rows
            print(f"New centroids from bisection: {centers - mean}")
        relative = best.centers.astype(rows.dtype, copy=False) - rows.origin
        inertias = rows.label_inertias(relative, best.labels)
        are_usual &= _are_usual(rows, exponent, relative, dtype)
        numbers = _numbers_of_sides(leaf.numbers, best.labels)
        split = splits.add(centers, scale.scaled(rows.origin, exponent), leaf.place)
        sides = [
            _Leaf(centers[side], numbers[side], float(inertias[side]), exponent, (split, side))
            for side in (0, 1)
        ]
        leaves[greatest : greatest + 1] = sides
        priorities[greatest : greatest + 1] = [leaf.priority(options.by_inertia) for leaf in sides]
    tree = splits.as_tree(leaves, X.shape[1], dtype)
    labels = _labels_of(leaves, X.shape[0]) if are_usual else predict_labels(X, tree)
    centers = np.array([leaf.center for leaf in leaves])
    inertia = _total_inertia(leaves, weight_exponent)
    return BisectingResult(centers, labels, inertia, tree)


def _root(rows, exponent, dtype):
    """Leaf of all rows, whose center is their mean by weight."""
    statistics = rows.cluster_statistics(np.zeros((1, rows.n_features), dtype=rows.dtype))
    center = (statistics.sums[0] / statistics.weights[0] + rows.origin).astype(dtype)
    relative = center.astype(rows.dtype) - rows.origin
    _, inertia = rows.assign_with_inertia(relative[np.newaxis])
    return _Leaf(scale.scaled(center, exponent), None, inertia, exponent)


def _total_inertia(leaves, weight_exponent):
    """Sum of the inertias, which may have any units, times 2^weight_exponent."""
    unit = max((leaf.exponent for leaf in leaves if leaf.inertia > 0), default=0)
    inertias = (math.ldexp(leaf.inertia, 2 * (leaf.exponent - unit)) for leaf in leaves)
    return scale.Units(unit, weight_exponent).inertia_of_X(math.fsum(inertias))


def _numbers_of_sides(numbers, labels):
    """Numbers of the rows on both sides of a split of the rows of these numbers, None for all."""
    parts = _divide(labels)
    if numbers is None:
        return [part.astype(_number_dtype(len(labels))) for part in parts]
    return [numbers.take(part) for part in parts]


def _divide(labels):
    """Places of the labels 0, and of the others: numbers of rows are taken faster than by masks."""
    is_left = labels == 0
    return np.flatnonzero(is_left), np.flatnonzero(~is_left)


def _number_dtype(n_samples):
    """Type of the numbers of rows."""
    return np.int32 if n_samples <= np.iinfo(np.int32).max else np.int64


def _are_usual(rows, exponent, centers, dtype):
    """Whether a prediction computes with the same numbers as the split has.

    Otherwise some block of these rows may be so small that it is scaled, or computed with in
    float64, where all together were not.
    """
    if exponent or rows.dtype != dtype:
        return False
    center_square = float(np.square(centers, dtype=np.float64).sum(axis=1).max())
    return scale.is_in_range(center_square, dtype)


def _labels_of(leaves, n_samples):
    """Label of each row."""
    labels = np.zeros(n_samples, dtype=np.int32)
    for label, leaf in enumerate(leaves):
        if leaf.numbers is not None:
            labels[leaf.numbers] = label
    return labels


def check_children(children):
    """Raise ValueError unless each split but the first, and each label, is a child exactly once.

    A split must be made after that which it is a child of: then following children ends.
    """
    n_splits = len(children)
    expected = np.r_[-1 - n_splits : 0, 1:n_splits] if n_splits else []
    is_tree = np.array_equal(np.sort(children, axis=None), expected)
    if not is_tree or ((children >= 0) & (children <= np.arange(n_splits)[:, np.newaxis])).any():
        raise ValueError("children are no tree.")


def predict_labels(X, tree):
    """Leaf of each row, found from the root down: at each split, the side of the nearer center.

    Parameters
    ----------
    X : ndarray or CSR matrix of shape (n_samples, n_features), float32 or float64
        The rows.
    tree : Tree
        Splits, in X's dtype. The origins are 0 if X is sparse.

    Returns
    -------
    labels : ndarray of shape (n_samples,), int32
        Number of the leaf.
    """
    n_samples = X.shape[0]
    labels = np.zeros(n_samples, dtype=np.int32)
    waiting: list[tuple[int, np.ndarray | None]] = [(0, None)] if len(tree.children) else []
    while waiting:
        split, numbers = waiting.pop()
        parts: tuple[list[np.ndarray], list[np.ndarray]] = [], []
        blocks = blocks_in_range(X, None, tree.centers[split], tree.origins[split], numbers)
        for part, rows, tiled_centers, _ in blocks:
            if numbers is None:
                part = np.arange(n_samples, dtype=_number_dtype(n_samples))[part]
            for side, places in enumerate(_divide(rows.assign(*tiled_centers))):
                parts[side].append(part.take(places))
        for child, of_side in zip(tree.children[split].tolist(), parts, strict=True):
            of_child = np.concatenate(of_side)
            if child < 0:
                labels[of_child] = -1 - child
            elif len(of_child):
                waiting.append((child, of_child))
    return labels
