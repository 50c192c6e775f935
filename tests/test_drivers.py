"""Promotions and holidays planted in the sample company, asked back; the covariates of the commands."""

from __future__ import annotations

from datetime import date, timedelta
from pathlib import Path

import numpy as np
import polars as pl
import pytest
import yaml
from support.answered import demand

from cbec import tables
from cbec.core import check, files
from cbec.core.command import Common
from cbec.forecast import Backtest, Demand, backtest
from cbec.methods.forecast import effects, history, plans

FOLDER = Path(__file__).parent.parent / "sample_data"


@pytest.fixture(scope="module")
def company():
    def read(name):
        contract = tables.get(name.split(".")[0])
        return check.check(contract, files.read(contract, [str(FOLDER / name)], Common()), Common()).good

    truths = yaml.safe_load((FOLDER / "truths.yaml").read_text(encoding="utf-8"))
    return read("sales.csv.gz"), read("calendar.csv"), truths


def test_planted_promotions_and_holidays_are_found(company):
    """Uplifts within 0.25 of 1.5 to 2.6; the mean holiday of a market within 0.13 of its factor, and on its side of 1."""
    sales, calendar, truths = company
    panel = plans.attach(history.panel(sales, as_of=truths["to"], frequency="D"), sales, calendar, None, 91)
    cov = panel.covariates
    found = effects.learn(panel.units, cov, 91, "D", panel.group).learnt
    uplift = dict(zip(cov.names, 1 + found.promotion, strict=True))
    planted = {p["name"]: p["factor"] for p in truths["promotions"]}
    assert {name: uplift[name] for name in planted} == pytest.approx(planted, abs=0.25)
    for number, market in enumerate(cov.markets):
        days = [
            1 + u
            for line, u in zip(cov.lines, found.lines, strict=True)
            if line.markets[number] and not line.name.endswith(("before", "after"))
        ]
        told, true = float(np.mean(days)), truths["holiday_factor"][market]
        assert told == pytest.approx(true, abs=0.13) and (told - 1) * (true - 1) > 0, market


def test_promotion_weeks_are_forecast_better_with_the_plan(company):
    """From the end of October 2025: weeks of Singles' Day and Black Week, with the calendar, with sales alone."""
    sales, calendar, _ = company
    as_of = date(2025, 11, 2)
    known = sales.filter(pl.col("date") <= as_of)
    came = history.panel(sales, as_of=date(2026, 1, 31), frequency="W")
    start = came.keys.with_row_index("row")
    error = {}
    for name, plan in (("plan", calendar), ("none", None)):
        result = demand(known, None, plan, s=Demand(frequency="W", horizon=8, as_of=as_of))
        made = result.tables["forecast"].join(start, on=["sku", "market"])
        at = (made["date"].dt.epoch("d").to_numpy() + 3) // 7 - came.start
        gap = np.abs(came.units[made["row"].to_numpy(), at] - made["mean"].to_numpy())
        frame = made.select("sku", "market", "date").with_columns(pl.Series("gap", np.nan_to_num(gap)))
        if name == "plan":
            told = result.tables["drivers"].filter(pl.col("promotion") > 0.5).select("sku", "market", "date")
            assert told.height > 100
        error[name] = frame.join(told, on=["sku", "market", "date"])["gap"].sum()
    assert error["plan"] < 0.85 * error["none"]


def test_commands_take_a_calendar_and_signals_and_refuse_the_future(cbec, tmp_path):
    signals = ["date,name,value,recorded"]
    signals += [f"2026-{m:02}-15,visits,{m % 5}," for m in range(1, 13)]
    (tmp_path / "signals.csv").write_text("\n".join(signals) + "\n")
    few = pl.read_csv(FOLDER / "sales.csv.gz", infer_schema=False).filter(pl.col("sku").str.starts_with("LMP-10"))
    few.write_csv(tmp_path / "sales.csv")
    given = [
        "--sales",
        tmp_path / "sales.csv",
        "--calendar",
        FOLDER / "calendar.csv",
        "--signals",
        tmp_path / "signals.csv",
    ]
    common = ["--frequency", "W", "--horizon", 10, "--as-of", "2026-09-30"]
    out = ["-o", tmp_path / "f.csv", "--write-drivers", tmp_path / "d.csv", "--fail-on", "warn"]
    run = cbec("forecast", "demand", *given, *common, *out)
    assert run.returncode == 1, run.stderr  # done, and the signal's value of October is a finding
    assert "refused" in run.stderr
    told = pl.read_csv(tmp_path / "d.csv")
    parts = told.select(pl.sum_horizontal("base", "promotion", "holiday", "event", "price", "signal")).to_series()
    np.testing.assert_allclose(parts, told["mean"], atol=2e-4)
    assert told.filter(pl.col("names").str.contains("black_week"))["promotion"].max() > 1


