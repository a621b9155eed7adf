"""Groups of arrays that belong together: functions take few arguments, and none can be swapped.

Python passes a kernel its arrays one by one, and the kernel's body puts them into these groups for
the functions that it calls. Numba takes a group apart while it compiles, so that a group costs
nothing when the kernel runs. A field whose name ends in `_out` is written to.

n_tiles counts tiles of WIDTH components in `Components` and of MOMENT_WIDTH features in
`MomentScratch` and `Moments`; BLOCK is `layout.BLOCK_PANELS`, or `layout.MASKED_PANELS` for rows
with a mask.
"""

from typing import NamedTuple

import numpy as np


class Block(NamedTuple):
    """The panels that are processed at a time: their responsibilities stay in cache.

    chunk : number of the chunk, whose part of the scratch and of the sums is used
    first, last : range of the panels, at most BLOCK of them
    """

    chunk: int
    first: int
    last: int


class Pattern(NamedTuple):
    """What the rows of a block have and lack, and the components given what they have.

    features : (n_chunks, n_features), int64, the features that the rows have, then those missing
    n_observed : how many they have
    conditional_out : (n_chunks, n_components, n_features, n_features), float64: the first rows and
        columns are C, the covariance of what is missing, for each component
    fill_out : the same shape: the first rows and columns are -C P_mo, see `patterns`
    """

    features: np.ndarray
    n_observed: int
    conditional_out: np.ndarray
    fill_out: np.ndarray


class Components(NamedTuple):
    """Components as the E step reads them.

    means, factors, extras, constants : the shapes depend on the covariance type and are in the
        docstrings of `gaussian`; `m_step` writes them
    cuts : (n_components,), how far below a row's largest log-density that of a component is
        negligible; -inf if it never is
    """

    means: np.ndarray
    factors: np.ndarray
    extras: np.ndarray
    constants: np.ndarray
    cuts: np.ndarray


class EScratch(NamedTuple):
    """Memory of the E step.

    likely_out : (n_panels, 2), int32: [:, 0] is a component that is likely for the rows of the
        panel, found in the last pass, and [:, 1] the one found in this pass; only the covariance
        type `full` uses them
    rows_out : (n_chunks, n_values, n_at_once, LANES), values made of the rows of n_at_once panels;
        those of the features that pad the last tile are 0 and stay so
    log_prob_out : (n_chunks, BLOCK, n_places, LANES): [chunk, panel, component] is first the
        log-density, then the responsibility times the sample weight; the last place holds the
        largest log-density that is known, for the type `full`
    """

    likely_out: np.ndarray
    rows_out: np.ndarray
    log_prob_out: np.ndarray


class MaskedBlock(NamedTuple):
    """The values of a block's rows, some of which are missing.

    values_out : (n_chunks, BLOCK, n_features, LANES), the values, 0 where they are missing
    mask_out : the same shape: 1 where there is a value, 0 where it is missing
    """

    values_out: np.ndarray
    mask_out: np.ndarray


class CompletedBlock(NamedTuple):
    """A block's rows of one pattern, completed, and the means of components with one covariance.

    n_values counts features, padded to whole tiles of WIDTH; those that pad it are 0 and stay so.

    completed_out : (n_chunks, BLOCK, n_values, LANES), the rows
    means_out : (n_chunks, n_mean_panels, n_values, LANES), the means, as if they were rows
    white_out : (n_chunks, n_mean_panels + 1, n_values, LANES), these means times the factor U, and
        after them the rows of a panel times U
    """

    completed_out: np.ndarray
    means_out: np.ndarray
    white_out: np.ndarray


class TiedSums(NamedTuple):
    """Memory for sums over a block's rows of one pattern, where components share a covariance.

    mean_out : (n_chunks, n_values), the completed mean of a component
    line_out : (n_chunks, n_features), float64
    nk_out, first_out : sums of a block, shaped as those of `Moments` of each chunk
    """

    mean_out: np.ndarray
    line_out: np.ndarray
    nk_out: np.ndarray
    first_out: np.ndarray


class MomentScratch(NamedTuple):
    """Memory in which the moments of a block are made.

    active_out : (n_chunks, BLOCK), int64: the panels of the block with a responsibility that is not
        0, counted from the block's first
    differences_out : (n_chunks, n_tiles, BLOCK, MOMENT_WIDTH, LANES), the rows of these panels less
        the mean; those of the features that pad the last tile are 0 and stay so
    scaled_out : these differences times the responsibilities
    """

    active_out: np.ndarray
    differences_out: np.ndarray
    scaled_out: np.ndarray


class Moments(NamedTuple):
    """Sums over rows, with responsibilities r and differences d from the means; float64.

    The shapes are those of merged moments; moments of each chunk have a first axis of n_chunks.

    nk_out : (n_components,), sums of r
    first_out : (n_components, n_tiles * MOMENT_WIDTH), sums of r d
    second_out : (n_components, n_second), sums of products of r d and d: for the type `full` of all
        pairs of features (`layout.product_place`), for `diag` and `spherical` of each feature with
        itself, for `tied` none, or those of `full` where the scatter of the rows would cancel
    """

    nk_out: np.ndarray
    first_out: np.ndarray
    second_out: np.ndarray


class Parameters(NamedTuple):
    """Components as the M step writes them, in float64.

    means_out : (n_components, n_features)
    covariances_out, factors_out : the covariances and the Cholesky factors of the precisions, of
        scikit-learn's shape for the covariance type
    """

    means_out: np.ndarray
    covariances_out: np.ndarray
    factors_out: np.ndarray
