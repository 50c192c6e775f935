"""Both sides of a reconciliation made ready: payouts from settlement lines, bank lines with what they tell.

Amounts are whole numbers of thousandths of the currency unit (no currency has more decimals), so that every sum is
exact. Both sides are numbered in the order of their contents, never of their rows.
"""

from __future__ import annotations

import math
from functools import reduce
from typing import NamedTuple

import polars as pl

from cbec.core.errors import InputRejected
from cbec.methods.settle.kinds import classify

SCALE = 1000
_LARGEST = 9 * 10**15


def thousandths(amount: str = "amount") -> pl.Expr:
    """An exact amount in thousandths, Int64."""
    return (pl.col(amount).cast(pl.Decimal(38, 6)).to_physical() // 1000).cast(pl.Int64)


class Payouts(NamedTuple):
    """open: one row per settlement and currency (s, settlement_id, currency, marketplace, brand, day, expected, stated).

    duplicates: settlements that the export holds more than once (settlement_id, currency, day, marketplace, amount).
    control: settlements whose lines do not add up to the payout they state (.., amount = lines less payout).
    """

    open: pl.DataFrame
    duplicates: pl.DataFrame
    control: pl.DataFrame


def payouts(settlements: pl.DataFrame) -> Payouts:
    """What each settlement should have brought to the bank.

    A settlement is told by its lines, by a row of type payout, or by both: then the row says what was sent (with
    either sign) and the lines are held against it.
    """
    _check_size(settlements, "settlements", "settlement_id")
    frame = classify(settlements).with_columns(
        value=thousandths(), day=pl.col("posted_at").cast(pl.Date), order_id=pl.col("order_id").fill_null("")
    )
    frame, copies = _without_copies(frame)
    paid = pl.col("class") == "payout"
    key = ["settlement_id", "currency"]
    sums = frame.group_by(key).agg(
        lines=pl.col("value").filter(~paid).sum(),
        stated=pl.col("value").filter(paid).sum(),
        detailed=(~paid).any(),
        told=paid.any(),
        payday=pl.col("day").filter(paid).max(),
        last=pl.col("day").max(),
        marketplace=pl.col("marketplace").drop_nulls().sort().first(),
    )
    both = pl.col("detailed") & pl.col("told")
    # Where both are told the payout row may stand with the sign of money leaving the marketplace's account.
    other = pl.col("stated").sign() == -pl.col("lines").sign()
    stated = pl.when(both & other).then(-pl.col("stated")).otherwise("stated")
    sums = (
        sums.with_columns(stated=stated)
        .with_columns(
            day=pl.coalesce("payday", "last"),
            expected=pl.when("told").then("stated").otherwise("lines"),
            amount=pl.when(both).then(pl.col("lines") - pl.col("stated")).otherwise(0),
            brand=brand("marketplace"),
        )
        .sort(key)
    )
    named = ["settlement_id", "currency", "day", "marketplace"]
    return Payouts(
        sums.with_row_index("s").select(pl.col("s").cast(pl.Int64), *named, "brand", "expected"),
        copies,
        sums.filter(pl.col("amount") != 0).select(*named, "amount"),
    )


def _without_copies(frame: pl.DataFrame) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Lines once, and what overlapping exports brought again.

    A single line may well come twice in a settlement. Taken for copies are payout rows that come again, and whole
    settlements in which every line, of three or more, comes equally often or a multiple of it.
    """
    own = ["settlement_id", "posted_at", "day", "order_id", "type", "description", "class", "value", "currency", "marketplace"]  # fmt: skip
    counted = frame.group_by(own).len("times")
    per = counted.group_by("settlement_id").agg(
        pl.col("times").filter(pl.col("class") != "payout").alias("lines"), least=pl.col("times").min()
    )
    repeated = {sid: reduce(math.gcd, times) for sid, times, least in per.iter_rows() if least > 1 and len(times) >= 3}
    by = pl.col("settlement_id").replace_strict(repeated, default=1, return_dtype=pl.UInt32)
    by = pl.when(pl.col("class") == "payout").then("times").otherwise(by)
    detailed = (pl.col("class") != "payout").any().over("settlement_id", "currency")
    counted = counted.with_columns(kept=pl.col("times") // by, counts=(pl.col("class") != "payout") | ~detailed)
    extra = (
        counted.filter(pl.col("times") > pl.col("kept"), "counts")
        .group_by("settlement_id", "currency")
        .agg(
            day=pl.col("day").max(),
            marketplace=pl.col("marketplace").drop_nulls().sort().first(),
            amount=((pl.col("times") - pl.col("kept")).cast(pl.Int64) * pl.col("value")).sum(),
        )
        .sort("settlement_id", "currency")
    )
    kept = counted.with_columns(pl.int_ranges("kept").alias("copy")).explode("copy").select(own)
    return kept, extra


def totals(settlements: pl.DataFrame) -> pl.DataFrame:
    """currency, total: what the table itself says, row by row (payout rows count where a settlement has no lines)."""
    frame = classify(settlements).with_columns(value=thousandths(), paid=pl.col("class") == "payout")
    sums = frame.group_by("settlement_id", "currency").agg(
        total=pl.when((~pl.col("paid")).any())
        .then(pl.col("value").filter(~pl.col("paid")).sum())
        .otherwise(pl.col("value").sum())
    )
    return sums.group_by("currency").agg(pl.col("total").cast(pl.Int128).sum()).sort("currency")


def brand(marketplace: str) -> pl.Expr:
    """`amazon` of amazon.de, Amazon EU or AMAZON_US: the letters before the first other sign, in lower case."""
    return pl.col(marketplace).fill_null("").str.to_lowercase().str.extract(r"([\p{L}]+)", 1).fill_null("")


def bank_lines(bank: pl.DataFrame) -> pl.DataFrame:
    """One row per bank line.

    Columns: b (number), bank_ref, name (the bank_ref; `ref#2` for the second row of that number), copy (0 = the first
    of equal rows), day, received, currency, text, pattern (the words without numbers: a payer writes the same again).
    """
    _check_size(bank, "bank", "bank_ref")
    own = ["bank_ref", "day", "received", "currency", "text"]
    said = pl.concat_str("text", "counterparty", separator=" ", ignore_nulls=True).str.strip_chars()
    frame = bank.select(
        "bank_ref", "currency", day="booking_date", received=thousandths(), text=pl.when(said != "").then(said)
    ).sort(own)
    word = pl.col("text").fill_null("").str.to_uppercase()
    plain = word.str.replace_all(r"\S*\d\S*", " ").str.replace_all(r"[^\p{L}]+", " ").str.strip_chars()
    # In `AMZ*18061792` the letters before the number are the payer's.
    stuck = word.str.extract(r"^\s*([\p{L}]{2,})[^\p{L}\d\s]*\d", 1)
    nth = pl.int_range(1, pl.len() + 1).over("bank_ref")
    return frame.with_row_index("b").with_columns(
        b=pl.col("b").cast(pl.Int64),
        copy=pl.int_range(pl.len()).over(own),
        name=pl.when(nth > 1).then(pl.format("{}#{}", "bank_ref", nth)).otherwise("bank_ref"),
        pattern=pl.when(plain == "").then(stuck.fill_null("")).otherwise(plain),
    )


def _check_size(frame: pl.DataFrame, table: str, name: str) -> None:
    large = frame.filter(pl.col("amount").abs() * SCALE > _LARGEST)
    if large.height:
        raise InputRejected(f"{table}: the amount of {large[name].sort()[0]} is too large to be reckoned exactly")


def tokens(bank: pl.DataFrame) -> pl.DataFrame:
    """b, token: pieces of the text that may be a number of a settlement; letters and digits, five or more, a digit among them."""
    text = pl.col("text").str.to_uppercase()
    pieces = pl.concat_list(text.str.extract_all(r"[\p{L}\d]+"), text.str.split(" ").list.eval(plain_id(pl.element())))
    return (
        bank.filter(pl.col("text").is_not_null())
        .select("b", token=pieces)
        .explode("token")
        .filter((pl.col("token").str.len_chars() >= 5) & pl.col("token").str.contains(r"\d"))
        .unique()
        .sort("b", "token")
    )


def plain_id(column: str | pl.Expr) -> pl.Expr:
    """A number without spaces and signs, in capitals."""
    value = pl.col(column) if isinstance(column, str) else column
    return value.str.to_uppercase().str.replace_all(r"[^\p{L}\d]", "")
