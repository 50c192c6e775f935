"""Registration thresholds: a seller's taxable sales in a window against the dated value, from day to day.

`verdict` is the rule itself, on turnover by day; `watched` finds the turnover that counts in order lines.
"""

from __future__ import annotations

import calendar
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, timedelta
from decimal import Decimal
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from cbec.methods.compliance.filing_rules import RegistrationRule

ZERO = Decimal(0)
PACE_DAYS, HORIZON_DAYS = 90, 365
"""The pace of sales is that of the last 90 days; it is carried forward for a year."""


@dataclass(frozen=True)
class Verdict:
    """How a threshold stands on a day.

    word: must_register, expected (the time ahead, or the pace, passes the threshold) or below. turnover: in the window
    [window_from, day]. crossed_on: first day on which the threshold was passed; register_by: None where the rule has no
    last day; projected_on: when the pace passes it, within a year; ahead: expected in the time the rule looks ahead.
    """

    word: str
    threshold: Decimal | None
    window_from: date
    turnover: Decimal
    ahead: Decimal | None
    crossed_on: date | None
    projected_on: date | None
    register_by: date | None

    @property
    def share(self) -> float | None:
        """Turnover over threshold; None for a threshold of 0 or none."""
        return float(self.turnover / self.threshold) if self.threshold else None


def must_register(rule: RegistrationRule, turnover: Decimal, day: date) -> tuple[Decimal | None, bool]:
    """The threshold of a day and whether a turnover passes it."""
    threshold = rule.threshold(day)
    return threshold, _over(rule, turnover, threshold)


def _over(rule: RegistrationRule, turnover: Decimal, threshold: Decimal | None) -> bool:
    if threshold is None:
        return False
    return turnover >= threshold if rule.inclusive and threshold else turnover > threshold


def window_start(rule: RegistrationRule, day: date) -> date:
    """First day of the window that ends on a day: 1 January, or the first of the month eleven months before."""
    if rule.window == "year":
        return date(day.year, 1, 1)
    month = day.year * 12 + day.month - 1 - 11
    return date(month // 12, month % 12 + 1, 1)


def month_end(day: date) -> date:
    """The last day of its month."""
    return day.replace(day=calendar.monthrange(day.year, day.month)[1])


def verdict(rule: RegistrationRule, daily: Mapping[date, Decimal], as_of: date) -> Verdict:
    """The verdict on `as_of` from taxable turnover by day (in the rule's currency; days without sales may be missing).

    A threshold that is tested at the end of a month is passed then, not within it. Of a calendar-year rule the current
    and the preceding year count, of others every day there is.
    """
    sales = {day: amount for day, amount in sorted(daily.items()) if day <= as_of}
    threshold = rule.threshold(as_of)
    start = window_start(rule, as_of)
    turnover = _between(sales, start, as_of)
    crossed = _crossed(rule, sales, as_of)
    pace = _pace(sales, as_of)
    ahead = _ahead(rule, sales, pace, as_of)
    projected = None if crossed or threshold is None else _projected(rule, sales, pace, as_of)
    if crossed is not None:
        word = "must_register"
    elif projected is not None or (ahead is not None and _over(rule, ahead, threshold) and turnover > 0):
        word = "expected"
    else:
        word = "below"
    return Verdict(word, threshold, start, turnover, ahead, crossed, projected, _register_by(rule, crossed))


def _between(sales: Mapping[date, Decimal], start: date, end: date) -> Decimal:
    return sum((amount for day, amount in sales.items() if start <= day <= end), ZERO)


def _crossed(rule: RegistrationRule, sales: Mapping[date, Decimal], as_of: date) -> date | None:
    """The first day on which the threshold of that day was passed; None if never."""
    days = [day for day in sales if rule.window != "year" or day.year >= as_of.year - 1]
    for day in days:
        if not _over(rule, _between(sales, window_start(rule, day), day), rule.threshold(day)):
            continue
        end = month_end(day)
        if rule.tested == "day" or (
            end <= as_of and _over(rule, _between(sales, window_start(rule, end), end), rule.threshold(end))
        ):
            return day
    return None


def _pace(sales: Mapping[date, Decimal], as_of: date) -> Decimal:
    """Turnover a day over the last 90 days, or since the first sale where that is later."""
    if not sales:
        return ZERO
    first = max(min(sales), as_of - timedelta(days=PACE_DAYS - 1))
    return max(_between(sales, first, as_of), ZERO) / ((as_of - first).days + 1)


def _ahead(rule: RegistrationRule, sales: Mapping[date, Decimal], pace: Decimal, as_of: date) -> Decimal | None:
    """Turnover expected in the time the rule looks ahead: days from now, or the current month and those after it."""
    if rule.ahead_days:
        return pace * rule.ahead_days
    if rule.ahead_months:
        months = as_of.year * 12 + as_of.month - 1 + rule.ahead_months - 1
        end = month_end(date(months // 12, months % 12 + 1, 1))
        return _between(sales, as_of.replace(day=1), as_of) + pace * (end - as_of).days
    return None


def _projected(rule: RegistrationRule, sales: Mapping[date, Decimal], pace: Decimal, as_of: date) -> date | None:
    """The day on which the threshold is passed if every day to come sells the pace; month ends where it is tested then."""
    if pace <= 0:
        return None
    for ahead in range(0, HORIZON_DAYS + 1):
        day = as_of + timedelta(days=ahead)
        if rule.tested == "month_end" and day != month_end(day):
            continue
        start = window_start(rule, day)
        known = _between(sales, start, as_of)
        coming = pace * max((day - max(as_of, start - timedelta(days=1))).days, 0)
        if _over(rule, known + coming, rule.threshold(day)):
            return day
    return None


def _register_by(rule: RegistrationRule, crossed: date | None) -> date | None:
    if crossed is None or rule.register_days is None:
        return None
    event = month_end(crossed) if rule.register_from == "month_end" else crossed
    return event + timedelta(days=rule.register_days)
