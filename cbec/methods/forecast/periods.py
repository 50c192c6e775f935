"""Periods of a frequency as whole numbers: which one a date falls in, where one starts, how many days it has.

Ordinals: H hours and D days since 1970-01-01; W weeks that begin on Monday (week 0 begins 1969-12-29);
M months, Q quarters and Y years since year 0.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np
import polars as pl

if TYPE_CHECKING:
    from numpy.typing import NDArray

FREQUENCIES = ("H", "D", "W", "M", "Q", "Y")
#: Periods of one season: hours of a day, days of a week, weeks, months and quarters of a year.
SEASON = {"H": 24, "D": 7, "W": 52, "M": 12, "Q": 4, "Y": 1}
#: A longer season around it: hours of a week.
AROUND = {"H": 168}
#: Periods of a year.
YEAR = {"H": 8766, "D": 365, "W": 52, "M": 12, "Q": 4, "Y": 1}
#: Periods ahead when none is asked for: about a sea freight's lead time and a review.
HORIZON = {"H": 168, "D": 90, "W": 13, "M": 6, "Q": 4, "Y": 2}
#: Silence after which a series counts as delisted: half a year (Nixtla's VN1 entry uses 180 days).
SILENCE = {"H": 4368, "D": 182, "W": 26, "M": 6, "Q": 3, "Y": 2}
#: A series known for fewer periods is new: its own record says little yet.
YOUNG = {"H": 48, "D": 28, "W": 8, "M": 6, "Q": 4, "Y": 3}
#: Periods of the plain mean of late.
LONG = {"H": 168, "D": 56, "W": 13, "M": 12, "Q": 8, "Y": 5}
#: Periods of history looked at; older ones say little and cost memory.
MEMORY = {"H": 4032, "D": 1130, "W": 320, "M": 240, "Q": 120, "Y": 100}


def ordinal(column: str, frequency: str) -> pl.Expr:
    """The period (Int64) that a Date or Datetime column falls in."""
    when = pl.col(column)
    if frequency == "H":
        return when.cast(pl.Datetime("us")).dt.epoch("s").cast(pl.Int64) // 3600
    day = when.cast(pl.Date)
    if frequency == "D":
        return day.to_physical().cast(pl.Int64)
    if frequency == "W":
        return (day.to_physical().cast(pl.Int64) + 3) // 7
    year = day.dt.year().cast(pl.Int64)
    if frequency == "Y":
        return year
    month = year * 12 + day.dt.month().cast(pl.Int64) - 1
    return month if frequency == "M" else month // 3


def starts(ordinals: NDArray[np.int64], frequency: str) -> NDArray[Any]:
    """First moment of each period: datetime64[D], for H datetime64[us]."""
    if frequency == "H":
        return ordinals.astype("datetime64[h]").astype("datetime64[us]")
    if frequency == "D":
        return ordinals.astype("datetime64[D]")
    if frequency == "W":
        return (ordinals * 7 - 3).astype("datetime64[D]")
    months = {"M": ordinals, "Q": ordinals * 3, "Y": ordinals * 12}[frequency] - 1970 * 12
    return months.astype("datetime64[M]").astype("datetime64[D]")


def days(ordinals: NDArray[np.int64], frequency: str) -> NDArray[np.float64]:
    """Days of each period."""
    if frequency == "H":
        return np.full(len(ordinals), 1 / 24)
    length = starts(ordinals + 1, frequency) - starts(ordinals, frequency)
    return np.asarray(length.astype("timedelta64[D]").astype(np.float64))


def native(moments: pl.Series) -> str:
    """The frequency that the dates themselves have.

    moments: the distinct dates of all series. Whole hours, mostly one apart: H. Always the same weekday (three
    dates at least): W. Always the first or the last of a month, or the same day of it: M, Q or Y by the
    months between them. Everything else, and too few dates to tell: D.
    """
    moments = moments.drop_nulls().unique().sort()
    if moments.dtype != pl.Date:
        second = moments.dt.epoch("s").to_numpy()
        gap = np.diff(second)
        whole_hours = len(second) > 2 and not (second % 3600).any() and (second % 86400).any()
        if whole_hours and np.mean(gap == 3600) >= 0.5:
            return "H"
        moments = moments.cast(pl.Date).unique().sort()
    if len(moments) < 2:
        return "D"
    day = moments.to_physical().to_numpy().astype(np.int64)
    gap = np.diff(day)
    in_month = moments.dt.day().to_numpy()
    at_end = bool((moments.dt.offset_by("1d").dt.day() == 1).all())
    monthly = gap.min() >= 28 and (bool((in_month == 1).all()) or at_end)
    if not monthly and len(day) >= 3 and not (gap % 7).any():
        return "W"
    if not monthly and (gap.min() < 28 or len(day) < 3 or (in_month != in_month[0]).any()):
        return "D"
    month = moments.dt.year().to_numpy().astype(np.int64) * 12 + moments.dt.month().to_numpy()
    step = math.gcd(*np.diff(month).tolist())
    return "Y" if step % 12 == 0 else "Q" if step % 3 == 0 else "M"
