"""How much to buy: (R, S), (R, s, S), (s, S) and (s, Q) from the distribution of demand.

(R, S): every run is a review, and up to S is ordered whenever the position is under it; S is the smallest whole number
that covers the demand of lead time + review with the service level (Silver, Pyke & Peterson), or whose fill rate
reaches the target. The others order when the position is at or under the reorder point s, which covers lead time +
review for (R, s, S) and the lead time alone where stock is looked at all the time: a whole number of lots Q for (s, Q),
up to S = s + Q for the rest. The position counts what is on order; without it everything is ordered twice.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from cbec.methods import counts
from cbec.methods.protection import lead_times

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from numpy.typing import NDArray

    from cbec.methods.forecast.firmlots import Firm
    from cbec.methods.protection import Demand
    from cbec.methods.terms import Stock, Terms

    Floats = NDArray[np.float64]
    Rows = NDArray[np.intp]


@dataclass(frozen=True)
class Interval:
    """Demand of an interval that begins today, n each: level = smallest stock that reaches the service level.

    mixed: mean, variance and weight (m x J) of the lead times of items with a fill rate whose lead time is random; place: n, their
    row in it (-1 = none). lot: units bought at a time.
    """

    level: Floats
    mean: Floats
    var: Floats
    place: Rows
    lot: Floats
    mixed: tuple[Floats, Floats, Floats] | None = None

    def short(self, at: Rows, s: Floats) -> Floats:
        """E[(D - s)+] of the items `at`, mixed over their lead times."""
        out = counts.shortage(s, self.mean[at], self.var[at], self.lot[at])
        some = np.flatnonzero(self.place[at] >= 0)
        if self.mixed is not None and some.size:
            mean, var, weight = (x[self.place[at][some]] for x in self.mixed)
            out[some] = (weight * counts.shortage(s[some, None], mean, var, self.lot[at][some, None])).sum(1)
        return out


def _by_lead_time(terms: Terms) -> Iterator[tuple[Rows, Floats, Floats]]:
    """Items whose lead time is sure, then those of a random one: their numbers, and the days (with weights) that each may take."""
    for rows in (np.flatnonzero(terms.lead_sd <= 0), np.flatnonzero(terms.lead_sd > 0)):
        if rows.size:
            yield rows, *lead_times(terms.lead[rows], terms.lead_sd[rows])


def interval(demand: Demand, terms: Terms, extra: Floats, target: Floats) -> Interval:
    """Demand over lead time + `extra` days, the lead time being random where its sd says so.

    target: service levels; NaN = no level wanted. mean and var are those of the mixture.
    """
    n = len(extra)
    level, mean, var = np.full(n, np.nan), np.zeros(n), np.zeros(n)
    place, mixed = np.full(n, -1), None
    for rows, days, weight in _by_lead_time(terms):
        m, v = demand.at(days + extra[rows, None], rows)
        mean[rows], var[rows] = counts.moments(m, v, weight)
        wanted = np.flatnonzero(~np.isnan(target[rows]))
        few = rows[wanted]
        level[few] = counts.level(target[few], m[wanted], v[wanted], weight[wanted], demand.lot[few])
        filled = np.flatnonzero(~np.isnan(terms.fill[rows]))
        if m.shape[1] > 1 and filled.size:
            place[rows[filled]], mixed = np.arange(filled.size), (m[filled], v[filled], weight[filled])
    return Interval(level, mean, var, place, demand.lot, mixed)


def order_up_to(terms: Terms, lead: Interval, whole: Interval) -> Floats:
    """S of (R, S): the service level's, the fill rate's, or the higher of the two where a policy has both.

    lead: over the lead time; whole: over lead time + review. Fill rate with demand that waits:
    1 - (E[(D(L+R) - S)+] - E[(D(L) - S)+]) / E[D(R)].
    """
    per_review = np.maximum(whole.mean - lead.mean, 0.0)

    def short(at: Rows, s: Floats) -> Floats:
        return whole.short(at, s) - lead.short(at, s)

    return _with_fill(terms, whole, per_review, short)


def reorder_point(terms: Terms, cover: Interval, lot: Floats) -> Floats:
    """s of the policies with lots: by service level, or by fill rate 1 - (n(s) - n(s + Q)) / Q, n being the units short.

    cover: over the time that s has to last.
    """

    def short(at: Rows, s: Floats) -> Floats:
        return cover.short(at, s) - cover.short(at, s + lot[at])

    return _with_fill(terms, cover, lot, short)


def _with_fill(terms: Terms, of: Interval, per_cycle: Floats, short: Callable[[Rows, Floats], Floats]) -> Floats:
    rows = np.flatnonzero(~np.isnan(terms.fill))
    if not rows.size:
        return of.level

    def served(some: Rows, s: Floats) -> Floats:
        at = rows[some]
        out: Floats = 1 - np.maximum(short(at, s), 0) / np.maximum(per_cycle[at], 1e-12)
        return out

    # With no demand in a cycle nothing can be short of it.
    target = np.where((per_cycle[rows] > 0) & (of.mean[rows] > 0), terms.fill[rows], 0.0)
    level = of.level.copy()
    level[rows] = np.fmax(level[rows], counts.smallest(target, served, of.mean[rows], of.var[rows]))
    return level


@dataclass(frozen=True)
class Plan:
    """What is proposed, n each, in units.

    lead: demand of the lead time; cover: of the time that the level has to last; whole: of lead time + review, over
    which costs are counted. cycle: days from this order to the next, the review or as long as a lot lasts.
    """

    lead: Interval
    cover: Interval
    whole: Interval
    reorder_point: Floats
    order_up_to: Floats
    safety: Floats
    position: Floats
    order: Floats
    cycle: Floats


def plan(demand: Demand, terms: Terms, held: Stock, lot: Floats | None = None, cycle: Floats | None = None) -> Plan:
    """Levels, position and order of every item.

    lot, cycle: n, of the policies with lots (see `targets`). Reorder point of (R, S): the level that covers the lead time
    alone with the same service level (where only a fill rate is asked for, with the one that the order-up-to level has).
    Deliveries count in the position when they arrive before the next order would.
    """
    lot = np.maximum(terms.pack, terms.moq) if lot is None else lot
    cycle = terms.review if cycle is None else np.maximum(cycle, terms.review)
    cover = interval(demand, terms, terms.beyond, terms.service)
    lead = interval(demand, terms, np.zeros_like(terms.lead), terms.service)
    whole = interval(demand, terms, terms.review, np.full_like(cycle, np.nan)) if terms.continuous.any() else cover
    by_lot = np.isin(terms.policy, ("sS", "sQ", "RsS"))
    up_to = order_up_to(terms, lead, cover)
    point = lead.level
    alone = np.isnan(terms.service) & ~by_lot
    if alone.any():
        reached = np.clip(counts.cdf(up_to, cover.mean, cover.var, cover.lot), 0.01, 0.9999)
        again = interval(demand, terms, np.zeros_like(terms.lead), np.where(alone, reached, np.nan))
        point = np.where(alone, again.level, point)
    if by_lot.any():
        point = np.where(by_lot, reorder_point(terms, cover, lot), point)
        up_to = np.where(by_lot, point + lot, up_to)
    position = held.free + held.coming(terms.protection)
    due = ~by_lot | (position <= point)
    need = np.where(due, up_to - position, 0.0)
    # (s, Q): the fewest lots that lift the position over s.
    several = (np.floor(np.maximum(point - position, 0.0) / lot + 1e-9) + 1) * lot
    need = np.where((terms.policy == "sQ") & due, several, need)
    need = np.where(by_lot & (whole.mean <= 0), -position, need)  # nothing is asked for: only what is owed
    safety = np.where(by_lot, point, up_to) - cover.mean
    return Plan(lead, cover, whole, point, up_to, safety, position, whole_packs(need, terms), cycle)


def firm(plan: Plan, terms: Terms, lots: Firm) -> tuple[Plan, NDArray[np.bool_]]:
    """The plan with the lots for firm orders in it, and which items have one. Their level is what the lot fills up to."""
    at = lots.item
    order, up_to, point, safety = (a.copy() for a in (plan.order, plan.order_up_to, plan.reorder_point, plan.safety))
    order[at] = in_packs(lots.lot, terms.moq[at], terms.pack[at])
    up_to[at], point[at], safety[at] = plan.position[at] + lots.need, plan.position[at], 0.0
    fixed = np.zeros(len(order), bool)
    fixed[at] = True
    return replace(plan, order=order, order_up_to=up_to, reorder_point=point, safety=safety), fixed


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
    for rows, days, weight in _by_lead_time(terms):
        mean, var = demand.at(days, rows)
        there = np.empty_like(days)
        for j in range(days.shape[1]):
            until = np.full(n, -1.0)
            until[rows] = days[:, j]
            there[:, j] = held.free[rows] + held.coming(until)[rows]
        worst[rows] = (weight * (1 - counts.cdf(there, mean, var, demand.lot[rows, None]))).sum(1)
    within = (held.day > 1) & (held.day <= terms.lead[held.item])
    item, before = held.item[within], (held.day[within] - 1).astype(np.float64)
    if item.size:
        mean, var = demand.at(before, item)
        grid = np.cumsum(held.by_day(int(before.max())), axis=1)
        there = held.free[item] + grid[item, before.astype(np.intp) - 1]
        np.maximum.at(worst, item, 1 - counts.cdf(there, mean, var, demand.lot[item]))
    out: Floats = np.clip(worst, 0.0, 1.0)
    return out
