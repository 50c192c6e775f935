"""The commands of fx as a whole: contracts, causality, verdicts, refusals, planted truths, the command line."""

from __future__ import annotations

import json
from datetime import timedelta

import numpy as np
import polars as pl
import pytest
from polars.testing import assert_frame_equal
from support import fxdesk as desk
from support import sampled

from cbec import sample, tables
from cbec.core import check, packaged, reasons
from cbec.core.errors import InputRejected, UsageFault
from cbec.core.money import Headline
from cbec.fx import Exposure, Forecast, Hedge, exposure, forecast, hedge
from cbec.tables.money import FX_QUANTILES

PAIRS = ("USD", "EUR", "GBP", "JPY", "AUD", "CAD", "MXN", "BRL", "INR", "KRW", "SGD", "THB", "PLN", "SEK", "ZAR")
HOME = {"home_currency": "CNY"}
SOON = desk.LAST + timedelta(days=25)


@pytest.fixture(scope="module")
def rates() -> pl.DataFrame:
    return desk.rates(desk.paths(1000, names=("EUR", "USD", "JPY")))


@pytest.fixture(scope="module")
def money() -> pl.DataFrame:
    return desk.due(
        {"amount": 500_000, "due_date": SOON},
        {"amount": 90_000, "currency": "USD", "due_date": SOON},
        {"amount": -80_000, "currency": "USD", "type": "AP", "due_date": SOON + timedelta(days=2)},
        {"amount": 100_000, "currency": "JPY", "due_date": SOON + timedelta(days=40)},
    )


INTEREST = desk.interest(CNY=2.0, EUR=1.0, USD=5.0, JPY=0.0)


def rules(result):
    return {f.rule for f in result.findings}


# --- forecast ---


def test_a_forecast_keeps_its_contract_and_says_that_nothing_beats_no_change(rates):
    result = forecast(rates, s=Forecast(horizons="1,5,20", **HOME))
    for name in ("fx_forecast", "fx_history"):
        assert check.conform(tables.get(name), result.tables[name]).height == result.tables[name].height > 0
    rows = result.tables["fx_forecast"]
    assert rows.height == 9 and set(rows["model"]) == {"random_walk"}
    assert rows["rw_ratio"].to_list() == [1.0] * 9
    assert (rows["q50"] - rows["spot"]).abs().max() < 1e-12
    levels = rows.select(FX_QUANTILES).to_numpy()
    assert np.all(np.diff(levels, axis=1) > 0) and np.all(levels > 0)
    assert all(v.startswith("No evidence against no change") for v in rows["verdict"])
    assert result.metrics["models_used"] == 0 and result.metrics["pairs"] == 3


def test_wider_with_the_horizon_and_true_to_the_volatility(rates):
    rows = forecast(rates, s=Forecast(**HOME)).tables["fx_forecast"].filter(base="EUR").sort("horizon_days")
    assert rows["sd"].is_sorted()
    day = rows.row(0, named=True)
    assert day["sd"] / day["spot"] == pytest.approx(0.005, rel=0.35)
    assert day["target_date"].isoformat() == "2026-06-29"  # the Monday after


def test_later_fixings_and_the_order_of_rows_change_nothing(rates, money):
    cut = desk.LAST - timedelta(days=120)
    later = pl.col("date") > cut
    wild = rates.with_columns(rate=pl.when(later).then(pl.col("rate") * 3).otherwise("rate")).sample(
        fraction=1, shuffle=True, seed=1
    )
    s = {"as_of": cut, **HOME}
    known = rates.filter(~later)
    assert_frame_equal(
        forecast(wild, s=Forecast(**s)).tables["fx_forecast"], forecast(known, s=Forecast(**s)).tables["fx_forecast"]
    )
    assert_frame_equal(
        exposure(wild, money, s=Exposure(**s)).tables["exposure_report"],
        exposure(known, money, s=Exposure(**s)).tables["exposure_report"],
    )
    first, second = (hedge(x, money, INTEREST, s=Hedge(**s)) for x in (wild, known))
    assert_frame_equal(first.tables["hedge_plan"], second.tables["hedge_plan"])
    assert first.money == second.money


def test_the_inverse_pair_has_the_inverse_distribution(rates):
    euro = rates.filter(base="EUR")
    inverse = euro.rename({"base": "quote", "quote": "base"}).with_columns(rate=1 / pl.col("rate")).select(euro.columns)
    there = forecast(euro, s=Forecast()).tables["fx_forecast"].sort("horizon_days")
    back = forecast(inverse, s=Forecast()).tables["fx_forecast"].sort("horizon_days")
    for low, high in zip(FX_QUANTILES, reversed(FX_QUANTILES), strict=True):
        np.testing.assert_allclose(there[low].to_numpy(), 1 / back[high].to_numpy(), rtol=1e-9)


