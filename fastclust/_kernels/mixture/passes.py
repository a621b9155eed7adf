"""Passes over rows: the E step of a Gaussian mixture with the moments for its M step, or alone.

A pass goes block by block of panels: the log-densities of the components (`gaussian`), from them by
log-sum-exp the log-likelihood and the responsibilities, which stay in cache, and from these the
moments (`moments`). Nothing of the size of the rows is written.

A responsibility below exp(cut), with cut = log(eps weight / 1024), counts as 0: all that are so
small together change a component by less than a rounding error. The moments of a component leave
out the panels in which all its responsibilities are 0.
"""

import functools

import numpy as np
from numba import prange

from fastclust._kernels.jit import inner, kernel, variant
from fastclust._kernels.mixture import gaussian, moments
from fastclust._kernels.mixture.arguments import Block, Components, EScratch, Moments, MomentScratch
from fastclust._kernels.mixture.layout import BLOCK_PANELS, LAYOUTS
from fastclust._kernels.signature import float64, int32, int64, real
from fastclust._kernels.simd.math import exp, log
from fastclust._kernels.simd.tiles import argmin_tile
from fastclust._kernels.simd.vectors import (
    add_products,
    lane,
    load,
    not_above_lanes,
    splat,
    splat_labels,
    store,
    zero_doubles,
    zero_unless_above,
)


@inner
def weight_of(panels, weights, p):
    """Weights of the rows of panel p.

    `weights` holds those of all panels, or of the last panel alone if the others have weights of 1.
    """
    if weights.shape[0] == panels.shape[0]:
        return load(weights, p)
    if p == panels.shape[0] - 1:
        return load(weights, 0)
    return splat(panels, 1.0)


@inner
def clear(chunk, sums, counts_out):
    """Set the moments and counts of a chunk to 0."""
    nk_out, first_out, second_out = sums
    counts_out[chunk, 0] = 0
    counts_out[chunk, 1] = 0
    for j in range(nk_out.shape[1]):
        nk_out[chunk, j] = 0.0
    for sums_out in (first_out, second_out):
        for j in range(sums_out.shape[1]):
            for f in range(sums_out.shape[2]):
                sums_out[chunk, j, f] = 0.0


@inner
def _largest(panels, log_prob, chunk, b, cuts):
    """Largest log-density of each row, and the first component that has it."""
    least, labels = splat(panels, np.inf), splat_labels(panels, 0)
    for j in range(cuts.shape[0]):
        negative = splat(panels, 0.0) - load(log_prob, (chunk, b, j))
        least, labels = argmin_tile(least, labels, (negative,), j)
    return splat(panels, 0.0) - least, labels


@inner
def _exponentiate(panels, cuts, largest, chunk, b, log_prob_out):
    """Replace log_prob by exp(log_prob - largest), or by 0 below the cut; return the sum."""
    every = (1 << panels.shape[2]) - 1
    total = splat(panels, 0.0)
    for j in range(cuts.shape[0]):
        x = load(log_prob_out, (chunk, b, j)) - largest
        cut = splat(panels, cuts[j])
        if not_above_lanes(x, cut) == every:
            store(log_prob_out, (chunk, b, j), splat(panels, 0.0))
        else:
            value = zero_unless_above(exp(x), x, cut)
            total = total + value
            store(log_prob_out, (chunk, b, j), value)
    return total


@inner
def _scale(scale, chunk, b, cuts, log_prob_out):
    """Multiply the values of all components by a scale for each row."""
    for j in range(cuts.shape[0]):
        store(log_prob_out, (chunk, b, j), load(log_prob_out, (chunk, b, j)) * scale)


@inner
def _take_labels(panels, weights, labels, block, cuts, log_prob_out):
    """Write responsibilities of 1 for the labels of a block, times the weights."""
    chunk, first, last = block
    for p in range(first, last):
        weight, b = weight_of(panels, weights, p), p - first
        for j in range(cuts.shape[0]):
            for i in range(panels.shape[2]):
                log_prob_out[chunk, b, j, i] = 1.0 if labels[p, i] == j else 0.0
            store(log_prob_out, (chunk, b, j), load(log_prob_out, (chunk, b, j)) * weight)


@inner
def normalise(panels, weights, block, cuts, likelihood, log_prob_out, labels_out):
    """Make the log-densities of a block responsibilities, times the weights.

    Return `likelihood`, the sums of log p(x) in each lane, with those of the block.
    """
    chunk, first, last = block
    for p in range(first, last):
        weight, b = weight_of(panels, weights, p), p - first
        largest, best = _largest(panels, log_prob_out, chunk, b, cuts)
        if labels_out.shape[0] > 0:
            store(labels_out, p, best)
        total = _exponentiate(panels, cuts, largest, chunk, b, log_prob_out)
        _scale(weight / total, chunk, b, cuts, log_prob_out)
        likelihood = add_products(likelihood, weight, largest)
        likelihood = add_products(likelihood, weight, log(total))
    return likelihood


@inner
def add_lanes(doubles, lanes):
    """Sum of the lanes, in their order."""
    total = 0.0
    for i in range(lanes):
        total += lane(doubles, i)
    return total


@inner
def write_posterior(panels, block, cuts, log_prob_out, labels_out, log_density_out, resp_out):
    """Write labels, log p(x) and, if there is room for them, responsibilities of a block's rows."""
    chunk, first, last = block
    lanes = panels.shape[2]
    for p in range(first, last):
        b = p - first
        largest, labels = _largest(panels, log_prob_out, chunk, b, cuts)
        store(labels_out, p, labels)
        total = _exponentiate(panels, cuts, largest, chunk, b, log_prob_out)
        store(log_density_out, p, largest + log(total))
        if resp_out.shape[0] > 0:
            _scale(splat(panels, 1.0) / total, chunk, b, cuts, log_prob_out)
            for i in range(min(lanes, resp_out.shape[0] - p * lanes)):
                for j in range(cuts.shape[0]):
                    resp_out[p * lanes + i, j] = log_prob_out[chunk, b, j, i]


