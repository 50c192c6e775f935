"""Consignments of imported goods: their value against the limits, and duties owed once per consignment.

A consignment is what one order sends from one country to another. Its value is that of the goods alone: without
shipping, insurance, tax and duty ("intrinsic value"), or with shipping and insurance where a limit says so, in the
currency of the limit. A refund belongs to the consignment of the sale it reverses and never makes it smaller.
"""

from __future__ import annotations

import numpy as np
import polars as pl

from cbec.methods.compliance.codes import among, places
from cbec.methods.compliance.exact import (
    PERCENT,
    at_least,
    before_tax,
    fits,
    half_up,
    hundredths,
    most,
    portion,
    shares,
    ten_to,
    wide,
)
from cbec.methods.compliance.fixings import PER_UNIT
from cbec.methods.compliance.intervals import MICRO

ARTICLE = -1
"""Stands for the subheading of a consignment's only article, whatever that is."""
OWING = ("row", "group", "subheading", "sku", "line", "goods", "sign", "fx", "amount", "digits")
"""Columns of imported lines that a duty owed once is reckoned of."""


def grouped(imports: pl.DataFrame) -> pl.DataFrame:
    """Imported lines in consignments that stand together, with `group` numbered from 0.

    imports: `run` (number of the order, ascending) and `route` (pair of countries).
    """
    new = (pl.col("run") != pl.col("run").shift(1)).fill_null(True)
    turns = (~new & (pl.col("route") != pl.col("route").shift(1))).fill_null(False)
    if imports.select(turns.any()).item():
        imports = imports.sort("run", "route", maintain_order=True)
    begins = new | (pl.col("route") != pl.col("route").shift(1))
    return imports.with_columns((begins.cum_sum().cast(pl.Int64) - 1).alias("group"))


