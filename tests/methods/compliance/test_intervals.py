"""Rule packs as interval tables, as known on a day."""

from __future__ import annotations

from datetime import date
from decimal import Decimal

import polars as pl
from hypothesis import given
from hypothesis import strategies as st
from support.taxed import packaged

from cbec.methods.compliance import intervals
from cbec.methods.compliance.rules import Dated, Reference, Rule

SOURCE = Reference("a test", "words", date(2026, 11, 25))


def _rule(*values: tuple[str, str, str | None]) -> Rule:
    made = [
        Dated(date.fromisoformat(v), date.fromisoformat(r), None if x is None else Decimal(x)) for v, r, x in values
    ]
    return Rule("eu.x", "rate", SOURCE, values=tuple(made), country="DE", unit="percent")


def _told(rule: Rule, as_of: date | None) -> list[tuple[str, str, int]]:
    return [(str(a), str(b), int(v.value or 0)) for a, b, v in intervals.in_force(rule, as_of)]


def test_a_value_holds_until_the_day_before_the_next() -> None:
    rule = _rule(
        ("2020-01-01", "2020-01-01", "19"), ("2020-07-01", "2020-06-05", "16"), ("2021-01-01", "2020-06-05", "19")
    )
    assert _told(rule, None) == [
        ("2020-01-01", "2020-06-30", 19),
        ("2020-07-01", "2020-12-31", 16),
        ("2021-01-01", "9999-12-31", 19),
    ]


def test_what_was_recorded_later_did_not_exist_then() -> None:
    rule = _rule(("2025-01-01", "2025-01-01", "19"), ("2025-08-01", "2025-08-12", "21"))
    assert _told(rule, date(2025, 8, 11)) == [("2025-01-01", "9999-12-31", 19)]
    assert _told(rule, date(2025, 8, 12)) == [("2025-01-01", "2025-07-31", 19), ("2025-08-01", "9999-12-31", 21)]


def test_a_correction_replaces_the_value_of_its_day() -> None:
    rule = _rule(("2025-01-01", "2024-12-01", "22"), ("2025-01-01", "2025-03-01", "24"))
    assert _told(rule, date(2025, 2, 28)) == [("2025-01-01", "9999-12-31", 22)]
    assert _told(rule, None) == [("2025-01-01", "9999-12-31", 24)]


def test_no_value_ends_a_rule() -> None:
    rule = _rule(("2026-07-01", "2026-07-01", "3"), ("2028-07-01", "2028-07-01", None))
    assert _told(rule, None) == [("2026-07-01", "2028-06-30", 3)]


def test_the_table_says_who_where_when_and_from_what_source() -> None:
    table = intervals.table(packaged())
    assert table.schema == intervals.SCHEMA
    romania = table.filter(pl.col("rule_id") == "eu.vat.standard.ro").sort("valid_from").tail(2)
    assert romania["value"].to_list() == [Decimal(19), Decimal(21)]
    assert romania["valid_to"].to_list() == [date(2025, 7, 31), date(9999, 12, 31)]
    assert romania["citation"].str.contains("vat-rates").all()
    # Intervals of one rule never overlap and never leave a gap between them.
    rates = table.filter(pl.col("kind") == "rate").sort("rule_id", "valid_from")
    following = rates.with_columns(pl.col("valid_from").shift(-1).over("rule_id").alias("next")).drop_nulls("next")
    assert (following["valid_to"].dt.offset_by("1d") == following["next"]).all()


@given(st.dates(date(1960, 1, 1), date(2030, 12, 31)))
def test_a_day_lies_in_the_period_whose_rules_are_its_own(day: date) -> None:
    periods = intervals.periods(packaged())
    days = pl.Series([day, date(2024, 1, 1)])
    at = periods.lookup(days).of(days)[0]
    start = periods.starts[at]
    after = periods.starts[at + 1] if at + 1 < len(periods.starts) else date.max
    assert start <= day < after
    for rule in (r for pack in packaged() for r in pack.rules.values()):
        cuts = [v.valid_from for v in rule.values] + [rule.valid_from or date.min]
        assert not any(start < cut <= day for cut in cuts)
