"""Customs value, duty and tax of decided lines, in integers of the minor unit.

Amounts are taken without sign and rounded half up per line; a refund gets its sign at the end, so that it mirrors
its sale. Prices that include tax (and, under DDP, duty) are taken apart in closed form:

    tax only        value = price - round(price * t / (1 + t))
    tax and duty    value = price / ((1 + d) * (1 + t)), then the one of the three nearest cents from which the
                    forward calculation gives the price again; if none does, the odd cent goes into the tax
    flat duty F     value = (price - round(price * t / (1 + t))) - F

so that value + duty + tax is the price to the cent, always.
"""

from __future__ import annotations

import polars as pl

from cbec.methods.compliance.consignments import before_tax, flat_duty, portion
from cbec.methods.compliance.exact import PERCENT, half_up, part, wide


def reckon(lines: pl.DataFrame, cases: pl.DataFrame) -> pl.DataFrame:
    """Adds the amounts of each line and its final `problem` (reason code of what is still unknown, else null).

    lines: from `decisions.decide`. Adds in minor units with sign: `intrinsic`, `value` (goods, shipping and
    insurance without tax and duty), `duty`, `base`, `tax`; and `charged_rate`, the tax rate used.
    """
    said = cases.select("case", "problem", "scheme_tax", "duty_duty")
    lines = lines.join(said, on="case", how="left", maintain_order="left")
    lines = lines.with_columns(pl.coalesce("issue", "problem").alias("problem"))
    lines = _with_flat(lines)
    whole = pl.col("goods") + pl.col("shipping") + pl.col("insurance")
    tariff, flat = pl.col("duty_duty") == "tariff", pl.col("duty_duty") == "flat"
    lines = lines.with_columns(
        whole.alias("whole"),
        pl.when(pl.col("scheme_tax") == "charge").then(pl.col("rate")).otherwise(0).alias("charged_rate"),
        pl.when(tariff).then(pl.col("duty_rate")).otherwise(0).cast(pl.Int128).alias("tariff_rate"),
        pl.when(flat).then(pl.col("flat")).otherwise(0).alias("flat"),
        _lacks().alias("problem"),
    )
    t, d, flat_due = pl.col("charged_rate"), pl.col("tariff_rate"), pl.col("flat")
    apart = before_tax(pl.col("whole"), t)
    with_duty = pl.when(d > 0).then(_out_of_price(pl.col("whole"), d, t)).otherwise(apart - flat_due)
    value = pl.when(~pl.col("gross")).then(pl.col("whole")).when(pl.col("ddp")).then(with_duty).otherwise(apart)
    lines = lines.with_columns(value.alias("value"))
    lines = lines.with_columns((part(pl.col("value"), d) + flat_due).alias("duty"))
    base = pl.col("value") + pl.col("duty")
    tax = (
        pl.when(~pl.col("gross"))
        .then(part(base, t))
        .when(pl.col("ddp"))
        .then(pl.col("whole") - base)
        # The price includes the tax on itself; the tax on a duty that comes on top does too.
        .otherwise(pl.col("whole") - pl.col("value") + part(pl.col("duty"), t))
    )
    below = (pl.col("value") < 0).fill_null(False)
    lines = lines.with_columns(
        pl.when(pl.col("problem").is_null() & below)
        .then(pl.lit("tax_price_below_duty"))
        .otherwise("problem")
        .alias("problem"),
        portion(pl.col("goods"), pl.max_horizontal("value", pl.lit(0)), pl.col("whole")).alias("intrinsic"),
        base.alias("base"),
        tax.alias("tax"),
    )
    known = pl.col("problem").is_null()
    money = ("intrinsic", "value", "duty", "base", "tax")
    return lines.with_columns(pl.when(known).then(pl.col(c) * pl.col("sign")).alias(c) for c in money)


def _out_of_price(price: pl.Expr, duty: pl.Expr, tax: pl.Expr) -> pl.Expr:
    top, bottom = wide(price) * PERCENT * PERCENT, (PERCENT + wide(duty)) * (PERCENT + wide(tax))
    near = half_up(top, bottom)

    def forward(value: pl.Expr) -> pl.Expr:
        base = value + part(value, duty)
        return base + part(base, tax)

    below = pl.max_horizontal(near - 1, 0)
    return pl.when(forward(below) == price).then(below).when(forward(near + 1) == price).then(near + 1).otherwise(near)


def _with_flat(lines: pl.DataFrame) -> pl.DataFrame:
    """Adds `flat`: the line's share of duties owed once per subheading; null where it owes none or it is unknown."""
    owing = lines.filter(
        (pl.col("duty_duty") == "flat") & pl.col("problem").is_null() & pl.col("subheading").is_not_null()
    )
    if owing.is_empty():
        return lines.with_columns(pl.lit(None, pl.Int64).alias("flat"))
    return lines.join(flat_duty(owing), on="row", how="left", maintain_order="left")


def _lacks() -> pl.Expr:
    """What the duty needs of a line and the line does not say."""
    return (
        pl.when(pl.col("problem").is_not_null())
        .then(pl.col("problem"))
        .when((pl.col("duty_duty") == "tariff") & pl.col("duty_rate").is_null())
        .then(pl.lit("tax_no_duty_rate"))
        .when((pl.col("duty_duty") == "flat") & pl.col("subheading").is_null())
        .then(pl.lit("tax_no_hs_code"))
        .when((pl.col("duty_duty") == "flat") & pl.col("flat").is_null())
        .then(pl.lit("tax_refund_without_sale"))
    )
