"""The E step, and the moments, of rows with missing values: covariance matrices.

The rows of a panel lack the same features: they have one *pattern*. With the precision P of a
component, o the features that a row has and m those that it lacks, and d = x - mean,

    d_m' = -C P_mo d_o,    C = P_mm^-1

is the mean of what it lacks, given what it has, and C the covariance. The row is completed by it:
y = U'd with the factor U of P, and

    log N(x_o) = log N(d) + (m log(2 pi) - log det P_mm) / 2,

because |y|^2 of a completed row is the least that any values of m would give, and det S_oo =
det S det P_mm. So completed rows go through the products of complete ones, and the moments of the
M step are those of completed rows, with r C added to the second ones of m (Ghahramani and Jordan,
"Supervised learning from incomplete data via an EM approach", NIPS 1994). A pattern costs m^3 and
m^2 o for each component, where the factor of S_oo would cost o^3.

panels : (n_panels, n_features, LANES); what stands for a missing value is any number   # IN
block, components, pattern : `Block`, `Components` and `Pattern` of `arguments`          # IN
"""

import numpy as np
from numba import prange

from fastclust._kernels.jit import inner, kernel
from fastclust._kernels.mixture.arguments import (
    Block,
    Components,
    Moments,
    MomentScratch,
    Pattern,
)
from fastclust._kernels.mixture.gaussian import square_norms
from fastclust._kernels.mixture.layout import product_place
from fastclust._kernels.mixture.moments import add_gathered_moments, find_active_panels
from fastclust._kernels.mixture.passes import add_lanes, clear, normalise, write_posterior
from fastclust._kernels.signature import float64, int32, int64, real
from fastclust._kernels.simd.products import (
    fma_all,
    load_strided,
    maximum_tiles,
    store_strided,
)
from fastclust._kernels.simd.sizes import MOMENT_WIDTH, PANELS
from fastclust._kernels.simd.vectors import fma, load, splat, store, zero_doubles

LEAST_PIVOT = 2.0**-52
"""Least pivot of P_mm, as a share of the diagonal: less is rounding."""

LOG_2_PI = float(np.log(2.0 * np.pi))

_product_place = inner(product_place)


@inner
def _list_features(missing, number, chunk, features_out):
    """List the features that a pattern has, then those that it lacks; return how many it has."""
    n_features = missing.shape[1]
    n_observed = 0
    for f in range(n_features):
        if missing[number, f] == 0:
            features_out[chunk, n_observed] = f
            n_observed += 1
    place = n_observed
    for f in range(n_features):
        if missing[number, f] != 0:
            features_out[chunk, place] = f
            place += 1
    return n_observed


@inner
def _invert(matrix_out, n):
    """Invert the first n rows and columns of a positive definite matrix; return its log det."""
    a, log_det = matrix_out, 0.0
    for c in range(n):  # L, below the diagonal
        pivot = a[c, c]
        for p in range(c):
            pivot -= a[c, p] * a[c, p]
        root = np.sqrt(max(pivot, LEAST_PIVOT * a[c, c]))
        log_det += 2.0 * np.log(root)
        for f in range(c + 1, n):
            value = a[f, c]
            for p in range(c):
                value -= a[f, p] * a[c, p]
            a[f, c] = value / root
        a[c, c] = root
    for f in range(n):  # L^-1 in its place, row by row
        inverse = 1.0 / a[f, f]
        for p in range(f):
            scale = a[f, p]
            a[f, p] = 0.0
            for g in range(p + 1):
                a[f, g] += scale * a[p, g]
        for g in range(f):
            a[f, g] *= -inverse
        a[f, f] = inverse
    for f in range(n):  # L^-T L^-1
        for g in range(f + 1):
            value = 0.0
            for p in range(f, n):
                value += a[p, f] * a[p, g]
            a[f, g] = value
    for f in range(n):
        for g in range(f):
            a[g, f] = a[f, g]
    return log_det


@inner
def condition(j, precisions, chunk, pattern):
    """Write C and -C P_mo of component j; return what they add to its log-densities."""
    features, first, conditional_out, fill_out = pattern
    n_missing = precisions.shape[1] - first
    if n_missing == 0:
        return 0.0
    matrix = conditional_out[chunk, j]
    for a in range(n_missing):
        row = precisions[j, features[chunk, first + a]]
        for b in range(n_missing):
            matrix[a, b] = row[features[chunk, first + b]]
    log_det = _invert(matrix, n_missing)
    for b in range(first):
        row = precisions[j, features[chunk, b]]  # P is symmetric
        for a in range(n_missing):
            value = 0.0
            for c in range(n_missing):
                value -= matrix[a, c] * row[features[chunk, first + c]]
            fill_out[chunk, j, a, b] = value
    return 0.5 * (n_missing * LOG_2_PI - log_det)


