"""Holt-Winters over all series at once: level, damped trend and additive season, each smoothed by its own error share.

Winters 1960, with the damping of Gardner & McKenzie 1985; the error-correction form of Hyndman et al. 2008. The setting of each
series is the one of a small grid with the least squared one-step errors. It starts with the means and differences of
the first season, and takes two whole seasons at least; shorter histories get the damped trend alone.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from cbec.methods.forecast import local

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]

#: alpha, beta / alpha, gamma, phi.
GRID = tuple((a, b, g, 0.97) for a in (0.05, 0.2, 0.5) for b in (0.0, 0.1) for g in (0.05, 0.2, 0.4))


def holt_winters(y: Floats, h: int, m: int, grid: tuple[tuple[float, ...], ...] = GRID) -> Floats:
    """N x h forecasts of y (N x T, right-aligned, NaN = masked or not yet born) with a season of m periods. Not clipped at 0."""
    out = local.damped_trend(y, h)
    long = (~np.isnan(y)).sum(1) >= 2 * m
    if m > 1 and long.any():
        out[long] = _seasonal(y[long], h, m, grid)
    return out


def _seasonal(y: Floats, h: int, m: int, grid: tuple[tuple[float, ...], ...]) -> Floats:
    count, width = y.shape
    alpha, share, gamma, phi = (np.array(v)[:, None] for v in zip(*grid, strict=True))
    beta = alpha * share
    first = local.born(y)
    # Every series begins in the first column of its own, so that the season's places are those of its age.
    shifted = np.full((count, width), np.nan)
    for start in np.unique(first).tolist():
        rows = first == start
        shifted[rows, : width - start] = y[rows, start:]
    age = width - first
    opening = shifted[:, :m]
    level = np.repeat(np.nanmean(opening, 1)[None], len(grid), 0)
    season = np.repeat(np.nan_to_num(opening - np.nanmean(opening, 1, keepdims=True))[None], len(grid), 0)
    trend, loss = np.zeros_like(level), np.zeros_like(level)
    for t in range(m, width):
        live = (t < age) & ~np.isnan(shifted[:, t])
        slope = phi * trend
        error = np.where(live, shifted[:, t] - level - slope - season[:, :, t % m], 0.0)
        loss += error * error
        alive = t < age
        level = np.where(alive, level + slope + alpha * error, level)
        trend = np.where(alive, slope + beta * error, trend)
        season[:, :, t % m] += gamma * error
    best, series = loss.argmin(0), np.arange(count)
    base, slope, places = level[best, series], trend[best, series], season[best, series]
    out = np.empty((count, h))
    for k in range(h):
        slope = slope * phi[best, 0]
        base = base + slope
        out[:, k] = base + places[series, (age + k) % m]
    return out
