"""`--explain`: the methods' forecasts, weighed, make the forecast that is told."""

from __future__ import annotations

from datetime import date, timedelta

import numpy as np
import polars as pl
import pytest
from support.answered import demand

from cbec import tables
from cbec.core import conform
from cbec.core.errors import UsageFault
from cbec.forecast import Demand

MONDAY = date(2023, 1, 2)


def shop(seed: int = 0) -> pl.DataFrame:
    rng = np.random.default_rng(seed)
    rows = [
        (MONDAY + timedelta(weeks=w), sku, market, float(rng.poisson(mean)))
        for sku, market, mean in (("007", "DE", 20.0), ("007", "FR", 9.0), ("B", "DE", 3.0))
        for w in range(90)
    ]
    return pl.DataFrame(
        rows, schema={"date": pl.Date, "sku": pl.String, "market": pl.String, "units": pl.Float64}, orient="row"
    )


def test_weights_and_methods_make_what_is_told():
    result = demand(shop(), s=Demand(frequency="W", horizon=6, explain="007@FR"))
    frame = conform.conform(tables.get("explained"), result.tables["explained"])
    assert set(frame.select("sku", "market").unique().rows()) == {("007", "FR")}
    assert {"forecast", "seasonal_naive", "seller_formula", "blend", "statsmodels_ets", "statsmodels_sarimax"} <= set(
        frame["method"]
    )
    today = frame["origin"].max()
    told = frame.filter(pl.col("method") == "forecast", pl.col("origin") == today).sort("h")
    written = result.tables["forecast"].filter(pl.col("sku") == "007", pl.col("market") == "FR").sort("h")
    assert told["forecast"].to_list() == pytest.approx(written["mean"].to_list(), abs=1e-4)
    assert told["date"].to_list() == written["date"].to_list()
    parts = frame.filter(pl.col("method") != "forecast")
    mixed = parts.group_by("origin", "h").agg((pl.col("weight") * pl.col("forecast")).sum()).sort("origin", "h")
    whole = frame.filter(pl.col("method") == "forecast").sort("origin", "h")
    assert mixed["weight"].to_list() == pytest.approx(whole["forecast"].to_list(), abs=2e-3)


def test_what_came_is_told_of_past_origins_only():
    frame = demand(shop(), s=Demand(frequency="W", horizon=6, explain="B")).tables["explained"]
    today = frame["origin"].max()
    assert (
        frame.filter(pl.col("origin") == today)["actual"].null_count() == frame.filter(pl.col("origin") == today).height
    )
    units = dict(shop().filter(pl.col("sku") == "B").select("date", "units").iter_rows())
    past = frame.filter(pl.col("method") == "forecast", pl.col("origin") < today)
    assert past.height and all(units[r["date"]] == r["actual"] for r in past.to_dicts())


def test_a_name_that_is_none_is_met_with_the_nearest():
    for name, words in (("008@DE", 'no series 008@DE; did you mean "007@DE"'), ("007", "007 has 2 series")):
        with pytest.raises(UsageFault, match=words):
            demand(shop(), s=Demand(frequency="W", explain=name))
