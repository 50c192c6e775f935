"""Firm orders as demand that is known: what is due by when, and what of it no order can serve in time.

They count as part of the forecast (the greater of the two holds, as MRP consumes forecasts): the demand of an interval is
max(D, F), D being what is forecast and F what is due in it.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from cbec.methods import counts

if TYPE_CHECKING:
    import polars as pl
    from numpy.typing import NDArray

    from cbec.methods.protection import Clock
    from cbec.methods.terms import Stock

    Floats = NDArray[np.float64]
    Rows = NDArray[np.intp]


@dataclass(frozen=True)
class Due:
    """Firm orders, one entry each, by item: the number of its item, the day it is due (counted from today), its units."""

    item: Rows = field(default_factory=lambda: np.zeros(0, np.intp))
    day: Floats = field(default_factory=lambda: np.zeros(0))
    qty: Floats = field(default_factory=lambda: np.zeros(0))

    def before(self, days: Floats | NDArray[np.int64]) -> Floats:
        """n, units due sooner than `days` (n) days from today: goods can be sold on the day they arrive."""
        counted = np.where(self.day < days[self.item], self.qty, 0.0)
        return np.bincount(self.item, weights=counted, minlength=len(days)).astype(np.float64)

    def by_day(self, last: int, rows: slice, n: int) -> Floats:
        """Units due until the end of each of the days 1..last, of the items `rows` among n."""
        first, end, _ = rows.indices(n)
        here = (self.item >= first) & (self.item < end) & (self.day <= last)
        if not here.any():
            return np.broadcast_to(0.0, (end - first, last))
        out = np.zeros((end - first, last))
        day = np.maximum(self.day[here], 1).astype(np.intp)
        np.add.at(out, (self.item[here] - first, day - 1), self.qty[here])
        return np.cumsum(out, axis=1)


@dataclass(frozen=True)
class Early:
    """Firm orders that are due before an order of today can arrive and that neither stock nor deliveries serve by then.

    units: n, the most that is lacking at once; day: n, when it begins to lack, counted from today (NaN = never).
    """

    units: Floats
    day: Floats


def of(items: pl.DataFrame, firm: pl.DataFrame | None, clock: Clock) -> Due:
    """The table firm_orders of the items, by item and day."""
    if firm is None:
        return Due()
    rows = firm.join(items.with_row_index("number"), on=["sku", "warehouse"]).sort("number", "due_date", "qty")
    return Due(rows["number"].to_numpy().astype(np.intp), clock.offset(rows["due_date"]), rows["qty"].to_numpy())


def early(due: Due, held: Stock, arrival: NDArray[np.int64]) -> Early:
    """What comes too early for an order that is there after `arrival` (n) days. Stock that is owed already serves nobody."""
    units, first = np.zeros(len(held.free)), np.full(len(held.free), np.nan)
    for i in np.unique(due.item[due.day < arrival[due.item]]).tolist():
        # Both are sorted by item.
        day, qty, landed, coming = (
            a[slice(*np.searchsorted(of, (i, i + 1)))]
            for of, a in ((due.item, due.day), (due.item, due.qty), (held.item, held.day), (held.item, held.qty))
        )
        days = np.unique(day[day < arrival[i]])
        asked = np.array([qty[day <= until].sum() for until in days])
        there = np.array([held.free[i] + coming[landed <= until].sum() for until in days])
        lacking = asked - np.maximum(there, 0.0)
        if lacking.max() > 1e-9:
            units[i], first[i] = lacking.max(), days[lacking > 1e-9][0]
    return Early(units, first)


def shortage(x: Floats, mean: Floats, var: Floats, due: Floats) -> Floats:
    """E[(max(D, due) - x)+], the expected units short of a stock of x. due: 0 = none."""
    out: Floats = counts.shortage(np.maximum(x, due), mean, var) + np.maximum(due - x, 0.0)
    return out


def left_over(x: Floats, mean: Floats, var: Floats, due: Floats) -> Floats:
    """E[(x - max(D, due))+], the expected units left of a stock of x: those left of D less the part that firm orders take."""
    out = counts.left_over(x, mean, var)
    at = np.broadcast_to(due > 0, out.shape)
    if at.any():
        x, mean, var, due = (np.broadcast_to(a, out.shape)[at] for a in (x, mean, var, due))
        out[at] -= counts.left_over(np.minimum(x, due), mean, var)
    return out
