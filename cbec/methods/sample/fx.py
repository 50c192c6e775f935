"""Money due in foreign currencies, the forwards that stand, and the interest rates that make new ones.

Planted: receipts in dollars that payments in dollars nearly cancel (hedging them gross makes a position), a forward
that did just that, and one large order in euros that carries most of the risk.
"""

from __future__ import annotations

from datetime import date, timedelta
from typing import Any

import numpy as np
import polars as pl

from cbec.methods.sample.company import END, START, Company, Family

#: Policy rates when the two years begin, and steps by the month from then (percent per year).
POLICY = {"CNY": 1.8, "EUR": 3.25, "GBP": 4.75, "JPY": 0.25, "USD": 4.75}
TREND = {"CNY": -0.02, "EUR": -0.06, "GBP": -0.05, "JPY": 0.03, "USD": -0.06}
#: Typical payout of the marketplaces, every two weeks, in the currency's own units.
PAYOUTS = {"EUR": 62_000, "GBP": 31_000, "JPY": 6_400_000, "USD": 118_000}
#: Monthly payments: freight and advertising, a supplier of parts who invoices in dollars.
PAYMENTS = {"EUR": (("advertising", 9_000),), "USD": (("freight", 96_000), ("advertising", 41_000), ("parts", 92_000))}
BIG_ORDER = ("AR-EUR-BIG", 1_450_000, 62)  # a chain of shops orders for the season, paid at 62 days
SOLD_GROSS = 200_000  # a forward on dollar receipts, as if nothing went out
MONTHS = 4


def family(company: Company) -> Family:
    """The tables `exposures`, `hedges` and `policy_rates`."""
    rng = company.random("fx")
    rows: list[dict[str, Any]] = []
    for currency, typical in PAYOUTS.items():
        for number in range(2 * MONTHS):
            day = END + timedelta(days=6 + 14 * number)
            amount = _round(typical * float(rng.uniform(0.85, 1.15)), currency)
            known = number < 3  # later payouts rest on sales yet to come
            rows.append(
                {
                    "exposure_id": f"{'PO' if known else 'FC'}-{currency}-{number + 1:02d}",
                    "type": "PAYOUT" if known else "FORECAST",
                    "currency": currency,
                    "amount": amount,
                    "due_date": day,
                    "probability": None if known else round(0.95 - 0.03 * number, 2),
                }
            )
    for currency, kinds in PAYMENTS.items():
        for month in range(MONTHS - 1):
            for name, typical in kinds:
                day = END + timedelta(days=15 + 30 * month)
                amount = -_round(typical * float(rng.uniform(0.97, 1.03)), currency)
                rows.append(_sure(f"AP-{currency}-{name}-{month + 1}", "AP", currency, amount, day))
    rows.append(_sure(BIG_ORDER[0], "AR", "EUR", float(BIG_ORDER[1]), END + timedelta(days=BIG_ORDER[2])))
    rows.append(_sure("AR-GBP-late", "AR", "GBP", 8_400.0, END - timedelta(days=12)))
    rows.append(_sure("AP-CNY-rent", "AP", "CNY", -180_000.0, END + timedelta(days=20)))
    hedges = [
        _forward(
            "FWD-EUR-1",
            "EUR",
            10_000 * int(rng.integers(26, 35)),
            8.0,
            END - timedelta(days=20),
            END + timedelta(days=62),
        ),
        _forward("FWD-USD-1", "USD", SOLD_GROSS, 7.0, END - timedelta(days=35), END + timedelta(days=45)),
        _forward("FWD-GBP-old", "GBP", 40_000, 9.5, END - timedelta(days=90), END - timedelta(days=5)),
    ]
    truths = {
        "dominating_exposure": {"currency": "EUR", "exposure_id": BIG_ORDER[0], "amount": BIG_ORDER[1]},
        "natural_hedge": {"currency": "USD", "note": "payments cover nearly all receipts of the same months"},
        "hedged_gross": {"hedge_id": "FWD-USD-1", "currency": "USD", "amount": SOLD_GROSS},
        "overdue": "AR-GBP-late",
        "hedge_that_is_over": "FWD-GBP-old",
        "home": "CNY",
    }
    tables = {
        "exposures": pl.DataFrame(rows).sort("exposure_id"),
        "hedges": pl.DataFrame(hedges).sort("hedge_id"),
        "policy_rates": _policy(rng),
    }
    return Family(tables, {"fx": truths})


def _round(amount: float, currency: str) -> float:
    return round(amount, -2 if currency == "JPY" else 2)


def _sure(exposure_id: str, kind: str, currency: str, amount: float, day: date) -> dict[str, Any]:
    return {
        "exposure_id": exposure_id,
        "type": kind,
        "currency": currency,
        "amount": amount,
        "due_date": day,
        "probability": None,
    }


def _forward(hedge_id: str, currency: str, amount: int, rate: float, traded: date, due: date) -> dict[str, Any]:
    """Sold forward against the home currency."""
    return {
        "hedge_id": hedge_id, "instrument": "FWD", "trade_date": traded, "value_date": due, "buy_currency": "CNY",
        "buy_amount": float(round(amount * rate, 2)), "sell_currency": currency, "sell_amount": float(amount), "counterparty": "BANK-A",
    }  # fmt: skip


def _policy(rng: np.random.Generator) -> pl.DataFrame:
    """A central bank moves by a quarter of a point, if at all, on the first of a month."""
    rows = []
    months = pl.date_range(START, END, interval="1mo", eager=True).to_list()
    for currency, level in POLICY.items():
        step = 0.05 if currency in {"CNY", "JPY"} else 0.25
        path = level + TREND[currency] * np.arange(len(months)) + 0.1 * np.cumsum(rng.normal(0, 0.3, len(months)))
        held = np.maximum(np.round(path / step) * step, 0.0).round(2)
        changed = np.concatenate([[True], held[1:] != held[:-1]])
        rows += [
            {"date": day, "currency": currency, "rate_pct": float(rate)}
            for day, rate, new in zip(months, held, changed, strict=True)
            if new
        ]
    return pl.DataFrame(rows).sort("date", "currency")
