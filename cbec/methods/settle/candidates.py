"""Pairs of a settlement and a bank line that might belong together, found by joins and sorted search.

Blocking: same currency and amount; a number of the settlement in the bank's text; an amount within the fee that a
bank may keep; the amount at the day's fixing in another currency; the amount with two neighbouring digits swapped.
Every pair lies within a window of days. Ranges are cut to the nearest amounts, so that 100,000 lines stay cheap.

A frame of pairs has: s, b, level (exact, fee, over, fx, digits, short, off), gap (expected in the bank's currency less
received, thousandths), lag (booking less payout day), mid (fixing; null within one currency).
"""

from __future__ import annotations

from itertools import pairwise
from typing import NamedTuple

import numpy as np
import polars as pl

from cbec.core.errors import CbecError
from cbec.core.money import rate_to
from cbec.methods.minor import unit
from cbec.methods.settle.lines import plain_id

NEAREST = 24
"""Pairs kept per settlement, on either side of its amount."""
CROWD = 40
"""Equal amounts within one block of days are paired only with those of about the same rank."""
REFERENCE_DAYS = 45
"""A named settlement may come this late."""
FX_LOSS, FX_GAIN = 0.04, 0.015
"""Received against the fixing of the booking day: what a conversion may cost, and what a moving rate may add."""
SHORT_SHARE = 0.5

SCHEMA = {"s": pl.Int64, "b": pl.Int64, "level": pl.String, "gap": pl.Int64, "lag": pl.Int64, "mid": pl.Float64}


