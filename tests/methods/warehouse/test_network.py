"""From tables to positions and flows: who has what when, which ways there are, what is not known."""

from __future__ import annotations

from dataclasses import replace
from datetime import date, timedelta

import numpy as np
import polars as pl
import pytest
from support import stockroom as room

from cbec.core.errors import InputRejected, UsageFault
from cbec.methods.warehouse import network, transfer
from cbec.methods.warehouse.fan import WEIGHT

SETTINGS = network.Settings(None, None, True, 30.0, 10.0, 0.25, 0.5, 0.0, False, 0.0)
COSTED = {"unit_cost": 10.0, "currency": "EUR"}


def forecast(rates: dict[tuple[str, str], float], days: int = 40):
    """Poisson demand a day per SKU and warehouse."""
    parts = [room.poisson(r, days, sku=s, warehouse=w, market=None) for (s, w), r in rates.items()]
    return room.forecast(*parts)


def lanes(*rows):
    return room.table(
        "transfer_lanes",
        [{"from_warehouse": "W1", "to_warehouse": "W2", "transit_days": 5.0} | r for r in rows or ({},)],
    )


def build(wanted=None, inventory=None, ways=None, s=SETTINGS, **more):
    wanted = wanted or {("A", "W1"): 1.0, ("A", "W2"): 2.0}
    stock = room.stock({"on_hand": 90.0} | COSTED, {"warehouse": "W2", "on_hand": 4.0} | COSTED)
    tables = dict.fromkeys(("policies", "coverage", "products", "inbound", "rates")) | more
    return network.build(
        forecast(wanted),
        stock if inventory is None else inventory,
        ways if ways is not None else lanes(),
        s=s,
        **tables,
    )


def test_positions_demand_and_flows():
    world = build()
    net = world.net
    assert world.positions.rows() == [("A", "W1"), ("A", "W2")]
    assert net.stock.tolist() == [90, 4]
    assert world.horizon.tolist() == [30, 30]
    assert np.allclose(net.demand[:, -1] @ WEIGHT, [30, 60], rtol=1e-3)
    assert np.allclose(net.span, [[5, 25], [5, 25]])  # a window begins when the lane arrives
    assert (net.flows, net.window.tolist(), net.cost[0]) == (1, [1], pytest.approx(10 * 0.25 * 5 / 365))
    assert np.allclose(net.short, 5.0) and np.allclose(net.hold, 2.5 / 365)  # half the unit cost, a quarter a year
    assert world.currency == "EUR"


def test_reviews_where_demand_waits():
    net = build(s=replace(SETTINGS, lost=False)).net
    assert np.allclose(net.span, [[10, 10, 10]] * 2)
    assert net.window.tolist() == [0]  # 5 days: there by the first review
    policies = room.policy(
        {"warehouse": "W1", "lead_time_days": 15.0, "review_days": 15.0},
        {"warehouse": "W2", "lead_time_days": 7.0, "review_days": 4.0},
    )
    net = build(s=replace(SETTINGS, lost=False), policies=policies).net
    assert np.allclose(net.span, [[15, 15, 0], [4, 4, 3]])
    assert net.window.tolist() == [1]  # not by day 4


def test_a_lane_that_arrives_after_an_order_could_is_no_way():
    policies = room.policy({"lead_time_days": 4.0, "review_days": 1.0})
    assert build(policies=policies).net.flows == 0
    assert build(policies=room.policy({"lead_time_days": 5.0, "review_days": 1.0})).net.flows == 1


def test_inbound_counts_from_its_day_on():
    inbound = room.table(
        "inbound", [{"sku": "A", "warehouse": "W2", "qty": 50.0, "arrival_date": room.AS_OF + timedelta(days=11)}]
    )
    net = build(inbound=inbound).net
    assert net.coming[1].tolist() == [0, 50]
    # The evening before it comes, on day 10, 20 are wanted of the 4 that are there; later 60 of 54.
    assert (np.maximum(net.excess[1, 1] - 4, 0) @ WEIGHT) == pytest.approx(16.0, rel=0.02)
    late = room.table(
        "inbound", [{"sku": "A", "warehouse": "W2", "qty": 50.0, "arrival_date": room.AS_OF + timedelta(days=31)}]
    )
    assert build(inbound=late).net.coming[1].tolist() == [0, 0]
    alone = transfer.outcome(net, transfer.supply(net, np.zeros(1))).short[1]
    assert alone == pytest.approx(16.0, rel=0.02)


