"""Rows drawn by their weights, as `RandomState.choice(n_samples, size, p=p)` draws them.

`choice` looks draws from [0, 1) up in the cumulative sum of p: the row is the first whose entry is
greater. Here the sum is formed once, in pieces, or, of equal weights, only where rounding decides.
"""

import numpy as np

ROUNDING = 4 * float(np.finfo(np.float64).eps)
"""Times n^2: bound of the rounding error of n times an entry of the cumulative sum of n
probabilities 1 / n."""

PIECE_ROWS = 2**18
"""Rows whose shares are added up at a time, where those of all would take too much memory."""


class Shares:
    """Cumulative sum of the shares of the rows in the draws, formed once.

    Parameters
    ----------
    sample_weight : ndarray of shape (n_samples,)
        Weights of the rows.
    """

    def __init__(self, sample_weight):
        p = (sample_weight / np.sum(sample_weight)).astype(np.float64, copy=False)
        self._cumulative = _cumulative(p)
        self._is_even = bool((sample_weight == sample_weight[0]).all())

    def look_up(self, uniforms):
        """Numbers of the rows that draws from [0, 1) hit, shaped as the draws."""
        if self._is_even:
            return look_up_even(len(self._cumulative), uniforms, self._search)
        return self._search(uniforms)

    def _search(self, uniforms):
        """The same, by a search for each draw."""
        return np.searchsorted(self._cumulative, uniforms, side="right")


class SharesInPieces:
    """The same sum, of which a piece at a time is formed, by the same additions.

    Parameters
    ----------
    sample_weight : ndarray of shape (n_samples,)
        Weights of the rows.
    """

    def __init__(self, sample_weight):
        self._weights, self._total = sample_weight, np.sum(sample_weight)
        self._last = 1.0
        self._last = [cumulative[-1] for _, cumulative in self._pieces()][-1]

    def _pieces(self):
        """Yield (number of the first row, cumulative sum) of consecutive rows."""
        before = 0.0
        for first in range(0, len(self._weights), PIECE_ROWS):
            p = self._weights[first : first + PIECE_ROWS] / self._total
            cumulative = p.astype(np.float64, copy=False)
            cumulative[0] += before
            np.cumsum(cumulative, out=cumulative)
            before = cumulative[-1]
            cumulative /= self._last
            yield first, cumulative

    def look_up(self, uniforms):
        """Numbers of the rows that draws from [0, 1) hit, shaped as the draws."""
        order = np.argsort(uniforms, axis=None)
        ascending = uniforms.ravel()[order]
        found, start = np.empty(len(order), dtype=np.int64), 0
        for first, cumulative in self._pieces():
            end = start + np.searchsorted(ascending[start:], cumulative[-1], side="left")
            places = np.searchsorted(cumulative, ascending[start:end], side="right")
            found[order[start:end]] = first + places
            start = end
        return found.reshape(uniforms.shape)


def look_up_even(n_samples, uniforms, search):
    """Numbers of the rows that draws hit where all weights are equal.

    Entry i of the cumulative sum is (i + 1) / n up to rounding, so that a draw u hits row u n,
    rounded down. Only next to a border between two rows may it be the one beside it.

    Parameters
    ----------
    n_samples : int
        Number of rows.
    uniforms : ndarray
        Draws from [0, 1).
    search : callable
        Looks draws up in the sum itself.

    Returns
    -------
    found : ndarray of int64, shaped as `uniforms`
        The numbers.
    """
    positions = uniforms * n_samples
    found = positions.astype(np.int64)
    positions -= found
    positions -= 0.5
    is_near = np.abs(positions, out=positions) >= 0.5 - ROUNDING * n_samples**2
    if is_near.any():
        found[is_near] = search(uniforms[is_near])
    return found


def draw_row(n_samples, sample_weight, random_state):
    """Return what `random_state.choice(n_samples, p=...)` returns.

    `sample_weight` is None for ones, which need no n_samples probabilities.
    """
    if sample_weight is not None:
        return random_state.choice(n_samples, p=_probabilities(n_samples, sample_weight))
    uniform = random_state.random_sample()
    position = uniform * n_samples  # as in `look_up_even`, whose arrays take longer than one number
    if abs(position - round(position)) > ROUNDING * n_samples**2:
        return int(position)
    return int(_search_ones(n_samples)(np.array([uniform]))[0])


def draw_different_rows(n_samples, n_rows, sample_weight, random_state):
    """Return what `random_state.choice(n_samples, n_rows, replace=False, p=...)` returns.

    Like `choice`, draw again among the others for those that are drawn twice. Of equal weights
    (`sample_weight` is None) only that needs n_samples probabilities.
    """
    if sample_weight is not None or n_rows > n_samples:
        p = _probabilities(n_samples, sample_weight)
        return random_state.choice(n_samples, size=n_rows, replace=False, p=p)
    numbers = np.empty(0, dtype=np.int64)
    while len(numbers) < n_rows:
        uniforms = random_state.random_sample(n_rows - len(numbers))
        if len(numbers) == 0:
            new = look_up_even(n_samples, uniforms, _search_ones(n_samples))
        else:
            p = _probabilities(n_samples, None)
            p[numbers] = 0
            new = np.searchsorted(_cumulative(p), uniforms, side="right")
        different = np.array(list(dict.fromkeys(new.tolist())))  # np.unique is slow for few
        numbers = np.concatenate([numbers, different])
    return numbers


def find_in_running_sum(parts, place):
    """Number of the value at which the running sum of values passes a place.

    Values that are 0 are not hit, in spite of the rounding of the sums.

    Parameters
    ----------
    parts : iterable of (int, ndarray)
        Consecutive values, none of them negative, and the number of the first of each part.
    place : float
        From 0 up to the sum of all.
    """
    last = 0
    for first, values in parts:
        running = np.cumsum(values, dtype=np.float64)
        if place < running[-1]:
            return first + int(np.searchsorted(running, place, side="right"))
        place -= running[-1]
        last = first + int(np.flatnonzero(values)[-1]) if values.any() else last
    return last


def _probabilities(n_samples, sample_weight):
    """Shares of the rows; `sample_weight` is None for ones."""
    weights = np.ones(n_samples) if sample_weight is None else sample_weight
    return weights / weights.sum()


def _cumulative(p):
    """Cumulative sum of probabilities, the last of which is 1."""
    cumulative = np.cumsum(p)
    cumulative /= cumulative[-1]
    return cumulative


def _search_ones(n_samples):
    """Return the `search` of `look_up_even` where the weights are ones, in little memory."""
    return lambda uniforms: SharesInPieces(np.broadcast_to(1.0, n_samples)).look_up(uniforms)
