"""Demand that comes in lots: told from the history, in the quantiles, and in the orders."""

from __future__ import annotations

from datetime import date, timedelta

import numpy as np
import polars as pl
import pytest
from scipy import stats
from support import stockroom as room

from cbec.forecast import Demand, Replenish, demand, replenish
from cbec.methods import counts, protection
from cbec.methods.forecast import history, lots

MONDAY = date(2023, 1, 2)
TARGETS = ({"service_level": 0.95}, {"service_level": 0.975}, {"fill_rate": 0.95})


def sales(series, **columns):
    rows = [
        (MONDAY + timedelta(weeks=t), sku, float(u)) for sku, units in series.items() for t, u in enumerate(units) if u
    ]
    frame = pl.DataFrame(rows, schema={"date": pl.Date, "sku": pl.String, "units": pl.Float64}, orient="row")
    return frame.with_columns(**columns)


def panel(series, weeks, **columns):
    return history.panel(
        sales(series, **columns), as_of=MONDAY + timedelta(weeks=weeks, days=-1), frequency="W", by="sku"
    )


def test_a_lot_is_told_where_chance_hardly_makes_it():
    weeks = 20
    orders = np.array([1, 0, 2, 1, 0, 3, 1, 1, 0, 2, 1, 4, 1, 2, 1, 1, 3, 1, 2, 1])
    found = panel(
        {
            "dozens": 12 * orders,
            "fives": 5 * orders,
            "odd": np.where(np.arange(weeks) == 9, 1, 12 * orders),
            "pairs, few": np.where(np.arange(weeks) < 9, 2 * orders, 0),
            "single": orders,
            "thrice": np.where(np.arange(weeks) < 4, 12 * orders, 0),
            "weighed": 12.5 * orders,
        },
        weeks,
    )
    assert dict(zip(found.keys["sku"], lots.sizes(found), strict=True)) == {
        "dozens": 12, "fives": 5, "odd": 1, "pairs, few": 1, "single": 1, "thrice": 1, "weighed": 1,
    }  # fmt: skip
    flags = dict(zip(found.keys["sku"], found.flags(), strict=True))
    assert "lots_of_12" in flags["dozens"].split("|") and "lots_of" not in flags["odd"]
    past = history.until(found, 14)  # five sales by then
    assert lots.sizes(past).tolist() == [1] * 7


def test_weeks_scaled_up_from_their_days_in_stock_tell_no_lot():
    orders = np.tile([1, 2, 1, 0], 5)
    rows = sales({"dozens": 12 * orders}, in_stock=pl.lit(True))
    short = pl.DataFrame(
        {"date": [MONDAY + timedelta(weeks=19, days=2)], "sku": "dozens", "units": 7.0, "in_stock": False}
    )
    found = history.panel(
        pl.concat([rows, short]), as_of=MONDAY + timedelta(weeks=20, days=-1), frequency="W", by="sku"
    )
    assert lots.sizes(found).tolist() == [12]


def test_quantiles_are_whole_lots_that_hold_as_often_as_those_of_single_units():
    rng = np.random.default_rng(5)
    rates, weeks, size = np.repeat([0.1, 0.5, 2.0], 40), 104, 12
    orders = rng.poisson(rates[:, None], (len(rates), weeks))
    series = {f"{i:03d}": size * units for i, units in enumerate(orders)}
    as_of = MONDAY + timedelta(weeks=weeks, days=-1)
    made = demand(sales(series), s=Demand(horizon=3, frequency="W", by="sku", as_of=as_of)).tables["forecast"]
    last = made.filter(pl.col("h") == 3, pl.col("flags").str.contains("lots_of_12")).sort("sku")
    assert last.height > 100
    rate = rates[last["sku"].cast(pl.Int64).to_numpy()]
    assert (last.select(pl.col("cum_q75", "cum_q90", "cum_q95", "cum_q99") % size == 0)).to_numpy().all()
    held = stats.poisson.cdf(last["cum_q95"].to_numpy() / size, 3 * rate)
    assert 0.94 < held.mean() < 0.98


@pytest.mark.parametrize("size", [2, 5, 12])
def test_orders_of_lots_are_the_exact_ones(size):
    # The number of lots is Poisson, so that the smallest level which holds is known for each target.
    n = np.arange(200)
    for rate in (0.03, 0.1, 0.3, 1.0, 5.0):
        rows = room.poisson(rate, 3, frequency="W", flags=f"gap_filled|lots_of_{size}")
        figures = [c for c in rows[0] if c.startswith(("q", "cum_", "mean", "seller"))]
        whole = room.forecast([row | {c: size * row[c] for c in figures} for row in rows])
        for target in TARGETS:
            policies = room.policy({"lead_time_days": 14.0, "review_days": 7.0} | target)
            tables = replenish(whole, room.stock(), policies, coverage=room.serves(), s=Replenish()).tables
            level = tables["replenishment"]["order_up_to"][0]
            three, two = (stats.poisson(rate * weeks) for weeks in (3, 2))
            if "service_level" in target:
                assert level == size * three.ppf(target["service_level"])
                continue
            s = np.arange(size * 60)[:, None]
            short = (np.maximum(size * n - s, 0) * (three.pmf(n) - two.pmf(n))).sum(1)
            assert level == np.argmax(1 - short / (size * rate) >= 0.95)


def test_a_warehouse_that_serves_a_part_of_the_buyers_has_their_lots():
    rows = [row | {c: 5 * row[c] for c in row if c.startswith(("cum_", "mean"))} for row in room.poisson(2.0, 6)]
    forecast = room.forecast([row | {"flags": "lots_of_5"} for row in rows])
    clock = protection.clock(forecast, None)
    linked = protection.link(forecast, room.serves(W1=0.5, W2=0.5), clock)
    found = protection.demand(linked, clock, np.full(2, 4.0), np.full(2, 0.95), 0.0)
    mean, var = found.at(np.full(2, 4.0))
    assert found.lot.tolist() == [5, 5]
    assert mean.tolist() == pytest.approx([20, 20]) and var.tolist() == pytest.approx([100, 100])  # 25 x a Poisson 4


def test_counts_in_lots_are_counts_of_lots():
    mean, var = np.array([60.0]), np.array([12.0 * 60])
    lot = np.array([12.0])
    assert counts.cdf(np.array([23.0, 24.0]), mean, var, lot) == pytest.approx(stats.poisson.cdf([1, 2], 5))
    one = np.ones((1, 1))
    assert counts.level(np.array([0.9]), mean[:, None], var[:, None], one, lot) == [12 * stats.poisson.ppf(0.9, 5)]
    n = np.arange(100)
    short = (np.maximum(12 * n - 50, 0) * stats.poisson.pmf(n, 5)).sum()
    assert counts.shortage(np.array([50.0]), mean, var, lot) == pytest.approx([short])