def test_costs_by_unit_weight_trip_and_currency():
    products = room.table(
        "products",
        [
            {
                "sku": "A",
                "weight_kg": 2.0,
                "length_cm": 100.0,
                "width_cm": 50.0,
                "height_cm": 20.0,
                "unit_cost": 10.0,
                "price": 30.0,
                "currency": "EUR",
            }
        ],
    )
    way = {"cost_per_unit": 8.0, "cost_per_kg": 4.0, "cost_fixed": 80.0, "capacity_m3": 20.0, "currency": "CNY"}
    fixings = room.table("rates", [{"date": date(2026, 6, 26), "base": "EUR", "quote": "CNY", "rate": 8.0}])
    world = build(ways=lanes(way), products=products, rates=fixings, s=replace(SETTINGS, home="EUR"))
    net = world.net
    assert net.cost[0] == pytest.approx(1 + 2 * 0.5 + 10 * 0.25 * 5 / 365)
    assert (net.lanes.fixed[0], net.lanes.room[0], net.m3[0]) == (10.0, 20.0, pytest.approx(0.1))
    assert np.allclose(net.short, 20.0)  # the margin
    with pytest.raises(UsageFault, match="CNY, EUR"):
        build(ways=lanes(way), products=products)


def test_storage_by_volume_is_a_cost_of_holding():
    products = room.table("products", [{"sku": "A", "length_cm": 100.0, "width_cm": 100.0, "height_cm": 100.0}])
    policies = room.policy(
        {"warehouse": "W1", "lead_time_days": 20.0, "storage_cost_m3_day": 0.5},
        {"warehouse": "W2", "lead_time_days": 20.0},
    )
    net = build(products=products, policies=policies).net
    assert np.allclose(net.hold, [0.5 + 2.5 / 365, 2.5 / 365])


def test_what_is_not_known_is_left_out_and_told():
    stock = room.stock({"on_hand": 90.0}, {"warehouse": "W2", "on_hand": 4.0})
    world = build(inventory=stock)
    assert world.net.flows == 0 and world.unknown["cost"] == ["A"]
    world = build(ways=lanes({"cost_per_kg": 1.0}, {"transit_days": 9.0, "capacity_m3": 1.0}, {"transit_days": 12.0}))
    assert world.net.flows == 1
    assert (world.unknown["weight"], world.unknown["volume"]) == (["A"], ["A"])


def test_reserved_stock_and_half_packs_are_not_sent():
    stock = room.stock({"on_hand": 9.0, "reserved": 4.0} | COSTED, {"warehouse": "W2"} | COSTED)
    policies = room.policy({"lead_time_days": 20.0, "pack_size": 6.0})
    assert build(inventory=stock, policies=policies).net.stock.tolist() == [5, 0]
    assert build(inventory=stock, policies=policies).net.flows == 1
    assert build(inventory=stock, policies=policies, s=replace(SETTINGS, packs=True)).net.flows == 0


def test_stock_where_nobody_asks_can_be_sent_but_a_place_without_a_row_gets_nothing():
    world = build({("A", "W2"): 2.0})
    assert world.forecast.tolist() == [False, True]
    assert world.net.flows == 1
    assert build({("A", "W1"): 2.0}, inventory=room.stock({"on_hand": 90.0} | COSTED)).net.flows == 0


def test_many_lanes_share_windows():
    ways = lanes(*({"transit_days": float(d)} for d in (2, 3, 5, 8, 12, 13, 18, 25)))
    net = build(ways=ways).net
    assert net.span.shape[1] <= network.WINDOWS
    starts = np.hstack([np.zeros((2, 1)), np.cumsum(net.span, axis=1)])
    for flow in range(net.flows):  # never counted as there before it is
        assert starts[1, net.window[flow]] >= net.lanes.days[net.lane[flow]]


def test_a_short_forecast_and_lanes_between_other_places_are_refused():
    with pytest.raises(InputRejected, match="needs 50 days"):
        build(policies=room.policy({"lead_time_days": 49.0}))
    world = build(ways=lanes({"to_warehouse": "elsewhere"}))
    with pytest.raises(InputRejected, match="none joins two"):
        network.strange_places(world, lanes({"to_warehouse": "elsewhere"}))


def test_lanes_are_named_apart():
    world = build(ways=lanes({}, {"transit_days": 20.0}, {"from_warehouse": "W2", "to_warehouse": "W1"}))
    assert sorted(network.lane_names(world)) == ["W1-W2 20d", "W1-W2 5d", "W2-W1"]
    assert world.positions.schema == {"sku": pl.String, "warehouse": pl.String}


def test_places_that_only_lanes_name_are_told():
    ways = lanes({}, {"to_warehouse": "W9"})
    assert network.strange_places(build(ways=ways), ways) == ["W9"]
