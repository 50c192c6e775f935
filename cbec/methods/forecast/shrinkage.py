"""What periods around let expect, and effects shrunk by their own standard errors (empirical Bayes: James & Stein 1961; Efron & Morris 1975)."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]
    Flags = NDArray[np.bool_]
    Ints = NDArray[np.int64]

#: Periods of the mean around, and within it the season that it must not tell.
WINDOW = {"H": 337, "D": 29, "W": 9, "M": 5}
WITHIN = {"H": 168, "D": 7, "W": 1, "M": 1}
#: Part of the mean around that must be known.
KNOWN = 0.3
#: Usual difference of an effect from day to day, and variance of counts over their mean: no standard error is smaller.
BETWEEN, OVER = 0.2, 2.0


def expected(units: Floats, busy: Flags, frequency: str, group: Ints) -> Floats:
    """N x T: what the days around without promotion, holiday or event let expect; NaN where too few are known."""
    m, window = WITHIN[frequency], WINDOW[frequency]
    quiet = np.where(busy, np.nan, units)
    if m == 1:
        return around(quiet, window)
    level = around(quiet, window)
    width = units.shape[1]
    phase = np.arange(-width, 0) % m
    both = ~np.isnan(quiet) & (level > 0)
    index = np.ones((int(group.max(initial=0)) + 1, m))
    sold = np.zeros((len(index), width))
    usual = np.zeros((len(index), width))
    np.add.at(sold, group, np.where(both, quiet, 0.0))
    np.add.at(usual, group, np.where(both, level, 0.0))
    for p in range(m):
        s, u = sold[:, phase == p].sum(1), usual[:, phase == p].sum(1)
        # Hours of rest sell next to nothing; 20 units of general experience keep a small group near 1.
        index[:, p] = (s + 20.0) / (u + 20.0)
    index /= index.mean(1, keepdims=True)
    at = np.maximum(index, 0.02)[group][:, phase]
    return np.asarray(around(quiet / at, window) * at)


def around(y: Floats, window: int) -> Floats:
    """Centred mean of what is known, shorter at the ends."""
    known = ~np.isnan(y)
    half = window // 2
    width = y.shape[1]
    total = np.cumsum(np.pad(np.where(known, y, 0.0), ((0, 0), (1, 0))), 1)
    count = np.cumsum(np.pad(known, ((0, 0), (1, 0))), 1)
    right, left = np.minimum(np.arange(width) + half + 1, width), np.maximum(np.arange(width) - half, 0)
    n = count[:, right] - count[:, left]
    enough = n >= max(KNOWN * min(window, width), 1)
    return np.where(enough, (total[:, right] - total[:, left]) / np.maximum(n, 1), np.nan)


def shrunk(excess: Floats, weight: Floats, prior: float) -> float:
    """An effect shrunk to `prior`: excess, weight are sums per day, sum x (y - base) and sum x^2 base."""
    total = float(weight.sum())
    if total <= 0 or not float((weight * weight).sum()):  # nothing, or 1e-300 units
        return prior
    u = float(excess.sum()) / total
    days = total**2 / float((weight * weight).sum())
    rest = excess - u * weight
    variance = BETWEEN**2 / days + OVER / total
    if days > 1.5:
        variance = max(variance, float((rest * rest).sum()) / total**2 * days / (days - 1))
    gap = u - prior
    return prior + gap * max(0.0, 1 - variance / gap**2) if gap else prior


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


def summed(at: NDArray[np.intp], values: Floats, size: int) -> Floats:
    """Sums of values by place, `size` of them."""
    return np.asarray(np.bincount(at, weights=values, minlength=size), np.float64)
