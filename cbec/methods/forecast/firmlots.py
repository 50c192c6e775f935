"""Lots for demand that is known: firm orders by due date, netted against stock, cut into lots by Wagner-Whitin or Silver-Meal."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
import polars as pl

from cbec.core.errors import InputRejected
from cbec.methods.forecast.ordercost import DAYS_OF_YEAR
from cbec.methods.forecast.orders import whole_packs
from cbec.methods.inventory import lotsize

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from cbec.methods.forecast.firmdue import Due
    from cbec.methods.forecast.orders import Plan
    from cbec.methods.terms import Stock, Terms
    from cbec.methods.unitcost import Prices

    Floats = NDArray[np.float64]

METHODS = {"wagner_whitin": lotsize.wagner_whitin, "silver_meal": lotsize.silver_meal}
_KEY = ["sku", "warehouse"]


@dataclass(frozen=True)
class Firm:
    """Lots of the items (numbers `item`) that are planned for firm orders, one entry each.

    need: net units due until today's order is used up; lot: units to order today; later, later_day: the next lot and the
    day to order it (NaN = none); cost: of all lots and their holding until the last due date; simple: of an order per
    period that needs one.
    """

    item: NDArray[np.intp]
    need: Floats
    lot: Floats
    later: Floats
    later_day: Floats
    cost: Floats
    simple: Floats


def complete(forecast: pl.DataFrame, items: pl.DataFrame, firm: pl.DataFrame) -> pl.DataFrame:
    """The forecast with series of nothing for what has firm orders alone, so that it is planned too."""
    lost = firm.select(_KEY).unique().join(items, on=_KEY, how="anti").sort(_KEY)
    if lost.is_empty():
        return forecast
    steps = forecast.select("as_of", "frequency", "date", "h").unique().sort("h")
    figures = [c for c, kind in forecast.schema.items() if kind == pl.Float64]
    more = lost.join(steps, how="cross").with_columns(
        *(pl.lit(0.0).alias(c) for c in figures), market=pl.lit("*"), model=pl.lit("firm"), flags=pl.lit("")
    )
    return pl.concat([forecast, more.select(c for c in forecast.columns if c in more.columns)], how="diagonal")


def alone(terms: Terms, items: pl.DataFrame, firm: pl.DataFrame | None, per_day: Floats, prices: Prices) -> Terms:
    """The terms, with lots of least cost for what has firm orders and no other demand: no level of stock serves those.

    per_day: n, expected units of a day. Items whose unit cost is not known keep their policy.
    """
    if firm is None:
        return terms
    asked = items.join(firm.select(_KEY).unique().with_columns(here=True), on=_KEY, how="left", maintain_order="left")
    here = asked["here"].fill_null(False).to_numpy() & (per_day <= 0) & ~np.isnan(prices.unit_cost)
    lots = np.where(here & ~np.isin(terms.policy, list(METHODS)), "wagner_whitin", terms.policy)
    return replace(terms, policy=lots.astype("U20"))


def beside(plan: Plan, due: Due, terms: Terms, lot: Floats) -> tuple[Plan, Floats, Floats]:
    """The plan, its stock at least what firm orders ask for until the next order arrives; n, those units where that raised it;
    n, the units that an order must have for them.

    For items whose policy plans no lots: their firm orders are part of the demand that was forecast (the greater of forecast
    and orders, as MRP consumes forecasts), so that only what stock and order would not hold is news. NaN = not raised.
    Where stock is looked at all the time, the next order may arrive a day after this one. lot: n, of the policy sQ.
    """
    asked = np.where(
        np.isin(terms.policy, list(METHODS)), 0.0, due.before(np.maximum(terms.protection, terms.arrival + 1))
    )
    lacking = np.where(asked > 0, asked - plan.position, 0.0)
    lacking = np.where(terms.policy == "sQ", np.ceil(lacking / lot - 1e-9) * lot, lacking)
    least = whole_packs(lacking, terms)
    order = np.maximum(plan.order, least)
    raised = order > plan.order
    up_to = np.where(raised, np.maximum(plan.order_up_to, asked), plan.order_up_to)
    safety = plan.safety + up_to - plan.order_up_to
    return replace(plan, order=order, order_up_to=up_to, safety=safety), np.where(raised, asked, np.nan), least


def plan(items: pl.DataFrame, due: Due, terms: Terms, held: Stock, prices: Prices) -> Firm:
    """Lots of every item whose policy asks for them.

    Orders can be placed today and every review after; what an order brings is there from its arrival on, so that the
    periods begin at the arrivals. What is due before the first arrival and not in stock is late, and in its lot.
    Raises InputRejected where the cost of holding is not known.
    """
    asked = np.flatnonzero(np.isin(terms.policy, list(METHODS)))
    answers = [_one(int(i), due, items, terms, held, prices) for i in asked]
    columns = np.array(answers, dtype=np.float64).reshape(len(asked), 6).T
    return Firm(asked, *columns)


def _one(i: int, due: Due, items: pl.DataFrame, terms: Terms, held: Stock, prices: Prices) -> tuple[float, ...]:
    own = held.item == i
    day, units = due.day[due.item == i], due.qty[due.item == i]
    if not day.size:
        owed = max(-held.free[i] - held.qty[own].sum(), 0.0)
        return (owed, owed, np.nan, np.nan, terms.order_cost[i] * (owed > 0), terms.order_cost[i] * (owed > 0))
    holding = prices.unit_cost[i] * terms.holding_rate[i] * terms.review[i] / DAYS_OF_YEAR
    if np.isnan(holding):
        name = items.row(i, named=True)
        raise InputRejected(
            f"lots of SKU {name['sku']} at {name['warehouse']} weigh holding against order cost, but its unit cost is not known",
            hint="give unit_cost in products or inventory",
        )
    first, step = float(terms.arrival[i]), terms.review[i]
    count = int(max(np.floor((day.max() - first) / step) + 1, 1))
    ends = first + step * np.arange(1, count + 1)  # the first day of the period after
    asked = np.array([units[day < end].sum() for end in ends])
    there = np.array([held.free[i] + held.qty[own & (held.day < end)].sum() for end in ends])
    net = np.diff(np.maximum.accumulate(np.maximum(asked - there, 0.0)), prepend=0.0)
    lots = METHODS[str(terms.policy[i])](net, float(terms.order_cost[i]), holding)
    simple = terms.order_cost[i] * float((net > 0).sum())
    after = np.flatnonzero(lots.orders[1:] > 0) + 1
    later = (float(lots.orders[after[0]]), float(terms.wait[i] + step * after[0])) if after.size else (np.nan, np.nan)
    return (float(lots.orders[0]), float(lots.orders[0]), *later, lots.cost, simple)
