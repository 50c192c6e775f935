"""What an order is expected to cost over lead time + review, beside the seller formula's order and none at all.

Holding (unit cost x rate x expected stock over time), shortage (units that wait when the order arrives and when the next one
would, x cost of one: who still waits then costs again, as in the newsvendor whose level is the critical ratio), and the cost of
placing an order. Before the order arrives nothing can be changed any more, so that this part is the same for all: firm
orders that come too early for it are short in each.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np

from cbec.methods.forecast import firmdue
from cbec.methods.forecast.firmdue import Due

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from cbec.methods.forecast.orders import Plan
    from cbec.methods.protection import Demand
    from cbec.methods.terms import Stock, Terms
    from cbec.methods.unitcost import Prices

    Floats = NDArray[np.float64]
    Rows = NDArray[np.intp]

#: Moments within the lead time and within the review at which the expected stock is looked at (midpoint rule).
MOMENTS = 3
DAYS_OF_YEAR = 365.0


@dataclass(frozen=True)
class Outcome:
    """Expected figures of one choice of orders, n each: cost (NaN = unknown), its parts of holding and of shortage, and how many
    units are short (each once)."""

    cost: Floats
    holding: Floats
    shortage: Floats
    short: Floats


@dataclass(frozen=True)
class Costing:
    """All that the choices have in common; `of` judges one choice of orders."""

    demand: Demand
    terms: Terms
    held: Stock
    plan: Plan
    prices: Prices
    due: Due = field(default_factory=Due)

    def of(self, order: Floats) -> Outcome:
        """Expected outcome of ordering `order` (n units) today.

        Units short: those short when the order arrives, and those that become short from then until the next could
        arrive; who waits from the one until the other costs twice. A random lead time counts by the two moments of its demand.
        """
        at_lead, before, days = self._until_arrival
        lead, terms = self.plan.lead, self.terms
        review_days, after = self.review(np.arange(len(order)), order)
        still = firmdue.shortage(at_lead + order, lead.mean, lead.var, self.due.before(terms.arrival))
        holding = self.per_day * (days + review_days)
        # A lot that lasts for several reviews is paid for by each of them.
        placing = terms.order_cost * terms.review / self.plan.cycle * (order > 0)
        shortage = self.prices.shortage * (before + after)
        return Outcome(holding + shortage + placing, holding, shortage, before + np.maximum(after - still, 0.0))

    def review(self, rows: Rows, order: Floats) -> tuple[Floats, Floats]:
        """What an order changes: stock times days from its arrival until that of the next one, and units short then.

        order: m or m x K units for the items `rows` (m).
        """
        shape = (-1, *[1] * (order.ndim - 1))
        position, mean, var, due = (
            figure[rows].reshape(shape)
            for figure in (
                self.plan.position,
                self.plan.whole.mean,
                self.plan.whole.var,
                self.due.before(self.terms.lead + self.terms.review),
            )
        )
        after = firmdue.shortage(position + order, mean, var, due)
        return self._stock_days(self.terms.lead, self.terms.review, rows, order), after

    @cached_property
    def _until_arrival(self) -> tuple[Floats, Floats, Floats]:
        """What no order changes any more: stock at the end of the lead time, units short by then, stock times days."""
        at_lead = self.held.free + self.held.coming(self.terms.lead)
        lead, none = self.plan.lead, np.zeros_like(self.held.free)
        short = firmdue.shortage(at_lead, lead.mean, lead.var, self.due.before(self.terms.arrival))
        # A delivery on its way may come too late for firm orders, though it is there before the order.
        short = np.maximum(short, firmdue.early(self.due, self.held, self.terms.arrival).units)
        return at_lead, short, self._stock_days(none, self.terms.lead, np.arange(len(none)), none)

    @property
    def per_day(self) -> Floats:
        """Cost of holding a unit for a day, n."""
        return self.prices.unit_cost * self.terms.holding_rate / DAYS_OF_YEAR

    def _stock_days(self, start: Floats, length: Floats, rows: Rows, order: Floats) -> Floats:
        """start, length: n days. rows, order: see `review`."""
        total = np.zeros_like(order)
        shape = (-1, *[1] * (order.ndim - 1))
        for i in range(MOMENTS):
            at = start + length * (i + 0.5) / MOMENTS
            mean, var = (a.reshape(shape) for a in self.demand.at(at[rows], rows))
            there = (self.held.free + self.held.coming(at))[rows].reshape(shape) + order
            left = firmdue.left_over(there, mean, var, self.due.before(at)[rows].reshape(shape))
            total += length[rows].reshape(shape) / MOMENTS * left
        return total

    def spread(self, ours: Floats, theirs: Floats) -> float:
        """Standard deviation of the summed difference in cost of two choices, items being independent.

        The demand of lead time + review at five points (Gauss-Hermite) of the Wilson-Hilferty gamma; stock left at
        the end stands for the stock of the review.
        """
        z, weight = np.polynomial.hermite_e.hermegauss(5)
        weight = weight / weight.sum()
        mean, var = self.plan.whole.mean, self.plan.whole.var
        due = self.due.before(self.terms.lead + self.terms.review)
        with np.errstate(divide="ignore", invalid="ignore"):
            cv = np.where(mean > 0, np.sqrt(var) / mean, 0.0) / 3
        first, second = np.zeros_like(mean), np.zeros_like(mean)
        for point, w in zip(z, weight, strict=True):
            units = np.maximum(mean * np.maximum(1 - cv**2 + point * cv, 0.0) ** 3, due)
            cost = [
                self.per_day * self.terms.review * np.maximum(stock - units, 0.0)
                + self.prices.shortage * np.maximum(units - stock, 0.0)
                for stock in (self.plan.position + ours, self.plan.position + theirs)
            ]
            first += w * (cost[0] - cost[1])
            second += w * (cost[0] - cost[1]) ** 2
        return float(np.sqrt(np.nansum(np.maximum(second - first**2, 0.0))))
