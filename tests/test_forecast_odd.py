"""Tables as no one would wish them, through the real commands: an answer or a row with the reason, never a traceback."""

from __future__ import annotations

from datetime import date, datetime, timedelta

import numpy as np
import polars as pl
import pytest
from support import stockroom as room
from support.answered import demand

from cbec import tables
from cbec.core import check
from cbec.core.errors import NoAnswer
from cbec.forecast import Demand, StockBacktest, backtest
from cbec.methods import milp
from cbec.methods.forecast import metrics, summary

FIRST = date(2024, 1, 1)
HEAD = "date,sku,market,units,price,promo,in_stock"


def rows(sku, units, *, market="DE", step=1, price="10", promo="", start=0):
    day = (FIRST + timedelta(days=start + step * i) for i in range(len(units)))
    return [f"{d},{sku},{market},{u},{price},{promo},true" for d, u in zip(day, units, strict=True)]


ODD = [
    *rows("one", [3]),
    *rows("two", [3, 0]),
    *rows("zeros", [0] * 60),
    *rows("spike", [0] * 30 + [900] + [0] * 29),
    *rows("returned", [-2, -1, 4] * 20),
    *rows("weekly", [7, 9, 8, 11, 6, 7, 9, 8], step=7),
    *rows("光-灯", [5, 0, 2] * 20, market=""),
    *rows("=1+1", [1e12, 1e-300] * 30),
    *rows("gaps", [4] * 10 + [6] * 10, promo="true") + rows("gaps", [3] * 20, start=40),
    *rows("far", [5], start=-4000) + rows("far", [5], start=50),
]
BAD = [
    f"{FIRST},one,DE,3,10,,true",
    f"{FIRST},NaN,DE,NaN,10,,",
    "2024-02-30,late,DE,1,10,,",
    f"{FIRST},inf,DE,1e400,10,,",
]


def no_bug(done, *allowed):
    assert done.returncode in allowed, done.stderr
    assert "Traceback" not in done.stderr and "Warning" not in done.stderr


def test_odd_tables_through_every_command(cbec, tmp_path):
    (tmp_path / "sales.csv").write_text("\n".join([HEAD, *ODD, *BAD]) + "\n", "utf-8")
    (tmp_path / "calendar.csv").write_text(
        "date,name,kind,market,sku\n2024-01-05,sale,promotion,,gaps\n2099-01-01,sale,promotion,,\n1999-01-01,x,event,ZZ,\n"
    )
    (tmp_path / "products.csv").write_text(
        "sku,category,unit_cost,currency,price\n"
        + "".join(f"{s},c,4,EUR,10\n" for s in ("one", "zeros", "spike", "far"))
    )
    (tmp_path / "stock.csv").write_text(
        "sku,warehouse,on_hand,reserved,age_days\none,W1,-3,5,\nzeros,W1,1e9,,900\nspike,W1,0.5,,\nghost,W1,5,,\n"
    )
    (tmp_path / "policies.csv").write_text("lead_time_days,lead_time_sd_days,order_cost\n5,9,20\n")
    (tmp_path / "coverage.csv").write_text("market,warehouse\nDE,W1\n*,W1\n")
    refused = cbec("forecast", "demand", "--sales", "sales.csv", "-o", "f.csv")
    no_bug(refused, 3)
    for word in ("units", "date", "2024-02-30"):
        assert word in refused.stderr
    lenient = ("--max-bad", "1", "--calendar", "calendar.csv", "--frequency", "D", "--horizon", "40")
    done = cbec("forecast", "demand", "--sales", "sales.csv", *lenient, "-o", "f.csv", "--write-model-record", "m.csv")
    no_bug(done, 0)
    flags = dict(pl.read_csv(tmp_path / "m.csv").select("sku", "flags").rows())
    for sku, word in {"one": "one_sale", "zeros": "no_sales", "returned": "returns", "weekly": "gap_filled", "gaps": "no_promo_plan", "far": "obsolete"}.items():  # fmt: skip
        assert word in flags[sku] or (sku == "far" and "gap_filled" in flags[sku]), (sku, flags[sku])
    stock = (
        "--inventory",
        "stock.csv",
        "--policies",
        "policies.csv",
        "--coverage",
        "coverage.csv",
        "--home-currency",
        "EUR",
    )
    no_bug(cbec("forecast", "backtest", "--sales", "sales.csv", *lenient, *stock[2:6], "-o", "b.csv"), 0)
    no_bug(cbec("forecast", "replenish", "--forecast", "f.csv", *stock, "-o", "o.csv"), 0)
    no_bug(cbec("forecast", "clearance", "--forecast", "f.csv", "--products", "products.csv", *stock, "-o", "c.csv"), 0)
    assert pl.read_csv(tmp_path / "o.csv")["reason"].null_count() == 0
    assert "ghost" in pl.read_csv(tmp_path / "c.csv")["sku"].to_list()


