"""Online Retail: units of the next 30 days per SKU, and of the next 8 weeks one by one, by `forecast demand`.

UCI Online Retail (541,909 order lines, 2010-12-01 .. 2011-12-09, CC BY 4.0). Sales: invoices that are no cancellation or
adjustment (C, A), quantity and price above 0, product codes of five digits and optional letters in upper case, lines below
5,000 units; units per SKU and day over all countries. At each origin the days before it are known; the forecast is
cum_mean of day 30; it is judged for SKUs with at least 30 units in the last 90 known days.

    protocol month: origins after 90, 120 ... 330 days; protocol six: after 150, 190, 230, 270, 310, 340 days

Protocol weeks: whole weeks from Monday, origins after 28, 36 and 44 of 52, horizon 8; SKUs with their first sale at least
20 weeks before the origin and a unit in the last 13. `--part dev` takes origins after 16 and 20 weeks instead (first sale
12 weeks before), which see nothing of the weeks judged otherwise; everything was tuned there.

    python bench/online_retail.py [--protocol month] [--protocol six] [--protocol weeks [--part dev]]
"""

from __future__ import annotations

import argparse
from datetime import timedelta
from typing import Any

import numpy as np
import polars as pl
import series
from harness import Table, data_folder, timed

from cbec.forecast import Demand, demand
from cbec.methods.forecast import metrics
from cbec.tables.demand import LEVELS, QUANTILES

H = 30
PROTOCOLS = {"month": tuple(range(90, 345, 30)), "six": (150, 190, 230, 270, 310, 340)}
WEEKS = {"test": ((28, 36, 44), 20), "dev": ((16, 20), 12)}
#: Series-origins on which the slow peer was measured, drawn as there.
SAMPLE = 600
#: Measured on the test origins: protocol, WAPE, bias, RMSSE, WQL.
PEERS = (
    ("weeks", "WindowAverage(8)", 0.741, -0.147, 1.139, None),
    ("weeks", "empirical quantiles of 13 weeks, median", 0.710, -0.415, 1.158, 0.468),
    ("weeks", "statsforecast IMAPA + conformal", 0.740, -0.113, 1.129, 0.536),
    ("weeks", "statsforecast DynamicOptimizedTheta", 0.764, -0.060, 1.144, 0.481),
    (f"weeks, {SAMPLE} of them", "statsforecast AutoETS", 0.775, -0.033, 1.105, 0.480),
    (f"weeks, {SAMPLE} of them", "statsforecast DynamicOptimizedTheta", 0.752, -0.029, 1.087, 0.468),
    (f"weeks, {SAMPLE} of them", "WindowAverage(8)", 0.733, -0.083, 1.063, None),
)


def lines() -> pl.DataFrame:
    raw = pl.read_parquet(data_folder("market_supply/online_retail") / "online_retail.parquet")
    keep = (
        ~pl.col("InvoiceNo").str.contains("^[CA]")
        & pl.col("Quantity").is_between(1, 4999)
        & (pl.col("UnitPrice") > 0)
        & pl.col("StockCode").str.contains(r"^\d{5}[A-Za-z]*$")
    )
    return raw.filter(keep).select(
        pl.col("InvoiceDate").dt.date().alias("date"),
        pl.col("StockCode").str.to_uppercase().alias("sku"),
        pl.col("Quantity").cast(pl.Float64).alias("units"),
    )


def matrix(sales: pl.DataFrame) -> tuple[list[str], np.ndarray]:
    first = sales["date"].min()
    skus = sales["sku"].unique().sort()
    at = sales.join(pl.DataFrame({"sku": skus}).with_row_index("row"), on="sku", how="left")
    day = (at["date"] - first).dt.total_days().to_numpy()
    out = np.zeros((len(skus), day.max() + 1))
    np.add.at(out, (at["row"].to_numpy(), day), at["units"].to_numpy())
    return skus.to_list(), out


