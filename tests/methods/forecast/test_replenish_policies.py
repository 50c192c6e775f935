"""Policies beside (R, S), targets in money, order days, firm orders, surges, lost sales."""

from __future__ import annotations

from datetime import date, timedelta

import numpy as np
import polars as pl
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from scipy import stats
from support import stockroom as room
from support.answered import replenish

from cbec.core.errors import InputRejected, NoAnswer
from cbec.forecast import Replenish
from cbec.methods import counts

COST = {"unit_cost": 10.0, "currency": "EUR"}


def run(forecast=None, *, policies=None, inventory=None, s=None, **more):
    return replenish(
        room.forecast(room.poisson(5, 40)) if forecast is None else forecast,
        room.stock(COST) if inventory is None else inventory,
        room.policy() if policies is None else policies,
        coverage=room.serves(),
        s=s or Replenish(),
        **more,
    )


def one(result):
    return result.tables["replenishment"].row(0, named=True)


def on_hand(units):
    return room.stock({"on_hand": units} | COST)


def test_continuous_review_orders_at_the_reorder_point_and_not_above():
    # Poisson 20 in the lead time: s = 28 at 95 %.
    policies = room.policy({"policy": "sQ", "lot_size": 25.0})
    above, at, far = (one(run(policies=policies, inventory=on_hand(x))) for x in (29.0, 28.0, 3.0))
    assert above["reorder_point"] == stats.poisson(20).ppf(0.95) == 28
    assert above["order_qty"] == 0 and above["reason_code"] == "above_reorder_point"
    assert at["order_qty"] == 25
    assert far["order_qty"] == 50  # two lots to get over 28


@pytest.mark.parametrize(("policy", "point"), [("sS", 28), ("RsS", 33)])
def test_up_to_s_plus_the_economic_lot(policy, point):
    row = {"policy": policy, "order_cost": 40.0, "holding_rate": 0.3}
    found = one(run(policies=room.policy(row), inventory=on_hand(float(point))))
    eoq = np.ceil(np.sqrt(2 * 40 * 5 * 365 / 3))
    assert (found["reorder_point"], found["order_up_to"]) == (point, point + eoq)
    assert found["order_qty"] == eoq
    assert found["reason_code"].startswith("order_l")


@pytest.mark.parametrize("policy", ["sS", "sQ"])
def test_stock_that_comes_overnight_has_to_last_a_day(policy):
    row = {"policy": policy, "lot_size": 25.0, "lead_time_days": 0.0}
    found = one(run(policies=room.policy(row), inventory=on_hand(8.0)))
    assert found["reorder_point"] == stats.poisson(5).ppf(0.95) == 9
    assert found["order_qty"] > 0


def test_a_lot_policy_buys_nothing_of_a_dead_item():
    dead = room.forecast(room.series([stats.poisson(1e-12)] * 20))
    for policy in ("sS", "sQ", "RsS"):
        assert one(run(dead, policies=room.policy({"policy": policy, "lot_size": 50.0})))["order_qty"] == 0


def test_fill_rate_of_lots_by_hand():
    policies = room.policy({"policy": "sQ", "lot_size": 60.0, "fill_rate": 0.98})
    found = one(run(policies=policies))
    x = np.arange(60.0)
    mean = np.full(60, 20.0)
    served = 1 - (counts.shortage(x, mean, mean) - counts.shortage(x + 60, mean, mean)) / 60
    assert found["reorder_point"] == np.flatnonzero(served >= 0.98)[0]


def test_a_fill_rate_holds_for_the_mixture_of_lead_times():
    # A count of the two moments of the mixture has a thinner tail: it would stop at 89.
    lead = stats.gamma(1, scale=4).ppf((np.arange(1000) + 0.5) / 1000)[:, None]
    units = np.arange(400)
    over_lead, whole = (stats.poisson.pmf(units, 5 * (lead + days)).mean(0) for days in (0, 7))

    def short(pmf, level):
        return (pmf * np.maximum(units - level, 0)).sum()

    served = np.array([1 - (short(whole, x) - short(over_lead, x)) / 35 for x in range(200)])
    policies = room.policy({"fill_rate": 0.98, "lead_time_days": 4.0, "lead_time_sd_days": 4.0, "review_days": 7.0})
    level = one(run(policies=policies))["order_up_to"]
    assert level == pytest.approx(np.flatnonzero(served >= 0.98)[0], abs=2)