def test_no_rows_at_all(cbec, tmp_path):
    (tmp_path / "sales.csv").write_text(HEAD + "\n")
    for command in ("demand", "backtest"):
        no_bug(cbec("forecast", command, "--sales", "sales.csv", "-o", "f.csv"), 3)


def sales(*parts):
    return room.table(
        "sales",
        [
            {"date": FIRST + timedelta(days=step * i), "sku": sku, "market": "DE", "units": float(u), "in_stock": True}
            for sku, step, units in parts
            for i, u in enumerate(units)
        ],
    )


@pytest.mark.parametrize(
    ("units", "step", "horizon"),
    [
        ([5.0] + [0.0] * 200, 1, 20),  # nothing sold after any lesson
        (np.random.default_rng(1).poisson(6, 320), 7, 60),  # a year before the period is not over yet
        ([3.0, 4.0], 1, 5),
    ],
)
def test_the_global_model_asked_for_where_it_can_hardly_learn(units, step, horizon):
    result = demand(sales(("A", step, units)), s=Demand(horizon=horizon, global_model="on"))
    for name, table in result.tables.items():
        check.conform(tables.get(name), table)
    assert np.isfinite(result.tables["forecast"]["mean"].to_numpy()).all()


def test_a_promotion_of_no_period_in_sight():
    plan = room.table("calendar", [{"date": date(1999, 1, 1), "name": "x", "kind": "promotion"}])
    demand(sales(("A", 1, [4.0] * 40)), calendar=plan, s=Demand(horizon=5))


def test_a_replay_in_which_nothing_came_and_one_of_next_to_nothing():
    policies = room.policy({"lead_time_days": 90.0})
    silent = sales(("A", 1, [0.0] * 40))
    answer = backtest(silent, policies=policies, s=StockBacktest(horizon=5))
    assert any(note.startswith("no decision cost") for note in answer.notes)
    backtest(sales(("A", 1, [1e-300, 5.0, *[1e-300] * 60])), s=StockBacktest(horizon=5))
    assert metrics.wape(np.array([[1e-320]]), np.array([[3.0]])) is None


def test_origins_of_hours_have_names_of_their_own():
    units = np.random.default_rng(2).poisson(5, 90)
    at = [datetime(2024, 1, 1) + timedelta(hours=i) for i in range(len(units))]
    hours = sales(("A", 1, units)).with_columns(date=pl.Series(at))
    policies = room.policy({"lead_time_days": 0.1, "review_days": 0.1, "shortage_cost": 1.0})
    products = room.table("products", [{"sku": "A", "unit_cost": 1.0, "currency": "EUR"}])
    made = backtest(hours, products, policies=policies, s=StockBacktest(horizon=8)).tables["stock_record"]
    check.conform(tables.get("stock_record"), made)
    assert made["origin"].n_unique() == 4


