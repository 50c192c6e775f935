"""The cheapest set of forwards that takes most out of the worst outcomes, within the policy's bands.

min CVaR(loss) + spread + carry where it costs (Rockafellar and Uryasev 2000, a linear program solved by HiGHS), then
whole steps. Points that pay are not counted: a currency's interest is no reason to hold or to sell it. The plan
never has more CVaR than doing nothing.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from datetime import date
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from cbec.core.errors import NoAnswer, UsageFault
from cbec.methods.fx import parity, risk

if TYPE_CHECKING:
    from cbec.methods.fx.flows import Flows

Floats = NDArray[np.float64]

SPOT_LAG = 2  # weekdays between deal and spot; forward points run from there
TINY = 1e-9


@dataclass(frozen=True)
class Terms:
    """What a forward costs, per row. points: forward - spot in home currency per unit; spread: half of bid-ask, same
    unit; step: smallest amount in the row's currency."""

    forward: Floats
    points: Floats
    spread: Floats
    step: Floats


@dataclass(frozen=True)
class Band:
    """Least and most that may be dealt per row, in its currency; `sign`: -1 sell, +1 buy, 0 nothing to do.

    over: the row is hedged beyond the band and comes down to it; rounding may take it on to `reach`, no further.
    """

    low: Floats
    high: Floats
    reach: Floats
    sign: Floats
    over: NDArray[np.bool_]


@dataclass(frozen=True)
class Plan:
    """deal: signed amounts (sold -, bought +); bound: of the linear program; status: in the solver's words;
    forced_back: obeying the band would have raised the CVaR, so that nothing is proposed."""

    deal: Floats
    bound: float
    value: float
    status: str
    forced_back: bool


def ratio(net: Floats, hedged: Floats) -> Floats:
    """Share of the net flow that is hedged; NaN where there is none."""
    made: Floats = np.divide(-hedged, net, out=np.full(len(net), np.nan), where=net != 0)
    return made


def terms(
    flows: Flows,
    spot: Floats,
    interest: parity.Interest,
    as_of: date,
    home: str,
    spread_bp: float,
    spreads: str,
    lot: float,
) -> Terms:
    """Forward by covered interest parity at each value date, spread, and step of 1, 2 or 5 with zeros."""
    own = parity.per_currency(spreads, "spreads")
    if any(v < 0 for v in own.values()):
        raise UsageFault("spreads are not negative")
    start = parity.business_day(as_of, SPOT_LAG)
    home_rate = interest.known(home, as_of)[0]
    forward, spread, step = [], [], []
    for row, s in zip(flows.table.iter_rows(named=True), spot, strict=True):
        code = row["currency"]
        days = max((row["value_date"] - start).days, 0)
        outright = float(parity.forward(float(s), code, home, interest.known(code, as_of)[0], home_rate, days))
        forward.append(outright)
        spread.append(outright * own.get(code, spread_bp) / 1e4)
        step.append(_round_step(lot / float(s)))
    return Terms(np.array(forward), np.array(forward) - spot, np.array(spread), np.array(step))


def _round_step(amount: float) -> float:
    """The largest of 1, 2, 5, 10, ... that is not above `amount`."""
    if amount <= 0:
        return 0.0
    power = 10.0 ** math.floor(math.log10(amount) + 1e-12)
    return power * max((k for k in (1, 2, 5) if k * power <= amount * (1 + 1e-12)), default=1)


def band(flows: Flows, least: float, most: float) -> Band:
    """What may be dealt so that the hedged share ends in [least, most], without unwinding what is already within."""
    if least > most:
        raise UsageFault(f"min_ratio {least:g} is above max_ratio {most:g}")
    net, hedged = flows.column("net"), flows.column("hedged")
    now = np.nan_to_num(ratio(net, hedged))
    over = now > most + TINY
    target = np.clip(now, least, most)
    size = np.where(over, now - target, target - now) * np.abs(net)
    high = np.where(over, size, (most - now) * np.abs(net))
    reach = np.where(over, (now - least) * np.abs(net), high)
    sign = np.where(net == 0, 0.0, np.where(over, np.sign(net), -np.sign(net)))
    return Band(np.maximum(size, 0.0), np.maximum(high, 0.0), np.maximum(reach, 0.0), sign, over)


def costs(deal: Floats, rates: Terms) -> tuple[Floats, Floats]:
    """(carry, spread) per row in home currency of signed deals: selling at a discount costs, buying at one pays."""
    return deal * rates.points, np.abs(deal) * rates.spread


def counted(deal: Floats, rates: Terms) -> float:
    """Spread and what carry costs; carry that pays is not counted."""
    carry, spread = costs(deal, rates)
    return float(spread.sum() + np.maximum(carry, 0).sum())


