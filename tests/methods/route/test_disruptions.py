"""What a disruption meets, what it adds, and that nothing is counted twice."""

from __future__ import annotations

from datetime import date, timedelta

import pytest
from support import freight
from support.stockroom import table

START = freight.READY


def event(scope="lane", code="SEA", start=START, end=START + timedelta(days=5), **more):
    return {"scope": scope, "code": code, "start": start, "end": end, "closed": False, "probability": 1.0} | more


def plan(*events, cards=None, nodes=None):
    cards = freight.lanes(*(cards or [freight.lane()]))
    return freight.run(freight.shipments(), cards, nodes=nodes, disruptions=table("disruptions", list(events)))


def arrival(result):
    return freight.only(result)["arrive_p50"]


QUIET = START + timedelta(days=30)


@pytest.mark.parametrize(
    "where",
    [
        {"scope": "lane", "code": "SEA"},
        {"scope": "mode", "code": "Ocean"},
        {"scope": "passage", "code": "Suez"},
        {"scope": "node", "code": "CN"},
    ],
)
def test_a_delay_meets_who_leaves_in_its_window(where):
    cards = [freight.lane(passages="malacca|suez")]
    assert arrival(plan(event(**where, delay_days=4.0), cards=cards)) == QUIET + timedelta(days=4)
    before = event(**where, delay_days=4.0, start=date(2026, 9, 1), end=START - timedelta(days=1))
    assert arrival(plan(before, cards=cards)) == QUIET
    endless = event(**where, delay_days=4.0, start=date(2026, 9, 1), end=None)
    assert arrival(plan(endless, cards=cards)) == QUIET + timedelta(days=4)


def test_a_node_delays_who_arrives_in_its_window():
    then = {"start": QUIET - timedelta(days=2), "end": QUIET + timedelta(days=2)}
    assert arrival(plan(event("node", "DE", delay_days=3.0, **then))) == QUIET + timedelta(days=3)
    assert arrival(plan(event("node", "DE", delay_days=3.0))) == QUIET


def test_a_chance_of_a_delay_is_its_mean_and_a_spread():
    sure = freight.only(plan(event(delay_days=10.0)))
    maybe = freight.only(plan(event(delay_days=10.0, probability=0.3)))
    assert sure["arrive_p50"] == sure["arrive_p90"] == QUIET + timedelta(days=10)
    assert maybe["arrive_p50"] < sure["arrive_p50"]
    assert maybe["arrive_p90"] > maybe["arrive_p50"]
    # Two delays add up.
    assert "disrupted" in freight.flags(maybe)
    both = plan(event(delay_days=4.0), event("mode", "sea", delay_days=3.0))
    assert arrival(both) == QUIET + timedelta(days=7)


def test_a_closed_lane_leaves_after_it_opens():
    row = freight.only(plan(event(closed=True, end=START + timedelta(days=6))))
    assert row["depart"] == START + timedelta(days=7)
    assert "disrupted" in freight.flags(row)
    assert "disrupted" not in freight.flags(
        freight.only(plan(event(closed=True, end=START + timedelta(days=2), start=START + timedelta(days=1))))
    )
    weekly = [freight.lane(departures="Mon")]
    row = freight.only(plan(event(closed=True, end=START + timedelta(days=6)), cards=weekly))
    assert row["depart"] == START + timedelta(days=7)


@pytest.mark.parametrize("end", [None, START + timedelta(days=40)])
@pytest.mark.parametrize("where", [("lane", "SEA"), ("mode", "sea"), ("node", "CN")])
def test_a_lane_closed_for_long_is_out(where, end):
    other = freight.lane("AIR", mode="air", origin="CN")
    cards = [freight.lane(), *([other] if where[0] != "node" else [])]
    result = plan(event(*where, closed=True, end=end), cards=cards)
    if where[0] == "node":
        row = freight.only(result)
        assert (row["option_rank"], row["reason_code"]) == (0, "route_none_closed")
    else:
        assert freight.only(result)["lanes"] == "AIR"
    assert "lane_closed" in {f.rule for f in result.findings}


def test_goods_wait_before_a_closed_node():
    then = {"start": QUIET - timedelta(days=2), "end": QUIET + timedelta(days=2)}
    assert arrival(plan(event("node", "DE", closed=True, **then))) == QUIET + timedelta(days=3)
    row = freight.only(plan(event("node", "DE", closed=True, start=QUIET, end=None)))
    assert (row["option_rank"], row["reason_code"]) == (0, "route_none_closed")


def test_a_closure_that_may_come_is_a_delay_to_its_end():
    row = freight.only(plan(event(closed=True, probability=0.5)))
    assert row["depart"] == START
    # Half of 6 days: 5 October to the 11th.
    assert row["arrive_p90"] > row["arrive_p50"] >= QUIET + timedelta(days=2)


def test_where_lanes_meet_a_node_counts_once():
    cards = [freight.lane("A", destination="HUB", transit_days=10.0), freight.lane("B", origin="HUB", transit_days=5.0)]
    nodes = table("nodes", [{"node": "HUB", "kind": "port", "dwell_days": 0.0, "dwell_sd_days": 0.0}])
    quiet = arrival(plan(cards=cards, nodes=nodes))
    assert quiet == START + timedelta(days=15)
    slow = event("node", "HUB", delay_days=4.0, end=START + timedelta(days=30))
    assert arrival(plan(slow, cards=cards, nodes=nodes)) == quiet + timedelta(days=4)


def test_a_disruption_that_no_lane_meets_is_told():
    result = plan(event("passage", "suez", delay_days=9.0), event("lane", "SAE", delay_days=9.0))
    told = [f for f in result.findings if f.rule == "disruption_unmet"]
    assert {f.entity for f in told} == {"passage suez", "lane SAE"}
    assert any("passages" in f.message for f in told)
    assert arrival(result) == QUIET
