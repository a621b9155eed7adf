"""The E step, and the moments, of rows with missing values: components that share a covariance.

The rows of a panel have one pattern, as in `patterns`. What it asks of the precision, C and
K = -C P_mo, is the same for all components. So a row is completed once, to y with y_m = K y_o, and
so are the means, which lie in panels as if they were rows: with mu~ the completed mean,

    d_j = y - mu~_j,    U'd_j = U'y - U'mu~_j,

so that the factor U is applied once to each row, and for each block to the means. The first moments
are sums of r d_j. As what component j puts into a row is x'_j = y + c_j with c_j = mean_j - mu~_j,
which is 0 where the row has values, the scatter of the completed rows about 0 is

    sum over rows of w y y' + C w + sum over j of c_j T_j' + T_j c_j',
    T_j = sum over rows of r (d_j + (mu~_j + mean_j) / 2),

w being the weights and the last sums those of a block, of few features and no rows.

panels : (n_panels, n_features, LANES); what stands for a missing value is any number   # IN
block, pattern : `Block` and `Pattern` of `arguments`, as of one component              # IN
about : (n_components, n_features), the means                                           # IN
"""

from numba import prange

from fastclust._kernels.jit import inner, kernel, variant
from fastclust._kernels.mixture.arguments import CompletedBlock, Moments, MomentScratch, TiedSums
from fastclust._kernels.mixture.layout import FACTOR_TILE, product_place
from fastclust._kernels.mixture.moments import add_gathered_moments, find_active_panels
from fastclust._kernels.mixture.passes import (
    add_lanes,
    clear,
    normalise,
    weight_of,
    write_posterior,
)
from fastclust._kernels.mixture.patterns import condition, open_block
from fastclust._kernels.signature import float64, int32, int64, real
from fastclust._kernels.simd.products import (
    add_tiles,
    fma_all,
    product_tile,
    scale_tile,
    subtract_tile,
)
from fastclust._kernels.simd.reductions import add_lane_sums
from fastclust._kernels.simd.sizes import MOMENT_WIDTH, WIDTH
from fastclust._kernels.simd.tiles import splat_tile, square_diff_tile, store_tile, zero_tile
from fastclust._kernels.simd.vectors import fma, load, splat, store, zero_doubles

_product_place = inner(product_place)


@inner
def _complete(panels, p, pattern, chunk, b, completed_out):
    """Write panel p, completed, to completed_out[chunk, b]."""
    features, n_observed, _, fill = pattern
    for o in range(n_observed):
        f = features[chunk, o]
        store(completed_out, (chunk, b, f), load(panels, (p, f)))
    for a in range(panels.shape[1] - n_observed):
        value = splat(panels, 0.0)
        for o in range(n_observed):
            x = load(completed_out, (chunk, b, features[chunk, o]))
            value = fma(x, splat(panels, fill[chunk, 0, a, o]), value)
        store(completed_out, (chunk, b, features[chunk, n_observed + a]), value)


