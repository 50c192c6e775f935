"""Walmart: 3,331 weekly series of store x department, 39 weeks ahead, `forecast demand` beside the same week of the year before.

Sales in dollars, holidays included; the last 39 of 143 weeks are judged (Kaggle 2014). WQL over .1 ... .9, the seasonal naive with
its point at every level. `--part dev` forecasts 13 weeks after 91 known ones instead, which see nothing of the weeks judged
otherwise.

    python bench/walmart.py [--part test|dev]
"""

from __future__ import annotations

import argparse

import numpy as np
import polars as pl
from harness import Table, data_folder, timed

from cbec.forecast import Demand, demand
from cbec.methods.forecast import metrics
from cbec.tables.demand import LEVELS, QUANTILES

#: Weeks known, horizon.
PARTS = {"test": (104, 39), "dev": (91, 13)}
FEV = tuple(k / 10 for k in range(1, 10))


def between(q: np.ndarray) -> np.ndarray:
    """Quantiles at FEV on straight lines between those of the table."""
    return np.stack([_line(q, level) for level in FEV])


def _line(q: np.ndarray, level: float) -> np.ndarray:
    right = int(np.clip(np.searchsorted(LEVELS, level - 1e-9), 1, len(LEVELS) - 1))
    share = (level - LEVELS[right - 1]) / (LEVELS[right] - LEVELS[right - 1])
    return np.asarray((1 - share) * q[right - 1] + share * q[right])


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    options.add_argument("--part", choices=tuple(PARTS), default="test")
    part = options.parse_args().part
    weeks, h = PARTS[part]
    raw = pl.read_parquet(data_folder("forecast/walmart_weekly") / "train.parquet")
    days = raw["Date"].unique().sort()
    sales = raw.select(
        date="Date", sku=pl.col("Dept").cast(pl.String), market=pl.col("Store").cast(pl.String), units="Weekly_Sales"
    )
    known = sales.filter(pl.col("date") < days[weeks])
    settings = Demand(horizon=h, frequency="W", as_of=days[weeks - 1])
    demand(known.head(500), s=settings)  # imports
    result, seconds = timed(lambda: demand(known, s=settings))
    made = result.tables["forecast"].with_columns(week=pl.col("h") + weeks - 1).drop("date")
    place = pl.DataFrame({"date": days, "week": np.arange(len(days))})
    after = sales.join(place, on="date").filter(pl.col("week").is_between(weeks, weeks + h - 1))
    before = sales.join(place, on="date").select("sku", "market", pl.col("week") + 52, year="units")
    # The same week of the year before where there is one, as the peers' figure has it; cbec answers for all.
    rows = after.join(made, on=["sku", "market", "week"]).join(before, on=["sku", "market", "week"], how="left")
    both = rows.filter(pl.col("year").is_not_null())
    out = Table(f"walmart_{part}", f"Walmart, {part}: {known.select('sku', 'market').n_unique()} series, h={h}")
    for label, frame in (("rows with a year before", both), ("all rows", rows)):
        y = frame["units"].to_numpy()[:, None]
        q = between(np.stack([frame[c].to_numpy()[:, None] for c in QUANTILES]))
        mean, naive = frame["mean"].to_numpy()[:, None], frame["naive"].to_numpy()[:, None]
        year = frame["year"].fill_null(0.0).to_numpy()[:, None]
        row = {"rows": label, "n": len(y), "program": "cbec forecast demand", "WAPE": metrics.wape(y, mean)}
        row |= {"bias": metrics.bias(y, mean), "WQL": metrics.wql(y, q, FEV)}
        out.rows.append({**row, "at or under q90": metrics.coverage(y, None, q[-1]), "CPU s": seconds})
        for name, f in (("cbec's seasonal naive", naive), ("the same week of the year before", year)):
            row = {"rows": label, "n": len(y), "program": name, "WAPE": metrics.wape(y, f), "bias": metrics.bias(y, f)}
            out.rows.append({**row, "WQL": metrics.wql(y, np.stack([f] * len(FEV)), FEV)})
    shares = result.tables["model_record"]["model"].value_counts(sort=True)
    out.notes.append("methods chosen: " + ", ".join(f"{m} {n}" for m, n in shares.rows()))
    out.finish()


if __name__ == "__main__":
    main()
