"""Price elasticities of Dominick's orange juice: 11 brands in 83 stores over 120 weeks (Kilts Center, as in the R package
bayesm), through the functions behind `forecast clearance`.

Signs of the elasticities; how well units of the weeks after `--cut` are told by prices known then (levels of the last
half-year before, no effects of weeks), beside the same model without prices and beside least squares of logarithms per
brand; and whether the estimates of two halves of the time agree as far as their errors say.

    python bench/elasticity.py [--cut 130]
"""

from __future__ import annotations

import argparse
from datetime import date
from typing import TYPE_CHECKING, Any

import numpy as np
import polars as pl
from harness import Table, data_folder, timed

from cbec.methods.forecast import elasticity, pricecells

if TYPE_CHECKING:
    from cbec.methods.forecast.pricecells import Cells

#: Week 40 began on Thursday 14 June 1990.
WEEK_40 = date(1990, 6, 14)


def sales(rows: pl.DataFrame, *, by_store: bool) -> pl.DataFrame:
    """The table sales: SKU = brand and store, or brand with stores as markets. A unit is 64 ounces."""
    store = pl.col("store").cast(pl.String)
    return rows.select(
        (pl.lit(WEEK_40) + pl.duration(weeks=pl.col("week") - 40)).cast(pl.Date).alias("date"),
        (pl.format("B{}-S{}", "brand", "store") if by_store else pl.format("B{}", "brand")).alias("sku"),
        (pl.lit("*") if by_store else store).alias("market"),
        pl.lit(None, pl.String).alias("channel"),
        pl.lit("USD").alias("currency"),
        (pl.col("units") / 64).alias("units"),
        (pl.col("price") * 64).alias("price"),
        (pl.col("feat") > 0).alias("promo"),
        pl.lit(None, pl.Boolean).alias("in_stock"),
    )


def read() -> pl.DataFrame:
    """Rows with the brand's own price."""
    every = pl.read_parquet(data_folder("forecast/orange_juice") / "weekly_sales.parquet")
    return pl.concat([every.filter(pl.col("brand") == b).with_columns(price=pl.col(f"price{b}")) for b in range(1, 12)])


def prepared(rows: pl.DataFrame, *, by_store: bool) -> Cells:
    products = rows.select(
        (pl.format("B{}-S{}", "brand", "store") if by_store else pl.format("B{}", "brand")).alias("sku"),
        (pl.col("brand").cast(pl.String) if by_store else pl.lit("juice")).alias("category"),
    ).unique()
    made = pricecells.prepare(sales(rows, by_store=by_store), products)
    assert made is not None
    return made


def ahead(known: Cells, fit: elasticity.Fit, slope: np.ndarray, later: Cells) -> np.ndarray:
    """Expected units of later cells: the last level of their series, their own price and promotion. NaN for new series."""
    last = np.full(known.names.height, -1)
    order = np.argsort(known.period, kind="stable")
    last[known.series[order]] = known.level[order]
    key = ["sku", "market", "channel", "currency"]
    of = later.names.join(known.names.with_row_index("n"), on=key, how="left", maintain_order="left")
    number = of["n"].fill_null(0).to_numpy().astype(int)
    price = later.log_price + (of["regular_log"] - of["regular_log_right"]).fill_null(0).to_numpy()[later.series]
    skus = later.skus.join(
        known.skus.select("sku", pl.col("number").alias("k")), on="sku", how="left", maintain_order="left"
    )
    at = skus["k"].fill_null(0).to_numpy().astype(int)[later.sku]
    promo = np.nan_to_num(fit.promo)[known.category_of[at]] * later.promo
    out = later.exposure * np.exp(fit.level[last[number[later.series]]] + slope[at] * price + promo)
    return np.where(of["n"].is_null().to_numpy()[later.series], np.nan, out)


