"""M3: accuracy, coverage and CPU of `forecast demand`, beside statsforecast's DynamicOptimizedTheta.

1,428 monthly series, 18 months ahead, and 756 quarterly ones, 8 quarters ahead (Makridakis & Hibon 2000). cbec runs as
its step function in this process and, for months, as a command from CSV to Parquet. The peer runs in the same process when
statsforecast can be imported; other figures are computed from the published forecasts. `--part dev` holds out the last
training periods instead of using the test part; everything was tuned there.

    python bench/m3.py [--set monthly|quarterly] [--part test|dev] [--no-cli]
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import series
from harness import Table, cpu_of, timed

from cbec.methods.forecast import metrics
from cbec.tables.demand import QUANTILES

#: Frequency, horizon, season.
SETS = {"monthly": ("M", 18, 12), "quarterly": ("Q", 8, 4)}
PUBLISHED = {
    "monthly": (
        ("THETA of the competition", 13.89, 0.858),
        ("ForecastPro of the competition", 13.90, 0.848),
        ("statsforecast DynamicOptimizedTheta, measured", 13.725, 0.850),
        ("statsforecast AutoETS, measured", 14.16, 0.863),
    ),
    "quarterly": (("THETA of the competition", 8.96, 1.087), ("COMB of the competition", 9.22, 1.105)),
}


def by_command(known: np.ndarray, frequency: str, h: int) -> tuple[series.Made, float]:
    with tempfile.TemporaryDirectory() as folder:
        source, target = Path(folder) / "m3.csv", Path(folder) / "f.parquet"
        series.sales(known, frequency).write_csv(source)
        words = [
            *("forecast", "demand", "--sales", str(source), "--frequency", frequency),
            *("--horizon", str(h), "-o", str(target)),
        ]
        seconds = cpu_of([sys.executable, "-m", "cbec", *words])
        made = pl.read_parquet(target).sort("sku", "h")
    shaped = {c: made[c].to_numpy().reshape(-1, h) for c in made.columns if made[c].dtype == pl.Float64}
    q, cum = (np.stack([shaped[f"{p}{c}"] for c in QUANTILES]) for p in ("", "cum_"))
    return series.Made(shaped["mean"], shaped["naive"], q, cum, seconds, ""), seconds


def peer(known: np.ndarray, actual: np.ndarray, m: int) -> dict[str, Any] | None:
    try:
        from statsforecast.models import DynamicOptimizedTheta
    except ImportError:
        return None
    model = DynamicOptimizedTheta(season_length=m)
    rows, h = [x[~np.isnan(x)] for x in known], actual.shape[1]
    model.forecast(y=rows[0], h=h)  # warm-up
    made, seconds = timed(lambda: np.array([model.forecast(y=x, h=h)["mean"] for x in rows]))
    return {
        "program": "statsforecast DynamicOptimizedTheta (points only)",
        "sMAPE": metrics.smape(actual, made),
        "MASE": metrics.mase(actual, made, metrics.seasonal_scale(known, m)),
        "CPU s": seconds,
        "CPU s per 1,000": 1000 * seconds / len(rows),
    }


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    options.add_argument("--set", choices=tuple(SETS), default="monthly")
    options.add_argument("--part", choices=("test", "dev"), default="test")
    options.add_argument("--no-cli", action="store_true")
    chosen = options.parse_args()
    frequency, h, m = SETS[chosen.set]
    known, actual = series.read(f"m3_{chosen.set}")
    if chosen.part == "dev":
        known, actual = series.earlier(known, h, 2)
    out = Table(
        f"m3_{chosen.set}_{chosen.part}", f"M3 {chosen.set}, {chosen.part}: {len(known)} series, h={h}, MASE m={m}"
    )
    made = series.forecast(known, frequency, h)
    out.rows.append(series.smooth_row("cbec forecast demand", made, actual, known, m))
    out.rows.append(series.point_row("seasonal naive", made.naive, actual, known, m))
    if not chosen.no_cli and chosen.set == "monthly":
        typed, _ = by_command(known, frequency, h)
        out.rows.append(
            series.smooth_row("the command, CSV to Parquet, start and checks included", typed, actual, known, m)
        )
    beside = peer(known, actual, m)
    if beside:
        out.rows.append(beside)
    if chosen.part == "test":
        out.rows += [{"program": p, "sMAPE": s, "MASE": a} for p, s, a in PUBLISHED[chosen.set]]
    out.notes.append("methods chosen: " + made.methods)
    out.finish()


if __name__ == "__main__":
    main()
