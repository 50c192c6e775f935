"""Axes of charts: nice ticks for numbers and dates, and the map from data to the drawing."""

from __future__ import annotations

import math
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import TYPE_CHECKING

from cbec.report.format import MONTHS, digits_for, figure, number, short

if TYPE_CHECKING:
    from collections.abc import Iterable

X = date | datetime | float | int
Tick = tuple[float, str, str]
"""Position in data units, first and second line of its label."""

#: Numbers smaller than this are drawn as 0: ticks between them would be rounded to nothing.
TINY = 1e-290
_FIRST_MONTH, _LAST_MONTH = 12, 9999 * 12  # years 1..9999, all that Python's dates can hold


@dataclass(frozen=True)
class Scale:
    """Linear: `low..high` of the data onto `start..end` of the drawing."""

    low: float
    high: float
    start: float
    end: float

    def __call__(self, value: float) -> float:
        """The place of a value."""
        # Divided before they are subtracted, since high - low may overflow for huge numbers.
        size = max(abs(self.low), abs(self.high)) or 1.0
        return self.start + (value / size - self.low / size) / (self.high / size - self.low / size) * (
            self.end - self.start
        )


def place(x: X) -> float:
    """A date as days, a number as itself."""
    if isinstance(x, datetime):
        return x.toordinal() + (x.hour * 3600 + x.minute * 60 + x.second) / 86400
    return float(x.toordinal()) if isinstance(x, date) else float(x)


def span(values: Iterable[float | None], zero: bool = True) -> tuple[float, float]:
    """Lowest and highest, with 0 if asked for, never of zero length; (0, 1) where there is nothing."""
    known = [v for v in (figure(v) for v in values) if v is not None] + ([0.0] if zero else [])
    if not known:
        return 0.0, 1.0
    low, high = min(known), max(known)
    if max(abs(low), abs(high)) < TINY:
        return 0.0, 1.0
    if high - low <= 1e-8 * max(abs(low), abs(high)):
        pad = abs(low) / 2 or 1.0
        return (low, high + pad) if zero and low >= 0 else (low - pad, high + pad)
    return low, high


def nice(low: float, high: float, count: int) -> list[float]:
    """At most about `count` round values (1, 2, 2.5, 5 times a power of ten) that span low..high, ends included."""
    rough = (high / count - low / count) or 1.0
    power = 10.0 ** math.floor(math.log10(rough))
    step = next(m * power for m in (1, 2, 2.5, 5, 10) if m * power >= rough * (1 - 1e-9))
    first, last = math.floor(low / step + 1e-9), math.ceil(high / step - 1e-9)
    return [float(f"{i * step:.12g}") for i in range(first, last + 1)]


def words(values: list[float], as_percent: bool = False) -> list[str]:
    """Labels of number ticks, all with the same decimals."""
    if as_percent:
        shares = [float(f"{v * 100:.10g}") for v in values]
        return [f"{number(v, _needed(shares))} %" for v in shares]
    if max((abs(v) for v in values), default=0) >= 1e6:
        return [short(v) for v in values]
    return [number(v, _needed(values)) for v in values]


def _needed(values: list[float]) -> int:
    for places in range(6):
        if all(abs(round(v, places) - v) < 1e-9 * max(1.0, abs(v)) for v in values):
            return places
    return digits_for(values)


def dates(low: float, high: float, count: int) -> list[Tick]:
    """Ticks on round hours, days, Mondays, months or years; the second line tells the year (or day) where it changes."""
    for made in (*(_days(low, high, step) for step in (1 / 24, 1 / 8, 1 / 4, 1 / 2, 1, 2, 7, 14)), *_months(low, high)):
        if len(made) <= count:
            return made
    return []


def _days(low: float, high: float, step: float) -> list[Tick]:
    if (high - low) / step > 200:
        return [(0.0, "", "")] * 201  # too many; the caller tries a longer step
    # Ordinal 1 is a Monday, so that weeks counted from it begin on Mondays.
    offset = 1.0 if step >= 7 else 0.0
    ticks: list[Tick] = []
    before = ""
    for i in range(math.ceil((low - offset) / step - 1e-9), math.floor((high - offset) / step + 1e-9) + 1):
        at = offset + i * step
        moment = datetime.fromordinal(max(1, int(at + 1e-6))) + timedelta(days=at - int(at + 1e-6))
        written = f"{moment.day} {MONTHS[moment.month - 1]}"
        first, second = (written, str(moment.year)) if step >= 1 else (f"{moment:%H:%M}", f"{written} {moment.year}")
        ticks.append((at, first, second if second != before else ""))
        before = second
    return ticks


def _months(low: float, high: float) -> Iterable[list[Tick]]:
    start, end = date.fromordinal(max(1, math.ceil(low))), date.fromordinal(max(1, math.floor(high)))
    first = start.year * 12 + start.month - 1 + (start.day > 1)
    last = end.year * 12 + end.month - 1
    for step in (1, 3, 6, 12, 24, 60, 120, 240, 600, 1200, 6000):
        ticks: list[Tick] = []
        before = ""
        for month in range(max(_FIRST_MONTH, -(-first // step) * step), min(last, _LAST_MONTH) + 1, step):
            at, year = float(date(month // 12, month % 12 + 1, 1).toordinal()), str(month // 12)
            ticks.append((at, year, "") if step >= 12 else (at, MONTHS[month % 12], year if year != before else ""))
            before = year
        yield ticks
