"""Orange juice: units of the next 8 weeks per store and brand by `forecast demand`, with and without prices and promotions.

Dominick's refrigerated orange juice, 83 stores x 11 brands x weeks 40..160 (Kilts Center; in R's bayesm). Origins after weeks
122, 130, 138 and 146. With: own price and promotion (a deal or a feature) in the sales, and a calendar that begins at the origin
and tells both for the 8 weeks. These origins were looked at while the effects of prices were worked out; no constant was
fitted to them.

    python bench/orange_juice.py
"""

from __future__ import annotations

from datetime import date, timedelta

import polars as pl
from harness import Table, data_folder, timed

from cbec.forecast import Demand, demand

ORIGINS, H = (122, 130, 138, 146), 8
MONDAY, FIRST = date(1990, 6, 4), 40


def sales() -> pl.DataFrame:
    rows = pl.read_parquet(data_folder("forecast/orange_juice") / "weekly_sales.parquet")
    return rows.select(
        "week",
        (pl.lit(MONDAY) + pl.duration(weeks=pl.col("week") - FIRST)).cast(pl.Date).alias("date"),
        pl.concat_str(pl.lit("B"), "brand").alias("sku"),
        pl.concat_str(pl.lit("S"), "store").alias("market"),
        "units",
        pl.coalesce(pl.when(pl.col("brand") == b).then(f"price{b}") for b in range(1, 12)).alias("price"),
        ((pl.col("deal") == 1) | (pl.col("feat") == 1)).alias("promo"),
    )


def calendar(ahead: pl.DataFrame) -> pl.DataFrame:
    span = "date", (pl.col("date") + timedelta(days=6)).alias("until"), "market", "sku"
    price = ahead.select(*span, name=pl.lit("price"), kind=pl.lit("price"), value="price")
    promo = ahead.filter("promo").select(
        *span, name=pl.lit("deal"), kind=pl.lit("promotion"), value=pl.lit(None, pl.Float64)
    )
    return pl.concat([price, promo])


def row(week: int, program: str, told: pl.DataFrame, mean: str, seconds: float | None) -> dict[str, object]:
    gap, sold = pl.col(mean) - pl.col("units"), pl.col("units").sum()
    found = told.select(
        (gap.abs().sum() / sold).alias("WAPE"),
        (gap.sum() / sold).alias("bias"),
        (gap.abs() / pl.col("units")).mean().alias("MAPE"),
        (pl.col("units") <= pl.col("q95")).mean().alias("at or under q95"),
    ).row(0, named=True)
    return {"weeks known": week, "program": program, **found, "CPU s": seconds}


def main() -> None:
    out, rows = Table("orange_juice", "Orange juice, 83 stores x 11 brands: units of each of the next 8 weeks"), sales()
    for week in ORIGINS:
        known, ahead = rows.filter(pl.col("week") <= week), rows.filter(pl.col("week").is_between(week + 1, week + H))
        s = Demand(horizon=H, frequency="W", as_of=MONDAY + timedelta(weeks=week - FIRST + 1, days=-1))
        for program, columns, plan in (
            ("cbec, units alone", ["date", "sku", "market", "units"], None),
            ("cbec, price and promotion", ["date", "sku", "market", "units", "price", "promo"], calendar(ahead)),
        ):
            made, seconds = timed(lambda c=columns, p=plan, k=known, s=s: demand(k.select(c), calendar=p, s=s))
            told = ahead.select("date", "sku", "market", "units").join(
                made.tables["forecast"], on=["date", "sku", "market"], how="inner"
            )
            out.rows.append(row(week, program, told, "mean", seconds))
        out.rows.append(row(week, "seasonal naive", told, "naive", None) | {"at or under q95": None})
    out.finish()


if __name__ == "__main__":
    main()