def test_a_value_known_only_afterwards_changes_nothing_and_is_told(company):
    sales, calendar, _ = company
    few = sales.filter(pl.col("sku").str.starts_with("KIT-10"))
    s = Demand(frequency="W", horizon=8)
    days = pl.date_range(date(2025, 1, 6), date(2026, 12, 28), "1w", eager=True)
    value = np.random.default_rng(1).normal(size=len(days))
    signal = pl.DataFrame({"date": days, "name": "rain", "value": value})
    with_future = demand(few, None, calendar, signal, s=s)
    without = demand(few, None, calendar, signal.filter(pl.col("date") <= date(2026, 9, 30)), s=s)
    assert with_future.tables["forecast"].equals(without.tables["forecast"])
    assert [f.rule for f in with_future.findings if f.rule == "signal_refused"] == ["signal_refused"]
    assert not [f for f in without.findings if f.rule == "signal_refused"]


def test_covariates_of_every_odd_shape_give_an_answer():
    days = pl.date_range(date(2025, 1, 1), date(2025, 6, 30), "1d", eager=True)
    rng = np.random.default_rng(2)
    one = pl.DataFrame({"date": days, "units": rng.poisson(3, len(days)).astype(float), "promo": [True] * len(days)})
    parts = [
        one.with_columns(sku=pl.lit("always on promotion")),
        one.head(1).with_columns(sku=pl.lit("one day")),
        one.with_columns(sku=pl.lit("nothing sold"), units=pl.lit(0.0)),
        one.with_columns(sku=pl.lit("returned"), units=pl.lit(-1.0), promo=pl.lit(None, pl.Boolean)),
        one.gather_every(9).with_columns(sku=pl.lit("one spike"), units=pl.lit(500.0), promo=pl.lit(False)),
    ]
    sales = pl.concat(parts).with_columns(market=pl.lit("US"), price=pl.lit(3.0))
    plan = pl.DataFrame(
        {
            "date": [date(2025, 7, 4), date(2019, 1, 1), date(2025, 7, 2)],
            "name": ["sale", "long ago", "cheaper"],
            "kind": ["promotion", "promotion", "price"],
            "value": [0.5, None, 2.0],
        }
    )
    for frequency in ("D", "W", "M", "Q"):
        for given in (plan, plan.head(0), None):
            result = demand(sales, None, given, s=Demand(frequency=frequency, horizon=5))
            assert np.isfinite(result.tables["forecast"]["mean"].to_numpy()).all()
    assert backtest(sales, None, plan, s=Backtest(frequency="D", horizon=5)).tables["backtest"].height


def test_drivers_of_nothing_are_an_empty_table(cbec, tmp_path):
    days = [date(2026, 1, 1) + timedelta(days=i) for i in range(60)]
    text = "date,sku,units\n" + "".join(f"{day},A,{1 + day.day % 3}\n" for day in days)
    (tmp_path / "sales.csv").write_text(text, "utf-8")
    words = ["--sales", "sales.csv", "--frequency", "W", "--horizon", "2"]
    done = cbec("forecast", "demand", *words, "--write-drivers", "drivers.csv", "-o", "forecast.csv")
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "drivers.csv").read_text("utf-8").startswith("sku,market,") and (
        tmp_path / "forecast.csv"
    ).exists()
    assert "note: drivers: this run has nothing to tell there" in done.stderr