def test_a_limit_in_figures_that_the_solver_does_not_take():
    model = milp.Model()
    x = model.add(np.array([-1.0]), 0.0, 5.0, whole=True)
    model.row(x, [1e18], -np.inf, 3e18)
    assert milp.solve(model, 10).x.tolist() == [3.0]
    model.row(x, [1.0], 4.0, 5.0)
    model.rows[0] = (*model.rows[0][:4], "the budget", model.rows[0][5])
    with pytest.raises(NoAnswer, match="the budget fails by 1,000,000,000,000,000,000"):
        milp.solve(model, 10)


def test_mishaps_of_a_planner(tmp_path, inside, monkeypatch, capfd):
    """Each is told with what to do, and leaves no file behind."""
    monkeypatch.chdir(tmp_path)
    weeks = [HEAD, *rows("A", [5, 7, 6, 8] * 8, step=7), *rows("B", [3, 2, 4] * 10, step=7)]
    (tmp_path / "sales.csv").write_text("\n".join(weeks), "utf-8")
    (tmp_path / "renamed.csv").write_text("\n".join(weeks).replace(",sku,", ",article,", 1), "utf-8")
    (tmp_path / "twice.csv").write_text("\n".join([*weeks, weeks[1]]), "utf-8")
    (tmp_path / "nothing.csv").write_text("", "utf-8")
    told = (
        (("demand", "--sales", "renamed.csv"), 3, 'column "sku" is missing', "cbec schema sales"),
        (("demand", "--sales", "twice.csv"), 3, "stands already in twice.csv row 2", "add up the rows of a day"),
        (("demand", "--sales", "nothing.csv"), 3, "the file is empty", ""),
        (("demand", "--sales", "sales.csv", "--as-of", "2020-01-01"), 3, "no row at or before", "the first is of 2024-01-01"),
        (("demand", "--sales", "sales.csv", "--explain", "C@FR"), 2, "no series C@FR", "write it as A@DE"),
        (("demand", "--sales", "sales.csv", "--horizon", "-3"), 2, "-3 is below 0", ""),
        (("replenish", "--forecast", "sales.csv", "--inventory", "sales.csv", "--policies", "sales.csv"), 3, "is missing", "cbec schema"),
    )  # fmt: skip
    for words, status, what, hint in told:
        assert inside("forecast", *words, "-o", "out.csv") == status
        error = capfd.readouterr().err
        assert what in error and hint in error, error
        assert not (tmp_path / "out.csv").exists()
    assert (
        inside(
            "forecast", "backtest", "--sales", "sales.csv", "--frequency", "W", "--horizon", "50", "-o", "record.csv"
        )
        == 0
    )
    error = capfd.readouterr().err
    assert "ahead, not the 50 of the horizon" in error and "cbec misses by" in error


def test_forecasts_that_ran_to_one_side_are_flagged():
    days = [date(2024, 1, 1) + timedelta(weeks=i) for i in range(140)]
    grown = pl.DataFrame({"date": days, "sku": "GROWN", "units": [10.0 + i % 3 + 25 * (i > 130) for i in range(140)]})
    even = pl.DataFrame({"date": days, "sku": "EVEN", "units": [20.0 + i % 3 for i in range(140)]})
    made = demand(pl.concat([grown, even]), s=Demand(frequency="W", horizon=8))
    for table in ("forecast", "model_record"):
        flags = dict(made.tables[table].select("sku", "flags").unique().rows())
        assert "ran_low" in flags["GROWN"].split("|") and "ran_" not in flags["EVEN"]
    assert [f.entity for f in made.findings if f.rule == "biased"] == ["GROWN@*"]


