"""M3 monthly: accuracy, coverage and CPU of `forecast demand`, beside statsforecast's DynamicOptimizedTheta.

1,428 series, 18 months ahead (Makridakis & Hibon 2000). The series end together: the last training month of each is
December 2000. cbec runs twice: its step function in this process, and as a command from CSV to Parquet. The peer runs in
the same process when statsforecast can be imported. `--part dev` holds out the last 18 training months instead of using
the test part; everything was tuned there.

    python bench/m3.py [--part test|dev] [--no-cli]
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from datetime import date
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
from harness import ROOT, Table, cpu_of, data_folder, timed

sys.path.insert(0, str(ROOT))

from cbec.forecast import Demand, demand
from cbec.methods.forecast import metrics
from cbec.tables.demand import LEVELS, QUANTILES

H, M = 18, 12
END = date(2000, 12, 1)


def read(part: str) -> tuple[list[np.ndarray], np.ndarray]:
    folder = data_folder("forecast/m3_monthly")
    series, after = (
        pl.read_parquet(folder / f"{name}.parquet")
        .sort("unique_id", "ds")
        .group_by("unique_id", maintain_order=True)
        .agg("y")["y"]
        .to_list()
        for name in ("train", "test")
    )
    if part == "dev":
        series, after = [x[:-H] for x in series], [x[-H:] for x in series]
    return [np.asarray(x, float) for x in series], np.asarray(after, float)


def sales(series: list[np.ndarray]) -> pl.DataFrame:
    parts = []
    for i, x in enumerate(series):
        month = END.year * 12 + END.month - 1 - np.arange(len(x))[::-1]
        days = (month - 1970 * 12).astype("datetime64[M]").astype("datetime64[D]")
        parts.append(pl.DataFrame({"date": pl.Series(days), "sku": f"M{i:04d}", "units": x}))
    return pl.concat(parts)


def measure(frame: pl.DataFrame, actual: np.ndarray, train: np.ndarray) -> dict[str, Any]:
    frame = frame.sort("sku", "h")
    shape = actual.shape
    mean = frame["mean"].to_numpy().reshape(shape)
    q = np.stack([frame[c].to_numpy().reshape(shape) for c in QUANTILES])
    cum = np.stack([frame[f"cum_{c}"].to_numpy().reshape(shape) for c in QUANTILES])
    total = actual.cumsum(1)
    low, high = QUANTILES.index("q05"), QUANTILES.index("q95")
    return {
        "sMAPE": metrics.smape(actual, mean),
        "MASE": metrics.mase(actual, mean, metrics.seasonal_scale(train, M)),
        "WQL": metrics.wql(actual, q, LEVELS),
        "coverage 90": metrics.coverage(actual, q[low], q[high]),
        "coverage 90 of totals": metrics.coverage(total, cum[low], cum[high]),
    }


def right_aligned(series: list[np.ndarray]) -> np.ndarray:
    out = np.full((len(series), max(map(len, series))), np.nan)
    for i, x in enumerate(series):
        out[i, -len(x) :] = x
    return out


def by_command(frame: pl.DataFrame) -> tuple[pl.DataFrame, float]:
    with tempfile.TemporaryDirectory() as folder:
        source, target = Path(folder) / "m3.csv", Path(folder) / "f.parquet"
        frame.write_csv(source)
        words = [
            "forecast",
            "demand",
            "--sales",
            str(source),
            "--frequency",
            "M",
            "--horizon",
            str(H),
            "-o",
            str(target),
        ]
        seconds = cpu_of([sys.executable, "-m", "cbec", *words])
        return pl.read_parquet(target), seconds


def peer(series: list[np.ndarray], actual: np.ndarray, train: np.ndarray) -> dict[str, Any] | None:
    try:
        from statsforecast.models import DynamicOptimizedTheta
    except ImportError:
        return None
    model = DynamicOptimizedTheta(season_length=M)
    model.forecast(y=series[0], h=H)  # warm-up
    made, seconds = timed(lambda: np.array([model.forecast(y=x, h=H)["mean"] for x in series]))
    return {
        "program": "statsforecast DynamicOptimizedTheta (points only)",
        "sMAPE": metrics.smape(actual, made),
        "MASE": metrics.mase(actual, made, metrics.seasonal_scale(train, M)),
        "CPU s per 1,000": 1000 * seconds / len(series),
    }


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    options.add_argument("--part", choices=("test", "dev"), default="test")
    options.add_argument("--no-cli", action="store_true")
    chosen = options.parse_args()
    series, actual = read(chosen.part)
    train, frame = right_aligned(series), sales(series)
    out = Table(f"m3_{chosen.part}", f"M3 monthly, {chosen.part}: {len(series)} series, h={H}")
    settings = Demand(horizon=H, frequency="M", as_of=END)
    demand(frame.head(2000), s=settings)  # warm-up: imports
    result, seconds = timed(lambda: demand(frame, s=settings))
    made = result.tables["forecast"]
    out.rows.append(
        {
            "program": "cbec forecast demand",
            **measure(made, actual, train),
            "CPU s per 1,000": 1000 * seconds / len(series),
        }
    )
    naive = made.sort("sku", "h")["naive"].to_numpy().reshape(actual.shape)
    out.rows.append(
        {
            "program": "seasonal naive",
            "sMAPE": metrics.smape(actual, naive),
            "MASE": metrics.mase(actual, naive, metrics.seasonal_scale(train, M)),
        }
    )
    if not chosen.no_cli:
        typed, seconds = by_command(frame)
        row = {"program": "the command, CSV to Parquet, start and checks included", **measure(typed, actual, train)}
        out.rows.append({**row, "CPU s per 1,000": 1000 * seconds / len(series)})
    beside = peer(series, actual, train)
    if beside:
        out.rows.append(beside)
    else:
        out.notes.append("statsforecast is not installed here: no peer in this run")
    shares = result.tables["model_record"]["model"].value_counts(sort=True)
    out.notes.append("methods chosen: " + ", ".join(f"{m} {n}" for m, n in shares.rows()))
    out.finish()


if __name__ == "__main__":
    main()
