"""The E step, and the moments, of rows with missing values: variances of features.

What a row lacks is NaN in its panel. A block is first split into values, 0 where they are missing,
and a mask of 1 and 0, so that with the value x and the mask e of a feature

    log N(x_o) = sum over features of e (log u - log(2 pi) / 2) - ((x - e mean) u)^2 / 2,

u being the square root of the precision, and the moments are sums of r (x - e mean) and
r (x - e mean)^2. The mean of what is missing, given the rest of the row, is the component's, and
its variance the component's: Python adds these to the second moments, by the sums of r (1 - e).

Rows come in groups that lack the same features. So most features are had by all rows of a block,
and need no mask, or by none, and need nothing.

panels : (n_panels, n_features, LANES)                           # IN
block, components, masked : `Block`, `Components` and            # IN
    `MaskedBlock` of `arguments`; components of type `diag`
"""

import numpy as np
from numba import prange

from fastclust._kernels.jit import inner, kernel
from fastclust._kernels.mixture.arguments import (
    Block,
    Components,
    MaskedBlock,
    Moments,
)
from fastclust._kernels.mixture.layout import ALL, MASKED_PANELS, SOME
from fastclust._kernels.mixture.moments import find_active_panels, make_add_features
from fastclust._kernels.mixture.passes import add_lanes, clear, normalise, write_posterior
from fastclust._kernels.signature import float64, int32, int64, real
from fastclust._kernels.simd.products import (
    add_tiles,
    fma_all,
    fma_tiles,
    masked_square_tile,
    scale_tile,
    scaled_square_tile,
    subtract_masked_tile,
)
from fastclust._kernels.simd.reductions import add_lane_sums
from fastclust._kernels.simd.sizes import MOMENT_WIDTH, WIDTH
from fastclust._kernels.simd.tiles import (
    fma_tile,
    fma_vectors,
    splat_tile,
    store_tile,
    zero_tile,
)
from fastclust._kernels.simd.vectors import (
    load,
    splat,
    store,
    zero_doubles,
    zero_unless_above,
)


@inner
def _split_block(panels, block, masked, kinds):
    """Write values and mask of the features of a block that some of its rows have."""
    chunk, first, last = block
    values_out, mask_out = masked
    low, one = splat(panels, -np.inf), splat(panels, 1.0)
    for f in range(panels.shape[1]):
        if kinds[f] == SOME:
            for p in range(first, last):
                x = load(panels, (p, f))
                store(values_out, (chunk, p - first, f), zero_unless_above(x, x, low))
                store(mask_out, (chunk, p - first, f), zero_unless_above(one, x, low))


@inner
def _masked_log_prob(panels, block, components, logs, kinds, masked, log_prob_out):
    """Put the log-densities of a block's rows into log_prob_out."""
    chunk, first, last = block
    means, factors, _, constants, _ = components
    values, mask = masked
    n_features = panels.shape[1]
    one = splat(panels, 1.0)
    for t in range(means.shape[0]):
        of_all = splat_tile(constants, (t, 0), WIDTH)
        for f in range(n_features):
            if kinds[f] == ALL:
                of_all = fma_tile(of_all, one, logs, (t, f))
        for b in range(last - first):
            log_prob = of_all
            for f in range(n_features):  # two loops, as registers are too few for both tiles
                if kinds[f] == SOME:
                    log_prob = fma_tile(log_prob, load(mask, (chunk, b, f)), logs, (t, f))
            squares = zero_tile(panels, WIDTH)
            for f in range(n_features):
                if kinds[f] == ALL:
                    x = load(panels, (first + b, f))
                    squares = scaled_square_tile(squares, x, means, factors, (t, f))
                elif kinds[f] == SOME:
                    x, e = load(values, (chunk, b, f)), load(mask, (chunk, b, f))
                    squares = masked_square_tile(squares, x, e, means, factors, (t, f))
            half = fma_all(squares, splat(panels, -0.5), splat(panels, 0.0))
            store_tile(log_prob_out, (chunk, b, t * WIDTH), add_tiles(log_prob, half))


