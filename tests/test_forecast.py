"""`forecast demand` and `forecast backtest` as steps and as commands."""

from __future__ import annotations

import json
from datetime import date, datetime, timedelta

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from polars.testing import assert_frame_equal
from support.answered import demand

from cbec import tables
from cbec.core import check
from cbec.core.errors import UsageFault
from cbec.forecast import Demand, backtest
from cbec.methods.forecast import metrics
from cbec.tables.demand import LEVELS, QUANTILES

MONDAY = date(2024, 1, 1)
CUMULATIVE = [f"cum_{q}" for q in QUANTILES]


def day(i):
    return MONDAY + timedelta(days=i)


def sales(series, **more):
    """{sku: units per day from the first Monday of 2024}."""
    rows = [(day(i), sku, float(u)) for sku, units in series.items() for i, u in enumerate(units)]
    frame = pl.DataFrame(rows, schema={"date": pl.Date, "sku": pl.String, "units": pl.Float64}, orient="row")
    return frame.with_columns(**{k: pl.Series(v) for k, v in more.items()})


def shop(count=12, width=150, seed=1):
    rng = np.random.default_rng(seed)
    week = np.array([1.3, 1.1, 0.9, 0.8, 0.9, 1.2, 0.8])
    return {f"S{i:02d}": rng.poisson(rng.gamma(1.5, 2) * week[np.arange(width) % 7]) for i in range(count)}


def consistent(result):
    """What must hold of every forecast."""
    frame = result.tables["forecast"]
    single, cum = frame.select(QUANTILES).to_numpy(), frame.select(CUMULATIVE).to_numpy()
    figures = frame.select("mean", "cum_mean", "naive", "seller_formula").to_numpy()
    for part in (single, cum, figures):
        assert np.isfinite(part).all() and (part >= 0).all()
    assert (np.diff(single, axis=1) >= 0).all() and (np.diff(cum, axis=1) >= 0).all()
    for _, one in frame.sort("h").group_by("sku", "market", maintain_order=True):
        assert one["h"].to_list() == list(range(1, one.height + 1))
        np.testing.assert_allclose(one["cum_mean"].to_numpy(), np.cumsum(one["mean"].to_numpy()), rtol=1e-9, atol=1e-9)
        assert (np.diff(one.select(CUMULATIVE).to_numpy(), axis=0) >= 0).all()
        assert one["date"].is_sorted()
    for name, table in result.tables.items():
        check.conform(tables.get(name), table)


def test_tables_keep_their_contracts_and_their_promises():
    result = demand(sales(shop()), s=Demand(horizon=14))
    consistent(result)
    frame = result.tables["forecast"]
    assert frame.height == 12 * 14
    assert set(frame["frequency"]) == {"D"} and set(frame["as_of"]) == {day(149)}
    assert frame["date"].min() == day(150)
    record = result.tables["model_record"]
    assert record.height == 12 and record["origins"].min() >= 3
    assert (record["mae"] < record["mae_naive"]).mean() > 0.8
    assert isinstance(result.money, str)
    assert result.metrics["wape_chosen"] < result.metrics["wape_naive"]
    assert sum(v for k, v in result.metrics.items() if k.startswith("share_")) == pytest.approx(1, abs=1e-3)


def test_rows_after_as_of_do_not_matter():
    series = shop()
    changed = {k: np.where(np.arange(150) > 119, 50 * v + 7, v) for k, v in series.items()}
    one, two = (demand(sales(x), s=Demand(horizon=10, as_of=day(119))) for x in (series, changed))
    for name in one.tables:
        assert_frame_equal(one.tables[name], two.tables[name], check_exact=True)


def test_the_order_of_rows_does_not_matter():
    frame = sales(shop()).with_columns(pl.col("units") + 0.3)
    one, two = (demand(f, s=Demand(horizon=10)) for f in (frame, frame.sample(fraction=1, shuffle=True, seed=3)))
    for name in one.tables:
        assert_frame_equal(one.tables[name], two.tables[name], check_exact=True)


ODD = {
    "nothing sold": [0.0] * 30,
    "one row": [3.0],
    "two rows": [3.0, 4.0],
    "returned only": [-2.0] * 10,
    "one spike": [0.0] * 20 + [500.0] + [0.0] * 20,
    "constant": [5.0] * 60,
    "huge": [1e12, 3e12] * 30,
    "tiny": [1e-9, 3e-9] * 30,
    "late": [0.0] * 59 + [2.0],
}


