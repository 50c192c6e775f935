"""Periodic review with an order-up-to level, (R, S): which terms hold, what is in stock and on order, how much to buy.

Every run is a review: up to S is ordered whenever the position is under it. S is the smallest whole number that
covers the demand of lead time + review with the service level (Silver, Pyke & Peterson, periodic review), or whose
fill rate reaches the target. The inventory position counts what is on order; without it everything is ordered twice.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import polars as pl

from cbec.core.errors import InputRejected
from cbec.methods.forecast import counts
from cbec.methods.forecast.protection import lead_times

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from cbec.methods.forecast.protection import Clock, Demand

    Floats = NDArray[np.float64]
    Rows = NDArray[np.intp]

#: Words of `inbound.status` that say the goods are not on their way (any more).
NOT_COMING = (
    "received",
    "arrived",
    "closed",
    "completed",
    "cancelled",
    "canceled",
    "已收货",
    "已到货",
    "已入库",
    "已完成",
    "已取消",
    "取消",
)


@dataclass(frozen=True)
class Terms:
    """The policy of each item, n each. service: level of the cycle. fill: NaN = no target. shortage: NaN = not told."""

    lead: Floats
    lead_sd: Floats
    review: Floats
    moq: Floats
    pack: Floats
    service: Floats
    fill: Floats
    holding_rate: Floats
    shortage: Floats
    order_cost: Floats

    @property
    def protection(self) -> Floats:
        """Days that an order has to last: until the next one arrives."""
        return self.lead + self.review

    @property
    def needed(self) -> Floats:
        """Days of forecast needed: protection, and two deviations of a random lead time."""
        return self.protection + 2 * self.lead_sd

    @property
    def spread_level(self) -> Floats:
        """The level at which the spread of demand is read: the service level, 0.95 where only a fill rate is asked for."""
        return np.where(np.isnan(self.service), 0.95, self.service)

    @property
    def arrival(self) -> NDArray[np.int64]:
        """Days until an order of today is on the shelf, whole."""
        return np.ceil(self.lead - 1e-9).astype(np.int64)


def choose(
    items: pl.DataFrame,
    policies: pl.DataFrame,
    suppliers: pl.DataFrame | None,
    *,
    service_level: float,
    review_days: float,
    holding_rate: float,
) -> Terms:
    """The most specific row of `policies` for each item: SKU and warehouse > SKU > supplier and warehouse > supplier > warehouse > any.

    The row holds as a whole; its empty cells mean the settings, not a less specific row. suppliers: sku, supplier_id.
    Raises InputRejected naming an item that no row fits.
    """
    keys = ("sku", "warehouse", "supplier_id")
    if suppliers is None:
        named = items.with_columns(pl.lit(None, pl.String).alias("supplier_id"))
    else:
        named = items.join(suppliers.select("sku", "supplier_id"), on="sku", how="left", maintain_order="left")
    policies = policies.sort(keys, nulls_last=True).with_row_index("row")
    row = pl.repeat(None, items.height, dtype=pl.UInt32, eager=True)
    for weight in range(7, -1, -1):  # sku 4 + supplier 2 + warehouse 1
        on = [k for k, bit in zip(keys, (4, 1, 2), strict=True) if weight & bit]
        fitting = policies.filter(*(pl.col(k).is_not_null() if k in on else pl.col(k).is_null() for k in keys))
        if fitting.is_empty():
            continue
        if on:
            fitting = fitting.unique(on, keep="first", maintain_order=True)
            found = named.join(fitting.select(*on, "row"), on=on, how="left", maintain_order="left")["row"]
        else:
            found = pl.repeat(fitting["row"][0], items.height, dtype=pl.UInt32, eager=True)
        row = row.zip_with(row.is_not_null(), found)
    if row.null_count():
        lost = items.filter(row.is_null())
        raise InputRejected(
            f"policies: no row fits SKU {lost['sku'][0]} at {lost['warehouse'][0]} ({lost.height} of {items.height} items)",
            hint="add a row with sku, warehouse and supplier_id empty: it holds where no other does",
        )
    held = policies[row.to_numpy()]

    def cells(name: str, empty: float) -> Floats:
        return held[name].cast(pl.Float64).fill_null(empty).to_numpy()

    fill, service = cells("fill_rate", np.nan), cells("service_level", np.nan)
    return Terms(
        lead=cells("lead_time_days", 0.0),
        lead_sd=cells("lead_time_sd_days", 0.0),
        review=cells("review_days", review_days),
        moq=cells("moq", 0.0),
        pack=cells("pack_size", 1.0),
        # A fill rate alone is a target of its own; without either the setting holds.
        service=np.where(np.isnan(service) & np.isnan(fill), service_level, service),
        fill=fill,
        holding_rate=cells("holding_rate", holding_rate),
        shortage=cells("shortage_cost", np.nan),
        order_cost=cells("order_cost", 0.0),
    )


@dataclass(frozen=True)
class Stock:
    """What n items have and expect.

    free: on hand less reserved (negative = owed). listed: whether the inventory has a row. item, day, qty: one entry
    per delivery on its way, `day` counted from today, overdue ones moved to day 1. overdue: one flag per delivery.
    """

    on_hand: Floats
    free: Floats
    listed: NDArray[np.bool_]
    item: Rows
    day: NDArray[np.int64]
    qty: Floats
    overdue: NDArray[np.bool_]
    not_coming: int

    def coming(self, days: Floats) -> Floats:
        """Units that arrive within `days` (n) days."""
        counted = np.where(self.day <= days[self.item], self.qty, 0.0)
        return np.bincount(self.item, weights=counted, minlength=len(self.free)).astype(np.float64)

    def by_day(self, last: int, rows: slice = slice(None)) -> Floats:
        """Arrivals on the days 1..last, items of `rows` x last."""
        first, end, _ = rows.indices(len(self.free))
        keep = (self.item >= first) & (self.item < end) & (self.day <= last)
        out = np.zeros((end - first, last))
        np.add.at(out, (self.item[keep] - first, self.day[keep] - 1), self.qty[keep])
        return out


def stock(items: pl.DataFrame, inventory: pl.DataFrame, inbound: pl.DataFrame | None, clock: Clock) -> Stock:
    """Stock of the items, in their order. Items without an inventory row have none."""
    key = ["sku", "warehouse"]
    held = items.join(inventory.select(*key, "on_hand", "reserved"), on=key, how="left", maintain_order="left")
    on_hand = held["on_hand"].fill_null(0.0).to_numpy()
    none = np.zeros(0)
    item, day, qty, dropped = none.astype(np.intp), none.astype(np.int64), none, 0
    if inbound is not None:
        status = pl.col("status").str.strip_chars().str.to_lowercase().is_in(NOT_COMING)
        coming = inbound.filter(~status.fill_null(False))
        dropped = inbound.height - coming.height
        order = items.with_row_index("item")
        coming = coming.join(order, on=key, how="inner").sort("item", "arrival_date", "qty")
        item, qty = coming["item"].to_numpy().astype(np.intp), coming["qty"].to_numpy()
        day = clock.offset(coming["arrival_date"]).astype(np.int64)
    return Stock(
        on_hand,
        on_hand - held["reserved"].fill_null(0.0).to_numpy(),
        held["on_hand"].is_not_null().to_numpy(),
        item,
        np.maximum(day, 1),
        qty,
        day <= 0,
        dropped,
    )


@dataclass(frozen=True)
class Interval:
    """Demand of an interval that begins today, n each: level = smallest stock that reaches the service level."""

    level: Floats
    mean: Floats
    var: Floats


def interval(demand: Demand, terms: Terms, extra: Floats, target: Floats) -> Interval:
    """Demand over lead time + `extra` days, the lead time being random where its sd says so.

    target: service levels; NaN = no level wanted. mean and var are those of the mixture.
    """
    n = len(extra)
    level, mean, var = np.full(n, np.nan), np.zeros(n), np.zeros(n)
    for rows in (np.flatnonzero(terms.lead_sd <= 0), np.flatnonzero(terms.lead_sd > 0)):
        if not rows.size:
            continue
        days, weight = lead_times(terms.lead[rows], terms.lead_sd[rows])
        m, v = demand.at(days + extra[rows, None], rows)
        mean[rows], var[rows] = counts.moments(m, v, weight)
        wanted = np.flatnonzero(~np.isnan(target[rows]))
        level[rows[wanted]] = counts.level(target[rows][wanted], m[wanted], v[wanted], weight[wanted])
    return Interval(level, mean, var)


def order_up_to(terms: Terms, lead: Interval, whole: Interval) -> Floats:
    """S per item: the service level's, the fill rate's, or the higher of the two where a policy has both.

    lead: over the lead time; whole: over lead time + review. Fill rate of (R, S) with demand that waits:
    1 - (E[(D(L+R) - S)+] - E[(D(L) - S)+]) / E[D(R)]. A random lead time counts there by its two moments.
    """
    level = whole.level
    rows = np.flatnonzero(~np.isnan(terms.fill))
    if not rows.size:
        return level
    per_review = np.maximum(whole.mean - lead.mean, 1e-12)

    def served(some: Rows, s: Floats) -> Floats:
        at = rows[some]
        short = counts.shortage(s, whole.mean[at], whole.var[at]) - counts.shortage(s, lead.mean[at], lead.var[at])
        out: Floats = 1 - np.maximum(short, 0) / per_review[at]
        return out

    # With no demand in the review nothing can be short of it.
    target = np.where(whole.mean[rows] - lead.mean[rows] > 0, terms.fill[rows], 0.0)
    by_fill = counts.smallest(target, served, whole.mean[rows], whole.var[rows])
    level = level.copy()
    level[rows] = np.fmax(level[rows], by_fill)
    return level


@dataclass(frozen=True)
class Plan:
    """What is proposed, n each, in units. mean: demand of lead time + review."""

    lead: Interval
    whole: Interval
    reorder_point: Floats
    order_up_to: Floats
    position: Floats
    order: Floats


def plan(demand: Demand, terms: Terms, held: Stock) -> Plan:
    """Levels, position and order of every item.

    Reorder point: the level that covers the lead time alone with the same service level (where only a fill rate is
    asked for, with the one that the order-up-to level has). Deliveries count in the position when they arrive before
    the next order would.
    """
    whole = interval(demand, terms, terms.review, terms.service)
    lead = interval(demand, terms, np.zeros_like(terms.lead), terms.service)
    up_to = order_up_to(terms, lead, whole)
    reorder = lead.level
    alone = np.isnan(terms.service)
    if alone.any():
        reached = np.clip(counts.cdf(up_to, whole.mean, whole.var), 0.01, 0.9999)
        again = interval(demand, terms, np.zeros_like(terms.lead), np.where(alone, reached, np.nan))
        reorder = np.where(alone, again.level, reorder)
    position = held.free + held.coming(terms.protection)
    return Plan(lead, whole, reorder, up_to, position, whole_packs(up_to - position, terms))


def whole_packs(need: Floats, terms: Terms) -> Floats:
    """The order for a need: nothing, or at least the MOQ, in whole packs."""
    packs = np.ceil(np.maximum(need, terms.moq) / terms.pack - 1e-9)
    return np.where(need > 1e-9, packs * terms.pack, 0.0)


def stock_out_chance(demand: Demand, terms: Terms, held: Stock) -> Floats:
    """The chance that stock runs out before an order of today could arrive.

    Asked at the end of the lead time (mixed over it) and on the evening before each delivery within it; the highest
    of these, which is a lower bound of the chance of running out at any moment.
    """
    n = len(held.free)
    worst = np.zeros(n)
    for rows in (np.flatnonzero(terms.lead_sd <= 0), np.flatnonzero(terms.lead_sd > 0)):
        if not rows.size:
            continue
        days, weight = lead_times(terms.lead[rows], terms.lead_sd[rows])
        mean, var = demand.at(days, rows)
        there = np.empty_like(days)
        for j in range(days.shape[1]):
            until = np.full(n, -1.0)
            until[rows] = days[:, j]
            there[:, j] = held.free[rows] + held.coming(until)[rows]
        worst[rows] = (weight * (1 - counts.cdf(there, mean, var))).sum(1)
    within = (held.day > 1) & (held.day <= terms.lead[held.item])
    item, before = held.item[within], (held.day[within] - 1).astype(np.float64)
    if item.size:
        mean, var = demand.at(before, item)
        grid = np.cumsum(held.by_day(int(before.max())), axis=1)
        there = held.free[item] + grid[item, before.astype(np.intp) - 1]
        np.maximum.at(worst, item, 1 - counts.cdf(there, mean, var))
    out: Floats = np.clip(worst, 0.0, 1.0)
    return out
