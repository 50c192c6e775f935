"""The demand that the periods around let expect: what effects of promotions, holidays and events are held against."""

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