@pytest.mark.parametrize("name", list(ODD))
@pytest.mark.parametrize("frequency", ["auto", "D"])
@pytest.mark.parametrize("horizon", [0, 1, 40])
def test_odd_series_alone(name, frequency, horizon):
    consistent(demand(sales({"odd": ODD[name]}), s=Demand(frequency=frequency, horizon=horizon)))


def test_odd_series_together_say_what_they_are():
    result = demand(sales(ODD), s=Demand(horizon=5))
    consistent(result)
    flags = dict(result.tables["model_record"].select("sku", "flags").rows())
    assert "no_sales" in flags["nothing sold"] and "no_sales|returns" in flags["returned only"]
    assert "constant" in flags["constant"] and "one_sale" in flags["one spike"]
    assert "new" in flags["late"]
    assert result.tables["forecast"].filter(sku="constant")["mean"].to_list() == pytest.approx([5.0] * 5)


@given(
    st.dictionaries(
        st.sampled_from("abcd"), st.lists(st.floats(-3, 400, width=32), min_size=1, max_size=80), min_size=1, max_size=4
    ),
    st.sampled_from(["auto", "D"]),
    st.integers(1, 20),
)
@settings(max_examples=25, deadline=None)
def test_any_history_gives_a_consistent_forecast(series, frequency, horizon):
    consistent(demand(sales(series), s=Demand(frequency=frequency, horizon=horizon)))


@pytest.mark.parametrize("frequency", ["D", "W"])
@pytest.mark.parametrize("leap", [[2.0] * 139 + [1e6], [5.0] * 130 + [500.0] * 10, [63.0] * 140])
def test_a_flat_history_or_a_leap_widens_no_neighbour(frequency, leap):
    wavy = [30.0 + 4 * (day % 3) + day % 5 for day in range(140)]
    result = demand(sales({"a": leap, "b": wavy, "c": wavy[3:] + wavy[:3]}), s=Demand(frequency=frequency, horizon=4))
    last = result.tables["forecast"].filter(pl.col("sku") != "a")
    assert last["q99"].max() < 10 * last["mean"].max()
    assert result.tables["forecast"]["q99"].max() < 7 * 100 * max(leap)


def test_days_know_the_season_of_the_year_as_weeks_do():
    """Two and a half years, a season of their own each: the next eight weeks, half a year from where the level is now."""
    rng, at = np.random.default_rng(8), np.arange(910 + 56)
    true = [6 * (1 + 0.6 * np.sin(2 * np.pi * (at / 364 + i / 4))) for i in range(4)]
    frame = sales({f"s{i}": rng.poisson(t[:910]).astype(float).tolist() for i, t in enumerate(true)})
    for frequency, horizon in (("D", 56), ("W", 8)):
        told = demand(frame, s=Demand(frequency=frequency, horizon=horizon)).tables["forecast"].filter(h=horizon)
        miss = np.abs(told.sort("sku")["cum_mean"].to_numpy() - [t[910:].sum() for t in true])
        assert miss.sum() < 0.15 * sum(t[910:].sum() for t in true)


def test_masking_a_stock_out_lifts_the_level():
    units = [4.0] * 80 + [0.0] * 10
    seen = {"a": units, "b": [3.0] * 90}
    masked = sales(seen, in_stock=[not 80 <= i < 90 for i in range(90)] + [True] * 90)
    plain, lifted = demand(sales(seen), s=Demand(horizon=5)), demand(masked, s=Demand(horizon=5))
    level = [r.tables["forecast"].filter(sku="a")["mean"].mean() for r in (plain, lifted)]
    assert level[1] > 3.5 > level[0]
    assert set(lifted.tables["prepared"].filter(sku="a", flag="stock_out")["units"]) == {None}


def test_out_of_stock_to_the_end_is_not_delisted():
    units = [4.0] * 120 + [0.0] * 250
    frame = sales({"a": units}, in_stock=[i < 120 for i in range(370)])
    result = demand(frame, s=Demand(horizon=5))
    assert result.tables["forecast"]["mean"].min() > 3


