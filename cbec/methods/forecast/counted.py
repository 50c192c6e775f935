"""Distributions of demand that is not large against its noise: counts, rare sales, heavy tails.

A negative binomial (for units that are not whole: a gamma) of the forecast's mean and of the series' own dispersion gives
the shape; how often its quantiles held at past origins corrects the levels at which they are read (probability integral
transform recalibrated, Dawid 1984; Kuleshov, Fenner & Ermon 2018), among series of similar size, horizon by horizon. A count's transform
is an interval, which is spread evenly over its lower part (Czado, Gneiting & Held 2009).
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING

import numpy as np
from scipy import special

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]
    Groups = NDArray[np.int64]
    Flags = NDArray[np.bool_]

#: Periods that the catalogue's law of dispersion counts for in that of a series.
LAW = 12.0
#: Even transforms that stand beside those of the past, so that a handful of origins bends nothing,
#: and this part of their number, since the series of one origin live through the same months.
PSEUDO, EVEN = 50.0, 0.1
#: Part of the interval of a count's transform over which it is spread. With the whole of it quantiles hold more often than asked
#: for, since they are rounded up to counts; with nothing of it they hold just as often, but are worse where next to nothing sells.
INTERVAL = 0.75
#: Size bins at most, and transforms a bin must hold.
BINS, BIN_HELD = 4, 400
#: Histories per origin that the corrections are taken from at most: more would tell nothing new.
TELLING = 5000
#: Horizons at which corrections are taken; between them they are read off straight lines.
ANCHORS = 8
#: Counts with a mean or an upper quantile above these are as good as continuous.
FEW, LONGEST = 30.0, 150.0
_GRID = np.concatenate([np.linspace(0.0, 0.98, 197), 1 - 0.02 * 0.8 ** np.arange(1, 24)])


@dataclass(frozen=True)
class Shape:
    """Variance over mean of a period (1 + K) x n, and bin (1 + K) x n, today and at the past origins."""

    ratio: Floats
    group: Groups


def dispersion(n: Floats, mean: Floats, var: Floats) -> Floats:
    """Variance over mean of histories of n periods ((1 + K) x n, today first), shrunk to exp(a) mean^b, fitted over the catalogue.

    An origin at which all histories were too short to tell a law has that of today: another measure than today's would make another
    distribution of what came after it.
    """
    own = np.where(mean > 0, var / np.where(mean > 0, mean, 1.0), 1.0)
    out = np.empty(own.shape)
    today = None
    for k in range(len(own)):
        found = _law(n[k], mean[k], own[k]) or today
        today = today or found
        law = np.maximum(mean[k], 1.0)
        if found is not None:
            law = np.exp(found[0] + found[1] * np.log(np.maximum(mean[k], 1e-3)))
        out[k] = (n[k] * own[k] + LAW * law) / (n[k] + LAW)
    return out


def _law(n: Floats, mean: Floats, own: Floats) -> tuple[float, float] | None:
    """a and b of the catalogue's law; None where no history has six periods."""
    use = (mean > 0) & (n >= 6)
    if not use.any():
        return None
    x, z = np.log(mean[use]), np.log(np.maximum(own[use], 0.1))
    power = float(((x - x.mean()) ** 2).sum())
    slope = float(((x - x.mean()) * z).sum()) / power if power > 1e-9 else 0.0
    slope = min(max(slope, 0.0), 1.0)
    return float(z.mean() - slope * x.mean()), slope