def least_squares(known: pl.DataFrame, later: pl.DataFrame) -> np.ndarray:
    """Per brand: log units by store, log price, feature and deal; units by the mean of the lognormal."""
    out = np.full(later.height, np.nan)
    for b in range(1, 12):
        a, z = (f.with_row_index("row").filter(pl.col("brand") == b) for f in (known, later))
        names = a.select("store").unique().sort("store").with_row_index("n")
        design = []
        for f in (a, z):
            at = f.join(names, on="store", how="left", maintain_order="left")["n"].fill_null(0).to_numpy().astype(int)
            design.append(np.column_stack([np.eye(names.height)[at], np.log(f["price"]), f["feat"] > 0, f["deal"] > 0]))
        y = np.log(a["units"].to_numpy() / 64)
        beta, *_ = np.linalg.lstsq(design[0], y, rcond=None)
        spread = np.var(y - design[0] @ beta)
        out[z["row"].to_numpy()] = np.exp(design[1] @ beta + spread / 2)
    return out


def errors(
    program: str, actual: np.ndarray, expected: np.ndarray, slopes: np.ndarray | None, seconds: float
) -> dict[str, Any]:
    seen = ~np.isnan(expected)
    y, f = actual[seen], expected[seen]
    return {
        "model": program,
        "negative": None if slopes is None else f"{(slopes < 0).sum()} of {slopes.size}",
        "median elasticity": None if slopes is None else float(np.median(slopes)),
        "WAPE": float(np.abs(y - f).sum() / y.sum()),
        "RMSE of logs": float(np.sqrt(np.mean(np.log(f / y) ** 2))),
        "bias": float((f - y).sum() / y.sum()),
        "CPU s": seconds,
    }


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    options.add_argument("--cut", type=int, default=130, help="last week that is known")
    cut = options.parse_args().cut
    rows = read()
    known, later = rows.filter(pl.col("week") <= cut), rows.filter(pl.col("week") > cut)
    out = Table(
        "elasticity", f"Orange juice: {rows.height:,} store weeks, known to week {cut}, units of weeks {cut + 1} to 160"
    )
    for by_store, name in ((True, "brand x store, pooled by brand"), (False, "brand, stores as markets")):
        a, z = prepared(known, by_store=by_store), prepared(later, by_store=by_store)
        if by_store:
            flat, seconds = timed(lambda a=a: elasticity.fit(a, with_price=False))
            out.rows.append(errors("without prices", z.units, ahead(a, flat, flat.slope, z), None, seconds))
            expected, seconds = timed(lambda: least_squares(known, later))
            out.rows.append(
                errors("least squares of logs, per brand", later["units"].to_numpy() / 64, expected, None, seconds)
            )
        (fit, pooled), seconds = timed(lambda a=a: (f := elasticity.fit(a), elasticity.pool(f, a)))
        out.rows.append(errors(f"cbec, {name}: own", z.units, ahead(a, fit, fit.slope, z), fit.slope, seconds))
        out.rows.append(errors(f"cbec, {name}: pooled", z.units, ahead(a, fit, pooled.mean, z), pooled.mean, seconds))
        whole = elasticity.fit(prepared(rows, by_store=by_store))
        out.notes.append(
            f"{name}, all weeks: {(whole.slope < 0).sum()} of {whole.slope.size} own elasticities are negative"
        )
        if by_store:
            halves = [
                prepared(rows.filter(part), by_store=True) for part in (pl.col("week") <= 100, pl.col("week") > 100)
            ]
            told = [(h, elasticity.fit(h)) for h in halves]
            joined = [pl.DataFrame({"sku": h.skus["sku"], "slope": f.slope, "error": f.error}) for h, f in told]
            both = (
                joined[0]
                .join(joined[1], on="sku")
                .filter(pl.col("error").is_finite() & pl.col("error_right").is_finite())
            )
            z_score = (both["slope"] - both["slope_right"]) / (both["error"] ** 2 + both["error_right"] ** 2).sqrt()
            inside = float((z_score.abs() < elasticity.Z90).mean())
            out.notes.append(
                f"{name}: the two halves of the time agree within their 90 % range for {100 * inside:.0f} % of {both.height}"
            )
    out.finish()


if __name__ == "__main__":
    main()
