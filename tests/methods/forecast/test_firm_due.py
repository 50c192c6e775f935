"""Firm orders that no order of today can serve in time: told, counted as short, and never cut by a budget."""

from __future__ import annotations

from datetime import timedelta

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats
from support import stockroom as room
from support.answered import replenish

from cbec.core.errors import NoAnswer
from cbec.forecast import Replenish
from cbec.methods.forecast import firmdue

COST = {"unit_cost": 10.0, "currency": "EUR"}


def due(*rows, sku="A"):
    return room.table(
        "firm_orders",
        [{"sku": sku, "warehouse": "W1", "due_date": room.AS_OF + timedelta(days=d), "qty": q} for d, q in rows],
    )


def run(*, firm=None, inventory=None, policies=None, s=None, forecast=None, **more):
    """Poisson demand of 5 a day, lead time 4 days, review 1; a unit short costs 5."""
    return replenish(
        room.forecast(room.poisson(5, 40)) if forecast is None else forecast,
        room.stock({"on_hand": 30.0} | COST) if inventory is None else inventory,
        room.policy({"shortage_cost": 5.0}) if policies is None else policies,
        coverage=room.serves(),
        firm_orders=firm,
        s=s or Replenish(),
        **more,
    )


def row(result, sku="A"):
    return result.tables["replenishment"].filter(sku=sku).row(0, named=True)


def found(result, rule):
    return [f for f in result.findings if f.rule == rule]


def test_what_comes_before_the_order_is_told_and_costs_in_both():
    plain, early = run(), run(firm=due((2, 50.0), (3, 40.0)))
    (told,) = found(early, "firm_orders_too_early")
    # 30 on hand: 20 lack on day 2, 60 on day 3; the order is there on day 4.
    day, arrival = (room.AS_OF + timedelta(days=d) for d in (2, 4))
    assert told.severity == "high" and told.money == pytest.approx(300) and told.currency == "EUR"
    assert told.message.startswith(f"firm orders are 60 short from {day} on")
    assert f"on the shelf only on {arrival}" in told.message
    assert not found(early, "stockout_before_arrival")
    assert "the order holds them" not in " ".join(f.message for f in early.findings)
    answer = row(early)
    assert answer["reason_code"] == "order_firm_late" and answer["order_qty"] >= 60
    assert answer["p_stockout"] == 1 and answer["stockout_date"] == day
    # To order nothing is no way out of what was promised.
    assert answer["runner_up"] == "seller_formula"
    # The units are short whatever is ordered: the difference to the seller formula does not gain by them.
    assert early.metrics["expected_short"] - plain.metrics["expected_short"] == pytest.approx(60, abs=0.5)
    assert early.money.proposed == pytest.approx(300, abs=1) and early.money.today == pytest.approx(300, abs=1)
    assert "come too early for any order (300.00)" in early.money.basis
    assert early.metrics["firm_orders_short"] == 60


def test_what_is_due_when_the_order_is_there_is_held_by_it():
    result = run(firm=due((4, 80.0)))
    assert not found(result, "firm_orders_too_early") and row(result)["reason_code"] == "order_firm_due"
    # Stock that holds the last unit of a firm order leaves nobody without; one unit more does.
    assert not found(run(firm=due((3, 30.0))), "firm_orders_too_early")
    assert found(run(firm=due((3, 31.0))), "firm_orders_too_early")[0].money == 5


def test_a_delivery_that_comes_after_the_firm_order_leaves_it_late():
    inbound = room.table("inbound", [{"sku": "A", "warehouse": "W1", "qty": 200.0, "arrival_date": room.AS_OF + timedelta(days=3)}])  # fmt: skip
    result = run(firm=due((2, 70.0)), inbound=inbound)
    assert found(result, "firm_orders_too_early")[0].message.startswith("firm orders are 40 short")
    assert row(result)["order_qty"] == 0 and result.metrics["expected_short"] == pytest.approx(40, abs=1)
    in_time = run(firm=due((3, 70.0)), inbound=inbound)
    assert not found(in_time, "firm_orders_too_early")


def test_lots_for_firm_orders_tell_what_is_late_too():
    inventory = room.stock(COST, {"sku": "F", "on_hand": 2.0} | COST)
    result = run(firm=due((1, 6.0), (8, 3.0), sku="F"), inventory=inventory)
    answer = row(result, "F")
    assert answer["reason_code"] == "order_firm_late" and answer["p_stockout"] == 1
    assert found(result, "firm_orders_too_early")[0].money == pytest.approx(20)
    assert answer["cost"] >= 20 and answer["runner_up_cost"] >= 20
    stock = result.later["projection"]() if "projection" not in result.tables else result.tables["projection"]
    by_day = dict(stock.filter(sku="F").select("date", "stock_without_order").iter_rows())
    # 4 of 6 are owed from day 1 on, until a lot arrives.
    assert by_day[room.AS_OF + timedelta(days=1)] == -4
    served = dict(stock.filter(sku="F").select("date", "stock_mean").iter_rows())
    assert served[room.AS_OF + timedelta(days=4)] == answer["order_qty"] - 4


