"""Filtered historical simulation: how far rates went from their centre, in units of the volatility of the time.

Barone-Adesi, Giannopoulos and Vosper (1999). Errors over h fixings are divided by the deviation that was expected
when they began, pooled over up to ten years, and scaled by the deviation expected now. The past direction of a rate
is no forecast, so the median of the distribution is its centre; its skew is kept in half, since one tail of a pool
holds few events: each error enters three times as it was and once mirrored.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

#: Errors in the pool, and fewest that make one.
POOL, FEWEST = 2500, 100
#: An error of more deviations than this is a peg that broke: scaled by the storm that follows it would know no bounds.
FARTHEST = 10.0
#: Weight of an error as it was, beside its mirror image.
AS_IT_WAS = 0.75


def standardised(error: Floats, variance: Floats) -> Floats:
    """Errors over the deviation expected when they began, within FARTHEST of 0 (NaN where either is unknown)."""
    deviation = np.sqrt(np.where(variance > 0, variance, np.nan))
    made: Floats = np.clip(error / deviation, -FARTHEST, FARTHEST)
    return made


def pool(scores: Floats, at: int, h: int) -> Floats:
    """Standardised errors known at fixing `at` (those that began at or before at - h), mirrored in part, median 0."""
    end = max(at - h + 1, 0)
    past = scores[max(end - POOL, 0) : end]
    past = past[np.isfinite(past)]
    mixed = np.concatenate([past, past, past, -past])
    return mixed - np.median(mixed) if len(mixed) else mixed


def quantiles(shape: Floats, levels: tuple[float, ...]) -> Floats:
    """Quantiles of a pool, in order; that of 0.5 is 0."""
    made: Floats = np.quantile(shape, levels)
    return made


def moments(shape: Floats, deviation: float) -> tuple[float, float]:
    """Mean and standard deviation of exp(z deviation) for z from the pool."""
    grown = np.exp(shape * deviation)
    return float(grown.mean()), float(grown.std())
