"""Policies for counted demand that waits: base stock, (r, Q) and (s, S) of least long-run cost, fill rates.

Sources: Palm's theorem for one-for-one ordering; Federgruen & Zheng 1992 for (r, Q); Zheng & Federgruen 1991 for (s, S).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from cbec.core.errors import InputRejected
from cbec.methods.inventory import counted

if TYPE_CHECKING:
    from collections.abc import Callable

    from cbec.methods.inventory.counted import Floats


def fill_level(lead: Floats, target: float) -> int:
    """The smallest base stock S of one-for-one ordering with P(lead-time demand <= S - 1) >= target."""
    return counted.quantile(lead, target) + 1


def fill_rate(level: float, lead: Floats, whole: Floats) -> float:
    """Of (R, S), demand waiting: 1 - (E[(D(L+R) - S)+] - E[(D(L) - S)+]) / E[D(R)]; 1 where nothing is asked."""
    per_review = counted.mean(whole) - counted.mean(lead)
    if per_review <= 0:
        return 1.0
    return 1 - (counted.short(whole, level) - counted.short(lead, level)) / per_review


def level_for_fill(lead: Floats, whole: Floats, target: float) -> int:
    """The smallest whole S of (R, S) whose fill rate reaches the target."""
    level = 0
    while fill_rate(level, lead, whole) < target - 1e-12:
        level += 1
    return level


def cost_rate(whole: Floats, holding: float, backorder: float) -> Callable[[int], float]:
    """Expected holding and backorder cost per period when the position is y (at the time it is reviewed).

    Raises InputRejected where one of them is free: then no position is the best.
    """
    if holding <= 0 or backorder <= 0:
        raise InputRejected(f"holding ({holding:g}) and waiting ({backorder:g}) must both cost something")
    known: dict[int, float] = {}

    def rate(y: int) -> float:
        if y not in known:
            known[y] = holding * counted.left(whole, y) + backorder * counted.short(whole, y)
        return known[y]

    return rate


@dataclass(frozen=True)
class Policy:
    """low: position at (and under) which is ordered. high: the position after an order. cost: per period, long run."""

    low: int
    high: int
    cost: float


def r_q(rate: Callable[[int], float], start: int, setup: float, quantity: int | None = None) -> Policy:
    """The cheapest (r, Q) for demand of single units, or the cheapest r of a given Q: low = r, high = r + Q, cost per unit of time.

    rate: cost of a position, lowest near `start`. setup: order cost x demand per unit of time. The Q positions
    r + 1 .. r + Q are those of lowest rate; Q grows until one more would cost more than the average.
    """
    best = _lowest(rate, start)
    low, high, total = best - 1, best, setup + rate(best)
    while True:
        down, up = rate(low), rate(high + 1)
        if min(down, up) >= total / (high - low) if quantity is None else high - low >= quantity:
            return Policy(low, high, total / (high - low))
        if down <= up:
            low -= 1
        else:
            high += 1
        total += min(down, up)


def r_q_cost(rate: Callable[[int], float], r: int, q: int, setup: float) -> float:
    """Cost per unit of time of a given (r, Q)."""
    return (setup + sum(rate(y) for y in range(r + 1, r + q + 1))) / q


def r_q_fill_rate(r: int, q: int, lead: Floats) -> float:
    """Of (r, Q), demand of single units that waits: the position is uniform on r + 1 .. r + Q."""
    return float(np.mean([counted.cdf(lead, y - 1) for y in range(r + 1, r + q + 1)]))


def r_for_fill(lead: Floats, q: int, target: float) -> int:
    """The smallest r of (r, Q), from -1 on, whose fill rate reaches the target."""
    r = -1
    while r_q_fill_rate(r, q, lead) < target - 1e-12:
        r += 1
    return r


def _lowest(rate: Callable[[int], float], start: int) -> int:
    y = start
    while rate(y - 1) < rate(y):
        y -= 1
    while rate(y + 1) < rate(y):
        y += 1
    return y


def s_S(pmf: Floats, rate: Callable[[int], float], setup: float) -> Policy:
    """The cheapest (s, S) of periodic review: at position <= s order up to S; demand that waits.

    pmf: demand of a period. rate: cost of the position after ordering. The search of Zheng & Federgruen: the average
    cost c(s, S) = (K + sum_j m(j) G(S - j)) / M(S - s), m being the renewal density of demand.
    """
    renewal = _Renewal(pmf)
    base = _lowest(rate, round(counted.mean(pmf)))

    def cost(s: int, up_to: int) -> float:
        m = renewal.upto(up_to - s)
        return float((setup + sum(m[j] * rate(up_to - j) for j in range(up_to - s))) / m[: up_to - s].sum())

    up_to, s = base, base - 1
    while cost(s, up_to) > rate(s):
        s -= 1
    best, trial = cost(s, up_to), up_to + 1
    while rate(trial) <= best:
        if (now := cost(s, trial)) < best:
            up_to = trial
            while now <= rate(s + 1):
                s += 1
                now = cost(s, up_to)
            best = now
        trial += 1
    return Policy(s, up_to, best)


def s_S_cost(pmf: Floats, rate: Callable[[int], float], setup: float, s: int, up_to: int) -> float:
    """Long-run cost per period of a given (s, S)."""
    m = _Renewal(pmf).upto(up_to - s)
    return float((setup + sum(m[j] * rate(up_to - j) for j in range(up_to - s))) / m[: up_to - s].sum())


class _Renewal:
    """m(j): expected number of periods, demand having summed to j, until it grows on."""

    def __init__(self, pmf: Floats) -> None:
        if pmf[0] >= 1:
            raise InputRejected("demand is always 0: there is nothing to order for")
        self.pmf = pmf
        self.density = np.array([1 / (1 - pmf[0])])

    def upto(self, count: int) -> Floats:
        grown = list(self.density)
        for j in range(len(grown), count):
            reach = min(j, len(self.pmf) - 1)
            past = np.array(grown[j - reach : j])[::-1]
            grown.append(float((self.pmf[1 : reach + 1] * past).sum() / (1 - self.pmf[0])))
        self.density = np.array(grown)
        return self.density