class Window(NamedTuple):
    """Days before and after the payout within which the bank line may be booked."""

    early: int
    late: int

    @property
    def block(self) -> pl.Expr:
        """Of a bank line: number of the block of days, as long as the window, that it lies in."""
        return pl.col("day").to_physical() // (self.early + self.late + 1)

    @property
    def blocks(self) -> pl.Expr:
        """Of a settlement: the one or two blocks in which its bank line may lie."""
        size = self.early + self.late + 1
        first, last = pl.col("day").to_physical() - self.early, pl.col("day").to_physical() + self.late
        return pl.concat_list(first // size, last // size).list.unique()


def exact(payouts: pl.DataFrame, bank: pl.DataFrame, window: Window) -> pl.DataFrame:
    """Same currency, same amount."""
    return (
        _equal(payouts, bank.with_columns(amount="received"), window)
        .with_columns(level=pl.lit("exact"))
        .select(list(SCHEMA))
    )


def digits(payouts: pl.DataFrame, bank: pl.DataFrame, window: Window) -> pl.DataFrame:
    """Same currency, and the amount with two neighbouring digits swapped: a slip of a hand."""
    positive = payouts.filter(pl.col("expected") > 0)
    longest = len(str(positive["expected"].max() or 0))
    parts = []
    for place in range(longest - 1):
        low = 10**place
        here, above = pl.col("expected") // low % 10, pl.col("expected") // (low * 10) % 10
        swapped = pl.col("expected") + (here - above) * 9 * low
        parts.append(positive.filter((here != above) & (swapped > 0)).with_columns(variant=swapped))
    if not parts:
        return pl.DataFrame(schema=SCHEMA)
    found = _equal(pl.concat(parts), bank.with_columns(amount="received"), window, "variant")
    return found.with_columns(level=pl.lit("digits")).unique(["s", "b"]).select(list(SCHEMA))


def _equal(payouts: pl.DataFrame, bank: pl.DataFrame, window: Window, amount: str = "expected") -> pl.DataFrame:
    left = payouts.select("s", "currency", "day", "expected", amount=amount)
    left = left.with_columns(block=window.blocks).explode("block")
    right = bank.select("b", "currency", "amount", "received", booked="day", block=window.block)
    key = ["currency", "amount", "block"]
    # Among very many equal amounts those of about the same rank in time are paired: joins must not explode.
    left = left.sort(*key, "day", "s").with_columns(rank=pl.int_range(pl.len()).over(key) // CROWD)
    right = right.sort(*key, "booked", "b").with_columns(rank=pl.int_range(pl.len()).over(key) // CROWD)
    near = left.with_columns(rank=pl.concat_list(pl.col("rank") - 1, "rank", pl.col("rank") + 1)).explode("rank")
    found = near.join(right, on=[*key, "rank"]).unique(["s", "b", "amount"])
    return _within(found, window)


def _within(found: pl.DataFrame, window: Window) -> pl.DataFrame:
    lag = (pl.col("booked") - pl.col("day")).dt.total_days().cast(pl.Int64)
    return (
        found.with_columns(lag=lag, gap=pl.col("expected") - pl.col("received"), mid=pl.lit(None, pl.Float64))
        .filter(pl.col("lag").is_between(-window.early, window.late))
        .sort("s", "b")
    )


def referenced(payouts: pl.DataFrame, tokens: pl.DataFrame) -> pl.DataFrame:
    """s, b, ref: 2 where the text holds the settlement's whole number, 1 where it holds its first eight or more or its
    last six or more signs; shared: settlements that the same piece of text names."""
    ids = payouts.select("s", number=plain_id("settlement_id"))
    lengths = tokens["token"].str.len_chars().unique().sort().to_list()
    parts = [ids.select("s", token="number", ref=pl.lit(2))]
    for length in lengths:
        longer = ids.filter(pl.col("number").str.len_chars() > length)
        if length >= 8:
            parts.append(longer.select("s", token=pl.col("number").str.head(length), ref=pl.lit(1)))
        if length >= 6:
            parts.append(longer.select("s", token=pl.col("number").str.tail(length), ref=pl.lit(1)))
    named = pl.concat(parts).join(tokens.select("token").unique(), on="token")
    # A piece that fits hundreds of settlements (a year, a house number) names none of them.
    named = named.with_columns(shared=pl.len().over("token")).filter(pl.col("shared") <= 200)
    pairs = named.join(tokens, on="token")
    return pairs.group_by("s", "b").agg(pl.col("ref").max(), pl.col("shared").min()).sort("s", "b")


def named(refs: pl.DataFrame, payouts: pl.DataFrame, bank: pl.DataFrame, rates: pl.DataFrame | None) -> pl.DataFrame:
    """Pairs whose text names the settlement, whatever the amount, up to REFERENCE_DAYS late; levels to be told."""
    left = payouts.select("s", "currency", "day", "expected")
    right = bank.select("b", "received", booked="day", target="currency")
    found = refs.select("s", "b").join(left, on="s").join(right, on="b")
    lag = (pl.col("booked") - pl.col("day")).dt.total_days().cast(pl.Int64)
    found = found.with_columns(lag=lag).filter(
        pl.col("lag").is_between(-5, REFERENCE_DAYS), pl.col("received") > 0, pl.col("expected") > 0
    )
    same = found.filter(pl.col("currency") == pl.col("target"))
    same = same.with_columns(gap=pl.col("expected") - pl.col("received"), mid=pl.lit(None, pl.Float64))
    other, _ = at_mid(found.filter(pl.col("currency") != pl.col("target")), rates)
    columns = [name for name in SCHEMA if name != "level"]
    return pl.concat([same.select(columns), other.select(columns)]).sort("s", "b")


def near(payouts: pl.DataFrame, bank: pl.DataFrame, window: Window, limit: pl.Expr, share: float = 0.0) -> pl.DataFrame:
    """Same currency, received less than expected by at most `limit` (thousandths, over the payouts' columns), or more
    by at most a tenth of it; with `share`, anything from that share of the amount."""
    positive = payouts.filter(pl.col("expected") > 0).with_columns(limit=limit)
    low = pl.col("expected") - pl.col("limit") if not share else (pl.col("expected") * share).cast(pl.Int64)
    left = positive.with_columns(
        low=low, high=pl.col("expected") + pl.col("limit") // 10, aim="expected", group="currency"
    )
    right = bank.filter(pl.col("received") > 0).with_columns(group="currency")
    found = _ranged(left, right, window)
    pairs = found.join(payouts.select("s", "day", "expected"), on="s").join(
        bank.select("b", "received", booked="day"), on="b"
    )
    level = pl.when(pl.col("gap") > 0).then(pl.lit("short" if share else "fee")).otherwise(pl.lit("over"))
    return _within(pairs, window).filter(pl.col("gap") != 0).with_columns(level=level).select(list(SCHEMA))


def across(
    payouts: pl.DataFrame, bank: pl.DataFrame, window: Window, rates: pl.DataFrame | None
) -> tuple[pl.DataFrame, list[str]]:
    """Another currency: received is the amount at the fixing of the booking day, but for what a conversion costs.

    Gives back the pairs and the pairs of currencies that no rate joins.
    """
    if rates is None:
        return pl.DataFrame(schema=SCHEMA), []
    positive = payouts.filter(pl.col("expected") > 0)
    inflow = bank.filter(pl.col("received") > 0)
    parts, lacking = [], []
    for target in inflow["currency"].unique().sort().to_list():
        left = positive.filter(pl.col("currency") != target).with_columns(target=pl.lit(target), booked=pl.col("day"))
        priced, missing = at_mid(left, rates)
        lacking += missing
        value = pl.col("expected") * pl.col("mid")
        # The rate may move by some percent between payout and booking.
        left = priced.with_columns(
            low=(value * (1 - FX_LOSS - 0.02)).cast(pl.Int64),
            high=(value * (1 + FX_GAIN + 0.02)).cast(pl.Int64),
            aim=(value * 0.995).cast(pl.Int64),
            group="target",
        )
        right = inflow.filter(pl.col("currency") == target).with_columns(group="currency")
        parts.append(_ranged(left, right, window))
    if not parts:
        return pl.DataFrame(schema=SCHEMA), lacking
    right = inflow.select("b", "received", booked="day", target="currency")
    pairs = pl.concat(parts).join(positive.select("s", "day", "currency", "expected"), on="s").join(right, on="b")
    priced, _ = at_mid(pairs, rates)
    lag = (pl.col("booked") - pl.col("day")).dt.total_days().cast(pl.Int64)
    value = pl.col("gap") + pl.col("received")
    found = priced.with_columns(lag=lag, level=pl.lit("fx")).filter(
        pl.col("gap") <= FX_LOSS * value, pl.col("gap") >= -FX_GAIN * value
    )
    return found.select(list(SCHEMA)).sort("s", "b"), lacking


def at_mid(pairs: pl.DataFrame, rates: pl.DataFrame | None) -> tuple[pl.DataFrame, list[str]]:
    """Adds mid (fixing of the booking day, target per currency) and gap (expected at it, in whole minor units of the
    target, less received where that is known); pairs of currencies without a fixing are left out and named."""
    parts, lacking = [], []
    for (source, target), part in pairs.sort("s").group_by("currency", "target", maintain_order=True):
        try:
            mid = rate_to(part.select("currency", "booked"), "currency", "booked", rates, str(target))
        except CbecError:
            lacking.append(f"{source}/{target}")
            continue
        parts.append(part.with_columns(mid=mid))
    if not parts:
        empty = pairs.clear().with_columns(mid=pl.lit(None, pl.Float64), gap=pl.lit(None, pl.Int64))
        return empty, sorted(lacking)
    cent = unit("target") // 1000
    value = (pl.col("expected") * pl.col("mid") / cent).round(0, mode="half_away_from_zero").cast(pl.Int64) * cent
    received = pl.col("received") if "received" in pairs.columns else pl.lit(0, pl.Int64)
    return pl.concat(parts).with_columns(gap=value - received), sorted(lacking)


def _ranged(left: pl.DataFrame, right: pl.DataFrame, window: Window) -> pl.DataFrame:
    """s, b of one group and a common block of days, received within low..high: the NEAREST to `aim` on either side."""
    left = left.with_columns(block=window.blocks).explode("block")
    right = right.with_columns(block=window.block).sort("group", "block", "received", "b")
    blocks = (
        right.select("group", "block")
        .with_row_index("at")
        .group_by("group", "block")
        .agg(start=pl.col("at").min().cast(pl.Int64), stop=pl.col("at").max().cast(pl.Int64) + 1)
    )
    left = left.join(blocks, on=["group", "block"]).sort("group", "block", "s")
    if left.is_empty():
        return pl.DataFrame(schema={"s": pl.Int64, "b": pl.Int64})
    received, numbers = right["received"].to_numpy(), right["b"].to_numpy()
    low, high, aim, start, stop = (left[name].to_numpy() for name in ("low", "high", "aim", "start", "stop"))
    begin, end, middle = (np.empty(left.height, np.int64) for _ in range(3))
    edges = np.flatnonzero(np.r_[True, start[1:] != start[:-1], True])
    for one, after in pairwise(edges):
        part = received[start[one] : stop[one]]
        begin[one:after] = start[one] + np.searchsorted(part, low[one:after], "left")
        end[one:after] = start[one] + np.searchsorted(part, high[one:after], "right")
        middle[one:after] = start[one] + np.searchsorted(part, aim[one:after], "left")
    begin, end = np.maximum(begin, middle - NEAREST), np.minimum(end, middle + NEAREST)
    count = np.maximum(end - begin, 0)
    offset = np.repeat(begin - np.concatenate([[0], np.cumsum(count)[:-1]]), count) + np.arange(count.sum())
    return pl.DataFrame({"s": np.repeat(left["s"].to_numpy(), count), "b": numbers[offset]})
