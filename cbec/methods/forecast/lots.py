"""Demand that comes in lots: customers who buy by the five or by the dozen.

Every quantile of such a series is a whole number of lots, since what lies between two of them serves nobody; its spread is that of the number of
lots (a compound Poisson demand with one size of order, counted in that size).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from cbec.methods.forecast.history import Panel

    Floats = NDArray[np.float64]

#: Periods with a sale that a lot is read from at least, and how much rarer than once chance must let all of them be multiples of it
#: (of whole numbers one in k is a multiple of k). Of series that pass, nine sales in ten are multiples afterwards, too (OIL, AUTO, Online
#: Retail, at origins inside the history); with three to five sales it is three in four.
LEAST, CHANCE = 6, 1000.0


def whole(panel: Panel) -> bool:
    """Whether units are whole numbers. Periods scaled up from their days in stock are no sign of goods sold by weight."""
    return bool((_told(panel) % 1 == 0).all())


def sizes(panel: Panel) -> Floats:
    """Units of a lot per series (n): the greatest common divisor of what every period sold, 1 where chance may have made it."""
    units = _told(panel)
    out = np.ones(len(units))
    least = np.where(units > 0, units, np.inf).min(1, initial=np.inf)
    rows = np.flatnonzero((least > 1) & np.isfinite(least) & (units % 1 == 0).all(1))
    if rows.size:
        lot = np.gcd.reduce(units[rows].astype(np.int64), axis=1).astype(np.float64)
        sold = (units[rows] > 0).sum(1)
        out[rows] = np.where((sold >= LEAST) & (sold * np.log(lot) >= np.log(CHANCE)), lot, 1.0)
    return out


def _told(panel: Panel) -> Floats:
    return np.where(np.isnan(panel.units) | panel.stock_out, 0.0, panel.units)
