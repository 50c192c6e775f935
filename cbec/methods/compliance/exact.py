"""Exact money in integers: rounding half up away from zero, and shares that sum to their whole.

Decimal columns of Polars keep their scale when multiplied and drop digits without a word, so money is carried
as integer minor units and rates as integers in millionths. Products are taken in 128 bits: an amount of 10^12
minor units times two rates stays below 10^38. Python's `decimal` with ROUND_HALF_UP is the oracle of the tests.
"""

from __future__ import annotations

import polars as pl

NO_MINOR = frozenset(
    [
        "BIF",
        "CLP",
        "DJF",
        "GNF",
        "ISK",
        "JPY",
        "KMF",
        "KRW",
        "PYG",
        "RWF",
        "UGX",
        "UYI",
        "VND",
        "VUV",
        "XAF",
        "XOF",
        "XPF",
    ]
)
"""ISO 4217 currencies without a minor unit."""
PERCENT = 100_000_000
"""A rate in millionths of a percent over this is the factor: 20 % = 20_000_000 / PERCENT."""


def wide(value: pl.Expr | int) -> pl.Expr:
    """The expression in 128 bits."""
    return (pl.lit(value) if isinstance(value, int) else value).cast(pl.Int128)


def half_up(top: pl.Expr, bottom: pl.Expr | int) -> pl.Expr:
    """top / bottom rounded half up, for top >= 0 and bottom > 0; Int64 out.

    Callers take the sign off first and put it back after: that is rounding half away from zero, the commercial
    way, the same for a sale and its refund.
    """
    below = wide(bottom)
    return ((wide(top) * 2 + below) // (below * 2)).cast(pl.Int64)


def part(amount: pl.Expr, rate: pl.Expr) -> pl.Expr:
    """`rate` (millionths of a percent) of an amount >= 0, half up."""
    return half_up(wide(amount) * wide(rate), PERCENT)


def micro(value: str | pl.Expr) -> pl.Expr:
    """A decimal column as an integer in millionths (Int128)."""
    column = pl.col(value) if isinstance(value, str) else value
    return column.cast(pl.Decimal(38, 6)).to_physical()


def minor_digits(currency: str = "currency") -> pl.Expr:
    """Decimals of a currency's minor unit: 0 or 2 (currencies with 3 are reckoned in hundredths too)."""
    return pl.when(pl.col(currency).is_in(sorted(NO_MINOR))).then(0).otherwise(2).cast(pl.Int64)


def ten_to(digits: pl.Expr) -> pl.Expr:
    """10 ** digits for 0 or 2."""
    return pl.when(digits == 0).then(1).otherwise(100).cast(pl.Int64)


def decimal(minor: str | pl.Expr, digits: pl.Expr) -> pl.Expr:
    """Minor units as Decimal(38, 6)."""
    column = pl.col(minor) if isinstance(minor, str) else minor
    cents = pl.when(digits == 0).then(column * 100).otherwise(column)
    return cents.cast(pl.Decimal(38, 6)) / 100


def shares(whole: pl.Expr, running: pl.Expr, weight: pl.Expr, total: pl.Expr) -> pl.Expr:
    """The part of `whole` that falls to a row of weight `weight`, so that the parts of a group sum to the whole.

    `running` is the sum of weights up to and with the row, in the group's order; the part is the difference of
    two rounded running totals, which telescopes. A group of weight 0 gives all to its rows of running total 0:
    callers give such groups equal weights.
    """
    return half_up(wide(whole) * wide(running), total) - half_up(wide(whole) * wide(running - weight), total)
