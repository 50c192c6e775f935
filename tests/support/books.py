"""Small settlements, bank lines and rates for the tests of a reconciliation."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date, timedelta
from decimal import Decimal
from typing import Any

import polars as pl

from cbec.methods.settle.candidates import Window
from cbec.methods.settle.reconcile import Terms

FIRST = date(2026, 3, 2)
TERMS = Terms(Window(2, 10), 30.0, 0.005, 0.95, 4)
SETTLEMENTS = {
    "settlement_id": pl.String, "posted_at": pl.Date, "order_id": pl.String, "type": pl.String, "description": pl.String,
    "amount": pl.Decimal(38, 6), "currency": pl.String, "marketplace": pl.String,
}  # fmt: skip
BANK = {
    "bank_ref": pl.String, "booking_date": pl.Date, "amount": pl.Decimal(38, 6), "currency": pl.String, "text": pl.String,
    "counterparty": pl.String,
}  # fmt: skip


def day(number: int) -> date:
    return FIRST + timedelta(days=number)


def payout(name: str, number: int, amount: str | int, currency: str = "EUR", **more: Any) -> dict[str, Any]:
    row = {"settlement_id": name, "posted_at": day(number), "order_id": None, "type": "payout", "description": None}
    return row | {"amount": Decimal(amount), "currency": currency, "marketplace": "amazon.de"} | more


def line(
    ref: str, number: int, amount: str | int, currency: str = "EUR", text: str | None = "AMAZON EU"
) -> dict[str, Any]:
    row = {"bank_ref": ref, "booking_date": day(number), "amount": Decimal(amount), "currency": currency}
    return row | {"text": text, "counterparty": None}


def settlements(rows: Iterable[dict[str, Any]]) -> pl.DataFrame:
    return pl.DataFrame(list(rows), schema=SETTLEMENTS)


def bank(rows: Iterable[dict[str, Any]]) -> pl.DataFrame:
    return pl.DataFrame(list(rows), schema=BANK)


def history(count: int = 12) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """Payouts paid as they were, from which payer and delay can be learnt."""
    amounts = [Decimal(f"{1000 + 137 * i}.{11 + i}") for i in range(count)]
    return (
        [payout(f"H-2026-{100 + i}", 14 * i, a) for i, a in enumerate(amounts)],
        [line(f"BH{i}", 14 * i + 2, a) for i, a in enumerate(amounts)],
    )


def rates(pairs: dict[tuple[str, str], float], days: int = 400) -> pl.DataFrame:
    rows = [
        {"date": day(d), "base": base, "quote": quote, "rate": rate, "source": "test"}
        for (base, quote), rate in pairs.items()
        for d in range(-20, days)
    ]
    return pl.DataFrame(rows, schema_overrides={"date": pl.Date})
