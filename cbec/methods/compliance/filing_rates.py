"""Amounts of returns in the currency of the return: exact decimals, one rate per currency and day, rounded once.

Rounding is half away from zero, so that a refund takes back what its sale gave.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import date, timedelta
from decimal import ROUND_HALF_UP, Decimal

import polars as pl

from cbec.core.errors import InputRejected, UsageFault
from cbec.core.money import MAX_FIXING_AGE_DAYS, rate_to
from cbec.methods.minor import digits_of


def rounded(amount: Decimal, currency: str, whole: bool = False) -> Decimal:
    """To the minor unit of the currency (or whole units), half away from zero."""
    unit = Decimal(1) if whole else Decimal(1).scaleb(-min(digits_of(currency), 2))
    return amount.quantize(unit, ROUND_HALF_UP)


def published_on(currency: str, day: date, rates: pl.DataFrame, home: str) -> date:
    """The day itself, or the next one on which the pair was fixed; InputRejected if there is none within 10 days."""
    pair = {currency, home}
    direct = rates.filter(pl.col("base").is_in(pair) & pl.col("quote").is_in(pair))
    fixed = (direct if direct.height else rates).filter(
        pl.col("date").cast(pl.Date).is_between(day, day + timedelta(days=MAX_FIXING_AGE_DAYS))
    )
    first = fixed["date"].cast(pl.Date).min()
    if not isinstance(first, date):
        raise InputRejected(
            f"rates: no fixing of {currency}/{home} on {day} or within {MAX_FIXING_AGE_DAYS} days after it",
            hint="the return is converted at the rate of the last day of its period, or the next one published",
        )
    return first


def conversions(
    asked: Iterable[tuple[str, str, date, bool]], rates: pl.DataFrame | None
) -> Mapping[tuple[str, str, date], Decimal]:
    """Rates by (currency, home, day). asked: currency, home, day, and whether the next publication counts (else the last).

    Raises UsageFault without rates, InputRejected for a pair or day without one.
    """
    found: dict[tuple[str, str, date], Decimal] = {}
    for currency, home, day, after in sorted(set(asked)):
        if currency == home:
            found[currency, home, day] = Decimal(1)
            continue
        if rates is None:
            raise UsageFault(
                f"amounts in {currency} cannot be filed in {home} without exchange rates", hint="give --rates FILE"
            )
        on = published_on(currency, day, rates, home) if after else day
        frame = pl.DataFrame({"currency": [currency], "day": [on]}, schema_overrides={"day": pl.Date})
        rate = rate_to(frame, "currency", "day", rates, home)[0]
        found[currency, home, day] = Decimal(repr(float(rate)))
    return found
