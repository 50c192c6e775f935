"""Car parts: 2,674 monthly series of spare parts, three quarters of the months without a sale, 12 months ahead (Hyndman,
Koehler, Ord & Snyder 2008), through `forecast demand`, beside simple distributions and published figures.

WQL over .1 ... .9; levels that the forecast table does not hold are read off a count between its quantiles.
`--part dev` holds out the last 12 of the first 39 months instead of the test part; everything was tuned there.

    python bench/carparts.py [--part test|dev]
"""

from __future__ import annotations

import argparse
from typing import Any

import numpy as np
import polars as pl
import series
from harness import Table, data_folder, timed

from cbec.methods.forecast import metrics

H = 12
FEV = tuple(k / 10 for k in range(1, 10))
PUBLISHED = (
    ("AutoETS", 1.34),
    ("AutoTheta", 1.34),
    ("AutoARIMA", 1.29),
    ("Chronos-Bolt", 0.9945),
    ("Chronos-2", 0.966),
)


def row(program: str, q: np.ndarray, actual: np.ndarray, seconds: float) -> dict[str, Any]:
    return {
        "program": program,
        "WQL": metrics.wql(actual, q, FEV),
        "at or under q90": metrics.coverage(actual, None, q[-1]),
        "CPU s": seconds,
    }


def negative_binomial(known: np.ndarray, months: int) -> np.ndarray:
    part = known[:, -months:]
    return np.repeat(series.negative_binomial(part.mean(1), part.var(1, ddof=1), FEV)[:, :, None], H, 2)


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    options.add_argument("--part", choices=("test", "dev"), default="test")
    part = options.parse_args().part
    rows = pl.read_parquet(data_folder("forecast/carparts") / "monthly.parquet").sort("unique_id", "ds")
    y = np.array(rows.group_by("unique_id", maintain_order=True).agg("y")["y"].to_list(), float)
    end = y.shape[1] if part == "test" else y.shape[1] - H
    known, actual = np.nan_to_num(y[:, : end - H]), y[:, end - H : end]
    out = Table(f"carparts_{part}", f"Car parts, {part}: {len(y)} series, {known.shape[1]} months known, h={H}")
    made = series.forecast(known, "M", H)
    out.rows.append(row("cbec forecast demand", series.at_levels(made.mean, made.q, FEV), actual, made.seconds))
    for months in (12, 18):
        q, seconds = timed(lambda n=months: negative_binomial(known, n))
        out.rows.append(row(f"negative binomial by moments, {months} months", q, actual, seconds))
    recent = np.quantile(known[:, -12:], FEV, axis=1, method="inverted_cdf")
    out.rows.append(row("empirical quantiles of 12 months", np.repeat(recent[:, :, None], H, 2), actual, 0.0))
    if part == "test":
        out.rows += [{"program": f"{p}, published", "WQL": w} for p, w in PUBLISHED]
    out.notes.append("methods chosen: " + made.methods)
    out.finish()


if __name__ == "__main__":
    main()
