"""Expected total logistics cost of every way, their order, and what each is best at.

total = freight + surcharges + handling + capital + lateness + loss, all expected values in the home currency:
capital = goods value x rate x E[days from ready to arrival] / 365; lateness = cost of a day late x E[(arrival - due)+];
loss = goods value x chance of loss (Baumol & Vinod 1970 for the inventory-theoretic form; safety stock is not counted
here). A shipment is on time when it is there by the end of its due date; days late count from that moment. Departures
are at noon of their day on average.
"""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from cbec.methods.route import spread
from cbec.methods.route.paths import NOON, Ways

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from cbec.methods.route.world import Ships, World

    Ints = NDArray[np.int64]
    Floats = NDArray[np.float64]
    Bools = NDArray[np.bool_]

_NO_LIMIT = 1e7  # days; a shipment without a due date is never late


@dataclass(frozen=True)
class Costed:
    """Costs of ways, per entry of `ways`. p_on_time: NaN without a due date; co2e: kg, NaN where unknown; var: variance of
    what the arrival makes of the cost (capital and lateness); rank: 1 = lowest total of its shipment; cheapest: lowest outlay
    (freight, surcharges, handling); punctual: lowest outlay among those whose mean arrival meets the due date, else fastest."""

    ways: Ways
    capital: Floats
    late: Floats
    loss: Floats
    total: Floats
    outlay: Floats
    p_on_time: Floats
    co2e: Floats
    var: Floats
    rank: Ints
    cheapest: Bools
    punctual: Bools
    fastest: Bools
    greenest: Bools

    def take(self, which: Bools) -> Costed:
        """Some of them."""
        rest = (getattr(self, name)[which] for name in self.__dataclass_fields__ if name != "ways")
        return Costed(self.ways.take(which), *rest)


def cost(world: World, ships: Ships, ways: Ways) -> Costed:
    """Cost and rank the ways, in order of shipment and rank."""
    s, second = ways.shipment, ways.second >= 0
    # To the cent, part by part, so that a row adds up as it is printed.
    ways = dataclasses.replace(ways, **{f: getattr(ways, f).round(2) for f in ("freight", "surcharge", "handling")})
    days = ways.depart - ships.available[s] + ways.mean
    capital = (ships.per_day[s] * days).round(2)
    limit = np.where(np.isnan(ships.due[s]), _NO_LIMIT, ships.due[s] - ways.depart + NOON)
    late_days, late_squared = spread.over(limit, ways.mean, ways.var)
    late = (ships.late[s] * late_days).round(2)
    survives = (1 - world.loss[ways.first]) * np.where(second, 1 - world.loss[ways.second], 1.0)
    loss = (ships.value[s] * (1 - survives)).round(2)
    outlay = (ways.freight + ways.surcharge + ways.handling).round(2)
    total = (outlay + capital + late + loss).round(2)
    p = np.where(np.isnan(ships.due[s]), np.nan, spread.below(limit, ways.mean, ways.var))
    per_tonne = world.per_tonne[ways.first] + np.where(second, world.per_tonne[ways.second], 0.0)
    co2e = ships.goods.weight[s] / 1000 * per_tonne
    var = _variance(ships.per_day[s], ships.late[s], ways, limit, late_days, late_squared)
    arrive = ways.depart + ways.mean
    order = np.lexsort((ways.second, ways.first, arrive.round(6), total, s))
    rank = np.arange(len(s)) - np.maximum.accumulate(np.where(np.diff(s[order], prepend=-1) != 0, np.arange(len(s)), 0))
    ways, s, arrive = ways.take(order), s[order], arrive[order]
    outlay, co2e = outlay[order], co2e[order]
    cheapest, fastest = _least(s, outlay), _least(s, arrive.round(6))
    meets = ~(np.floor(arrive + NOON) > ships.due[s])
    served = np.zeros(len(ships.due), dtype=np.bool_)
    served[s[meets]] = True
    return Costed(
        ways=ways,
        capital=capital[order],
        late=late[order],
        loss=loss[order],
        total=total[order],
        outlay=outlay,
        p_on_time=p[order],
        co2e=co2e,
        var=var[order],
        rank=rank + 1,
        cheapest=cheapest,
        punctual=_least(s, np.where(meets, outlay, np.nan)) | (fastest & ~served[s]),
        fastest=fastest,
        greenest=_least(s, co2e.round(6)),
    )


def _variance(
    per_day: Floats, per_day_late: Floats, ways: Ways, limit: Floats, late: Floats, late_squared: Floats
) -> Floats:
    """Variance of per_day x T + per_day_late x (T - limit)+. E[T (T-l)+] = E[((T-l)+)^2] + l E[(T-l)+]."""
    together = late_squared + np.where(limit < _NO_LIMIT, limit, 0.0) * late - ways.mean * late
    spread_late = np.maximum(late_squared - late**2, 0.0)
    var = per_day**2 * ways.var + per_day_late**2 * spread_late + 2 * per_day * per_day_late * together
    return np.maximum(var, 0.0)


def _least(shipment: Ints, value: Floats) -> Bools:
    """The entry with the least value of each shipment, the first of equal ones (they stand in order of total cost)."""
    marked = np.zeros(len(shipment), dtype=np.bool_)
    known = np.flatnonzero(~np.isnan(value))
    order = known[np.lexsort((known, value[known], shipment[known]))]
    marked[order[np.diff(shipment[order], prepend=-1) != 0]] = True
    return marked


def keep(costed: Costed, most: int) -> Costed:
    """The first `most` ways of each shipment, and those that are best at something."""
    best = costed.cheapest | costed.punctual | costed.fastest | costed.greenest
    return costed.take((costed.rank <= most) | best)


def dominated(costed: Costed) -> Bools:
    """Ways that another one of the shipment matches or beats in total cost, time and emissions, and beats in one of them.

    Unknown emissions are compared with nothing. Only ways before in rank can dominate.
    """
    w = costed.ways
    total, arrive, co2e = costed.total, (w.depart + w.mean).round(6), costed.co2e.round(6)
    marked = np.zeros(len(total), dtype=np.bool_)
    n, back = len(total), 1
    # Compared with the entry `back` places before, as long as any shipment has that many.
    while back < n:
        here, there = slice(back, None), slice(None, -back)
        same = w.shipment[here] == w.shipment[there]
        if not same.any():
            break
        no_worse = (total[there] <= total[here]) & (arrive[there] <= arrive[here]) & (co2e[there] <= co2e[here])
        better = (total[there] < total[here]) | (arrive[there] < arrive[here]) | (co2e[there] < co2e[here])
        marked[here] |= same & no_worse & better
        back += 1
    return marked