@inner
def _add_unseen(panels, chunk, j, nk, n, resp, active, mask, kinds, seen_out, unseen_out):
    """Add the sums of r (1 - e) of the n active panels of a block, which are nk less those of r e.

    Features that all rows have add exactly 0.
    """
    for f in range(panels.shape[1]):
        if kinds[f] == ALL:
            continue
        seen_out[chunk, 0, 0] = 0.0
        if kinds[f] == SOME:
            seen = zero_tile(panels, 1)
            for a in range(n):
                b = active[chunk, a]
                seen = fma_vectors(seen, load(resp, (chunk, b, j)), mask, (chunk, b, f))
            add_lane_sums(seen_out, (chunk, 0, 0), seen)
        unseen_out[chunk, j, f] += nk - seen_out[chunk, 0, 0]


@inner
def _add_masked_feature(panels, chunk, about, j, f, resp, active, n, masked, moments):
    """Add sums of r d and r d^2 of feature f, that some rows have, over n active panels."""
    values, mask = masked
    sums, squares = zero_tile(panels, 1), zero_tile(panels, 1)
    mean = splat_tile(about, (j, f), 1)
    for a in range(n):
        b = active[chunk, a]
        difference = subtract_masked_tile(values, mask, (chunk, b, f), mean)
        scaled = scale_tile(difference, load(resp, (chunk, b, j)))
        sums = add_tiles(sums, scaled)
        squares = fma_tiles(squares, scaled, difference)
    add_lane_sums(moments.first_out, (chunk, j, f), sums)
    add_lane_sums(moments.second_out, (chunk, j, f), squares)


_add_tile, _add_feature = make_add_features(MOMENT_WIDTH, True), make_add_features(1, True)


@inner
def _all_have(kinds, f, width):
    """Whether all rows of a block have the `width` features from f on."""
    n = 0
    for g in range(f, f + width):
        n += kinds[g] == ALL
    return n == width


@inner
def _add_masked_moments(
    panels, block, about, resp, active, kinds, masked, moments, unseen, counts_out
):  # fmt: skip
    """Add the moments of a block's rows."""
    chunk, n_features = block.chunk, panels.shape[1]
    block_nk_out, seen_out, unseen_out = unseen
    for j in range(about.shape[0]):
        block_nk_out[chunk, j] = 0.0
        n = find_active_panels(panels, block, j, resp, active, block_nk_out, counts_out)
        if n == 0:
            continue
        nk = block_nk_out[chunk, j]
        moments.nk_out[chunk, j] += nk
        _add_unseen(
            panels, chunk, j, nk, n, resp, active, masked.mask_out, kinds, seen_out, unseen_out
        )
        f = 0
        while f < n_features:
            if f + MOMENT_WIDTH <= n_features and _all_have(kinds, f, MOMENT_WIDTH):
                _add_tile(panels, block, about, j, f, resp, active, n, moments)
                f += MOMENT_WIDTH
                continue
            if kinds[f] == ALL:
                _add_feature(panels, block, about, j, f, resp, active, n, moments)
            elif kinds[f] == SOME:
                _add_masked_feature(panels, chunk, about, j, f, resp, active, n, masked, moments)
            f += 1


