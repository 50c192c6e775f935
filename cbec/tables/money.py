"""Rates, settlements, ledgers."""

from __future__ import annotations

from cbec.core.contract import Column, Contract

rates = Contract(
    "rates",
    "Exchange rates: one unit of base costs `rate` units of quote.",
    (
        Column("date", "date", "fixing day", aliases=("日期",)),
        Column("base", "currency", aliases=("基准货币", "currency")),
        Column("quote", "currency", aliases=("计价货币",)),
        Column("rate", "float", "quote per one base", above=0, digits=10, aliases=("汇率",)),
        Column("source", "text", "who fixed it", required=False, null=True, aliases=("来源",)),
    ),
    key=("date", "base", "quote", "source"),
    time="date",
)
