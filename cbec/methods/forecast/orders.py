"""Periodic review with an order-up-to level, (R, S): how much to buy.

Every run is a review: up to S is ordered whenever the position is under it. S is the smallest whole number that
covers the demand of lead time + review with the service level (Silver, Pyke & Peterson, periodic review), or whose
fill rate reaches the target. The inventory position counts what is on order; without it everything is ordered twice.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from cbec.methods import counts
from cbec.methods.protection import lead_times

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from cbec.methods.protection import Demand
    from cbec.methods.terms import Stock, Terms

    Floats = NDArray[np.float64]
    Rows = NDArray[np.intp]


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
    return in_packs(need, terms.moq, terms.pack)


def in_packs(need: Floats | float, moq: Floats | float, pack: Floats | float) -> Floats:
    """As `whole_packs`. The tolerance of a billionth of a pack keeps decimals exact: 2.1 kg in packs of 0.3 are seven."""
    packs = np.ceil(np.maximum(need, moq) / pack - 1e-9)
    return np.where(np.asarray(need) > 1e-9, packs * pack, 0.0)


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