def test_a_budget_cuts_other_orders_first():
    forecast = room.forecast(room.poisson(5, 40), room.poisson(5, 40, sku="B"))
    inventory = room.stock({"on_hand": 30.0} | COST, {"sku": "B"} | COST)
    # A unit of B costs ten times as much to be without.
    policies = room.policy({"shortage_cost": 1.0}, {"sku": "B", "shortage_cost": 10.0})
    given_ = {"forecast": forecast, "inventory": inventory, "policies": policies}
    whole = run(**given_, firm=due((4, 60.0)))
    tight = run(**given_, firm=due((4, 60.0)), s=Replenish(budget=350.0))
    assert row(whole)["order_qty"] >= 30 and row(tight)["order_qty"] >= 30
    assert row(tight, "B")["order_qty"] < row(whole, "B")["order_qty"]
    assert "what firm orders need is not cut" in found(tight, "orders_cut")[0].message
    with pytest.raises(NoAnswer, match=r"the budget fails by 50\.00"):
        run(**given_, firm=due((4, 60.0)), s=Replenish(budget=250.0))


def test_none_changes_no_figure():
    plain, beyond = run(), run(firm=due((300, 900.0)))
    assert plain.tables["replenishment"].equals(beyond.tables["replenishment"])
    assert plain.money == beyond.money


@given(
    st.floats(0.2, 80), st.floats(0.5, 4), st.floats(0, 120), st.floats(0, 150)
)  # fmt: skip
def test_the_greater_of_demand_and_firm_orders(mean, ratio, firm, stock):
    """Short less left is what is asked for less what is there, each between its bounds."""
    x, m, v, f = (np.array([a]) for a in (np.floor(stock), mean, mean * ratio, np.floor(firm)))
    short, left = (float(of(x, m, v, f)[0]) for of in (firmdue.shortage, firmdue.left_over))
    asked = float(firmdue.shortage(np.zeros(1), m, v, f)[0])
    assert short - left == pytest.approx(asked - x[0], abs=1e-6)
    assert short >= max(f[0] - x[0], 0) - 1e-9 and 0 <= left + 1e-9 <= max(x[0] - f[0], 0) + 2e-9


def test_the_greater_of_demand_and_firm_orders_by_hand():
    units = np.arange(200)
    chance = stats.poisson(20).pmf(units)
    for x, f in ((25.0, 30.0), (25.0, 22.0), (10.0, 0.0)):
        asked = np.maximum(units, f)
        args = (np.array([x]), np.array([20.0]), np.array([20.0]), np.array([f]))
        assert firmdue.shortage(*args)[0] == pytest.approx((chance * np.maximum(asked - x, 0)).sum(), rel=1e-6)
        assert firmdue.left_over(*args)[0] == pytest.approx((chance * np.maximum(x - asked, 0)).sum(), rel=1e-6)


def test_firm_orders_that_a_later_order_serves_are_not_told_as_no_demand():
    """No forecast and no cost: RS orders what is due until the next order arrives (day 5), and says that more is to come."""
    nothing = room.forecast(room.poisson(0.0, 40))
    (later,) = (row(run(firm=due((20, 9.0)), forecast=nothing, inventory=room.stock({"on_hand": 0.0}))),)
    assert later["order_qty"] == 0 and later["reason_code"] == "firm_in_time"
    assert later["stockout_date"] == room.AS_OF + timedelta(days=20)
    now = row(run(firm=due((4, 9.0)), forecast=nothing, inventory=room.stock({"on_hand": 0.0})))
    assert now["order_qty"] == 9
    assert row(run(forecast=nothing))["reason_code"] == "no_demand"


def test_order_days_of_a_supplier_of_no_item_are_told():
    days = [{"supplier_id": s, "order_date": room.AS_OF + timedelta(days=3)} for s in ("S1", "S2")]
    products = room.table("products", [{"sku": "A", "supplier_id": "S1"}])
    result = run(products=products, order_calendar=room.table("order_calendar", days))
    (note,) = (n for n in result.notes if n.startswith("order_calendar"))
    assert "1 supplier of no item (S2)" in note
    met = run(products=products, order_calendar=room.table("order_calendar", days[:1]))
    assert not [n for n in met.notes if n.startswith("order_calendar")]
