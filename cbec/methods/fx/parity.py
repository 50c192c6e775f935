"""Covered interest parity: the forward that costs nothing to replicate with spot and two deposits."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import date, timedelta
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from cbec.core.errors import InputRejected, UsageFault

if TYPE_CHECKING:
    import polars as pl

Floats = NDArray[np.float64]
Days = NDArray[np.datetime64]

#: Money markets that count a year as 365 days; the others count 360 (ISDA's Act/365F and Act/360 conventions).
ACT_365 = frozenset({"GBP", "AUD", "NZD", "CAD", "HKD", "SGD", "ZAR", "PLN", "INR", "KRW", "THB", "MYR", "TWD", "ILS"})
#: A policy rate that is older than this is worth a word.
STALE_DAYS = 400


def business_day(start: date, days: int) -> date:
    """The day that lies so many weekdays after `start`."""
    made: date = np.busday_offset(np.datetime64(start, "D"), days, roll="backward").astype(object)
    return made


def weekdays_until(start: date, ends: Days) -> NDArray[np.int64]:
    """Weekdays after `start` up to each end; 0 where it is not later."""
    begin = np.datetime64(start, "D") + 1
    return np.maximum(np.busday_count(begin, ends.astype("datetime64[D]") + 1), 0)


def year_share(currency: str, days: Floats | float) -> Floats | float:
    """Days as a share of the year that the currency's money market counts."""
    return days / (365.0 if currency in ACT_365 else 360.0)


def forward(
    spot: float, base: str, quote: str, base_rate: float, quote_rate: float, days: Floats | float
) -> Floats | float:
    """Outright in quote per base: spot (1 + r_quote t_quote) / (1 + r_base t_base), simple rates as shares per year."""
    return spot * (1 + quote_rate * year_share(quote, days)) / (1 + base_rate * year_share(base, days))


def per_currency(text: str, what: str) -> dict[str, float]:
    """`MXN=40,GBP=15` as a mapping; UsageFault where it reads otherwise."""
    made = {}
    for part in filter(None, (p.strip() for p in text.split(","))):
        match = re.fullmatch(r"([A-Za-z]{3})\s*[=:]\s*(-?\d+(?:\.\d+)?)", part)
        if match is None:
            raise UsageFault(
                f'{what}: "{part}" is no CURRENCY=NUMBER', hint=f"e.g. --{what.replace('_', '-')} MXN=40,GBP=15"
            )
        made[match[1].upper()] = float(match[2])
    return made


@dataclass(frozen=True)
class Interest:
    """Simple rates per year (shares) by currency, each holding from its day on."""

    days: dict[str, Days]
    rates: dict[str, Floats]

    def known(self, currency: str, day: date) -> tuple[float, date]:
        """The rate that holds on a day, and since when; InputRejected where none is known yet."""
        days = self.days.get(currency)
        if days is None:
            raise InputRejected(
                f"policy_rates: no rate of {currency}", hint=f"add a row of {currency} on or before {day}"
            )
        at = int(np.searchsorted(days, np.datetime64(day, "D"), side="right")) - 1
        if at < 0:
            raise InputRejected(f"policy_rates: the first rate of {currency} is of {days[0]}, none holds on {day}")
        since: date = days[at].astype(object)
        return float(self.rates[currency][at]), since

    def along(self, currency: str, days: Days) -> Floats:
        """The rate that held on each day; NaN before the first."""
        at = np.searchsorted(self.days[currency], days, side="right") - 1
        return np.where(at >= 0, self.rates[currency][np.maximum(at, 0)], np.nan)

    def drift(self, base: str, quote: str, days: Days, h: int) -> Floats | None:
        """Log of forward over spot for h business days ahead of each day (0 before both rates are known).

        None where one of the two currencies has no rate at all.
        """
        if base not in self.days or quote not in self.days:
            return None
        calendar = h * 7 / 5
        up = 1 + self.along(quote, days) * year_share(quote, calendar)
        down = 1 + self.along(base, days) * year_share(base, calendar)
        return np.nan_to_num(np.log(up / down))


def interest(policy_rates: pl.DataFrame, basis: str = "") -> Interest:
    """Rates from the table; basis: percentage points to add per currency (`CNY=-1.45`), since a policy rate is not
    what the money market pays."""
    points = per_currency(basis, "rate_basis")
    table = policy_rates.sort("currency", "date")
    days, rates = {}, {}
    for (currency,), rows in table.group_by("currency", maintain_order=True):
        code = str(currency)
        days[code] = rows["date"].to_numpy().astype("datetime64[D]")
        rates[code] = (rows["rate_pct"].to_numpy() + points.get(code, 0.0)) / 100
    unknown = sorted(set(points) - set(days))
    if unknown:
        raise UsageFault(f"rate_basis names {', '.join(unknown)}, of which policy_rates has no rate")
    return Interest(days, rates)


def stale(since: date, day: date) -> bool:
    """Whether a rate is so old that it may have been forgotten."""
    return day - since > timedelta(days=STALE_DAYS)
