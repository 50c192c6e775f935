"""Exchange rates of two years: one fixing per weekday, returns that move together, calm and stormy spells."""

from __future__ import annotations

from datetime import timedelta

import numpy as np
import polars as pl

from cbec.methods.sample.company import DAYS, START, Company, Family

LEVEL = {"EUR": 8.2, "GBP": 9.6, "USD": 7.1, "JPY": 0.047}  # mean CNY per unit over the two years
DAILY_SD = (0.0042, 0.0046, 0.0016, 0.0056)
CORRELATION = ((1.0, 0.65, 0.05, 0.35), (0.65, 1.0, 0.05, 0.25), (0.05, 0.05, 1.0, 0.0), (0.35, 0.25, 0.0, 1.0))
PAIRS = (
    ("EUR", "CNY"), ("GBP", "CNY"), ("USD", "CNY"), ("JPY", "CNY"),
    ("EUR", "GBP"), ("EUR", "USD"), ("EUR", "JPY"), ("GBP", "USD"), ("GBP", "JPY"),
)  # fmt: skip
ARCH, GARCH = 0.09, 0.88  # GARCH(1,1) of Bollerslev (1986), its long-run variance is DAILY_SD squared


def family(company: Company) -> Family:
    """The table `rates`. Crosses follow from the CNY rates of the same day, so that no triangle gains."""
    rng = company.random("rates")
    days = [d for d in (START + timedelta(days=i) for i in range(DAYS)) if d.weekday() < 5]
    shock = rng.normal(0, 1, (len(days), 4)) @ np.linalg.cholesky(np.array(CORRELATION)).T
    target = np.array(DAILY_SD) ** 2
    variance, returns = target.copy(), np.zeros((len(days), 4))
    for t in range(1, len(days)):
        variance = (1 - ARCH - GARCH) * target + ARCH * returns[t - 1] ** 2 + GARCH * variance
        returns[t] = np.sqrt(variance) * shock[t]
    path = np.cumsum(returns, axis=0)
    cny = dict(zip(LEVEL, (np.exp(path - path.mean(axis=0)) * np.array(list(LEVEL.values()))).T, strict=True))
    cny["CNY"] = np.ones(len(days))
    frames = [
        pl.DataFrame({"date": days, "rate": (cny[base] / cny[quote]).round(6 if base == "JPY" else 4)}).with_columns(
            base=pl.lit(base), quote=pl.lit(quote)
        )
        for base, quote in PAIRS
    ]
    rates = pl.concat(frames).select("date", "base", "quote", "rate", pl.lit("sample").alias("source"))
    truths = {
        "daily_sd": dict(zip(LEVEL, DAILY_SD, strict=True)),
        "correlation": {"currencies": list(LEVEL), "matrix": [list(row) for row in CORRELATION]},
        "garch": {"arch": ARCH, "garch": GARCH},
        "home": "CNY",
    }
    return Family({"rates": rates.sort("date", "base", "quote", "source")}, {"rates": truths})
