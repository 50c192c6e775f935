"""Payments for the tests: small frames as the contract types them."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

import numpy as np
import polars as pl

from cbec import tables
from cbec.core.cells import dtype

START = datetime(2026, 1, 1)


def table(rows: list[dict[str, Any]], **kinds: Any) -> pl.DataFrame:
    """Rows as `transactions`: hours since START as `at`, everything not told is null or a plain default."""
    contract = tables.get("transactions")
    schema: dict[str, Any] = {
        c.name: pl.Datetime("us") if c.kind == "moment" else dtype(c) for c in contract.columns
    } | kinds
    full = []
    for i, row in enumerate(rows):
        told = {"transaction_id": f"t{i:05d}", "customer_id": "ann", "amount": 10.0} | row
        told["time"] = START + timedelta(hours=float(told.pop("at", i)))
        full.append({name: told.get(name) for name in schema})
    frame = pl.DataFrame(full, schema=schema | {"amount": pl.Float64}, strict=False)
    return frame.with_columns(pl.col("amount").cast(pl.Decimal(38, 6)))


def shop(seed: int = 1, customers: int = 40, payments: int = 3000, days: int = 120) -> pl.DataFrame:
    """A made-up shop: ordinary payments, one in 25 a fraud that shows in amount, place and device."""
    rng = np.random.default_rng(seed)
    who = rng.integers(0, customers, payments)
    at = np.sort(rng.uniform(0, days * 24, payments))
    fraud = rng.random(payments) < 0.04
    amount = np.exp(rng.normal(3 + who / customers, 0.4)) * np.where(fraud, rng.uniform(2, 8, payments), 1)
    odd = fraud & (rng.random(payments) < 0.7)
    rows = [
        {
            "at": float(h),
            "customer_id": f"c{w}",
            "amount": round(float(a), 2),
            "card_id": f"k{w}",
            "device_id": f"d{rng.integers(9999)}" if o else f"d{w}",
            "ip_country": "NG" if o and w % 2 else "DE",
            "billing_country": "DE",
            "merchant_id": f"m{w % 7}",
            "email_domain": "gmail.com" if w % 3 else "web.de",
            "label": "fraud" if f else "genuine",
            "risk_given": float(o) + float(rng.normal()),
        }
        for h, w, a, f, o in zip(at, who, amount, fraud, odd, strict=True)
    ]
    return table(rows, risk_given=pl.Float64)
