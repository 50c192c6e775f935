"""Amounts of returns in the currency of the return: exact decimals, one rate per currency and day, rounded once.

Rounding is half away from zero, so that a refund takes back what its sale gave.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
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


def next_publication(day: date) -> date:
    """The day itself, or the next one on which the European Central Bank publishes rates.

    It publishes on every working day of TARGET, which is closed on Saturdays, Sundays, 1 January, Good Friday, Easter
    Monday, 1 May, 25 and 26 December (Croatian National Bank, "Referentni tečajevi ESB-a").
    """
    import holidays

    closed = holidays.financial_holidays("ECB", years=[day.year, day.year + 1])
    while day.weekday() >= 5 or day in closed:
        day += timedelta(days=1)
    return day


def fixed_on(currency: str, day: date, rates: pl.DataFrame, home: str) -> date | None:
    """The first day from the next publication on for which the pair has a fixing; None if there is none within 10 days.

    Rates of weekends and holidays, which some sources fill up with those of the day before, are no publication: they are
    taken only where there is no other.
    """
    pair = {currency, home}
    direct = rates.filter(pl.col("base").is_in(pair) & pl.col("quote").is_in(pair))
    fixed = (direct if direct.height else rates)["date"].cast(pl.Date)
    last = day + timedelta(days=MAX_FIXING_AGE_DAYS)
    for first in (next_publication(day), day):
        found = fixed.filter(fixed.is_between(first, last)).min()
        if isinstance(found, date):
            return found
    return None


def published(currency: str, day: date, rates: pl.DataFrame, home: str) -> tuple[date, pl.DataFrame]:
    """The day of the fixing that a period which ends on `day` is converted at, and the rates to take it from.

    Where several sources fixed the pair, those that name the ECB go before. InputRejected if there is no fixing.
    """
    named = rates.filter(pl.col("source").fill_null("").str.contains(r"(?i)\bECB\b|European Central Bank"))
    for table in (named, rates):
        on = fixed_on(currency, day, table, home)
        if on is not None:
            return on, table
    raise InputRejected(
        f"rates: no fixing of {currency}/{home} on {day} or within {MAX_FIXING_AGE_DAYS} days after it",
        hint="the return is converted at the rate of the last day of its period, or the next one published",
    )


def conversions(
    asked: Iterable[tuple[str, str, date, bool]], rates: pl.DataFrame | None
) -> Mapping[tuple[str, str, date], Decimal]:
    """Rates by (currency, home, day). asked: currency, home, day, and whether the next publication counts (else the last).

    Raises UsageFault without rates, InputRejected for a pair or day without one.
    """
    wanted = sorted(set(asked))
    found = {(currency, home, day): Decimal(1) for currency, home, day, _ in wanted if currency == home}
    foreign = [ask for ask in wanted if ask[0] != ask[1]]
    if not foreign:
        return found
    if rates is None:
        currency, home = foreign[0][:2]
        raise UsageFault(
            f"amounts in {currency} cannot be filed in {home} without exchange rates", hint="give --rates FILE"
        )
    for currency, home, day, after in foreign:
        if after:
            on, table = published(currency, day, rates, home)
            found[currency, home, day] = _rates([(currency, on)], table, home)[0]
    for home in sorted({home for _, home, _, after in foreign if not after}):
        pairs = [(currency, day) for currency, to, day, after in foreign if to == home and not after]
        for (currency, day), rate in zip(pairs, _rates(pairs, rates, home), strict=True):
            found[currency, home, day] = rate
    return found


def _rates(pairs: Sequence[tuple[str, date]], rates: pl.DataFrame, home: str) -> list[Decimal]:
    """The last fixings at or before each day, in one look-up: by the day they would be many."""
    frame = pl.DataFrame(pairs, schema={"currency": pl.String, "day": pl.Date}, orient="row")
    return [Decimal(repr(float(rate))) for rate in rate_to(frame, "currency", "day", rates, home)]
