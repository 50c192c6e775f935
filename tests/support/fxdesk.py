"""Small tables of rates and of money due, typed as their contracts say."""

from __future__ import annotations

from datetime import date, timedelta
from typing import Any

import numpy as np
import polars as pl

from support.stockroom import table

LAST = date(2026, 6, 26)  # a Friday


def weekdays(count: int, last: date = LAST) -> list[date]:
    """So many weekdays up to `last`."""
    days: list[date] = []
    day = last
    while len(days) < count:
        if day.weekday() < 5:
            days.append(day)
        day -= timedelta(days=1)
    return days[::-1]


def paths(count: int, *, seed: int = 1, sd: float = 0.005, names: tuple[str, ...] = ("EUR", "USD")) -> dict[str, Any]:
    """Log random walks by currency, with a common factor."""
    rng = np.random.default_rng(seed)
    common = rng.normal(0, sd, count)
    return {n: np.cumsum(0.6 * common + 0.8 * rng.normal(0, sd, count)) for n in names}


def rates(logs: dict[str, Any], *, quote: str = "CNY", level: float = 8.0, last: date = LAST) -> pl.DataFrame:
    """The table rates: base -> log rates, one per weekday up to `last`."""
    rows = []
    for base, path in logs.items():
        for day, value in zip(weekdays(len(path), last), path, strict=True):
            rows.append(
                {"date": day, "base": base, "quote": quote, "rate": level * float(np.exp(value)), "source": "test"}
            )
    return table("rates", rows)


def due(*rows: dict[str, Any]) -> pl.DataFrame:
    """The table exposures; a receivable of 100,000 EUR in 30 days where a row does not say otherwise."""
    base = {"type": "AR", "currency": "EUR", "amount": 100_000, "due_date": LAST + timedelta(days=30)}
    return table("exposures", [base | {"exposure_id": f"E{i}"} | row for i, row in enumerate(rows or ({},))])


def sold(*rows: dict[str, Any]) -> pl.DataFrame:
    """The table hedges; 40,000 EUR sold forward for 30 days where a row does not say otherwise."""
    base = {
        "value_date": LAST + timedelta(days=30), "buy_currency": "CNY", "buy_amount": 320_000, "sell_currency": "EUR", "sell_amount": 40_000,
    }  # fmt: skip
    return table("hedges", [base | {"hedge_id": f"H{i}"} | row for i, row in enumerate(rows or ({},))])


def interest(**rates_pct: float) -> pl.DataFrame:
    """The table policy_rates, all from one day on."""
    day = LAST - timedelta(days=200)
    return table("policy_rates", [{"date": day, "currency": c, "rate_pct": r} for c, r in rates_pct.items()])