def run(sales: pl.DataFrame, origins: tuple[int, ...], label: str) -> list[dict[str, Any]]:
    skus, days = matrix(sales)
    first = sales["date"].min()
    parts: dict[str, list[np.ndarray]] = {}
    quantiles, actual, seconds = [], [], 0.0
    for origin in origins:
        as_of = first + timedelta(days=origin - 1)
        known, judged = days[:, :origin], days[:, max(origin - 90, 0) : origin].sum(1) >= 30
        result, used = timed(
            lambda day=as_of: demand(sales.filter(pl.col("date") <= day), s=Demand(horizon=H, frequency="D", as_of=day))
        )
        seconds += used
        made = result.tables["forecast"]
        formula = made.group_by("sku").agg(pl.col("seller_formula").sum())
        end = made.filter(pl.col("h") == H).join(formula, on="sku", suffix="_sum")
        whole = (
            pl.DataFrame({"sku": skus}).join(end, on="sku", how="left", maintain_order="left").filter(pl.Series(judged))
        )
        actual.append(days[judged, origin : origin + H].sum(1))
        quantiles.append(whole.select([f"cum_{q}" for q in QUANTILES]).to_numpy().T)
        for name, values in {
            "cbec forecast demand": whole["cum_mean"].to_numpy(),
            "seller formula": whole["seller_formula_sum"].to_numpy(),
            ".5 m30 + .5 m90": 15 * (known[judged, -30:].mean(1) + known[judged, -90:].mean(1)),
        }.items():
            parts.setdefault(name, []).append(values)
    y = np.concatenate(actual)[:, None]
    q = np.concatenate(quantiles, 1)[:, :, None]
    rows = []
    for name, pieces in parts.items():
        f = np.concatenate(pieces)[:, None]
        row: dict[str, Any] = {
            "protocol": label,
            "program": name,
            "SKU-origins": len(y),
            "WAPE": metrics.wape(y, f),
            "bias": metrics.bias(y, f),
        }
        if name.startswith("cbec"):
            row["WQL"] = metrics.wql(y, q, LEVELS)
            for level in (0.5, 0.75, 0.95, 0.99):
                row[f"at or under q{level:g}"] = metrics.coverage(y, None, q[LEVELS.index(level)])
            row["CPU s per run"] = seconds / len(origins)
        rows.append(row)
    return rows


def weeks(sales: pl.DataFrame, part: str) -> list[dict[str, Any]]:
    _, days = matrix(sales)
    skip = (7 - sales["date"].min().weekday()) % 7
    width = (days.shape[1] - skip) // 7
    y = days[:, skip : skip + 7 * width].reshape(len(days), width, 7).sum(2)
    first = np.where((y > 0).any(1), (y > 0).argmax(1), width)
    origins, life = WEEKS[part]
    parts: dict[str, list[np.ndarray]] = {}
    q, actual, scale, seconds = [], [], [], 0.0
    for o in origins:
        judged = (first <= o - life) & (y[:, o - 13 : o].sum(1) > 0)
        there = first < o
        known = np.where(np.arange(o) < first[there, None], np.nan, y[there, :o])
        made = series.forecast(known, "W", 8)
        seconds += made.seconds
        rows = judged[there]
        actual.append(y[judged, o : o + 8])
        scale.append(metrics.squared_scale(known[rows]))
        q.append(made.q[:, rows])
        recent = np.nan_to_num(known[rows][:, -8:]).mean(1, keepdims=True)
        for name, f in (("cbec forecast demand", made.mean[rows]), ("mean of 8 weeks", np.repeat(recent, 8, 1))):
            parts.setdefault(name, []).append(f)
    a, s, quantiles = np.concatenate(actual), np.concatenate(scale), np.concatenate(q, 1)
    found = []

    def judge(name: str, f: np.ndarray, rows: np.ndarray, label: str) -> None:
        y, q = a[rows], quantiles[:, rows]
        row: dict[str, Any] = {"protocol": label, "program": name, "SKU-origins": len(y)}
        row |= {"WAPE": metrics.wape(y, f[rows]), "bias": metrics.bias(y, f[rows])}
        row["RMSSE"] = metrics.rmsse(y, f[rows], s[rows])
        if name.startswith("cbec"):
            row["WQL"] = metrics.wql(y, q, LEVELS)
            for level in (0.5, 0.75, 0.95, 0.99):
                row[f"at or under q{level:g}"] = metrics.coverage(y, None, q[LEVELS.index(level)])
            row["CPU s per run"] = seconds / len(origins)
        found.append(row)

    every = np.arange(len(a))
    sample = np.sort(np.random.default_rng(5).choice(len(a), SAMPLE, replace=False))
    for rows, label in ((every, "weeks"), *([(sample, f"weeks, {SAMPLE} of them")] if part == "test" else [])):
        for name, pieces in parts.items():
            judge(name, np.concatenate(pieces), rows, label)
    if part == "test":
        for label, name, wape, bias, rmsse, wql in PEERS:
            row = {"protocol": label, "program": f"{name}, measured", "WAPE": wape, "bias": bias}
            found.append({**row, "RMSSE": rmsse, "WQL": wql})
    return found


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    options.add_argument("--protocol", choices=(*PROTOCOLS, "weeks"), action="append")
    options.add_argument("--part", choices=tuple(WEEKS), default="test")
    settings = options.parse_args()
    chosen = settings.protocol or [*PROTOCOLS, "weeks"]
    sales = lines()
    out = Table(
        f"online_retail_{settings.part}", "Online Retail: units of the next 30 days, and of the next 8 weeks, per SKU"
    )
    for label in chosen:
        out.rows += weeks(sales, settings.part) if label == "weeks" else run(sales, PROTOCOLS[label], label)
    out.notes.append(
        f"{len(sales)} lines, {sales['sku'].n_unique()} SKUs; WAPE and bias of 30-day totals, or of weeks, pooled"
    )
    out.finish()


if __name__ == "__main__":
    main()
