"""Demand counts told by a mean and a variance: distribution function, expected shortage, order quantiles.

Below `COUNT_MEAN` expected units the Katz family of counts (Katz 1965; Panjer's (a, b, 0) class): binomial where the
variance is under the mean, Poisson where they are equal, negative binomial where it is over. Above, where single
units no longer matter, the gamma distribution of the same two moments with the continuity correction of half a unit.
All functions are vectorised; arguments broadcast.
"""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING

import numpy as np
from scipy import special

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from numpy.typing import NDArray

    Floats = NDArray[np.float64]

COUNT_MEAN = 30.0
#: Upper quantile levels from which a spread is read. Lower ones say little of the tail that stock is held against.
UPPER = (0.90, 0.95, 0.99)
#: Coefficient of variation under which demand counts as certain: keeps the gamma's shape within double precision.
MIN_CV = 1e-3
#: Ratios variance / mean that `dispersion` tries, the nearest to Poisson first: a seventh apart, 0.04 to 60.
_RATIOS = np.array(sorted((1.15**i for i in range(-23, 30)), key=lambda r: abs(np.log(r))))
_LARGEST_COUNT = 200


def cdf(x: Floats, mean: Floats, var: Floats, lot: Floats | float = 1.0) -> Floats:
    """P(D <= x). x, mean, var: broadcastable, in units (of a sum of periods, whatever its length). lot: units bought at a time, of
    which the demand is a whole number."""
    x, mean, var = np.broadcast_arrays(np.floor(np.floor(x) / lot), mean / lot, var / lot**2)
    out = np.where(x >= 0, 1.0, 0.0)
    small = (x >= 0) & (mean > 0) & (mean < COUNT_MEAN)
    if small.any():
        out[small] = _count_cdf(x[small], mean[small], var[small])
    large = (x >= 0) & (mean >= COUNT_MEAN)
    if large.any():
        shape, scale = _gamma(mean[large], var[large])
        out[large] = special.gammainc(shape, (x[large] + 0.5) / scale)
    return out


def shortage(x: Floats, mean: Floats, var: Floats, lot: Floats | float = 1.0) -> Floats:
    """E[(D - x)+], the expected units short of a stock of x. lot: see `cdf`.

    Counts: E = mean P(D' >= x) - x P(D > x), D' being the same family one step on (negative binomial r + 1, Poisson
    itself, binomial n - 1), exact at whole x and linear between, as the function of a count is.
    """
    x, mean, var = np.broadcast_arrays(x / lot, mean / lot, var / lot**2)
    out = np.where(x < mean, mean - x, 0.0)
    small = (x > 0) & (mean > 0) & (mean < COUNT_MEAN)
    if small.any():
        low, m, v = np.floor(x[small]), mean[small], var[small]
        part = x[small] - low
        at_low, at_high = _count_shortage(low, m, v), np.zeros_like(m)
        between = part > 0
        at_high[between] = _count_shortage(low[between] + 1, m[between], v[between])
        out[small] = (1 - part) * at_low + part * at_high
    large = (x > 0) & (mean >= COUNT_MEAN)
    if large.any():
        shape, scale = _gamma(mean[large], var[large])
        at = x[large] / scale
        out[large] = mean[large] * special.gammaincc(shape + 1, at) - x[large] * special.gammaincc(shape, at)
    return np.asarray(np.maximum(out, 0.0) * lot)


def left_over(x: Floats, mean: Floats, var: Floats) -> Floats:
    """E[(x - D)+], the expected units left of a stock of x."""
    return np.maximum(x - mean + shortage(x, mean, var), 0.0)


def level(target: Floats, mean: Floats, var: Floats, weight: Floats, lot: Floats | float = 1.0) -> Floats:
    """The smallest whole number S >= 0 of lots, in units, with sum over j of weight[:, j] P(D_j <= S) >= target.

    target: n; mean, var, weight: n x J, a mixture over J lead times (J = 1: none). lot: n, see `cdf`. Searched between brackets by
    regula falsi on the normal scale, on which these functions are nearly straight, in turn with halving.
    """
    each = np.asarray(lot).reshape(-1, 1)
    mean, var = mean / each, var / each**2

    def reached(rows: NDArray[np.intp], s: Floats) -> Floats:
        out: Floats = (weight[rows] * cdf(s[:, None], mean[rows], var[rows])).sum(1)
        return out

    return np.asarray(smallest(target, reached, *moments(mean, var, weight)) * lot)


