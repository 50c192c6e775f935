"""How numbers and money are written."""

from __future__ import annotations

from datetime import date, datetime
from decimal import Decimal

import pytest

from cbec.report import format as f


@pytest.mark.parametrize(
    ("value", "text"),
    [(None, "–"), (0, "0"), (-0.0, "0"), (-0.00001, "0.0000"), (1234.0, "1,234"), (1234.56, "1,234.6"), (12345.6, "12,346"), (0.12345, "0.1235"),
     (1e15, "1e+15"), (float("nan"), "nan"), (Decimal("12.50"), "12.50")],
)  # fmt: skip
def test_numbers(value: object, text: str) -> None:
    assert f.number(value) == text


def test_short_numbers_for_tiles() -> None:
    assert [f.short(v) for v in (999_999, 1_230_000, 4.5e9, 2e12, 3e20)] == [
        "999,999",
        "1.23 M",
        "4.5 bn",
        "2 tn",
        "3e+20",
    ]


def test_money_has_cents_where_they_matter_and_the_currency_has_them() -> None:
    assert f.money(12.3, "EUR") == "EUR 12.30"
    assert f.money(1234.5, "EUR") == "EUR 1,234"
    assert f.money(12.3, "JPY") == "JPY 12"
    assert f.money(None, "EUR") == "–"


def test_the_difference_is_worded() -> None:
    told = {"today": 1000.0, "proposed": 900.0, "difference": -100.0, "low": -150.0, "high": -20.0, "currency": "EUR"}
    assert f.verdict(told) == ("saved", "EUR 100.00 saved (10.0 % of today's)")
    assert (
        f.certainty(told)
        == "90 % range of the difference: EUR 150.00 saved to EUR 20.00 saved; a saving over the whole range."
    )
    assert f.verdict(told | {"difference": 100.0})[0] == "dearer"
    assert f.verdict(told | {"difference": 0.0}) == ("even", "no difference")
    assert f.certainty(told | {"high": 20.0}).endswith("EUR 20.00 dearer; the sign is not sure.")
    assert f.certainty(told | {"low": None}) == "No range was estimated for the difference."


def test_verdict_of_a_cost_that_was_nothing() -> None:
    assert f.verdict({"today": 0.0, "difference": 5.0, "currency": None}) == ("dearer", "5.00 dearer")


def test_dates_and_control_characters() -> None:
    assert f.day(datetime(2025, 1, 2)) == "2025-01-02"
    assert f.day(datetime(2025, 1, 2, 6, 30)) == "2025-01-02 06:30"
    assert f.short_day(date(2025, 8, 3)) == "3 Aug"
    assert f.plain("a\x00\x1b[31mb") == "a\ufffd\ufffd[31mb"


def test_text_is_cut_by_its_width_not_by_its_length() -> None:
    assert f.clip("便携式蓝牙音箱", 4) == "便携式…"
    assert f.clip("abc", 4) == "abc"