@inner
def _complete_panel(panels, p, j, means, pattern, chunk, i, rows_out):
    """Write the rows of panel p, less the mean of j and completed, to rows_out[chunk, :, i]."""
    features, n_observed, _, fill = pattern
    for b in range(n_observed):
        f = features[chunk, b]
        store(rows_out, (chunk, f, i), load(panels, (p, f)) - splat(panels, means[j, f]))
    for a in range(panels.shape[1] - n_observed):
        value = splat(panels, 0.0)
        for b in range(n_observed):
            difference = load(rows_out, (chunk, features[chunk, b], i))
            value = fma(difference, splat(panels, fill[chunk, j, a, b]), value)
        store(rows_out, (chunk, features[chunk, n_observed + a], i), value)


@inner
def _pattern_log_prob(panels, block, components, precisions, pattern, rows_out, log_prob_out):
    """Put the log-densities of a block's rows into log_prob_out.

    A component can be left out as soon as it is known to be negligible beside those before it, as
    in `gaussian.full_log_prob`.
    """
    chunk, first, last = block
    means, factors, _, constants, cuts = components
    n_places = log_prob_out.shape[2]
    largest = n_places - 1  # the place of the largest log-density that is known
    for b in range(last - first):
        store(log_prob_out, (chunk, b, largest), splat(panels, -np.inf))
    for j in range(means.shape[0]):
        constant = constants[j, 0] + condition(j, precisions, chunk, pattern)
        slack = splat(panels, 2.0 * (constant - cuts[j]) + 1.0)
        for p in range(first, last, PANELS):
            for i in range(PANELS):
                place = min(p + i, last - 1)  # the last panel is done twice if their number is odd
                _complete_panel(panels, place, j, means, pattern, chunk, i, rows_out)
            best = load_strided(log_prob_out, (chunk, p - first, largest), PANELS, n_places)
            limits = fma_all(best, splat(panels, -2.0), slack)
            squares = square_norms(rows_out, chunk, factors, j, limits)
            log_prob = fma_all(squares, splat(panels, -0.5), splat(panels, constant))
            store_strided(log_prob_out, (chunk, p - first, j), log_prob, n_places)
            best = maximum_tiles(log_prob, best)
            store_strided(log_prob_out, (chunk, p - first, largest), best, n_places)


@inner
def _gather_completed(panels, block, j, about, resp, n, pattern, rows_out, scratch):
    """Gather the n active panels, completed, less the mean; and these times responsibilities."""
    chunk, first, _ = block
    active, differences_out, scaled_out = scratch
    for a in range(n):
        b = active[chunk, a]
        _complete_panel(panels, first + b, j, about, pattern, chunk, 0, rows_out)
        r = load(resp, (chunk, b, j))
        for f in range(panels.shape[1]):
            difference = load(rows_out, (chunk, f, 0))
            tile, offset = f // MOMENT_WIDTH, f % MOMENT_WIDTH
            store(differences_out, (chunk, tile, a, offset), difference)
            store(scaled_out, (chunk, tile, a, offset), difference * r)


@inner
def _add_conditional(chunk, j, nk, pattern, second_out):
    """Add nk C to the second moments of component j."""
    features, first, conditional, _ = pattern
    n_missing = features.shape[1] - first
    for a in range(n_missing):
        f = features[chunk, first + a]
        for b in range(a + 1):  # features are listed in their order
            place = _product_place(f, features[chunk, first + b])
            second_out[chunk, j, place] += nk * conditional[chunk, j, a, b]


@inner
def _add_pattern_moments(
    panels, block, about, resp, pattern, rows_out, scratch, moments, block_nk_out, counts_out
):
    """Add the moments of a block's rows, completed."""
    chunk, active_out = block.chunk, scratch.active_out
    for j in range(about.shape[0]):
        block_nk_out[chunk, j] = 0.0
        n = find_active_panels(panels, block, j, resp, active_out, block_nk_out, counts_out)
        if n == 0:
            continue
        moments.nk_out[chunk, j] += block_nk_out[chunk, j]
        _gather_completed(panels, block, j, about, resp, n, pattern, rows_out, scratch)
        add_gathered_moments(panels, chunk, j, n, scratch, moments)
        _add_conditional(chunk, j, block_nk_out[chunk, j], pattern, moments.second_out)


@inner
def open_block(blocks, number, missing, chunk, features_out, conditional_out, fill_out):
    """A block, and its pattern."""
    n_observed = _list_features(missing, blocks[number, 2], chunk, features_out)
    block = Block(chunk, blocks[number, 0], blocks[number, 1])
    return block, Pattern(features_out, n_observed, conditional_out, fill_out)