def solve(flows: Flows, scenes: risk.Scenarios, rates: Terms, allowed: Band, level: float) -> Plan:
    """The plan in whole steps, with the bound of the linear program beside it.

    Raises NoAnswer where the solver gives none (it says why); the bands are boxes, so a plan always exists.
    """
    loss = risk.losses(flows.column("open") * scenes.spot, scenes).sum(axis=1)
    moved = -scenes.moves * (scenes.spot * allowed.sign)
    carry, spread = costs(allowed.sign, rates)
    price = spread + np.maximum(carry, 0)
    still = risk.tail(loss, scenes.chance, level)[1]
    forced_back = False
    amount, bound, status = _program(loss, moved, price, scenes.chance, allowed, level)
    amount = _whole(loss, moved, price, scenes.chance, allowed, level, amount, rates.step)
    if _cvar(loss, moved, amount, scenes.chance, level) > still * (1 + 1e-9) + TINY:
        # The band forces deals here; perhaps others obey it at less risk.
        amount, _, _ = _program(loss, moved, np.zeros_like(price), scenes.chance, allowed, level)
        amount = _whole(loss, moved, np.zeros_like(price), scenes.chance, allowed, level, amount, rates.step)
        if _cvar(loss, moved, amount, scenes.chance, level) > still * (1 + 1e-9) + TINY:
            amount, forced_back = np.zeros_like(amount), True
    value = _cvar(loss, moved, amount, scenes.chance, level) + float(price @ amount)
    return Plan(amount * allowed.sign, bound, value, status, forced_back)


def _cvar(loss: Floats, moved: Floats, amount: Floats, chance: Floats, level: float) -> float:
    return risk.tail(loss + moved @ amount, chance, level)[1]


def _program(
    loss: Floats, moved: Floats, price: Floats, chance: Floats, allowed: Band, level: float
) -> tuple[Floats, float, str]:
    """Variables: amount per row, the VaR, and each scenario's loss beyond it. Scaled so that losses are about 1."""
    from scipy import sparse
    from scipy.optimize import linprog

    rows = len(price)
    scale = max(float(np.abs(loss).max()), float((np.abs(moved) @ allowed.high).max()), TINY)
    size = np.maximum(allowed.high, TINY)
    beyond = sparse.eye_array(len(loss))
    left = sparse.hstack(
        [sparse.csr_array(moved * size / scale), sparse.csr_array(-np.ones((len(loss), 1))), -beyond], format="csr"
    )
    cost = np.concatenate([price * size / scale, [1.0], chance / (1 - level)])
    limits = [(lo / s, hi / s) for lo, hi, s in zip(allowed.low, allowed.high, size, strict=True)]
    limits += [(None, None), *[(0.0, None)] * len(loss)]
    found = linprog(cost, A_ub=left, b_ub=-loss / scale, bounds=limits, method="highs-ds")
    if found.status != 0:
        raise NoAnswer(f"the hedge program has no solution: {found.message}")
    solution, optimum = np.asarray(found.x), float(found.fun or 0.0)
    amount: Floats = np.clip(solution[:rows] * size, allowed.low, allowed.high)
    return amount, optimum * scale, "optimal (HiGHS)"


def _whole(
    loss: Floats,
    moved: Floats,
    price: Floats,
    chance: Floats,
    allowed: Band,
    level: float,
    amount: Floats,
    step: Floats,
) -> Floats:
    """Whole steps near the solution, bettered one step at a time while that lowers CVaR + cost.

    A least amount is rounded up where the most allows it; where the band holds no whole step it stays just below.
    """
    step = np.where(step > 0, step, 1e-2)
    most = np.floor(allowed.high / step + 1e-9)
    least = np.minimum(np.ceil(allowed.low / step - 1e-9), most)
    down = np.ceil(allowed.low / step - 1e-9)
    down = np.where(down * step <= allowed.reach + TINY, down, np.floor(allowed.low / step + 1e-9))
    least, most = np.where(allowed.over, down, least), np.where(allowed.over, down, most)
    count = np.clip(np.floor(amount / step + 0.5), least, most)
    state = loss + moved @ (count * step)
    best = risk.tail(state, chance, level)[1] + float(price @ (count * step))
    for _ in range(20):
        before = best
        for row in np.flatnonzero(most > least):
            for way in (-1.0, 1.0):
                if not least[row] <= count[row] + way <= most[row]:
                    continue
                tried = state + moved[:, row] * (way * step[row])
                value = (
                    risk.tail(tried, chance, level)[1]
                    + float(price @ (count * step))
                    + float(price[row] * way * step[row])
                )
                if value < best - 1e-9 * max(abs(best), 1.0):
                    count[row] += way
                    state, best = tried, value
        if best >= before:
            break
    made: Floats = count * step
    return made
