"""Nothing dated after an origin changes what is said at it: forecasts, quantiles, choices, classes, effects, levels, analogues."""

from __future__ import annotations

from datetime import date, datetime, timedelta

import numpy as np
import polars as pl
import pytest
from polars.testing import assert_frame_equal
from support import stockroom as room
from support.answered import answered, demand

from cbec.forecast import Demand, StockBacktest
from cbec.methods.forecast import demand as method
from cbec.methods.forecast import global_model, history, levels, reconcile

START = {"H": datetime(2025, 3, 3), "D": date(2025, 3, 3), "W": date(2023, 1, 2), "M": date(2019, 1, 1)}
KNOWN, LATER, H = {"H": 240, "D": 200, "W": 110, "M": 60}, 30, {"H": 24, "D": 14, "W": 8, "M": 6}
VISITS = np.array([0.0, 3.0, 1.0, 4.0, 0.0])
SKUS = [f"S{i:02d}" for i in range(14)]


def when(frequency, i):
    start = START[frequency]
    if frequency == "M":
        return date(start.year + i // 12, 1 + i % 12, 1)
    return start + i * {"H": timedelta(hours=1), "D": timedelta(days=1), "W": timedelta(days=7)}[frequency]


def day(moment):
    return moment.date() if isinstance(moment, datetime) else moment


def units(frequency, seed=0):
    """Counts with a season; the last SKUs are launched late, one has a bulk order, one is out of stock, one ends."""
    rng = np.random.default_rng(seed)
    width = KNOWN[frequency] + LATER
    season = 1 + 0.4 * np.sin(2 * np.pi * np.arange(width) / {"H": 24, "D": 7, "W": 52, "M": 12}[frequency])
    y = rng.poisson(rng.uniform(0.3, 12, (len(SKUS), 1)) * season).astype(float)
    y = np.round(y * (1 + VISITS[np.arange(width) % 5] / 2))  # what the signal tells
    y[:, 0] = 1
    y[-3:, : KNOWN[frequency] - 7] = 0
    y[0, KNOWN[frequency] - 20] = 400
    y[1, KNOWN[frequency] // 3 :] = 0
    return y


def changed(y, frequency):
    """Another future: bulk orders, returns, silence, new levels."""
    rng = np.random.default_rng(9)
    other = y.copy()
    future = other[:, KNOWN[frequency] :]
    other[:, KNOWN[frequency] :] = rng.choice([0.0, 3.0, -2.0, 5000.0], future.shape) + 9 * future
    return other


def tables(y, frequency, later=False):
    """Sales with prices, promotions and stock; products with launches; signals. later: what is dated after the origin is another."""
    width = y.shape[1]
    rows = []
    for i, sku in enumerate(SKUS):
        for t in range(width):
            after = later and t >= KNOWN[frequency]
            rows.append(
                {
                    "date": when(frequency, t),
                    "sku": sku,
                    "market": "DE" if i % 2 else "FR",
                    "units": y[i, t],
                    "price": 3.0 if after else 8.0 if t % 40 < 4 else 10.0,
                    "promo": after or t % 40 < 4,
                    "in_stock": not after and not (i == 2 and t % 25 == 3),
                }
            )
    kinds = {"date": pl.Datetime("us") if frequency == "H" else pl.Date}
    blank = room.table("sales", [])
    sales = pl.DataFrame(rows, schema_overrides=kinds).with_columns(
        pl.lit(None, kind).alias(c) for c, kind in blank.schema.items() if c not in rows[0]
    )
    products = [
        {"sku": sku, "category": f"c{i % 3}", "price": 10.0 + i, "launch_date": day(when(frequency, KNOWN[frequency] - 7 if i > 10 else 0))}
        for i, sku in enumerate(SKUS)
    ]  # fmt: skip
    days = sorted({day(when(frequency, t)) for t in range(width)})
    last = day(when(frequency, KNOWN[frequency] - 1))
    # A plan, known long before, and what was counted: that of the days after the origin is another.
    signals = [
        {"date": d, "name": "visits", "value": VISITS[k % 5], "recorded": d - timedelta(days=900)}
        for k, d in enumerate(days)
    ]
    signals += [
        row | {"value": 99.0 if later else row["value"], "recorded": row["date"]}
        for row in signals
        if row["date"] > last
    ]
    return sales, room.table("products", products), room.table("signals", signals)


PLAN = [{"date": day(when("D", t)), "name": "deal", "kind": "promotion"} for t in range(0, 400, 40)]


@pytest.fixture(autouse=True)
def few_trees(monkeypatch):
    monkeypatch.setattr(global_model, "ROUNDS", 12)
    monkeypatch.setitem(global_model.LEARNER, "num_threads", 1)


@pytest.mark.parametrize("frequency", ["H", "D", "W", "M"])
def test_a_forecast_as_of_a_day_knows_nothing_later(frequency):
    y = units(frequency)
    last = day(when(frequency, KNOWN[frequency] - 1))
    calendar = room.table("calendar", PLAN)
    s = Demand(
        as_of=last, frequency=frequency, horizon=H[frequency], levels="total,market,category", reconcile="mint", global_model="on",
        explain="S03@DE" if frequency == "W" else "",
    )  # fmt: skip
    told = []
    for y_, later in ((y, False), (changed(y, frequency), True)):
        sales, products, signals = tables(y_, frequency, later)
        told.append(demand(sales, products, calendar, signals, s=s))
    one, two = told
    assert (
        set(one.tables)
        == set(two.tables)
        >= {"forecast", "model_record", "prepared", "forecast_levels", "level_record"}
    )
    for name, frame in one.tables.items():
        assert_frame_equal(frame, two.tables[name], check_exact=True)
    assert one.metrics == two.metrics and one.notes == two.notes


@pytest.mark.parametrize("frequency", ["D", "W"])
def test_the_past_of_a_panel_is_what_it_was(frequency):
    """What `backtest` cuts off a panel leaves the panel of then, and with it classes, choices, quantiles and levels."""
    y = units(frequency)
    past = []
    for y_, later in ((y, False), (changed(y, frequency), True)):
        sales, products, _ = tables(y_, frequency, later)
        panel = history.panel(sales, as_of=sales["date"].max(), frequency=frequency, products=products)
        past.append(history.until(panel, panel.units.shape[1] - KNOWN[frequency], products))
    one, two = past
    for name in (
        "units",
        "excess",
        "returned",
        "stock_out",
        "promo",
        "gap",
        "first",
        "last",
        "obsolete",
        "adi",
        "cv2",
        "demand_class",
    ):
        np.testing.assert_array_equal(getattr(one, name), getattr(two, name), err_msg=name)
    outs = [method.outlook(p, H[frequency], every=True, trees="on") for p in past]
    for name in ("point", "single", "total", "model"):
        np.testing.assert_array_equal(*(getattr(out, name) for out in outs), err_msg=name)
    kinds = [levels.parse("total,market", p, None) for p in past]
    sums = [levels.coherent(p, out, k, H[frequency], "mint", 0) for p, out, k in zip(past, outs, kinds, strict=True)]
    for name in ("point", "nodes", "single", "total"):
        np.testing.assert_array_equal(*(getattr(s, name) for s in sums), err_msg=name)
    assert sums[0].record.equals(sums[1].record)
    assert reconcile.tree([k.of for k in kinds[0]]).level.tolist() == [0, 1, 1]


def test_the_factor_of_an_origin_knows_nothing_after_it():
    """Another future changes neither what an earlier origin's orders would have cost by then nor the factor chosen at it."""
    y, cut = units("W"), 8
    policies = room.policy({"lead_time_days": 14.0, "review_days": 7.0, "shortage_cost": 3.0})
    found = []
    for later in (False, True):
        other = y[:, : KNOWN["W"]].copy()
        other[:, -cut // 2 :] *= 9 if later else 1  # known at none of the origins
        sales, products, _ = tables(other, "W")
        products = products.with_columns(
            unit_cost=pl.lit(2.0).cast(products.schema["unit_cost"]), currency=pl.lit("EUR")
        )
        s = StockBacktest(frequency="W", horizon=cut, unmet="lost")
        found.append(
            answered("forecast backtest", s, sales=sales, products=products, policies=policies).tables["stock_record"]
        )
    one, two = (f.filter(pl.col("origin") != "all", pl.col("verdict") == "chosen").sort("origin") for f in found)
    assert one["ratio_factor"].to_list() == two["ratio_factor"].to_list()
    assert not found[0].equals(found[1])


def test_series_that_begin_after_an_origin_share_nothing_with_those_before_it():
    """A market that opens later makes a group of its own then; until then the others are one group as they were."""
    y = units("W")
    sales, products, _ = tables(y, "W")
    few, many = sales.with_columns(market=pl.lit("DE")), []
    for k in range(30):
        one = few.filter(pl.col("sku") == SKUS[k % 5], pl.col("date") >= when("W", KNOWN["W"] + 2))
        many.append(one.with_columns(sku=pl.lit(f"N{k:02d}"), market=pl.lit("FR"), units=pl.col("units") * 40 + 1))
    more = [few.with_columns(sku=pl.concat_str([pl.col("sku"), pl.lit("b")]), market=pl.lit("FR")), few]
    outs = []
    for frame in (pl.concat(more), pl.concat([*more, *many])):
        panel = history.panel(frame, as_of=sales["date"].max(), frequency="W", products=products)
        past = history.until(panel, LATER, products)
        old = ~past.keys["sku"].str.starts_with("N").to_numpy()
        out = method.outlook(past, H["W"], every=True)
        outs.append((past.group[old], out.point[old], out.single[:, old], out.choice.weight[:, :, old]))
    for one, two in zip(*outs, strict=True):
        np.testing.assert_array_equal(one, two)
