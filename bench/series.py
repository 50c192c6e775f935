"""Series of the forecasting benchmarks: matrices into a sales table, the forecast table back into matrices, measures."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any

import numpy as np
import polars as pl
from harness import data_folder, timed
from scipy import stats

from cbec.forecast import Demand, demand
from cbec.methods import counts
from cbec.methods.forecast import metrics, periods
from cbec.tables.demand import LEVELS, QUANTILES

#: The last known period of each frequency; any would do.
END = {
    "H": date(2001, 12, 31),
    "D": date(2001, 12, 31),
    "W": date(2000, 12, 25),
    "M": date(2000, 12, 1),
    "Q": date(2000, 10, 1),
    "Y": date(2000, 1, 1),
}


@dataclass(frozen=True)
class Made:
    """A forecast: mean and seasonal naive n x h, quantiles and quantiles of totals 8 x n x h, CPU seconds, methods."""

    mean: np.ndarray
    naive: np.ndarray
    q: np.ndarray
    cum: np.ndarray
    seconds: float
    methods: str


def read(name: str) -> tuple[np.ndarray, np.ndarray]:
    """Training (right-aligned, NaN before the first value) and test values of a folder with train and test.parquet."""
    parts = []
    for part in ("train", "test"):
        rows = pl.read_parquet(data_folder(f"forecast/{name}") / f"{part}.parquet").sort("unique_id", "ds")
        parts.append(rows.group_by("unique_id", maintain_order=True).agg("y")["y"].to_list())
    return right_aligned(parts[0]), np.asarray(parts[1], float)


def right_aligned(series: Sequence[Sequence[float]]) -> np.ndarray:
    out = np.full((len(series), max(map(len, series))), np.nan)
    for i, x in enumerate(series):
        out[i, out.shape[1] - len(x) :] = x
    return out


def earlier(train: np.ndarray, h: int, least: int, back: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """A window inside the training part: its last h periods (less `back`) held out, where `least` periods lie before."""
    end = train.shape[1] - back
    known, after = train[:, : end - h], train[:, end - h : end]
    keep = (~np.isnan(known)).sum(1) >= least
    return known[keep], after[keep]


def sales(known: np.ndarray, frequency: str) -> pl.DataFrame:
    """Sales table of a matrix (n x T, NaN = no row) whose last column is the period of END."""
    row, column = np.nonzero(~np.isnan(known))
    last = pl.DataFrame({"date": [END[frequency]]}).select(periods.ordinal("date", frequency)).item()
    last += 23 if frequency == "H" else 0
    when = periods.starts(last - (known.shape[1] - 1) + np.arange(known.shape[1]), frequency)
    return pl.DataFrame(
        {
            "date": pl.Series(when)[column],
            "sku": pl.Series([f"S{i:06d}" for i in range(len(known))])[row],
            "units": known[row, column],
        }
    )


def forecast(known: np.ndarray, frequency: str, h: int, rows: pl.DataFrame | None = None) -> Made:
    """What the step `forecast demand` says after the known values (n x T); imports do not count in its seconds."""
    frame = sales(known, frequency) if rows is None else rows
    settings = Demand(horizon=h, frequency=frequency, as_of=END[frequency])
    first = frame["sku"].unique().sort()[:5]
    demand(frame.filter(pl.col("sku").is_in(first.implode())), s=settings)
    result, seconds = timed(lambda: demand(frame, s=settings))
    made = result.tables["forecast"].sort("sku", "h")
    names = pl.DataFrame({"sku": [f"S{i:06d}" for i in range(len(known))]})
    if made["sku"].n_unique() < len(names):  # a series without a row is no series: nothing is expected of it
        grid = names.join(pl.DataFrame({"h": np.arange(1, h + 1)}), how="cross")
        made = grid.join(made, on=["sku", "h"], how="left", maintain_order="left").fill_null(0.0)
    shares = result.tables["model_record"]["model"].value_counts(sort=True)
    return Made(
        _matrix(made, ["mean"], h)[0],
        _matrix(made, ["naive"], h)[0],
        _matrix(made, list(QUANTILES), h),
        _matrix(made, [f"cum_{c}" for c in QUANTILES], h),
        seconds,
        ", ".join(f"{m} {n}" for m, n in shares.sort("count", "model", descending=[True, False]).rows()),
    )


def _matrix(made: pl.DataFrame, columns: list[str], h: int) -> np.ndarray:
    return np.stack([made[c].cast(pl.Float64).to_numpy().reshape(-1, h) for c in columns])


def at_levels(mean: np.ndarray, q: np.ndarray, levels: Sequence[float]) -> np.ndarray:
    """Quantiles of counts at levels that the table does not hold, between those that it holds.

    Where between them is told as `forecast replenish` tells it: by a negative binomial of the row's mean whose spread
    gives the row's upper quantiles. mean: n x h, q: 8 x n x h.
    """
    flat, rows = np.maximum(mean.ravel(), 1e-9), q.reshape(len(LEVELS), -1)
    upper = [rows[LEVELS.index(level)] for level in counts.UPPER]
    weight = np.repeat([[1.0], [0.05], [0.05]], len(flat), 1)
    var = flat * counts.dispersion(flat[None], [q[None] for q in upper], weight[None])
    out = np.empty((len(levels), len(flat)))
    for i, level in enumerate(levels):
        found = counts.level(np.full(len(flat), level), flat[:, None], var[:, None], np.ones((len(flat), 1)))
        above = int(np.clip(np.searchsorted(LEVELS, level - 1e-9), 1, len(LEVELS) - 1))
        below = above if abs(LEVELS[above] - level) < 1e-9 else above - 1
        out[i] = np.clip(found, rows[below], rows[above])
    return out.reshape(len(levels), *mean.shape)


def negative_binomial(mean: np.ndarray, var: np.ndarray, levels: Sequence[float]) -> np.ndarray:
    """Quantiles (levels x n) of a negative binomial of that mean and variance; a Poisson where it spreads no more than one."""
    over = var > 1.0001 * mean
    p = np.where(over, mean / np.where(over, var, 1.0), 0.5)
    r = np.where(over, mean * p / (1 - p), 1.0)
    q = [np.where(over, stats.nbinom.ppf(x, r, p), stats.poisson.ppf(x, np.maximum(mean, 1e-12))) for x in levels]
    return np.where(mean > 0, np.stack(q), 0.0)


def smooth_row(program: str, made: Made, actual: np.ndarray, known: np.ndarray, m: int) -> dict[str, Any]:
    """sMAPE, MASE, WQL and coverage of a forecast of regular series."""
    total = actual.cumsum(1)
    low, high = QUANTILES.index("q05"), QUANTILES.index("q95")
    return {
        **point_row(program, made.mean, actual, known, m),
        "WQL": metrics.wql(actual, made.q, LEVELS),
        "coverage 90": metrics.coverage(actual, made.q[low], made.q[high]),
        "coverage 90 of totals": metrics.coverage(total, made.cum[low], made.cum[high]),
        "CPU s": made.seconds,
        "CPU s per 1,000": 1000 * made.seconds / len(actual),
    }


def point_row(program: str, mean: np.ndarray, actual: np.ndarray, known: np.ndarray, m: int) -> dict[str, Any]:
    return {
        "program": program,
        "sMAPE": metrics.smape(actual, mean),
        "MASE": metrics.mase(actual, mean, metrics.seasonal_scale(known, m)),
    }
