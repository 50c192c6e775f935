"""Money: the headline of a result, conversion at a dated rate, rounding to the minor unit."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from cbec.core.errors import InputRejected, UsageFault

if TYPE_CHECKING:
    from datetime import date

    import polars as pl


Z90 = 1.6449
"""Standard deviations on each side of the 90 % range of a normal distribution."""


@dataclass(frozen=True)
class Headline:
    """The first number of every report.

    today: cost or risk as things stand; proposed: under the proposal; low, high: the 90 % range of the
    difference; basis: in words, what was counted and over which period.
    """

    today: float
    proposed: float
    low: float | None
    high: float | None
    currency: str
    basis: str

    @property
    def difference(self) -> float:
        """proposed - today (negative = saved)."""
        return self.proposed - self.today


MAX_FIXING_AGE_DAYS = 10
"""A fixing older than this is no rate of that day (the longest gap of the ECB series is 5 days)."""


def rate_to(frame: pl.DataFrame, currency: str, day: str, rates: pl.DataFrame | None, home: str) -> pl.Series:
    """Units of `home` per unit of each row's currency: the last fixing at or before the row's day.

    frame: rows with a column `currency` (ISO 4217, null = already home) and a Date column `day`.
    rates: table `rates`; pairs are taken as they stand, inverted, or crossed through one third currency. A pair that
    is fixed on first days of months only is a monthly one: such a rate holds until its month ends.
    Raises InputRejected naming the first missing pair and day, UsageFault if there are no rates at all.
    Returns Float64 in the order of the rows.
    """
    import polars as pl

    need = frame.select(pl.col(currency).fill_null(home).alias("currency"), pl.col(day).alias("day")).with_row_index(
        "row"
    )
    foreign = sorted(set(need["currency"].unique().to_list()) - {home})
    if not foreign:
        return pl.Series("rate", [1.0] * frame.height, dtype=pl.Float64)
    if rates is None:
        raise UsageFault(
            f"amounts in {', '.join(foreign)} cannot be told in {home} without exchange rates", hint="give --rates FILE"
        )
    fixings, pairs = settled(rates)
    parts = []
    for code in foreign:
        rows = need.filter(pl.col("currency") == code).sort("day")
        parts.append(_along(rows, _path(code, home, pairs), fixings))
    parts.append(need.filter(pl.col("currency") == home).select("row", pl.lit(1.0).alias("rate")))
    return pl.concat(parts).sort("row")["rate"]


def settled(rates: pl.DataFrame) -> tuple[pl.DataFrame, set[tuple[str, str]]]:
    """The table `rates` with one fixing per pair and day (the last source in order of name settles a day that several
    fixed), and its pairs (base, quote)."""
    fixings = rates.sort("date", "base", "quote", "source").unique(
        ["date", "base", "quote"], keep="last", maintain_order=True
    )
    return fixings, set(fixings.select("base", "quote").unique().iter_rows())


def daily(
    code: str, home: str, fixings: pl.DataFrame, pairs: set[tuple[str, str]], first: date, last: date
) -> pl.Series:
    """Units of `home` per unit of `code` on every day from `first` to `last`: as `rate_to` tells them, null where that
    would find none. fixings, pairs: from `settled`. Raises InputRejected where no pair joins the two."""
    import polars as pl

    days = pl.date_range(first, last, eager=True).alias("day").to_frame().with_row_index("row")
    return _along(days, _path(code, home, pairs), fixings, lenient=True)["rate"]


def _path(code: str, home: str, pairs: set[tuple[str, str]]) -> list[tuple[str, str]]:
    """Legs from `code` to `home`: direct or inverse, else through the first third currency that joins them."""

    def linked(a: str, b: str) -> bool:
        return (a, b) in pairs or (b, a) in pairs

    if linked(code, home):
        return [(code, home)]
    for third in sorted({c for pair in pairs for c in pair}):
        if linked(code, third) and linked(third, home):
            return [(code, third), (third, home)]
    raise InputRejected(f"rates: no pair joins {code} and {home}", hint=f"add rows with base {code} and quote {home}")


def _along(
    rows: pl.DataFrame, legs: list[tuple[str, str]], fixings: pl.DataFrame, lenient: bool = False
) -> pl.DataFrame:
    import polars as pl

    rate = pl.lit(1.0)
    for i, (a, b) in enumerate(legs):
        direct = fixings.filter((pl.col("base") == a) & (pl.col("quote") == b))
        leg = direct if direct.height else fixings.filter((pl.col("base") == b) & (pl.col("quote") == a))
        value = pl.col("rate") if direct.height else 1 / pl.col("rate")
        table = leg.select(
            pl.col("date").alias("day"), pl.col("date").alias(f"fixed{i}"), value.alias(f"rate{i}")
        ).sort("day")
        rows = rows.join_asof(table, on="day", strategy="backward")
        fresh = (pl.col("day") - pl.col(f"fixed{i}")).dt.total_days() <= MAX_FIXING_AGE_DAYS
        if (table["day"].dt.day() == 1).all():
            # The monthly rates of customs offices hold to the end of their month.
            fresh |= pl.col("day") <= pl.col(f"fixed{i}").dt.month_end()
        rows = rows.with_columns(pl.when(fresh.fill_null(False)).then(f"rate{i}").alias(f"rate{i}"))
        stale = rows.filter(pl.col(f"rate{i}").is_null())
        if stale.height and not lenient:
            raise InputRejected(
                f"rates: no fixing of {a}/{b} at or within {MAX_FIXING_AGE_DAYS} days before {stale['day'].min()!s}",
                hint="give rates that reach back and forward over the dates of the rows",
            )
        rate = rate * pl.col(f"rate{i}")
    return rows.select("row", rate.alias("rate"))