@kernel
def estimate_masked_moments(
    chunks, panels: real[:, :, :], kinds: int64[:, :], weights: real[:, :], about: real[:, :],
    means: real[:, :, :], factors: real[:, :, :], logs: real[:, :, :], extras: real[:, :],
    constants: real[:, :], cuts: real[:], log_prob_out: real[:, :, :, :],
    values_out: real[:, :, :, :], mask_out: real[:, :, :, :], active_out: int64[:, :],
    block_nk_out: float64[:, :], seen_out: float64[:, :, :], unseen_out: float64[:, :, :],
    nk_out: float64[:, :], first_out: float64[:, :, :], second_out: float64[:, :, :],
    log_likelihood_out: float64[:], labels_out: int32[:, :], counts_out: int64[:, :],
):  # fmt: skip
    """Run the E step, and sum the moments of what the rows have.

    The chunks are of blocks.

    panels : (n_panels, n_features, LANES); NaN is missing             # IN
    kinds : (n_blocks, n_features), int64: NONE, SOME or ALL of the    # IN
        rows of a block have a feature
    weights : as of `estimate_moments`                                 # IN
    about : (n_components, n_features), what the moments are about     # IN
    means, factors, extras, constants, cuts : `Components`, constants  # IN
        being the logarithms of the weights
    logs : (n_tiles, n_features, WIDTH), log u - log(2 pi) / 2         # IN
    log_prob_out : as in `EScratch`                                    # scratch
    values_out, mask_out : `MaskedBlock`                               # scratch
    active_out : as in `MomentScratch`                                 # scratch
    block_nk_out : (n_chunks, n_components), float64                   # scratch
    seen_out : (n_chunks, 1, 1), float64                               # scratch
    unseen_out : sums of r (1 - e), shaped as first_out                # OUT
    nk_out, first_out, second_out : `Moments` of each chunk            # OUT
    log_likelihood_out : (n_chunks,), float64                          # OUT
    labels_out, counts_out : as of `estimate_moments`                  # OUT
    """
    for s in prange(chunks.shape[0]):
        chunk = chunks[s, 0]
        components = Components(means, factors, extras, constants, cuts)
        masked = MaskedBlock(values_out, mask_out)
        sums = Moments(nk_out, first_out, second_out)
        clear(chunk, sums, counts_out)
        unseen = block_nk_out, seen_out, unseen_out
        for j in range(unseen_out.shape[1]):
            for f in range(unseen_out.shape[2]):
                unseen_out[chunk, j, f] = 0.0
        likelihood = zero_doubles(panels)
        for number in range(chunks[s, 1], chunks[s, 2]):
            first = number * MASKED_PANELS
            block = Block(chunk, first, min(first + MASKED_PANELS, panels.shape[0]))
            _split_block(panels, block, masked, kinds[number])
            _masked_log_prob(panels, block, components, logs, kinds[number], masked, log_prob_out)
            likelihood = normalise(
                panels, weights, block, cuts, likelihood, log_prob_out, labels_out
            )
            _add_masked_moments(
                panels,
                block,
                about,
                log_prob_out,
                active_out,
                kinds[number],
                masked,
                sums,
                unseen,
                counts_out,
            )
        log_likelihood_out[chunk] = add_lanes(likelihood, panels.shape[2])


@kernel
def estimate_masked_posterior(
    chunks, panels: real[:, :, :], kinds: int64[:, :], means: real[:, :, :], factors: real[:, :, :],
    logs: real[:, :, :], extras: real[:, :], constants: real[:, :], cuts: real[:],
    log_prob_out: real[:, :, :, :], values_out: real[:, :, :, :], mask_out: real[:, :, :, :],
    labels_out: int32[:, :], log_density_out: real[:, :],
    resp_out: real[:, :],
):  # fmt: skip
    """Label, log-density and responsibilities of each row.

    The chunks are of blocks.

    panels, kinds, means, factors, logs, extras, constants, cuts : as in      # IN
        `estimate_masked_moments`
    log_prob_out : as in `EScratch`                                    # scratch
    values_out, mask_out : `MaskedBlock`                               # scratch
    labels_out : (n_panels, LANES), int32                              # OUT
    log_density_out : (n_panels, LANES)                                # OUT: log p(x)
    resp_out : (n_samples or 0, n_components)                          # OUT
    """
    for s in prange(chunks.shape[0]):
        chunk = chunks[s, 0]
        components = Components(means, factors, extras, constants, cuts)
        masked = MaskedBlock(values_out, mask_out)
        for number in range(chunks[s, 1], chunks[s, 2]):
            first = number * MASKED_PANELS
            block = Block(chunk, first, min(first + MASKED_PANELS, panels.shape[0]))
            _split_block(panels, block, masked, kinds[number])
            _masked_log_prob(panels, block, components, logs, kinds[number], masked, log_prob_out)
            write_posterior(
                panels, block, cuts, log_prob_out, labels_out, log_density_out, resp_out
            )
