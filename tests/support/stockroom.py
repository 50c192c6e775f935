"""Small tables of stock and demand, typed as their contracts say."""

from __future__ import annotations

from datetime import date, timedelta
from typing import Any

import numpy as np
import polars as pl
from scipy import stats

from cbec import tables
from cbec.core.cells import dtype
from cbec.tables.demand import LEVELS, QUANTILES

AS_OF = date(2026, 6, 28)  # a Sunday


def table(name: str, rows: list[dict[str, Any]]) -> pl.DataFrame:
    """Rows as the contract types them: absent columns are null or have their default."""
    contract = tables.get(name)
    blank = {c.name: c.default for c in contract.columns}
    schema = {c.name: dtype(c) for c in contract.columns}
    return pl.DataFrame([blank | row for row in rows], schema=schema, orient="row")


def poisson(per_period: float, periods: int, **more: Any) -> list[dict[str, Any]]:
    """Forecast rows of one series with independent Poisson demand per period."""
    return series([stats.poisson(per_period * h) for h in range(1, periods + 1)], **more)


def normal(mean: float, sd: float, periods: int, **more: Any) -> list[dict[str, Any]]:
    """Forecast rows of one series with independent normal demand per period."""
    return series([stats.norm(mean * h, sd * np.sqrt(h)) for h in range(1, periods + 1)], **more)


def series(totals: list[Any], *, frequency: str = "D", start: date | None = None, **more: Any) -> list[dict[str, Any]]:
    """Forecast rows of one series whose totals of periods 1..h have these SciPy distributions."""
    first = start or AS_OF + timedelta(days=1)
    step = {"D": 1, "W": 7}[frequency]
    rows = []
    for h, total in enumerate(totals, 1):
        levels = {f"cum_{q}": max(float(total.ppf(p)), 0.0) for q, p in zip(QUANTILES, LEVELS, strict=True)}
        one = {q: max(float(totals[0].ppf(p)), 0.0) for q, p in zip(QUANTILES, LEVELS, strict=True)}
        mean = float(total.mean())
        rows.append(
            {"sku": "A", "market": "DE", "as_of": AS_OF, "frequency": frequency, "model": "given"}
            | {"date": first + timedelta(days=step * (h - 1)), "h": h, "mean": mean / h, "cum_mean": mean}
            | {"seller_formula": mean / h}
            | one
            | levels
            | more
        )
    return rows


def forecast(*parts: list[dict[str, Any]]) -> pl.DataFrame:
    """The table forecast of several series."""
    return table("forecast", [row for part in parts for row in part])


def stock(*rows: dict[str, Any]) -> pl.DataFrame:
    """The table inventory; SKU A at W1 where a row does not say otherwise."""
    return table("inventory", [{"sku": "A", "warehouse": "W1", "on_hand": 0.0} | r for r in rows or ({},)])


def policy(*rows: dict[str, Any]) -> pl.DataFrame:
    """The table policies; lead time 4 days and review of 1 where a row does not say otherwise."""
    return table("policies", [{"lead_time_days": 4.0, "review_days": 1.0} | r for r in rows or ({},)])


def serves(**shares: float) -> pl.DataFrame:
    """The table coverage of market DE by warehouses and their shares; W1 alone by default."""
    return table("coverage", [{"market": "DE", "warehouse": w, "share": x} for w, x in (shares or {"W1": 1.0}).items()])
