"""What the runner does with a result before it is written."""

from __future__ import annotations

from datetime import date

import polars as pl
from support.books import rates

from cbec.core.command import Common, Finding
from cbec.core.runner import _at_home

DAY = date(2026, 3, 9)


def finding(money: float | None, currency: str | None) -> Finding:
    return Finding("f", "high", "e", "rule", "message", money, currency)


def test_findings_are_ranked_in_one_currency() -> None:
    told = [finding(1000.0, "JPY"), finding(10.0, "USD"), finding(None, None), finding(3.0, "CNY"), finding(7.0, "CHF")]
    fixings = rates({("JPY", "CNY"): 0.05, ("USD", "CNY"): 7.0}, 60)
    home = _at_home(told, fixings, Common(home_currency="CNY", as_of=DAY))
    assert [(f.money, f.currency) for f in home] == [
        (50.0, "CNY"),
        (70.0, "CNY"),
        (None, None),
        (3.0, "CNY"),
        (7.0, "CHF"),
    ]
    assert {f.message for f in home} == {"message"}


def test_without_rates_or_a_home_currency_findings_stay() -> None:
    told = [finding(1000.0, "JPY")]
    assert _at_home(told, None, Common(home_currency="CNY", as_of=DAY)) == told
    assert _at_home(told, pl.DataFrame(), Common(as_of=DAY)) == told