def test_a_planted_pattern_is_used_and_told():
    rng = np.random.default_rng(5)
    r = np.zeros(2600)
    for t in range(1, len(r)):
        r[t] = 0.6 * r[t - 1] + 0.004 * rng.normal()
    result = forecast(desk.rates({"EUR": np.cumsum(r)}), s=Forecast(horizons="1", **HOME))
    row = result.tables["fx_forecast"].row(0, named=True)
    assert row["model"] == "autoregression" and row["rw_ratio"] <= 0.9 and row["p_value"] < 0.001
    assert "beats no change beyond doubt" in row["verdict"]
    assert np.log(row["q50"] / row["spot"]) == pytest.approx(0.6 * r[-1], abs=0.0015)


def test_policy_rates_move_the_centre_to_the_forward_and_say_so(rates):
    result = forecast(rates, INTEREST, s=Forecast(horizons="60", **HOME))
    row = result.tables["fx_forecast"].filter(base="USD").row(0, named=True)
    assert row["model"] == "forward" and "convention and no forecast" in row["verdict"]
    assert row["q50"] / row["spot"] == pytest.approx((1 + 0.02 * 84 / 360) / (1 + 0.05 * 84 / 360))
    without = forecast(rates, INTEREST.filter(pl.col("currency") != "USD"), s=Forecast(horizons="60", **HOME))
    assert set(without.tables["fx_forecast"].filter(base="USD")["model"]) == {"random_walk"}
    assert any("no policy rate of USD" in n for n in without.notes)


def test_a_currency_that_ended_is_a_marked_row_or_an_error_when_asked_for(rates):
    table = pl.concat([rates, desk.rates({"HRK": np.zeros(300)}, last=desk.LAST - timedelta(days=60))])
    result = forecast(table, s=Forecast(**HOME))
    gone = result.tables["fx_forecast"].filter(base="HRK")
    assert set(gone["model"]) == {"none"} and gone["mean"].null_count() == gone.height
    assert "2026-04-27" in gone["verdict"][0] and "refused" in rules(result)
    with pytest.raises(InputRejected, match=r"HRK/CNY.*2026-04-27"):
        forecast(table, s=Forecast(currencies="HRK", **HOME))
    with pytest.raises(InputRejected, match=r"HRK.*2026-04-27"):
        exposure(table, desk.due({"currency": "HRK"}), s=Exposure(**HOME))


def test_short_series_are_told_as_far_as_they_reach():
    rows = (
        forecast(desk.rates(desk.paths(300)), s=Forecast(horizons="1,120", **HOME))
        .tables["fx_forecast"]
        .filter(base="EUR")
    )
    near, far = rows.sort("horizon_days").iter_rows(named=True)
    assert near["model"] == "random_walk" and near["verdict"].startswith("Too few fixings to test")
    assert far["model"] == "none" and "345 are needed" in far["verdict"]
    flat = forecast(desk.rates({"EUR": np.zeros(400)}), s=Forecast(horizons="5", **HOME)).tables["fx_forecast"]
    assert "never moved" in flat["verdict"][0]


def test_a_peg_is_told():
    calm = {"HKD": 0.01 * desk.paths(700)["EUR"]}
    assert "pegged" in rules(forecast(desk.rates(calm), s=Forecast(horizons="5", **HOME)))


def test_settings_of_a_forecast(rates):
    assert set(forecast(rates, s=Forecast(currencies="usd", **HOME)).tables["fx_forecast"]["base"]) == {"USD"}
    with pytest.raises(UsageFault, match="horizons"):
        forecast(rates, s=Forecast(horizons="1,x", **HOME))
    with pytest.raises(InputRejected, match="no pair of SEK"):
        forecast(rates, s=Forecast(currencies="SEK", **HOME))
    chinese = forecast(rates, s=Forecast(horizons="1", language="zh", **HOME)).tables["fx_forecast"]
    assert "没有证据" in chinese["verdict"][0]


