"""Options of `fastclust fit` that are parameters of the estimator, in one table."""

import argparse
from typing import Any, NamedTuple

from fastclust._cli.values import integer, non_negative, or_none, positive

MIXTURES = "gmm", "bayesian-gmm"
COVARIANCE_TYPES = "full", "tied", "diag", "spherical"

_LLOYD = "kmeans", "spherical-kmeans"
_BATCHES = ("mini-batch-kmeans",)
_TREE = ("bisecting-kmeans",)
_BAYESIAN = ("bayesian-gmm",)
_LEAVE_MISSING_OUT = "kmeans", "mini-batch-kmeans", "gmm"
_COUNT = integer(1, 2**31)


class ModelOption(NamedTuple):
    """An option that is a parameter of some estimators."""

    estimators: tuple[str, ...]
    """Their names in the command line."""

    flag: str
    """The option."""

    parameter: str
    """The parameter."""

    default: Any
    """Default of the parameter."""

    text: str
    """What it is, in the help."""

    default_text: str = ""
    """What the help says of the default, where that is None."""

    choices: tuple[str, ...] | None = None
    """Words that the value may be; None if it is no word."""

    kind: Any = None
    """Parses the value, where that is no word."""

    metavar: str | None = None
    """What the help shows for the value."""


MODEL_OPTIONS = (
    ModelOption(MIXTURES, "--components", "n_components", 1, "number of components",
                kind=_COUNT, metavar="N"),
    ModelOption(MIXTURES, "--covariance-type", "covariance_type", "full",
                "shape of the covariances", choices=COVARIANCE_TYPES),
    ModelOption(MIXTURES, "--init-params", "init_params", "kmeans", "what the first components "
                "are made of", choices=("kmeans", "k-means++", "random", "random_from_data")),
    ModelOption(MIXTURES, "--on-singular", "on_singular", "raise", "whether a covariance that is "
                "singular is an error, or gets a larger --reg-covar",
                choices=("raise", "regularize")),
    ModelOption((*_LLOYD, *_BATCHES, *_TREE), "--clusters", "n_clusters", 8, "number of clusters",
                kind=_COUNT, metavar="N"),
    ModelOption(_LLOYD, "--init", "init", "k-means++", "what finds the first centers",
                choices=("k-means++", "k-means||", "sample", "random")),
    ModelOption(_BATCHES, "--init", "init", "k-means++", "what finds the first centers",
                choices=("k-means++", "random")),
    ModelOption(_TREE, "--init", "init", "random", "what finds the first two centers of a split",
                choices=("k-means++", "random")),
    ModelOption(_LLOYD, "--oversampling-factor", "oversampling_factor", 2.0, "rows that a round "
                "of --init k-means|| draws on average, for each cluster",
                kind=positive, metavar="ROWS"),
    ModelOption(_LLOYD, "--init-rounds", "init_rounds", 5, "rounds of --init k-means||",
                kind=_COUNT, metavar="N"),
    ModelOption(_BATCHES, "--batch-size", "batch_size", 1024, "rows in a batch",
                kind=_COUNT, metavar="N"),
    ModelOption(_BATCHES, "--init-size", "init_size", None, "rows that first centers are made of",
                "3 batches", kind=_COUNT, metavar="N"),
    ModelOption(_BATCHES, "--max-no-improvement", "max_no_improvement", 10, "batches that fit no "
                "better after which a fit ends, or none for never",
                kind=or_none(integer(0, 2**31)), metavar="N"),
    ModelOption(_BATCHES, "--reassignment-ratio", "reassignment_ratio", 0.01, "share of the rows "
                "of the center with the most below which a center moves to another row",
                kind=non_negative, metavar="SHARE"),
    ModelOption(_TREE, "--strategy", "bisecting_strategy", "biggest_inertia",
                "which cluster is split next", choices=("biggest_inertia", "largest_cluster")),
    ModelOption(_BAYESIAN, "--weight-concentration-prior-type", "weight_concentration_prior_type",
                "dirichlet_process", "prior of the components' shares",
                choices=("dirichlet_process", "dirichlet_distribution")),
    ModelOption(_BAYESIAN, "--weight-concentration-prior", "weight_concentration_prior", None,
                "its concentration; the smaller, the fewer components have rows",
                "1 / components", kind=positive, metavar="ROWS"),
    ModelOption(_BAYESIAN, "--mean-precision-prior", "mean_precision_prior", None,
                "weight of the means' prior, the mean of the rows", "1",
                kind=positive, metavar="ROWS"),
    ModelOption(_BAYESIAN, "--degrees-of-freedom-prior", "degrees_of_freedom_prior", None,
                "weight of the covariances' prior, the covariance of the rows",
                "the number of columns", kind=positive, metavar="ROWS"),
    ModelOption(_LEAVE_MISSING_OUT, "--missing", "missing", "error", "whether missing values are "
                "an error, or are left out", choices=("error", "ignore")),
)  # fmt: skip


def add_model_options(add, estimator, parameter=None):
    """Add the options of an estimator, given its name and a parser's `add_argument`.

    They are all of its options, or that of one parameter. What is not given is left out, so that
    the estimator's own defaults hold.
    """
    for option in MODEL_OPTIONS:
        if estimator in option.estimators and parameter in (None, option.parameter):
            add(
                option.flag, dest=option.parameter, default=argparse.SUPPRESS, type=option.kind,
                choices=option.choices, metavar=option.metavar,
                help=f"{option.text} (default: {option.default_text or option.default})",
            )  # fmt: skip