def test_a_bulk_order_is_no_forecast_that_ran_low():
    rng = np.random.default_rng(7)
    days = [date(2024, 1, 1) + timedelta(weeks=i) for i in range(110)]
    units = rng.poisson(14, 110) * 1.0
    units[90] += 400
    made = demand(pl.DataFrame({"date": days, "sku": "BULK", "units": units}), s=Demand(frequency="W", horizon=13))
    flags = made.tables["forecast"]["flags"][0].split("|")
    assert "bulk_capped" in flags and "ran_low" not in flags
    assert not [f for f in made.findings if f.rule == "biased"]
    assert made.tables["forecast"]["mean"].to_numpy() == pytest.approx(14, rel=0.15)


def test_what_began_in_a_period_that_is_not_over_is_no_zero():
    """Steady by day until a Wednesday; NEW sells since Tuesday: no whole week tells of it, a day does, and so do analogues."""
    days = [date(2025, 1, 6) + timedelta(days=i) for i in range(7 * 60 + 3)]
    old = [pl.DataFrame({"date": days, "sku": f"OLD{i}", "units": 5.0}) for i in range(8)]
    sales = pl.concat([*old, pl.DataFrame({"date": days[-2:], "sku": "NEW", "units": 5.0})])
    weekly = demand(sales, s=Demand(frequency="W", horizon=4))
    assert "NEW" not in weekly.tables["forecast"]["sku"].unique().to_list()
    told = weekly.tables["model_record"].row(by_predicate=pl.col("sku") == "NEW", named=True)
    assert told["model"] == "unknown" and "only_partial" in told["flags"] and "no_sales" not in told["flags"]
    assert [(f.entity, f.severity) for f in weekly.findings if f.rule == "only_partial"] == [("NEW@*", "warn")]
    like = demand(sales, s=Demand(frequency="W", horizon=4, like="NEW=OLD1"))
    assert like.tables["forecast"].filter(pl.col("sku") == "NEW")["mean"].sum() > 50
    daily = demand(sales, s=Demand(frequency="D", horizon=28)).tables["forecast"]
    assert daily.filter(pl.col("sku") == "NEW")["mean"].sum() > 25


def test_what_hardly_sells_leans_by_chance_and_is_not_flagged():
    rng = np.random.default_rng(5)
    days = [date(2023 + i // 12, i % 12 + 1, 1) for i in range(48)]
    parts = [pl.DataFrame({"date": days, "sku": f"P{i:03d}", "units": rng.poisson(0.3, 48) * 1.0}) for i in range(120)]
    made = demand(pl.concat(parts), s=Demand(frequency="M", horizon=6))
    flags = made.tables["model_record"]["flags"].str
    assert (flags.contains("ran_high") | flags.contains("ran_low")).mean() < 0.15


def test_new_series_without_products_are_told_what_would_help():
    days = [date(2024, 1, 1) + timedelta(weeks=i) for i in range(60)]
    old = pl.DataFrame({"date": days, "sku": "OLD", "units": 5.0})
    new = pl.DataFrame({"date": days[-3:], "sku": "NEW", "units": 5.0})
    master = pl.DataFrame({"sku": ["OLD", "NEW"], "category": ["a", "a"], "launch_date": [days[0], days[-3]]})
    s = Demand(frequency="W", horizon=4)
    told = [any("younger than 8 weeks" in n for n in demand(x, p, s=s).notes) for x, p in (
        (pl.concat([old, new]), None), (pl.concat([old, new]), master), (old, None), (old.tail(10), None))]  # fmt: skip
    assert told == [True, False, False, False]


def test_worse_totals_are_told_beside_better_periods():
    told = {"frequency": "W", "horizon": 13, "units_ahead": 99.0, "wape_chosen": 0.3, "wape_naive": 0.4}
    worse = summary.outcome(told | {"wape_total_chosen": 0.12, "wape_total_naive": 0.1})
    assert worse.endswith("25.0 % less error than the seasonal naive, but 20.0 % more on totals of the horizon")
    better = summary.outcome(told | {"wape_total_chosen": 0.09, "wape_total_naive": 0.1})
    assert better.endswith("25.0 % less error than the seasonal naive")