def test_carry_over_and_a_single_period_are_told_apart():
    row = {"shortage_cost": 6.0, "holding_rate": 0.365}
    carried = one(run(policies=room.policy(row | {"target": "cost_carry_over"})))
    assert carried["order_up_to"] == stats.poisson(25).ppf(6 / 6.01)  # a unit costs 0.01 for the review
    sold_off = one(run(policies=room.policy(row | {"target": "cost_single_period", "salvage_rate": 0.4})))
    assert sold_off["order_up_to"] == stats.poisson(25).ppf(0.5)  # a unit left loses 6
    factor = one(run(policies=room.policy(row | {"target": "cost_carry_over"}), s=Replenish(ratio_factor=0.8)))
    assert factor["order_up_to"] == stats.poisson(25).ppf(4.8 / 4.81)


def test_what_costs_nothing_to_be_without_is_not_bought():
    for unmet in ("waits", "lost"):
        policies = room.policy({"shortage_cost": 0.0, "target": "cost_carry_over"})
        assert one(run(policies=policies, s=Replenish(unmet=unmet)))["order_qty"] == 0


def test_a_target_in_money_without_a_cost_says_so():
    result = run(inventory=room.stock(), s=Replenish(target="cost_carry_over"))
    assert one(result)["order_up_to"] == 33
    assert any("no known cost" in n for n in result.notes)


def test_a_fill_rate_as_target_needs_one():
    with pytest.raises(InputRejected, match="fill rate"):
        run(policies=room.policy({"target": "fill_rate"}))


def test_landed_cost_counts_duty_and_freight():
    result = run(policies=room.policy({"duty_rate": 0.1, "freight_per_unit": 2.0, "order_cost": 0.0}))
    assert result.metrics["order_value"] == pytest.approx(one(result)["order_qty"] * 13)


def test_backorders_are_owed():
    plain, owed = (
        one(run(inventory=room.stock({"on_hand": 30.0} | COST | more))) for more in ({}, {"backorders": 12.0})
    )
    assert owed["order_qty"] - plain["order_qty"] == 12


def test_an_order_waits_for_the_order_day_and_lasts_until_the_next():
    days = pl.DataFrame(
        {
            "supplier_id": [None] * 3,
            "warehouse": [None] * 3,
            "order_date": [room.AS_OF + timedelta(days=d) for d in (-7, 3, 13)],
        },
        schema={"supplier_id": pl.String, "warehouse": pl.String, "order_date": pl.Date},
    )
    found = one(run(order_calendar=days))
    assert found["order_date"] == room.AS_OF + timedelta(days=3)
    assert found["arrival_date"] == room.AS_OF + timedelta(days=7)
    assert found["order_up_to"] == stats.poisson(5 * (3 + 4 + 10)).ppf(0.95)
    with pytest.raises(InputRejected, match="no order day"):
        run(order_calendar=days.head(1))


def firm(*rows):
    return room.table(
        "firm_orders",
        [{"sku": "F", "warehouse": "W1", "due_date": room.AS_OF + timedelta(days=d), "qty": q} for d, q in rows],
    )


def test_lots_for_firm_orders_by_wagner_whitin():
    # Snyder & Shen: 90, 120, 80, 70 with set-up 500 and 2 per unit and period: first lot 210, cost 1,380.
    policies = room.policy(
        {"sku": "F", "policy": "wagner_whitin", "review_days": 5.0, "order_cost": 500.0, "holding_rate": 2 * 73 / 10},
        {},
    )
    inventory = room.stock(COST, {"sku": "F", "on_hand": 30.0} | COST)
    result = run(
        policies=policies,
        inventory=inventory,
        firm_orders=firm((2, 30.0), (5, 90.0), (9, 120.0), (14, 80.0), (20, 70.0)),
    )
    found = result.tables["replenishment"].filter(sku="F").row(0, named=True)
    assert found["order_qty"] == 210 and found["reason_code"] == "order_firm"
    assert found["cost"] == pytest.approx(1380) and found["runner_up"] == "lot_for_lot"
    assert found["runner_up_cost"] == pytest.approx(2000)
    later = run(policies=policies, inventory=inventory, firm_orders=firm((21, 80.0)))
    found = later.tables["replenishment"].filter(sku="F").row(0, named=True)
    assert found["order_qty"] == 0 and found["reason_code"] == "firm_later"


