"""Tax periods as typed, those of a return within them, last days."""

from __future__ import annotations

from datetime import date, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cbec.core.errors import UsageFault
from cbec.methods.compliance import filing_rules, periods

RULES = {rule.id: rule for rule in filing_rules.returns()}


@pytest.mark.parametrize(
    ("typed", "first", "last", "name"),
    [
        ("2026-Q3", date(2026, 7, 1), date(2026, 9, 30), "2026-Q3"),
        ("2026q1", date(2026, 1, 1), date(2026, 3, 31), "2026-Q1"),
        ("2024-02", date(2024, 2, 1), date(2024, 2, 29), "2024-02"),
        ("2026", date(2026, 1, 1), date(2026, 12, 31), "2026"),
        ("2026-05..2026-07", date(2026, 5, 1), date(2026, 7, 31), "2026-05..2026-07"),
        ("2025-11..2026-01", date(2025, 11, 1), date(2026, 1, 31), "2025-11..2026-01"),
    ],
)
def test_what_a_person_types(typed: str, first: date, last: date, name: str) -> None:
    period = periods.parse(typed)
    assert (period.start, period.end, period.name) == (first, last, name)


@pytest.mark.parametrize("typed", ["", "2026-Q5", "2026-13", "Q3", "2026-07..2026-05", "2026-7", "2026-07..x"])
def test_what_is_no_period_is_refused(typed: str) -> None:
    with pytest.raises(UsageFault, match="no tax period"):
        periods.parse(typed)


@pytest.mark.parametrize(
    ("typed", "rule", "names"),
    [
        ("2026-Q3", "eu.return.ioss", ["2026-07", "2026-08", "2026-09"]),
        ("2026-07", "eu.return.oss", []),
        ("2026-06..2026-11", "eu.return.oss", ["2026-Q3"]),
        ("2026-05..2026-07", "gb.return.vat", ["2026-05..2026-07"]),
        ("2026-05..2026-08", "gb.return.vat", []),
        ("2026-Q3", "no.return.mva", ["2026-07..2026-08"]),
        ("2021", "eu.return.oss", ["2021-Q3", "2021-Q4"]),  # the scheme began in July
        ("2026", "gb.return.vat", ["2026-Q1", "2026-Q2", "2026-Q3", "2026-Q4"]),
    ],
)
def test_the_periods_of_a_return_within_those_asked_for(typed: str, rule: str, names: list[str]) -> None:
    assert [p.name for p in periods.within(periods.parse(typed), RULES[rule])] == names


@pytest.mark.parametrize(
    ("rule", "end", "due"),
    [
        ("eu.return.oss", date(2026, 12, 31), date(2027, 1, 31)),
        ("eu.return.ioss", date(2024, 1, 31), date(2024, 2, 29)),  # "28 February or 29 February"
        ("gb.return.vat", date(2016, 6, 30), date(2016, 8, 7)),  # the example of HMRC's guide
        ("gb.return.vat", date(2026, 12, 31), date(2027, 2, 7)),
        ("au.return.gst", date(2026, 9, 30), date(2026, 10, 28)),
        ("au.return.gst", date(2026, 12, 31), date(2027, 2, 28)),
        ("nz.return.gst", date(2026, 3, 31), date(2026, 5, 7)),
        ("nz.return.gst", date(2026, 6, 30), date(2026, 7, 28)),
        ("sg.return.gst", date(2026, 9, 30), date(2026, 10, 31)),
        ("no.return.voec", date(2026, 9, 30), date(2026, 10, 20)),
        ("no.return.mva", date(2026, 6, 30), date(2026, 8, 31)),
        ("no.return.mva", date(2026, 8, 31), date(2026, 10, 10)),
        ("no.return.mva", date(2026, 12, 31), date(2027, 2, 10)),
    ],
)
def test_last_days(rule: str, end: date, due: date) -> None:
    assert periods.due_date(end, RULES[rule].due) == due


@given(st.dates(date(2021, 7, 1), date(2030, 12, 31)), st.sampled_from(sorted(RULES)))
def test_every_day_lies_in_exactly_one_period_of_a_return(day: date, rule: str) -> None:
    asked = periods.parse("2026-Q3")
    own = periods.containing(day, RULES[rule], asked)
    assert own.start <= day <= own.end
    assert periods.containing(own.start - timedelta(days=1), RULES[rule], asked) < own


def test_every_return_names_its_sources() -> None:
    for rule in (*filing_rules.returns(), *filing_rules.registrations(), *filing_rules.papers().values()):
        assert rule.references, rule.id
        assert all(r.quote and r.verified_on for _, r in rule.references)
    assert all("due" in dict(rule.references) for rule in filing_rules.returns())