def smallest(
    target: Floats, reached: Callable[[NDArray[np.intp], Floats], Floats], mean: Floats, var: Floats
) -> Floats:
    """The smallest whole S >= 0 with reached(rows, S) >= target, `reached` rising in S.

    reached: (row numbers, S) -> share in [0, 1]. mean, var: where to begin.
    """
    n = len(target)
    aim = target - 1e-12
    low, high = np.full(n, -1.0), np.ceil(mean + special.ndtri(np.clip(target, 0.5, 0.9999)) * np.sqrt(var))
    high = np.maximum(high, 0.0)
    at_low, at_high = np.zeros(n), np.ones(n)
    rows = np.arange(n)
    while rows.size:  # raise the upper bracket until it holds
        at_high[rows] = reached(rows, high[rows])
        rows = rows[at_high[rows] < aim[rows]]
        low[rows], at_low[rows] = high[rows], at_high[rows]
        high[rows] = np.ceil(high[rows] * 1.5 + np.sqrt(var[rows]) + 1)
    rows = np.flatnonzero(_between(low, high))
    falsi = True
    while rows.size:
        gap = high[rows] - low[rows]
        share = np.full(rows.size, 0.5)
        if falsi:
            z = [special.ndtri(np.clip(p, 1e-12, 1 - 1e-12)) for p in (at_low[rows], target[rows], at_high[rows])]
            share = np.clip((z[1] - z[0]) / np.maximum(z[2] - z[0], 1e-12), 0.0, 1.0)
        falsi = not falsi
        middle = low[rows] + np.clip(np.floor(gap * share), 1, gap - 1)
        middle = np.clip(middle, np.nextafter(low[rows], np.inf), np.nextafter(high[rows], -np.inf))
        at = reached(rows, middle)
        up = at >= aim[rows]
        high[rows[up]], at_high[rows[up]] = middle[up], at[up]
        low[rows[~up]], at_low[rows[~up]] = middle[~up], at[~up]
        rows = rows[_between(low[rows], high[rows])]
    return high


def _between(low: Floats, high: Floats) -> NDArray[np.bool_]:
    """Whether a whole number lies between: past 2^53 floats are further apart than 1."""
    return (high - low > 1) & (np.nextafter(low, np.inf) < high)


def moments(mean: Floats, var: Floats, weight: Floats) -> tuple[Floats, Floats]:
    """Mean and variance of each row's mixture (law of total variance). All n x J; answers of n."""
    total: Floats = (weight * mean).sum(1)
    spread: Floats = (weight * (var + (mean - total[:, None]) ** 2)).sum(1)
    return total, spread


def gamma_quantile(index: int, mean: Floats, var: Floats) -> Floats:
    """The quantile UPPER[index] of the gamma of that mean and variance, by a table over the shape."""
    shapes, ratio = _table()[0], _table()[1][index]
    with np.errstate(divide="ignore", invalid="ignore"):
        shape = np.log(np.where(mean > 0, mean**2 / np.maximum(var, (MIN_CV * mean) ** 2), 1.0))
    out: Floats = np.where(mean > 0, mean * np.interp(shape, shapes, ratio), 0.0)
    return out


def implied_variance(index: int, mean: Floats, quantile: Floats) -> Floats:
    """The variance that puts the gamma's quantile UPPER[index] at `quantile`, the mean being given.

    The quantile of rising spread rises to a highest value, then falls (all mass in rare spikes): the lower of the two
    spreads is meant, and the one at the top where the forecast's quantile lies above any gamma's.
    """
    shapes, ratio = _table()[0], _table()[1][index]
    top = int(ratio.argmax())
    with np.errstate(divide="ignore", invalid="ignore"):
        wanted = np.where(mean > 0, quantile / mean, 1.0)
    shape = np.exp(np.interp(wanted, ratio[top:][::-1], shapes[top:][::-1]))
    out: Floats = mean**2 / shape
    return out


