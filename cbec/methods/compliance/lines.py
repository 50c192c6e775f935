"""Order lines as numbers: money in minor units, days, and what is sold, each in an integer column."""

from __future__ import annotations

import polars as pl

from cbec.methods.compliance.codes import among, places
from cbec.methods.compliance.exact import fits, half_up, micro, most, ten_to

MICROS = 1_000_000
OF_PRODUCT = ("category", "hs_code", "origin")


def with_products(lines: pl.DataFrame, products: pl.DataFrame | None) -> pl.DataFrame:
    """What the line does not say of its goods, the product may: category, customs code, origin, and `piece_kg`."""
    if products is None:
        return lines.with_columns(pl.lit(None, pl.Float64).alias("piece_kg"))
    weight = pl.col("weight_kg") if "weight_kg" in products.columns else pl.lit(None, pl.Float64)
    columns = [pl.col(c).alias(f"{c}_of_product") for c in OF_PRODUCT if c in products.columns]
    known = products.select("sku", weight.alias("piece_kg"), *columns)
    joined = lines.join(known, on="sku", how="left", maintain_order="left")
    said = [c for c in OF_PRODUCT if c in products.columns]
    return joined.with_columns(pl.coalesce(c, f"{c}_of_product").alias(c) for c in said).drop(
        f"{c}_of_product" for c in said
    )


def with_sale_date(lines: pl.DataFrame) -> tuple[pl.Series, pl.Series]:
    """The day whose rules hold: that of the line, for a refund that of its sale; and the rows of refunds without a sale.

    lines: `run` (number of the order), `sku`, `qty`, `date`. A refund falls under the rules of the day of the sale of
    its article in its order, else of its order; without one under those of its own day.
    """
    back = places(lines["qty"] < 0)
    if not len(back):
        return lines["date"], back
    refunds = lines.select("run", "sku", "date")[back]
    run = lines["run"].to_numpy()
    returned = among(run, run[back.to_numpy()])
    sales = lines.select("run", "sku", "date", "qty")[returned].filter(pl.col("qty") >= 0)
    article = sales.group_by("run", "sku").agg(pl.col("date").min().alias("of_article"))
    order = sales.group_by("run").agg(pl.col("date").min().alias("of_order"))
    joined = refunds.join(article, on=["run", "sku"], how="left", maintain_order="left")
    joined = joined.join(order, on="run", how="left", maintain_order="left")
    sold = joined.select(pl.coalesce("of_article", "of_order", "date").alias("date"))["date"]
    return lines["date"].scatter(back, sold), back.filter(joined["of_order"].is_null())


def amounts(lines: pl.DataFrame, digits: pl.Series) -> pl.DataFrame:
    """Amounts of each line >= 0 in minor units of its currency (Int64): `goods`, `shipping`, `insurance`; `sign`,
    `pieces` (quantity in millionths, without sign), `priced`, `duty_rate` (millionths of a percent, null = not told).

    digits: of the minor unit of each line's currency, 0 or 2.
    """
    columns = ["qty", "price", "shipping", "insurance", "duty_rate_pct"]
    told = [column for column in columns if lines[column].null_count() < lines.height]
    raw = lines.select(micro(column).alias(column) for column in columns)
    small = raw.with_columns(pl.col(columns).cast(pl.Int64, strict=False))
    narrow = all(small[column].null_count() == raw[column].null_count() for column in told)
    frame = small if narrow else raw
    zero = pl.lit(0, pl.Int64)
    quantity, price = pl.col("qty").abs(), pl.col("price").abs()
    sign = pl.when(pl.col("qty") < 0).then(-1).otherwise(1).cast(pl.Int64).alias("sign")
    unit = pl.lit(digits).pipe(ten_to) if digits.min() == 0 else pl.lit(100, pl.Int64)
    quantities, prices = (most(frame[column]) for column in ("qty", "price"))
    pieces = frame.select(quantity.alias("q"))["q"]
    if narrow and fits(quantities // MICROS + 1, prices, 100) and (pieces % MICROS).max() in (0, None):
        goods = half_up(quantity // MICROS * price * unit, MICROS, narrow=True)
    else:
        goods = half_up(quantity.cast(pl.Int128) * price.cast(pl.Int128) * unit, MICROS * MICROS)

    def charge(column: str) -> pl.Expr:
        if column not in told:
            return zero.alias(column)
        slim = narrow and fits(most(frame[column]), 100)
        return half_up(pl.col(column).abs() * unit, MICROS, slim).fill_null(0).alias(column)

    return frame.select(
        sign,
        goods.cast(pl.Int64).alias("goods"),
        charge("shipping"),
        charge("insurance"),
        quantity.cast(pl.Int64).alias("pieces"),
        pl.col("price").is_not_null().alias("priced"),
        pl.col("duty_rate_pct").cast(pl.Int64).alias("duty_rate"),
    )


def subheadings(codes: pl.Series) -> pl.Series:
    """First six digits of a numeric customs code, else its words: what "different tariff subheadings" counts."""
    code = pl.col("code").str.strip_chars().str.to_lowercase()
    digits = code.str.replace_all(r"[\s.\-]", "")
    told = pl.when(digits.str.contains(r"^\d{6,}$")).then(digits.str.slice(0, 6)).when(code != "").then(code)
    return codes.alias("code").to_frame().select(told.alias("code"))["code"]


def digits_of(code: pl.Expr) -> pl.Expr:
    """The digits of customs codes written with dots, spaces or hyphens."""
    return code.str.replace_all(r"[^0-9]", "")
