"""Exact money in integers: rounding half up away from zero, and shares that sum to their whole.

Decimal columns of Polars keep their scale when multiplied and drop digits without a word, so money is carried
as integer minor units and rates as integers in millionths. Products are taken in 128 bits: an amount of 10^12
minor units times two rates stays below 10^38. Where the largest amount and rate of a file prove that 64 bits are
enough (`fits`), the same formulas run in 64 (`narrow`), several times faster and to the same result. Python's
`decimal` with ROUND_HALF_UP is the oracle of the tests.
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
CENTS = 100
"""Minor units of most currencies in one of money."""
PERCENT = 100_000_000
"""A rate in millionths of a percent over this is the factor: 20 % = 20_000_000 / PERCENT."""


def wide(value: pl.Expr | int) -> pl.Expr:
    """The expression in 128 bits."""
    return (pl.lit(value) if isinstance(value, int) else value).cast(pl.Int128)


def fits(*factors: int) -> bool:
    """Whether twice the product of these and as much again stay within 64 bits."""
    product = 4
    for factor in factors:
        product *= max(abs(factor), 1)
    return product < 2**63


def half_up(top: pl.Expr, bottom: pl.Expr | int, narrow: bool = False) -> pl.Expr:
    """top / bottom rounded half up, for top >= 0 and bottom > 0; Int64 out.

    Callers take the sign off first and put it back after: that is rounding half away from zero, the commercial
    way, the same for a sale and its refund. narrow: top and bottom are known to fit 64 bits twice over.
    """
    if narrow:
        return (top * 2 + bottom) // (bottom * 2)
    below = wide(bottom)
    return ((wide(top) * 2 + below) // (below * 2)).cast(pl.Int64)


def part(amount: pl.Expr, rate: pl.Expr, narrow: bool = False) -> pl.Expr:
    """`rate` (millionths of a percent) of an amount >= 0, half up."""
    return half_up(amount * rate if narrow else wide(amount) * wide(rate), PERCENT, narrow)


def before_tax(amount: pl.Expr, rate: pl.Expr, narrow: bool = False) -> pl.Expr:
    """An amount that includes tax at `rate`, without it: amount - round(amount * rate / (1 + rate))."""
    if narrow:
        return amount - half_up(amount * rate, rate + PERCENT, True)
    return amount - half_up(wide(amount) * wide(rate), PERCENT + wide(rate))


def portion(goods: pl.Expr, net: pl.Expr, whole: pl.Expr, narrow: bool = False) -> pl.Expr:
    """What of `net` falls to the goods, where `whole` = goods + shipping + insurance carried the tax."""
    held = at_least(whole, 1)
    share = half_up(goods * net, held, True) if narrow else half_up(wide(goods) * wide(net), held)
    return pl.when(whole == goods).then(net).otherwise(share)


def at_least(value: str | pl.Expr, least: int = 0) -> pl.Expr:
    """The larger of an integer column and a number, which stands for null too; several times faster than `max_horizontal`."""
    column = pl.col(value) if isinstance(value, str) else value
    return pl.when(column > least).then(column).otherwise(pl.lit(least, pl.Int64))


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


def hundredths(digits: pl.Expr) -> pl.Expr:
    """Hundredths of a currency in its minor unit of 0 or 2 digits: of a yen 100, of a cent 1."""
    return pl.when(digits == 0).then(CENTS).otherwise(1)


def decimal(cents: str | pl.Expr) -> pl.Expr:
    """Hundredths as Decimal(38, 2)."""
    column = pl.col(cents) if isinstance(cents, str) else cents
    return column.cast(pl.Int128).reinterpret(dtype=pl.Decimal(38, 2))


def percent(millionths: pl.Expr) -> pl.Expr:
    """Millionths of a percent as Decimal(38, 6)."""
    return millionths.cast(pl.Int128).reinterpret(dtype=pl.Decimal(38, 6))


def most(column: pl.Series) -> int:
    """The largest absolute value of an integer column, 0 where it is empty."""
    low, high = column.min(), column.max()
    return max(abs(int(str(x))) for x in (low or 0, high or 0))


def shares(whole: pl.Expr, running: pl.Expr, weight: pl.Expr, total: pl.Expr, narrow: bool = False) -> pl.Expr:
    """The part of `whole` that falls to a row of weight `weight`, so that the parts of a group sum to the whole.

    `running` is the sum of weights up to and with the row, in the group's order; the part is the difference of
    two rounded running totals, which telescopes. A group of weight 0 gives all to its rows of running total 0:
    callers give such groups equal weights. narrow: whole times total fits 64 bits twice over.
    """
    if narrow:
        return half_up(whole * running, total, True) - half_up(whole * (running - weight), total, True)
    return half_up(wide(whole) * wide(running), total) - half_up(wide(whole) * wide(running - weight), total)
