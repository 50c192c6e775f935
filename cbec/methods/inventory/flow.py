"""Stock by period from known figures: projection, the order that lifts it, cover, ageing."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    Floats = NDArray[np.float64]


def net_stock(start: float, inbound: Sequence[float], demand: Sequence[float]) -> Floats:
    """Stock at the end of each period where demand waits; negative = owed. start: on hand - reserved - backorders."""
    out: Floats = start + np.cumsum(np.asarray(inbound, float) - np.asarray(demand, float))
    return out


def cover(stock: float, demand: Sequence[float], days: float = 1.0) -> float:
    """How long the stock lasts, demand spread evenly within a period of `days`; NaN where it outlasts the forecast."""
    gone = 0.0
    for period, units in enumerate(demand):
        if gone + units >= stock:
            return (period + ((stock - gone) / units if units > 0 else 0.0)) * days
        gone += units
    return float("nan")


def left_by_age(stock: Sequence[float], sold: float) -> Floats:
    """What is left of each age band, youngest first, when `sold` units leave oldest first."""
    held = np.asarray(stock, float)[::-1]
    taken = np.minimum(held, np.maximum(sold - (np.cumsum(held) - held), 0.0))
    out: Floats = (held - taken)[::-1]
    return out