def test_delisted_series_are_forecast_as_zero_and_found():
    result = demand(sales({"gone": [3.0] * 50 + [0.0] * 200, "here": [3.0, 2.0] * 125}), s=Demand(horizon=3))
    gone = result.tables["forecast"].filter(sku="gone")
    assert gone.select("mean", "q99", "cum_q99", "naive").sum().row(0) == (0, 0, 0, 0)
    assert set(gone["model"]) == {"zero"}
    assert [f.entity for f in result.findings if f.rule == "obsolete"] == ["gone@*"]
    assert result.tables["prepared"].filter(sku="gone")["date"].max() == day(49)


@pytest.mark.parametrize(
    ("frequency", "dates"),
    [
        ("W", ["2024-05-20", "2024-05-27"]),
        ("M", ["2024-05-01", "2024-06-01"]),
        ("Q", ["2024-04-01", "2024-07-01"]),
    ],
)
def test_coarser_periods_start_after_the_last_whole_one(frequency, dates):
    result = demand(sales({"a": [2.0] * 145}), s=Demand(frequency=frequency, horizon=2))  # to Friday 2024-05-24
    frame = result.tables["forecast"]
    assert [str(d) for d in frame["date"]] == dates
    assert "partial_last_dropped" in frame["flags"][0]
    if frequency == "W":
        assert frame["mean"].to_list() == pytest.approx([14, 14])
        assert frame["seller_formula"].to_list() == pytest.approx([14, 14])


