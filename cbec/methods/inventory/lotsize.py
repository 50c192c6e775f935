"""Lot sizes for known demand by period: Wagner-Whitin, Silver-Meal, least unit cost.

Orders arrive in the period they are placed for, nothing is short, holding is paid on the stock at the end of a period.
Sources: Wagner & Whitin 1958; Silver & Meal 1973; Nahmias, ch. 7.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from numpy.typing import NDArray

    Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Plan:
    """orders: units per period. cost: set-ups, holding and purchase (where unit costs were told) together."""

    orders: Floats
    cost: float

    @property
    def count(self) -> int:
        """Number of orders."""
        return int((self.orders > 0).sum())


def cost(
    orders: Floats,
    demand: Sequence[float] | Floats,
    setup: float | Sequence[float],
    holding: float | Sequence[float],
    unit_cost: float | Sequence[float] = 0.0,
    stock: float = 0.0,
) -> float:
    """Cost of a plan. stock: what was there before the first period, whose holding counts too."""
    need = np.asarray(demand, dtype=np.float64)
    n = len(need)
    left = stock + np.cumsum(orders - need)
    paid = np.broadcast_to(setup, n) * (orders > 0) + np.broadcast_to(unit_cost, n) * orders
    return float((paid + np.broadcast_to(holding, n) * left).sum())


def net(demand: Sequence[float] | Floats, stock: float) -> Floats:
    """Demand that a starting stock does not serve."""
    need = np.asarray(demand, dtype=np.float64)
    left = np.maximum(np.cumsum(need) - stock, 0.0)
    out: Floats = np.diff(left, prepend=0.0)
    return out


def wagner_whitin(
    demand: Sequence[float] | Floats,
    setup: float | Sequence[float],
    holding: float | Sequence[float],
    unit_cost: float | Sequence[float] = 0.0,
) -> Plan:
    """The plan of least cost, by dynamic programming over the period of the last order. Costs: one, or one per period."""
    need = np.asarray(demand, dtype=np.float64)
    n = len(need)
    fixed, hold, price = (np.broadcast_to(np.asarray(x, dtype=np.float64), n) for x in (setup, holding, unit_cost))
    carried = np.concatenate([[0.0], np.cumsum(hold)])
    total = np.concatenate([[0.0], np.cumsum(need)])
    held = np.concatenate([[0.0], np.cumsum(need * carried[:n])])  # of units that would be held from the first period
    best, start = np.zeros(n + 1), np.zeros(n + 1, dtype=np.intp)
    for t in range(1, n + 1):
        if need[t - 1] == 0:
            best[t], start[t] = best[t - 1], -1  # nothing to serve: no order needs to reach this period
            continue
        i = np.arange(t)
        units = total[t] - total[:t]
        tried = best[:t] + fixed[:t] + price[:t] * units + (held[t] - held[:t]) - carried[:t] * units
        start[t] = i[tried.argmin()]
        best[t] = tried.min()
    orders = np.zeros(n)
    t = n
    while t > 0:
        i = start[t]
        if i < 0:
            t -= 1
            continue
        orders[i] = total[t] - total[i]
        t = int(i)
    return Plan(orders, float(best[n]))


def silver_meal(demand: Sequence[float] | Floats, setup: float, holding: float) -> Plan:
    """Lengthen an order while its average cost per period does not rise."""
    return _lengthen(demand, setup, holding, lambda spent, periods, _: spent / periods)


def least_unit_cost(demand: Sequence[float] | Floats, setup: float, holding: float) -> Plan:
    """Lengthen an order while its cost per unit does not rise."""
    return _lengthen(demand, setup, holding, lambda spent, _, units: spent / units)


def part_period(demand: Sequence[float] | Floats, setup: float, holding: float) -> Plan:
    """Lengthen an order while holding costs no more than the set-up (part-period balancing, the period before it does)."""
    return _lengthen(demand, setup, holding, lambda spent, *_: 0.0 if spent <= 2 * setup else 1.0)


def _lengthen(
    demand: Sequence[float] | Floats, setup: float, holding: float, measure: Callable[[float, int, float], float]
) -> Plan:
    """Orders that grow by one period with demand after the other. measure: cost so far, periods covered, units.

    An order covers the periods without demand after its last one too, or many of them would make every order look cheap before
    the next demand is in it, and none would be joined (Silver & Miltenburg 1984).
    """
    need = np.asarray(demand, dtype=np.float64)
    orders = np.zeros(len(need))
    asked = np.flatnonzero(need > 0).tolist()
    until = [*asked[1:], len(need)]
    i = 0
    while i < len(asked):
        t = asked[i]
        spent, units = setup, float(need[t])
        value = measure(spent, until[i] - t, units)
        for j in range(i + 1, len(asked)):
            more = spent + holding * (asked[j] - t) * float(need[asked[j]])
            trial = measure(more, until[j] - t, units + float(need[asked[j]]))
            if trial > value + 1e-12:
                break
            spent, units, value, i = more, units + float(need[asked[j]]), trial, j
        orders[t] = units
        i += 1
    return Plan(orders, cost(orders, need, setup, holding))