def test_firm_orders_without_other_demand_are_planned_in_lots_whatever_the_policy():
    inventory = room.stock(COST, {"sku": "F", "on_hand": 2.0} | COST)
    for policy in ("RS", "sS"):
        result = run(
            policies=room.policy({"policy": policy}), inventory=inventory, firm_orders=firm((4, 5.0), (4, 1.0))
        )
        found = result.tables["replenishment"].filter(sku="F").row(0, named=True)
        assert found["order_qty"] == 4 and found["reason_code"] == "order_firm"
        assert "firm_orders_unplanned" not in {f.rule for f in result.findings}


def test_firm_orders_beside_a_forecast_are_part_of_it_and_the_least_that_stock_holds():
    plain = one(run())
    within = run(firm_orders=firm((4, 5.0)).with_columns(sku=pl.lit("A")))
    assert one(within)["order_qty"] == plain["order_qty"] and one(within)["reason_code"] == plain["reason_code"]
    assert {f.rule for f in within.findings} >= {"firm_orders_beside"}
    level = plain["order_up_to"]
    for policy in ({}, {"policy": "sS"}, {"policy": "sQ", "lot_size": 30.0}):
        more = run(policies=room.policy(policy), firm_orders=firm((4, level), (4, 70.0)).with_columns(sku=pl.lit("A")))
        found = one(more)
        assert found["position"] + found["order_qty"] >= level + 70
        assert found["order_qty"] % policy.get("lot_size", 1) == 0
        assert found["reason_code"] == "order_firm_due" and found["order_up_to"] >= level + 70
        assert {f.rule for f in more.findings} >= {"firm_orders_beside", "firm_orders_over_forecast"}
    # What is due after the next order arrives is that one's.
    assert one(run(firm_orders=firm((300, 900.0)).with_columns(sku=pl.lit("A"))))["order_qty"] == plain["order_qty"]


def test_firm_orders_alone_without_a_unit_cost_are_ordered_for_all_the_same():
    found = run(firm_orders=firm((4, 5.0))).tables["replenishment"].filter(sku="F").row(0, named=True)
    assert found["order_qty"] == 5 and found["reason_code"] == "order_firm_due"


def sold(units, first=1):
    rows = [
        {"date": room.AS_OF + timedelta(days=first + i), "sku": "A", "market": "DE", "units": float(u)}
        for i, u in enumerate(units)
    ]
    return room.table("sales", rows)


def test_a_surge_is_found_and_a_single_day_is_none():
    s = Replenish(as_of=room.AS_OF + timedelta(days=4))
    found = {f.rule: f for f in run(sales=sold([4, 12, 13, 15]), s=s).findings}
    assert "40 units" in found["early_order"].message and found["early_order"].severity == "high"
    assert found["early_order"].money > 0
    assert "early_order" not in {f.rule for f in run(sales=sold([4, 12, 3, 15]), s=s).findings}
    fresh = run(sales=sold([4]), s=Replenish())
    assert any("surge" in n for n in fresh.notes)


def test_lost_sales_need_no_units_of_what_is_lost():
    # Empty shelf, lead time 4 days: what 4 days would have sold is lost, the order serves one day.
    waits, lost = (one(run(s=Replenish(unmet=u))) for u in ("waits", "lost"))
    assert waits["order_qty"] == 33
    assert abs(lost["order_qty"] - stats.poisson(5).ppf(0.95)) <= 1
    full = one(run(inventory=on_hand(400.0), s=Replenish(unmet="lost")))
    assert full["order_qty"] == 0


