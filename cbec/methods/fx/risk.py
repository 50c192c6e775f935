"""Joint scenarios of rates, and the value at risk of a set of flows under them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from cbec.core.errors import InputRejected
from cbec.methods.fx.panel import Panel, together
from cbec.methods.fx.spread import AS_IT_WAS, FEWEST, POOL, standardised
from cbec.methods.fx.volatility import WARM, variances

if TYPE_CHECKING:
    from cbec.methods.fx.flows import Flows

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Scenarios:
    """What each row of the flows may do. moves: (scenarios, rows) change of the rate as a share of spot, mean 0;
    chance: (scenarios,) adding up to 1; spot: (rows,) home currency per unit; origins: past days they stand on, the
    first half of the scenarios in their order, the second half mirrored."""

    moves: Floats
    chance: Floats
    spot: Floats
    origins: int


def scenarios(flows: Flows, panel: Panel) -> Scenarios:
    """Past moves of all rates from the same days, scaled to today's volatility.

    From each past day the log changes of every currency over the row's own horizon, divided by the deviation
    expected then and multiplied by that expected now: what happened together stays together, across currencies and
    across horizons. As in `spread`, each past counts 3/4 as it was and 1/4 mirrored. Every column has mean 0, so that
    no direction of a rate is taken for granted.
    Raises InputRejected where a currency has no live series or the fixings in common are too few.
    """
    currencies = flows.currencies
    series = [panel.of(c) for c in currencies]
    days, logs = together(series)
    longest = int(flows.ahead.max())
    last = len(days) - 1
    count = min(last - WARM - longest + 1, POOL)
    if count < FEWEST:
        raise InputRejected(
            f"rates: {len(days)} fixings are common to {', '.join(currencies)}; {WARM + longest + FEWEST} are needed "
            f"for money due {longest} business days ahead",
            hint="give a longer history of rates",
        )
    begin = np.arange(last - longest - count + 1, last - longest + 1)
    columns = []
    column_of = {c: i for i, c in enumerate(currencies)}
    rows = [(column_of[c], int(h)) for c, h in zip(flows.table["currency"].to_list(), flows.ahead, strict=True)]
    scale = {j: variances(logs[:, j], sorted({h for i, h in rows if i == j})) for j in range(len(currencies))}
    for j, h in rows:
        variance = scale[j][h]
        change = logs[begin + h, j] - logs[begin, j]
        columns.append(standardised(change, variance[begin]) * np.sqrt(variance[last]))
    past = np.column_stack(columns)
    chance = np.concatenate([np.full(count, AS_IT_WAS / count), np.full(count, (1 - AS_IT_WAS) / count)])
    moves = np.expm1(np.concatenate([past, -past]))
    mean = chance @ moves
    # Divided, not subtracted: no scenario may take a rate below zero.
    moves = (1 + moves) / (1 + mean) - 1
    spot = np.array([series[j].spot for j, _ in rows])
    return Scenarios(moves, chance, spot, count)


def tail(loss: Floats, chance: Floats, level: float) -> tuple[float, float, Floats]:
    """(VaR, CVaR, weight of each scenario in the tail) of losses with these chances.

    CVaR is the mean of the worst 1 - level of the chance (Rockafellar and Uryasev 2002, with the atom at VaR split),
    so that CVaR = weight @ loss and the weights add up to 1.
    """
    order = np.argsort(-loss, kind="stable")
    reached = np.cumsum(chance[order])
    before = reached - chance[order]
    mass = 1 - level
    share = np.clip((mass - before) / chance[order], 0.0, 1.0) * chance[order] / mass
    weight = np.zeros(len(loss))
    weight[order] = share
    at = int(np.searchsorted(reached, mass - 1e-12))
    return float(loss[order[min(at, len(order) - 1)]]), float(weight @ loss), weight


def losses(open_value: Floats, scenes: Scenarios) -> Floats:
    """(scenarios, rows): loss in home currency of each row's open value (home currency at spot)."""
    made: Floats = -scenes.moves * open_value
    return made


def deviation(loss: Floats, chance: Floats) -> float:
    """Standard deviation."""
    mean = float(chance @ loss)
    return float(np.sqrt(max(float(chance @ (loss - mean) ** 2), 0.0)))
