"""Naive NumPy twins of the kernels, in float64, on rows instead of panels: one oracle for all.

Each has the name of its kernel and returns what the kernel writes. `unpack` turns a kernel's
panels into rows.
"""

import numpy as np


def unpack(panels, n_samples):
    """Rows of panels[p, f, lane], without the padding."""
    return panels.transpose(0, 2, 1).reshape(-1, panels.shape[1])[:n_samples]


def all_distances_sq(X, centers):
    """|x - c|^2 of every row and center."""
    X, centers = X.astype(np.float64), centers.astype(np.float64)
    return ((X[:, np.newaxis, :] - centers[np.newaxis, :, :]) ** 2).sum(axis=2)


def sum_columns(X):
    """Column sums."""
    return X.astype(np.float64).sum(axis=0)


def unit_rows(X):
    """Rows divided by their norms; those of norm 0 stay."""
    doubles = X.astype(np.longdouble)  # whose range leaves room for squares
    norms = np.sqrt((doubles**2).sum(axis=1, keepdims=True))
    return (doubles / np.where(norms == 0, 1, norms)).astype(X.dtype)


def pack_rows(X, mean, lanes, unit=False):
    """Panels of X - mean, divided by the norms of the rows if `unit`; the sum of their squares."""
    n_samples, n_features = X.shape
    n_panels = -(-n_samples // lanes)
    padded = np.zeros((n_panels * lanes, n_features), dtype=X.dtype)
    padded[:n_samples] = unit_rows(X - mean) if unit else X - mean
    square = (padded.astype(np.float64) ** 2).sum()
    return padded.reshape(n_panels, lanes, n_features).transpose(0, 2, 1), square


def tile_centers(centers, scale, width):
    """Centers as tiles[t, f, offset], and their squared norms, infinite for the padding."""
    n_clusters, n_features = centers.shape
    n_tiles = -(-n_clusters // width)
    padded = np.zeros((n_tiles * width, n_features))
    padded[:n_clusters] = centers
    center_sq = np.full(n_tiles * width, np.inf)
    center_sq[:n_clusters] = (centers.astype(np.float64) ** 2).sum(axis=1)
    tiles = scale * padded.reshape(n_tiles, width, n_features).transpose(0, 2, 1)
    return tiles, center_sq.reshape(n_tiles, width)


def find_close_centers(centers, limit):
    """Whether limit |c - c'|^2 < |c|^2 for two centers that are not equal, c after c'."""
    distances_sq = np.tril(all_distances_sq(centers, centers))
    norms_sq = (centers.astype(np.float64) ** 2).sum(axis=1)
    return bool(((distances_sq > 0) & (limit * distances_sq < norms_sq[:, np.newaxis])).any())


def assign_by_differences(X, centers):
    """First of the nearest centers of every row."""
    return all_distances_sq(X, centers).argmin(axis=1)


def assign_nearest(X, centers):
    """First of the nearest centers of every row."""
    return all_distances_sq(X, centers).argmin(axis=1)


def distances_to_labels(X, centers, labels):
    """Squared distance of every row to the center of its label."""
    return all_distances_sq(X, centers)[np.arange(len(X)), labels]


def sum_label_distances(X, sample_weight, centers, labels):
    """Weighted sum of the squared distances of the rows of each label to its center."""
    distances_sq = sample_weight * distances_to_labels(X, centers, labels)
    return np.array([distances_sq[labels == j].sum() for j in range(len(centers))])


def assign_with_inertia(X, sample_weight, centers):
    """Labels, and the weighted sum of the squared distances."""
    labels = assign_nearest(X, centers)
    return labels, (sample_weight * distances_to_labels(X, centers, labels)).sum()


def transform_rows(X, centers):
    """Distance of every row to every center."""
    return np.sqrt(all_distances_sq(X, centers))


def statistics(X, sample_weight, labels, n_clusters):
    """Weighted sums, weights and numbers of rows of positive weight, of each cluster."""
    member = labels[np.newaxis, :] == np.arange(n_clusters)[:, np.newaxis]
    weighted = member * sample_weight.astype(np.float64)
    return weighted @ X.astype(np.float64), weighted.sum(axis=1), (weighted > 0).sum(axis=1)


def observed_distances_sq(X, centers):
    """Sum of (x - c)^2 over the values that a row has, of every row and center."""
    differences = X.astype(np.float64)[:, np.newaxis] - centers.astype(np.float64)
    return np.nansum(differences**2, axis=2)


def sum_observed(X):
    """Sums and numbers of the values of each feature; number of rows without any."""
    is_there = ~np.isnan(X)
    return np.nansum(X, axis=0, dtype=np.float64), is_there.sum(axis=0), (~is_there).all(1).sum()


def describe_observed(X):
    """Number of values of each row, squares of those of each feature, largest square of a row."""
    squares = np.nan_to_num(X.astype(np.float64)) ** 2
    return (~np.isnan(X)).sum(axis=1), squares.sum(axis=0), squares.sum(axis=1).max()


def describe_patterns(X, n_bits):
    """Sum over the features that a row lacks of 2^(f % n_bits), without carries."""
    keys = np.zeros(len(X), dtype=np.int64)
    for f in range(X.shape[1]):
        keys ^= np.isnan(X[:, f]) * (1 << f % n_bits)
    return keys


def list_observed(panel):
    """Features (n_features, lanes) that some rows have, and how many: below 0 if some lack one."""
    is_there = ~np.isnan(panel)
    features = np.flatnonzero(is_there.any(axis=1))
    return features, len(features) if is_there[features].all() else -len(features)


def assign_observed(X, centers):
    """First of the nearest centers of every row, and the squared distance to it."""
    distances_sq = observed_distances_sq(X, centers)
    return distances_sq.argmin(axis=1), distances_sq.min(axis=1)


def move_observed(X, sample_weight, labels_old, labels, n_clusters):
    """What changes of labels add to the sums, weights of features, weights and counts."""

    def sums(labels):
        there = (~np.isnan(X)).astype(np.float64)
        values, *of_rows = statistics(np.nan_to_num(X), sample_weight, labels, n_clusters)
        return values, statistics(there, sample_weight, labels, n_clusters)[0], *of_rows

    return [new - old for new, old in zip(sums(labels), sums(labels_old), strict=True)]


def iterate_observed(X, sample_weight, centers, labels_old):
    """Labels and distances of `assign_observed`, and what they change as of `move_observed`."""
    labels, distances_sq = assign_observed(X, centers)
    changes = move_observed(X, sample_weight, labels_old, labels, len(centers))
    return labels, distances_sq, changes


def transform_observed(X, centers):
    """Distance of every row to every center over the values that the row has."""
    return np.sqrt(observed_distances_sq(X, centers))


def kmeans_observed(X, sample_weight, centers, max_iter):
    """K-means of rows with missing values, until labels repeat: labels, centers, inertia, n_iter.

    No cluster may lose all its rows.
    """
    centers, labels = centers.astype(np.float64), np.full(len(X), -1)
    for n_iter in range(1, max_iter + 1):  # noqa: B007
        before, (labels, _) = labels, assign_observed(X, centers)
        sums, weights, *_ = move_observed(
            X, sample_weight, np.full(len(X), -1), labels, len(centers)
        )
        centers = np.where(weights > 0, sums / np.where(weights > 0, weights, 1), centers)
        if (labels == before).all():
            break
    labels, distances_sq = assign_observed(X, centers)
    return labels, centers, float(distances_sq @ sample_weight), n_iter


def update_centers(centers, sums, weights, to_unit):
    """Means; or if `to_unit` their directions, and the last centers where the mean is 0."""
    means = sums / weights[:, np.newaxis]
    if not to_unit:
        return means
    lengths = np.sqrt((means**2).sum(axis=1, keepdims=True))
    has_direction = lengths > 2.0**-40
    return np.where(has_direction, means / np.where(has_direction, lengths, 1), centers)


def iterate(X, sample_weight, centers, labels, n_steps, tol, to_unit=False):
    """Lloyd's algorithm: (n_iter, n_changed, shift_sq, labels, centers, statistics)."""
    centers = centers.astype(np.float64)
    for step in range(n_steps):
        new_labels = assign_nearest(X, centers)
        n_changed = (new_labels != labels).sum()
        labels = new_labels
        sums, weights, counts = statistics(X, sample_weight, labels, len(centers))
        if (counts == 0).any():
            return step + 1, n_changed, 0.0, labels, centers, (sums, weights, counts)
        new_centers = update_centers(centers, sums, weights, to_unit)
        shift_sq = ((new_centers - centers) ** 2).sum()
        centers = new_centers
        if n_changed == 0 or shift_sq <= tol:
            break
    return step + 1, n_changed, shift_sq, labels, centers, (sums, weights, counts)


def spherical_kmeans(X, sample_weight, centers, max_iter, tol):
    """Spherical k-means: (labels, centers, inertia, n_iter), by cosines.

    `tol` is that of the sum of squared shifts. No cluster may lose its rows.
    """
    X, centers = unit_rows(X.astype(np.float64)), unit_rows(centers.astype(np.float64))
    n_iter, *_, centers, _ = iterate(
        X, sample_weight, centers, np.full(len(X), -1), max_iter, tol, to_unit=True
    )
    cosines = X @ centers.T
    labels = cosines.argmax(axis=1)
    return labels, centers, (sample_weight * (1 - cosines.max(axis=1))).sum(), n_iter


def run_batches(X, batches, centers, weights):
    """Mini-batch k-means: centers, weights, inertia after each step (before it, the last)."""
    steps = []
    for batch in batches:
        labels, inertia = assign_with_inertia(X[batch], np.ones(len(batch)), centers)
        sums, batch_weights, _ = statistics(X[batch], np.ones(len(batch)), labels, len(centers))
        after = weights + batch_weights
        moved = (weights[:, np.newaxis] * centers + sums) / np.maximum(after, 1)[:, np.newaxis]
        centers = np.where(batch_weights[:, np.newaxis] > 0, moved, centers)
        weights = after
        steps.append((centers, weights, inertia))
    return tuple(map(np.array, zip(*steps, strict=True)))


def assign_batch_csr(X, batch, centers):
    """Labels of the rows of a batch, and their inertia."""
    return assign_with_inertia(X[batch].toarray(), np.ones(len(batch)), centers)


def add_batch_csr(X, batch, labels, sums, counts):
    """Sums and counts of the rows that centers have had, those of a batch included.

    A center that has had none begins anew.
    """
    batch_sums, batch_counts, _ = statistics(
        X[batch].toarray(), np.ones(len(batch)), labels, len(counts)
    )
    begins = (counts == 0) & (batch_counts > 0)
    return np.where(begins[:, np.newaxis], 0, sums) + batch_sums, counts + batch_counts


def try_candidates_csr(X, sample_weight, candidates, closest_sq):
    """Squared distances to the closest seed with each candidate among them, and their sums."""
    updated = np.minimum(all_distances_sq(X.toarray(), X.toarray())[candidates], closest_sq)
    return updated, updated @ sample_weight


def sort_rows(distances_sq, labels, segment_rows, n_bins):
    """Rows of each segment by label, then by bin of the distance, as `regroup` places the bins."""
    order = []
    for first in range(0, len(labels), segment_rows):
        rows = np.arange(first, min(first + segment_rows, len(labels)))
        bins = np.zeros(len(rows))
        for j in np.unique(labels[rows]):
            mine = labels[rows] == j
            values = distances_sq[rows][mine].astype(np.float64)
            mean = values.sum() / len(values)
            deviation = np.sqrt(max((values**2).sum() / len(values) - mean**2, 0.0))
            scale = n_bins / (6 * deviation) if deviation > 0 else 0.0
            bins[mine] = np.floor(np.clip((values - (mean - 3 * deviation)) * scale, 0, n_bins - 1))
        order.append(rows[np.lexsort((bins, labels[rows]))])
    return np.concatenate(order)


def seed_rounds(X, sample_weight, first, uniforms, taken, distances_sq=None):
    """Rows of the seeds of greedy k-means++; distances_sq[i, j] of row j to seed i may be given.

    Candidates that are each other's nearest rows have equal potentials: among those that differ by
    rounding alone, the row that the kernel has taken is followed.
    """
    distances_sq = all_distances_sq(X, X) if distances_sq is None else distances_sq
    indices = [first]
    closest_sq = distances_sq[first]
    for draws, row in zip(uniforms, taken[1:], strict=True):
        running = np.cumsum(sample_weight * closest_sq)
        candidates = np.minimum(np.searchsorted(running, draws * running[-1]), len(X) - 1)
        updated = np.minimum(closest_sq, distances_sq[candidates])
        potentials = updated @ sample_weight
        choice = potentials.argmin()
        for c in np.flatnonzero(potentials <= potentials[choice] * (1 + 1e-12)):
            choice = c if candidates[c] == row else choice
        indices.append(candidates[choice])
        closest_sq = updated[choice]
    return np.array(indices)


def accumulate_csr(X, sample_weight, labels, n_clusters):
    """Statistics of the clusters of sparse rows."""
    return statistics(X.toarray(), sample_weight, labels, n_clusters)


def assign_csr(X, centers):
    """First of the nearest centers of every sparse row."""
    return assign_nearest(X.toarray(), centers)


def assign_csr_to_two(X, difference, threshold):
    """Whether every sparse row is on the second center's side of the plane between two."""
    return (X.toarray().astype(np.float64) @ difference > threshold).astype(np.int32)


def take_csr_rows(X, numbers):
    """Sparse rows by number, and their squared norms."""
    part = X[numbers]
    return part, (part.toarray().astype(np.float64) ** 2).sum(axis=1)


def distances_to_labels_csr(X, centers, labels):
    """Squared distance of every sparse row to the center of its label."""
    return distances_to_labels(X.toarray(), centers, labels)


def distances_sq_csr(X, centers):
    """Squared distance of every sparse row to every center."""
    return all_distances_sq(X.toarray(), centers)


# -- mixtures ------------------------------------------------------------------------------------


def gaussian_log_prob(X, weights, means, precisions):
    """log(weight) + log density of every row and component; precisions of shape (k, d, d)."""
    X, d = X.astype(np.float64), X.shape[1]
    columns = []
    for weight, mean, precision in zip(weights, means, precisions, strict=True):
        difference = X - mean
        squares = np.einsum("if,fg,ig->i", difference, precision, difference)
        log_det = np.linalg.slogdet(precision)[1]
        columns.append(np.log(weight) + 0.5 * (log_det - d * np.log(2 * np.pi) - squares))
    return np.column_stack(columns)


def estimate_posterior(X, weights, means, precisions):
    """Labels, log-densities and responsibilities."""
    log_prob = gaussian_log_prob(X, weights, means, precisions)
    largest = log_prob.max(axis=1, keepdims=True)
    total = np.exp(log_prob - largest).sum(axis=1, keepdims=True)
    log_density = largest + np.log(total)
    return log_prob.argmax(axis=1), log_density[:, 0], np.exp(log_prob - log_density)


def estimate_moments(X, sample_weight, resp, about):
    """Sums of r, of r (x - about), and of r (x - about)(x - about)' for each component."""
    X = X.astype(np.float64)
    resp = resp * sample_weight[:, np.newaxis]
    differences = X[:, np.newaxis, :] - about
    first = np.einsum("ij,ijf->jf", resp, differences)
    return resp.sum(axis=0), first, np.einsum("ij,ijf,ijg->jfg", resp, differences, differences)


def update_components(X, sample_weight, resp, reg_covar, covariance_type):
    """Weights, means and covariances of the M step, of the type's shape."""
    X, d = X.astype(np.float64), X.shape[1]
    nk, sums, _ = estimate_moments(X, sample_weight, resp, np.zeros((resp.shape[1], d)))
    means = sums / nk[:, np.newaxis]
    _, _, second = estimate_moments(X, sample_weight, resp, means)
    full = second / nk[:, np.newaxis, np.newaxis] + reg_covar * np.eye(d)
    diagonal = np.einsum("jff->jf", full)
    covariances = {
        "full": full,
        "tied": second.sum(axis=0) / nk.sum() + reg_covar * np.eye(d),
        "diag": diagonal,
        "spherical": diagonal.mean(axis=1),
    }
    return nk / nk.sum(), means, covariances[covariance_type]


def log_gaussian(x, mean, covariance):
    """Log-density of one row."""
    difference = x - mean
    square = difference @ np.linalg.solve(covariance, difference)
    return -0.5 * (square + np.linalg.slogdet(2 * np.pi * covariance)[1])


def complete_row(x, mean, covariance):
    """A row with NaN replaced by the conditional mean, and the conditional covariance (d, d)."""
    m, o = np.isnan(x), ~np.isnan(x)
    slopes = np.linalg.solve(covariance[np.ix_(o, o)], covariance[np.ix_(o, m)])
    completed, conditional = x.copy(), np.zeros_like(covariance)
    completed[m] = mean[m] + (x[o] - mean[o]) @ slopes
    conditional[np.ix_(m, m)] = covariance[np.ix_(m, m)] - covariance[np.ix_(m, o)] @ slopes
    return completed, conditional


def estimate_pattern_posterior(X, weights, means, covariances):
    """Responsibilities and log-densities of rows by the values that they have."""
    log_prob = np.empty((len(X), len(weights)))
    for i, x in enumerate(X.astype(np.float64)):
        o = ~np.isnan(x)
        for j, covariance in enumerate(covariances):
            log_prob[i, j] = np.log(weights[j]) + log_gaussian(
                x[o], means[j, o], covariance[np.ix_(o, o)]
            )
    log_density = np.logaddexp.reduce(log_prob, axis=1)
    return np.exp(log_prob - log_density[:, np.newaxis]), log_density


def estimate_pattern_moments(X, sample_weight, weights, means, covariances):
    """Moments of the completed rows about the means: nk, first, second; and the log-likelihood."""
    resp, log_density = estimate_pattern_posterior(X, weights, means, covariances)
    resp *= sample_weight[:, np.newaxis]
    k, d = means.shape
    first, second = np.zeros((k, d)), np.zeros((k, d, d))
    for i, x in enumerate(X.astype(np.float64)):
        for j in range(k):
            completed, conditional = complete_row(x, means[j], covariances[j])
            difference = completed - means[j]
            first[j] += resp[i, j] * difference
            second[j] += resp[i, j] * (np.outer(difference, difference) + conditional)
    return resp.sum(axis=0), first, second, (sample_weight * log_density).sum()


def observed_em_step(X, sample_weight, weights, means, covariances, covariance_type, reg_covar):
    """One iteration of EM on rows with missing values: weights, means, covariances (k, d, d)."""
    nk, first, second, _ = estimate_pattern_moments(X, sample_weight, weights, means, covariances)
    k, d = means.shape
    shifts = first / nk[:, np.newaxis]
    new = second / nk[:, np.newaxis, np.newaxis] - shifts[:, :, np.newaxis] * shifts[:, np.newaxis]
    if covariance_type == "tied":
        new = np.broadcast_to(np.einsum("j,jfg->fg", nk, new) / nk.sum(), new.shape)
    if covariance_type in ("diag", "spherical"):
        variances = np.diagonal(new, axis1=1, axis2=2)
        if covariance_type == "spherical":
            variances = np.broadcast_to(variances.mean(axis=1, keepdims=True), (k, d))
        new = variances[:, :, np.newaxis] * np.eye(d)
    return nk / nk.sum(), means + shifts, new + reg_covar * np.eye(d)


def add_distances(X, points, points_real):
    """Sums of the distances of each row to the real points, and of each point to the rows."""
    D = np.sqrt(all_distances_sq(X, points))
    return D @ points_real, D.sum(axis=0)