@inner
def _whiten(completed, chunk, b, factors, white_out, place):
    """Write U'y of the completed panel b to white_out[chunk, place]."""
    first = 0
    for c in range(completed.shape[2] // WIDTH):
        acc = zero_tile(completed, WIDTH)
        for t in range(c):
            x = (chunk, b, t * WIDTH)
            acc = product_tile(acc, completed, x, factors, (0, first), 1, False)
            first += FACTOR_TILE
        x = (chunk, b, c * WIDTH)
        acc = product_tile(acc, completed, x, factors, (0, first), 1, True)
        first += FACTOR_TILE
        store_tile(white_out, (chunk, place, c * WIDTH), acc)


@inner
def _take_means(mean_panels, pattern, chunk, factors, scratch):
    """Complete the means and multiply them by the factor."""
    for t in range(mean_panels.shape[0]):
        _complete(mean_panels, t, pattern, chunk, t, scratch.means_out)
        _whiten(scratch.means_out, chunk, t, factors, scratch.white_out, t)


@inner
def _tied_log_prob(panels, block, components, precisions, pattern, scratch, log_prob_out):
    """Put the log-densities of a block's rows into log_prob_out."""
    chunk, first, last = block
    mean_panels, factors, constants = components
    lanes, n_mean_panels = panels.shape[2], mean_panels.shape[0]
    completed, white = scratch.completed_out, scratch.white_out
    constant = splat(panels, condition(0, precisions, chunk, pattern))
    half = splat(panels, -0.5)
    _take_means(mean_panels, pattern, chunk, factors, scratch)
    for p in range(first, last):
        b = p - first
        _complete(panels, p, pattern, chunk, b, completed)
        _whiten(completed, chunk, b, factors, white, n_mean_panels)
        for t in range(constants.shape[0]):
            mean_panel, lane = t * WIDTH // lanes, t * WIDTH % lanes
            acc = zero_tile(panels, WIDTH)
            for f in range(white.shape[2]):
                y = load(white, (chunk, n_mean_panels, f))
                acc = square_diff_tile(acc, y, white, (chunk, mean_panel, f, lane))
            log_prob = add_tiles(fma_all(acc, half, constant), splat_tile(constants, (t, 0), WIDTH))
            store_tile(log_prob_out, (chunk, b, t * WIDTH), log_prob)


def _make_add_first(width):
    """Make the function that adds the first moments of `width` features."""

    @inner
    @variant(f"{width}")
    def add_first(completed, chunk, mean, j, f, resp, active, n, first_out):
        """Add sums of r d of the features from f over n active panels."""
        sums = zero_tile(completed, width)
        for a in range(n):
            b = active[chunk, a]
            difference = subtract_tile(completed, (chunk, b, f), mean)
            sums = add_tiles(sums, scale_tile(difference, load(resp, (chunk, b, j))))
        add_lane_sums(first_out, (chunk, j, f), sums)

    return add_first


_add_first = _make_add_first(MOMENT_WIDTH)


@inner
def _add_first_moments(
    panels, block, about, resp, active, scratch, block_sums, moments, counts_out
):  # fmt: skip
    """Add the sums of r and of r d of a block; leave those of r, and T, in block_sums."""
    chunk, lanes = block.chunk, panels.shape[2]
    completed, means, _ = scratch
    mean_out, _, nk_out, first_out = block_sums
    n_features = panels.shape[1]
    for j in range(about.shape[0]):
        nk_out[chunk, j] = 0.0
        for f in range(first_out.shape[2]):
            first_out[chunk, j, f] = 0.0
        n = find_active_panels(panels, block, j, resp, active, nk_out, counts_out)
        if n == 0:
            continue
        for f in range(n_features):
            mean_out[chunk, f] = means[chunk, j // lanes, f, j % lanes]
        for f in range(0, first_out.shape[2], MOMENT_WIDTH):
            mean = splat_tile(mean_out, (chunk, f), MOMENT_WIDTH)
            _add_first(completed, chunk, mean, j, f, resp, active, n, first_out)
        nk = nk_out[chunk, j]
        moments.nk_out[chunk, j] += nk
        for f in range(n_features):
            moments.first_out[chunk, j, f] += first_out[chunk, j, f]
            middle = 0.5 * (float(mean_out[chunk, f]) + float(about[j, f]))
            first_out[chunk, j, f] += nk * middle


@inner
def _add_scatter(panels, block, weights, scratch, m_scratch, scatter_out):
    """Add the sums of w y y' of a block."""
    chunk, first, last = block
    _, differences_out, scaled_out = m_scratch
    for p in range(first, last):
        b, weight = p - first, weight_of(panels, weights, p)
        for f in range(panels.shape[1]):
            y = load(scratch.completed_out, (chunk, b, f))
            tile, offset = f // MOMENT_WIDTH, f % MOMENT_WIDTH
            store(differences_out, (chunk, tile, b, offset), y)
            store(scaled_out, (chunk, tile, b, offset), y * weight)
    add_gathered_moments(panels, chunk, 0, last - first, m_scratch, scatter_out)


@inner
def _add_missing(panels, chunk, about, pattern, means, block_sums, second_out):
    """Add what the completion of a block adds to the sums of w y y': by C, and by the means."""
    features, n_observed, conditional, _ = pattern
    _, line_out, nk, sums = block_sums
    lanes, n_features = panels.shape[2], panels.shape[1]
    total = 0.0
    for j in range(about.shape[0]):
        total += nk[chunk, j]
    for a in range(n_features - n_observed):
        f = features[chunk, n_observed + a]
        for g in range(n_features):
            line_out[chunk, g] = 0.0
        for j in range(about.shape[0]):
            if nk[chunk, j] > 0:
                change = float(about[j, f]) - float(means[chunk, j // lanes, f, j % lanes])
                for g in range(n_features):
                    line_out[chunk, g] += change * sums[chunk, j, g]
        line_out[chunk, f] *= 2.0
        for g in range(n_features):
            second_out[chunk, 0, _product_place(max(f, g), min(f, g))] += line_out[chunk, g]
        for b in range(a + 1):  # features are listed in their order
            place = _product_place(f, features[chunk, n_observed + b])
            second_out[chunk, 0, place] += total * conditional[chunk, 0, a, b]


@kernel
def estimate_tied_pattern_moments(
    chunks, panels: real[:, :, :], weights: real[:, :], blocks: int64[:, :], missing: int32[:, :],
    precisions: float64[:, :, :], about: real[:, :], mean_panels: real[:, :, :],
    factors: real[:, :], constants: real[:, :], cuts: real[:], completed_out: real[:, :, :, :],
    means_out: real[:, :, :, :], white_out: real[:, :, :, :], log_prob_out: real[:, :, :, :],
    features_out: int64[:, :], conditional_out: float64[:, :, :, :],
    fill_out: real[:, :, :, :], active_out: int64[:, :], differences_out: real[:, :, :, :, :],
    scaled_out: real[:, :, :, :, :], mean_out: real[:, :], line_out: float64[:, :],
    block_nk_out: float64[:, :], block_first_out: float64[:, :, :], nk_out: float64[:, :],
    first_out: float64[:, :, :], scatter_first_out: float64[:, :, :],
    scatter_out: float64[:, :, :], log_likelihood_out: float64[:], labels_out: int32[:, :],
    counts_out: int64[:, :],
):  # fmt: skip
    """Run the E step, and sum the moments that the M step needs.

    The chunks are of blocks.

    panels, weights, blocks, missing : as of `estimate_pattern_moments` # IN
    precisions : (1, n_features, n_features), float64                   # IN
    about : (n_components, n_features), the means                       # IN
    mean_panels : (n_mean_panels, n_features, LANES), the same in       # IN
        panels: component j is lane j % LANES of panel j // LANES
    factors, constants, cuts : `Components` of type `tied`              # IN
    completed_out, means_out, white_out : `CompletedBlock`              # scratch
    log_prob_out : as in `EScratch`                                     # scratch
    features_out, conditional_out, fill_out : `Pattern`                 # scratch
    active_out, differences_out, scaled_out : `MomentScratch`           # scratch
    mean_out, line_out, block_nk_out, block_first_out : `TiedSums`      # scratch
    nk_out, first_out : `Moments` of each chunk                         # OUT
    scatter_first_out, scatter_out : (n_chunks, 1, ...), float64,       # OUT
        `Moments` of one component of type `full`: sums of w y, and the
        scatter of the completed rows about 0
    log_likelihood_out : (n_chunks,), float64                           # OUT
    labels_out, counts_out : as of `estimate_moments`                   # OUT
    """
    for s in prange(chunks.shape[0]):
        chunk = chunks[s, 0]
        components = mean_panels, factors, constants
        scratch = CompletedBlock(completed_out, means_out, white_out)
        m_scratch = MomentScratch(active_out, differences_out, scaled_out)
        block_sums = TiedSums(mean_out, line_out, block_nk_out, block_first_out)
        sums = Moments(nk_out, first_out, scatter_first_out)
        scatter = Moments(nk_out, scatter_first_out, scatter_out)
        clear(chunk, sums, counts_out)
        clear(chunk, scatter, counts_out)
        likelihood = zero_doubles(panels)
        for number in range(chunks[s, 1], chunks[s, 2]):
            block, pattern = open_block(
                blocks, number, missing, chunk, features_out, conditional_out, fill_out
            )
            _tied_log_prob(panels, block, components, precisions, pattern, scratch, log_prob_out)
            likelihood = normalise(
                panels, weights, block, cuts, likelihood, log_prob_out, labels_out
            )
            _add_first_moments(
                panels, block, about, log_prob_out, active_out, scratch, block_sums, sums,
                counts_out,
            )  # fmt: skip
            _add_scatter(panels, block, weights, scratch, m_scratch, scatter)
            _add_missing(panels, chunk, about, pattern, means_out, block_sums, scatter_out)
        log_likelihood_out[chunk] = add_lanes(likelihood, panels.shape[2])


@kernel
def estimate_tied_pattern_posterior(
    chunks, panels: real[:, :, :], blocks: int64[:, :], missing: int32[:, :],
    precisions: float64[:, :, :], mean_panels: real[:, :, :], factors: real[:, :],
    constants: real[:, :], cuts: real[:], completed_out: real[:, :, :, :],
    means_out: real[:, :, :, :], white_out: real[:, :, :, :], log_prob_out: real[:, :, :, :],
    features_out: int64[:, :], conditional_out: float64[:, :, :, :],
    fill_out: real[:, :, :, :], labels_out: int32[:, :], log_density_out: real[:, :],
    resp_out: real[:, :],
):  # fmt: skip
    """Label, log-density and responsibilities of each row, by the order of the panels.

    The chunks are of blocks.

    panels, blocks, missing : as in `estimate_pattern_moments`               # IN
    precisions, mean_panels, factors, constants, cuts : as in                # IN
        `estimate_tied_pattern_moments`
    completed_out, means_out, white_out : `CompletedBlock`                   # scratch
    log_prob_out : as in `EScratch`                                          # scratch
    features_out, conditional_out, fill_out : `Pattern`                      # scratch
    labels_out : (n_panels, LANES), int32                                    # OUT
    log_density_out : (n_panels, LANES)                                      # OUT: log p(x)
    resp_out : (n_panels * LANES or 0, n_components)                         # OUT
    """
    for s in prange(chunks.shape[0]):
        chunk = chunks[s, 0]
        components = mean_panels, factors, constants
        scratch = CompletedBlock(completed_out, means_out, white_out)
        for number in range(chunks[s, 1], chunks[s, 2]):
            block, pattern = open_block(
                blocks, number, missing, chunk, features_out, conditional_out, fill_out
            )
            _tied_log_prob(panels, block, components, precisions, pattern, scratch, log_prob_out)
            write_posterior(
                panels, block, cuts, log_prob_out, labels_out, log_density_out, resp_out
            )
