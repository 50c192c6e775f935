"""Effects shrunk by their own standard errors, where days are the sample (empirical Bayes: James & Stein 1961; Efron & Morris 1975)."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from cbec.methods.forecast.pricecells import total

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]
    Ints = NDArray[np.int64]

#: Bounds of a whole effect.
LEAST, MOST = 0.05, 20.0
#: Usual difference of an effect from day to day, and variance of counts over their mean: no standard error is smaller.
BETWEEN, OVER = 0.2, 2.0


def shrunk(excess: Floats, weight: Floats, prior: float, push: Floats | None = None) -> float:
    """An effect shrunk to `prior`: excess, weight are sums per day, sum x (y - base) and sum x^2 base.

    push: sums per day of x base, where x is much smaller than 1 (a price a few per cent off), so that what is usual from day to day
    makes a larger effect of it.
    """
    whole = float(weight.sum())
    if whole <= 0 or not float((weight * weight).sum()):  # nothing, or 1e-300 units
        return prior
    u = float(excess.sum()) / whole
    days = whole**2 / float((weight * weight).sum())
    rest = excess - u * weight
    shared = 1 / days if push is None else float((push * push).sum()) / whole**2
    variance = BETWEEN**2 * shared + OVER / whole
    if days > 1.5:
        variance = max(variance, float((rest * rest).sum()) / whole**2 * days / (days - 1))
    gap = u - prior
    return prior + gap * max(0.0, 1 - variance / gap**2) if gap else prior


def shrunk_each(key: Ints, day: NDArray[np.intp], excess: Floats, weight: Floats, prior: Floats, width: int) -> Floats:
    """`shrunk` of each key at once: key, day, excess, weight of single cells; prior: per key."""
    cell, place = np.unique(key * width + day, return_inverse=True)
    of = cell // width
    count = len(prior)
    gap, size = total(place, excess, len(cell)), total(place, weight, len(cell))
    sums, square = total(of, size, count), total(of, size * size, count)
    here = (sums > 0) & (square > 0)
    whole = np.where(here, sums, 1.0)
    u = total(of, gap, count) / whole
    days = np.where(here, sums**2 / np.where(here, square, 1.0), 1.0)
    rest = total(of, (gap - u[of] * size) ** 2, count) / whole**2 * days / np.maximum(days - 1, 0.5)
    variance = np.maximum(BETWEEN**2 / days + OVER / whole, np.where(days > 1.5, rest, 0.0))
    off = u - prior
    kept = np.maximum(0.0, 1 - variance / np.where(off != 0, off * off, 1.0))
    return np.asarray(np.where(here, prior + off * kept, prior))


def beside(excess: Floats, weight: Floats, over: float) -> Floats:
    """What each series has beside the common effect, shrunk by the variance between series (DerSimonian & Laird 1986)."""
    here = weight > 0
    if here.sum() < 8:
        return np.zeros_like(weight)
    gap = np.where(here, excess / np.where(here, weight, 1.0), 0.0)
    noise = np.where(here, max(over, 1.0) / np.where(here, weight, 1.0), np.inf)
    w = np.where(here, 1 / noise, 0.0)
    heterogeneity = float((w * gap * gap).sum()) - (int(here.sum()) - 1)
    between = max(heterogeneity / max(float(w.sum() - (w * w).sum() / w.sum()), 1e-12), 0.0)
    return np.asarray(np.where(here, gap * between / (between + noise), 0.0))