def dispersion(mean: Floats, quantiles: Sequence[Floats], weight: Floats) -> Floats:
    """The ratio variance / mean with which counts of these means have the forecast's own upper quantiles.

    mean: T x n, T totals of one demand over different times, which have one ratio where demand of separate times is
    independent. quantiles: T x n per level of UPPER, rounded up to whole units (the smallest count that reaches the level).
    weight: T x levels x n, how much each counts (totals of COUNT_MEAN and more: 0). A whole quantile fits a range of spreads,
    which other levels and other totals narrow: of what is left the one nearest to Poisson is taken, since independent
    buyers who take one each make Poisson counts.
    """
    counts = np.clip(np.stack([np.ceil(q - 1e-6) for q in quantiles], 1), 0, _LARGEST_COUNT)
    counts = np.where(weight > 0, counts, 0)

    def misfit(rows: NDArray[np.intp], ratios: Floats) -> Floats:
        parts = [_misfit(m[rows], c[:, rows], w[:, rows], ratios) for m, c, w in zip(mean, counts, weight, strict=True)]
        out: Floats = np.add.reduce(parts)
        return out

    ratio = np.ones(mean.shape[1])
    every = np.flatnonzero(mean[0] > 0)
    odd = every[misfit(every, _RATIOS[:1])[:, 0] > 0]
    for rows in _chunks(odd, counts.max((0, 1))):
        ratio[rows] = _RATIOS[misfit(rows, _RATIOS).argmin(1)]
    return ratio


def _misfit(mean: Floats, counts: Floats, weight: Floats, ratios: Floats) -> Floats:
    """n x ratios: by how much the distribution functions miss F(c - 1) < level <= F(c). counts, weight: levels x n."""
    m, r = mean[:, None], ratios[None, :]
    with np.errstate(divide="ignore", over="ignore"):
        flat = np.abs(np.log(r)) < 1e-9
        # Panjer's recursion p(k) = p(k - 1) (a + b / k): a = 1 - 1/r, b = m / r - a, whatever the member of the family.
        a = 1 - 1 / r
        b = m / r - a
        p = np.exp(np.where(flat, -m, -m * np.log(r) / np.where(flat, 1.0, r - 1)))
    total = p.copy()
    out = np.zeros_like(p)
    for k in range(int(counts.max(initial=0)) + 1):
        for i, at in enumerate(UPPER):
            here, before = counts[i] == k, counts[i] == k + 1
            if here.any():
                out[here] += weight[i, here, None] * np.maximum(at - total[here], 0)
            if before.any():
                out[before] += weight[i, before, None] * np.maximum(total[before] - at + 1e-12, 0)
        p = np.maximum(p * (a + b / (k + 1)), 0)
        total = np.minimum(total + p, 1.0)
    return out


def _chunks(rows: NDArray[np.intp], size: Floats, step: int = 8192) -> list[NDArray[np.intp]]:
    rows = rows[np.argsort(size[rows], kind="stable")]
    return [rows[i : i + step] for i in range(0, len(rows), step)]


@cache
def _table() -> tuple[Floats, Floats]:
    """Logarithms of shapes, and per level of UPPER the gamma's quantile over its mean."""
    shapes = np.linspace(np.log(0.005), np.log(1 / MIN_CV**2), 800)
    return shapes, np.stack([special.gammaincinv(np.exp(shapes), p) / np.exp(shapes) for p in UPPER])


def _gamma(mean: Floats, var: Floats) -> tuple[Floats, Floats]:
    scale = np.maximum(var, (MIN_CV * mean) ** 2) / mean
    return mean / scale, scale


def _least(mean: Floats, var: Floats) -> Floats:
    """No count of that mean varies less than one that falls on the two whole numbers beside it."""
    part = mean - np.floor(mean)
    out: Floats = np.maximum(var, np.maximum(part * (1 - part), 1e-6 * mean))
    return out


def _count_cdf(k: Floats, mean: Floats, var: Floats, step: int = 0) -> Floats:
    """P(D <= k), for step = 1 of the size-biased sibling P(D' <= k); k >= -step, whole."""
    var = _least(mean, var)
    out = np.zeros_like(mean)
    over, under = var > mean * (1 + 1e-6), var < mean * (1 - 1e-6)
    even = ~over & ~under & (k >= 0)
    out[even] = special.gammaincc(k[even] + 1, mean[even])
    over &= k >= 0
    r = mean[over] ** 2 / (var[over] - mean[over])
    out[over] = special.betainc(r + step, k[over] + 1, mean[over] / var[over])
    under &= k >= 0
    fail = var[under] / mean[under]  # binomial: 1 - p = var / mean, n = mean / p, not always whole
    left = mean[under] / (1 - fail) - step - k[under]
    inside = left > 0
    at = np.ones_like(left)
    at[inside] = special.betainc(left[inside], k[under][inside] + 1, fail[inside])
    out[under] = at
    return out


def _count_shortage(k: Floats, mean: Floats, var: Floats) -> Floats:
    sibling = 1 - _count_cdf(k - 1, mean, var, step=1)
    out: Floats = np.maximum(mean * sibling - k * (1 - _count_cdf(k, mean, var)), 0.0)
    return out
