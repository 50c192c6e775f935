"""From a target in money to a service level: the critical ratio of the newsvendor, and economic lots.

A unit short costs Cu. A unit left over costs Co: where stock carries over, what holding it until the next order costs;
in a single period, what it loses when it is sold off. The level is the quantile Cu / (Cu + Co). With lots of Q it is
1 - Q h / (Q h + b D), the same ratio with the time of a lot as the period (Hadley & Whitin, lost sales).
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
import polars as pl

from cbec.core.errors import InputRejected
from cbec.methods.forecast.ordercost import DAYS_OF_YEAR

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from cbec.methods.terms import Terms
    from cbec.methods.unitcost import Prices

    Floats = NDArray[np.float64]

#: Levels outside are no answer of a demand forecast.
LOWEST, HIGHEST = 0.01, 0.999


def lots(terms: Terms, prices: Prices, per_day: Floats) -> Floats:
    """The lot Q of each item, in whole packs and at least the MOQ.

    The policy's own, else the economic order quantity of order cost and holding, at least the demand of a review. per_day:
    n, expected units of a day.
    """
    hold = np.maximum(prices.unit_cost * terms.holding_rate, 1e-12)
    with np.errstate(invalid="ignore"):
        economic = np.sqrt(2 * terms.order_cost * per_day * DAYS_OF_YEAR / hold)
    economic = np.maximum(np.nan_to_num(economic), per_day * terms.review)
    size = np.where(np.isnan(terms.lot), economic, terms.lot)
    out: Floats = np.maximum(np.ceil(np.maximum(size, terms.moq) / terms.pack - 1e-9), 1) * terms.pack
    return out


def cycle(terms: Terms, lot: Floats, per_day: Floats) -> Floats:
    """Days between two orders: the review, longer where a lot lasts longer."""
    with np.errstate(divide="ignore", invalid="ignore"):
        lasts = np.where(per_day > 0, lot / per_day, terms.review)
    by_lot = np.isin(terms.policy, ("sS", "sQ", "RsS"))
    least = np.where(terms.continuous, 0.0, terms.review)
    return np.where(by_lot, np.maximum(lasts, least), terms.review)


def by_cost(terms: Terms, prices: Prices, days: Floats, factor: float) -> tuple[Terms, NDArray[np.bool_]]:
    """Terms with the service level of the cost targets, and which of those items lack a cost (their level stays).

    days: n, of `cycle`. factor: how many times a unit short counts, 1 = as it is; `forecast backtest` tunes it. On the ratio itself one
    factor would mean nothing to an item whose ratio is .5 and several times the stock to one whose ratio is .99.
    """
    wanted = np.char.startswith(terms.target, "cost")
    over = prices.unit_cost * np.where(
        terms.target == "cost_single_period", 1 - terms.salvage, terms.holding_rate * days / DAYS_OF_YEAR
    )
    with np.errstate(divide="ignore", invalid="ignore"):
        ratio = prices.shortage * factor / (prices.shortage * factor + over)
    known = wanted & ~np.isnan(ratio)
    level = np.clip(np.where(known, ratio, 0.5), LOWEST, HIGHEST)
    level = np.where(known & (ratio <= 0), 0.0, level)  # being short costs nothing: nothing is bought for it
    return replace(terms, service=np.where(known, level, terms.service)), wanted & ~known


def tuned(record: pl.DataFrame) -> float:
    """The factor in the critical ratio that a replay of the stock chose for the orders of today (table `stock_record`)."""
    chosen = record.filter(pl.col("origin") == "all", pl.col("verdict") == "chosen")
    if chosen.is_empty():
        raise InputRejected(
            "stock_record: no factor is chosen over all origins",
            hint="`cbec forecast backtest --policies ... --write-stock-record FILE` writes it where costs are known, or give --ratio-factor",
        )
    return float(chosen["ratio_factor"][0])