@kernel
def estimate_pattern_moments(
    chunks, panels: real[:, :, :], weights: real[:, :], blocks: int64[:, :], missing: int32[:, :],
    precisions: float64[:, :, :], about: real[:, :], factors: real[:, :], extras: real[:, :, :, :],
    constants: real[:, :], cuts: real[:], rows_out: real[:, :, :, :],
    log_prob_out: real[:, :, :, :], features_out: int64[:, :],
    conditional_out: float64[:, :, :, :], fill_out: real[:, :, :, :], active_out: int64[:, :],
    differences_out: real[:, :, :, :, :], scaled_out: real[:, :, :, :, :],
    block_nk_out: float64[:, :], nk_out: float64[:, :], first_out: float64[:, :, :],
    second_out: float64[:, :, :], log_likelihood_out: float64[:], labels_out: int32[:, :],
    counts_out: int64[:, :],
):  # fmt: skip
    """Run the E step, and sum the moments that the M step needs.

    The chunks are of blocks.

    panels : (n_panels, n_features, LANES)                           # IN
    weights : (n_panels, LANES), 0 for padding                       # IN
    blocks : (n_blocks, 3), int64: first panel, end and pattern of   # IN
        each; at most BLOCK panels
    missing : (n_patterns, n_features), int32: 1 for what is missing # IN
    precisions : (n_components, n_features, n_features), float64     # IN
    about : (n_components, n_features), the means                    # IN
    factors, extras, constants, cuts : `Components` of type `full`   # IN
    rows_out, log_prob_out : as in `EScratch`                        # scratch
    features_out, conditional_out, fill_out : `Pattern`              # scratch
    active_out, differences_out, scaled_out : `MomentScratch`        # scratch
    block_nk_out : (n_chunks, n_components), float64                 # scratch
    nk_out, first_out, second_out : `Moments` of each chunk          # OUT
    log_likelihood_out : (n_chunks,), float64                        # OUT
    labels_out, counts_out : as of `estimate_moments`                # OUT
    """
    for s in prange(chunks.shape[0]):
        chunk = chunks[s, 0]
        components = Components(about, factors, extras, constants, cuts)
        m_scratch = MomentScratch(active_out, differences_out, scaled_out)
        sums = Moments(nk_out, first_out, second_out)
        clear(chunk, sums, counts_out)
        likelihood = zero_doubles(panels)
        for number in range(chunks[s, 1], chunks[s, 2]):
            block, pattern = open_block(
                blocks, number, missing, chunk, features_out, conditional_out, fill_out
            )
            _pattern_log_prob(
                panels, block, components, precisions, pattern, rows_out, log_prob_out
            )
            likelihood = normalise(
                panels, weights, block, cuts, likelihood, log_prob_out, labels_out
            )
            _add_pattern_moments(
                panels, block, about, log_prob_out, pattern, rows_out, m_scratch, sums,
                block_nk_out, counts_out,
            )  # fmt: skip
        log_likelihood_out[chunk] = add_lanes(likelihood, panels.shape[2])


@kernel
def estimate_pattern_posterior(
    chunks, panels: real[:, :, :], blocks: int64[:, :], missing: int32[:, :],
    precisions: float64[:, :, :], means: real[:, :], factors: real[:, :], extras: real[:, :, :, :],
    constants: real[:, :], cuts: real[:], rows_out: real[:, :, :, :],
    log_prob_out: real[:, :, :, :], features_out: int64[:, :],
    conditional_out: float64[:, :, :, :], fill_out: real[:, :, :, :], labels_out: int32[:, :],
    log_density_out: real[:, :], resp_out: real[:, :],
):  # fmt: skip
    """Label, log-density and responsibilities of each row, by the order of the panels.

    The chunks are of blocks.

    panels, blocks, missing, precisions : as in `estimate_pattern_moments`   # IN
    means, factors, extras, constants, cuts : `Components` of type `full`    # IN
    rows_out, log_prob_out : as in `EScratch`                                # scratch
    features_out, conditional_out, fill_out : `Pattern`                      # scratch
    labels_out : (n_panels, LANES), int32                                    # OUT
    log_density_out : (n_panels, LANES)                                      # OUT: log p(x)
    resp_out : (n_panels * LANES or 0, n_components)                         # OUT
    """
    for s in prange(chunks.shape[0]):
        chunk = chunks[s, 0]
        components = Components(means, factors, extras, constants, cuts)
        for number in range(chunks[s, 1], chunks[s, 2]):
            block, pattern = open_block(
                blocks, number, missing, chunk, features_out, conditional_out, fill_out
            )
            _pattern_log_prob(
                panels, block, components, precisions, pattern, rows_out, log_prob_out
            )
            write_posterior(
                panels, block, cuts, log_prob_out, labels_out, log_density_out, resp_out
            )
