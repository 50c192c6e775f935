"""Integer money against Python's decimal module."""

from __future__ import annotations

from decimal import ROUND_HALF_UP, Decimal

import polars as pl
from hypothesis import given, settings
from hypothesis import strategies as st

from cbec.methods.compliance.exact import (
    PERCENT,
    before_tax,
    decimal,
    half_up,
    micro,
    minor_digits,
    part,
    shares,
    wide,
)

AMOUNTS = st.integers(0, 10**12)
RATES = st.integers(0, 500 * 1_000_000)  # up to 500 %, in millionths of a percent


def _one(expr: pl.Expr, **cells: int | None) -> int:
    frame = pl.DataFrame({k: pl.Series([v], dtype=pl.Int128) for k, v in cells.items()})
    return frame.select(expr.alias("x")).item()


def _whole(value: Decimal) -> int:
    return int(value.quantize(Decimal(1), ROUND_HALF_UP))


@given(st.integers(0, 10**30), st.integers(1, 10**18))
@settings(deadline=None)
def test_half_up_is_decimal_half_up(top: int, bottom: int) -> None:
    top = min(top, bottom * 10**17)
    quotient, rest = divmod(top, bottom)
    assert _one(half_up(pl.col("t"), pl.col("b")), t=top, b=bottom) == quotient + (2 * rest >= bottom)


@given(AMOUNTS, RATES)
@settings(deadline=None)
def test_part_is_the_percentage_half_up(amount: int, rate: int) -> None:
    wanted = _whole(Decimal(amount) * Decimal(rate) / PERCENT)
    assert _one(part(pl.col("a"), pl.col("r")), a=amount, r=rate) == wanted


@given(AMOUNTS, RATES)
@settings(deadline=None)
def test_tax_taken_out_of_a_price_that_was_made_with_it_gives_the_price_before(amount: int, rate: int) -> None:
    price = amount + _whole(Decimal(amount) * Decimal(rate) / PERCENT)
    assert _one(before_tax(pl.col("p"), pl.col("r")), p=price, r=rate) == amount


@given(st.integers(0, 10**9), st.integers(0, 100 * 1_000_000), st.integers(0, 40 * 1_000_000))
@settings(deadline=None)
def test_duty_and_tax_taken_out_of_a_price_that_was_made_with_them(value: int, duty: int, tax: int) -> None:
    base = value + _whole(Decimal(value) * Decimal(duty) / PERCENT)
    price = base + _whole(Decimal(base) * Decimal(tax) / PERCENT)
    assert _one(before_tax(before_tax(pl.col("p"), pl.col("t")), pl.col("d")), p=price, d=duty, t=tax) == value


@given(st.integers(0, 10**6), st.lists(st.integers(1, 10**9), min_size=1, max_size=12))
@settings(deadline=None)
def test_shares_sum_to_the_whole_and_lie_within_a_cent_of_proportion(whole: int, weights: list[int]) -> None:
    frame = pl.DataFrame({"w": pl.Series(weights, dtype=pl.Int128)})
    running, total = pl.col("w").cum_sum(), pl.col("w").sum()
    given_out = frame.select(shares(pl.lit(whole), running, pl.col("w"), total).alias("s"))["s"].to_list()
    assert sum(given_out) == whole
    for share, weight in zip(given_out, weights, strict=True):
        assert abs(share - Decimal(whole) * weight / sum(weights)) <= 1


@given(st.decimals(-(10**9), 10**9, places=6))
@settings(deadline=None)
def test_decimal_columns_become_integers_without_loss(value: Decimal) -> None:
    frame = pl.DataFrame({"d": pl.Series([value], dtype=pl.Decimal(38, 6))})
    assert frame.select(micro("d")).item() == int(value * 10**6)


def test_minor_units_come_back_as_decimals() -> None:
    frame = pl.DataFrame({"currency": ["EUR", "JPY", "KRW", None], "x": [-1234, -1234, 5, 1]})
    hundredths = pl.when(minor_digits() == 0).then(pl.col("x") * 100).otherwise("x")
    told = frame.select(decimal(hundredths).alias("x"))["x"].to_list()
    assert told == [Decimal("-12.34"), Decimal(-1234), Decimal(5), Decimal("0.01")]


def test_large_money_does_not_overflow() -> None:
    """10^12 cents with a rate of 500 % need more than 64 bits on the way."""
    assert _one(part(wide(pl.col("a")), pl.col("r")), a=10**12, r=500_000_000) == 5 * 10**12
