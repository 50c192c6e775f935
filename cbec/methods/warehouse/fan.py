"""Demand ahead as a fan of paths: each is one chance level of the forecast's cumulative demand, followed over time.

A path holds, at every day, the mean of its slice of the distribution (from its lower to its upper chance), so that the
mean over all paths is the forecast's mean, and expected shortages agree with the distribution at the borders of slices.
The distribution is the gamma of the forecast's mean and variance. That a path keeps its level over time means: an item
that sells well early goes on to sell well, as forecasts that err in level do.
"""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING

import numpy as np
from scipy import special

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]

#: Borders of the slices: finer where stock is held against demand.
BORDERS = (0.0, 0.1, 0.25, 0.4, 0.55, 0.7, 0.8, 0.88, 0.94, 0.98, 1.0)
WEIGHT: Floats = np.diff(np.array(BORDERS))
#: Shapes of the table: down to one sale in 200 intervals, up to demand that is as good as certain.
_SHAPES = np.linspace(np.log(0.005), np.log(1e6), 600)


def paths(mean: Floats, var: Floats) -> Floats:
    """Demand of each slice: the shape of `mean` and one axis more, of the slices. mean, var: of cumulative demand."""
    mean = np.where(mean > 1e-9, mean, 0.0)  # less than a billionth of a unit is nothing
    with np.errstate(divide="ignore", invalid="ignore"):
        shape = np.log(np.where(mean > 0, mean**2 / np.maximum(var, 1e-6 * mean**2), 1.0))
    ratio = _table()
    out = np.empty((*mean.shape, len(WEIGHT)))
    for i in range(len(WEIGHT)):
        out[..., i] = mean * np.interp(shape, _SHAPES, ratio[i])
    return out


@cache
def _table() -> Floats:
    """Mean of each slice over the mean of all, by shape: E[G; slice] / chance = F(k + 1, q) differences / chance."""
    k = np.exp(_SHAPES)
    inner = [special.gammainc(k + 1, special.gammaincinv(k, p)) for p in BORDERS[1:-1]]
    below = np.stack([np.zeros_like(k), *inner, np.ones_like(k)])
    out: Floats = np.diff(below, axis=0) / WEIGHT[:, None]
    return out