def test_real_rates_beat_no_model_and_keep_their_tails(data_set):
    wide = pl.read_parquet(data_set("fx/ecb_hist") / "ecb_open_1999_2021.parquet").with_columns(
        pl.col("date").cast(pl.Date)
    )
    known = wide.select("date", *{c for c in PAIRS if c != "EUR"} | {"CNY"})
    long = known.unpivot(index="date", variable_name="quote", value_name="rate").drop_nulls()
    euro = long.with_columns(base=pl.lit("EUR"), source=pl.lit("ECB")).select("date", "base", "quote", "rate", "source")
    rows = forecast(euro, s=Forecast(horizons="1,5,20", record_days=1536, **HOME)).tables["fx_forecast"]
    assert set(rows["base"]) == set(PAIRS)
    for h, bar in ((1, 1.0005), (5, 1.001), (20, 1.002)):
        assert rows.filter(horizon_days=h)["rw_ratio"].max() <= bar
    assert rows["kupiec_p"].drop_nulls().min() > 0.05
    assert rows["kupiec_p"].drop_nulls().len() == len(PAIRS)


# --- exposure ---


def test_exposure_nets_and_its_shares_add_up(rates, money):
    result = exposure(rates, money, desk.sold({"sell_amount": 100_000, "value_date": SOON}), s=Exposure(**HOME))
    report, risks = result.tables["exposure_report"], result.tables["currency_risk"]
    for name in ("exposure_report", "currency_risk"):
        frame = reasons.render(result.tables[name]) if name == "currency_risk" else result.tables[name]
        assert check.conform(tables.get(name), frame).height == frame.height
    assert report["cvar_share"].sum() == pytest.approx(result.metrics["cvar"])
    assert risks["cvar_share"].sum() == pytest.approx(result.metrics["cvar"])
    assert result.metrics["cvar"] <= risks["cvar"].sum() + 1e-6
    euro = report.filter(currency="EUR").row(0, named=True)
    assert (euro["net"], euro["hedged"], euro["open"]) == (500_000, -100_000, 400_000)
    assert euro["home_value"] == pytest.approx(400_000 * euro["spot"])
    codes = dict(risks.select("currency", "reason_code").iter_rows())
    assert codes["USD"] == "fx_risk_natural" and codes["EUR"] == "fx_risk_dominates"
    assert {"natural_hedge", "dominating_exposure"} <= rules(result)
    assert result.metrics["cvar_without_hedges"] > result.metrics["cvar"]


def test_risk_in_the_tail_of_one_currency_equals_its_forecast(rates):
    result = exposure(
        rates,
        desk.due({"amount": 1_000_000, "due_date": desk.LAST + timedelta(days=7)}),
        s=Exposure(level=0.99, **HOME),
    )
    row = forecast(rates, s=Forecast(horizons="5", **HOME)).tables["fx_forecast"].filter(base="EUR").row(0, named=True)
    assert result.metrics["days_longest"] == 5
    assert result.metrics["var"] == pytest.approx(1_000_000 * (row["spot"] - row["q01"]), rel=0.06)


# --- hedge ---


def test_a_plan_keeps_its_contract_and_saves(rates, money):
    result = hedge(rates, money, INTEREST, s=Hedge(**HOME))
    plan, choices = result.tables["hedge_plan"], result.tables["hedge_choices"]
    assert check.conform(tables.get("hedge_plan"), reasons.render(plan)).height == 3
    assert check.conform(tables.get("hedge_choices"), choices).height == 5
    by_name = {r["choice"]: r for r in choices.iter_rows(named=True)}
    assert isinstance(result.money, Headline) and result.money.currency == "CNY"
    assert result.money.today == by_name["do_nothing"]["cvar"] == pytest.approx(plan["cvar_before"].sum())
    assert (
        result.money.proposed == by_name["proposed"]["total"]
        and result.money.low <= result.money.difference <= result.money.high
    )
    assert by_name["proposed"]["cvar"] == pytest.approx(plan["cvar_after"].sum(), abs=1e-6)
    assert by_name["proposed"]["total"] <= by_name["do_nothing"]["total"]
    assert by_name["hedge_all"]["cvar"] == pytest.approx(0, abs=1e-6)
    assert by_name["hedge_half"]["cvar"] == pytest.approx(by_name["do_nothing"]["cvar"] / 2)
    assert by_name["hedge_gross"]["cvar"] > by_name["hedge_all"]["cvar"] and not by_name["hedge_gross"]["in_policy"]
    assert (plan["cost"] - plan["carry"] - plan["spread"]).abs().max() < 1e-9
    usd = plan.filter(currency="USD").row(0, named=True)
    assert usd["forward"] < usd["spot"] and usd["carry"] > 0  # dollars pay more interest, so selling them forward costs
    assert set(plan["policy_check"]) <= {"ok", "ok_within_step"}


def test_bands_are_kept(rates, money):
    plan = hedge(rates, money, INTEREST, s=Hedge(min_ratio=0.3, max_ratio=0.6, lot=100, **HOME)).tables["hedge_plan"]
    assert plan["ratio_after"].min() >= 0.3 - 1e-2 and plan["ratio_after"].max() <= 0.6 + 1e-9
    with pytest.raises(UsageFault, match="min_ratio"):
        hedge(rates, money, INTEREST, s=Hedge(min_ratio=0.8, max_ratio=0.2, **HOME))