@given(
    level=st.sampled_from([0.6, 0.8, 0.9, 0.95, 0.99]),
    policy=st.sampled_from(["RS", "sS", "RsS", "sQ"]),
    stock=st.integers(-10, 60),
    moq=st.integers(0, 40),
    pack=st.integers(1, 12),
    unmet=st.sampled_from(["waits", "lost"]),
)
@settings(max_examples=8, deadline=None)
def test_what_always_holds(level, policy, stock, moq, pack, unmet):
    def order(at):
        row = {"policy": policy, "moq": float(moq), "pack_size": float(pack), "service_level": at, "lot_size": 20.0}
        return one(run(policies=room.policy(row), inventory=on_hand(float(stock)), s=Replenish(unmet=unmet)))

    found, higher = order(level), order(0.995)
    assert found["order_qty"] % pack == pytest.approx(0) and (found["order_qty"] == 0 or found["order_qty"] >= moq)
    assert higher["reorder_point"] >= found["reorder_point"]
    if policy == "RS":
        assert higher["order_qty"] >= found["order_qty"]
        if unmet == "waits":
            assert found["position"] + found["order_qty"] >= found["order_up_to"]
    if policy != "RS" and found["position"] <= found["reorder_point"]:
        assert found["position"] + found["order_qty"] > found["reorder_point"]
    assert date(2026, 6, 28) <= (found["order_date"] or date(2026, 6, 28))


SIZES = {"weight_kg": 2.0, "length_cm": 50.0, "width_cm": 40.0, "height_cm": 50.0, "currency": "EUR"}


def shop(n, seed=0):
    rng = np.random.default_rng(seed)
    names = [f"S{i:02d}" for i in range(n)]
    forecast = room.forecast(
        *(room.poisson(float(m), 30, sku=name) for name, m in zip(names, rng.uniform(0.3, 9, n), strict=True))
    )
    products = room.table(
        "products",
        [
            SIZES | {"sku": s, "unit_cost": float(c), "price": float(c) * 2}
            for s, c in zip(names, rng.uniform(2, 40, n), strict=True)
        ],
    )
    inventory = room.stock(*({"sku": s} for s in names))
    return {
        "forecast": forecast,
        "products": products,
        "inventory": inventory,
        "policies": room.policy({"moq": 5.0, "pack_size": 5.0}),
    }


@given(share=st.floats(0.05, 1.2), seed=st.integers(0, 3))
@example(share=0.9375, seed=1)
@settings(max_examples=3, deadline=None)
def test_the_budget_is_held_and_cuts_nothing_that_it_has_room_for(share, seed):
    given_ = shop(8, seed)
    whole = run(**given_)
    wanted = whole.metrics["order_value"]
    budget = float(np.floor(share * wanted)) + 1
    result = run(**given_, s=Replenish(budget=budget))
    rows = result.tables["replenishment"]
    assert result.metrics["order_value"] <= budget + 0.01
    assert (rows["order_qty"] % 5 == 0).all() and (rows["order_qty"] <= rows["wanted_qty"]).all()
    assert rows["wanted_qty"].to_list() == whole.tables["replenishment"]["order_qty"].to_list()
    if budget >= wanted:
        assert rows["order_qty"].to_list() == rows["wanted_qty"].to_list()
    else:
        assert result.metrics["limits_status"] == "optimal" and result.metrics["limits_gap"] <= 2e-4
        assert rows.filter(pl.col("order_qty") < pl.col("wanted_qty"))["reason_code"].str.starts_with("order_cut").all()


def test_a_tight_budget_is_spent_as_the_best_of_all_plans_would():
    import itertools

    from cbec.methods.forecast.ordercost import DAYS_OF_YEAR

    given_ = shop(4, 1)
    wanted = run(**given_).tables["replenishment"]["order_qty"].to_list()
    budget = 0.45 * run(**given_).metrics["order_value"]
    made = run(**given_, s=Replenish(budget=budget)).tables["replenishment"]["order_qty"].to_list()
    cost = given_["products"]["unit_cost"].to_numpy()
    mean = given_["forecast"].filter(pl.col("h") == 5)["cum_mean"].to_numpy()

    def shortage(plan):
        units = counts.shortage(np.array(plan), mean, mean)
        short = np.maximum(cost, cost * 0.25 / DAYS_OF_YEAR / 0.05)
        return float((short * units).sum())

    plans = itertools.product(*(np.arange(0, w + 1, 5) for w in wanted))
    best = min(shortage(p) for p in plans if (np.array(p) * cost).sum() <= budget)
    assert shortage(made) <= best + 0.1  # holding differs by cents