def bins(level: Floats, valid: Flags) -> Groups:
    """Bins of equal parts of today's levels ((1 + K) x n, n), as many as the past can fill."""
    past = int(valid[1:].sum())
    count = int(np.clip(past // BIN_HELD, 1, BINS))
    edges = np.quantile(level[0], np.linspace(0, 1, count + 1)[1:-1])
    return np.searchsorted(edges, level)


def quantiles(
    mean: Floats, past: Floats, actual: Floats, of: Shape, levels: tuple[float, ...], *, whole: bool
) -> Floats:
    """Quantiles L x n x h, rising with the level.

    mean: n x h of today (of periods, or of totals of periods 1..h), past: K x n x h of the origins, actual: K x n x h of what came
    (NaN = not known). whole: units are whole numbers.
    """
    h = mean.shape[1]
    some = slice(None, None, max(1, -(-len(mean) // TELLING)))
    told = past[:, some], actual[:, some], of.ratio[1:, some]
    out = np.empty((len(levels), *mean.shape))
    for number in np.unique(of.group[0]):
        here = of.group[0] == number
        scores = _scores(*told, of.group[1:, some] == number, levels, whole)
        m = mean[here]
        z = np.broadcast_to(scores[:, None, :], (len(levels), *m.shape)).reshape(len(levels), -1)
        ratio = np.repeat(of.ratio[0, here], h)
        out[:, here] = invert(z, m.ravel(), ratio, whole).reshape(len(levels), *m.shape)
    return _within(np.maximum.accumulate(out, 0), mean, levels, whole)


def _within(quantiles: Floats, mean: Floats, levels: tuple[float, ...], whole: bool) -> Floats:
    """No quantile beyond what its mean allows: of units that average m, a share of 1 - p is at m / (1 - p) at most (Markov).

    Where the past brought more than was expected, again and again, the corrected levels would say so of any tail.
    """
    most = mean / (1 - np.asarray(levels))[:, None, None]
    return np.asarray(np.minimum(quantiles, np.ceil(most - 1e-9) if whole else most))


def _scores(
    past: Floats, actual: Floats, ratio: Floats, member: Flags, levels: tuple[float, ...], whole: bool
) -> Floats:
    """L x h normal scores of the levels at which to read today's distributions. past, actual: K x n x h."""
    h = actual.shape[2]
    there = ~np.isnan(actual)
    reach = int(there.any((0, 1)).sum())
    if not reach:
        return np.repeat(np.asarray(special.ndtri(levels))[:, None], h, 1)
    anchors = np.unique(np.rint(np.geomspace(1, reach, ANCHORS)).astype(np.int64)) - 1
    use = [member & there[:, :, k] for k in anchors]
    lines = [
        _read(past[:, :, k][u], actual[:, :, k][u], ratio[u], levels, whole) for k, u in zip(anchors, use, strict=True)
    ]
    with np.errstate(invalid="ignore"):  # between nothing and something: nothing
        found = np.stack([np.interp(np.arange(h), anchors, line) for line in np.stack(lines, 1)])
    return np.where(np.isnan(found), -np.inf, found)


def _read(past: Floats, actual: Floats, ratio: Floats, levels: tuple[float, ...], whole: bool) -> Floats:
    """Normal scores of the levels which would have held as often as asked for."""
    low, high = transforms(actual, past, ratio, whole)
    width = np.maximum(INTERVAL * (high - low), 1e-9)
    # Distribution of the transforms on a grid: each interval adds a ramp.
    held = np.zeros(len(_GRID))
    for i, g in enumerate(_GRID):
        held[i] = np.clip((g - low) / width, 0.0, 1.0).sum()
    even = max(PSEUDO, EVEN * len(low))
    share = (held + even * _GRID) / (len(low) + even)
    scores = special.ndtri(np.clip(np.interp((*levels, 0.5), share, _GRID), 1e-6, 1 - 1e-5))
    # Half of the shift of the middle is taken as what these months had in common, not to come again. Where most sold
    # nothing the middle says nothing of that.
    shock = 0.5 * scores[-1] if len(actual) and (actual > 0).mean() >= 0.5 else 0.0
    nothing = 0.0 if whole else float((actual <= 0).sum()) / (len(low) + even)
    return np.where(np.asarray(levels) <= nothing, -np.inf, scores[:-1] - shock)


def transforms(actual: Floats, mean: Floats, ratio: Floats, whole: bool) -> tuple[Floats, Floats]:
    """P(D < actual) and P(D <= actual); the same where units are not whole."""
    if not whole:
        at = cdf(actual, mean, ratio, False)
        return at, at
    return cdf(actual - 1, mean, ratio, True), cdf(actual, mean, ratio, True)


def cdf(x: Floats, mean: Floats, ratio: Floats, whole: bool) -> Floats:
    """P(D <= x) of a negative binomial (whole) or a gamma with variance mean x ratio."""
    mean = np.maximum(mean, 1e-9)
    out = np.zeros(x.shape)
    at = x >= 0
    if whole:
        r = np.maximum(ratio[at], 1.001)
        out[at] = special.betainc(mean[at] / (r - 1), np.floor(x[at]) + 1, 1 / r)
        return out
    out[at] = special.gammainc(mean[at] / np.maximum(ratio[at], 1e-9), x[at] / np.maximum(ratio[at], 1e-9))
    return out


def invert(z: Floats, mean: Floats, ratio: Floats, whole: bool) -> Floats:
    """Quantiles L x n at normal scores z (L x n, rising), of n distributions."""
    ratio = np.maximum(ratio, 1.001 if whole else 1e-9)
    mean = np.maximum(mean, 1e-9)
    out = _gamma(z, mean, ratio)
    if not whole:
        return out
    few = np.flatnonzero((mean < FEW) & (out[-1] < LONGEST))
    out = np.maximum(np.ceil(out - 0.5), 0.0)
    few = few[np.argsort(out[-1, few], kind="stable")]
    for start in range(0, len(few), 16384):
        rows = few[start : start + 16384]
        out[:, rows] = _count(special.ndtr(z[:, rows]), mean[rows], ratio[rows])
    return out


def _count(p: Floats, mean: Floats, ratio: Floats) -> Floats:
    """Smallest counts with P(D <= k) >= p, by the recursion of the negative binomial's probabilities."""
    out = np.zeros(p.shape)
    r = mean / (ratio - 1)
    fail = 1 - 1 / ratio
    mass = np.exp(-r * np.log(ratio))
    total = mass.copy()
    for k in range(1, int(4 * LONGEST)):
        open_ = total < p
        if not open_[-1].any():
            break
        out += open_
        mass = mass * (fail * (k - 1 + r) / k)
        total = total + mass
    return out


@cache
def _table() -> tuple[Floats, Floats, Floats]:
    """Logarithms of gamma shapes, normal scores, and cube roots of quantile over mean."""
    shapes, scores = np.linspace(np.log(1e-4), np.log(1e6), 240), np.linspace(-4.5, 4.5, 181)
    shape = np.exp(shapes)[:, None]
    return shapes, scores, np.cbrt(special.gammaincinv(shape, special.ndtr(scores)[None, :]) / shape)


def _gamma(z: Floats, mean: Floats, ratio: Floats) -> Floats:
    """Gamma quantiles by a table over shape and normal score."""
    shapes, scores, roots = _table()
    a = (np.clip(np.log(mean / ratio), shapes[0], shapes[-1] - 1e-9) - shapes[0]) / (shapes[1] - shapes[0])
    b = (np.clip(z, scores[0], scores[-1] - 1e-9) - scores[0]) / (scores[1] - scores[0])
    i, j = a.astype(np.int64), b.astype(np.int64)
    u, v = a - i, b - j
    root = (1 - u) * ((1 - v) * roots[i, j] + v * roots[i, j + 1]) + u * (
        (1 - v) * roots[i + 1, j] + v * roots[i + 1, j + 1]
    )
    return np.where(np.isneginf(z), 0.0, mean * root**3)
