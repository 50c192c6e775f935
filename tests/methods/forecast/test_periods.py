"""Periods: which one a date falls in, where the next ones start, what spacing dates have."""

from __future__ import annotations

from datetime import date, datetime, timedelta

import numpy as np
import polars as pl
import pytest

from cbec.methods.forecast import periods


def ordinals(days, frequency):
    return pl.DataFrame({"date": days}).select(periods.ordinal("date", frequency)).to_series().to_numpy()


@pytest.mark.parametrize(
    ("day", "frequency", "start"),
    [
        (date(2024, 2, 29), "D", "2024-02-29"),
        (date(2024, 3, 3), "W", "2024-02-26"),  # a Sunday belongs to the week of the Monday before
        (date(2024, 3, 4), "W", "2024-03-04"),
        (date(1969, 12, 28), "W", "1969-12-22"),  # before the epoch too
        (date(2024, 12, 31), "M", "2024-12-01"),
        (date(2024, 12, 31), "Q", "2024-10-01"),
        (date(1969, 5, 1), "Q", "1969-04-01"),
        (date(2024, 12, 31), "Y", "2024-01-01"),
    ],
)
def test_a_date_falls_into_the_period_that_starts_at(day, frequency, start):
    assert str(periods.starts(ordinals([day], frequency), frequency)[0]) == start


def test_hours():
    found = ordinals([datetime(2024, 1, 1, 23, 59), datetime(2024, 1, 2, 0, 0)], "H")
    assert found[1] - found[0] == 1
    assert str(periods.starts(found, "H")[0]) == "2024-01-01T23:00:00.000000"


@pytest.mark.parametrize(
    ("last", "frequency", "expected"),
    [
        (date(2023, 11, 30), "M", ["2023-12-01", "2024-01-01", "2024-02-01"]),
        (date(2023, 8, 15), "Q", ["2023-10-01", "2024-01-01", "2024-04-01"]),
        (date(2023, 8, 15), "Y", ["2024-01-01", "2025-01-01", "2026-01-01"]),
        (date(2023, 12, 31), "W", ["2024-01-01", "2024-01-08", "2024-01-15"]),
        (date(2024, 2, 28), "D", ["2024-02-29", "2024-03-01", "2024-03-02"]),
    ],
)
def test_the_next_periods(last, frequency, expected):
    after = ordinals([last], frequency)[0] + 1 + np.arange(3)
    assert [str(d) for d in periods.starts(after, frequency)] == expected


def test_days_of_periods():
    assert periods.days(ordinals([date(2024, 2, 1)], "M"), "M").tolist() == [29.0]
    assert periods.days(ordinals([date(2023, 2, 1)], "Q"), "Q").tolist() == [90.0]
    assert periods.days(ordinals([date(2024, 1, 1)], "Y"), "Y").tolist() == [366.0]


def every(step, count, start=date(2024, 1, 1)):
    return pl.Series([start + timedelta(days=step * i) for i in range(count)])


@pytest.mark.parametrize(
    ("dates", "expected"),
    [
        (every(1, 30), "D"),
        (every(7, 5), "W"),
        (every(14, 4), "W"),
        (every(7, 2), "D"),  # two dates tell no weekday
        (every(3, 10), "D"),
        (pl.Series([date(2024, m, 1) for m in range(1, 6)]), "M"),
        (pl.Series([date(2024, 1, 31), date(2024, 2, 29), date(2024, 3, 31)]), "M"),
        (pl.Series([date(2024, m, 15) for m in (1, 2, 4)]), "M"),
        (pl.Series([date(2024, m, 1) for m in (1, 4, 7)]), "Q"),
        (pl.Series([date(y, 1, 1) for y in (2020, 2021, 2023)]), "Y"),
        (pl.Series([date(2024, 1, 1)]), "D"),
        (pl.Series([datetime(2024, 1, 1) + timedelta(hours=i) for i in range(50)]), "H"),
        (pl.Series([datetime(2024, 1, 1, 9, 13) + timedelta(hours=7 * i) for i in range(50)]), "D"),
    ],
)
def test_spacing_of_dates(dates, expected):
    assert periods.native(dates) == expected
