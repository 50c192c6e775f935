"""Customs value, duty and tax of decided lines, in integers of the minor unit.

Amounts are taken without sign and rounded half up per line; a refund gets its sign at the end, so that it mirrors
its sale. Prices that include tax (and, under DDP, duty) are taken apart:

    tax only        value = price - round(price * t / (1 + t))
    tax and duty    the tax first, as above, then the duty out of the rest: value = rest - round(rest * d / (1 + d)).
                    Where a value gives the price by the forward calculation, this is that value. Several duties,
                    duties on a part of the value, and duties per unit: the largest value from which the forward
                    calculation does not exceed the price, by bisection; an odd cent goes
                    into the duty, or into freight that bears none
    freight         where duty (or tax) falls on the goods alone, their price holds it, and the price of shipping does not
    flat duty F     value = (price - round(price * t / (1 + t))) - F; where no tax is on it, that of price - F without tax

so that value + duty + tax is the price to the cent, always.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import polars as pl

from cbec.methods.compliance.codes import places
from cbec.methods.compliance.exact import PERCENT, at_least, before_tax, fits, most, part, portion

if TYPE_CHECKING:
    Duties = Callable[[pl.DataFrame], pl.DataFrame]

AROUND = range(-2, 4)
"""Cents around a good guess that are tried at once."""
NEEDED = (
    "row", "goods", "whole", "fob", "share", "allowed", "ddp", "duty_kind", "one_rate", "duty_rate", "resolution", "digits",
    "narrow_base", "charged_rate", "freight",
)  # fmt: skip
NONE, FLAT, TARIFF, BRACKET = range(4)
"""Kinds of duty as integers."""


def reckon(lines: pl.DataFrame, duties: Duties) -> pl.DataFrame:
    """Adds the amounts of each line in minor units, without sign.

    lines: `goods`, `shipping`, `insurance`, `charged_rate`, `gross`, `ddp`, `duty_kind`, `flat` (its share of a duty
    owed once), `one_rate` (the tariff rate where it is one percentage of the whole value, else null), `fob`,
    `share` (percent of the goods' price that is the customs value, null = all), `narrow_base` (tax on customs value
    and duty), `flat_untaxed` (no tax on `flat`), `allowed` (so much of the value is free of duty and tax, null = nothing; such a price is taken without
    tax). duties: adds `tariff_duty` to lines with `customs`. Adds `value` (goods, shipping and insurance without
    tax and duty), `intrinsic`, `customs`, `duty`, `base`, `tax`.
    """
    whole = pl.col("goods") + pl.col("shipping") + pl.col("insurance")
    lines = lines.with_columns(whole.alias("whole"), pl.col("flat").fill_null(0))
    if lines["allowed"].null_count() < lines.height:
        lines = lines.with_columns(pl.col("gross") & pl.col("allowed").is_null())
    narrow = _narrow(lines)
    apart = before_tax(pl.col("whole"), pl.col("charged_rate"), narrow)
    delivered = pl.col("gross") & pl.col("ddp")
    value = pl.when(pl.col("gross")).then(apart).otherwise("whole") - pl.when(delivered).then("flat").otherwise(0)
    lines = lines.with_columns(value.alias("value"))
    bare = lines["flat_untaxed"].any() and lines["flat"].max() != 0
    if bare:
        held = delivered & pl.col("flat_untaxed") & (pl.col("flat") != 0)
        rows = places(lines.select(held.alias("held"))["held"])
        some = lines.select("whole", "flat", "charged_rate")[rows]
        rest = before_tax(pl.col("whole") - pl.col("flat"), pl.col("charged_rate"), narrow)
        lines = lines.with_columns(lines["value"].scatter(rows, some.select(rest.alias("rest"))["rest"]))
    free = (pl.col("one_rate") == 0).fill_null(False)
    dutiable = delivered & (pl.col("duty_kind") == TARIFF) & ~free
    # Tax on a part of the value only is no share t / (1 + t) of the price.
    partial = pl.col("gross") & pl.col("narrow_base") & (pl.col("fob") | pl.col("share").is_not_null())
    inside = pl.col("solvable") & (dutiable | partial)
    # On a narrow base the tax is what is left; where there is none, the duty is.
    nested = pl.col("solvable") & dutiable & (~pl.col("narrow_base") | (pl.col("charged_rate") == 0))
    rows = places(lines.select(inside.alias("inside"))["inside"])
    lines = _with_freight(lines, rows)
    if len(rows):
        solved = _solved(lines.select(NEEDED)[rows], duties)
        found = lines.select("row", "value")[rows].join(solved, on="row", how="left", maintain_order="left")
        told = found.select(pl.coalesce("solved", "value").alias("value"))
        lines = lines.with_columns(lines["value"].scatter(rows, told["value"]))
    lines = duties(valued(lines, narrow))
    t = pl.col("charged_rate")
    duty = pl.when(pl.col("duty_kind") == TARIFF).then("tariff_duty").otherwise(0) + pl.col("flat")
    lines = lines.with_columns(duty.alias("duty"))
    if len(rows):
        # What the tax leaves of such a price is value and duty; an odd cent is none of the tax.
        rows = places(lines.select(nested.alias("nested"))["nested"])
        some = lines.select("whole", "charged_rate", "value", "duty", "customs")[rows]
        odd = (apart - pl.col("value") - pl.col("duty")).fill_null(0)
        # A price that the duty alone exceeds has a value below 0.
        into_value = (pl.col("customs") < pl.col("value")) | ((pl.col("value") == 0) & (odd < 0))
        told = some.select(
            (pl.col("value") + pl.when(into_value).then(odd).otherwise(0)).alias("value"),
            (pl.col("duty") + pl.when(into_value).then(0).otherwise(odd)).alias("duty"),
        )
        lines = lines.with_columns(lines[name].scatter(rows, told[name]) for name in ("value", "duty"))
    taxed = pl.col("value")
    if lines["allowed"].null_count() < lines.height:
        taxed = at_least(taxed - pl.col("allowed").fill_null(0))
    taxable = pl.col("duty") - pl.when("flat_untaxed").then("flat").otherwise(0) if bare else pl.col("duty")
    base = pl.when(pl.col("narrow_base")).then("customs").otherwise(taxed) + taxable
    lines = lines.with_columns(base.alias("base"))
    on_duty = part(taxable, t, narrow)
    tax = (
        pl.when(~pl.col("gross"))
        .then(part(pl.col("base"), t, narrow))
        .when(pl.col("ddp"))
        .then(pl.col("whole") - pl.col("value") - pl.col("duty"))
        # The price includes the tax on itself; the tax on a duty that comes on top does too.
        .otherwise(pl.col("whole") - pl.col("value") + on_duty)
    )
    return lines.with_columns(tax.alias("tax"))


def _with_freight(lines: pl.DataFrame, rows: pl.Series) -> pl.DataFrame:
    """Adds `freight`: shipping and insurance without tax, where duty or tax falls on the goods alone and is in their price; null
    where goods and shipping share in what the price includes."""
    none = pl.Series("freight", [None], dtype=pl.Int64).new_from_index(0, lines.height)
    if len(rows):
        some = lines.select("goods", "whole", "charged_rate", "narrow_base", "fob", "share")[rows]
        charged = pl.col("whole") - pl.col("goods")
        held = pl.when("narrow_base").then(charged).otherwise(before_tax(charged, pl.col("charged_rate")))
        apart = (pl.col("fob") | pl.col("share").is_not_null()) & (charged > 0)
        none = none.scatter(rows, some.select(pl.when(apart).then(held).alias("freight"))["freight"])
    return lines.with_columns(none)


def _narrow(lines: pl.DataFrame) -> bool:
    whole, tax, duty = (most(lines[c]) for c in ("whole", "charged_rate", "one_rate"))
    # A base is the whole with its duty.
    return fits(whole, max(duty // PERCENT, 10) + 2, max(tax, duty) + PERCENT) and fits(whole, whole)


def valued(lines: pl.DataFrame, narrow: bool = False) -> pl.DataFrame:
    """Adds `intrinsic` and `customs` of `value`; lines as `reckon` holds them."""
    held = at_least("value")
    goods = portion(pl.col("goods"), held, pl.col("whole"), narrow)
    if lines["freight"].null_count() < lines.height:
        goods = pl.when(pl.col("freight").is_null()).then(goods).otherwise(at_least(held - pl.col("freight")))
    lines = lines.with_columns(goods.alias("intrinsic"))
    shared, freed = (lines[name].null_count() < lines.height for name in ("share", "allowed"))
    if not (lines["fob"].any() or shared or freed):
        return lines.with_columns(pl.col("value").alias("customs"))
    customs = at_least(pl.when("fob").then("intrinsic").otherwise("value"))
    if shared:
        rows = places(lines["share"].is_not_null())
        some = lines.select("intrinsic", "share")[rows].select(part(pl.col("intrinsic"), pl.col("share")).alias("of"))
        customs = pl.lit(lines.select(customs.alias("customs"))["customs"].scatter(rows, some["of"]))
    if freed:
        customs = at_least(customs - pl.col("allowed").fill_null(0))
    return lines.with_columns(customs.alias("customs"))


def _solved(lines: pl.DataFrame, duties: Duties) -> pl.DataFrame:
    """row -> `solved`: the value within a price that includes tax and, under DDP, duty."""
    plain = pl.col("one_rate").is_not_null() & ~pl.col("fob") & pl.col("share").is_null() & ~pl.col("narrow_base")
    easy, hard = lines.filter(plain), lines.filter(~plain)
    rest = before_tax(pl.col("whole"), pl.col("charged_rate"))
    solved = easy.select("row", before_tax(rest, pl.col("one_rate")).alias("solved"))
    if hard.is_empty():
        return solved
    whole = hard["whole"]

    def prices(*values: pl.Series) -> list[pl.Series]:
        """The prices that values come to, all at once."""
        tried = pl.concat([hard.with_columns(value.alias("value")) for value in values])
        owed = pl.col("ddp") & (pl.col("duty_kind") == TARIFF)
        duty = pl.when(owed).then(pl.col("tariff_duty").fill_null(0)).otherwise(0)
        base = pl.when(pl.col("narrow_base")).then("customs").otherwise("value") + duty
        told = (pl.col("value") + duty + part(base, pl.col("charged_rate"))).alias("price")
        found = duties(valued(tried)).select(told)["price"]
        return [found.slice(i * hard.height, hard.height) for i in range(len(values))]

    # Prices rise nearly along a line, from where the goods are worth something, which tells where to look first.
    foot = hard["freight"].fill_null(0)
    free, most = prices(foot, whole)
    slope = pl.DataFrame({"whole": whole, "foot": foot, "free": free, "most": most}).cast(pl.Float64)
    rise = (pl.col("whole") - pl.col("free")) / pl.max_horizontal(pl.col("most") - pl.col("free"), 1)
    guess = pl.col("foot") + (pl.col("whole") - pl.col("foot")) * rise
    near = slope.select(guess.clip(0, pl.col("whole")).floor().cast(pl.Int64).alias("near"))["near"]
    at = pl.DataFrame([whole, *((near + step).alias(f"{step}") for step in AROUND)])
    tries = at.select(pl.col(f"{step}").clip(0, pl.col("whole")) for step in AROUND).get_columns()
    low, high = whole * 0, whole
    for tried, price in zip(tries, prices(*tries), strict=True):
        low, high = _narrowed(low, high, tried, price <= whole)
    while (low < high).any():
        middle = (low + high + 1) // 2
        low, high = _narrowed(low, high, middle, prices(middle)[0] <= whole)
    return pl.concat([solved, hard.select("row", low.alias("solved"))])


def _narrowed(low: pl.Series, high: pl.Series, at: pl.Series, fits: pl.Series) -> tuple[pl.Series, pl.Series]:
    """The range of the largest value that fits a price, when it is known whether one value does."""
    ends = pl.DataFrame({"low": low, "high": high, "at": at, "fits": fits})
    told = ends.select(
        pl.when("fits").then(pl.max_horizontal("low", "at")).otherwise("low").alias("low"),
        pl.when("fits").then("high").otherwise(pl.min_horizontal("high", pl.col("at") - 1)).alias("high"),
    )
    return told["low"], told.select(pl.max_horizontal("low", "high").alias("high"))["high"]