def test_monthly_and_yearly_rows():
    months = [date(2022 + i // 12, i % 12 + 1, 1) for i in range(30)]
    frame = pl.DataFrame({"date": months, "sku": "a", "units": [10.0 + i % 12 for i in range(30)]})
    result = demand(frame, s=Demand())
    assert [str(d) for d in result.tables["forecast"]["date"]] == [f"2024-{m:02d}-01" for m in range(7, 13)]
    years = frame.with_columns(date=pl.Series([date(1990 + i, 1, 1) for i in range(30)]))
    assert [str(d) for d in demand(years, s=Demand()).tables["forecast"]["date"]] == ["2020-01-01", "2021-01-01"]


def test_hours():
    moments = [datetime(2024, 1, 1) + timedelta(hours=i) for i in range(24 * 8 + 5)]
    units = [float(5 + 4 * (i % 24 in (9, 10, 11))) for i in range(len(moments))]
    result = demand(pl.DataFrame({"date": moments, "sku": "a", "units": units}), s=Demand(horizon=24))
    consistent(result)
    frame = result.tables["forecast"]
    assert frame["date"][0] == datetime(2024, 1, 9, 5)
    morning = frame.filter(pl.col("date").dt.hour().is_in([9, 10, 11]))["mean"]
    rest = frame.filter(~pl.col("date").dt.hour().is_in([9, 10, 11]))["mean"]
    assert morning.min() > 7
    assert rest.max() < 6


def test_series_by_other_columns():
    frame = sales({"a": [1.0] * 30, "b": [2.0] * 30}).with_columns(
        market=pl.lit("DE"), channel=pl.Series(["x", "y"] * 30), warehouse=pl.lit(None, pl.String)
    )
    result = demand(frame, s=Demand(by="sku,channel", horizon=2))
    keys = (
        result.tables["forecast"].select("sku", "market", "warehouse", "channel").unique().sort("sku", "channel").rows()
    )
    assert keys == [("a", "*", None, "x"), ("a", "*", None, "y"), ("b", "*", None, "x"), ("b", "*", None, "y")]
    consistent(demand(frame, s=Demand(by="market", horizon=2)))
    with pytest.raises(UsageFault):
        demand(frame, s=Demand(by="colour"))


def test_a_shop_is_covered_as_often_as_promised():
    series = shop(60, 220, seed=5)
    known = {k: v[:190] for k, v in series.items()}
    result = demand(sales(known), s=Demand(horizon=30))
    frame = result.tables["forecast"].sort("sku", "h")
    actual = np.stack([v[190:] for v in series.values()]).astype(float)
    low, high = (frame[c].to_numpy().reshape(60, 30) for c in ("q05", "q95"))
    assert 0.88 <= metrics.coverage(actual, low, high) <= 0.99
    low, high = (frame[c].to_numpy().reshape(60, 30) for c in ("cum_q05", "cum_q95"))
    assert 0.82 <= metrics.coverage(actual.cumsum(1), low, high) <= 0.99


def test_backtest_as_a_step():
    result = backtest(sales(shop()), s=Demand(horizon=14))
    check.conform(tables.get("backtest"), result.tables["backtest"])
    assert "cbec misses by" in result.metrics["verdict"]
    assert result.metrics["origins"] == 3


def test_categories_share_days_of_the_month():
    """Benefits are paid in the first days of a month, and spent on food."""
    rng = np.random.default_rng(2)
    days = np.array([(MONDAY + timedelta(days=i)).day for i in range(330)])
    rush = np.where(days <= 5, 1.8, 1.0)
    series = {f"F{i:02d}": rng.poisson(3 * rush) for i in range(30)} | {
        f"T{i:02d}": rng.poisson(3, 330) for i in range(30)
    }
    products = pl.DataFrame({"sku": list(series), "category": ["food"] * 30 + ["toys"] * 30})
    result = demand(sales(series), products, s=Demand(horizon=30))
    consistent(result)
    frame = result.tables["forecast"].with_columns(
        pl.col("sku").str.slice(0, 1).alias("kind"), (pl.col("date").dt.day() <= 5).alias("early")
    )
    mean = {(k, e): m for k, e, m in frame.group_by("kind", "early").agg(pl.col("mean").mean()).rows()}
    assert mean["F", True] / mean["F", False] > 1.5
    assert mean["T", True] / mean["T", False] < 1.15


def test_the_commands(cbec, tmp_path):
    sales(shop(6, 120)).write_csv(tmp_path / "sales.csv")
    pl.DataFrame({"sku": ["S00", "S01"], "category": ["a", "a"]}).write_csv(tmp_path / "products.csv")
    words = ["forecast", "demand", "--sales", "sales.csv", "--products", "products.csv", "--horizon", "7"]
    done = cbec(*words, "-o", "f.parquet", "--write-prepared", "p.csv")
    assert done.returncode == 0, done.stderr
    frame = pl.read_parquet(tmp_path / "f.parquet")
    assert frame.height == 42 and frame["date"].dtype == pl.Date
    assert pl.read_csv(tmp_path / "p.csv")["flag"].n_unique() >= 1
    again = cbec(*words, "-o", "g.parquet")
    assert again.returncode == 0
    assert (tmp_path / "f.parquet").read_bytes() == (tmp_path / "g.parquet").read_bytes()
    told = cbec("forecast", "backtest", "--sales", "sales.csv", "--horizon", "7", "--json")
    assert told.returncode == 0, told.stderr
    assert "verdict" in json.loads(told.stdout)["metrics"]


def test_m3_monthly_before_its_test_part(data_set):
    """The last 18 training months of 1,428 series: the bars of the benchmark hold with room."""
    folder = data_set("forecast/m3_monthly")
    series = (
        pl.read_parquet(folder / "train.parquet")
        .sort("unique_id", "ds")
        .group_by("unique_id", maintain_order=True)
        .agg("y")
    )
    values = [np.asarray(x, float) for x in series["y"].to_list()]
    parts, actual = [], np.array([x[-18:] for x in values])
    for i, x in enumerate(values):
        month = (2000 - 1970) * 12 + 11 - np.arange(len(x) - 18)[::-1]
        days = month.astype("datetime64[M]").astype("datetime64[D]")
        parts.append(pl.DataFrame({"date": pl.Series(days), "sku": f"{i:04d}", "units": x[:-18]}))
    result = demand(pl.concat(parts), s=Demand(horizon=18, frequency="M", as_of=date(2000, 12, 1)))
    frame = result.tables["forecast"].sort("sku", "h")
    shaped = {c: frame[c].to_numpy().reshape(actual.shape) for c in ("mean", *QUANTILES)}
    known = np.full((len(values), max(map(len, values)) - 18), np.nan)
    for i, x in enumerate(values):
        known[i, known.shape[1] - len(x) + 18 :] = x[:-18]
    assert metrics.smape(actual, shaped["mean"]) <= 14.0
    assert metrics.mase(actual, shaped["mean"], metrics.seasonal_scale(known, 12)) <= 0.87
    assert 0.85 <= metrics.coverage(actual, shaped["q05"], shaped["q95"]) <= 0.95
    assert metrics.wql(actual, np.stack([shaped[q] for q in QUANTILES]), LEVELS) <= 0.075