def containers(**more):
    return room.table(
        "containers",
        [{"container": "BOX", "capacity_kg": 300.0, "capacity_m3": 5.0, "cost": 40.0, "currency": "EUR"} | more],
    )


def test_orders_fit_the_containers_they_pay_for():
    given_ = shop(8)
    result = run(**given_, containers=containers())
    loads, rows = result.tables["order_loads"], result.tables["replenishment"]
    m3 = float(rows["order_qty"].sum()) * 0.1
    assert loads["load_m3"][0] == pytest.approx(m3) and m3 <= loads["count"][0] * 5
    assert float(rows["order_qty"].sum()) * 2 <= loads["count"][0] * 300
    assert result.metrics["container_cost"] == loads["count"][0] * 40
    seller = result.metrics["seller_formula_units"] * 0.1
    boxes = np.ceil(max(seller / 5, result.metrics["seller_formula_units"] * 2 / 300))
    assert result.metrics["container_cost_seller_formula"] == boxes * 40
    # Room that travels empty is in the headline, of both.
    assert result.metrics["container_cost_empty"] == pytest.approx((loads["count"][0] - m3 / 5) * 40, abs=0.01)
    empty = (result.metrics[f"container_cost_empty{of}"] for of in ("_seller_formula", ""))
    money = result.money
    told = result.tables["replenishment"].filter(pl.col("cost").is_not_null())
    assert money.proposed == pytest.approx(told["cost"].sum() + result.metrics["container_cost_empty"], abs=0.05)
    plain = run(**given_).money
    assert money.today - plain.today == pytest.approx(next(empty), abs=0.01)
    few = run(**given_, containers=containers(available=1))
    assert few.tables["order_loads"]["count"].to_list() == [1]
    assert few.tables["replenishment"]["order_qty"].sum() <= 50
    with pytest.raises(InputRejected, match="none goes to W1"):
        run(**given_, containers=containers(warehouse="ELSEWHERE"))


def test_firm_lots_that_no_budget_covers_are_named():
    policies = room.policy({"sku": "F", "policy": "wagner_whitin", "order_cost": 5.0}, {})
    inventory = room.stock(COST, {"sku": "F"} | COST)
    with pytest.raises(NoAnswer, match=r"the budget fails by 500\.00"):
        run(policies=policies, inventory=inventory, firm_orders=firm((4, 80.0)), s=Replenish(budget=300.0))


def test_the_curve_of_service_and_cost():
    curve = run().tables["stock_curve"]
    for column in ("safety_stock_value", "order_value", "holding"):
        assert curve[column].is_sorted()
    assert curve["expected_short"].is_sorted(descending=True)


def test_the_factor_of_a_replay_sets_the_level():
    record = room.table(
        "stock_record",
        [
            {"origin": origin, "ratio_factor": f, "service_level": 0.5, "cost": 1.0, "holding": 1.0, "shortage": 0.0, "units_short": 0.0, "verdict": v}
            for origin, f, v in (("2026-01-01", 0.9, "chosen"), ("all", 0.6, "chosen"), ("all", 1.0, ""))
        ],
    )  # fmt: skip
    policies = room.policy({"target": "cost_carry_over", "holding_rate": 36.5, "shortage_cost": 4.0})
    told = run(policies=policies, stock_record=record)
    assert any("unit short counted x 0.6" in note for note in told.notes)
    same = run(policies=policies, s=Replenish(ratio_factor=0.6))
    assert one(told)["order_up_to"] == one(same)["order_up_to"] == stats.poisson(25).ppf(2.4 / 3.4)
    with pytest.raises(InputRejected, match="no factor is chosen"):
        run(policies=policies, stock_record=record.head(1))
