"""Normal demand: expected shortage, single-period level, periodic review, safety stock, continuous review (r, Q).

Sources: Snyder & Shen, Fundamentals of Supply Chain Theory, ch. 4 and 5; Nahmias, ch. 5; Zheng 1992 for the exact (r, Q).
"""

from __future__ import annotations

from dataclasses import dataclass
from math import erf, exp, inf, pi, sqrt

from scipy import special
from scipy.optimize import brentq

from cbec.core.errors import NoAnswer


def z_of(level: float) -> float:
    """The standard normal quantile."""
    return float(special.ndtri(level))


def cdf(z: float) -> float:
    """The standard normal distribution function."""
    return (1 + erf(z / sqrt(2))) / 2


def density(z: float) -> float:
    """The standard normal density."""
    return exp(-z * z / 2) / sqrt(2 * pi)


def loss(z: float) -> float:
    """E[(Z - z)+]: expected units short per unit of standard deviation."""
    return density(z) - z * float(special.ndtr(-z))


def second_loss(z: float) -> float:
    """Integral of `loss` from z upward, E[((Z - z)+)^2] / 2."""
    return ((z * z + 1) * float(special.ndtr(-z)) - z * density(z)) / 2


def second_short(x: float, mean: float, sd: float) -> float:
    """Integral of `short` from x upward."""
    return sd * sd * second_loss((x - mean) / sd) if sd > 0 else max(mean - x, 0.0) ** 2 / 2


def reached(x: float, mean: float, sd: float) -> float:
    """P(D <= x)."""
    return cdf((x - mean) / sd) if sd > 0 else float(x >= mean)


def z_of_loss(value: float) -> float:
    """The z whose loss is `value`."""
    if value <= 0:
        return inf
    low = -1.0
    while loss(low) < value:
        low *= 2
    return float(brentq(lambda z: loss(z) - value, low, 40.0, xtol=1e-13))


def short(x: float, mean: float, sd: float) -> float:
    """E[(D - x)+]."""
    return sd * loss((x - mean) / sd) if sd > 0 else max(mean - x, 0.0)


@dataclass(frozen=True)
class Level:
    """A stock level and its expected cost per period."""

    level: float
    cost: float


def level_cost(x: float, mean: float, sd: float, over: float, under: float) -> float:
    """Expected overage and underage cost of a level."""
    units = short(x, mean, sd)
    return over * (x - mean + units) + under * units


def newsvendor(mean: float, sd: float, over: float, under: float) -> Level:
    """The level of least expected cost: the quantile under / (under + over). Not cut at zero."""
    x = mean + sd * z_of(under / (under + over))
    return Level(x, level_cost(x, mean, sd, over, under))


def lead_time_sd(demand: float, demand_sd: float, lead: float, lead_sd: float) -> float:
    """Of the demand over a random lead time, independent of it: sqrt(L sd_d^2 + d^2 sd_L^2)."""
    return sqrt(lead * demand_sd**2 + (demand * lead_sd) ** 2)


@dataclass(frozen=True)
class ReorderPoint:
    """Order `quantity` when the position falls to `point`; cost: of a year, where costs were told."""

    quantity: float
    point: float
    cost: float = 0.0


def point_for_fill(quantity: float, mean: float, sd: float, fill: float) -> float:
    """Reorder point for a fill rate; what is short when a cycle begins is neglected: n(r) = (1 - fill) Q."""
    return mean + sd * z_of_loss((1 - fill) * quantity / sd) if sd > 0 else mean - (1 - fill) * quantity


def per_unit_short(
    order_cost: float,
    holding: float,
    penalty: float,
    demand: float,
    mean: float,
    sd: float,
    quantity: float | None = None,
) -> ReorderPoint:
    """(r, Q) with a cost per unit short, whatever its wait (Hadley & Whitin): Q and r in turn until they stay.

    Minimises h (Q/2 + r - mean) + K D/Q + p D n(r)/Q; with `quantity`, over r alone. Raises NoAnswer where a shortage is
    so cheap that no reorder point is the best.
    """
    q = quantity or sqrt(2 * order_cost * demand / holding)
    r = -inf
    for _ in range(10_000):
        share = q * holding / (penalty * demand)
        if share >= 1:
            raise NoAnswer("a unit short costs less than holding one for a cycle: no reorder point is the best")
        before, r = r, mean - sd * z_of(share)
        if quantity is None:
            q = sqrt(2 * demand * (order_cost + penalty * short(r, mean, sd)) / holding)
        if abs(r - before) < 1e-12 * max(1.0, abs(r)):
            break
    return ReorderPoint(q, r, per_unit_short_cost(q, r, order_cost, holding, penalty, demand, mean, sd))


def per_unit_short_cost(
    q: float, r: float, order_cost: float, holding: float, penalty: float, demand: float, mean: float, sd: float
) -> float:
    """The yearly cost that `per_unit_short` minimises."""
    orders = demand / q
    return holding * (q / 2 + r - mean) + orders * (order_cost + penalty * short(r, mean, sd))


def exact_cost(
    q: float, r: float, order_cost: float, holding: float, backorder: float, demand: float, mean: float, sd: float
) -> float:
    """Yearly cost of (r, Q): the position is uniform on r .. r + Q; backorder: money per unit and year of waiting."""
    area = second_short(r, mean, sd) - second_short(r + q, mean, sd)  # of E[(D - y)+] over the position
    stock = (q * q / 2 + q * (r - mean)) + area
    return (order_cost * demand + holding * stock + backorder * area) / q


def exact(
    order_cost: float,
    holding: float,
    backorder: float,
    demand: float,
    mean: float,
    sd: float,
    quantity: float | None = None,
) -> ReorderPoint:
    """The cheapest (r, Q) of `exact_cost`; with `quantity`, the cheapest r.

    At the best r the cost rate of the position is the same at r and at r + Q; at the best Q it equals the cost itself.
    """

    def rate(y: float) -> float:
        return level_cost(y, mean, sd, holding, backorder)

    low = mean + sd * z_of(backorder / (backorder + holding))

    def best_point(q: float) -> float:
        return float(brentq(lambda r: rate(r) - rate(r + q), low - q, low, xtol=1e-11))

    def excess(q: float) -> float:
        r = best_point(q)
        return rate(r) - exact_cost(q, r, order_cost, holding, backorder, demand, mean, sd)

    q = quantity
    if q is None and order_cost * demand <= 0:  # free orders: as small as can be, the position stays at the best
        return ReorderPoint(0.0, low, rate(low))
    if q is None:
        high = sqrt(2 * order_cost * demand * (holding + backorder) / (holding * backorder))
        while excess(high) < 0:
            high *= 1.5
        q = float(brentq(excess, high * 1e-6, high, xtol=1e-9))
    r = best_point(q)
    return ReorderPoint(q, r, exact_cost(q, r, order_cost, holding, backorder, demand, mean, sd))
