"""Conversion at a dated rate: direct, inverse, crossed; never a guess."""

from __future__ import annotations

from datetime import date

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cbec.core.errors import InputRejected, UsageFault
from cbec.core.money import Headline, rate_to

RATES = pl.DataFrame(
    {
        "date": [date(2026, 1, 2), date(2026, 1, 5), date(2026, 1, 2), date(2026, 1, 5)],
        "base": ["EUR", "EUR", "EUR", "EUR"],
        "quote": ["CNY", "CNY", "USD", "USD"],
        "rate": [8.0, 8.2, 1.25, 1.28],
        "source": [None, None, None, None],
    },
    schema_overrides={"source": pl.String},
)


def rows(*pairs):
    return pl.DataFrame(
        {"currency": [c for c, _ in pairs], "day": [d for _, d in pairs]},
        schema={"currency": pl.String, "day": pl.Date},
    )


def test_the_last_fixing_at_or_before_the_day_counts():
    frame = rows(
        ("EUR", date(2026, 1, 2)),
        ("EUR", date(2026, 1, 4)),
        ("EUR", date(2026, 1, 5)),
        ("CNY", date(2020, 1, 1)),
        (None, date(2026, 1, 3)),
    )
    assert rate_to(frame, "currency", "day", RATES, "CNY").to_list() == [8.0, 8.0, 8.2, 1.0, 1.0]


def test_inverse_and_cross():
    frame = rows(("CNY", date(2026, 1, 5)), ("USD", date(2026, 1, 5)))
    got = rate_to(frame, "currency", "day", RATES, "EUR").to_list()
    assert got == pytest.approx([1 / 8.2, 1 / 1.28])
    cross = rate_to(rows(("USD", date(2026, 1, 2))), "currency", "day", RATES, "CNY").to_list()
    assert cross == pytest.approx([8.0 / 1.25])


@pytest.mark.parametrize(
    ("pair", "word"),
    [
        (("EUR", date(2026, 1, 1)), "no fixing of EUR/CNY at or within 10 days before 2026-01-01"),
        (("EUR", date(2026, 2, 1)), "no fixing of EUR/CNY"),
        (("JPY", date(2026, 1, 5)), "no pair joins JPY and CNY"),
    ],
)
def test_a_missing_pair_or_day_is_named(pair, word):
    with pytest.raises(InputRejected, match=word):
        rate_to(rows(pair), "currency", "day", RATES, "CNY")


def test_a_pair_fixed_on_first_days_only_is_monthly():
    monthly = pl.DataFrame(
        {"date": [date(2024, 6, 1)], "base": ["GBP"], "quote": ["USD"], "rate": [1.28], "source": ["HMRC"]}
    )
    got = rate_to(rows(("GBP", date(2024, 6, 30))), "currency", "day", monthly, "USD").to_list()
    assert got == [1.28]
    with pytest.raises(InputRejected, match="before 2024-07-12"):
        rate_to(rows(("GBP", date(2024, 7, 12))), "currency", "day", monthly, "USD")
    daily = pl.concat([monthly, monthly.with_columns(date=date(2024, 5, 31))])
    with pytest.raises(InputRejected, match="before 2024-06-30"):
        rate_to(rows(("GBP", date(2024, 6, 30))), "currency", "day", daily, "USD")


def test_foreign_money_without_rates_is_refused():
    with pytest.raises(UsageFault, match="EUR cannot be told in CNY"):
        rate_to(rows(("EUR", date(2026, 1, 5))), "currency", "day", None, "CNY")


@given(st.permutations(range(6)))
def test_the_order_of_rows_does_not_matter(order):
    days = [date(2026, 1, 2), date(2026, 1, 5), date(2026, 1, 6)]
    frame = rows(*[(c, d) for c in ("EUR", "USD") for d in days])
    straight = rate_to(frame, "currency", "day", RATES, "CNY")
    mixed = rate_to(frame[list(order)], "currency", "day", RATES, "CNY")
    assert mixed.to_list() == straight[list(order)].to_list()


def test_headline_difference():
    assert Headline(100.0, 80.0, None, None, "CNY", "a week").difference == -20.0
