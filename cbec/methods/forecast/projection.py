"""Stock by day, with and without the proposed order.

Lost sales: a path that reaches zero stays there until goods arrive, and what was asked for meanwhile is gone, so that
stock(t) = max(0, stock(t - 1) + arrivals(t) - demand(t)). What is owed already (free stock under zero), and firm orders that
find the shelf empty, stay owed until arrivals serve them.
Goods can be sold on the day they arrive. `p_stockout` compares demand with stock since today, or since the last delivery
that met a shelf empty on the average: what was lost before it takes nothing from it. Under lost sales the shelf is empty
only if demand exceeds stock since every earlier evening, so that the chance is never understated.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import polars as pl

from cbec.methods import counts

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    from cbec.methods.forecast.firmdue import Due
    from cbec.methods.protection import Clock, Demand
    from cbec.methods.terms import Stock, Terms

    Floats = NDArray[np.float64]

_BLOCK = 8192
#: Standard deviations past which a chance is 0 or 1 at four decimals (a gamma of shape 0.01 has 1e-4 there).
_FAR = 40.0


@dataclass(frozen=True)
class Projection:
    """empty: day on which mean demand empties the shelf without the order (n, NaN = never). rows: table `projection`, worked
    out where it is asked for."""

    empty: Floats
    _rows: Callable[[], pl.DataFrame]

    @property
    def rows(self) -> pl.DataFrame:
        """Table `projection`."""
        return self._rows()


def project(
    items: pl.DataFrame, demand: Demand, due: Due, terms: Terms, held: Stock, order: Floats, clock: Clock, days: int
) -> Projection:
    """Rows of every item for `days` days, at least until its order arrives and the review after; never past its forecast.

    due: firm orders; the greater of them and the forecast is demand. order: n units, placed today. The search for the
    empty shelf goes to the end of the forecast.
    """
    known = np.floor(demand.reach + 1e-9).astype(np.int64)
    last = np.minimum(known, np.maximum(days, np.ceil(terms.protection).astype(np.int64)))
    empty = np.full(len(order), np.nan)
    for start in range(0, len(order), _BLOCK):
        rows = slice(start, min(start + _BLOCK, len(order)))
        grid, mean, _, without = _paths(demand, held, rows, int(known[rows].max(initial=0)))
        asked = due.by_day(len(grid), rows, len(order))
        # Firm orders that take the last unit leave nobody without.
        gone = ((without - mean <= 1e-9) & (mean > 0)) | ((without - asked < -1e-9) & (asked > 0))
        gone &= grid <= known[rows, None]
        if grid.size:
            empty[rows] = np.where(gone.any(1), gone.argmax(1) + 1.0, np.nan)
    return Projection(empty, lambda: _table(items, demand, due, terms, held, order, clock, last))


def _paths(demand: Demand, held: Stock, rows: slice, span: int) -> tuple[Floats, Floats, Floats, Floats]:
    """Days 1..span, mean and variance of the demand until each, and the stock with what is coming but without the order."""
    grid = np.arange(1, span + 1, dtype=np.float64)
    mean, var = demand.at(np.broadcast_to(grid, (rows.stop - rows.start, span)), np.arange(rows.start, rows.stop))
    return grid, mean, var, held.free[rows, None] + np.cumsum(held.by_day(span, rows), axis=1)


def _table(
    items: pl.DataFrame,
    demand: Demand,
    due: Due,
    terms: Terms,
    held: Stock,
    order: Floats,
    clock: Clock,
    last: NDArray[np.int64],
) -> pl.DataFrame:
    parts = []
    for start in range(0, len(order), _BLOCK):
        rows = slice(start, min(start + _BLOCK, len(order)))
        grid, mean, var, without = _paths(demand, held, rows, int(last[rows].max(initial=0)))
        own = _own(order[rows], terms.arrival[rows], len(grid))
        asked = due.by_day(len(grid), rows, len(order))
        parts.append(_block(start, last[rows], mean, var, asked, held.free[rows], without, own))
    cells = pl.concat(parts)
    rows_of = items[cells["item"].to_numpy()].with_columns(cells.drop("item"))
    return rows_of.with_columns(date=pl.lit(clock.today) + pl.duration(days="day")).select(
        "sku", "warehouse", "date", pl.exclude("sku", "warehouse", "date", "day")
    )


def _own(order: Floats, arrival: NDArray[np.int64], span: int) -> Floats:
    day = np.arange(1, span + 1)
    out: Floats = np.where(day >= np.maximum(arrival, 1)[:, None], order[:, None], 0.0)
    return out


def _block(
    first: int,
    last: NDArray[np.int64],
    mean: Floats,
    var: Floats,
    firm: Floats,
    free: Floats,
    without: Floats,
    own: Floats,
) -> pl.DataFrame:
    """One row per item and day, days being the columns of the arrays (all cumulative)."""
    supply = without + own
    low = np.maximum(counts.gamma_quantile(counts.UPPER.index(0.95), mean, var), firm)
    demand = np.maximum(mean, firm)
    arrivals = np.diff(supply, axis=1, prepend=free[:, None])
    stock = lost_sales(supply, demand, firm)
    item, day = np.nonzero(np.arange(mean.shape[1]) < last[:, None])
    figures = {
        "demand_mean": np.diff(demand, axis=1, prepend=0.0),
        "arrivals": arrivals,
        "stock_mean": stock,
        "stock_low": lost_sales(supply, low, firm),
        "stock_without_order": lost_sales(without, demand, firm),
    }
    since = _since(stock, arrivals)
    held = np.hstack([free[:, None], supply])
    asked, spread, promised = (np.hstack([0 * free[:, None], total]) for total in (mean, var, firm))
    begin = (item, since[item, day])
    # What firm orders took or still wait for is not there either.
    there = supply[item, day] - np.where(begin[1] > 0, np.maximum(np.maximum(held[begin], 0.0), promised[begin]), 0.0)
    chance = _chance(there, mean[item, day] - asked[begin], var[item, day] - spread[begin])
    chance = np.where(firm[item, day] - promised[begin] > there + 1e-9, 1.0, chance)
    return pl.DataFrame({"item": item + first, "day": day + 1}).with_columns(
        *(pl.Series(name, value[item, day]) for name, value in figures.items()), pl.Series("p_stockout", chance)
    )


def _since(stock: Floats, arrivals: Floats) -> NDArray[np.intp]:
    """Evening since which demand counts against stock: before the last delivery that met an empty shelf, else today (0)."""
    before = np.hstack([np.ones((len(stock), 1)), stock[:, :-1]])
    day = np.arange(stock.shape[1])
    out: NDArray[np.intp] = np.maximum.accumulate(np.where((arrivals > 0) & (before <= 1e-9), day, 0), axis=1)
    return out


def lost_sales(supply: Floats, asked: Floats, firm: Floats | float = 0.0) -> Floats:
    """Stock at the end of each day, negative = owed. supply: free stock + arrivals so far, asked: demand so far, firm: what of it
    are firm orders, which wait; n x days.

    The recursion in one step: net supply plus what was lost so far, the loss being the running maximum by which net
    supply would have passed the barrier (Skorokhod's reflection). The barrier is zero, or what is still owed.
    """
    net = supply - asked
    lost = np.maximum.accumulate(np.maximum(np.minimum(supply - firm, 0.0) - net, 0.0), axis=1)
    out: Floats = net + lost
    return out


def _chance(supply: Floats, mean: Floats, var: Floats) -> Floats:
    far = (supply - mean) / np.sqrt(np.maximum(var, 1e-12))
    out = np.where(far < 0, 1.0, 0.0)
    near = (np.abs(far) < _FAR) | (mean < 1)
    out[near] = 1 - counts.cdf(supply[near], mean[near], var[near])
    return out
