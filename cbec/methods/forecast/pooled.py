"""A level per series whose recipe is learnt from all series together.

A single sparse series cannot tell how far back its mean should look, nor how much of a bulk order comes again; a
catalogue can. Exponentially weighted means of base demand (each period cut off at three times the median sale) and of
the rest, over several half-lives, are regressed on what followed past origins, all series in one, with weights that
fit a variance growing with the mean and non-negative coefficients shrunk to a prior.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
from scipy.optimize import nnls

from cbec.methods.forecast import classes, local, periods, seasonal

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from cbec.methods.forecast.seasonal import Seasons

    Floats = NDArray[np.float64]

#: Half-lives in periods: of base demand, then of what lies above it.
HALF_LIVES = {
    "H": ((48.0, 168.0, 504.0, 1512.0, 6048.0), (168.0, 504.0, 2016.0)),
    "D": ((8.0, 20.0, 60.0, 180.0, 600.0), (20.0, 60.0, 240.0)),
    "W": ((1.2, 3.0, 9.0, 27.0, 104.0), (3.0, 9.0, 36.0)),
    "M": ((0.8, 2.0, 6.0, 18.0, 72.0), (2.0, 6.0, 24.0)),
    "Q": ((0.8, 1.5, 3.0, 8.0, 24.0), (1.5, 3.0, 8.0)),
    "Y": ((0.8, 1.5, 3.0, 8.0, 24.0), (1.5, 3.0, 8.0)),
}
#: Coefficients where nothing is learnt: base, bulk, and what is added for a short life.
PRIOR = np.array([0.15, 0.2, 0.25, 0.25, 0.15, 0.3, 0.3, 0.3, 0.3])
BASE = 5
#: Series-origins that the prior counts for, and its least weight beside one lesson, however many series it is about: series of a
#: catalogue live through the same months, so that their lessons are not independent.
STRENGTH, LEAST = 100.0, 0.15
#: Delisted series-origins without a sale that stand beside those of the catalogue when it is told how much of them comes again.
GONE = 5.0
#: Delisted series that the past must have seen before it tells anything of them.
SEEN = 10
#: Lessons of an origin at most, half a horizon apart: errors hardly depend on it (4 or 16: less than 0.1 % on M3 months, car parts
#: and Online Retail before their test parts).
LESSONS = 8
#: Series that the level of each alone counts for against the sum over the catalogue.
FEW = 20.0
#: What the sums of a catalogue miss by in any case, as a logarithm.
CHANCE = 0.05
#: Median sales above which the rest of a period is bulk; 2 and 5 err as much within 0.4 % (the same sets).
BULK = 3.0
#: Periods that the median sale is taken from.
RECENT = {"H": 1344, "D": 182, "W": 26, "M": 18, "Q": 8, "Y": 8}


def features(y: Floats, frequency: str) -> Floats:
    """n x 9 means per period of seasonally adjusted histories y (n x T, T periods of the data, NaN = masked or not born)."""
    count, width = y.shape
    known = ~np.isnan(y)
    value = np.where(known, np.maximum(y, 0.0), 0.0)
    usual = _median_sale(value[:, -RECENT[frequency] :])
    quiet = np.flatnonzero(usual <= 0)
    usual[quiet] = _median_sale(value[quiet])
    base = np.minimum(value, BULK * usual[:, None])
    born = local.born(y)
    # A series that is not born counts as zero in the plain means, as the seller's formulas have it; the last feature
    # says how much larger the mean over its life is, as far back as the longest mean looks: what that one misses, too.
    counts = known | (np.arange(width) < born[:, None])
    half_base, half_bulk = HALF_LIVES[frequency]
    out = np.empty((count, len(PRIOR)))
    at = 0
    for half_lives, part in ((half_base, base), (half_bulk, value - base)):
        for half in half_lives:
            weight = 0.5 ** (np.arange(width)[::-1] / half)
            whole = np.einsum("it,t->i", counts, weight)
            out[:, at] = np.einsum("it,t->i", part, weight) / np.where(whole > 0, whole, 1.0)
            at += 1
    weight = 0.5 ** (np.arange(width)[::-1] / half_base[-1])
    total, whole, lived = (np.einsum("it,t->i", x, weight) for x in (value, counts, known))
    out[:, at] = total / np.where(lived > 0, lived, 1.0) - total / np.where(whole > 0, whole, 1.0)
    return out


def _median_sale(value: Floats) -> Floats:
    """Median of the values above 0 per row; 0 where there is none."""
    count, width = value.shape
    ordered = np.sort(value, 1)
    sales = (value > 0).sum(1)
    return np.where(
        sales > 0, ordered[np.arange(count), np.clip(width - (sales + 1) // 2 - (sales % 2 == 0), 0, width - 1)], 0.0
    )


def levels(
    stack: Floats, season: Seasons, back: tuple[int, ...], h: int, frequency: str, least: Sequence[int] | None = None
) -> tuple[Floats, Floats]:
    """(1 + K) x n units per period, from today and from each origin, and (1 + K) how sure the lessons are of their sum.

    stack: (1 + K) x n x T histories as known today and at the origins `back` periods ago; season: theirs. least:
    1 + K, periods with a sale that a series must have had to teach, as known then (default 1).
    Lessons are origins of the same history that lie further back: what the means were then, what the next h periods
    brought. For each origin only those teach whose horizon was over by then. Series that count as delisted keep the
    part of their level that such series came back to; nothing where none ever did, or too few were seen.
    """
    deep, count, width = stack.shape
    out, sure = np.empty((deep, count)), np.empty(deep)
    lessons: dict[tuple[int, int], Lesson] = {}
    origins = (0, *back)
    for k in range(deep - 1, -1, -1):  # oldest first: a lesson keeps the season that was known when it was first taught
        cut = origins[k]
        one = season.of(slice(k * count, (k + 1) * count))
        flat = one.out_of(stack[k])
        taught = []
        reach = min(h, max(1, (width - cut) // 3))
        backs = _lessons(width - cut, reach)
        for lesson in backs:
            known = lessons.get((cut + lesson, reach))
            if known is None:
                known = _lesson(stack[k][:, cut:], flat[:, cut:], lesson, reach, frequency)
                lessons[cut + lesson, reach] = known
            enough = known.sales >= (1 if least is None else least[k])
            taught.append(replace(known, y=np.where(enough, known.y, np.nan)))
        sure[k] = _sure(taught, backs)
        x, silent = features(flat[:, cut:], frequency), _silent(stack[k], frequency)
        lasts = seasonal.lasting(stack[k], periods.YEAR[frequency])
        kinds = [(np.ones(count, bool), taught)]
        if lasts is not None:
            # What comes and goes with the seasons ends, what stays does not: it learns from its own kind alone.
            kinds.append((lasts, [one.of(one.span >= periods.YEAR[frequency]) for one in taught]))
        for here, own in kinds:
            coefficients, revival = _learn(own, reach)
            level = np.einsum("ij,j->i", x[here], coefficients)
            out[k, here] = np.where(silent[here], revival * level, level)
    return out, sure


def _sure(lessons: list[Lesson], backs: list[int]) -> float:
    """How far (0 to 1) the lessons agree on where all series go together: up or down from their recent mean, again and again."""
    sums = [(float(one.y[use].sum()), float(one.mean[use].sum())) for one in lessons if (use := ~np.isnan(one.y)).any()]
    went = np.log([came / mean for came, mean in sums if came > 0 and mean > 0])
    if not len(went):
        return 0.0
    alone = min(len(went), 1 + (backs[-1] - backs[0]) / backs[0])  # those closer than a horizon share what came
    drift = float(went.mean())
    moved = (((went - drift) ** 2).sum() + CHANCE**2) / len(went)
    return float(drift**2 / (drift**2 + moved / alone))


def lifted(level: Floats, sure: Floats, single: Floats, mean: Floats, bulk: Floats) -> Floats:
    """Levels ((1 + K) x n) whose sum over the catalogue is drawn towards the one that the series tell one at a time.

    sure: 1 + K, see `levels`; single, mean: what series are expected to sell by their own recent past, and what they sold
    on average of late; bulk: what one-off bulk orders brought besides, which nobody can tell of a series, but of all of
    them together. A regression over many series knows best how a series will do beside the others; where all of them go together
    it knows only if they went there again and again. Else their recent past tells it better, in whose sum the noise of
    single series evens out.
    """
    sums = [np.nan_to_num(x).sum(1) for x in (level, single, mean)]
    use = np.stack(sums).min(0) > 0
    own, one, other = (np.where(use, x, 1.0) for x in sums)
    more = np.where(use, bulk.sum(1), 0.0)
    count = (mean > 0).sum(1)
    trust = count / (count + FEW)
    factor = (1 + more / other) * (np.sqrt(one * other) / own) ** (1 - sure)
    return np.asarray(level * (factor**trust)[:, None])


@dataclass(frozen=True)
class Lesson:
    """Features n x 9 as they were, units per period that came (n, NaN = not known), the mean of the periods before (n), the
    number of those with a sale (n), whether the series was silent, and the periods from its first sale to the last by then (n)."""

    x: Floats
    y: Floats
    mean: Floats
    sales: NDArray[np.int64]
    silent: NDArray[np.bool_]
    span: NDArray[np.int64]

    def of(self, rows: NDArray[np.bool_]) -> Lesson:
        """The lesson of some series alone."""
        return replace(self, y=np.where(rows, self.y, np.nan))


def _lesson(known: Floats, flat: Floats, back: int, reach: int, frequency: str) -> Lesson:
    """known, flat: n x T, with and without season; back: periods before their end that the origin of the lesson lies."""
    origin = flat.shape[1] - back
    raw, past, after = known[:, :origin], flat[:, :origin], flat[:, origin : origin + reach]
    there = ~np.isnan(after)
    rate = np.where(there.any(1), np.where(there, after, 0.0).sum(1) / np.maximum(there.sum(1), 1), np.nan)
    mean = np.nan_to_num(local.window_mean(past, 1, periods.LONG[frequency])[:, 0])
    return Lesson(features(past, frequency), rate, mean, (raw > 0).sum(1), _silent(raw, frequency), seasonal.span(raw))


def _silent(y: Floats, frequency: str) -> NDArray[np.bool_]:
    """Which histories count as delisted."""
    width = y.shape[1]
    sold = y > 0
    first = np.where(sold.any(1), sold.argmax(1), width)
    last = np.where(sold.any(1), width - 1 - sold[:, ::-1].argmax(1), -1)
    return classes.delisted(y, first, last, periods.SILENCE[frequency])


def _lessons(known: int, reach: int) -> list[int]:
    """How far back lessons lie in a history of `known` periods; each leaves as much before it as it looks ahead."""
    step = max(1, -(-reach // 2))
    found = [reach + j * step for j in range(LESSONS)]
    return [back for back in found if known - back >= max(2, reach)]


def _learn(lessons: list[Lesson], h: int) -> tuple[Floats, float]:
    """Coefficients, and the part of their level that delisted series come back to."""
    size = len(PRIOR)
    square, product, rows = np.zeros((size, size)), np.zeros(size), 0
    weights = []
    for lesson in lessons:
        x = lesson.x
        use = ~np.isnan(lesson.y) & (x[:, :BASE].sum(1) > 0)
        weights.append(np.where(use, 1 / (x.mean(1) + 1 / h), 0.0))
        x, y, weight = x[use], lesson.y[use], weights[-1][use]
        square += np.einsum("ij,ik,i->jk", x, x, weight)
        product += np.einsum("ij,i,i->j", x, y, weight)
        rows += int(use.sum())
    if not rows:
        return PRIOR, 0.0
    ridge = max(STRENGTH / rows, LEAST / len(lessons)) * np.trace(square) / size
    try:
        root = np.linalg.cholesky(square + ridge * np.eye(size))
    except np.linalg.LinAlgError:  # levels of 1e-300 units, or of 1e15 beside them: nothing can be learnt
        return PRIOR, 0.0
    found: Floats = nnls(root.T, np.linalg.solve(root, product + ridge * PRIOR))[0]
    came = expected = 0.0
    seen = np.zeros(len(lessons[0].y), bool)
    for lesson, weight in zip(lessons, weights, strict=True):
        here = lesson.silent & (weight > 0)
        seen |= here
        came += float(np.einsum("i,i->", lesson.y[here], weight[here]))
        expected += float(np.einsum("ij,j,i->", lesson.x[here], found, weight[here]))
    return found, min(came / (expected + GONE), 1.0) if seen.sum() >= SEEN else 0.0
