"""Consignments of imported goods: their value against the limits, and duties owed once per consignment.

A consignment is what one order sends from one country to another. Its value is that of the goods alone: without
shipping, insurance, tax and duty ("intrinsic value"), in the currency of the rule pack. A refund belongs to the
consignment of the sale it reverses and never makes it smaller.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import polars as pl

from cbec.core.money import rate_to
from cbec.methods.compliance.chain import ABOVE, CIRCULAR, NO_SALE, UNKNOWN, WITHIN
from cbec.methods.compliance.exact import PERCENT, half_up, shares, ten_to, wide
from cbec.methods.compliance.intervals import MICRO

if TYPE_CHECKING:
    from cbec.methods.compliance.rules import Pack

PER_UNIT = 1_000_000_000_000
"""Exchange rates are integers in 10^-12: a published rate of at most 6 decimals is exact."""
CENTS = 100
KEY = ["order_id", "route"]
TELLING = ("IOSS", "UK_VAT")
"""Registrations that are used only within the limit: a refund under one of them tells what its sale was."""


def fixings(lines: pl.DataFrame, rates: pl.DataFrame | None, packs: Sequence[Pack]) -> pl.DataFrame:
    """Adds `fx`: units of the pack's currency per unit of the line's, in 10^-12 (Int128), at the line's day.

    Raises what `core.money.rate_to` raises: InputRejected naming the first pair and day without a fixing.
    """
    wanted = lines.select("pack", "currency", "date").drop_nulls().unique()
    found = []
    for pack in packs:
        days = wanted.filter(pl.col("pack") == pack.id).sort("currency", "date")
        if days.height:
            found.append(days.with_columns(rate_to(days, "currency", "date", rates, pack.currency).alias("rate_to")))
    if not found:
        return lines.with_columns(pl.lit(None, pl.Int128).alias("fx"))
    known = pl.concat(found).with_columns((pl.col("rate_to") * PER_UNIT).round().cast(pl.Int128).alias("fx"))
    on = ["pack", "currency", "date"]
    return lines.join(known.drop("rate_to"), on=on, how="left", maintain_order="left")


def before_tax(amount: pl.Expr, rate: pl.Expr) -> pl.Expr:
    """An amount that includes tax at `rate`, without it: amount - round(amount * rate / (1 + rate))."""
    return amount - half_up(wide(amount) * wide(rate), PERCENT + wide(rate))


def portion(goods: pl.Expr, net: pl.Expr, whole: pl.Expr) -> pl.Expr:
    """What of `net` falls to the goods, where `whole` = goods + shipping + insurance carried the tax."""
    return pl.when(whole == 0).then(0).otherwise(half_up(wide(goods) * wide(net), pl.max_horizontal(whole, 1)))


def states(imports: pl.DataFrame, limits: pl.DataFrame, slots: int) -> pl.DataFrame:
    """Adds `state0` .. : the state (`chain`) of each line's consignment against each limit of its pack.

    imports: imported lines with `fx`, `rate` (tax, millionths of a percent, null = unknown), `flat` (a flat duty
    that the price includes). limits: pack, period, slot, micro (millionths), inclusive.
    The value is reckoned twice: as if no duty were due (small consignments) and with the duty taken out of prices
    that include it. Above the limit by the first and within it by the second is a price that contradicts itself.
    """
    whole = pl.col("goods") + pl.col("shipping") + pl.col("insurance")
    rate, duty = pl.col("rate").fill_null(0), pl.col("duty_rate").fill_null(0)
    low = pl.when(pl.col("gross")).then(before_tax(whole, rate)).otherwise(whole)
    low = pl.max_horizontal(low - pl.col("flat").fill_null(0), 0)
    top = wide(whole) * PERCENT * PERCENT
    high = pl.when(pl.col("gross") & pl.col("ddp")).then(half_up(top, (PERCENT + wide(duty)) * (PERCENT + wide(rate))))
    scale = wide(pl.col("fx")) * pl.when(pl.col("digits") == 0).then(CENTS).otherwise(1)
    valued = imports.with_columns(
        low.alias("low"), high.otherwise(low).alias("high"), whole.alias("whole")
    ).with_columns(
        (wide(portion(pl.col("goods"), pl.col("low"), pl.col("whole"))) * scale).alias("low"),
        (wide(portion(pl.col("goods"), pl.col("high"), pl.col("whole"))) * scale).alias("high"),
    )
    sale = pl.col("sign") > 0
    totals = valued.group_by(KEY).agg(
        sale.any().alias("has_sale"),
        *(pl.col(c).filter(sale).sum().alias(f"{c}_sale") for c in ("low", "high")),
        *(pl.col(c).filter(~sale).sum().alias(f"{c}_back") for c in ("low", "high")),
        pl.col("low").filter(sale).is_null().any().alias("gap_sale"),
        pl.col("low").filter(~sale).is_null().any().alias("gap_back"),
    )

    def of(name: str) -> pl.Expr:
        return pl.when(pl.col("has_sale")).then(pl.col(f"{name}_sale")).otherwise(pl.col(f"{name}_back"))

    def value(name: str) -> pl.Expr:
        # To the millionth: a rate that is the inverse of a published one is not exact beyond that.
        return half_up(of(name), CENTS * PER_UNIT // MICRO).alias(name)

    joined = (
        valued.drop("low", "high", "whole")
        .join(totals, on=KEY, how="left", maintain_order="left")
        .with_columns(value("low"), value("high"), of("gap").alias("gap"))
        .drop(cs for cs in totals.columns if cs not in (*KEY, "has_sale"))
    )
    for slot in range(slots):
        bound = limits.filter(pl.col("slot") == slot).select(
            "pack", "period", "inclusive", pl.col("micro").alias("bound")
        )
        joined = joined.join(bound, on=["pack", "period"], how="left", maintain_order="left")
        joined = joined.with_columns(_state().alias(f"state{slot}")).drop("bound", "inclusive")
    return joined.drop("has_sale", "low", "high", "gap")


def _state() -> pl.Expr:
    def within(value: str) -> pl.Expr:
        strict = pl.col(value) < pl.col("bound")
        return strict | (pl.col("inclusive") & (pl.col(value) == pl.col("bound")))

    told = pl.col("scheme").cast(pl.String).is_in(TELLING)
    return (
        pl.when(pl.col("bound").is_null())
        .then(None)
        .when(pl.col("gap"))
        .then(UNKNOWN)
        .when(within("low") & ~pl.col("has_sale") & ~told)
        .then(NO_SALE)
        .when(within("low"))
        .then(WITHIN)
        .when(within("high"))
        .then(CIRCULAR)
        .otherwise(ABOVE)
        .cast(pl.Int8)
    )


def lone_article(imports: pl.DataFrame) -> pl.DataFrame:
    """Fills `subheading` where a consignment holds one article only: whatever its code is, it is one subheading."""
    wanting = imports.filter(pl.col("subheading").is_null() & pl.col("amount").is_not_null()).select(KEY).unique()
    if wanting.is_empty():
        return imports
    lone = (
        imports.join(wanting, on=KEY, how="semi")
        .group_by(KEY)
        .agg(pl.col("subheading").max().fill_null("article"), pl.col("sku").n_unique().alias("articles"))
        .filter(pl.col("articles") == 1)
    )
    told = imports.join(lone.select(*KEY, "subheading"), on=KEY, how="left", maintain_order="left")
    return told.with_columns(pl.coalesce("subheading", "subheading_right").alias("subheading")).drop("subheading_right")


def flat_duty(lines: pl.DataFrame) -> pl.DataFrame:
    """row -> `flat`: each line's share of the duty that is owed once per tariff subheading of a consignment.

    lines: those that owe it, with `subheading` (not null), `fx`, `amount` (millionths of the pack's currency).
    The duty is turned into the line's currency, rounded, and shared by the value of the goods; the shares of a
    subheading sum to it exactly. A refund takes back the share of its article in its own consignment, in
    proportion to the value taken back; null where that sale is not among the lines.
    """
    unit = ten_to(pl.col("digits"))
    whole = half_up(wide(pl.col("amount")) * unit * PER_UNIT, wide(pl.col("fx")) * MICRO)
    scaled = wide(pl.col("goods")) * pl.when(pl.col("digits") == 0).then(CENTS).otherwise(1) * pl.col("fx")
    group = [*KEY, "subheading"]
    ordered = lines.with_columns(whole.alias("whole"), scaled.alias("weight")).sort(
        *group, "sku", "goods", "line", descending=[False] * 4 + [True, False]
    )
    sales = ordered.filter(pl.col("sign") > 0).with_columns(pl.col("weight").sum().over(group).alias("total"))
    # A subheading of free goods still owes its duty: its lines then count alike.
    free = pl.col("total") == 0
    sales = sales.with_columns(pl.when(free).then(wide(1)).otherwise(pl.col("weight")).alias("weight")).with_columns(
        pl.col("weight").cum_sum().over(group).alias("running"), pl.col("weight").sum().over(group).alias("total")
    )
    sales = sales.with_columns(
        shares(pl.col("whole"), pl.col("running"), pl.col("weight"), pl.col("total")).alias("flat")
    )
    article = [*KEY, "sku"]
    sold = sales.group_by(article).agg(
        pl.col("flat").sum().alias("owed"), pl.col("goods").sum().alias("value"), pl.len().alias("count")
    )
    back = ordered.filter(pl.col("sign") < 0).join(sold, on=article, how="left", maintain_order="left")
    back = back.with_columns(wide(pl.col("goods")).cum_sum().over(article).alias("running"))
    share = shares(pl.col("owed"), pl.col("running"), pl.col("goods"), pl.max_horizontal("value", pl.lit(1)))
    # What was given away free goes back line by line.
    number = pl.min_horizontal(pl.int_range(1, pl.len() + 1).over(article), pl.col("count").cast(pl.Int64))
    free = shares(pl.col("owed"), number, wide(1), pl.col("count"))
    told = pl.when(pl.col("value") > 0).then(share).when(pl.col("value") == 0).then(free)
    back = back.with_columns(told.alias("flat"))
    return pl.concat([sales.select("row", "flat"), back.select("row", "flat")])
