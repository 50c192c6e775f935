"""Orders where unmet demand is lost: what is lost before an order arrives needs no units of it.

The position says too little then: of two items with the same position, the one whose shelf will be empty first needs
the smaller order. Demand of each review is drawn by itself, since what is lost is lost: that of the lead time is drawn from its distribution and walked through the deliveries on their
way; the order is a quantile of what the review after its arrival lacks (Zipkin 2008: such myopic policies are within a
few per cent of the optimum).
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from cbec.methods import counts
from cbec.methods.forecast.orders import whole_packs

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from cbec.methods.forecast.orders import Plan
    from cbec.methods.protection import Demand
    from cbec.methods.terms import Stock, Terms

    Floats = NDArray[np.float64]
    Rows = NDArray[np.intp]

#: Draws per item of an order, and per series and period of a replay of the past at least; draws wanted beyond the level asked for, since
#: sixty know nothing of one of 99 %.
DRAWS, REPLAYED, BEYOND = 400, 60, 4.0
_BLOCK = 4096


def replan(demand: Demand, alone: Demand, terms: Terms, held: Stock, plan: Plan, seed: int) -> Plan:
    """The plan with the orders of (R, S) as lost sales have it; the items of other policies and of fill rates keep theirs.

    alone: the same demand with the spread of a single review, from which is drawn: errors that last from one review to the next make
    totals wider than their parts, but what was asked for in vain before an order arrives is no part of what it has to serve.
    The level is the service level. A random lead time adds its part of the variance to the demand of the review.
    """
    order, need = plan.order.copy(), np.maximum(plan.order_up_to - plan.position, 0.0)
    rows = np.flatnonzero((terms.policy == "RS") & ~np.isnan(terms.service))
    for start in range(0, len(rows), _BLOCK):
        here = rows[start : start + _BLOCK]
        rng = np.random.default_rng([seed, start])
        more = plan.whole.var[here] - demand.at(terms.protection[here], here)[1]
        lacks = _lacks(alone, terms, held, here, np.maximum(more, 0.0), rng)
        # The smallest whole order that serves the review with the chance asked for.
        lacks.sort(axis=1)
        need[here] = np.maximum(lacks[np.arange(len(here)), rank(terms.service[here], DRAWS)], 0.0)
    order[rows] = whole_packs(need, terms)[rows]
    # The level that is told is the one which the order fills up to.
    up_to = plan.order_up_to.copy()
    up_to[rows] = np.where(need > 0, plan.position + need, np.minimum(up_to, plan.position))[rows]
    return replace(
        plan,
        order=order,
        order_up_to=up_to,
        safety=np.where(up_to == plan.order_up_to, plan.safety, up_to - plan.cover.mean),
    )


def _lacks(demand: Demand, terms: Terms, held: Stock, rows: Rows, more: Floats, rng: np.random.Generator) -> Floats:
    """rows x DRAWS units that the review after the arrival lacks; negative = left over. more: variance of a random lead time."""
    days, units = _deliveries(terms, held, rows)
    stock = np.repeat(np.maximum(held.free[rows], 0.0)[:, None], DRAWS, axis=1)
    owed = np.minimum(held.free[rows], 0.0)[:, None]  # owed units wait: the first to arrive serve them
    before = np.zeros(len(rows))
    for day, qty in zip(days.T, units.T, strict=True):  # goods are sold on the day they arrive
        until = np.maximum(np.minimum(day - 1, terms.lead[rows]), before)
        stock = np.maximum(stock - _draw(demand, rows, before, until, None, rng), 0.0) + qty[:, None]
        before = until
    stock = np.maximum(stock - _draw(demand, rows, before, terms.lead[rows], None, rng), 0.0) + owed
    coming = (held.coming(terms.protection) - held.coming(terms.lead))[rows]
    asked = _draw(demand, rows, terms.lead[rows], terms.protection[rows], more, rng)
    out: Floats = asked - stock - coming[:, None]
    return out


def _deliveries(terms: Terms, held: Stock, rows: Rows) -> tuple[Floats, Floats]:
    """Days and units of what arrives within the lead time, rows x the most of any; filled up with nothing at its end."""
    at = np.full(len(held.free), -1)
    at[rows] = np.arange(len(rows))
    mine = np.flatnonzero((at[held.item] >= 0) & (held.day <= terms.lead[held.item]))
    mine = mine[np.lexsort((held.day[mine], held.item[mine]))]
    row = at[held.item[mine]]
    number = np.arange(len(mine)) - np.searchsorted(row, row)
    most = int(number.max()) + 1 if len(mine) else 0
    days, units = np.repeat(terms.lead[rows][:, None] + 1, most, axis=1), np.zeros((len(rows), most))
    days[row, number], units[row, number] = held.day[mine], held.qty[mine]
    return days, units


def _draw(
    demand: Demand, rows: Rows, start: Floats, end: Floats, more: Floats | None, rng: np.random.Generator
) -> Floats:
    """rows x DRAWS units of the days after `start` up to `end`."""
    (first, low), (last, high) = demand.at(start, rows), demand.at(end, rows)
    mean = np.maximum(last - first, 0.0)
    return drawn(mean, np.maximum(high - low, 0.0) + (0.0 if more is None else more), DRAWS, rng, demand.lot[rows])


def drawn(mean: Floats, var: Floats, count: int, rng: np.random.Generator, lot: Floats | float = 1.0) -> Floats:
    """n x count units of demands of these means and variances: negative binomial, gamma where many are expected. lot: see `counts.cdf`."""
    mean, var = mean / lot, var / lot**2
    ratio = np.maximum(var / np.maximum(mean, 1e-12), 1.001)
    shape = np.where(mean > 0, mean / (ratio - 1), 1.0)
    rate = rng.gamma(shape[:, None], (ratio - 1)[:, None], (len(mean), count))
    out = rng.poisson(np.where(mean > 0, 1.0, 0.0)[:, None] * np.minimum(rate, 1e15)).astype(np.float64)
    many = mean >= counts.COUNT_MEAN
    if many.any():
        scale = np.maximum(var[many], 1e-12) / mean[many]
        out[many] = np.round(rng.gamma((mean[many] / scale)[:, None], scale[:, None], (int(many.sum()), count)))
    return np.asarray(out * np.asarray(lot).reshape(-1, 1))


def rank(level: Floats, count: int) -> Rows:
    """Which of `count` sorted draws is the smallest that holds the level, n."""
    return np.maximum(np.ceil(level * count - 1e-9).astype(np.intp), 1) - 1


class Replayed:
    """Demand of the periods after an origin by chance, h x m x count: made anew only where the spread is another.

    highest: level for which orders are drawn; it tells how many draws there are.
    """

    def __init__(self, highest: float) -> None:
        self.count = int(np.clip(np.ceil(BEYOND / max(1 - highest, 1e-9) - 1e-9), REPLAYED, DRAWS))
        self.var = np.zeros((0, 0))
        self.units = np.zeros((0, 0, 0))

    def of(self, mean: Floats, var: Floats, lot: Floats) -> Floats:
        """mean, var: m x (h + 1), of the running totals. lot: m, see `counts.cdf`."""
        if not np.array_equal(self.var, var):
            rng = np.random.default_rng(len(var))
            single = (np.maximum(np.diff(a, axis=1), 0.0).T for a in (mean, var))
            self.units = np.stack([drawn(m, v, self.count, rng, lot) for m, v in zip(*single, strict=True)])
            self.var = var
        return self.units


def lacking(draws: Floats, stock: Floats, arriving: Floats, t: int, arrival: Rows, end: Rows, level: Floats) -> Floats:
    """Units that the periods arrival .. end - 1 lack with the chance asked for, seen before period t; what is lost before
    needs none. draws: h x n x count, arriving: n x h, the others n."""
    left, asked = np.repeat(stock[:, None], draws.shape[2], axis=1), np.zeros(draws.shape[1:])
    for p in range(t, int(end.max())):
        net = arriving[:, p, None] - draws[p]
        before = (p < arrival)[:, None]
        left = np.where(before, np.maximum(left + net, 0.0), left)
        asked -= np.where(~before & (p < end)[:, None], net, 0.0)
    lacks = np.sort(asked - left, axis=1)
    out: Floats = lacks[np.arange(len(stock)), rank(level, draws.shape[2])]
    return out