@functools.cache
def moments_kernel(covariance_type):
    """The pass of a covariance type that does the E step and sums the moments for the M step."""
    estimate_log_prob = getattr(gaussian, f"{covariance_type}_log_prob")
    means_type, factors_type, extras_type = LAYOUTS[covariance_type]
    moments_of = {"full": "full", "tied": "first", "diag": "diag", "spherical": "diag"}
    add_moments = getattr(moments, f"add_{moments_of[covariance_type]}_moments")

    @kernel
    @variant(covariance_type)
    def estimate_moments(
        chunks, panels: real[:, :, :], weights: real[:, :], labels: int32[:, :],
        about: real[:, :], means: means_type, factors: factors_type, extras: extras_type,
        constants: real[:, :], cuts: real[:], likely_out: int32[:, :], rows_out: real[:, :, :, :],
        log_prob_out: real[:, :, :, :], active_out: int64[:, :],
        differences_out: real[:, :, :, :, :], scaled_out: real[:, :, :, :, :],
        nk_out: float64[:, :], first_out: float64[:, :, :], second_out: float64[:, :, :],
        log_likelihood_out: float64[:], labels_out: int32[:, :], counts_out: int64[:, :],
    ):  # fmt: skip
        """Run the E step, and sum the moments that the M step needs.

        The chunks are of blocks.

        panels : (n_panels, n_features, LANES)                          # IN
        weights : (n_panels, LANES), or (1, LANES) for the last panel   # IN
            if the others have weights of 1; 0 for padding rows
        labels : (n_panels, LANES), int32: responsibilities are 1 for   # IN
            these and there is no E step; or (0, LANES) for an E step
        about : (n_components, n_features), what the moments are about  # IN
        means, factors, extras, constants, cuts : `Components`          # IN
        likely_out, rows_out, log_prob_out : `EScratch`                 # scratch
        active_out, differences_out, scaled_out : `MomentScratch`       # scratch
        nk_out, first_out, second_out : `Moments` of each chunk         # OUT
        log_likelihood_out : (n_chunks,), float64                       # OUT
        labels_out : (n_panels, LANES), int32: the most probable        # OUT
            components, or (0, LANES) for none
        counts_out : (n_chunks, 2), int64: how many responsibilities    # OUT
            of rows were not negligible, and how many panels had one
        """
        for s in prange(chunks.shape[0]):
            chunk = chunks[s, 0]
            components = Components(means, factors, extras, constants, cuts)
            e_scratch = EScratch(likely_out, rows_out, log_prob_out)
            m_scratch = MomentScratch(active_out, differences_out, scaled_out)
            sums = Moments(nk_out, first_out, second_out)
            clear(chunk, sums, counts_out)
            likelihood = zero_doubles(panels)
            for number in range(chunks[s, 1], chunks[s, 2]):
                first = number * BLOCK_PANELS
                block = Block(chunk, first, min(first + BLOCK_PANELS, panels.shape[0]))
                if labels.shape[0] > 0:
                    _take_labels(panels, weights, labels, block, cuts, log_prob_out)
                else:
                    estimate_log_prob(panels, block, components, e_scratch)
                    likelihood = normalise(
                        panels, weights, block, cuts, likelihood, log_prob_out, labels_out
                    )
                add_moments(panels, block, about, log_prob_out, m_scratch, sums, counts_out)
            log_likelihood_out[chunk] = add_lanes(likelihood, panels.shape[2])

    return estimate_moments


@functools.cache
def posterior_kernel(covariance_type):
    """The E step alone, for a covariance type."""
    estimate_log_prob = getattr(gaussian, f"{covariance_type}_log_prob")
    means_type, factors_type, extras_type = LAYOUTS[covariance_type]

    @kernel
    @variant(covariance_type)
    def estimate_posterior(
        chunks, panels: real[:, :, :], means: means_type, factors: factors_type,
        extras: extras_type, constants: real[:, :], cuts: real[:], likely_out: int32[:, :],
        rows_out: real[:, :, :, :], log_prob_out: real[:, :, :, :], labels_out: int32[:, :],
        log_density_out: real[:, :], resp_out: real[:, :],
    ):  # fmt: skip
        """Label, log-density and responsibilities of each row.

        The chunks are of blocks.

        panels : (n_panels, n_features, LANES)                # IN
        means, factors, extras, constants, cuts :             # IN: `Components`
        likely_out, rows_out, log_prob_out : `EScratch`       # scratch
        labels_out : (n_panels, LANES), int32                 # OUT: first of the most probable
        log_density_out : (n_panels, LANES)                   # OUT: log p(x)
        resp_out : (n_samples or 0, n_components)             # OUT
        """
        for s in prange(chunks.shape[0]):
            chunk = chunks[s, 0]
            components = Components(means, factors, extras, constants, cuts)
            e_scratch = EScratch(likely_out, rows_out, log_prob_out)
            for number in range(chunks[s, 1], chunks[s, 2]):
                first = number * BLOCK_PANELS
                block = Block(chunk, first, min(first + BLOCK_PANELS, panels.shape[0]))
                estimate_log_prob(panels, block, components, e_scratch)
                write_posterior(
                    panels, block, cuts, log_prob_out, labels_out, log_density_out, resp_out
                )

    return estimate_posterior
