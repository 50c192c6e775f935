"""Economic order quantities: plain, in packs, with planned backorders, produced in lots, with discounts, ordered jointly.

Sources: Harris 1913; Silver, Pyke & Thomas, Inventory and Production Management, ch. 4 and 10; Nahmias, Production and
Operations Analysis, ch. 4. Demand is constant and known; time is a year, rates are per year, money in any one currency.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from math import ceil, floor, inf, sqrt
from typing import TYPE_CHECKING

import numpy as np

from cbec.core.errors import InputRejected

if TYPE_CHECKING:
    from collections.abc import Sequence


@dataclass(frozen=True)
class Lot:
    """quantity: units per order. cost: of a year. unit_price: paid per unit (of the range that holds for the order)."""

    quantity: float
    cost: float
    unit_price: float = 0.0


def lot_cost(quantity: float, order_cost: float, holding: float, demand: float) -> float:
    """Yearly cost of ordering and holding; holding: money per unit and year."""
    return _ordering(quantity, order_cost, demand) + holding * quantity / 2


def _ordering(quantity: float, order_cost: float, demand: float) -> float:
    """Yearly cost of the orders; that of an order of nothing (where orders are free or nothing is asked) is nothing."""
    return order_cost * demand / quantity if order_cost * demand > 0 else 0.0


def eoq(order_cost: float, holding: float, demand: float, *, pack: float = 0.0, least: float = 0.0) -> Lot:
    """The order of least yearly cost, at least `least` units; with `pack`, a whole number of packs.

    The cost is convex, so the best multiple is one of the two beside the unrounded quantity.
    """
    best = max(sqrt(2 * order_cost * demand / holding), least)
    if pack > 0:
        count = max(1, ceil(least / pack - 1e-9))
        tried = {max(count, floor(best / pack + 1e-9)), max(count, ceil(best / pack - 1e-9))}
        best = min((lot_cost(n * pack, order_cost, holding, demand), n * pack) for n in tried)[1]
    return Lot(best, lot_cost(best, order_cost, holding, demand))


@dataclass(frozen=True)
class Backordered:
    """Units per order, the largest backorder, share of demand that waits, cost of a year."""

    quantity: float
    max_backorder: float
    fraction: float
    cost: float


def backorder_cost(
    quantity: float, waiting: float, order_cost: float, holding: float, backorder: float, demand: float
) -> float:
    """Yearly cost when the stock falls to -`waiting` before each order; backorder: money per unit and year of waiting."""
    stock = (quantity - waiting) ** 2 * holding + waiting**2 * backorder
    return _ordering(quantity, order_cost, demand) + (stock / (2 * quantity) if quantity > 0 else 0.0)


def eoq_backorders(order_cost: float, holding: float, backorder: float, demand: float) -> Backordered:
    """EOQ where all demand waits at a price."""
    fraction = holding / (holding + backorder)
    quantity = sqrt(2 * order_cost * demand / holding / (1 - fraction))
    waiting = quantity * fraction
    cost = backorder_cost(quantity, waiting, order_cost, holding, backorder, demand)
    return Backordered(quantity, waiting, fraction, cost)


@dataclass(frozen=True)
class Batch:
    """Units per run, highest stock of a cycle, length of a run in years, cost of a year."""

    quantity: float
    max_stock: float
    run_years: float
    cost: float


def epq(order_cost: float, holding: float, demand: float, production: float, quantity: float | None = None) -> Batch:
    """Economic production quantity: goods arrive at the rate `production` while the run lasts. Or the cost of a given run.

    Raises InputRejected where no more is produced than is asked: the run would never end.
    """
    if production <= demand:
        raise InputRejected(f"a production of {production:g} a year must be over the demand of {demand:g}")
    rest = 1 - demand / production
    size = quantity or sqrt(2 * order_cost * demand / (holding * rest))
    return Batch(size, size * rest, size / production, _ordering(size, order_cost, demand) + holding * size * rest / 2)


def all_units(order_cost: float, rate: float, demand: float, breaks: Sequence[float], prices: Sequence[float]) -> Lot:
    """All-units discount: the price of the range holds for the whole order.

    rate: holding per year as a share of the price paid. breaks: least quantity of each price, rising.
    """
    best = Lot(0.0, inf)
    for i, (low, price) in enumerate(zip(breaks, prices, strict=True)):
        high = breaks[i + 1] if i + 1 < len(breaks) else inf
        quantity = max(sqrt(2 * order_cost * demand / (rate * price)), low)
        if quantity < high:
            best = _cheaper(best, all_units_cost(quantity, order_cost, rate, demand, breaks, prices))
    return best


def all_units_cost(
    quantity: float, order_cost: float, rate: float, demand: float, breaks: Sequence[float], prices: Sequence[float]
) -> Lot:
    """Yearly cost of a given order, purchase included."""
    price = next(p for low, p in zip(reversed(breaks), reversed(prices), strict=True) if quantity >= low)
    return Lot(quantity, demand * price + lot_cost(quantity, order_cost, rate * price, demand), price)


def incremental(order_cost: float, rate: float, demand: float, breaks: Sequence[float], prices: Sequence[float]) -> Lot:
    """Incremental discount: each price holds only for the units inside its range; unit_price is the average paid."""
    best, paid = Lot(0.0, inf), 0.0
    for i, (low, price) in enumerate(zip(breaks, prices, strict=True)):
        high = breaks[i + 1] if i + 1 < len(breaks) else inf
        fixed = paid - price * low  # an order of q in this range costs fixed + price q
        free = max(
            order_cost + fixed, 0.0
        )  # under 0 where the price has risen: then the range is cheapest at its low end
        quantity = max(sqrt(2 * free * demand / (rate * price)), low)
        if quantity <= high:
            best = _cheaper(best, incremental_cost(quantity, order_cost, rate, demand, breaks, prices))
        paid += price * (high - low) if high < inf else 0.0
    return best


def incremental_cost(
    quantity: float, order_cost: float, rate: float, demand: float, breaks: Sequence[float], prices: Sequence[float]
) -> Lot:
    """Yearly cost of a given order, purchase included."""
    tops = [*breaks[1:], inf]
    paid = sum(p * max(min(quantity, top) - low, 0.0) for low, top, p in zip(breaks, tops, prices, strict=True))
    average = paid / quantity if quantity > 0 else prices[0]
    return Lot(quantity, demand * average + lot_cost(quantity, order_cost, rate * average, demand), average)


def _cheaper(a: Lot, b: Lot) -> Lot:
    return b if b.cost < a.cost - 1e-12 * abs(b.cost) else a


@dataclass(frozen=True)
class Joint:
    """Item i is ordered every multipliers[i] x cycle years."""

    multipliers: list[int]
    cycle: float
    cost: float


def joint(major: float, minors: Sequence[float], values: Sequence[float], rate: float) -> Joint:
    """Joint replenishment to the optimum: a major cost per order, a minor one per item in it.

    values: demand x unit cost per year. Best multipliers change only at known cycles (m (m + 1) = 2 minor / (rate value
    T^2)), and between two of them the cost is convex in T: every such interval that can hold the optimum is looked at.
    Some item is in every order, else the base cycle would be no cycle of orders. Raises InputRejected where an order may be
    free: then there is no shortest cycle.
    """
    if major + min(minors) <= 0:
        raise InputRejected(
            "an order of some item costs nothing: joint replenishment needs a major or a minor set-up cost"
        )
    minor, value = np.asarray(minors, float), rate * np.asarray(values, float)

    def cost(t: float, m: np.ndarray) -> float:
        return float(major / t + (minor / (m * t)).sum() + (value * m * t).sum() / 2)

    def cycle(m: np.ndarray) -> float:
        return float(np.sqrt(2 * (major + (minor / m).sum()) / (value * m).sum()))

    ones = np.ones(len(minor))
    longest = cycle(ones)
    # A shorter base cycle costs more in set-ups of the joint order and of the one item that is in each.
    shortest = (major + minor.min()) / cost(longest, ones)
    edges = [shortest, longest]
    for c, v in zip(minor, value, strict=True):
        m = 1
        while c > 0 and (at := float(np.sqrt(2 * c / (v * m * (m + 1))))) > shortest:
            edges.append(min(at, longest))
            m += 1
    edges = sorted(set(edges))
    best = Joint([1] * len(minor), longest, cost(longest, ones))
    for middle in [(a + b) / 2 for a, b in pairwise(edges)]:
        ideal = np.maximum(1, np.ceil(np.sqrt(0.25 + 2 * minor / (value * middle**2)) - 0.5 - 1e-12))
        choices = (
            [ideal] if ideal.min() == 1 else [np.where(np.arange(len(minor)) == i, 1, ideal) for i in range(len(minor))]
        )
        for chosen in choices:
            found = cost(cycle(chosen), chosen)
            if found < best.cost * (1 - 1e-12):
                best = Joint([int(x) for x in chosen], cycle(chosen), found)
    return best
