"""A level per series whose recipe is learnt from all series together.

A single sparse series cannot tell how far back its mean should look, nor how much of a bulk order comes again; a
catalogue can. Exponentially weighted means of base demand (each period cut off at three times the median sale) and of
the rest, over several half-lives, are regressed on what followed past origins, all series in one, with weights that
fit a variance growing with the mean and non-negative coefficients shrunk to a prior.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from scipy.optimize import nnls

from cbec.methods.forecast import local

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from cbec.methods.forecast.seasonal import Season

    Floats = NDArray[np.float64]

#: Half-lives in periods: of base demand, then of what lies above it.
HALF_LIVES = {
    "H": ((48.0, 168.0, 504.0), (168.0, 504.0)),
    "D": ((8.0, 20.0, 60.0), (20.0, 60.0)),
    "W": ((1.2, 3.0, 9.0), (3.0, 9.0)),
    "M": ((0.8, 2.0, 6.0), (2.0, 6.0)),
    "Q": ((0.8, 1.5, 3.0), (1.5, 3.0)),
    "Y": ((0.8, 1.5, 3.0), (1.5, 3.0)),
}
#: Coefficients where nothing is learnt: base, bulk, and what is added for a short life.
PRIOR = np.array([0.3, 0.5, 0.2, 0.4, 0.4, 0.3])
#: Series-origins that the prior counts for.
STRENGTH = 100.0
LESSONS = 8
BULK = 3.0
#: Periods that the median sale is taken from.
RECENT = {"H": 1344, "D": 182, "W": 26, "M": 18, "Q": 8, "Y": 8}


def features(y: Floats, frequency: str, lead: int = 0) -> Floats:
    """n x 6 means per period of seasonally adjusted histories y (right-aligned, NaN = masked or not born).

    lead: leading columns that lie before the panel, of which nothing is known of any series.
    """
    count, width = y.shape
    known = ~np.isnan(y)
    value = np.where(known, np.maximum(y, 0.0), 0.0)
    base = np.minimum(value, BULK * _median_sale(value[:, -RECENT[frequency] :])[:, None])
    born = local.born(y)
    # A series that is not born counts as zero in the plain means, as the seller's formulas have it; the last feature
    # says how much larger the mean over its life is.
    counts = (known | (np.arange(width) < born[:, None])) & (np.arange(width) >= lead)
    half_base, half_bulk = HALF_LIVES[frequency]
    out = np.empty((count, len(PRIOR)))
    at = 0
    for half_lives, part in ((half_base, base), (half_bulk, value - base)):
        for half in half_lives:
            weight = 0.5 ** (np.arange(width)[::-1] / half)
            whole = np.einsum("it,t->i", counts, weight)
            out[:, at] = np.einsum("it,t->i", part, weight) / np.where(whole > 0, whole, 1.0)
            at += 1
    weight = 0.5 ** (np.arange(width)[::-1] / half_base[1])
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


def levels(stack: Floats, season: Season, back: tuple[int, ...], h: int, frequency: str) -> Floats:
    """(1 + K) x n units per period, from today and from each origin.

    stack: (1 + K) x n x T histories as known today and at the origins `back` periods ago; season: theirs.
    Lessons are origins of the same history that lie further back: what the means were then, what the next h periods
    brought. For each origin only those teach whose horizon was over by then.
    """
    deep, count, width = stack.shape
    reach = min(h, max(1, width // 3))
    out = np.empty((deep, count))
    lessons: dict[int, tuple[Floats, Floats]] = {}
    origins = (0, *back)
    for k in range(deep - 1, -1, -1):  # oldest first: a lesson keeps the season that was known when it was first taught
        cut = origins[k]
        one = season.of(slice(k * count, (k + 1) * count))
        flat = one.out_of(stack[k])
        taught = []
        for lesson in _lessons(width - cut, reach):
            known = lessons.get(cut + lesson)
            if known is None:
                past = np.full(flat.shape, np.nan)
                past[:, lesson:] = flat[:, : width - lesson]
                after = flat[:, width - lesson : width - lesson + reach]
                there = ~np.isnan(after)
                rate = np.where(there.any(1), np.where(there, after, 0.0).sum(1) / np.maximum(there.sum(1), 1), np.nan)
                known = lessons[cut + lesson] = (features(past, frequency, cut + lesson), rate)
            taught.append(known)
        out[k] = np.einsum("ij,j->i", features(flat, frequency, cut), _learn(taught, reach))
    return out


def _lessons(known: int, reach: int) -> list[int]:
    """How far back lessons lie in a history of `known` periods; each leaves as much before it as it looks ahead."""
    step = max(1, -(-reach // 2))
    found = [reach + j * step for j in range(LESSONS)]
    return [back for back in found if known - back >= max(2, reach)]


def _learn(lessons: list[tuple[Floats, Floats]], h: int) -> Floats:
    """Coefficients from lessons (features n x 6, units per period n)."""
    size = len(PRIOR)
    square, product, rows = np.zeros((size, size)), np.zeros(size), 0
    for x, y in lessons:
        use = ~np.isnan(y) & (x[:, :3].sum(1) > 0)
        weight = 1 / (x[use].mean(1) + 1 / h)
        square += np.einsum("ij,ik,i->jk", x[use], x[use], weight)
        product += np.einsum("ij,i,i->j", x[use], y[use], weight)
        rows += int(use.sum())
    if not rows:
        return PRIOR
    ridge = STRENGTH / rows * np.trace(square) / size
    root = np.linalg.cholesky(square + ridge * np.eye(size))
    found: Floats = nnls(root.T, np.linalg.solve(root, product + ridge * PRIOR))[0]
    return found