def test_what_was_hedged_gross_is_taken_back(rates, money):
    gross = desk.sold({"sell_currency": "USD", "sell_amount": 90_000, "value_date": SOON})
    result = hedge(rates, money, INTEREST, gross, s=Hedge(lot=1000, **HOME))
    usd = result.tables["hedge_plan"].filter(currency="USD").row(0, named=True)
    assert usd["action"] == "buy_forward" and usd["notional"] == pytest.approx(80_000, abs=500)
    assert usd["reason_code"] == "fx_hedge_reduce" and "over_hedged" in rules(result)


def test_a_band_that_would_raise_the_risk_is_told_and_not_obeyed(rates):
    whole = desk.sold({"sell_amount": 100_000, "value_date": SOON})
    result = hedge(rates, desk.due({"due_date": SOON}), INTEREST, whole, s=Hedge(max_ratio=0.5, **HOME))
    row = result.tables["hedge_plan"].row(0, named=True)
    assert row["action"] == "none" and row["policy_check"] == "above_max" and row["reason_code"] == "fx_hedge_refused"
    assert [f.severity for f in result.findings if f.rule == "policy_band"] == ["high"]


def test_what_is_missing_is_named(rates, money):
    with pytest.raises(InputRejected, match="no rate of JPY"):
        hedge(rates, money, INTEREST.filter(pl.col("currency") != "JPY"), s=Hedge(**HOME))
    with pytest.raises(InputRejected, match="SEK cannot be told"):
        exposure(rates, desk.due({"currency": "SEK"}), s=Exposure(**HOME))
    with pytest.raises(UsageFault, match="home currency"):
        exposure(rates, money, s=Exposure())


# --- the sample company and the command line ---


def test_the_planted_truths_are_found():
    made, planted = sampled.made(), sample.truths()["fx"]
    tables_ = (made["rates"], made["exposures"])
    result = exposure(*tables_, made["hedges"], s=Exposure(home_currency=planted["home"]))
    risks = result.tables["currency_risk"].sort("cvar_share", descending=True)
    assert (
        risks["currency"][0] == planted["dominating_exposure"]["currency"]
        and risks["reason_code"][0] == "fx_risk_dominates"
    )
    natural = risks.filter(currency=planted["natural_hedge"]["currency"]).row(0, named=True)
    assert natural["reason_code"] == "fx_risk_natural" and natural["netted"] > 0.8
    assert any("1 left out, they are over" in n for n in result.notes) and any(
        "1, counted as paid" in n for n in result.notes
    )
    plan = hedge(*tables_, made["policy_rates"], made["hedges"], s=Hedge(home_currency=planted["home"])).tables[
        "hedge_plan"
    ]
    back = plan.filter(currency=planted["hedged_gross"]["currency"], reason_code="fx_hedge_reduce").row(0, named=True)
    assert back["action"] == "buy_forward" and back["notional"] > 0.9 * planted["hedged_gross"]["amount"]


def test_the_command_line(cbec):
    folder = packaged.folder("sample_data")
    given = ("--rates", folder / "rates.csv", "--home-currency", "CNY")
    owed = ("--exposures", folder / "exposures.csv", "--hedges", folder / "hedges.csv")
    done = cbec("fx", "forecast", *given, "--horizons", "1,20", "-o", "-")
    assert done.returncode == 0, done.stderr
    assert len(done.stdout.splitlines()) == 9 and done.stdout.startswith("base,quote,as_of,horizon_days")
    done = cbec("fx", "exposure", *given, *owed, "--report", "out", "--fail-on", "warn")
    assert done.returncode == 1, done.stderr
    done = cbec(
        "fx", "hedge", *given, *owed, "--policy-rates", folder / "policy_rates.csv", "--report", "plan", "--json"
    )
    assert done.returncode == 0, done.stderr
    told = json.loads(done.stdout)
    assert told["money"]["proposed"] < told["money"]["today"] and told["as_of"] == "2026-09-30"


def test_signs_are_checked_before_anything_is_reckoned(cbec, tmp_path):
    (tmp_path / "due.csv").write_text("编号,类型,币种,金额,到期日\n1,AP,EUR,500,2026-12-01\n", "utf-8")
    rates = packaged.folder("sample_data") / "rates.csv"
    done = cbec("fx", "exposure", "--rates", rates, "--exposures", "due.csv", "--home-currency", "CNY")
    assert done.returncode == 3 and "a payable goes out" in done.stderr
