"""Demand that runs away from its forecast: above the 95 % quantile in each of the last periods."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import polars as pl

from cbec.methods.protection import PERIOD

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from cbec.methods.protection import Clock, Linked

    Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Surge:
    """ratio: n, units sold / units expected in the last `periods` whole periods of the items that surge, else 1.

    sold, expected: n, units of these periods. periods: 0 = no period of the forecast is over yet.
    """

    ratio: Floats
    sold: Floats
    expected: Floats
    periods: int


def find(forecast: pl.DataFrame, sales: pl.DataFrame | None, linked: Linked, clock: Clock, periods: int) -> Surge:
    """Which items surge: a series of theirs sold more than its q95 in each of the last `periods` whole periods.

    By chance that happens to one in 20^periods. sales: rows after the forecast's `as_of` count.
    """
    n = linked.items.height
    none = Surge(np.ones(n), np.zeros(n), np.zeros(n), 0)
    if sales is None or sales.is_empty():
        return none
    starts = forecast.select("h", pl.col("date").cast(pl.Datetime("us"))).unique().sort("h")
    length = PERIOD[clock.frequency][0]
    over = starts.with_columns(end=pl.col("date").dt.offset_by(length))
    over = over.filter(pl.col("end") <= pl.lit(clock.today).cast(pl.Datetime("us")).dt.offset_by("1d"))
    over = over.tail(periods)
    if over.height < periods:
        return none
    keys = ["sku"] + [k for k in ("warehouse", "channel") if forecast[k].null_count() < forecast.height]
    if (forecast["market"] != "*").any():
        keys.append("market")
    sold = sales.with_columns(pl.col("date").cast(pl.Datetime("us")).alias("time"), pl.col("units").clip(lower_bound=0))
    sold = sold.filter(pl.col("time") >= over["date"][0], pl.col("time") < over["end"][-1]).sort("time")
    sold = sold.join_asof(over.select("h", time="date"), on="time", strategy="backward")
    sold = sold.group_by([*keys, "h"], maintain_order=True).agg(pl.col("units").sum())
    told = forecast.join(over.select("h"), on="h", how="semi")
    told = told.join(sold, on=[*keys, "h"], how="left", nulls_equal=True, maintain_order="left")
    told = told.with_columns(pl.col("units").fill_null(0.0))
    series = told.group_by(["sku", "market", "warehouse", "channel"]).agg(
        (pl.col("units") > pl.col("q95")).all().alias("surges"), pl.col("units").sum(), pl.col("mean").sum()
    )
    found = linked.names.join(series, on=linked.names.columns, how="left", nulls_equal=True, maintain_order="left")
    surges = found["surges"].fill_null(False).to_numpy()[linked.series]
    units, mean = (found[c].fill_null(0.0).to_numpy()[linked.series] * linked.share for c in ("units", "mean"))
    sums = [np.bincount(linked.item, weights=v, minlength=n) for v in (units, mean, surges.astype(np.float64))]
    any_surge = sums[2] > 0
    with np.errstate(divide="ignore", invalid="ignore"):
        ratio = np.where(any_surge & (sums[1] > 0), sums[0] / sums[1], 1.0)
    # All demand of the item counts: where another market fell by as much, the item does not surge.
    up = any_surge & (ratio > 1)
    return Surge(np.where(up, ratio, 1.0), np.where(up, sums[0], 0.0), np.where(up, sums[1], 0.0), periods)