def values(imports: pl.DataFrame) -> pl.DataFrame:
    """Adds what limits are held against, of each line, without tax, in minor units.

    imports: `goods`, `shipping`, `insurance`, `net_rate`, `gross`, `ddp`, `flat` (a flat duty that the price includes;
    `flat_untaxed`: no tax is on it), `tariff_rate`, `share` (percent of the retail price that both fall on), `business`. The value is reckoned twice: `low_*` as if no duty were due (small consignments) and `high_*` with
    the duty taken out of prices that include it; `*_goods` without and `*_value` with shipping and insurance.
    """
    whole = pl.col("goods") + pl.col("shipping") + pl.col("insurance")
    imports = imports.with_columns(whole.alias("whole"))
    rows = places(imports["share"].is_not_null() & ~imports["business"])
    if len(rows):
        # Where duty and tax fall on a share of the retail price, so much less of the price are they.
        rates = ("net_rate", "tariff_rate")
        some = imports.select(*rates, "share")[rows].select(pl.col(rates) * pl.col("share") // PERCENT)
        imports = imports.with_columns(imports[name].scatter(rows, some[name]) for name in rates)
    top, rate = most(imports["whole"]), most(imports["net_rate"])
    narrow = fits(top, rate + PERCENT) and fits(top, top)
    apart = before_tax(pl.col("whole"), pl.col("net_rate"), narrow)
    low = imports.select(pl.when(pl.col("gross")).then(apart).otherwise("whole").alias("low"))["low"]
    rows = places(imports["flat"].is_not_null())
    if len(rows):
        some = imports.select("whole", "flat", "net_rate", "flat_untaxed")[rows].with_columns(low.gather(rows))
        bare = before_tax(pl.col("whole") - pl.col("flat"), pl.col("net_rate"), narrow)
        less = pl.when("flat_untaxed").then(bare).otherwise(pl.col("low") - pl.col("flat"))
        low = low.scatter(rows, some.select(less.alias("low"))["low"])
    imports = imports.with_columns(at_least(pl.lit(low)).alias("low_value"))
    imports = imports.with_columns(
        portion(pl.col("goods"), pl.col("low_value"), pl.col("whole"), narrow).alias("low_goods")
    )
    rows = places(imports["gross"] & imports["ddp"])
    delivered = imports.select("goods", "whole", "net_rate", duty=pl.col("tariff_rate").fill_null(0))[rows]
    if delivered.select((pl.col("duty") > 0).any()).item():
        price = wide(pl.col("whole")) * PERCENT * PERCENT
        held = half_up(price, (PERCENT + wide(pl.col("duty"))) * (PERCENT + wide(pl.col("net_rate"))))
        apart = pl.when(pl.col("duty") > 0).then(held).otherwise(apart)
    delivered = delivered.select("goods", "whole", apart.alias("value"))
    goods = delivered.select(portion(pl.col("goods"), pl.col("value"), pl.col("whole"), narrow).alias("goods"))
    return imports.with_columns(
        imports["low_value"].scatter(rows, delivered["value"]).alias("high_value"),
        imports["low_goods"].scatter(rows, goods["goods"]).alias("high_goods"),
    )


def lone_article(imports: pl.DataFrame) -> pl.DataFrame:
    """Fills `subheading` where a consignment holds one article only: whatever its code is, it is one subheading."""
    wanting = imports.filter(pl.col("subheading").is_null() & pl.col("amount").is_not_null()).select("group").unique()
    if wanting.is_empty():
        return imports
    lone = (
        imports.join(wanting, on="group", how="semi")
        .group_by("group")
        .agg(pl.col("subheading").max().fill_null(ARTICLE), pl.col("sku").n_unique().alias("articles"))
        .filter(pl.col("articles") == 1)
    )
    told = imports.join(lone.select("group", "subheading"), on="group", how="left", maintain_order="left")
    return told.with_columns(pl.coalesce("subheading", "subheading_right").alias("subheading")).drop("subheading_right")


def flat_in_price(imports: pl.DataFrame) -> pl.DataFrame:
    """row -> `flat`: the flat duty that a DDP price includes if its consignment is within the limit."""
    inclusive = pl.col("gross") & pl.col("ddp")
    owing = ~pl.col("business") & pl.all_horizontal(pl.col("amount", "subheading", "goods", "fx").is_not_null())
    candidates = imports.select(*OWING, inclusive.alias("inclusive"), owing.alias("owing"))
    candidates = candidates[places(candidates["owing"])]
    if not candidates["inclusive"].any():
        return pl.DataFrame(schema={"row": imports.schema["row"], "flat": pl.Int64})
    asked = candidates.select("row", "group")[places(candidates["inclusive"])]
    candidates = candidates[among(candidates["group"].to_numpy(), asked["group"].to_numpy())]
    return flat_duty(candidates).join(asked, on="row", how="semi")


def flat_duty(lines: pl.DataFrame, each: str = "subheading", by: str = "goods") -> pl.DataFrame:
    """row -> `flat`: each line's share of the duty that is owed once per tariff subheading of a consignment.

    lines: those that owe it, of one consignment together, with `subheading` (not null), `fx`, `amount` (millionths of the pack's currency).
    The duty is turned into the line's currency, rounded, and shared by the value of the goods; the shares of a
    subheading sum to it exactly. A refund takes back the share of its article in its own consignment, in
    proportion to the value taken back; null where that sale is not among the lines. each: the column whose distinct
    values in a consignment owe the duty once ("group": the consignment itself). by: the column (minor units) it is
    shared by.
    """
    unit = ten_to(pl.col("digits"))
    whole = half_up(wide(pl.col("amount")) * unit * PER_UNIT, wide(pl.col("fx")) * MICRO)
    group = list(dict.fromkeys(["group", each]))
    needed = dict.fromkeys(["row", *group, "sku", "line", "goods", by, "sign", "fx", "amount", "digits"])
    lines = lines.select(*needed, whole.alias("whole"))
    # Most consignments hold one line, which owes the whole.
    begins, ends = (pl.col("group").ne_missing(pl.col("group").shift(step)) for step in (1, -1))
    alone = lines.select((begins & ends & (pl.col("sign") > 0)).alias("alone"))["alone"]
    lone = lines.select("row", flat="whole")[places(alone)]
    lines = lines[places(~alone)]
    if lines.is_empty():
        return lone
    ordered = lines.with_columns(_weight(lines, by).alias("weight")).sort(
        *group, "sku", "goods", "line", descending=[False] * (len(group) + 1) + [True, False]
    )
    sales = _added_up(ordered.filter(pl.col("sign") > 0), group)
    free = pl.col("total") == 0
    if sales.select(free.any()).item():
        # A subheading of free goods still owes its duty: its lines then count alike.
        sales = _added_up(sales.with_columns(pl.when(free).then(1).otherwise(pl.col("weight")).alias("weight")), group)
    narrow = sales.schema["weight"] == pl.Int64 and fits(most(sales["whole"]), most(sales["total"]))
    sales = sales.with_columns(
        shares(pl.col("whole"), pl.col("running"), pl.col("weight"), pl.col("total"), narrow).alias("flat")
    )
    told = [lone, sales.select("row", "flat")]
    if sales.height < ordered.height:
        told.append(_given_back(ordered.filter(pl.col("sign") < 0), sales))
    return pl.concat(told)


def _given_back(refunds: pl.DataFrame, sales: pl.DataFrame) -> pl.DataFrame:
    """row -> `flat` of refunds: of what the sales of the article in the consignment bear, null where there are none."""
    article = ["group", "sku"]
    sold = (
        sales.join(refunds.select("group"), on="group", how="semi")
        .group_by(article)
        .agg(pl.col("flat").sum().alias("owed"), pl.col("goods").sum().alias("value"), pl.len().alias("count"))
    )
    back = refunds.join(sold, on=article, how="left", maintain_order="left")
    back = back.with_columns(wide(pl.col("goods")).cum_sum().over(article).alias("running"))
    share = shares(pl.col("owed"), pl.col("running"), pl.col("goods"), at_least("value", 1))
    # What was given away free goes back line by line.
    number = pl.min_horizontal(pl.int_range(1, pl.len() + 1).over(article), pl.col("count").cast(pl.Int64))
    free = shares(pl.col("owed"), number, wide(1), pl.col("count"))
    told = pl.when(pl.col("value") > 0).then(share).when(pl.col("value") == 0).then(free)
    return back.select("row", told.alias("flat"))


def _added_up(lines: pl.DataFrame, group: list[str]) -> pl.DataFrame:
    """Adds `running` (up to and with each line) and `total` of the weights of each group, whose lines stand together."""
    if lines.is_empty() or lines.schema["weight"] != pl.Int64:
        sums = (
            pl.col("weight").cum_sum().over(group).alias("running"),
            pl.col("weight").sum().over(group).alias("total"),
        )
        return lines.with_columns(sums)
    begins = lines.select(pl.any_horizontal(pl.col(c).ne_missing(pl.col(c).shift(1)) for c in group).alias("b"))["b"]
    begins[0] = True
    starts, weight = places(begins).to_numpy(), lines["weight"].to_numpy()
    running, sizes = np.cumsum(weight), np.diff(starts, append=len(weight))
    running -= np.repeat((running - weight)[starts], sizes)
    total = np.repeat(np.add.reduceat(weight, starts), sizes)
    return lines.with_columns(pl.Series("running", running), pl.Series("total", total))


def _weight(lines: pl.DataFrame, by: str) -> pl.Series:
    """The value of each line beside the others of its consignment (lines of one together): `by` in minor units, or in
    money of the limit where currencies of one consignment differ."""
    alike = pl.all_horizontal(pl.col(c) == pl.col(c).shift(1) for c in ("fx", "digits")).fill_null(False)
    same = pl.col("group").ne_missing(pl.col("group").shift(1)) | alike
    if lines.select(same.all()).item() and fits(most(lines[by]), lines.height):
        return lines[by].alias("weight")
    unit = hundredths(pl.col("digits"))
    return lines.select((wide(pl.col(by)) * unit * pl.col("fx")).alias("weight"))["weight"]
