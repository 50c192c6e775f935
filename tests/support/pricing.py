"""Sales at known prices with known elasticities, day by day; and rows as the contract types them."""

from __future__ import annotations

from datetime import date, timedelta
from typing import Any

import numpy as np
import polars as pl

FIRST = date(2025, 1, 6)  # a Monday
SCHEMA: dict[str, Any] = {
    "date": pl.Date, "sku": pl.String, "market": pl.String, "warehouse": pl.String, "channel": pl.String, "units": pl.Float64,
    "price": pl.Float64, "currency": pl.String, "promo": pl.Boolean, "in_stock": pl.Boolean,
}  # fmt: skip


def sales(
    elasticity: dict[str, float], *, rate: float = 5.0, days: int = 364, cuts: int = 40, discount: float = 0.2, seed: int = 1,
    price: float = 20.0, promo: bool = False, shared: bool = False, zeros: bool = False,
) -> pl.DataFrame:  # fmt: skip
    """Poisson sales of one series per SKU. On `cuts` single days the price is `discount` lower; only days with a sale have
    a row, as in real exports. shared: the cut days are the same for all. promo: cut days are marked. zeros: all rows."""
    rng = np.random.default_rng(seed)
    rows: list[dict[str, Any]] = []
    of_all = rng.choice(days, cuts, replace=False)
    for sku, e in elasticity.items():
        cut = np.zeros(days, dtype=bool)
        cut[of_all if shared else rng.choice(days, cuts, replace=False)] = True
        season = 1 + 0.3 * np.sin(2 * np.pi * np.arange(days) / 364)
        units = rng.poisson(rate * season * np.where(cut, (1 - discount) ** e, 1.0))
        seen = np.flatnonzero(units if not zeros else np.ones(days))
        asked = np.where(cut, price * (1 - discount), price)
        rows += [
            {"date": FIRST + timedelta(days=d), "sku": sku, "market": "DE", "units": float(units[d]), "currency": "EUR"}
            | {"price": float(asked[d]), "promo": bool(cut[d]) if promo else None}
            for d in seen.tolist()
        ]
    return frame(rows)


def frame(rows: list[dict[str, Any]]) -> pl.DataFrame:
    """Rows as the contract `sales` types them."""
    blank = dict.fromkeys(SCHEMA) | {"market": "*"}
    return pl.DataFrame([blank | r for r in rows], schema=SCHEMA, orient="row")


def master(**categories: str) -> pl.DataFrame:
    """The columns of `products` that elasticities are pooled by."""
    return pl.DataFrame(
        {"sku": list(categories), "category": list(categories.values())},
        schema={"sku": pl.String, "category": pl.String},
    )
