"""Amounts in home currency: whole hundredths (whole units where the currency has none), converted at the day's fixing."""

from __future__ import annotations

import polars as pl

from cbec.core.errors import UsageFault
from cbec.core.money import rate_to
from cbec.methods.minor import digits_of


def currency_of(home: str | None, *columns: pl.Series) -> str:
    """The home currency; where none is set, the one currency of all amounts. UsageFault where there are several."""
    if home is not None:
        return home
    found = sorted({code for column in columns for code in column.drop_nulls().unique().to_list()})
    if len(found) != 1:
        told = ", ".join(found) or "no currency"
        raise UsageFault(f"amounts in {told} need a home currency", hint="give --home-currency and --rates FILE")
    return str(found[0])


class Home:
    """Converts amounts of a frame. unit: millionths in the smallest amount that is reckoned with."""

    def __init__(self, currency: str, rates: pl.DataFrame | None) -> None:
        self.currency, self.rates = currency, rates
        self.unit = 10 ** (6 - min(digits_of(currency), 2))

    def rate(self, frame: pl.DataFrame, day: str) -> pl.Series:
        """Home currency per unit of the column `currency`, at the last fixing up to `day`."""
        return rate_to(frame, "currency", day, self.rates, self.currency)

    def of(self, frame: pl.DataFrame, day: str, **amounts: pl.Expr) -> pl.DataFrame:
        """Adds each amount (millionths of the row's currency) in home units, rounded half away from zero."""
        rated = frame.with_columns(self.rate(frame, day).alias("_rate"))
        return rated.with_columns(
            (value * pl.col("_rate") / self.unit).round(0, mode="half_away_from_zero").cast(pl.Int64).alias(name)
            for name, value in amounts.items()
        ).drop("_rate")

    def money(self, column: str) -> pl.Expr:
        """Home units as an exact decimal."""
        hundredths: pl.Expr = pl.col(column).cast(pl.Decimal(38, 2)) * (self.unit // 10_000)
        return hundredths / 100
