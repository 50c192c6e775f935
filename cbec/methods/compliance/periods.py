"""Tax periods: what a person types (2026-Q3, 2026-07, 2026-05..2026-07), the periods of a return within it, last days."""

from __future__ import annotations

import calendar
import re
from dataclasses import dataclass
from datetime import date
from typing import TYPE_CHECKING

from cbec.core.errors import UsageFault

if TYPE_CHECKING:
    from cbec.methods.compliance.filing_rules import Due, ReturnRule

_HINT = "write a quarter (2026-Q3), a month (2026-07), a year (2026) or whole months (2026-05..2026-07)"


@dataclass(frozen=True, order=True)
class Period:
    """Whole months: `first` counts months since year 0 (year * 12 + month - 1), `months` how many there are."""

    first: int
    months: int

    @property
    def start(self) -> date:
        """Its first day."""
        return date(self.first // 12, self.first % 12 + 1, 1)

    @property
    def end(self) -> date:
        """Its last day."""
        return last_day(self.first + self.months - 1)

    @property
    def name(self) -> str:
        """2026-Q3, 2026-07, 2026, or the first and last month joined by `..`."""
        year, month = divmod(self.first, 12)
        if self.months == 12 and month == 0:
            return f"{year}"
        if self.months == 3 and month % 3 == 0:
            return f"{year}-Q{month // 3 + 1}"
        if self.months == 1:
            return f"{year}-{month + 1:02d}"
        until = divmod(self.first + self.months - 1, 12)
        return f"{year}-{month + 1:02d}..{until[0]}-{until[1] + 1:02d}"


def last_day(month: int) -> date:
    """The last day of a month, counted since year 0."""
    year, at = divmod(month, 12)
    return date(year, at + 1, calendar.monthrange(year, at + 1)[1])


def parse(text: str) -> Period:
    """The period a person typed; UsageFault where it is none."""
    word = text.strip().upper()
    if quarter := re.fullmatch(r"(\d{4})-?Q([1-4])", word):
        return Period(int(quarter[1]) * 12 + (int(quarter[2]) - 1) * 3, 3)
    if re.fullmatch(r"\d{4}", word):
        return Period(int(word) * 12, 12)
    ends = [re.fullmatch(r"(\d{4})-(\d{2})", part) for part in word.split("..")]
    months = [int(m[1]) * 12 + int(m[2]) - 1 for m in ends if m is not None and 1 <= int(m[2]) <= 12]
    if len(months) != len(ends) or len(months) > 2 or months[-1] < months[0]:
        raise UsageFault(f'--period: "{text}" is no tax period', hint=_HINT)
    return Period(months[0], months[-1] - months[0] + 1)


def within(asked: Period, rule: ReturnRule) -> list[Period]:
    """The whole periods of a return that lie within the one asked for, in order; none before the return existed.

    Periods of the calendar year begin at multiples of their length from January; others run from the first month asked
    for, if that is a whole number of them.
    """
    size, end = rule.months, asked.first + asked.months
    if not rule.calendar and asked.months % size:
        return []
    first = -(-asked.first // size) * size if rule.calendar else asked.first
    found = [Period(month, size) for month in range(first, end - size + 1, size)]
    return [period for period in found if period.end >= rule.valid_from]


def containing(day: date, rule: ReturnRule, asked: Period) -> Period:
    """The period of a return that a day falls into; periods that are not of the calendar follow those asked for."""
    month = day.year * 12 + day.month - 1
    anchor = 0 if rule.calendar else asked.first
    return Period((month - anchor) // rule.months * rule.months + anchor, rule.months)


def due_date(end: date, due: Due | None) -> date | None:
    """The last day of the return for a period that ends on `end`; weekends and holidays do not move it."""
    if due is None:
        return None
    months, day = due.others.get(end.month, (due.months, due.day))
    last = last_day(end.year * 12 + end.month - 1 + months)
    return last if day == 0 or day > last.day else last.replace(day=day)
