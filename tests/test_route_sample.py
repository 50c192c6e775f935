"""`route plan` on the sample company: what is planted in its shipments and lanes comes out."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import polars as pl
import pytest
import yaml
from support import freight

from cbec import tables
from cbec.core import check, files, packaged
from cbec.core.command import Common, Result
from cbec.route import Plan


def sample(name: str) -> pl.DataFrame:
    contract = tables.get(name)
    (path,) = packaged.folder("sample_data").glob(f"{name}.csv*")
    return check.check(contract, files.read(contract, [str(path)], Common()), Common()).good


@pytest.fixture(scope="module")
def truths() -> dict[str, Any]:
    return yaml.safe_load((packaged.folder("sample_data") / "truths.yaml").read_text("utf-8"))["transport"]


@pytest.fixture(scope="module")
def result() -> Result:
    every = {name: sample(name) for name in ("nodes", "disruptions", "rates")}
    return freight.run(sample("shipments"), sample("lanes"), **every, s=Plan(home_currency="CNY"))


@pytest.fixture(scope="module")
def best(result: Result, truths: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """The first option (or the row of none) by kind of planted shipment."""
    rows = {r["shipment_id"]: r for r in freight.rows(result) if r["option_rank"] < 2}
    return {t["kind"]: rows[t["shipment_id"]] for t in truths["shipments"]}


def options(result: Result, truths: dict[str, Any], kind: str) -> pl.DataFrame:
    (name,) = (t["shipment_id"] for t in truths["shipments"] if t["kind"] == kind)
    return result.tables["options"].filter(shipment_id=name)


def test_goods_that_can_wait_go_by_the_cheapest_sea(best):
    row = best["sea_can_wait"]
    assert (row["modes"], row["reason_code"]) == ("sea", "route_cheapest_best")
    assert row["p_on_time"] > 0.999
    assert row["runner_up_cost"] > 1.5 * row["total_cost"]


def test_goods_that_are_needed_fly(best, result, truths):
    row = best["air_is_needed"]
    assert (row["modes"], row["reason_code"]) == ("air", "route_pays_late")
    cheapest = options(result, truths, "air_is_needed").filter(pl.col("flags").str.contains("cheapest"))
    assert cheapest["modes"].to_list() == ["sea"]
    assert cheapest["total_cost"][0] > 10 * row["total_cost"]


def test_dear_capital_flies_without_a_due_date(best):
    row = best["capital_is_dear"]
    assert (row["modes"], row["p_on_time"], row["reason_code"]) == ("air", None, "route_pays_capital")


def test_a_weight_in_the_gap_of_a_rate_card_has_no_such_option(result, truths):
    gap = truths["rate_gap"]
    lanes = options(result, truths, "rate_gap")["lanes"].to_list()
    assert lanes
    assert not any(gap["lane_id"] in lane for lane in lanes)
    (told,) = (f for f in result.findings if f.rule == "rate_gap")
    assert told.entity == gap["lane_id"]
    assert f"{gap['from_kg']:g} to {gap['to_kg']:g} kg" in told.message
    # Where the card has a band the lane is there.
    assert result.tables["legs"].filter(lane_id=gap["lane_id"]).height


def test_a_weight_under_a_break_pays_the_break(result, truths):
    air = options(result, truths, "under_a_break").filter(lanes="AIR-NGB-HAM")
    assert air["chargeable_kg"].to_list() == [100.0]
    assert "break_raised" in air["flags"][0]
    card = sample("lanes").filter(lane_id="AIR-NGB-HAM", break_from_kg=100.0)
    cny = 300 + 100 * card["cost_per_kg"][0]
    assert air["freight"][0] == pytest.approx(cny, abs=0.01)
    lower = sample("lanes").filter(lane_id="AIR-NGB-HAM", break_from_kg=45.0)["cost_per_kg"][0]
    assert cny < 300 + 92 * lower


def test_a_rate_that_has_ended_is_in_no_option(result, truths):
    ended = truths["rate_expired"]["lane_id"]
    assert result.tables["legs"].filter(lane_id=ended).is_empty()
    (told,) = (f for f in result.findings if f.rule == "rate_expired")
    assert told.entity == ended


def test_a_place_without_lanes_is_a_high_finding(best, result):
    assert best["no_lane"]["option_rank"] == 0
    assert [f.entity for f in result.findings if f.severity == "high"] == [best["no_lane"]["shipment_id"]]


def test_nothing_crosses_the_closed_border(best, result, truths):
    shut = truths["lane_closed"]
    trains = result.tables["legs"].filter(lane_id=shut["lane_id"])["depart"]
    assert len(trains) > 10
    assert not trains.is_between(shut["from"], shut["to"]).any()
    row = best["border_closed"]
    assert row["modes"] == "rail>road" and "disrupted" in freight.flags(row)
    assert shut["to"] < row["depart"] <= shut["to"] + timedelta(days=4)


def test_what_is_late_whatever_is_done_and_what_nobody_asked_about(best, result):
    late = best["too_late_already"]
    assert "late_likely" in freight.flags(late)
    assert late["shipment_id"] in {f.entity for f in result.findings if f.rule == "late_likely"}
    assert "dg_unchecked" in freight.flags(best["dangerous"])


def test_the_plan_saves_against_both_plain_rules(result):
    m = result.metrics
    assert m["total_cost"] < min(m["total_cost_cheapest"], m["total_cost_punctual"])
    assert result.money.today == min(m["total_cost_cheapest"], m["total_cost_punctual"])
    assert result.money.high < 0
    assert m["co2e_kg"] > 0
